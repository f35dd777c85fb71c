//! `--header`: headers that gateways in front of Connect require.

use std::time::Duration;

use connect_test_server::pki::Ca;
use connect_test_server::{Action, Cluster, Config, Endpoint, Fault, Plan, Request, Role, Server, User};

use crate::support::{Program, connect_cache, server_over_tls};

/// Headers that must not be shown.
const GATE: &str = "CF-Access-Client-Secret: hunter2-gate";
const BEARER: &str = "Authorization: Bearer hunter2-token";

#[test]
fn sends_headers_with_every_request() {
    let server = Server::start(Config::default());
    let ran =
        connect_cache(&server).words("delete -l R -V 4.3.0 -vv -H").arg(GATE).words("-H X-Other:1").run();
    ran.exits(0).never_says("hunter2");
    let requests = server.requests();
    assert!(requests.len() > 1);
    for request in requests {
        assert_eq!(request.header("cf-access-client-secret"), Some("hunter2-gate"));
        assert_eq!(request.header("x-other"), Some("1"));
        assert_eq!(request.header("authorization"), Some("Key admin-key"));
        assert_eq!(request.header("x-rsc-authorization"), None);
    }
}

#[test]
fn moves_the_key_if_a_header_sets_authorization() {
    let server = Server::start(Config::default());
    connect_cache(&server).words("list -q --header").arg(BEARER).run().exits(0);
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer hunter2-token"));
    assert_eq!(request.header("x-rsc-authorization"), Some("Key admin-key"));
}

#[test]
fn needs_no_key_with_a_bearer_token() {
    let admin = || User::new("admin-key", "admin", Role::Administrator).token("hunter2-token");
    let server = Server::builder().users([admin()]).start();
    let program = || Program::new().env("CONNECT_SERVER", server.url());
    let ran = program().words("delete -l R -V 4.3.0 -vv -H").arg(BEARER).run().exits(0);
    ran.says("\ndeleted R 4.3.0 Local in ").never_says("hunter2");
    program().words("list -H").arg("authorization:Bearer wrong").run().exits(3).never_says("wrong");
    assert!(server.requests().iter().all(|request| request.header("x-rsc-authorization").is_none()));
    // Another header identifies nobody.
    program().words("list -H").arg(GATE).run().exits(2).fails_with("no API key specified");

    // The login of rsconnect supplies the address, and the option the token.
    let saved = format!(r#"{{"ours":{{"url":"{}","oauth_client_id":"x","default":true}}}}"#, server.url());
    let with_login = |words: &str| {
        let program = Program::new().words(words).arg(BEARER);
        program.file(".rsconnect-python/servers.json", &saved);
        program.run().exits(0)
    };
    with_login("list -n ours -H").says_nothing();
    with_login("list -H").says("using the saved server ours");
    with_login(&format!("list -s {} -H", server.url())).says_nothing();
}

#[test]
fn reads_headers_from_files() {
    let server = Server::start(Config::default());
    for content in [format!("{GATE}\n\n{BEARER}"), format!("\u{feff}{GATE}\r\n  {BEARER}\r\n")] {
        let program = connect_cache(&server);
        let path = program.file("headers", &content);
        program.words("list -q -H").arg(format!("@{path}")).run().exits(0);
    }
    connect_cache(&server).words("list -H @-").stdin(&format!("{GATE}\n{BEARER}")).run().exits(0);
    for request in server.requests() {
        assert_eq!(request.header("cf-access-client-secret"), Some("hunter2-gate"));
        assert_eq!(request.header("authorization"), Some("Bearer hunter2-token"));
    }
    let program = connect_cache(&server);
    let path = program.file("headers", GATE);
    let ran = program.words("list -H").arg(format!("@{path}")).run().exits(0);
    ran.says("warning: all users of this host can read the header file; run: chmod 600 ")
        .says("; run: chmod 600 /")
        .never_says("hunter2");
    let ran = connect_cache(&server).words("list -H @/nonexistent").run().exits(2);
    ran.fails_with("cannot read the header file /nonexistent");
}

#[test]
fn replaces_its_own_headers_of_the_same_name() {
    let server = Server::start(Config::default());
    let program = connect_cache(&server).words("list -H").arg("User-Agent: ours").arg("-HAccept: */*");
    program.run().exits(0);
    let headers = &server.requests()[0].headers;
    let named = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((named("user-agent"), named("accept")), (vec!["ours"], vec!["*/*"]));
}

#[test]
fn joins_cookie_headers_into_one() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::html(429).with_header("Set-Cookie", "b=node1")));
    let program = connect_cache(&server).words("delete -l R -V 4.3.0 -H").arg("Cookie: a=1; b=2");
    program.words("-H").arg("cookie: c=3").run().exits(0);
    let sent = |request: &Request| -> Vec<String> {
        let headers = request.headers.iter().filter(|(name, _)| name == "cookie");
        headers.map(|(_, value)| value.clone()).collect()
    };
    let requests = server.requests();
    assert_eq!(sent(&requests[0]), ["a=1; b=2; c=3"]);
    assert_eq!(sent(requests.last().unwrap()), ["a=1; c=3; b=node1"]);
}

#[test]
fn rejects_headers_that_break_the_exchange() {
    let server = Server::start(Config::default());
    for name in ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Accept-Encoding", "Expect"] {
        let ran = connect_cache(&server).words("list -H").arg(format!("{name}: hunter2")).run();
        let says = format!("invalid header: {} cannot be set", name.to_ascii_lowercase());
        ran.exits(2).fails_with(&says).never_says("hunter2");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn rejects_malformed_headers_without_showing_them() {
    let server = Server::start(Config::default());
    let form = "invalid header: expected 'NAME: VALUE'";
    for header in [
        "hunter2",
        " ",
        ":hunter2",
        "X-hunter2:",
        "X hunter2: x",
        "X: hunter2\nY: x",
        "X: hunter2\u{e9}",
        "X: hunter2\u{7f}",
    ] {
        let ran = connect_cache(&server).words("list -H").arg(header).run();
        ran.exits(2).fails_with(form).never_says("hunter2");
        let program = connect_cache(&server);
        let path = program.file("headers", &format!("{GATE}\nhunter2"));
        let ran = program.words("list -H").arg(format!("@{path}")).run();
        ran.exits(2).fails_with("header file ").never_says("hunter2");
    }
    // Without quotes, a shell splits a header into two arguments.
    let ran = connect_cache(&server).words("list -H Authorization: secret").run().exits(2);
    ran.fails_with("unexpected argument;").never_says("secret");
    assert_eq!(server.connections(), 0);
}

#[test]
fn shares_one_cookie_header_with_the_server() {
    let cookies = |server: &Server| -> Vec<Vec<String>> {
        let of = |request: &Request| {
            let cookies = request.headers.iter().filter(|(name, _)| name == "cookie");
            cookies.map(|(_, value)| value.clone()).collect()
        };
        server.requests().iter().map(of).collect()
    };
    // The balancer does not know the node of the first cookie, and sets its own.
    for name in ["Cookie", "cookie", "COOKIE"] {
        let server = Server::builder()
            .cluster(Cluster { nodes: 2, balancer: true })
            .plan(Plan::lasting(Duration::from_millis(1500)))
            .start();
        let header = format!("{name}: session=hunter2; route=node9; theme;  empty=; quoted=\"a b\"");
        let ran = connect_cache(&server).words("delete -l R -V 4.3.0 -vv -H").arg(header).run().exits(0);
        ran.never_says("hunter2");
        let (first, later) = (&cookies(&server)[0], &cookies(&server)[1..]);
        assert_eq!(first, &["session=hunter2; route=node9; theme;  empty=; quoted=\"a b\""]);
        let node = server.requests()[0].node;
        let merged = format!("session=hunter2; theme; empty=; quoted=\"a b\"; route=node{node}");
        assert!(later.len() >= 3 && later.iter().all(|cookie| cookie == &[merged.as_str()]), "{later:?}");
    }
    // A server that sets no cookies changes nothing, and one that removes its own leaves the others.
    let server = Server::start(Config::default());
    connect_cache(&server).words("delete -l R -V 4.3.0 -H").arg("Cookie: a=1; b=2").run().exits(0);
    assert!(cookies(&server).iter().all(|cookie| cookie == &["a=1; b=2"]));
    let server = Server::start(Config::default());
    let program = connect_cache(&server).words("list -H").arg("Cookie: a=1").arg("-Hcookie: b=2; c=3");
    program.run().exits(0);
    assert_eq!(cookies(&server), [["a=1; b=2; c=3"]]);
    let server = Server::start(Config::default());
    let list = r#"{"caches":[{"language":"R","version":"4.3.0","image_name":"Local"}]}"#;
    let sets = |cookie: &str| Action::reply(200, list).with_header("Set-Cookie", cookie);
    server.fault(Fault::new(Endpoint::List, sets("b=3; Path=/")));
    let removes = Action::reply(200, r#"{"task_id":"a"}"#).with_header("Set-Cookie", "b=; Max-Age=0");
    server.fault(Fault::new(Endpoint::Delete, removes));
    let finished = r#"{"id":"a","output":[],"finished":true,"code":0,"error":"","last":0}"#;
    server.fault(Fault::new(Endpoint::Task, Action::reply(200, finished)));
    connect_cache(&server).words("delete -l R -V 4.3.0 -H").arg("Cookie: a=1; b=2").run().exits(0);
    assert_eq!(cookies(&server), [["a=1; b=2"], ["a=1; b=3"], ["a=1; b=2"]]);
}

#[test]
fn masks_headers_that_a_reply_echoes() {
    let server = Server::start(Config::default());
    let body = "you sent hunter2-gate, Bearer hunter2-token, hunter2-token".to_owned();
    let headers = vec![("X-Echo".to_owned(), body.clone())];
    server.fault(Fault::new(Endpoint::List, Action::Reply { status: 400, headers, body }));
    let ran = connect_cache(&server).words("list -vv -H").arg(GATE).arg("-H").arg(BEARER).run();
    ran.exits(6).says("you sent ***, ***, ***").never_says("hunter2");
}

#[test]
fn sends_headers_over_tls() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    connect_cache(&server).trusting(&ca).words("list -H").arg(BEARER).run().exits(0);
    assert_eq!(server.requests()[0].header("x-rsc-authorization"), Some("Key admin-key"));
}

#[test]
fn sends_up_to_eight_kibibytes_of_headers() {
    let server = Server::start(Config::default());
    let run = |content: &str| {
        let program = connect_cache(&server);
        let path = program.file("headers", content);
        program.words("list -q -H").arg(format!("@{path}")).run()
    };
    let line = |bytes: usize| format!("X-Gate: {}", "x".repeat(bytes - "x-gate: \r\n".len()));
    run(&line(8192)).exits(0);
    run(&format!("{}\n{}", line(4096), line(4096))).exits(0);
    for content in [line(8193), "a:b\n".repeat(100_000)] {
        run(&content).exits(2).fails_with("the headers are longer than 8 KiB in total");
    }
    assert_eq!(server.requests().len(), 2);
}
