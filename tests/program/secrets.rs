//! Secrets: they are never shown, replies that echo them are masked, and exposed ones cause warnings.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use connect_test_server::pki::Ca;
use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Replies, Role, Server, User};

use crate::proxy::start_replying;
use crate::support::{Program, Ran, connect_cache, run, server_over_tls};

const KEY: &str = "hunter2-is-the-key";

/// Returns the configuration of a server with one administrator, whose key is [`KEY`].
fn config() -> Config {
    Config::default().users([User::new(KEY, "admin", Role::Administrator)])
}

fn program(server: &Server) -> Program {
    connect_cache(server).env("CONNECT_API_KEY", KEY)
}

fn shows_no_key(ran: Ran) -> Ran {
    ran.never_says("hunter2")
}

#[test]
fn hides_the_key_in_errors_of_every_command() {
    let all = [
        Endpoint::List,
        Endpoint::Delete,
        Endpoint::DryRun,
        Endpoint::Task,
        Endpoint::Settings,
        Endpoint::User,
        Endpoint::InstallationsR,
    ];
    for action in [
        None,
        Some(Action::ResetBeforeReply),
        Some(Action::CloseInReply),
        Some(Action::CutJson),
        Some(Action::html(200)),
        Some(Action::html(401)),
        Some(Action::html(502)),
        Some(Action::error(403, 22, "no")),
        Some(Action::Raw(b"what is this?\r\n\r\n".to_vec())),
    ] {
        let server = Server::start(config());
        if let Some(action) = &action {
            for endpoint in all {
                server.fault(Fault::new(endpoint, action.clone()).times(usize::MAX));
            }
        }
        for words in [
            "list",
            "list --orphaned",
            "delete -l R -V 4.3.0 -d",
            "delete -l R -V 4.3.0 --json",
            "purge --all -y --json",
            "task abcdefgh --wait",
            "check",
            "check --json",
        ] {
            let words = format!("{words} -vv --retries 0");
            let ran = program(&server).words(&words).run();
            assert!(action.is_none() || ran.status != Some(0), "{words}: {ran:#?}");
            // The trace shows that a request with the key was sent.
            shows_no_key(ran.says("> "));
        }
        assert!(server.requests().iter().all(|r| r.header("authorization") == Some(&format!("Key {KEY}"))));
    }
}

#[test]
fn hides_the_key_in_network_errors() {
    let server = server_over_tls(&Ca::new(), config());
    let plain = server.url().replace("https", "http");
    for words in [
        "-s http://127.0.0.1:1".to_owned(),
        "-s http://connect.invalid".to_owned(),
        format!("-s {plain}"),
        String::new(),
    ] {
        let ran = program(&server).words(&format!("list -vv --retries 0 {words}")).run().exits(6);
        shows_no_key(ran.says("> GET "));
    }
}

#[test]
fn hides_the_key_in_usage_errors() {
    let server = Server::start(config());
    for words in [
        "list -khunter2 --frob",
        "-k hunter2 list --frob",
        "list -k hunter2 -k hunter2",
        "list -khunter2 --api-key=hunter2",
        "list --api-key=hunter2= --api-key hunter2",
        "-khunter2 lst",
        "-k a hunter2",
        "-k a hunter2 list",
        "list -k a hunter2",
        "list --api-key a hunter2 b",
        "list --api-kee=hunter2",
        "list --api-kee hunter2",
        "list --Api-Key=hunter2",
        "list -Khunter2",
        "list -qkhunter2 --interval x",
        "delete -khunter2 -l R",
        "task -khunter2 ../x",
        "list --json=hunter2",
        "purge -k hunter2",
        "list --insecure=hunter2",
        "list -s hunter2@host -k hunter2",
        "list -s http://x:hunter2@host",
    ] {
        shows_no_key(Program::new().env("CONNECT_SERVER", server.url()).words(words).run().exits(2));
    }
    for key in ["hunter2\nx: y", "hunter2 x", "hunter2\u{e9}", "hunter2\u{7f}"] {
        for how in [&["-k"][..], &["--api-key"], &[]] {
            let program = program(&server).words("list");
            let program = match how {
                [] => program.env("CONNECT_API_KEY", key),
                option => program.arg(option[0]).arg(key),
            };
            shows_no_key(program.run().exits(2).fails_with("the API key"));
        }
    }
    assert!(server.requests().is_empty());
    // A key may end in an equals sign, and is sent unchanged.
    let ran = program(&server).words("list --api-key=hunter2=").run().exits(3);
    shows_no_key(ran.fails_with("check the API key"));
    assert_eq!(server.requests()[0].header("authorization"), Some("Key hunter2="));
}

#[test]
fn hides_a_key_joined_to_its_option() {
    for words in ["list --api-keyhunter2", "--api-keyhunter2 list", "list --api-key:hunter2"] {
        shows_no_key(Program::new().env("CONNECT_SERVER", "http://localhost:1").words(words).run().exits(2));
    }
}

#[test]
fn logs_each_request_and_reply() {
    let server = Server::start(Config::default());
    let url = format!("{}/__api__/v1", server.url());
    let ran = run(&server, "list -v").exits(0);
    let bytes = r#"{"caches":[{"image_name":"Local","language":"R","version":"4.3.0"},"#.len()
        + r#"{"image_name":"Local","language":"Python","version":"3.7.6"}]}"#.len();
    let expected = format!("GET {url}/system/caches/runtime: 200, {bytes} bytes in ");
    let line = ran.stderr.strip_suffix(" ms\n").and_then(|line| line.strip_prefix(&expected));
    assert!(line.is_some_and(|ms| ms.parse::<u32>().is_ok()), "{expected} in {ran:#?}");

    let ran = run(&server, "delete -v -l R -V 4.3.0").exits(0);
    ran.says(&format!("DELETE {url}/system/caches/runtime: 200, "))
        .says(&format!("GET {url}/tasks/"))
        .says("?first=0&wait=1: 200, ");

    // A request without a reply is logged too.
    server.fault(Fault::new(Endpoint::List, Action::ResetBeforeReply));
    let ran = run(&server, "list -v").exits(0);
    let traced: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(traced.len(), 2, "{ran:#?}");
    assert!(traced[0].contains("the reply was lost") && traced[0].ends_with(" ms"), "{ran:#?}");
    run(&server, "list -vq").exits(0).says_nothing();
}

#[test]
fn logs_heads_and_bodies_without_cookies() {
    let body = format!("{{\"caches\":[],\"x\":\"{}\"}}", "y".repeat(5000));
    let server = Server::start(Config::default());
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    server.fault(Fault::new(
        Endpoint::List,
        Action::Reply {
            status: 200,
            headers: vec![
                header("X-Served-By", "gateway\u{9b}7"),
                header("Set-Cookie", "route=hunter2; Path=/"),
                header("set-cookie", "hunter2"),
                header("Set-Cookie", "session=hunter2=; HttpOnly"),
            ],
            body,
        },
    ));
    let ran = run(&server, "list -vv").exits(0).says("> GET http://127.0.0.1:").never_says("hunter2");
    let ran = ran.says("< x-served-by: gateway").says("< set-cookie: route=***\n").says("session=***\n");
    let ran = ran.says("< {\"caches\":[],\"x\":\"yyyy").never_says("\u{9b}");
    assert!(ran.stderr.len() < 3000, "{ran:#?}");
    // One -v logs neither heads nor bodies.
    let ran = run(&server, "list -v").exits(0).never_says("< ");
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn hides_the_query_of_a_redirect() {
    let server = Server::start(Config::default());
    let headers = vec![("Location".to_owned(), "https://login.invalid/x?token=hunter2#hunter2".to_owned())];
    server.fault(Fault::new(Endpoint::List, Action::Reply { status: 302, headers, body: String::new() }));
    shows_no_key(run(&server, "list -vv").exits(6).says("https://login.invalid/x"));
}

#[test]
fn warns_of_a_key_file_readable_by_all() {
    let server = Server::start(config());
    let with_mode = |mode: u32, words: &str| {
        let program = connect_cache(&server).without("CONNECT_API_KEY").words(words);
        let path = program.file("key", &format!("{KEY}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let program = if words.ends_with("--api-key-file") {
            program.arg(&path)
        } else {
            program.env("CONNECT_API_KEY_FILE", &path)
        };
        shows_no_key(program.run().exits(0))
    };
    for words in ["list --api-key-file", "list"] {
        for mode in [0o644, 0o604, 0o666] {
            with_mode(mode, words)
                .says("warning: all users of this host can read the key file; run: chmod 600 ")
                .says("; run: chmod 600 /");
        }
        for mode in [0o600, 0o400, 0o640] {
            with_mode(mode, words).says_nothing();
        }
    }
    with_mode(0o644, "list -q --api-key-file").says_nothing();
}

#[test]
fn hides_a_key_given_instead_of_its_file() {
    let server = Server::start(Config::default());
    let with = |name: &str| connect_cache(&server).words("list --api-key-file").arg(name).run().exits(2);
    with("Kq3xJ9mZp0aWv7Lc2")
        .fails_with("cannot read the key file ***, whose name may be a secret: No such file");
    for name in ["Kq3xJ9mZp0aWv7Lc", "the-key-of-the-server", "/run/secrets/connectkey"] {
        with(name).fails_with(&format!("cannot read the key file {name}: No such file"));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn warns_of_plain_http_to_another_host() {
    let server = Server::start(Config::default());
    let to = |url: &str| connect_cache(&server).words("list --retries 0 -s").arg(url).run().exits(6);
    let warning = "uses plain http; the API key is sent unencrypted";
    to("http://connect.invalid").says("warning: http://connect.invalid uses plain http").says(warning);
    to("https://connect.invalid").never_says(warning);
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}");
        connect_cache(&server).words("list -s").arg(url).run().exits(0).says_nothing();
    }
}

#[test]
fn reports_a_host_name_that_does_not_resolve() {
    let server = Server::builder().plan(Plan::default()).start();
    let ran = connect_cache(&server).words("list --retries 0 -s https://connect.invalid").run().exits(6);
    ran.fails_with("cannot resolve host connect.invalid").fails_with("check the server URL");
}

#[test]
fn masks_secrets_that_a_reply_echoes() {
    let echo = format!("you sent Authorization: Key {KEY}");
    for (status, body) in [
        (200, echo.clone()),
        (500, echo.clone()),
        (404, format!("{}{echo}", "x".repeat(85))),
        (400, format!(r#"{{"code":25,"error":"{echo}"}}"#)),
    ] {
        let server = Server::start(Config::default());
        let headers = vec![("X-Echo".to_owned(), echo.clone())];
        server.fault(Fault::new(Endpoint::List, Action::Reply { status, headers, body }).times(usize::MAX));
        let program = connect_cache(&server).env("CONNECT_API_KEY", KEY);
        program.words("list -vv --retries 0").run().never_says(KEY).never_says(&KEY[..6]).says("***");
    }
    let server = Server::start(Config::default());
    let headers = vec![("Location".to_owned(), format!("http://127.0.0.1:1/{KEY}/login"))];
    server.fault(Fault::new(Endpoint::List, Action::Reply { status: 302, headers, body: String::new() }));
    let program = connect_cache(&server).env("CONNECT_API_KEY", KEY);
    program.words("list").run().exits(6).never_says(KEY).says("http://127.0.0.1:1/***/login");
}

#[test]
fn masks_secrets_that_a_task_echoes() {
    let plan = connect_test_server::Plan {
        code: 1,
        error: format!("bad key {KEY}"),
        lines: vec![format!("curl -H 'Authorization: Key {KEY}'")],
        ..Default::default()
    };
    let users = vec![User::new(KEY, "admin", Role::Administrator)];
    let deprecated = Some(format!("/{KEY}"));
    let server = Server::builder()
        .plan(plan)
        .users(users)
        .replies(Replies { deprecated, ..Replies::default() })
        .start();
    for words in ["delete -l R -V 4.3.0", "delete --json -l R -V 4.3.0", "purge --all -y", "list"] {
        let ran = connect_cache(&server).env("CONNECT_API_KEY", KEY).words(words).run();
        ran.never_says(KEY).says("***");
    }
}

#[test]
fn masks_a_key_before_json_is_read_or_written() {
    let key = r#"hunter2"is\the<key"#;
    let (plain, escaped) = (serde_json::to_string(key).unwrap(), r"hunter2\u0022is\u005Cthe\u003ckey");
    for spelled in [plain.trim_matches('"'), escaped] {
        let task = format!(
            r#"{{"id":"abcdefgh","output":["{spelled}"],"finished":true,"code":1,"error":"{spelled}","last":1}}"#
        );
        let server = Server::start(config().users([User::new(key, "a", Role::Administrator)]));
        let reply = |status, body| Action::Reply { status, headers: Vec::new(), body };
        server.fault(Fault::new(Endpoint::Task, reply(200, task)).times(usize::MAX));
        let error = format!(r#"{{"code":25,"error":"{spelled}"}}"#);
        server.fault(Fault::new(Endpoint::List, reply(400, error)).times(usize::MAX));
        for words in ["task abcdefgh", "task abcdefgh --json", "list -vv", "delete -vv --json -l R -V 4.3.0"]
        {
            let ran = connect_cache(&server).env("CONNECT_API_KEY", key).words(words).run();
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains("***"), "{ran:#?}");
            shows_no_key(ran.never_says("the<key").never_says("the\\u003ckey"));
        }
    }
}

#[test]
fn masks_a_key_before_a_trace_is_cut() {
    let server = Server::start(config());
    // A trace shows 4096 characters of the body, so it would cut the key at each of its characters.
    for before in 4096 - KEY.len()..4096 {
        let body = format!("{}{KEY}", "x".repeat(before));
        server.fault(Fault::new(Endpoint::List, Action::Reply { status: 404, headers: Vec::new(), body }));
        shows_no_key(program(&server).words("list -vv").run().exits(6).says("< xxx"));
    }
}

#[test]
fn masks_the_credentials_of_a_proxy() {
    let (password, basic) = ("hunter2\"is\\it", "dXNlcjpodW50ZXIyImlzXGl0");
    let json = serde_json::to_string(password).unwrap();
    for page in [
        format!("<html>{password} {basic}</html>"),
        format!(r#"{{"code":25,"error":{json}}}"#),
        format!("{}{password}", "x".repeat(90)),
        format!("{}{basic}", "x".repeat(990)),
    ] {
        let head = format!("HTTP/1.1 400 No\r\nX-Echo: {basic}\r\nContent-Length: {}", page.len());
        let proxy =
            start_replying(format!("{head}\r\n\r\n{page}")).replace("//", "//user:hunter2%22is%5Cit@");
        let program = Program::new().env("CONNECT_API_KEY", KEY).env("http_proxy", proxy);
        let ran = program.words("list -vv -s http://connect.test").run();
        shows_no_key(ran.says("< x-echo: ***\n").never_says("is\\it").never_says(&basic[..6]));
    }
}
