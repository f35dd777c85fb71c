//! `--name`: servers saved by `rsconnect add`.

use connect_test_server::pki::Ca;
use connect_test_server::{Config, Server};
use serde_json::{Value, json};

use crate::support::{Program, server_over_tls};

const FILE: &str = ".rsconnect-python/servers.json";
const CACHES: &str = "Python  3.7.6  Local\nR       4.3.0  Local\n";

/// Returns an entry as `rsconnect add` writes it.
fn entry(name: &str, url: &str, key: Value, insecure: bool, ca: Option<&str>) -> Value {
    json!({ "name": name, "url": url, "api_key": key, "insecure": insecure, "ca_cert": ca })
}

/// Returns the program with these servers saved in its home directory, as rsconnect formats them.
fn with_saved(entries: &[Value]) -> Program {
    let program = Program::new();
    program.file(FILE, &saved(entries));
    program
}

fn saved(entries: &[Value]) -> String {
    let servers: serde_json::Map<String, Value> =
        entries.iter().map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry.clone())).collect();
    serde_json::to_string_pretty(&servers).unwrap()
}

fn good(name: &str, server: &Server) -> Value {
    entry(name, &server.url(), json!("admin-key"), false, None)
}

#[test]
fn uses_url_and_key_of_a_saved_server() {
    let server = Server::builder().prefix("/rsc").start();
    let entries = [
        good("ours", &server),
        entry("with-api", &format!("{}/__api__/", server.url()), json!("admin-key"), false, Some("")),
        entry("other", "http://127.0.0.1:1", json!("x"), false, None),
    ];
    for words in ["list -n ours", "list --name=ours", "-nours list", "list --name with-api"] {
        with_saved(&entries).words(words).run().exits(0).says_nothing().prints(CACHES);
    }
    assert!(server.requests().iter().all(|r| r.header("authorization") == Some("Key admin-key")));
}

#[test]
fn prefers_the_configuration_directory_to_the_home() {
    let server = Server::start(Config::default());
    let wrong = entry("ours", "http://127.0.0.1:1", json!("x"), false, None);
    let program = with_saved(&[wrong]);
    program.file("config/rsconnect-python/servers.json", &saved(&[good("ours", &server)]));
    let folder = program.home().join("config");
    program.env("XDG_CONFIG_HOME", folder).words("list -n ours").run().exits(0).prints(CACHES);
    // An empty variable counts as unset.
    with_saved(&[good("ours", &server)]).env("XDG_CONFIG_HOME", "").words("list -n ours").run().exits(0);
}

#[test]
fn uses_ca_and_insecure_flag_of_a_saved_server() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let entry = |insecure, pem: Option<&str>| entry("ours", &server.url(), json!("admin-key"), insecure, pem);
    let (pem, other) = (ca.pem(), Ca::new().pem());
    let run = |entry| with_saved(&[entry]).words("list -n ours").run();
    run(entry(false, Some(&pem))).exits(0).says_nothing().prints(CACHES);
    run(entry(true, None)).exits(0).says("warning: the server's certificate is not verified").prints(CACHES);
    run(entry(false, None)).exits(6).fails_with("no trusted CA issued it");
    run(entry(false, Some(&other))).exits(6).fails_with("no trusted CA issued it");
    assert_eq!(server.requests().len(), 2);
    run(entry(false, Some("no PEM"))).exits(2).fails_with("saved with the server contains no certificate");
    assert_eq!(server.requests().len(), 2);
    // The URL alone does not say that any certificate will do.
    let by_url = |entry| with_saved(&[entry]).words("list -s").arg(server.url()).run();
    by_url(entry(false, Some(&pem))).exits(0).says_nothing();
    by_url(entry(true, None)).exits(6).fails_with("no trusted CA issued it");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn ignores_every_variable_if_a_saved_server_is_named() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let other = Server::start(Config::default());
    let pem = ca.pem();
    let program = with_saved(&[entry("ours", &server.url(), json!("admin-key"), false, Some(&pem))]);
    let wrong_ca = program.file("wrong.pem", &Ca::new().pem());
    let wrong_key = program.file("wrong.key", "hunter2");
    program
        .env("CONNECT_SERVER", other.url())
        .env("CONNECT_API_KEY", "hunter2")
        .env("CONNECT_API_KEY_FILE", wrong_key)
        .env("CONNECT_CA_CERTIFICATE", wrong_ca)
        .env("CONNECT_INSECURE", "1")
        .words("list -n ours")
        .run()
        .exits(0)
        .says_nothing()
        .prints(CACHES);
    assert_eq!(server.requests()[0].header("authorization"), Some("Key admin-key"));
    assert_eq!(other.connections(), 0);

    // A saved server without a CA gets none from the environment.
    let program = with_saved(&[entry("ours", &server.url(), json!("admin-key"), false, None)]);
    program.trusting(&ca).env("CONNECT_INSECURE", "1").words("list -n ours").run().exits(6);
    // Invalid variables are ignored too.
    let program = with_saved(&[entry("ours", &server.url(), json!("admin-key"), false, Some(&pem))]);
    program
        .env("CONNECT_INSECURE", "perhaps")
        .env("CONNECT_CA_CERTIFICATE", "/nonexistent")
        .words("list -n ours")
        .run()
        .exits(0);
}

#[test]
fn overrides_a_saved_server_by_flags() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let bad = entry("ours", &server.url(), json!("wrong"), false, Some(&Ca::new().pem()));
    let program = with_saved(std::slice::from_ref(&bad));
    let path = program.file("ca.pem", &ca.pem());
    program.words("list -n ours -k admin-key -c").arg(path).run().exits(0).prints(CACHES);
    with_saved(std::slice::from_ref(&bad))
        .words("list -n ours -qi -k admin-key")
        .run()
        .exits(0)
        .prints(CACHES);
    let program = with_saved(&[bad]);
    let path = program.file("key", "admin-key\n");
    program.words("list -qi -n ours --api-key-file").arg(path).run().exits(0).prints(CACHES);
}

#[test]
fn rejects_name_with_server() {
    let server = Server::start(Config::default());
    let program = with_saved(&[good("ours", &server)]);
    program
        .words("list -n ours -s")
        .arg(server.url())
        .run()
        .exits(2)
        .fails_with("--name cannot be combined with --server");
    assert_eq!(server.connections(), 0);
}

#[test]
fn lists_saved_names_for_an_unknown_name() {
    let server = Server::start(Config::default());
    let entries = [good("prod", &server), good("staging", &server)];
    with_saved(&entries)
        .env("CONNECT_SERVER", server.url())
        .env("CONNECT_API_KEY", "admin-key")
        .words("list -n ours")
        .run()
        .exits(2)
        .fails_with("no server is saved as ours in ")
        .fails_with("servers.json; saved servers: prod, staging")
        .never_says("admin-key");
    with_saved(&[]).words("list -n ours").run().exits(2).fails_with("saved servers: none");
    Program::new().words("list -n ours").run().exits(2).fails_with("save one with rsconnect add");
    Program::new().without("HOME").words("list -n ours").run().exits(2).fails_with("HOME is not set");
    assert_eq!(server.connections(), 0);
}

#[test]
fn explains_an_entry_without_a_key() {
    let server = Server::start(Config::default());
    let mut without = good("ours", &server);
    without.as_object_mut().unwrap().remove("api_key");
    let (null, empty) = (
        entry("ours", &server.url(), json!(null), false, None),
        entry("ours", &server.url(), json!(""), false, None),
    );
    for entry in [without, null, empty] {
        with_saved(std::slice::from_ref(&entry))
            .env("CONNECT_API_KEY", "admin-key")
            .words("list -n ours")
            .run()
            .exits(2)
            .fails_with("has no API key; use --api-key-file FILE");
        with_saved(&[entry]).words("list -n ours -k admin-key").run().exits(0).prints(CACHES);
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn rejects_a_malformed_file_without_showing_it() {
    for content in [
        r#"{"ours": {"url": "http://127.0.0.1:1", "api_key": "hunter2""#,
        r#"{"ours": "hunter2"}"#,
        r#"{"ours": {"url": "http://127.0.0.1:1", "api_key": "hunter2", "insecure": "hunter2"}}"#,
        r#"{"ours": {"api_key": "hunter2"}}"#,
        r#"["hunter2"]"#,
        "hunter2",
        "",
        "\u{0}hunter2",
    ] {
        let program = Program::new();
        program.file(FILE, content);
        program.words("list -vv -n ours").run().exits(2).fails_with("rsconnect").never_says("hunter2");
    }
    let program = Program::new();
    program.file(FILE, &" ".repeat((16 << 20) + 1));
    program.words("list -n ours").run().exits(2).fails_with("larger than 16 MiB");
    // A saved URL or key may be unusable.
    let run = |url: &str, key: &str| {
        with_saved(&[entry("ours", url, json!(key), false, None)]).words("list -n ours").run().exits(2)
    };
    run("http://me:hunter2@host", "x").fails_with("contains user info").never_says("hunter2");
    run("http://127.0.0.1:1", "hunter\n2")
        .fails_with("the API key contains a line break")
        .never_says("hunter");
}

#[test]
fn ignores_malformed_entries_of_other_servers() {
    let server = Server::start(Config::default());
    let program = Program::new();
    let url = server.url();
    program.file(
        FILE,
        &format!(r#"{{"odd": {{"url": null}}, "ours": {{"url": "{url}", "api_key": "admin-key"}}}}"#),
    );
    program.words("list -q -n ours").run().exits(0).says_nothing();
}

/// Returns the entry with more fields.
fn with(mut entry: Value, fields: Value) -> Value {
    let fields = fields.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(fields);
    entry
}

#[test]
fn reads_a_file_with_a_byte_order_mark() {
    let server = Server::start(Config::default());
    let program = Program::new();
    program.file(FILE, &format!("\u{feff}{}", saved(&[good("ours", &server)])));
    program.words("list -n ours").run().exits(0).prints(CACHES);
}

#[test]
fn names_the_kind_of_an_unusable_saved_server() {
    let server = Server::start(Config::default());
    let bare = |fields| with(json!({ "name": "ours", "url": server.url() }), fields);
    let oauth = json!({ "oauth_client_id": "x", "insecure": false, "ca_cert": null, "oauth_access_token": "hunter2" });
    let snowflake = |key: Value| json!({ "snowflake_connection_name": "x", "api_key": key });
    for (fields, flags, says) in [
        (oauth.clone(), "", "the saved server ours is an OAuth login and has no API key; use --api-key-file"),
        (snowflake(json!("hunter2")), "-k hunter2", "the saved server ours is a Snowflake server"),
        (snowflake(json!(null)), "", "--header 'Authorization: Snowflake Token="),
        (
            json!({ "account_name": "x", "token": "x", "secret": "hunter2" }),
            "",
            "is for shinyapps.io or Posit Connect Cloud",
        ),
        (
            json!({ "connect_cloud_account_name": "x" }),
            "-k hunter2",
            "is for shinyapps.io or Posit Connect Cloud",
        ),
        (
            json!({ "token": null, "secret": null }),
            "",
            "the saved server ours has no API key; use --api-key-file FILE",
        ),
    ] {
        let program = with_saved(&[bare(fields)]).env("CONNECT_API_KEY", "admin-key");
        let program = program.words("list -n ours").words(flags);
        program.run().exits(2).fails_with(says).never_says("hunter2");
    }
    assert_eq!(server.connections(), 0);
    // A flag can provide the key that an OAuth login lacks, and a login with a key works like any other entry.
    with_saved(&[bare(oauth.clone())]).words("list -n ours -k admin-key").run().exits(0);
    let exchanged = with(good("ours", &server), oauth);
    for unset in [json!(null), json!("")] {
        let exchanged = with(exchanged.clone(), json!({ "snowflake_connection_name": unset }));
        with_saved(&[exchanged]).words("list -n ours").run().exits(0).says_nothing();
    }
}

#[test]
fn uses_an_entry_with_a_key_whatever_else_it_holds() {
    let server = Server::start(Config::default());
    for fields in [
        json!({ "account_name": "x", "token": "x", "secret": "x" }),
        json!({ "connect_cloud_account_name": "x" }),
        json!({ "oauth_client_id": "x", "oauth_access_token": "x", "oauth_expires_at": 1.5 }),
        json!({ "server_version": "2026.09.0", "other": [{ "deep": null }] }),
    ] {
        with_saved(&[with(good("ours", &server), fields)])
            .words("list -n ours")
            .run()
            .exits(0)
            .says_nothing();
    }
    // An array is never read as an entry.
    let program = Program::new();
    program.file(FILE, &format!(r#"{{"ours": ["{}", "admin-key"{}]}}"#, server.url(), ", null".repeat(7)));
    program
        .words("list -n ours")
        .run()
        .exits(2)
        .fails_with("the saved server ours is not in rsconnect's format");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn drops_line_ends_around_a_saved_key() {
    let server = Server::start(Config::default());
    let url = format!(" {}\n", server.url());
    let saved = [entry("ours", &url, json!("admin-key\r\n"), false, None)];
    with_saved(&saved).words("list -n ours").run().exits(0).says_nothing();
    with_saved(&saved).words("list -s").arg(server.url()).run().exits(0).says_nothing();
}

#[test]
fn reads_a_long_file_in_utf_16() {
    let server = Server::start(Config::default());
    let long = with(good("größe 大", &server), json!({ "comment": "x".repeat(3 << 20) }));
    let text = format!("\u{feff}{}", saved(&[long]).replace('\n', "\r\n"));
    let program = Program::new();
    let path = program.file(FILE, "");
    std::fs::write(path, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    program.words("list -n").arg("größe 大").run().exits(0).says_nothing().prints(CACHES);
}

#[test]
fn uses_the_default_server_if_none_is_named() {
    let server = Server::start(Config::default());
    let default = with(good("ours", &server), json!({ "default": true }));
    let entries = [entry("other", "http://127.0.0.1:1", json!("x"), false, None), default];
    let note = format!("using the saved server ours ({}), rsconnect's default", server.url());
    let ran =
        with_saved(&entries).env("CONNECT_API_KEY", "wrong").words("list").run().exits(0).prints(CACHES);
    assert_eq!(ran.stderr, format!("{note}\n"));
    let insecure = with(entries[1].clone(), json!({ "insecure": true }));
    let ran = with_saved(&[insecure]).words("list").run().exits(0);
    assert_eq!(ran.stderr.lines().next(), Some(note.as_str()));
    with_saved(&entries).words("list -q").run().exits(0).says_nothing();
    with_saved(&entries[..1]).words("list").run().exits(2).fails_with("no server specified");

    // A server from a variable is used instead, without the saved key.
    let program = with_saved(&entries).env("CONNECT_SERVER", "http://127.0.0.1:1");
    program.words("list").run().exits(2).fails_with("no API key specified");
    let login = with(entries[1].clone(), json!({ "api_key": null, "oauth_client_id": "x" }));
    with_saved(&[login]).words("list").run().exits(2).fails_with("is an OAuth login and has no API key");
}

#[test]
fn uses_the_key_saved_for_a_url() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let pem = ca.pem();
    let ours =
        |name, key: &str| entry(name, &format!("{}/__api__/", server.url()), json!(key), false, Some(&pem));
    let other = entry("other", "https://127.0.0.1:1", json!("x"), false, None);
    let run = |entries: &[Value], url: &str| with_saved(entries).words("list -s").arg(url).run();
    run(&[other.clone(), ours("a", "admin-key")], &format!("{}/", server.url())).exits(0).prints(CACHES);
    run(&[ours("a", "admin-key"), ours("b", "admin-key")], &server.url()).exits(0).says_nothing();
    let ran = run(&[ours("a", "admin-key"), ours("b", "hunter2")], &server.url()).exits(2);
    ran.fails_with("two keys are saved for ").fails_with("; use --name a or --name b").never_says("hunter2");
    run(&[other], &server.url()).exits(2).fails_with("no API key specified");
    let login = with(ours("a", ""), json!({ "oauth_client_id": "x" }));
    run(std::slice::from_ref(&login), &server.url()).exits(2).fails_with("a is an OAuth login");
    run(&[login, ours("b", "admin-key")], &server.url()).exits(0);

    // A key from a variable is used instead, and a URL from a variable gets no saved key.
    let program = with_saved(&[ours("a", "admin-key")]).trusting(&ca).env("CONNECT_API_KEY", "wrong");
    program.words("list -s").arg(server.url()).run().exits(3);
    let program = with_saved(&[ours("a", "admin-key")]).env("CONNECT_SERVER", server.url());
    program.words("list").run().exits(2).fails_with("no API key specified");
    // A CA from a variable is used instead of the saved one.
    let program = with_saved(&[ours("a", "admin-key")]).trusting(&Ca::new());
    program.words("list -s").arg(server.url()).run().exits(6).fails_with("no trusted CA issued it");
}
