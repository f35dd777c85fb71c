//! Runs the program in an environment of its own, and checks its output and its exit status.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use connect_test_server::pki::{Ca, Leaf};
use connect_test_server::{Cache, Config, Endpoint, Plan, Request, Server};
use tempfile::TempDir;

/// Time limit for a run of the program, so that a program that hangs fails its test. It is far longer than any test
/// takes on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(100);

/// A command line of the program, without the environment variables of this process.
#[must_use = "a program that is not run tests nothing"]
pub struct Program {
    command: assert_cmd::Command,
    home: TempDir,
}

/// Returns the program, configured for `server` with the administrator's key.
pub fn connect_cache(server: &Server) -> Program {
    Program::new().env("CONNECT_SERVER", server.url()).env("CONNECT_API_KEY", "admin-key")
}

/// Runs the program against `server` with these arguments, which spaces separate.
#[must_use]
pub fn run(server: &Server, words: &str) -> Ran {
    connect_cache(server).words(words).run()
}

/// Returns the path of the program under test: `CONNECT_CACHE_BIN` if it is set, else the program that cargo built.
pub fn binary() -> String {
    std::env::var("CONNECT_CACHE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_connect-cache").to_owned())
}

impl Program {
    pub fn new() -> Self {
        let home = TempDir::new().unwrap();
        let mut command = assert_cmd::Command::new(binary());
        command.env_clear().env("HOME", home.path()).current_dir(home.path()).timeout(TIMEOUT);
        Self { command, home }
    }

    /// Returns the program's home directory, which is also its working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds arguments, which spaces separate.
    pub fn words(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.command.write_stdin(text);
        self
    }

    /// Writes a file in the program's home directory, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Fails the test if the run takes longer than this.
    pub fn within(mut self, time: Duration) -> Self {
        self.command.timeout(time);
        self
    }

    /// Makes the program trust only this authority.
    pub fn trusting(self, ca: &Ca) -> Self {
        let path = self.file("ca.pem", &ca.pem());
        self.env("CONNECT_CA_CERTIFICATE", path)
    }

    #[must_use]
    pub fn run(mut self) -> Ran {
        let output = self.command.output().unwrap();
        Ran {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code(),
        }
    }

    /// Returns a plain command, for tests that control the process, with the home directory, which is removed on drop.
    pub fn into_command(self) -> (Command, TempDir) {
        // The tests may run in a shell's background job, which ignores interrupts, and the program would inherit that.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal=INT").arg(self.command.get_program());
        command.args(self.command.get_args()).env_clear().current_dir(self.home.path()).stdin(Stdio::null());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        (command, self.home)
    }
}

/// The output and the exit status of a run.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended the program.
    pub status: Option<i32>,
}

impl Ran {
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn prints(self, stdout: &str) -> Self {
        assert_eq!(self.stdout, stdout, "{self:#?}");
        self
    }

    /// Asserts that standard output contains this line.
    #[track_caller]
    pub fn prints_line(self, line: &str) -> Self {
        assert!(self.stdout.lines().any(|printed| printed == line), "no {line:?} in {self:#?}");
        self
    }

    /// Asserts that standard error contains `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text) && !self.stdout.contains(text), "{text:?} in {self:#?}");
        self
    }

    /// Asserts that standard error is one line, an error that contains `text`.
    #[track_caller]
    pub fn fails_with(self, text: &str) -> Self {
        assert_eq!(self.stderr.lines().count(), 1, "{self:#?}");
        assert!(self.stderr.starts_with("error: ") && self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub fn says_nothing(self) -> Self {
        assert_eq!(self.stderr, "", "{self:#?}");
        self
    }

    /// Parses standard output, which must be one line of JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// Starts a server on which each deletion task takes `duration`.
pub fn server_with_tasks_of(duration: Duration) -> Server {
    Server::builder().plan(Plan::lasting(duration)).start()
}

/// Starts an https server with a certificate that this authority issued.
pub fn server_over_tls(ca: &Ca, config: Config) -> Server {
    Server::start(config.tls(ca.issue(&Leaf::default())))
}

/// Returns the caches on the server as sorted lines of language, version and image.
pub fn caches(server: &Server) -> Vec<String> {
    let mut caches: Vec<String> = server.caches().iter().map(Cache::to_string).collect();
    caches.sort();
    caches
}

/// Returns the requests to `endpoint` that the server received.
pub fn requests_to(server: &Server, endpoint: Endpoint) -> Vec<Request> {
    server.requests().into_iter().filter(|request| request.endpoint == endpoint).collect()
}

/// Returns the endpoint of each request that the server received, in order.
pub fn endpoints(server: &Server) -> Vec<Endpoint> {
    server.requests().iter().map(|request| request.endpoint).collect()
}
