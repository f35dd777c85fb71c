//! A request of the client, before it becomes HTTP.

use std::time::Duration;

use crate::error::Attempt;

/// A request, and how to read the body of a reply with a status of success.
pub(crate) trait Endpoint {
    type Reply;

    fn request(&self) -> Request;

    fn read(&self, body: &[u8]) -> serde_json::Result<Self::Reply>;
}

/// A request: a DELETE if it has a body, else a GET.
pub(crate) struct Request {
    pub(crate) attempt: Attempt,
    /// Relative to the API's base.
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    /// How long the server may hold its reply.
    pub(crate) hold: Duration,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// The expected reply, in words.
    pub(crate) expected: &'static str,
}

impl Request {
    pub(crate) fn get(attempt: Attempt, path: impl Into<String>, expected: &'static str) -> Self {
        Self { attempt, path: path.into(), body: None, hold: Duration::ZERO, repeatable: true, expected }
    }
}
