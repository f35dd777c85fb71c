//! Compares what the program claims with the state of the server.

use std::time::Duration;

use connect_test_server::{Cache, Endpoint, MissingCache, Server};
use serde_json::Value;

use crate::scenario::{KEY, Scenario};

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended it, or it did not end.
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

/// More than any scenario needs for one cache, whose requests are retried up to six times.
const MOST_REQUESTS: usize = 100;

pub fn check(scenario: &Scenario, server: &Server, before: &[Cache], ran: &Ran) -> Found {
    let after = server.caches();
    let mut found = Found::default();
    found.claim(ran.status.is_some_and(|status| (0..8).contains(&status)), "the status is not 0 to 7");
    found.claim(!ran.stderr.contains("internal error"), "the program panicked");
    found.claim(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key is in the output");
    let requests = server.requests().len();
    found.claim(requests <= MOST_REQUESTS * (1 + scenario.targets.len()), "too many requests");

    // Nothing is deleted but what was named.
    for cache in before.iter().filter(|cache| !after.contains(cache)) {
        let named = scenario.targets.contains(cache);
        let by_program = !scenario.dry_run || scenario.plan(cache).vanishes;
        found.claim(named && by_program, &format!("{cache:?} is gone although it was not to be deleted"));
    }

    let records: Result<Vec<Value>, _> = ran.stdout.lines().map(serde_json::from_str).collect();
    let Ok(records) = records else {
        found.claim(false, "standard output is not JSON");
        return found;
    };
    let known = |record: &Value| target(scenario, record);
    let mut targets: Vec<Option<&Cache>> = records.iter().map(known).collect();
    found.claim(targets.iter().all(Option::is_some), "a record is not of a cache that was named");
    let number = targets.len();
    targets.dedup();
    found.claim(targets.len() == number, "two records are of the same cache");
    let unlisted = scenario.purge && number == 0;
    found.claim(number == scenario.targets.len() || unlisted, "a cache has no record");
    for record in &records {
        let Some(cache) = target(scenario, record) else { continue };
        one(&mut found, scenario, server, (before.contains(cache), after.contains(cache)), cache, record);
    }
    let statuses: Vec<&str> = records.iter().map(status_of).collect();
    found.claim(
        exit_statuses(scenario, &statuses).contains(&ran.status.unwrap_or(-1)),
        &format!("exit status {:?} with {statuses:?}", ran.status),
    );
    found.statuses = statuses.iter().map(ToString::to_string).collect();
    found
}

/// The cache that a record is about; the list shows it by its sanitized name.
fn target<'a>(scenario: &'a Scenario, record: &Value) -> Option<&'a Cache> {
    scenario.targets.iter().find(|cache| {
        let image = match scenario.purge {
            true => scenario.config.sanitizer.sanitize(&cache.image_name),
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

/// Checks a record against the server, on which the cache was there or not, before and after the run.
fn one(
    found: &mut Found,
    scenario: &Scenario,
    server: &Server,
    (was_there, is_there): (bool, bool),
    cache: &Cache,
    record: &Value,
) {
    let plan = scenario.plan(cache);
    let fails = plan.code != 0 || !plan.error.is_empty();
    let missing_fails = scenario.config.missing_cache != MissingCache::TaskSucceeds;
    let trouble = !scenario.faults.is_empty() || scenario.restart.is_some();
    let accepted = server.requests().iter().any(|request| request.endpoint == Endpoint::Delete);
    let status = status_of(record);
    let holds = match status {
        "deleted" => !is_there && !scenario.dry_run,
        "absent" | "not-found" => !is_there,
        // A purge's dry run may rely on the list that it began with.
        "would-delete" => scenario.dry_run && (is_there || scenario.purge && plan.vanishes),
        "started" => scenario.no_wait && accepted,
        "failed" => accepted && (fails || missing_fails && (plan.vanishes || !was_there || trouble)),
        // The task of a cache that has vanished goes by the server's default plan.
        "running" => scenario.timeout && accepted && (plan.duration > Duration::ZERO || plan.vanishes),
        "refused" | "not-started" => is_there == was_there || plan.vanishes,
        // Without trouble, only a cache that may be missing leaves a doubt.
        "unknown" => trouble || scenario.timeout || fails || plan.vanishes || !was_there,
        _ => false,
    };
    found.claim(holds, &format!("{status}, but {cache:?} was there: {was_there}, is there: {is_there}"));
    if was_there && !trouble && !scenario.timeout && !plan.vanishes && !fails {
        let expected = match (scenario.dry_run, scenario.no_wait) {
            (true, _) => "would-delete",
            (_, true) => "started",
            _ => "deleted",
        };
        found.claim(status == expected, &format!("{status} without any fault, expected {expected}"));
    }

    let output: Vec<&str> =
        record["output"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let ways = [
        ["Deleting runtime cache...", "Successfully deleted runtime cache"],
        ["Deleting runtime cache...", "Failed to delete runtime cache"],
    ];
    found.claim(
        ways.iter().any(|way| way.starts_with(&output)),
        &format!("a line is wrong or twice: {output:?}"),
    );
}

/// The exit statuses that go with the statuses of the caches.
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
        // A poll that is refused with 403 leaves the outcome unknown, and the key is to blame.
        _ if any(&["unknown"]) => &[3, 6],
        _ if any(&["not-started"]) => &[6, 7],
        _ if any(&["running"]) => &[7],
        _ if any(&["not-found"]) => &[4],
        _ => &[0],
    }
}
