//! `connect-cache task`

use std::time::Duration;

use connect_test_server::{Config, Plan, Server};
use serde_json::json;

use crate::support::{requests_to, run, server_with_tasks_of};

/// Starts a deletion, and returns the ID of its task.
fn start_deletion(server: &Server) -> String {
    run(server, "delete --no-wait -q -l R -V 4.3.0").exits(0).stdout.trim().to_owned()
}

#[test]
fn prints_output_and_state_at_each_stage() {
    let server = server_with_tasks_of(Duration::from_secs(2));
    let id = start_deletion(&server);
    run(&server, &format!("task {id}"))
        .exits(7)
        .prints("Deleting runtime cache...\n")
        .says(&format!("task {id} is still running; follow it with: connect-cache task {id} --wait"));
    let both = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n";
    run(&server, &format!("task {id} --wait")).exits(0).prints(both).says("succeeded");
    run(&server, &format!("task {id}")).exits(0).prints(both);
}

#[test]
fn exits_1_for_a_failed_task() {
    let server = Server::builder().plan(Plan::failing(3, "disk on fire")).start();
    let id = start_deletion(&server);
    for wait in ["", " --wait"] {
        run(&server, &format!("task {id}{wait}")).exits(1).says("failed: disk on fire (code 3)");
    }
}

#[test]
fn prints_the_task_with_all_output_as_json() {
    let server = server_with_tasks_of(Duration::from_millis(1200));
    let id = start_deletion(&server);
    let ran = run(&server, &format!("task {id} --wait --json")).exits(0);
    let task = ran.json();
    assert_eq!(task["output"], json!(["Deleting runtime cache...", "Successfully deleted runtime cache"]));
    assert_eq!(
        (&task["id"], &task["finished"], &task["code"], &task["last"]),
        (&json!(id), &json!(true), &json!(0), &json!(2))
    );
    assert_eq!((&task["error"], &task["result"]), (&json!(""), &json!(null)));
    let ran = run(&server, &format!("task {id} --json")).exits(0);
    assert_eq!(ran.json(), task);
}

#[test]
fn exits_4_for_an_unknown_task() {
    let server = Server::start(Config::default());
    run(&server, "task abcdefgh").exits(4).fails_with("Task lookup failures can indicate");
    // Each of the ten repeated lookups uses another connection, so that a balancer selects a node again.
    assert_eq!(requests_to(&server, connect_test_server::Endpoint::Task).len(), 11);
    assert_eq!(server.connections(), 11);
}

#[test]
fn rejects_an_invalid_task_id() {
    let server = Server::start(Config::default());
    for id in ["../v1/user", "a?b", "a/b", "%2e", "ü", &"a".repeat(257), &"a".repeat(1000)] {
        run(&server, &format!("task {id}"))
            .exits(2)
            .fails_with("invalid task ID: expected at most 256 letters, digits, '-' and '_'");
    }
    assert!(server.requests().is_empty());
    for id in ["a-b_c", &"a".repeat(256)] {
        run(&server, &format!("task {id}")).exits(4);
    }
}
