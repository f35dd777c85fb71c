//! The endpoints of Connect's API: for each, the request, how to read its reply, and the client's method.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings" and "Users".

use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};

use crate::error::Attempt;
use crate::objects::{Installation, RuntimeCache, ServerSettings, Task, TaskId, User};
use crate::request::{Endpoint, Request};
use crate::{Client, Result};

const RUNTIME_CACHES: &str = "v1/system/caches/runtime";

/// `GET v1/system/caches/runtime`
struct ListRuntimeCaches;

impl Endpoint for ListRuntimeCaches {
    type Reply = Vec<RuntimeCache>;

    fn request(&self) -> Request {
        Request::get(Attempt::ListRuntimeCaches, RUNTIME_CACHES, "a list of runtime caches")
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<Self::Reply> {
        #[derive(Deserialize)]
        struct RuntimeCaches {
            caches: Vec<RuntimeCache>,
        }
        from_json(body).map(|list: RuntimeCaches| list.caches)
    }
}

/// `DELETE v1/system/caches/runtime`: starts the deletion.
pub(crate) struct DeleteRuntimeCache<'a>(pub(crate) &'a RuntimeCache);

impl Endpoint for DeleteRuntimeCache<'_> {
    type Reply = TaskId;

    fn request(&self) -> Request {
        Request {
            body: Some(deletion_body(self.0, false)),
            repeatable: false,
            ..Request::get(
                Attempt::DeleteRuntimeCache,
                RUNTIME_CACHES,
                "the id of the task that deletes the cache",
            )
        }
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<TaskId> {
        let deletion: RuntimeCacheDeletion = from_json(body)?;
        deletion.task_id.ok_or_else(|| serde_json::Error::custom("no task_id"))
    }
}

/// `DELETE v1/system/caches/runtime` with `dry_run`: changes nothing.
pub(crate) struct CheckRuntimeCache<'a>(pub(crate) &'a RuntimeCache);

impl Endpoint for CheckRuntimeCache<'_> {
    type Reply = ();

    fn request(&self) -> Request {
        Request {
            body: Some(deletion_body(self.0, true)),
            ..Request::get(Attempt::CheckRuntimeCache, RUNTIME_CACHES, "a dry run's answer, without a task")
        }
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<()> {
        let deletion: RuntimeCacheDeletion = from_json(body)?;
        match deletion.task_id {
            None => Ok(()),
            Some(id) => Err(serde_json::Error::custom(format!("it started task {id}"))),
        }
    }
}

#[derive(Deserialize)]
struct RuntimeCacheDeletion {
    #[serde(default)]
    task_id: Option<TaskId>,
}

fn deletion_body(cache: &RuntimeCache, dry_run: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        language: &'a str,
        version: &'a str,
        image_name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dry_run: Option<bool>,
    }
    let RuntimeCache { language, version, image_name } = cache;
    // Strings and a Boolean always serialize.
    serde_json::to_vec(&Body { language, version, image_name, dry_run: dry_run.then_some(true) })
        .unwrap_or_default()
}

/// `GET v1/tasks/{id}`
pub(crate) struct PollTask<'a> {
    pub(crate) id: &'a TaskId,
    /// The first line of output to return.
    pub(crate) first: u64,
    /// How long the server may hold its reply: 0 to 20 seconds.
    pub(crate) wait: Duration,
}

impl Endpoint for PollTask<'_> {
    type Reply = Task;

    fn request(&self) -> Request {
        let Self { id, first, wait } = self;
        let wait = wait.as_secs();
        let path = format!("v1/tasks/{id}?first={first}&wait={wait}");
        Request {
            hold: Duration::from_secs(wait),
            ..Request::get(Attempt::PollTask, path, "the task's state")
        }
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<Task> {
        let task: Task = from_json(body)?;
        // A gateway that mixes up replies must not make another task's end this one's.
        if task.id != *self.id {
            return Err(serde_json::Error::custom(format!("the state of task {}", task.id)));
        }
        Ok(task)
    }
}

/// `GET v1/user`
struct GetUser;

impl Endpoint for GetUser {
    type Reply = User;

    fn request(&self) -> Request {
        Request::get(Attempt::GetUser, "v1/user", "a user")
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<User> {
        from_json(body)
    }
}

/// `GET server_settings`
struct GetServerSettings;

impl Endpoint for GetServerSettings {
    type Reply = ServerSettings;

    fn request(&self) -> Request {
        Request::get(Attempt::GetServerSettings, "server_settings", "the server's settings")
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<ServerSettings> {
        from_json(body)
    }
}

/// `GET v1/server_settings/r` and `/python`
struct ListInstallations {
    attempt: Attempt,
    path: &'static str,
}

impl Endpoint for ListInstallations {
    type Reply = Vec<Installation>;

    fn request(&self) -> Request {
        Request::get(self.attempt, self.path, "a list of installations")
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<Self::Reply> {
        #[derive(Deserialize)]
        struct Installations {
            installations: Vec<Installation>,
        }
        from_json(body).map(|list: Installations| list.installations)
    }
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

/// One method per endpoint. Each retries as [`Config::retries`](crate::Config::retries) and
/// [`Config::timeout`](crate::Config::timeout) allow, and returns the last error if that did not help.
impl Client {
    /// Lists all runtime caches, in the server's order (`GET v1/system/caches/runtime`).
    ///
    /// # Errors
    /// Code 22 for a key that is not an administrator's, 194 if cache management is disabled, 2 for a server
    /// before 2023.05, and anything that prevents an answer.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let caches = client.runtime_caches()?;
    /// assert_eq!(caches[0].to_string(), "R 4.3.0 Local");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runtime_caches(&self) -> Result<Vec<RuntimeCache>> {
        self.send(&ListRuntimeCaches)
    }

    /// Starts the deletion of a runtime cache and returns its task (`DELETE v1/system/caches/runtime`).
    ///
    /// [`delete`](Self::delete) does the whole job. This request is retried only if none of it was sent.
    ///
    /// # Errors
    /// Code 4 if there is no such cache. If [`Error::is_in_doubt`](crate::Error::is_in_doubt), the deletion may
    /// have started all the same.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// use std::time::Duration;
    ///
    /// let cache = connect_cache::RuntimeCache::new("R", "4.3.0", "Local");
    /// let task = client.delete_runtime_cache(&cache)?;
    /// assert!(client.task(&task, 0, Duration::from_secs(20))?.finished);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_runtime_cache(&self, cache: &RuntimeCache) -> Result<TaskId> {
        self.send(&DeleteRuntimeCache(cache))
    }

    /// Lets the server check whether a deletion would start (the same with `dry_run`); changes nothing.
    ///
    /// # Errors
    /// Code 4 if there is no such cache.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let cache = connect_cache::RuntimeCache::new("R", "4.3.0", "Local");
    /// client.check_runtime_cache(&cache)?;
    /// assert!(client.runtime_caches()?.contains(&cache));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_runtime_cache(&self, cache: &RuntimeCache) -> Result<()> {
        self.send(&CheckRuntimeCache(cache))
    }

    /// Returns the state of a task, with its output from line `first` on (`GET v1/tasks/{id}`).
    ///
    /// The server holds its reply for `wait` (0 to 20 whole seconds) or until the task finishes. If a node of
    /// a cluster does not know the task, others are asked.
    ///
    /// # Errors
    /// Code 141 if no node knows the task; 25 if `first` exceeds the number of lines.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// # let cache = client.runtime_caches()?.remove(0);
    /// use std::time::Duration;
    ///
    /// let id = client.delete_runtime_cache(&cache)?;
    /// let task = client.task(&id, 0, Duration::from_secs(20))?;
    /// assert_eq!(task.output[0], "Deleting runtime cache...");
    /// assert!(task.finished && task.code == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task(&self, id: &TaskId, first: u64, wait: Duration) -> Result<Task> {
        self.send(&PollTask { id, first, wait })
    }

    /// Returns the user that the key belongs to (`GET v1/user`).
    ///
    /// # Errors
    /// Code 24 if the key is not known.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.current_user()?.user_role, "administrator");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_user(&self) -> Result<User> {
        self.send(&GetUser)
    }

    /// Returns the server's public settings (`GET server_settings`).
    ///
    /// # Errors
    /// Anything that prevents an answer.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.server_settings()?.version.as_deref(), Some("2026.09.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn server_settings(&self) -> Result<ServerSettings> {
        self.send(&GetServerSettings)
    }

    /// Lists the R versions that the server offers (`GET v1/server_settings/r`).
    ///
    /// # Errors
    /// Code 2 if the server has no such endpoint.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.r_installations()?[0].version, "4.3.0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn r_installations(&self) -> Result<Vec<Installation>> {
        self.send(&ListInstallations { attempt: Attempt::ListRInstallations, path: "v1/server_settings/r" })
    }

    /// Lists the Python versions that the server offers (`GET v1/server_settings/python`).
    ///
    /// # Errors
    /// Code 2 if the server has no such endpoint.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.python_installations()?[0].image_name, "Local");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn python_installations(&self) -> Result<Vec<Installation>> {
        self.send(&ListInstallations {
            attempt: Attempt::ListPythonInstallations,
            path: "v1/server_settings/python",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_replies_as_servers_send_them() {
        let id = "a".parse().unwrap();
        let poll = PollTask { id: &id, first: 0, wait: Duration::ZERO };
        let read = |body: &[u8]| poll.read(body);
        let full = br#"{"id":"a","output":["a","b"],"result":{"type":"","data":[1]},
                       "finished":true,"code":0,"error":"","last":2,"more":{}}"#;
        let task = read(full).unwrap();
        assert_eq!(
            (task.output, task.result.as_deref()),
            (vec!["a".into(), "b".into()], Some(r#"{"type":"","data":[1]}"#))
        );
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
    fn requires_a_task_of_a_deletion_and_none_of_a_dry_run() {
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        let (delete, check) = (DeleteRuntimeCache(&cache), CheckRuntimeCache(&cache));
        assert_eq!(delete.read(br#"{"task_id":"abc"}"#).unwrap().as_str(), "abc");
        assert!(delete.read(br#"{"task_id":null}"#).is_err());
        assert!(delete.read(br#"{"task_id":""}"#).is_err());
        assert!(check.read(br#"{"language":"R","task_id":null}"#).is_ok());
        assert!(check.read(br#"{"language":"R"}"#).is_ok());
        assert!(check.read(br#"{"task_id":"abc"}"#).is_err());
        assert_eq!(
            delete.request().body.unwrap(),
            br#"{"language":"R","version":"4.3.0","image_name":"Local"}"#
        );
        assert!(String::from_utf8(check.request().body.unwrap()).unwrap().ends_with(r#""dry_run":true}"#));
    }
}
