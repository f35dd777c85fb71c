//! What people and scripts get to read. Results go to standard output, all else to standard error.

use std::io::{self, ErrorKind::BrokenPipe, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::hints::next_step;
use crate::secrets::Secrets;
use crate::{Error, Event, ExitStatus, ServerUrl, escape};

/// The two streams of one run.
pub(crate) struct Reporter {
    begun: Instant,
    quiet: bool,
    verbose: u8,
    /// Whether a person watches standard error: it then has one live line at its end.
    watched: bool,
    live_line_shown: bool,
    /// Whether the reader of standard output has gone: what it misses is not worth a word.
    reader_gone: bool,
    write_error: Option<io::Error>,
    /// The deprecated endpoints warned of.
    deprecated: Vec<String>,
    /// What must not be shown, should the server echo it.
    secrets: Secrets,
}

impl Reporter {
    pub(crate) fn new(begun: Instant, quiet: bool, verbose: u8, watched: bool) -> Self {
        Self {
            begun,
            quiet,
            verbose,
            watched,
            live_line_shown: false,
            reader_gone: false,
            write_error: None,
            deprecated: Vec::new(),
            secrets: Secrets::default(),
        }
    }

    /// The same, for a run with these secrets.
    pub(crate) fn keeping(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Text on standard output, as it is.
    pub(crate) fn print(&mut self, text: &str) {
        self.clear_live_line();
        if self.reader_gone || self.write_error.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        match out.write_all(self.secrets.masked_in(text).as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == BrokenPipe => self.reader_gone = true,
            Err(error) => self.write_error = Some(error),
        }
    }

    /// A line for people on standard output.
    pub(crate) fn line(&mut self, text: &str) {
        self.print(&[&escape(text), "\n"].concat());
    }

    /// A JSON value on one line of standard output.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        // No map here has keys other than strings, which is all that could fail.
        let text = serde_json::to_string(value).unwrap_or_default();
        // A task's result is as the server wrote it, perhaps on several lines; in strings they are escaped.
        self.print(&[&text.replace(['\r', '\n'], " "), "\n"].concat());
    }

    /// What goes on.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    pub(crate) fn warn(&mut self, text: &str) {
        self.note(&["warning: ", text].concat());
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.say(&["error: ", text].concat());
    }

    /// A request that did not get what it was for, with the next step.
    pub(crate) fn failure(&mut self, error: &Error, server: &ServerUrl) {
        self.error(&explained(error, server));
    }

    /// A question on standard error; the answer is typed behind it.
    pub(crate) fn ask(&mut self, question: &str) {
        self.clear_live_line();
        let _ = io::stderr().write_all(question.as_bytes());
    }

    /// The live line, where a person watches: what goes on, and since when.
    pub(crate) fn live(&mut self, text: &str) {
        if self.watched && !self.quiet {
            let line = ["\r\x1b[K", &escape(text), ", ", &self.elapsed()].concat();
            let _ = io::stderr().write_all(line.as_bytes());
            self.live_line_shown = true;
        }
    }

    /// The time since the run began, for people.
    pub(crate) fn elapsed(&self) -> String {
        in_words(self.begun.elapsed())
    }

    /// What the client does.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Retrying { error, delay } => {
                self.note(&format!("{error}; trying again in {}", in_words(*delay)));
            }
            Event::Deprecated { path, instead } => {
                // Once for all tasks, whose paths differ by their ids.
                let endpoint: String = path.split_inclusive('/').take(2).collect();
                if self.deprecated.contains(&endpoint) {
                    return;
                }
                self.deprecated.push(endpoint);
                self.warn(&format!("the server calls {path} deprecated; instead: {instead}"));
            }
            Event::Request { method, url } if self.verbose > 1 => {
                self.note(&["> ", method, " ", url].concat())
            }
            Event::Reply { method, url, status, headers, body, mask, elapsed } if self.verbose > 0 => {
                let bytes = body.len();
                self.note(&format!("{method} {url}: {status}, {bytes} bytes in {} ms", elapsed.as_millis()));
                if self.verbose > 1 {
                    for (name, value) in *headers {
                        let value = masked(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
                        self.note(&mask(&["< ", name.as_str(), ": ", &value].concat()));
                    }
                    // Masked in more than is shown, since what is cut in half is not found.
                    let body = mask(&String::from_utf8_lossy(&body[..body.len().min(8192)]));
                    let start: String = body.chars().take(1000).collect();
                    self.note(&["< ", &start].concat());
                }
            }
            Event::NoReply { method, url, reason, elapsed } if self.verbose > 0 => {
                self.note(&format!("{method} {url}: {reason}, after {} ms", elapsed.as_millis()));
            }
            _ => {}
        }
    }

    /// Ends the run: a result that could not be written is never a success.
    pub(crate) fn finish(&mut self, status: ExitStatus) -> ExitStatus {
        self.clear_live_line();
        match self.write_error.take() {
            Some(error) => {
                self.error(&format!("cannot write to standard output: {error}"));
                if status == ExitStatus::Success { ExitStatus::Failed } else { status }
            }
            None => status,
        }
    }

    fn say(&mut self, text: &str) {
        self.clear_live_line();
        // Where standard error cannot be written to, there is nobody to tell.
        let _ = io::stderr().write_all([&escape(&self.secrets.masked_in(text)), "\n"].concat().as_bytes());
    }

    fn clear_live_line(&mut self) {
        if std::mem::take(&mut self.live_line_shown) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

/// An error and the next step, in one line.
pub(crate) fn explained(error: &Error, server: &ServerUrl) -> String {
    match next_step(error, server) {
        Some(step) => format!("{error}; {step}"),
        None => error.to_string(),
    }
}

/// A reply's header without what is as good as a key: cookies, and what a redirect's query may hold.
fn masked(name: &str, value: &str) -> String {
    match name {
        "set-cookie" => [value.split_once('=').map_or("", |(name, _)| name), "=***"].concat(),
        "location" => value.split(['?', '#']).next().unwrap_or_default().to_owned(),
        _ => value.to_owned(),
    }
}

/// A time for people: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 5 min`.
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
    fn times_are_in_words() {
        for (seconds, words) in
            [(0.44, "0.4 s"), (12.9, "12 s"), (200.0, "3 min 20 s"), (3600.0 + 300.0, "1 h 5 min")]
        {
            assert_eq!(in_words(Duration::from_secs_f64(seconds)), words);
        }
    }

    #[test]
    fn traces_show_no_cookie_and_no_query() {
        assert_eq!(masked("set-cookie", "route=node1; Path=/"), "route=***");
        assert_eq!(masked("set-cookie", "secret"), "=***");
        assert_eq!(masked("location", "https://host/login?token=x"), "https://host/login");
        assert_eq!(masked("server", "nginx"), "nginx");
    }
}
