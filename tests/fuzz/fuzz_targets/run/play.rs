//! Plays the server of a scenario, and keeps its replies.

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_cache_fuzz::{Answer, Framing, Request, one_of};
use serde_json::{Deserializer, Value, json};

use crate::scenario::{CACHES, Cache, Effect, Fault, HEADER, KEY, Kind, Missing, Scenario, World};

/// A request and its reply.
#[derive(Debug)]
pub struct Exchange {
    pub asked: Asked,
    /// The reply on the wire, its head included.
    pub reply: String,
    /// The body of the reply, before it is cut into chunks.
    pub body: String,
}

impl Exchange {
    /// Returns all JSON objects in the reply, also those within others.
    pub fn objects(&self) -> Vec<Value> {
        let first_in = |text: &str| Deserializer::from_str(text).into_iter::<Value>().next()?.ok();
        let all_in = |text: &String| -> Vec<Value> {
            text.match_indices('{').filter_map(|(at, _)| first_in(&text[at..])).collect()
        };
        [&self.body, &self.reply].map(all_in).concat()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    List,
    Delete([String; 3]),
    DryRun,
    Task,
    Other,
}

#[derive(Debug)]
struct Task {
    cache: Option<Cache>,
    polls: u8,
    code: i64,
    error: &'static str,
}

/// The server of a scenario while it is played.
#[derive(Debug)]
pub struct Play {
    pub scenario: Arc<Scenario>,
    caches: BTreeSet<Cache>,
    tasks: Vec<Task>,
    pub exchanges: Vec<Exchange>,
}

/// Returns a line of a task's output, which differs from every other.
fn line(task: usize, number: usize) -> String {
    format!("line {number} of task {task};")
}

const ERRORS: [(u16, i64); 14] = [
    (404, 4),
    (404, 141),
    (404, 2),
    (401, 24),
    (403, 22),
    (403, 19),
    (400, 25),
    (400, 194),
    (400, 180),
    (500, 1),
    (400, 179),
    (409, 7),
    (503, 1),
    (200, 4),
];
const PAGES: [(u16, &str); 10] = [
    (502, ""),
    (503, "Retry-After: 2\r\n"),
    (504, ""),
    (429, "Retry-After: 99999\r\n"),
    (404, ""),
    (413, ""),
    (500, ""),
    (407, "Proxy-Authenticate: Negotiate\r\n"),
    (204, ""),
    (408, "Retry-After: 0\r\n"),
];
const HEADERS: [&str; 7] = [
    "X-Deprecated-Endpoint: v2/caches\x1b[2J\r\n",
    "Content-Encoding: gzip\r\n",
    "Set-Cookie: route=node9; Path=/\r\n",
    "Set-Cookie: rscid=x; Max-Age=0\r\n",
    "X-Folded: a\r\n b\r\n",
    "Content-Type: text/html\r\n",
    "Connection: close\r\n",
];
const LOCATIONS: [&str; 4] = [
    "https://other.example/__api__/v1/system/caches/runtime",
    "/login?key=",
    "//evil/",
    "http://127.0.0.1:1/__login__",
];

impl Play {
    pub fn new(scenario: Scenario) -> Self {
        let caches = bits(scenario.world.caches).collect();
        // A task that another run has started.
        let task = Task { cache: None, polls: 0, code: i64::from(scenario.world.code % 2), error: "" };
        Self { scenario: Arc::new(scenario), caches, tasks: vec![task], exchanges: Vec::new() }
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        let scenario = self.scenario.clone();
        let fault = scenario.faults().find(|fault| fault.is_due(self.exchanges.len()));
        let has_effect = fault.is_none_or(|fault| fault.kind.keeps_effect() || fault.effect);
        let asked = asked(request);
        let (status, body) = self.honest(request, &asked, has_effect);
        let World { cookie, framing, .. } = scenario.world;
        let (body, answer) = reply(status, body, cookie, framing, fault.map(|fault| &fault.kind));
        let [reply, body] = [&answer.bytes, &body].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.exchanges.push(Exchange { asked, reply, body });
        answer
    }

    /// Returns the status and the body of a server without faults.
    fn honest(&mut self, request: &Request, asked: &Asked, has_effect: bool) -> (u16, Value) {
        let path = request.target.split_once("/__api__/").map_or("", |(_, path)| path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let error =
            |status, code: i64| (status, json!({"code": code, "error": "It is so.", "payload": null}));
        match path {
            "v1/system/caches/runtime" if *asked == Asked::List => {
                let unlisted: BTreeSet<Cache> = bits(self.scenario.world.unlisted).collect();
                let row = |[language, version, image]: &Cache| json!({"language": language, "version": version, "image_name": image});
                (200, json!({"caches": self.caches.difference(&unlisted).map(row).collect::<Vec<_>>()}))
            }
            "v1/system/caches/runtime" => {
                let named: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let is_named = |[language, version, image]: &Cache| {
                    named["language"] == *language
                        && named["version"] == *version
                        && named["image_name"] == *image
                };
                let cache = self.caches.iter().copied().find(is_named);
                if cache.is_none() && self.scenario.world.missing == Missing::NotFound {
                    return error(404, 4);
                }
                let mut reply = named.clone();
                reply["dry_run"] = Value::Null;
                reply["task_id"] = match asked {
                    Asked::DryRun => Value::Null,
                    _ if !has_effect => json!("task-lost"),
                    _ => json!(self.start(cache)),
                };
                (200, reply)
            }
            "v1/user" => (200, json!({"username": "admin", "user_role": "administrator"})),
            "v1/content" => (
                200,
                json!([{"r_version": "4.3.0", "py_version": null}, {"r_version": null, "py_version": "3.11.4"}]),
            ),
            "server_settings" => (200, json!({"version": "2026.09.0", "execution_type": "native"})),
            "v1/server_settings/r" | "v1/server_settings/python" => {
                let version = if path.ends_with('r') { "4.3.0" } else { "3.10.1" };
                (
                    200,
                    json!({"installations": [{"version": version, "cluster_name": "Local", "image_name": "Local"}]}),
                )
            }
            _ => match path.strip_prefix("v1/tasks/task-").and_then(|number| number.parse().ok()) {
                Some(number) if number < self.tasks.len() => (200, self.poll(number, query)),
                _ => error(404, 141),
            },
        }
    }

    /// Starts a deletion and returns its task.
    fn start(&mut self, cache: Option<Cache>) -> String {
        let world = &self.scenario.world;
        let (mut code, mut error) = (i64::from(world.code % 3), if world.error { "It failed." } else { "" });
        if cache.is_none() && world.missing == Missing::TaskFails {
            (code, error) = (1, "No such cache.");
        }
        if world.effect == Effect::AtStart {
            cache.map(|cache| self.caches.remove(&cache));
        }
        self.tasks.push(Task { cache, polls: 0, code, error });
        format!("task-{}", self.tasks.len() - 1)
    }

    fn poll(&mut self, number: usize, query: &str) -> Value {
        let world = &self.scenario.world;
        let task = &mut self.tasks[number];
        task.polls += 1;
        let finished = task.polls > world.polls % 6;
        let succeeds = task.code == 0 && task.error.is_empty();
        if let (true, true, Effect::OnSuccess, Some(cache)) = (finished, succeeds, world.effect, task.cache) {
            self.caches.remove(&cache);
        }
        // Each poll finds more lines, up to all of them.
        let all = usize::from(world.lines % 8);
        let last = if finished { all } else { all.min(usize::from(task.polls)) };
        let first = query.split('&').find_map(|part| part.strip_prefix("first=")?.parse().ok()).unwrap_or(0);
        let output: Vec<String> = (first..last).map(|n| line(number, n)).collect();
        let (code, error) = if finished { (task.code, task.error) } else { (0, "") };
        json!({"id": format!("task-{number}"), "output": output, "result": null, "finished": finished, "code": code,
            "error": error, "last": last})
    }

    /// Reports whether the server has done what its replies say, and lists what it has.
    pub fn is_true(&self) -> bool {
        let World { unlisted, effect, .. } = self.scenario.world;
        // A DELETE that is refused, and carried out all the same.
        let is_false_refusal = |fault: &Fault| match fault.kind {
            Kind::Page(number) => fault.effect && [404, 407, 413, 429].contains(&one_of(&PAGES, number).0),
            _ => false,
        };
        let are_refusals_true = !self.scenario.faults().any(is_false_refusal);
        self.is_honest() && unlisted == 0 && effect != Effect::Never && are_refusals_true
    }

    /// Reports whether the server had a cache before the run.
    pub fn had(&self, cache: [&str; 3]) -> bool {
        bits(self.scenario.world.caches).any(|known| known == cache)
    }

    /// Reports whether the server has a cache.
    pub fn has(&self, cache: [&str; 3]) -> bool {
        self.caches.contains(&cache)
    }

    /// Reports whether every reply was true.
    pub fn is_honest(&self) -> bool {
        !self.scenario.faults().any(|fault| fault.kind.may_lie())
    }
}

/// The caches that the bits of a number select.
fn bits(bits: u8) -> impl Iterator<Item = Cache> {
    CACHES.into_iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1).map(|(_, cache)| cache)
}

fn asked(request: &Request) -> Asked {
    let is_cache = request.target.ends_with("/v1/system/caches/runtime");
    match request.method.as_str() {
        "DELETE" if is_cache => {
            let body: Value = serde_json::from_slice(&request.body).expect("a body of JSON");
            match body["dry_run"] == true {
                true => Asked::DryRun,
                false => Asked::Delete(
                    ["language", "version", "image_name"]
                        .map(|name| body[name].as_str().expect("a name").to_owned()),
                ),
            }
        }
        "GET" if is_cache => Asked::List,
        "GET" if request.target.contains("/v1/tasks/") => Asked::Task,
        "GET" => Asked::Other,
        other => panic!("a request to {other}"),
    }
}

/// Returns the body and the reply, after the fault.
fn reply(
    status: u16,
    body: Value,
    cookie: bool,
    framing: Framing,
    fault: Option<&Kind>,
) -> (Vec<u8>, Answer) {
    let mut headers = "Content-Type: application/json\r\n".to_owned();
    if cookie {
        headers.push_str("Set-Cookie: route=node1; Path=/; HttpOnly\r\n");
    }
    let (mut status, mut framing, mut body) = (status, framing, body.to_string().into_bytes());
    match fault {
        Some(Kind::Page(number)) => {
            let (page, header) = one_of(&PAGES, *number);
            (status, headers) = (page, header.to_owned());
            body = format!("<html>\r\n<title>{page}</title> \x1b[31m {KEY}</html>").into_bytes();
        }
        Some(Kind::Error(number)) => {
            let (other, code) = one_of(&ERRORS, *number);
            status = other;
            body = json!({"code": code, "error": format!("No.\n\u{202e}{KEY}"), "payload": null})
                .to_string()
                .into_bytes();
        }
        Some(Kind::Redirect(number)) => {
            status = one_of(&[301, 302, 307, 308], *number);
            headers.push_str(&format!("Location: {}{KEY}\r\n", one_of(&LOCATIONS, *number)));
        }
        Some(Kind::Header(number)) => {
            headers.push_str(one_of(&HEADERS, *number));
            headers.push_str(&format!("X-Echo: {KEY}, {HEADER}\r\n"));
        }
        Some(Kind::Framed(other)) => framing = *other,
        Some(Kind::Body(change)) => change.apply(&mut body),
        // The body could not be read from changed chunks.
        Some(Kind::Reply(_)) => framing = Framing::Length,
        Some(Kind::Echo(number)) => {
            let escaped: String = KEY.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
            let secret = one_of(
                &[KEY, HEADER, escaped.as_str(), "Key \\u006bB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3"],
                *number,
            );
            // The key goes into each string, since some of them are shown. Names that hold a header value are shown as
            // they came.
            let string = if secret == HEADER { "\"error\":\"" } else { "\":\"" };
            let mut text = String::from_utf8_lossy(&body).into_owned();
            for start in [string, "\"output\":[\""] {
                text = text.replace(start, &format!("{start}{secret} "));
            }
            body = text.into_bytes();
            headers.push_str(&format!("X-Deprecated-Endpoint: {secret}\r\n"));
        }
        _ => {}
    }
    let mut answer = Answer::new(status, &headers, &body, framing);
    match fault {
        Some(Kind::Close) => answer.bytes.clear(),
        Some(Kind::Cut(at)) => answer.bytes.truncate(usize::from(*at) % (answer.bytes.len() + 1)),
        Some(Kind::Reply(change)) => change.apply(&mut answer.bytes),
        Some(Kind::Garbage(bytes)) => answer.bytes.clone_from(bytes),
        _ => {}
    }
    // A client would wait for the rest.
    answer.close |= fault.is_some_and(Kind::closes);
    (body, answer)
}
