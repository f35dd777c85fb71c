//! What a test can see of a request.

use std::time::Instant;

use crate::http;

/// A request that the server has read.
#[derive(Clone, Debug)]
pub struct Request {
    /// The endpoint that it is for.
    pub endpoint: Endpoint,
    /// Its method.
    pub method: String,
    /// Its path with the prefix, without the query.
    pub path: String,
    /// Its query, without the question mark.
    pub query: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The node that answers it.
    pub node: usize,
    /// The number of its TCP connection, from 1.
    pub connection: usize,
    /// The user that its key belongs to.
    pub user: Option<String>,
    /// The time at which it had been read.
    pub at: Instant,
    /// The status of the reply; `None` until one is sent.
    pub status: Option<u16>,
    /// The `X-Correlation-ID` of the reply: the client's own or a new one; `None` if the reply is not Connect's.
    pub correlation_id: Option<String>,
}

impl Request {
    /// Returns the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.headers, &name.to_ascii_lowercase())
    }

    /// Returns the first query parameter of this name, as it was sent.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the body as JSON; `null` if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The endpoints of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// `GET v1/system/caches/runtime`
    List,
    /// `DELETE v1/system/caches/runtime`
    Delete,
    /// The same, with `dry_run` true.
    DryRun,
    /// `GET v1/tasks/{id}`
    Task,
    /// `GET v1/user`
    User,
    /// `GET server_settings`
    Settings,
    /// `GET v1/server_settings/r`
    InstallationsR,
    /// `GET v1/server_settings/python`
    InstallationsPython,
    /// `GET v1/content`
    Content,
    /// Anything else.
    Other,
}
