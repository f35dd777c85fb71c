//! HTTP/1.1 without a library: requests are parsed strictly, and replies are written as bytes, so that a fault
//! can cut them anywhere.

use std::io::{self, Read, Write};

/// Limit for the head of a request, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Limit for its body.
const BODY_LIMIT: usize = 1024 * 1024;

/// A request as it was received.
#[derive(Debug)]
pub(crate) struct Message {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the client wants to use the connection again.
    pub keep_alive: bool,
}

/// The reason why no request was read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection ended.
    Gone,
    /// These bytes are not HTTP, or a strict server does not accept them.
    Malformed,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> ReadError {
        ReadError::Gone
    }
}

/// Reads requests from a connection, one after the other.
#[derive(Default)]
pub(crate) struct Reader {
    /// The bytes that were received and not read yet.
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads the next request.
    pub fn read(&mut self, wire: &mut (impl Read + Write)) -> Result<Message, ReadError> {
        let (mut message, framing) = loop {
            if let Some((message, framing, used)) = parse_head(&self.buffer)? {
                self.buffer.drain(..used);
                break (message, framing);
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(ReadError::Malformed);
            }
            self.fill(wire)?;
        };
        let expects = message.header("expect").unwrap_or_default();
        if expects.eq_ignore_ascii_case("100-continue") && self.buffer.is_empty() {
            wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            wire.flush()?;
        }
        message.body = match framing {
            Framing::Length(length) => self.take(wire, length)?,
            Framing::Chunked => self.take_chunks(wire)?,
        };
        Ok(message)
    }

    fn fill(&mut self, wire: &mut impl Read) -> io::Result<()> {
        let mut bytes = [0; 8192];
        match wire.read(&mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.buffer.extend_from_slice(&bytes[..n]);
                Ok(())
            }
        }
    }

    fn take(&mut self, wire: &mut impl Read, length: usize) -> Result<Vec<u8>, ReadError> {
        while self.buffer.len() < length {
            self.fill(wire)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn take_line(&mut self, wire: &mut impl Read) -> Result<String, ReadError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(wire, end + 2)?;
                return String::from_utf8(line[..end].to_vec()).or(Err(ReadError::Malformed));
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(ReadError::Malformed);
            }
            self.fill(wire)?;
        }
    }

    fn take_chunks(&mut self, wire: &mut impl Read) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line(wire)?;
            let digits = line.split(';').next().unwrap_or_default().trim_end();
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(ReadError::Malformed);
            }
            let size = usize::from_str_radix(digits, 16).or(Err(ReadError::Malformed))?;
            if size > BODY_LIMIT - body.len() {
                return Err(ReadError::Malformed);
            }
            if size == 0 {
                // The trailer ends with an empty line.
                while !self.take_line(wire)?.is_empty() {}
                return Ok(body);
            }
            body.append(&mut self.take(wire, size)?);
            if self.take(wire, 2)? != b"\r\n" {
                return Err(ReadError::Malformed);
            }
        }
    }
}

impl Message {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Returns the first header of this name, which is in lower case.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = headers.iter().filter(|(n, _)| n == name);
    named.next().map(|(_, value)| value.as_str())
}

enum Framing {
    Length(usize),
    Chunked,
}

/// Returns the head at the start of `bytes`, how its body is framed, and the head's length; `None` while
/// it is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Message, Framing, usize)>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Malformed),
    };
    let mut named = Vec::new();
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value).or(Err(ReadError::Malformed))?;
        named.push((header.name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let all = |name: &str| -> Vec<&str> {
        let named = named.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| value.as_str()).collect()
    };
    let http_1_1 = request.version == Some(1);
    if http_1_1 && all("host").len() != 1 {
        return Err(ReadError::Malformed);
    }
    let framing = match (all("content-length").as_slice(), all("transfer-encoding").as_slice()) {
        ([], []) => Framing::Length(0),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            let length = length.parse().ok().filter(|length| *length <= BODY_LIMIT);
            Framing::Length(length.ok_or(ReadError::Malformed)?)
        }
        _ => return Err(ReadError::Malformed),
    };
    let connection = all("connection").join(",").to_ascii_lowercase();
    let keep_alive = if http_1_1 { !connection.contains("close") } else { connection.contains("keep-alive") };
    let (path, query) = split_target(request.path.unwrap_or_default())?;
    let message = Message {
        method: request.method.unwrap_or_default().to_string(),
        path,
        query,
        headers: named,
        body: Vec::new(),
        keep_alive,
    };
    Ok(Some((message, framing, used)))
}

/// Returns the path and the query of a target, which a proxy may send in absolute form.
fn split_target(target: &str) -> Result<(String, String), ReadError> {
    let local = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => &rest[rest.find('/').unwrap_or(rest.len())..],
        _ => target,
    };
    if !local.starts_with('/') {
        return Err(ReadError::Malformed);
    }
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    Ok((path.to_string(), query.to_string()))
}

/// Returns the first value of a query's parameter, percent-decoded.
pub(crate) fn param(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(n, _)| decode(n) == name).map(|(_, value)| decode(value))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A reply, before it is framed.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Whether Connect sends it, and not something in front of it.
    pub is_connects: bool,
}

/// How a reply shows the end of its body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
    /// The body ends with the connection.
    Unframed,
}

impl Reply {
    /// Returns a JSON reply of Connect.
    pub fn json(status: u16, body: &serde_json::Value) -> Reply {
        let headers = vec![("content-type".into(), "application/json; charset=utf-8".into())];
        Reply { status, headers, body: body.to_string(), is_connects: true }
    }

    /// Returns a page of a plain web server.
    pub fn page(status: u16) -> Reply {
        let headers = vec![("content-type".into(), "text/html".into())];
        Reply { status, headers, body: page(status), is_connects: false }
    }

    /// Returns the status line and the headers.
    pub fn head(&self, length: Length, keep_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match length {
            Length::Known(bytes) => head += &format!("content-length: {bytes}\r\n"),
            Length::Chunked => head += "transfer-encoding: chunked\r\n",
            Length::Unframed => {}
        }
        if !keep_alive || length == Length::Unframed {
            head += "connection: close\r\n";
        }
        head += "\r\n";
        head.into_bytes()
    }
}

/// Returns a web server's page for a status.
pub(crate) fn page(status: u16) -> String {
    let title = format!("{status} {}", reason(status));
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
         </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> Result<Message, ReadError> {
        Reader::default().read(&mut io::Cursor::new(bytes.as_bytes().to_vec()))
    }

    #[test]
    fn reads_requests_with_their_bodies() {
        let message = read(
            "POST http://proxied:3939/a/b?c=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
        )
        .unwrap();
        assert_eq!((&*message.path, &*message.query, &*message.body), ("/a/b", "c=d", &b"abc0123456789"[..]));
        assert!(message.keep_alive);
        let old = read("DELETE /x HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((&*old.body, old.keep_alive), (&b"{}"[..], false));
    }

    #[test]
    fn rejects_malformed_and_ambiguous_requests() {
        for bytes in [
            "\x16\x03\x01\x02\0\x01\0",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nab",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        ] {
            let error = read(bytes).unwrap_err();
            assert!(matches!(error, ReadError::Malformed), "{bytes:?}: {error:?}");
        }
        assert!(matches!(read("GET / HT"), Err(ReadError::Gone)));
    }

    #[test]
    fn decodes_parameters() {
        assert_eq!(param("first=%31&wait=0", "first").as_deref(), Some("1"));
        assert_eq!(param("a=1+2%zz", "a").as_deref(), Some("1 2%zz"));
        assert_eq!(param("a=1", "b"), None);
    }
}
