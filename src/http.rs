//! One HTTP exchange over ureq: a request, and the whole reply or why there is none.
//!
//! ureq decides nothing here. It follows no redirect, keeps no cookie, selects no proxy, starts no thread and
//! retries nothing. What its errors mean is recognized here, once, including the wording of rustls.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::HeaderValue;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, ProxyProtocol, RequestBuilder, Timeout};

use crate::error::CertificateProblem;
use crate::head::{BadHead, MAX_HEAD};
use crate::resolver::{CallingThreadResolver, NameError};
use crate::transport::{Wire, WireConnector};
use crate::{Config, ErrorKind, InvalidConfig, Proxy, ServerUrl, Trust};

/// A longer body is not a reply of Connect's.
const MAX_BODY: u64 = 32 << 20;
const INPUT_BUFFER: usize = 32 << 10;
/// The longest header line must fit: the key's or the cookies'.
const OUTPUT_BUFFER: usize = 12 << 10;
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
}

/// How long an exchange may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For all of it.
    pub(crate) whole: Option<Duration>,
    /// For the connection, if one has to be made.
    pub(crate) connect: Option<Duration>,
}

/// A request to send: a DELETE if it has a body, else a GET.
pub(crate) struct Outgoing<'a> {
    pub(crate) url: &'a str,
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) cookies: Option<String>,
    pub(crate) body: Option<&'a [u8]>,
    /// Whether to leave the existing connections alone.
    pub(crate) fresh_connection: bool,
}

impl Outgoing<'_> {
    pub(crate) fn method(&self) -> &'static str {
        if self.body.is_some() { "DELETE" } else { "GET" }
    }
}

/// A whole reply.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names, in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the head stated the length of the body, so that its end cannot have been lost.
    pub(crate) framed: bool,
}

impl Reply {
    /// Returns the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An exchange without a whole reply.
pub(crate) struct Broken {
    pub(crate) kind: ErrorKind,
    /// Whether any of the request was sent.
    pub(crate) sent: bool,
    /// Whether it used a connection that had been used before, which the server may have closed at the same
    /// moment.
    pub(crate) reused: bool,
}

impl Http {
    pub(crate) fn new(config: &Config, roots: Option<RootCerts>) -> Result<Self, InvalidConfig> {
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            .accept("application/json")
            .accept_encoding("identity")
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(INPUT_BUFFER)
            .output_buffer_size(OUTPUT_BUFFER)
            .max_idle_connections(1)
            .max_idle_age(MAX_IDLE)
            .proxy(None);
        if let Some(roots) = roots {
            let insecure = matches!(config.trust, Trust::Insecure);
            let certificate = config.client_certificate.as_ref().map(|certificate| certificate.pair.clone());
            let tls = TlsConfig::builder().root_certs(roots).disable_verification(insecure);
            agent = agent.tls_config(tls.client_cert(certificate).build());
        }
        let mut wire = Wire::default();
        let mut resolver = CallingThreadResolver::default();
        let mut proxy_authorization = None;
        if let Some(proxy) = &config.proxy {
            if config.server.is_https() {
                agent = agent.proxy(Some(tunnel(proxy)?));
                wire.tunneled = true;
            } else {
                wire.origin = Some(config.server.origin());
                resolver.proxy = Some((proxy.host().to_owned(), proxy.port()));
                proxy_authorization = proxy.authorization().and_then(|value| {
                    let mut value = HeaderValue::try_from(value).ok()?;
                    value.set_sensitive(true);
                    Some(value)
                });
            }
        }
        let wire = Arc::new(wire);
        let connector = DefaultConnector::new().chain(WireConnector(wire.clone()));
        Ok(Self {
            agent: Agent::with_parts(agent.build(), connector, resolver),
            wire,
            server: config.server.clone(),
            proxy: config.proxy.clone(),
            proxy_authorization,
        })
    }

    /// Sends a request and reads the whole reply.
    pub(crate) fn exchange(&self, outgoing: &Outgoing<'_>, limits: Limits) -> Result<Reply, Broken> {
        let connections = self.wire.connections();
        self.wire.start_request();
        self.send(outgoing, limits).map_err(|error| Broken {
            kind: self.classify(error, limits),
            sent: self.wire.sent(),
            reused: self.wire.connections() == connections,
        })
    }

    fn send(&self, outgoing: &Outgoing<'_>, limits: Limits) -> Result<Reply, ureq::Error> {
        let response = match outgoing.body {
            None => self.prepare(self.agent.get(outgoing.url), outgoing, limits).call(),
            Some(body) => {
                let request = self.agent.delete(outgoing.url).force_send_body();
                self.prepare(request, outgoing, limits).header("content-type", "application/json").send(body)
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
            body: body.with_config().limit(MAX_BODY).read_to_vec()?,
            framed: false,
        };
        reply.framed =
            ["content-length", "transfer-encoding"].iter().any(|name| reply.header(name).is_some());
        Ok(reply)
    }

    fn prepare<B>(
        &self,
        request: RequestBuilder<B>,
        outgoing: &Outgoing<'_>,
        limits: Limits,
    ) -> RequestBuilder<B> {
        let mut config = request.config().timeout_global(limits.whole).timeout_connect(limits.connect);
        if outgoing.fresh_connection {
            config = config.max_idle_age(Duration::ZERO);
        }
        let mut request = config.build().header("authorization", outgoing.authorization);
        if let Some(cookies) = &outgoing.cookies {
            request = request.header("cookie", cookies);
        }
        if let Some(authorization) = &self.proxy_authorization {
            request = request.header("proxy-authorization", authorization);
        }
        request
    }

    /// Returns what an error of ureq's means. Whether the request was sent is not inferred from it: the same
    /// errors occur in every phase.
    fn classify(&self, error: ureq::Error, limits: Limits) -> ErrorKind {
        let sent = self.wire.sent();
        match error {
            ureq::Error::Other(other) if other.is::<NameError>() => match &self.proxy {
                Some(_) => self.connect_failed(format!("its name cannot be resolved: {other}")),
                None => ErrorKind::Name { host: self.server.host().to_owned(), problem: other.to_string() },
            },
            // ureq reports a refused CONNECT only as text: "proxy server responded 407/407".
            ureq::Error::ConnectProxyFailed(problem) => match &self.proxy {
                Some(proxy) if problem.contains("407") => {
                    ErrorKind::ProxyAuthentication { proxy: proxy.to_string(), problem }
                }
                _ => self.connect_failed(problem),
            },
            ureq::Error::Timeout(reason) if !sent => {
                let limit = if reason == Timeout::Connect { limits.connect } else { limits.whole };
                let limit = limit.or(limits.whole).unwrap_or_default();
                self.connect_failed(format!("no answer within {limit:?}"))
            }
            ureq::Error::Timeout(_) => ErrorKind::TimedOut(limits.whole.unwrap_or_default()),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => ErrorKind::TooLarge,
            ureq::Error::Tls(problem) => ErrorKind::Tls(problem.to_owned()),
            // rustls' errors come wrapped in an I/O error of this kind, in each phase.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                tls_problem(error.to_string(), sent)
            }
            ureq::Error::Io(error) if sent => ErrorKind::Lost(error.to_string()),
            // A connection that cannot be made is refused or times out: this one was made.
            ureq::Error::Io(error) if is_closed(&error) && self.server.is_https() && self.proxy.is_none() => {
                ErrorKind::TlsClosed(error.to_string())
            }
            ureq::Error::Io(error) => self.connect_failed(error.to_string()),
            ureq::Error::Protocol(problem) if sent => ErrorKind::InvalidHttp(problem.to_string()),
            ureq::Error::Other(other) if sent => match other.downcast_ref::<BadHead>() {
                Some(BadHead { line, is_http: false, .. }) => {
                    ErrorKind::NotHttp(String::from_utf8_lossy(line).into_owned())
                }
                Some(BadHead { problem, line, .. }) => {
                    ErrorKind::InvalidHttp(format!("{problem}: {}", String::from_utf8_lossy(line)))
                }
                None => ErrorKind::Lost(other.to_string()),
            },
            ureq::Error::Protocol(problem) => self.connect_failed(format!("it is not HTTP: {problem}")),
            error if sent => ErrorKind::Lost(error.to_string()),
            error => self.connect_failed(error.to_string()),
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

/// The alerts, besides that it is required, by which a server rejects a client certificate (RFC 8446, section 6.2). It
/// does so before it processes a request, which may have been sent already in TLS 1.3.
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

/// Returns the proxy as ureq's, which opens tunnels by CONNECT.
fn tunnel(proxy: &Proxy) -> Result<ureq::Proxy, InvalidConfig> {
    let host = match proxy.host().contains(':') {
        true => format!("[{}]", proxy.host()),
        false => proxy.host().to_owned(),
    };
    let mut builder = ureq::Proxy::builder(ProxyProtocol::Http).host(&host).port(proxy.port());
    if let Some((user, password)) = proxy.credentials() {
        builder = builder.username(user).password(password);
    }
    let unusable = |_| InvalidConfig::new(format!("the proxy {proxy} has an address that cannot be used"));
    builder.build().map_err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_alerts_wherever_they_occur() {
        let problem = |alert: &str, sent| tls_problem(format!("received fatal alert: {alert}"), sent);
        for sent in [false, true] {
            assert!(matches!(problem("CertificateRequired", sent), ErrorKind::ClientCertificateRequired(_)));
            for alert in ["UnknownCA", "BadCertificate", "CertificateExpired", "CertificateUnknown"] {
                assert!(matches!(problem(alert, sent), ErrorKind::ClientCertificateRejected(_)), "{alert}");
            }
            for alert in ["HandshakeFailure", "UnrecognizedName", "InternalError"] {
                assert!(matches!(problem(alert, sent), ErrorKind::TlsAlert(_)), "{alert}");
            }
        }
        assert!(matches!(tls_problem("cannot decrypt peer's message".to_owned(), true), ErrorKind::Lost(_)));
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
