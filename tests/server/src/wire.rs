//! A connection at the level of bytes: plain or over TLS, and its end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::Tls;

/// How long to wait for the client to end a connection that this side has ended.
const LINGER: Duration = Duration::from_millis(300);

/// Returns the TLS settings for a certificate, and for an authority whose client certificates are required.
pub(crate) fn tls(Tls { identity, client_ca }: &Tls) -> io::Result<Arc<ServerConfig>> {
    let invalid = |why: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("certificate: {why}"))
    };
    let chain = CertificateDer::pem_slice_iter(identity.cert_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|why| invalid(&why))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|why| invalid(&why))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key).map_err(|why| invalid(&why))?;
    let clients = match client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|why| invalid(&why))?;
            roots.add(ca).map_err(|why| invalid(&why))?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            verifier.build().map_err(|why| invalid(&why))?
        }
    };
    // Serve the certificate even if it is invalid.
    let identity = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| invalid(&why))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Performs the TLS handshake with a client. A client that sends plain http gets the refusal that Connect sends.
pub(crate) fn handshake<'a>(tls: &Arc<ServerConfig>, stream: &'a TcpStream) -> io::Result<Wire<'a>> {
    let mut first = [0];
    if stream.peek(&mut first)? == 1 && first[0].is_ascii_alphabetic() {
        // Connect's reply, which comes from Go's library.
        let refusal = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        (&*stream).write_all(refusal.as_bytes())?;
        return Err(io::ErrorKind::InvalidData.into());
    }
    let connection = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut wire = StreamOwned::new(connection, stream);
    let result = wire.conn.complete_io(&mut wire.sock);
    // Send the alert of a failed handshake to the client.
    let _ = wire.flush();
    result.map(|_| Wire::Tls(Box::new(wire)))
}

/// A connection, plain or over TLS.
pub(crate) enum Wire<'a> {
    Plain(&'a TcpStream),
    Tls(Box<StreamOwned<ServerConnection, &'a TcpStream>>),
}

impl Read for Wire<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(bytes),
            Wire::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

impl Wire<'_> {
    /// Sends the TLS alert that ends the connection properly.
    pub fn close_notify(&mut self) {
        if let Wire::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    }
}

/// Ends a connection with FIN. Unread bytes would turn that into RST, so they are read.
pub(crate) fn fin(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(LINGER));
    let until = Instant::now() + LINGER;
    let mut bytes = [0; 4096];
    while Instant::now() < until && matches!(stream.read(&mut bytes), Ok(1..)) {}
}
