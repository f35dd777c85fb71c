//! The shapes of Connect's API, and its endpoints as requests to make.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings" and "Users". Fields
//! that the program has no use for are ignored.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::config::InvalidConfig;

/// One runtime cache: `GET v1/system/caches/runtime` lists them, `DELETE` takes these three words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuntimeCache {
    /// `R` or `Python`; the server takes any case.
    pub language: String,
    /// The language's version, in three parts.
    pub version: String,
    /// `Local` for native execution, or an off-host image; in a list, its sanitized name.
    pub image_name: String,
}

impl fmt::Display for RuntimeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.language, self.version, self.image_name)
    }
}

/// The id of a task: letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskId(String);

impl TaskId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        // The id becomes part of a path; 256 is far beyond the 16 that Connect makes.
        let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > 256 || !text.bytes().all(valid) {
            return Err(InvalidConfig::new("a task id is made of letters, digits, '-' and '_'"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The state of a task: `GET v1/tasks/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The task's id.
    pub id: TaskId,
    /// The lines of output from the `first` asked for on.
    #[serde(default, deserialize_with = "null_as_default")]
    pub output: Vec<String>,
    /// What the task results in, as JSON; nothing for a deletion.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// Whether the task has ended.
    pub finished: bool,
    /// 0, or another number where the task failed.
    pub code: i64,
    /// Empty where nothing failed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub error: String,
    /// The lines produced so far, which is the next request's `first`.
    pub last: u64,
}

/// The user that an API key belongs to: `GET v1/user`.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// The user's name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub username: String,
    /// `viewer`, `publisher` or `administrator`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user_role: String,
}

/// Public settings: `GET server_settings`.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerSettings {
    /// The server's version, such as `2026.09.0`; `None` where the server hides it.
    #[serde(default)]
    pub version: Option<String>,
}

/// One version of a language that the server offers: `GET v1/server_settings/r` and `/python`.
#[derive(Clone, Debug, Deserialize)]
pub struct Installation {
    /// The language's version.
    #[serde(default, deserialize_with = "null_as_default")]
    pub version: String,
    /// `Local`, or the cluster that runs the image.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cluster_name: String,
    /// `Local`, or the image's literal name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub image_name: String,
}

/// Connect's error object.
#[derive(Deserialize)]
pub(crate) struct ErrorObject {
    pub(crate) code: i64,
    pub(crate) error: String,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Delete,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to make.
pub(crate) struct Outline {
    /// What is attempted, as "cannot …" goes on.
    pub(crate) attempt: &'static str,
    pub(crate) method: Method,
    /// Relative to the API's base.
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    /// Seconds for which the server may hold its reply.
    pub(crate) hold: u64,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// What a good reply is, in words.
    pub(crate) expected: &'static str,
}

/// A request to make, and how to read a good reply's body.
pub(crate) struct Request<T> {
    pub(crate) outline: Outline,
    pub(crate) read: fn(&[u8], &Outline) -> serde_json::Result<T>,
}

const RUNTIME_CACHES: &str = "v1/system/caches/runtime";

fn get(attempt: &'static str, path: &str, expected: &'static str) -> Outline {
    let (method, path) = (Method::Get, path.to_owned());
    Outline { attempt, method, path, body: None, hold: 0, repeatable: true, expected }
}

fn from_json<T: DeserializeOwned>(body: &[u8], _: &Outline) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

#[derive(Deserialize)]
struct RuntimeCaches {
    caches: Vec<RuntimeCache>,
}

/// `GET v1/system/caches/runtime`.
pub(crate) fn runtime_caches() -> Request<Vec<RuntimeCache>> {
    Request {
        outline: get("list the runtime caches", RUNTIME_CACHES, "a list of runtime caches"),
        read: |body, outline| from_json(body, outline).map(|list: RuntimeCaches| list.caches),
    }
}

#[derive(Deserialize)]
struct RuntimeCacheDeletion {
    #[serde(default)]
    task_id: Option<TaskId>,
}

/// `DELETE v1/system/caches/runtime`: starts the deletion.
pub(crate) fn delete_runtime_cache(cache: &RuntimeCache) -> Request<TaskId> {
    Request {
        outline: Outline {
            method: Method::Delete,
            body: Some(deletion_body(cache, false)),
            repeatable: false,
            ..get("delete the runtime cache", RUNTIME_CACHES, "the id of the task that deletes the cache")
        },
        read: |body, outline| {
            let deletion: RuntimeCacheDeletion = from_json(body, outline)?;
            deletion.task_id.ok_or_else(|| serde_json::Error::custom("no task_id"))
        },
    }
}

/// `DELETE v1/system/caches/runtime` with `dry_run`: changes nothing.
pub(crate) fn check_runtime_cache(cache: &RuntimeCache) -> Request<()> {
    Request {
        outline: Outline {
            method: Method::Delete,
            body: Some(deletion_body(cache, true)),
            ..get(
                "check the runtime cache by a dry run",
                RUNTIME_CACHES,
                "a dry run's answer, without a task",
            )
        },
        read: |body, outline| {
            let deletion: RuntimeCacheDeletion = from_json(body, outline)?;
            match deletion.task_id {
                None => Ok(()),
                Some(id) => Err(serde_json::Error::custom(["it started task ", id.as_str()].concat())),
            }
        },
    }
}

fn deletion_body(cache: &RuntimeCache, dry_run: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct DeleteRuntimeCache<'a> {
        language: &'a str,
        version: &'a str,
        image_name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dry_run: Option<bool>,
    }
    let RuntimeCache { language, version, image_name } = cache;
    let body = DeleteRuntimeCache { language, version, image_name, dry_run: dry_run.then_some(true) };
    // Strings and a boolean always serialize.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// `GET v1/tasks/{id}`: the output from line `first` on; held for up to `wait` seconds (0 to 20) or until
/// the task ends.
pub(crate) fn task(id: &TaskId, first: u64, wait: u64) -> Request<Task> {
    let path = format!("v1/tasks/{id}?first={first}&wait={wait}");
    Request {
        outline: Outline { hold: wait, ..get("look at the task", &path, "the task's state") },
        read: |body, outline| {
            let task: Task = from_json(body, outline)?;
            // A gateway that mixes replies up must not have another task's end taken for this one's.
            match outline.path.split(['/', '?']).nth(2) == Some(task.id.as_str()) {
                true => Ok(task),
                false => Err(serde_json::Error::custom(["the state of task ", task.id.as_str()].concat())),
            }
        },
    }
}

/// `GET v1/user`.
pub(crate) fn current_user() -> Request<User> {
    Request { outline: get("ask whose the key is", "v1/user", "a user"), read: from_json }
}

/// `GET server_settings`.
pub(crate) fn server_settings() -> Request<ServerSettings> {
    Request {
        outline: get("ask for the server's version", "server_settings", "the server's settings"),
        read: from_json,
    }
}

#[derive(Deserialize)]
struct Installations {
    installations: Vec<Installation>,
}

/// `GET v1/server_settings/r`.
pub(crate) fn r_installations() -> Request<Vec<Installation>> {
    installations("list the R versions that the server offers", "v1/server_settings/r")
}

/// `GET v1/server_settings/python`.
pub(crate) fn python_installations() -> Request<Vec<Installation>> {
    installations("list the Python versions that the server offers", "v1/server_settings/python")
}

fn installations(attempt: &'static str, path: &str) -> Request<Vec<Installation>> {
    Request {
        outline: get(attempt, path, "a list of installations"),
        read: |body, outline| from_json(body, outline).map(|list: Installations| list.installations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_replies_as_they_come() {
        let read = |body: &[u8]| {
            let request = task(&"a".parse().unwrap(), 0, 0);
            (request.read)(body, &request.outline)
        };
        let full = br#"{"id":"a","output":["a","b"],"result":{"type":"","data":[1]},
                       "finished":true,"code":0,"error":"","last":2,"more":{}}"#;
        assert_eq!(read(full).unwrap().output, ["a", "b"]);
        let bare = br#"{"id":"a","output":null,"finished":false,"code":0,"error":null,"last":0}"#;
        assert_eq!(read(bare).unwrap().error, "");
        for wrong in [
            r#"{"id":"a/../b","finished":true,"code":0,"last":0}"#,
            r#"{"id":"b","finished":true,"code":0,"last":0}"#,
            r#"{"id":"a"}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_deletion_needs_its_task_and_a_dry_run_none() {
        let cache =
            RuntimeCache { language: "R".into(), version: "4.3.0".into(), image_name: "Local".into() };
        let (delete, check) = (delete_runtime_cache(&cache), check_runtime_cache(&cache));
        assert_eq!((delete.read)(br#"{"task_id":"abc"}"#, &delete.outline).unwrap().as_str(), "abc");
        assert!((delete.read)(br#"{"task_id":null}"#, &delete.outline).is_err());
        assert!((delete.read)(br#"{"task_id":""}"#, &delete.outline).is_err());
        assert!((check.read)(br#"{"language":"R","task_id":null}"#, &check.outline).is_ok());
        assert!((check.read)(br#"{"language":"R"}"#, &check.outline).is_ok());
        assert!((check.read)(br#"{"task_id":"abc"}"#, &check.outline).is_err());
        assert_eq!(
            delete.outline.body.unwrap(),
            br#"{"language":"R","version":"4.3.0","image_name":"Local"}"#
        );
        assert!(String::from_utf8(check.outline.body.unwrap()).unwrap().ends_with(r#""dry_run":true}"#));
    }
}
