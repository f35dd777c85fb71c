//! The commands, a file each, and what several of them share.

pub(crate) mod check;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod purge;
pub(crate) mod task;

use serde::Serialize;

use crate::cli::Session;
use crate::cli::report::{Reporter, explained};
use crate::select::{self, Selection};
use crate::{ExitStatus, Outcome, Progress, RuntimeCache, TaskId, escape};

/// The caches that the words select, in order; where that cannot be told, the exit status.
fn selected(
    selection: &Selection,
    orphaned: bool,
    session: &Session,
) -> Result<Vec<RuntimeCache>, ExitStatus> {
    let caches = session.client.runtime_caches().map_err(|error| session.fail(&error))?;
    let caches = selection.of(caches);
    if !orphaned {
        return Ok(caches);
    }
    let orphans = select::orphans(&session.client, caches).map_err(|error| session.fail(&error))?;
    for doubt in &orphans.doubts {
        session.out().note(doubt);
    }
    Ok(orphans.caches)
}

/// Caches in columns, for people.
fn table(caches: &[RuntimeCache]) -> String {
    let rows: Vec<[_; 3]> = (caches.iter())
        .map(|cache| [&cache.language, &cache.version, &cache.image_name].map(|word| escape(word)))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), 0];
    let mut text = String::new();
    for row in &rows {
        for (word, width) in row.iter().zip(widths) {
            text.push_str(word);
            if width > 0 {
                text.extend(std::iter::repeat_n(' ', width - word.chars().count() + 2));
            }
        }
        text.push('\n');
    }
    text
}

/// What became of one cache, as JSON output tells it.
#[derive(Serialize)]
struct Record<'a> {
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
    fn new(cache: &'a RuntimeCache, outcome: &'a Outcome, output: &'a [String]) -> Self {
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

/// The command that takes a task up again.
fn take_up(id: &TaskId) -> String {
    // An id may begin with a dash, as options do.
    match id.as_str().starts_with('-') {
        true => format!("connect-cache task --wait -- {id}"),
        false => format!("connect-cache task {id} --wait"),
    }
}

/// Says how the deletion of `cache` ended, in one line.
fn conclude(cache: &RuntimeCache, outcome: &Outcome, session: &Session) {
    use crate::Status::*;

    let cause = outcome.cause.as_ref().map(|error| explained(error, session.server()));
    let cause = cause.or_else(|| outcome.error.clone()).unwrap_or_default();
    let task = outcome.task_id.as_ref().map(|id| id.as_str()).unwrap_or_default();
    let take_up = outcome.task_id.as_ref().map(take_up).unwrap_or_default();
    let mut out = session.out();
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
        NotStarted => out.error(&format!("the deletion of {cache} was not started")),
    }
}

/// Says what happens to the one cache, or to `cache` among several.
fn note_progress(cache: Option<&RuntimeCache>, progress: &Progress<'_>, out: &mut Reporter) {
    let what = match progress {
        Progress::Started(task) => format!("task {task} started"),
        Progress::InDoubt(error) => format!("{error}; it may have started all the same, so a dry run asks"),
        Progress::SentAgain => "the cache is still there; deleting it once more".to_owned(),
        Progress::Settling => "what became of the cache is not clear yet, so a dry run asks".to_owned(),
        Progress::Line(_) | Progress::Tick => return,
    };
    match cache {
        Some(cache) => out.note(&format!("{cache}: {what}")),
        None => out.note(&what),
    }
}
