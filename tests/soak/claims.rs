//! Compares what a process claims with the state of the server.

use connect_test_server::{Cache, Endpoint, MissingDelete, Request, Server};
use serde_json::Value;

use crate::oracle::{self, Claim, Deletion, Presence, Says, Shown, Trouble, Truth};
use crate::program::Ran;
use crate::scenario::{Command, KEY, Scenario};

/// Limit for the requests about one cache. Each may be retried up to six times, and no scenario needs as many.
const MOST_REQUESTS: usize = 100;

/// The claims of one process, compared.
#[derive(Default)]
pub struct Found {
    pub claims: usize,
    pub mismatches: Vec<String>,
    /// The status of each target that has a record.
    pub statuses: Vec<(Cache, String)>,
}

impl Found {
    fn claim(&mut self, holds: bool, text: &str) {
        self.claims += 1;
        if !holds {
            self.mismatches.push(text.to_owned());
        }
    }
}

/// A process that has ended, and what its server had before it and received from it.
pub struct Run<'a> {
    pub scenario: &'a Scenario,
    pub before: &'a [Cache],
    pub after: &'a [Cache],
    pub requests: &'a [Request],
    pub ran: &'a Ran,
}

impl Run<'_> {
    pub fn check(&self) -> Found {
        let Self { scenario, ran, .. } = self;
        let mut found = Found::default();
        found.claim(ran.ended_well(scenario.signal), "the status is not 0 to 7");
        found.claim(!ran.stderr.contains("internal error"), "the program panicked");
        found.claim(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key is in the output");
        found.claim(ran.stdout.is_empty() || ran.stdout.ends_with('\n'), "the last line is not whole");
        let most = MOST_REQUESTS * (1 + scenario.targets.len());
        found.claim(self.requests.len() <= most, "too many requests");

        let Ok(records) = ran.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()
        else {
            found.claim(false, "standard output is not JSON");
            return found;
        };
        for record in &records {
            let target = scenario.targets.iter().find(|cache| self.is_about(record, cache));
            found.claim(target.is_some(), "a record is for a cache that was not specified");
            if let Some(target) = target {
                self.check_record(&mut found, target, record);
            }
        }
        let mut named: Vec<&Cache> = found.statuses.iter().map(|(cache, _)| cache).collect();
        named.dedup();
        let is_complete = named.len() == records.len()
            && (named.len() == scenario.targets.len() || named.is_empty() || scenario.processes > 1);
        found.claim(is_complete || ran.signal.is_some(), "a cache has no record, or two");
        if let Some(status) = ran.status {
            let statuses: Vec<&str> = found.statuses.iter().map(|(_, status)| status.as_str()).collect();
            let exits = if !scenario.is_purge() || !statuses.is_empty() {
                oracle::exits_of_all(&statuses)
            } else {
                // There was nothing to delete, or the list could not be read.
                &[0, 3, 5, 6]
            };
            let is_single = !scenario.is_purge();
            found.claim(is_single || exits.contains(&status), &format!("exit {status} with {statuses:?}"));
        }
        found
    }

    fn is_about(&self, record: &Value, cache: &Cache) -> bool {
        names(record, &self.scenario.named(cache))
    }

    fn check_record(&self, found: &mut Found, cache: &Cache, record: &Value) {
        let Self { scenario, ran, .. } = self;
        let status = record["status"].as_str().unwrap_or_default();
        let claim = Claim {
            status,
            exit: ran.status.filter(|_| !scenario.is_purge()),
            says: says(&self.sentence(cache)),
        };
        let truth = self.truth(cache, &claim);
        let result = oracle::check(&claim, &truth);
        let text = result.err().map(|problem| format!("{cache}: {problem}: {truth:#?}")).unwrap_or_default();
        found.claim(text.is_empty(), &text);
        found.statuses.push((cache.clone(), status.to_owned()));

        let mask = |line: &str| match scenario.word {
            Some(word) if word.len() >= 6 => line.replace(word, "***"),
            _ => line.to_owned(),
        };
        let lines = |last: &str| ["Deleting runtime cache...", last].map(mask);
        let outputs = [lines("Successfully deleted runtime cache"), lines("Failed to delete runtime cache")];
        let output: Vec<&str> =
            record["output"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let is_start =
            |lines: &[String; 2]| lines.iter().zip(&output).all(|(a, b)| a == b) && output.len() <= 2;
        found.claim(outputs.iter().any(is_start), &format!("a line is wrong or repeated: {output:?}"));
    }

    /// Returns what the program says about the outcome of a cache.
    fn sentence(&self, cache: &Cache) -> String {
        let name = self.scenario.named(cache).to_string();
        let lines = self.ran.stderr.lines().filter(|line| line.contains(&name));
        lines
            .filter(|line| !line.contains("; checking") && !line.contains("; retrying"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns what is true of a cache. The server cannot tell which replies reached the program: they are taken to be those
    /// that the claim needs, if they are possible.
    fn truth(&self, cache: &Cache, claim: &Claim<'_>) -> Truth {
        let Self { scenario, before, after, requests, .. } = *self;
        let (was_there, is_there) = (before.contains(cache), after.contains(cache));
        let plan = scenario.plan(cache);
        let can_fail = plan.code != 0
            || !plan.error.is_empty()
            || scenario.missing_cache.delete != MissingDelete::TaskSucceeds
                && (!was_there || scenario.processes > 1);
        let named = scenario.named(cache);
        let is_own =
            |request: &&Request| request.endpoint == Endpoint::Delete && names(&request.json(), &named);
        let deletes: Vec<&Request> = requests.iter().filter(is_own).collect();
        let is_accepted = deletes.iter().any(|request| request.status == Some(200));
        // Another process deleted the cache if this one's DELETE did not find it, or was refused by a limit.
        let may_have_found = deletes.iter().any(|request| !matches!(request.status, Some(404 | 429)));
        let took_effect = was_there && !is_there && may_have_found;
        let shown = match claim.status {
            "failed" if is_accepted && can_fail => Shown::Failed,
            // A first poll may see even a task of no duration before its end.
            "running" if is_accepted => Shown::Running,
            _ => Shown::Nothing,
        };
        let is_disturbed = scenario.is_disturbed();
        let needs_doubt = claim.says.reply_lost || !["failed", "not-found"].contains(&claim.status);
        let Truth { presence, .. } = Truth::between(was_there, is_there);
        let is_row = scenario.is_purge() || cache.image_name == "Local";
        let hides_cache = !is_row && !scenario.missing_cache.dry_run_tells();
        Truth {
            command: match scenario.command {
                Command::Delete | Command::Purge => oracle::Command::Delete,
                Command::DryRun | Command::PurgeDryRun => oracle::Command::DryRun,
                Command::NoWait => oracle::Command::NoWait,
            },
            ignores_missing: scenario.ignores_missing,
            // Another process may have been faster than the list.
            presence: Presence { listed: was_there && is_row && scenario.processes == 1, ..presence },
            deletion: Deletion {
                // A restart closes connections, and a DELETE that was sent over one is never read.
                sent: !deletes.is_empty() || scenario.restart.is_some(),
                started: is_accepted || took_effect,
                took_effect,
                of_namesake: false,
                shown,
            },
            trouble: Trouble {
                // Where nothing shows the cache, a DELETE that met a limit stays in doubt.
                any: is_disturbed || was_there && can_fail || scenario.is_limited && hides_cache,
                unanswered: is_disturbed,
                in_doubt: (is_disturbed || scenario.is_limited) && needs_doubt,
                timed_out: scenario.has_timeout,
                ..Trouble::default()
            },
            server: oracle::Server {
                missing_succeeds: scenario.missing_cache.delete == MissingDelete::TaskSucceeds,
                hides_cache,
            },
        }
    }
}

/// Reports whether an object names a cache.
fn names(object: &Value, cache: &Cache) -> bool {
    let Cache { language, version, image_name } = cache;
    object["language"] == *language && object["version"] == *version && object["image_name"] == *image_name
}

/// Returns what a sentence of the program says. A failed deletion leaves the cache there, unless it says otherwise.
fn says(sentence: &str) -> Says {
    let failed = sentence.contains("deletion of ")
        && sentence.contains(" failed: ")
        && !sentence.contains("it is not known whether the cache exists");
    Says {
        still_there: failed || sentence.contains("which still exists"),
        reply_lost: sentence.contains("no reply confirmed it"),
        nothing_started: sentence.contains("was not started"),
    }
}

/// Compares two processes that ran at once: where only one can have deleted a cache, not both did.
pub fn check_both(scenario: &Scenario, [one, other]: [&Found; 2]) -> Option<String> {
    let deleted =
        |found: &Found, cache: &Cache| found.statuses.contains(&(cache.clone(), "deleted".to_owned()));
    let is_quiet = scenario.faults.is_empty() && scenario.restart.is_none() && !scenario.is_limited;
    let tells_others = scenario.missing_cache.delete != MissingDelete::TaskSucceeds;
    if !is_quiet || !tells_others {
        return None;
    }
    let both = scenario.targets.iter().find(|cache| deleted(one, cache) && deleted(other, cache));
    both.map(|cache| format!("both processes deleted {cache}"))
}

/// Compares the task of an interrupted deletion, resumed, with its plan and its cache.
pub fn check_resumed(scenario: &Scenario, server: &Server, cache: &Cache, ran: &Ran) -> Option<String> {
    let is_there = server.has(cache);
    let plan = scenario.plan(cache);
    let fails = plan.code != 0 || !plan.error.is_empty();
    let is_quiet = scenario.faults.is_empty() && scenario.restart.is_none() && scenario.processes == 1;
    // If another process was faster, this is the task of a missing cache.
    let may_be_late = !is_quiet && scenario.missing_cache.delete == MissingDelete::TaskSucceeds;
    let holds = match ran.status {
        Some(0) => !is_there && (!fails || may_be_late),
        Some(1) => fails || !is_quiet,
        Some(4 | 6) => !is_quiet,
        _ => false,
    };
    (!holds).then(|| {
        format!("the resumed task of {cache}, which is there: {is_there}, exits by {:?}", ran.status)
    })
}
