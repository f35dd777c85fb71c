//! Caches that do not exist, and the names of images.

use std::time::Duration;

use crate::client::*;
use connect_test_server::{Cache, Echo, Effect, Images, MissingCache, Plan, Sanitizer, Server};
use serde_json::json;

const JAMMY: &str = "ghcr.io/acme/r:jammy";
const FOCAL: &str = "ghcr.io/acme/r:focal";

/// Returns the body of a deletion of R 4.3.0 in an image.
fn r_in(image: &str) -> String {
    json!({ "language": "R", "version": "4.3.0", "image_name": image }).to_string()
}

fn dry(body: &str) -> String {
    body.replace('}', r#","dry_run":true}"#)
}

#[test]
fn answers_for_a_missing_cache_as_configured() {
    let (accepted, not_found) = ((200, 0), (404, 4));
    let fails = Some((1, "Cache does not exist"));
    for (missing_cache, (dry_run, started, end)) in MissingCache::ALL.into_iter().zip([
        (not_found, not_found, None),
        (accepted, accepted, fails),
        (accepted, accepted, Some((0, ""))),
        (not_found, accepted, fails),
        (not_found, accepted, Some((0, ""))),
        (accepted, not_found, None),
    ]) {
        // The plan for caches that exist does not decide how this task ends.
        let plan = Plan { effect: Effect::AtStart, ..Plan::failing(7, "disk full") };
        let server = Server::builder().missing_cache(missing_cache).plan(plan).start();
        let before = server.caches();
        let missing = R.replace("4.3.0", "0.0.0");
        assert_eq!(delete(&server, &dry(&missing)).code(), dry_run, "{missing_cache:?}");
        let reply = delete(&server, &missing);
        assert_eq!(reply.code(), started, "{missing_cache:?}");
        if let Some((code, error)) = end {
            let id = reply.json()["task_id"].as_str().unwrap().to_owned();
            let task = poll(&server, &format!("/__api__/v1/tasks/{id}"), "").json();
            assert_eq!((&task["code"], &task["error"]), (&json!(code), &json!(error)), "{missing_cache:?}");
        }
        assert_eq!(server.caches(), before, "{missing_cache:?}");
    }
}

#[test]
fn ends_the_second_deletion_of_a_cache_as_that_of_a_missing_one() {
    for (missing_cache, code) in
        MissingCache::ALL.into_iter().zip([Some(1), Some(1), Some(0), Some(1), Some(0), Some(1)])
    {
        let plan = Plan::lasting(Duration::from_millis(100));
        let server = Server::builder().missing_cache(missing_cache).plan(plan).start();
        let tasks = (start(&server), start(&server));
        let end = |task: &str| poll(&server, task, "wait=5").json()["code"].as_i64();
        assert_eq!((end(&tasks.0), end(&tasks.1)), (Some(0), code), "{missing_cache:?}");
        assert_eq!(server.caches().len(), 1);
    }
}

#[test]
fn lists_equal_rows_of_images_with_one_spelling() {
    let [jammy, focal] = [JAMMY, FOCAL].map(|image| Cache::new("R", "4.3.0", image));
    for sanitizer in [Sanitizer::DropTag, Sanitizer::Anonymous] {
        let images = Images { sanitizer, echo: Echo::default() };
        let server = Server::builder().caches([&jammy, &focal]).images(images).start();
        let listed = sanitizer.sanitize(JAMMY);
        let row = json!({ "language": "R", "version": "4.3.0", "image_name": listed });
        assert_eq!(list(&server).json(), json!({ "caches": [row, row] }), "{sanitizer:?}");

        // The literal name decides, and the listed one means the first.
        assert_eq!(delete(&server, &r_in(FOCAL)).status, 200);
        assert!(server.has(&jammy) && !server.has(&focal));
        server.add_cache(&focal);
        assert_eq!(delete(&server, &r_in(&listed)).status, 200);
        assert!(!server.has(&jammy) && server.has(&focal));
        assert_eq!(delete(&server, &dry(&r_in("ghcr.io/acme/R"))).code(), (404, 4));
    }
}

#[test]
fn prefers_a_literal_name_to_a_listed_one() {
    // The listed name of the first image is the literal name of the second.
    let server = Server::builder().caches(["R 4.3.0 acme/r", "R 4.3.0 acme-r"]).start();
    assert_eq!(delete(&server, &r_in("acme-r")).status, 200);
    assert_eq!(server.caches(), ["R 4.3.0 acme/r".into()]);
}

#[test]
fn spells_images_in_replies_as_configured() {
    let (listed, kept) = ("ghcr_io_acme_r_jammy", "ghcr-io-acme-r-jammy");
    for (echo, by_literal, by_listed) in [
        (Echo::Listed, listed, listed),
        (Echo::Requested, JAMMY, listed),
        (Echo::Stored, JAMMY, JAMMY),
        (Echo::Sanitized(Sanitizer::KeepCase), kept, kept),
    ] {
        let images = Images { sanitizer: Sanitizer::Underscores, echo };
        let server = Server::builder().caches([format!("R 4.3.0 {JAMMY}")]).images(images).start();
        let image = |body: &str| delete(&server, body).json()["image_name"].clone();
        assert_eq!(image(&dry(&r_in(JAMMY))), by_literal, "{echo:?}");
        assert_eq!(image(&dry(&r_in(listed))), by_listed, "{echo:?}");
        assert_eq!(image(&r_in(JAMMY)), by_literal, "{echo:?}");
    }
}
