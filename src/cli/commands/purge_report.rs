//! What `purge` prints: the progress and the outcome of each deletion, and the summary.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IsTerminal};

use connect_cache::{Deletion, Obstacle, Outcome, Progress, RuntimeCache, Status};

use crate::cli::commands::record::Record;
use crate::cli::commands::report;
use crate::cli::commands::table::table;
use crate::cli::exit_status::ExitStatus;
use crate::cli::options::Purge;
use crate::cli::session::Session;

/// Prints the progress of a purge.
pub(crate) struct PurgeReport<'a> {
    session: &'a Session,
    json: bool,
    selected: usize,
    ended: usize,
    failed: usize,
    /// Whether the lines of a task are kept until it ends: for its record, or to show them on a terminal if it fails.
    keeps_lines: bool,
    /// The caches being deleted, with the lines that are kept.
    running: HashMap<RuntimeCache, Vec<String>>,
}

impl<'a> PurgeReport<'a> {
    pub(crate) fn new(options: &Purge, selected: usize, session: &'a Session) -> Self {
        let keeps_lines = options.json || session.output.brief() && io::stdout().is_terminal();
        let running = HashMap::new();
        Self { session, json: options.json, selected, ended: 0, failed: 0, keeps_lines, running }
    }

    pub(crate) fn progress(&mut self, cache: &RuntimeCache, progress: &Progress<'_>) {
        match progress {
            Progress::Ended(deletion) => self.ended(deletion),
            Progress::Line(line) if self.keeps_lines => self.lines(cache).push((*line).to_owned()),
            Progress::Line(line) => self.session.line(&format!("{cache}: {line}")),
            Progress::Lines => self.session.output.flush(),
            Progress::Waiting => {
                let Self { ended, selected, failed, running, .. } = &self;
                let running = running.len();
                let so_far = format!("{ended} of {selected} done, {running} running, {failed} failed");
                self.session.output.live(&so_far);
            }
            other => {
                self.lines(cache);
                report::progress(cache, other, self.session);
            }
        }
    }

    /// Returns the lines of a cache that is being deleted.
    fn lines(&mut self, cache: &RuntimeCache) -> &mut Vec<String> {
        self.running.entry(cache.clone()).or_default()
    }

    fn ended(&mut self, deletion: &Deletion) {
        let Deletion { cache, outcome, .. } = deletion;
        let lines = self.running.remove(cache).unwrap_or_default();
        self.ended += 1;
        if is_failure(outcome) {
            self.failed += 1;
            if !self.json {
                lines.iter().for_each(|line| self.session.line(&format!("{cache}: {line}")));
            }
        }
        // Those that a dry run would delete are printed as a list.
        if !was_skipped(outcome) && outcome.status() != Status::WouldDelete {
            report::outcome(deletion, self.session);
        }
        if self.json {
            self.session.output.json(&Record::new(deletion, lines, self.session));
        }
    }

    /// Ends the report with the caches that a dry run would delete, as `list` prints them, on a terminal with the
    /// failures once more, since the errors may have scrolled away, and with the summary. Returns the exit status.
    pub(crate) fn finish(self, deletions: &[Deletion]) -> ExitStatus {
        if !self.json {
            let would_delete = deletions.iter().filter(|it| it.outcome.status() == Status::WouldDelete);
            let mut caches: Vec<RuntimeCache> = would_delete.map(|deletion| deletion.cache.clone()).collect();
            caches.sort_unstable();
            table(&caches, None, &io::stdout()).iter().for_each(|row| self.session.line(row));
        }
        if self.session.output.brief() && self.selected > 1 {
            for Deletion { cache, task, outcome, .. } in deletions.iter().filter(|it| is_failure(&it.outcome))
            {
                let task = task.as_ref().map(|id| format!(" (task {id})")).unwrap_or_default();
                self.session.note(&format!("{}: {cache}{task}", outcome.status()));
            }
        }
        let status = exit_status(deletions);
        // The summary of a failure is no note, which --quiet would silence.
        let print = if status == ExitStatus::Success { Session::note } else { Session::say };
        print(self.session, &summary(deletions));
        status
    }
}

/// Reports whether a deletion failed, as the live line counts it.
fn is_failure(outcome: &Outcome) -> bool {
    !matches!(ExitStatus::from(outcome), ExitStatus::Success | ExitStatus::StillRunning)
}

/// Reports whether the run did not get to the cache. The summary counts those, since a line for each would hide the
/// other lines.
fn was_skipped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotStarted(Obstacle::TimedOut | Obstacle::AccessRefused))
}

/// Returns the number of caches by what happened to them.
fn summary(deletions: &[Deletion]) -> String {
    let mut numbers = BTreeMap::new();
    for deletion in deletions {
        *numbers.entry(deletion.outcome.status()).or_insert(0) += 1;
    }
    let parts: Vec<String> = (numbers.iter())
        .map(|(status, number)| match status {
            Status::WouldDelete => format!("{number} would be deleted"),
            Status::Absent => format!("{number} gone"),
            Status::NotFound => format!("{number} not found"),
            Status::Running => format!("{number} still running"),
            Status::NotStarted => format!("{number} not started"),
            other => format!("{number} {other}"),
        })
        .collect();
    let skipped = deletions.iter().find(|deletion| was_skipped(&deletion.outcome));
    let reason = skipped.and_then(|deletion| deletion.outcome.error());
    format!("{}{}", parts.join(", "), reason.map(|reason| format!(": {reason}")).unwrap_or_default())
}

/// Returns the exit status of a purge: the worst of its deletions.
fn exit_status(deletions: &[Deletion]) -> ExitStatus {
    use ExitStatus::{Denied, Failed, NoAnswer, NotFound, StillRunning, Success};
    let statuses = deletions.iter().map(|Deletion { outcome, .. }| match outcome.status() {
        _ if outcome.is_denied() => Denied,
        Status::Refused => Failed,
        _ => ExitStatus::from(outcome),
    });
    let statuses: Vec<ExitStatus> = statuses.collect();
    let from_the_worst = [Denied, Failed, NoAnswer, StillRunning, NotFound];
    from_the_worst.into_iter().find(|status| statuses.contains(status)).unwrap_or(Success)
}
