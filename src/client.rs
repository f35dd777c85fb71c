//! The blocking client, with one method per endpoint.
//!
//! Every request passes through [`Client::attempt`]: the key, the user agent, cookies, tracing and the
//! reading of replies live there. What is tried again, and when, is decided in [`Client::next_try`].

use std::cell::{Cell, RefCell};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::{self, ErrorObject, Outline, Request};
use crate::config::InvalidConfig;
use crate::cookies::Jar;
use crate::http::{Broken, Http, Limits, Outgoing, Reply};
use crate::retry::Retry;
use crate::secrets::Secrets;
use crate::{
    Config, Error, ErrorKind, Event, Installation, Result, RuntimeCache, ServerSettings, Task, TaskId, Trust,
    User,
};

/// Until the server has answered once in a run: a wrong address should not cost minutes.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
/// A server that closes a kept connection just as it is used again shows it at once.
const STALE_WITHIN: Duration = Duration::from_secs(1);
/// How often, and how far apart, a task that a node does not know is looked for on others.
const LOST_LOOKUPS: u32 = 10;
const LOST_LOOKUP_PAUSE: Duration = Duration::from_millis(100);

/// A blocking client of one Connect server, in the thread that calls it.
///
/// Every method makes its request again where that is safe and may help, as [`Config::retries`] and
/// [`Config::deadline`] allow, and returns the last [`Error`] where it did not.
///
/// ```
/// use connect_cache::{ApiKey, Client, Config};
///
/// # let server = connect_test_server::Server::start(Default::default());
/// # let (address, key) = (server.url(), "admin-key");
/// let config = Config::new(address.parse()?, ApiKey::new(key)?);
/// let client = Client::new(config)?;
/// for cache in client.runtime_caches()? {
///     println!("{cache}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    config: Config,
    http: Http,
    trusts: Option<String>,
    secrets: Secrets,
    observer: Box<dyn Fn(Event<'_>)>,
    cookies: RefCell<Jar>,
    /// Whether the server has answered in this run.
    answered: Cell<bool>,
    /// Whether the next request goes over a new connection.
    fresh_connection: Cell<bool>,
}

impl Client {
    /// A client that has made no connection yet.
    ///
    /// # Errors
    /// [`InvalidConfig`] where the certificates to trust cannot be read.
    pub fn new(config: Config) -> std::result::Result<Self, InvalidConfig> {
        // The stores are not worth reading for plain http, but a file that was named must be one.
        let needed = config.server.is_https() || matches!(config.trust, Trust::Certificates { .. });
        let (roots, trusts) = match needed {
            true => config.trust.load().map(|(roots, source)| (Some(roots), Some(source)))?,
            false => (None, None),
        };
        Ok(Self {
            http: Http::new(&config, roots)?,
            secrets: Secrets::new(&config.key, config.proxy.as_ref()),
            trusts: trusts.filter(|_| config.server.is_https()),
            config,
            observer: Box::new(|_| {}),
            cookies: RefCell::default(),
            answered: Cell::new(false),
            fresh_connection: Cell::new(false),
        })
    }

    /// Tells `observer` of every request, reply and retry from now on.
    pub fn observe(&mut self, observer: impl Fn(Event<'_>) + 'static) {
        self.observer = Box::new(observer);
    }

    /// What the client was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whose certificates are trusted, in words; `None` over plain http.
    pub fn trusts(&self) -> Option<&str> {
        self.trusts.as_deref()
    }

    /// All runtime caches, in the server's order (`GET v1/system/caches/runtime`).
    ///
    /// # Errors
    /// Code 22 for a key that is no administrator's, 194 where cache management is disabled, 2 for a server
    /// before 2023.05, and whatever keeps an answer from coming.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let caches = client.runtime_caches()?;
    /// assert_eq!(caches[0].to_string(), "R 4.3.0 Local");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runtime_caches(&self) -> Result<Vec<RuntimeCache>> {
        self.send(&api::runtime_caches())
    }

    /// Starts the deletion of a runtime cache (`DELETE v1/system/caches/runtime`); the task that does it.
    ///
    /// [`delete`](crate::delete) does the whole job. This request is made again only where nothing of it
    /// was sent.
    ///
    /// # Errors
    /// Code 4 where there is no such cache. Where [`Error::is_in_doubt`], the deletion may have started
    /// all the same.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let cache = connect_cache::RuntimeCache {
    ///     language: "R".into(),
    ///     version: "4.3.0".into(),
    ///     image_name: "Local".into(),
    /// };
    /// let task = client.delete_runtime_cache(&cache)?;
    /// assert!(client.task(&task, 0, 20)?.finished);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_runtime_cache(&self, cache: &RuntimeCache) -> Result<TaskId> {
        self.send(&api::delete_runtime_cache(cache))
    }

    /// Has the server check whether a deletion would start (the same with `dry_run`); changes nothing.
    ///
    /// # Errors
    /// Code 4 where there is no such cache.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// let cache = connect_cache::RuntimeCache {
    ///     language: "R".into(),
    ///     version: "4.3.0".into(),
    ///     image_name: "Local".into(),
    /// };
    /// client.check_runtime_cache(&cache)?;
    /// assert!(client.runtime_caches()?.contains(&cache));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_runtime_cache(&self, cache: &RuntimeCache) -> Result<()> {
        self.send(&api::check_runtime_cache(cache))
    }

    /// The state of a task, with its output from line `first` on (`GET v1/tasks/{id}`).
    ///
    /// The server holds its reply for `wait` seconds (0 to 20) or until the task ends. Where a node of a
    /// cluster does not know the task, others are asked.
    ///
    /// # Errors
    /// Code 141 where no node knows the task; 25 where `first` is more than the lines there are.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// # let cache = client.runtime_caches()?.remove(0);
    /// let id = client.delete_runtime_cache(&cache)?;
    /// let task = client.task(&id, 0, 20)?;
    /// assert_eq!(task.output[0], "Deleting runtime cache...");
    /// assert!(task.finished && task.code == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn task(&self, id: &TaskId, first: u64, wait: u64) -> Result<Task> {
        self.send(&api::task(id, first, wait))
    }

    /// The user that the key belongs to (`GET v1/user`).
    ///
    /// # Errors
    /// Code 24 where the key is not known.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.current_user()?.user_role, "administrator");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_user(&self) -> Result<User> {
        self.send(&api::current_user())
    }

    /// The server's public settings (`GET server_settings`).
    ///
    /// # Errors
    /// Whatever keeps an answer from coming.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.server_settings()?.version.as_deref(), Some("2026.09.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn server_settings(&self) -> Result<ServerSettings> {
        self.send(&api::server_settings())
    }

    /// The R versions that the server offers (`GET v1/server_settings/r`).
    ///
    /// # Errors
    /// Code 2 where the server has no such endpoint.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.r_installations()?[0].version, "4.3.0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn r_installations(&self) -> Result<Vec<Installation>> {
        self.send(&api::r_installations())
    }

    /// The Python versions that the server offers (`GET v1/server_settings/python`).
    ///
    /// # Errors
    /// Code 2 where the server has no such endpoint.
    ///
    /// ```
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let config = connect_cache::Config::new(server.url().parse()?, connect_cache::ApiKey::new("admin-key")?);
    /// # let client = connect_cache::Client::new(config)?;
    /// assert_eq!(client.python_installations()?[0].image_name, "Local");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn python_installations(&self) -> Result<Vec<Installation>> {
        self.send(&api::python_installations())
    }

    /// Makes a request, again and again where that may help.
    fn send<T>(&self, request: &Request<T>) -> Result<T> {
        let mut retry = Retry::default();
        loop {
            match self.attempt(request) {
                Ok(answer) => return Ok(answer),
                Err(error) => match self.next_try(&mut retry, &error) {
                    Some(delay) => sleep(delay),
                    None => return Err(error),
                },
            }
        }
    }

    /// After how long to make a failed request again; `None` to leave it at that.
    ///
    /// A task that the node does not know is asked for anew, without the cookies that led to that node and
    /// over a new connection, so that the balancer chooses again.
    pub(crate) fn next_try(&self, retry: &mut Retry, error: &Error) -> Option<Duration> {
        if error.stale && error.repeatable {
            // The next connection is a new one: this comes once at a time, and is no failure of the server's.
            return Some(Duration::ZERO);
        }
        if error.is_task_lost() {
            self.cookies.borrow_mut().clear();
            self.fresh_connection.set(true);
            return retry.after_lost_lookup(LOST_LOOKUPS).then_some(LOST_LOOKUP_PAUSE);
        }
        if !error.is_worth_a_retry() {
            return None;
        }
        let delay = self.allowance(retry, error)?;
        (self.observer)(Event::Retrying { error, delay });
        Some(delay)
    }

    /// Counts a failure against the retries allowed; the back-off, or `None` once they are spent.
    pub(crate) fn allowance(&self, retry: &mut Retry, error: &Error) -> Option<Duration> {
        retry.after_failure(
            self.config.retries,
            self.answered.get(),
            error.retry_after,
            self.config.time_left(),
            // No deletion starts once the time is over; to look at a task then is what it is for.
            error.repeatable,
        )
    }

    /// Makes a request once.
    pub(crate) fn attempt<T>(&self, request: &Request<T>) -> Result<T> {
        let reply = self.perform(&request.outline)?;
        (request.read)(&reply.body, &request.outline)
            .map_err(|error| self.misread(&request.outline, &reply, &error))
    }

    /// Makes a request once; a whole reply with a status of success.
    fn perform(&self, outline: &Outline) -> Result<Reply> {
        let url = self.config.server.endpoint(&outline.path);
        let outgoing = Outgoing {
            method: outline.method,
            url: &url,
            authorization: self.config.key.header(),
            cookies: self.cookies.borrow().header(),
            body: outline.body.as_deref(),
            fresh_connection: self.fresh_connection.take(),
        };
        let whole = self.config.request_timeout.map(|limit| limit + Duration::from_secs(outline.hold));
        let connect = (!self.answered.get() && self.config.retries.is_none()).then_some(FIRST_CONNECT);
        let limits = Limits { whole, connect };

        let begun = Instant::now();
        let reply = self.exchange(&outgoing, limits).map_err(|Broken { kind, sent, reused }| {
            let lost = matches!(kind, ErrorKind::Lost(_));
            let stale = lost && reused && begun.elapsed() < STALE_WITHIN;
            Error { stale, ..failure(outline, kind, sent) }
        })?;

        self.answered.set(true);
        for cookie in reply.headers.get_all("set-cookie") {
            cookie.to_str().into_iter().for_each(|text| self.cookies.borrow_mut().store(text));
        }
        if let Some(instead) = header(&reply, "x-deprecated-endpoint") {
            let path = outline.path.split('?').next().unwrap_or_default();
            (self.observer)(Event::Deprecated { path, instead });
        }
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let retry_after = header(&reply, "retry-after").and_then(|seconds| seconds.trim().parse().ok());
        let error = failure(outline, self.refusal(&reply, &url, &outline.path), true);
        Err(Error { retry_after: retry_after.map(Duration::from_secs), ..error })
    }

    fn exchange(&self, outgoing: &Outgoing<'_>, limits: Limits) -> std::result::Result<Reply, Broken> {
        let (method, url) = (outgoing.method.as_str(), outgoing.url);
        (self.observer)(Event::Request { method, url });
        let begun = Instant::now();
        let result = self.http.exchange(outgoing, limits);
        let elapsed = begun.elapsed();
        let mask = |text: &str| self.secrets.masked_in(text).into_owned();
        (self.observer)(match &result {
            Ok(Reply { status, headers, body, .. }) => {
                Event::Reply { method, url, status: *status, headers, body, mask: &mask, elapsed }
            }
            Err(broken) => Event::NoReply { method, url, reason: &broken.kind, elapsed },
        });
        result
    }

    /// What a reply with a status of success says that is not what was asked for.
    fn misread(&self, outline: &Outline, reply: &Reply, error: &serde_json::Error) -> Error {
        let kind = if error.is_eof() && !reply.framed {
            // Nothing told where the body ends: it was cut short.
            ErrorKind::Lost("it ended early".to_owned())
        } else {
            let problem = match error.is_data() {
                true => ["got something else: ", &self.secrets.masked_in(&error.to_string())].concat(),
                false => "got no JSON".to_owned(),
            };
            ErrorKind::Malformed { expected: outline.expected, problem, start: self.start_of(&reply.body) }
        };
        failure(outline, kind, true)
    }

    /// What a reply with any other status says.
    fn refusal(&self, reply: &Reply, url: &str, path: &str) -> ErrorKind {
        let status = reply.status;
        if let (300..400, Some(location)) = (status, header(reply, "location")) {
            let (location, instead) = redirect(location, url, path);
            let masked = |text: &str| self.secrets.masked_in(text).into_owned();
            return ErrorKind::Redirect {
                status,
                instead: instead.filter(|address| masked(address) == *address),
                location: masked(&location),
            };
        }
        match serde_json::from_slice(&reply.body) {
            Ok(ErrorObject { code, error }) => {
                ErrorKind::Api { status, code, message: self.secrets.masked_in(&error).into_owned() }
            }
            Err(_) => ErrorKind::Foreign { status, start: self.start_of(&reply.body) },
        }
    }

    /// The first of a body, on one line, with nothing secret that it may echo.
    fn start_of(&self, body: &[u8]) -> String {
        const BYTES: usize = 4096;
        const CHARS: usize = 100;
        let text = String::from_utf8_lossy(&body[..body.len().min(BYTES)]);
        let text = if body.len() > BYTES { self.secrets.without_cut_end(&text) } else { &text };
        let words: Vec<&str> = text.split_whitespace().collect();
        self.secrets.masked_in(&words.join(" ")).chars().take(CHARS).collect()
    }
}

fn failure(outline: &Outline, kind: ErrorKind, sent: bool) -> Error {
    let Outline { attempt, repeatable, .. } = *outline;
    Error { attempt, kind, retry_after: None, sent, repeatable, stale: false }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.get(name)?.to_str().ok()
}

/// Where a redirect from `url`, the endpoint at `path`, leads to, without the query; and where that is the
/// same endpoint elsewhere, the server's address to configure.
fn redirect(location: &str, url: &str, path: &str) -> (String, Option<String>) {
    let strip = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let (location, path) = (strip(location), ["/__api__/", &strip(path)].concat());
    // Without a scheme and host, it leads to the same host: the scheme and host of `url`.
    let absolute = match location.starts_with('/') && !location.starts_with("//") {
        true => {
            let authority = url.find("://").map_or(0, |at| at + 3);
            let host_end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
            [&url[..host_end], &location].concat()
        }
        false => location,
    };
    let same = absolute.trim_end_matches('/').strip_suffix(path.as_str());
    let instead = same.filter(|address| address.parse::<crate::ServerUrl>().is_ok()).map(str::to_owned);
    (absolute, instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_names_the_address_to_configure_only_where_it_leads_to_the_same_endpoint() {
        let url = "http://host:3939/__api__/v1/user";
        for (location, shown, instead) in [
            ("https://host/__api__/v1/user?x=1", "https://host/__api__/v1/user", Some("https://host")),
            ("/rsc/__api__/v1/user", "http://host:3939/rsc/__api__/v1/user", Some("http://host:3939/rsc")),
            ("https://host/__login__?url=/__api__/v1/user", "https://host/__login__", None),
            ("//evil/__api__/v1/user", "//evil/__api__/v1/user", None),
            ("https://me:pw@host/__api__/v1/user", "https://me:pw@host/__api__/v1/user", None),
        ] {
            let (location, found) = redirect(location, url, "v1/user?a=b");
            assert_eq!((location.as_str(), found.as_deref()), (shown, instead));
        }
    }

    #[test]
    fn the_start_of_a_body_is_one_short_line_without_the_key() {
        let key = crate::ApiKey::new("secret-key").unwrap();
        let client = Client::new(Config::new("http://localhost".parse().unwrap(), key)).unwrap();
        assert_eq!(client.start_of(b"<html>\r\n  <body>\n"), "<html> <body>");
        assert_eq!(client.start_of(&[b'x'; 1000]).len(), 100);
        assert_eq!(client.start_of(b"\xff\xfe"), "\u{fffd}\u{fffd}");
        let far = ["<", &" ".repeat(4090), "secret-key"].concat();
        assert_eq!(client.start_of(far.as_bytes()), "<");
        let echo = ["x".repeat(95), "secret-key".to_owned()].concat();
        assert_eq!(client.start_of(echo.as_bytes()), ["x".repeat(95), "***".to_owned()].concat());
    }
}
