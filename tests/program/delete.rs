//! `connect-cache delete`

use std::time::Duration;

use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Server};
use serde_json::json;

use crate::support::{caches, connect_cache, endpoints, requests_to, run, server_with_tasks_of};

const OUTPUT: &str = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n";

#[test]
fn deletes_a_cache_and_prints_the_output_once() {
    let server = server_with_tasks_of(Duration::from_millis(1500));
    let ran = run(&server, "delete -l Python -V 3.7.6").exits(0).prints(OUTPUT);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("deleting Python 3.7.6 Local on http://127.0.0.1:"), "{ran:#?}");
    assert!(lines[1].starts_with("Python 3.7.6 Local: task ") && lines[1].ends_with(" started"), "{ran:#?}");
    assert!(lines[2].starts_with("deleted Python 3.7.6 Local in "), "{ran:#?}");
    assert_eq!(lines.len(), 3);
    assert_eq!(caches(&server), ["R 4.3.0 Local"]);
    assert_eq!(server.connections(), 1);
    assert_eq!(endpoints(&server)[..3], [Endpoint::List, Endpoint::Delete, Endpoint::Task]);
    let body = requests_to(&server, Endpoint::Delete)[0].json();
    assert_eq!(body, json!({"language": "Python", "version": "3.7.6", "image_name": "Local"}));
}

#[test]
fn shows_the_language_as_the_server_spells_it() {
    let server = Server::start(Config::default());
    let ran =
        run(&server, "delete -l pYTHON -V 3.7.6 --json").exits(0).says("deleting Python 3.7.6 Local on ");
    assert_eq!(ran.json()["language"], "Python");
    run(&server, "delete -l r -V 4.3.0").exits(0).says("\ndeleted R 4.3.0 Local in ");
}

#[test]
fn prints_results_in_quiet_runs() {
    let server = Server::start(Config::default());
    run(&server, "delete -q -l Python -V 3.7.6").exits(0).prints(OUTPUT).says_nothing();
}

#[test]
fn accepts_image_names_literally_or_as_listed() {
    for image in ["ghcr.io/Example/R:jammy", "ghcr-io-example-r-jammy"] {
        let server = Server::builder().caches(["R 4.3.0 ghcr.io/Example/R:jammy", "R 4.3.0 Local"]).start();
        run(&server, &format!("delete -l r -V 4.3.0 -I {image}")).exits(0);
        assert_eq!(caches(&server), ["R 4.3.0 Local"]);
    }
}

#[test]
fn exits_1_if_the_task_failed() {
    let server = Server::builder().plan(Plan::failing(1, "disk on fire")).start();
    run(&server, "delete -l R -V 4.3.0")
        .exits(1)
        .prints("Deleting runtime cache...\nFailed to delete runtime cache\n")
        .says("error: deletion of R 4.3.0 Local failed: disk on fire (task ")
        .says(", code 1)");
    assert_eq!(caches(&server).len(), 2);
    // A task may fail because its cache does not exist, so the program checks whether it does.
    use Endpoint::{Delete, DryRun, List, Task};
    // The second dry run names a cache that cannot exist: it shows that this server's dry runs tell.
    assert_eq!(endpoints(&server), [List, Delete, Task, DryRun, DryRun]);
}

#[test]
fn exits_4_if_there_is_no_such_cache() {
    let server = Server::start(Config::default());
    run(&server, "delete -l R -V 9.9.9")
        .exits(4)
        .prints("")
        .says("\nerror: no runtime cache R 9.9.9 Local; see 'connect-cache list'\n");
    run(&server, "delete -l R -V 9.9.9 --ignore-not-found")
        .exits(0)
        .prints("")
        .says("R 9.9.9 Local does not exist");
    run(&server, "delete -l R -V 9.9.9 --dry-run").exits(4);
    run(&server, "delete -l R -V 9.9.9 --dry-run --ignore-not-found").exits(0);
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn deletes_nothing_in_a_dry_run() {
    let server = Server::start(Config::default());
    run(&server, "delete -d -l R -V 4.3.0").exits(0).prints("").says("would delete R 4.3.0 Local");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::DryRun]);
    assert_eq!(requests_to(&server, Endpoint::DryRun)[0].json()["dry_run"], json!(true));
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn prints_only_the_task_id_with_no_wait() {
    let server = server_with_tasks_of(Duration::from_secs(2));
    let ran = run(&server, "delete --no-wait -l R -V 4.3.0").exits(0);
    let id = ran.stdout.strip_suffix('\n').unwrap();
    assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{ran:#?}");
    assert!(ran.stderr.contains(&format!("connect-cache task {id} --wait")), "{ran:#?}");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete]);
    run(&server, &format!("task {id} --wait")).exits(0).prints(OUTPUT);
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn rejects_keys_without_permission() {
    let server = Server::start(Config::default());
    run(&server, "delete -l R -V 4.3.0 -k wrong").exits(3).says("code 30) (").says("; check the API key");
    run(&server, "delete -l R -V 4.3.0 -k publisher-key")
        .exits(3)
        .says("use an API key with the administrator role");
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn requires_language_and_version() {
    let server = Server::start(Config::default());
    run(&server, "delete -l R")
        .exits(2)
        .fails_with("delete requires --version; see 'connect-cache delete --help'");
    assert!(server.requests().is_empty());
}

#[test]
fn reports_the_refusal_of_a_gateway_as_refused() {
    let redirect = Action::Reply {
        status: 302,
        headers: vec![("Location".into(), "https://login.invalid/".into())],
        body: String::new(),
    };
    for (action, exit) in [
        (Action::html(405), 6),
        (Action::html(501), 6),
        (Action::html(404), 6),
        (Action::html(413), 6),
        (redirect, 6),
        (Action::html(401), 3),
        (Action::html(403), 3),
    ] {
        for dry_run in ["", " -d"] {
            let server = Server::start(Config::default());
            for endpoint in [Endpoint::Delete, Endpoint::DryRun] {
                server.fault(Fault::new(endpoint, action.clone()).times(usize::MAX));
            }
            let ran = run(&server, &format!("delete -l R -V 4.3.0 --json{dry_run}")).exits(exit);
            assert_eq!(ran.json()["status"], "refused", "{action:?}: {ran:#?}");
            // A GET of the settings finds out whether the gateway refuses only DELETE requests.
            let sent: Vec<Endpoint> =
                endpoints(&server).into_iter().skip(1).filter(|&sent| sent != Endpoint::Settings).collect();
            if dry_run.is_empty() {
                assert_eq!(sent, [Endpoint::Delete], "{ran:#?}");
            } else {
                // The list has accepted the key, so one 401 does not decide a dry run, which changes nothing.
                let times = if matches!(action, Action::Reply { status: 401, .. }) { 2 } else { 1 };
                assert_eq!(sent, [Endpoint::DryRun].repeat(times), "{ran:#?}");
            }
        }
    }
}

#[test]
fn reports_a_dry_run_without_a_usable_reply_as_unknown() {
    let failures = [200, 408, 500].map(Action::html);
    for action in failures.into_iter().chain([Action::ResetBeforeReply, Action::CutJson]) {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Endpoint::DryRun, action).times(usize::MAX));
        let ran = run(&server, "delete -l R -V 4.3.0 -d --json --retries 0").exits(6);
        assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
        ran.says("error: cannot tell whether R 4.3.0 Local exists: cannot check the runtime cache");
    }
}

#[test]
fn reports_the_refusal_of_the_list_or_of_the_dry_run_as_refused() {
    for (on, action, exit) in [
        (Endpoint::List, Action::error(403, 22, "no"), 3),
        (Endpoint::DryRun, Action::error(403, 22, "no"), 3),
        (Endpoint::List, Action::error(400, 194, "no"), 5),
        (Endpoint::DryRun, Action::error(400, 194, "no"), 5),
        // 429 says that nothing was processed.
        (Endpoint::DryRun, Action::html(429), 6),
        (Endpoint::DryRun, Action::error(429, 277, "no"), 5),
    ] {
        for dry_run in ["", " -d"] {
            let on = if on == Endpoint::DryRun && dry_run.is_empty() { Endpoint::Delete } else { on };
            let server = Server::start(Config::default());
            server.fault(Fault::always(on, action.clone()));
            let ran = run(&server, &format!("delete -l R -V 4.3.0{dry_run} --json --retries 0")).exits(exit);
            assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
            assert_eq!(endpoints(&server).last(), Some(&on), "{ran:#?}");
            assert_eq!(caches(&server).len(), 2);
        }
    }
}

#[test]
fn starts_nothing_without_the_list() {
    for action in [Action::ResetBeforeReply, Action::html(500), Action::html(200), Action::CutUnframed] {
        for dry_run in ["", " -d"] {
            let server = Server::start(Config::default());
            server.fault(Fault::always(Endpoint::List, action.clone()));
            let ran = run(&server, &format!("delete -l R -V 4.3.0{dry_run} --json --retries 1")).exits(6);
            assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
            assert!(endpoints(&server).iter().all(|&endpoint| endpoint == Endpoint::List), "{ran:#?}");
            ran.says(&format!("error: R 4.3.0 Local: cannot list the runtime caches on {}: ", server.url()));
        }
    }
}

#[test]
fn prints_every_outcome_as_json() {
    let config = || Config::default().plan_for("Python 3.7.6 Local", Plan::failing(7, "no"));
    let server = Server::start(config());
    let lines = json!(["Deleting runtime cache...", "Successfully deleted runtime cache"]);
    let failed_lines = json!(["Deleting runtime cache...", "Failed to delete runtime cache"]);
    let none = json!([]);
    for (words, exit, status, code, error, output) in [
        ("-l R -V 4.3.0 -d", 0, "would-delete", json!(null), json!(null), &none),
        ("-l R -V 4.3.0", 0, "deleted", json!(0), json!(null), &lines),
        ("-l R -V 4.3.0", 4, "not-found", json!(4), json!("Cache does not exist"), &none),
        ("-l R -V 4.3.0 --ignore-not-found", 0, "absent", json!(4), json!("Cache does not exist"), &none),
        ("-l Python -V 3.7.6", 1, "failed", json!(7), json!("no"), &failed_lines),
        ("-l Python -V 3.7.6 --no-wait", 0, "started", json!(null), json!(null), &none),
        (
            "-l R -V 4.3.0 -k publisher-key",
            3,
            "refused",
            json!(22),
            json!("You don't have permission to perform this operation."),
            &none,
        ),
    ] {
        let ran = run(&server, &format!("delete --json {words}")).exits(exit);
        let record = ran.json();
        assert_eq!(record["status"], status, "{ran:#?}");
        assert_eq!(
            (&record["code"], &record["error"], &record["output"]),
            (&code, &error, output),
            "{ran:#?}"
        );
        assert_eq!(
            record["task_id"].is_string(),
            ["deleted", "failed", "started"].contains(&status),
            "{ran:#?}"
        );
        let fields: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 8, "{fields:?}");
        assert_eq!(record["image_name"], "Local");
    }
    let words = "delete --json -l R -V 4.3.0 -q -s http://127.0.0.1:9 --retries 0";
    let ran = connect_cache(&server).words(words).run().exits(6);
    assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
}

#[test]
fn writes_null_for_the_error_of_a_task_that_gives_none() {
    let server = Server::builder().plan(Plan::failing(7, "")).start();
    let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(1).says("failed: no reason given (task ");
    let record = ran.json();
    assert_eq!((&record["code"], &record["error"]), (&json!(7), &json!(null)), "{record}");
}

#[test]
fn does_not_start_a_deletion_without_time() {
    let server = Server::start(Config::default());
    let ran = run(&server, "delete -l R -V 4.3.0 --timeout 0 --request-timeout 0.000000001 --json").exits(7);
    assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
    ran.says("error: timed out: deletion of R 4.3.0 Local was not started\n");
    assert_eq!(server.connections(), 0);
}
