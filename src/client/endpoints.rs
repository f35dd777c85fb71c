//! The methods of the client, one for each endpoint.

use std::time::Duration;

use crate::api::{
    ContentUsage, DeletionReply, Installation, Installations, Request, RuntimeCache, RuntimeCaches,
    ServerSettings, Task, TaskId, Unreadable, User,
};
use crate::client::Client;
use crate::error::{Attempt, Result};

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
    pub fn runtime_caches(&self) -> Result<Vec<RuntimeCache>> {
        self.retrying(|| self.list_once())
    }

    /// Starts the deletion of a runtime cache and returns its task (`DELETE v1/system/caches/runtime`).
    ///
    /// [`delete`](Self::delete) does the whole job. This request is retried only if nothing was processed.
    ///
    /// # Errors
    /// Code 4 if there is no such cache. If the verdict is [`InDoubt`](crate::Verdict::InDoubt), the deletion may
    /// have started.
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
        self.retrying(|| self.delete_once(cache))
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
    pub fn check_runtime_cache(&self, cache: &RuntimeCache) -> Result<()> {
        self.retrying(|| self.dry_run_once(cache))
    }

    /// Returns the state of a task, with the lines of its output from line `first` on (`GET v1/tasks/{id}`).
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
    /// let task = client.task(&id, 0, Duration::from_secs(20))?;
    /// assert_eq!(task.output[0], "Deleting runtime cache...");
    /// assert!(task.succeeded());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task(&self, id: &TaskId, first: u64, wait: Duration) -> Result<Task> {
        self.retrying(|| self.poll_once(id, first, wait))
    }

    /// Returns the user that the key belongs to (`GET v1/user`).
    ///
    /// # Errors
    /// Code 30 for a wrong key, 29 for one that has expired.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, "admin-key".parse()?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.current_user()?.user_role, "administrator");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_user(&self) -> Result<User> {
        self.retrying(|| self.call(&Request::new(Attempt::GetUser), Ok))
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
        self.retrying(|| self.call(&Request::new(Attempt::GetServerSettings), Ok))
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
        self.installations(Attempt::ListRInstallations)
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
        self.installations(Attempt::ListPythonInstallations)
    }

    /// Counts the content items that use each version of R and Python (`GET v1/content`).
    ///
    /// The list may be long: it is read as it arrives, [`Config::request_timeout`](crate::Config::request_timeout)
    /// counts from the last byte received, and `progress` is called with the number of items so far. Only an
    /// administrator's key sees all content.
    ///
    /// # Errors
    /// Anything that prevents an answer, a list that is not whole, more than 1,000 combinations of versions, a version of
    /// more than 64 bytes, and an item of more than 1 MiB.
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
    pub fn content_usage(&self, mut progress: impl FnMut(u64)) -> Result<ContentUsage> {
        self.retrying(|| self.count_content(&mut progress))
    }
}

/// The requests that a deletion sends one by one, each once.
impl Client {
    pub(crate) fn list_once(&self) -> Result<Vec<RuntimeCache>> {
        self.call(&Request::new(Attempt::ListRuntimeCaches), |reply: RuntimeCaches| Ok(reply.caches))
    }

    pub(crate) fn delete_once(&self, cache: &RuntimeCache) -> Result<TaskId> {
        let task = |reply: DeletionReply| {
            let id = reply.into_task(cache)?;
            // It will be shown, and sent in the path of a request.
            let is_secret = self.mask_key(id.as_str()) != id.as_str() || self.mask(id.as_str()) == "***";
            if is_secret { Err(Unreadable::Unexpected("a secret as task_id".to_owned())) } else { Ok(id) }
        };
        self.call(&Request::delete(cache), task).map_err(|error| self.explain_refusal(error))
    }

    pub(crate) fn dry_run_once(&self, cache: &RuntimeCache) -> Result<()> {
        self.call(&Request::dry_run(cache), |reply: DeletionReply| reply.into_dry_run(cache))
            .map_err(|error| self.explain_refusal(error))
    }

    pub(crate) fn poll_once(&self, id: &TaskId, first: u64, wait: Duration) -> Result<Task> {
        self.call(&Request::poll(id, first, wait), |task: Task| task.of(id))
    }

    fn installations(&self, attempt: Attempt) -> Result<Vec<Installation>> {
        let installations = |reply: Installations| Ok(reply.installations);
        self.retrying(|| self.call(&Request::new(attempt), installations))
    }
}
