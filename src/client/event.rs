//! The events that a [`Client`](crate::Client) reports to its observer.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// An event that a [`Client`](crate::Client) reports to its observer.
///
/// In what a reply says, secrets are masked as by [`Client::mask`](crate::Client::mask). Its headers may contain cookies,
/// which give access to a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is sent.
    Request {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// The URL with its query.
        url: &'a str,
        /// The body of a `DELETE`, which shows whether it is a dry run. Only the API key is masked in it.
        body: Option<&'a str>,
    },
    /// A complete reply has arrived.
    #[non_exhaustive]
    Reply {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// The URL with its query.
        url: &'a str,
        /// The HTTP status.
        status: u16,
        /// Names, in lower case, and values.
        headers: &'a [(String, String)],
        /// The start of the body, at most 4,096 characters.
        body: &'a str,
        /// How many bytes of the body arrived.
        length: u64,
        /// From the start of the request to the end of the reply.
        elapsed: Duration,
    },
    /// No complete reply has arrived.
    #[non_exhaustive]
    NoReply {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// The URL with its query.
        url: &'a str,
        /// The reason.
        reason: &'a ErrorKind,
        /// From the start of the request.
        elapsed: Duration,
    },
    /// A failed request will be retried. [`Progress::Retrying`](crate::Progress::Retrying) reports retries while a
    /// task is followed or a cache is deleted.
    #[non_exhaustive]
    Retrying {
        /// Why it failed.
        error: &'a Error,
        /// The time until the retry.
        delay: Duration,
    },
    /// The endpoint is deprecated (header `X-Deprecated-Endpoint`).
    #[non_exhaustive]
    Deprecated {
        /// The endpoint's path.
        path: &'a str,
        /// The path to use instead, or `n/a`.
        instead: &'a str,
    },
}
