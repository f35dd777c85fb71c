//! Masking: secrets are hidden in what is shown, and change nothing else.

use std::thread;

use connect_test_server::{Action, Config, Endpoint, Fault, MissingCache, Plan, Request, Role, Server, User};
use serde_json::json;

use crate::proxy::start_replying;
use crate::support::{Program, Ran, connect_cache, requests_to, run};

/// Header values that equal words of requests, replies and names.
const WORDS: [&str; 8] = [
    "X-App: Python",
    "X-Route: caches",
    "X-State: finished",
    "X-Field: version",
    "X-Field: task_id",
    "X-Remote-User: administrator",
    "X-Image: image_name",
    "X-Part: output",
];

fn server_of_words() -> Server {
    Server::builder()
        .caches([
            "Python 3.7.6 Local",
            "Python 3.9.5 image_name",
            "R 4.2.0 caches",
            "R 4.3.0 Local",
            "R 4.3.0 administrator",
        ])
        .users([User::new("admin-key", "administrator", Role::Administrator)])
        .plan_for("R 4.2.0 caches", Plan::failing(1, "disk on fire"))
        .start()
}

/// Returns everything about some runs that must not depend on a header: their arguments, output and exit statuses,
/// and the requests without the header.
fn runs(server: &Server, header: Option<&str>, commands: &[&str]) -> String {
    let mut text = String::new();
    let mut task = String::new();
    for command in commands {
        let mut program = connect_cache(server).words(&command.replace("TASK", &task));
        if let Some(header) = header {
            program = program.arg("-H").arg(header);
        }
        let Ran { stdout, stderr, status } = program.run();
        if command.contains("--no-wait") {
            stdout.trim().clone_into(&mut task);
        }
        text += &format!("$ {command}\n{stdout}{}exit {status:?}\n", without_times(&stderr));
    }
    for request in server.requests() {
        let Request { method, path, query, body, status, .. } = request;
        text += &format!("{method} {path}?{query} {body} {status:?}\n");
    }
    // The IDs of tasks are random, and so is the server's port.
    for request in server.requests() {
        if let Some((_, id)) = request.path.split_once("/tasks/") {
            text = text.replace(id, "TASK");
        }
    }
    text.replace(&server.url(), "URL")
}

/// Returns a log without the times that deletions took.
fn without_times(stderr: &str) -> String {
    let end = |line: &str| line.rfind(" in ").filter(|_| line.starts_with("deleted ")).unwrap_or(line.len());
    stderr.lines().map(|line| format!("{}\n", &line[..end(line)])).collect()
}

#[test]
fn changes_no_run_by_a_header_that_equals_a_word() {
    let commands = [
        "list",
        "list --json",
        "list -l Python -V 3.* -I Local",
        "list --usage --json",
        "list --orphaned",
        "check",
        "check --json",
        "delete -d -l Python -V 3.7.6 --json",
        "delete -l Python -V 9.9.9 --json",
        "delete --no-wait -l Python -V 3.7.6",
        "task TASK",
        "task TASK --wait --json",
        "purge -l R -d",
        "purge --unused -d --json",
        "delete -l R -V 4.2.0 -I caches --json",
        "purge --all -y --json --max-running 1",
        "list",
    ];
    let expected = runs(&server_of_words(), None, &commands);
    assert!(expected.contains("\"status\":\"deleted\"") && expected.contains("\"status\":\"failed\""));
    for header in WORDS {
        assert_eq!(runs(&server_of_words(), Some(header), &commands), expected, "{header}");
    }
}

#[test]
fn changes_no_outcome_in_doubt_by_a_header_that_equals_a_word() {
    // The list shows whether the cache is still there.
    let in_doubt = |header: Option<&str>, effect: bool| {
        let server = Server::builder().missing_cache(MissingCache::TASK_SUCCEEDS).start();
        let lost = Fault::new(Endpoint::Delete, Action::ResetBeforeReply);
        server.fault(if effect { lost.with_effect() } else { lost });
        runs(&server, header, &["delete -l Python -V 3.7.6 --json --retries 0 --timeout 2"])
    };
    for (effect, status) in [(true, "deleted"), (false, "unknown")] {
        let expected = in_doubt(None, effect);
        assert!(expected.contains(&format!("\"status\":\"{status}\"")), "{expected}");
        thread::scope(|scope| {
            for header in WORDS {
                let expected = &expected;
                scope.spawn(move || assert_eq!(&in_doubt(Some(header), effect), expected, "{header}"));
            }
        });
    }
}

/// The secrets of a run, which JSON spells in several ways.
const KEY: &str = r#"k3y"s\e<ret/of-the-administrator"#;
const GATE: &str = r#"g4te"s\e<ret/of-the-gateway"#;
const TOKEN: &str = "t0ken-of-the-login";
const PASSWORD: &str = "pa55word-of-the-proxy";

/// Returns the ways in which a reply can spell a secret within a string of JSON: the shortest one, and by the number of
/// each character.
fn in_json(secret: &str) -> [String; 2] {
    let shortest = serde_json::to_string(secret).unwrap();
    let numbers = secret.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect();
    [shortest.trim_matches('"').to_owned(), numbers]
}

/// Returns a secret as a page spells it.
fn in_html(secret: &str) -> String {
    secret.replace('"', "&quot;").replace('<', "&lt;").replace('/', "&#x2F;")
}

/// Runs a command with all secrets but a proxy's.
fn run_with_secrets(server: &Server, words: &str) -> Ran {
    connect_cache(server)
        .env("CONNECT_API_KEY", KEY)
        .words(words)
        .arg("-H")
        .arg(format!("X-Gate: {GATE}"))
        .arg("-H")
        .arg(format!("Authorization: Bearer {TOKEN}"))
        .run()
}

/// Asserts that no output has more of a secret than a few characters, however it is spelled.
#[track_caller]
fn assert_hidden(secret: &str, ran: Ran) -> Ran {
    let mut ran = ran;
    for spelled in in_json(secret).into_iter().chain([secret.to_owned(), in_html(secret)]) {
        let start: String = spelled.chars().take(if spelled.starts_with("\\u") { 36 } else { 6 }).collect();
        ran = ran.never_says(&start);
    }
    ran
}

#[test]
fn hides_secrets_in_a_task() {
    for secret in [KEY, GATE, TOKEN] {
        for spelled in in_json(secret) {
            let task = format!(
                r#"{{"id":"abc","output":["{spelled}","a {spelled} b"],"result":{{"data":["{spelled}"]}},
                "finished":true,"code":1,"error":"{spelled}","last":2}}"#
            );
            let server = Server::builder().users([User::new(KEY, "a", Role::Administrator)]).start();
            server.fault(Fault::always(Endpoint::Task, Action::reply(200, task)));
            server.fault(Fault::always(Endpoint::Delete, Action::reply(200, r#"{"task_id":"abc"}"#)));
            for words in [
                "task abc",
                "task abc --wait",
                "task abc --json",
                "delete -l R -V 4.3.0",
                "delete -l R -V 4.3.0 --json",
                "purge --all -y",
                "purge --all -y --json",
            ] {
                for verbose in ["", " -vv"] {
                    let ran = run_with_secrets(&server, &format!("{words}{verbose}")).exits(1);
                    assert!(ran.stdout.contains("***") && ran.stderr.contains("***"), "{ran:#?}");
                    let _ = assert_hidden(secret, ran);
                }
            }
        }
    }
}

#[test]
fn hides_secrets_in_errors_and_traces() {
    for secret in [KEY, GATE, TOKEN] {
        let [json, numbers] = in_json(secret);
        let with = |name: &str| Action::reply(403, "no").with_header(name, secret);
        for action in [
            Action::reply(400, format!(r#"{{"code":25,"error":"{json}"}}"#)),
            Action::reply(400, format!(r#"{{"code":25,"error":"{numbers}"}}"#)),
            Action::reply(500, format!("<html><title>{secret}</title>{secret}")),
            Action::reply(403, format!("<html><title>{0}</title>{0}", in_html(secret))),
            Action::reply(200, format!("<html><title>{0}</title>{0}", in_html(secret))),
            Action::reply(404, format!("{json} {numbers}")),
            Action::reply(200, secret),
            Action::reply(200, format!(r#"{{"caches":"{json}"}}"#)),
            Action::reply(200, format!(r#"{{"caches":[{{"{numbers}":"{json}"}}]}}"#)),
            Action::reply(200, format!(r#"{{"caches":[],"more":"{numbers}"}}"#)),
            Action::reply(302, "").with_header("Location", format!("https://host/{secret}/x?{secret}")),
            Action::Raw(format!("HTTP/1.1 200 OK\r\nno header {secret}\r\n\r\n").into()),
            Action::Raw(format!("{secret} is not HTTP\r\n").into()),
            with("X-Echo"),
            with("X-Deprecated-Endpoint"),
            with("X-Correlation-ID"),
            with("X-Request-Id"),
            with("Content-Encoding"),
            with("Retry-After"),
            with("Set-Cookie"),
        ] {
            let server = Server::builder().start();
            for on in [Endpoint::List, Endpoint::Settings, Endpoint::Task] {
                server.fault(Fault::always(on, action.clone()));
            }
            for words in ["list", "list --json", "delete -l R -V 4.3.0 --json", "task abc", "check --json"] {
                for verbose in ["", " -v", " -vv"] {
                    let ran = run_with_secrets(&server, &format!("{words} --retries 0{verbose}"));
                    let _ = assert_hidden(secret, ran);
                }
            }
        }
    }
}

#[test]
fn hides_a_secret_that_is_cut_at_any_byte() {
    let page = |body: String| {
        let server = Server::builder().start();
        server.fault(Fault::always(Endpoint::List, Action::reply(404, body)));
        for verbose in ["", " -vv"] {
            let _ = assert_hidden(GATE, run_with_secrets(&server, &format!("list{verbose}")).exits(6));
        }
    };
    // The reply ends within the secret.
    for end in 6..=GATE.len() {
        page(format!("a page of {}", &GATE[..end]));
    }
    // An error shows the first 100 or 200 characters of a reply, and a trace shows 4096.
    for limit in [100, 200, 4096] {
        for before in limit - GATE.len()..=limit {
            page(format!("{}{GATE}", "x".repeat(before)));
        }
    }
    // The escape of a character is cut.
    let [_, numbers] = in_json(GATE);
    for end in 36..48 {
        page(format!(r#"{{"a":"{}"#, &numbers[..end]));
    }
}

#[test]
fn hides_the_password_of_a_proxy() {
    for spelled in in_json(PASSWORD).into_iter().chain([PASSWORD.to_owned()]) {
        for body in [
            format!(r#"{{"code":25,"error":"{spelled}"}}"#),
            format!("<html>{spelled}</html>"),
            format!("{}{spelled}", "x".repeat(95)),
        ] {
            let reply = format!(
                "HTTP/1.1 400 No\r\nX-Echo: {PASSWORD}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let proxy = start_replying(reply).replace("//", &format!("//user:{PASSWORD}@"));
            let program = Program::new().env("CONNECT_API_KEY", "x").env("http_proxy", proxy);
            let ran = program.words("list -vv -s http://connect.test").run();
            let _ = assert_hidden(PASSWORD, ran.says("< x-echo: ***\n"));
        }
    }
}

#[test]
fn follows_a_task_whose_id_contains_a_header_that_is_a_word() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::reply(200, r#"{"task_id":"production-1"}"#)));
    let state = r#"{"id":"production-1","output":[],"finished":true,"code":0,"error":"","last":0}"#;
    server.fault(Fault::new(Endpoint::Task, Action::reply(200, state)));
    let program = connect_cache(&server).words("delete -l R -V 4.3.0 --json -H").arg("X-Env: production");
    assert_eq!(program.run().exits(0).json()["status"], "deleted");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
}

#[test]
fn masks_the_key_as_the_name_of_a_member_and_in_the_url_of_a_trace() {
    let server = Server::start(Config::default());
    let state = r#"{"id":"a","output":[],"result":{"b":{"admin-key":["admin-key"]}},"finished":true,"code":0,"last":0}"#;
    server.fault(Fault::new(Endpoint::Task, Action::reply(200, state)));
    let ran = run(&server, "task a --json").exits(0);
    assert_eq!(ran.json()["result"], json!({"b": {"***": ["***"]}}));
    let url = format!("{}/admin-key", server.url());
    let ran = connect_cache(&server).words("list -vv --retries 1 -s").arg(url).run().exits(6);
    ran.says("/***/__api__/").never_says("admin-key");
}

#[test]
fn shows_no_secret_as_the_id_of_a_task() {
    let secret = "k3yThatLooksLikeAnId";
    for words in ["delete -l R -V 4.3.0 --no-wait", "delete -l R -V 4.3.0 --json", "purge -l R -y --json"] {
        let server = Server::builder().start();
        let reply = Action::reply(200, format!(r#"{{"task_id":"{secret}"}}"#));
        server.fault(Fault::always(Endpoint::Delete, reply));
        let program = connect_cache(&server).env("CONNECT_API_KEY", "admin-key");
        let ran =
            program.words(&format!("{words} --retries 0 -vv -H")).arg(format!("X-Gate: {secret}")).run();
        // No task that could be followed is known, so the deletion is in doubt.
        let _ = ran.exits(6).says("a secret as task_id").never_says(secret);
    }
}
