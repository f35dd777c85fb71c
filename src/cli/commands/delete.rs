//! `connect-cache delete`

use connect_cache::{Mode, Outcome, Progress, RuntimeCache};

use crate::cli::commands::record::Record;
use crate::cli::commands::report;
use crate::cli::exit_status::ExitStatus;
use crate::cli::options::Delete;
use crate::cli::session::Session;

pub(crate) fn run(delete: &Delete, session: &Session) -> ExitStatus {
    let cache = RuntimeCache::new(&delete.language, &delete.version, &delete.image_name);
    let mode = if delete.dry_run {
        Mode::DryRun
    } else if delete.no_wait {
        Mode::NoWait
    } else {
        Mode::Wait
    };

    let doing = if delete.dry_run { "checking" } else { "deleting" };
    session.note(&format!("{doing} {cache} on {}", session.server()));
    let mut lines = Vec::new();
    let mut deletion = session.client.delete(&cache, mode, |progress| match progress {
        Progress::Line(line) if delete.json => lines.push(line.to_owned()),
        Progress::Line(line) => session.output.line(line),
        Progress::Lines => session.output.flush(),
        Progress::Waiting => session.output.live(doing),
        Progress::Started(task) if mode == Mode::Wait && session.output.interactive() => {
            session.note(&format!("{cache}: task {task} started; {}", report::interrupt(task, session)));
        }
        other => report::progress(&cache, &other, session),
    });
    if delete.ignore_not_found {
        deletion.outcome = deletion.outcome.ignoring_missing();
    }

    report::outcome(&deletion, session);
    if delete.json {
        session.output.json(&Record::new(&deletion, lines, session));
    } else if let Outcome::Started(task) = &deletion.outcome {
        session.output.line(task.as_str());
    }
    ExitStatus::from(&deletion.outcome)
}
