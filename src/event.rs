//! What a [`Client`](crate::Client) tells its observer.

use std::time::Duration;

use crate::{Error, ErrorKind};

/// What a [`Client`](crate::Client) tells its observer.
///
/// The API key and the proxy's credentials are masked. The headers of a reply may hold cookies, which are as
/// good as a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is sent.
    Request {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// With its query.
        url: &'a str,
    },
    /// A whole reply has arrived.
    #[non_exhaustive]
    Reply {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// With its query.
        url: &'a str,
        /// The HTTP status.
        status: u16,
        /// Names, in lower case, and values.
        headers: &'a [(String, String)],
        /// The body; that of the content list is not kept, and this is its start.
        body: &'a [u8],
        /// How many bytes of the body arrived.
        length: u64,
        /// From the start of the request to the end of the reply.
        elapsed: Duration,
    },
    /// No whole reply has arrived.
    #[non_exhaustive]
    NoReply {
        /// `GET` or `DELETE`.
        method: &'a str,
        /// With its query.
        url: &'a str,
        /// Why.
        reason: &'a ErrorKind,
        /// From the start of the request.
        elapsed: Duration,
    },
    /// A failed request will be retried.
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
