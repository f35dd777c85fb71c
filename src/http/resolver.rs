//! Name resolution in the calling thread: ureq's own resolver starts another one once there is a timeout.

use std::fmt;

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Resolves the host of each request, or the proxy if there is one.
#[derive(Debug, Default)]
pub(crate) struct CallingThreadResolver {
    /// The proxy to connect to, unless it opens tunnels, for which ureq connects to it.
    pub(crate) proxy: Option<Uri>,
}

impl Resolver for CallingThreadResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let uri = self.proxy.as_ref().unwrap_or(uri);
        // ureq's resolver starts a thread only to observe a timeout.
        DefaultResolver::default().resolve(uri, config, NextTimeout::default()).map_err(|error| {
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let problem = match error {
                ureq::Error::Io(error) => error.to_string(),
                error => error.to_string(),
            };
            ureq::Error::Other(Box::new(NameError { host, problem }))
        })
    }
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
        // A label may have 63 characters, so that this name is never looked up.
        let uri = format!("http://{}/", "a".repeat(300)).parse().unwrap();
        let config = ureq::config::Config::default();
        let error =
            CallingThreadResolver::default().resolve(&uri, &config, NextTimeout::default()).unwrap_err();
        assert!(!error.to_string().starts_with("io: "), "{error}");
    }
}
