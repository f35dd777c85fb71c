//! Failed requests: what was attempted, why it failed, and one classification of it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

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
    pub(crate) class: Class,
    pub(crate) context: Box<Context>,
}

/// What is known of a failed request beside its cause.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// The pause that the server asked for in `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    /// Whether a kept connection failed as soon as it was reused: the server had just closed it.
    pub(crate) stale: bool,
    /// The server's address.
    pub(crate) server: String,
    /// The proxy that the request went through, without credentials. The proxy may have caused the failure.
    pub(crate) proxy: Option<String>,
    /// The header that leads to the request in the log of Connect, or of a gateway.
    pub(crate) request_id: Option<String>,
    pub(crate) source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A longer pause in `Retry-After` ends the retries.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

    /// Returns the error of a request of which some was sent, as observed at the transport.
    pub(crate) fn sent(attempt: Attempt, kind: ErrorKind) -> Self {
        let class = Class::sent(attempt, &kind);
        Self { attempt, kind, class, context: Box::default() }
    }

    /// Returns the error of a request that was not sent.
    pub(crate) fn not_sent(attempt: Attempt, kind: ErrorKind) -> Self {
        let class = Class::not_sent(&kind);
        Self { attempt, kind, class, context: Box::default() }
    }

    /// Returns what the failure means for the request.
    pub fn verdict(&self) -> Verdict {
        self.class.verdict
    }

    /// Returns the pause that the server asked for in `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.context.retry_after
    }
}

/// What a failure means for the request. Exit statuses and outcomes are decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The request did not reach the server.
    NotSent,
    /// Access was refused: 401 or 403, also of a gateway.
    Denied,
    /// There is no such cache or task.
    NotFound,
    /// Connect refused the request for another reason.
    Refused,
    /// The request was refused without Connect's error object, so probably by something in front of Connect.
    RefusedByGateway,
    /// The request may have had its effect, but nothing says so.
    InDoubt,
    /// There is no usable answer to a request that changes nothing.
    NoAnswer,
}

/// Whether a request may be sent again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Never,
    /// After the backoff.
    Later,
    /// After the backoff, if Connect has answered in this run: one odd reply does not decide it.
    IfConnectAnswered,
    /// Once, if the key has been accepted in this run.
    OnceIfKeyAccepted,
    /// At other nodes of the cluster.
    AtOtherNodes,
}

/// The classification of a failure, by this table. A request is repeatable unless it is a DELETE that is no dry run.
///
/// | failure | verdict | sent again |
/// | --- | --- | --- |
/// | not sent: certificate, fatal TLS alert, credentials refused by a proxy, no time left | not sent | never |
/// | not sent for another reason | not sent | later |
/// | sent, but the TLS alert `CertificateRequired` proves that nothing was processed | not sent | never |
/// | 404 with code 4 to a DELETE or a dry run | not found | never |
/// | 404 with code 4 or 141 to a poll | not found | at other nodes |
/// | 401 | denied | once if the key was accepted, if repeatable |
/// | 403 | denied | never |
/// | 429, which says that nothing was processed (RFC 6585) | refused by Connect or a gateway | later |
/// | another 4xx but 408, in Connect's form | refused by Connect | never |
/// | 501, a redirect, another 3xx or 4xx but 408 | refused by a gateway | never |
/// | 408, another 5xx, a reply that was lost or late | no answer; in doubt unless repeatable | later, if repeatable |
/// | a success that cannot be used | no answer; in doubt unless repeatable | if Connect answered, if repeatable |
/// | a dry run that started a deletion | in doubt | never |
/// | anything else: not HTTP, a fatal TLS alert, a reply that is too large, no time left for it | no answer; in doubt unless repeatable | never |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) verdict: Verdict,
    pub(crate) retry: Retry,
    /// Whether the server asks for less load: 429 and 503.
    pub(crate) overloaded: bool,
    /// Whether a gateway may have timed out while the server held the request.
    pub(crate) lost_while_held: bool,
}

impl Class {
    fn not_sent(kind: &ErrorKind) -> Self {
        let is_final = matches!(
            kind,
            ErrorKind::UnknownIssuer
                | ErrorKind::Certificate(_)
                | ErrorKind::ClientCertificateRequired(_)
                | ErrorKind::TlsAlert(_)
                | ErrorKind::ProxyAuthentication { .. }
                | ErrorKind::OutOfTime
        );
        let retry = if is_final { Retry::Never } else { Retry::Later };
        Self { verdict: Verdict::NotSent, retry, overloaded: false, lost_while_held: false }
    }

    fn sent(attempt: Attempt, kind: &ErrorKind) -> Self {
        let status = kind.status();
        let is_lost = matches!(kind, ErrorKind::Lost(_) | ErrorKind::TimedOut(_));
        let (verdict, retry) = Self::verdict(attempt, kind);
        Self {
            verdict,
            retry,
            overloaded: matches!(status, Some(429 | 503)),
            lost_while_held: is_lost || matches!(status, Some(502 | 504)),
        }
    }

    fn verdict(attempt: Attempt, kind: &ErrorKind) -> (Verdict, Retry) {
        let repeatable = attempt.is_repeatable();
        let unanswered = |retry| {
            if repeatable { (Verdict::NoAnswer, retry) } else { (Verdict::InDoubt, Retry::Never) }
        };
        match (kind, kind.status()) {
            (ErrorKind::ClientCertificateRequired(_), _) => (Verdict::NotSent, Retry::Never),
            (ErrorKind::Api { status: 404, code: 4 | 141, .. }, _) if attempt == Attempt::PollTask => {
                (Verdict::NotFound, Retry::AtOtherNodes)
            }
            (ErrorKind::Api { status: 404, code: 4, .. }, _) if attempt.is_of_cache() => {
                (Verdict::NotFound, Retry::Never)
            }
            (_, Some(401)) if repeatable => (Verdict::Denied, Retry::OnceIfKeyAccepted),
            (_, Some(401 | 403)) => (Verdict::Denied, Retry::Never),
            (ErrorKind::Api { .. }, Some(429)) => (Verdict::Refused, Retry::Later),
            (_, Some(429)) => (Verdict::RefusedByGateway, Retry::Later),
            (_, Some(408)) => unanswered(Retry::Later),
            (ErrorKind::Api { .. }, Some(400..=499)) => (Verdict::Refused, Retry::Never),
            (_, Some(300..=499 | 501)) => (Verdict::RefusedByGateway, Retry::Never),
            (_, Some(500..)) | (ErrorKind::Lost(_) | ErrorKind::TimedOut(_), _) => unanswered(Retry::Later),
            (ErrorKind::Malformed { .. } | ErrorKind::Encoded { .. }, _) => {
                unanswered(Retry::IfConnectAnswered)
            }
            (ErrorKind::DryRunStarted { .. }, _) => (Verdict::InDoubt, Retry::Never),
            _ => unanswered(Retry::Never),
        }
    }
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

impl Attempt {
    /// Reports whether sending the request twice does no more than sending it once.
    pub(crate) fn is_repeatable(self) -> bool {
        self != Self::DeleteRuntimeCache
    }

    /// Reports whether Connect answers the request only with a valid key.
    pub(crate) fn needs_key(self) -> bool {
        self != Self::GetServerSettings
    }

    /// Reports whether the request names a cache.
    fn is_of_cache(self) -> bool {
        matches!(self, Self::DeleteRuntimeCache | Self::CheckRuntimeCache)
    }
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

/// The cause of a failure.
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
    /// The proxy requires credentials, or other ones: HTTP 407, or the same by SOCKS.
    ProxyAuthentication {
        /// The proxy's address, without credentials.
        proxy: String,
        /// What the proxy replied.
        problem: String,
        /// Whether it accepts Basic credentials, the only ones that can be sent.
        basic: bool,
        /// Whether it has refused the credentials in its address.
        refused: bool,
    },
    /// No trusted CA issued the server's certificate.
    UnknownIssuer,
    /// The server's certificate was rejected for another reason.
    Certificate(CertificateProblem),
    /// The server requires a client certificate, which is not supported. In TLS 1.3 that is known only after the
    /// request was sent; the server has not processed it.
    ClientCertificateRequired(String),
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
    /// The reply is not HTTP.
    NotHttp(Excerpt),
    /// The reply begins as HTTP does, but cannot be parsed.
    InvalidHttp(String),
    /// The whole reply did not arrive within this limit, which includes the time the server held it.
    TimedOut(Duration),
    /// The time ran out before the request was sent, or while the list of content was read; see
    /// [`Config::timeout`](crate::Config::timeout).
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
        /// What the reply says.
        excerpt: Excerpt,
    },
    /// A DELETE request was refused without Connect's error object, while Connect answers GET requests: something in
    /// front of it refuses DELETE requests, perhaps because of their body.
    DeleteRefused {
        /// The HTTP status.
        status: u16,
        /// What the reply says, unless it is encoded.
        excerpt: Option<Excerpt>,
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
        /// What the reply says.
        excerpt: Excerpt,
    },
    /// The reply to a dry run names a task: the dry run has started a deletion.
    DryRunStarted {
        /// The task's ID.
        task: String,
    },
    /// The head or the body of the reply exceeds its limit.
    TooLarge,
}

impl ErrorKind {
    /// Returns the HTTP status of a reply that was an error.
    fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. }
            | Self::Foreign { status, .. }
            | Self::DeleteRefused { status, .. }
            | Self::Redirect { status, .. }
            | Self::Encoded { status, .. } => Some(*status),
            Self::ProxyAuthentication { .. } => Some(407),
            _ => None,
        }
    }
}

/// Why a server's certificate was rejected, and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateProblem {
    /// Completes the sentence "server certificate rejected: …".
    pub problem: Cow<'static, str>,
    /// What to do about it.
    pub correction: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Context { server, proxy, request_id, .. } = &*self.context;
        write!(f, "cannot {} on {server}", self.attempt)?;
        if let Some(proxy) = proxy {
            write!(f, " through proxy {proxy}")?;
        }
        write!(f, ": {}", self.kind)?;
        match request_id {
            Some(request_id) => write!(f, " ({request_id})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.context.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { host, problem } => write!(f, "cannot resolve host {host}: {problem}"),
            Self::Connect { to, problem } => write!(f, "connection to {to} failed: {problem}"),
            Self::Proxy { proxy, problem } | Self::ProxyAuthentication { proxy, problem, .. } => {
                write!(f, "connection through proxy {proxy} failed: {problem}")
            }
            Self::UnknownIssuer => f.write_str("server certificate rejected: no trusted CA issued it"),
            Self::Certificate(certificate) => {
                write!(f, "server certificate rejected: {}", certificate.problem)
            }
            Self::ClientCertificateRequired(problem) => {
                write!(f, "the server requires a client certificate: {problem}")
            }
            Self::NotTls(problem) | Self::TlsAlert(problem) | Self::Tls(problem) => {
                write!(f, "TLS failed: {problem}")
            }
            Self::TlsClosed(problem) => {
                write!(f, "TLS failed: connection closed during the handshake: {problem}")
            }
            Self::Lost(problem) => write!(f, "the reply was lost: {problem}"),
            Self::NotHttp(excerpt) => write!(f, "the reply is not HTTP{excerpt}"),
            Self::InvalidHttp(problem) => write!(f, "the reply is not valid HTTP: {problem}"),
            Self::OutOfTime => f.write_str("timed out"),
            Self::TimedOut(limit) => write!(f, "no reply within {}", seconds(*limit)),
            Self::Api { status, code, message } => write!(f, "{message} (HTTP {status}, code {code})"),
            Self::Foreign { status, excerpt } => {
                write!(f, "HTTP {status}, not from Connect{excerpt}")
            }
            Self::DeleteRefused { status, excerpt } => {
                write!(f, "HTTP {status}, not from Connect, which answers GET requests")?;
                excerpt.as_ref().map_or(Ok(()), |excerpt| excerpt.fmt(f))
            }
            Self::Redirect { status, location, .. } => {
                write!(f, "HTTP {status}, a redirect to {location}, which is not followed")
            }
            Self::Encoded { status, encoding } => {
                write!(f, "HTTP {status}, with an unrequested Content-Encoding: {encoding}")
            }
            Self::Malformed { excerpt, .. } if excerpt.is_page => write!(f, "expected JSON{excerpt}"),
            Self::Malformed { expected, problem, excerpt, .. } => {
                write!(f, "expected {expected}, but {problem}{excerpt}")
            }
            Self::DryRunStarted { task } => write!(f, "the dry run started task {task}"),
            Self::TooLarge => f.write_str("the reply is too large"),
        }
    }
}

/// What a reply says that is not Connect's: the words of a page, or the start of anything else. Secrets are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excerpt {
    /// Whether the reply is a page (HTML).
    pub is_page: bool,
    /// The title and the words of a page, or the start of anything else: at most 200 characters on one line.
    pub text: String,
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.as_str() {
            "" if self.is_page => f.write_str("; the page has no words"),
            "" => f.write_str("; the reply is empty"),
            text if self.is_page => write!(f, "; the page says: {text}"),
            text => write!(f, "; the reply starts with: {text}"),
        }
    }
}

/// Returns a limit for people: `30 s` or `0.25 s`.
pub(crate) fn seconds(limit: Duration) -> String {
    let text = format!("{}.{:03}", limit.as_secs(), limit.subsec_millis());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(status: u16) -> ErrorKind {
        ErrorKind::Foreign { status, excerpt: Excerpt::default() }
    }

    fn encoded(status: u16) -> ErrorKind {
        ErrorKind::Encoded { status, encoding: String::new() }
    }

    fn api(status: u16, code: i64) -> ErrorKind {
        ErrorKind::Api { status, code, message: String::new() }
    }

    fn text<T>(kind: impl Fn(String) -> T) -> T {
        kind(String::new())
    }

    fn malformed() -> ErrorKind {
        let (problem, excerpt) = (String::new(), Excerpt::default());
        ErrorKind::Malformed { expected: "", is_json: true, problem, excerpt }
    }

    fn not_sent(attempt: Attempt, kind: ErrorKind) -> (Verdict, Retry) {
        let Class { verdict, retry, .. } = Error::not_sent(attempt, kind).class;
        (verdict, retry)
    }

    fn sent(attempt: Attempt, kind: ErrorKind) -> (Verdict, Retry) {
        let Class { verdict, retry, .. } = Error::sent(attempt, kind).class;
        (verdict, retry)
    }

    const DELETE: Attempt = Attempt::DeleteRuntimeCache;
    const DRY_RUN: Attempt = Attempt::CheckRuntimeCache;
    const POLL: Attempt = Attempt::PollTask;

    #[test]
    fn classifies_requests_that_were_not_sent() {
        for attempt in [DELETE, DRY_RUN, POLL] {
            for kind in [
                ErrorKind::UnknownIssuer,
                ErrorKind::Certificate(CertificateProblem { problem: "".into(), correction: "" }),
                text(ErrorKind::ClientCertificateRequired),
                text(ErrorKind::TlsAlert),
                ErrorKind::ProxyAuthentication {
                    proxy: String::new(),
                    problem: String::new(),
                    basic: true,
                    refused: true,
                },
                ErrorKind::OutOfTime,
            ] {
                assert_eq!(not_sent(attempt, kind), (Verdict::NotSent, Retry::Never));
            }
            for kind in [
                ErrorKind::Connect { to: String::new(), problem: String::new() },
                ErrorKind::Name { host: String::new(), problem: String::new() },
                ErrorKind::Proxy { proxy: String::new(), problem: String::new() },
                text(ErrorKind::Tls),
                text(ErrorKind::NotTls),
                text(ErrorKind::TlsClosed),
            ] {
                assert_eq!(not_sent(attempt, kind), (Verdict::NotSent, Retry::Later));
            }
            let alert = text(ErrorKind::ClientCertificateRequired);
            assert_eq!(sent(attempt, alert), (Verdict::NotSent, Retry::Never));
        }
    }

    #[test]
    fn classifies_refusals() {
        let redirect = || ErrorKind::Redirect { status: 302, location: String::new(), instead: None };
        for (kind, verdict, retry) in [
            (api(403, 22), Verdict::Denied, Retry::Never),
            (foreign(403), Verdict::Denied, Retry::Never),
            (api(404, 4), Verdict::NotFound, Retry::Never),
            (api(404, 141), Verdict::Refused, Retry::Never),
            (api(404, 2), Verdict::Refused, Retry::Never),
            (api(400, 194), Verdict::Refused, Retry::Never),
            (api(429, 277), Verdict::Refused, Retry::Later),
            (foreign(429), Verdict::RefusedByGateway, Retry::Later),
            (foreign(400), Verdict::RefusedByGateway, Retry::Never),
            (foreign(404), Verdict::RefusedByGateway, Retry::Never),
            (foreign(413), Verdict::RefusedByGateway, Retry::Never),
            (foreign(300), Verdict::RefusedByGateway, Retry::Never),
            (foreign(501), Verdict::RefusedByGateway, Retry::Never),
            (api(501, 1), Verdict::RefusedByGateway, Retry::Never),
            (encoded(405), Verdict::RefusedByGateway, Retry::Never),
            (redirect(), Verdict::RefusedByGateway, Retry::Never),
        ] {
            let shown = kind.to_string();
            assert_eq!(sent(DELETE, kind), (verdict, retry), "{shown}");
        }
        for kind in [api(401, 30), foreign(401)] {
            assert_eq!(sent(POLL, kind), (Verdict::Denied, Retry::OnceIfKeyAccepted));
        }
        assert_eq!(sent(DELETE, api(401, 30)), (Verdict::Denied, Retry::Never));
        for code in [4, 141] {
            assert_eq!(sent(POLL, api(404, code)), (Verdict::NotFound, Retry::AtOtherNodes));
        }
        assert_eq!(sent(Attempt::GetUser, api(404, 4)), (Verdict::Refused, Retry::Never));
    }

    #[test]
    fn classifies_requests_without_a_usable_answer() {
        let timed_out = || ErrorKind::TimedOut(Duration::ZERO);
        type Kind = fn() -> ErrorKind;
        let rows: [(Kind, Retry); 14] = [
            (|| foreign(408), Retry::Later),
            (|| api(500, 1), Retry::Later),
            (|| foreign(502), Retry::Later),
            (|| foreign(505), Retry::Later),
            (|| foreign(530), Retry::Later),
            (|| encoded(503), Retry::Later),
            (|| text(ErrorKind::Lost), Retry::Later),
            (|| ErrorKind::TimedOut(Duration::ZERO), Retry::Later),
            (malformed, Retry::IfConnectAnswered),
            (|| encoded(200), Retry::IfConnectAnswered),
            (|| ErrorKind::NotHttp(Excerpt::default()), Retry::Never),
            (|| text(ErrorKind::InvalidHttp), Retry::Never),
            (|| text(ErrorKind::TlsAlert), Retry::Never),
            (|| ErrorKind::TooLarge, Retry::Never),
        ];
        for (kind, retry) in rows {
            assert_eq!(sent(POLL, kind()), (Verdict::NoAnswer, retry), "{}", kind());
            assert_eq!(sent(DRY_RUN, kind()), (Verdict::NoAnswer, retry), "{}", kind());
            assert_eq!(sent(DELETE, kind()), (Verdict::InDoubt, Retry::Never), "{}", kind());
        }
        let started = ErrorKind::DryRunStarted { task: String::new() };
        assert_eq!(sent(DRY_RUN, started), (Verdict::InDoubt, Retry::Never));
        assert!(Error::sent(POLL, timed_out()).class.lost_while_held);
        assert!(!Error::not_sent(POLL, timed_out()).class.lost_while_held);
        for (status, overloaded, lost_while_held) in [
            (429, true, false),
            (503, true, false),
            (502, false, true),
            (504, false, true),
            (500, false, false),
        ] {
            let class = Error::sent(POLL, foreign(status)).class;
            assert_eq!((class.overloaded, class.lost_while_held), (overloaded, lost_while_held), "{status}");
        }
    }
}
