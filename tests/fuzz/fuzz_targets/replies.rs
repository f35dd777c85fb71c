//! Compares the client's reading of a reply with that of serde_json.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use connect_cache::{Client, Config, Error, ErrorKind, RuntimeCache};
use connect_cache_fuzz::server::{Answer, Framing, Server};
use connect_cache_fuzz::{Change, one_of, set_environment};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[derive(Arbitrary, Debug)]
struct Input {
    endpoint: Endpoint,
    body: u8,
    framing: Framing,
    change: Change,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Endpoint {
    Caches,
    Delete,
    DryRun,
    Task,
    Settings,
    User,
    Installations,
    Content,
    Error(u8),
}

impl Endpoint {
    /// Valid replies.
    fn bodies(self) -> &'static [&'static str] {
        match self {
            Self::Caches => &[
                r#"{"caches":[{"language":"R","version":"4.3.0","image_name":"Local"},{"language":"Python","version":"3.10.1","image_name":"a"}]}"#,
                r#"{"caches":null}"#,
                r#" { "more" : { "caches" : 1 } , "caches" : [ ] } "#,
            ],
            Self::Delete => &[
                r#"{"language":"R","version":"4.3.0","image_name":"Local","task_id":"lFvijYN16kjCoal6"}"#,
                r#"{"task_id":"-_a"}"#,
            ],
            Self::DryRun => &[
                r#"{"language":"R","version":"4.3.0","image_name":"Local","task_id":null}"#,
                r#"{"task_id":null}"#,
                r#"{"language":"r","version":"4.3.0","image_name":"Local"}"#,
            ],
            Self::Task => &[
                r#"{"id":"task-1","output":["Deleting runtime cache...","\u00e9\ud83d\ude00"],"result":null,"finished":true,"code":0,"error":"","last":2}"#,
                r#"{"id":"task-1","output":null,"finished":false,"code":0,"last":0}"#,
                r#"{"id":"task-1","output":[],"result":{"type":"","data":[1]},"finished":true,"code":-7,"error":"No.","last":9}"#,
            ],
            Self::Settings => &[
                r#"{"version":"2026.09.0","enable_runtime_cache_management":true,"execution_type":"native"}"#,
                r#"{"version":null}"#,
            ],
            Self::User => &[r#"{"username":"admin","user_role":"administrator","guid":"x"}"#, "{}"],
            Self::Installations => &[
                r#"{"installations":[{"version":"4.3.0","cluster_name":"Local","image_name":"Local"},{"version":null}]}"#,
            ],
            Self::Content => &[
                r#"[{"r_version":"4.3.0","py_version":null,"title":"}]"},{"py_version":"3.11.4","owner":{"a":[{}]}}, {}]"#,
                "[ ]",
            ],
            Self::Error(_) => &[r#"{"code":22,"error":"You don't have permission.","payload":null}"#],
        }
    }

    /// Returns the client's reading, as text.
    fn read(self, client: &Client) -> Result<String, Error> {
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        Ok(match self {
            Self::Caches => lines(client.runtime_caches()?),
            Self::Delete => client.delete_runtime_cache(&cache)?.to_string(),
            Self::DryRun => client.check_runtime_cache(&cache).map(|()| String::new())?,
            Self::Task => {
                let id = "task-1".parse().expect("an ID");
                let mut output = Vec::new();
                let task = client.task(&id, 0, Duration::ZERO, |line| output.push(line.to_owned()))?;
                format!("{output:?} {} {} {} {}", task.finished, task.code, task.error, task.last)
            }
            Self::Settings => {
                let settings = client.server_settings()?;
                let managed = settings.enable_runtime_cache_management;
                format!("{:?} {managed:?} {:?}", settings.version, settings.execution_type)
            }
            Self::User => {
                client.current_user().map(|user| format!("{} {}", user.username, user.user_role))?
            }
            Self::Installations => lines(
                client
                    .r_installations()?
                    .iter()
                    .map(|i| format!("{} {} {}", i.version, i.cluster_name, i.image_name)),
            ),
            Self::Content => {
                let usage = client.content_usage(|_| {})?;
                format!("{} {:?}", usage.items(), usage.of(&[cache]))
            }
            Self::Error(_) => client.current_user().map(|_| String::new())?,
        })
    }

    /// Returns the same as serde_json reads it; `None` if it is not the expected reply.
    fn expected(self, body: &Value) -> Option<String> {
        let text = |object: &Value, name: &str| object[name].as_str().map(str::to_owned);
        let optional = |object: &Value, name: &str| text(object, name).unwrap_or_default();
        Some(match self {
            Self::Caches => {
                let rows = body.get("caches")?.as_array().cloned().unwrap_or_default();
                let row = |row: &Value| {
                    Some(format!(
                        "{} {} {}",
                        text(row, "language")?,
                        text(row, "version")?,
                        text(row, "image_name")?
                    ))
                };
                lines(rows.iter().map(row).collect::<Option<Vec<_>>>()?)
            }
            Self::Delete => text(body, "task_id")?,
            Self::DryRun => (body["task_id"].is_null()).then(String::new)?,
            Self::Task => {
                let output = body["output"].as_array().cloned().unwrap_or_default();
                let output = output.iter().map(|line| line.as_str()).collect::<Option<Vec<_>>>()?;
                let (code, last) = (integer(&body["code"])?, integer(&body["last"])?);
                (body["id"] == "task-1").then_some(())?;
                format!(
                    "{output:?} {} {code} {} {last}",
                    body["finished"].as_bool()?,
                    optional(body, "error")
                )
            }
            Self::Settings => {
                let managed = body["enable_runtime_cache_management"].as_bool();
                format!("{:?} {managed:?} {:?}", text(body, "version"), text(body, "execution_type"))
            }
            Self::User => format!("{} {}", optional(body, "username"), optional(body, "user_role")),
            Self::Installations => {
                lines(body["installations"].as_array().cloned().unwrap_or_default().iter().map(|i| {
                    format!(
                        "{} {} {}",
                        optional(i, "version"),
                        optional(i, "cluster_name"),
                        optional(i, "image_name")
                    )
                }))
            }
            Self::Content => {
                let items = body.as_array()?;
                let used = items.iter().filter(|item| item["r_version"] == "4.3.0").count() as u64;
                format!("{} {:?}", items.len(), Some(used))
            }
            Self::Error(_) => format!("{} {}", integer(&body["code"])?, text(body, "error")?),
        })
    }

    fn status(self) -> u16 {
        match self {
            Self::Error(number) => one_of(&[400, 401, 403, 404, 409, 500, 503], number),
            _ => 200,
        }
    }
}

/// Serde reads `-0` as a floating point number.
fn integer(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| (value.as_f64() == Some(0.0) && value.to_string().as_str() == "-0.0").then_some(0))
}

fn lines<T: ToString>(lines: impl IntoIterator<Item = T>) -> String {
    lines.into_iter().map(|line| line.to_string()).collect::<Vec<_>>().join("\n")
}

fuzz_target!(init: { set_environment(&[]) }, |input: Input| {
    let Input { endpoint, body: number, framing, ref change } = input;
    let bodies = endpoint.bodies();
    let mut body = bodies[usize::from(number) % bodies.len()].as_bytes().to_vec();
    change.apply(&mut body);
    let server = {
        let body = body.clone();
        Server::start(move |_| Answer::new(endpoint.status(), "", &body, framing))
    };
    let mut config = Config::new(server.url().parse().expect("an address"), "a-key".parse().expect("a key"));
    config.retries = Some(0);
    let client = Client::new(config).expect("a client");
    let read = endpoint.read(&client);
    drop(client);

    let shown = String::from_utf8_lossy(&body);
    let value = serde_json::from_slice::<Value>(&body).ok();
    let expected = value.as_ref().and_then(|value| endpoint.expected(value));
    let (read, refusal) = match read {
        Err(Error { kind: ErrorKind::Api { code, message, .. }, .. }) => (Some(format!("{code} {message}")), None),
        Ok(read) => (Some(read), None),
        Err(error) => (None, Some(error)),
    };
    match (read, value) {
        (Some(read), Some(_)) => assert_eq!(Some(read), expected, "{shown}"),
        // Serde rejects bytes that are not UTF-8, a byte order mark, half of a pair of surrogates and huge numbers.
        (Some(_), None) => assert!(!change.is_nothing(), "{shown}"),
        (None, _) => assert!(!change.is_nothing(), "{shown}: {refusal:?}"),
    }
});
