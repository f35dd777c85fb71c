//! The heads of replies, as gateways send them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use connect_test_server::pki::Ca;
use connect_test_server::{Action, Config, Endpoint, Fault, Server};

use crate::support::{Program, caches, connect_cache, endpoints, requests_to, run, server_over_tls};

const DELETE: &str = "delete -l R -V 4.3.0";
/// A list with line breaks, folds and blanks before a colon, none of which may be rewritten in a body.
const LIST: &str =
    "{\"caches\":[\r\n  {\"language\" :\t\"R\",\"version\":\"4.3.0\",\"image_name\":\"a : b\"}]}";
const LISTED: &str = "R  4.3.0  a : b\n";

/// Returns a reply with these header lines. Bytes follow the body, so only a correctly read length ends it.
fn raw(lines: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body} surplus").into_bytes()
}

/// Returns heads that curl and Python's requests read, for a body of `length` bytes.
fn readable_heads(length: usize) -> Vec<String> {
    let length = format!("Content-Length: {length}\r\n");
    let many = (0..150).map(|n| format!("X-Header-{n}: {n}\r\n")).collect::<String>();
    vec![
        format!("Set-Cookie: waf=1;\r\n Path=/;\r\n\tHttpOnly\r\n{length}"),
        format!("{length}Server:\r\n gateway\r\n"),
        length.replace(": ", " : "),
        length.replace(": ", ":\r\n "),
        length.replace(": ", "\t:"),
        length.replace("\r\n", "\n"),
        format!(" X-Stray: line\r\n{length}"),
        format!("X Y: z\r\nX[0]: z\r\n{length}"),
        format!("Server: a\x01b\r\n{length}"),
        format!("{many}{length}"),
        format!("{length}{many}Set-Cookie: waf=1\r\n"),
    ]
}

fn always(endpoint: Endpoint, bytes: Vec<u8>) -> Server {
    let server = Server::start(Config::default());
    server.fault(Fault::new(endpoint, Action::Raw(bytes)).times(usize::MAX));
    server
}

#[test]
fn reads_heads_that_curl_reads() {
    for head in readable_heads(LIST.len()) {
        let server = always(Endpoint::List, raw(&head, LIST));
        run(&server, "list").exits(0).says_nothing().prints(LISTED);
        assert_eq!(server.requests().len(), 1, "{head}");
    }
}

#[test]
fn deletes_with_heads_that_curl_reads() {
    let started = r#"{"task_id":"a"}"#;
    let finished = r#"{"id":"a","output":[],"finished":true,"code":0,"error":"","last":0}"#;
    for (delete, task) in readable_heads(started.len()).iter().zip(readable_heads(finished.len())) {
        let server = always(Endpoint::Task, raw(&task, finished));
        server.fault(Fault::new(Endpoint::Delete, Action::Raw(raw(delete, started))).with_effect());
        run(&server, DELETE).exits(0).says("deleted R 4.3.0 Local in");
        // The DELETE was not in doubt, so there was no dry run.
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::Task], "{delete}");
        assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
        let sent_back = requests_to(&server, Endpoint::Task)[0].header("cookie").map(str::to_owned);
        assert_eq!(sent_back.as_deref(), delete.contains("waf").then_some("waf=1"), "{delete}");
    }
}

#[test]
fn shows_unfolded_headers() {
    let many = (0..150).map(|n| format!("X-Header-{n}: {n}\r\n")).collect::<String>();
    let head = format!("Server :\r\n a\r\n\tb\r\n{many}Content-Length: {}\r\n", LIST.len());
    let server = always(Endpoint::List, raw(&head, LIST));
    let length = format!("< content-length: {}\n", LIST.len());
    run(&server, "list -vv").exits(0).says("< server: a b\n").says("< x-header-99: 99\n").says(&length);
}

#[test]
fn reads_a_reply_with_many_cookies() {
    let server = Server::start(Config::default());
    let mut action = Action::reply(200, r#"{"caches":[]}"#);
    for n in 0..150 {
        action = action.with_header("Set-Cookie", format!("c{n}=1"));
    }
    server.fault(Fault::new(Endpoint::List, action));
    run(&server, "list").exits(0).says("there are no runtime caches on ");
}

#[test]
fn keeps_the_id_of_a_request_among_many_headers() {
    let many = (0..150).map(|n| format!("X-Header-{n}: {n}\r\n")).collect::<String>();
    for name in ["X-Correlation-ID", "CF-Ray", "X-Request-ID", "X-Amzn-Trace-Id"] {
        let head = format!("HTTP/1.1 403 No\r\n{many}{name}: 8f00-FRA\r\nContent-Length: 0\r\n\r\n");
        let server = always(Endpoint::List, head.into_bytes());
        run(&server, "list").exits(3).fails_with(&format!("({name}: 8f00-FRA)"));
    }
}

#[test]
fn skips_interim_replies() {
    let head = format!("Content-Length : {}\r\n", LIST.len());
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nX-Folded: a\r\n b\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink : </a>\r\n\r\n",
    ] {
        let bytes = [interim.as_bytes(), &raw(&head, LIST)].concat();
        run(&always(Endpoint::List, bytes), "list").exits(0).says_nothing().prints(LISTED);
    }
}

#[test]
fn reads_long_heads_over_tls() {
    let ca = Ca::new();
    for head in readable_heads(LIST.len()) {
        // The head is longer than a TLS record.
        let head = format!("X-Long: {}\r\n {}\r\n{head}", "x".repeat(10 << 10), "y".repeat(8 << 10));
        let server = server_over_tls(&ca, Config::default());
        server.fault(Fault::new(Endpoint::List, Action::Raw(raw(&head, LIST))));
        connect_cache(&server).words("list").trusting(&ca).run().exits(0).says_nothing().prints(LISTED);
    }
}

/// Starts a server that answers one request with these bytes, one at a time, and returns the program for it.
fn with_slow_server(bytes: impl Iterator<Item = u8> + Send + 'static, pause: Duration) -> Program {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        read_request(&mut stream);
        for byte in bytes {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(pause);
        }
    });
    Program::new().env("CONNECT_SERVER", url).env("CONNECT_API_KEY", "admin-key")
}

/// Reads a request without a body.
fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

#[test]
fn reads_heads_that_arrive_in_pieces() {
    let head = format!("Set-Cookie: waf=1;\r\n Path=/\r\nContent-Length : {}\r\n", LIST.len());
    let bytes = [&b"HTTP/1.1 103 Early Hints\r\nA: b\r\n c\r\n\r\n"[..], &raw(&head, LIST)].concat();
    let program = with_slow_server(bytes.into_iter(), Duration::from_millis(1));
    program.words("list").run().exits(0).says_nothing().prints(LISTED);
}

#[test]
fn limits_the_time_for_a_head() {
    let endless = b"HTTP/1.1 200 OK\r\n".iter().copied().chain(std::iter::repeat(b'x'));
    let program = with_slow_server(endless, Duration::from_millis(50));
    let started_at = Instant::now();
    let ran = program.words("list --retries 0 --request-timeout 1").run().exits(6);
    ran.fails_with("no reply within 1 s; check the health of the server, or raise --request-timeout");
    assert!(started_at.elapsed() < Duration::from_secs(10));
}

#[test]
fn limits_the_length_of_a_head() {
    let endless =
        b"HTTP/1.1 200 OK\r\nX: y\r\n".iter().copied().chain(b" folded\r\n".iter().copied().cycle());
    let program = with_slow_server(endless.take(100 << 10), Duration::ZERO);
    program.words("list --retries 0").run().exits(6).fails_with("the reply is too large");
}

/// Heads that cannot be parsed, and the error messages about them.
const UNREADABLE: [(&[u8], &str); 6] = [
    (b"SSH-2.0-OpenSSH_9.2\r\n", "the reply is not HTTP; the reply starts with: SSH-2.0-OpenSSH_9.2; "),
    (b"\x15\x03\x03\x00\x02\x02\x46", "the reply is not HTTP; the reply starts with: \\u{15}"),
    (b"HTTP/2 200\r\n\r\n", "the reply is not HTTP; the reply starts with: HTTP/2 200; "),
    (
        b"HTTP/1.1 hello\r\n\r\n",
        "the reply is not valid HTTP: the status line is malformed: HTTP/1.1 hello; ",
    ),
    (
        b"HTTP/1.1 200 OK\r\nno header admin-key\r\n\r\n{}",
        "the reply is not valid HTTP: a header line has no colon: no header ***; ",
    ),
    (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", "the reply is not valid HTTP: "),
];

#[test]
fn does_not_retry_after_a_malformed_head() {
    for (bytes, says) in UNREADABLE {
        let is_http = bytes.starts_with(b"HTTP/1.");
        let next_step = if is_http {
            "; check the network, and any gateway between"
        } else {
            "; the server may use https"
        };
        let server = always(Endpoint::List, bytes.to_vec());
        run(&server, "list").exits(6).fails_with(says).fails_with(next_step).never_says("admin-key");
        assert_eq!(server.requests().len(), 1, "{says}");
        run(&server, "list -vv").exits(6).never_says("admin-key");
    }
}

#[test]
fn suggests_https_only_for_a_server_without_it() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    server.fault(Fault::new(Endpoint::List, Action::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())));
    connect_cache(&server)
        .trusting(&ca)
        .words("list")
        .run()
        .exits(6)
        .fails_with("; check the network, and any gateway between this host and the server");
}

#[test]
fn keeps_a_delete_in_doubt_if_its_reply_cannot_be_parsed() {
    for (bytes, says) in UNREADABLE {
        // The first error has no next step, which is printed with the outcome.
        let server = always(Endpoint::Delete, bytes.to_vec());
        server.fault(Fault::new(Endpoint::DryRun, Action::html(404)).times(usize::MAX));
        run(&server, DELETE).exits(6).says(says).says("; the deletion may have started");
        assert_eq!(endpoints(&server)[..3], [Endpoint::List, Endpoint::Delete, Endpoint::DryRun], "{says}");

        let server = always(Endpoint::Delete, bytes.to_vec());
        server.fault(Fault::new(Endpoint::DryRun, Action::Raw(bytes.to_vec())).times(usize::MAX));
        run(&server, DELETE).exits(6).says("outcome unknown for R 4.3.0 Local: ").says(says);
        assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::Delete, Endpoint::DryRun], "{says}");
    }
}

#[test]
fn retries_after_a_head_that_ends_early() {
    // Only the next line would show whether the last one continues.
    for cut in ["", "HTTP/1.1 200 OK\r\nServer: a\r\n b\r\n", "HTTP/1.1 200 OK\r\nServer "] {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Endpoint::List, Action::Raw(cut.into())));
        run(&server, "list --json").exits(0).says("retrying in").says("the reply was lost");
        assert_eq!(server.requests().len(), 2, "{cut}");
    }
}

#[test]
fn reads_a_proxys_reply_to_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let many = (0..150).map(|n| format!("X-Header-{n}: {n}\r\n")).collect::<String>();
        for stream in listener.incoming() {
            let reply = format!("HTTP/1.1 407 No\r\nProxy : a\r\n b\r\n{many}Content-Length: 0\r\n\r\n");
            let mut stream = stream.unwrap();
            // Read the whole request first: closing the connection with unread data could discard the reply.
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(read @ 1..) => request.extend_from_slice(&bytes[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    Program::new()
        .env("CONNECT_SERVER", "https://connect.test")
        .env("CONNECT_API_KEY", "admin-key")
        .env("HTTPS_PROXY", proxy)
        .words("list --retries 0")
        .run()
        .exits(6)
        .fails_with("the proxy requires credentials");
}
