//! The transport under ureq: observes whether a request was sent, writes requests for a proxy, and makes the
//! heads of replies readable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::http::head::{self, Head, MAX_HEAD};

/// How many headers ureq reads in a reply, and in a proxy's reply to CONNECT.
const MAX_HEADERS: usize = 128;
const MAX_CONNECT_HEADERS: usize = 20;

/// The observations and changes of one agent at the transport.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// Whether any of the current request was handed to the connection.
    pub(crate) sent: AtomicBool,
    /// Whether the next output is the start of a request.
    at_head: AtomicBool,
    /// Whether the proxy has asked for credentials (407), but not for Basic.
    pub(crate) refuses_basic: AtomicBool,
    /// Whether a connection to the server, or to the proxy in front of it, was made for the current request. If not,
    /// the request was not sent, or was sent on a kept connection.
    pub(crate) connected: AtomicBool,
    /// Whether ureq connects through a proxy, by CONNECT or SOCKS.
    pub(crate) proxied: bool,
    /// The start of each target, for a proxy that takes requests in absolute form.
    pub(crate) origin: Option<String>,
}

impl Wire {
    /// Prepares for the next request.
    pub(crate) fn start_request(&self) {
        self.sent.store(false, Relaxed);
        self.connected.store(false, Relaxed);
        self.refuses_basic.store(false, Relaxed);
        self.at_head.store(true, Relaxed);
    }
}

/// Notes that a connection was made for the current request, before TLS begins.
#[derive(Debug)]
pub(crate) struct ConnectedConnector(pub(crate) Arc<Wire>);

impl<In: Transport> Connector<In> for ConnectedConnector {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        self.0.connected.store(chained.is_some(), Relaxed);
        Ok(chained)
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
        let carries_requests = details.config.proxy().is_some() == self.0.proxied;
        let wire = self.0.clone();
        Ok(chained.map(|inner| WireTransport { inner, wire, carries_requests, at_reply: true }))
    }
}

#[derive(Debug)]
pub(crate) struct WireTransport<T> {
    inner: T,
    wire: Arc<Wire>,
    carries_requests: bool,
    /// Whether the next input is the head of a reply.
    at_reply: bool,
}

impl<T: Transport> WireTransport<T> {
    /// Replaces the head at the start of the input by one that ureq can read; reports whether it has arrived.
    fn rewrite_head(&mut self) -> Result<bool, ureq::Error> {
        let max_headers = if self.carries_requests { MAX_HEADERS } else { MAX_CONNECT_HEADERS };
        let buffers = self.inner.buffers();
        loop {
            let input = buffers.input();
            let head = head::read(input, max_headers).map_err(|bad| ureq::Error::Other(Box::new(bad)))?;
            let length = match &head {
                Head::Partial => input.len(),
                Head::Interim { length } | Head::Whole { length, .. } => *length,
            };
            if length > MAX_HEAD {
                return Err(ureq::Error::LargeResponseHeader(length, MAX_HEAD));
            }
            match head {
                Head::Partial => return Ok(false),
                // If this were left to ureq, it would read the next reply before this function can rewrite it.
                Head::Interim { .. } => buffers.input_consume(length),
                Head::Whole { mut rewritten, .. } => {
                    self.wire.refuses_basic.store(head::refuses_basic(&rewritten), Relaxed);
                    rewritten.extend_from_slice(&input[length..]);
                    let all = input.len();
                    buffers.input_consume(all);
                    buffers.input_append_buf()[..rewritten.len()].copy_from_slice(&rewritten);
                    buffers.input_appended(rewritten.len());
                    return Ok(true);
                }
            }
        }
    }
}

impl<T: Transport> Transport for WireTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, mut amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.carries_requests {
            let wire = &self.wire;
            // Even a failed write may have sent a part.
            wire.sent.store(true, Relaxed);
            if wire.at_head.swap(false, Relaxed) {
                self.at_reply = true;
                if let Some(origin) = &wire.origin {
                    amount = into_absolute_form(self.inner.buffers().output(), amount, origin);
                }
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let (limit, started_at) = (timeout.after, Instant::now());
        while self.at_reply {
            if let Duration::Exact(limit) = limit {
                timeout.after = Duration::Exact(limit.saturating_sub(started_at.elapsed()));
            }
            if !self.inner.await_input(timeout)? {
                // Drop a head whose end was lost, so that ureq does not parse it.
                let partial = self.inner.buffers().input().len();
                self.inner.buffers().input_consume(partial);
                return Ok(false);
            }
            if self.rewrite_head()? {
                self.at_reply = false;
                return Ok(true);
            }
        }
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
        let origin = "x".repeat(64 - used);
        assert_eq!(into_absolute_form(&mut buffer.clone(), used, &origin), 64);
        assert_eq!(into_absolute_form(&mut buffer, used, &(origin + "x")), used);
    }
}
