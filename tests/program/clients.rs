//! Two clients that delete the same caches at once.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use connect_test_server::{Action, Endpoint, Fault, MissingCache, MissingDelete, OtherClient, Plan, Server};
use serde_json::{Value, json};

use crate::support::{Ran, requests_to, run};

const PURGE: &str = "purge --all -y --json --interval 0.2";

fn server_of_twelve(missing_cache: MissingCache) -> Server {
    let server = Server::builder()
        .caches((0..12).map(|n| format!("R 4.{n}.0 Local")))
        .missing_cache(missing_cache)
        .plan(Plan::lasting(Duration::from_millis(500)))
        .start();
    // Both lists are complete: the first client has its list a second after it asked, and begins then.
    server.fault(Fault::new(Endpoint::List, Action::Delay(Duration::from_secs(1))).times(2).with_effect());
    server
}

/// Runs two purges at once, and returns both records of each cache.
fn purge_twice(server: &Server) -> BTreeMap<String, Vec<Value>> {
    let both = thread::scope(|scope| {
        let clients = [(); 2].map(|()| scope.spawn(|| run(server, PURGE).exits(0)));
        clients.map(|client| client.join().unwrap())
    });
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for Ran { stdout, .. } in both {
        for line in stdout.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            records.entry(record["version"].to_string()).or_default().push(record);
        }
    }
    records
}

#[test]
fn reports_each_cache_of_two_purges_as_deleted_by_one() {
    thread::scope(|scope| {
        for world in MissingCache::ALL {
            scope.spawn(move || {
                let server = server_of_twelve(world);
                let records = purge_twice(&server);
                assert!(server.caches().is_empty());
                assert_eq!(records.len(), 12);
                for pair in records.values() {
                    let status = |at: usize| pair[at]["status"].as_str().unwrap();
                    if world.delete == MissingDelete::TaskSucceeds {
                        // Nothing distinguishes the task that deleted the cache from the one that found nothing.
                        assert_eq!([status(0), status(1)], ["deleted"; 2], "{world:?}: {pair:#?}");
                        continue;
                    }
                    let mut statuses = [status(0), status(1)];
                    statuses.sort_unstable();
                    assert_eq!(statuses, ["absent", "deleted"], "{world:?}: {pair:#?}");
                    // The record of the slower one has the server's words.
                    let absent = pair.iter().find(|record| record["status"] == "absent").unwrap();
                    assert_eq!(absent["error"], "Cache does not exist");
                    let code = if absent["task_id"].is_null() { 4 } else { 1 };
                    assert_eq!(absent["code"], json!(code));
                }
            });
        }
    });
}

#[test]
fn reports_a_cache_that_another_client_deleted_before() {
    for (world, status, says) in [
        (MissingCache::NOT_FOUND, "absent", "R 4.3.0 Local is already gone: Cache does not exist\n"),
        (
            MissingCache::TASK_FAILS,
            "absent",
            "R 4.3.0 Local is not there, although this run's task failed: Cache does not exist (task ",
        ),
        (MissingCache::TASK_SUCCEEDS, "deleted", "deleted R 4.3.0 Local in "),
    ] {
        for command in ["delete -l R -V 4.3.0", "purge -l R -y", "delete -l R -V 4.3.0 --ignore-not-found"] {
            let server = Server::builder().missing_cache(world).start();
            server.other_client(OtherClient::deletes("R 4.3.0 Local").after(Endpoint::List));
            let ran = run(&server, &format!("{command} --json")).exits(0).says(says).never_says("lost");
            assert_eq!(ran.json()["status"], status, "{ran:#?}");
            assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
        }
    }
}

#[test]
fn reports_a_cache_that_another_client_deletes_meanwhile() {
    for world in MissingCache::ALL {
        let server =
            Server::builder().missing_cache(world).plan(Plan::lasting(Duration::from_millis(300))).start();
        server.other_client(OtherClient::deletes("R 4.3.0 Local").after(Endpoint::Delete));
        let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(0).never_says("lost");
        // The task fails, since it does not find the cache at its end.
        let succeeds = world.delete == MissingDelete::TaskSucceeds;
        let (status, code) = if succeeds { ("deleted", 0) } else { ("absent", 1) };
        assert_eq!((&ran.json()["status"], &ran.json()["code"]), (&json!(status), &json!(code)), "{ran:#?}");
    }
}
