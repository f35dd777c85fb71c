//! The blocking client, which sends every request.
//!
//! [`Client::attempt`] sends a request once, and handles the key, cookies, tracing and the reply.
//! [`Client::retry_delay`] decides what is retried and when. The methods for each endpoint are in `endpoints.rs`,
//! those that delete caches and follow tasks in `deletion.rs` and `follow.rs`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::content::{ContentUsage, Items};
use crate::cookies::Jar;
use crate::http::{Broken, Http, Limits, Outgoing, Reply, Sink};
use crate::json::{Fields, Json, Unreadable};
use crate::request::{Endpoint, Request};
use crate::retry::Retry;
use crate::secrets::Secrets;
use crate::{
    ApiKey, Attempt, Config, Error, ErrorKind, Event, InvalidConfig, Result, RuntimeCache, ServerUrl,
};

/// Limit for a connection until the server has answered once: a wrong address should not cost minutes.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
/// A server that closes a kept connection just as it is reused shows it within this time.
const STALE_WITHIN: Duration = Duration::from_secs(1);
/// How many more times a task is looked up that a node does not know, and the pause before each lookup.
const LOST_LOOKUPS: u32 = 10;
const LOST_LOOKUP_PAUSE: Duration = Duration::from_millis(100);
/// Explains how a reply without its end was lost.
const CUT: &str = "it ended early";

/// A blocking client of one Connect server, which works in the thread that calls it.
///
/// A client represents one run: its clock starts when it is created or [restarted](Self::restart_clock), and it
/// sends the server's cookies back.
///
/// ```
/// use connect_cache::{Client, Config};
///
/// # let server = connect_test_server::Server::start(Default::default());
/// # let (address, key) = (server.url(), "admin-key");
/// let client = Client::new(Config::new(address.parse()?, key.parse()?))?;
/// for cache in client.runtime_caches()? {
///     println!("{cache}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    config: Config,
    http: Http,
    trust_source: Option<String>,
    secrets: Secrets,
    observer: Box<dyn Fn(Event<'_>) + Send>,
    started_at: Cell<Instant>,
    cookies: RefCell<Jar>,
    /// Whether the server has answered in this run.
    answered: Cell<bool>,
    /// Whether the next request uses a new connection.
    fresh_connection: Cell<bool>,
    /// Whether the server's dry runs show that a cache exists.
    dry_runs: Cell<DryRuns>,
    /// The rows of every list in this run.
    listed: RefCell<Vec<RuntimeCache>>,
}

/// Whether a server's dry runs show that a cache exists: newer servers accept those of missing caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DryRuns {
    /// Not tested yet.
    #[default]
    NotTested,
    /// The server answered the dry run of a missing cache by 404 with code 4.
    Conclusive,
    /// The server answered the dry run of a cache that cannot exist by 200.
    Inconclusive,
    /// The server answered it in another way.
    NotKnown,
}

impl Client {
    /// Creates a client, which makes no connection yet.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the certificates to trust cannot be read, if there is neither a key nor a header
    /// `Authorization`, or if the headers are too long.
    pub fn new(config: Config) -> std::result::Result<Self, InvalidConfig> {
        config.check()?;
        let (roots, source) = match config.server.is_https() {
            true => config.trust.load().map(|(roots, source)| (Some(roots), Some(source)))?,
            // Plain http needs no certificates.
            false => (None, None),
        };
        Ok(Self {
            http: Http::new(&config, roots),
            secrets: Secrets::new(config.key.as_ref(), config.proxy.as_ref(), &config.headers),
            trust_source: source,
            config,
            observer: Box::new(|_| {}),
            started_at: Cell::new(Instant::now()),
            cookies: RefCell::default(),
            answered: Cell::new(false),
            fresh_connection: Cell::new(false),
            dry_runs: Cell::default(),
            listed: RefCell::default(),
        })
    }

    /// Calls `observer` with every request, reply and retry from now on.
    pub fn observe(&mut self, observer: impl Fn(Event<'_>) + Send + 'static) {
        self.observer = Box::new(observer);
    }

    /// Restarts the clock of [`Config::timeout`], for example when a prompt has been answered.
    pub fn restart_clock(&self) {
        self.started_at.set(Instant::now());
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Describes whose certificates are trusted; `None` over plain http.
    pub fn trust_source(&self) -> Option<&str> {
        self.trust_source.as_deref()
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) fn cookies(&self) -> Jar {
        self.cookies.borrow().clone()
    }

    pub(crate) fn set_cookies(&self, cookies: Jar) {
        self.cookies.replace(cookies);
    }

    /// Returns the time until [`Config::timeout`].
    pub(crate) fn time_left(&self) -> Duration {
        self.config.timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(self.elapsed()))
    }

    fn elapsed(&self) -> Duration {
        self.started_at.get().elapsed()
    }

    /// Returns the end of [`Config::timeout`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.started_at.get().checked_add(self.config.timeout?)
    }

    pub(crate) fn dry_runs(&self) -> DryRuns {
        self.dry_runs.get()
    }

    pub(crate) fn record_dry_runs(&self, dry_runs: DryRuns) {
        self.dry_runs.set(dry_runs);
    }

    /// Keeps the rows of a list, as evidence that these caches existed.
    pub(crate) fn remember(&self, caches: &[RuntimeCache]) {
        let mut listed = self.listed.borrow_mut();
        if listed.is_empty() {
            listed.extend_from_slice(caches);
            return;
        }
        for cache in caches {
            if !listed.contains(cache) {
                listed.push(cache.clone());
            }
        }
    }

    /// Reports whether a list of this run had the row of this cache.
    pub(crate) fn was_listed(&self, cache: &RuntimeCache) -> bool {
        self.listed.borrow().iter().any(|row| row.is(cache))
    }

    /// Sends a request, retrying while that is safe and may succeed.
    pub(crate) fn send<E: Endpoint>(&self, endpoint: &E) -> Result<E::Reply> {
        let request = endpoint.request();
        let (fields, reply) = self.with_retries(&mut || self.object(&request))?;
        endpoint
            .read(fields)
            .map_err(|problem| self.unreadable(&request, &reply, Unreadable::Unexpected(problem)))
    }

    /// Sends a request once.
    pub(crate) fn attempt<E: Endpoint>(&self, endpoint: &E) -> Result<E::Reply> {
        let request = endpoint.request();
        let (fields, reply) = self.object(&request)?;
        endpoint
            .read(fields)
            .map_err(|problem| self.unreadable(&request, &reply, Unreadable::Unexpected(problem)))
    }

    /// Counts content items as they arrive, retrying as [`Client::send`] does. Each attempt restarts the count.
    pub(crate) fn count_items(
        &self,
        request: &Request,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ContentUsage> {
        self.with_retries(&mut || {
            let mut items = Items::default();
            progress(0);
            let reply = self.perform(request, Some(&mut |part| items.take(part, progress)))?;
            items.finish().map_err(|problem| self.unreadable(request, &reply, problem))
        })
    }

    /// Performs a request, retrying while that is safe and may succeed.
    pub(crate) fn with_retries<T>(&self, perform: &mut dyn FnMut() -> Result<T>) -> Result<T> {
        let mut retry = Retry::default();
        loop {
            match perform() {
                Err(error) => match self.retry_delay(&mut retry, &error) {
                    Some(delay) => sleep(delay),
                    None => return Err(error),
                },
                result => return result,
            }
        }
    }

    /// Sends a request once, and returns the object in the reply. It is not generic over the endpoint, so that it
    /// is compiled only once.
    fn object(&self, request: &Request) -> Result<(Fields, Reply)> {
        let reply = self.perform(request, None)?;
        match Json::read(&reply.body).and_then(|json| json.try_into().map_err(Unreadable::Unexpected)) {
            Ok(fields) => Ok((fields, reply)),
            Err(problem) => Err(self.unreadable(request, &reply, problem)),
        }
    }

    /// Returns the delay before a failed request is retried; `None` if it is not.
    ///
    /// If the node does not know a task, its cookies are dropped and the next lookup uses a new connection, so
    /// that the load balancer selects a node again.
    pub(crate) fn retry_delay(&self, retry: &mut Retry, error: &Error) -> Option<Duration> {
        if error.stale && error.repeatable {
            // The next connection is a new one, so this happens only once. It does not count as a failure.
            return Some(Duration::ZERO);
        }
        if error.is_task_lost() {
            self.cookies.borrow_mut().clear();
            self.fresh_connection.set(true);
            let again = retry.after_lost_lookup(LOST_LOOKUPS) && LOST_LOOKUP_PAUSE < self.time_left();
            return again.then_some(LOST_LOOKUP_PAUSE);
        }
        if !error.is_worth_a_retry() {
            return None;
        }
        let delay = self.backoff(retry, error)?;
        (self.observer)(Event::Retrying { error, delay });
        Some(delay)
    }

    /// Counts a failure and returns the backoff; `None` if no retries or no time are left.
    pub(crate) fn backoff(&self, retry: &mut Retry, error: &Error) -> Option<Duration> {
        retry.after_failure(
            self.config.retries,
            self.answered.get(),
            error.retry_after,
            self.time_left(),
            // At the deadline, a task is polled one last time, but no deletion starts.
            error.repeatable,
        )
    }

    /// Sends a request once, and returns a complete, successful reply. A sink receives its body.
    pub(crate) fn perform(&self, request: &Request, sink: Option<Sink<'_>>) -> Result<Reply> {
        let url = self.config.server.endpoint(&request.path);
        let outgoing = Outgoing {
            url: &url,
            authorization: self.config.key.as_ref().map(ApiKey::header),
            cookies: self.cookies.borrow().header(),
            body: request.body.as_deref(),
            fresh_connection: self.fresh_connection.take(),
        };
        let limits = self.limits(request)?;
        let sent_at = Instant::now();
        let reply = self.exchange(&outgoing, limits, sink).map_err(|broken| {
            let stale = broken.reused
                && matches!(broken.kind, ErrorKind::Lost(_))
                && sent_at.elapsed() < STALE_WITHIN;
            Error { stale, sent: broken.sent, ..self.failure(request, broken.kind) }
        })?;

        self.answered.set(true);
        if let Some(instead) = reply.header("x-deprecated-endpoint") {
            let path = request.path.split('?').next().unwrap_or_default();
            (self.observer)(Event::Deprecated { path, instead });
        }
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let retry_after = reply.header("retry-after").and_then(seconds);
        let kind = match &self.config.proxy {
            Some(proxy) if reply.status == 407 && !proxy.is_socks() => self.http.credentials_refused(proxy),
            _ => refusal(&reply, &url),
        };
        let error = Error { retry_after, ..self.failure(request, kind) };
        if error.attempt == Attempt::CheckRuntimeCache && error.is_no_such_cache() {
            self.dry_runs.set(DryRuns::Conclusive);
        }
        Err(error)
    }

    fn limits(&self, request: &Request) -> Result<Limits> {
        let whole = self.limit(request)?;
        let connect = (!self.answered.get() && self.config.retries.is_none()).then_some(FIRST_CONNECT);
        Ok(match request.is_long {
            true => Limits {
                whole: self.deadline().and(whole).map(|limit| limit.saturating_add(self.time_left())),
                connect: connect.or(whole),
                part: whole,
            },
            false => Limits { whole, connect, part: None },
        })
    }

    /// Returns the time limit of a request. After the timeout, all requests of the run together get one more
    /// request timeout, to find out what happened to the caches.
    fn limit(&self, request: &Request) -> Result<Option<Duration>> {
        let (Some(limit), Some(timeout)) = (self.config.request_timeout, self.config.timeout) else {
            return Ok(self.config.request_timeout.map(|limit| limit + request.hold));
        };
        if !self.time_left().is_zero() {
            return Ok(Some(limit + request.hold));
        }
        match (timeout + limit).checked_sub(self.elapsed()) {
            Some(left) => Ok(Some(left.min(limit))),
            None => Err(Error { sent: false, ..self.failure(request, ErrorKind::OutOfTime) }),
        }
    }

    /// Sends a request once, notifies the observer, keeps the cookies, and masks the secrets in the reply.
    fn exchange(
        &self,
        outgoing: &Outgoing<'_>,
        limits: Limits,
        sink: Option<Sink<'_>>,
    ) -> std::result::Result<Reply, Broken> {
        let (method, url) = (outgoing.method(), outgoing.url);
        (self.observer)(Event::Request { method, url });
        let sent_at = Instant::now();
        let mut result = self.http.exchange(outgoing, limits, sink);
        let elapsed = sent_at.elapsed();
        if let Err(Broken { kind: ErrorKind::NotHttp(text) | ErrorKind::InvalidHttp(text), .. }) = &mut result
        {
            *text = start_of(self.secrets.masked(std::mem::take(text)).as_bytes());
        }
        if let Ok(reply) = &mut result {
            for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
                self.cookies.borrow_mut().store(cookie);
            }
            // Mask before anything else reads the reply: cutting or parsing it first could hide part of a secret.
            self.secrets.mask(&mut reply.body);
            for (_, value) in &mut reply.headers {
                *value = self.secrets.masked(std::mem::take(value));
            }
        }
        (self.observer)(match &result {
            Ok(Reply { status, headers, body, length, .. }) => {
                Event::Reply { method, url, status: *status, headers, body, length: *length, elapsed }
            }
            Err(broken) => Event::NoReply { method, url, reason: &broken.kind, elapsed },
        });
        result
    }

    /// Returns the error of a request that was sent. It names the proxy, which may have answered instead of
    /// Connect.
    pub(crate) fn failure(&self, request: &Request, kind: ErrorKind) -> Error {
        let Request { attempt, repeatable, .. } = *request;
        let is_clear = matches!(
            kind,
            ErrorKind::Api { .. }
                | ErrorKind::Proxy { .. }
                | ErrorKind::ProxyAuthentication { .. }
                | ErrorKind::OutOfTime
        );
        let proxy = self.config.proxy.as_ref().filter(|_| !is_clear);
        let proxy = proxy.map(|proxy| proxy.to_string().into());
        Error { attempt, kind, retry_after: None, sent: true, repeatable, stale: false, proxy }
    }

    /// Returns the error of a complete, successful reply that is not the expected one.
    pub(crate) fn unreadable(&self, request: &Request, reply: &Reply, problem: Unreadable) -> Error {
        let (is_json, problem) = match problem {
            // The head states no length, so that only the JSON shows that the end was lost.
            Unreadable::Cut if !reply.framed => {
                return self.failure(request, ErrorKind::Lost(CUT.to_owned()));
            }
            Unreadable::Unexpected(problem) => (true, format!("got something else: {problem}")),
            _ => (false, "got no JSON".to_owned()),
        };
        let (expected, start) = (request.expected, start_of(&reply.body));
        let malformed = ErrorKind::Malformed { expected, is_json, problem, start };
        self.failure(request, encoded(reply).filter(|_| !is_json).unwrap_or(malformed))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Explains a reply with any other status than success.
fn refusal(reply: &Reply, url: &str) -> ErrorKind {
    let status = reply.status;
    if let (300..400, Some(location)) = (status, reply.header("location")) {
        let (location, instead) = redirect(location, url);
        return ErrorKind::Redirect { status, location, instead };
    }
    if let Ok(Json::Object(mut object)) = Json::read(&reply.body) {
        if let (Ok(code), Ok(message)) = (object.integer("code"), object.required_text("error")) {
            return ErrorKind::Api { status, code, message };
        }
    }
    if let Some(encoded) = encoded(reply) {
        return encoded;
    }
    let start = start_of(&reply.body);
    // Go's server and nginx reply so to plain http on an https port.
    if status == 400 && url.starts_with("http:") && start.contains("HTTP request") && start.contains("HTTPS")
    {
        return ErrorKind::HttpsRequired { status, start };
    }
    ErrorKind::Foreign { status, start }
}

/// Explains a reply that cannot be read because its content is encoded.
fn encoded(reply: &Reply) -> Option<ErrorKind> {
    let encoding = start_of(reply.header("content-encoding")?.as_bytes());
    let is_encoded =
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") && !reply.body.is_empty();
    is_encoded.then_some(ErrorKind::Encoded { status: reply.status, encoding })
}

/// Reads the value of `Retry-After` if it is a number, however large; dates are ignored.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// Returns the start of a body, on one line.
fn start_of(body: &[u8]) -> String {
    const BYTES: usize = 4096;
    const CHARS: usize = 100;
    let text = String::from_utf8_lossy(&body[..body.len().min(BYTES)]);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.chars().take(CHARS).collect()
}

/// Returns the target of a redirect from `url`, without the query, and if that is the same endpoint elsewhere,
/// the server URL to configure.
fn redirect(location: &str, url: &str) -> (String, Option<String>) {
    let strip = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let (mut location, url) = (strip(location), strip(url));
    if location.starts_with('/') && !location.starts_with("//") {
        // A location without a scheme and a host leads to the same host.
        let authority = url.find("://").map_or(0, |at| at + 3);
        let path = url[authority..].find('/').map_or(url.len(), |at| authority + at);
        location.insert_str(0, &url[..path]);
    }
    let endpoint = url.rfind("/__api__/").map_or("", |at| &url[at..]);
    let same = location.trim_end_matches('/').strip_suffix(endpoint);
    // Never advise to configure a masked address.
    let is_address = |address: &&str| !address.contains('*') && address.parse::<ServerUrl>().is_ok();
    let instead = same.filter(is_address).map(str::to_owned);
    (location, instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_address_to_configure_only_if_a_redirect_leads_to_the_same_endpoint() {
        let url = "http://host:3939/__api__/v1/user?a=b";
        for (location, shown, instead) in [
            ("https://host/__api__/v1/user?x=1", "https://host/__api__/v1/user", Some("https://host")),
            ("/rsc/__api__/v1/user", "http://host:3939/rsc/__api__/v1/user", Some("http://host:3939/rsc")),
            ("https://host/__login__?url=/__api__/v1/user", "https://host/__login__", None),
            ("//evil/__api__/v1/user", "//evil/__api__/v1/user", None),
            ("https://me:pw@host/__api__/v1/user", "https://me:pw@host/__api__/v1/user", None),
        ] {
            let (location, found) = redirect(location, url);
            assert_eq!((location.as_str(), found.as_deref()), (shown, instead));
        }
        let (location, found) = redirect("/rsc/__api__/v1/user", "http://h/__api__/v1/user");
        assert_eq!(
            (location.as_str(), found.as_deref()),
            ("http://h/rsc/__api__/v1/user", Some("http://h/rsc"))
        );
    }

    #[test]
    fn shows_the_start_of_a_body_as_one_short_line() {
        assert_eq!(start_of(b"<html>\r\n  <body>\n"), "<html> <body>");
        assert_eq!(start_of(&[b'x'; 1000]).len(), 100);
        assert_eq!(start_of(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn reads_retry_after_of_any_length() {
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn adds_the_time_that_the_server_may_hold_a_reply_to_the_limit() {
        let seconds = Duration::from_secs;
        let mut config = Config::new("http://127.0.0.1:1".parse().unwrap(), "key".parse().unwrap());
        let mut request = Request::get(Attempt::PollTask, "v1/tasks/a", "");
        request.hold = seconds(20);
        for (limit, timeout, expected) in
            [(Some(30), None, Some(50)), (Some(30), Some(1000), Some(50)), (None, Some(1000), None)]
        {
            (config.request_timeout, config.timeout) = (limit.map(seconds), timeout.map(seconds));
            let client = Client::new(config.clone()).unwrap();
            let limits = client.limits(&request).unwrap();
            assert_eq!((limits.whole, limits.part), (expected.map(seconds), None));
        }
    }

    #[test]
    fn limits_the_time_to_connect_until_the_server_has_answered() {
        let mut config = Config::new("http://127.0.0.1:1".parse().unwrap(), "key".parse().unwrap());
        let mut request = Request::get(Attempt::ListContent, "v1/content", "");
        let half_a_minute = config.request_timeout;
        for (retries, is_long, answered, expected) in [
            (None, false, false, Some(FIRST_CONNECT)),
            (None, true, false, Some(FIRST_CONNECT)),
            (None, false, true, None),
            (None, true, true, half_a_minute),
            (Some(1), false, false, None),
        ] {
            (config.retries, request.is_long) = (retries, is_long);
            let client = Client::new(config.clone()).unwrap();
            client.answered.set(answered);
            let limits = client.limits(&request).unwrap();
            assert_eq!(limits.connect, expected, "{retries:?} {is_long} {answered}");
            assert_eq!(
                (limits.whole, limits.part),
                if is_long { (None, half_a_minute) } else { (half_a_minute, None) }
            );
        }
    }

    #[test]
    fn remembers_the_rows_of_every_list() {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap(), "key".parse().unwrap());
        let client = Client::new(config).unwrap();
        let [a, b, c] = ["4.1.0", "4.2.0", "4.3.0"].map(|version| RuntimeCache::new("R", version, "Local"));
        client.remember(std::slice::from_ref(&a));
        client.remember(&[a.clone(), b.clone()]);
        assert!(client.was_listed(&a) && client.was_listed(&b) && !client.was_listed(&c));
        assert_eq!(client.listed.borrow().len(), 2);
    }

    #[test]
    fn can_be_sent_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Client>();
    }
}
