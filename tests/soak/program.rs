//! Runs the program as a process, and sends it signals.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use connect_test_server::{Request, Server};

use crate::scenario::{self, Scenario, Signal};

/// A run that takes longer hangs.
const LONGEST_RUN: Duration = Duration::from_secs(150);
/// How long a process is stopped, which is longer than some of its requests may take.
const STOPPED: Duration = Duration::from_millis(1500);

/// The output and the end of a process.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended the program.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Ran {
    /// Reports whether the program exited by one of its statuses, or by the signal that it was sent.
    pub fn ended_well(&self, signal: Option<Signal>) -> bool {
        match self.status {
            Some(status) => (0..8).contains(&status),
            None => signal.is_some_and(|signal| Some(signal.number) == self.signal),
        }
    }

    /// Returns the cache, as the program names it, and the ID of each task that has started.
    pub fn tasks(&self) -> Vec<(&str, &str)> {
        let task = |line| str::split_once(line, ": task ");
        let started = self.stderr.lines().filter_map(task);
        started.filter_map(|(cache, rest)| Some((cache, rest.strip_suffix(" started")?))).collect()
    }
}

/// A process of the program.
pub struct Process {
    child: Child,
    number: usize,
    stdout: thread::JoinHandle<String>,
    stderr: thread::JoinHandle<String>,
    started_at: Instant,
    /// Its peak memory in KiB, as far as it was seen.
    pub peak: u64,
    signal: Option<Signal>,
    ended: bool,
}

impl Process {
    /// Starts the process of this number. The header that carries it tells its requests from those of others.
    pub fn start(scenario: &Scenario, server: &Server, number: usize) -> Process {
        let mut words = scenario.words.clone();
        words.extend(["-H".to_owned(), header(number)]);
        words.extend(scenario.word.into_iter().flat_map(|word| ["-H".to_owned(), format!("X-Word: {word}")]));
        let mut child = command(server).args(&words).spawn().unwrap();
        Process {
            stdout: collect(child.stdout.take()),
            stderr: collect(child.stderr.take()),
            child,
            number,
            started_at: Instant::now(),
            peak: 0,
            ended: false,
            signal: scenario.signal.filter(|_| number == 0),
        }
    }

    /// Returns its requests.
    pub fn requests(&self, all: Vec<Request>) -> Vec<Request> {
        let own = self.number.to_string();
        all.into_iter().filter(|request| request.header("x-process") == Some(&own)).collect()
    }

    /// Reports whether it has ended. Sends its signal if that is due after this number of requests.
    pub fn has_ended(&mut self, requests: usize) -> bool {
        // Another program may have its number by now.
        if self.ended {
            return true;
        }
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        // Its memory cannot be read once it has ended. Until it runs the program, it shares that of this one.
        let this = std::env::current_exe().unwrap();
        if fs::read_link(process.join("exe")).is_ok_and(|program| program != this) {
            self.peak = self.peak.max(memory(&process, "VmHWM:"));
        }
        self.ended = self.child.try_wait().unwrap().is_some();
        if self.ended {
            return true;
        }
        if let Some(Signal { name, .. }) = self.signal.take_if(|signal| requests >= signal.after) {
            self.send(name);
            if name == "STOP" {
                thread::sleep(STOPPED);
                self.send("CONT");
            }
        }
        if self.started_at.elapsed() > LONGEST_RUN {
            self.child.kill().unwrap();
        }
        false
    }

    fn send(&self, signal: &str) {
        // The process may have ended. Its ID is still its own, since nobody has waited for it.
        let line = format!("kill -{signal} {} 2>&-", self.child.id());
        Command::new("sh").args(["-c", &line]).status().unwrap();
    }

    pub fn end(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        Ran {
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
            status: status.code(),
            signal: status.signal(),
        }
    }
}

/// Returns the header that carries the number of a process.
fn header(number: usize) -> String {
    format!("X-Process: {number}")
}

/// Follows a task to its end.
pub fn resume(server: &Server, task: &str) -> Ran {
    let output = command(server).args(["task", task, "--wait", "--json"]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        status: output.status.code(),
        signal: output.status.signal(),
    }
}

fn command(server: &Server) -> Command {
    let binary = std::env::var("CONNECT_CACHE_BIN");
    let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_connect-cache").to_owned());
    let mut command = Command::new(binary);
    command.env_clear().env("CONNECT_SERVER", server.url()).env("CONNECT_API_KEY", scenario::KEY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Reads a stream to its end while the program runs, so that a full pipe does not stop it.
fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

/// Returns a line of a process's status in KiB; 0 if the process has ended.
pub fn memory(process: &Path, line: &str) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
