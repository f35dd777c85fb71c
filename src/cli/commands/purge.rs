//! `connect-cache purge`

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, IsTerminal};

use crate::cli::Session;
use crate::cli::commands::{Record, conclude, note_progress, table};
use crate::cli::options::Purge;
use crate::cli::settings::count;
use crate::deletion::{Deletion, Extent};
use crate::follow::{Run, drive};
use crate::select::Selection;
use crate::{ExitStatus, Outcome, Progress, RuntimeCache, Status};

const MAX_RUNNING: u32 = 4;
const MOST_RUNNING: u32 = 100;

pub(crate) fn run(purge: &Purge, session: &Session) -> ExitStatus {
    let selects =
        purge.language.is_some() || purge.version.is_some() || purge.image_name.is_some() || purge.orphaned;
    if purge.all == selects {
        return session.misused(match purge.all {
            true => "--all goes with no other selection: it means every cache there is",
            false => "nothing is selected; pass --language, --version, --image-name or --orphaned, or --all for every cache",
        });
    }
    let at_once = match &purge.max_running {
        Some(text) => match count("--max-running", text, 1, MOST_RUNNING) {
            Ok(number) => number,
            Err(problem) => return session.misused(&problem),
        },
        None => MAX_RUNNING,
    };
    let ask = !purge.yes && !purge.dry_run;
    if ask && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return session.misused(
            "there is no terminal to ask on, so nothing is deleted; pass --yes, or look with --dry-run",
        );
    }

    let selection = Selection {
        language: purge.language.clone(),
        version: purge.version.clone(),
        image_name: purge.image_name.clone(),
    };
    let caches = match super::selected(&selection, purge.orphaned, session) {
        Ok(caches) => caches,
        Err(status) => return status,
    };
    if caches.is_empty() {
        session.out().note("no runtime cache is selected");
        return ExitStatus::Success;
    }
    if ask && !confirmed(&caches, session) {
        session.out().error("not confirmed: nothing is deleted");
        return ExitStatus::Usage;
    }
    delete_all(purge, caches, at_once as usize, session)
}

/// Shows what would go and asks; only `y` and `yes` go on.
fn confirmed(caches: &[RuntimeCache], session: &Session) -> bool {
    let number = caches.len();
    let these =
        if number == 1 { "this runtime cache".to_owned() } else { format!("these {number} runtime caches") };
    let question = format!("{}Delete {these} on {}? [y/N] ", table(caches), session.server());
    session.out().ask(&question);
    let mut answer = String::new();
    // No answer is a no.
    let _ = io::stdin().lock().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // The input ended without a line: what comes next goes on one of its own.
        session.out().ask("\n");
    }
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Deletes the caches, several at once, and accounts for each.
fn delete_all(purge: &Purge, caches: Vec<RuntimeCache>, at_once: usize, session: &Session) -> ExitStatus {
    let extent = if purge.dry_run { Extent::DryRun } else { Extent::Follow };
    let tally = RefCell::new(Tally::new(caches.len()));
    // The output so far of the deletions at work; only JSON records need it.
    let outputs: RefCell<Vec<(RuntimeCache, Vec<String>)>> = RefCell::default();
    let denied = Cell::new(false);
    let mut waiting = caches.into_iter();

    let mut report = |cache: Option<&RuntimeCache>, progress: Progress<'_>| {
        let mut out = session.out();
        match (cache, progress) {
            (Some(cache), Progress::Line(line)) if purge.json => {
                let mut outputs = outputs.borrow_mut();
                match outputs.iter_mut().find(|(of, _)| of == cache) {
                    Some((_, output)) => output.push(line.to_owned()),
                    None => outputs.push((cache.clone(), vec![line.to_owned()])),
                }
            }
            (Some(cache), Progress::Line(line)) => out.line(&format!("{cache}: {line}")),
            (_, Progress::Tick) => out.live(&tally.borrow().so_far()),
            (cache, other) => note_progress(cache, &other, &mut out),
        }
    };
    let account = |cache: &RuntimeCache, mut outcome: Outcome| {
        if outcome.status == Status::NotFound {
            // Somebody else deleted it, which is what a purge wants.
            outcome.status = Status::Absent;
        }
        if outcome.cause.as_ref().is_some_and(|cause| cause.exit_status() == ExitStatus::Denied) {
            denied.set(true);
        }
        tally.borrow_mut().add(&outcome);
        // What was not started is told in the summary: a line each would bury the rest.
        if outcome.status != Status::NotStarted {
            conclude(cache, &outcome, session);
        }
        if purge.json {
            let mut outputs = outputs.borrow_mut();
            let output = match outputs.iter().position(|(of, _)| of == cache) {
                Some(at) => outputs.swap_remove(at).1,
                None => Vec::new(),
            };
            session.out().json(&Record::new(cache, &outcome, &output));
        }
    };

    let mut run = Run::new(&session.client, &mut report);
    let mut next = |run: &mut Run<'_>| {
        if denied.get() || run.client.config().time_left().is_zero() {
            return None;
        }
        let deletion = Deletion::new(waiting.next()?, extent).seen();
        tally.borrow_mut().running += 1;
        Some(deletion)
    };
    drive(&mut run, at_once, &mut next, &mut |_, deletion, outcome| {
        tally.borrow_mut().running -= 1;
        account(deletion.cache(), outcome);
    });
    for cache in waiting {
        account(&cache, Outcome::new(Status::NotStarted));
    }

    let tally = tally.into_inner();
    session.out().note(&tally.summary());
    tally.exit_status(denied.get())
}

/// How many caches ended how.
struct Tally {
    selected: usize,
    running: usize,
    counts: Vec<(Status, usize)>,
}

impl Tally {
    fn new(selected: usize) -> Self {
        Self { selected, running: 0, counts: Vec::new() }
    }

    fn add(&mut self, outcome: &Outcome) {
        match self.counts.iter_mut().find(|(status, _)| *status == outcome.status) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((outcome.status, 1)),
        }
    }

    fn count(&self, status: Status) -> usize {
        self.counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count)
    }

    fn so_far(&self) -> String {
        let ended: usize = self.counts.iter().map(|(_, count)| count).sum();
        let failed = self.count(Status::Failed) + self.count(Status::Refused) + self.count(Status::Unknown);
        format!("{ended} of {} done, {} running, {failed} failed", self.selected, self.running)
    }

    fn summary(&self) -> String {
        let parts: Vec<String> = [
            (Status::Deleted, "deleted"),
            (Status::WouldDelete, "would be deleted"),
            (Status::Absent, "gone already"),
            (Status::Failed, "failed"),
            (Status::Refused, "refused"),
            (Status::Unknown, "unknown"),
            (Status::Running, "still running"),
            (Status::NotStarted, "not started"),
        ]
        .into_iter()
        .filter(|(status, _)| self.count(*status) > 0)
        .map(|(status, words)| format!("{} {words}", self.count(status)))
        .collect();
        parts.join(", ")
    }

    fn exit_status(&self, denied: bool) -> ExitStatus {
        let any = |statuses: &[Status]| statuses.iter().any(|status| self.count(*status) > 0);
        if denied {
            ExitStatus::Denied
        } else if any(&[Status::Failed, Status::Refused]) {
            ExitStatus::Failed
        } else if any(&[Status::Unknown]) {
            ExitStatus::NoAnswer
        } else if any(&[Status::Running, Status::NotStarted]) {
            ExitStatus::StillRunning
        } else {
            ExitStatus::Success
        }
    }
}
