//! `connect-cache purge`

use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use connect_test_server::{Action, Cache, Config, Effect, Endpoint, Fault, Installations, Plan, Server};
use serde_json::{Value, json};

use crate::support::{Ran, caches, connect_cache, endpoints, requests_to, run};

/// Returns caches of R 4.0.0, 4.1.0 and so on.
fn r_caches(number: usize) -> Vec<Cache> {
    (0..number).map(|n| format!("R 4.{n}.0 Local").into()).collect()
}

fn server_of(number: usize, plan: Plan) -> Server {
    Server::builder().caches(r_caches(number)).plan(plan).start()
}

/// Returns the version and the status of each record, in the order of the output.
fn statuses(ran: &Ran) -> Vec<String> {
    records(ran)
        .iter()
        .map(|record| {
            format!("{} {}", record["version"].as_str().unwrap(), record["status"].as_str().unwrap())
        })
        .collect()
}

fn sorted_statuses(ran: &Ran) -> Vec<String> {
    let mut statuses = statuses(ran);
    statuses.sort();
    statuses
}

fn records(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn deletes_several_caches_at_a_time_over_one_connection() {
    let mut all = r_caches(22);
    all.extend(["R 4.0.0 ghcr.io/example/r:jammy", "R 4.1.0 ghcr.io/example/r:jammy"].map(Cache::from));
    all.push("Python 3.7.6 Local".into());
    let plan = Plan::lasting(Duration::from_millis(1500));
    let server = Server::builder().caches(all).plan(plan).start();
    let started_at = Instant::now();
    let ran = run(&server, "purge -l r -y --interval 0.2").exits(0).says("24 deleted");
    // Four at a time, the deletions take 9 s; one at a time, they would take 36 s.
    assert!(started_at.elapsed() < Duration::from_secs(20), "{:?}", started_at.elapsed());
    assert_eq!(server.max_running(), 4);
    assert_eq!(server.connections(), 1);
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 24);
    assert_eq!(ran.stderr.lines().last(), Some("24 deleted"));

    let polls = requests_to(&server, Endpoint::Task);
    let mut of_each: HashMap<&str, usize> = HashMap::new();
    for poll in &polls {
        *of_each.entry(&poll.path).or_default() += 1;
    }
    assert_eq!(of_each.len(), 24);
    // Each task is polled at once, then at most every 0.2 s.
    assert!(of_each.values().all(|&polls| polls <= 10), "{of_each:?}");
    // The server holds no poll while another task is running, so only polls of the last task may be held.
    let held = polls.iter().position(|poll| poll.param("wait") != Some("0")).unwrap_or(polls.len());
    assert!(polls[held..].iter().all(|poll| poll.path == polls[polls.len() - 1].path), "{polls:#?}");
}

#[test]
fn sends_two_requests_for_each_of_a_thousand_caches() {
    let server = server_of(1000, Plan::default());
    let ran = run(&server, "purge --all -y --json").exits(0).says("1000 deleted");
    assert!(server.requests().len() <= 2200, "{}", server.requests().len());
    assert_eq!(server.connections(), 1);
    assert!(server.max_running() <= 4);
    assert!(caches(&server).is_empty());
    assert_eq!(records(&ran).len(), 1000);
}

#[test]
fn limits_running_deletions() {
    for (number, most) in [("1", 1), ("6", 6), ("100", 8)] {
        let server = server_of(8, Plan::lasting(Duration::from_millis(500)));
        run(&server, &format!("purge --all -y --interval 0.1 --max-running {number}")).exits(0);
        assert_eq!(server.max_running(), most);
        assert!(caches(&server).is_empty());
    }
    // One deletion at a time is followed as by `delete`: the server holds the polls.
    let server = server_of(2, Plan::lasting(Duration::from_millis(500)));
    run(&server, "purge --all -y --max-running 1").exits(0);
    assert_eq!(endpoints(&server).len(), 1 + 2 * 2, "{:?}", endpoints(&server));
}

#[test]
fn deletes_the_caches_that_list_shows() {
    let server = || {
        Server::builder()
            .caches([
                "Python 3.9.18 Local",
                "Python 3.10.1 Local",
                "R 4.1.0 Local",
                "R 4.1.2 ghcr.io/Example/R:jammy",
                "R 4.3.0 Local",
                "R 4.3.0 ghcr.io/Example/R:jammy",
            ])
            .installations_python(Installations::local("3.10.1"))
            .start()
    };
    for (words, number) in [
        ("--all", 6),
        ("-l PYTHON", 2),
        ("-V 4.1.*", 2),
        ("-V ?.?.?", 4),
        ("-I *jammy", 2),
        ("-l r -V 4.3.0 -I Local", 1),
        ("--orphaned", 4),
        ("--orphaned -l R", 3),
        ("-V 4.3", 0),
    ] {
        let server = server();
        let shown = run(&server, &format!("list {} --json", words.replace("--all", ""))).exits(0).json();
        let shown = shown["caches"].as_array().unwrap().clone();
        assert_eq!(shown.len(), number, "{words}");
        let ran = run(&server, &format!("purge {words} -y --json")).exits(0);
        let mut deleted: Vec<Value> = records(&ran)
            .iter()
            .map(|r| json!({"language": r["language"], "version": r["version"], "image_name": r["image_name"]}))
            .collect();
        // The deletions start in the order of the list, but they may end in another order.
        let at = |cache: &Value| shown.iter().position(|other| other == cache);
        deleted.sort_by_key(at);
        assert_eq!(deleted, shown, "{words}");
        assert_eq!(server.caches().len(), 6 - number);
        let left = run(&server, "list --json").exits(0).json();
        assert!(left["caches"].as_array().unwrap().iter().all(|cache| !shown.contains(cache)), "{words}");
    }
}

#[test]
fn exits_0_if_no_caches_match() {
    let server = Server::start(Config::default());
    for words in ["purge -V 9.* -y", "purge -V 9.* -y --json", "purge -V 9.* -d"] {
        run(&server, words).exits(0).prints("").says("no runtime caches match");
    }
    assert!(endpoints(&server).iter().all(|&endpoint| endpoint == Endpoint::List));
    let empty = Server::builder().without_caches().start();
    run(&empty, "purge --all -y").exits(0).says(&format!("there are no runtime caches on {}\n", empty.url()));
}

#[test]
fn prefixes_lines_with_their_cache() {
    let server = server_of(3, Plan::lasting(Duration::from_millis(300)));
    let ran = run(&server, "purge --all -y --interval 0.1").exits(0);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    let mut expected = Vec::new();
    for n in 0..3 {
        expected.push(format!("R 4.{n}.0 Local: Deleting runtime cache..."));
        expected.push(format!("R 4.{n}.0 Local: Successfully deleted runtime cache"));
    }
    assert_eq!(lines, expected);
    for n in 0..3 {
        let cache = format!("R 4.{n}.0 Local");
        assert!(ran.stderr.contains(&format!("{cache}: task ")), "{ran:#?}");
        assert_eq!(ran.stderr.matches(&format!("deleted {cache} in ")).count(), 1, "{ran:#?}");
    }
    run(&server_of(3, Plan::default()), "purge --all -yq").exits(0).says_nothing();
}

#[test]
fn reports_each_cache() {
    let failing = Plan { duration: Duration::from_millis(600), ..Plan::failing(7, "disk on fire") };
    let server = Server::builder()
        .caches(r_caches(8))
        .plan(Plan::lasting(Duration::from_millis(400)))
        .plan_for("R 4.1.0 Local", failing)
        .plan_for("R 4.3.0 Local", Plan { vanishes: true, ..Plan::default() })
        .start();
    // The sixth deletion is refused, which does not stop the others.
    server.fault(Fault::new(Endpoint::Delete, Action::error(400, 194, "is disabled.")).skip(5));
    let ran = run(&server, "purge --all -y --json --interval 0.1").exits(1);
    assert_eq!(
        sorted_statuses(&ran),
        [
            "4.0.0 deleted",
            "4.1.0 failed",
            "4.2.0 deleted",
            "4.3.0 absent",
            "4.4.0 deleted",
            "4.5.0 refused",
            "4.6.0 deleted",
            "4.7.0 deleted",
        ]
    );
    // Only the failed and the refused deletion left their caches.
    assert_eq!(caches(&server), ["R 4.1.0 Local", "R 4.5.0 Local"]);
    for record in records(&ran) {
        let fields: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 8, "{record}");
        assert_eq!((&record["language"], &record["image_name"]), (&json!("R"), &json!("Local")));
        let (output, code, error) = (record["output"].as_array().unwrap(), &record["code"], &record["error"]);
        let task = record["task_id"].is_string();
        match record["status"].as_str().unwrap() {
            "deleted" => assert_eq!((output.len(), code, error, task), (2, &json!(0), &json!(null), true)),
            "failed" => {
                assert_eq!((output.len(), code, error, task), (2, &json!(7), &json!("disk on fire"), true));
            }
            "absent" => assert_eq!((output.len(), code, task), (0, &json!(4), false)),
            "refused" => assert_eq!((output.len(), code, task), (0, &json!(194), false)),
            other => panic!("{other}"),
        }
    }
    let ran = ran.says("error: deletion of R 4.1.0 Local failed: disk on fire (task ");
    let ran = ran.says(&format!(
        "error: R 4.5.0 Local: cannot delete the runtime cache on {}: is disabled. (HTTP 400, code 194)",
        server.url()
    ));
    assert_eq!(ran.stderr.lines().last(), Some("5 deleted, 1 absent, 1 failed, 1 refused"));
    // Only a terminal gets these.
    ran.never_says("\nfailed: ").never_says("Ctrl-C");
    assert_eq!(server.max_running(), 4);
}

#[test]
fn stops_new_deletions_once_access_is_refused() {
    for (action, words) in [
        (Action::error(403, 22, "You don't have permission."), "use an API key with the administrator role"),
        (Action::error(401, 24, "The requested operation requires authentication."), "check the API key"),
        (Action::error(403, 99, "Restricted access mode."), "the server is in restricted mode"),
        (Action::html(403), "something in front of Connect refuses DELETE requests"),
    ] {
        let server = server_of(8, Plan::lasting(Duration::from_millis(500)));
        server.fault(Fault::new(Endpoint::Delete, action).skip(2));
        let ran = run(&server, "purge --all -y --json --interval 0.1").exits(3).says(words);
        assert_eq!(
            sorted_statuses(&ran),
            [
                "4.0.0 deleted",
                "4.1.0 deleted",
                "4.2.0 refused",
                "4.3.0 not-started",
                "4.4.0 not-started",
                "4.5.0 not-started",
                "4.6.0 not-started",
                "4.7.0 not-started",
            ]
        );
        assert_eq!(requests_to(&server, Endpoint::Delete).len(), 3);
        assert_eq!(caches(&server).len(), 6);
        assert_eq!(
            ran.stderr.lines().last(),
            Some("2 deleted, 1 refused, 5 not started: access was refused")
        );
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:#?}");
    }
    // If the list is refused, no cache is selected, so there are no records.
    let server = server_of(2, Plan::default());
    run(&server, "purge --all -y --json -k publisher-key").exits(3).prints("").fails_with("code 22");
    assert_eq!(endpoints(&server), [Endpoint::List]);
}

#[test]
fn stops_new_deletions_at_the_timeout() {
    let server = server_of(6, Plan::lasting(Duration::from_secs(60)));
    let ran = run(&server, "purge --all -y --json --max-running 2 --timeout 1.5").exits(7);
    let statuses = sorted_statuses(&ran);
    assert_eq!(statuses[..2], ["4.0.0 running", "4.1.0 running"]);
    assert_eq!(statuses[2..], [2, 3, 4, 5].map(|n| format!("4.{n}.0 not-started")));
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
    assert_eq!(ran.stderr.lines().last(), Some("2 still running, 4 not started: timed out"));
    for record in records(&ran) {
        assert_eq!(record["task_id"].is_string(), record["status"] == "running", "{record}");
        if let Some(id) = record["task_id"].as_str() {
            assert!(ran.stderr.contains(&format!("connect-cache task {id} --wait")), "{ran:#?}");
            run(&server, &format!("task {id}")).exits(7);
        }
    }
    assert_eq!(caches(&server).len(), 6);
}

#[test]
fn starts_no_deletion_after_the_timeout() {
    let server = server_of(6, Plan::lasting(Duration::from_secs(60)));
    // The reply to the first DELETE takes longer than the timeout of the run.
    let slow = Action::Delay(Duration::from_millis(1500));
    server.fault(Fault::new(Endpoint::Delete, slow).with_effect());
    let ran = run(&server, "purge --all -y --json --timeout 1").exits(7);
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1, "{ran:#?}");
    assert_eq!(ran.stderr.lines().last(), Some("1 still running, 5 not started: timed out"));
    assert_eq!(sorted_statuses(&ran)[0], "4.0.0 running");
}

#[test]
fn exits_with_the_worst_status() {
    let all = r_caches(3);
    let (long, failing) = (Plan::lasting(Duration::from_secs(60)), Plan::failing(1, "no"));
    let gone = Plan { vanishes: true, ..Plan::default() };
    let lost = || Fault::new(Endpoint::Task, Action::html(404));
    let denied = || Fault::new(Endpoint::Delete, Action::error(403, 22, "no")).skip(2);
    let words = "purge --all -y --timeout 1 --retries 0 --max-running 1";
    for (plans, fault, status, summary) in [
        ([Plan::default(), gone.clone(), Plan::default()], None, 0, "2 deleted, 1 absent"),
        (
            [Plan::default(), long.clone(), long.clone()],
            None,
            7,
            "1 deleted, 1 still running, 1 not started: timed out",
        ),
        // While the cache of a lost task is there, the program waits for it to disappear, up to the timeout.
        (
            [gone, long.clone(), long.clone()],
            Some(lost()),
            6,
            "1 absent, 1 unknown, 1 not started: timed out",
        ),
        (
            [failing.clone(), long.clone(), long.clone()],
            None,
            1,
            "1 failed, 1 still running, 1 not started: timed out",
        ),
        (
            [failing.clone(), long.clone(), long.clone()],
            Some(lost().skip(1)),
            1,
            "1 failed, 1 unknown, 1 not started: timed out",
        ),
        ([failing.clone(), Plan::default(), long], Some(denied()), 3, "1 deleted, 1 failed, 1 refused"),
    ] {
        let server = Server::builder().caches(&all).plans(all.iter().zip(plans)).start();
        fault.into_iter().for_each(|fault| server.fault(fault));
        let ran = run(&server, words).exits(status);
        assert_eq!(ran.stderr.lines().last(), Some(summary), "{ran:#?}");
    }
}

#[test]
fn checks_each_cache_in_a_dry_run() {
    let vanishing = Plan { vanishes: true, ..Plan::default() };
    let server = Server::builder().caches(r_caches(6)).plan_for("R 4.2.0 Local", vanishing).start();
    let ran = run(&server, "purge --all -d --json").exits(4);
    let mut expected: Vec<String> = (0..6).map(|n| format!("4.{n}.0 would-delete")).collect();
    expected[2] = "4.2.0 not-found".into();
    assert_eq!(sorted_statuses(&ran), expected);
    assert_eq!(ran.stderr.lines().last(), Some("5 would be deleted, 1 not found"));
    assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 6);
    assert!(requests_to(&server, Endpoint::Delete).is_empty());
    assert_eq!(caches(&server).len(), 5);
    server.fault(Fault::new(Endpoint::DryRun, Action::error(403, 22, "no")).skip(1));
    let ran = run(&server, "purge -l R --dry-run --json").exits(3);
    assert_eq!(sorted_statuses(&ran)[..2], ["4.0.0 would-delete", "4.1.0 refused"]);
    assert!(sorted_statuses(&ran)[2..].iter().all(|end| end.ends_with("not-started")), "{ran:#?}");
}

#[test]
fn continues_other_deletions_during_a_failed_poll() {
    let server = server_of(6, Plan::default());
    let headers = vec![("Retry-After".to_owned(), "2".to_owned())];
    // Unlike 429 and 503, this is no overload, after which all deletions would pause.
    server.fault(Fault::new(Endpoint::Task, Action::Reply { status: 502, headers, body: "busy".into() }));
    let ran = run(&server, "purge --all -y --json --max-running 2").exits(0).says("retrying in 2.0 s");
    assert_eq!(statuses(&ran).last().map(String::as_str), Some("4.0.0 deleted"), "{ran:#?}");
    let requests = server.requests();
    let busy = requests.iter().find(|request| request.status == Some(502)).unwrap();
    let again = requests.iter().rposition(|request| request.path == busy.path).unwrap();
    assert_eq!(again, requests.len() - 1, "{requests:#?}");
    assert!(requests[again].at - busy.at >= Duration::from_millis(1900));
    assert_eq!(requests.iter().filter(|request| request.path == busy.path).count(), 2);
    assert!(caches(&server).is_empty());
}

#[test]
fn resolves_a_task_with_failed_polls_during_other_deletions() {
    // The first cache is deleted as soon as its task starts, and the end of the task is never observed.
    let plan = Plan { effect: Effect::AtStart, ..Plan::lasting(Duration::from_secs(60)) };
    let server = Server::builder().caches(r_caches(5)).plan_for("R 4.0.0 Local", plan).start();
    server.fault(Fault::new(Endpoint::Task, Action::html(404)));
    let ran = run(&server, "purge --all -y --json").exits(0).says("5 deleted");
    assert_eq!(sorted_statuses(&ran), [0, 1, 2, 3, 4].map(|n| format!("4.{n}.0 deleted")));
    assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 1);
    assert!(caches(&server).is_empty());
}

#[test]
fn continues_other_deletions_while_one_is_in_doubt() {
    let server = server_of(5, Plan::default());
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply));
    let ran = run(&server, "purge --all -y --json --max-running 2").exits(0).says("5 deleted");
    assert_eq!(statuses(&ran).last().map(String::as_str), Some("4.0.0 deleted"), "{ran:#?}");
    // The first DELETE is sent again only after those of the other four caches.
    let requests = requests_to(&server, Endpoint::Delete);
    let versions: Vec<Value> = requests.iter().map(|request| request.json()["version"].clone()).collect();
    assert_eq!(versions, ["4.0.0", "4.1.0", "4.2.0", "4.3.0", "4.4.0", "4.0.0"]);
    assert!(caches(&server).is_empty());
}

#[test]
fn reports_a_cache_that_is_gone_after_a_lost_reply_as_deleted() {
    let server = server_of(4, Plan::default());
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply).skip(1).with_effect());
    let ran = run(&server, "purge --all -y --json").exits(0).says("4 deleted");
    // The list had the cache, so this run deleted it.
    assert_eq!(sorted_statuses(&ran), [0, 1, 2, 3].map(|n| format!("4.{n}.0 deleted")));
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 4);
    assert!(caches(&server).is_empty());
}

#[test]
fn deletes_orphaned_caches_only_if_certain() {
    let config = || Config::default().caches(r_caches(3));
    let missing = Server::start(config().installations_r(Installations::Missing));
    run(&missing, "purge --orphaned -y").exits(5).prints("").says("cannot list the server's R installations");
    let broken = Server::start(config());
    broken.fault(Fault::new(Endpoint::InstallationsR, Action::CutJson).times(2));
    run(&broken, "purge --orphaned -y --retries 1").exits(6).prints("");
    let empty = Server::start(config().installations_r([]));
    run(&empty, "purge --orphaned -y")
        .exits(0)
        .prints("")
        .says("no R cache counts as orphaned: the server reports no installation of it");
    for server in [missing, broken, empty] {
        assert!(requests_to(&server, Endpoint::Delete).is_empty());
        assert_eq!(caches(&server).len(), 3);
    }
    let server = Server::start(config().installations_r(Installations::local("4.1.0")));
    run(&server, "purge --orphaned -y").exits(0).says("2 deleted");
    assert_eq!(caches(&server), ["R 4.1.0 Local"]);
}

#[test]
fn prints_task_ids_before_an_interrupt() {
    use std::os::unix::process::ExitStatusExt;

    let server = server_of(6, Plan::lasting(Duration::from_secs(60)));
    let (mut command, _home) = connect_cache(&server).words("purge --all -y").into_command();
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for("a poll of each task", Duration::from_secs(30), |requests| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Task).count() >= 4
    });
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    for n in 0..4 {
        let begin = format!("R 4.{n}.0 Local: task ");
        let line = stderr.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        run(&server, &format!("task {}", line.strip_suffix(" started").unwrap())).exits(7);
    }
}

#[test]
fn matches_a_glob_of_many_stars_in_time() {
    let server = Server::builder()
        .caches(["4.3.0", "4.3.1"].map(|version| Cache::new("R", version, "a".repeat(500))))
        .start();
    let stars = "*a".repeat(1500);
    for (pattern, number) in
        [("*".repeat(3000), 2), (format!("{stars}b"), 0), (format!("{}b", "*".repeat(3000)), 0)]
    {
        let before = requests_to(&server, Endpoint::DryRun).len();
        let program =
            connect_cache(&server).words("purge -d -I").arg(pattern).within(Duration::from_secs(30));
        program.run().exits(0);
        assert_eq!(requests_to(&server, Endpoint::DryRun).len() - before, number);
    }
}

#[test]
fn completes_a_purge_after_a_closed_pipe() {
    let server = server_of(6, Plan::lasting(Duration::from_millis(400)));
    let (mut command, _home) = connect_cache(&server).words("purge --all -y --json").into_command();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(caches(&server).is_empty());
}

#[test]
fn stops_new_deletions_if_a_poll_refuses_the_key() {
    let server = server_of(3, Plan::lasting(Duration::from_secs(60)));
    for endpoint in [Endpoint::Task, Endpoint::DryRun] {
        server.fault(Fault::new(endpoint, Action::error(401, 24, "no")).times(usize::MAX));
    }
    let ran = run(&server, "purge --all -y --json --max-running 1").exits(3);
    assert_eq!(sorted_statuses(&ran), ["4.0.0 unknown", "4.1.0 not-started", "4.2.0 not-started"]);
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
}

#[test]
fn holds_later_polls_after_a_lost_one_that_was_not_held() {
    let server = Server::builder()
        .caches(r_caches(2))
        .plan(Plan::lasting(Duration::from_millis(1500)))
        .plan_for("R 4.0.0 Local", Plan::lasting(Duration::from_secs(4)))
        .start();
    // While two tasks run, no poll is held, so the loss does not show an impatient gateway.
    server.fault(Fault::new(Endpoint::Task, Action::html(502)));
    run(&server, "purge --all -y").exits(0).says("HTTP 502").says("retrying");
    let polls = requests_to(&server, Endpoint::Task);
    let waits: Vec<&str> = polls.iter().map(|poll| poll.param("wait").unwrap()).collect();
    assert_eq!(waits[..2], ["0", "0"]);
    assert!(waits.iter().any(|&wait| wait != "0"), "{waits:?}");
}
