//! One HTTP exchange over ureq: a request, and the complete reply or the reason why there is none.
//!
//! ureq decides nothing here. It follows no redirect, keeps no cookie, selects no proxy, starts no thread and
//! retries nothing.

mod cookies;
mod explain;
mod head;
mod resolver;
mod transport;

use std::error::Error as StdError;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, RustlsConnector, SocksConnector, TcpConnector,
};
use ureq::{Agent, BodyReader};

use crate::config::{Config, Header, Proxy, ServerUrl, Trust};
use crate::error::ErrorKind;
use crate::http::head::MAX_HEAD;
use crate::http::resolver::CallingThreadResolver;
use crate::http::transport::{ConnectedConnector, Wire, WireConnector};

pub(crate) use cookies::Jar;
pub(crate) use explain::{basic_refused, credentials_refused};
pub(crate) use head::REQUEST_IDS;

/// Limit for a body, unless it is read as it arrives: Connect sends no longer one.
const MAX_BODY: u64 = 32 << 20;
/// How much is kept of a body that is read as it arrives.
const KEPT: usize = 32 << 10;
const INPUT_BUFFER: usize = MAX_HEAD + (1 << 10);
/// Holds the whole head of a request, except for the configured headers.
const OUTPUT_BUFFER: usize = 11 << 10;
/// Load balancers reset a connection that is idle for a minute, and firewalls and address translators forget it after
/// some, without a word to either side. A DELETE sent into one would be in doubt.
const MAX_IDLE: Duration = Duration::from_secs(50);

const USER_AGENT: &str = concat!("connect-cache/", env!("CARGO_PKG_VERSION"));

/// Sends requests to one server.
pub(crate) trait Exchange {
    /// Sends a request once and reads the complete reply. `receive` reads the body of a successful one as it arrives.
    fn exchange(&self, outgoing: &Outgoing<'_>, receive: Option<Receive<'_>>) -> Result<Reply, Broken>;
}

/// Reads a body as it arrives.
pub(crate) type Receive<'a> = &'a mut dyn FnMut(&mut dyn Read);

/// A request to send: a DELETE if it has a body, else a GET.
pub(crate) struct Outgoing<'a> {
    pub(crate) url: &'a str,
    /// The value of the header that carries the key, if there is a key.
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) cookies: &'a Jar,
    pub(crate) body: Option<&'a [u8]>,
    /// Whether to open a new connection instead of using one that is open.
    pub(crate) fresh_connection: bool,
    pub(crate) limits: Limits,
}

impl Outgoing<'_> {
    pub(crate) fn method(&self) -> &'static str {
        if self.body.is_some() { "DELETE" } else { "GET" }
    }
}

/// How long an exchange may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// For all of it.
    pub(crate) whole: Option<Duration>,
    /// For the connection, if one has to be made.
    pub(crate) connect: Option<Duration>,
    /// For each part of the reply, from the last byte received.
    pub(crate) part: Option<Duration>,
}

/// A complete reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names, in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, or the start of one that was read as it arrived.
    pub(crate) body: Vec<u8>,
    /// How many bytes of the body arrived.
    pub(crate) length: u64,
    /// Whether a proxy asks for credentials (407), but not for Basic.
    pub(crate) refuses_basic: bool,
}

impl Reply {
    /// Returns the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reports whether the head stated the length of the body, so that its end cannot have been lost. A 204 has no
    /// body.
    pub(crate) fn is_framed(&self) -> bool {
        let is_stated = |name: &&str| self.header(name).is_some();
        self.status == 204 || ["content-length", "transfer-encoding"].iter().any(is_stated)
    }
}

/// An exchange without a complete reply.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) kind: ErrorKind,
    /// Whether any of the request was sent.
    pub(crate) sent: bool,
    /// Whether it used a connection that had been used before, which the server may have closed at the same
    /// moment.
    pub(crate) reused: bool,
    pub(crate) source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The HTTP client of one server.
pub(crate) struct Http {
    agent: Agent,
    wire: Arc<Wire>,
    server: ServerUrl,
    proxy: Option<Proxy>,
    headers: Vec<Header>,
    /// The header that carries the key. If a gateway uses `Authorization`, it is the other one that Connect reads
    /// (connectapi, rsconnect and Posit's vip do the same).
    key_header: HeaderName,
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
            agent = agent
                .tls_config(TlsConfig::builder().root_certs(roots).disable_verification(insecure).build());
        }
        let mut wire = Wire::default();
        let mut resolver = CallingThreadResolver::default();
        if let Some(proxy) = &config.proxy {
            if config.server.is_https() || proxy.is_socks() {
                agent = agent.proxy(Some(proxy.ureq.clone()));
                wire.proxied = true;
            } else {
                resolver.proxy = Some(proxy.ureq.uri().clone());
                wire.origin = Some(config.server.origin());
            }
        }
        let wire = Arc::new(wire);
        let connector =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(ConnectedConnector(wire.clone()))
                .chain(RustlsConnector::default())
                .chain(WireConnector(wire.clone()));
        Self {
            agent: Agent::with_parts(agent.build(), connector, resolver),
            wire,
            server: config.server.clone(),
            proxy: config.proxy.clone(),
            key_header: if config.has_authorization() {
                HeaderName::from_static("x-rsc-authorization")
            } else {
                header::AUTHORIZATION
            },
            headers: config.headers.clone(),
        }
    }

    fn send(&self, outgoing: &Outgoing<'_>, receive: Option<Receive<'_>>) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(outgoing.method()).uri(outgoing.url).body(())?;
        self.add_headers(request.headers_mut(), outgoing);
        let Limits { whole, connect, part } = outgoing.limits;
        let mut config = (self.agent.configure_request(request))
            .timeout_global(whole)
            .timeout_connect(connect)
            .timeout_per_read(part);
        if outgoing.fresh_connection {
            config = config.max_idle_age(Duration::ZERO);
        }
        let request = config.build();
        let response = match outgoing.body {
            None => self.agent.run(request),
            Some(body) => self.agent.run(request.map(|()| body)),
        }?;
        let (head, mut body) = response.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let mut incoming = Incoming { body: body.as_reader(), kept: Vec::new(), length: 0, failure: None };
        match receive.filter(|_| head.status.is_success()) {
            Some(receive) => receive(&mut incoming),
            None => incoming.read_all()?,
        }
        let Incoming { kept, length, failure, .. } = incoming;
        match failure {
            // This is the error of ureq again, if it was one.
            Some(failure) => Err(failure.into()),
            None => Ok(Reply {
                status: head.status.as_u16(),
                headers: headers.collect(),
                body: kept,
                length,
                refuses_basic: self.wire.refuses_basic.load(Relaxed),
            }),
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap, outgoing: &Outgoing<'_>) {
        let mut own_cookies = Vec::new();
        for Header { name, value } in &self.headers {
            if name == header::COOKIE {
                own_cookies.extend(value.to_str());
            } else {
                headers.append(name.clone(), value.clone());
            }
        }
        if let Some(authorization) = outgoing.authorization {
            headers.append(self.key_header.clone(), authorization.clone());
        }
        let cookies = outgoing.cookies.header(&own_cookies.join("; "));
        if let Some(Ok(mut cookies)) = cookies.map(HeaderValue::try_from) {
            cookies.set_sensitive(true);
            headers.append(header::COOKIE, cookies);
        }
        // ureq itself sends the credentials to a proxy that it connects through.
        let proxy = self.proxy.as_ref().filter(|_| self.wire.origin.is_some());
        if let Some(authorization) = proxy.and_then(Proxy::authorization) {
            headers.append(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        if outgoing.body.is_some() {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }
}

impl Exchange for Http {
    fn exchange(&self, outgoing: &Outgoing<'_>, receive: Option<Receive<'_>>) -> Result<Reply, Broken> {
        self.wire.start_request();
        self.send(outgoing, receive).map_err(|error| {
            let sent = self.wire.sent.load(Relaxed);
            let reused = sent && !self.wire.connected.load(Relaxed);
            let (kind, source) = self.explain(error, outgoing.limits);
            Broken { kind, sent, reused, source }
        })
    }
}

/// A body as it arrives.
struct Incoming<'a> {
    body: BodyReader<'a>,
    /// The part that is kept.
    kept: Vec<u8>,
    length: u64,
    failure: Option<io::Error>,
}

impl Incoming<'_> {
    /// Reads all of the body, and keeps it.
    fn read_all(&mut self) -> Result<(), ureq::Error> {
        self.body.by_ref().take(MAX_BODY + 1).read_to_end(&mut self.kept)?;
        self.length = self.kept.len() as u64;
        if self.length > MAX_BODY {
            return Err(ureq::Error::BodyExceedsLimit(MAX_BODY));
        }
        Ok(())
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.body.read(buffer) {
            Ok(length) => {
                self.length += length as u64;
                let room = KEPT.saturating_sub(self.kept.len());
                self.kept.extend_from_slice(&buffer[..length.min(room)]);
                Ok(length)
            }
            Err(error) => {
                // The reader of the body sees only that it failed.
                let kind = error.kind();
                self.failure.get_or_insert(error);
                Err(kind.into())
            }
        }
    }
}
