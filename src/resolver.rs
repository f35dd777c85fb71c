//! Name resolution in the calling thread: ureq's own resolver starts another one once there is a timeout.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// ureq keeps no more addresses than this.
const MAX_ADDRESSES: usize = 16;

/// Resolves the host of each request, or the proxy if there is one.
#[derive(Debug, Default)]
pub(crate) struct CallingThreadResolver {
    /// Host and port of the proxy to connect to, unless it opens tunnels, for which ureq connects to it.
    pub(crate) proxy: Option<(String, u16)>,
}

impl Resolver for CallingThreadResolver {
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
        let mut found = self.empty();
        for address in lookup(host.trim_start_matches('[').trim_end_matches(']'), port)? {
            found.push(address);
        }
        Ok(found)
    }
}

/// Returns the addresses of a host, at least one.
pub(crate) fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, ureq::Error> {
    let problem = match (host, port).to_socket_addrs() {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.take(MAX_ADDRESSES).collect();
            if !addresses.is_empty() {
                return Ok(addresses);
            }
            "it has no address".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Err(ureq::Error::Other(Box::new(NameError { host: host.to_owned(), problem })))
}

/// A name that could not be resolved. ureq's own error for that does not carry the system's message.
#[derive(Debug)]
pub(crate) struct NameError {
    pub(crate) host: String,
    problem: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for NameError {}
