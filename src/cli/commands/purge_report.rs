//! What `purge` prints: the progress and the outcome of each deletion, and the summary.

use std::io::{self, IsTerminal};

use connect_cache::{Deletion, Obstacle, Outcome, Progress, RuntimeCache, Status};

use crate::cli::commands::record::Record;
use crate::cli::commands::{report, table};
use crate::cli::exit_status::ExitStatus;
use crate::cli::options::Purge;
use crate::cli::session::Session;

/// Prints the progress of a purge.
pub(crate) struct PurgeReport<'a> {
    session: &'a Session,
    json: bool,
    selected: usize,
    ended: usize,
    /// The failures, for the end of the output.
    failures: Vec<String>,
    /// The caches that a dry run would delete.
    would_delete: Vec<RuntimeCache>,
    /// Whether the lines of a task are kept until it ends: for its record, or to show them on a terminal if it fails.
    keeps_lines: bool,
    /// The caches being deleted, with the lines that are kept.
    running: Vec<(RuntimeCache, Vec<String>)>,
}

impl<'a> PurgeReport<'a> {
    pub(crate) fn new(options: &Purge, selected: usize, session: &'a Session) -> Self {
        Self {
            session,
            json: options.json,
            selected,
            ended: 0,
            failures: Vec::new(),
            would_delete: Vec::new(),
            keeps_lines: options.json || session.output.brief() && io::stdout().is_terminal(),
            running: Vec::new(),
        }
    }

    pub(crate) fn progress(&mut self, cache: &RuntimeCache, progress: &Progress<'_>) {
        match progress {
            Progress::Ended(deletion) => self.ended(deletion),
            Progress::Line(line) if self.keeps_lines => self.lines(cache).push((*line).to_owned()),
            Progress::Line(line) => self.session.line(&format!("{cache}: {line}")),
            Progress::Lines => self.session.output.flush(),
            Progress::Waiting => self.session.output.live(&self.so_far()),
            other => {
                self.lines(cache);
                report::progress(cache, other, self.session);
            }
        }
    }

    /// Returns the lines of a cache that is being deleted.
    fn lines(&mut self, cache: &RuntimeCache) -> &mut Vec<String> {
        let at = self.running.iter().position(|(known, _)| known == cache).unwrap_or_else(|| {
            self.running.push((cache.clone(), Vec::new()));
            self.running.len() - 1
        });
        &mut self.running[at].1
    }

    fn ended(&mut self, deletion: &Deletion) {
        let Deletion { cache, outcome, task, .. } = deletion;
        let at = self.running.iter().position(|(known, _)| known == cache);
        let lines = at.map(|at| self.running.swap_remove(at).1).unwrap_or_default();
        self.ended += 1;
        if is_failure(outcome) {
            let task = task.as_ref().map(|id| format!(" (task {id})")).unwrap_or_default();
            self.failures.push(format!("{}: {cache}{task}", outcome.status()));
            if !self.json {
                lines.iter().for_each(|line| self.session.line(&format!("{cache}: {line}")));
            }
        }
        // The summary counts the caches that the run did not get to, since a line for each would hide the other lines.
        let is_counted = matches!(outcome, Outcome::NotStarted(Obstacle::TimedOut | Obstacle::KeyRefused));
        if outcome.status() == Status::WouldDelete {
            self.would_delete.push(cache.clone());
        } else if !is_counted {
            report::outcome(deletion, self.session);
        }
        if self.json {
            self.session.output.json(&Record::new(deletion, lines, self.session));
        }
    }

    /// Ends the report: with the caches that a dry run would delete, as `list` prints them, and on a terminal with the
    /// failures once more, since the errors may have scrolled away.
    pub(crate) fn finish(&mut self) {
        if !self.json {
            self.would_delete.sort();
            self.session.output.print(&table::table(&self.would_delete, None, self.session));
        }
        if self.session.output.brief() && self.selected > 1 {
            self.failures.iter().for_each(|failure| self.session.note(failure));
        }
    }

    fn so_far(&self) -> String {
        let Self { ended, selected, failures, running, .. } = self;
        format!("{ended} of {selected} done, {} running, {} failed", running.len(), failures.len())
    }
}

/// Reports whether a deletion failed, as the live line counts it.
fn is_failure(outcome: &Outcome) -> bool {
    let failed = [Status::Failed, Status::Refused, Status::Unknown, Status::NotFound];
    failed.contains(&outcome.status()) || matches!(outcome, Outcome::NotStarted(Obstacle::Request(_)))
}

/// Returns the number of caches by what happened to them.
pub(crate) fn summary(deletions: &[Deletion]) -> String {
    let counts = [
        (Status::Deleted, "deleted"),
        (Status::WouldDelete, "would be deleted"),
        (Status::Absent, "already gone"),
        (Status::NotFound, "not found"),
        (Status::Failed, "failed"),
        (Status::Refused, "refused"),
        (Status::Unknown, "unknown"),
        (Status::Running, "still running"),
        (Status::NotStarted, "not started"),
    ];
    let mut parts = Vec::new();
    for (status, words) in counts {
        match deletions.iter().filter(|deletion| deletion.outcome.status() == status).count() {
            0 => {}
            count => parts.push(format!("{count} {words}")),
        }
    }
    let mut obstacles = deletions.iter().filter_map(|deletion| match &deletion.outcome {
        Outcome::NotStarted(Obstacle::TimedOut) => Some(": timed out"),
        Outcome::NotStarted(Obstacle::KeyRefused) => Some(": the key was refused"),
        _ => None,
    });
    format!("{}{}", parts.join(", "), obstacles.next().unwrap_or_default())
}

/// Returns the exit status of a purge.
pub(crate) fn exit_status(deletions: &[Deletion]) -> ExitStatus {
    let outcomes = || deletions.iter().map(|deletion| &deletion.outcome);
    let any = |wanted: &[Status]| outcomes().any(|outcome| wanted.contains(&outcome.status()));
    if outcomes().any(Outcome::is_denied) {
        ExitStatus::Denied
    } else if any(&[Status::Failed, Status::Refused]) {
        ExitStatus::Failed
    } else if outcomes().any(|outcome| ExitStatus::from(outcome) == ExitStatus::NoAnswer) {
        ExitStatus::NoAnswer
    } else if any(&[Status::Running, Status::NotStarted]) {
        ExitStatus::StillRunning
    } else if any(&[Status::NotFound]) {
        ExitStatus::NotFound
    } else {
        ExitStatus::Success
    }
}
