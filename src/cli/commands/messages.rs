//! What is told about a deletion: its progress and its outcome, as sentences.

use connect_cache::{Outcome, Progress, RuntimeCache, Status, TaskId};

use crate::cli::advice::explained;
use crate::cli::output::Output;
use crate::cli::session::Session;

/// Returns the command that resumes a task.
pub(crate) fn resume_command(id: &TaskId) -> String {
    // An ID may begin with a dash, as options do.
    match id.as_str().starts_with('-') {
        true => format!("connect-cache task --wait -- {id}"),
        false => format!("connect-cache task {id} --wait"),
    }
}

/// Prints how the deletion of `cache` ended, on one line.
pub(crate) fn outcome(cache: &RuntimeCache, outcome: &Outcome, session: &Session) {
    use Status::*;

    let cause = outcome.cause.as_ref().map(|error| explained(error, session.server()));
    let cause = cause.or_else(|| outcome.error.clone()).unwrap_or_default();
    let task = outcome.task_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
    let take_up = outcome.task_id.as_ref().map(resume_command).unwrap_or_default();
    let out = &session.output;
    match outcome.status {
        Deleted if outcome.still_there == Some(false) => {
            out.note(&format!("deleted {cache}: an answer was lost, but the cache is gone"));
        }
        Deleted => {
            let elapsed = out.elapsed();
            out.note(&format!("deleted {cache}, after {elapsed}"));
        }
        WouldDelete => out.note(&format!("would delete {cache}: this was a dry run, nothing is deleted")),
        Started => out.note(&format!("follow it with: {take_up}")),
        Absent if outcome.still_there == Some(false) => {
            out.note(&format!(
                "{cache} is not there; whether this run deleted it is not known: the answer was lost"
            ));
        }
        Absent => out.note(&format!("{cache} is not there")),
        Failed => {
            let code = outcome.code.unwrap_or_default();
            let words = if cause.is_empty() { "the server gives no reason" } else { &cause };
            out.error(&format!(
                "the deletion of {cache} failed: {words} (task {task}, code {code}); see the server's log"
            ));
        }
        Unknown if outcome.in_doubt || outcome.task_id.is_some() => {
            let there = if outcome.still_there == Some(true) { ", and it is still there" } else { "" };
            let next = match take_up.as_str() {
                "" => "a task may be at work on it: look again with connect-cache list".to_owned(),
                command => format!("take it up with: {command}"),
            };
            out.error(&format!("what became of {cache} is not known{there}: {cause}; {next}"));
        }
        NotFound | Refused | Unknown => out.error(&format!("{cache}: {cause}")),
        Running => out.error(&format!(
            "stopped following the deletion of {cache}, which goes on; take it up with: {take_up}"
        )),
        _ => out.error(&format!("the deletion of {cache} was not started")),
    }
}

/// Prints what happens to the only cache, or to `cache` among several.
pub(crate) fn progress(cache: Option<&RuntimeCache>, progress: &Progress<'_>, output: &Output) {
    let what = match progress {
        Progress::Started(task) => format!("task {task} started"),
        Progress::InDoubt(error) => format!("{error}; it may have started all the same, so a dry run asks"),
        Progress::SentAgain => "the cache is still there; deleting it once more".to_owned(),
        Progress::Resolving => "what became of the cache is not clear yet, so a dry run asks".to_owned(),
        _ => return,
    };
    match cache {
        Some(cache) => output.note(&format!("{cache}: {what}")),
        None => output.note(&what),
    }
}
