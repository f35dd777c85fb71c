//! `--usage` and `--unused`: which content uses a cache.

use std::process::Command;
use std::time::Duration;

use connect_test_server::{Action, Content, Endpoint, Fault, Role, Server, User};
use serde_json::json;

use crate::support::{caches, connect_cache, endpoints, requests_to, run};

/// Starts a server with these content items, and with caches that no item, one item or many items use.
fn server(content: impl IntoIterator<Item = Content>) -> Server {
    let caches = ["Python 3.11.4 Local", "R 4.1.0 Local", "R 4.1.0 ghcr-io-example-r-jammy", "R 4.3.0 Local"];
    Server::builder().caches(caches).content(content).start()
}

fn content() -> [Content; 4] {
    [
        Content::items(30).r("4.3.0"),
        Content::items(10).python("3.11.4"),
        Content::items(1).r("4.3.0").python("3.11.4"),
        Content::items(2),
    ]
}

/// Starts a server that answers the first requests for the content list in this way.
fn answering(action: Action, times: usize) -> Server {
    let server = server(content());
    server.fault(Fault::new(Endpoint::Content, action).times(times));
    server
}

fn with_body(body: impl Into<String>) -> Action {
    Action::Reply { status: 200, headers: vec![], body: body.into() }
}

#[test]
fn shows_how_many_items_use_each_version() {
    let server = server(content());
    run(&server, "list --usage").exits(0).says_nothing().prints(
        "Python  3.11.4  Local                    11\n\
         R       4.1.0   Local                    0\n\
         R       4.1.0   ghcr-io-example-r-jammy  0\n\
         R       4.3.0   Local                    31\n",
    );
    assert_eq!(endpoints(&server), [Endpoint::Content, Endpoint::List]);
    let listed = run(&server, "list --usage --json -I Local").exits(0).says_nothing().json();
    let row = |language, version, content| json!({ "language": language, "version": version, "image_name": "Local", "content": content });
    let rows = [row("Python", "3.11.4", 11), row("R", "4.1.0", 0), row("R", "4.3.0", 31)];
    assert_eq!(listed, json!({ "caches": rows }));
}

#[test]
fn selects_unused_caches() {
    let server = server(content());
    run(&server, "list --unused").exits(0).says_nothing().prints(
        "R  4.1.0  Local\n\
         R  4.1.0  ghcr-io-example-r-jammy\n",
    );
    assert_eq!(endpoints(&server), [Endpoint::User, Endpoint::Content, Endpoint::List]);
    run(&server, "list --unused -I Local").exits(0).prints("R  4.1.0  Local\n");
    run(&server, "list --unused -l python").exits(0).prints("").says("no runtime caches match");
    // R 4.3.0 is the only version offered.
    run(&server, "list --unused --orphaned -I Local").exits(0).prints("R  4.1.0  Local\n");
    run(&server, "purge --unused --yes").exits(0).says("2 runtime caches, used by no content item\n");
    assert_eq!(caches(&server), ["Python 3.11.4 Local", "R 4.3.0 Local"]);
    run(&server, "purge --unused --yes").exits(0).says("no runtime caches match");
}

#[test]
fn reports_the_impact_of_a_purge() {
    let server = server(content());
    for (words, says) in [
        (
            "--all",
            "4 runtime caches, used by 41 content items, which rebuild their environments on the next visit\n",
        ),
        (
            "-l python",
            "1 runtime cache, used by 11 content items, which rebuild their environments on the next visit\n",
        ),
        ("-V 4.1.0", "2 runtime caches, used by no content item\n"),
    ] {
        run(&server, &format!("purge {words} --usage --dry-run")).exits(0).says(says);
    }
    run(&server, "purge --all --dry-run").exits(0).never_says("content item");
    let one = self::server([Content::items(1).r("4.3.0").python("3.11.4")]);
    // The first line names the server.
    let says = format!(
        "deleting 4 runtime caches on {}\n4 runtime caches, used by 1 content item, which rebuilds its environment on \
         the next visit\n",
        one.url()
    );
    let ran = run(&one, "purge --all --usage --yes").exits(0);
    assert!(ran.stderr.starts_with(&says), "{ran:#?}");
    // --usage is not a filter, and --unused is one.
    run(&server, "purge --usage --yes").exits(2).fails_with("no filter specified");
    run(&server, "purge --all --unused --yes").exits(2).fails_with("--all cannot be combined with filters");
}

#[test]
fn does_not_count_caches_of_other_languages_as_unused() {
    let server = Server::builder()
        .caches(["Quarto 1.4.0 Local", "r 4.1.0 Local"])
        .content([Content::items(1).r("4.1.0")])
        .start();
    run(&server, "list --unused").exits(0).prints("");
    run(&server, "list --usage").exits(0).prints("Quarto  1.4.0  Local  -\nr       4.1.0  Local  1\n");
    let listed = run(&server, "list --usage --json -V 1.4.0").exits(0);
    assert_eq!(listed.json()["caches"][0]["content"], json!(null));
    assert!(listed.stdout.contains("\"content\":null"), "{listed:#?}");
    let says = "2 runtime caches, whose use by content is unknown";
    run(&server, "purge --all --usage -d").exits(1).says(says);
}

#[test]
fn takes_a_refused_content_list_for_what_it_is_unless_unused_caches_are_selected() {
    let refused = || Action::error(404, 2, "no such endpoint");
    for (words, status) in [("list --usage", 5), ("list --unused", 6)] {
        let ran = run(&answering(refused(), 1), words).exits(status);
        ran.fails_with("; this version of Connect does not support --unused and --usage");
    }
}

#[test]
fn requires_an_administrators_key_for_unused() {
    let robot = User::new("robot-key", "robot", Role::Administrator).service_principal();
    let server = Server::builder().user(robot).start();
    for (key, says) in [
        ("publisher-key", "the role of this one is publisher; use an administrator's API key"),
        ("viewer-key", "the role of this one is viewer; use an administrator's API key"),
        (
            "robot-key",
            "the role of this one is unknown: it may belong to a service principal; use an administrator's API key",
        ),
        ("locked-key", "code 50)"),
        ("wrong", "; check the API key"),
    ] {
        for words in ["list --unused", "purge --unused --yes"] {
            run(&server, &format!("{words} -k {key}")).exits(3).prints("").fails_with(says);
        }
    }
    let no_role = r#"{"username":"al"}"#;
    server.fault(Fault::new(Endpoint::User, with_body(no_role)));
    run(&server, "purge --unused --yes").exits(3).fails_with("the role of this one is unknown");
    assert!(endpoints(&server).iter().all(|&endpoint| endpoint == Endpoint::User));
}

/// Runs a purge of unused caches, and asserts that it fails without a deletion.
#[track_caller]
fn assert_deletes_nothing(action: Action, status: i32, says: &str) {
    let server = answering(action, usize::MAX);
    run(&server, "purge --unused --yes --retries 0").exits(status).prints("").fails_with(says);
    let endpoints = endpoints(&server);
    assert_eq!(endpoints[0], Endpoint::User);
    assert!(endpoints[1..].iter().all(|&endpoint| endpoint == Endpoint::Content), "{endpoints:?}");
    assert_eq!(caches(&server).len(), 4);
}

#[test]
fn deletes_nothing_without_a_complete_content_list() {
    let item = r#"{"r_version":"4.3.0","py_version":null}"#;
    for (action, says) in [
        (Action::ResetBeforeReply, ": the reply was lost"),
        (Action::ResetInReply, ": the reply was lost"),
        (Action::CloseInReply, ": the reply was lost"),
        (Action::CutChunked, ": the reply was lost"),
        (Action::CutUnframed, ": the reply was lost: it ended early"),
        (Action::CutJson, "expected a list of content items, but got no JSON"),
        (Action::html(200), "expected JSON; the page says: "),
        (Action::html(502), "HTTP 502, not from Connect"),
        (Action::error(404, 2, "no"), "this version of Connect does not support --unused and --usage"),
        (Action::error(404, 4, "no"), ": no (HTTP 404, code 4)"),
        (with_body(""), "but got no JSON; the reply is empty"),
        (with_body("null"), "but got something else: invalid type: null, expected an array of objects"),
        (
            with_body(r#"{"results":[]}"#),
            "but got something else: invalid type: map, expected an array of objects",
        ),
        (
            with_body(format!("[[{item}]]")),
            "but got something else: invalid type: sequence, expected an object",
        ),
        (with_body(format!("[{item}]]")), "but got no JSON"),
        (
            with_body(r#"[{"r_version":4.3}]"#),
            "but got something else: invalid type: floating point `4.3`, expected",
        ),
        (with_body(r#"[{"r_version":"4.1.0","r_version":"4.3.0"}]"#), "got something else: duplicate field"),
        (
            with_body(format!("[{{\"a\":\"{}", "y".repeat(300_000))),
            "but got no JSON; the reply starts with: [{",
        ),
        (
            with_body(format!("[{{\"r_version\":\"{}\"}}]", "4".repeat(65))),
            "but got something else: a very long version",
        ),
        (
            with_body(format!(
                "[{}]",
                (0..1001).map(|n| format!("{{\"r_version\":\"{n}\"}}")).collect::<Vec<_>>().join(",")
            )),
            "but got something else: too many combinations of versions",
        ),
        (
            with_body("[]"),
            "cannot select unused caches: none of the 0 content items has a version of R or Python",
        ),
        (
            with_body(r#"[{"guid":"a"},{"guid":"b","r_version":null,"owner":{"r_version":"4.3.0"}}]"#),
            "none of the 2 content items has a version of R or Python; select with other filters",
        ),
    ] {
        assert_deletes_nothing(action, 6, says);
    }
    assert_deletes_nothing(Action::error(403, 22, "no"), 3, "use an API key with the administrator role");
}

#[test]
fn counts_items_of_any_length() {
    let long = "y".repeat(300_000);
    let server =
        answering(with_body(format!(r#"[{{"title":"{long}","py_version":"3.11.4","{long}":[]}}]"#)), 1);
    run(&server, "list --usage -l python").exits(0).prints("Python  3.11.4  Local  1\n");
}

#[test]
fn stops_reading_an_invalid_content_list() {
    assert_deletes_nothing(
        Action::Endless,
        6,
        "but got something else: invalid type: map, expected an array",
    );
}

#[test]
fn replaces_bytes_that_are_not_utf_8_in_a_content_list() {
    let list = b"[{\"titr\xe9\":\"\xe9\",\"r_version\":\"4.3.\xff\"},{\"py_version\":\"3.11.4\"}]";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len());
    let server = answering(Action::Raw([head.as_bytes(), list].concat()), 1);
    run(&server, "list --usage -l python").exits(0).prints("Python  3.11.4  Local  1\n").says_nothing();
}

#[test]
fn warns_if_the_counts_prove_nothing() {
    let server = server([Content::items(3)]);
    run(&server, "list --usage -l python").exits(0).prints("Python  3.11.4  Local  0\n").says(
        "warning: none of the 3 content items has a version of R or Python; the counts prove nothing\n",
    );
}

#[test]
fn restarts_the_count_after_a_lost_reply() {
    for action in [Action::ResetInReply, Action::CloseInReply, Action::CutUnframed] {
        let server = answering(action, 1);
        let ran = run(&server, "purge --unused --usage -d -l python").exits(0);
        ran.says("no runtime caches match");
        let lists = requests_to(&server, Endpoint::Content);
        assert_eq!(lists.len(), 2);
    }
    let server = answering(Action::CutChunked, 1);
    let ran = run(&server, "list --usage -l python").exits(0).prints("Python  3.11.4  Local  11\n");
    ran.says(": the reply was lost");
}

#[test]
fn limits_the_pauses_in_a_content_list_but_not_its_duration() {
    let server = answering(Action::Pauses(Duration::from_millis(200)), 1);
    let words = "list --usage -l python --retries 0 --request-timeout";
    run(&server, &format!("{words} 0.6")).exits(0).prints("Python  3.11.4  Local  11\n");
    let server = answering(Action::Pauses(Duration::from_secs(60)), 1);
    run(&server, &format!("{words} 0.1")).exits(6).fails_with("no reply within 0.1 s");
    // The time limit of the run applies too.
    let server = answering(Action::Pauses(Duration::from_millis(200)), 1);
    run(&server, &format!("{words} 0.3 --timeout 0.1")).exits(6).fails_with(": timed out; raise --timeout");
    // Every other reply must be complete within the time limit.
    let server = self::server(content());
    server.fault(Fault::new(Endpoint::List, Action::Pauses(Duration::from_millis(200))));
    run(&server, &format!("{words} 0.6")).exits(6).fails_with(": no reply within");
}

#[test]
fn reads_a_long_list_in_little_memory() {
    // The list is 36 MB long, which exceeds the limit of other replies and the memory of the program.
    let server = server([Content::items(7000).r("4.3.0"), Content::items(7000).python("3.11.4")]);
    let (program, _home) = connect_cache(&server).words("list --usage -v -l python").into_command();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -v 32768; exec \"$@\"", "sh"]).arg(program.get_program());
    command.args(program.get_args()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(stdout, "Python  3.11.4  Local  7000\n", "{stderr}");
    let bytes = stderr.split("/v1/content: 200, ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(bytes.parse::<u64>().unwrap() > 32 << 20, "{stderr}");
}

#[test]
fn reads_a_recorded_reply() {
    // From posit-sdk-py, tests/posit/connect/__api__/v1/content.json, without the third of its items.
    let server = answering(with_body(include_str!("recorded/content.json")), 1);
    server.set_caches(["R 3.5.3 Local", "Python 3.9.17 Local", "Python 1.3.340 Local"]);
    run(&server, "list --usage").exits(0).says_nothing().prints(
        "Python  1.3.340  Local  0\n\
         Python  3.9.17   Local  1\n\
         R       3.5.3    Local  1\n",
    );
}

#[test]
fn masks_the_key_in_traces_of_a_content_list() {
    let server = answering(with_body(r#"[{"r_version":"4.3.0","title":"admin-key"}]"#), 1);
    run(&server, "list --usage -vv").exits(0).says("\"title\":\"***\"").never_says("admin-key");
    let server = answering(with_body("admin-key"), 1);
    run(&server, "list --usage").exits(6).fails_with("the reply starts with: ***").never_says("admin-key");
}
