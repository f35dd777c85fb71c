//! A server on loopback whose replies a function makes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::thread;

use serde_json::Value;

/// A request.
#[derive(Debug, PartialEq)]
pub struct Request {
    pub method: String,
    /// A path with a query or, since the server is also a proxy, a URL.
    pub target: String,
    /// The lines of the head after the first.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What is written to the connection, and whether that ends it.
pub struct Answer {
    pub bytes: Vec<u8>,
    pub close: bool,
}

/// How a reply shows the end of its body.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    Length,
    /// Chunks of at most so many bytes, plus one.
    Chunks(u8),
    /// The end of the connection.
    Close,
}

impl Answer {
    /// Returns a reply with these header lines.
    pub fn new(status: u16, headers: &str, body: &[u8], framing: Framing) -> Self {
        let mut bytes = format!("HTTP/1.1 {status} Reason\r\n{headers}").into_bytes();
        match framing {
            Framing::Length => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Framing::Chunks(size) => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(1 + usize::from(size)) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            }
            Framing::Close => {
                bytes.extend(b"Connection: close\r\n\r\n");
                bytes.extend(body);
            }
        }
        Self { bytes, close: framing == Framing::Close }
    }

    /// Returns a reply with this JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "Content-Type: application/json\r\n", body.to_string().as_bytes(), Framing::Length)
    }
}

/// The listener of this process, and its address.
fn listener() -> &'static (TcpListener, SocketAddr) {
    static LISTENER: OnceLock<(TcpListener, SocketAddr)> = OnceLock::new();
    LISTENER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        (listener, address)
    })
}

/// Returns the URL of the server, which is the same for all inputs.
pub fn url() -> String {
    format!("http://{}", listener().1)
}

/// Calls `client` while a server answers its requests.
pub(crate) fn serve<T>(answer: impl FnMut(Request) -> Answer + Send, client: impl FnOnce() -> T) -> T {
    let (listener, address) = listener();
    let is_over = AtomicBool::new(false);
    let answer = Mutex::new(answer);
    thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if is_over.load(Relaxed) {
                    return;
                }
                // A client that goes away ends the connection.
                scope.spawn(|| stream.and_then(|stream| converse(stream, &answer)));
            }
        });
        let result = client();
        is_over.store(true, Relaxed);
        // Wakes the thread.
        let _ = TcpStream::connect(address);
        result
    })
}

/// Answers the requests of one connection.
fn converse(mut stream: TcpStream, answer: &Mutex<impl FnMut(Request) -> Answer>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        let Answer { bytes, close } = answer.lock().map(|mut answer| answer(request)).expect("no panic");
        stream.write_all(&bytes)?;
        if close {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a request; `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let headers = lines.split_off(1);
    let mut words = lines[0].split(' ').map(str::to_owned);
    let length = headers.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Some(Request { method, target, headers, body }))
}
