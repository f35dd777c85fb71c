//! One HTTP exchange over ureq: what is sent, whether it was sent, and the whole reply.
//!
//! ureq decides nothing here. It follows no redirect, keeps no cookie, chooses no proxy, starts no
//! thread and tries nothing again.

use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderValue, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Proxy as UreqProxy, ProxyProtocol, RequestBuilder, Timeout};

use crate::api::Method;
use crate::config::InvalidConfig;
use crate::trust::CertificateProblem;
use crate::{Config, ErrorKind, Proxy, ServerUrl};

/// A longer body is no answer of Connect's.
const MAX_BODY: u64 = 32 << 20;
/// Room for a reply's head, below the input buffer's size: ureq takes a longer head than that buffer
/// for a lost connection.
const MAX_HEAD: usize = 30 << 10;
const INPUT_BUFFER: usize = 32 << 10;
/// The longest header line must fit: the key's or the cookies'.
const OUTPUT_BUFFER: usize = 12 << 10;
/// Longer than the longest pause between two requests, which is a `Retry-After` of 60 s.
const MAX_IDLE: Duration = Duration::from_secs(90);

pub(crate) const USER_AGENT: &str = concat!("connect-cache/", env!("CARGO_PKG_VERSION"));

/// The connection to one server.
pub(crate) struct Http {
    agent: Agent,
    wire: Arc<Wire>,
    server: ServerUrl,
    proxy: Option<Proxy>,
    /// For a proxy that gets requests in absolute form.
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

/// A whole reply.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body's length was stated, so that its end cannot have been lost.
    pub(crate) framed: bool,
}

/// No whole reply.
pub(crate) struct Broken {
    pub(crate) kind: ErrorKind,
    /// Whether anything of the request was sent.
    pub(crate) sent: bool,
    /// Whether it went over a connection that had been used before, which the server may have closed at
    /// the same moment.
    pub(crate) reused: bool,
}

/// What one exchange sends.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) cookies: Option<String>,
    pub(crate) body: Option<&'a [u8]>,
    /// Whether to leave the connections made before alone.
    pub(crate) fresh_connection: bool,
}

impl Http {
    pub(crate) fn new(config: &Config, roots: Option<RootCerts>) -> Result<Self, InvalidConfig> {
        let tunnel = config.server.is_https();
        let mut ureq = Agent::config_builder()
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
            let insecure = matches!(config.trust, crate::Trust::Insecure);
            ureq = ureq
                .tls_config(TlsConfig::builder().root_certs(roots).disable_verification(insecure).build());
        }
        let mut wire = Wire::default();
        let mut resolver = ProxyResolver::default();
        let mut proxy_authorization = None;
        if let Some(proxy) = &config.proxy {
            let unusable =
                |_| InvalidConfig::new(format!("the proxy {proxy} has an address that cannot be used"));
            if tunnel {
                ureq = ureq.proxy(Some(connect_proxy(proxy).map_err(unusable)?));
                wire.tunnelled = true;
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
            agent: Agent::with_parts(ureq.build(), connector, resolver),
            wire,
            server: config.server.clone(),
            proxy: config.proxy.clone(),
            proxy_authorization,
        })
    }

    /// Sends a request and reads the whole reply.
    pub(crate) fn exchange(&self, outgoing: &Outgoing<'_>, limits: Limits) -> Result<Reply, Broken> {
        let connections = self.wire.connections.load(Relaxed);
        self.wire.sent.store(false, Relaxed);
        self.wire.at_head.store(true, Relaxed);
        self.send(outgoing, limits).map_err(|error| Broken {
            kind: self.classify(error, limits),
            sent: self.wire.sent.load(Relaxed),
            reused: self.wire.connections.load(Relaxed) == connections,
        })
    }

    fn send(&self, outgoing: &Outgoing<'_>, limits: Limits) -> Result<Reply, ureq::Error> {
        let response = match (outgoing.method, outgoing.body) {
            (Method::Get, _) => self.prepare(self.agent.get(outgoing.url), outgoing, limits).call(),
            (Method::Delete, body) => {
                let request = self.agent.delete(outgoing.url).force_send_body();
                let request = self.prepare(request, outgoing, limits);
                request.header("content-type", "application/json").send(body.unwrap_or_default())
            }
        }?;
        let (head, mut body) = response.into_parts();
        let framed =
            head.headers.contains_key("content-length") || head.headers.contains_key("transfer-encoding");
        let body = body.with_config().limit(MAX_BODY).read_to_vec()?;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, framed })
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

    /// What an error of ureq's means. Whether the request was sent is not asked of it: the same errors
    /// occur in every phase.
    fn classify(&self, error: ureq::Error, limits: Limits) -> ErrorKind {
        let sent = self.wire.sent.load(Relaxed);
        match error {
            ureq::Error::Other(other) if other.is::<NameError>() => match &self.proxy {
                Some(_) => self.proxy_failed(["its name cannot be resolved: ", &other.to_string()].concat()),
                None => ErrorKind::Name { host: self.server.host().to_owned(), problem: other.to_string() },
            },
            ureq::Error::ConnectProxyFailed(problem) => self.proxy_failed(problem),
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
                let problem = error.to_string();
                match CertificateProblem::recognise(&problem) {
                    Some(problem) => ErrorKind::Certificate(problem),
                    None if sent => ErrorKind::Lost(problem),
                    None => ErrorKind::Tls(problem),
                }
            }
            error => {
                let closed = matches!(&error, ureq::Error::Io(error) if is_closed(error));
                let problem = match error {
                    ureq::Error::Io(error) => error.to_string(),
                    ureq::Error::Protocol(problem) => ["it is not HTTP: ", &problem.to_string()].concat(),
                    error => error.to_string(),
                };
                match (sent, &self.proxy) {
                    (true, _) => ErrorKind::Lost(problem),
                    // A connection that cannot be made is refused or times out: this one was made.
                    (false, None) if closed && self.server.is_https() => {
                        ErrorKind::Tls(["the connection was closed in the handshake: ", &problem].concat())
                    }
                    (false, _) => self.connect_failed(problem),
                }
            }
        }
    }

    fn connect_failed(&self, problem: String) -> ErrorKind {
        match &self.proxy {
            Some(_) => self.proxy_failed(problem),
            None => ErrorKind::Connect {
                to: format!("{} port {}", self.server.host(), self.server.port()),
                problem,
            },
        }
    }

    fn proxy_failed(&self, problem: String) -> ErrorKind {
        ErrorKind::Proxy { proxy: self.proxy.as_ref().map(Proxy::to_string).unwrap_or_default(), problem }
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

fn connect_proxy(proxy: &Proxy) -> Result<UreqProxy, ureq::Error> {
    let host =
        if proxy.host().contains(':') { ["[", proxy.host(), "]"].concat() } else { proxy.host().to_owned() };
    let mut builder = UreqProxy::builder(ProxyProtocol::Http).host(&host).port(proxy.port());
    if let Some((user, password)) = proxy.credentials() {
        builder = builder.username(user).password(password);
    }
    builder.build()
}

/// What is observed and done at the transport.
#[derive(Debug, Default)]
struct Wire {
    /// Whether anything of the request at hand was given to the connection.
    sent: AtomicBool,
    /// Whether the next thing sent is the beginning of a request.
    at_head: AtomicBool,
    /// Connections made so far.
    connections: AtomicU32,
    /// Whether requests go through a tunnel that a proxy opens on CONNECT.
    tunnelled: bool,
    /// For a proxy that gets requests in absolute form: what their targets begin with.
    origin: Option<String>,
}

#[derive(Debug)]
struct WireConnector(Arc<Wire>);

impl<In: Transport> Connector<In> for WireConnector {
    type Out = WireTransport<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // The connection to a proxy, over which only CONNECT goes, is made through this chain too, with
        // a configuration that names no proxy.
        let carries_requests = details.config.proxy().is_some() == self.0.tunnelled;
        if carries_requests && chained.is_some() {
            self.0.connections.fetch_add(1, Relaxed);
        }
        let wire = carries_requests.then(|| self.0.clone());
        Ok(chained.map(|inner| WireTransport { inner, wire }))
    }
}

#[derive(Debug)]
struct WireTransport<T> {
    inner: T,
    wire: Option<Arc<Wire>>,
}

impl<T: Transport> Transport for WireTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, mut amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if let Some(wire) = &self.wire {
            // Even a failed write may have sent a part.
            wire.sent.store(true, Relaxed);
            if wire.at_head.swap(false, Relaxed) {
                if let Some(origin) = &wire.origin {
                    amount = into_absolute_form(self.inner.buffers().output(), amount, origin);
                }
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Puts `origin` in front of the target in the request line that `buffer` begins with, as a proxy needs
/// it (RFC 9112, section 3.2.2); the number of bytes then used. A head that would no longer fit stays as
/// it is, and the proxy refuses it.
fn into_absolute_form(buffer: &mut [u8], used: usize, origin: &str) -> usize {
    let Some(space) = buffer[..used].iter().position(|&b| b == b' ') else { return used };
    let target = space + 1;
    let longer = used + origin.len();
    if longer > buffer.len() {
        return used;
    }
    buffer.copy_within(target..used, target + origin.len());
    buffer[target..target + origin.len()].copy_from_slice(origin.as_bytes());
    longer
}

/// Resolves names in this thread: ureq's own resolver starts another one as soon as there is a time-out.
#[derive(Debug, Default)]
struct ProxyResolver {
    /// Where to connect whatever the request's host is: to a proxy that gets requests in absolute form.
    proxy: Option<(String, u16)>,
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (host, port) = match &self.proxy {
            Some((host, port)) => (host.as_str(), *port),
            None => {
                let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
                (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default))
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let fail = |problem: String| ureq::Error::Other(Box::new(NameError(problem)));
        let mut found = self.empty();
        // ureq keeps 16 addresses at the most.
        for address in (host, port).to_socket_addrs().map_err(|e| fail(e.to_string()))?.take(16) {
            found.push(address);
        }
        match found.is_empty() {
            true => Err(fail("it has no address".to_owned())),
            false => Ok(found),
        }
    }
}

#[derive(Debug)]
struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::into_absolute_form;

    #[test]
    fn the_request_line_gets_the_origin() {
        let mut buffer = [0; 64];
        let head = b"GET /__api__/x HTTP/1.1\r\n";
        buffer[..head.len()].copy_from_slice(head);
        let used = into_absolute_form(&mut buffer, head.len(), "http://host:3939");
        assert_eq!(&buffer[..used], b"GET http://host:3939/__api__/x HTTP/1.1\r\n");
        assert_eq!(into_absolute_form(&mut buffer, used, &"x".repeat(64)), used);
    }
}
