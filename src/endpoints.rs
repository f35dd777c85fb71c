//! The endpoints of Connect's API: for each, the request, how to read its reply, and the client's method.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings" and "Users".

use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Attempt;
use crate::json::{from_json, objects};
use crate::objects::{Installation, RuntimeCache, ServerSettings, Task, TaskId, User};
use crate::request::{Endpoint, Request};
use crate::{Client, Result};

const RUNTIME_CACHES: &str = "v1/system/caches/runtime";
/// The image name of caches for native execution.
pub(crate) const LOCAL: &str = "Local";

/// `GET v1/system/caches/runtime`
pub(crate) struct ListRuntimeCaches;

impl Endpoint for ListRuntimeCaches {
    type Reply = Vec<RuntimeCache>;

    fn request(&self) -> Request {
        Request::get(Attempt::ListRuntimeCaches, RUNTIME_CACHES, "a list of runtime caches")
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<Self::Reply> {
        from_json(body).map(|list: RuntimeCaches| list.caches)
    }
}

#[derive(Deserialize)]
struct RuntimeCaches {
    #[serde(deserialize_with = "objects")]
    caches: Vec<RuntimeCache>,
}

impl RuntimeCache {
    /// Reads caches from JSON objects, one after the other, which are each a cache or a list of caches as `GET
    /// v1/system/caches/runtime` returns it. Other members are ignored.
    ///
    /// ```
    /// # use connect_cache::RuntimeCache;
    /// let cache = r#"{"language":"R","version":"4.3.0","image_name":"Local","status":"failed"}"#;
    /// let list = format!(r#"{{"caches":[{cache}]}}"#);
    /// let local = RuntimeCache::new("R", "4.3.0", "Local");
    /// assert_eq!(RuntimeCache::from_json(&format!("{cache}\n{list}")), Ok(vec![local.clone(), local]));
    /// assert_eq!(RuntimeCache::from_json(&format!("{cache}\n[]")), Err(2));
    /// ```
    ///
    /// # Errors
    /// The number of the first object, counted from 1, that is neither.
    pub fn from_json(json: &str) -> std::result::Result<Vec<Self>, usize> {
        let mut caches = Vec::new();
        let objects = serde_json::Deserializer::from_slice(json.as_bytes()).into_iter::<&RawValue>();
        for (number, object) in objects.enumerate() {
            let json = object.map_err(|_| number + 1)?.get().as_bytes();
            match from_json(json) {
                Ok(RuntimeCaches { caches: list }) => caches.extend(list),
                Err(_) => caches.push(from_json(json).map_err(|_| number + 1)?),
            }
        }
        Ok(caches)
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
        let deletion = RuntimeCacheDeletion::of(self.0, body)?;
        deletion.task_id.flatten().ok_or_else(|| serde_json::Error::custom("no task_id"))
    }
}

/// `DELETE v1/system/caches/runtime` with `dry_run`: changes nothing.
pub(crate) struct CheckRuntimeCache<'a>(pub(crate) &'a RuntimeCache);

impl Endpoint for CheckRuntimeCache<'_> {
    /// The image's name as the reply spells it, if it names one.
    type Reply = Option<String>;

    fn request(&self) -> Request {
        Request {
            body: Some(deletion_body(self.0, true)),
            ..Request::get(Attempt::CheckRuntimeCache, RUNTIME_CACHES, "a dry run's answer, without a task")
        }
    }

    fn read(&self, body: &[u8]) -> serde_json::Result<Option<String>> {
        let RuntimeCacheDeletion { language, version, image_name, task_id } =
            RuntimeCacheDeletion::of(self.0, body)?;
        match task_id {
            Some(Some(id)) => Err(serde_json::Error::custom(format!("it started task {id}"))),
            Some(None) => Ok(image_name),
            None if language.is_some() && version.is_some() && image_name.is_some() => Ok(image_name),
            None => Err(serde_json::Error::custom("neither a task_id nor the cache")),
        }
    }
}

/// The reply to a deletion or a dry run.
#[derive(Deserialize)]
struct RuntimeCacheDeletion {
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    image_name: Option<String>,
    /// `Some(None)` if the reply holds null, as in a dry run.
    #[serde(default, deserialize_with = "present")]
    task_id: Option<Option<TaskId>>,
}

impl RuntimeCacheDeletion {
    /// Reads the reply to a request for `cache`, which must not name another one.
    fn of(cache: &RuntimeCache, body: &[u8]) -> serde_json::Result<Self> {
        let reply: Self = from_json(body)?;
        let differs = |name: &Option<String>, requested: &str| {
            name.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(requested))
        };
        // How image names are sanitized is not documented, so only `Local` can be told from the others.
        let is_local = |image: &str| image == LOCAL;
        let other_image =
            reply.image_name.as_ref().is_some_and(|name| is_local(name) != is_local(&cache.image_name));
        if differs(&reply.language, &cache.language) || differs(&reply.version, &cache.version) || other_image
        {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            let other =
                RuntimeCache::new(name(&reply.language), name(&reply.version), name(&reply.image_name));
            return Err(serde_json::Error::custom(format!("a reply about another cache: {other}")));
        }
        Ok(reply)
    }
}

fn present<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<Option<Option<TaskId>>, D::Error> {
    Option::deserialize(value).map(Some)
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
            #[serde(deserialize_with = "objects")]
            installations: Vec<Installation>,
        }
        from_json(body).map(|list: Installations| list.installations)
    }
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
        let caches = self.send(&ListRuntimeCaches)?;
        self.remember(&caches);
        Ok(caches)
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
    /// Newer servers accept this for a cache that does not exist; [`delete`](Self::delete) with
    /// [`Mode::DryRun`](crate::Mode::DryRun) finds out whether it is there.
    ///
    /// # Errors
    /// Code 4 if an older server has no such cache.
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
        self.send(&CheckRuntimeCache(cache)).map(|_| ())
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
        for wrong in [r#"{"task_id":null}"#, r#"{"task_id":""}"#, r#"{"language":"R"}"#, r#"["R"]"#, "{}"] {
            assert!(delete.read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let named = r#"{"language":"r","version":"4.3.0","image_name":"Local"}"#;
        for right in [r#"{"language":"R","task_id":null}"#, r#"{"task_id":null}"#, named] {
            assert!(check.read(right.as_bytes()).is_ok(), "{right}");
        }
        for wrong in [r#"{"task_id":"abc"}"#, r#"{"language":"R"}"#, "{}", "[]", r#"[null,null,null,null]"#] {
            assert!(check.read(wrong.as_bytes()).is_err(), "{wrong}");
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
        for (cache, reply, about_it) in [
            (&local, r#"{"language":"r","task_id":"a"}"#, true),
            (&local, r#"{"language":"R","version":"4.3.0","image_name":"Local","task_id":"a"}"#, true),
            (&local, r#"{"language":"Python","task_id":"a"}"#, false),
            (&local, r#"{"version":"4.3.1","task_id":"a"}"#, false),
            (&local, r#"{"image_name":"ghcr-io","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"Local","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"anything-else","task_id":"a"}"#, true),
        ] {
            assert_eq!(DeleteRuntimeCache(cache).read(reply.as_bytes()).is_ok(), about_it, "{reply}");
        }
    }
}
