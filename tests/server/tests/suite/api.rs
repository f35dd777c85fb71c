//! The endpoints, as a client sees them on a network without faults.

use std::time::{Duration, Instant};

use crate::client::*;
use connect_test_server::{
    Cache, Config, Effect, Endpoint, Installations, Management, Plan, Polls, Replies, Scripts, Server,
    Settings,
};
use serde_json::json;

fn lasting(milliseconds: u64) -> Config {
    Config::default().plan(Plan::lasting(Duration::from_millis(milliseconds)))
}

#[test]
fn lists_checks_and_deletes_caches() {
    let server = Server::start(Config::default());
    let list = |server| request(server, &format!("GET {CACHES}"), "admin-key", "").json();
    let r = json!({ "language": "R", "version": "4.3.0", "image_name": "Local" });
    let python = json!({ "language": "Python", "version": "3.7.6", "image_name": "Local" });
    assert_eq!(list(&server), json!({ "caches": [r, python] }));

    let mut checked = r.clone();
    checked["task_id"] = json!(null);
    assert_eq!(delete(&server, DRY).json(), checked);
    let body = r#"{"language":"r","version":"4.3.0","image_name":"Local","dry_run":false}"#;
    let started = delete(&server, body).json();
    let id = started["task_id"].as_str().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
    assert_eq!(
        poll(&server, &format!("/__api__/v1/tasks/{id}"), "").json(),
        json!({
            "id": id,
            "output": ["Deleting runtime cache...", "Successfully deleted runtime cache"],
            "result": null, "finished": true, "code": 0, "error": "", "last": 2,
        })
    );
    assert_eq!(list(&server), json!({ "caches": [python] }));
    assert_eq!(server.caches(), [Cache::new("Python", "3.7.6", "Local")]);
    assert_eq!(delete(&server, R).code(), (404, 4));
    assert_eq!(delete(&server, DRY).code(), (404, 4));

    let requests = server.requests();
    use Endpoint::{Delete, DryRun, List, Task};
    assert_eq!(
        requests.iter().map(|r| r.endpoint).collect::<Vec<_>>(),
        [List, DryRun, Delete, Task, List, Delete, DryRun]
    );
    assert_eq!(requests[1].json()["dry_run"], true);
    assert_eq!(requests[0].header("Authorization"), Some("Key admin-key"));
    assert_eq!(requests[6].status, Some(404));
    assert_eq!((requests[6].connection, server.connections()), (7, 7));
    assert_eq!(server.max_running(), 1);
}

#[test]
fn limits_first_and_wait() {
    let server = Server::start(lasting(60_000));
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
    let running = poll(&server, &task, "first=1").json();
    assert_eq!(
        (&running["output"], &running["last"], &running["finished"]),
        (&json!([]), &json!(1), &json!(false))
    );
    assert_eq!(poll(&server, "/__api__/v1/tasks/0123456789abcdef", "").code(), (404, 141));
}

#[test]
fn holds_a_poll_until_the_task_or_its_wait_ends() {
    let plan = Plan {
        lines: ["a", "b", "c"].map(String::from).to_vec(),
        ..Plan::lasting(Duration::from_millis(600))
    };
    let server = Server::builder().plan(plan).start();
    let (task, started_at) = (start(&server), Instant::now());
    let held = poll(&server, &task, "first=1&wait=20").json();
    let time = started_at.elapsed();
    assert_eq!((&held["output"], &held["finished"]), (&json!(["b", "c"]), &json!(true)));
    assert!((550..1500).contains(&time.as_millis()), "{time:?}");

    let server = Server::start(lasting(60_000));
    let (task, started_at) = (start(&server), Instant::now());
    assert_eq!(poll(&server, &task, "wait=1").json()["finished"], false);
    assert!(started_at.elapsed() >= Duration::from_secs(1));

    let server = Server::start(lasting(60_000).polls(Polls { ignore_wait: true, ..Polls::default() }));
    let (task, started_at) = (start(&server), Instant::now());
    assert_eq!(poll(&server, &task, "wait=20").status, 200);
    assert!(started_at.elapsed() < Duration::from_secs(10));
}

#[test]
fn allows_requests_by_role() {
    let server = Server::start(Config::default());
    let task = start(&server);
    let task = format!("GET {task}");
    let list = format!("GET {CACHES}");
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
    let publisher = request(&server, user, "publisher-key", "").json();
    assert_eq!((&publisher["username"], &publisher["user_role"]), (&json!("pat"), &json!("publisher")));
    assert_eq!(server.requests()[1].user.as_deref(), Some("admin"));
}

#[test]
fn rejects_deletions_without_a_valid_cache() {
    let server = Server::builder().caches(["R 4.2.0 ghcr.io/Rstudio/content:base"]).start();
    let body = |language: &str, version: &str, image: &str| {
        json!({ "language": language, "version": version, "image_name": image, "dry_run": true }).to_string()
    };
    let ok = (200, 0);
    for (body, answer) in [
        (body("r", "4.2.0", "ghcr.io/Rstudio/content:base"), ok),
        (body("R", "4.2.0", "ghcr-io-rstudio-content-base"), ok),
        (body("R", "4.2.0", "ghcr.io/rstudio/content:base"), (404, 4)),
        (body("R", "4.2.1", "ghcr-io-rstudio-content-base"), (404, 4)),
        (body("Julia", "1.0.0", "Local"), (400, 179)),
        (body("R", "4.2.0", ""), (400, 180)),
        (body("", "4.2.0", "Local"), (400, 180)),
        ("{}".into(), (400, 180)),
        (String::new(), (400, 12)),
        ("{".into(), (400, 25)),
        ("[]".into(), (400, 25)),
        (r#"{"language":5,"version":"1","image_name":"x"}"#.into(), (400, 25)),
    ] {
        assert_eq!(delete(&server, &body).code(), answer, "{body}");
    }
    let listed = request(&server, &format!("GET {CACHES}"), "admin-key", "").json();
    assert_eq!(listed["caches"][0]["image_name"], "ghcr-io-rstudio-content-base");
}

#[test]
fn runs_deletions_as_planned() {
    let python = || Cache::new("Python", "3.7.6", "Local");
    let server = Server::builder()
        .plan(Plan::failing(3, "disk full"))
        .replies(Replies { minimal_delete: true, ..Replies::default() })
        .plans(vec![(python(), Plan { vanishes: true, ..Plan::default() })])
        .start();
    let started = delete(&server, R).json();
    assert_eq!(started.as_object().unwrap().len(), 1, "{started}");
    let id = started["task_id"].as_str().unwrap();
    let task = poll(&server, &format!("/__api__/v1/tasks/{id}"), "").json();
    assert_eq!(
        (&task["code"], &task["error"], &task["output"][1]),
        (&json!(3), &json!("disk full"), &json!("Failed to delete runtime cache"))
    );
    assert_eq!(server.caches().len(), 2);
    let body = r#"{"language":"Python","version":"3.7.6","image_name":"Local"}"#;
    assert_eq!(delete(&server, body).code(), (404, 4));
    assert_eq!(server.caches(), [Cache::new("R", "4.3.0", "Local")]);

    for (effect, code, during, after) in [
        (Effect::OnSuccess, 0, 2, 1),
        (Effect::OnSuccess, 1, 2, 2),
        (Effect::AtEnd, 1, 2, 1),
        (Effect::AtStart, 1, 1, 1),
        (Effect::Never, 0, 2, 2),
    ] {
        let server = Server::builder()
            .plan(Plan { effect, code, ..Plan::lasting(Duration::from_millis(150)) })
            .start();
        let task = start(&server);
        assert_eq!(server.caches().len(), during, "{effect:?}");
        let task = poll(&server, &task, "wait=5").json();
        assert_eq!((server.caches().len(), task["code"].as_i64()), (after, Some(code)), "{effect:?}");
    }
}

#[test]
fn fails_a_task_that_has_code_0_and_an_error() {
    for (effect, after) in
        [(Effect::OnSuccess, 2), (Effect::AtEnd, 1), (Effect::AtStart, 1), (Effect::Never, 2)]
    {
        let plan = Plan { effect, ..Plan::failing(0, "disk full") };
        let server = Server::builder().plan(plan).start();
        let task = start(&server);
        let task = poll(&server, &task, "").json();
        assert_eq!(
            (&task["finished"], &task["code"], &task["error"], &task["output"][1]),
            (&json!(true), &json!(0), &json!("disk full"), &json!("Failed to delete runtime cache"))
        );
        assert_eq!(server.caches().len(), after, "{effect:?}");
    }
}

#[test]
fn fails_the_second_of_two_deletions_of_a_cache() {
    let server = Server::start(lasting(200));
    let (one, two) = (start(&server), start(&server));
    assert_eq!(poll(&server, &one, "wait=5").json()["code"], 0);
    let two = poll(&server, &two, "wait=5").json();
    assert_eq!((&two["code"], &two["error"]), (&json!(1), &json!("Cache does not exist")));
    assert_eq!(server.max_running(), 2);
}

#[test]
fn imitates_other_versions_and_configurations() {
    let list = format!("GET {CACHES}");
    let with = |config: Config, line: &str, key: &str| request(&Server::start(config), line, key, "");
    let config = Config::default().management(Management::Missing).installations_r(Installations::Missing);
    assert_eq!(with(config.clone(), &list, "admin-key").code(), (404, 2));
    let r = "GET /__api__/v1/server_settings/r";
    assert_eq!(with(config, r, "admin-key").code(), (404, 2));
    let config = Config::default().management(Management::Disabled);
    assert_eq!(with(config.clone(), &list, "admin-key").code(), (400, 194));
    assert_eq!(with(config, &list, "viewer-key").code(), (403, 22));

    let config = Config::default()
        .settings(Settings { hide_version_without_key: true, ..Settings::default() })
        .replies(Replies { deprecated: Some("v2/x".into()), ..Replies::default() });
    let settings = "GET /__api__/server_settings";
    assert_eq!(with(config.clone(), settings, "no").json()["version"], "");
    let reply = with(config, settings, "viewer-key");
    assert_eq!(reply.json()["version"], "2026.09.0");
    assert_eq!(reply.header("x-deprecated-endpoint"), Some("v2/x"));
}

#[test]
fn serves_only_paths_under_the_prefix() {
    let server = Server::builder().prefix("/connect").scripts(Scripts { control: true, log: None }).start();
    assert_eq!(request(&server, &format!("GET {CACHES}"), "admin-key", "").status, 200);
    assert_eq!(request(&server, "GET /__api__/v1/nothing", "admin-key", "").code(), (404, 2));
    assert_eq!(request(&server, &format!("PUT {CACHES}"), "admin-key", "").code(), (404, 2));
    assert_eq!(server.requests()[0].path, format!("/connect{CACHES}"));
    let control = request(&server, "GET /__control__/caches", "", "").json();
    assert_eq!(control["caches"][0]["version"], "4.3.0");

    let outside = server.url().replace("/connect", "");
    let page = request_url(&outside, &format!("GET {CACHES}"), "admin-key", "", "");
    assert_eq!(page.status, 404);
    assert_eq!(page.header("content-type"), Some("text/html"));
}
