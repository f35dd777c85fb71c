//! One HTTP exchange over ureq: a request, and the complete reply or the reason why there is none.
//!
//! ureq decides nothing here. It follows no redirect, keeps no cookie, selects no proxy, starts no thread and
//! retries nothing. This module alone interprets its errors, including the wording of rustls.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::uri::InvalidUri;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};
use ureq::{Agent, Timeout};

use crate::dial::Dialer;
use crate::error::{CertificateProblem, seconds};
use crate::head::{BadHead, MAX_HEAD};
use crate::resolver::{CallingThreadResolver, NameError};
use crate::transport::{Wire, WireConnector};
use crate::{Config, ErrorKind, Header, Proxy, ServerUrl, Trust};

/// Limit for a body, unless it is read as it arrives: Connect sends no longer one.
const MAX_BODY: usize = 32 << 20;
/// How much is read at once, and kept of a body that is read as it arrives.
const PART: usize = 8 << 10;
const INPUT_BUFFER: usize = MAX_HEAD + (1 << 10);
/// Holds the whole head of a request, except for the configured headers. Initializing a larger buffer would take 1 % of
/// the time of every run.
const OUTPUT_BUFFER: usize = 11 << 10;
/// Longer than the longest pause between two requests, which is a `Retry-After` of 60 s.
const MAX_IDLE: Duration = Duration::from_secs(90);

const USER_AGENT: &str = concat!("connect-cache/", env!("CARGO_PKG_VERSION"));

/// The HTTP client of one server.
pub(crate) struct Http {
    agent: Agent,
    wire: Arc<Wire>,
    server: ServerUrl,
    proxy: Option<Proxy>,
    /// For a proxy that takes requests in absolute form.
    proxy_authorization: Option<HeaderValue>,
    headers: Vec<Header>,
    /// The header that carries the key. If a gateway uses `Authorization`, it is the other one that Connect reads
    /// (connectapi, rsconnect and Posit's vip do the same).
    key_header: HeaderName,
}

/// How long an exchange may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For all of it.
    pub(crate) whole: Option<Duration>,
    /// For the connection, if one has to be made.
    pub(crate) connect: Option<Duration>,
    /// For each part of the reply, from the last byte received.
    pub(crate) part: Option<Duration>,
}

/// Receives the parts of a successful reply's body as they arrive; reports whether it wants more.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// A request to send: a DELETE if it has a body, else a GET.
pub(crate) struct Outgoing<'a> {
    pub(crate) url: &'a str,
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) cookies: Option<String>,
    pub(crate) body: Option<&'a [u8]>,
    /// Whether to open a new connection instead of using one that is open.
    pub(crate) fresh_connection: bool,
}

impl Outgoing<'_> {
    pub(crate) fn method(&self) -> &'static str {
        if self.body.is_some() { "DELETE" } else { "GET" }
    }
}

/// A complete reply.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names, in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, or the start of one that is read as it arrives.
    pub(crate) body: Vec<u8>,
    /// How many bytes of the body were read.
    pub(crate) length: u64,
    /// Whether the head stated the length of the body, so that its end cannot have been lost.
    pub(crate) framed: bool,
}

impl Reply {
    /// Returns the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An exchange without a complete reply.
pub(crate) struct Broken {
    pub(crate) kind: ErrorKind,
    /// Whether any of the request was sent.
    pub(crate) sent: bool,
    /// Whether it used a connection that had been used before, which the server may have closed at the same
    /// moment.
    pub(crate) reused: bool,
}

impl Http {
    pub(crate) fn new(config: &Config, roots: Option<RootCerts>) -> Self {
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .accept("application/json")
            .accept_encoding("identity")
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER + config.headers_length())
            .max_idle_connections(1)
            .max_idle_age(MAX_IDLE)
            .proxy(None);
        if let Some(roots) = roots {
            let insecure = matches!(config.trust, Trust::Insecure);
            let tls = TlsConfig::builder().root_certs(roots).disable_verification(insecure);
            agent = agent.tls_config(tls.build());
        }
        let mut wire = Wire::default();
        let mut resolver = CallingThreadResolver::default();
        let mut dialer = Dialer::default();
        let mut proxy_authorization = None;
        if let Some(proxy) = &config.proxy {
            let leads_to_proxy = Some((proxy.host().to_owned(), proxy.port()));
            if proxy.is_socks() {
                resolver.proxy = leads_to_proxy;
                dialer.socks = Some(proxy.clone());
            } else if config.server.is_https() {
                agent = agent.proxy(Some(proxy.for_ureq()));
                wire.tunneled = true;
            } else {
                resolver.proxy = leads_to_proxy;
                wire.origin = Some(config.server.origin());
                proxy_authorization = proxy.authorization().and_then(|value| {
                    let mut value = HeaderValue::try_from(value).ok()?;
                    value.set_sensitive(true);
                    Some(value)
                });
            }
        }
        let wire = Arc::new(wire);
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(dialer)
                .chain(RustlsConnector::default())
                .chain(WireConnector(wire.clone()));
        Self {
            agent: Agent::with_parts(agent.build(), connector, resolver),
            wire,
            server: config.server.clone(),
            proxy: config.proxy.clone(),
            proxy_authorization,
            key_header: match config.has_authorization() {
                true => HeaderName::from_static("x-rsc-authorization"),
                false => header::AUTHORIZATION,
            },
            headers: config.headers.clone(),
        }
    }

    /// Sends a request and reads the complete reply. A sink receives the body of a successful one as it arrives.
    pub(crate) fn exchange(
        &self,
        outgoing: &Outgoing<'_>,
        limits: Limits,
        sink: Option<Sink<'_>>,
    ) -> Result<Reply, Broken> {
        let connections = self.wire.connections();
        self.wire.start_request();
        self.send(outgoing, limits, sink).map_err(|error| Broken {
            kind: self.classify(error, limits),
            sent: self.wire.sent(),
            reused: self.wire.connections() == connections,
        })
    }

    fn send(
        &self,
        outgoing: &Outgoing<'_>,
        limits: Limits,
        sink: Option<Sink<'_>>,
    ) -> Result<Reply, ureq::Error> {
        let mut request = Request::new(());
        *request.uri_mut() =
            outgoing.url.parse().map_err(|e| ureq::Error::Other(Box::<InvalidUri>::new(e)))?;
        self.add_headers(request.headers_mut(), outgoing);
        let mut config = (self.agent.configure_request(request))
            .timeout_global(limits.whole)
            .timeout_connect(limits.connect)
            .timeout_per_read(limits.part);
        if outgoing.fresh_connection {
            config = config.max_idle_age(Duration::ZERO);
        }
        let mut request = config.build();
        let response = match outgoing.body {
            None => self.agent.run(request),
            Some(body) => {
                *request.method_mut() = Method::DELETE;
                self.agent.run(request.map(|()| body))
            }
        }?;
        let (head, mut body) = response.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut reply = Reply {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            body: Vec::new(),
            length: 0,
            framed: false,
        };
        reply.framed =
            ["content-length", "transfer-encoding"].iter().any(|name| reply.header(name).is_some());
        let mut sink = sink.filter(|_| head.status.is_success());
        let mut body = body.as_reader();
        let mut part = vec![0; PART];
        loop {
            let length = body.read(&mut part)?;
            let part = &part[..length];
            reply.length += part.len() as u64;
            if sink.is_none() || reply.body.len() < PART {
                reply.body.extend_from_slice(part);
            }
            let wants_more = match &mut sink {
                Some(sink) => sink(part),
                None if reply.body.len() > MAX_BODY => return Err(ureq::Error::BodyExceedsLimit(0)),
                None => true,
            };
            // The part of the body that is kept may be shown. If it ended within a secret, that would not be masked.
            if length == 0 || !wants_more && reply.body.len() >= PART {
                return Ok(reply);
            }
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap, outgoing: &Outgoing<'_>) {
        for Header { name, value } in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Some(authorization) = outgoing.authorization {
            headers.append(self.key_header.clone(), authorization.clone());
        }
        if let Some(Ok(cookies)) =
            outgoing.cookies.as_ref().map(|cookies| HeaderValue::from_bytes(cookies.as_bytes()))
        {
            headers.append(header::COOKIE, cookies);
        }
        if let Some(authorization) = &self.proxy_authorization {
            headers.append(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        if outgoing.body.is_some() {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }

    /// Explains an error of ureq. Whether the request was sent is not inferred from the error, since the
    /// same errors occur in every phase.
    fn classify(&self, error: ureq::Error, limits: Limits) -> ErrorKind {
        let sent = self.wire.sent();
        match error {
            ureq::Error::Other(other) if other.is::<NameError>() => {
                let host = other.downcast_ref::<NameError>().map(|error| error.host.as_str());
                match &self.proxy {
                    Some(proxy) if host == Some(proxy.host()) => {
                        self.connect_failed(format!("cannot resolve its host name: {other}"))
                    }
                    _ => ErrorKind::Name { host: self.server.host().to_owned(), problem: other.to_string() },
                }
            }
            // ureq reports a refused CONNECT only as text: "proxy server responded 407/407".
            ureq::Error::ConnectProxyFailed(problem) => match &self.proxy {
                Some(proxy) if problem.contains("407") => self.credentials_refused(proxy),
                _ => self.connect_failed(problem),
            },
            ureq::Error::Timeout(reason) => {
                let limit = match reason {
                    Timeout::Connect => limits.connect,
                    Timeout::PerRead => limits.part,
                    _ => limits.whole,
                };
                let limit = limit.or(limits.whole).unwrap_or_default();
                match sent {
                    true => ErrorKind::TimedOut(limit),
                    false => self.connect_failed(format!("no reply within {}", seconds(limit))),
                }
            }
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => ErrorKind::TooLarge,
            ureq::Error::Tls(problem) => ErrorKind::Tls(problem.to_owned()),
            // rustls' errors come wrapped in an I/O error of this kind, in each phase.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                tls_problem(error.to_string(), sent)
            }
            // A connection that cannot be made is refused or times out, so this one was made and then closed.
            ureq::Error::Io(error)
                if !sent && is_closed(&error) && self.server.is_https() && self.proxy.is_none() =>
            {
                ErrorKind::TlsClosed(error.to_string())
            }
            ureq::Error::Protocol(problem) => ErrorKind::InvalidHttp(problem.to_string()),
            ureq::Error::Other(other) if sent => match other.downcast_ref::<BadHead>() {
                Some(BadHead { line, is_http: false, .. }) => {
                    ErrorKind::NotHttp(String::from_utf8_lossy(line).into_owned())
                }
                Some(BadHead { problem, line, .. }) => {
                    ErrorKind::InvalidHttp(format!("{problem}: {}", String::from_utf8_lossy(line)))
                }
                None => ErrorKind::Lost(other.to_string()),
            },
            error => {
                let problem = match error {
                    // rustls' own words lead to its documentation.
                    ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "the connection was closed".to_owned()
                    }
                    ureq::Error::Io(error) => error.to_string(),
                    ureq::Error::Other(error) => error.to_string(),
                    error => error.to_string(),
                };
                match sent {
                    true => ErrorKind::Lost(problem),
                    false => self.connect_failed(problem),
                }
            }
        }
    }

    /// Returns the error of a request to which a proxy replied with 407.
    pub(crate) fn credentials_refused(&self, proxy: &Proxy) -> ErrorKind {
        ErrorKind::ProxyAuthentication {
            proxy: proxy.to_string(),
            basic: !self.wire.refuses_basic(),
            refused: proxy.credentials().is_some(),
        }
    }

    fn connect_failed(&self, problem: String) -> ErrorKind {
        match &self.proxy {
            Some(proxy) => ErrorKind::Proxy { proxy: proxy.to_string(), problem },
            None => ErrorKind::Connect {
                to: format!("{} port {}", self.server.host(), self.server.port()),
                problem,
            },
        }
    }
}

/// Parts of rustls' texts about a server's certificate. The first that occurs decides.
static CERTIFICATE_PROBLEMS: [(&str, CertificateProblem); 17] = [
    ("UnknownIssuer", CertificateProblem::UnknownIssuer),
    ("not valid for any names", CertificateProblem::NoSubjectAltName),
    ("not valid for name", CertificateProblem::WrongName),
    ("NotValidForName", CertificateProblem::WrongName),
    ("CaUsedAsEndEntity", CertificateProblem::CaUsedAsServer),
    ("not valid yet", CertificateProblem::NotYetValid),
    ("NotValidYet", CertificateProblem::NotYetValid),
    ("xpired", CertificateProblem::Expired),
    ("UnsupportedCertVersion", CertificateProblem::Version),
    ("extended key usage", CertificateProblem::Purpose),
    ("NameConstraintViolation", CertificateProblem::NameConstraint),
    ("CriticalExtension", CertificateProblem::CriticalExtension),
    ("SignatureAlgorithm", CertificateProblem::Algorithm),
    ("BadSignature", CertificateProblem::Signature),
    ("PathLenConstraint", CertificateProblem::Chain),
    ("EndEntityUsedAsCa", CertificateProblem::Chain),
    ("BadEncoding", CertificateProblem::Encoding),
];

/// The alerts by which a server rejects a client certificate (RFC 8446, section 6.2). `CertificateRequired` says that
/// there was none. It sends them before it processes a request, which in TLS 1.3 may have been sent already.
static CLIENT_CERTIFICATE_ALERTS: [&str; 6] = [
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "UnknownCA",
];

/// Recognizes an error of rustls by its text: a program with these dependencies cannot name its types. The text
/// is tested with real certificates.
fn tls_problem(text: String, sent: bool) -> ErrorKind {
    if text.contains("invalid peer certificate") {
        let known = CERTIFICATE_PROBLEMS.iter().find(|(part, _)| text.contains(*part));
        return ErrorKind::Certificate(match known {
            Some((_, known)) => known.clone(),
            None => CertificateProblem::Other(text),
        });
    }
    match text.contains("fatal alert") {
        true if text.ends_with("CertificateRequired") => ErrorKind::ClientCertificateRequired(text),
        true if CLIENT_CERTIFICATE_ALERTS.iter().any(|alert| text.ends_with(alert)) => {
            ErrorKind::ClientCertificateRejected(text)
        }
        true => ErrorKind::TlsAlert(text),
        false if sent => ErrorKind::Lost(text),
        false if text.contains("corrupt message") => ErrorKind::NotTls(text),
        false => ErrorKind::Tls(text),
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn names_the_limit_that_was_exceeded() {
        let config = Config::new("http://host:1".parse().unwrap(), "key".parse().unwrap());
        let http = Http::new(&config, None);
        let [whole, connect, part] = [30, 10, 5].map(|seconds| Some(Duration::from_secs(seconds)));
        for (reason, limits, says) in [
            (Timeout::Connect, Limits { whole, connect, part }, "no reply within 10 s"),
            (Timeout::Connect, Limits { whole, connect: None, part: None }, "no reply within 30 s"),
            (Timeout::PerRead, Limits { whole, connect, part }, "no reply within 5 s"),
            (Timeout::Global, Limits { whole, connect, part }, "no reply within 30 s"),
        ] {
            let kind = http.classify(ureq::Error::Timeout(reason), limits);
            assert!(matches!(&kind, ErrorKind::Connect { problem, .. } if problem == says), "{kind:?}");
        }
    }

    #[test]
    fn recognizes_alerts_wherever_they_occur() {
        let problem = |alert: &str, sent| tls_problem(format!("received fatal alert: {alert}"), sent);
        for sent in [false, true] {
            assert!(matches!(problem("CertificateRequired", sent), ErrorKind::ClientCertificateRequired(_)));
            for alert in ["UnknownCA", "BadCertificate", "CertificateExpired", "CertificateUnknown"] {
                assert!(matches!(problem(alert, sent), ErrorKind::ClientCertificateRejected(_)), "{alert}");
            }
            for alert in ["HandshakeFailure", "UnrecognisedName", "InternalError"] {
                assert!(matches!(problem(alert, sent), ErrorKind::TlsAlert(_)), "{alert}");
            }
        }
        for (text, sent, expected) in [
            ("cannot decrypt peer's message", true, ErrorKind::Lost as fn(String) -> ErrorKind),
            ("cannot decrypt peer's message", false, ErrorKind::Tls),
            ("received corrupt message of type InvalidContentType", true, ErrorKind::Lost),
            ("received corrupt message of type InvalidContentType", false, ErrorKind::NotTls),
        ] {
            let kinds =
                [tls_problem(text.to_owned(), sent), expected(String::new())].map(|kind| discriminant(&kind));
            assert_eq!(kinds[0], kinds[1], "{text} {sent}");
        }
    }

    #[test]
    fn recognizes_problems_of_certificates() {
        for (text, expected) in [
            ("Other(OtherError(UnsupportedCertVersion))", CertificateProblem::Version),
            ("Other(OtherError(PathLenConstraintViolated))", CertificateProblem::Chain),
            ("BadSignature", CertificateProblem::Signature),
            ("BadEncoding", CertificateProblem::Encoding),
            ("ExpiredContext { .. }", CertificateProblem::Expired),
            (
                "UnsupportedSignatureAlgorithmContext { signature_algorithm_id: [6, 9], .. }",
                CertificateProblem::Algorithm,
            ),
        ] {
            match tls_problem(format!("invalid peer certificate: {text}"), false) {
                ErrorKind::Certificate(problem) => assert_eq!(problem, expected, "{text}"),
                other => panic!("{text}: {other}"),
            }
        }
    }
}
