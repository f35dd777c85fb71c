//! A request of the client, before it becomes HTTP.

use std::time::Duration;

use crate::error::Attempt;
use crate::json::Fields;

/// A request, and how to read the object in a reply with a status of success.
pub(crate) trait Endpoint {
    type Reply;

    fn request(&self) -> Request;

    /// Reads the reply; an error says what was found instead of the expected reply.
    fn read(&self, reply: Fields) -> Result<Self::Reply, String>;
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
    /// Whether the reply may take as long as the run, so that only its pauses are limited.
    pub(crate) is_long: bool,
    /// The expected reply, in words.
    pub(crate) expected: &'static str,
}

impl Request {
    pub(crate) fn get(attempt: Attempt, path: impl Into<String>, expected: &'static str) -> Self {
        Self {
            attempt,
            path: path.into(),
            body: None,
            hold: Duration::ZERO,
            repeatable: true,
            is_long: false,
            expected,
        }
    }
}
