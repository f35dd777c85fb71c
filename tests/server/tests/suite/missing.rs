//! Missing caches: the replies to their deletions and dry runs, and caches that the list leaves out.

use std::io::ErrorKind;
use std::time::Duration;

use crate::client::*;
use connect_test_server::{Cache, Config, Effect, MissingCache, Plan, Server};
use serde_json::{Value, json};

const NOT_FOUND: MissingCache = MissingCache::NOT_FOUND;
const TASK_FAILS: MissingCache = MissingCache::TASK_FAILS;
const TASK_SUCCEEDS: MissingCache = MissingCache::TASK_SUCCEEDS;

fn with(missing_cache: MissingCache, plan: Plan) -> Server {
    Server::builder().missing_cache(missing_cache).plan(plan).start()
}

fn body(language: &str, version: &str, dry_run: bool) -> String {
    let body = json!({ "language": language, "version": version, "image_name": "Local", "dry_run": dry_run });
    body.to_string()
}

fn finished(server: &Server, reply: &Value) -> Value {
    let id = reply["task_id"].as_str().unwrap();
    poll(server, &format!("/__api__/v1/tasks/{id}"), "wait=5").json()
}

#[test]
fn answers_404_for_a_missing_cache_by_default() {
    let server = Server::start(Config::default());
    for dry_run in [true, false] {
        for version in ["4.3.1", "0.0.0"] {
            assert_eq!(delete(&server, &body("R", version, dry_run)).code(), (404, 4), "{version} {dry_run}");
        }
    }
    assert_eq!(server.max_running(), 0);
}

#[test]
fn answers_200_for_a_missing_cache_on_newer_servers() {
    for (missing_cache, code, error, line) in [
        (TASK_FAILS, 1, "Cache does not exist", "Failed to delete runtime cache"),
        (TASK_SUCCEEDS, 0, "", "Successfully deleted runtime cache"),
    ] {
        // The plan for caches that exist does not decide how this task ends.
        let plan = Plan { effect: Effect::AtStart, ..Plan::failing(7, "disk full") };
        let server = with(missing_cache, plan);
        let before = server.caches();
        let mut expected =
            json!({ "language": "R", "version": "0.0.0", "image_name": "Local", "task_id": null });
        let checked = delete(&server, &body("r", "0.0.0", true));
        assert_eq!((checked.status, checked.json()), (200, expected.clone()), "{missing_cache:?}");

        let started = delete(&server, &body("R", "0.0.0", false)).json();
        expected["task_id"] = started["task_id"].clone();
        assert_eq!(started, expected, "{missing_cache:?}");
        let task = finished(&server, &started);
        assert_eq!(
            (&task["code"], &task["error"], &task["output"][1]),
            (&json!(code), &json!(error), &json!(line)),
            "{missing_cache:?}"
        );
        assert_eq!(server.caches(), before, "{missing_cache:?}");
    }
}

#[test]
fn runs_the_task_of_a_missing_cache_for_the_planned_time() {
    let server = with(TASK_SUCCEEDS, Plan::lasting(Duration::from_secs(60)));
    let started = delete(&server, &body("R", "0.0.0", false)).json();
    let task = format!("/__api__/v1/tasks/{}", started["task_id"].as_str().unwrap());
    let task = poll(&server, &task, "").json();
    assert_eq!((&task["finished"], &task["last"]), (&json!(false), &json!(1)));
}

#[test]
fn treats_the_cache_of_a_second_deletion_as_missing() {
    for (missing_cache, code) in [(NOT_FOUND, 1), (TASK_FAILS, 1), (TASK_SUCCEEDS, 0)] {
        let server = with(missing_cache, Plan::lasting(Duration::from_millis(200)));
        let (first, second) = (start(&server), start(&server));
        assert_eq!(poll(&server, &first, "wait=5").json()["code"], 0, "{missing_cache:?}");
        let second = poll(&server, &second, "wait=5").json();
        assert_eq!(second["code"], code, "{missing_cache:?}");
        assert_eq!(second["error"] == "", code == 0, "{missing_cache:?}");
        assert!(!server.has("R 4.3.0 Local"));
    }
}

#[test]
fn treats_a_cache_that_vanishes_as_missing() {
    for (missing_cache, answer) in [(NOT_FOUND, (404, 4)), (TASK_FAILS, (200, 0)), (TASK_SUCCEEDS, (200, 0))]
    {
        let server = with(missing_cache, Plan { vanishes: true, ..Plan::default() });
        assert_eq!(delete(&server, DRY).code(), answer, "{missing_cache:?}");
        assert_eq!(server.caches(), [Cache::new("Python", "3.7.6", "Local")]);
        let reply = delete(&server, R);
        assert_eq!(reply.code(), answer, "{missing_cache:?}");
        if missing_cache != NOT_FOUND {
            let task = finished(&server, &reply.json());
            assert_eq!(task["code"] == 0, missing_cache == TASK_SUCCEEDS, "{missing_cache:?}");
        }
    }
}

#[test]
fn leaves_unlisted_caches_out_of_the_list() {
    let hidden = Cache::new("R", "4.1.0", "Local");
    let server = Server::builder().unlisted([hidden.clone()]).start();
    let versions = || {
        let list = request(&server, &format!("GET {CACHES}"), "admin-key", "").json();
        let caches = list["caches"].as_array().unwrap().iter();
        caches.map(|cache| cache["version"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["4.3.0", "3.7.6"]);
    assert!(server.has(&hidden));
    assert_eq!(delete(&server, &body("R", "4.1.0", true)).code(), (200, 0));
    let started = delete(&server, &body("R", "4.1.0", false)).json();
    assert_eq!(finished(&server, &started)["code"], 0);
    assert!(!server.has(&hidden));
    assert_eq!(delete(&server, &body("R", "4.1.0", true)).code(), (404, 4));

    server.add_cache(hidden.clone());
    assert!(server.has(&hidden));
    assert_eq!(versions(), ["4.3.0", "3.7.6"]);
}

#[test]
fn refuses_unlisted_caches_on_newer_servers() {
    for (missing_cache, starts) in [(NOT_FOUND, true), (TASK_FAILS, false), (TASK_SUCCEEDS, false)] {
        let unlisted = vec![Cache::new("R", "4.1.0", "Local")];
        match Server::builder().missing_cache(missing_cache).unlisted(unlisted).try_start() {
            Ok(_) => assert!(starts, "{missing_cache:?}"),
            Err(error) => {
                assert!(!starts, "{missing_cache:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains("unlisted caches require"), "{error}");
            }
        }
    }
}

#[test]
fn changes_its_caches_during_a_run() {
    let (r, other) = (Cache::new("R", "4.3.0", "Local"), Cache::new("R", "4.4.0", "Local"));
    let server = with(TASK_FAILS, Plan::lasting(Duration::from_millis(200)));
    assert!(server.has(&r) && !server.has(&other));
    server.add_cache(other.clone());
    server.add_cache(other.clone());
    assert_eq!(server.caches().len(), 3);

    let task = start(&server);
    server.set_caches(vec![other.clone()]);
    assert_eq!(poll(&server, &task, "wait=5").json()["error"], "Cache does not exist");
    assert_eq!(server.caches(), [other]);
    let list = request(&server, &format!("GET {CACHES}"), "admin-key", "").json();
    assert_eq!(list["caches"][0]["version"], "4.4.0");
}
