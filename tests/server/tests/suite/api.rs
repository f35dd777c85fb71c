//! The endpoints, as a client sees them on a network without faults.

use std::time::Duration;

use crate::client::*;
use connect_test_server::{Action, Endpoint, Fault, List, Plan, Replies, Role, Server, Settings, User};
use serde_json::json;

#[test]
fn replies_in_the_shape_of_the_api() {
    let server = Server::builder().start();
    let r = json!({ "language": "R", "version": "4.3.0", "image_name": "Local" });
    let python = json!({ "language": "Python", "version": "3.7.6", "image_name": "Local" });
    assert_eq!(list(&server).json(), json!({ "caches": [r, python] }));

    let mut checked = r.clone();
    checked["task_id"] = json!(null);
    assert_eq!(delete(&server, DRY).json(), checked);
    let mut started = delete(&server, R).json();
    let id = started["task_id"].take();
    assert_eq!(started, checked);
    let task = poll(&server, &format!("/__api__/v1/tasks/{}", id.as_str().unwrap()), "").json();
    let lines = ["Deleting runtime cache...", "Successfully deleted runtime cache"];
    assert_eq!(
        task,
        json!({
            "id": id, "output": lines, "result": null, "finished": true, "code": 0, "error": "", "last": 2,
        })
    );
    let missing = json!({ "code": 4, "error": "Cache does not exist", "payload": null });
    assert_eq!(delete(&server, R).json(), missing);
}

#[test]
fn limits_first_and_wait() {
    let server = Server::builder().plan(Plan::lasting(Duration::from_secs(60))).start();
    let task = start(&server);
    for (query, answer) in [
        ("", (200, 0)),
        ("first=0&wait=0", (200, 0)),
        ("first=1", (200, 0)),
        ("first=2", (400, 25)),
        ("first=-1", (400, 25)),
        ("first=x", (400, 25)),
        ("wait=-1", (400, 25)),
        ("wait=21", (400, 25)),
        ("wait=1.5", (400, 25)),
        ("wait=", (400, 25)),
    ] {
        assert_eq!(poll(&server, &task, query).code(), answer, "{query}");
    }
}

#[test]
fn allows_requests_by_role() {
    let server = Server::builder().start();
    let (list, task) = (format!("GET {CACHES}"), format!("GET {}", start(&server)));
    let (user, r) = ("GET /__api__/v1/user", "GET /__api__/v1/server_settings/r");
    let settings = "GET /__api__/server_settings";
    let (refused, locked) = ((403, 22), (403, 50));
    let (wrong, missing) = ((401, 30), (401, 24));
    let ok = (200, 0);
    for (key, answers) in [
        ("admin-key", [ok, ok, ok, ok, ok]),
        ("publisher-key", [refused, refused, ok, ok, ok]),
        ("viewer-key", [refused, refused, refused, ok, ok]),
        ("locked-key", [locked, locked, locked, locked, ok]),
        ("wrong", [wrong, wrong, wrong, wrong, ok]),
        ("", [missing, missing, missing, missing, ok]),
    ] {
        for (line, answer) in [&list, &task, r, user, settings].iter().zip(answers) {
            assert_eq!(request(&server, line, key, "").code(), answer, "{line} by {key:?}");
        }
    }
}

#[test]
fn reads_credentials_from_both_headers() {
    let robot = User::new("robot-key", "robot", Role::Administrator).token("robot-token");
    let server = Server::builder().user(robot).start();
    for (headers, answer, user) in [
        ("", (401, 24), None),
        ("Authorization: Basic YTpi\r\n", (401, 24), None),
        ("Authorization: Key robot-token\r\n", (401, 30), None),
        ("Authorization: Bearer robot-key\r\n", (401, 30), None),
        ("Authorization: Bearer robot-token\r\n", (200, 0), Some("robot")),
        ("Authorization: Basic YTpi\r\nX-RSC-Authorization: Key admin-key\r\n", (200, 0), Some("admin")),
        ("Authorization: Key wrong\r\nX-RSC-Authorization: Key admin-key\r\n", (200, 0), Some("admin")),
        ("Authorization: Key admin-key\r\nX-RSC-Authorization: Key wrong\r\n", (401, 30), None),
    ] {
        let mut wire = connect(&server.url());
        send_head(&mut wire, "GET /__api__/v1/user", headers, "");
        assert_eq!(receive(&mut wire).unwrap().code(), answer, "{headers}");
        assert_eq!(server.requests().last().unwrap().user.as_deref(), user, "{headers}");
    }
}

#[test]
fn rejects_deletions_without_a_valid_cache() {
    let server = Server::builder().start();
    let body = |language: &str, version: &str, image: &str| {
        json!({ "language": language, "version": version, "image_name": image, "dry_run": true }).to_string()
    };
    for (body, answer) in [
        (body("r", "4.3.0", "Local"), (200, 0)),
        (body("R", "4.3.1", "Local"), (404, 4)),
        (body("Julia", "1.0.0", "Local"), (400, 179)),
        (body("R", "4.3.0", ""), (400, 180)),
        (body("", "4.3.0", "Local"), (400, 180)),
        ("{}".into(), (400, 180)),
        (String::new(), (400, 12)),
        ("{".into(), (400, 25)),
        ("[]".into(), (400, 25)),
        (r#"{"language":5,"version":"1","image_name":"x"}"#.into(), (400, 25)),
    ] {
        assert_eq!(delete(&server, &body).code(), answer, "{body}");
    }
    for line in [format!("PUT {CACHES}"), "GET /__api__/v1/nothing".into(), "GET /__api__/v1/tasks/".into()] {
        assert_eq!(request(&server, &line, "admin-key", "").code(), (404, 2), "{line}");
    }
}

#[test]
fn sends_a_correlation_id_with_each_reply_of_connect() {
    let server = Server::builder().start();
    let list = |more: &str| request_url(&server.url(), &format!("GET {CACHES}"), "admin-key", more, "");
    let (one, two, own) = (list(""), list(""), list("X-Correlation-ID: mine\r\n"));
    server.fault(Fault::new(Endpoint::List, Action::error(500, 1, "An internal failure occurred.")));
    let error = list("");
    server.fault(Fault::new(Endpoint::List, Action::html(502)));
    let page = list("X-Correlation-ID: mine\r\n");
    let outside = request(&server, "GET /", "", "");

    let ids = [&one, &two, &own, &error, &page, &outside].map(|reply| reply.header("x-correlation-id"));
    assert!(ids[0].is_some_and(|id| id.len() == 36) && ids[0] != ids[1] && ids[3].is_some(), "{ids:?}");
    assert_eq!((ids[2], ids[4], ids[5]), (Some("mine"), None, None));
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.correlation_id.as_deref()).collect::<Vec<_>>(), ids);
}

/// These differences change nothing for a client that copes with them, so no test of the program would miss them.
#[test]
fn replies_in_other_forms_as_configured() {
    let form = |list: List| self::list(&Server::builder().without_caches().list(list).start()).json();
    assert_eq!(form(List::default()), json!({ "caches": [] }));
    assert_eq!(form(List { null_if_empty: true, rows_twice: true }), json!({ "caches": null }));
    let twice = Server::builder().list(List { rows_twice: true, ..List::default() }).start();
    let rows = list(&twice).json()["caches"].as_array().unwrap().clone();
    assert!(rows.len() == 4 && rows[..2] == rows[2..], "{rows:?}");

    let replies = Replies { minimal_delete: true, close_connections: true, ..Replies::default() };
    let server = Server::builder().replies(replies).start();
    let started = delete(&server, R);
    assert_eq!(started.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["task_id"]);
    assert_eq!(started.header("connection"), Some("close"));

    let hidden = Settings { hide_version_without_key: true, ..Settings::default() };
    let server = Server::builder().settings(hidden).start();
    let version = |key| request(&server, "GET /__api__/server_settings", key, "").json()["version"].clone();
    assert_eq!((version("wrong"), version("viewer-key")), (json!(""), json!("2026.09.0")));
}
