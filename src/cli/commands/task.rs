//! `connect-cache task`

use std::time::Duration;

use connect_cache::{ExitStatus, Progress, Task, TaskId};

use crate::cli::commands::messages;
use crate::cli::options;
use crate::cli::session::Session;

pub(crate) fn run(options: &options::Task, session: &Session) -> ExitStatus {
    let id: TaskId = match options.id.parse() {
        Ok(id) => id,
        Err(problem) => return session.misused(&problem.to_string()),
    };
    if options.wait && session.output.interactive() {
        session.output.note(&format!("following task {id}; Ctrl-C stops following, not the task"));
    }
    let mut lines = Vec::new();
    let mut on_line = |line: &str| match options.json {
        true => lines.push(line.to_owned()),
        false => session.output.line(line),
    };
    let task = match options.wait {
        true => session.client.follow(&id, |progress| match progress {
            Progress::Line(line) => on_line(line),
            Progress::Waiting => session.output.live(&format!("following task {id}")),
            _ => {}
        }),
        false => session.client.task(&id, 0, Duration::ZERO, on_line),
    };
    let task = match task {
        Ok(task) => task,
        Err(error) => return session.fail(&error),
    };
    let status = conclude(&task, session);
    if options.json {
        session.output.json(&task.into_json(lines));
    }
    status
}

/// Prints the state of the task, and returns the exit status. The cache that the task deletes is not known here, so an
/// error of the task is a failure, whatever its code.
fn conclude(Task { id, finished, code, error, .. }: &Task, session: &Session) -> ExitStatus {
    let output = &session.output;
    if !finished {
        output.note(&format!(
            "task {id} is still running; follow it with: {}",
            messages::resume_command(id, session)
        ));
        ExitStatus::StillRunning
    } else if *code == 0 && error.is_empty() {
        output.note(&format!("task {id} succeeded"));
        ExitStatus::Success
    } else {
        let words = if error.is_empty() { "no reason given" } else { error };
        output.error(&format!("task {id} failed: {words} (code {code}); see the server log"));
        ExitStatus::Failed
    }
}
