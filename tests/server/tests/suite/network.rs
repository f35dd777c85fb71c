//! Connections: the bytes of faults, and the end of a server.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use crate::client::*;
use connect_test_server::pki::{Ca, Leaf};
use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Server};

/// Lists the caches, and returns all bytes of the reply and whether the connection was reset.
fn raw_list(server: &Server) -> (String, bool) {
    let mut wire = connect(&server.url());
    send(&mut wire, &format!("GET {CACHES}"), "admin-key", "Connection: close\r\n", "");
    let mut bytes = Vec::new();
    let reset = match wire.read_to_end(&mut bytes) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error}"),
    };
    (String::from_utf8(bytes).unwrap(), reset)
}

#[test]
fn replies_with_each_fault() {
    let server = Server::start(Config::default());
    let list = |action: Action| {
        server.fault(Fault::new(Endpoint::List, action));
        raw_list(&server)
    };
    let whole = r#"{"caches":["#;
    assert_eq!(list(Action::ResetBeforeReply), (String::new(), true));
    assert_eq!(list(Action::CloseBeforeReply), (String::new(), false));
    for (action, reset) in [(Action::ResetInReply, true), (Action::CloseInReply, false)] {
        let (bytes, was_reset) = list(action);
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: "), "{head}");
        assert!(body.starts_with(whole) && !body.ends_with('}'), "{body}");
        assert_eq!(was_reset, reset);
    }
    let (bytes, _) = list(Action::CutChunked);
    assert!(bytes.contains("transfer-encoding: chunked") && !bytes.contains("\r\n0\r\n"));
    let (bytes, _) = list(Action::CutUnframed);
    assert!(!bytes.contains("content-length") && bytes.contains(whole), "{bytes}");
    let (bytes, _) = list(Action::CutJson);
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{bytes}");
    assert!(serde_json::from_str::<serde_json::Value>(body).is_err());
    let (bytes, _) = list(Action::html(504));
    assert!(bytes.starts_with("HTTP/1.1 504 ") && bytes.contains("<html>"), "{bytes}");
    let (bytes, _) = list(Action::error(500, 1, "An internal failure occurred."));
    assert!(bytes.ends_with(r#"{"code":1,"error":"An internal failure occurred.","payload":null}"#));
    assert_eq!(list(Action::Raw(b"HTTP/1.1 2".to_vec())).0, "HTTP/1.1 2");
    let started_at = Instant::now();
    assert!(list(Action::Delay(Duration::from_millis(100))).0.contains(whole));
    assert!(started_at.elapsed() >= Duration::from_millis(100));
    assert!(raw_list(&server).0.contains(whole));
    let statuses = server.requests().iter().map(|r| r.status).collect::<Vec<_>>();
    let ok = Some(200);
    assert_eq!(statuses, [None, None, ok, ok, ok, ok, ok, Some(504), Some(500), None, ok, ok]);
}

#[test]
fn applies_faults_over_tls() {
    let ca = Ca::new();
    let server = Server::builder().tls(ca.issue(&Leaf::default())).start();
    let list = |action: Action| {
        server.fault(Fault::new(Endpoint::List, action));
        let mut wire = connect_tls(&server.url(), &ca.pem()).unwrap();
        send(&mut wire, &format!("GET {CACHES}"), "admin-key", "", "");
        let mut bytes = Vec::new();
        wire.read_to_end(&mut bytes).map_err(|error| error.kind())
    };
    assert_eq!(list(Action::ResetBeforeReply), Err(ErrorKind::ConnectionReset));
    assert_eq!(list(Action::CloseBeforeReply), Err(ErrorKind::UnexpectedEof));
    assert_eq!(list(Action::CloseInReply), Err(ErrorKind::UnexpectedEof));
    assert!(list(Action::CutUnframed).is_ok());

    let mut plain = connect(&server.url());
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut reply = String::new();
    plain.read_to_string(&mut reply).unwrap();
    assert!(reply.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{reply}");
}

#[test]
fn stops_within_two_seconds() {
    let server = Server::builder().plan(Plan::lasting(Duration::from_secs(60))).start();
    let task = start(&server);
    server.fault(Fault::new(Endpoint::List, Action::Stall));
    server.fault(Fault::new(Endpoint::List, Action::Endless));
    server.fault(Fault::new(Endpoint::List, Action::Delay(Duration::from_secs(60))));
    let mut open = vec![connect(&server.url())];
    for line in [&*format!("GET {task}?wait=20"), "GET /__api__/v1/system/caches/runtime"] {
        for _ in 0..3 {
            let mut wire = connect(&server.url());
            send(&mut wire, line, "admin-key", "", "");
            open.push(wire);
        }
    }
    server.wait_for("all requests", Duration::from_secs(5), |r| r.len() == 7);
    let started_at = Instant::now();
    drop(server);
    assert!(started_at.elapsed() < Duration::from_secs(2), "{:?}", started_at.elapsed());
    // All connections are closed. Another server may already listen on the port.
    for mut wire in open {
        wire.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let end = loop {
            match wire.read(&mut [0; 65536]) {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error.kind()),
            }
        };
        assert!(matches!(end, None | Some(ErrorKind::ConnectionReset)), "{end:?}");
    }
}
