//! The state of the server: caches, tasks and their nodes, requests, connections.
//!
//! No thread runs the tasks. Whenever a thread takes the lock, the tasks that are due finish, so that
//! every thread sees the caches and tasks as they are at that moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::{self, Fault};
use crate::limit::Bucket;
use crate::other_client::{self, OtherClient};
use crate::stored::Stored;
use crate::task::{LONGEST, Task};
use crate::{Cache, Config, Effect, MissingCache, RateLimit, Request};

/// The state that the threads of a server share.
pub(crate) struct Shared {
    pub config: Config,
    state: Mutex<State>,
    /// Notified when a node restarts and when the server stops.
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    pub caches: Stored,
    pub tasks: Vec<Task>,
    pub requests: Vec<Request>,
    pub faults: Vec<Fault>,
    pub other_clients: Vec<OtherClient>,
    bucket: Bucket,
    pub max_running: usize,
    /// TCP connections accepted so far.
    pub accepted: usize,
    /// The number of requests that the balancer has distributed to the nodes in turn.
    pub turns: usize,
    pub stopping: bool,
    connections: Vec<Connection>,
    pub threads: Vec<JoinHandle<()>>,
    /// How a task ends if its cache is gone.
    missing_cache: MissingCache,
    log: Option<File>,
}

/// A request that has been recorded.
pub(crate) struct Recorded {
    pub number: usize,
    /// The fault that applies to it.
    pub fault: Option<Fault>,
    /// The other clients that are due before its reply is sent.
    pub other_clients: Vec<OtherClient>,
}

/// An open connection: its number, and the node whose own address it came to.
struct Connection {
    number: usize,
    node: Option<usize>,
    stream: Weak<TcpStream>,
}

impl Shared {
    pub fn new(config: Config) -> io::Result<Shared> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let log = config.scripts.log.as_ref().map(open).transpose()?;
        let mut caches = config.caches.clone();
        caches.extend(config.unlisted.iter().filter(|cache| !config.caches.contains(cache)).cloned());
        let state = State {
            caches: Stored::new(caches),
            faults: config.faults.clone(),
            other_clients: config.other_clients.clone(),
            missing_cache: config.missing_cache,
            log,
            ..State::default()
        };
        Ok(Shared { config, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Returns the state as it is now.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        up_to_date(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the state after `until`, or as soon as a node restarts or the server stops.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let time = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout(state, time);
        up_to_date(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Sleeps for this time, or until the server stops.
    pub fn sleep(&self, time: Duration) {
        let until = Instant::now() + time.min(LONGEST);
        let mut state = self.lock();
        while !state.stopping && Instant::now() < until {
            state = self.wait(state, until);
        }
    }

    /// Starts the deletion of a cache, which may be missing.
    pub fn start_task(&self, node: usize, starter: &str, cache: &Cache) -> String {
        let mut plan = self.config.plan_of(cache).clone();
        let mut state = self.lock();
        if !state.caches.has(cache) {
            plan = self.config.missing_cache.delete.plan(plan);
        }
        let task = Task::new(node, starter, cache, plan);
        let id = task.id.clone();
        if task.plan.effect == Effect::AtStart {
            state.caches.remove(cache);
        }
        state.tasks.push(task);
        let running = state.tasks.iter().filter(|task| !task.finished).count();
        state.max_running = state.max_running.max(running);
        id
    }

    /// Records the status and the correlation ID of the reply to a request, before the reply is sent.
    pub fn replied(&self, request: usize, status: Option<u16>, correlation_id: Option<&str>) {
        let mut state = self.lock();
        state.requests[request].status = status;
        state.requests[request].correlation_id = correlation_id.map(str::to_owned);
        let line = format!("{}\n", log_line(&state.requests[request]));
        if let Some(log) = &mut state.log {
            // Ignore errors: a full disk must not end the server.
            let _ = log.write_all(line.as_bytes());
        }
    }

    /// Records that the reply was not sent.
    pub fn not_replied(&self, request: usize) {
        let request = &mut self.lock().requests[request];
        (request.status, request.correlation_id) = (None, None);
    }

    /// Counts a new connection; `None` if the server stops.
    pub fn connected(&self, node: Option<usize>, stream: &Arc<TcpStream>) -> Option<usize> {
        let mut state = self.lock();
        if state.stopping {
            return None;
        }
        state.accepted += 1;
        let number = state.accepted;
        state.connections.retain(|c| c.stream.strong_count() > 0);
        state.connections.push(Connection { number, node, stream: Arc::downgrade(stream) });
        Some(number)
    }

    /// Ends a node's tasks and its own connections, except for the one that requested the restart.
    pub fn restart_node(&self, node: usize, requester: Option<usize>) {
        let mut state = self.lock();
        state.tasks.retain(|task| task.node != node);
        for connection in &state.connections {
            if connection.node == Some(node) && Some(connection.number) != requester {
                connection.close();
            }
        }
        self.changed.notify_all();
    }

    /// Accepts no more connections, and ends those that are open.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.connections.iter().for_each(Connection::close);
        self.changed.notify_all();
    }
}

impl Connection {
    fn close(&self) {
        if let Some(stream) = self.stream.upgrade() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Finishes the tasks that are due.
fn up_to_date(mut state: MutexGuard<'_, State>) -> MutexGuard<'_, State> {
    state.finish_due_tasks(Instant::now());
    state
}

impl State {
    /// Records a request. What it is limited by or another client does before it happens here.
    pub fn record(&mut self, request: Request, limit: Option<&RateLimit>) -> Recorded {
        let (endpoint, number) = (request.endpoint, self.requests.len());
        let refusal = limit.filter(|limit| !self.bucket.passes(limit, request.at));
        self.requests.push(request);
        if let Some(RateLimit { refusal, .. }) = refusal {
            let fault = Fault::new(endpoint, refusal.clone());
            return Recorded { number, fault: Some(fault), other_clients: Vec::new() };
        }
        let (before, other_clients) = other_client::due(&mut self.other_clients, endpoint);
        self.change_caches(before);
        Recorded { number, fault: faults::next(&mut self.faults, endpoint), other_clients }
    }

    /// Lets other clients create or delete their caches.
    pub fn change_caches(&mut self, clients: Vec<OtherClient>) {
        clients.into_iter().for_each(|client| client.act(&mut self.caches));
    }

    /// Returns the task with this ID, if this node knows it.
    pub fn task(&self, node: usize, id: &str) -> Option<&Task> {
        let mut tasks = self.tasks.iter();
        tasks.find(|task| task.node == node && task.id == id)
    }

    /// Finishes the tasks that are due, in the order of their ends.
    fn finish_due_tasks(&mut self, now: Instant) {
        let due = |task: &&mut Task| !task.finished && task.ends <= now;
        while let Some(task) = self.tasks.iter_mut().filter(due).min_by_key(|task| task.ends) {
            task.finish(&mut self.caches, self.missing_cache.delete);
        }
    }
}

/// Returns a request as it is logged, without keys and bodies.
pub(crate) fn log_line(request: &Request) -> Value {
    json!({
        "endpoint": format!("{:?}", request.endpoint),
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "status": request.status,
        "node": request.node,
        "connection": request.connection,
        "user": request.user,
        "cookie": request.header("cookie").is_some(),
    })
}
