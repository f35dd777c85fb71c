//! The test server as a program.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::*;
use serde_json::{Value, json};

/// A program that ends with the test.
struct Running(Child);

/// Waits for the file that the program writes once it listens, and returns its text.
fn wait_until_ready(ready: &Path) -> String {
    let started = Instant::now();
    while !ready.exists() {
        assert!(started.elapsed() < Duration::from_secs(10), "the server is not ready");
        thread::sleep(Duration::from_millis(5));
    }
    fs::read_to_string(ready).unwrap()
}

fn server(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-test-server"));
    command.args(args).stdout(Stdio::null());
    command
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn lets_scripts_control_it() {
    let dir = std::env::temp_dir().join(format!("connect-test-server-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (ready, log) = (dir.join("ready"), dir.join("requests"));
    let mut command =
        server(&["--prefix", "/connect", "--nodes", "2", "--balancer", "--task-seconds", "0.1"]);
    command.args(["--cache", "R,4.3.0,Local", "--fail", "R,4.3.0,Local"]);
    command.arg("--ready").arg(&ready).arg("--requests").arg(&log);
    let program = Running(command.spawn().unwrap());

    let urls = wait_until_ready(&ready);
    let [url, node0, _] = urls.lines().collect::<Vec<_>>()[..] else {
        panic!("{urls}");
    };
    let started = request_url(url, &format!("DELETE {CACHES}"), "admin-key", "", R).json();
    let poll = format!("GET /__api__/v1/tasks/{}?wait=5", started["task_id"].as_str().unwrap());
    let task = request_url(node0, &poll, "admin-key", "Cookie: a=b\r\n", "").json();
    assert_eq!(
        (&task["code"], &task["error"]),
        (&json!(1), &json!("Failed to delete runtime cache: permission denied"))
    );
    let running = request_url(url, "GET /__control__/max_running", "", "", "").json();
    assert_eq!(running, json!({ "max_running": 1 }));
    let restarted = request_url(node0, "POST /__control__/restart?node=0", "", "", "");
    assert_eq!(restarted.status, 200);
    assert_eq!(request_url(node0, &poll, "admin-key", "", "").code(), (404, 141));

    let lines = fs::read_to_string(&log).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.collect::<Vec<_>>();
    let requests = request_url(url, "GET /__control__/requests", "", "", "").json();
    assert_eq!(requests, json!({ "requests": lines }));
    assert_eq!(
        lines[1],
        json!({
            "endpoint": "Task", "method": "GET", "path": lines[1]["path"], "query": "wait=5",
            "status": 200, "node": 0, "connection": 2, "user": "admin", "cookie": true,
        })
    );
    drop(program);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn takes_the_replies_to_missing_caches_and_a_rate_limit_from_options() {
    let dir = std::env::temp_dir().join(format!("connect-test-server-options-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let start = |args: &[&str]| {
        let ready = dir.join("ready");
        let program = Running(server(args).arg("--ready").arg(&ready).spawn().unwrap());
        let url = wait_until_ready(&ready).lines().next().unwrap().to_string();
        fs::remove_file(ready).unwrap();
        (program, url)
    };
    let delete = |url: &str, body: &str| {
        request_url(url, &format!("DELETE {CACHES}"), "admin-key", "", &body.replace("4.3.0", "0.0.0")).code()
    };
    let (accepted, not_found) = ((200, 0), (404, 4));
    for (args, dry_run, started) in [
        (&[][..], not_found, not_found),
        (&["--missing", "not-found", "--missing-dry-run", "accepted"], accepted, not_found),
        (&["--missing", "task-fails"], accepted, accepted),
        (&["--missing", "task-succeeds", "--missing-dry-run", "not-found"], not_found, accepted),
    ] {
        let (_program, url) = start(args);
        assert_eq!((delete(&url, DRY), delete(&url, R)), (dry_run, started), "{args:?}");
    }
    for (args, limited) in [(&[][..], (503, 0)), (&["--limited-by-connect"], (429, 277))] {
        let args = [&["--rate", "0.01", "--burst", "1"], args].concat();
        let (_program, url) = start(&args);
        let replies = [(); 3].map(|()| delete(&url, DRY));
        assert_eq!(replies, [not_found, not_found, limited], "{args:?}");
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn rejects_options_that_contradict_each_other() {
    for (args, problem) in [
        (&["--missing", "maybe"][..], "expected not-found, task-fails or task-succeeds"),
        (&["--missing", "task-fails", "--unlisted", "R,4.1.0,Local"], "unlisted caches require"),
    ] {
        let mut program = Running(server(args).stderr(Stdio::piped()).spawn().unwrap());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = program.0.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{args:?} is accepted");
            thread::sleep(Duration::from_millis(5));
        };
        let mut text = String::new();
        program.0.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains(problem) && !status.success(), "{status}: {text}");
    }
}
