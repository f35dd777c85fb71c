//! Connections: faults, nodes and their balancer, TLS, and the end of a server.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::*;
use connect_test_server::pki::{Ca, Identity, Leaf};
use connect_test_server::{Action, Cluster, Config, Endpoint, Fault, Plan, Replies, Server};

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
fn deletes_despite_a_fault_as_configured() {
    let faulty = |action: Action, effect: bool| {
        let server = Server::start(Config::default());
        let fault = Fault::new(Endpoint::Delete, action);
        server.fault(if effect { fault.with_effect() } else { fault });
        let mut wire = connect(&server.url());
        send(&mut wire, &format!("DELETE {CACHES}"), "admin-key", "", R);
        let reply = receive(&mut wire);
        (reply.map(|reply| reply.status).ok(), server.caches().len())
    };
    for (action, status) in [
        (Action::ResetBeforeReply, None),
        (Action::CloseInReply, None),
        (Action::CutJson, Some(200)),
        (Action::html(502), Some(502)),
    ] {
        assert_eq!(faulty(action.clone(), false), (status, 2), "{action:?}");
        assert_eq!(faulty(action.clone(), true), (status, 1), "{action:?}");
    }
    let delay = Action::Delay(Duration::from_millis(10));
    assert_eq!(faulty(delay.clone(), false), (Some(200), 1));
    assert_eq!(faulty(delay, true), (Some(200), 1));
}

#[test]
fn keeps_connections_open() {
    let server = Server::start(Config::default());
    let mut wire = connect(&server.url());
    for _ in 0..3 {
        send(&mut wire, &format!("GET {CACHES}"), "admin-key", "", "");
        assert_eq!(receive(&mut wire).unwrap().status, 200);
    }
    assert_eq!(server.connections(), 1);

    let server = Server::builder().replies(Replies { close_connections: true, ..Replies::default() }).start();
    let mut wire = connect(&server.url());
    send(&mut wire, &format!("GET {CACHES}"), "admin-key", "", "");
    assert_eq!(receive(&mut wire).unwrap().header("connection"), Some("close"));
    assert_eq!(wire.read(&mut [0]).unwrap(), 0);
}

#[test]
fn answers_400_to_malformed_requests() {
    let server = Server::start(Config::default());
    for bytes in ["\x16\x03\x01\x02\0", "GET / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n"] {
        let mut wire = connect(&server.url());
        wire.write_all(bytes.as_bytes()).unwrap();
        assert_eq!(receive(&mut wire).unwrap().status, 400, "{bytes:?}");
    }
    assert!(server.requests().is_empty());
    assert!(raw_list(&server).0.starts_with("HTTP/1.1 200"));
}

#[test]
fn balances_clients_by_their_cookies() {
    let server = Server::builder()
        .cluster(Cluster { nodes: 2, balancer: true })
        .plan(Plan::lasting(Duration::from_secs(60)))
        .start();
    let at = |url: &str, line: &str, more: &str, body: &str| request_url(url, line, "admin-key", more, body);
    let url = server.url();
    let started = at(&url, &format!("DELETE {CACHES}"), "", R);
    assert_eq!(started.header("set-cookie"), Some("route=node0; Path=/; HttpOnly"));
    let id = started.json()["task_id"].as_str().unwrap().to_string();
    let poll = format!("GET /__api__/v1/tasks/{id}");
    let lost = at(&url, &poll, "", "");
    assert_eq!(lost.code(), (404, 141));
    assert_eq!(lost.header("set-cookie"), Some("route=node1; Path=/; HttpOnly"));
    let found = at(&url, &poll, "Cookie: a=b; route=node0\r\n", "");
    assert_eq!((found.status, found.header("set-cookie")), (200, None));
    assert_eq!(at(&url, &poll, "Cookie: route=node7\r\n", "").status, 200);
    assert_eq!(at(&server.node_url(1), &poll, "", "").code(), (404, 141));
    assert_eq!(at(&server.node_url(0), &poll, "", "").header("set-cookie"), None);
    let nodes = server.requests().iter().map(|r| r.node).collect::<Vec<_>>();
    assert_eq!(nodes, [0, 1, 0, 0, 1, 0]);

    // The node restarts while it holds a poll.
    thread::scope(|scope| {
        let held = format!("{poll}?wait=20");
        let held = scope.spawn(move || at(&url, &held, "Cookie: route=node0\r\n", ""));
        server.wait_for("the held poll", Duration::from_secs(5), |r| r.len() == 7);
        thread::sleep(Duration::from_millis(50));
        server.restart_node(0);
        assert_eq!(held.join().unwrap().status, 502);
    });
    assert_eq!(at(&server.node_url(0), &poll, "", "").code(), (404, 141));
    assert_eq!(server.caches().len(), 2);
}

#[test]
fn serves_valid_and_invalid_certificates() {
    let ca = Ca::new();
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let good = Leaf::default();
    let chained = Leaf { intermediate: true, ..Leaf::default() };
    let expired = Leaf { not_before: -9, not_after: -1, ..Leaf::default() };
    let early = Leaf { not_before: 1, ..Leaf::default() };
    let other = Leaf { names: names(&["other.example.com"]), ..Leaf::default() };
    let none = Leaf { names: Vec::new(), ..Leaf::default() };
    let authority = Leaf { is_ca: true, ..Leaf::default() };
    let signed = |ca_true| (Identity::self_signed(ca_true), None);
    for ((identity, trusted), problem) in [
        ((ca.issue(&good), Some(ca.pem())), ""),
        ((ca.issue(&chained), Some(ca.pem())), ""),
        (signed(false), ""),
        ((ca.issue(&good), Some(Ca::new().pem())), "UnknownIssuer"),
        ((ca.issue(&expired), Some(ca.pem())), "expired"),
        ((ca.issue(&early), Some(ca.pem())), "not valid yet"),
        ((ca.issue(&other), Some(ca.pem())), "not valid for name"),
        ((ca.issue(&none), Some(ca.pem())), "not valid for name"),
        ((ca.issue(&authority), Some(ca.pem())), "CaUsedAsEndEntity"),
        (signed(true), "CaUsedAsEndEntity"),
    ] {
        let trusted = trusted.unwrap_or_else(|| identity.cert_pem.clone());
        let server = Server::builder().tls(identity).start();
        assert!(server.url().starts_with("https://127.0.0.1:"));
        match connect_tls(&server.url(), &trusted) {
            Ok(mut wire) => {
                assert_eq!(problem, "");
                for _ in 0..2 {
                    send(&mut wire, &format!("GET {CACHES}"), "admin-key", "", "");
                    assert_eq!(receive(&mut wire).unwrap().status, 200);
                }
            }
            Err(error) => {
                assert!(!problem.is_empty() && error.to_string().contains(problem), "{problem}: {error}");
                assert!(server.requests().is_empty());
            }
        }
        assert_eq!(server.connections(), 1);
    }
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
