//! Runs the program: in this process or, with CONNECT_CACHE_BIN, that binary.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::dup;
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

use crate::cli;
use crate::clock;
use crate::server::{self, Answer, Request};

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended it.
    pub status: Option<i32>,
}

impl Ran {
    /// Checks what every run has to hold: its exit status, and output that shows no secret and leaves a terminal alone.
    pub fn problem(&self, secrets: &[&str]) -> Option<&'static str> {
        let Self { stdout, stderr, status } = self;
        let has_error = stderr.lines().any(|line| line.starts_with("error: "));
        let is_unsafe = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        match status {
            None => Some("it did not exit"),
            Some(status) if !(0..=7).contains(status) => Some("the exit status is not from 0 to 7"),
            Some(0) if has_error => Some("an error, but the exit status is 0"),
            // Without arguments the program shows its help.
            Some(1..=6) if !has_error && !stderr.starts_with("Usage:") => Some("a failure without an error"),
            _ if secrets.iter().any(|secret| stdout.contains(secret) || stderr.contains(secret)) => {
                Some("a secret is in the output")
            }
            // JSON has its own escapes for control characters, and carries others as they are.
            _ if stderr.contains(is_unsafe) => Some("a control character is in standard error"),
            _ => None,
        }
    }
}

/// Runs the program with these arguments while a server answers its requests.
///
/// The server is also the proxy of the environment, so that no request leaves this host.
pub fn run(args: &[String], answer: impl FnMut(Request) -> Answer + Send) -> Ran {
    set_up();
    server::serve(answer, || match binary() {
        Some(binary) => run_binary(binary, args),
        None => run_here(|| cli::run(args.iter().map(Into::into)) as u8),
    })
}

/// Returns the folder for files of this process. rsconnect's saved servers are in `rsconnect-python` in it.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = env::temp_dir().join(format!("connect-cache-fuzz-{}", process::id()));
        fs::create_dir_all(folder.join("rsconnect-python")).expect("a folder");
        folder
    })
}

/// Reports whether a binary runs, for which time does not pass by itself.
pub fn is_binary() -> bool {
    binary().is_some()
}

/// Returns the binary to run, if it is not the program in this process.
fn binary() -> Option<&'static OsString> {
    static BINARY: OnceLock<Option<OsString>> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("CONNECT_CACHE_BIN").filter(|path| !path.is_empty())).as_ref()
}

/// Replaces the environment, which the program reads, before the first run.
fn set_up() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        binary();
        let folder = folder();
        // SAFETY: no other thread reads the environment.
        unsafe {
            env::vars_os().for_each(|(name, _)| env::remove_var(name));
            env::set_var("XDG_CONFIG_HOME", folder);
            ["HTTP_PROXY", "HTTPS_PROXY"].iter().for_each(|name| env::set_var(name, server::url()));
        }
        clock::start();
        restore_before_panics();
    });
}

fn run_binary(binary: &OsString, args: &[String]) -> Ran {
    let output = Command::new(binary).args(args).stdin(Stdio::null()).output().expect("a program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code() }
}

/// Returns the standard streams of this process.
fn streams() -> &'static [OwnedFd; 2] {
    static STREAMS: OnceLock<[OwnedFd; 2]> = OnceLock::new();
    STREAMS.get_or_init(|| [dup(stdout()), dup(stderr())].map(|stream| stream.expect("a standard stream")))
}

/// Calls `run`, which writes to the standard streams, and returns what it wrote and its status.
fn run_here(run: impl FnOnce() -> u8) -> Ran {
    static FILES: OnceLock<[File; 2]> = OnceLock::new();
    let [out, err] = FILES.get_or_init(|| ["stdout", "stderr"].map(memory));
    dup2_stdout(out).and_then(|()| dup2_stderr(err)).expect("standard streams");
    let status = run();
    restore();
    Ran { stdout: content(out), stderr: content(err), status: Some(status.into()) }
}

fn restore() {
    let [out, err] = streams();
    dup2_stdout(out).and_then(|()| dup2_stderr(err)).expect("standard streams");
}

/// Has panics reported to the standard streams, not to a file.
fn restore_before_panics() {
    streams();
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        restore();
        report(panic);
    }));
}

/// Returns a file in memory.
fn memory(name: &str) -> File {
    memfd_create(name, MemfdFlags::CLOEXEC).expect("memory").into()
}

/// Returns the content of a file, and empties it.
fn content(mut file: &File) -> String {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("output in UTF-8");
    file.set_len(0).and_then(|()| file.rewind()).expect("memory");
    text
}
