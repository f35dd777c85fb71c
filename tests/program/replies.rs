//! Malformed and unexpected replies.

use std::time::Duration;

use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Replies, Server};
use serde_json::json;

use crate::support::{caches, endpoints, requests_to, run};

const DELETE: &str = "delete -l R -V 4.3.0";

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Action {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Action::Reply { status, headers, body: body.to_owned() }
}

fn with_body(body: &str) -> Action {
    reply(200, &[("content-type", "application/json")], body)
}

/// Starts a server that answers every request to `endpoint` in this way.
fn answering(endpoint: Endpoint, action: Action) -> Server {
    let server = Server::start(Config::default());
    server.fault(Fault::new(endpoint, action).times(usize::MAX));
    server
}

/// Returns the endpoints of a run, without the request that finds out whether GET requests get through.
fn before_settings(server: &Server) -> Vec<Endpoint> {
    endpoints(server).into_iter().filter(|&endpoint| endpoint != Endpoint::Settings).collect()
}

/// Returns the endpoints of a run that sends one request to `endpoint`: a deletion reads the list first.
fn after_a_list(endpoint: Endpoint) -> Vec<Endpoint> {
    match endpoint {
        Endpoint::Delete | Endpoint::DryRun => vec![Endpoint::List, endpoint],
        _ => vec![endpoint],
    }
}

/// Starts a server on which deletions follow this plan, and polls of any task return task `a` in this state.
fn reporting_task_a(plan: Plan, state: &str) -> Server {
    let server = Server::builder().plan(plan).start();
    let started = with_body(r#"{"task_id":"a"}"#);
    server.fault(Fault::new(Endpoint::Delete, started).times(usize::MAX).with_effect());
    server.fault(Fault::new(Endpoint::Task, with_body(state)).times(usize::MAX));
    server
}

#[test]
fn reports_the_expected_and_the_received_list() {
    for (action, says) in [
        (Action::html(200), "expected JSON; the page says: 200 OK nginx; check the server URL"),
        (with_body(""), "but got no JSON; the reply is empty"),
        (with_body("hello there"), "but got no JSON; the reply starts with: hello there"),
        (Action::CutJson, "but got no JSON; the reply starts with: {\"caches\""),
        (with_body(&"[".repeat(100_000)), "the reply starts with: [[["),
        (with_body(&"{\"caches\":".repeat(50_000)), "the reply starts with: {\"caches\":{"),
        (with_body("{}"), "but got something else: missing field `caches`"),
        (with_body("null"), "but got something else"),
        (with_body("[]"), "but got something else"),
        (
            with_body(r#"{"caches":[["R","4.3.0","Local"]]}"#),
            "but got something else: invalid type: sequence, expected an object at line 1 column 11",
        ),
        (
            with_body(r#"[[{"language":"R","version":"4.3.0","image_name":"Local"}]]"#),
            "but got something else",
        ),
        (with_body(r#"{"caches":[{"language":"R"}]}"#), "but got something else: missing field `version`"),
        (with_body(r#"{"caches":[{"language":1}]}"#), "but got something else"),
        (with_body(r#"{"caches":[]} trailing"#), "but got no JSON"),
        (Action::html(404), "HTTP 404, not from Connect; the page says: 404 Not Found nginx"),
        (reply(404, &[], r#"{"message":"Not Found"}"#), "HTTP 404, not from Connect"),
        (reply(204, &[], ""), "the reply is empty"),
        (Action::html(413), "HTTP 413, not from Connect"),
        (reply(404, &[], "HTTP request and HTTPS"), "HTTP 404, not from Connect"),
    ] {
        let server = answering(Endpoint::List, action);
        let ran = run(&server, "list").exits(6).prints("").fails_with(says);
        ran.fails_with("check the server URL, including any path prefix");
        // A complete but wrong reply is not retried.
        assert_eq!(server.requests().len(), 1, "{says}");
    }
}

#[test]
fn takes_a_204_for_a_whole_reply() {
    let empty = || Action::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let server = answering(Endpoint::List, empty());
    run(&server, "list").exits(6).fails_with("but got no JSON; the reply is empty").never_says("was lost");
    assert_eq!(server.requests().len(), 1);
    let server = answering(Endpoint::Delete, empty());
    run(&server, &format!("{DELETE} --timeout 1"))
        .exits(6)
        .says("but got no JSON; the reply is empty")
        .never_says("it ended early");
}

#[test]
fn shows_the_escaped_start_of_a_wrong_reply() {
    let server = answering(Endpoint::List, with_body(&format!("\x1b[2J\u{202e}\nx{}", "y".repeat(5000))));
    let ran = run(&server, "list").exits(6).fails_with("\\u{1b}[2J\\u{202e} xyyy");
    assert!(ran.stderr.len() < 500, "{ran:#?}");
    let server = answering(Endpoint::List, with_body("{\"caches\":[\"\x1b[2J\"]}"));
    run(&server, "list").exits(6).never_says("\x1b");
}

#[test]
fn stops_reading_a_reply_that_never_ends() {
    for words in ["list", "purge --all -y"] {
        let server = answering(Endpoint::List, Action::Endless);
        run(&server, words).exits(6).prints("").fails_with("the reply is too large; check the server URL");
        assert_eq!(endpoints(&server), [Endpoint::List]);
    }
}

#[test]
fn rejects_a_head_over_the_limit() {
    for bytes in [31 << 10, 100 << 10] {
        let long = "x".repeat(bytes);
        let server = answering(Endpoint::List, reply(200, &[("x-long", &long)], r#"{"caches":[]}"#));
        run(&server, "list --retries 0").exits(6).prints("").never_says("xxxxx");
        assert_eq!(server.requests().len(), 1, "{bytes}");
    }
    let long = "x".repeat(31 << 10);
    let server = answering(Endpoint::List, reply(200, &[("x-long", &long)], r#"{"caches":[]}"#));
    run(&server, "list").exits(6).fails_with("the reply is too large");
    // A long head under the limit is accepted.
    let long = "x".repeat(20 << 10);
    let server = answering(Endpoint::List, reply(200, &[("x-long", &long)], r#"{"caches":[]}"#));
    run(&server, "list --json").exits(0).prints("{\"caches\":[]}\n");
}

#[test]
fn resolves_a_malformed_task_with_a_dry_run() {
    for body in [
        r#"{"id":"a","output":[],"code":0,"error":"","last":0}"#,
        r#"{"id":"a","output":[],"finished":"yes","code":0,"error":"","last":0}"#,
        r#"{"id":"a/../b","output":[],"finished":true,"code":0,"error":"","last":0}"#,
        r#"{"id":"a","output":[1],"finished":true,"code":0,"error":"","last":1}"#,
        "[]",
        "{}",
        "",
    ] {
        // The cache is gone, although the task is malformed.
        let server = reporting_task_a(Plan::default(), body);
        let ran = run(&server, &format!("{DELETE} --json --retries 0")).exits(0).says("the cache is gone");
        ran.says("\nR 4.3.0 Local: cannot poll the task on ")
            .says("; checking whether the cache is still there\n");
        use Endpoint::{Delete, DryRun, List, Task};
        assert_eq!(endpoints(&server), [List, Delete, Task, DryRun], "{body}");
        assert_eq!(caches(&server), ["Python 3.7.6 Local"]);

        // The cache is still there. If time is left, the program waits for it to disappear.
        let server = reporting_task_a(Plan::lasting(Duration::from_secs(60)), body);
        let ran = run(&server, &format!("{DELETE} --json --retries 0 --timeout 0.5")).exits(6);
        assert_eq!((&ran.json()["status"], &ran.json()["task_id"]), (&json!("unknown"), &json!("a")));
        ran.says("expected the task's state, but got").says("connect-cache task a --wait");
        assert_eq!(caches(&server).len(), 2);

        run(&server, "task a").exits(6).prints("").fails_with("expected the task's state, but got");
    }
}

#[test]
fn accepts_null_missing_and_unknown_fields() {
    for body in [
        r#"{"id":"a","finished":true,"code":0,"last":0}"#,
        r#"{"id":"a","output":null,"result":null,"finished":true,"code":0,"error":null,"last":0}"#,
        r#"{"id":"a","output":[],"result":{"type":"","data":[{"x":1}]},"finished":true,"code":0,"error":"",
            "last":0,"status":{"new":[1]},"user_id":7}"#,
    ] {
        let server = reporting_task_a(Plan::default(), body);
        let ran = run(&server, &format!("{DELETE} --json")).exits(0);
        assert_eq!((&ran.json()["status"], &ran.json()["output"]), (&json!("deleted"), &json!([])));
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::Task]);
    }
    let list = r#"{"caches":[{"language":"R","version":"4.3.0","image_name":"Local","size":3}],"total":1}"#;
    run(&answering(Endpoint::List, with_body(list)), "list").exits(0).prints("R  4.3.0  Local\n");
    let server = Server::builder().replies(Replies { minimal_delete: true, ..Replies::default() }).start();
    run(&server, DELETE).exits(0);
    run(&server, "delete -l Python -V 3.7.6 -d").exits(0);
}

#[test]
fn reports_a_failed_task_without_a_reason() {
    for error in ["", r#""error":"","#, r#""error":null,"#] {
        let body = format!(r#"{{"id":"a",{error}"finished":true,"code":5,"last":0}}"#);
        let server = reporting_task_a(Plan::lasting(Duration::from_secs(60)), &body);
        run(&server, DELETE).exits(1).says("failed: no reason given (task a, code 5)");
    }
}

#[test]
fn leaves_a_deletion_without_a_valid_task_in_doubt() {
    for body in [r#"{"task_id":"../v1/user"}"#, r#"{"task_id":""}"#, r#"{"task_id":null}"#, "{}", "", "hi"] {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Endpoint::Delete, with_body(body)).with_effect());
        let ran = run(&server, &format!("{DELETE} --json"))
            .exits(0)
            .says("checking whether the cache is still there");
        // The list had the cache, so it is this deletion that has worked.
        assert_eq!(ran.json()["status"], "deleted", "{ran:#?}");
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::DryRun], "{body}");
        assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
    }
}

#[test]
fn rejects_a_dry_run_that_starts_a_task() {
    let server = answering(Endpoint::DryRun, with_body(r#"{"task_id":"abc"}"#));
    let ran = run(&server, &format!("{DELETE} -d --json")).exits(6);
    assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
    ran.says("outcome unknown for R 4.3.0 Local: cannot check the runtime cache with a dry run on http")
        .says(": the dry run started task abc; a task may still be deleting it; see 'connect-cache list'\n");
    // A dry run that starts a deletion is never sent again.
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::DryRun]);
    let server = answering(Endpoint::DryRun, with_body(r#"{"task_id":"abc"}"#));
    run(&server, "delete -l R -V 9.9.9").exits(6).says(": the dry run started task abc; ");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::DryRun]);
    // Nothing else in the reply hides the task.
    for body in [r#"{"version":4.3,"task_id":"abc"}"#, r#"{"task_id":null,"language":[],"task_id":"abc"}"#] {
        let server = answering(Endpoint::DryRun, with_body(body));
        run(&server, &format!("{DELETE} -d")).exits(6).says(": the dry run started task abc; ");
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::DryRun]);
    }
    let server = Server::builder().caches(["R 4.1.0 Local", "R 4.2.0 Local", "R 4.3.0 Local"]).start();
    server.fault(Fault::always(Endpoint::DryRun, with_body(r#"{"task_id":"abc"}"#)));
    run(&server, "purge --all -d").exits(6).says("\n3 unknown\n");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::DryRun]);
}

#[test]
fn suggests_the_url_of_a_redirect_without_following_it() {
    let elsewhere = Server::builder().prefix("/rsc").start();
    for status in [301, 302, 303, 307, 308] {
        for (words, endpoint, path) in [
            ("list", Endpoint::List, "v1/system/caches/runtime"),
            (DELETE, Endpoint::Delete, "v1/system/caches/runtime"),
            ("task abc", Endpoint::Task, "v1/tasks/abc"),
            ("check", Endpoint::Settings, "server_settings"),
        ] {
            let location = format!("{}/__api__/{path}?first=0&token=hunter2", elsewhere.url());
            let server = answering(endpoint, reply(status, &[("location", &location)], "moved"));
            run(&server, words)
                .exits(6)
                .says(&format!("HTTP {status}, a redirect to {}/__api__/{path}, which", elsewhere.url()))
                .says(&format!("; use {} as the server\n", elsewhere.url()))
                .never_says("hunter2");
            // A redirect is a refusal: a deletion is not in doubt.
            assert_eq!(endpoints(&server), after_a_list(endpoint), "{words}");
            assert_eq!(caches(&server).len(), 2);
        }
    }
    // Neither the key nor anything else was sent there.
    assert_eq!(elsewhere.connections(), 0);
    run(&elsewhere, "list").exits(0);
}

#[test]
fn explains_a_redirect_to_another_page() {
    for location in
        ["/__login__?url=hunter2", "https://login.invalid/saml?x=hunter2", "/__api__/other#hunter2"]
    {
        let server = answering(Endpoint::List, reply(302, &[("location", location)], ""));
        run(&server, "list")
            .exits(6)
            .fails_with("a login page or a proxy replied; check the server URL")
            .never_says("hunter2");
        assert_eq!(server.requests().len(), 1);
    }
    // The redirect leads to the path prefix that the server URL lacks.
    let server =
        answering(Endpoint::List, reply(301, &[("location", "/rsc/__api__/v1/system/caches/runtime")], ""));
    run(&server, "list").exits(6).fails_with(&format!("use {}/rsc as the server", server.url()));
    // The redirect has no target.
    run(&answering(Endpoint::List, reply(302, &[], "")), "list").exits(6).fails_with("HTTP 302");
}

#[test]
fn names_a_gateway_that_refuses() {
    let refused = "a gateway or proxy in front of Connect refused the request";
    for (status, words, endpoint, says) in [
        (401, "list", Endpoint::List, refused),
        (403, "list", Endpoint::List, refused),
        (401, DELETE, Endpoint::Delete, BLOCKS),
        (403, DELETE, Endpoint::Delete, BLOCKS),
    ] {
        let server = answering(endpoint, Action::html(status));
        run(&server, words).exits(3).says(&format!("HTTP {status}, not from Connect")).says(says);
        assert_eq!(before_settings(&server), after_a_list(endpoint));
        assert_eq!(caches(&server).len(), 2);
    }
}

#[test]
fn reports_a_404_page_as_a_wrong_url() {
    // A page is no proof that the cache is missing.
    let server = answering(Endpoint::Delete, Action::html(404));
    for words in [DELETE.to_owned(), format!("{DELETE} --ignore-not-found")] {
        run(&server, &words).exits(6).says(BLOCKS);
    }
    let server = answering(Endpoint::List, Action::html(404));
    run(&server, "list").exits(6).says("check the server URL, including any path prefix");
    let server = answering(Endpoint::Task, Action::html(404));
    run(&server, "task abc").exits(6).fails_with("not from Connect");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn names_the_next_step_by_the_code_of_an_error() {
    for (status, code, step) in [
        (401, 24, "check the API key"),
        (401, 30, "check the API key"),
        (403, 50, "an administrator can unlock the user"),
        (400, 92, "a gateway may change cookies or headers; bypass it"),
        (403, 95, "use a user's API key"),
        (403, 22, "use an API key with the administrator role, which a key can lack even if its user has it"),
        (404, 2, "runtime caches require Connect 2023.05 or later"),
    ] {
        let ran = run(&answering(Endpoint::List, Action::error(status, code, "no")), "list");
        ran.prints("")
            .fails_with(&format!(": no (HTTP {status}, code {code}) ("))
            .fails_with(&format!("); {step}\n"));
    }
}

#[test]
fn names_the_log_of_a_server_that_fails() {
    let server = answering(Endpoint::List, Action::error(500, 1, "An internal failure occurred."));
    let ran = run(&server, "list --retries 0").exits(6);
    ran.fails_with("An internal failure occurred. (HTTP 500, code 1) (").fails_with("); see the server log");
    let ran = run(&answering(Endpoint::List, Action::html(502)), "list --retries 0").exits(6);
    ran.fails_with("; check that Connect is running, and the gateway in front of it");
}

#[test]
fn names_the_list_only_after_a_cache_was_not_found() {
    let missing = || Action::error(404, 4, "The requested object does not exist.");
    for (words, endpoint, exit, names_it) in [
        ("delete -l R -V 9.9.9", Endpoint::DryRun, 4, true),
        // The list had the cache, so another client deleted it.
        (DELETE, Endpoint::Delete, 0, false),
        ("task abc", Endpoint::Task, 4, false),
        // A list names no cache that could be missing.
        ("list", Endpoint::List, 5, false),
    ] {
        let ran = run(&answering(endpoint, missing()), words).exits(exit);
        assert_eq!(ran.stderr.contains("; see 'connect-cache list"), names_it, "{ran:#?}");
    }
}

#[test]
fn warns_of_a_deprecated_endpoint() {
    let server = Server::builder()
        .replies(Replies { deprecated: Some("v2/caches".into()), ..Replies::default() })
        .start();
    let warning =
        "warning: the server reports v1/system/caches/runtime as deprecated, replaced by v2/caches\n";
    let ran = run(&server, "list").exits(0);
    assert_eq!(ran.stderr, warning, "{ran:#?}");
    run(&server, "list -q").exits(0).says_nothing();
    run(&server, DELETE).exits(0).says(warning);
}

#[test]
fn warns_of_a_deprecated_endpoint_once_per_run() {
    let versions = (0..5).map(|n| format!("R 4.{n}.0 Local"));
    let deprecated = Some("n/a".into());
    let server =
        Server::builder().caches(versions).replies(Replies { deprecated, ..Replies::default() }).start();
    let ran = run(&server, "purge --all -y").exits(0);
    let warnings = |of: &str| ran.stderr.lines().filter(|line| line.contains(of)).count();
    assert_eq!(warnings("v1/system/caches/runtime as deprecated"), 1, "{ran:#?}");
    // All tasks count as one endpoint, so there is one more warning.
    assert_eq!(warnings("deprecated"), 2, "{ran:#?}");
}

#[test]
fn claims_nothing_about_a_cache_without_a_reply() {
    let plan = Plan::lasting(Duration::from_secs(60));
    let server = Server::builder().plan(plan).start();
    server.fault(Fault::new(Endpoint::Task, Action::html(502)).times(usize::MAX));
    server.fault(Fault::new(Endpoint::DryRun, Action::html(502)).times(usize::MAX));
    let ran = run(&server, &format!("{DELETE} --retries 0")).exits(6);
    assert_eq!(requests_to(&server, Endpoint::DryRun).len(), 1);
    // The dry run had no usable reply either.
    ran.says("error: outcome unknown for R 4.3.0 Local: cannot check the runtime cache")
        .says("--wait")
        .never_says("exists");
}

#[test]
fn does_not_take_an_unknown_task_for_a_missing_cache() {
    let unknown = Action::error(404, 141, "The task is not known.");
    let server = answering(Endpoint::Delete, unknown);
    for (words, exit) in [(DELETE, 5), ("purge -l R -y", 1)] {
        let ran = run(&server, &format!("{words} --json")).exits(exit);
        assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
        ran.says("The task is not known.").never_says("does not exist");
    }
}

#[test]
fn skips_a_byte_order_mark_before_json() {
    let list = "\u{feff}{\"caches\":[{\"language\":\"R\",\"version\":\"4.3.0\",\"image_name\":\"Local\"}]}";
    run(&answering(Endpoint::List, with_body(list)), "list")
        .exits(0)
        .says_nothing()
        .prints("R  4.3.0  Local\n");
    let error = "\u{feff}{\"code\":22,\"error\":\"no\"}";
    run(&answering(Endpoint::List, reply(403, &[], error)), "list")
        .exits(3)
        .fails_with("(HTTP 403, code 22)");
    let server = answering(
        Endpoint::Task,
        with_body("\u{feff}{\"id\":\"a\",\"finished\":true,\"code\":0,\"last\":0}"),
    );
    server.fault(Fault::new(Endpoint::Delete, with_body("\u{feff}{\"task_id\":\"a\"}")).with_effect());
    run(&server, DELETE).exits(0);
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::Task]);

    // The loss of a reply's end is noticed with a byte order mark too.
    let server = Server::start(Config::default());
    let cut = "HTTP/1.1 200 OK\r\n\r\n\u{feff}{\"caches\":[";
    server.fault(Fault::new(Endpoint::List, Action::Raw(cut.into())));
    run(&server, "list --json").exits(0).says("it ended early");
}

/// Returns a reply with the header `Content-Encoding` and a binary body.
fn encoded(status: u16, encoding: &str) -> Action {
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Length: 10\r\nContent-Encoding: {encoding}\r\n\r\n");
    Action::Raw([head.as_bytes(), b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"].concat())
}

#[test]
fn names_an_unrequested_encoding() {
    for encoding in ["gzip", "br", "deflate", "zstd", "GZIP"] {
        let server = answering(Endpoint::List, encoded(200, encoding));
        run(&server, "list")
            .exits(6)
            .prints("")
            .fails_with(&format!(
                "HTTP 200, with an unrequested Content-Encoding: {encoding}; make the \
                 gateway in front of Connect honor Accept-Encoding"
            ))
            .never_says("\u{fffd}")
            .never_says("1f}");
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(
        requests_to(&answered_once(encoded(200, "gzip")), Endpoint::List)[0].header("accept-encoding"),
        Some("identity")
    );
    // The status means the same as without an encoding.
    let server = answering(Endpoint::List, encoded(404, "gzip"));
    run(&server, "list").exits(6).fails_with("HTTP 404, with an unrequested Content-Encoding");
    run(&answering(Endpoint::List, encoded(403, "gzip")), "list").exits(3).never_says("\u{fffd}");
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::List, encoded(502, "gzip")));
    run(&server, "list --json").exits(0).says("Content-Encoding: gzip; retrying in");

    // A wrong or empty header is ignored if the body can be read.
    for encoding in ["gzip", "identity", ""] {
        let server =
            answering(Endpoint::List, reply(200, &[("content-encoding", encoding)], r#"{"caches":[]}"#));
        run(&server, "list --json").exits(0).prints("{\"caches\":[]}\n");
    }
    for encoding in ["identity", ""] {
        let server = answering(Endpoint::List, reply(200, &[("content-encoding", encoding)], "hello"));
        run(&server, "list").exits(6).fails_with("got no JSON; the reply starts with: hello");
    }
}

/// Returns a server that has answered one request for the list in this way.
fn answered_once(action: Action) -> Server {
    let server = answering(Endpoint::List, action);
    let _ = run(&server, "list");
    server
}

#[test]
fn leaves_a_delete_with_an_encoded_reply_in_doubt() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, encoded(200, "gzip")).with_effect());
    run(&server, DELETE).exits(0).says("Content-Encoding: gzip; the deletion may have started");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::DryRun]);
}

const BLOCKS: &str = "something in front of Connect refuses DELETE requests";

#[test]
fn reports_a_gateway_that_blocks_delete() {
    for (action, exit) in [
        (Action::html(405), 6),
        (Action::html(501), 6),
        (Action::html(403), 3),
        (reply(405, &[("allow", "GET")], ""), 6),
        (encoded(405, "gzip"), 6),
    ] {
        for (words, endpoint) in [(DELETE, Endpoint::Delete), ("delete -l R -V 4.3.0 -d", Endpoint::DryRun)] {
            let server = answering(endpoint, action.clone());
            let ran = run(&server, &format!("{words} --json")).exits(exit).says(BLOCKS);
            assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
            ran.never_says("may have started");
            assert_eq!(before_settings(&server), after_a_list(endpoint));
            assert_eq!(caches(&server).len(), 2);
        }
        // A blocked GET does not show that DELETE is blocked.
        run(&answering(Endpoint::List, action), "list").exits(exit).never_says("DELETE");
    }
}

#[test]
fn reports_another_server_that_replies_to_delete() {
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Delete, Action::html(200)).times(usize::MAX));
    server.fault(Fault::new(Endpoint::DryRun, Action::html(200)).times(usize::MAX));
    let ran =
        run(&server, &format!("{DELETE} --json --retries 0")).exits(6).says("the deletion may have started");
    assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
    ran.says("outcome unknown for R 4.3.0 Local: cannot check the runtime cache with a dry run on http")
        .says(": expected JSON; the page says: 200 OK nginx; test it with: connect-cache check; a task may ");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::DryRun]);
    let ran = run(&server, &format!("{DELETE} -d --json --retries 0")).exits(6);
    let ran = ran.says("; test it with: connect-cache check\n");
    assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
}

#[test]
fn reports_a_gateway_that_may_strip_bodies() {
    for (status, code) in [(400, 12), (400, 180)] {
        let server = answering(Endpoint::Delete, Action::error(status, code, "what?"));
        let ran = run(&server, &format!("{DELETE} --json")).exits(5);
        assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
        ran.says(&format!("what? (HTTP 400, code {code}) ("))
            .says("; a gateway may strip the bodies of DELETE requests");
    }
}
