//! What a [`Client`](crate::Client) does, for those who watch it.

use std::time::Duration;

use ureq::http::HeaderMap;

use crate::{Error, ErrorKind};

/// What a [`Client`](crate::Client) tells its observer. Nothing in it is secret but the headers of a reply, whose
/// cookies are as good as a session, and the bodies.
#[non_exhaustive]
pub enum Event<'a> {
    /// A request goes out.
    Request {
        /// `GET` or `DELETE`.
        method: &'static str,
        /// With its query.
        url: &'a str,
    },
    /// A whole reply is there.
    Reply {
        /// `GET` or `DELETE`.
        method: &'static str,
        /// With its query.
        url: &'a str,
        /// The HTTP status.
        status: u16,
        /// The reply's headers.
        headers: &'a HeaderMap,
        /// The reply's body.
        body: &'a [u8],
        /// Masks in a text what is secret of the request's, should the reply echo it.
        mask: &'a dyn Fn(&str) -> String,
        /// From the request's beginning to the reply's end.
        elapsed: Duration,
    },
    /// No whole reply came.
    NoReply {
        /// `GET` or `DELETE`.
        method: &'static str,
        /// With its query.
        url: &'a str,
        /// Why.
        reason: &'a ErrorKind,
        /// From the request's beginning.
        elapsed: Duration,
    },
    /// A failed request will be made again.
    Retrying {
        /// Why it failed.
        error: &'a Error,
        /// After how long.
        delay: Duration,
    },
    /// The endpoint is deprecated (header `X-Deprecated-Endpoint`).
    Deprecated {
        /// The endpoint's path.
        path: &'a str,
        /// The path to use instead, or `n/a`.
        instead: &'a str,
    },
}
