//! Why a request did not get what it was for.

use std::fmt;
use std::time::Duration;

use crate::ExitStatus;
use crate::sanitize::escape;
use crate::trust::CertificateProblem;

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// A request that did not get what it was for: what was attempted, and what came of it.
///
/// `Display` is one line, safe for a terminal, with no secret in it.
#[derive(Debug)]
pub struct Error {
    /// What was attempted, as "cannot …" goes on.
    pub attempt: &'static str,
    /// What came of it.
    pub kind: ErrorKind,
    /// What the server asked for in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Whether anything of the request itself was sent; observed at the transport.
    pub(crate) sent: bool,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// Whether a kept connection broke as it was used again: the server had just closed it.
    pub(crate) stale: bool,
}

/// What came of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host's name could not be resolved.
    Name {
        /// The host.
        host: String,
        /// The resolver's words.
        problem: String,
    },
    /// No connection could be made.
    Connect {
        /// Host and port.
        to: String,
        /// The system's words.
        problem: String,
    },
    /// The proxy did not let the connection through.
    Proxy {
        /// The proxy's address, without credentials.
        proxy: String,
        /// What it said.
        problem: String,
    },
    /// The server's certificate was refused.
    Certificate(CertificateProblem),
    /// TLS failed otherwise.
    Tls(String),
    /// The connection broke before the whole reply was there.
    Lost(String),
    /// The whole reply was not there in time: the limit, in which the time held is included.
    TimedOut(Duration),
    /// Connect's own error object.
    Api {
        /// The HTTP status.
        status: u16,
        /// Connect's error code.
        code: i64,
        /// Connect's words.
        message: String,
    },
    /// An HTTP status without Connect's error object: something in front of Connect, or no Connect.
    Foreign {
        /// The HTTP status.
        status: u16,
        /// The first of the body.
        start: String,
    },
    /// A redirect, which is never followed.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to, without the query.
        location: String,
        /// The server's address to configure instead, where the redirect leads to the same endpoint.
        instead: Option<String>,
    },
    /// A reply of another shape than documented.
    Malformed {
        /// What was expected, in words.
        expected: &'static str,
        /// What is wrong with the reply.
        problem: String,
        /// The first of the body.
        start: String,
    },
    /// A reply over the limit for its head or body.
    TooLarge,
}

impl Error {
    /// The program's exit status for this error.
    pub fn exit_status(&self) -> ExitStatus {
        match &self.kind {
            ErrorKind::Api { status, .. } | ErrorKind::Foreign { status, .. }
                if matches!(status, 401 | 403) =>
            {
                ExitStatus::Denied
            }
            ErrorKind::Api { status: 404, code: 4 | 141, .. } => ExitStatus::NotFound,
            ErrorKind::Api { status, .. } if *status < 500 => ExitStatus::Refused,
            _ => ExitStatus::NoAnswer,
        }
    }

    /// Whether the cache that the request names does not exist (404 with Connect's code 4).
    pub fn is_no_such_cache(&self) -> bool {
        matches!(self.kind, ErrorKind::Api { status: 404, code: 4, .. })
    }

    /// Whether the node that answered does not know the task (404 with Connect's code 141).
    pub fn is_task_lost(&self) -> bool {
        matches!(self.kind, ErrorKind::Api { status: 404, code: 141, .. })
    }

    /// Whether a request that starts a deletion may have started it all the same.
    pub fn is_in_doubt(&self) -> bool {
        if self.repeatable || !self.sent {
            return false;
        }
        match &self.kind {
            ErrorKind::Api { status, .. } | ErrorKind::Foreign { status, .. } => {
                matches!(status, 408 | 429 | 200..=299 | 500..)
            }
            ErrorKind::Redirect { .. } => false,
            _ => true,
        }
    }

    /// Whether the same request may well succeed a little later, and does no harm.
    pub fn is_worth_a_retry(&self) -> bool {
        if !self.sent {
            return !matches!(self.kind, ErrorKind::Certificate(_));
        }
        self.repeatable
            && match &self.kind {
                ErrorKind::Api { status, .. } | ErrorKind::Foreign { status, .. } => {
                    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
                }
                ErrorKind::Lost(_) | ErrorKind::TimedOut(_) => true,
                _ => false,
            }
    }

    /// Whether a gateway may have lost patience with a request that the server held.
    pub(crate) fn is_lost_while_held(&self) -> bool {
        self.sent
            && match &self.kind {
                ErrorKind::Api { status, .. } | ErrorKind::Foreign { status, .. } => {
                    matches!(status, 502 | 504)
                }
                ErrorKind::Lost(_) | ErrorKind::TimedOut(_) => true,
                _ => false,
            }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempt, self.kind)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { host, problem } => write!(f, "the name {host} cannot be resolved: {problem}"),
            Self::Connect { to, problem } => write!(f, "no connection to {to}: {problem}"),
            Self::Proxy { proxy, problem } => {
                write!(f, "the proxy {proxy} does not let us through: {}", escape(problem))
            }
            Self::Certificate(problem) => write!(f, "the server's certificate is refused: {problem}"),
            Self::Tls(problem) => write!(f, "TLS failed: {}", escape(problem)),
            Self::Lost(problem) => write!(f, "the answer was lost: {}", escape(problem)),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Api { status, code, message } => {
                write!(f, "{} (HTTP {status}, code {code})", escape(message))
            }
            Self::Foreign { status, start } => {
                write!(f, "HTTP {status}, and not from Connect itself")?;
                starting(f, start)
            }
            Self::Redirect { status, location, .. } => {
                write!(f, "HTTP {status}, a redirect to {}, which is not followed", escape(location))
            }
            Self::Malformed { expected, problem, start } => {
                write!(f, "expected {expected}, but {}", escape(problem))?;
                starting(f, start)
            }
            Self::TooLarge => f.write_str("the reply is too large"),
        }
    }
}

fn starting(f: &mut fmt::Formatter<'_>, start: &str) -> fmt::Result {
    match start {
        "" => f.write_str("; the reply is empty"),
        start => write!(f, "; the reply starts with: {}", escape(start)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, sent: bool, repeatable: bool) -> Error {
        Error { attempt: "try", kind, retry_after: None, sent, repeatable, stale: false }
    }

    fn foreign(status: u16) -> ErrorKind {
        ErrorKind::Foreign { status, start: String::new() }
    }

    fn api(status: u16, code: i64) -> ErrorKind {
        ErrorKind::Api { status, code, message: String::new() }
    }

    #[test]
    fn four_and_five_need_connects_own_error_object() {
        for (kind, code) in [
            (api(401, 24), 3),
            (api(403, 22), 3),
            (foreign(401), 3),
            (foreign(403), 3),
            (api(404, 4), 4),
            (api(404, 141), 4),
            (api(404, 2), 5),
            (api(400, 194), 5),
            (api(429, 0), 5),
            (api(500, 1), 6),
            (foreign(404), 6),
            (foreign(400), 6),
            (foreign(503), 6),
            (ErrorKind::Lost(String::new()), 6),
            (ErrorKind::TooLarge, 6),
        ] {
            assert_eq!(error(kind, true, true).exit_status().code(), code);
        }
    }

    #[test]
    fn a_deletion_is_in_doubt_once_sent_and_not_plainly_refused() {
        for (kind, in_doubt) in [
            (foreign(408), true),
            (foreign(429), true),
            (api(500, 1), true),
            (foreign(502), true),
            (foreign(200), true),
            (ErrorKind::Lost(String::new()), true),
            (ErrorKind::TimedOut(Duration::ZERO), true),
            (ErrorKind::TooLarge, true),
            (ErrorKind::Malformed { expected: "", problem: String::new(), start: String::new() }, true),
            (ErrorKind::Redirect { status: 302, location: String::new(), instead: None }, false),
            (api(404, 4), false),
            (api(403, 22), false),
            (foreign(404), false),
            (foreign(413), false),
        ] {
            let sent = error(kind, true, false);
            assert_eq!(sent.is_in_doubt(), in_doubt, "{sent}");
            assert!(!sent.is_worth_a_retry(), "{sent}");
            assert!(!error(sent.kind, false, false).is_in_doubt());
        }
    }

    #[test]
    fn what_was_not_sent_or_changes_nothing_is_tried_again() {
        let lost = || ErrorKind::Lost(String::new());
        let connect = ErrorKind::Connect { to: String::new(), problem: String::new() };
        assert!(error(connect, false, false).is_worth_a_retry());
        assert!(error(lost(), true, true).is_worth_a_retry());
        assert!(!error(ErrorKind::Certificate(CertificateProblem::Expired), false, true).is_worth_a_retry());
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(error(foreign(status), true, true).is_worth_a_retry());
        }
        for status in [400, 404, 413, 501, 505] {
            assert!(!error(foreign(status), true, true).is_worth_a_retry());
        }
    }
}
