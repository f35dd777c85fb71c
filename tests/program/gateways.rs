//! What a person reads about replies of gateways and about Connect's own errors: the server, the words of a page, the ID
//! that leads to a log, and the next step.

use connect_test_server::{Action, Endpoint, Fault, Server};

use crate::support::{endpoints, requests_to, run};

/// Every endpoint that the commands use.
const ALL: [Endpoint; 8] = [
    Endpoint::List,
    Endpoint::Delete,
    Endpoint::DryRun,
    Endpoint::Task,
    Endpoint::User,
    Endpoint::Settings,
    Endpoint::InstallationsR,
    Endpoint::InstallationsPython,
];

/// Starts a server whose replies to these endpoints are always the same.
fn answering(endpoints: &[Endpoint], action: &Action) -> Server {
    let server = Server::builder().start();
    endpoints.iter().for_each(|&on| server.fault(Fault::always(on, action.clone())));
    server
}

#[test]
fn shows_the_words_of_a_page_and_the_id_of_its_request() {
    let page = "<!DOCTYPE html>\n<!--[if gt IE 8]><!--> <html class=\"new\"> <!--<![endif]-->\n<head>\
        <title>Access denied</title><style>body{color:#b00}</style><script>window.x=1;</script></head>\n\
        <body><h1>You cannot reach this site</h1><p>Support number: <strong>4711</strong></p></body></html>";
    for (header, shown) in [
        ("CF-RAY", "(CF-Ray: 8f00-FRA)"),
        ("X-Request-Id", "(X-Request-ID: 8f00-FRA)"),
        ("x-amzn-trace-id", "(X-Amzn-Trace-Id: 8f00-FRA)"),
    ] {
        let blocked = Action::reply(403, page).with_header(header, "8f00-FRA");
        let server = answering(&ALL, &blocked);
        for words in ["list", "delete -l R -V 4.3.0 -q", "purge --all -y", "task a", "check"] {
            let ran = run(&server, words).exits(3);
            ran.says(&format!(
                "on {}: HTTP 403, not from Connect; the page says: Access denied: You",
                server.url()
            ))
            .says("You cannot reach this site Support number: 4711 ")
            .says(&format!("{shown}; a gateway or proxy in front of Connect refused the request"))
            .never_says("<")
            .never_says("DELETE");
        }
        assert!(requests_to(&server, Endpoint::Delete).is_empty());
    }
    // A page without words, and one that is too long.
    let server = answering(&ALL, &Action::reply(502, "<html><body></body></html>"));
    run(&server, "list --retries 0")
        .exits(6)
        .says("HTTP 502, not from Connect; the page has no words; check");
    let server =
        answering(&ALL, &Action::reply(502, format!("<title>Down</title><p>{}", "word ".repeat(99))));
    let ran = run(&server, "list --retries 0").exits(6);
    let shown = ran.stderr.split_once("the page says: ").unwrap().1.split_once(';').unwrap().0;
    assert_eq!(shown.len(), 200, "{ran:#?}");
}

#[test]
fn names_a_gateway_that_refuses_delete_requests() {
    const STEP: &str =
        "; something in front of Connect refuses DELETE requests, perhaps because of their body";
    let page = "<html><title>Error 400 (Bad Request)</title><p>The request of your client is not acceptable.";
    for (status, exit) in [(400, 6), (403, 3), (404, 6), (405, 6), (411, 6), (413, 6), (501, 6)] {
        let deletes = [Endpoint::Delete, Endpoint::DryRun];
        let server = answering(&deletes, &Action::reply(status, page));
        let ran = run(&server, "delete -l R -V 4.3.0 --json").exits(exit);
        assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
        ran.says(&format!(
            "HTTP {status}, not from Connect, which answers GET requests; the page says: Error 400"
        ))
        .says(STEP);
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::Settings], "{status}");
        for (words, exit) in [("delete -d -l R -V 4.3.0", exit), ("check", exit)] {
            run(&server, words).exits(exit).says(STEP);
        }
        // Connect itself may refuse the GET request.
        server.fault(Fault::always(Endpoint::Settings, Action::error(500, 1, "no")));
        run(&server, "delete -l R -V 4.3.0").exits(exit).says("which answers GET requests").says(STEP);
        // The other caches of a purge follow, unless access is refused.
        run(&server, "purge --all -y").exits(if status == 403 { 3 } else { 1 }).says(STEP);
    }
}

#[test]
fn quotes_nothing_of_a_refusal_that_is_encoded() {
    let page = Action::reply(405, "binary").with_header("Content-Encoding", "br");
    let server = answering(&[Endpoint::Delete], &page);
    let refused =
        "HTTP 405, not from Connect, which answers GET requests; something in front of Connect refuses";
    run(&server, "delete -l R -V 4.3.0").exits(6).says(refused);
}

#[test]
fn blames_no_gateway_for_delete_if_it_refuses_everything() {
    for (status, exit) in [(400, 6), (403, 3), (404, 6)] {
        // The list that the deletion begins with still gets through.
        let server = answering(&[Endpoint::Delete, Endpoint::Settings], &Action::html(status));
        let ran =
            run(&server, "delete -l R -V 4.3.0").exits(exit).never_says("refuses DELETE").never_says("URL");
        ran.says("; a gateway or proxy in front of Connect refused the request\n");
    }
    // What says to wait, or is Connect's own, has nothing to do with the method.
    for action in [Action::html(429), Action::error(403, 22, "no"), Action::html(407), Action::html(408)] {
        let server = answering(&[Endpoint::Delete], &action);
        let ran = run(&server, "delete -l R -V 4.3.0 --retries 0");
        assert!(requests_to(&server, Endpoint::Settings).is_empty(), "{ran:#?}");
        ran.never_says("refuses DELETE");
    }
}

#[test]
fn names_the_server_and_the_correlation_id() {
    let server = Server::builder().start();
    for (words, key, status) in
        [("list", "viewer-key", 3), ("task nope", "admin-key", 4), ("delete -l R -V 4.3.0", "locked-key", 3)]
    {
        let ran = run(&server, &format!("{words} -k {key}")).exits(status);
        let id = server.requests().last().and_then(|request| request.correlation_id.clone()).unwrap();
        ran.says(&format!(" on {}: ", server.url())).says(&format!(") (X-Correlation-ID: {id}); "));
    }
    let refused = "list -s http://127.0.0.1:9 --retries 0";
    run(&server, refused)
        .exits(6)
        .says("cannot list the runtime caches on http://127.0.0.1:9: connection to");
}

#[test]
fn gives_the_next_step_that_fits_the_code() {
    for (status, code, exit, step) in [
        (401, 30, 3, "; check the API key"),
        (401, 29, 3, "; the API key has expired; create another one"),
        (
            403,
            19,
            3,
            "; use an API key with the administrator role, which a key can lack even if its user has it",
        ),
        (
            403,
            22,
            3,
            "; use an API key with the administrator role, which a key can lack even if its user has it",
        ),
        (403, 50, 3, "; an administrator can unlock the user"),
        (403, 99, 3, "; the server is in restricted mode, which its administrator has to end"),
        (429, 277, 5, "; wait a while, and run it again"),
        (
            400,
            194,
            5,
            "; an administrator of the server can set Server.AllowRuntimeCacheManagement, or the variable \
             CONNECT_SERVER_ALLOWRUNTIMECACHEMANAGEMENT=true",
        ),
        (404, 2, 5, "; runtime caches require Connect 2023.05 or later"),
        (500, 1, 6, "; see the server log"),
    ] {
        let server = answering(&[Endpoint::List], &Action::error(status, code, "The text."));
        let ran = run(&server, "list --retries 0").exits(exit);
        assert!(ran.stderr.trim_end().ends_with(step), "{ran:#?}");
        ran.says(&format!("The text. (HTTP {status}, code {code})"));
    }
    for code in [12, 87, 121, 180] {
        let server = answering(&[Endpoint::Delete], &Action::error(400, code, "The text."));
        run(&server, "delete -l R -V 4.3.0")
            .exits(5)
            .says("; a gateway may strip the bodies of DELETE requests");
    }
    let server = answering(&[Endpoint::List], &Action::html(429));
    run(&server, "list --retries 0").exits(6).says("; wait a while, and run it again").never_says("URL");
    for words in ["task nope", "task nope --wait"] {
        let ran = run(&Server::builder().start(), words).exits(4);
        ran.says("; no node knows the task: it may have ended with a restart of the server, or be running on another");
    }
}

#[test]
fn shows_the_title_of_a_login_page_on_one_line() {
    let page = "<html><title>Sign in</title><h1>Welcome</h1><p>By signing in you accept the terms of use.";
    for (endpoints, check) in [
        (&ALL[..], "; check the server URL, including any path prefix\n"),
        (
            &[Endpoint::Delete, Endpoint::DryRun],
            "; something in front of Connect replies to DELETE requests itself",
        ),
    ] {
        let server = answering(endpoints, &Action::reply(200, page));
        for words in ["delete -l R -V 4.3.0 -q", "delete -l R -V 4.3.0 -d -q", "purge -y -q -l R"] {
            let ran = run(&server, &format!("{words} --retries 0")).exits(6);
            assert!(ran.stderr.lines().all(|line| line.len() < 320), "{ran:#?}");
            ran.says(": expected JSON; the page says: Sign in: Welcome By signing in you accept the terms of use.; ").says("test it with: connect-cache check");
        }
        // The command does not advise to run itself.
        run(&server, "check --retries 0").exits(6).says("; the page says: Sign in: Welcome ").says(check);
    }
}

#[test]
fn shows_whether_a_delete_is_a_dry_run() {
    let server = Server::builder().start();
    let body = r#"/v1/system/caches/runtime {"language":"R","version":"4.3.0","image_name":"Local""#;
    let ran = run(&server, "delete -l R -V 4.3.0 -d -vv").exits(0);
    ran.says(&format!("{body},\"dry_run\":true}}\n"));
    let ran = run(&server, "delete -l R -V 4.3.0 -vv").exits(0);
    ran.says(&format!("{body}}}\n")).never_says("dry_run");
}
