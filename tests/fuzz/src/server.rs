//! A server on loopback whose replies a function makes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request, of which the headers are of no interest.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
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
}

/// A running server, which stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that replies as `answer` says.
    pub fn start(answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let is_stopping = Arc::new(AtomicBool::new(false));
        let flag = is_stopping.clone();
        let thread = thread::spawn(move || {
            let answer = Mutex::new(answer);
            thread::scope(|scope| {
                for stream in listener.incoming() {
                    if flag.load(Relaxed) {
                        return;
                    }
                    let answer = &answer;
                    // A client that goes away ends the connection.
                    scope.spawn(move || stream.and_then(|stream| serve(stream, answer)));
                }
            });
        });
        Self { address, is_stopping, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_stopping.store(true, Relaxed);
        // Wakes the thread.
        let _ = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, answer: &Mutex<impl FnMut(&Request) -> Answer>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut reader)? {
        let Answer { bytes, close } = answer.lock().map(|mut answer| answer(&request)).expect("no panic");
        stream.write_all(&bytes)?;
        if close {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a request; `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, target, body }))
}
