//! The requests to the endpoints.

use std::time::Duration;

use crate::api::runtime_cache::{DeletionRequest, RuntimeCache};
use crate::api::task::TaskId;
use crate::error::Attempt;

/// A request: a DELETE if it has a body, else a GET.
pub(crate) struct Request {
    pub(crate) attempt: Attempt,
    /// Relative to the API's base.
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    /// How long the server may hold its reply.
    pub(crate) hold: Duration,
    /// The expected reply, in words.
    pub(crate) expected: &'static str,
}

impl Request {
    pub(crate) fn new(attempt: Attempt) -> Self {
        let (path, expected) = match attempt {
            Attempt::ListRuntimeCaches => ("v1/system/caches/runtime", "a list of runtime caches"),
            Attempt::DeleteRuntimeCache => ("v1/system/caches/runtime", "the ID of the deletion task"),
            Attempt::CheckRuntimeCache => ("v1/system/caches/runtime", "a dry run's reply without a task"),
            Attempt::PollTask => ("v1/tasks/", "the task's state"),
            Attempt::GetUser => ("v1/user", "a user"),
            Attempt::GetServerSettings => ("server_settings", "the server's settings"),
            Attempt::ListRInstallations => ("v1/server_settings/r", "a list of installations"),
            Attempt::ListPythonInstallations => ("v1/server_settings/python", "a list of installations"),
            Attempt::ListContent => ("v1/content", "a list of content items"),
        };
        Self { attempt, path: path.to_owned(), body: None, hold: Duration::ZERO, expected }
    }

    /// Starts the deletion of a cache.
    pub(crate) fn delete(cache: &RuntimeCache) -> Self {
        Self::with_body(Attempt::DeleteRuntimeCache, &DeletionRequest { cache, dry_run: None })
    }

    /// Has the server check whether the deletion of a cache would start, which changes nothing.
    pub(crate) fn dry_run(cache: &RuntimeCache) -> Self {
        Self::with_body(Attempt::CheckRuntimeCache, &DeletionRequest { cache, dry_run: Some(true) })
    }

    fn with_body(attempt: Attempt, body: &DeletionRequest<'_>) -> Self {
        // Strings and a Boolean can always be written.
        Self { body: Some(serde_json::to_vec(body).unwrap_or_default()), ..Self::new(attempt) }
    }

    /// Asks for the output of a task from line `first` on. The server may hold its reply for `wait`, in whole seconds.
    pub(crate) fn poll(id: &TaskId, first: u64, wait: Duration) -> Self {
        let wait = wait.as_secs();
        let request = Self::new(Attempt::PollTask);
        let path = format!("{}{id}?first={first}&wait={wait}", request.path);
        Self { path, hold: Duration::from_secs(wait), ..request }
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::api::RuntimeCache;

    #[test]
    fn names_the_cache_in_the_body() {
        let cache = RuntimeCache::new("R", "4.3.0", "Local");
        let body = |request: Request| String::from_utf8(request.body.unwrap()).unwrap();
        let named = r#"{"language":"R","version":"4.3.0","image_name":"Local""#;
        assert_eq!(body(Request::delete(&cache)), format!("{named}}}"));
        assert_eq!(body(Request::dry_run(&cache)), format!(r#"{named},"dry_run":true}}"#));
    }
}
