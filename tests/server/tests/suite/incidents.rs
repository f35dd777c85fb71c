//! What a test can let happen to a client: limits, stale lists, other clients, odd replies.

use std::thread;
use std::time::Duration;

use crate::client::*;
use connect_test_server::{
    Action, Earlier, Endpoint, Fault, MissingCache, OtherClient, Plan, RateLimit, Server,
};

/// Returns the number of rows in the list.
fn rows(server: &Server) -> usize {
    list(server).json()["caches"].as_array().unwrap().len()
}

#[test]
fn limits_the_rate_of_requests() {
    let server = Server::builder().rate_limit(RateLimit::gateway(0.5).burst(1)).start();
    server.fault(Fault::new(Endpoint::Delete, Action::error(400, 194, "no")));
    server.other_client(OtherClient::deletes("Python 3.7.6 Local").before(Endpoint::Delete));
    assert_eq!((rows(&server), rows(&server)), (2, 2));
    let limited = delete(&server, R);
    assert_eq!((limited.status, limited.header("x-correlation-id")), (503, None));
    assert!(limited.body.contains("<center>nginx</center>"), "{limited:?}");
    // The limited DELETE had no effect, and neither the fault nor the other client has counted it.
    assert_eq!(server.caches().len(), 2);
    assert_eq!(server.requests()[2].status, Some(503));
    let passed = loop {
        thread::sleep(Duration::from_millis(50));
        let reply = delete(&server, R);
        if reply.status != 503 {
            break reply;
        }
    };
    assert_eq!(passed.code(), (400, 194));
    assert_eq!(server.caches(), ["R 4.3.0 Local".into()]);

    let server = Server::builder().rate_limit(RateLimit::connect(0.1)).start();
    assert_eq!(rows(&server), 2);
    let limited = list(&server);
    assert_eq!((limited.code(), limited.header("retry-after")), ((429, 277), Some("2")));
    assert!(limited.header("x-correlation-id").is_some(), "{limited:?}");
}

#[test]
fn lists_earlier_caches() {
    let server = Server::builder()
        .fault(Fault::new(Endpoint::List, Action::StaleList(Earlier::Start)).skip(1))
        .fault(Fault::new(Endpoint::List, Action::StaleList(Earlier::Changes(1))).skip(2))
        .start();
    start(&server);
    server.add_cache("R 4.4.0 Local");
    server.add_cache("R 4.5.0 Local");
    assert_eq!([rows(&server), rows(&server), rows(&server), rows(&server)], [3, 2, 2, 3]);
}

#[test]
fn lets_another_client_act_at_a_request() {
    // Before a DELETE, which therefore finds no cache.
    let server = Server::builder().other_client(OtherClient::deletes("R 4.3.0 Local")).start();
    assert_eq!((rows(&server), delete(&server, DRY).status), (2, 200));
    assert_eq!((delete(&server, R).code(), rows(&server)), ((404, 4), 1));

    // During a task, which therefore finds no cache at its end.
    let server = Server::builder()
        .missing_cache(MissingCache::TASK_FAILS)
        .plan(Plan::lasting(Duration::from_millis(200)))
        .other_client(OtherClient::deletes("R 4.3.0 Local").after(Endpoint::Delete))
        .start();
    let task = start(&server);
    assert_eq!((server.caches().len(), poll(&server, &task, "wait=5").json()["code"].as_i64()), (1, Some(1)));

    // After the reply to the second list has been made, whatever reply is sent.
    for fault in [None, Some(Action::ResetBeforeReply), Some(Action::html(502))] {
        let server = Server::builder()
            .other_client(OtherClient::creates("R 4.4.0 Local").after(Endpoint::List).skip(1))
            .start();
        assert_eq!(rows(&server), 2);
        match fault {
            None => assert_eq!(rows(&server), 2),
            Some(action) => {
                server.fault(Fault::new(Endpoint::List, action));
                let mut wire = connect(&server.url());
                send(&mut wire, &format!("GET {CACHES}"), "admin-key", "", "");
                let _ = receive(&mut wire);
            }
        }
        assert_eq!(rows(&server), 3);
    }
}

#[test]
fn sends_odd_replies_with_status_200() {
    let server = Server::builder().start();
    for (action, text) in [
        (Action::reply(200, ""), ""),
        (Action::login_page(), "Sign in"),
        (Action::maintenance_page(), "Maintenance"),
    ] {
        server.fault(Fault::new(Endpoint::List, action));
        let odd = list(&server);
        assert!(odd.status == 200 && odd.body.contains(text) && !odd.body.contains("caches"), "{odd:?}");
    }
    server.fault(Fault::new(Endpoint::List, Action::wrong_key()));
    assert_eq!((list(&server).code(), list(&server).status), ((401, 30), 200));
}
