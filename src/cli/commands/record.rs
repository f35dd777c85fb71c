//! The JSON record of one cache's deletion, in `delete` and `purge`.

use connect_cache::{Deletion, RuntimeCache, Status, TaskId};
use serde::Serialize;

use crate::cli::session::Session;

/// What happened to one cache, with the lines of its task.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    #[serde(flatten)]
    cache: RuntimeCache,
    task_id: Option<&'a TaskId>,
    status: Status,
    code: Option<i64>,
    error: Option<String>,
    output: Vec<String>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(deletion: &'a Deletion, output: Vec<String>, session: &Session) -> Self {
        let Deletion { cache, task, outcome, .. } = deletion;
        Self {
            cache: session.shown(cache),
            task_id: task.as_ref(),
            status: outcome.status(),
            code: deletion.code(),
            error: outcome.error(),
            output,
        }
    }
}
