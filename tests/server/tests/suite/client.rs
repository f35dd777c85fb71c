//! A client that returns replies unchanged.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use connect_test_server::Server;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

pub const CACHES: &str = "/__api__/v1/system/caches/runtime";
pub const R: &str = r#"{"language":"R","version":"4.3.0","image_name":"Local"}"#;
pub const DRY: &str = r#"{"language":"R","version":"4.3.0","image_name":"Local","dry_run":true}"#;

/// A reply as it was received.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    /// Returns the status, and the code of Connect's error object.
    pub fn code(&self) -> (u16, i64) {
        let code = serde_json::from_str::<Value>(&self.body).unwrap_or_default();
        (self.status, code["code"].as_i64().unwrap_or(0))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub fn connect(url: &str) -> TcpStream {
    let host = url.split('/').nth(2).expect("a URL");
    TcpStream::connect(host).expect("the server listens")
}

/// Connects to the server at `url` over TLS, and trusts only this authority.
pub fn connect_tls(url: &str, ca: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM");
    roots.add(ca).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, connect(url));
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// Sends a request with more header lines, each ended by CR LF.
pub fn send(wire: &mut impl Write, line: &str, key: &str, more: &str, body: &str) {
    send_head(wire, line, &format!("Authorization: Key {key}\r\n{more}"), body);
}

/// Sends a request with exactly these header lines besides `Host` and `Content-Length`.
pub fn send_head(wire: &mut impl Write, line: &str, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}");
    write!(wire, "{head}Content-Length: {length}\r\n\r\n{body}").expect("sent");
    wire.flush().expect("sent");
}

/// Reads a reply of known length.
pub fn receive(wire: &mut impl Read) -> io::Result<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("ASCII");
    let status = head.split(' ').nth(1).expect("a status");
    let mut reply = Reply { status: status.parse().expect("a status"), head, body: String::new() };
    let length = reply.header("content-length").expect("a length");
    let mut body = vec![0; length.parse().expect("a length")];
    wire.read_exact(&mut body)?;
    reply.body = String::from_utf8(body).expect("UTF-8");
    Ok(reply)
}

/// Sends one request on a connection of its own. `line` is the method and the path under the server's address.
pub fn request_url(url: &str, line: &str, key: &str, more: &str, body: &str) -> Reply {
    let prefix = url.splitn(4, '/').nth(3).map_or(String::new(), |path| format!("/{path}"));
    let mut wire = connect(url);
    let line = line.replacen(" /", &format!(" {prefix}/"), 1);
    send(&mut wire, &line, key, more, body);
    receive(&mut wire).expect("a reply")
}

pub fn request(server: &Server, line: &str, key: &str, body: &str) -> Reply {
    request_url(&server.url(), line, key, "", body)
}

pub fn list(server: &Server) -> Reply {
    request(server, &format!("GET {CACHES}"), "admin-key", "")
}

pub fn delete(server: &Server, body: &str) -> Reply {
    request(server, &format!("DELETE {CACHES}"), "admin-key", body)
}

/// Starts the deletion of R's cache, and returns the path of its task.
pub fn start(server: &Server) -> String {
    let reply = delete(server, R);
    let id = reply.json()["task_id"].as_str().expect("an id").to_string();
    format!("/__api__/v1/tasks/{id}")
}

pub fn poll(server: &Server, task: &str, query: &str) -> Reply {
    request(server, &format!("GET {task}?{query}"), "admin-key", "")
}
