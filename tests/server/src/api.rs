//! Connect's endpoints: which one a request is for, and its reply.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{self, Message, Reply};
use crate::refusal::{self, refuse};
use crate::state::Shared;
use crate::{Config, Earlier, Endpoint, LostLookup, Role, User};

const CACHES: &str = "v1/system/caches/runtime";
/// The longest time that a poll may be held, in seconds.
const LONGEST_WAIT: i64 = 20;

/// Returns the part of a path under the API's root, such as `v1/user`; `None` if it is elsewhere.
fn below_api<'a>(config: &Config, path: &'a str) -> Option<&'a str> {
    let path = path.strip_prefix(config.prefix.trim_end_matches('/'))?;
    path.strip_prefix("/__api__/").or((path == "/__api__").then_some(""))
}

/// Returns the endpoint that a request is for.
pub(crate) fn endpoint(config: &Config, message: &Message) -> Endpoint {
    let path = below_api(config, &message.path);
    match (message.method.as_str(), path.unwrap_or_default()) {
        ("GET", CACHES) => Endpoint::List,
        ("DELETE", CACHES) => match serde_json::from_slice::<Value>(&message.body) {
            Ok(body) if body["dry_run"] == true => Endpoint::DryRun,
            _ => Endpoint::Delete,
        },
        ("GET", "v1/user") => Endpoint::User,
        ("GET", "server_settings") => Endpoint::Settings,
        ("GET", "v1/server_settings/r") => Endpoint::InstallationsR,
        ("GET", "v1/server_settings/python") => Endpoint::InstallationsPython,
        ("GET", "v1/content") => Endpoint::Content,
        ("GET", path) if task_id(path).is_some() => Endpoint::Task,
        _ => Endpoint::Other,
    }
}

fn task_id(path: &str) -> Option<&str> {
    let id = path.strip_prefix("v1/tasks/")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// Credentials that Connect knows.
enum Credentials<'a> {
    Key(&'a str),
    Token(&'a str),
}

/// Returns the credentials of a request. `X-RSC-Authorization` replaces `Authorization` if both are sent.
fn credentials(message: &Message) -> Option<Credentials<'_>> {
    let header = message.header("x-rsc-authorization").or_else(|| message.header("authorization"))?;
    let key = header.strip_prefix("Key ").map(Credentials::Key);
    key.or_else(|| header.strip_prefix("Bearer ").map(Credentials::Token))
}

/// Returns the user that a request's credentials belong to.
pub(crate) fn user<'a>(config: &'a Config, message: &Message) -> Option<&'a User> {
    let credentials = credentials(message)?;
    config.users.iter().find(|user| match credentials {
        Credentials::Key(key) => user.key == key,
        Credentials::Token(token) => user.token.as_deref() == Some(token),
    })
}

/// A request to answer.
pub(crate) struct Call<'a> {
    pub shared: &'a Shared,
    pub endpoint: Endpoint,
    pub message: &'a Message,
    /// The node that answers.
    pub node: usize,
    /// Whether a deletion starts its task. If not, the reply names a task that does not exist.
    pub perform: bool,
    /// The moment that a list shows, instead of the present.
    pub stale: Option<Earlier>,
}

impl Call<'_> {
    /// Returns the reply of a Connect server.
    pub fn answer(&self) -> Reply {
        let config = &self.shared.config;
        if below_api(config, &self.message.path).is_none() {
            return Reply::page(404);
        }
        match self.endpoint {
            Endpoint::List => self.list(),
            Endpoint::Delete | Endpoint::DryRun => self.delete(),
            Endpoint::Task => self.task(),
            Endpoint::User => self.user(),
            Endpoint::Settings => Ok(self.settings()),
            Endpoint::InstallationsR => self.installations(&config.installations_r),
            Endpoint::InstallationsPython => self.installations(&config.installations_python),
            Endpoint::Content => self.content(),
            Endpoint::Other => Err(refuse(refusal::NO_SUCH_ENDPOINT)),
        }
        .unwrap_or_else(|refused| refused)
    }

    /// Returns the user of the request, or the refusal if the user lacks this role.
    pub fn caller(&self, role: Role) -> Result<&User, Reply> {
        match user(&self.shared.config, self.message) {
            None if credentials(self.message).is_none() => Err(refuse(refusal::NOT_AUTHENTICATED)),
            None => Err(refuse(refusal::WRONG_KEY)),
            Some(user) if user.locked => Err(refuse(refusal::LOCKED)),
            Some(user) if user.role < role => Err(refuse(refusal::NOT_ALLOWED)),
            Some(user) => Ok(user),
        }
    }

    fn task(&self) -> Result<Reply, Reply> {
        let caller = self.caller(Role::Viewer)?;
        let first = self.number("first")?;
        let wait = self.number("wait")?;
        if wait > LONGEST_WAIT {
            return Err(refuse(refusal::PARAMETER_INVALID));
        }
        let ignored = self.shared.config.polls.ignore_wait;
        let wait = Duration::from_secs(if ignored { 0 } else { wait.unsigned_abs() });
        let until = Instant::now() + wait;
        let path = below_api(&self.shared.config, &self.message.path).and_then(task_id);
        let id = path.unwrap_or_default();

        let mut state = self.shared.lock();
        let unknown = || {
            refuse(match self.shared.config.polls.lost_lookup {
                LostLookup::Code141 => refusal::TASK_UNKNOWN,
                LostLookup::Code4 => refusal::NO_SUCH_OBJECT,
            })
        };
        let task = state.task(self.node, id).ok_or_else(unknown)?;
        if task.starter != caller.username && caller.role < Role::Administrator {
            return Err(refuse(refusal::NOT_ALLOWED));
        }
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        if first > task.last() {
            return Err(refuse(refusal::PARAMETER_INVALID));
        }
        loop {
            // The node restarts while it holds the poll, so the gateway in front of it loses its backend.
            let task = state.task(self.node, id).ok_or_else(|| Reply::page(502))?;
            if task.finished || state.stopping || Instant::now() >= until {
                return Ok(Reply::json(200, &task.json(first)));
            }
            let until = until.min(task.ends);
            state = self.shared.wait(state, until);
        }
    }

    /// Returns a parameter that is a count; 0 if it is missing.
    fn number(&self, name: &str) -> Result<i64, Reply> {
        let text = http::param(&self.message.query, name).unwrap_or("0".into());
        let number = text.parse().ok().filter(|number| *number >= 0);
        number.ok_or_else(|| refuse(refusal::PARAMETER_INVALID))
    }

    fn user(&self) -> Result<Reply, Reply> {
        let user = self.caller(Role::Viewer)?;
        if user.service_principal {
            return Err(refuse(refusal::NOT_ALLOWED));
        }
        let mut users = self.shared.config.users.iter();
        let number = users.position(|other| other == user).unwrap_or_default();
        let body = json!({
            "guid": format!("c0ffee00-0000-4000-8000-{number:012}"),
            "username": user.username,
            "first_name": "",
            "last_name": "",
            "email": format!("{}@example.com", user.username),
            "user_role": user.role.as_str(),
            "created_time": "2023-05-01T12:00:00Z",
            "updated_time": "2023-05-01T12:00:00Z",
            "active_time": "2023-05-01T12:00:00Z",
            "confirmed": true,
            "locked": user.locked,
        });
        Ok(Reply::json(200, &body))
    }
}
