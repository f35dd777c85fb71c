//! Following a task: how often it is looked at, and for how long.

use std::time::{Duration, Instant};

use connect_test_server::{Config, Endpoint, Plan, Server};

use crate::support::{requests_to, run, server_with_tasks_of};

fn waits(server: &Server) -> Vec<String> {
    requests_to(server, Endpoint::Task)
        .iter()
        .map(|look| look.param("wait").unwrap_or("none").to_owned())
        .collect()
}

#[test]
fn a_task_of_twelve_seconds_costs_at_most_five_looks() {
    let server = server_with_tasks_of(Duration::from_secs(12));
    run(&server, "delete -l R -V 4.3.0")
        .exits(0)
        .prints("Deleting runtime cache...\nSuccessfully deleted runtime cache\n");
    let looks = requests_to(&server, Endpoint::Task);
    assert_eq!(waits(&server), ["1", "2", "4", "8"]);
    // Each look asks for what is new, and all go over one connection.
    assert_eq!(
        looks.iter().map(|look| look.param("first").unwrap()).collect::<Vec<_>>(),
        ["0", "1", "1", "1"]
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_end_is_noticed_within_one_round_trip() {
    let server = server_with_tasks_of(Duration::from_secs(5));
    let begun = Instant::now();
    run(&server, "delete -l R -V 4.3.0").exits(0);
    // The third look is held from second 3 to 7: without the server's answer at the end it would be 7.
    assert!(begun.elapsed() < Duration::from_millis(6500), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_ignores_wait_sees_one_look_a_second() {
    let plan = Plan::lasting(Duration::from_millis(3500));
    let server = Server::start(Config { ignore_wait: true, plan, ..Config::default() });
    run(&server, "delete -l R -V 4.3.0").exits(0);
    let looks = requests_to(&server, Endpoint::Task);
    assert!(looks.len() <= 5, "{}", looks.len());
    for pair in looks.windows(2) {
        assert!(pair[1].at - pair[0].at > Duration::from_millis(950), "{:?}", pair[1].at - pair[0].at);
    }
}

#[test]
fn the_interval_is_the_least_time_between_looks() {
    let plan = Plan::lasting(Duration::from_secs(1));
    let server = Server::start(Config { ignore_wait: true, plan: plan.clone(), ..Config::default() });
    run(&server, "delete -l R -V 4.3.0 --interval 0.2").exits(0);
    let looks = requests_to(&server, Endpoint::Task);
    assert!((3..=7).contains(&looks.len()), "{}", looks.len());
    let server = Server::start(Config { plan, ..Config::default() });
    run(&server, "delete -l R -V 4.3.0 --interval 3").exits(0);
    assert_eq!(waits(&server), ["3"]);
}

#[test]
fn the_time_to_follow_is_limited() {
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
fn the_last_look_is_at_the_deadline() {
    let plan = Plan::lasting(Duration::from_millis(1700));
    let server = Server::start(Config { plan, ..Config::default() });
    // The first look is held for a second, the next is due in another; the time is up before that.
    run(&server, "delete -l R -V 4.3.0 --timeout 2 --interval 1.5").exits(0);
}

#[test]
fn no_interval_is_no_flood() {
    let plan = Plan::lasting(Duration::from_secs(60));
    let server = Server::start(Config { ignore_wait: true, plan, ..Config::default() });
    run(&server, "delete -l R -V 4.3.0 --interval 0 --timeout 2").exits(7);
    assert!(waits(&server).len() <= 24, "{}", waits(&server).len());
}
