//! Opens connections: tries the addresses of a host in turn, and asks a SOCKS5 proxy to connect to the server
//! (RFC 1928, RFC 1929).
//!
//! ureq has connectors for both. Its TCP connector would wait for the same dead address on every connection, and
//! its SOCKS connector is several times as large as this one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport, TransportAdapter,
};

use ureq::ProxyProtocol;

use crate::Proxy;
use crate::resolver::lookup;

/// Connects to the addresses that the resolver returns: those of the server or the proxy.
#[derive(Debug, Default)]
pub(crate) struct Dialer {
    /// The SOCKS proxy whose addresses the resolver returns, if any.
    pub(crate) socks: Option<Proxy>,
    /// The address that answered last.
    answered: Mutex<Option<SocketAddr>>,
    tcp: TcpConnector,
}

impl<In: Transport> Connector<In> for Dialer {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Box::new(tunnel)));
        }
        let started_at = Instant::now();
        let left = || {
            let mut timeout = details.timeout;
            if let Duration::Exact(limit) = timeout.after {
                timeout.after = Duration::Exact(limit.saturating_sub(started_at.elapsed()));
            }
            timeout
        };
        let transport = self.dial(details, &left)?;
        let Some(proxy) = &self.socks else { return Ok(Some(transport)) };
        let host = details.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let default_port = if details.needs_tls() { 443 } else { 80 };
        let port = details.uri.port_u16().unwrap_or(default_port);
        let address = match host.parse() {
            Ok(address) => Some(address),
            Err(_) if proxy.protocol() == ProxyProtocol::Socks5h => None,
            Err(_) => lookup(host, port)?.first().map(SocketAddr::ip),
        };
        let mut stream = TransportAdapter::new(transport, details.current_time.clone());
        stream.set_timeout(left());
        let answer = greet(&mut stream, proxy).and_then(|()| request(&mut stream, host, address, port));
        answer.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => refused("it closed the connection"),
            _ => error,
        })?;
        Ok(Some(stream.into_inner()))
    }
}

impl Dialer {
    /// Connects to the first address that answers, starting with the one that answered last.
    fn dial(
        &self,
        details: &ConnectionDetails,
        left: &dyn Fn() -> NextTimeout,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut addresses = details.addrs.to_vec();
        if let Some(at) = addresses.iter().position(|address| Some(*address) == *answered) {
            addresses.swap(0, at);
        }
        let mut failure = ureq::Error::ConnectionFailed;
        for (n, &address) in addresses.iter().enumerate() {
            let mut timeout = left();
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

type Stream = TransportAdapter<Box<dyn Transport>>;

/// Greets a SOCKS5 proxy, with the credentials if it asks for them.
fn greet(stream: &mut Stream, proxy: &Proxy) -> io::Result<()> {
    let credentials = proxy.credentials();
    // Offer method 0, no authentication, and with credentials also method 2, user name and password.
    stream.write_all(if credentials.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] })?;
    match (read(stream)?, credentials) {
        ([5, 0], _) => Ok(()),
        ([5, 2], Some((user, password))) => {
            let mut message = vec![1];
            for text in [user, password] {
                message.push(text.len() as u8);
                message.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&message)?;
            match read(stream)? {
                [_, 0] => Ok(()),
                _ => Err(refused("it rejected the user name and password")),
            }
        }
        ([5, _], None) => Err(refused("it requires a user name and password")),
        ([5, _], _) => Err(refused("it does not accept a user name and password")),
        _ => Err(refused("it does not speak SOCKS5")),
    }
}

/// Asks the proxy to connect to `address`, or to `host` if that is `None`.
fn request(stream: &mut Stream, host: &str, address: Option<IpAddr>, port: u16) -> io::Result<()> {
    let mut message = vec![5, 1, 0];
    match address {
        Some(IpAddr::V4(address)) => {
            message.push(1);
            message.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            message.push(4);
            message.extend_from_slice(&address.octets());
        }
        None => {
            let length = u8::try_from(host.len()).map_err(|_| refused("the server's name is too long"))?;
            message.extend_from_slice(&[3, length]);
            message.extend_from_slice(host.as_bytes());
        }
    }
    message.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&message)?;
    let [version, result, _, kind] = read(stream)?;
    match (version, result) {
        (5, 0) => {}
        (5, 2) => return Err(refused("its rules do not allow the connection")),
        (5, 3) => return Err(refused("the server's network is unreachable from there")),
        (5, 4) => return Err(refused("the server is unreachable from there, or its name is unknown there")),
        (5, 5) => return Err(refused("the server refuses the connection")),
        (5, 6) => return Err(refused("the server does not reply")),
        (5, _) => return Err(refused("it cannot connect to the server")),
        _ => return Err(refused("it does not speak SOCKS5")),
    }
    // Skip the address that the proxy connects from, and its port.
    let length = match kind {
        3 => usize::from(read::<1>(stream)?[0]),
        4 => 16,
        _ => 4,
    };
    for _ in 0..length + 2 {
        read::<1>(stream)?;
    }
    Ok(())
}

fn read<const N: usize>(stream: &mut Stream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn refused(problem: &'static str) -> io::Error {
    io::Error::other(problem)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use ureq::Agent;
    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};

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
