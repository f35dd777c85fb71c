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
        lookup(host.trim_matches(['[', ']']), port)?.into_iter().for_each(|address| found.push(address));
        Ok(found)
    }
}

/// Returns the addresses of a host, at least one.
pub(crate) fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, ureq::Error> {
    let failed = |problem| ureq::Error::Other(Box::new(NameError { host: host.to_owned(), problem }));
    let addresses = (host, port).to_socket_addrs().map_err(|error| failed(error.to_string()))?;
    let addresses: Vec<SocketAddr> = addresses.take(MAX_ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    Ok(addresses)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_the_default_port_of_the_scheme() {
        for (uri, address) in [
            ("https://127.0.0.1/", "127.0.0.1:443"),
            ("http://127.0.0.1/", "127.0.0.1:80"),
            ("https://[::1]:3939/", "[::1]:3939"),
        ] {
            let timeout = NextTimeout::default();
            let resolver = CallingThreadResolver::default();
            let found = resolver.resolve(&uri.parse().unwrap(), &ureq::config::Config::default(), timeout);
            assert_eq!(found.unwrap()[..], [address.parse().unwrap()], "{uri}");
        }
    }

    #[test]
    fn gives_the_systems_reason_for_a_name_that_does_not_resolve() {
        // A name with this character is never looked up.
        let Err(ureq::Error::Other(error)) = lookup("a\0b", 80) else { panic!() };
        assert!(error.to_string().to_ascii_lowercase().contains("nul byte"), "{error}");
    }
}
