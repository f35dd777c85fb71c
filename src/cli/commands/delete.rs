//! `connect-cache delete`

use connect_cache::{ExitStatus, Mode, Progress, RuntimeCache, Status};

use crate::cli::commands::messages;
use crate::cli::commands::record::record;
use crate::cli::options::Delete;
use crate::cli::session::Session;

pub(crate) fn run(delete: &Delete, session: &Session) -> ExitStatus {
    let image_name = delete.image_name.as_ref().map_or("Local".to_owned(), ToString::to_string);
    let cache = RuntimeCache::new(delete.language.to_string(), delete.version.to_string(), image_name);
    let mode = match (delete.dry_run, delete.no_wait) {
        (true, _) => Mode::DryRun,
        (false, true) => Mode::NoWait,
        (false, false) => Mode::Wait,
    };

    let doing = if delete.dry_run { "checking" } else { "deleting" };
    session.output.note(&format!("{doing} {cache} on {}", session.server()));
    let mut lines = Vec::new();
    let mut outcome = session.client.delete(&cache, mode, |progress| match progress {
        Progress::Line(line) if delete.json => lines.push(line.to_owned()),
        Progress::Line(line) => session.output.line(line),
        Progress::Waiting => session.output.live(doing),
        Progress::Started(task) if mode == Mode::Wait && session.output.interactive() => {
            let interrupt = messages::interrupt(task, session);
            session.output.note(&format!("task {task} started; {interrupt}"));
        }
        other => messages::progress(None, &other, &session.output),
    });
    if outcome.status == Status::NotFound && delete.ignore_not_found {
        outcome.status = Status::Absent;
    }

    messages::outcome(&cache, &outcome, session);
    if delete.json {
        session.output.json(&record(&cache, &outcome, lines));
    } else if let (Status::Started, Some(task)) = (outcome.status, &outcome.task_id) {
        session.output.line(task.as_str());
    }
    outcome.exit_status()
}
