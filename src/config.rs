//! What a [`Client`](crate::Client) needs to know.

use std::fmt;
use std::time::{Duration, Instant};

use crate::{ApiKey, Proxy, ServerUrl, Trust};

/// Something that was configured cannot be used: an address, a key, a certificate file, a proxy.
///
/// Its text is one line and holds no secret. No request has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig(String);

impl InvalidConfig {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConfig {}

/// A server, how to reach it, and how patient to be. [`Config::new`] sets the defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub server: ServerUrl,
    /// The key of the user to act as. Runtime caches are for administrators.
    pub key: ApiKey,
    /// Whose certificates to trust. Default: [`Trust::Store`].
    pub trust: Trust,
    /// The proxy to go through, if any; [`Proxy::for_server`] chooses one from the environment.
    /// Default: none.
    pub proxy: Option<Proxy>,
    /// How long one request may take, beyond the time it asks the server to hold it. `None` for
    /// any time. Default: 30 s.
    pub request_timeout: Option<Duration>,
    /// Consecutive failures of a request that are tried again. `None`: 6, but 2 until the server has
    /// answered once. Default: `None`.
    pub retries: Option<u32>,
    /// The least time from the start of one look at a task to the start of the next. Default: 1 s.
    pub interval: Duration,
    /// When to stop following tasks and trying again. `None` for never. Default: `None`.
    pub deadline: Option<Instant>,
    /// Whether a person watches, who wants to see the time go by: looks at tasks are then held for a
    /// second at the most. Default: no.
    pub watched: bool,
}

impl Config {
    /// The defaults, for `server` and `key`.
    pub fn new(server: ServerUrl, key: ApiKey) -> Self {
        Self {
            server,
            key,
            trust: Trust::default(),
            proxy: None,
            request_timeout: Some(Duration::from_secs(30)),
            retries: None,
            interval: Duration::from_secs(1),
            deadline: None,
            watched: false,
        }
    }

    /// The time until the deadline.
    pub(crate) fn time_left(&self) -> Duration {
        match self.deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        }
    }
}
