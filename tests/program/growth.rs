//! What a long reply costs: processor time in proportion to its length. Elapsed time would depend on the load.

use std::process::{Command, Stdio};
use std::time::Duration;

use connect_test_server::{Action, Config, Content, Endpoint, Fault, Server};

use crate::support::binary;

/// Runs the program, and returns what it prints to standard output with the processor time that it needs.
fn run(server: &Server, words: &str) -> (String, Duration) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("\"$0\" {words} && times"), &binary()]).env_clear().stdin(Stdio::null());
    command.env("CONNECT_SERVER", server.url()).env("CONNECT_API_KEY", "admin-key");
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The shell prints its own times, then those of its children, such as `0m1.20s 0m0.04s`.
    let lines: Vec<&str> = stdout.lines().collect();
    let (printed, [.., children]) = lines.split_at(lines.len() - 2) else { panic!("{stdout}") };
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
    };
    let time: f64 = children.split(' ').map(seconds).sum();
    (printed.join("\n"), Duration::from_secs_f64(time))
}

/// Returns what the program prints of a task whose state is this text, and the processor time that it needs.
fn read_task(members: &str) -> (String, Duration) {
    let state = r#""id":"abc","result":null,"finished":true,"code":0,"error":"","last":1"#;
    let server = Server::start(Config::default());
    server.fault(Fault::new(Endpoint::Task, Action::reply(200, format!("{{{members},{state}}}"))));
    run(&server, "task abc -q")
}

/// Asserts that ten times as much takes about ten times as long.
fn assert_proportional(short: Duration, long: Duration) {
    // The system counts in hundredths of a second.
    let short = short.max(Duration::from_millis(20));
    assert!(long <= 20 * short, "{short:?} and {long:?}");
}

#[test]
fn reads_nested_values_in_time_proportional_to_their_number() {
    let time = |number: usize| {
        let (printed, time) = read_task(&format!(r#"{}"output":["x"]"#, r#""a":[],"#.repeat(number)));
        assert_eq!(printed, "x");
        time
    };
    assert_proportional(time(4_000), time(40_000));
}

#[test]
fn reads_strings_in_time_proportional_to_their_length() {
    // The limit of a reply is 32 MiB.
    const MOST: usize = 32_000_000;
    for line in ["x".repeat(98), "x".repeat(999_998), "\\u001b[2J\\n".repeat(10)] {
        let time = |length: usize| {
            let lines = vec![format!("\"{line}\""); length / (line.len() + 3)];
            let (printed, time) = read_task(&format!(r#""output":[{}]"#, lines.join(",")));
            assert_eq!(printed.lines().count(), lines.len());
            time
        };
        assert_proportional(time(MOST / 10), time(MOST));
    }
}

#[test]
fn reads_a_content_list_in_time_proportional_to_its_length() {
    let time = |items: usize| {
        // An item is 2.6 KB long.
        let server = Server::builder().content([Content::items(items).r("4.3.0")]).start();
        let (printed, time) = run(&server, "list --usage -l r");
        assert_eq!(printed, format!("R  4.3.0  Local  {items}"));
        time
    };
    assert_proportional(time(5_000), time(50_000));
}
