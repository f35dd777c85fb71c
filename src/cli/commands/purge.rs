//! `connect-cache purge`

use std::io::{self, BufRead, IsTerminal};

use connect_cache::{ContentUsage, Mode, RuntimeCache, Selection};

use crate::cli::commands::purge_report::PurgeReport;
use crate::cli::commands::selected::{self, Selected};
use crate::cli::commands::table::table;
use crate::cli::exit_status::{ExitStatus, Result};
use crate::cli::filters::Filters;
use crate::cli::session::Session;
use crate::cli::{named, options};

pub(crate) fn run(options: &options::Purge, session: &Session) -> Result<ExitStatus> {
    let options::Purge { language, version, image_name, orphaned, unused, .. } = options.clone();
    let filters = Filters { language, version, image_name, orphaned, unused };
    check(options, &filters).map_err(|problem| session.misused(problem))?;
    let Selected { listed, caches, usage } = select(options, &filters, session)?;
    if caches.is_empty() {
        return Ok(ExitStatus::Success);
    }
    if asks(options) {
        confirm(&caches, usage.as_ref(), session)?;
    }
    announce(options, caches.len(), session);
    if let Some(usage) = usage.filter(|_| !asks(options)) {
        session.note(&impact(&caches, &usage));
    }

    let mut selection = Selection::new(&caches, &listed);
    selection.mode = if options.dry_run { Mode::DryRun } else { Mode::Wait };
    selection.max_running = options.max_running as usize;
    selection.ignore_missing = options.ignore_not_found;
    let mut report = PurgeReport::new(options, caches.len(), session);
    let deletions =
        session.client.delete_all(&selection, |cache, progress| report.progress(cache, &progress));
    Ok(report.finish(&deletions))
}

/// Reports whether a person has to confirm.
fn asks(options: &options::Purge) -> bool {
    !options.yes && !options.dry_run
}

/// Returns an error if the options cannot be combined.
fn check(options: &options::Purge, filters: &Filters) -> std::result::Result<(), &'static str> {
    let filtered = *filters != Filters::default();
    let asks = asks(options);
    Err(match options.from.as_deref() {
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
        _ => return Ok(()),
    })
}

/// Returns the caches to delete: those that a file names, or those that match the filters.
fn select(options: &options::Purge, filters: &Filters, session: &Session) -> Result<Selected> {
    let Some(file) = &options.from else {
        let usage =
            (options.usage || options.unused).then(|| selected::usage(filters, session)).transpose()?;
        return selected::by(filters, usage, session);
    };
    let named = named::read(file).map_err(|problem| session.misused(&problem))?;
    // Sorts them, and drops those that are named twice.
    let caches = Filters::default().select(named);
    let mut listed = Vec::new();
    if caches.is_empty() {
        let source = if file == "-" { "standard input" } else { file };
        session.note(&format!("nothing to do: {source} names no caches"));
    } else {
        listed = session.client.runtime_caches().map_err(|error| session.fail(&error))?;
    }
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

/// Shows the selected caches and prompts. Only `y` and `yes` confirm.
fn confirm(caches: &[RuntimeCache], usage: Option<&ContentUsage>, session: &Session) -> Result<()> {
    table(caches, usage, &io::stderr()).iter().for_each(|line| session.say(line));
    if let Some(usage) = usage {
        session.say(&impact(caches, usage));
    }
    let number = caches.len();
    let these = if number == 1 { "this runtime cache" } else { &format!("these {number} runtime caches") };
    session.output.to_stderr(&format!("Delete {these} on {}? [y/N] ", session.server()));
    let mut answer = String::new();
    // A read error or the end of input counts as "no".
    let _ = io::stdin().lock().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // The input ended without a newline, so the next output would continue this line.
        session.output.to_stderr("\n");
    }
    // The time that a person took to answer does not count.
    session.client.restart_clock();
    session.output.restart_clock();
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(session.misused("not confirmed: nothing was deleted")),
    }
}

/// Prints what is about to happen.
fn announce(options: &options::Purge, number: usize, session: &Session) {
    let doing = if options.dry_run { "checking" } else { "deleting" };
    session.note(&format!("{doing} {} on {}", number_of_caches(number), session.server()));
    if session.output.interactive() && !options.dry_run {
        let list = session.command("list");
        session.note(&format!(
            "after Ctrl-C, no further deletion starts, and running tasks continue; see what is left with: {list}"
        ));
    }
}
