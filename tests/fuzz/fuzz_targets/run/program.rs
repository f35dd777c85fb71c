//! Runs the program: in this process, or a binary.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::panic;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::dup;
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended it.
    pub status: Option<i32>,
}

/// Returns the binary to run, if it is not the program in this process.
pub fn binary() -> Option<&'static OsString> {
    static BINARY: OnceLock<Option<OsString>> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("CONNECT_CACHE_BIN").filter(|path| !path.is_empty())).as_ref()
}

/// Runs a binary with these arguments and no environment.
pub fn run_binary(binary: &OsString, args: &[String]) -> Ran {
    let output =
        Command::new(binary).args(args).env_clear().stdin(Stdio::null()).output().expect("a program");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code() }
}

/// The standard streams of this process.
static STREAMS: OnceLock<[OwnedFd; 2]> = OnceLock::new();

/// Calls `run`, which writes to the standard streams, and returns what it wrote and its status.
pub fn run_here(run: impl FnOnce() -> u8) -> Ran {
    static FILES: OnceLock<[File; 2]> = OnceLock::new();
    let [out, err] = FILES.get_or_init(|| ["stdout", "stderr"].map(memory));
    STREAMS.get_or_init(|| {
        restore_before_panics();
        [dup(stdout()), dup(stderr())].map(|stream| stream.expect("a standard stream"))
    });
    dup2_stdout(out).and_then(|()| dup2_stderr(err)).expect("standard streams");
    let status = run();
    restore();
    Ran { stdout: content(out), stderr: content(err), status: Some(status.into()) }
}

fn restore() {
    if let Some([out, err]) = STREAMS.get() {
        dup2_stdout(out).and_then(|()| dup2_stderr(err)).expect("standard streams");
    }
}

/// Has panics reported to the standard streams, not to a file.
fn restore_before_panics() {
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
