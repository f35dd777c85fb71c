//! One odd reply does not decide a run in which Connect has answered.

use std::thread;
use std::time::Duration;

use connect_test_server::Endpoint::{self, Delete, DryRun, List, Task};
use connect_test_server::{Action, Fault, Plan, Server};

use crate::support::{endpoints, requests_to, run};

/// Returns odd replies that a gateway sends for a moment.
fn odd_replies() -> Vec<Action> {
    let mut odd = vec![
        Action::wrong_key(),
        Action::html(401),
        Action::reply(200, ""),
        Action::maintenance_page(),
        Action::login_page(),
        Action::reply(200, r#"{"maintenance":true}"#),
        Action::CutJson,
        Action::html(500),
        Action::html(505),
    ];
    // A content delivery network has statuses of its own.
    odd.extend((520..=530).map(Action::html));
    odd
}

fn server(faults: impl IntoIterator<Item = Fault>) -> Server {
    let server = Server::builder().plan(Plan::lasting(Duration::from_millis(300))).start();
    faults.into_iter().for_each(|fault| server.fault(fault));
    server
}

#[test]
fn asks_again_after_one_odd_reply() {
    thread::scope(|scope| {
        for action in odd_replies() {
            for (words, on) in [
                ("delete -l R -V 4.3.0", Task),
                ("purge -l R -y", Task),
                ("delete -l R -V 4.3.0 -d", DryRun),
                ("list --orphaned", Endpoint::InstallationsR),
                ("check", List),
            ] {
                let action = action.clone();
                scope.spawn(move || {
                    let server = server([Fault::new(on, action.clone())]);
                    let ran = run(&server, &format!("{words} --interval 5")).exits(0);
                    assert_eq!(ran.stderr.matches("; retrying in ").count(), 1, "{action:?}: {ran:#?}");
                    assert_eq!(requests_to(&server, on).len(), 2, "{action:?}: {ran:#?}");
                });
            }
        }
    });
}

#[test]
fn asks_again_once_if_an_accepted_key_is_refused() {
    let server =
        server([Fault::always(Task, Action::wrong_key()), Fault::always(DryRun, Action::wrong_key())]);
    let ran = run(&server, "delete -l R -V 4.3.0").exits(6).says("; retrying in 1.0 s\n");
    assert_eq!(endpoints(&server), [List, Delete, Task, Task, DryRun, DryRun], "{ran:#?}");
    for pair in [requests_to(&server, Task), requests_to(&server, DryRun)] {
        assert!(pair[1].at - pair[0].at >= Duration::from_secs(1));
    }
    // A success in between makes the next refusal the first one.
    let lines = (0..2).map(|at| Fault::new(Task, Action::wrong_key()).skip(2 * at));
    let server = self::server(lines);
    run(&server, "delete -l R -V 4.3.0 --interval 0.1").exits(0);
    // Without retries there is none. A DELETE changes something, so it is never sent again.
    let server = self::server([Fault::new(Task, Action::wrong_key())]);
    run(&server, "delete -l R -V 4.3.0 --retries 0").exits(0).says("its task could not be followed");
    assert_eq!(requests_to(&server, Task).len(), 1);
    let server = self::server([Fault::new(Delete, Action::wrong_key())]);
    run(&server, "delete -l R -V 4.3.0").exits(3).says("code 30)").says("; check the API key\n");
    assert_eq!(endpoints(&server), [List, Delete]);
}

#[test]
fn believes_the_first_reply_of_a_run() {
    for action in [Action::wrong_key(), Action::reply(200, ""), Action::maintenance_page()] {
        for (words, on) in [
            ("list", List),
            ("delete -l R -V 4.3.0", List),
            ("purge --all -y", List),
            ("task abc --wait", Task),
            ("check", Endpoint::Settings),
        ] {
            let server = server([Fault::new(on, action.clone())]);
            let exit = if matches!(action, Action::Error { .. }) { 3 } else { 6 };
            run(&server, words).exits(exit).never_says("retrying");
            assert_eq!(endpoints(&server), [on], "{words}");
        }
    }
}

#[test]
fn gives_up_on_replies_that_stay_odd() {
    let server = server([Fault::always(Task, Action::maintenance_page())]);
    let ran = run(&server, "delete -l R -V 4.3.0 --retries 1").exits(0);
    assert_eq!(ran.stderr.matches("; retrying in ").count(), 1, "{ran:#?}");
    assert_eq!(requests_to(&server, Task).len(), 2);
    ran.says("deleted R 4.3.0 Local: its task could not be followed, but the cache is gone\n");
}
