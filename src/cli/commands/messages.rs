//! The messages about a deletion: its progress and its outcome, as sentences.

use connect_cache::{Outcome, Progress, RuntimeCache, Status, TaskId};

use crate::cli::output::{Output, in_words};
use crate::cli::session::Session;
use crate::cli::values::glob_of_short_version;

/// Returns the command that resumes a task.
pub(crate) fn resume_command(id: &TaskId, session: &Session) -> String {
    // An ID may begin with a dash, as options do.
    match id.as_str().starts_with('-') {
        true => format!("{} -- {id}", session.command("task --wait")),
        false => session.command(&format!("task {id} --wait")),
    }
}

/// Prints how the deletion of `cache` ended, on one line.
pub(crate) fn outcome(cache: &RuntimeCache, outcome: &Outcome, session: &Session) {
    let output = &session.output;
    let gone = outcome.still_there == Some(false);
    match outcome.status {
        Status::Deleted if gone => {
            output.note(&format!("deleted {cache}: a reply was lost, but the cache is gone"));
        }
        Status::Deleted => output.note(&format!("deleted {cache} in {}", in_words(outcome.elapsed))),
        Status::WouldDelete => {
            output.note(&format!("would delete {cache}: dry run, nothing was deleted"));
        }
        Status::Started => {
            let command = outcome.task_id.as_ref().map(|id| resume_command(id, session));
            output.note(&format!("follow it with: {}", command.unwrap_or_default()));
        }
        Status::Absent if gone => {
            output.note(&format!("{cache} is gone; this run may or may not have deleted it"));
        }
        Status::Absent => output.note(&format!("{cache} does not exist")),
        _ => output.error(&failure(cache, outcome, session)),
    }
}

/// Returns the error of a deletion that did not succeed: what happened, why, and the next step.
fn failure(cache: &RuntimeCache, outcome: &Outcome, session: &Session) -> String {
    let cause = outcome.cause.as_ref().map(|error| session.explained(error));
    let resume = outcome.task_id.as_ref().map(|id| format!("; resume with: {}", resume_command(id, session)));
    match outcome.status {
        Status::Failed => {
            let words = outcome.error.as_deref().filter(|words| !words.is_empty());
            let words = words.unwrap_or("no reason given");
            let task = outcome.task_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
            let code = outcome.code.unwrap_or_default();
            let doubt = match outcome.in_doubt {
                true => "; an earlier deletion, whose reply was lost, may still be running",
                false => "",
            };
            format!(
                "deletion of {cache} failed: {words} (task {task}, code {code}); see the server log{doubt}"
            )
        }
        Status::Running => {
            format!("timed out: deletion of {cache} is still running{}", resume.unwrap_or_default())
        }
        // Only a dry run has such an outcome, so no task is running.
        Status::Unknown if !outcome.in_doubt && outcome.task_id.is_none() => match cause {
            Some(cause) => format!("cannot tell whether {cache} exists: {cause}"),
            None => format!(
                "cannot tell whether {cache} exists: a dry run proves nothing on this server, and its list may \
                 spell the image differently; see '{}'",
                session.command("list")
            ),
        },
        Status::Unknown => {
            let there = if outcome.still_there == Some(true) { ", which still exists" } else { "" };
            let cause = cause.or_else(|| outcome.error.clone()).unwrap_or_default();
            let next = resume.unwrap_or_else(|| {
                format!("; a task may still be deleting it; see '{}'", session.command("list"))
            });
            format!("outcome unknown for {cache}{there}: {cause}{next}")
        }
        Status::NotFound => match glob_of_short_version(&cache.version) {
            Some(glob) => format!(
                "no runtime cache {cache}: versions have three parts; delete all of {} with: {}",
                cache.version,
                session.command(&format!("purge -l {} -V '{glob}'", cache.language))
            ),
            None => format!("no runtime cache {cache}; see '{}'", session.command("list")),
        },
        _ => match cause {
            Some(cause) => format!("{cache}: {cause}"),
            None => format!("deletion of {cache} was not started"),
        },
    }
}

/// Returns the note on an interrupt for a person who waits for a task.
pub(crate) fn interrupt(id: &TaskId, session: &Session) -> String {
    format!("Ctrl-C stops following, not the task; resume with: {}", resume_command(id, session))
}

/// Prints what happens to the only cache, or to `cache` among several.
pub(crate) fn progress(cache: Option<&RuntimeCache>, progress: &Progress<'_>, output: &Output) {
    let what = match progress {
        Progress::Started(task) => format!("task {task} started"),
        Progress::InDoubt(error) => {
            format!("{error}; the deletion may have started; checking whether the cache is still there")
        }
        Progress::SentAgain => "the cache is still there; deleting it again".to_owned(),
        Progress::Resolving => "checking whether the cache is still there".to_owned(),
        _ => return,
    };
    match cache {
        Some(cache) => output.note(&format!("{cache}: {what}")),
        None => output.note(&what),
    }
}
