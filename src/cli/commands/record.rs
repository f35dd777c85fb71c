//! The JSON record of one cache's deletion, in `delete` and `purge`.

use connect_cache::{Outcome, RuntimeCache};
use serde::Serialize;

/// What happened to one cache.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    language: &'a str,
    version: &'a str,
    image_name: &'a str,
    task_id: Option<&'a str>,
    status: &'static str,
    code: Option<i64>,
    error: Option<&'a str>,
    output: &'a [String],
}

impl<'a> Record<'a> {
    pub(crate) fn new(cache: &'a RuntimeCache, outcome: &'a Outcome, output: &'a [String]) -> Self {
        Self {
            language: &cache.language,
            version: &cache.version,
            image_name: &cache.image_name,
            task_id: outcome.task_id.as_ref().map(|id| id.as_str()),
            status: outcome.status.as_str(),
            code: outcome.code,
            error: outcome.error.as_deref(),
            output,
        }
    }
}
