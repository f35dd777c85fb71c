//! Connect's endpoints, and the replies of a server without faults.

use serde_json::{Value, json};

use crate::Request;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Caches,
    Delete,
    DryRun,
    Task,
    Settings,
    User,
    Installations,
    Content,
    Other,
}

impl Endpoint {
    /// Returns the endpoint of a request.
    pub fn of(request: &Request) -> Self {
        let (_, path) = request.target.split_once("/__api__/").unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        match (request.method.as_str(), path) {
            ("GET", "v1/system/caches/runtime") => Self::Caches,
            ("DELETE", "v1/system/caches/runtime") if request.json()["dry_run"] == true => Self::DryRun,
            ("DELETE", "v1/system/caches/runtime") => Self::Delete,
            ("GET", "server_settings") => Self::Settings,
            ("GET", "v1/user") => Self::User,
            ("GET", "v1/server_settings/r" | "v1/server_settings/python") => Self::Installations,
            ("GET", "v1/content") => Self::Content,
            ("GET", path) if path.starts_with("v1/tasks/") => Self::Task,
            _ => Self::Other,
        }
    }
}

/// Returns the reply of a server that has one cache, and on which each deletion succeeds.
pub fn honest_reply(request: &Request) -> Value {
    let cache = json!({"language": "R", "version": "4.3.0", "image_name": "Local"});
    match Endpoint::of(request) {
        Endpoint::Caches => json!({"caches": [cache]}),
        Endpoint::Delete | Endpoint::DryRun => {
            let mut reply = request.json();
            let is_dry_run = reply["dry_run"] == true;
            reply["task_id"] = if is_dry_run { Value::Null } else { json!("task-1") };
            reply
        }
        Endpoint::Task => json!({"id": "task-1", "output": ["Deleted."], "result": null, "finished": true,
            "code": 0, "error": "", "last": 1}),
        Endpoint::Settings => json!({"version": "2026.09.0", "execution_type": "native"}),
        Endpoint::User => json!({"username": "admin", "user_role": "administrator"}),
        Endpoint::Installations => {
            json!({"installations": [{"version": "4.3.0", "cluster_name": "Local", "image_name": "Local"}]})
        }
        Endpoint::Content => json!([{"r_version": "4.3.0", "py_version": null}]),
        Endpoint::Other => Value::Null,
    }
}
