//! The JSON record of one cache's deletion, in `delete` and `purge`.

use connect_cache::{Json, Outcome, RuntimeCache};

/// Returns what happened to one cache, with the lines of its task.
pub(crate) fn record(cache: &RuntimeCache, outcome: &Outcome, lines: Vec<String>) -> Json {
    Json::object(vec![
        ("language", cache.language.as_str().into()),
        ("version", cache.version.as_str().into()),
        ("image_name", cache.image_name.as_str().into()),
        ("task_id", outcome.task_id.as_ref().map(|id| id.as_str()).into()),
        ("status", outcome.status.as_str().into()),
        ("code", outcome.code.into()),
        ("error", outcome.error.as_deref().into()),
        ("output", lines.into()),
    ])
}
