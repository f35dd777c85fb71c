//! `connect-cache check`

use connect_test_server::pki::Ca;
use connect_test_server::{
    Action, Config, Endpoint, Fault, Management, MissingCache, Role, Server, Settings, User,
};
use serde_json::json;

use crate::support::{caches, connect_cache, endpoints, requests_to, run, server_over_tls};

#[test]
fn passes_all_checks_over_plain_http() {
    let server = Server::builder().prefix("/rsc").start();
    let url = server.url();
    run(&server, "check").exits(0).says_nothing().prints(&format!(
        "ok    Connect answers on {url}\n\
         ok    the connection uses plain http, not encrypted\n\
         ok    the server is Connect 2026.09.0\n\
         ok    the key gives access: it belongs to admin\n\
         ok    the role is administrator\n\
         ok    runtime caches can be managed: there are 2\n\
         ok    runtime caches can be deleted: DELETE requests get through\n"
    ));
    assert_eq!(endpoints(&server), [Endpoint::Settings, Endpoint::User, Endpoint::List, Endpoint::DryRun]);
    let dry_run = &requests_to(&server, Endpoint::DryRun)[0];
    assert_eq!(dry_run.method, "DELETE");
    let body: serde_json::Value = serde_json::from_str(&dry_run.body).unwrap();
    assert_eq!(body, json!({"language": "R", "version": "0.0.0", "image_name": "Local", "dry_run": true}));
    let ran = run(&server, "check --json").exits(0).says_nothing();
    assert_eq!(
        ran.json(),
        json!({
            "ok": true,
            "server": url,
            "trust": null,
            "version": "2026.09.0",
            "user": "admin",
            "role": "administrator",
            "caches": 2,
            "error": null,
        })
    );
    assert_eq!(caches(&server).len(), 2);
    assert_eq!(server.connections(), 2);
}

#[test]
fn names_the_trusted_certificates_over_https() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let trusts = |text: &str| format!("ok    the connection is encrypted, trusting {text}");
    let contains = |stdout: &str, text: &str| assert!(stdout.contains(&trusts(text)), "{text} in {stdout}");

    let program = connect_cache(&server).words("check --cacert");
    let path = program.file("the-ca.pem", &ca.pem());
    let ran = program.arg(&path).run().exits(0).says_nothing();
    contains(&ran.stdout, &format!("the CA file {path}\n"));
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("ok    ")).count(), 7, "{ran:#?}");

    let program = connect_cache(&server).words("check --json");
    let path = program.file("the-ca.pem", &ca.pem());
    let ran = program.env("CONNECT_CA_CERTIFICATE", &path).run().exits(0);
    assert_eq!(ran.json()["trust"], format!("the CA file {path}"));

    let program = connect_cache(&server).words("check");
    let path = program.file("bundle.pem", &ca.pem());
    contains(
        &program.env("SSL_CERT_FILE", &path).run().exits(0).stdout,
        &format!("the CA file {path} (SSL_CERT_FILE)\n"),
    );

    // So does the error about a certificate.
    let program = connect_cache(&server).words("check --cacert");
    let path = program.file("other-ca.pem", &Ca::new().pem());
    let ran = program.arg(&path).run().exits(6).says("no trusted CA issued it");
    ran.says(&format!(" (trusting the CA file {path})\n"));

    let ran = connect_cache(&server).words("check -i").run().exits(0);
    contains(&ran.stdout, "any certificate: not verified\n");
}

#[test]
fn accepts_a_hidden_version() {
    let server = Server::builder().settings(Settings { version: None, ..Settings::default() }).start();
    let ran = run(&server, "check").exits(0).says_nothing();
    assert!(ran.stdout.contains("ok    the server is Connect, its version is hidden\n"), "{ran:#?}");
    let ran = run(&server, "check --json").exits(0);
    assert_eq!((&ran.json()["ok"], &ran.json()["version"]), (&json!(true), &json!(null)));

    // This server shows its version only to requests with a valid key.
    let config =
        Config::default().settings(Settings { hide_version_without_key: true, ..Settings::default() });
    let ran = run(&Server::start(config), "check --json").exits(0);
    assert_eq!(ran.json()["version"], "2026.09.0");
}

#[test]
fn explains_the_first_failure() {
    let unknown_ca = server_over_tls(&Ca::new(), Config::default());
    let web_server = Server::builder().prefix("/rsc").start();
    let root = web_server.url().replace("/rsc", "");
    let with = |config: Config| Server::start(config);
    let plain = with(Config::default());
    let with_key = |key: &str| format!("check -k {key}");
    let strict = with(Config::default());
    strict.fault(Fault::new(Endpoint::Settings, Action::error(401, 24, "no")).times(usize::MAX));
    let with_fault = |on, action| with(Config::default().fault(Fault::always(on, action)));
    let in_front = "a gateway or proxy in front of Connect refused the request";
    for (server, words, status, ok, fail, says) in [
        (
            &plain,
            "check --retries 0 -s http://127.0.0.1:1".to_owned(),
            6,
            0,
            "Connect answers",
            "connection to 127.0.0.1 port 1",
        ),
        (
            &plain,
            "check --retries 0 -s http://connect.invalid".to_owned(),
            6,
            0,
            "Connect answers",
            "cannot resolve host connect.invalid",
        ),
        (&unknown_ca, "check".to_owned(), 6, 0, "Connect answers", "--cacert FILE"),
        (&web_server, format!("check -s {root}"), 6, 0, "Connect answers", "including any path prefix"),
        (
            &with_fault(Endpoint::Settings, Action::html(400)),
            "check".to_owned(),
            6,
            0,
            "Connect answers",
            "HTTP 400",
        ),
        (
            &with_fault(Endpoint::Settings, Action::html(403)),
            "check".to_owned(),
            3,
            0,
            "Connect answers",
            in_front,
        ),
        (
            &with_fault(Endpoint::User, Action::html(403)),
            "check".to_owned(),
            3,
            3,
            "the key gives access",
            in_front,
        ),
        (
            &with_fault(Endpoint::User, Action::error(403, 99, "no")),
            "check".to_owned(),
            3,
            3,
            "the key gives access",
            "restricted mode",
        ),
        (&strict, "check".to_owned(), 3, 0, "the key gives access", "; check the API key"),
        (&plain, with_key("wrong"), 3, 3, "the key gives access", "; check the API key"),
        (
            &plain,
            with_key("locked-key"),
            3,
            3,
            "the key gives access",
            "an administrator can unlock the user",
        ),
        (
            &plain,
            with_key("publisher-key"),
            3,
            5,
            "runtime caches can be managed",
            "use an API key with the administrator role",
        ),
        (
            &with(Config::default().management(Management::Disabled)),
            "check".to_owned(),
            5,
            5,
            "runtime caches can be managed",
            "; an administrator of the server can set Server.AllowRuntimeCacheManagement",
        ),
        (
            &with(Config::default().management(Management::Missing)),
            "check".to_owned(),
            5,
            5,
            "runtime caches can be managed",
            "runtime caches require Connect 2023.05 or later",
        ),
    ] {
        let ran = connect_cache(server).words(&words).run().exits(status).says(says);
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(lines.len(), ok + 1, "{words}: {ran:#?}");
        assert!(lines[..ok].iter().all(|line| line.starts_with("ok    ")), "{words}: {ran:#?}");
        assert_eq!(lines[ok], format!("FAIL  {fail}"), "{words}");
        let error = ran.stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap();
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:#?}");

        let ran = connect_cache(server).words(&words).words("--json").run().exits(status).says(says);
        let found = ran.json();
        // Each request has a correlation ID of its own.
        let without_id = |text: &str| text.split(" (X-Correlation-ID: ").next().unwrap().to_owned();
        assert_eq!(found["ok"], json!(false), "{words}");
        assert_eq!(without_id(found["error"].as_str().unwrap()), without_id(error), "{words}");
        assert_eq!(found.as_object().unwrap().len(), 8, "{found}");
        assert_eq!(found["caches"], json!(null));
        assert_eq!(found["version"].is_string(), ok > 2, "{found}");
        assert!(server.requests().iter().all(|request| request.method == "GET"));
        assert_eq!(caches(server).len(), 2);
    }
}

#[test]
fn rejects_servers_other_than_connect() {
    for action in [Action::html(200), Action::html(503), Action::CutJson] {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Endpoint::Settings, action).times(usize::MAX));
        let ran = run(&server, "check --retries 0").exits(6).prints("FAIL  Connect answers\n");
        assert_eq!(endpoints(&server), [Endpoint::Settings], "{ran:#?}");
    }
}

#[test]
fn escapes_control_characters_from_the_server() {
    let server = Server::builder()
        .settings(Settings { version: Some("\x1b[2J1\u{202e}".into()), ..Settings::default() })
        .start();
    let ran = run(&server, "check").exits(0).never_says("\x1b").never_says("\u{202e}");
    assert!(ran.stdout.contains("Connect \\u{1b}[2J1\\u{202e}"), "{ran:#?}");
}

#[test]
fn lists_caches_if_the_role_is_unknown() {
    let server = Server::start(Config::default());
    let body = r#"{"username":"admin","user_role":null}"#.to_owned();
    let without_role = Action::Reply { status: 200, headers: vec![], body };
    server.fault(Fault::new(Endpoint::User, without_role).times(usize::MAX));
    let ran = run(&server, "check").exits(0).never_says("role");
    assert!(ran.stdout.contains("ok    runtime caches can be managed: there are 2\n"), "{ran:#?}");
    run(&server, "check -k publisher-key").exits(3).says("use an API key with the administrator role");
}

#[test]
fn accepts_the_key_of_a_service_principal() {
    let robot = User::new("robot-key", "robot", Role::Administrator).service_principal();
    let publisher = User::new("pub-key", "pub", Role::Publisher).service_principal();
    let server = Server::builder().users([robot, publisher]).start();
    let ran = run(&server, "check -k robot-key").exits(0).says_nothing();
    assert!(
        ran.stdout.contains("ok    the key gives access: it may belong to a service principal\n"),
        "{ran:#?}"
    );
    assert!(ran.stdout.contains("ok    runtime caches can be managed: there are 2\n"), "{ran:#?}");
    let ran = run(&server, "check -k robot-key --json").exits(0);
    assert_eq!((&ran.json()["user"], &ran.json()["role"]), (&json!(null), &json!(null)), "{ran:#?}");
    run(&server, "check -k pub-key").exits(3).says("use an API key with the administrator role");
}

#[test]
fn uses_the_settings_of_the_server() {
    let execution_type = Some("launcher-kubernetes".to_owned());
    let server = Server::builder().settings(Settings { execution_type, ..Settings::default() }).start();
    let ran = run(&server, "check").exits(0);
    let line = "ok    the server is Connect 2026.09.0 (execution: launcher-kubernetes)\n";
    assert!(ran.stdout.contains(line), "{ran:#?}");
}

#[test]
fn reports_whether_delete_requests_get_through() {
    // Some servers accept the dry run of a cache that does not exist, and others refuse it.
    for missing in [MissingCache::NOT_FOUND, MissingCache::TASK_FAILS, MissingCache::TASK_SUCCEEDS] {
        let server = Server::builder().missing_cache(missing).start();
        let ran = run(&server, "check").exits(0).says_nothing();
        assert!(
            ran.stdout.ends_with("ok    runtime caches can be deleted: DELETE requests get through\n"),
            "{ran:#?}"
        );
    }

    let blocks = "something in front of Connect refuses DELETE requests";
    for (action, status, says) in [
        (Action::html(405), 6, blocks),
        (Action::html(501), 6, blocks),
        (Action::html(403), 3, blocks),
        (Action::html(200), 6, "something in front of Connect replies to DELETE requests itself"),
        (Action::error(400, 12, "A required parameter is missing."), 5, "may strip the bodies of DELETE"),
        (Action::error(400, 180, "no location"), 5, "may strip the bodies of DELETE"),
        // These got through to Connect.
        (Action::error(400, 194, "Disabled."), 5, "Server.AllowRuntimeCacheManagement"),
        (Action::error(403, 22, "No."), 3, "use an API key with the administrator role"),
        (Action::error(401, 29, "Expired."), 3, "the API key has expired"),
        (Action::error(403, 99, "Restricted."), 3, "the server is in restricted mode"),
        (Action::error(429, 277, "Too many."), 5, "wait a while"),
    ] {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Endpoint::DryRun, action).times(usize::MAX));
        // An odd reply would be asked again, since Connect has answered before.
        let ran = run(&server, "check --retries 0").exits(status).fails_with(says);
        assert!(ran.stdout.ends_with("\nFAIL  runtime caches can be deleted\n"), "{ran:#?}");
        assert_eq!(ran.stdout.lines().count(), 7, "{ran:#?}");
        assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 1);

        let ran = run(&server, "check --json --retries 0").exits(status);
        assert_eq!((&ran.json()["ok"], &ran.json()["caches"]), (&json!(false), &json!(2)));
        assert!(ran.json()["error"].as_str().unwrap().contains(says), "{ran:#?}");
        assert_eq!(caches(&server).len(), 2);
    }
}

#[test]
fn asks_once_with_a_key_that_was_never_accepted() {
    // Connect answers the first request to anybody.
    let server = Server::start(Config::default());
    connect_cache(&server).words("check -k wrong").run().exits(3).fails_with("; check the API key");
    assert_eq!(endpoints(&server), [Endpoint::Settings, Endpoint::User]);
}
