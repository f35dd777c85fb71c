//! Following a task: how often and for how long it is polled, and how its output arrives.

use std::time::Duration;

use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Polls, Server};

use crate::support::{requests_to, run, server_with_tasks_of};

fn waits(server: &Server) -> Vec<String> {
    requests_to(server, Endpoint::Task)
        .iter()
        .map(|poll| poll.param("wait").unwrap_or("none").to_owned())
        .collect()
}

#[test]
fn polls_a_task_of_twelve_seconds_at_most_five_times() {
    let server = server_with_tasks_of(Duration::from_secs(12));
    // The last poll is held for 5 s, which does not count toward the limit of a request.
    run(&server, "delete -l R -V 4.3.0 --request-timeout 4")
        .exits(0)
        .prints("Deleting runtime cache...\nSuccessfully deleted runtime cache\n");
    let polls = requests_to(&server, Endpoint::Task);
    assert_eq!(waits(&server), ["1", "2", "4", "8"]);
    // Each poll requests only new output, and all of them use one connection.
    assert_eq!(
        polls.iter().map(|poll| poll.param("first").unwrap()).collect::<Vec<_>>(),
        ["0", "1", "1", "1"]
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn notices_the_end_within_one_round_trip() {
    let server = server_with_tasks_of(Duration::from_secs(5));
    run(&server, "delete -l R -V 4.3.0").exits(0);
    // The third poll is held from second 3 until the task ends at second 5. A server that held it for its whole
    // wait would reply at second 7. If the start is slow on a busy machine, the rest is shorter.
    let last = requests_to(&server, Endpoint::Task).last().unwrap().at;
    assert!(last.elapsed() < Duration::from_millis(3800), "{:?}", last.elapsed());
}

#[test]
fn polls_once_a_second_if_the_server_ignores_wait() {
    let plan = Plan::lasting(Duration::from_millis(3500));
    let server = Server::builder().polls(Polls { ignore_wait: true, ..Polls::default() }).plan(plan).start();
    run(&server, "delete -l R -V 4.3.0").exits(0);
    let polls = requests_to(&server, Endpoint::Task);
    assert!(polls.len() <= 5, "{}", polls.len());
    for pair in polls.windows(2) {
        assert!(pair[1].at - pair[0].at > Duration::from_millis(950), "{:?}", pair[1].at - pair[0].at);
    }
}

#[test]
fn keeps_the_interval_between_polls() {
    let plan = Plan::lasting(Duration::from_secs(1));
    let server =
        Server::builder().polls(Polls { ignore_wait: true, ..Polls::default() }).plan(plan.clone()).start();
    run(&server, "delete -l R -V 4.3.0 --interval 0.2").exits(0);
    let polls = requests_to(&server, Endpoint::Task);
    assert!((3..=7).contains(&polls.len()), "{}", polls.len());
    let server = Server::builder().plan(plan).start();
    run(&server, "delete -l R -V 4.3.0 --interval 3").exits(0);
    assert_eq!(waits(&server), ["3"]);
}

#[test]
fn stops_following_at_the_timeout() {
    let server = server_with_tasks_of(Duration::from_secs(60));
    let ran = run(&server, "delete -l R -V 4.3.0 --timeout 1").exits(7).prints("Deleting runtime cache...\n");
    assert!(ran.stderr.contains("is still running; resume with: connect-cache task "), "{ran:#?}");
    assert!(waits(&server).iter().all(|wait| wait == "0"), "{:?}", waits(&server));

    let server = server_with_tasks_of(Duration::from_secs(60));
    let ran = run(&server, "delete -l R -V 4.3.0 --timeout 0 --json").exits(7);
    let record = ran.json();
    assert_eq!(record["status"], "running");
    assert!(record["code"].is_null() && record["task_id"].is_string(), "{record}");
    assert_eq!(waits(&server), ["0"]);
    let id = record["task_id"].as_str().unwrap();
    run(&server, &format!("task {id} --wait --timeout 0")).exits(7);
}

#[test]
fn polls_once_more_at_the_deadline() {
    let plan = Plan::lasting(Duration::from_millis(1700));
    let server = Server::builder().plan(plan).start();
    // The second poll would be due after the timeout, so the program sends it at the timeout instead.
    run(&server, "delete -l R -V 4.3.0 --timeout 2 --interval 1.5").exits(0);
}

#[test]
fn does_not_flood_the_server_without_an_interval() {
    let plan = Plan::lasting(Duration::from_secs(60));
    let server = Server::builder().polls(Polls { ignore_wait: true, ..Polls::default() }).plan(plan).start();
    run(&server, "delete -l R -V 4.3.0 --interval 0 --timeout 2").exits(7);
    assert!(waits(&server).len() <= 24, "{}", waits(&server).len());
}

fn numbered_lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("line {number}")).collect()
}

#[test]
fn prints_each_line_once_if_replies_break_off() {
    let lines = numbered_lines(1000);
    for cut in [Action::CloseInReply, Action::ResetInReply, Action::CutChunked, Action::CutUnframed] {
        let plan = Plan { lines: lines.clone(), ..Plan::default() };
        let server = Server::builder().plan(plan).start();
        server.fault(Fault::new(Endpoint::Task, cut.clone()).times(2));
        run(&server, "delete -l R -V 4.3.0").exits(0).prints(&format!("{}\n", lines.join("\n")));
        let polls = requests_to(&server, Endpoint::Task);
        let first: Vec<usize> =
            polls.iter().map(|poll| poll.param("first").unwrap().parse().unwrap()).collect();
        // No line of a reply counts that breaks off, so the next poll requests all of them.
        assert_eq!(first, [0, 0, 0], "{cut:?}");

        let server = Server::builder().plan(Plan { lines: lines.clone(), ..Plan::default() }).start();
        server.fault(Fault::new(Endpoint::Task, cut));
        assert_eq!(
            run(&server, "delete -l R -V 4.3.0 --json").exits(0).json()["output"],
            serde_json::json!(lines)
        );
    }
}

/// Returns a finished task with this many megabytes of output in lines of a hundred bytes.
fn task_of_megabytes(megabytes: usize) -> (usize, Action) {
    let number = megabytes * 10_000;
    let output = vec![format!("\"{}\"", "x".repeat(99)); number].join(",");
    let body =
        format!(r#"{{"id":"a","output":[{output}],"finished":true,"code":0,"error":"","last":{number}}}"#);
    (number, Action::reply(200, body))
}

#[test]
fn prints_a_long_output() {
    let (number, reply) = task_of_megabytes(24);
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Task, reply));
    let ran = run(&server, "task a --wait").exits(0).says("task a succeeded");
    assert!(ran.stdout == format!("{}\n", "x".repeat(99)).repeat(number), "{} bytes", ran.stdout.len());
}

#[test]
fn prints_nothing_of_a_reply_over_the_limit() {
    let (_, reply) = task_of_megabytes(34);
    let server = Server::start(Config::default());
    server.fault(Fault::always(Endpoint::Task, reply));
    let ran = run(&server, "task a --wait").exits(6);
    assert!(ran.stdout.is_empty(), "{} bytes", ran.stdout.len());
    ran.fails_with("the reply is too large");
    assert_eq!(requests_to(&server, Endpoint::Task).len(), 1);
}

#[test]
fn prints_no_line_of_another_task() {
    for task in [
        r#"{"id":"b","output":["one"],"finished":true,"code":0,"error":"","last":1}"#,
        r#"{"output":["one"],"id":"b","finished":true,"code":0,"error":"","last":1}"#,
    ] {
        let server = Server::start(Config::default());
        let reply = Action::Reply { status: 200, headers: Vec::new(), body: task.into() };
        server.fault(Fault::new(Endpoint::Task, reply));
        run(&server, "task a --wait").exits(6).prints("").fails_with("the state of task b");
    }
    let server = Server::start(Config::default());
    let task = r#"{"output":["one"],"id":"a","finished":true,"code":0,"error":"","last":1}"#;
    let reply = Action::Reply { status: 200, headers: Vec::new(), body: task.into() };
    server.fault(Fault::new(Endpoint::Task, reply));
    run(&server, "task a --wait").exits(0).prints("one\n");
}
