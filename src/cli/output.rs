//! The output for people and scripts. Results go to standard output, everything else to standard error.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind::BrokenPipe, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use connect_cache::Event;
use serde::Serialize;

use super::escape::escape;
use super::exit_status::ExitStatus;

/// The two streams of a run. Clones share them.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
    /// Whether standard error is a terminal.
    terminal: bool,
    /// Whether control sequences may be written to it, so that it ends in one live line.
    controls: bool,
    colors: bool,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The start of the time that the live line shows.
    started_at: Instant,
    live_line_shown: bool,
    /// Standard output, as a file, since Rust's own hides that the descriptor may not be open for writing. Nothing is
    /// written after an error, so that no result is missing between others.
    stdout: io::Result<BufWriter<File>>,
    /// The deprecated endpoints that were reported.
    deprecated: Vec<String>,
}

impl Output {
    pub(crate) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let controls = terminal && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colors = controls && env::var_os("NO_COLOR").unwrap_or_default().is_empty();
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let state = State {
            started_at: Instant::now(),
            live_line_shown: false,
            stdout: stdout.map(|stdout| BufWriter::new(stdout.into())),
            deprecated: Vec::new(),
        };
        Self { quiet: false, verbose: 0, terminal, controls, colors, state: Arc::new(Mutex::new(state)) }
    }

    /// Reports whether standard error is a terminal and --quiet is not set.
    pub(crate) fn interactive(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Reports whether a terminal gets one line for each cache of several.
    pub(crate) fn brief(&self) -> bool {
        self.terminal && self.verbose == 0
    }

    /// Restarts the time that the live line shows.
    pub(crate) fn restart_clock(&self) {
        self.state().started_at = Instant::now();
    }

    /// Returns the state for one write. No method calls another while it holds this.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes text to standard output as it is.
    pub(crate) fn print(&self, text: &str) {
        let mut state = self.state();
        state.clear_live_line();
        state.write_out(|stdout| stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
    }

    /// Writes a line for people to standard output, at the latest before anything else is written.
    pub(crate) fn line(&self, text: &str) {
        let mut state = self.state();
        state.clear_live_line();
        state.write_out(|stdout| writeln!(stdout, "{}", escape(text)));
    }

    /// Writes the lines to standard output that are not written yet.
    pub(crate) fn flush(&self) {
        self.state().write_out(BufWriter::flush);
    }

    /// Writes JSON to one line of standard output.
    pub(crate) fn json(&self, value: &impl Serialize) {
        // The program's records have no maps whose keys could not be written.
        let json = serde_json::to_string(value).unwrap_or_default();
        self.print(&format!("{json}\n"));
    }

    /// Prints a note unless --quiet is set.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Prints a warning unless --quiet is set.
    pub(crate) fn warn(&self, text: &str) {
        if !self.quiet {
            let label = if self.colors { "\x1b[33mwarning:\x1b[0m" } else { "warning:" };
            self.to_stderr(&format!("{label} {}\n", escape(text)));
        }
    }

    pub(crate) fn error(&self, text: &str) {
        let label = if self.colors { "\x1b[31merror:\x1b[0m" } else { "error:" };
        self.to_stderr(&format!("{label} {}\n", escape(text)));
    }

    /// Prints text to standard error, even if --quiet is set.
    pub(crate) fn say(&self, text: &str) {
        self.to_stderr(&format!("{}\n", escape(text)));
    }

    /// Writes text to standard error as it is, in the place of the live line. A question has no line end, since the
    /// answer is typed after it.
    pub(crate) fn to_stderr(&self, text: &str) {
        let mut state = self.state();
        state.write_out(BufWriter::flush);
        state.clear_live_line();
        // Ignore write errors: there is nowhere left to report them.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Shows the current activity and its duration on the live line, if the terminal allows it and --quiet is not set.
    pub(crate) fn live(&self, text: &str) {
        if self.controls && !self.quiet {
            let mut state = self.state();
            state.write_out(BufWriter::flush);
            let time = in_words(state.started_at.elapsed());
            // Line wrap is off around it: a narrow window cuts the line, and the next one replaces all of it.
            let line = format!("\x1b[?7l\r\x1b[K{}, {time}\x1b[?7h", escape(text));
            let _ = io::stderr().write_all(line.as_bytes());
            state.live_line_shown = true;
        }
    }

    /// Reports an event of the client, as far as --verbose and --quiet allow.
    pub(crate) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Retrying { error, delay, .. } => {
                self.note(&format!("{error}; retrying in {}", in_words(*delay)));
            }
            Event::Deprecated { path, instead, .. } => {
                // Once for all tasks, whose paths differ by their IDs.
                let endpoint: String = path.split_inclusive('/').take(2).collect();
                if !self.state().deprecated.contains(&endpoint) {
                    self.state().deprecated.push(endpoint);
                    self.warn(&format!("the server reports {path} as deprecated, replaced by {instead}"));
                }
            }
            Event::Request { method, url, body } if self.verbose > 1 => {
                let body = body.map(|body| format!(" {body}")).unwrap_or_default();
                self.note(&format!("> {method} {url}{body}"));
            }
            Event::Reply { method, url, status, headers, body, length, elapsed, .. } if self.verbose > 0 => {
                let ms = elapsed.as_millis() as u64;
                self.note(&format!("{method} {url}: {status}, {length} bytes in {ms} ms"));
                if self.verbose > 1 {
                    for (name, value) in *headers {
                        self.note(&format!("< {name}: {}", without_credentials(name, value)));
                    }
                    let start: String = body.chars().take(1000).collect();
                    self.note(&format!("< {start}"));
                }
            }
            Event::NoReply { method, url, reason, elapsed, .. } if self.verbose > 0 => {
                self.note(&format!("{method} {url}: {reason}, after {} ms", elapsed.as_millis() as u64));
            }
            _ => {}
        }
    }

    /// Ends the run: a result that could not be written is never a success.
    pub(crate) fn finish(&self, status: ExitStatus) -> ExitStatus {
        self.to_stderr("");
        let problem = match &self.state().stdout {
            // A reader that has closed the pipe wants no more.
            Err(error) if error.kind() != BrokenPipe => error.to_string(),
            _ => return status,
        };
        self.error(&format!("cannot write results to standard output: {problem}"));
        if status == ExitStatus::Success { ExitStatus::Failed } else { status }
    }
}

impl State {
    fn write_out(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        if let Ok(stdout) = &mut self.stdout {
            if let Err(error) = write(stdout) {
                self.stdout = Err(error);
            }
        }
    }

    fn clear_live_line(&mut self) {
        if std::mem::take(&mut self.live_line_shown) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

/// Returns a header's value without anything that may grant access: cookies, and the query of a redirect.
fn without_credentials(name: &str, value: &str) -> String {
    match name {
        "set-cookie" => format!("{}=***", value.split_once('=').map_or("", |(name, _)| name)),
        "location" => value.split(['?', '#']).next().unwrap_or_default().to_owned(),
        _ => value.to_owned(),
    }
}

/// Returns a time for people: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`.
pub(crate) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..=9 => format!("{s}.{} s", time.subsec_millis() / 100),
        s @ 10..=59 => format!("{s} s"),
        s @ 60..=3599 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_in_words() {
        for (seconds, words) in
            [(0.44, "0.4 s"), (12.9, "12 s"), (200.0, "3 min 20 s"), (3600.0 + 300.0, "1 h 5 min")]
        {
            assert_eq!(in_words(Duration::from_secs_f64(seconds)), words);
        }
    }

    #[test]
    fn hides_cookies_and_queries_in_traces() {
        assert_eq!(without_credentials("set-cookie", "route=node1; Path=/"), "route=***");
        assert_eq!(without_credentials("set-cookie", "secret"), "=***");
        assert_eq!(without_credentials("location", "https://host/login?token=x"), "https://host/login");
        assert_eq!(without_credentials("server", "nginx"), "nginx");
    }
}
