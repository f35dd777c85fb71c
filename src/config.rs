//! The configuration of a [`Client`](crate::Client).

use std::time::Duration;

use crate::{ApiKey, Header, Proxy, ServerUrl, Trust};

/// A server, how to reach it, and how long to wait for it. [`Config::new`] sets the defaults.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The server.
    pub server: ServerUrl,
    /// The API key. Runtime caches require an administrator's.
    pub key: ApiKey,
    /// The certificates to trust. Default: [`Trust::Store`].
    pub trust: Trust,
    /// The proxy to use, if any; [`Proxy::for_server`] selects one from the environment. Default: none.
    pub proxy: Option<Proxy>,
    /// Headers to send with every request, as a gateway may require. If one is `Authorization`, the key is sent as
    /// `X-RSC-Authorization`. Default: none.
    pub headers: Vec<Header>,
    /// Limit for one request, excluding the time it asks the server to hold. `None` for no limit. For the
    /// content list it counts from the last byte received.
    /// Default: 30 s.
    pub request_timeout: Option<Duration>,
    /// How many consecutive failures of a request to retry. `None`: 6, but 2 until the server first answers.
    /// Default: `None`.
    pub retries: Option<u32>,
    /// Minimum time between the starts of consecutive polls of a task. Default: 1 s.
    pub interval: Duration,
    /// How long to follow tasks and to retry, counted from [`Client::new`](crate::Client::new). `None` for no
    /// limit. Default: `None`.
    pub timeout: Option<Duration>,
    /// How often to report [`Progress::Waiting`](crate::Progress::Waiting); the server is then asked to hold
    /// polls no longer than that (whole seconds, at least one). `None` for never. Default: `None`.
    pub heartbeat: Option<Duration>,
}

impl Config {
    /// Returns the defaults for this server and key.
    pub fn new(server: ServerUrl, key: ApiKey) -> Self {
        Self {
            server,
            key,
            trust: Trust::default(),
            proxy: None,
            headers: Vec::new(),
            request_timeout: Some(Duration::from_secs(30)),
            retries: None,
            interval: Duration::from_secs(1),
            timeout: None,
            heartbeat: None,
        }
    }
}
