//! The report: what was seen, and what the code assumes.

use std::fmt::{self, Write};

use connect_cache::RuntimeCache;

use crate::observations::{End, FinishedTask, Observations, Refusal};

/// Returns the report, about a page.
pub fn text(seen: &Observations) -> String {
    let mut text = format!(
        "connect-cache {} on Connect {} (execution: {})\n\nSeen:\n",
        env!("CARGO_PKG_VERSION"),
        seen.version.as_deref().unwrap_or("of a hidden version"),
        seen.execution.as_deref().unwrap_or("not reported"),
    );
    for (what, result) in observations(seen) {
        // Text from the server has no line of its own.
        let _ = writeln!(text, "  {what:<42} {}", result.replace(char::is_control, " "));
    }
    text.push_str("\nAssumptions of the code:\n");
    for (holds, assumption) in assumptions(seen) {
        let judgment = match holds {
            Some(true) => "holds",
            Some(false) => "CONTRADICTED",
            None => "not tested",
        };
        let _ = writeln!(text, "  {judgment:<12} {assumption}");
    }
    text.push_str(
        "\nLetters and digits in images stand for all others. Read the report before you publish it.\n",
    );
    text
}

/// Reports whether nothing contradicts an assumption.
pub fn is_as_assumed(seen: &Observations) -> bool {
    assumptions(seen).iter().all(|(holds, _)| *holds != Some(false))
}

fn observations(seen: &Observations) -> Vec<(&'static str, String)> {
    let Observations { dry_runs, during, .. } = seen;
    let is_listed = |listed| if listed { "listed" } else { "not listed" }.to_owned();
    vec![
        ("caches", number_of_caches(&seen.listed)),
        ("images in the list", shapes(seen.listed.iter().map(|cache| &cache.image_name))),
        ("images of the installations", shapes(seen.installed_images.iter())),
        ("dry run of the cache", dry_run(&dry_runs.of_the_cache)),
        ("dry run of version 0.0.0", dry_run(&dry_runs.of_a_version)),
        ("dry run of an image that does not exist", dry_run(&dry_runs.of_an_image)),
        ("DELETE of version 0.0.0", delete(&seen.delete_of_version)),
        ("DELETE of the cache", seen.deletion.to_string()),
        (
            "second DELETE",
            match &during.second_delete {
                Ok(Some(end)) => format!("another task: {end}"),
                Ok(None) => "the same task".into(),
                Err(refusal) => refusal.text.clone(),
            },
        ),
        (
            "the task after these requests",
            if during.is_during { "was still running" } else { "had finished" }.into(),
        ),
        ("  in the list meanwhile", is_listed(during.listed)),
        ("  dry run meanwhile", dry_run(&during.dry_run)),
        ("in the list after its end", is_listed(seen.listed_afterwards)),
        ("dry run after its end", dry_run(&dry_runs.afterwards)),
        ("DELETE after its end", delete(&seen.delete_afterwards)),
        ("the finished task", finished_task(&seen.finished_task)),
    ]
}

/// Returns the assumptions of the code, and whether they hold; `None` if that cannot be told.
fn assumptions(seen: &Observations) -> Vec<(Option<bool>, &'static str)> {
    let Observations { dry_runs, during, deletion, .. } = seen;
    let deleted = deletion.succeeded() && !seen.listed_afterwards;
    let of_a_version = tells(&dry_runs.of_a_version);
    let delete_of_version = Missing::of(&seen.delete_of_version);
    let names = seen.listed.iter().map(|cache| cache.image_name.as_str());
    let local: Vec<&str> = names.filter(|name| name.trim().eq_ignore_ascii_case("Local")).collect();
    vec![
        (Some(dry_runs.of_the_cache.is_ok()), "a dry run of a cache that is there is accepted (presence.rs)"),
        (Some(of_a_version.is_some()), "a dry run of a missing cache gets 200, or 404 with code 4 (run.rs)"),
        (
            Some(tells(&dry_runs.of_an_image) == of_a_version),
            "that is the same for a version and an image (presence.rs)",
        ),
        (
            deleted.then(|| tells(&dry_runs.afterwards) == of_a_version),
            "that is the same for a version and a deleted cache (presence.rs)",
        ),
        (Some(seen.dry_runs_change_nothing), "a dry run deletes nothing (presence.rs)"),
        (
            Some(delete_of_version.is_some()),
            "a DELETE of a missing cache gets a task, or 404 with code 4 (job.rs)",
        ),
        (
            deleted.then(|| Missing::of(&seen.delete_afterwards) == delete_of_version),
            "that is the same for a version and a deleted cache (job.rs)",
        ),
        (Some(seen.missing_delete_changes_nothing), "a DELETE of a missing cache deletes nothing (job.rs)"),
        (
            during.is_during.then(|| deletion.succeeded()),
            "a task succeeds although there is a second DELETE meanwhile (job.rs)",
        ),
        (
            deletion.succeeded().then_some(!seen.listed_afterwards),
            "a task that succeeded leaves no row of its cache (job.rs)",
        ),
        (
            (!local.is_empty()).then(|| local.iter().all(|&name| name == "Local")),
            "the list spells Local exactly so (presence.rs)",
        ),
        (None, "the list has every cache, unless dry runs tell what is missing (presence.rs)"),
        (Some(seen.finished_task.known_after.is_some()), "a finished task is known for a while (follow.rs)"),
    ]
}

/// Reports whether a dry run told that its cache is missing; `None` if it was refused in another way.
fn tells(dry_run: &Result<(), Refusal>) -> Option<bool> {
    match dry_run {
        Ok(()) => Some(false),
        Err(refusal) => refusal.is_not_found.then_some(true),
    }
}

/// What a DELETE of a missing cache gets.
#[derive(PartialEq, Eq)]
enum Missing {
    NotFound,
    TaskFails,
    TaskSucceeds,
}

impl Missing {
    fn of(delete: &Result<End, Refusal>) -> Option<Self> {
        match delete {
            Ok(end) => Some(if end.succeeded() { Self::TaskSucceeds } else { Self::TaskFails }),
            Err(refusal) => refusal.is_not_found.then_some(Self::NotFound),
        }
    }
}

fn dry_run(result: &Result<(), Refusal>) -> String {
    result.as_ref().map_or_else(|refusal| refusal.text.clone(), |()| "accepted".into())
}

fn delete(result: &Result<End, Refusal>) -> String {
    result.as_ref().map_or_else(|refusal| refusal.text.clone(), |end| format!("a task: {end}"))
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, error, output, after } = self;
        let seconds = after.as_secs_f64();
        if self.succeeded() {
            write!(f, "succeeded after {seconds:.1} s: {}", output.join(" | "))
        } else {
            write!(f, "failed after {seconds:.1} s, code {code}, {error:?}: {}", output.join(" | "))
        }
    }
}

fn finished_task(task: &FinishedTask) -> String {
    let known = match task.known_after {
        Some(after) => format!("is known after {} s", after.as_secs()),
        None => "is never known".into(),
    };
    match &task.lost {
        Some((after, refusal)) => format!("{known}, but not after {} s: {}", after.as_secs(), refusal.text),
        None => known,
    }
}

fn number_of_caches(listed: &[RuntimeCache]) -> String {
    let mut different = listed.to_vec();
    different.dedup();
    let local = listed.iter().filter(|cache| cache.is_local()).count();
    let repeated = listed.len() - different.len();
    format!("{local} with the image Local, {} with another one, {repeated} rows twice", listed.len() - local)
}

/// Returns the spellings of images without their names: each letter is `a` or `A`, each digit `0`.
fn shapes<'a>(images: impl Iterator<Item = &'a String>) -> String {
    let shape = |image: &String| {
        let stand_in = |c: char| match c {
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            '0'..='9' => '0',
            other => other,
        };
        image.chars().map(stand_in).collect()
    };
    let mut shapes: Vec<String> =
        images.filter(|image| *image != "Local" && !image.is_empty()).map(shape).collect();
    shapes.sort();
    shapes.dedup();
    if shapes.is_empty() { "none but Local".into() } else { shapes.join("  ") }
}
