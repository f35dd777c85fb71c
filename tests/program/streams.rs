//! Closed pipes, full disks, interrupts, and control characters.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use connect_test_server::{Config, Endpoint, Plan, Server};

use crate::support::{caches, connect_cache, server_with_tasks_of};

fn spawn(server: &Server, words: &str) -> (Child, tempfile::TempDir) {
    let (mut command, home) = connect_cache(server).words(words).into_command();
    (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), home)
}

fn stderr_of(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn ends_a_list_quietly_after_a_closed_pipe() {
    let many = (0..5000).map(|n| format!("R 4.{n}.0 Local"));
    let server = Server::builder().caches(many).start();
    let (mut child, _home) = spawn(&server, "list");
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(stderr_of(&mut child), "");
}

#[test]
fn completes_a_deletion_after_a_closed_pipe() {
    let task = Plan { code: 1, error: "no".into(), ..Plan::lasting(Duration::from_secs(2)) };
    for (plan, status) in [(Plan::lasting(Duration::from_secs(2)), 0), (task, 1)] {
        let server = Server::builder().plan(plan).start();
        let (mut child, _home) = spawn(&server, "delete -q -l R -V 4.3.0");
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(status));
        assert!(!stderr_of(&mut child).contains("pipe"));
    }
}

#[test]
fn prints_lines_before_the_task_ends() {
    for words in ["delete -l R -V 4.3.0", "purge -l R -y"] {
        let server = server_with_tasks_of(Duration::from_secs(60));
        let (mut child, _home) = spawn(&server, words);
        // Without a terminal too, a line is not held back until more of them fill a buffer.
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        assert!(line.ends_with("Deleting runtime cache..."), "{line}");
        assert_eq!(child.try_wait().unwrap(), None);
        assert_eq!(caches(&server).len(), 2);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn fails_if_results_cannot_be_written() {
    let server = Server::start(Config::default());
    let words =
        ["list", "list --json", "check", "purge --all -d", "delete -l R -V 4.3.0", "--version", "--help"];
    for words in words {
        let (mut command, _home) = connect_cache(&server).words(words).into_command();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {stderr}");
        // It comes last, since it explains the status.
        let last = stderr.lines().last().unwrap();
        let says = "error: cannot write results to standard output: No space left";
        assert!(last.starts_with(says), "{words}: {stderr}");
    }
    // The deletion was completed nevertheless.
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn ends_by_the_signal_after_printing_the_task_id() {
    use std::os::unix::process::ExitStatusExt;

    let server = server_with_tasks_of(Duration::from_secs(60));
    let (mut child, _home) = spawn(&server, "delete -l R -V 4.3.0");
    server.wait_for("a poll of the task", Duration::from_secs(30), |requests| {
        requests.iter().any(|request| request.endpoint == Endpoint::Task)
    });
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("deleting"));
    let started = lines.next().unwrap();
    let id =
        started.strip_prefix("R 4.3.0 Local: task ").and_then(|rest| rest.strip_suffix(" started")).unwrap();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    crate::support::run(&server, &format!("task {id}")).exits(7);
}

#[test]
fn writes_no_control_characters_without_a_terminal() {
    let server = server_with_tasks_of(Duration::from_secs(2));
    let ran = crate::support::run(&server, "delete -l R -V 4.3.0").exits(0);
    assert!(!ran.stderr.contains(['\r', '\x1b']), "{ran:#?}");
}

#[test]
fn escapes_control_characters_from_the_server() {
    let lines = vec!["\x1b[2Jcleared\u{202e}".to_owned(), "tab\there".to_owned()];
    let plan = Plan { code: 1, error: "bad\x07\nerror: forged".into(), lines, ..Plan::default() };
    let server = Server::builder().plan(plan).start();
    let ran = crate::support::run(&server, "delete -l R -V 4.3.0").exits(1);
    assert_eq!(ran.stdout, "\\u{1b}[2Jcleared\\u{202e}\ntab\there\n");
    let ran = ran.says("bad\\u{7}\\nerror: forged");
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{ran:#?}");
    let ran = crate::support::run(&server, "delete --json -l R -V 4.3.0").exits(1);
    assert_eq!(ran.json()["output"][0], "\x1b[2Jcleared\u{202e}");
    assert_eq!(ran.json()["error"], "bad\x07\nerror: forged");
}

#[test]
fn writes_a_line_of_a_task_before_the_task_has_ended() {
    let plan = Plan { lines: vec!["first".to_owned()], ..Plan::lasting(Duration::from_secs(3)) };
    let server = Server::builder().plan(plan).start();
    for words in ["delete -l R -V 4.3.0", "purge -l python -y"] {
        let (mut child, _home) = spawn(&server, words);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let caches = caches(&server).len();
        assert!(line.ends_with("first\n") && child.wait().unwrap().success(), "{line}");
        // What the task deletes was still there.
        assert_eq!(caches, self::caches(&server).len() + 1, "{words}");
    }
}
