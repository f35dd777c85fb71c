//! Errors of requests.

use std::fmt;
use std::time::Duration;

use crate::ExitStatus;

/// The result of a request.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed request: the attempt and the cause.
///
/// `Display` contains no secret. It may contain text from the server as it came, control characters included.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    /// The attempt that failed.
    pub attempt: Attempt,
    /// The cause.
    pub kind: ErrorKind,
    /// The pause that the server asked for in `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Whether any of the request was sent, as observed at the transport.
    pub(crate) sent: bool,
    /// Whether sending the request twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// Whether a kept connection failed as soon as it was reused: the server had just closed it.
    pub(crate) stale: bool,
    /// The proxy that the request went through, without credentials. The proxy may have caused the failure.
    pub(crate) proxy: Option<Box<str>>,
}

/// The purpose of a request. `Display` completes the sentence "cannot …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attempt {
    /// `GET v1/system/caches/runtime`
    ListRuntimeCaches,
    /// `DELETE v1/system/caches/runtime`
    DeleteRuntimeCache,
    /// `DELETE v1/system/caches/runtime` with `dry_run`
    CheckRuntimeCache,
    /// `GET v1/tasks/{id}`
    PollTask,
    /// `GET v1/user`
    GetUser,
    /// `GET server_settings`
    GetServerSettings,
    /// `GET v1/server_settings/r`
    ListRInstallations,
    /// `GET v1/server_settings/python`
    ListPythonInstallations,
    /// `GET v1/content`
    ListContent,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ListRuntimeCaches => "list the runtime caches",
            Self::DeleteRuntimeCache => "delete the runtime cache",
            Self::CheckRuntimeCache => "check the runtime cache with a dry run",
            Self::PollTask => "poll the task",
            Self::GetUser => "get the user of the API key",
            Self::GetServerSettings => "get the server's settings",
            Self::ListRInstallations => "list the server's R installations",
            Self::ListPythonInstallations => "list the server's Python installations",
            Self::ListContent => "list the content items",
        })
    }
}

/// The cause of a failure. Each cause with its own advice is a variant.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host name could not be resolved.
    Name {
        /// The host.
        host: String,
        /// The resolver's message.
        problem: String,
    },
    /// No connection could be made.
    Connect {
        /// Host and port.
        to: String,
        /// The system's message.
        problem: String,
    },
    /// The proxy could not be reached, or refused the connection.
    Proxy {
        /// The proxy's address, without credentials.
        proxy: String,
        /// The proxy's or the system's message.
        problem: String,
    },
    /// The proxy requires credentials, or other ones (407).
    ProxyAuthentication {
        /// The proxy's address, without credentials.
        proxy: String,
        /// Whether it accepts Basic credentials, the only ones that can be sent.
        basic: bool,
        /// Whether it has refused the credentials in its address.
        refused: bool,
    },
    /// The server's certificate was rejected.
    Certificate(CertificateProblem),
    /// The server requires a client certificate. In TLS 1.3 that is known only after the request was sent; the
    /// server has not processed it.
    ClientCertificateRequired(String),
    /// The server rejected the client certificate, before it processed any request.
    ClientCertificateRejected(String),
    /// The server answered the TLS handshake with something else, such as plain HTTP.
    NotTls(String),
    /// The connection was closed during the TLS handshake.
    TlsClosed(String),
    /// The server ended the TLS handshake with a fatal alert.
    TlsAlert(String),
    /// The TLS handshake failed for another reason.
    Tls(String),
    /// The connection failed before the whole reply had arrived.
    Lost(String),
    /// The reply is not HTTP. Holds its start.
    NotHttp(String),
    /// The reply begins as HTTP does, but cannot be parsed.
    InvalidHttp(String),
    /// The whole reply did not arrive within this limit, which includes the time the server held it.
    TimedOut(Duration),
    /// The time ran out before the request was sent; see [`Config::timeout`](crate::Config::timeout).
    OutOfTime,
    /// Connect's own error object.
    Api {
        /// The HTTP status.
        status: u16,
        /// Connect's error code.
        code: i64,
        /// Connect's message.
        message: String,
    },
    /// An HTTP status without Connect's error object: not Connect, or something in front of it.
    Foreign {
        /// The HTTP status.
        status: u16,
        /// The start of the body.
        start: String,
    },
    /// An https port refused a plain HTTP request.
    HttpsRequired {
        /// The HTTP status.
        status: u16,
        /// The start of the body.
        start: String,
    },
    /// A redirect, which is never followed.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// The target, without its query.
        location: String,
        /// The server address to configure, if the redirect leads to the same endpoint.
        instead: Option<String>,
    },
    /// A reply whose content is encoded, although the request asked for none of it.
    Encoded {
        /// The HTTP status.
        status: u16,
        /// The value of `Content-Encoding`.
        encoding: String,
    },
    /// A reply that does not have the documented shape.
    Malformed {
        /// The expected reply, in words.
        expected: &'static str,
        /// Whether the reply is JSON.
        is_json: bool,
        /// The problem with the reply.
        problem: String,
        /// The start of the body.
        start: String,
    },
    /// The head or the body of the reply exceeds its limit.
    TooLarge,
}

/// Why a server's certificate was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// No trusted CA issued it.
    UnknownIssuer,
    /// It is for other names than the server's.
    WrongName,
    /// It has no subject alternative name; the common name alone has not counted since 2000 (RFC 2818).
    NoSubjectAltName,
    /// It is marked as a CA certificate, which a server must not use as its own.
    CaUsedAsServer,
    /// It has expired, or this host's clock is wrong.
    Expired,
    /// It is not valid yet, or this host's clock is wrong.
    NotYetValid,
    /// It is not X.509 version 3.
    Version,
    /// Its extended key usage does not include TLS servers.
    Purpose,
    /// Its CA may not issue certificates for these names.
    NameConstraint,
    /// It has a critical extension that the TLS library does not know.
    CriticalExtension,
    /// Its signature algorithm is not supported, such as SHA-1.
    Algorithm,
    /// Its signature is wrong, or a key is too short.
    Signature,
    /// A certificate in the chain may not issue others.
    Chain,
    /// It cannot be parsed.
    Encoding,
    /// Anything else, in the TLS library's words.
    Other(String),
}

/// The classification of errors that determines exit statuses and outcomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request did not reach the server.
    NotSent,
    /// The key was refused, or its user lacks permission.
    Denied,
    /// There is no such cache or task.
    NotFound,
    /// Connect refused the request for another reason.
    Refused,
    /// Something in front of Connect refused the request.
    RefusedByGateway,
    /// There is no usable answer.
    NoAnswer,
}

impl Error {
    /// A longer pause in `Retry-After` ends the retries.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

    pub(crate) fn verdict(&self) -> Verdict {
        if !self.sent {
            return Verdict::NotSent;
        }
        match &self.kind {
            ErrorKind::ClientCertificateRequired(_) | ErrorKind::ClientCertificateRejected(_) => {
                Verdict::NotSent
            }
            ErrorKind::Redirect { .. } => Verdict::RefusedByGateway,
            ErrorKind::Api { status: 404, code: 4, .. } => Verdict::NotFound,
            // Code 141 says nothing about a cache.
            _ if self.is_task_lost() => Verdict::NotFound,
            kind => match kind.status() {
                Some(401 | 403) => Verdict::Denied,
                Some(501) => Verdict::RefusedByGateway,
                Some(..=499) if matches!(kind, ErrorKind::Api { .. }) => Verdict::Refused,
                Some(408 | 429) => Verdict::NoAnswer,
                Some(300..=499) => Verdict::RefusedByGateway,
                _ => Verdict::NoAnswer,
            },
        }
    }

    /// Returns the program's exit status for this error.
    pub fn exit_status(&self) -> ExitStatus {
        match self.verdict() {
            Verdict::Denied => ExitStatus::Denied,
            Verdict::NotFound => ExitStatus::NotFound,
            Verdict::Refused => ExitStatus::Refused,
            Verdict::NotSent | Verdict::RefusedByGateway | Verdict::NoAnswer => ExitStatus::NoAnswer,
        }
    }

    /// Reports whether the cache that the request names does not exist (404 with Connect's code 4).
    pub fn is_no_such_cache(&self) -> bool {
        let of_cache = matches!(self.attempt, Attempt::DeleteRuntimeCache | Attempt::CheckRuntimeCache);
        of_cache && matches!(self.kind, ErrorKind::Api { status: 404, code: 4, .. })
    }

    /// Reports whether the node that answered does not know the task (404 with Connect's code 141, or code 4
    /// from some versions).
    pub fn is_task_lost(&self) -> bool {
        let of_task = self.attempt == Attempt::PollTask;
        of_task && matches!(self.kind, ErrorKind::Api { status: 404, code: 4 | 141, .. })
    }

    /// Reports whether a DELETE that failed this way is in doubt: it may have started the deletion.
    pub fn is_in_doubt(&self) -> bool {
        if self.repeatable || !self.sent {
            return false;
        }
        match self.kind {
            ErrorKind::Redirect { .. }
            | ErrorKind::ClientCertificateRequired(_)
            | ErrorKind::ClientCertificateRejected(_) => false,
            _ => self.kind.status().is_none_or(|status| match status {
                501 => false,
                status => matches!(status, 408 | 429 | 200..=299 | 500..),
            }),
        }
    }

    /// Reports whether the same request may succeed a little later, and does no harm.
    pub fn is_worth_a_retry(&self) -> bool {
        if !self.sent {
            return !matches!(
                self.kind,
                ErrorKind::Certificate(_)
                    | ErrorKind::ClientCertificateRequired(_)
                    | ErrorKind::ClientCertificateRejected(_)
                    | ErrorKind::TlsAlert(_)
                    | ErrorKind::OutOfTime
            );
        }
        self.repeatable
            && match self.kind.status() {
                Some(status) => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
                None => self.kind.is_lost(),
            }
    }

    /// Reports whether a gateway may have timed out while the server held a request.
    pub(crate) fn is_lost_while_held(&self) -> bool {
        self.sent && self.kind.status().map_or(self.kind.is_lost(), |status| matches!(status, 502 | 504))
    }
}

impl ErrorKind {
    /// Returns the HTTP status of a reply that was an error.
    fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. }
            | Self::Foreign { status, .. }
            | Self::Encoded { status, .. }
            | Self::HttpsRequired { status, .. } => Some(*status),
            Self::ProxyAuthentication { .. } => Some(407),
            _ => None,
        }
    }

    /// Reports whether the reply did not arrive whole.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::TimedOut(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.attempt)?;
        if let Some(proxy) = &self.proxy {
            write!(f, " through proxy {proxy}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { host, problem } => write!(f, "cannot resolve host {host}: {problem}"),
            Self::Connect { to, problem } => write!(f, "connection to {to} failed: {problem}"),
            Self::Proxy { proxy, problem } => {
                write!(f, "connection through proxy {proxy} failed: {problem}")
            }
            Self::ProxyAuthentication { proxy, .. } => {
                write!(f, "connection through proxy {proxy} failed: HTTP 407")
            }
            Self::Certificate(problem) => write!(f, "server certificate rejected: {problem}"),
            Self::ClientCertificateRequired(problem) => {
                write!(f, "the server requires a client certificate: {problem}")
            }
            Self::ClientCertificateRejected(problem) => {
                write!(f, "the server rejected the client certificate: {problem}")
            }
            Self::NotTls(problem) | Self::TlsAlert(problem) | Self::Tls(problem) => {
                write!(f, "TLS failed: {problem}")
            }
            Self::TlsClosed(problem) => {
                write!(f, "TLS failed: connection closed during the handshake: {problem}")
            }
            Self::Lost(problem) => write!(f, "the reply was lost: {problem}"),
            Self::NotHttp(start) => {
                f.write_str("the reply is not HTTP")?;
                starting(f, start)
            }
            Self::InvalidHttp(problem) => write!(f, "the reply is not valid HTTP: {problem}"),
            Self::OutOfTime => f.write_str("timed out"),
            Self::TimedOut(limit) => write!(f, "no reply within {}", seconds(*limit)),
            Self::Api { status, code, message } => write!(f, "{message} (HTTP {status}, code {code})"),
            Self::Foreign { status, start } | Self::HttpsRequired { status, start } => {
                write!(f, "HTTP {status}, not from Connect")?;
                starting(f, start)
            }
            Self::Redirect { status, location, .. } => {
                write!(f, "HTTP {status}, a redirect to {location}, which is not followed")
            }
            Self::Encoded { status, encoding } => {
                write!(f, "HTTP {status}, with an unrequested Content-Encoding: {encoding}")
            }
            Self::Malformed { expected, problem, start, .. } => {
                write!(f, "expected {expected}, but {problem}")?;
                starting(f, start)
            }
            Self::TooLarge => f.write_str("the reply is too large"),
        }
    }
}

fn starting(f: &mut fmt::Formatter<'_>, start: &str) -> fmt::Result {
    match start {
        "" => f.write_str("; the reply is empty"),
        start => write!(f, "; the reply starts with: {start}"),
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "no trusted CA issued it",
            Self::WrongName => "it is for another name",
            Self::NoSubjectAltName => "it has no subject alternative name",
            Self::CaUsedAsServer => "it is a CA certificate",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Version => "it is not X.509 version 3",
            Self::Purpose => "its extended key usage does not include servers",
            Self::NameConstraint => "its CA is not allowed to issue certificates for this name",
            Self::CriticalExtension => "it has an unknown critical extension",
            Self::Algorithm => "its signature algorithm is weak or unknown",
            Self::Signature => "its signature is wrong, or a key is too short",
            Self::Chain => "its issuer is not allowed to issue certificates",
            Self::Encoding => "it is malformed",
            Self::Other(text) => text,
        })
    }
}

/// Returns a limit for people: `30 s` or `0.25 s`. `Debug` of a duration takes 2 KB.
pub(crate) fn seconds(limit: Duration) -> String {
    let text = format!("{}.{:03}", limit.as_secs(), limit.subsec_millis());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, sent: bool, repeatable: bool) -> Error {
        let attempt = if repeatable { Attempt::PollTask } else { Attempt::DeleteRuntimeCache };
        Error { attempt, kind, retry_after: None, sent, repeatable, stale: false, proxy: None }
    }

    fn foreign(status: u16) -> ErrorKind {
        ErrorKind::Foreign { status, start: String::new() }
    }

    fn encoded(status: u16) -> ErrorKind {
        ErrorKind::Encoded { status, encoding: String::new() }
    }

    fn api(status: u16, code: i64) -> ErrorKind {
        ErrorKind::Api { status, code, message: String::new() }
    }

    #[test]
    fn requires_connects_own_error_object_for_statuses_4_and_5() {
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
    fn takes_deletions_in_doubt_once_sent_unless_plainly_refused() {
        for (kind, in_doubt) in [
            (foreign(408), true),
            (foreign(429), true),
            (api(500, 1), true),
            (foreign(502), true),
            (foreign(200), true),
            (ErrorKind::Lost(String::new()), true),
            (ErrorKind::TimedOut(Duration::ZERO), true),
            (ErrorKind::TooLarge, true),
            (
                ErrorKind::Malformed {
                    expected: "",
                    is_json: true,
                    problem: String::new(),
                    start: String::new(),
                },
                true,
            ),
            (ErrorKind::NotHttp(String::new()), true),
            (ErrorKind::InvalidHttp(String::new()), true),
            (encoded(200), true),
            (encoded(502), true),
            (encoded(405), false),
            (ErrorKind::Redirect { status: 302, location: String::new(), instead: None }, false),
            (api(404, 4), false),
            (api(403, 22), false),
            (foreign(404), false),
            (foreign(413), false),
            (foreign(405), false),
            (foreign(501), false),
            (ErrorKind::ClientCertificateRequired(String::new()), false),
            (ErrorKind::ClientCertificateRejected(String::new()), false),
            (ErrorKind::TlsAlert(String::new()), true),
        ] {
            let sent = error(kind, true, false);
            assert_eq!(sent.is_in_doubt(), in_doubt, "{sent}");
            assert!(!sent.is_worth_a_retry(), "{sent}");
            assert!(!error(sent.kind, false, false).is_in_doubt());
        }
    }

    #[test]
    fn retries_unsent_and_read_only_requests() {
        let lost = || ErrorKind::Lost(String::new());
        let connect = ErrorKind::Connect { to: String::new(), problem: String::new() };
        assert!(error(connect, false, false).is_worth_a_retry());
        assert!(error(lost(), true, true).is_worth_a_retry());
        for kind in [
            ErrorKind::Certificate(CertificateProblem::Expired),
            ErrorKind::ClientCertificateRequired(String::new()),
            ErrorKind::TlsAlert(String::new()),
        ] {
            assert!(!error(kind, false, true).is_worth_a_retry());
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(error(foreign(status), true, true).is_worth_a_retry());
        }
        for status in [400, 404, 413, 501, 505] {
            assert!(!error(foreign(status), true, true).is_worth_a_retry());
        }
        assert!(error(encoded(502), true, true).is_worth_a_retry());
        assert!(!error(ErrorKind::TlsAlert(String::new()), true, true).is_worth_a_retry());
        for kind in [ErrorKind::NotHttp(String::new()), ErrorKind::InvalidHttp(String::new()), encoded(200)] {
            assert!(!error(kind, true, true).is_worth_a_retry());
        }
    }
}
