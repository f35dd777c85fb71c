//! A cluster with a load balancer: each node knows only its own tasks, and a cookie leads the client back to it.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Duration;

use connect_test_server::{Action, Cluster, Config, Effect, Endpoint, Fault, Plan, Server};

use crate::support::{caches, connect_cache, endpoints, requests_to, run};

const LOST: &str = "it may have ended with a restart of the server, or be running on another node";

fn cluster(plan: Plan) -> Server {
    Server::builder().cluster(Cluster { nodes: 3, balancer: true }).plan(plan).start()
}

/// Starts a deletion, and returns the ID of its task.
fn start_deletion(server: &Server) -> String {
    run(server, "delete --no-wait -q -l R -V 4.3.0").exits(0).stdout.trim().to_owned()
}

#[test]
fn follows_a_deletion_on_its_node() {
    let server = cluster(Plan::lasting(Duration::from_millis(1500)));
    for words in ["delete -l R -V 4.3.0", "delete -l Python -V 3.7.6"] {
        let before = server.requests().len();
        run(&server, words).exits(0);
        let requests = &server.requests()[before..];
        assert!(requests.len() >= 3);
        let node = requests[0].node;
        assert_eq!(requests[0].header("cookie"), None);
        for request in &requests[1..] {
            assert_eq!(request.header("cookie"), Some(format!("route=node{node}").as_str()));
            assert_eq!((request.node, request.status), (node, Some(200)));
        }
    }
    assert_eq!(server.connections(), 2);
    assert!(caches(&server).is_empty());
}

#[test]
fn sends_the_current_cookies_of_the_server() {
    let server = Server::start(Config::default());
    let reply = |cookies: &[&str]| Action::Reply {
        status: 200,
        headers: cookies.iter().map(|cookie| ("Set-Cookie".to_owned(), (*cookie).to_owned())).collect(),
        body: r#"{"id":"a","output":[],"finished":false,"code":0,"error":"","last":0}"#.into(),
    };
    for (at, cookies) in
        [&["a=1; Path=/; HttpOnly", "b=2"][..], &["a=3; Secure"], &["b=; Max-Age=0"], &["a=x; max-age=0"]]
            .into_iter()
            .enumerate()
    {
        server.fault(Fault::new(Endpoint::Task, reply(cookies)).skip(at));
    }
    run(&server, "task a --wait --interval 0 --timeout 60").exits(4);
    let sent: Vec<Option<String>> = requests_to(&server, Endpoint::Task)
        .iter()
        .take(5)
        .map(|poll| poll.header("cookie").map(str::to_owned))
        .collect();
    assert_eq!(sent, [None, Some("a=1; b=2".into()), Some("b=2; a=3".into()), Some("a=3".into()), None]);
}

#[test]
fn finds_a_task_from_another_process() {
    let server = cluster(Plan::lasting(Duration::from_millis(1500)));
    let id = start_deletion(&server);
    let node = server.requests()[0].node;
    for wait in [" --wait", ""] {
        let before = server.requests().len();
        run(&server, &format!("task {id}{wait}"))
            .exits(0)
            .prints("Deleting runtime cache...\nSuccessfully deleted runtime cache\n");
        let polls = &server.requests()[before..];
        let (lost, found): (Vec<_>, Vec<_>) = polls.iter().partition(|poll| poll.status == Some(404));
        assert!(!lost.is_empty() && !found.is_empty(), "{polls:#?}");
        // A failed lookup sent no cookie, and the next one used another connection, so that the balancer selects a
        // node again.
        for (at, poll) in lost.iter().enumerate() {
            assert_eq!(poll.header("cookie"), None);
            assert_ne!(poll.connection, polls[at + 1].connection);
        }
        assert!(found.iter().all(|poll| poll.node == node && poll.connection == found[0].connection));
    }
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn keeps_its_cookies_if_a_poll_fails() {
    let server = cluster(Plan::lasting(Duration::from_secs(1)));
    server.fault(Fault::new(Endpoint::Task, Action::html(502)));
    run(&server, "delete -l R -V 4.3.0").exits(0);
    let requests = server.requests();
    let cookie = format!("route=node{}", requests[0].node);
    assert!(requests[1..].iter().all(|request| request.header("cookie") == Some(&cookie)), "{requests:#?}");
}

/// Starts the program, waits until it polls its task, and restarts the task's node.
fn start_and_restart_node(server: &Server, words: &str) -> Child {
    let (mut command, _home) = connect_cache(server).words(words).into_command();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for("a poll of the task", Duration::from_secs(30), |requests| {
        requests.iter().any(|request| request.endpoint == Endpoint::Task)
    });
    server.restart_node(requests_to(server, Endpoint::Task)[0].node);
    child
}

/// Waits for the end of the program, and returns its exit status and its output.
fn finish(mut child: Child) -> (i32, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap().code().unwrap(), out, err)
}

#[test]
fn reports_unknown_if_the_cache_of_a_lost_task_still_exists() {
    let server = cluster(Plan::lasting(Duration::from_secs(60)));
    let (status, stdout, stderr) = finish(start_and_restart_node(&server, "delete --json -l R -V 4.3.0"));
    assert_eq!(status, 6, "{stderr}");
    let record: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&record["status"], &record["code"]), (&"unknown".into(), &141.into()), "{record}");
    let error = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    // A task that no node knows cannot be resumed.
    assert!(error.contains(LOST) && !error.contains("--wait"), "{error}");
    assert!(error.contains("a task may still be deleting it; see 'connect-cache list"), "{error}");
    // While the cache is there, the question is asked again three times; one dry run is the calibration.
    assert_eq!(endpoints(&server)[endpoints(&server).len() - 6..], {
        use Endpoint::{DryRun, Task};
        [Task, DryRun, DryRun, DryRun, DryRun, DryRun]
    });

    let polls = requests_to(&server, Endpoint::Task);
    let lost: Vec<_> = polls.iter().filter(|poll| poll.status == Some(404)).collect();
    assert!(lost.len() <= 11, "{}", lost.len());
    assert!(lost[1..].iter().all(|poll| poll.header("cookie").is_none()));
    let mut connections: Vec<usize> = lost[1..].iter().map(|poll| poll.connection).collect();
    connections.dedup();
    assert_eq!(connections.len(), 10);
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn reports_deleted_if_the_cache_of_a_lost_task_is_gone() {
    let plan = Plan { effect: Effect::AtStart, ..Plan::lasting(Duration::from_secs(60)) };
    let server = cluster(plan);
    let (status, stdout, stderr) = finish(start_and_restart_node(&server, "delete --json -l R -V 4.3.0"));
    assert_eq!(status, 0, "{stderr}");
    let record: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(record["status"], "deleted");
    assert!(stderr.contains("the cache is gone") && !stderr.contains("error: "), "{stderr}");
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn reports_a_lost_task() {
    let server = cluster(Plan::lasting(Duration::from_secs(60)));
    let id = start_deletion(&server);
    server.restart_node(server.requests()[0].node);
    for wait in ["", " --wait"] {
        let before = requests_to(&server, Endpoint::Task).len();
        run(&server, &format!("task {id}{wait}")).exits(4).prints("").fails_with(LOST);
        assert_eq!(requests_to(&server, Endpoint::Task).len() - before, 11);
    }
    assert_eq!(server.connections(), 1 + 22);
}

#[test]
fn follows_the_tasks_of_other_nodes_after_a_restart() {
    let long = Plan::lasting(Duration::from_secs(60));
    let server = Server::builder()
        .cluster(Cluster { nodes: 2, balancer: true })
        .caches((0..6).map(|n| format!("R 4.{n}.0 Local")))
        .plan(Plan::lasting(Duration::from_secs(1)))
        .plan_for("R 4.0.0 Local", long.clone())
        .plan_for("R 4.1.0 Local", long)
        .start();
    let words = "purge --all -y --json --max-running 2 --interval 0.2";
    let (status, stdout, stderr) = finish(start_and_restart_node(&server, words));
    assert_eq!(status, 6, "{stderr}");
    let mut statuses: Vec<String> = stdout
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", record["version"].as_str().unwrap(), record["status"].as_str().unwrap())
        })
        .collect();
    statuses.sort();
    assert_eq!(
        statuses[2..],
        ["4.2.0 deleted", "4.3.0 deleted", "4.4.0 deleted", "4.5.0 deleted"],
        "{stderr}"
    );
    assert_eq!(statuses[..2], ["4.0.0 unknown", "4.1.0 unknown"], "{stderr}");
    assert_eq!(caches(&server), ["R 4.0.0 Local", "R 4.1.0 Local"]);
    assert!(stderr.contains("4 deleted, 2 unknown"), "{stderr}");
}

#[test]
fn keeps_the_cookies_of_other_tasks_if_one_is_lost() {
    let server = cluster(Plan::lasting(Duration::from_secs(1)));
    let lost = Action::error(404, 141, "no such task");
    server.fault(Fault::new(Endpoint::Task, lost).skip(2));
    run(&server, "purge --all -y --interval 0.1").exits(0).says("2 deleted");
    let mut unknown: Vec<String> = requests_to(&server, Endpoint::Task)
        .into_iter()
        .filter(|poll| poll.status == Some(404))
        .map(|poll| poll.path)
        .collect();
    unknown.dedup();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
}
