//! Compares what the program claims with the state of the server.

use std::time::Duration;

use connect_test_server::{Cache, Endpoint, MissingCache, Server};
use serde_json::Value;

use crate::scenario::{KEY, Scenario};

/// The output and the exit status of a run.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended the program, or it did not end in time.
    pub status: Option<i32>,
}

#[derive(Default)]
pub struct Found {
    pub claims: usize,
    pub statuses: Vec<String>,
    pub mismatches: Vec<String>,
}

impl Found {
    fn claim(&mut self, holds: bool, text: &str) {
        self.claims += 1;
        if !holds {
            self.mismatches.push(text.to_owned());
        }
    }
}

/// Limit for the requests about one cache. Each may be retried up to six times, and no scenario needs as many.
const MOST_REQUESTS: usize = 100;

pub fn check(scenario: &Scenario, server: &Server, before: &[Cache], ran: &Ran) -> Found {
    let after = server.caches();
    let mut found = Found::default();
    found.claim(ran.status.is_some_and(|status| (0..8).contains(&status)), "the status is not 0 to 7");
    found.claim(!ran.stderr.contains("internal error"), "the program panicked");
    found.claim(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key is in the output");
    let requests = server.requests().len();
    found.claim(requests <= MOST_REQUESTS * (1 + scenario.targets.len()), "too many requests");

    // Only the specified caches may be deleted.
    for cache in before.iter().filter(|cache| !after.contains(cache)) {
        let specified = scenario.targets.contains(cache);
        let by_program = !scenario.dry_run || scenario.plan(cache).vanishes;
        found.claim(specified && by_program, &format!("{cache:?} is gone, but must not be deleted"));
    }

    let records: Result<Vec<Value>, _> = ran.stdout.lines().map(serde_json::from_str).collect();
    let Ok(records) = records else {
        found.claim(false, "standard output is not JSON");
        return found;
    };
    let known = |record: &Value| target(scenario, record);
    let mut targets: Vec<Option<&Cache>> = records.iter().map(known).collect();
    found.claim(targets.iter().all(Option::is_some), "a record is for a cache that was not specified");
    let number = targets.len();
    targets.dedup();
    found.claim(targets.len() == number, "two records are for the same cache");
    let unlisted = scenario.purge && number == 0;
    found.claim(number == scenario.targets.len() || unlisted, "a cache has no record");
    for record in &records {
        let Some(cache) = target(scenario, record) else { continue };
        check_record(
            &mut found,
            scenario,
            server,
            (before.contains(cache), after.contains(cache)),
            cache,
            record,
        );
    }
    let statuses: Vec<&str> = records.iter().map(status_of).collect();
    found.claim(
        exit_statuses(scenario, &statuses).contains(&ran.status.unwrap_or(-1)),
        &format!("exit status {:?} with {statuses:?}", ran.status),
    );
    found.statuses = statuses.iter().map(ToString::to_string).collect();
    found
}

/// Returns the cache that a record is about. A purge uses the sanitized name of its image.
fn target<'a>(scenario: &'a Scenario, record: &Value) -> Option<&'a Cache> {
    scenario.targets.iter().find(|cache| {
        let image = match scenario.purge {
            true => scenario.images.sanitizer.sanitize(&cache.image_name),
            false => cache.image_name.clone(),
        };
        record["language"] == cache.language
            && record["version"] == cache.version
            && record["image_name"] == image
    })
}

fn status_of(record: &Value) -> &str {
    record["status"].as_str().unwrap_or_default()
}

/// Compares a record with the server. `was_there` and `is_there` say whether the cache existed before and after the
/// run.
fn check_record(
    found: &mut Found,
    scenario: &Scenario,
    server: &Server,
    (was_there, is_there): (bool, bool),
    cache: &Cache,
    record: &Value,
) {
    let plan = scenario.plan(cache);
    let fails = plan.code != 0 || !plan.error.is_empty();
    let missing_fails = scenario.missing_cache != MissingCache::TASK_SUCCEEDS;
    let disturbed = !scenario.faults.is_empty() || scenario.restart.is_some();
    let accepted = server.requests().iter().any(|request| request.endpoint == Endpoint::Delete);
    // If dry runs are not conclusive and do not spell the image as the list does, no row can be found.
    let untraceable = scenario.dry_run
        && !scenario.purge
        && scenario.missing_cache != MissingCache::NOT_FOUND
        && scenario.replies.minimal_delete
        && cache.image_name != "Local";
    let status = status_of(record);
    let holds = match status {
        "deleted" => !is_there && !scenario.dry_run,
        "absent" | "not-found" => !is_there,
        // The dry run of a purge may rely on the list that the purge read first.
        "would-delete" => scenario.dry_run && (is_there || scenario.purge && plan.vanishes),
        "started" => scenario.no_wait && accepted,
        "failed" => accepted && (fails || missing_fails && (plan.vanishes || !was_there || disturbed)),
        // The task of a cache that has vanished follows the server's default plan.
        "running" => scenario.timeout && accepted && (plan.duration > Duration::ZERO || plan.vanishes),
        "refused" | "not-started" => is_there == was_there || plan.vanishes,
        // Without faults, restarts and a timeout, the outcome is unknown only if the cache may be missing.
        "unknown" => disturbed || scenario.timeout || fails || plan.vanishes || !was_there || untraceable,
        _ => false,
    };
    found.claim(holds, &format!("{status}, but {cache:?} was there: {was_there}, is there: {is_there}"));
    if was_there && !disturbed && !scenario.timeout && !plan.vanishes && !fails && !untraceable {
        let expected = match (scenario.dry_run, scenario.no_wait) {
            (true, _) => "would-delete",
            (_, true) => "started",
            _ => "deleted",
        };
        found.claim(status == expected, &format!("{status} without any fault, expected {expected}"));
    }

    let output: Vec<&str> =
        record["output"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let outputs = [
        ["Deleting runtime cache...", "Successfully deleted runtime cache"],
        ["Deleting runtime cache...", "Failed to delete runtime cache"],
    ];
    found.claim(
        outputs.iter().any(|lines| lines.starts_with(&output)),
        &format!("a line is wrong or repeated: {output:?}"),
    );
}

/// Returns the exit statuses that fit the statuses of the caches.
fn exit_statuses(scenario: &Scenario, statuses: &[&str]) -> &'static [i32] {
    let any = |wanted: &[&str]| statuses.iter().any(|status| wanted.contains(status));
    match statuses {
        // The list could not be read, or it has no such cache.
        [] if scenario.purge && scenario.targets.is_empty() => &[0, 3, 5, 6],
        [] => &[3, 5, 6],
        [status] if !scenario.purge => match *status {
            "deleted" | "would-delete" | "started" | "absent" => &[0],
            "failed" => &[1],
            "not-found" => &[4],
            "refused" => &[3, 5, 6],
            "not-started" => &[6, 7],
            "running" => &[7],
            _ => &[6],
        },
        _ if any(&["failed"]) => &[1, 3],
        _ if any(&["refused"]) => &[1, 3],
        // A poll refused with 403 leaves the outcome unknown, and the exit status reports the refused key.
        _ if any(&["unknown"]) => &[3, 6],
        _ if any(&["not-started"]) => &[6, 7],
        _ if any(&["running"]) => &[7],
        _ if any(&["not-found"]) => &[4],
        _ => &[0],
    }
}
