//! `connect-cache purge`

use std::io::{self, BufRead, IsTerminal};

use connect_cache::{ExitStatus, Mode, Outcome, Progress, RuntimeCache, Status};

use crate::cli::commands::record::Record;
use crate::cli::commands::{messages, table};
use crate::cli::options;
use crate::cli::selection::Selection;
use crate::cli::session::Session;
use crate::cli::settings::count;

const MAX_RUNNING: u32 = 4;
/// The largest value of --max-running.
const MAX_MAX_RUNNING: u32 = 100;

pub(crate) fn run(options: &options::Purge, session: &Session) -> ExitStatus {
    let filtered = options.language.is_some()
        || options.version.is_some()
        || options.image_name.is_some()
        || options.orphaned;
    if options.all == filtered {
        return session.misused(match options.all {
            true => "--all goes with no other selection: it means every cache there is",
            false => "nothing is selected; pass --language, --version, --image-name or --orphaned, or --all for every cache",
        });
    }
    let max_running = match &options.max_running {
        Some(text) => match count("--max-running", text, 1, MAX_MAX_RUNNING) {
            Ok(number) => number,
            Err(problem) => return session.misused(&problem),
        },
        None => MAX_RUNNING,
    };
    let ask = !options.yes && !options.dry_run;
    if ask && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return session.misused(
            "there is no terminal to ask on, so nothing is deleted; pass --yes, or look with --dry-run",
        );
    }

    let selection = Selection {
        language: options.language.clone(),
        version: options.version.clone(),
        image_name: options.image_name.clone(),
    };
    let caches = match super::selected(&selection, options.orphaned, session) {
        Ok(caches) => caches,
        Err(status) => return status,
    };
    if caches.is_empty() {
        return ExitStatus::Success;
    }
    if ask && !confirmed(&caches, session) {
        session.output.error("not confirmed: nothing is deleted");
        return ExitStatus::Usage;
    }

    let mode = if options.dry_run { Mode::DryRun } else { Mode::Wait };
    let mut purge = Purge::new(caches.len(), options.json, session);
    let outcomes = session.client.delete_all(&caches, mode, max_running as usize, |cache, progress| {
        purge.report(cache, &progress);
    });
    session.output.note(&summary(&outcomes));
    exit_status(&outcomes)
}

/// Shows the selected caches and asks; only `y` and `yes` confirm.
fn confirmed(caches: &[RuntimeCache], session: &Session) -> bool {
    let number = caches.len();
    let these =
        if number == 1 { "this runtime cache".to_owned() } else { format!("these {number} runtime caches") };
    session.output.ask(&format!("{}Delete {these} on {}? [y/N] ", table(caches), session.server()));
    let mut answer = String::new();
    // A read error or the end of input counts as "no".
    let _ = io::stdin().lock().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // The input ended without a line: what follows goes on a line of its own.
        session.output.ask("\n");
    }
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Shows how a purge proceeds.
struct Purge<'a> {
    session: &'a Session,
    json: bool,
    selected: usize,
    ended: usize,
    failed: usize,
    /// The caches being deleted, with the lines of their tasks, which only JSON records need.
    running: Vec<(RuntimeCache, Vec<String>)>,
}

impl<'a> Purge<'a> {
    fn new(selected: usize, json: bool, session: &'a Session) -> Self {
        Self { session, json, selected, ended: 0, failed: 0, running: Vec::new() }
    }

    fn report(&mut self, cache: &RuntimeCache, progress: &Progress<'_>) {
        let output = &self.session.output;
        match progress {
            Progress::Ended(outcome) => self.ended(cache, outcome),
            Progress::Line(line) if self.json => self.lines(cache).push((*line).to_owned()),
            Progress::Line(line) => output.line(&format!("{cache}: {line}")),
            Progress::Waiting => output.live(&self.so_far()),
            other => {
                self.lines(cache);
                messages::progress(Some(cache), other, output);
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

    fn ended(&mut self, cache: &RuntimeCache, outcome: &Outcome) {
        let at = self.running.iter().position(|(known, _)| known == cache);
        let lines = at.map(|at| self.running.swap_remove(at).1).unwrap_or_default();
        self.ended += 1;
        self.failed += usize::from(is_failure(outcome));
        // The summary counts the caches whose turn did not come: a line for each would bury the rest.
        if outcome.status != Status::NotStarted || outcome.cause.is_some() {
            messages::outcome(cache, outcome, self.session);
        }
        if self.json {
            self.session.output.json(&Record::new(cache, outcome, &lines));
        }
    }

    fn so_far(&self) -> String {
        let Self { ended, selected, failed, running, .. } = self;
        format!("{ended} of {selected} done, {} running, {failed} failed", running.len())
    }
}

/// Reports whether a deletion failed, as the live line counts it.
fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::Failed | Status::Refused | Status::Unknown) || outcome.cause.is_some()
}

fn summary(outcomes: &[Outcome]) -> String {
    let counts = [
        (Status::Deleted, "deleted"),
        (Status::WouldDelete, "would be deleted"),
        (Status::Absent, "gone already"),
        (Status::Failed, "failed"),
        (Status::Refused, "refused"),
        (Status::Unknown, "unknown"),
        (Status::Running, "still running"),
        (Status::NotStarted, "not started"),
    ];
    let mut parts = Vec::new();
    for (status, words) in counts {
        match outcomes.iter().filter(|outcome| outcome.status == status).count() {
            0 => {}
            count => parts.push(format!("{count} {words}")),
        }
    }
    parts.join(", ")
}

fn exit_status(outcomes: &[Outcome]) -> ExitStatus {
    let any = |status| outcomes.iter().any(|outcome| outcome.status == status);
    if outcomes.iter().any(Outcome::is_denied) {
        ExitStatus::Denied
    } else if any(Status::Failed) || any(Status::Refused) {
        ExitStatus::Failed
    } else if outcomes.iter().any(|outcome| outcome.exit_status() == ExitStatus::NoAnswer) {
        ExitStatus::NoAnswer
    } else if any(Status::Running) || any(Status::NotStarted) {
        ExitStatus::StillRunning
    } else {
        ExitStatus::Success
    }
}
