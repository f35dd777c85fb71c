//! The objects of Connect's API.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings" and "Users". Fields that
//! nothing here uses are ignored.

use std::fmt;
use std::str::FromStr;

use crate::config::InvalidConfig;
use crate::json::{Fields, Json};

/// A runtime cache, as `GET v1/system/caches/runtime` lists it and `DELETE` identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
            return Err(InvalidConfig::TaskId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a task: `GET v1/tasks/{id}`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// The task's ID.
    pub id: TaskId,
    /// The task's result; null for a deletion.
    pub result: Json,
    /// Whether the task has finished.
    pub finished: bool,
    /// 0, or another number if the task failed.
    pub code: i64,
    /// Empty if nothing failed.
    pub error: String,
    /// The number of lines produced so far: the next request's `first`.
    pub last: u64,
}

/// The user that an API key belongs to: `GET v1/user`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User {
    /// The user's name.
    pub username: String,
    /// `viewer`, `publisher` or `administrator`.
    pub user_role: String,
}

/// Public settings: `GET server_settings`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerSettings {
    /// The server's version, such as `2026.09.0`; `None` or empty if the server hides it.
    pub version: Option<String>,
    /// Whether runtime caches can be managed (the setting `Server.AllowRuntimeCacheManagement`), if the server
    /// reports it.
    pub enable_runtime_cache_management: Option<bool>,
    /// `native`, `launcher-local` or `launcher-kubernetes`, if the server reports it.
    pub execution_type: Option<String>,
}

/// One version of a language that the server offers: `GET v1/server_settings/r` and `/python`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Installation {
    /// The language's version.
    pub version: String,
    /// `Local`, or the cluster that runs the image.
    pub cluster_name: String,
    /// `Local`, or the image's literal name.
    pub image_name: String,
}

impl TryFrom<Fields> for RuntimeCache {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        Ok(Self {
            language: fields.required_text("language")?,
            version: fields.required_text("version")?,
            image_name: fields.required_text("image_name")?,
        })
    }
}

/// Returns the object as the API has it.
impl From<&RuntimeCache> for Json {
    fn from(cache: &RuntimeCache) -> Self {
        let RuntimeCache { language, version, image_name } = cache;
        Self::object(vec![
            ("language", language.as_str().into()),
            ("version", version.as_str().into()),
            ("image_name", image_name.as_str().into()),
        ])
    }
}

impl Task {
    pub(crate) const OUTPUT: &str = "output";

    /// Returns the object as the API has it, with these lines of output.
    pub fn into_json(self, output: Vec<String>) -> Json {
        let Task { id, result, finished, code, error, last } = self;
        Json::object(vec![
            ("id", id.as_str().into()),
            (Self::OUTPUT, output.into()),
            ("result", result),
            ("finished", finished.into()),
            ("code", code.into()),
            ("error", error.as_str().into()),
            ("last", Json::Number(last.to_string())),
        ])
    }

    /// Takes the lines of output from the object.
    pub(crate) fn output(fields: &mut Fields) -> Result<Vec<String>, String> {
        let line = |json| match json {
            Json::Text(line) => Ok(line),
            _ => Err(format!("`{}` is not a list of strings", Self::OUTPUT)),
        };
        fields.list(Self::OUTPUT)?.unwrap_or_default().into_iter().map(line).collect()
    }
}

impl TryFrom<Fields> for Task {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        Ok(Self {
            id: task_id(&fields.required_text("id")?)?,
            result: fields.take("result")?.unwrap_or(Json::Null),
            finished: fields.boolean("finished")?.ok_or("missing field `finished`")?,
            code: fields.integer("code")?,
            error: fields.text("error")?.unwrap_or_default(),
            last: u64::try_from(fields.integer("last")?).map_err(|_| "`last` is negative")?,
        })
    }
}

/// Parses the ID of a task in a reply.
pub(crate) fn task_id(text: &str) -> Result<TaskId, String> {
    text.parse().map_err(|error: InvalidConfig| error.to_string())
}

impl TryFrom<Fields> for User {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        Ok(Self {
            username: fields.text("username")?.unwrap_or_default(),
            user_role: fields.text("user_role")?.unwrap_or_default(),
        })
    }
}

impl TryFrom<Fields> for ServerSettings {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        Ok(Self {
            version: fields.text("version")?,
            enable_runtime_cache_management: fields.boolean("enable_runtime_cache_management")?,
            execution_type: fields.text("execution_type")?,
        })
    }
}

impl TryFrom<Fields> for Installation {
    type Error = String;

    fn try_from(mut fields: Fields) -> Result<Self, String> {
        Ok(Self {
            version: fields.text("version")?.unwrap_or_default(),
            cluster_name: fields.text("cluster_name")?.unwrap_or_default(),
            image_name: fields.text("image_name")?.unwrap_or_default(),
        })
    }
}
