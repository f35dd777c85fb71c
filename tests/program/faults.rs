//! Faults at every point of a deletion: the status that the program reports must be true of the cache.

use std::io::{Read, Write};
use std::iter;
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use connect_test_server::{Action, Config, Endpoint, Fault, MissingCache, Plan, Server};
use serde_json::{Value, json};

use crate::oracle::{self, Claim, Says, Trouble, Truth};
use crate::support::{
    Program, Ran, caches, connect_cache, endpoints, requests_to, run, server_with_tasks_of,
};

/// Time limit for a request, in seconds, which [`Action::Stall`] exceeds.
const REQUEST_TIMEOUT: &str = "8";

/// Returns the faults with their names.
fn faults() -> Vec<(&'static str, Action)> {
    let retry_after = vec![("Retry-After".to_owned(), "1".to_owned())];
    vec![
        ("reset before the reply", Action::ResetBeforeReply),
        ("reset in the reply", Action::ResetInReply),
        ("closed in the reply", Action::CloseInReply),
        ("chunks cut off", Action::CutChunked),
        ("408", Action::html(408)),
        ("429", Action::Reply { status: 429, headers: retry_after, body: String::new() }),
        ("500", Action::error(500, 1, "An internal failure occurred.")),
        ("502", Action::html(502)),
        ("503", Action::html(503)),
        ("504", Action::html(504)),
        ("timeout", Action::Stall),
        ("HTML with 200", Action::html(200)),
        ("cut-off JSON", Action::CutJson),
    ]
}

/// The faults that also occur at every request from some point on.
const LASTING: [&str; 5] = ["reset before the reply", "429", "503", "timeout", "HTML with 200"];

/// A point at which a fault occurs, and the status of the cache after it.
struct Point {
    name: &'static str,
    dry_run: bool,
    on: Endpoint,
    skip: usize,
    /// Whether a DELETE with the fault takes effect.
    in_effect: bool,
    /// Whether the reply to a DELETE that took effect at once was lost before.
    in_doubt: bool,
    task: Duration,
    /// In seconds.
    request_timeout: &'static str,
    /// The status if the fault occurs at one request.
    once: &'static str,
    /// The status if it occurs at all of them and none is retried: where dry runs tell whether a cache exists, and
    /// where they do not.
    lasting: [&'static str; 2],
}

fn points() -> Vec<Point> {
    let point = |name, on, task: u64, lasting| Point {
        name,
        dry_run: false,
        on,
        skip: 0,
        in_effect: false,
        in_doubt: false,
        task: Duration::from_millis(task),
        request_timeout: REQUEST_TIMEOUT,
        once: "deleted",
        lasting,
    };
    let list = point("list", Endpoint::List, 0, ["not-started"; 2]);
    let delete = point("delete without effect", Endpoint::Delete, 0, ["unknown"; 2]);
    let dry_run = point("dry run", Endpoint::DryRun, 0, ["unknown"; 2]);
    vec![
        Point { dry_run: true, once: "would-delete", ..dry_run },
        list,
        // Each of these faults but 429 leaves the DELETE in doubt. The cache is still there, so the DELETE is sent
        // again.
        delete,
        Point { in_effect: true, ..point("delete with effect at once", Endpoint::Delete, 0, ["deleted"; 2]) },
        // The task ends long after the timeout of the DELETE, and long before the program would send it again.
        Point {
            in_effect: true,
            request_timeout: "2",
            ..point("delete with effect later", Endpoint::Delete, 3500, ["deleted"; 2])
        },
        Point { in_doubt: true, ..point("dry run in doubt", Endpoint::DryRun, 0, ["unknown"; 2]) },
        // If dry runs tell whether a cache exists, there is no second list and no calibration.
        Point {
            in_doubt: true,
            skip: 1,
            ..point("list in doubt", Endpoint::List, 0, ["deleted", "unknown"])
        },
        Point {
            in_doubt: true,
            skip: 1,
            ..point("calibration in doubt", Endpoint::DryRun, 0, ["deleted", "unknown"])
        },
        // The task of a lost poll ends while the program waits for the cache to disappear.
        point("first poll", Endpoint::Task, 5000, ["deleted"; 2]),
        Point { skip: 1, ..point("later poll", Endpoint::Task, 7000, ["deleted"; 2]) },
        point("last poll", Endpoint::Task, 0, ["deleted"; 2]),
    ]
}

/// One run with a fault.
#[derive(Clone)]
struct Run {
    fault: &'static str,
    action: Action,
    /// Whether the fault occurs at all requests of its point.
    lasts: bool,
    world: MissingCache,
    command: &'static str,
}

impl Point {
    /// Returns the runs that have a fault at this point.
    fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for (fault, action) in faults() {
            // A server that answers a DELETE by 429 has not processed it.
            if self.in_effect && fault == "429" {
                continue;
            }
            for lasts in [false, true] {
                if lasts && !LASTING.contains(&fault) {
                    continue;
                }
                for world in MissingCache::ALL {
                    for command in ["delete", "purge -y"] {
                        runs.push(Run { fault, action: action.clone(), lasts, world, command });
                    }
                }
            }
        }
        runs
    }

    fn expected(&self, run: &Run) -> &'static str {
        let is_odd = ["HTML with 200", "cut-off JSON"].contains(&run.fault);
        match self.name {
            // One odd reply does not decide a run, unless it is the first one.
            "list" if is_odd => "not-started",
            // Without its whole error object, a 404 is not Connect's, and a refusal is not sent again.
            "dry run in doubt" if run.fault == "cut-off JSON" && run.world.dry_run_tells() => "unknown",
            _ if !run.lasts => self.once,
            "list" | "dry run" | "delete without effect" if run.fault == "429" => "refused",
            _ => self.lasting[usize::from(!run.world.dry_run_tells())],
        }
    }
}

/// Tests `delete` and `purge` with each fault at a point, on each kind of server. Many runs are concurrent, since most
/// of them wait, but not so many that two cores would delay each of them for seconds.
fn test_faults_at(name: &str) {
    let point = &points().into_iter().find(|point| point.name == name).unwrap();
    let runs = &Mutex::new(point.runs().into_iter());
    let next = || runs.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(move || iter::from_fn(next).for_each(|run| test_fault(point, run)));
        }
    });
}

#[test]
fn survives_each_fault_at_a_list() {
    test_faults_at("list");
}

#[test]
fn survives_each_fault_at_a_dry_run() {
    test_faults_at("dry run");
}

#[test]
fn survives_each_fault_at_a_delete_without_effect() {
    test_faults_at("delete without effect");
}

#[test]
fn survives_each_fault_at_a_delete_with_effect_at_once() {
    test_faults_at("delete with effect at once");
}

#[test]
fn survives_each_fault_at_a_delete_with_effect_later() {
    test_faults_at("delete with effect later");
}

#[test]
fn survives_each_fault_at_a_dry_run_in_doubt() {
    test_faults_at("dry run in doubt");
}

#[test]
fn survives_each_fault_at_a_list_in_doubt() {
    test_faults_at("list in doubt");
}

#[test]
fn survives_each_fault_at_a_calibration_in_doubt() {
    test_faults_at("calibration in doubt");
}

#[test]
fn survives_each_fault_at_the_first_poll() {
    test_faults_at("first poll");
}

#[test]
fn survives_each_fault_at_a_later_poll() {
    test_faults_at("later poll");
}

#[test]
fn survives_each_fault_at_the_last_poll() {
    test_faults_at("last poll");
}

fn test_fault(point: &Point, with: Run) {
    let expected = point.expected(&with);
    let Run { fault, action, lasts, world, command } = with;
    let server = Server::builder().missing_cache(world).plan(Plan::lasting(point.task)).start();
    if point.in_doubt {
        server.fault(Fault::new(Endpoint::Delete, Action::html(502)).with_effect());
    }
    // On a busy machine, any reply can take seconds.
    let limit = match action {
        Action::Stall => format!(" --request-timeout {}", point.request_timeout),
        _ => String::new(),
    };
    let at = Fault::new(point.on, action).skip(point.skip).times(if lasts { usize::MAX } else { 1 });
    server.fault(if point.in_effect { at.with_effect() } else { at });
    let dry_run = if point.dry_run { " -d" } else { "" };
    let retries = if lasts { " --retries 0" } else { "" };
    let ran = run(&server, &format!("{command} --json -l R -V 4.3.0{dry_run}{retries}{limit}"));

    let lasting = if lasts { "lasting " } else { "" };
    let context = format!("{lasting}{fault} at {} on {:?}: {ran:#?}", point.name, world);
    let is_purge = command.starts_with("purge");
    // The status must be true of the server.
    let claim = Claim { status: expected, exit: ran.status.filter(|_| !is_purge), says: Says::default() };
    let trouble = Trouble { any: true, unanswered: true, in_doubt: point.in_doubt, ..Trouble::default() };
    let command = if point.dry_run { oracle::Command::DryRun } else { oracle::Command::Delete };
    let truth = Truth { command, trouble, ..Truth::between(true, server.has("R 4.3.0 Local")) };
    oracle::check(&claim, &truth).unwrap_or_else(|problem| panic!("{problem}: {context}"));
    let exit = match expected {
        "refused" if is_purge && point.on != Endpoint::List => 1,
        "unknown" | "not-started" | "refused" => 6,
        _ => 0,
    };
    assert_eq!(ran.status, Some(exit), "{context}");
    if is_purge && point.on == Endpoint::List && exit != 0 && !point.in_doubt {
        // Without the list, a purge has selected no cache.
        assert_eq!(ran.stdout, "", "{context}");
        return;
    }
    let record = ran.json();
    assert_eq!(record["status"], expected, "{context}");
    // The record contains each line of the followed task once.
    let lines = record["output"].as_array().unwrap();
    let (first, last) = (json!("Deleting runtime cache..."), json!("Successfully deleted runtime cache"));
    let all: &[Value] = &[first, last];
    let followed_to_the_end = expected == "deleted" && record["code"] == 0;
    assert!(if followed_to_the_end { lines == all } else { all.starts_with(lines) }, "{context}");
}

/// Starts a server on which every request to `on` has the same fault.
fn always(on: Endpoint, action: Action) -> Server {
    let server = Server::start(Config::default());
    server.fault(Fault::new(on, action).times(usize::MAX));
    server
}

#[test]
fn reports_each_retry_up_to_the_limit() {
    let server = always(Endpoint::List, Action::html(503));
    let ran = run(&server, "list --retries 2").exits(6);
    assert_eq!(server.requests().len(), 3);
    assert_eq!(ran.stderr.matches("; retrying in ").count(), 2, "{ran:#?}");
    run(&always(Endpoint::List, Action::html(503)), "list --retries 0").exits(6).fails_with("HTTP 503");
    let ran = run(&always(Endpoint::List, Action::html(501)), "list").exits(6);
    ran.fails_with("HTTP 501");
}

#[test]
fn gives_up_early_on_a_server_that_never_replied() {
    let server = Server::start(Config::default());
    let ran = connect_cache(&server).words("list -s http://127.0.0.1:9").run().exits(6);
    assert_eq!(ran.stderr.matches("; retrying in ").count(), 2, "{ran:#?}");
    ran.says("connection to 127.0.0.1 port 9").says("and that the server is running");
    let ran = connect_cache(&server).words("list -s http://127.0.0.1:9 --retries 1").run().exits(6);
    assert_eq!(ran.stderr.matches("; retrying in ").count(), 1, "{ran:#?}");
    let ran = connect_cache(&server).words("list --retries 0 -s http://connect.invalid").run().exits(6);
    ran.says("cannot resolve host connect.invalid");
}

#[test]
fn honors_retry_after_up_to_a_minute() {
    let busy = |seconds: &str| Action::Reply {
        status: 503,
        headers: vec![("Retry-After".into(), seconds.into())],
        body: String::new(),
    };
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::List, busy("3")));
    run(&server, "list").exits(0).says("retrying in 3.0 s");
    let requests = server.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(3));

    let server = always(Endpoint::List, busy("61"));
    run(&server, "list").exits(6).fails_with("the server asks to retry in 61 s");
    // A shorter pause would have been honored, had there been a retry.
    let server = always(Endpoint::List, busy("60"));
    run(&server, "list --retries 0").exits(6).fails_with("HTTP 503").never_says("asks to retry");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn ends_retries_at_the_timeout() {
    let server = always(Endpoint::List, Action::html(503));
    run(&server, "list --timeout 1").exits(6);
    assert!(server.requests().len() <= 3);
    let server = always(Endpoint::List, Action::html(503));
    run(&server, "list --timeout 0").exits(6);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn checks_a_deletion_in_doubt_before_sending_it_again() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::html(502)));
    run(&server, "delete -l R -V 4.3.0")
        .exits(0)
        .says("HTTP 502, not from Connect; the page says: 502 Bad Gateway nginx")
        .says("; the deletion may have started; checking whether the cache is still there")
        .says("the cache is still there; deleting it again");
    use Endpoint::{Delete, DryRun, List, Task};
    // The second dry run finds out whether the server's dry runs tell if a cache exists.
    assert_eq!(endpoints(&server), [List, Delete, DryRun, DryRun, DryRun, DryRun, DryRun, Delete, Task]);
    let dry_runs = requests_to(&server, DryRun);
    for (at, request) in dry_runs.iter().enumerate() {
        let version = if at == 1 { "0.0.0" } else { "4.3.0" };
        let expected = json!({"language": "R", "version": version, "image_name": "Local", "dry_run": true});
        assert_eq!(request.json(), expected);
    }
    // A task may be deleting the cache, so the question is asked again after 1, 2 and 4 s.
    for (pair, seconds) in dry_runs[1..].windows(2).zip([1, 2, 4]) {
        assert!(pair[1].at - pair[0].at >= Duration::from_secs(seconds));
    }
}

#[test]
fn prints_no_task_with_no_wait_if_a_doubt_was_resolved_without_one() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply).with_effect());
    run(&server, "delete --no-wait -l R -V 4.3.0")
        .exits(0)
        .prints("")
        .says("deleted R 4.3.0 Local: no reply confirmed it, but the cache is gone\n");
    // The second DELETE starts a task.
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply));
    let ran =
        run(&server, "delete --no-wait -l R -V 4.3.0").exits(0).says("follow it with: connect-cache task ");
    assert_eq!(ran.stdout.trim().len(), 16, "{ran:#?}");
    assert!(requests_to(&server, Endpoint::Task).is_empty());
}

#[test]
fn succeeds_if_a_repeated_deletion_finds_nothing() {
    // The reply to the first DELETE is lost, and the cache disappears just before the second one.
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::html(504)));
    server.fault(Fault::new(Endpoint::Delete, Action::error(404, 4, "Cache does not exist")));
    let ran = run(&server, "delete --json -l R -V 4.3.0").exits(0);
    assert_eq!(ran.json()["status"], "deleted");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
}

/// Deletes a cache with a DELETE whose reply is lost, then others with these replies.
fn delete_after_a_doubt(first: Fault, task: Duration, second: &Action, words: &str) -> (Server, Ran) {
    let server = server_with_tasks_of(task);
    server.fault(first);
    server.fault(Fault::always(Endpoint::Delete, second.clone()).skip(1));
    let ran = run(&server, &format!("delete -l R -V 4.3.0 --json {words}"));
    assert_eq!(requests_to(&server, Endpoint::Delete)[1].status, Some(status_of(second)), "{ran:#?}");
    (server, ran)
}

fn status_of(action: &Action) -> u16 {
    match action {
        Action::Reply { status, .. } | Action::Error { status, .. } => *status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lets_no_refusal_of_a_second_delete_decide() {
    let limited = Action::error(429, 277, "The rate limit is exceeded.");
    let refusals = [
        Action::error(403, 22, "no"),
        Action::wrong_key(),
        Action::error(400, 194, "no"),
        Action::error(404, 141, "no"),
        Action::html(405),
        Action::html(501),
        Action::html(429),
        limited,
    ];
    thread::scope(|scope| {
        for second in &refusals {
            let first = || Fault::new(Endpoint::Delete, Action::ResetBeforeReply);
            // The first one has had no effect, as far as anybody can know until the time is over.
            scope.spawn(move || {
                let words = "--retries 1 --timeout 9";
                let (server, ran) = delete_after_a_doubt(first(), Duration::ZERO, second, words);
                assert_eq!((&ran.json()["status"], ran.status), (&json!("unknown"), Some(6)), "{ran:#?}");
                assert!(server.has("R 4.3.0 Local"));
                ran.says("error: outcome unknown for R 4.3.0 Local, which still exists: ");
            });
            // Its task ends after the second one was refused.
            scope.spawn(move || {
                let task = Duration::from_secs(9);
                let (server, ran) = delete_after_a_doubt(first().with_effect(), task, second, "--retries 1");
                assert_eq!((&ran.json()["status"], ran.status), (&json!("deleted"), Some(0)), "{ran:#?}");
                assert!(!server.has("R 4.3.0 Local"));
                ran.says("deleted R 4.3.0 Local: no reply confirmed it, but the cache is gone\n");
            });
        }
    });
}

#[test]
fn sends_a_limited_delete_again_after_a_doubt() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply));
    let limited = Action::error(429, 277, "no").with_header("Retry-After", "1");
    server.fault(Fault::new(Endpoint::Delete, limited).skip(1));
    let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(0);
    assert_eq!(ran.json()["status"], "deleted", "{ran:#?}");
    use Endpoint::{Delete, DryRun, List, Task};
    let expected = [List, Delete, DryRun, DryRun, DryRun, DryRun, DryRun, Delete, Delete, Task];
    assert_eq!(endpoints(&server), expected);
}

#[test]
fn reports_a_deletion_that_stays_in_doubt_as_unknown() {
    let server = always(Endpoint::Delete, Action::ResetBeforeReply);
    let ran = run(&server, "delete --json -l R -V 4.3.0 --retries 1").exits(6);
    assert_eq!(ran.json()["status"], "unknown");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
    assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 4 + 1 + 4);
}

#[test]
fn sends_no_second_deletion_without_retries() {
    let server = always(Endpoint::Delete, Action::ResetBeforeReply);
    run(&server, "delete -l R -V 4.3.0 --retries 0")
        .exits(6)
        .says("error: outcome unknown for R 4.3.0 Local, which still exists: cannot delete the runtime cache")
        .says("; a task may still be deleting it; see 'connect-cache list'\n");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
    assert!(!requests_to(&server, Endpoint::DryRun).is_empty());

    let server = always(Endpoint::DryRun, Action::html(403));
    server.fault(Fault::new(Endpoint::Delete, Action::html(504)).with_effect());
    run(&server, "delete -l R -V 4.3.0").exits(6).says("error: outcome unknown for R 4.3.0 Local: ");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
}

#[test]
fn honors_retry_after_before_the_dry_run() {
    let headers = vec![("Retry-After".to_owned(), "2".to_owned())];
    let server = Server::start(Config::default());
    let busy = Action::Reply { status: 503, headers, body: String::new() };
    server.fault(Fault::new(Endpoint::Delete, busy).with_effect());
    run(&server, "delete -l R -V 4.3.0")
        .exits(0)
        .says("deleted R 4.3.0 Local: no reply confirmed it, but the cache is gone\n");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::DryRun]);
    let requests = server.requests();
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(2));
}

#[test]
fn sends_no_request_after_a_refusal() {
    for (action, exit) in [
        (Action::html(403), 3),
        (Action::html(404), 6),
        (Action::html(413), 6),
        (Action::error(400, 180, "x"), 5),
    ] {
        let is_from_connect = matches!(action, Action::Error { .. });
        let server = always(Endpoint::Delete, action);
        run(&server, "delete -l R -V 4.3.0").exits(exit);
        // A GET finds out whether the gateway refuses only DELETE requests.
        let found_out = if is_from_connect { &[][..] } else { &[Endpoint::Settings] };
        assert_eq!(endpoints(&server), [&[Endpoint::List, Endpoint::Delete], found_out].concat());
    }
}

#[test]
fn succeeds_if_a_lost_task_deleted_the_cache_first() {
    // The reply to the first DELETE is lost, and its task takes longer than the program waits for the cache to
    // disappear. So the program sends a second DELETE, and its task finds no cache.
    let server = server_with_tasks_of(Duration::from_secs(8));
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply).with_effect());
    let ran = run(&server, "delete --json -l R -V 4.3.0").exits(0);
    assert_eq!(ran.json()["status"], "deleted");
    assert!(ran.stderr.contains("no reply confirmed it, but the cache is gone"), "{ran:#?}");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn reports_failed_after_a_delete_in_doubt_if_the_cache_still_exists() {
    let plan = Plan::failing(1, "disk on fire");
    let server = Server::builder().plan(plan).start();
    server.fault(Fault::new(Endpoint::Delete, Action::html(502)));
    let ran = run(&server, "delete --json -l R -V 4.3.0").exits(1);
    assert_eq!((&ran.json()["status"], &ran.json()["error"]), (&json!("failed"), &json!("disk on fire")));
}

#[test]
fn reports_deleted_if_the_cache_disappears_after_a_dry_run() {
    // The task ends after the first dry run, which therefore finds the cache.
    let server = server_with_tasks_of(Duration::from_secs(2));
    server.fault(Fault::new(Endpoint::Delete, Action::CloseBeforeReply).with_effect());
    let ran = run(&server, "delete -l R -V 4.3.0").exits(0);
    ran.says("deleted R 4.3.0 Local: no reply confirmed it, but the cache is gone");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
}

#[test]
fn reports_unknown_if_polls_failed_and_the_cache_still_exists() {
    let server = server_with_tasks_of(Duration::from_secs(60));
    server.fault(Fault::new(Endpoint::Task, Action::html(503)).times(usize::MAX));
    let ran = run(&server, "delete -l R -V 4.3.0 --retries 1").exits(6);
    assert!(
        ran.stderr.contains("for R 4.3.0 Local, which still exists: cannot poll the task on http")
            && ran.stderr.contains(": HTTP 503, not from Connect"),
        "{ran:#?}"
    );
    assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 1 + 1 + 3);
}

#[test]
fn reports_deleted_if_polls_failed_and_the_cache_is_gone() {
    let server = always(Endpoint::Task, Action::html(503));
    run(&server, "delete -l R -V 4.3.0 --retries 1")
        .exits(0)
        .says("deleted R 4.3.0 Local: its task could not be followed, but the cache is gone\n")
        .never_says("lost");
}

#[test]
fn shortens_waits_after_a_gateway_timeout() {
    let server = server_with_tasks_of(Duration::from_secs(12));
    server.fault(Fault::new(Endpoint::Task, Action::html(504)).skip(2));
    run(&server, "delete -l R -V 4.3.0").exits(0);
    let polls = requests_to(&server, Endpoint::Task);
    let waits: Vec<&str> = polls.iter().map(|poll| poll.param("wait").unwrap()).collect();
    // The third poll, held for 4 s, is lost, so later ones are held for at most 2 s.
    assert_eq!(waits[..3], ["1", "2", "4"]);
    assert!(waits[3..].iter().all(|&wait| wait == "2"), "{waits:?}");
}

#[test]
fn keeps_waits_after_a_poll_that_a_server_refused() {
    let server = server_with_tasks_of(Duration::from_secs(5));
    server.fault(Fault::new(Endpoint::Task, Action::html(503)).skip(2));
    run(&server, "delete -l R -V 4.3.0").exits(0).says("retrying");
    let polls = requests_to(&server, Endpoint::Task);
    let waits: Vec<&str> = polls.iter().map(|poll| poll.param("wait").unwrap()).collect();
    assert_eq!(waits, ["1", "2", "4", "4"]);
}

#[test]
fn replaces_a_stale_connection_without_a_failure() {
    let server = server_with_tasks_of(Duration::from_millis(1500));
    server.fault(Fault::new(Endpoint::Task, Action::CloseBeforeReply).skip(1));
    run(&server, "delete -l R -V 4.3.0 --retries 0").exits(0).never_says("retrying");
    // The task is followed to its end, so that nothing is asked about the cache.
    assert!(requests_to(&server, Endpoint::DryRun).is_empty());
}

#[test]
fn keeps_waits_after_a_poll_over_a_stale_connection() {
    let server = server_with_tasks_of(Duration::from_secs(2));
    server.fault(Fault::new(Endpoint::Task, Action::CloseBeforeReply));
    run(&server, "delete -l R -V 4.3.0").exits(0).never_says("retrying");
    let polls = requests_to(&server, Endpoint::Task);
    let waits: Vec<&str> = polls.iter().map(|poll| poll.param("wait").unwrap()).collect();
    assert_eq!(waits, ["1", "1", "2"]);
}

#[test]
fn retries_after_a_body_that_ends_early() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::List, Action::CutUnframed));
    run(&server, "list")
        .exits(0)
        .says("the reply was lost: it ended early (X-Correlation-ID: ")
        .says("); retrying in ");
}

#[test]
fn prints_each_line_once_through_many_faults() {
    let lines: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
    let plan = Plan { lines: lines.clone(), ..Plan::lasting(Duration::from_secs(6)) };
    let server = Server::builder().caches(["R 4.3.0 Local"]).plan(plan).start();
    for (at, action) in [Action::ResetInReply, Action::html(502), Action::CutChunked].into_iter().enumerate()
    {
        server.fault(Fault::new(Endpoint::Task, action).skip(2 * at));
    }
    let ran: Ran = run(&server, "delete -l R -V 4.3.0").exits(0);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn reports_unknown_after_a_delete_in_doubt_without_a_usable_dry_run() {
    let plan = Plan::failing(1, "disk on fire");
    let server = Server::builder().plan(plan).start();
    server.fault(Fault::new(Endpoint::Delete, Action::html(502)));
    // The dry runs before the second DELETE are answered, and those after its task are refused.
    server.fault(Fault::new(Endpoint::DryRun, Action::html(403)).skip(5).times(usize::MAX));
    let ran = run(&server, "delete --json -l R -V 4.3.0").exits(6);
    assert_eq!((&ran.json()["status"], &ran.json()["code"]), (&json!("unknown"), &json!(1)), "{ran:#?}");
}

#[test]
fn rejects_the_state_of_another_task() {
    let server = server_with_tasks_of(Duration::from_secs(60));
    let other = r#"{"id":"other","output":[],"result":null,"finished":true,"code":0,"error":"","last":0}"#;
    let other = Action::Reply { status: 200, headers: Vec::new(), body: other.into() };
    server.fault(Fault::new(Endpoint::Task, other).times(usize::MAX));
    run(&server, "delete -l R -V 4.3.0 --retries 1")
        .exits(6)
        .says("expected the task's state, but got something else");
}

#[test]
fn accepts_a_huge_line_count() {
    let server = server_with_tasks_of(Duration::from_secs(2));
    let id = run(&server, "delete --no-wait -q -l R -V 4.3.0").exits(0).stdout.trim().to_owned();
    let last = u64::MAX;
    let body =
        format!(r#"{{"id":"{id}","output":["a"],"finished":false,"code":0,"error":"","last":{last}}}"#);
    let odd = Action::Reply { status: 200, headers: Vec::new(), body };
    server.fault(Fault::new(Endpoint::Task, odd).times(2));
    let ran = run(&server, &format!("task {id} --wait"));
    assert!(matches!(ran.status, Some(5 | 6)) && !ran.stderr.contains("internal error"), "{ran:#?}");
}

#[test]
fn keeps_waits_after_immediate_failures() {
    let server = server_with_tasks_of(Duration::from_secs(12));
    server.fault(Fault::new(Endpoint::Task, Action::html(502)).skip(2).times(3));
    run(&server, "delete -l R -V 4.3.0").exits(0);
    let polls = requests_to(&server, Endpoint::Task);
    let waits: Vec<&str> = polls.iter().map(|poll| poll.param("wait").unwrap()).collect();
    assert_eq!(waits[..6], ["1", "2", "4", "2", "2", "2"]);
}

#[test]
fn reports_a_connection_timeout_as_a_failed_connection() {
    // A socket that accepts no connections stops answering once its queue is full.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let filled: Vec<_> = (0..5000)
        .map_while(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok())
        .collect();
    let server = Server::start(Config::default());
    let words = format!("list -s http://{address} --retries 0 --request-timeout 1");
    let started_at = Instant::now();
    run(&server, &words)
        .exits(6)
        .fails_with("connection to 127.0.0.1 port ")
        .fails_with("no reply within 1 s; check the server URL and port");
    // The only address gets all of the time.
    assert!(started_at.elapsed() >= Duration::from_secs(1));
    drop(filled);
}

/// Starts a server that sends a list and stops, and returns the program for it.
fn after_a_list() -> Program {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut request = [0; 4096];
        // The request fits one packet.
        let _ = stream.read(&mut request).unwrap();
        let list = r#"{"caches":[{"language":"R","version":"4.3.0","image_name":"Local"}]}"#;
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", list.len());
        stream.write_all(format!("{head}{list}").as_bytes()).unwrap();
    });
    Program::new().env("CONNECT_SERVER", url).env("CONNECT_API_KEY", "admin-key")
}

#[test]
fn sends_no_unsent_deletion_at_the_deadline() {
    let retries = |words: &str| {
        let program = after_a_list().words(&format!("{words} --json --timeout 1.4 --retries 9"));
        let ran = program.run().exits(6).says("connection to 127.0.0.1 port ");
        assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
        ran.stderr.matches("; retrying in ").count()
    };
    // The first retry comes after 0.5 s. The second one would come after another second, past the deadline, so it is
    // sent at the deadline if it changes nothing. A DELETE is not sent then.
    assert!(retries("delete -l R -V 4.3.0") <= 1);
    assert_eq!(retries("delete -d -l R -V 4.3.0"), 2);
}

#[test]
fn keeps_the_state_of_a_task_if_there_was_no_time_for_another_poll() {
    let server = Server::builder().plan(Plan::lasting(Duration::from_secs(60))).start();
    // Each task is polled once, and again at the deadline, where the first poll takes all the time that is left.
    server.fault(Fault::new(Endpoint::Task, Action::Stall).skip(2).times(usize::MAX));
    let ran = run(&server, "purge --all -y --json --interval 9 --timeout 1 --request-timeout 1").exits(6);
    let statuses = ["unknown", "running"].map(|status| format!(r#""status":"{status}""#));
    assert_eq!(statuses.map(|status| ran.stdout.matches(&status).count()), [1, 1], "{ran:#?}");
}

#[test]
fn asks_for_a_deletion_in_doubt_when_the_server_is_ready_for_it() {
    let server = Server::start(Config::default());
    server
        .fault(Fault::new(Endpoint::Delete, Action::html(502).with_header("Retry-After", "2")).with_effect());
    let started_at = Instant::now();
    let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(0);
    assert!(started_at.elapsed() >= Duration::from_secs(2), "{ran:#?}");
    assert_eq!(ran.json()["status"], "deleted", "{ran:#?}");
}

#[test]
fn takes_a_lost_last_poll_for_no_state() {
    let server = Server::builder()
        .caches(["R 4.1.0 Local", "R 4.2.0 Local", "R 4.3.0 Local"])
        .plan(Plan::lasting(Duration::from_secs(60)))
        .start();
    // Each task is polled once. The next poll of each fails, and those after it take all the time.
    server.fault(Fault::new(Endpoint::Task, Action::html(502)).skip(3).times(3));
    server.fault(Fault::new(Endpoint::Task, Action::Stall).skip(6).times(usize::MAX));
    let ran = run(&server, "purge --all -y --json --interval 0.3 --timeout 2 --request-timeout 1").exits(6);
    assert_eq!(ran.stdout.matches(r#""status":"unknown""#).count(), 3, "{ran:#?}");
}
