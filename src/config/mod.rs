//! The configuration of a [`Client`](crate::Client): values that are valid once constructed.

mod api_key;
mod header;
mod invalid;
mod no_proxy;
mod proxy;
mod server_url;
mod trust;

use std::time::Duration;

use ureq::http::header::AUTHORIZATION;

pub use api_key::ApiKey;
pub use header::Header;
pub use invalid::InvalidConfig;
pub use proxy::Proxy;
pub use server_url::ServerUrl;
pub use trust::{CaCertificates, Trust};

/// Limit for all headers of a configuration together, in bytes.
const MAX_HEADERS: usize = 8 << 10;

/// A server, how to reach it, and how long to wait for it. [`Config::new`] sets the defaults.
///
/// A time may have any length, including zero and [`Duration::MAX`]. One that is beyond what an
/// [`Instant`](std::time::Instant) can represent counts as no limit.
///
/// ```
/// use std::time::Duration;
///
/// use connect_cache::Config;
///
/// let mut config = Config::new("https://connect.example.com".parse()?, "a-secret".parse()?);
/// config.timeout = Some(Duration::from_secs(3600));
/// config.headers.push("X-Gateway: a-secret".parse()?);
/// assert_eq!(config.request_timeout, Some(Duration::from_secs(30)));
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The server.
    pub server: ServerUrl,
    /// The API key. Runtime caches require an administrator's. `None` if a header `Authorization` identifies the
    /// user.
    pub key: Option<ApiKey>,
    /// The certificates to trust. Default: [`Trust::Store`].
    pub trust: Trust,
    /// The proxy to use, if any; [`Proxy::for_server`] selects one from the environment. Default: none.
    pub proxy: Option<Proxy>,
    /// Headers to send with every request, as a gateway may require, of at most 8 KiB in total. If one is
    /// `Authorization`, the key is sent as `X-RSC-Authorization`. Default: none.
    pub headers: Vec<Header>,
    /// Limit for one request, excluding the time it asks the server to hold. `None` for no limit. For the
    /// content list it counts from the last byte received.
    /// Default: 30 s.
    pub request_timeout: Option<Duration>,
    /// How many consecutive failures of a request to retry. `None`: 6, but 2 until the server first answers.
    /// Default: `None`.
    pub retries: Option<u32>,
    /// Minimum time between the starts of consecutive polls of a task, at least 0.1 s. Default: 1 s.
    pub interval: Duration,
    /// How long to follow tasks and to retry, counted from [`Client::new`](crate::Client::new). `None` for no
    /// limit. Default: `None`.
    pub timeout: Option<Duration>,
    /// Limit for the time that the server is asked to hold a poll, so that progress is seen at least so often; in whole
    /// seconds, at least one. `None` for 16 s. Default: `None`.
    pub max_wait: Option<Duration>,
}

impl Config {
    /// Returns the defaults for this server and key.
    pub fn new(server: ServerUrl, key: ApiKey) -> Self {
        Self { key: Some(key), ..Self::without_key(server) }
    }

    /// Returns the defaults for this server, without a key. A header `Authorization` must identify the user, as with
    /// the Bearer token of an OAuth login.
    ///
    /// ```
    /// use connect_cache::{Client, Config};
    ///
    /// let mut config = Config::without_key("https://connect.example.com".parse()?);
    /// assert!(Client::new(config.clone()).is_err());
    /// config.headers.push("Authorization: Bearer a-token".parse()?);
    /// assert!(Client::new(config).is_ok());
    /// # Ok::<(), connect_cache::InvalidConfig>(())
    /// ```
    pub fn without_key(server: ServerUrl) -> Self {
        Self {
            server,
            key: None,
            trust: Trust::default(),
            proxy: None,
            headers: Vec::new(),
            request_timeout: Some(Duration::from_secs(30)),
            retries: None,
            interval: Duration::from_secs(1),
            timeout: None,
            max_wait: None,
        }
    }

    /// Checks what no single value shows: that something identifies the user, and that the headers can be sent.
    pub(crate) fn check(&self) -> Result<(), InvalidConfig> {
        if self.key.is_none() && !self.has_authorization() {
            return Err(InvalidConfig::NoCredentials);
        }
        if self.headers_length() > MAX_HEADERS { Err(InvalidConfig::HeadersTooLong) } else { Ok(()) }
    }

    /// Reports whether one of the headers is `Authorization`.
    pub(crate) fn has_authorization(&self) -> bool {
        self.headers.iter().any(|header| header.name == AUTHORIZATION)
    }

    /// Returns the number of bytes that the headers occupy in a request.
    pub(crate) fn headers_length(&self) -> usize {
        let length = |header: &Header| header.name.as_str().len() + header.value.len() + ": \r\n".len();
        self.headers.iter().map(length).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requires_a_key_or_a_header_that_identifies_the_user() {
        let mut config = Config::without_key("http://host".parse().unwrap());
        config.headers.push("X-Gateway: secret".parse().unwrap());
        assert!(matches!(config.check(), Err(InvalidConfig::NoCredentials)));
        config.headers.push("authorization: Bearer secret".parse().unwrap());
        assert!(config.check().is_ok());
        config.key = Some("key".parse().unwrap());
        config.headers.clear();
        assert!(config.check().is_ok());
    }

    #[test]
    fn limits_the_headers_in_total() {
        let mut config = Config::new("http://host".parse().unwrap(), "key".parse().unwrap());
        let header = |bytes: usize| format!("A: {}", "x".repeat(bytes - "a: \r\n".len()));
        config.headers = vec![header(4096).parse().unwrap(), header(4096).parse().unwrap()];
        assert!(config.check().is_ok());
        config.headers.push("B: x".parse().unwrap());
        assert!(matches!(config.check(), Err(InvalidConfig::HeadersTooLong)));
    }
}
