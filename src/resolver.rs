//! Name resolution in the calling thread: ureq's own resolver starts another one once there is a timeout.

use std::fmt;
use std::net::ToSocketAddrs;

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// ureq keeps no more addresses than this.
const MAX_ADDRESSES: usize = 16;

/// Resolves the host of each request, or always the same proxy.
#[derive(Debug, Default)]
pub(crate) struct CallingThreadResolver {
    /// Where to connect whatever the request's host is: a proxy that takes requests in absolute form.
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
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let fail = |problem: String| ureq::Error::Other(Box::new(NameError(problem)));
        let mut found = self.empty();
        let addresses = (host, port).to_socket_addrs().map_err(|e| fail(e.to_string()))?;
        for address in addresses.take(MAX_ADDRESSES) {
            found.push(address);
        }
        match found.is_empty() {
            true => Err(fail("it has no address".to_owned())),
            false => Ok(found),
        }
    }
}

/// A name that could not be resolved. ureq's own error for that does not carry the system's message.
#[derive(Debug)]
pub(crate) struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}
