//! The blocking client, which sends every request.
//!
//! `call` sends a request once: it handles the key, cookies, tracing and the reply. `retrying` sends it until it works,
//! as far as [`RetryPolicy`] allows. The methods for each endpoint are in `endpoints.rs`.

mod clock;
mod endpoints;
mod event;
mod excerpt;
mod pace;
mod reply;
mod retry;
mod secrets;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::api::{ContentUsage, Request, ServerSettings, Unreadable, count, read};
use crate::client::excerpt::{excerpt, shown};
use crate::client::pace::Pace;
use crate::client::secrets::Secrets;
use crate::config::{Config, InvalidConfig};
use crate::error::{Attempt, Error, ErrorKind, Result, Retry};
use crate::http::{Broken, Exchange, Http, Jar, Limits, Outgoing, Receive, Reply};

pub use event::Event;

pub(crate) use clock::Clock;
use clock::SystemClock;
pub(crate) use retry::{Again, Experience, Failures, RetryPolicy};

/// Limit for a connection until the server has answered once: a wrong address should not cost minutes.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
/// A server that closes a kept connection just as it is reused shows it within this time.
const STALE_WITHIN: Duration = Duration::from_secs(1);

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
    exchange: Box<dyn Exchange + Send>,
    clock: Box<dyn Clock + Send>,
    trust_source: Option<String>,
    secrets: Secrets,
    key: Secrets,
    observer: Box<dyn Fn(Event<'_>) + Send>,
    started_at: Cell<Instant>,
    cookies: RefCell<Jar>,
    /// Whether the next request uses a new connection.
    fresh_connection: Cell<bool>,
    experience: Cell<Experience>,
    pace: Cell<Pace>,
}

impl Client {
    /// Creates a client, which makes no connection yet.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the certificates to trust cannot be read, or there is neither a key nor a header
    /// `Authorization`.
    pub fn new(config: Config) -> std::result::Result<Self, InvalidConfig> {
        config.check()?;
        let trust = config.server.is_https().then(|| config.trust.load()).transpose()?;
        let (roots, trust_source) = trust.unzip();
        let http = Http::new(&config, roots);
        let client = Self::with_parts(config, Box::new(http), Box::new(SystemClock));
        Ok(Self { trust_source, ..client })
    }

    /// Creates a client that sends its requests in this way, and waits by this clock.
    pub(crate) fn with_parts(
        config: Config,
        exchange: Box<dyn Exchange + Send>,
        clock: Box<dyn Clock + Send>,
    ) -> Self {
        Self {
            secrets: Secrets::of(&config),
            key: Secrets::of_key(config.key.as_ref()),
            config,
            exchange,
            started_at: Cell::new(clock.now()),
            clock,
            trust_source: None,
            observer: Box::new(|_| {}),
            cookies: RefCell::default(),
            fresh_connection: Cell::new(false),
            experience: Cell::default(),
            pace: Cell::default(),
        }
    }

    /// Calls `observer` with every request, reply and retry from now on.
    pub fn observe(&mut self, observer: impl Fn(Event<'_>) + Send + 'static) {
        self.observer = Box::new(observer);
    }

    /// Restarts the clock of [`Config::timeout`], for example when a prompt has been answered.
    pub fn restart_clock(&self) {
        self.started_at.set(self.clock.now());
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Describes whose certificates are trusted; `None` over plain http.
    pub fn trust_source(&self) -> Option<&str> {
        self.trust_source.as_deref()
    }

    /// Returns text with the API key masked, for example a name in one of the API's objects, which are as they came.
    pub fn mask_key(&self, text: &str) -> String {
        self.key.mask(text).into_owned()
    }

    /// Returns text with the API key, the proxy's password and the values of headers masked, for example a line of output
    /// in a [`Task`](crate::Task). One of fewer than 6 bytes is not masked: it would match by coincidence.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.mask(text).into_owned()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
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
        self.clock.now().saturating_duration_since(self.started_at.get())
    }

    /// Returns the end of [`Config::timeout`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.started_at.get().checked_add(self.config.timeout?)
    }

    /// Reports whether a deletion may start: until the timeout, or if there is to be none at all.
    pub(crate) fn may_start(&self) -> bool {
        self.config.timeout == Some(Duration::ZERO) || !self.time_left().is_zero()
    }

    /// Returns how long no request should start, after the server was overloaded: never past the timeout and, after it,
    /// not if no time were left to find out what happened.
    pub(crate) fn pause_for_load(&self) -> Duration {
        let ready_at = self.pace.get().ready_at();
        let pause = ready_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(self.clock.now()));
        match self.time_left() {
            Duration::ZERO if self.time_after_timeout().is_some_and(|left| left <= pause) => Duration::ZERO,
            Duration::ZERO => pause,
            left => pause.min(left),
        }
    }

    /// Returns what is left of the time after the timeout: all requests of the run together get one more request timeout,
    /// to find out what happened to the caches.
    fn time_after_timeout(&self) -> Option<Duration> {
        let end = self.config.timeout?.saturating_add(self.config.request_timeout?);
        Some(end.saturating_sub(self.elapsed()))
    }

    /// Returns the rules for retries, as of now.
    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            retries: self.config.retries,
            experience: self.experience.get(),
            time_left: self.time_left(),
            jitter: self.clock.jitter(),
        }
    }

    /// Counts a failure, and returns when to send the request again; `None` if not.
    ///
    /// If the node does not know a task, its cookies are dropped and the next lookup uses a new connection, so
    /// that the load balancer selects a node again.
    pub(crate) fn next_try(&self, failures: &mut Failures, error: &Error) -> Option<Again> {
        if error.class.retry == Retry::AtOtherNodes {
            self.cookies.borrow_mut().clear();
            self.fresh_connection.set(true);
        }
        let again = self.retry_policy().next(failures, error)?;
        Some(Again { delay: again.delay.max(self.pause_for_load()), ..again })
    }

    /// Sends a request until it works, as far as the configuration allows.
    pub(crate) fn retrying<T>(&self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        let mut failures = Failures::default();
        loop {
            self.clock.sleep(self.pause_for_load());
            let error = match call() {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(Again { delay, is_retry }) = self.next_try(&mut failures, &error) else {
                return Err(error);
            };
            if is_retry {
                (self.observer)(Event::Retrying { error: &error, delay });
            }
            self.clock.sleep(delay);
        }
    }

    /// Sends a request once. `convert` turns the object in the reply into the result.
    fn call<T: DeserializeOwned, R>(
        &self,
        request: &Request,
        convert: impl FnOnce(T) -> std::result::Result<R, Unreadable>,
    ) -> Result<R> {
        let reply = self.exchange(request, None)?;
        let result = read(&reply.body).and_then(convert);
        self.answered(result, request, &reply)
    }

    /// Counts content items as they arrive, once. `progress` is called with their number so far.
    fn count_content(&self, progress: &mut dyn FnMut(u64)) -> Result<ContentUsage> {
        let request = Request::new(Attempt::ListContent);
        let mut usage = Err(Unreadable::Cut);
        progress(0);
        let reply = self.exchange(&request, Some(&mut |body| usage = count(body, progress)))?;
        self.answered(usage, &request, &reply)
    }

    /// Notes that Connect itself has answered if its reply could be read.
    fn answered<R>(
        &self,
        result: std::result::Result<R, Unreadable>,
        request: &Request,
        reply: &Reply,
    ) -> Result<R> {
        let result = result.map_err(|problem| {
            let kind = reply::unreadable(reply, problem, request.expected, &self.secrets);
            let mut error = self.described(Error::sent(request.attempt, kind));
            error.context.request_id = reply::request_id(reply, &self.secrets);
            error
        });
        if result.is_ok() {
            let needs_key = request.attempt.needs_key();
            self.learn(if needs_key { Experience::KeyAccepted } else { Experience::ConnectAnswered });
        }
        result
    }

    /// Sends a request once, and returns a complete, successful reply. `receive` reads its body as it arrives.
    fn exchange(&self, request: &Request, receive: Option<Receive<'_>>) -> Result<Reply> {
        let url = self.config.server.endpoint(&request.path);
        let cookies = self.cookies();
        let outgoing = Outgoing {
            url: &url,
            authorization: self.config.key.as_ref().map(|key| key.header()),
            cookies: &cookies,
            body: request.body.as_deref(),
            fresh_connection: self.fresh_connection.take(),
            limits: self.limits(request)?,
        };
        let method = outgoing.method();
        let body = request.body.as_deref().map(|body| self.mask_key(&String::from_utf8_lossy(body)));
        let shown = self.mask_key(&url);
        (self.observer)(Event::Request { method, url: &shown, body: body.as_deref() });
        let sent_at = self.clock.now();
        let result = self.exchange.exchange(&outgoing, receive);
        let now = self.clock.now();
        let elapsed = now.saturating_duration_since(sent_at);
        let result = match result {
            Ok(reply) => {
                self.received(&reply, request);
                self.report(&reply, method, &shown, elapsed);
                if (200..300).contains(&reply.status) {
                    Ok(reply)
                } else {
                    Err(self.refused(request, &reply))
                }
            }
            Err(broken) => {
                let error = self.broken(request, broken, elapsed);
                (self.observer)(Event::NoReply { method, url: &shown, reason: &error.kind, elapsed });
                Err(error)
            }
        };
        self.pace.set(self.pace.get().after(result.as_ref().err(), sent_at, now));
        result
    }

    fn learn(&self, experience: Experience) {
        self.experience.set(self.experience.get().max(experience));
    }

    /// Keeps what a reply says about the server.
    fn received(&self, reply: &Reply, request: &Request) {
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.cookies.borrow_mut().store(cookie);
        }
        self.learn(Experience::Answered);
        if let Some(instead) = reply.header("x-deprecated-endpoint") {
            let path = request.path.split('?').next().unwrap_or_default();
            (self.observer)(Event::Deprecated { path, instead: &self.secrets.mask(instead) });
        }
    }

    /// Finds out why a DELETE was refused by something that is not Connect: if Connect answers a GET request, it is
    /// because of the method.
    pub(crate) fn explain_refusal(&self, error: Error) -> Error {
        let (status, excerpt) = match &error.kind {
            ErrorKind::Foreign { status, excerpt } => (*status, Some(excerpt.clone())),
            ErrorKind::Encoded { status, .. } => (*status, None),
            _ => return error,
        };
        // 407 is about a proxy, 408 about time and 429 about load, whatever the method.
        if !matches!(status, 400..=499 | 501) || matches!(status, 407 | 408 | 429) {
            return error;
        }
        // The gateway may be about to close the connection of the refused request.
        self.fresh_connection.set(true);
        self.clock.sleep(self.pause_for_load());
        match self.call(&Request::new(Attempt::GetServerSettings), |_: ServerSettings| Ok(())) {
            Err(get) if !matches!(get.kind, ErrorKind::Api { .. }) => error,
            _ => Error { kind: ErrorKind::DeleteRefused { status, excerpt }, ..error },
        }
    }

    /// Reports a reply to the observer.
    fn report(&self, reply: &Reply, method: &str, url: &str, elapsed: Duration) {
        let mask = |(name, value): &(String, String)| (name.clone(), self.mask(value));
        let headers: Vec<(String, String)> = reply.headers.iter().map(mask).collect();
        (self.observer)(Event::Reply {
            method,
            url,
            status: reply.status,
            headers: &headers,
            body: &shown(&reply.body, &self.secrets),
            length: reply.length,
            elapsed,
        });
    }

    /// Returns the error of a complete reply with any other status than success.
    fn refused(&self, request: &Request, reply: &Reply) -> Error {
        let kind = reply::refusal(reply, &self.config, &request.path, &self.secrets);
        let mut error = self.described(Error::sent(request.attempt, kind));
        if matches!(error.kind, ErrorKind::Api { .. }) {
            self.learn(Experience::ConnectAnswered);
        }
        error.context.retry_after = reply.header("retry-after").and_then(reply::retry_after);
        error.context.request_id = reply::request_id(reply, &self.secrets);
        error
    }

    /// Returns the error of a request without a complete reply.
    fn broken(&self, request: &Request, broken: Broken, elapsed: Duration) -> Error {
        let Broken { mut kind, sent, reused, source } = broken;
        match &mut kind {
            ErrorKind::NotHttp(line) => *line = excerpt(line.text.as_bytes(), &self.secrets),
            ErrorKind::InvalidHttp(line) => *line = excerpt(line.as_bytes(), &self.secrets).text,
            _ => {}
        }
        let stale = reused && matches!(kind, ErrorKind::Lost(_)) && elapsed < STALE_WITHIN;
        let error = if sent { Error::sent } else { Error::not_sent }(request.attempt, kind);
        let mut error = self.described(error);
        error.context.stale = stale;
        error.context.source = source;
        error
    }

    /// Returns an error that names the server, and the proxy, which may have answered instead of Connect.
    fn described(&self, mut error: Error) -> Error {
        let is_clear = matches!(
            error.kind,
            ErrorKind::Api { .. }
                | ErrorKind::Proxy { .. }
                | ErrorKind::ProxyAuthentication { .. }
                | ErrorKind::OutOfTime
        );
        error.context.server = self.mask_key(&self.config.server.to_string());
        error.context.proxy = self.config.proxy.as_ref().filter(|_| !is_clear).map(ToString::to_string);
        error
    }

    fn limits(&self, request: &Request) -> Result<Limits> {
        let whole = self.limit(request)?;
        let is_first = self.experience.get() == Experience::Nothing;
        let connect = (is_first && self.config.retries.is_none()).then_some(FIRST_CONNECT);
        if request.attempt != Attempt::ListContent {
            return Ok(Limits { whole, connect, part: None });
        }
        // It may take as long as the run, so that only its pauses are limited.
        let all = self.deadline().and(whole).map(|limit| limit.saturating_add(self.time_left()));
        Ok(Limits { whole: self.representable(all), connect: connect.or(whole), part: whole })
    }

    /// Returns the time limit of a request.
    fn limit(&self, request: &Request) -> Result<Option<Duration>> {
        let Some(limit) = self.config.request_timeout else { return Ok(None) };
        match self.time_after_timeout().filter(|_| self.time_left().is_zero()) {
            None => Ok(self.representable(Some(limit.saturating_add(request.hold)))),
            Some(Duration::ZERO) => {
                Err(self.described(Error::not_sent(request.attempt, ErrorKind::OutOfTime)))
            }
            Some(left) => Ok(self.representable(Some(left.min(limit)))),
        }
    }

    /// Returns a limit unless it is so far away that it cannot be represented, which counts as none. ureq adds it to
    /// later times than now, so there has to be room for more.
    fn representable(&self, limit: Option<Duration>) -> Option<Duration> {
        limit.filter(|limit| limit.checked_mul(2).and_then(|far| self.clock.now().checked_add(far)).is_some())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Excerpt;

    fn config() -> Config {
        Config::new("http://127.0.0.1:1".parse().unwrap(), "key".parse().unwrap())
    }

    #[test]
    fn adds_the_time_that_the_server_may_hold_a_reply_to_the_limit() {
        let seconds = Duration::from_secs;
        let mut config = config();
        let id = "a".parse().unwrap();
        let request = Request::poll(&id, 0, seconds(20));
        for (limit, timeout, expected) in [
            (Some(30), None, Some(50)),
            (Some(30), Some(1000), Some(50)),
            (None, Some(1000), None),
            (Some(u64::MAX), Some(u64::MAX), None),
        ] {
            (config.request_timeout, config.timeout) = (limit.map(seconds), timeout.map(seconds));
            let limits = Client::new(config.clone()).unwrap().limits(&request).unwrap();
            assert_eq!((limits.whole, limits.part), (expected.map(seconds), None));
        }
    }

    #[test]
    fn limits_the_time_to_connect_until_the_server_has_answered() {
        let mut config = config();
        let half_a_minute = config.request_timeout;
        for (retries, is_long, answered, expected) in [
            (None, false, false, Some(FIRST_CONNECT)),
            (None, true, false, Some(FIRST_CONNECT)),
            (None, false, true, None),
            (None, true, true, half_a_minute),
            (Some(1), false, false, None),
        ] {
            config.retries = retries;
            let request = Request::new(if is_long { Attempt::ListContent } else { Attempt::GetUser });
            let client = Client::new(config.clone()).unwrap();
            client.learn(if answered { Experience::Answered } else { Experience::Nothing });
            let limits = client.limits(&request).unwrap();
            assert_eq!(limits.connect, expected, "{retries:?} {is_long} {answered}");
            assert_eq!(
                (limits.whole, limits.part),
                if is_long { (None, half_a_minute) } else { (half_a_minute, None) }
            );
        }
    }

    #[test]
    fn pauses_for_load_only_as_long_as_there_is_time() {
        let mut config = config();
        let kind = ErrorKind::Foreign { status: 503, excerpt: Excerpt::default() };
        let mut error = Error::sent(Attempt::PollTask, kind);
        error.context.retry_after = Some(Duration::from_secs(40));
        for (timeout, request_timeout, expected) in [
            (None, Some(30), 40),
            (Some(1000), Some(30), 40),
            (Some(20), Some(30), 20),
            // After the timeout, the pause must leave time to find out what happened.
            (Some(0), Some(30), 0),
            (Some(0), Some(60), 40),
            (Some(0), None, 40),
        ] {
            config.timeout = timeout.map(Duration::from_secs);
            config.request_timeout = request_timeout.map(Duration::from_secs);
            let client = Client::new(config.clone()).unwrap();
            let now = client.clock().now();
            client.pace.set(Pace::default().after(Some(&error), now, now));
            let pause = client.pause_for_load().as_secs_f64();
            assert!(
                (f64::from(expected) - 5.0..=f64::from(expected)).contains(&pause),
                "{timeout:?} {pause}"
            );
        }
        // A retry is announced with the pause that it will have.
        let client = Client::new(self::config()).unwrap();
        let now = client.clock().now();
        client.pace.set(Pace::default().after(Some(&error), now, now));
        let lost = Error::sent(Attempt::PollTask, ErrorKind::Lost(String::new()));
        let again = client.next_try(&mut Failures::default(), &lost).unwrap();
        assert!(again.delay > Duration::from_secs(30), "{again:?}");
    }

    #[test]
    fn can_be_sent_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Client>();
    }
}
