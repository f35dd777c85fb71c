//! `connect-cache purge`

use std::io::{self, BufRead, IsTerminal};

use connect_cache::{ContentUsage, Mode, RuntimeCache, Selection};

use crate::cli::commands::purge_report::{PurgeReport, exit_status, summary};
use crate::cli::commands::selected::{self, Selected};
use crate::cli::commands::table::table;
use crate::cli::exit_status::ExitStatus;
use crate::cli::filters::Filters;
use crate::cli::session::Session;
use crate::cli::{named, options};

pub(crate) fn run(options: &options::Purge, session: &Session) -> ExitStatus {
    let options::Purge { language, version, image_name, orphaned, unused, .. } = options.clone();
    let filters = Filters { language, version, image_name, orphaned, unused };
    if let Some(problem) = misuse(options, &filters) {
        return session.misused(problem);
    }
    let Selected { listed, caches, usage } = match select(options, &filters, session) {
        Ok(selected) => selected,
        Err(status) => return status,
    };
    if caches.is_empty() {
        return ExitStatus::Success;
    }
    let impact = usage.as_ref().map(|usage| impact(&caches, usage));
    if asks(options) {
        let mut table = table(&caches, usage.as_ref(), session);
        if let Some(impact) = impact {
            table.push_str(&format!("{impact}\n"));
        }
        if !confirmed(&table, caches.len(), session) {
            return session.misused("not confirmed: nothing was deleted");
        }
    } else if let Some(impact) = impact {
        session.note(&impact);
    }
    announce(options, caches.len(), session);

    let mut selection = Selection::new(&caches, &listed);
    selection.mode = if options.dry_run { Mode::DryRun } else { Mode::Wait };
    selection.max_running = options.max_running.map_or(selection.max_running, |number| number as usize);
    selection.ignore_missing = options.ignore_not_found;
    let mut report = PurgeReport::new(options, caches.len(), session);
    let deletions =
        session.client.delete_all(&selection, |cache, progress| report.progress(cache, &progress));
    report.finish();
    let status = exit_status(&deletions);
    let summary = summary(&deletions);
    if status == ExitStatus::Success {
        session.note(&summary)
    } else {
        session.output.conclude(&summary)
    }
    status
}

/// Reports whether a person has to confirm.
fn asks(options: &options::Purge) -> bool {
    !options.yes && !options.dry_run
}

/// Returns the error if the options cannot be combined.
fn misuse(options: &options::Purge, filters: &Filters) -> Option<&'static str> {
    let filtered = *filters != Filters::default();
    let asks = asks(options);
    Some(match options.from.as_deref() {
        Some(_) if options.all || filtered || options.usage => {
            "--from cannot be combined with filters, --usage or --all"
        }
        None if options.ignore_not_found => "--ignore-not-found requires --from",
        None if options.all && filtered => "--all cannot be combined with filters",
        None if !options.all && !filtered => {
            "no filter specified; use -l, -V, -I, --orphaned, --unused, --from FILE or --all"
        }
        Some("-") if asks => {
            "cannot ask for confirmation: standard input names the caches; use --yes, or preview with --dry-run"
        }
        _ if asks && !(io::stdin().is_terminal() && io::stderr().is_terminal()) => {
            "cannot ask for confirmation: no terminal; use --yes, or preview with --dry-run"
        }
        _ => return None,
    })
}

/// Returns the caches to delete: those that a file names, or those that match the filters.
fn select(options: &options::Purge, filters: &Filters, session: &Session) -> Result<Selected, ExitStatus> {
    let Some(file) = &options.from else {
        return selected::by(filters, options.usage, session);
    };
    let named = named::read(file).map_err(|problem| session.misused(&problem))?;
    // Sorts them, and drops those that are named twice.
    let caches = Filters::default().select(named);
    if caches.is_empty() {
        session.note(&format!("nothing to do: {file} names no caches"));
        return Ok(Selected { listed: Vec::new(), caches, usage: None });
    }
    let listed = session.client.runtime_caches().map_err(|error| session.fail(&error))?;
    Ok(Selected { listed, caches, usage: None })
}

/// Returns the effect that the deletion of these caches has on content.
fn impact(caches: &[RuntimeCache], usage: &ContentUsage) -> String {
    let use_of_them = match usage.of(caches) {
        None => ", whose use by content is unknown".to_owned(),
        Some(0) => ", used by no content item".to_owned(),
        Some(1) => ", used by 1 content item, which rebuilds its environment on the next visit".to_owned(),
        Some(items) => {
            format!(", used by {items} content items, which rebuild their environments on the next visit")
        }
    };
    format!("{}{use_of_them}", number_of_caches(caches.len()))
}

fn number_of_caches(number: usize) -> String {
    if number == 1 { "1 runtime cache".to_owned() } else { format!("{number} runtime caches") }
}

/// Shows the table of the selected caches and prompts. Only `y` and `yes` confirm.
fn confirmed(table: &str, number: usize, session: &Session) -> bool {
    let these = if number == 1 { "this runtime cache" } else { &format!("these {number} runtime caches") };
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

/// Prints what is about to happen.
fn announce(options: &options::Purge, number: usize, session: &Session) {
    let doing = if options.dry_run { "checking" } else { "deleting" };
    session.note(&format!("{doing} {} on {}", number_of_caches(number), session.server()));
    if session.output.interactive() && !options.dry_run {
        let list = session.command("list");
        session.note(&format!(
            "Ctrl-C starts no further deletion, and running tasks continue; then run: {list}"
        ));
    }
}
