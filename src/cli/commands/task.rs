//! `connect-cache task`

use std::time::Duration;

use connect_cache::{InvalidTaskId, Progress, Task, TaskId};
use serde_json::Value;

use crate::cli::commands::report;
use crate::cli::exit_status::{ExitStatus, Result};
use crate::cli::options;
use crate::cli::output::in_words;
use crate::cli::session::Session;

pub(crate) fn run(options: &options::Task, session: &Session) -> Result<ExitStatus> {
    let invalid = |invalid: InvalidTaskId| session.misused(&invalid.to_string());
    let id: TaskId = options.id.parse().map_err(invalid)?;
    let mut lines = Vec::new();
    let mut on_line = |line: &str| {
        let line = session.client.mask(line);
        if options.json { lines.push(line) } else { session.output.line(&line) }
    };
    let task = if options.wait {
        if session.output.interactive() {
            session.note(&format!("following task {id}; Ctrl-C stops following, not the task"));
        }
        session.client.follow(&id, |progress| match progress {
            Progress::Line(line) => on_line(line),
            Progress::Lines => session.output.flush(),
            Progress::Waiting => session.output.live(&format!("following task {id}")),
            Progress::Retrying { error, delay, .. } => {
                session.note(&format!("task {id}: {error}; retrying in {}", in_words(delay)));
            }
            _ => {}
        })
    } else {
        let task = session.client.task(&id, 0, Duration::ZERO);
        task.iter().flat_map(|task| &task.output).for_each(|line| on_line(line));
        task
    };
    let mut task = task.map_err(|error| session.fail(&error))?;
    task.error = session.client.mask(&task.error);
    let status = conclude(&task, session);
    if options.json {
        task.output = lines;
        mask(&mut task.result, session);
        session.output.json(&task);
    }
    Ok(status)
}

/// Prints the state of the task, and returns the exit status. The cache that the task deletes is not known here, so an
/// error of the task is a failure, whatever its code.
fn conclude(task: &Task, session: &Session) -> ExitStatus {
    let Task { id, finished, code, error, .. } = task;
    if task.succeeded() {
        session.note(&format!("task {id} succeeded"));
        ExitStatus::Success
    } else if *finished {
        let words = if error.is_empty() { "no reason given" } else { error };
        session.error(&format!("task {id} failed: {words} (code {code}); see the server log"));
        ExitStatus::Failed
    } else {
        let command = report::resume_command(id, session);
        session.note(&format!("task {id} is still running; follow it with: {command}"));
        ExitStatus::StillRunning
    }
}

/// Masks the secrets in a task's result, which may have any shape.
fn mask(value: &mut Value, session: &Session) {
    match value {
        Value::String(text) => *text = session.client.mask(text),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, session)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| mask(value, session));
            let shows_key = |name: &&String| session.client.mask_key(name) != **name;
            while let Some(name) = members.keys().find(shows_key).cloned() {
                let value = members.remove(&name).unwrap_or_default();
                members.insert(session.client.mask_key(&name), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
