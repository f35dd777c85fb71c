//! The lines of a task's output, passed on while the reply to a poll arrives.
//!
//! A task may have printed a million lines since the last poll, and the reply has them all. No line is kept once it
//! has been passed on, so that memory does not grow with the output, and a reply that breaks off is not lost.

use crate::json::{Fields, Json, Unreadable};
use crate::secrets::Secrets;
use crate::{Task, TaskId};

/// Limit for a line together with the rest of the reply.
const MAX_KEPT: usize = 32 << 20;

/// Takes the lines out of the reply to a poll as it arrives.
pub(crate) struct Lines<'a> {
    id: &'a TaskId,
    secrets: &'a Secrets,
    /// The reply so far, without the lines that were passed on.
    rest: Vec<u8>,
    /// How many brackets and braces are open.
    depth: usize,
    in_string: bool,
    /// Whether a backslash came before the next character of a string.
    escaped: bool,
    /// Where the next line or its comma starts in `rest`, as long as all of the output are lines.
    start: Option<usize>,
    /// Whether a line has been passed on.
    passed_on: bool,
}

impl<'a> Lines<'a> {
    /// Creates a reader of the reply about this task.
    pub(crate) fn new(id: &'a TaskId, secrets: &'a Secrets) -> Self {
        Self {
            id,
            secrets,
            rest: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            start: None,
            passed_on: false,
        }
    }

    /// Reads the next part of the reply, and calls `on_line` with each line that is complete; reports whether the
    /// reply is short enough so far.
    pub(crate) fn take(&mut self, part: &[u8], on_line: &mut dyn FnMut(&str)) -> bool {
        for &byte in part {
            self.rest.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = self.in_string,
                b'"' => {
                    self.in_string = !self.in_string;
                    if let (false, 2, Some(start)) = (self.in_string, self.depth, self.start) {
                        self.pass_on(start, on_line);
                    }
                }
                b'{' | b'[' if !self.in_string => {
                    if self.depth == 1 {
                        self.start = self.is_output().then_some(self.rest.len());
                    }
                    self.depth += 1;
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        !self.is_too_long()
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.rest.len() > MAX_KEPT
    }

    /// Returns the object in the complete reply. Its `output` has only what was not passed on.
    pub(crate) fn finish(mut self) -> Result<Fields, Unreadable> {
        // Without the lines that were passed on, what is left may not look like the start of JSON.
        if self.passed_on && self.depth > 0 {
            return Err(Unreadable::Cut);
        }
        self.secrets.mask(&mut self.rest);
        Json::read(&self.rest)?.try_into().map_err(Unreadable::Unexpected)
    }

    /// Reports whether `rest` ends with the start of this task's `output`. If its ID comes later, all lines are kept
    /// until then: a gateway may mix up replies, and those of another task must not be shown.
    fn is_output(&self) -> bool {
        let whole = [&self.rest, b"]}".as_slice()].concat();
        let Ok(Json::Object(mut fields)) = Json::read(&whole) else { return false };
        let is_last = fields.0.last().is_some_and(|(name, _)| name == Task::OUTPUT);
        is_last && fields.text("id").is_ok_and(|id| id.as_deref() == Some(self.id.as_str()))
    }

    /// Passes on the line at the end of `rest`. Anything but lines remains, so that it cannot be read as a task.
    fn pass_on(&mut self, start: usize, on_line: &mut dyn FnMut(&str)) {
        let mut line = self.rest[start..].trim_ascii_start();
        if self.passed_on {
            line = line.strip_prefix(b",").unwrap_or_default();
        }
        let mut line = line.to_vec();
        self.secrets.mask(&mut line);
        if let Ok(Json::Text(line)) = Json::read(&line) {
            on_line(&line);
            self.passed_on = true;
            self.rest.truncate(start);
        } else {
            self.start = None;
            if self.passed_on {
                // Without the line before it, a value might look like the first one.
                self.rest.insert(start, b',');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a reply about the task `a` that arrives in parts of `size` bytes: the lines that were passed on, and those
    /// that remained.
    fn read(reply: &str, size: usize) -> (Vec<String>, Result<Vec<String>, String>) {
        let (id, key) = ("a".parse().unwrap(), "secret-key".parse().unwrap());
        let secrets = Secrets::new(Some(&key), None, &[]);
        let mut lines = Lines::new(&id, &secrets);
        let mut passed_on = Vec::new();
        for part in reply.as_bytes().chunks(size) {
            assert!(lines.take(part, &mut |line| passed_on.push(line.to_owned())));
        }
        let fields = lines.finish().map_err(|error| format!("{error:?}"));
        (passed_on, fields.and_then(|mut fields| Task::output(&mut fields)))
    }

    #[test]
    fn recognizes_a_reply_that_ends_early() {
        let reply = r#"{"id":"a","output":["one","two","three"],"more":[{}]}"#;
        for end in 1..reply.len() {
            assert_eq!(read(&reply[..end], 8).1, Err("Cut".to_owned()), "{}", &reply[..end]);
        }
    }

    #[test]
    fn passes_on_lines_wherever_the_reply_is_cut() {
        let reply = r#" {"x":[["id"]], "id" : "a" , "\u006futput" : [ "one" ,"[\"two\\" , "",
            "the secret-\u006bey, caf\u00e9"] , "more":{"output":["x"]},"output_":["y"]} "#;
        for size in 1..=reply.len() {
            let (lines, rest) = read(reply, size);
            assert_eq!(lines, ["one", "[\"two\\", "", "the ***, caf\u{e9}"], "{size}");
            assert_eq!(rest, Ok(vec![]), "{size}");
        }
        // Brackets in a string are text.
        let reply = r#"{"id":"a","output":["[{","]}}]","three"]}"#;
        assert_eq!(read(reply, 7), (["[{", "]}}]", "three"].map(String::from).to_vec(), Ok(vec![])));
        assert_eq!(read("\u{feff}{\"id\":\"a\",\"output\":[]}", 1), (vec![], Ok(vec![])));
    }

    #[test]
    fn keeps_lines_of_a_reply_that_does_not_name_the_task_first() {
        for reply in [
            r#"{"output":["one","two"],"id":"a"}"#,
            r#"{"id":"b","output":["one","two"]}"#,
            r#"{"id":7,"output":["one","two"]}"#,
            r#"{"id":"a","id":"b","output":["one","two"]}"#,
        ] {
            let (lines, rest) = read(reply, 3);
            assert_eq!((lines.len(), rest.map(|rest| rest.len())), (0, Ok(2)), "{reply}");
        }
    }

    #[test]
    fn passes_on_the_lines_before_an_error() {
        for (output, number) in [
            (r#"["one" "two"]"#, 1),
            (r#"["one",,"two"]"#, 1),
            (r#"["one",2,"three"]"#, 1),
            (r#"["one",{"two":"x"},"three"]"#, 1),
            (r#"["one",["two"],"three"]"#, 1),
            (r#"["one",]"#, 1),
            (r#"[,"one"]"#, 0),
            (r#"[1,"two"]"#, 0),
            (r#"["one","\x"]"#, 1),
            (r#"["one","two"#, 1),
            (r#"["one"],"output":["two"]"#, 1),
        ] {
            let (lines, rest) = read(&format!(r#"{{"id":"a","output":{output}}}"#), 7);
            assert_eq!(lines.len(), number, "{output}");
            assert!(rest.is_err(), "{output}");
        }
    }

    #[test]
    fn limits_what_is_kept() {
        let (id, key) = ("a".parse().unwrap(), "secret-key".parse().unwrap());
        let secrets = Secrets::new(Some(&key), None, &[]);
        let mut lines = Lines::new(&id, &secrets);
        let mut bytes = 0;
        assert!(lines.take(br#"{"id":"a","output":["#, &mut |_| {}));
        let line = format!("\"{}\"", "x".repeat(1 << 20));
        for number in 0..40 {
            assert!(number == 0 || lines.take(b",", &mut |_| {}));
            assert!(lines.take(line.as_bytes(), &mut |line| bytes += line.len()));
        }
        assert_eq!(bytes, 40 << 20);
        let long = "x".repeat(MAX_KEPT);
        assert!(!lines.take(long.as_bytes(), &mut |_| {}));
        assert!(lines.is_too_long());
    }
}
