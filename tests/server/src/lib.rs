//! A stand-in for a Posit Connect server, as faithful as its clients need: authentication and
//! roles, the runtime caches, deletion tasks with `first` and `wait`, every error of the cache job,
//! a path prefix, TLS, several nodes with a balancer. A test [configures](Config) it, can add [faults](Fault),
//! [other clients](OtherClient) and a [limit](RateLimit), and reads the [requests](Server::requests) that were
//! received.
//!
//! ```
//! use std::time::Duration;
//! use connect_test_server::{Action, Endpoint, Fault, OtherClient, Plan, Server};
//!
//! let server = Server::builder()
//!     .caches(["R 4.3.0 Local", "R 4.2.0 Local"])
//!     .plan(Plan::lasting(Duration::from_secs(2)))
//!     .start();
//! // A gateway answers the second poll of a task with 504, and another client is faster at one of the caches.
//! server.fault(Fault::new(Endpoint::Task, Action::html(504)).skip(1));
//! server.other_client(OtherClient::deletes("R 4.2.0 Local").after(Endpoint::List));
//! // … a client sends requests to `server.url()` …
//! assert!(server.requests().is_empty());
//! ```
//!
//! How it works: each connection has its thread (`serve`), which reads a request (`http`), records it, and refuses it
//! (`limit`), applies a fault (`faults`) or replies as Connect does (`api`). All threads share one locked `state`.
//! Tasks that are due finish when the lock is taken.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod api;
mod cache;
mod caches;
mod config;
mod content;
mod faults;
mod http;
mod images;
mod limit;
mod missing;
mod other_client;
pub mod pki;
mod plan;
mod refusal;
mod request;
mod serve;
mod settings;
mod state;
mod stored;
mod task;
mod user;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use cache::Cache;
pub use config::{Cluster, Config, List, LostLookup, Management, Polls, Replies, Scripts, Tls};
pub use content::Content;
pub use faults::{Action, Fault};
pub use images::{Echo, Images, Sanitizer};
pub use limit::RateLimit;
pub use missing::{MissingCache, MissingDelete, MissingDryRun};
pub use other_client::OtherClient;
pub use plan::{Effect, Plan};
pub use request::{Endpoint, Request};
pub use settings::{Installation, Installations, Settings};
pub use stored::Earlier;
pub use user::{Role, User};

use serve::Address;
use state::Shared;

/// A running server. Dropping it closes everything.
pub struct Server {
    shared: Arc<Shared>,
    /// The addresses of the nodes, then of the balancer.
    addresses: Vec<SocketAddr>,
    listeners: Vec<JoinHandle<()>>,
}

impl Server {
    /// Returns the default configuration, to be changed and [started](Config::start).
    pub fn builder() -> Config {
        Config::default()
    }

    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If [`try_start`](Server::try_start) fails.
    pub fn start(config: Config) -> Server {
        Server::try_start(config).expect("the test server starts")
    }

    /// Starts a server, which listens when this returns.
    ///
    /// # Errors
    ///
    /// The address is not available, the certificate and the key do not belong together, the log cannot be
    /// written, or the settings contradict each other ([`Config::unlisted`]).
    pub fn try_start(mut config: Config) -> io::Result<Server> {
        config.validate()?;
        config.cluster.nodes = config.cluster.nodes.max(1);
        let tls = config.tls.as_ref().map(wire::tls).transpose()?;
        let listen = config.listen.to_socket_addrs()?.next();
        let listen = listen.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut nodes: Vec<Option<usize>> = (0..config.cluster.nodes).map(Some).collect();
        let front = if config.cluster.balancer { nodes.len() } else { 0 };
        nodes.extend(config.cluster.balancer.then_some(None));

        let mut bound = Vec::new();
        for at in 0..nodes.len() {
            let port = if at == front { listen.port() } else { 0 };
            bound.push(TcpListener::bind((listen.ip(), port))?);
        }
        let addresses = bound.iter().map(TcpListener::local_addr);
        let mut server = Server {
            addresses: addresses.collect::<io::Result<_>>()?,
            shared: Arc::new(Shared::new(config)?),
            listeners: Vec::new(),
        };
        for (listener, node) in bound.into_iter().zip(nodes) {
            let address = Address { shared: Arc::clone(&server.shared), node, tls: tls.clone() };
            let thread = thread::spawn(move || address.listen(&listener));
            server.listeners.push(thread);
        }
        Ok(server)
    }

    /// Returns the server's address with its prefix: that of the balancer if there is one, else that of node 0.
    pub fn url(&self) -> String {
        let config = &self.shared.config;
        self.node_url(if config.cluster.balancer { config.cluster.nodes } else { 0 })
    }

    /// Returns the address of one node, which sets no cookie.
    pub fn node_url(&self, node: usize) -> String {
        let config = &self.shared.config;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let address = reachable(self.addresses[node]);
        let prefix = config.prefix.trim_end_matches('/');
        format!("{scheme}://{address}{prefix}")
    }

    /// Returns the users, whose keys the server accepts.
    pub fn users(&self) -> &[User] {
        &self.shared.config.users
    }

    /// Returns all requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Returns the caches as they are now, including unlisted ones.
    pub fn caches(&self) -> Vec<Cache> {
        self.shared.lock().caches.now().to_vec()
    }

    /// Reports whether a cache exists now. Its image is compared by the literal name.
    pub fn has(&self, cache: impl Into<Cache>) -> bool {
        self.shared.lock().caches.has(&cache.into())
    }

    /// Replaces the caches, whatever tasks are running. Those of [`Config::unlisted`] stay out of the list.
    pub fn set_caches<C: Into<Cache>>(&self, caches: impl IntoIterator<Item = C>) {
        let caches = caches.into_iter().map(Into::into).collect();
        self.shared.lock().caches.replace(caches);
    }

    /// Adds a cache unless it exists.
    pub fn add_cache(&self, cache: impl Into<Cache>) {
        self.shared.lock().caches.add(cache.into());
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Adds another client, which creates or deletes a cache at the moment of a request.
    pub fn other_client(&self, client: OtherClient) {
        self.shared.lock().other_clients.push(client);
    }

    /// Restarts a node: its running tasks end without effect and none of its tasks is known
    /// afterwards. Connections to the node's own address are closed. A poll that is held through the
    /// balancer ends in 502.
    pub fn restart_node(&self, node: usize) {
        self.shared.restart_node(node, None);
    }

    /// Returns the largest number of deletion tasks that ran at once.
    pub fn max_running(&self) -> usize {
        self.shared.lock().max_running
    }

    /// Returns the number of TCP connections accepted so far, including those with failed TLS handshakes.
    pub fn connections(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Waits until the requests so far meet a condition.
    ///
    /// # Panics
    ///
    /// With `what`, if the condition is not met within the timeout.
    pub fn wait_for(&self, what: &str, timeout: Duration, cond: impl Fn(&[Request]) -> bool) {
        let start = Instant::now();
        while !cond(&self.requests()) {
            assert!(
                start.elapsed() < timeout,
                "waited {timeout:?} for {what}; the requests are {:#?}",
                self.requests()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        for (address, listener) in self.addresses.iter().zip(self.listeners.drain(..)) {
            // Wake the listener, which then sees that the server stops.
            let woken = TcpStream::connect_timeout(&reachable(*address), Duration::from_secs(1));
            if woken.is_ok() {
                let _ = listener.join();
            }
        }
        let threads = std::mem::take(&mut self.shared.lock().threads);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Returns the address at which this host reaches a listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
