//! The endpoints of Connect's API: for each, the request, how to read its reply, and the client's method.
//!
//! Source: the Connect API reference, sections "System", "Tasks", "Server settings", "Users" and "Content".

use std::time::Duration;

use crate::error::Attempt;
use crate::json::{Fields, Json, Unreadable};
use crate::lines::Lines;
use crate::objects::{self, Installation, RuntimeCache, ServerSettings, Task, TaskId, User};
use crate::request::{Endpoint, Request};
use crate::{Client, ContentUsage, Error, ErrorKind};

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

    fn read(&self, mut reply: Fields) -> Result<Self::Reply, String> {
        reply.objects("caches")
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
            ..Request::get(Attempt::DeleteRuntimeCache, RUNTIME_CACHES, "the ID of the deletion task")
        }
    }

    fn read(&self, mut reply: Fields) -> Result<TaskId, String> {
        echoed_image(self.0, &mut reply)?;
        objects::task_id(&reply.required_text("task_id")?)
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
            ..Request::get(Attempt::CheckRuntimeCache, RUNTIME_CACHES, "a dry run's reply without a task")
        }
    }

    fn read(&self, mut reply: Fields) -> Result<Option<String>, String> {
        let (image_name, is_complete) = echoed_image(self.0, &mut reply)?;
        match reply.take("task_id")? {
            Some(Json::Null) => Ok(image_name),
            None if is_complete => Ok(image_name),
            None => Err("neither a task_id nor the cache".to_owned()),
            Some(Json::Text(id)) => Err(format!("it started task {id}")),
            Some(_) => Err("`task_id` is not a string".to_owned()),
        }
    }
}

/// Takes the cache from the reply to a request for `cache`, which must not name another one. Returns the image's
/// name as the reply spells it, and whether the reply names all of the cache.
fn echoed_image(cache: &RuntimeCache, reply: &mut Fields) -> Result<(Option<String>, bool), String> {
    let names = [reply.text("language")?, reply.text("version")?, reply.text("image_name")?];
    let differs = |name: &Option<String>, requested: &str| {
        name.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(requested))
    };
    // How image names are sanitized is not documented, so only `Local` can be distinguished from the others.
    let other_image = names[2].as_ref().is_some_and(|name| (name == LOCAL) != (cache.image_name == LOCAL));
    if differs(&names[0], &cache.language) || differs(&names[1], &cache.version) || other_image {
        let [language, version, image_name] = names.map(Option::unwrap_or_default);
        return Err(format!("a reply about another cache: {language} {version} {image_name}"));
    }
    let is_complete = names.iter().all(Option::is_some);
    let [.., image_name] = names;
    Ok((image_name, is_complete))
}

fn deletion_body(cache: &RuntimeCache, dry_run: bool) -> Vec<u8> {
    let mut body = Json::from(cache);
    if let (true, Json::Object(Fields(fields))) = (dry_run, &mut body) {
        fields.push(("dry_run".to_owned(), true.into()));
    }
    body.to_string().into_bytes()
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
    /// The task, and the lines of its output that were not passed on as they arrived.
    type Reply = (Task, Vec<String>);

    fn request(&self) -> Request {
        let Self { id, first, wait } = self;
        let wait = wait.as_secs();
        let path = format!("v1/tasks/{id}?first={first}&wait={wait}");
        Request {
            hold: Duration::from_secs(wait),
            ..Request::get(Attempt::PollTask, path, "the task's state")
        }
    }

    fn read(&self, mut reply: Fields) -> Result<Self::Reply, String> {
        let lines = Task::output(&mut reply)?;
        let task: Task = reply.try_into()?;
        // A gateway may mix up replies: the end of another task must not count as the end of this one.
        if task.id != *self.id {
            return Err(format!("the state of task {}", task.id));
        }
        Ok((task, lines))
    }
}

/// `GET v1/user`
struct GetUser;

impl Endpoint for GetUser {
    type Reply = User;

    fn request(&self) -> Request {
        Request::get(Attempt::GetUser, "v1/user", "a user")
    }

    fn read(&self, reply: Fields) -> Result<User, String> {
        reply.try_into()
    }
}

/// `GET server_settings`
struct GetServerSettings;

impl Endpoint for GetServerSettings {
    type Reply = ServerSettings;

    fn request(&self) -> Request {
        Request::get(Attempt::GetServerSettings, "server_settings", "the server's settings")
    }

    fn read(&self, reply: Fields) -> Result<ServerSettings, String> {
        reply.try_into()
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

    fn read(&self, mut reply: Fields) -> Result<Self::Reply, String> {
        reply.objects("installations")
    }
}

/// One method per endpoint. Each retries as [`Config::retries`](crate::Config::retries) and
/// [`Config::timeout`](crate::Config::timeout) allow, and returns the last error if they all failed.
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
    pub fn runtime_caches(&self) -> Result<Vec<RuntimeCache>, Error> {
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
    /// assert!(client.task(&task, 0, Duration::from_secs(20), |_| {})?.finished);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_runtime_cache(&self, cache: &RuntimeCache) -> Result<TaskId, Error> {
        self.send(&DeleteRuntimeCache(cache))
    }

    /// Has the server check whether a deletion would start (the same with `dry_run`), which changes nothing.
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
    pub fn check_runtime_cache(&self, cache: &RuntimeCache) -> Result<(), Error> {
        self.send(&CheckRuntimeCache(cache)).map(|_| ())
    }

    /// Returns the state of a task, after calling `on_line` with each line of its output from line `first` on
    /// (`GET v1/tasks/{id}`).
    ///
    /// The server holds its reply for `wait` (0 to 20 whole seconds) or until the task finishes. If a node of
    /// a cluster does not know the task, the request goes to others.
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
    /// let mut lines = Vec::new();
    /// let task = client.task(&id, 0, Duration::from_secs(20), |line| lines.push(line.to_owned()))?;
    /// assert_eq!(lines[0], "Deleting runtime cache...");
    /// assert!(task.finished && task.code == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task(
        &self,
        id: &TaskId,
        first: u64,
        wait: Duration,
        mut on_line: impl FnMut(&str),
    ) -> Result<Task, Error> {
        let mut poll = PollTask { id, first, wait };
        self.with_retries(&mut || self.poll(&mut poll, &mut on_line))
    }

    /// Polls a task once, and calls `on_line` with each line of its output. Their number is added to `poll.first`,
    /// even if the end of the reply is lost.
    pub(crate) fn poll(&self, poll: &mut PollTask<'_>, on_line: &mut dyn FnMut(&str)) -> Result<Task, Error> {
        let request = poll.request();
        let mut lines = Lines::new(poll.id, self.secrets());
        let mut number = 0;
        let mut on_line = |line: &str| {
            number += 1;
            on_line(line);
        };
        let reply = self.perform(&request, Some(&mut |part| lines.take(part, &mut on_line)));
        let task = reply.and_then(|reply| {
            if lines.is_too_long() {
                return Err(self.failure(&request, ErrorKind::TooLarge));
            }
            let read = lines.finish().and_then(|fields| poll.read(fields).map_err(Unreadable::Unexpected));
            let (task, rest) = read.map_err(|problem| self.unreadable(&request, &reply, problem))?;
            rest.iter().for_each(|line| on_line(line));
            Ok(task)
        });
        poll.first = poll.first.saturating_add(number);
        task
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
    pub fn current_user(&self) -> Result<User, Error> {
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
    pub fn server_settings(&self) -> Result<ServerSettings, Error> {
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
    pub fn r_installations(&self) -> Result<Vec<Installation>, Error> {
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
    pub fn python_installations(&self) -> Result<Vec<Installation>, Error> {
        self.send(&ListInstallations {
            attempt: Attempt::ListPythonInstallations,
            path: "v1/server_settings/python",
        })
    }

    /// Counts the content items that use each version of R and Python (`GET v1/content`).
    ///
    /// The list may be long: it is read as it arrives, [`Config::request_timeout`](crate::Config::request_timeout)
    /// counts from the last byte received, and `progress` is called with the number of items so far. Only an
    /// administrator's key sees all content.
    ///
    /// # Errors
    /// Anything that prevents an answer, and a list that is not whole.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let usage = client.content_usage(|items| println!("{items} items"))?;
    /// for cache in client.runtime_caches()? {
    ///     println!("{cache}: {:?} of {} items", usage.of(&[cache.clone()]), usage.items());
    /// }
    /// # assert_eq!(usage.of(&client.runtime_caches()?), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn content_usage(&self, mut progress: impl FnMut(u64)) -> Result<ContentUsage, Error> {
        let request = Request {
            is_long: true,
            ..Request::get(Attempt::ListContent, "v1/content", "a list of content items")
        };
        self.count_items(&request, &mut progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &[u8]) -> Result<Fields, String> {
        Json::read(body).map_err(|error| format!("{error:?}"))?.try_into()
    }

    #[test]
    fn reads_replies_as_servers_send_them() {
        let id = "a".parse().unwrap();
        let poll = PollTask { id: &id, first: 0, wait: Duration::ZERO };
        let read = |body: &[u8]| poll.read(fields(body)?);
        let full = br#"{"id":"a","output":["a","b"],"result":{"type":"","data":[1]},
                       "finished":true,"code":0,"error":"","last":2,"more":{}}"#;
        let (task, lines) = read(full).unwrap();
        assert_eq!(
            (lines, task.result.to_string().as_str()),
            (vec!["a".into(), "b".into()], r#"{"type":"","data":[1]}"#)
        );
        let bare = br#"{"id":"a","output":null,"finished":false,"code":0,"error":null,"last":0}"#;
        assert_eq!(read(bare).unwrap().0.error, "");
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
        assert_eq!(delete.read(fields(br#"{"task_id":"abc"}"#).unwrap()).unwrap().as_str(), "abc");
        for wrong in [r#"{"task_id":null}"#, r#"{"task_id":""}"#, r#"{"language":"R"}"#, r#"["R"]"#, "{}"] {
            assert!(fields(wrong.as_bytes()).and_then(|reply| delete.read(reply)).is_err(), "{wrong}");
        }
        let named = r#"{"language":"r","version":"4.3.0","image_name":"Local"}"#;
        for right in [r#"{"language":"R","task_id":null}"#, r#"{"task_id":null}"#, named] {
            assert!(fields(right.as_bytes()).and_then(|reply| check.read(reply)).is_ok(), "{right}");
        }
        for wrong in [r#"{"task_id":"abc"}"#, r#"{"language":"R"}"#, "{}", "[]", r#"[null,null,null,null]"#] {
            assert!(fields(wrong.as_bytes()).and_then(|reply| check.read(reply)).is_err(), "{wrong}");
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
            let read = DeleteRuntimeCache(cache).read(fields(reply.as_bytes()).unwrap());
            assert_eq!(read.is_ok(), about_it, "{reply}");
        }
    }
}
