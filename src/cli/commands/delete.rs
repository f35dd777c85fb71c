//! `connect-cache delete`

use crate::cli::Session;
use crate::cli::commands::{Record, conclude};
use crate::cli::options::Delete;
use crate::deletion::{Deletion, Extent, delete_reporting};
use crate::{ExitStatus, Progress, RuntimeCache, Status};

pub(crate) fn run(delete: &Delete, session: &Session) -> ExitStatus {
    let cache = RuntimeCache {
        language: delete.language.clone(),
        version: delete.version.clone(),
        image_name: delete.image_name.clone().unwrap_or_else(|| "Local".to_owned()),
    };
    for (name, word) in
        [("language", &cache.language), ("version", &cache.version), ("image name", &cache.image_name)]
    {
        if word.is_empty() {
            return session.misused(&format!("the {name} is empty"));
        }
    }
    let extent = match (delete.dry_run, delete.no_wait) {
        (true, _) => Extent::DryRun,
        (false, true) => Extent::Start,
        (false, false) => Extent::Follow,
    };

    let doing = if delete.dry_run { "checking" } else { "deleting" };
    session.out().note(&format!("{doing} {cache} on {}", session.server()));
    let mut output = Vec::new();
    let deletion = Deletion::new(cache.clone(), extent);
    let mut outcome = delete_reporting(&session.client, deletion, &mut |_, progress| {
        let mut out = session.out();
        match progress {
            Progress::Line(line) if delete.json => output.push(line.to_owned()),
            Progress::Line(line) => out.line(line),
            Progress::Tick => out.live(doing),
            other => super::note_progress(None, &other, &mut out),
        }
    });
    if outcome.status == Status::NotFound && delete.ignore_not_found {
        outcome.status = Status::Absent;
    }

    conclude(&cache, &outcome, session);
    if delete.json {
        session.out().json(&Record::new(&cache, &outcome, &output));
    } else if let (Status::Started, Some(task)) = (outcome.status, &outcome.task_id) {
        session.out().line(task.as_str());
    }
    outcome.exit_status()
}
