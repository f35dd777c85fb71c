//! The objects of Connect's API.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings" and "Users". Fields that
//! nothing here uses are ignored.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::InvalidConfig;
use crate::json::null_as_default;

/// A runtime cache, as `GET v1/system/caches/runtime` lists it and `DELETE` identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RuntimeCache {
    /// `R` or `Python`; the server accepts any case.
    pub language: String,
    /// The language's version, in three parts.
    pub version: String,
    /// `Local` for native execution, or an off-host image; in a list, its sanitized name.
    pub image_name: String,
}

impl RuntimeCache {
    /// Returns the cache of this language, version and image.
    pub fn new(
        language: impl Into<String>,
        version: impl Into<String>,
        image_name: impl Into<String>,
    ) -> Self {
        Self { language: language.into(), version: version.into(), image_name: image_name.into() }
    }
}

impl RuntimeCache {
    /// Reports whether both name the same cache. The server ignores the case of the language.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.language.eq_ignore_ascii_case(&other.language)
            && self.version == other.version
            && self.image_name == other.image_name
    }
}

impl fmt::Display for RuntimeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.language, self.version, self.image_name)
    }
}

/// The ID of a task: letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TaskId(String);

impl TaskId {
    /// Returns the ID's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TaskId {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        // The ID becomes part of a path; 256 is far beyond the 16 characters that Connect uses.
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
#[non_exhaustive]
pub struct Task {
    /// The task's ID.
    pub id: TaskId,
    /// The lines of output from the requested `first` on.
    #[serde(default, deserialize_with = "null_as_default")]
    pub output: Vec<String>,
    /// The task's result as JSON text; deletions have none.
    #[serde(default, deserialize_with = "json_text", serialize_with = "as_json")]
    pub result: Option<String>,
    /// Whether the task has finished.
    pub finished: bool,
    /// 0, or another number if the task failed.
    pub code: i64,
    /// Empty if nothing failed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub error: String,
    /// The number of lines produced so far: the next request's `first`.
    pub last: u64,
}

/// The user that an API key belongs to: `GET v1/user`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct ServerSettings {
    /// The server's version, such as `2026.09.0`; `None` or empty if the server hides it.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether runtime caches can be managed (the setting `Server.AllowRuntimeCacheManagement`), if the server
    /// reports it.
    #[serde(default)]
    pub enable_runtime_cache_management: Option<bool>,
    /// `native`, `launcher-local` or `launcher-kubernetes`, if the server reports it.
    #[serde(default)]
    pub execution_type: Option<String>,
}

/// One version of a language that the server offers: `GET v1/server_settings/r` and `/python`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
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

fn json_text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Box<RawValue>>::deserialize(value)?.map(|json| json.get().to_owned()))
}

fn as_json<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => RawValue::from_string(text.clone()).map_err(S::Error::custom)?.serialize(serializer),
        None => serializer.serialize_none(),
    }
}
