//! Standard error as a log: the lines about a cache are found by its name.

use std::time::Duration;

use connect_test_server::{Action, Cluster, Endpoint, Fault, Plan, RateLimit, Server};

use crate::support::{caches, run};

#[test]
fn names_the_cache_in_every_line_of_a_purge() {
    let names: Vec<String> = (0..12).map(|n| format!("Python 3.{n}.5 Local")).collect();
    let server = Server::builder()
        .caches(names.iter().map(String::as_str))
        .plan(Plan::lasting(Duration::from_millis(300)))
        .plans(["Python 3.3.5 Local", "Python 3.9.5 Local", "Python 3.10.5 Local"].map(|cache| {
            (cache, Plan { duration: Duration::from_millis(300), ..Plan::failing(1, "disk on fire") })
        }))
        .rate_limit(RateLimit::gateway(40.0).burst(10))
        .start();
    // One reply is lost, and one poll goes wrong.
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply).skip(5).with_effect());
    server.fault(Fault::new(Endpoint::Task, Action::html(502)).skip(6));
    let ran = run(&server, "purge --all -y --max-running 8").exits(1);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], format!("deleting 12 runtime caches on {}", server.url()));
    assert_eq!(lines[lines.len() - 1], "9 deleted, 3 failed");
    for line in &lines[1..lines.len() - 1] {
        assert!(names.iter().any(|name| line.contains(name.as_str())), "{line}: {ran:#?}");
    }
    assert!(ran.stderr.contains("; retrying in ") && ran.stderr.contains("; the deletion may have started;"));
    // `grep` finds the whole history of one cache.
    let history: Vec<&&str> = lines.iter().filter(|line| line.contains("Python 3.9.5 Local")).collect();
    assert!(
        history
            .iter()
            .any(|line| line.starts_with("Python 3.9.5 Local: task ") && line.ends_with(" started"))
    );
    assert!(history.last().unwrap().contains("deletion of Python 3.9.5 Local failed: disk on fire (task "));
    assert_eq!(caches(&server).len(), 3);
}

#[test]
fn names_the_cache_in_every_line_of_a_delete() {
    let server = Server::builder().cluster(Cluster { nodes: 2, balancer: true }).start();
    server.fault(Fault::new(Endpoint::List, Action::html(502)));
    server.fault(Fault::new(Endpoint::Delete, Action::html(429)));
    server.fault(Fault::new(Endpoint::Task, Action::html(502)));
    let ran = run(&server, "delete -l R -V 4.3.0").exits(0);
    assert!(ran.stderr.lines().all(|line| line.contains("R 4.3.0 Local")), "{ran:#?}");
    assert_eq!(ran.stderr.matches("; retrying in ").count(), 3, "{ran:#?}");
    let ran = run(&server, "delete -l Python -V 3.7.6 --no-wait").exits(0);
    assert!(ran.stderr.lines().all(|line| line.contains("Python 3.7.6 Local")), "{ran:#?}");
}

#[test]
fn prints_the_summary_of_a_failed_purge_with_quiet() {
    let server = Server::builder().plan(Plan::failing(1, "disk on fire")).start();
    let ran = run(&server, "purge --all -y -q").exits(1);
    assert!(ran.stderr.ends_with("\n2 failed\n") && ran.stderr.starts_with("error: "), "{ran:#?}");
    let server = Server::builder().start();
    run(&server, "purge --all -y -q").exits(0).says_nothing();
}
