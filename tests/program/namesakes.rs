//! Images whose names a list spells in another way than the command, on servers that accept the dry run of any cache:
//! the rows of other images of the same version may be the cache itself.

use connect_test_server::Endpoint::{Delete, DryRun, List, Task};
use connect_test_server::{
    Action, Cache, Config, Fault, Images, MissingCache, MissingDelete, MissingDryRun, OtherClient, Sanitizer,
    Server,
};
use serde_json::json;

use crate::support::{Ran, caches, connect_cache, endpoints, requests_to, run};

const JAMMY: &str = "R 4.3.0 ghcr.io/acme/r:jammy";
const NOBLE: &str = "R 4.3.0 ghcr.io/acme/r:noble";
/// A cache that no server has.
const FOCAL: &str = "R 4.3.0 ghcr.io/acme/r:focal";
const OTHER_VERSION: &str = "R 4.2.0 ghcr.io/acme/r:jammy";

/// The servers whose dry runs prove nothing.
const WORLDS: [MissingCache; 3] = [
    MissingCache::TASK_SUCCEEDS,
    MissingCache::TASK_FAILS,
    MissingCache { dry_run: MissingDryRun::Accepted, delete: MissingDelete::NotFound },
];

fn config(missing_cache: MissingCache) -> Config {
    Config::default().caches([JAMMY, OTHER_VERSION, "R 4.3.0 Local"]).missing_cache(missing_cache)
}

fn words(cache: &str) -> String {
    let Cache { language, version, image_name } = cache.into();
    format!("delete -l {language} -V {version} -I {image_name}")
}

#[track_caller]
fn delete(server: &Server, cache: &str, status: &str, exit: i32) -> Ran {
    let ran = run(server, &format!("{} --json", words(cache))).exits(exit);
    assert_eq!(ran.json()["status"], status, "{:?}: {ran:#?}", endpoints(server));
    ran
}

#[test]
fn confirms_by_the_missing_row_that_a_task_deleted_the_cache() {
    for world in WORLDS {
        let server = config(world).start();
        delete(&server, JAMMY, "deleted", 0);
        assert_eq!(endpoints(&server), [List, DryRun, DryRun, List, Delete, Task, List], "{world:?}");
        assert_eq!(caches(&server), [OTHER_VERSION, "R 4.3.0 Local"]);
    }
}

#[test]
fn reports_no_cache_as_deleted_that_was_not_there() {
    for (world, status, exit, says) in [
        (
            WORLDS[0],
            "not-found",
            4,
            "error: no runtime cache R 4.3.0 ghcr.io/acme/r:focal: the task succeeded, but deleted nothing; ",
        ),
        // The row of the other image may be this cache.
        (WORLDS[1], "failed", 1, ", code 1); it is not known whether the cache exists; "),
        (WORLDS[2], "not-found", 4, "error: no runtime cache R 4.3.0 ghcr.io/acme/r:focal; "),
    ] {
        let server = config(world).start();
        delete(&server, FOCAL, status, exit).says(says);
        assert_eq!(requests_to(&server, Delete).len(), 1);
        assert_eq!(caches(&server).len(), 3);
        let ignored = run(&server, &format!("{} --json --ignore-not-found", words(FOCAL)));
        let expected = if exit == 4 { "absent" } else { status };
        assert_eq!(ignored.json()["status"], expected, "{ignored:#?}");
    }
    // No row can be the cache.
    for world in WORLDS {
        let server = Config::default().caches([OTHER_VERSION, "R 4.3.0 Local"]).missing_cache(world).start();
        delete(&server, FOCAL, "not-found", 4);
        assert_eq!(endpoints(&server), [List, DryRun, DryRun, List]);
        // The other way around, the row of an image is not the cache of native execution.
        let server = Config::default().caches([JAMMY]).missing_cache(world).start();
        delete(&server, "R 4.3.0 Local", "not-found", 4);
        assert_eq!(endpoints(&server), [List, DryRun, DryRun, List]);
    }
}

#[test]
fn counts_equal_rows_one_by_one() {
    for world in WORLDS {
        let images = Images { sanitizer: Sanitizer::DropTag, ..Images::default() };
        let server = Config::default().caches([JAMMY, NOBLE]).missing_cache(world).images(images).start();
        let listed = "R  4.3.0  ghcr-io-acme-r\n";
        run(&server, "list").exits(0).prints(listed);
        delete(&server, NOBLE, "deleted", 0);
        assert_eq!(caches(&server), [JAMMY]);
        run(&server, "list").exits(0).prints(listed);
    }
    let images = Images { sanitizer: Sanitizer::Anonymous, ..Images::default() };
    let server = Config::default().caches([JAMMY, NOBLE]).missing_cache(WORLDS[0]).images(images).start();
    delete(&server, FOCAL, "not-found", 4);
    assert_eq!(caches(&server), [JAMMY, NOBLE]);
}

#[test]
fn is_not_misled_by_a_row_that_appears() {
    for world in WORLDS {
        let server = config(world).start();
        server.other_client(OtherClient::creates(NOBLE).before(Delete));
        delete(&server, JAMMY, "deleted", 0);
        assert_eq!(caches(&server), [OTHER_VERSION, "R 4.3.0 Local", NOBLE]);
    }
    let server = config(WORLDS[0]).start();
    server.other_client(OtherClient::creates(NOBLE).before(Delete));
    delete(&server, FOCAL, "not-found", 4);
    // A row that vanishes before the last list that precedes the DELETE counts for nothing.
    let server = config(WORLDS[0]).start();
    server.other_client(OtherClient::deletes(JAMMY).before(List).skip(1));
    delete(&server, FOCAL, "not-found", 4);
    assert!(requests_to(&server, Delete).is_empty());
}

#[test]
fn claims_nothing_if_a_row_vanishes() {
    // It may have been the cache. The other row may be the cache, too.
    let server = config(MissingCache::TASK_FAILS).caches([JAMMY, NOBLE]).start();
    server.other_client(OtherClient::deletes(JAMMY).before(Delete));
    delete(&server, FOCAL, "unknown", 6).says("error: outcome unknown for R 4.3.0 ghcr.io/acme/r:focal: ");
    // Without any row that may be the cache, it is gone, whether it was there or not.
    let server = config(MissingCache::TASK_FAILS).start();
    server.other_client(OtherClient::deletes(JAMMY).before(Delete));
    delete(&server, FOCAL, "absent", 0)
        .says("R 4.3.0 ghcr.io/acme/r:focal is not there, although this run's task failed: Cache does not ");
    // With a task that succeeds, another client can make a cache look deleted, as the documentation says.
    let server = config(MissingCache::TASK_SUCCEEDS).start();
    server.other_client(OtherClient::deletes(JAMMY).before(Delete));
    delete(&server, FOCAL, "deleted", 0);
}

#[test]
fn claims_nothing_without_a_second_list() {
    for action in [Action::html(403), Action::ResetBeforeReply, Action::CutJson] {
        let server = config(MissingCache::TASK_SUCCEEDS).start();
        server.fault(Fault::always(List, action).skip(2));
        let ran = run(&server, &format!("{} --json --retries 0", words(JAMMY))).exits(6);
        let record = ran.json();
        assert_eq!((&record["status"], record["task_id"].is_string()), (&json!("unknown"), true), "{ran:#?}");
    }
    // The row of the cache itself appears.
    let server = config(MissingCache::TASK_SUCCEEDS).start();
    server.other_client(OtherClient::creates("R 4.3.0 ghcr-io-acme-r-focal").after(Delete));
    delete(&server, "R 4.3.0 ghcr-io-acme-r-focal", "unknown", 6).says(", which still exists: ");
}

#[test]
fn claims_nothing_about_two_images_of_one_version() {
    // Both tasks succeed, and each may be the one that deleted both rows.
    let server = Config::default()
        .caches([JAMMY, NOBLE, "R 4.2.0 Local"])
        .missing_cache(MissingCache::TASK_SUCCEEDS)
        .start();
    let named = format!("{JAMMY}\n{NOBLE}\nR 4.2.0 Local\n");
    let ran = connect_cache(&server).words("purge --from - -y").stdin(&named).run().exits(6);
    assert_eq!(ran.stderr.lines().last(), Some("1 deleted, 2 unknown"), "{ran:#?}");
    assert!(caches(&server).is_empty());
    // Their listed names are seen in the list.
    let server = Config::default().caches([JAMMY, NOBLE]).missing_cache(MissingCache::TASK_SUCCEEDS).start();
    let named = run(&server, "list").exits(0).stdout;
    let ran = connect_cache(&server).words("purge --from - -y").stdin(&named).run().exits(0);
    assert_eq!(ran.stderr.lines().last(), Some("2 deleted"), "{ran:#?}");
}

#[test]
fn reports_a_cache_that_was_not_seen_as_absent_after_a_doubt() {
    for world in WORLDS {
        let server = config(world).start();
        server.fault(Fault::new(Delete, Action::ResetBeforeReply).with_effect());
        delete(&server, JAMMY, "absent", 0)
            .says("R 4.3.0 ghcr.io/acme/r:jammy is not there; it is not known whether this run deleted it\n");
        assert_eq!(requests_to(&server, Delete).len(), 1);
        assert!(!server.has(JAMMY));
        // With another row, the list does not show whether the cache is there.
        let server = config(world).caches([JAMMY, NOBLE]).start();
        server.fault(Fault::new(Delete, Action::ResetBeforeReply).with_effect());
        delete(&server, JAMMY, "unknown", 6);
        assert_eq!(requests_to(&server, Delete).len(), 1);
    }
}

#[test]
fn trusts_a_dry_run_that_tells_whatever_the_list_has() {
    for delete_of_missing in [MissingDelete::NotFound, MissingDelete::TaskFails, MissingDelete::TaskSucceeds]
    {
        let world = MissingCache { dry_run: MissingDryRun::NotFound, delete: delete_of_missing };
        let server = config(world).start();
        delete(&server, JAMMY, "deleted", 0);
        assert_eq!(endpoints(&server), [List, DryRun, DryRun, Delete, Task, DryRun]);
        let server = config(world).start();
        delete(&server, FOCAL, "not-found", 4);
        assert_eq!(endpoints(&server), [List, DryRun]);
        // Another client is faster.
        let server = config(world).start();
        server.other_client(OtherClient::deletes(JAMMY).before(Delete));
        let (status, exit) = match delete_of_missing {
            MissingDelete::NotFound => ("not-found", 4),
            MissingDelete::TaskFails => ("absent", 0),
            // Two clients that delete a cache at once both see it go.
            MissingDelete::TaskSucceeds => ("deleted", 0),
        };
        delete(&server, JAMMY, status, exit);
        assert!(!server.has(JAMMY));
    }
}
