//! The library itself, for what the program cannot show: extreme settings, and what other programs get to see.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connect_cache::{
    CaCertificates, Client, Config, ErrorKind, Mode, Outcome, Progress, RuntimeCache, Selection, Trust,
};
use connect_test_server::pki::Ca;
use connect_test_server::{Action, Endpoint, Fault, Plan, Polls, Role, Server, User};

use crate::support::server_over_tls;

const LONG: [Duration; 4] = [
    Duration::MAX,
    Duration::from_secs(u64::MAX),
    Duration::from_secs(i64::MAX as u64),
    Duration::from_secs(1 << 40),
];

fn config(server: &Server) -> Config {
    Config::new(server.url().parse().unwrap(), "admin-key".parse().unwrap())
}

/// Uses each method of a client, and returns how many of its requests failed.
fn use_everything(client: &Client, wait: Duration) -> usize {
    let cache = RuntimeCache::new("R", "4.3.0", "Local");
    let id = "abc".parse().unwrap();
    let listed = client.runtime_caches();
    let deletion = client.delete(&cache, Mode::Wait, |_| {});
    let all = listed.as_ref().map(|listed| client.delete_all(&Selection::new(listed, listed), |_, _| {}));
    let failed = [
        listed.is_err(),
        client.check_runtime_cache(&cache).is_err_and(|error| !matches!(error.kind, ErrorKind::Api { .. })),
        client.current_user().is_err(),
        client.server_settings().is_err(),
        client.r_installations().is_err(),
        client.content_usage(|_| {}).is_err(),
        client.task(&id, 0, wait).is_err_and(|error| !matches!(error.kind, ErrorKind::Api { .. })),
        client.follow(&id, |_| {}).is_err_and(|error| !matches!(error.kind, ErrorKind::Api { .. })),
        !matches!(deletion.outcome, Outcome::Deleted(_)),
        all.is_ok_and(|deletions| {
            deletions.iter().any(|deletion| matches!(deletion.outcome, Outcome::Unknown(..)))
        }),
    ];
    failed.iter().filter(|&&failed| failed).count()
}

#[test]
fn accepts_times_of_any_length() {
    let ca = Ca::new();
    for long in LONG {
        // An interval that cannot be represented counts as none, also on a server that holds no poll.
        let ignore_wait = Instant::now().checked_add(long).is_none();
        let polls = Polls { ignore_wait, ..Polls::default() };
        let plan = || Server::builder().polls(polls).plan(Plan::lasting(Duration::from_millis(200)));
        for server in [plan().start(), server_over_tls(&ca, plan())] {
            let mut config = config(&server);
            config.trust = Trust::Certificates(CaCertificates::from_pem("a test", ca.pem()).unwrap());
            config.request_timeout = Some(long);
            config.interval = long;
            config.timeout = Some(long);
            config.max_wait = Some(long);
            let client = Client::new(config).unwrap();
            assert_eq!(use_everything(&client, long), 0, "{long:?}");
            assert!(server.caches().is_empty());
        }
    }
}

#[test]
fn accepts_times_of_no_length() {
    let server = Server::builder().plan(Plan::lasting(Duration::from_millis(300))).start();
    let mut config = config(&server);
    config.interval = Duration::ZERO;
    config.max_wait = Some(Duration::ZERO);
    assert_eq!(use_everything(&Client::new(config.clone()).unwrap(), Duration::ZERO), 0);
    assert!(server.caches().is_empty());
    // No request is answered in no time.
    config.retries = Some(0);
    config.request_timeout = Some(Duration::ZERO);
    assert!(use_everything(&Client::new(config.clone()).unwrap(), Duration::ZERO) >= 8);
    config.timeout = Some(Duration::ZERO);
    assert!(use_everything(&Client::new(config).unwrap(), Duration::ZERO) >= 8);
}

#[test]
fn polls_at_most_ten_times_a_second_without_an_interval() {
    for interval in [Duration::ZERO, Duration::from_nanos(1)] {
        let polls = Polls { ignore_wait: true, ..Polls::default() };
        let server = Server::builder().polls(polls).plan(Plan::lasting(Duration::from_secs(1))).start();
        let mut config = config(&server);
        config.interval = interval;
        let client = Client::new(config).unwrap();
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        let deletion = client.delete(&cache, Mode::Wait, |_| {});
        assert!(matches!(deletion.outcome, Outcome::Deleted(_)), "{deletion:?}");
        let polls = server.requests().iter().filter(|request| request.endpoint == Endpoint::Task).count();
        assert!((2..=12).contains(&polls), "{polls}");
    }
}

#[test]
fn masks_secrets_in_errors_events_and_progress() {
    const KEY: &str = "s3cret-of-the-administrator";
    const GATE: &str = "g4te-of-the-gateway";
    for (on, action) in [
        (Endpoint::List, Action::reply(404, format!("{KEY} {GATE}"))),
        (Endpoint::List, Action::error(400, 25, &format!("{KEY} {GATE}"))),
        (Endpoint::List, Action::reply(200, format!(r#"{{"caches":"{KEY} {GATE}"}}"#))),
        (Endpoint::List, Action::reply(302, "").with_header("Location", format!("/{KEY}/{GATE}"))),
        (Endpoint::List, Action::reply(400, "").with_header("X-Echo", format!("{KEY} {GATE}"))),
        (Endpoint::List, Action::Raw(format!("HTTP/1.1 200 OK\r\n{KEY} {GATE}\r\n\r\n").into())),
        (Endpoint::Delete, Action::reply(502, format!("{KEY} {GATE}"))),
        (Endpoint::Task, Action::reply(502, format!("{KEY} {GATE}"))),
        (Endpoint::DryRun, Action::reply(200, format!(r#"{{"task_id":"{KEY}"}}"#))),
    ] {
        let plan = Plan { lines: vec![format!("{KEY} {GATE}")], ..Plan::failing(1, format!("{KEY} {GATE}")) };
        let users = [User::new(KEY, "admin", Role::Administrator)];
        let server = Server::builder().plan(plan).users(users).start();
        server.fault(Fault::always(on, action));
        let mut config = Config::new(server.url().parse().unwrap(), KEY.parse().unwrap());
        config.headers.push(format!("X-Gate: {GATE}").parse().unwrap());
        config.retries = Some(1);
        config.timeout = Some(Duration::from_secs(1));
        let mut client = Client::new(config).unwrap();
        let shown = Arc::new(Mutex::new(format!("{client:?}")));
        let log = Arc::clone(&shown);
        client.observe(move |event| log.lock().unwrap().push_str(&format!("{event:?}\n")));
        let show = |text: String| shown.lock().unwrap().push_str(&text);
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        for mode in [Mode::DryRun, Mode::Wait] {
            let deletion =
                client.delete(&cache, mode, |progress: Progress<'_>| show(format!("{progress:?}\n")));
            show(format!("{deletion}\n{deletion:?}\n{:?}\n", deletion.outcome.error()));
        }
        if let Err(error) = client.runtime_caches() {
            show(format!("{error}\n{error:?}\n{:?}\n", error.source().map(ToString::to_string)));
        }
        let shown = shown.lock().unwrap();
        assert!(shown.contains("***"), "{on:?}: {shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("g4te"), "{on:?}: {shown}");
    }
}

#[test]
fn gives_the_systems_error_as_the_source() {
    let config = Config::new("http://127.0.0.1:9".parse().unwrap(), "a-key".parse().unwrap());
    let error = Client::new(config).unwrap().runtime_caches().unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}
