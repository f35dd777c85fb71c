//! `connect-cache purge`

use std::io::{self, BufRead, IsTerminal};

use connect_cache::{ContentUsage, ExitStatus, Mode, Outcome, Progress, RuntimeCache, Status};

use crate::cli::commands::record::record;
use crate::cli::commands::{messages, table};
use crate::cli::selection::Selection;
use crate::cli::session::Session;
use crate::cli::{named, options};

const MAX_RUNNING: u32 = 4;

pub(crate) fn run(options: &options::Purge, session: &Session) -> ExitStatus {
    let max_running = options.max_running.map_or(MAX_RUNNING, |count| count.0);
    let ask = !options.yes && !options.dry_run;
    if let Some(problem) = misuse(options, ask) {
        return session.misused(problem);
    }
    let named = match options.from.as_deref().map(named::read).transpose() {
        Ok(named) => named,
        Err(problem) => return session.misused(&problem),
    };

    let selection = Selection {
        language: options.language.map(|language| language.to_string()),
        version: options.version.as_ref().map(ToString::to_string),
        image_name: options.image_name.as_ref().map(ToString::to_string),
        orphaned: options.orphaned,
        unused: options.unused,
    };
    let (listed, usage) = match super::selected(&selection, options.usage, session) {
        Ok(selected) => selected,
        Err(status) => return status,
    };
    let (caches, missing): (Vec<_>, Vec<_>) = match named {
        Some(named) => selection.of(named).into_iter().partition(|cache| listed.contains(cache)),
        None => (listed, Vec::new()),
    };
    if caches.is_empty() && missing.is_empty() {
        return ExitStatus::Success;
    }

    let mut purge = Purge::new(caches.len() + missing.len(), options.json, session);
    let status = if options.ignore_not_found { Status::Absent } else { Status::NotFound };
    let mut outcomes: Vec<Outcome> = missing.iter().map(|_| Outcome::new(status)).collect();
    for (cache, outcome) in missing.iter().zip(&outcomes) {
        purge.ended(cache, outcome);
    }
    if !caches.is_empty() {
        let impact = usage.as_ref().map(|usage| impact(&caches, usage));
        if ask {
            let mut table = table(&caches, usage.as_ref());
            if let Some(impact) = impact {
                table.push_str(&format!("{impact}\n"));
            }
            if !confirmed(&table, caches.len(), session) {
                session.output.error("not confirmed: nothing was deleted");
                return ExitStatus::Usage;
            }
        } else if let Some(impact) = impact {
            session.output.note(&impact);
        }
        if session.output.interactive() && !options.dry_run {
            let list = session.command("list");
            session.output.note(&format!("Ctrl-C stops following, not the tasks; then run: {list}"));
        }
        let mode = if options.dry_run { Mode::DryRun } else { Mode::Wait };
        outcomes.extend(session.client.delete_all(&caches, mode, max_running as usize, |cache, progress| {
            purge.report(cache, &progress);
        }));
    }
    purge.name_failures();
    session.output.note(&summary(&outcomes));
    exit_status(&outcomes)
}

/// Returns the error if the options cannot be combined. `ask` says whether a person has to confirm.
fn misuse(options: &options::Purge, ask: bool) -> Option<&'static str> {
    let filtered = options.language.is_some()
        || options.version.is_some()
        || options.image_name.is_some()
        || options.orphaned
        || options.unused;
    Some(match options.from.as_deref() {
        Some(_) if options.all || filtered || options.usage => {
            "--from cannot be combined with filters, --usage or --all"
        }
        None if options.ignore_not_found => "--ignore-not-found requires --from",
        None if options.all && filtered => "--all cannot be combined with filters",
        None if !options.all && !filtered => {
            "no filter specified; use -l, -V, -I, --orphaned, --unused, --from FILE or --all"
        }
        Some("-") if ask => {
            "cannot ask for confirmation: standard input names the caches; use --yes, or preview with --dry-run"
        }
        _ if ask && !(io::stdin().is_terminal() && io::stderr().is_terminal()) => {
            "cannot ask for confirmation: no terminal; use --yes, or preview with --dry-run"
        }
        _ => return None,
    })
}

/// Returns the effect that the deletion of these caches has on content.
fn impact(caches: &[RuntimeCache], usage: &ContentUsage) -> String {
    let number = caches.len();
    let plural = if number == 1 { "" } else { "s" };
    let use_of_them = match usage.of(caches) {
        None => ", whose use by content is unknown".to_owned(),
        Some(0) => ", used by no content item".to_owned(),
        Some(1) => ", used by 1 content item, which rebuilds its environment on the next visit".to_owned(),
        Some(items) => {
            format!(", used by {items} content items, which rebuild their environments on the next visit")
        }
    };
    format!("{number} runtime cache{plural}{use_of_them}")
}

/// Shows the table of the selected caches and prompts. Only `y` and `yes` confirm.
fn confirmed(table: &str, number: usize, session: &Session) -> bool {
    let these =
        if number == 1 { "this runtime cache".to_owned() } else { format!("these {number} runtime caches") };
    session.output.ask(&format!("{table}Delete {these} on {}? [y/N] ", session.server()));
    let mut answer = String::new();
    // A read error or the end of input counts as "no".
    let _ = io::stdin().lock().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // The input ended without a newline, so the next output would continue this line.
        session.output.ask("\n");
    }
    session.restart_clocks();
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Reports the progress of a purge.
struct Purge<'a> {
    session: &'a Session,
    json: bool,
    selected: usize,
    ended: usize,
    /// The failures, for the end of the output.
    failures: Vec<String>,
    /// Whether the lines of a task are kept until it ends: for its record, or to show them on a terminal if it fails.
    keeps_lines: bool,
    /// The caches being deleted, with the lines that are kept.
    running: Vec<(RuntimeCache, Vec<String>)>,
}

impl<'a> Purge<'a> {
    fn new(selected: usize, json: bool, session: &'a Session) -> Self {
        let keeps_lines = json || session.output.brief() && io::stdout().is_terminal();
        Self { session, json, selected, ended: 0, failures: Vec::new(), keeps_lines, running: Vec::new() }
    }

    fn report(&mut self, cache: &RuntimeCache, progress: &Progress<'_>) {
        let output = &self.session.output;
        match progress {
            Progress::Ended(outcome) => self.ended(cache, outcome),
            Progress::Line(line) if self.keeps_lines => self.lines(cache).push((*line).to_owned()),
            Progress::Line(line) => output.line(&format!("{cache}: {line}")),
            Progress::Waiting => output.live(&self.so_far()),
            other => {
                self.lines(cache);
                // A terminal gets one line for each cache, unless a reply is lost.
                let usual = matches!(other, Progress::Started(_) | Progress::Resolving);
                if !(usual && output.brief()) {
                    messages::progress(Some(cache), other, output);
                }
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
        let output = &self.session.output;
        self.ended += 1;
        if is_failure(outcome) {
            let task = outcome.task_id.as_ref().map(|id| format!(" (task {id})")).unwrap_or_default();
            self.failures.push(format!("{}: {cache}{task}", outcome.status.as_str()));
            if !self.json {
                lines.iter().for_each(|line| output.line(&format!("{cache}: {line}")));
            }
        }
        // The summary counts the caches that were not started, since a line for each would hide the other lines.
        if outcome.status != Status::NotStarted || outcome.cause.is_some() {
            messages::outcome(cache, outcome, self.session);
        }
        if self.json {
            output.json(&record(cache, outcome, lines));
        }
    }

    /// Repeats on a terminal which caches failed, since the errors may have scrolled away.
    fn name_failures(&self) {
        if self.session.output.brief() && self.selected > 1 {
            self.failures.iter().for_each(|failure| self.session.output.note(failure));
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
    failed.contains(&outcome.status) || outcome.cause.is_some() && outcome.status != Status::Absent
}

fn summary(outcomes: &[Outcome]) -> String {
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
        match outcomes.iter().filter(|outcome| outcome.status == status).count() {
            0 => {}
            count => parts.push(format!("{count} {words}")),
        }
    }
    // Deletions that the run did not get to, which are counted last, have an error without a cause.
    let why = outcomes.iter().find(|outcome| outcome.status == Status::NotStarted && outcome.cause.is_none());
    let why = why.and_then(|outcome| outcome.error.as_ref());
    format!("{}{}", parts.join(", "), why.map(|why| format!(": {why}")).unwrap_or_default())
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
    } else if any(Status::NotFound) {
        ExitStatus::NotFound
    } else {
        ExitStatus::Success
    }
}
