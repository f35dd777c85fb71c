//! The endpoints: for each, the request, and how to read its reply.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::api::runtime_cache::{DeletionReply, DeletionRequest, RuntimeCache, RuntimeCaches};
use crate::api::server_settings::{Installation, Installations, ServerSettings};
use crate::api::task::{Task, TaskId};
use crate::api::user::User;
use crate::error::Attempt;

const RUNTIME_CACHES: &str = "v1/system/caches/runtime";

/// A request whose reply is an object.
pub(crate) trait Endpoint {
    /// The object, as it is sent.
    type Object: DeserializeOwned;
    type Reply;

    fn request(&self) -> Request;

    /// Reads the reply; an error says what was found instead of the expected reply.
    fn reply(&self, object: Self::Object) -> Result<Self::Reply, Unexpected>;
}

/// A reply of another content than the expected one.
pub(crate) enum Unexpected {
    /// Says what was found instead.
    Content(String),
    /// A dry run that started a deletion.
    Deletion(TaskId),
}

/// A request: a DELETE if it has a body, else a GET.
pub(crate) struct Request {
    pub(crate) attempt: Attempt,
    /// Relative to the API's base.
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    /// How long the server may hold its reply.
    pub(crate) hold: Duration,
    /// The expected reply, in words.
    pub(crate) expected: &'static str,
}

impl Request {
    fn get(attempt: Attempt, path: impl Into<String>, expected: &'static str) -> Self {
        Self { attempt, path: path.into(), body: None, hold: Duration::ZERO, expected }
    }

    fn delete(attempt: Attempt, body: &DeletionRequest<'_>, expected: &'static str) -> Self {
        // Strings and a Boolean can always be written.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { body: Some(body), ..Self::get(attempt, RUNTIME_CACHES, expected) }
    }
}

/// `GET v1/system/caches/runtime`
pub(crate) struct ListRuntimeCaches;

impl Endpoint for ListRuntimeCaches {
    type Object = RuntimeCaches;
    type Reply = Vec<RuntimeCache>;

    fn request(&self) -> Request {
        Request::get(Attempt::ListRuntimeCaches, RUNTIME_CACHES, "a list of runtime caches")
    }

    fn reply(&self, reply: RuntimeCaches) -> Result<Self::Reply, Unexpected> {
        Ok(reply.caches)
    }
}

/// `DELETE v1/system/caches/runtime`: starts the deletion.
pub(crate) struct DeleteRuntimeCache<'a>(pub(crate) &'a RuntimeCache);

impl Endpoint for DeleteRuntimeCache<'_> {
    type Object = DeletionReply;
    type Reply = TaskId;

    fn request(&self) -> Request {
        let body = DeletionRequest { cache: self.0, dry_run: None };
        Request::delete(Attempt::DeleteRuntimeCache, &body, "the ID of the deletion task")
    }

    fn reply(&self, reply: DeletionReply) -> Result<TaskId, Unexpected> {
        reject_other_cache(&reply, self.0)?;
        reply.task_id.flatten().ok_or_else(|| Unexpected::Content("no task_id".to_owned()))
    }
}

/// `DELETE v1/system/caches/runtime` with `dry_run`: changes nothing.
pub(crate) struct CheckRuntimeCache<'a>(pub(crate) &'a RuntimeCache);

impl Endpoint for CheckRuntimeCache<'_> {
    type Object = DeletionReply;
    type Reply = ();

    fn request(&self) -> Request {
        let body = DeletionRequest { cache: self.0, dry_run: Some(true) };
        Request::delete(Attempt::CheckRuntimeCache, &body, "a dry run's reply without a task")
    }

    fn reply(&self, reply: DeletionReply) -> Result<(), Unexpected> {
        reject_other_cache(&reply, self.0)?;
        let names_a_cache = reply.names_a_cache();
        match reply.task_id {
            Some(Some(id)) => Err(Unexpected::Deletion(id)),
            Some(None) => Ok(()),
            None if names_a_cache => Ok(()),
            None => Err(Unexpected::Content("neither a task_id nor the cache".to_owned())),
        }
    }
}

fn reject_other_cache(reply: &DeletionReply, cache: &RuntimeCache) -> Result<(), Unexpected> {
    match reply.other_cache(cache) {
        Some(other) => Err(Unexpected::Content(format!("a reply about another cache: {other}"))),
        None => Ok(()),
    }
}

/// `GET v1/tasks/{id}`
pub(crate) struct PollTask<'a> {
    pub(crate) id: &'a TaskId,
    /// The first line of output to return.
    pub(crate) first: u64,
    /// How long the server may hold its reply: 0 to 20 whole seconds.
    pub(crate) wait: Duration,
}

impl Endpoint for PollTask<'_> {
    type Object = Task;
    type Reply = Task;

    fn request(&self) -> Request {
        let Self { id, first, wait } = self;
        let wait = wait.as_secs();
        let path = format!("v1/tasks/{id}?first={first}&wait={wait}");
        let hold = Duration::from_secs(wait);
        Request { hold, ..Request::get(Attempt::PollTask, path, "the task's state") }
    }

    fn reply(&self, task: Task) -> Result<Task, Unexpected> {
        // A gateway may mix up replies: the end of another task must not count as the end of this one.
        if task.id != *self.id {
            return Err(Unexpected::Content(format!("the state of task {}", task.id)));
        }
        Ok(task)
    }
}

/// `GET v1/user`
pub(crate) struct GetUser;

impl Endpoint for GetUser {
    type Object = User;
    type Reply = User;

    fn request(&self) -> Request {
        Request::get(Attempt::GetUser, "v1/user", "a user")
    }

    fn reply(&self, user: User) -> Result<User, Unexpected> {
        Ok(user)
    }
}

/// `GET server_settings`
pub(crate) struct GetServerSettings;

impl Endpoint for GetServerSettings {
    type Object = ServerSettings;
    type Reply = ServerSettings;

    fn request(&self) -> Request {
        Request::get(Attempt::GetServerSettings, "server_settings", "the server's settings")
    }

    fn reply(&self, settings: ServerSettings) -> Result<ServerSettings, Unexpected> {
        Ok(settings)
    }
}

/// `GET v1/server_settings/r` and `/python`
pub(crate) enum ListInstallations {
    R,
    Python,
}

impl Endpoint for ListInstallations {
    type Object = Installations;
    type Reply = Vec<Installation>;

    fn request(&self) -> Request {
        let (attempt, path) = match self {
            Self::R => (Attempt::ListRInstallations, "v1/server_settings/r"),
            Self::Python => (Attempt::ListPythonInstallations, "v1/server_settings/python"),
        };
        Request::get(attempt, path, "a list of installations")
    }

    fn reply(&self, reply: Installations) -> Result<Self::Reply, Unexpected> {
        Ok(reply.installations)
    }
}

/// `GET v1/content`, whose reply is counted as it arrives.
pub(crate) struct ListContent;

impl ListContent {
    pub(crate) fn request(&self) -> Request {
        Request::get(Attempt::ListContent, "v1/content", "a list of content items")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::{Unreadable, read};

    fn reply<E: Endpoint>(endpoint: &E, body: &str) -> Result<E::Reply, String> {
        let object = read(body.as_bytes()).map_err(|unreadable: Unreadable| format!("{unreadable:?}"))?;
        endpoint.reply(object).map_err(|unexpected| match unexpected {
            Unexpected::Content(content) => content,
            Unexpected::Deletion(id) => format!("started {id}"),
        })
    }

    #[test]
    fn reads_tasks_as_servers_send_them() {
        let id = "a".parse().unwrap();
        let poll = PollTask { id: &id, first: 0, wait: Duration::ZERO };
        let full = r#"{"id":"a","output":["a","b"],"result":{"type":"","data":[1]},
                       "finished":true,"code":0,"error":"","last":2,"more":{}}"#;
        let task = reply(&poll, full).unwrap();
        assert_eq!(task.output, ["a", "b"]);
        assert_eq!(
            serde_json::to_string(&task).unwrap(),
            r#"{"id":"a","output":["a","b"],"result":{"data":[1],"type":""},"finished":true,"code":0,"error":"","last":2}"#
        );
        let bare = r#"{"id":"a","output":null,"finished":false,"code":0,"error":null,"last":0}"#;
        assert_eq!(reply(&poll, bare).unwrap().error, "");
        let deep = format!(r#"{{"id":"a","result":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(reply(&poll, &deep).unwrap_err().contains("nested too deeply"));
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
            assert!(reply(&poll, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn requires_a_task_of_a_deletion_and_none_of_a_dry_run() {
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        let (delete, check) = (DeleteRuntimeCache(&cache), CheckRuntimeCache(&cache));
        assert_eq!(reply(&delete, r#"{"task_id":"abc"}"#).unwrap().as_str(), "abc");
        for wrong in [r#"{"task_id":null}"#, r#"{"task_id":""}"#, r#"{"language":"R"}"#, r#"["R"]"#, "{}"] {
            assert!(reply(&delete, wrong).is_err(), "{wrong}");
        }
        let named = r#"{"language":"r","version":"4.3.0","image_name":"Local"}"#;
        for right in [r#"{"language":"R","task_id":null}"#, r#"{"task_id":null}"#, named] {
            assert!(reply(&check, right).is_ok(), "{right}");
        }
        for wrong in [r#"{"task_id":"abc"}"#, r#"{"language":"R"}"#, "{}", "[]", r#"[null,null,null,null]"#] {
            assert!(reply(&check, wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            delete.request().body.unwrap(),
            br#"{"language":"R","version":"4.3.0","image_name":"Local"}"#
        );
        assert!(String::from_utf8(check.request().body.unwrap()).unwrap().ends_with(r#""dry_run":true}"#));
    }

    #[test]
    fn rejects_replies_that_name_another_cache() {
        let local = RuntimeCache::new("R", "4.3.0", "Local");
        let image = RuntimeCache::new("R", "4.3.0", "ghcr.io/example/r:jammy");
        for (cache, body, is_about_it) in [
            (&local, r#"{"language":"r","task_id":"a"}"#, true),
            (&local, r#"{"language":"R","version":"4.3.0","image_name":"Local","task_id":"a"}"#, true),
            (&local, r#"{"language":"Python","task_id":"a"}"#, false),
            (&local, r#"{"version":"4.3.1","task_id":"a"}"#, false),
            (&local, r#"{"image_name":"ghcr-io","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"Local","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"anything-else","task_id":"a"}"#, true),
        ] {
            assert_eq!(reply(&DeleteRuntimeCache(cache), body).is_ok(), is_about_it, "{body}");
        }
    }
}
