//! Opens connections: tries the addresses of a host in turn, starting with the one that answered last.
//!
//! ureq's own connector would wait for the same dead address on every connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{ConnectionDetails, Connector, TcpConnector, Transport};

use crate::http::transport::Wire;

/// Connects to the addresses that the resolver returns: those of the server or the proxy.
#[derive(Debug, Default)]
pub(crate) struct Dialer {
    /// Learns that a connection was made.
    pub(crate) wire: Arc<Wire>,
    /// The address that answered last.
    answered: Mutex<Option<SocketAddr>>,
    tcp: TcpConnector,
}

impl Dialer {
    pub(crate) fn new(wire: Arc<Wire>) -> Self {
        Self { wire, ..Self::default() }
    }
}

impl<In: Transport> Connector<In> for Dialer {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let transport = match chained {
            // A connector before this one has connected to the server through a proxy.
            Some(tunnel) => Box::new(tunnel),
            None => self.dial(details)?,
        };
        self.wire.set_connected();
        Ok(Some(transport))
    }
}

impl Dialer {
    /// Connects to the first address that answers, starting with the one that answered last.
    fn dial(&self, details: &ConnectionDetails) -> Result<Box<dyn Transport>, ureq::Error> {
        let started_at = Instant::now();
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut addresses = details.addrs.to_vec();
        if let Some(at) = addresses.iter().position(|address| Some(*address) == *answered) {
            addresses.swap(0, at);
        }
        let mut failure = ureq::Error::ConnectionFailed;
        for (n, &address) in addresses.iter().enumerate() {
            let mut timeout = details.timeout;
            if let Duration::Exact(limit) = timeout.after {
                timeout.after = Duration::Exact(limit.saturating_sub(started_at.elapsed()));
            }
            // Keep half of the time left for the addresses after this one.
            if n + 1 < addresses.len() {
                timeout.after = timeout.after / 2;
            }
            let mut addrs = details.resolver.empty();
            addrs.push(address);
            let details = ConnectionDetails {
                uri: details.uri,
                addrs,
                config: details.config,
                request_level: details.request_level,
                resolver: details.resolver,
                now: (details.current_time)(),
                timeout,
                current_time: details.current_time.clone(),
                run_connector: details.run_connector.clone(),
                register_shutdown: details.register_shutdown.clone(),
            };
            match Connector::<()>::connect(&self.tcp, &details, None) {
                Ok(Some(transport)) => {
                    *answered = Some(address);
                    return Ok(Box::new(transport));
                }
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use ureq::Agent;
    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
    use ureq::unversioned::transport::NextTimeout;

    use super::*;

    #[derive(Debug)]
    struct Addresses([SocketAddr; 2]);

    impl Resolver for Addresses {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut addresses = self.empty();
            self.0.iter().for_each(|address| addresses.push(*address));
            Ok(addresses)
        }
    }

    #[test]
    fn starts_with_the_address_that_answered_last() {
        let bind = |address: SocketAddr| TcpListener::bind(address).unwrap();
        let server = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let port = server.local_addr().unwrap().port();
        // Nothing listens at the first address yet. Other processes on this host do not use it.
        let addresses = [[127, 0, 0, 2], [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, port)));
        thread::spawn(move || {
            for mut stream in server.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            }
        });
        let config = Agent::config_builder().timeout_global(Some(std::time::Duration::from_secs(9))).build();
        let agent = Agent::with_parts(config, ().chain(Dialer::default()), Addresses(addresses));
        agent.get("http://host/").call().unwrap();
        // The first address is no longer tried, although it would answer now.
        let first = bind(addresses[0]);
        first.set_nonblocking(true).unwrap();
        agent.get("http://host/").call().unwrap();
        assert_eq!(first.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
