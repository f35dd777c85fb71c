//! Replies that differ between servers: the list, the settings, the poll of an unknown task.

use crate::client::*;
use connect_test_server::{
    Action, Cache, Config, Content, Endpoint, Fault, List, LostLookup, Polls, Server, Settings,
};
use serde_json::json;

const SETTINGS: &str = "GET /__api__/server_settings";

fn list(config: Config) -> serde_json::Value {
    request(&Server::start(config), &format!("GET {CACHES}"), "admin-key", "").json()
}

#[test]
fn lists_null_if_there_are_no_caches() {
    let empty = || Config::default().without_caches();
    assert_eq!(list(empty()), json!({ "caches": [] }));
    assert_eq!(
        list(empty().list(List { null_if_empty: true, ..List::default() })),
        json!({ "caches": null })
    );
    assert_eq!(list(empty().list(List { null_if_empty: true, rows_twice: true })), json!({ "caches": null }));
    let unlisted = vec![Cache::new("R", "4.3.0", "Local")];
    assert_eq!(
        list(empty().list(List { null_if_empty: true, ..List::default() }).unlisted(unlisted)),
        json!({ "caches": null })
    );
    let full = list(Config::default().list(List { null_if_empty: true, ..List::default() }));
    assert_eq!(full["caches"].as_array().unwrap().len(), 2);
}

#[test]
fn lists_all_rows_twice() {
    let r = json!({ "language": "R", "version": "4.3.0", "image_name": "Local" });
    let python = json!({ "language": "Python", "version": "3.7.6", "image_name": "Local" });
    let twice = list(Config::default().list(List { rows_twice: true, ..List::default() }));
    assert_eq!(twice, json!({ "caches": [r, python, r, python] }));
}

#[test]
fn lists_content_items_to_administrators() {
    let content = [Content::items(2).r("4.3.0"), Content::items(1).python("3.11.4")];
    let server = Server::builder().content(content).start();
    let list = |key| request(&server, "GET /__api__/v1/content", key, "");
    let items = list("admin-key").json();
    let versions =
        |n: usize| (items[n]["id"].clone(), items[n]["r_version"].clone(), items[n]["py_version"].clone());
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_eq!(versions(1), (json!("1"), json!("4.3.0"), json!(null)));
    assert_eq!(versions(2), (json!("0"), json!(null), json!("3.11.4")));
    assert_eq!(list("publisher-key").json(), json!([]));
    assert_eq!(list("wrong").code(), (401, 30));
}

#[test]
fn includes_optional_settings_only_if_configured() {
    let settings = |config| request(&Server::start(config), SETTINGS, "", "").json();
    assert_eq!(settings(Config::default()), json!({ "version": "2026.09.0" }));
    let config = Config::default().settings(Settings {
        enable_runtime_cache_management: Some(false),
        execution_type: Some("launcher-kubernetes".into()),
        ..Settings::default()
    });
    assert_eq!(
        settings(config),
        json!({
            "version": "2026.09.0",
            "enable_runtime_cache_management": false,
            "execution_type": "launcher-kubernetes",
        })
    );
}

#[test]
fn answers_polls_of_unknown_tasks_with_code_141_or_4() {
    for (lost_lookup, code, text) in [
        (
            LostLookup::Code141,
            141,
            "Task lookup failures can indicate that a load balancer is not using sticky sessions or a client \
             is not including the session cookie. \
             Details: https://docs.posit.co/connect/admin/load-balancing/",
        ),
        (LostLookup::Code4, 4, "The requested object does not exist."),
    ] {
        let server = Server::builder().polls(Polls { lost_lookup, ..Polls::default() }).start();
        let task = start(&server);
        server.restart_node(0);
        let reply = poll(&server, &task, "");
        assert_eq!(
            (reply.status, reply.json()),
            (404, json!({ "code": code, "error": text, "payload": null }))
        );
    }
}

#[test]
fn sends_a_correlation_id_with_each_reply_of_connect() {
    let server = Server::start(Config::default());
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
