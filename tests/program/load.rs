//! Servers and gateways that limit requests.

use std::thread;
use std::time::{Duration, Instant};

use connect_test_server::{Action, Endpoint, Fault, Plan, RateLimit, Request, Server};
use serde_json::json;

use crate::support::{endpoints, requests_to, run};

/// Purges twelve caches through a gateway that passes three requests a second.
fn purge_within_limit(limit: RateLimit, task: Duration, context: &str) {
    let caches = (0..12).map(|n| format!("R 4.{n}.0 Local"));
    let server = Server::builder().caches(caches).plan(Plan::lasting(task)).rate_limit(limit).start();
    let started_at = Instant::now();
    let ran = run(&server, "purge --all -y").exits(0);
    let (number, seconds) = (server.requests().len(), started_at.elapsed().as_secs());
    eprintln!("{context}: {number} requests in {seconds} s");
    assert_eq!(ran.stderr.lines().last(), Some("12 deleted"), "{context}: {ran:#?}");
    assert!(server.caches().is_empty(), "{context}: {ran:#?}");
    assert!(number <= 120, "{context}: {number}: {ran:#?}");
    // A refused DELETE was not processed if the status is 429, so it is not in doubt.
    if context.contains("429") {
        assert!(requests_to(&server, Endpoint::DryRun).is_empty(), "{context}: {ran:#?}");
        ran.never_says("may have started");
    }
}

#[test]
fn purges_through_a_limit_of_three_requests_a_second() {
    thread::scope(|scope| {
        for burst in [0, 3] {
            for seconds in [0, 2] {
                for (name, limit) in [("503", RateLimit::gateway(3.0)), ("429", RateLimit::connect(3.0))] {
                    let context = format!("{name}, burst {burst}, tasks of {seconds} s");
                    let task = Duration::from_secs(seconds);
                    scope.spawn(move || purge_within_limit(limit.burst(burst), task, &context));
                }
            }
        }
    });
}

#[test]
fn finds_the_rate_of_a_slower_server() {
    let purge = |limit: RateLimit| {
        let caches = (0..3).map(|n| format!("R 4.{n}.0 Local"));
        let server = Server::builder().caches(caches).rate_limit(limit.burst(0)).start();
        let ran = run(&server, "purge --all -y").exits(0);
        assert_eq!(ran.stderr.lines().last(), Some("3 deleted"), "{ran:#?}");
        assert!(server.caches().is_empty(), "{ran:#?}");
    };
    thread::scope(|scope| {
        for limit in [RateLimit::gateway(1.0), RateLimit::connect(1.0)] {
            scope.spawn(move || purge(limit));
        }
    });
}

/// Returns the pauses before each request, after the first one that has this status.
fn pauses_after(requests: &[Request], status: u16) -> Vec<Duration> {
    let at = requests.iter().position(|request| request.status == Some(status)).unwrap();
    requests[at..].windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[test]
fn pauses_all_deletions_after_an_overload_and_spaces_their_requests() {
    let purge = |status, on| {
        let server = Server::builder().caches((0..5).map(|n| format!("R 4.{n}.0 Local"))).start();
        server.fault(Fault::new(on, Action::html(status).with_header("Retry-After", "2")).skip(2));
        let ran = run(&server, "purge --all -y").exits(0).says("5 deleted");
        let pauses = pauses_after(&server.requests(), status);
        assert!(pauses[0] >= Duration::from_secs(2), "{pauses:?}: {ran:#?}");
        // The requests start half a second apart. On a busy machine, one may arrive late.
        let (spaced, number) = (pauses[1..].iter().sum::<Duration>(), pauses.len() as u32 - 1);
        assert!(
            spaced >= Duration::from_millis(500) * number - Duration::from_millis(400),
            "{pauses:?}: {ran:#?}"
        );
    };
    thread::scope(|scope| {
        for status in [429, 503] {
            for on in [Endpoint::Task, Endpoint::Delete] {
                scope.spawn(move || purge(status, on));
            }
        }
    });
}

#[test]
fn takes_429_for_a_refusal_and_never_for_a_doubt() {
    for (action, exit) in [(Action::error(429, 277, "no"), 5), (Action::html(429), 6)] {
        let server = Server::builder().start();
        server.fault(Fault::new(Endpoint::Delete, action.clone()).times(2));
        let ran = run(&server, "delete -l R -V 4.3.0").exits(0).never_says("may have started");
        assert_eq!(ran.stderr.matches("; retrying in ").count(), 2, "{ran:#?}");
        use Endpoint::{Delete, List, Task};
        assert_eq!(endpoints(&server), [List, Delete, Delete, Delete, Task]);
        // The retries end.
        let server = Server::builder().start();
        server.fault(Fault::always(Endpoint::Delete, action));
        let ran = run(&server, "delete -l R -V 4.3.0 --json --retries 1").exits(exit);
        assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
        assert_eq!(endpoints(&server), [List, Delete, Delete]);
    }
    // So does a longer pause than a minute.
    let server = Server::builder().start();
    let busy = Action::error(429, 277, "no").with_header("Retry-After", "61");
    server.fault(Fault::always(Endpoint::Delete, busy));
    let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(5);
    assert_eq!(ran.json()["status"], json!("refused"));
    ran.says("the server asks to retry in 61 s");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
}
