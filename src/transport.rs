//! The transport under ureq: observes whether a request was sent, and writes requests for a proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What is observed and done at the transport, for one agent.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// Whether any of the current request was handed to the connection.
    sent: AtomicBool,
    /// Whether the next output is the start of a request.
    at_head: AtomicBool,
    /// The number of connections made so far.
    connections: AtomicU32,
    /// Whether requests use a tunnel that a proxy opens on CONNECT.
    pub(crate) tunneled: bool,
    /// For a proxy that takes requests in absolute form: what their targets start with.
    pub(crate) origin: Option<String>,
}

impl Wire {
    /// Prepares for the next request.
    pub(crate) fn start_request(&self) {
        self.sent.store(false, Relaxed);
        self.at_head.store(true, Relaxed);
    }

    /// Reports whether any of the current request was sent.
    pub(crate) fn sent(&self) -> bool {
        self.sent.load(Relaxed)
    }

    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Relaxed)
    }
}

/// Wraps the transport of each connection that carries requests.
#[derive(Debug)]
pub(crate) struct WireConnector(pub(crate) Arc<Wire>);

impl<In: Transport> Connector<In> for WireConnector {
    type Out = WireTransport<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // The connection to a proxy, which carries only CONNECT, is made through this chain too, with a
        // configuration that names no proxy.
        let carries_requests = details.config.proxy().is_some() == self.0.tunneled;
        if carries_requests && chained.is_some() {
            self.0.connections.fetch_add(1, Relaxed);
        }
        let wire = carries_requests.then(|| self.0.clone());
        Ok(chained.map(|inner| WireTransport { inner, wire }))
    }
}

#[derive(Debug)]
pub(crate) struct WireTransport<T> {
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

/// Inserts `origin` before the target of the request line at the start of `buffer`, as a proxy requires it
/// (RFC 9112, section 3.2.2), and returns the number of bytes then used.
///
/// A head that would no longer fit stays as it is, and the proxy refuses it.
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

#[cfg(test)]
mod tests {
    use super::into_absolute_form;

    #[test]
    fn inserts_the_origin_into_the_request_line() {
        let mut buffer = [0; 64];
        let head = b"GET /__api__/x HTTP/1.1\r\n";
        buffer[..head.len()].copy_from_slice(head);
        let used = into_absolute_form(&mut buffer, head.len(), "http://host:3939");
        assert_eq!(&buffer[..used], b"GET http://host:3939/__api__/x HTTP/1.1\r\n");
        assert_eq!(into_absolute_form(&mut buffer, used, &"x".repeat(64)), used);
    }
}
