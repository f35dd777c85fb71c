//! The tasks of a server, and their IDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::object::{Unreadable, or_default, unexpected};

/// Longer than any ID that Connect makes (16 characters), and short enough for a path.
const MAX_ID: usize = 256;

/// The ID of a task: at most 256 letters, digits, `-` and `_`.
///
/// ```
/// use connect_cache::TaskId;
///
/// let id: TaskId = "lFvijYN16kjCoal6".parse()?;
/// assert_eq!(id.as_str(), "lFvijYN16kjCoal6");
/// assert!("../user".parse::<TaskId>().is_err());
/// # Ok::<(), connect_cache::InvalidTaskId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct TaskId(String);

impl TaskId {
    /// Returns the ID's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = InvalidTaskId;

    fn from_str(text: &str) -> Result<Self, InvalidTaskId> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;

    fn try_from(text: String) -> Result<Self, InvalidTaskId> {
        // The ID becomes part of a path.
        let is_valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > MAX_ID || !text.bytes().all(is_valid) {
            return Err(InvalidTaskId);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not the ID of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTaskId;

impl fmt::Display for InvalidTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid task ID: expected at most 256 letters, digits, '-' and '_'")
    }
}

impl std::error::Error for InvalidTaskId {}

/// The state of a task: `GET v1/tasks/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Task {
    /// The task's ID.
    pub id: TaskId,
    /// The lines of output from the requested one on.
    #[serde(default, deserialize_with = "or_default")]
    pub output: Vec<String>,
    /// The task's result; null for a deletion.
    #[serde(default)]
    pub result: Value,
    /// Whether the task has finished.
    pub finished: bool,
    /// 0, or another number if the task failed.
    pub code: i64,
    /// Empty if nothing failed. A finished task with code 0 and an error did not succeed (Posit Publisher treats it
    /// as failed).
    #[serde(default, deserialize_with = "or_default")]
    pub error: String,
    /// The number of lines produced so far: the next request's `first`.
    pub last: u64,
}

impl Task {
    /// Checks that this is the task with this ID. A gateway may mix up replies: the end of another task must not count
    /// as the end of this one.
    pub(crate) fn of(self, id: &TaskId) -> Result<Self, Unreadable> {
        if self.id != *id {
            return Err(unexpected(format!("the state of task {}", self.id)));
        }
        Ok(self)
    }

    /// Reports whether the task has finished without an error.
    pub fn succeeded(&self) -> bool {
        self.finished && self.code == 0 && self.error.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::read;

    #[test]
    fn reads_tasks_as_servers_send_them() {
        let id = "a".parse().unwrap();
        let task = |body: &str| read::<Task>(body.as_bytes()).and_then(|task| task.of(&id));
        let full = r#"{"id":"a","output":["a","b"],"result":{"type":"","data":[1]},
                       "finished":true,"code":0,"error":"","last":2,"more":{}}"#;
        let read = task(full).unwrap();
        assert_eq!(read.output, ["a", "b"]);
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#"{"id":"a","output":["a","b"],"result":{"data":[1],"type":""},"finished":true,"code":0,"error":"","last":2}"#
        );
        let bare = r#"{"id":"a","output":null,"finished":false,"code":0,"error":null,"last":0}"#;
        assert_eq!(task(bare).unwrap().error, "");
        let deep = format!(r#"{{"id":"a","result":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(format!("{:?}", task(&deep)).contains("nested too deeply"));
        for wrong in [
            r#"{"id":"a/../b","finished":true,"code":0,"last":0}"#,
            r#"{"id":"b","finished":true,"code":0,"last":0}"#,
            r#"{"id":"a","output":"x","finished":true,"code":0,"last":0}"#,
            r#"{"id":"a","finished":true,"code":0,"last":-1}"#,
            r#"{"id":"a"}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(task(wrong).is_err(), "{wrong}");
        }
    }
}
