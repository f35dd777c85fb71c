//! Finding out whether a cache exists, on servers that differ in their replies about a missing cache.

use std::time::{Duration, Instant};

use connect_test_server::Endpoint::{self, Delete, DryRun, List, Task};
use connect_test_server::{
    Action, Config, Echo, Effect, Fault, Images, LostLookup, MissingCache, MissingDryRun, OtherClient, Plan,
    Polls, Sanitizer, Server,
};
use serde_json::json;

use crate::support::{caches, endpoints, requests_to, run};

const NOT_FOUND: MissingCache = MissingCache::NOT_FOUND;
const TASK_FAILS: MissingCache = MissingCache::TASK_FAILS;
const TASK_SUCCEEDS: MissingCache = MissingCache::TASK_SUCCEEDS;

fn server(missing_cache: MissingCache, plan: Plan) -> Server {
    Server::builder().missing_cache(missing_cache).plan(plan).start()
}

/// Runs `delete`, or a purge of one cache, and returns the status in its record and the exit status.
fn status(server: &Server, words: &str) -> (String, i32) {
    let ran = run(server, &format!("{words} --json"));
    (ran.json()["status"].as_str().unwrap().to_owned(), ran.status.unwrap())
}

#[track_caller]
fn assert_status(server: &Server, words: &str, expected: (&str, i32)) {
    let (status, exit) = status(server, words);
    assert_eq!((status.as_str(), exit), expected, "{words}: {:#?}", endpoints(server));
}

fn is_calibration(body: &serde_json::Value) -> bool {
    *body == json!({"language": "R", "version": "0.0.0", "image_name": "Local", "dry_run": true})
}

#[test]
fn sends_no_extra_requests_for_an_ordinary_deletion() {
    for kind in MissingCache::ALL {
        let server = server(kind, Plan::default());
        assert_status(&server, "delete -l R -V 4.3.0", ("deleted", 0));
        assert_eq!(endpoints(&server), [List, Delete, Task]);
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn reports_a_cache_that_never_existed() {
    for kind in MissingCache::ALL {
        let server = server(kind, Plan::default());
        for image in ["Local", "ghcr.io/example/r:jammy"] {
            let words = format!("delete -l R -V 9.9.9 -I {image}");
            assert_status(&server, &words, ("not-found", 4));
            assert_status(&server, &format!("{words} --ignore-not-found"), ("absent", 0));
            assert_status(&server, &format!("{words} --no-wait"), ("not-found", 4));
            assert_status(&server, &format!("{words} --dry-run"), ("not-found", 4));
            assert_status(&server, &format!("{words} --dry-run --ignore-not-found"), ("absent", 0));
        }
        assert!(requests_to(&server, Delete).is_empty());
        assert_eq!(caches(&server).len(), 2);
    }
    let ran = run(&server(TASK_FAILS, Plan::default()), "delete -l R -V 9.9.9 -d").exits(4);
    ran.says("error: no runtime cache R 9.9.9 Local; see 'connect-cache list'\n");
}

#[test]
fn checks_a_listed_cache_by_one_dry_run_and_another_one_by_calibration() {
    for (kind, version, expected) in [
        (NOT_FOUND, "4.3.0", &[List, DryRun][..]),
        (TASK_FAILS, "4.3.0", &[List, DryRun]),
        (NOT_FOUND, "9.9.9", &[List, DryRun]),
        (TASK_FAILS, "9.9.9", &[List, DryRun, DryRun, List]),
    ] {
        let server = server(kind, Plan::default());
        let ran = run(&server, &format!("delete -d -l R -V {version}"));
        assert_eq!(endpoints(&server), expected, "{ran:#?}");
        let dry_runs = requests_to(&server, DryRun);
        assert!(!is_calibration(&dry_runs[0].json()));
        assert!(dry_runs[1..].iter().all(|request| is_calibration(&request.json())), "{dry_runs:?}");
        assert_eq!(caches(&server).len(), 2);
    }
}

#[test]
fn deletes_a_cache_that_is_not_listed_if_a_dry_run_tells() {
    for kind in MissingCache::ALL.into_iter().filter(|kind| kind.dry_run_tells()) {
        let server = Server::builder().missing_cache(kind).unlisted(["R 4.2.0 Local"]).start();
        assert_status(&server, "delete -d -l R -V 4.2.0", ("would-delete", 0));
        assert_eq!(endpoints(&server), [List, DryRun, DryRun]);
        assert!(is_calibration(&requests_to(&server, DryRun)[1].json()));
        assert_status(&server, "delete -l R -V 4.2.0", ("deleted", 0));
        // The last dry run confirms that the cache is gone.
        assert_eq!(endpoints(&server)[3..], [List, DryRun, DryRun, Delete, Task, DryRun]);
        assert!(!server.has("R 4.2.0 Local"));
    }
}

#[test]
fn takes_a_failed_task_for_no_proof_that_the_cache_never_existed_if_dry_runs_tell() {
    let server = server(MissingCache { dry_run: MissingDryRun::NotFound, ..TASK_FAILS }, Plan::default());
    server.fault(Fault::new(DryRun, Action::html(502)));
    assert_status(&server, "delete -l R -V 9.9.9 --retries 0", ("absent", 0));
    assert_eq!(endpoints(&server), [List, DryRun, Delete, Task, DryRun]);
}

#[test]
fn starts_nothing_if_the_list_is_refused() {
    for kind in MissingCache::ALL {
        let server = server(kind, Plan::default());
        server.fault(Fault::always(List, Action::error(403, 22, "no")));
        for words in ["delete -d -l R -V 4.3.0", "delete -l R -V 4.3.0"] {
            assert_status(&server, words, ("refused", 3));
        }
        assert_eq!(endpoints(&server), [List, List]);
    }
}

#[test]
fn takes_a_refused_dry_run_for_a_refusal_and_a_refused_list_for_no_answer() {
    let server = server(NOT_FOUND, Plan::default());
    server.fault(Fault::new(DryRun, Action::error(403, 22, "no")));
    assert_status(&server, "delete -d -l R -V 9.9.9", ("refused", 3));
    let server = self::server(TASK_FAILS, Plan::default());
    server.fault(Fault::always(List, Action::error(403, 22, "no")).skip(1));
    assert_status(&server, "delete -d -l R -V 9.9.9", ("unknown", 6));
}

#[test]
fn gives_the_reason_for_an_unknown_outcome_in_the_servers_words_if_it_sent_any() {
    let server = server(NOT_FOUND, Plan::default());
    server.fault(Fault::new(DryRun, Action::error(500, 1, "disk on fire")));
    let ran = run(&server, "delete -d -l R -V 4.3.0 --retries 0 --json").exits(6);
    assert_eq!((&ran.json()["status"], &ran.json()["error"]), (&json!("unknown"), &json!("disk on fire")));
    let server = Server::builder().caches(["R 4.3.0 ghcr-io-r"]).missing_cache(TASK_FAILS).start();
    let ran = run(&server, "delete -d -l R -V 4.3.0 -I ghcr.io/r --json").exits(6);
    let reason = "dry runs on this server do not show whether a cache exists, and its list may spell the image differently";
    assert_eq!((&ran.json()["status"], &ran.json()["error"]), (&json!("unknown"), &json!(reason)));
}

#[test]
fn says_of_a_failed_deletion_that_an_earlier_one_may_still_be_running() {
    let server = server(NOT_FOUND, Plan::failing(1, "disk on fire"));
    server.fault(Fault::new(Delete, Action::ResetBeforeReply));
    let ran = run(&server, "delete -l R -V 4.3.0").exits(1);
    ran.says("; an earlier deletion, which no reply confirmed, may still be running; see the server log\n");
    assert_eq!(requests_to(&server, Delete).len(), 2);
}

#[test]
fn recognizes_an_image_by_its_listed_name_only() {
    let image = "ghcr.io/Example/R:jammy";
    for sanitizer in [
        Sanitizer::Collapse,
        Sanitizer::KeepCase,
        Sanitizer::Underscores,
        Sanitizer::KeepDots,
        Sanitizer::AppendHash,
    ] {
        for (kind, echo, there, missing) in [
            (NOT_FOUND, Echo::Listed, ("would-delete", 0), ("not-found", 4)),
            (NOT_FOUND, Echo::Requested, ("would-delete", 0), ("not-found", 4)),
            // The row that the list has may be the cache, spelled in another way, or another one.
            (TASK_FAILS, Echo::Listed, ("unknown", 6), ("unknown", 6)),
            (TASK_FAILS, Echo::Requested, ("unknown", 6), ("unknown", 6)),
            (TASK_SUCCEEDS, Echo::Stored, ("unknown", 6), ("unknown", 6)),
        ] {
            let server = Server::builder()
                .caches([format!("R 4.3.0 {image}")])
                .missing_cache(kind)
                .images(Images { sanitizer, echo })
                .start();
            assert_status(&server, &format!("delete -d -l R -V 4.3.0 -I {image}"), there);
            assert_status(&server, "delete -d -l R -V 4.3.0 -I ghcr.io/Example/R:focal", missing);
            // Every server finds the cache by its listed name.
            let listed = sanitizer.sanitize(image);
            assert_status(&server, &format!("delete -d -l R -V 4.3.0 -I {listed}"), ("would-delete", 0));
        }
    }
    let server = Server::builder().caches([format!("R 4.3.0 {image}")]).missing_cache(TASK_FAILS).start();
    run(&server, &format!("delete -d -l R -V 4.3.0 -I {image}"))
        .exits(6)
        .says("error: cannot tell whether R 4.3.0 ghcr.io/Example/R:jammy exists: dry runs on this server do not show ")
        .says("; see 'connect-cache list'\n");
}

#[test]
fn resolves_a_task_that_failed() {
    let failing = |code, effect| Plan { code, error: "disk on fire".into(), effect, ..Plan::default() };
    // Code 0 with an error is no success.
    for (code, effect, kind) in [0, 1].into_iter().flat_map(|code| {
        let effects = [Effect::Never, Effect::AtEnd, Effect::AtStart].into_iter();
        effects.flat_map(move |effect| MissingCache::ALL.map(|kind| (code, effect, kind)))
    }) {
        // If the cache is gone, another client deleted it, or the task failed late.
        let (status, exit) = if effect == Effect::Never { ("failed", 1) } else { ("absent", 0) };
        for words in ["delete -l R -V 4.3.0", "purge -l R -y"] {
            let server = server(kind, failing(code, effect));
            let ran = run(&server, &format!("{words} --json")).exits(exit);
            assert_eq!(server.has("R 4.3.0 Local"), status == "failed", "{ran:#?}");
            // The record has the words of the task, whatever happened to the cache.
            let record = ran.json();
            let words = (&record["status"], &record["code"], &record["error"]);
            assert_eq!(words, (&json!(status), &json!(code), &json!("disk on fire")), "{kind:?}: {ran:#?}");
        }
    }
    let ran = run(&server(NOT_FOUND, failing(1, Effect::AtEnd)), "delete -l R -V 4.3.0").exits(0);
    ran.says("R 4.3.0 Local is not there, although this run's task failed: disk on fire (task ")
        .says(", code 1)\n");
}

#[test]
fn reports_a_task_with_an_error_as_failed() {
    // The command `task` does not know the cache, so it cannot check whether the cache is gone.
    let plan = Plan { error: "disk on fire".into(), effect: Effect::AtEnd, ..Plan::default() };
    let server = server(NOT_FOUND, plan);
    let id = run(&server, "delete --no-wait -q -l R -V 4.3.0").exits(0).stdout.trim().to_owned();
    for words in [format!("task {id}"), format!("task {id} --wait"), format!("task {id} --json")] {
        run(&server, &words).exits(1).says("failed: disk on fire (code 0)");
    }
}

#[test]
fn reports_failed_without_a_usable_dry_run_only_if_no_delete_was_in_doubt() {
    for (code, in_doubt, expected) in
        [(1, false, ("failed", 1)), (0, false, ("failed", 1)), (1, true, ("unknown", 6))]
    {
        let plan = Plan { code, error: "disk on fire".into(), ..Plan::default() };
        let server = server(NOT_FOUND, plan);
        if in_doubt {
            server.fault(Fault::new(Delete, Action::html(502)));
        }
        // The dry runs before the second DELETE are answered, and those after its task are refused.
        let answered = if in_doubt { 5 } else { 0 };
        server.fault(Fault::always(DryRun, Action::html(404)).skip(answered));
        assert_status(&server, "delete -l R -V 4.3.0", expected);
    }
    let server = server(NOT_FOUND, Plan { error: "disk on fire".into(), ..Plan::default() });
    server.fault(Fault::new(DryRun, Action::html(404)));
    run(&server, "delete -l R -V 4.3.0")
        .exits(1)
        .says("error: deletion of R 4.3.0 Local failed: disk on fire (task ")
        .says(", code 0); it is not known whether the cache exists; see the server log\n");
}

#[test]
fn calibrates_at_most_once_in_a_run() {
    let all = (0..5).map(|n| format!("R 4.{n}.0 Local"));
    let plan = Plan { effect: Effect::AtStart, ..Plan::lasting(Duration::from_secs(60)) };
    let server = Server::builder().caches(all).missing_cache(TASK_FAILS).plan(plan).start();
    // Each task is lost and its cache is gone. Four deletions send a dry run to find that out, and then it is known
    // that dry runs prove nothing.
    server.fault(Fault::always(Task, Action::html(404)));
    run(&server, "purge --all -y").exits(0).says("5 deleted");
    let dry_runs = requests_to(&server, DryRun);
    assert_eq!(dry_runs.iter().filter(|request| is_calibration(&request.json())).count(), 1);
    assert!(dry_runs.len() <= 5, "{dry_runs:#?}");
    assert!(caches(&server).is_empty());
}

#[test]
fn trusts_the_first_list_of_a_purge_in_its_dry_run() {
    let server = server(TASK_FAILS, Plan::default());
    run(&server, "purge --all -d").exits(0).says("2 would be deleted");
    assert_eq!(endpoints(&server), [List, DryRun, DryRun]);
}

#[test]
fn rejects_replies_about_another_cache() {
    let other = |names: &str| Action::Reply {
        status: 200,
        headers: vec![],
        body: format!(r#"{{{names},"task_id":"lFvijYN16kjCoal6"}}"#),
    };
    for names in [
        r#""language":"Python""#,
        r#""version":"4.3.1""#,
        r#""image_name":"ghcr-io-example-r""#,
        r#""language":"R","version":"4.3.0","image_name":"local""#,
    ] {
        let server = server(NOT_FOUND, Plan::default());
        server.fault(Fault::new(Delete, other(names)).with_effect());
        assert_status(&server, "delete -l R -V 4.3.0", ("deleted", 0));
        // The task of the other cache is not followed.
        assert_eq!(endpoints(&server), [List, Delete, DryRun], "{names}");
    }
}

#[test]
fn rejects_arrays_and_empty_objects() {
    for body in ["[]", "[[]]", r#"["abc"]"#, r#"["R","4.3.0","Local","abc"]"#, "{}", r#"{"task_id":[]}"#] {
        let reply = Action::Reply { status: 200, headers: vec![], body: body.into() };
        let deleting = server(NOT_FOUND, Plan::default());
        deleting.fault(Fault::new(Delete, reply.clone()).with_effect());
        assert_status(&deleting, "delete -l R -V 4.3.0", ("deleted", 0));
        assert_eq!(endpoints(&deleting), [List, Delete, DryRun], "{body}");
        let checking = server(NOT_FOUND, Plan::default());
        checking.fault(Fault::new(DryRun, reply.clone()));
        assert_status(&checking, "delete -d -l R -V 4.3.0 --retries 0", ("unknown", 6));
        let following = server(NOT_FOUND, Plan::default());
        following.fault(Fault::new(Task, reply));
        assert_status(&following, "delete -l R -V 4.3.0 --retries 0", ("deleted", 0));
        assert_eq!(endpoints(&following), [List, Delete, Task, DryRun], "{body}");
        assert!(!following.has("R 4.3.0 Local"));
    }
    // An array is not Connect's error object.
    let server = server(NOT_FOUND, Plan::default());
    let reply = Action::Reply { status: 404, headers: vec![], body: r#"[4,"Cache does not exist"]"#.into() };
    server.fault(Fault::new(Delete, reply));
    assert_status(&server, "delete -l R -V 4.3.0", ("refused", 6));
}

#[test]
fn repeats_task_lookups_after_code_4() {
    let server =
        Server::builder().polls(Polls { lost_lookup: LostLookup::Code4, ..Polls::default() }).start();
    run(&server, "task 0123456789abcdef").exits(4).says("code 4)");
    // Ten more lookups may have reached other nodes.
    assert_eq!(requests_to(&server, Task).len(), 11);
    let lost = Action::error(404, 4, "The requested object does not exist.");
    server.fault(Fault::new(Task, lost).times(2));
    assert_status(&server, "delete -l R -V 4.3.0", ("deleted", 0));
}

#[test]
fn stops_task_lookups_at_the_timeout() {
    let server = Server::start(Config::default());
    run(&server, "task 0123456789abcdef --wait --timeout 0.25").exits(4);
    assert!((1..=4).contains(&server.requests().len()), "{:#?}", server.requests());
}

#[test]
fn sends_no_second_delete_after_the_timeout() {
    let long = Plan::lasting(Duration::from_secs(60));
    let server = Server::builder().caches(["R 4.1.0 Local", "R 4.2.0 Local"]).plan(long).start();
    // Each request about the first cache is followed by a poll of the second cache's task, which takes two seconds.
    // The last dry run is answered at second 10, and the poll after it ends after the timeout.
    server.fault(Fault::new(Delete, Action::html(502)));
    server.fault(Fault::new(Task, Action::Delay(Duration::from_secs(2))).times(usize::MAX));
    let ran = run(&server, "purge --all -y --json --timeout 11").exits(6);
    let deletes = requests_to(&server, Delete);
    let versions: Vec<_> = deletes.iter().map(|request| request.json()["version"].clone()).collect();
    assert_eq!(versions, ["4.1.0", "4.2.0"], "{ran:#?}");
    assert!(
        ran.stdout.contains(r#""version":"4.1.0","image_name":"Local","task_id":null,"status":"unknown""#)
    );
    assert!(ran.stdout.contains(r#""status":"running""#), "{ran:#?}");
}

#[test]
fn shares_one_request_timeout_among_all_jobs_after_the_timeout() {
    let all = (0..8).map(|n| format!("R 4.{n}.0 Local"));
    let plan = Plan::lasting(Duration::from_secs(60));
    let server = Server::builder().caches(all).plan(plan).start();
    for endpoint in [Task, DryRun] {
        server.fault(Fault::new(endpoint, Action::Stall).times(usize::MAX));
    }
    let started_at = Instant::now();
    let words = "purge --all -y --max-running 8 --timeout 1 --request-timeout 8";
    run(&server, words).exits(6).says("8 unknown");
    // The run ends at second 9. If another request had a time limit of its own, it would end at second 16.
    assert!(started_at.elapsed() < Duration::from_secs(13), "{:?}", started_at.elapsed());
}

#[test]
fn reads_a_retry_after_with_too_many_digits() {
    let server = Server::start(Config::default());
    let headers = vec![("Retry-After".to_owned(), "99999999999999999999999".to_owned())];
    server.fault(Fault::new(List, Action::Reply { status: 503, headers, body: String::new() }));
    run(&server, "list").exits(6).fails_with("the server asks to retry in ");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn sees_a_cache_by_dry_runs_only_if_one_was_accepted_before_the_delete() {
    let other = "R 9.9.9 Local";
    for kind in MissingCache::ALL.into_iter().filter(|kind| kind.dry_run_tells()) {
        let server = server(kind, Plan::lasting(Duration::from_secs(60)));
        // Whether the cache is there is not known, so the DELETE is sent.
        server.fault(Fault::new(DryRun, Action::html(403)));
        server.fault(Fault::new(Delete, Action::ResetBeforeReply));
        // Another client creates and deletes the cache between the questions after it.
        server.other_client(OtherClient::creates(other).before(DryRun).skip(1));
        server.other_client(OtherClient::deletes(other).before(DryRun).skip(3));
        assert_status(&server, "delete -l R -V 9.9.9", ("absent", 0));
        assert_eq!(endpoints(&server), [List, DryRun, Endpoint::Settings, Delete, DryRun, DryRun, DryRun]);
    }
}
