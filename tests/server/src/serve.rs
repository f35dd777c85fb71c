//! Listeners, and the requests on their connections: each has a thread of its own, with blocking sockets.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use serde_json::json;

use crate::api::{self, Call};
use crate::faults::{Action, Fault};
use crate::http::{self, Length, Message, ReadError, Reader, Reply};
use crate::refusal;
use crate::state::{Recorded, Shared, log_line};
use crate::task::{Task, random_uuid};
use crate::wire::{Wire, fin, handshake};
use crate::{Config, Endpoint, OtherClient, Request};

/// One address: that of a node, or without `node` that of the balancer.
#[derive(Clone)]
pub(crate) struct Address {
    pub shared: Arc<Shared>,
    pub node: Option<usize>,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Address {
    /// Accepts connections until the server stops.
    pub fn listen(self, listener: &TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                // There are no file descriptors left, or the client has closed the connection already.
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            let stream = Arc::new(stream);
            let Some(number) = self.shared.connected(self.node, &stream) else {
                return;
            };
            let address = self.clone();
            let thread = thread::spawn(move || address.serve(&stream, number));
            let threads = &mut self.shared.lock().threads;
            threads.retain(|thread| !thread.is_finished());
            threads.push(thread);
        }
    }

    fn serve(&self, stream: &TcpStream, number: usize) {
        let _ = stream.set_nodelay(true);
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some(tls) => match handshake(tls, stream) {
                Ok(wire) => wire,
                Err(_) => return fin(stream),
            },
        };
        let conversation = Conversation { address: self, stream, wire, number };
        conversation.run();
    }
}

/// How a connection continues after a reply.
enum Next {
    Keep,
    /// Close it properly.
    Close,
    /// Send FIN, over TLS without a proper close.
    Fin,
    Reset,
}

impl From<io::Error> for Next {
    fn from(_: io::Error) -> Next {
        Next::Fin
    }
}

struct Conversation<'a> {
    address: &'a Address,
    stream: &'a TcpStream,
    wire: Wire<'a>,
    number: usize,
}

impl Conversation<'_> {
    /// Answers requests until the connection ends.
    fn run(mut self) {
        let mut reader = Reader::default();
        let mut next = Next::Keep;
        while let Next::Keep = next {
            next = match reader.read(&mut self.wire) {
                Ok(message) => self.answer(&message),
                Err(ReadError::Gone) => Next::Close,
                Err(ReadError::Malformed) => {
                    let _ = self.wire.write_all(
                        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
                          content-length: 15\r\nconnection: close\r\n\r\n400 Bad Request",
                    );
                    Next::Close
                }
            };
        }
        match next {
            Next::Reset => {
                let socket = socket2::SockRef::from(self.stream);
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
            Next::Keep | Next::Close => {
                self.wire.close_notify();
                fin(self.stream);
            }
            Next::Fin => fin(self.stream),
        }
    }

    fn answer(&mut self, message: &Message) -> Next {
        let shared = &self.address.shared;
        let config = &shared.config;
        if let Some(reply) = self.control(message) {
            let sent = self.send(&reply, message);
            return sent.unwrap_or_else(Next::from);
        }
        let endpoint = api::endpoint(config, message);
        let (node, cookie) = self.route(message);
        let request = Request {
            endpoint,
            method: message.method.clone(),
            path: message.path.clone(),
            query: message.query.clone(),
            headers: message.headers.clone(),
            body: String::from_utf8_lossy(&message.body).into_owned(),
            node,
            connection: self.number,
            user: api::user(config, message).map(|user| user.username.clone()),
            at: Instant::now(),
            status: None,
            correlation_id: None,
        };
        let Recorded { number, fault, other_clients } =
            shared.lock().record(request, config.rate_limit.as_ref());
        let turn = Turn {
            call: Call {
                shared,
                endpoint,
                message,
                node,
                perform: fault.as_ref().is_none_or(|fault| fault.effect),
                stale: None,
            },
            cookie,
            correlation_id: message.header("x-correlation-id").map_or_else(random_uuid, str::to_owned),
            request: number,
            other_clients,
        };
        let done = match fault {
            None if endpoint == Endpoint::Content => self.stream(&turn),
            None => self.reply(&turn, &turn.real()),
            Some(fault) => self.fail(turn, fault),
        };
        done.unwrap_or_else(|error| {
            shared.not_replied(number);
            Next::from(error)
        })
    }

    /// Returns the node that answers, and the cookie to set. A node's own address sets none.
    fn route(&self, message: &Message) -> (usize, Option<String>) {
        if let Some(node) = self.address.node {
            return (node, None);
        }
        let nodes = self.address.shared.config.cluster.nodes;
        let cookies = message.headers.iter().filter(|(name, _)| name == "cookie");
        let mut pairs = cookies.flat_map(|(_, value)| value.split(';'));
        let chosen = pairs.find_map(|pair| pair.trim().strip_prefix("route=node")?.parse().ok());
        if let Some(node) = chosen.filter(|node| *node < nodes) {
            return (node, None);
        }
        let mut state = self.address.shared.lock();
        let node = state.turns % nodes;
        state.turns += 1;
        (node, Some(format!("route=node{node}; Path=/; HttpOnly")))
    }

    fn reply(&mut self, turn: &Turn<'_>, reply: &Reply) -> io::Result<Next> {
        turn.replied(reply);
        self.send(reply, turn.call.message)
    }

    fn send(&mut self, reply: &Reply, message: &Message) -> io::Result<Next> {
        let keep = message.keep_alive && !self.address.shared.config.replies.close_connections;
        let mut bytes = reply.head(Length::Known(reply.body.len()), keep);
        if message.method != "HEAD" {
            bytes.extend_from_slice(reply.body.as_bytes());
        }
        self.put(&bytes)?;
        Ok(if keep { Next::Keep } else { Next::Close })
    }

    /// Sends the list of content items without ever holding it whole.
    fn stream(&mut self, turn: &Turn<'_>) -> io::Result<Next> {
        let length = match turn.call.content_parts() {
            Ok(parts) => parts.map(|part| part.len()).sum(),
            Err(refused) => return self.reply(turn, &turn.complete(refused)),
        };
        let reply = turn.complete(Reply::json(200, &json!(null)));
        turn.replied(&reply);
        self.put(&reply.head(Length::Known(length), true))?;
        for part in turn.call.content_parts().into_iter().flatten() {
            self.wire.write_all(part.as_bytes())?;
        }
        self.wire.flush()?;
        Ok(Next::Keep)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    /// Answers a request with a fault.
    fn fail(&mut self, mut turn: Turn<'_>, fault: Fault) -> io::Result<Next> {
        // If the fault replaces the server's reply, the deletion has to be started separately.
        let start_deletion = || {
            if fault.effect && turn.call.endpoint == Endpoint::Delete {
                turn.real();
            }
        };
        match fault.action {
            Action::ResetBeforeReply => {
                start_deletion();
                turn.replied_raw(None);
                Ok(Next::Reset)
            }
            Action::CloseBeforeReply => {
                start_deletion();
                turn.replied_raw(None);
                Ok(Next::Fin)
            }
            Action::ResetInReply => {
                self.cut(&turn, Length::Known(0))?;
                // Give the client time to read the reply, which RST could overtake.
                self.address.shared.sleep(Duration::from_millis(20));
                Ok(Next::Reset)
            }
            Action::CloseInReply => self.cut(&turn, Length::Known(0)).and(Ok(Next::Fin)),
            Action::CutChunked => self.cut(&turn, Length::Chunked).and(Ok(Next::Fin)),
            Action::CutUnframed => self.cut(&turn, Length::Unframed).and(Ok(Next::Close)),
            Action::CutJson => {
                let mut reply = turn.real();
                reply.body.truncate(half(&reply.body));
                self.reply(&turn, &reply)
            }
            Action::Reply { status, headers, body } => {
                start_deletion();
                let reply = Reply { status, headers, body, is_connects: false };
                self.reply(&turn, &turn.complete(reply))
            }
            Action::Error { status, code, text, headers } => {
                start_deletion();
                let mut reply = Reply::json(status, &refusal::error_body(code, &text));
                reply.headers.extend(headers);
                self.reply(&turn, &turn.complete(reply))
            }
            Action::Raw(bytes) => {
                start_deletion();
                turn.replied_raw(raw_status(&bytes));
                self.put(&bytes)?;
                Ok(Next::Close)
            }
            Action::StaleList(earlier) => {
                turn.call.stale = Some(earlier);
                self.reply(&turn, &turn.real())
            }
            Action::Stall => {
                start_deletion();
                turn.replied_raw(None);
                while self.stream.read(&mut [0; 4096])? > 0 {}
                Ok(Next::Fin)
            }
            Action::Delay(time) => {
                let early = fault.effect.then(|| turn.real());
                self.address.shared.sleep(time);
                turn.call.perform = true;
                let reply = early.unwrap_or_else(|| turn.real());
                self.reply(&turn, &reply)
            }
            Action::Pauses(pause) => {
                let reply = turn.real();
                turn.replied(&reply);
                self.put(&reply.head(Length::Known(reply.body.len()), true))?;
                for part in reply.body.as_bytes().chunks(reply.body.len().div_ceil(4).max(1)) {
                    self.address.shared.sleep(pause);
                    self.put(part)?;
                }
                Ok(Next::Keep)
            }
            Action::Endless => {
                start_deletion();
                let reply = turn.complete(Reply::json(200, &json!(null)));
                turn.replied(&reply);
                let cache = r#"{"language":"R","version":"4.3.0","image_name":"Local"},"#.repeat(100);
                let chunk = format!("{:x}\r\n{cache}\r\n", cache.len());
                self.put(&reply.head(Length::Chunked, true))?;
                self.put(b"b\r\n{\"caches\":[\r\n")?;
                while self.put(chunk.as_bytes()).is_ok() {}
                Ok(Next::Fin)
            }
        }
    }

    /// Sends the real reply's head and half of its body. `Known` means the real length, whatever its value.
    fn cut(&mut self, turn: &Turn<'_>, length: Length) -> io::Result<()> {
        let reply = turn.real();
        turn.replied(&reply);
        let half = &reply.body[..half(&reply.body)];
        let (length, half) = match length {
            Length::Known(_) => (Length::Known(reply.body.len()), half.to_string()),
            Length::Chunked => (length, format!("{:x}\r\n{half}\r\n", half.len())),
            Length::Unframed => (length, half.to_string()),
        };
        let mut bytes = reply.head(length, true);
        bytes.extend_from_slice(half.as_bytes());
        self.put(&bytes)
    }

    /// Returns the reply to a script that controls the server.
    fn control(&self, message: &Message) -> Option<Reply> {
        let shared = &self.address.shared;
        let Config { prefix, cluster, scripts, .. } = &shared.config;
        let path = message.path.strip_prefix(prefix.trim_end_matches('/'))?;
        let path = path.strip_prefix("/__control__/").filter(|_| scripts.control)?;
        let node = http::param(&message.query, "node").unwrap_or("0".into());
        let node = node.parse().ok().filter(|node| *node < cluster.nodes);
        let body = match (message.method.as_str(), path, node) {
            ("POST", "restart", Some(node)) => {
                shared.restart_node(node, Some(self.number));
                json!({ "restarted": node })
            }
            ("GET", "caches", _) => {
                let caches = shared.lock().caches.now().to_vec();
                let caches = caches.iter().map(|cache| {
                    json!({
                        "language": cache.language,
                        "version": cache.version,
                        "image_name": cache.image_name,
                    })
                });
                json!({ "caches": caches.collect::<Vec<_>>() })
            }
            ("GET", "requests", _) => {
                let state = shared.lock();
                json!({ "requests": state.requests.iter().map(log_line).collect::<Vec<_>>() })
            }
            ("GET", "tasks", _) => {
                let state = shared.lock();
                json!({ "tasks": state.tasks.iter().map(Task::times).collect::<Vec<_>>() })
            }
            ("GET", "max_running", _) => json!({ "max_running": shared.lock().max_running }),
            _ => return Some(Reply::page(404)),
        };
        Some(Reply::json(200, &body))
    }
}

/// A request that is being answered.
struct Turn<'a> {
    call: Call<'a>,
    cookie: Option<String>,
    correlation_id: String,
    /// Its number in the record.
    request: usize,
    /// The other clients that are due before the reply is sent.
    other_clients: Vec<OtherClient>,
}

impl Turn<'_> {
    /// Starts the deletion if the request is for one, and returns the reply that has no fault.
    fn real(&self) -> Reply {
        self.complete(self.call.answer())
    }

    /// Adds the headers that do not depend on the endpoint.
    fn complete(&self, mut reply: Reply) -> Reply {
        if reply.is_connects {
            reply.headers.push(("X-Correlation-ID".into(), self.correlation_id.clone()));
            let deprecated = self.call.shared.config.replies.deprecated.clone();
            reply.headers.extend(deprecated.map(|instead| ("X-Deprecated-Endpoint".into(), instead)));
        }
        if let Some(cookie) = &self.cookie {
            reply.headers.push(("Set-Cookie".into(), cookie.clone()));
        }
        reply
    }

    /// Records the reply, which is about to be sent.
    fn replied(&self, reply: &Reply) {
        let correlation_id = reply.is_connects.then_some(self.correlation_id.as_str());
        self.replied_with(Some(reply.status), correlation_id);
    }

    /// Records bytes that are about to be sent, or that nothing is sent.
    fn replied_raw(&self, status: Option<u16>) {
        self.replied_with(status, None);
    }

    fn replied_with(&self, status: Option<u16>, correlation_id: Option<&str>) {
        let shared = self.call.shared;
        shared.lock().change_caches(self.other_clients.clone());
        shared.replied(self.request, status, correlation_id);
    }
}

fn half(body: &str) -> usize {
    (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0)
}

/// Returns the status in raw bytes, if they begin like a reply.
fn raw_status(bytes: &[u8]) -> Option<u16> {
    let status = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(status).ok()?.parse().ok()
}
