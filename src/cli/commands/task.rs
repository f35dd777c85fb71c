//! `connect-cache task`

use crate::cli::Session;
use crate::cli::options;
use crate::follow::follow_reporting;
use crate::{ExitStatus, Progress, Task, TaskId};

pub(crate) fn run(options: &options::Task, session: &Session) -> ExitStatus {
    let id: TaskId = match options.id.parse() {
        Ok(id) => id,
        Err(problem) => return session.misused(&problem.to_string()),
    };
    let mut output = Vec::new();
    let mut take = |line: &str| match options.json {
        true => output.push(line.to_owned()),
        false => session.out().line(line),
    };
    let task = match options.wait {
        true => follow_reporting(&session.client, &id, &mut |_, progress| match progress {
            Progress::Line(line) => take(line),
            Progress::Tick => session.out().live(&format!("following task {id}")),
            _ => {}
        }),
        false => {
            session.client.task(&id, 0, 0).inspect(|task| task.output.iter().for_each(|line| take(line)))
        }
    };
    let task = match task {
        Ok(task) => Task { output, ..task },
        Err(error) => return session.fail(&error),
    };
    if options.json {
        session.out().json(&task);
    }
    conclude(&task, session)
}

fn conclude(Task { id, finished, code, error, .. }: &Task, session: &Session) -> ExitStatus {
    let mut out = session.out();
    if !finished {
        out.note(&format!("task {id} still runs; follow it with: {}", super::take_up(id)));
        ExitStatus::StillRunning
    } else if *code == 0 {
        out.note(&format!("task {id} has ended well"));
        ExitStatus::Success
    } else {
        let words = if error.is_empty() { "the server gives no reason" } else { error };
        out.error(&format!("task {id} failed: {words} (code {code}); see the server's log"));
        ExitStatus::Failed
    }
}
