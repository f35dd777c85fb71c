//! Users: the headers that contain their keys, and the replies to service principals.

use crate::client::*;
use connect_test_server::{Config, Role, Server, User};

const USER: &str = "GET /__api__/v1/user";

/// Sends `GET v1/user` with only these header lines and returns the status and code of the reply.
fn user_with(server: &Server, headers: &str) -> (u16, i64) {
    let mut wire = connect(&server.url());
    send_head(&mut wire, USER, headers, "");
    receive(&mut wire).unwrap().code()
}

#[test]
fn distinguishes_a_missing_key_from_a_wrong_one() {
    let server = Server::start(Config::default());
    assert_eq!(user_with(&server, ""), (401, 24));
    assert_eq!(user_with(&server, "Authorization: Basic YTpi\r\n"), (401, 24));
    assert_eq!(user_with(&server, "Authorization: Key wrong\r\n"), (401, 30));
    let body = request(&server, USER, "wrong", "").json();
    assert_eq!(body["error"], "The API key is not valid.");
}

#[test]
fn prefers_the_key_in_x_rsc_authorization() {
    let server = Server::start(Config::default());
    for (headers, answer) in [
        ("X-RSC-Authorization: Key admin-key\r\n", (200, 0)),
        ("Authorization: Basic YTpi\r\nX-RSC-Authorization: Key admin-key\r\n", (200, 0)),
        ("Authorization: Key wrong\r\nX-RSC-Authorization: Key admin-key\r\n", (200, 0)),
        ("Authorization: Key admin-key\r\nX-RSC-Authorization: Key wrong\r\n", (401, 30)),
    ] {
        assert_eq!(user_with(&server, headers), answer, "{headers}");
    }
    assert_eq!(server.requests()[1].user.as_deref(), Some("admin"));
}

#[test]
fn refuses_only_the_user_endpoint_to_service_principals() {
    let robot = User::new("robot-key", "robot", Role::Administrator).service_principal();
    let locked = User::new("locked-key", "lou", Role::Administrator).service_principal().locked();
    let server = Server::builder().users([robot, locked]).start();
    assert_eq!(request(&server, USER, "robot-key", "").code(), (403, 22));
    for line in [format!("GET {CACHES}"), "GET /__api__/v1/server_settings/r".into()] {
        assert_eq!(request(&server, &line, "robot-key", "").code(), (200, 0), "{line}");
    }
    let started = request(&server, &format!("DELETE {CACHES}"), "robot-key", R).json();
    let task = format!("GET /__api__/v1/tasks/{}", started["task_id"].as_str().unwrap());
    assert_eq!(request(&server, &task, "robot-key", "").code(), (200, 0));
    assert_eq!(request(&server, USER, "locked-key", "").code(), (403, 50));
}
