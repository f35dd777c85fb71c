//! The server as a program of its own.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::*;
use serde_json::{Value, json};

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn scripts_can_steer_it() {
    let dir = std::env::temp_dir().join(format!("connect-test-server-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (ready, log) = (dir.join("ready"), dir.join("requests"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-test-server"));
    command.args(["--prefix", "/connect", "--nodes", "2", "--balancer", "--task-seconds", "0.1"]);
    command.args(["--cache", "R,4.3.0,Local", "--fail", "R,4.3.0,Local"]);
    command.arg("--ready").arg(&ready).arg("--requests").arg(&log);
    let program = Running(command.stdout(Stdio::null()).spawn().unwrap());

    let begun = Instant::now();
    while !ready.exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is never ready");
        thread::sleep(Duration::from_millis(5));
    }
    let urls = fs::read_to_string(&ready).unwrap();
    let [url, node0, _] = urls.lines().collect::<Vec<_>>()[..] else {
        panic!("{urls}");
    };
    let started = ask_url(url, &format!("DELETE {CACHES}"), "admin-key", "", R).json();
    let look = format!("GET /__api__/v1/tasks/{}?wait=5", started["task_id"].as_str().unwrap());
    let task = ask_url(node0, &look, "admin-key", "Cookie: a=b\r\n", "").json();
    assert_eq!(
        (&task["code"], &task["error"]),
        (&json!(1), &json!("Failed to delete runtime cache: permission denied"))
    );
    let running = ask_url(url, "GET /__control__/max_running", "", "", "").json();
    assert_eq!(running, json!({ "max_running": 1 }));
    let restarted = ask_url(node0, "POST /__control__/restart?node=0", "", "", "");
    assert_eq!(restarted.status, 200);
    assert_eq!(ask_url(node0, &look, "admin-key", "", "").code(), (404, 141));

    let lines = fs::read_to_string(&log).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.collect::<Vec<_>>();
    let requests = ask_url(url, "GET /__control__/requests", "", "", "").json();
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
