//! Finds out whether a cache is there.
//!
//! | reply to the dry run | the list, read after it | this server's dry runs | the cache is |
//! | --- | --- | --- | --- |
//! | 404, code 4 | is not read | | gone |
//! | 200 | has its row | | there |
//! | 200 | does not have its row | are conclusive | gone if a second dry run gets 404 with code 4, there if it gets 200 |
//! | 200 | does not have its row | are not conclusive | gone if its row was in an earlier list of this run or its image is exactly `Local`, else not known |
//! | 200 | does not have its row, or cannot be read | not known | not known |
//! | anything else | is not read | | not known |
//!
//! A dry run goes first: a gateway may serve a stale list, but never a stale reply to a DELETE. The dry runs of a
//! server are conclusive if it refuses those of caches that do not exist; newer servers accept them. The dry run of a
//! cache that cannot exist determines which of them is true, once per run and only if needed. A list that cannot be
//! read does not count against a conclusive dry run.
//!
//! Two assumptions have no public source: a server without conclusive dry runs lists every cache (older servers, which
//! may leave some out, have conclusive ones), and it spells `Local` exactly so. Sources: connectapi's pull request 318
//! and rsconnect-python's tests until 2025-08 for conclusive dry runs; rsconnect-python's commit 9f4ceb9e and its issue
//! 746 for the others.

use std::time::{Duration, Instant};

use crate::client::DryRuns;
use crate::endpoints::{CheckRuntimeCache, LOCAL, ListRuntimeCaches};
use crate::error::Verdict;
use crate::jobs::{Job, Run, Step};
use crate::retry::Retry;
use crate::{Error, RuntimeCache};

/// Whether a cache is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    There,
    Gone,
    NotKnown,
}

/// The answer to the question, with its evidence.
pub(crate) struct Finding {
    pub(crate) presence: Presence,
    /// Whether a dry run of the cache was accepted, which proves that it was there if dry runs are conclusive.
    pub(crate) accepted: bool,
    /// The error of the request that failed, or of the dry run of a cache that does not exist.
    pub(crate) error: Option<Error>,
}

/// The evidence so far.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    dry_run: Option<DryRun>,
    row: Option<Row>,
    second_dry_run: Option<DryRun>,
}

/// The reply to a dry run of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DryRun {
    /// 404 with code 4.
    NoSuchCache,
    /// 200.
    Accepted,
    /// Anything else.
    Unusable,
}

/// The row of the cache in the list that was read after the dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Listed,
    Missing,
    Unreadable,
}

/// The next request, or the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    DryRun,
    List,
    /// The dry run of a cache that cannot exist.
    Calibration,
    SecondDryRun,
    Answer(Presence),
}

/// Returns the next request or the answer, by the table above. `listed` says whether a missing row proves that the
/// cache is gone if dry runs are not conclusive: it was in an earlier list, or the list would spell its name in the
/// same way.
fn next(evidence: Evidence, dry_runs: DryRuns, listed: bool) -> Next {
    use Presence::{Gone, NotKnown, There};

    match (evidence.dry_run, evidence.row, dry_runs) {
        (None, ..) => Next::DryRun,
        (Some(DryRun::NoSuchCache), ..) => Next::Answer(Gone),
        (Some(DryRun::Accepted), None, _) => Next::List,
        (Some(DryRun::Accepted), Some(Row::Listed), _) => Next::Answer(There),
        (Some(DryRun::Accepted), Some(Row::Missing | Row::Unreadable), DryRuns::NotTested) => {
            Next::Calibration
        }
        (Some(DryRun::Accepted), Some(Row::Missing | Row::Unreadable), DryRuns::Conclusive) => {
            match evidence.second_dry_run {
                None => Next::SecondDryRun,
                Some(DryRun::NoSuchCache) => Next::Answer(Gone),
                Some(DryRun::Accepted) => Next::Answer(There),
                Some(DryRun::Unusable) => Next::Answer(NotKnown),
            }
        }
        (Some(DryRun::Accepted), Some(Row::Missing), DryRuns::Inconclusive) => {
            Next::Answer(if listed { Gone } else { NotKnown })
        }
        (Some(DryRun::Accepted), Some(Row::Unreadable), DryRuns::Inconclusive) => Next::Answer(NotKnown),
        (Some(DryRun::Accepted), Some(Row::Missing | Row::Unreadable), DryRuns::NotKnown) => {
            Next::Answer(NotKnown)
        }
        (Some(DryRun::Unusable), ..) => Next::Answer(NotKnown),
    }
}

/// The question whether a cache is there: a job of up to four requests, each retried like any other.
pub(crate) struct Question<'a> {
    cache: &'a RuntimeCache,
    /// Whether a row in an earlier list of this run is sufficient.
    trusts_earlier_list: bool,
    evidence: Evidence,
    /// The image's name as the dry run's reply spells it. It may help to find a row, but does not prove that
    /// one is missing.
    spelling: Option<String>,
    error: Option<Error>,
    retry: Retry,
}

impl<'a> Question<'a> {
    pub(crate) fn new(cache: &'a RuntimeCache) -> Self {
        Self {
            cache,
            trusts_earlier_list: false,
            evidence: Evidence::default(),
            spelling: None,
            error: None,
            retry: Retry::default(),
        }
    }

    /// Lets a row in an earlier list of this run stand for one in a list read now.
    pub(crate) fn trusting_earlier_list(self) -> Self {
        Self { trusts_earlier_list: true, ..self }
    }

    fn next(&self, run: &Run<'_>) -> Next {
        // A missing row proves nothing if the list may spell the image's name in another way.
        let listed = self.cache.image_name == LOCAL || run.client.was_listed(self.cache);
        next(self.evidence, run.client.dry_runs(), listed)
    }

    /// Sends a dry run of the cache.
    fn dry_run(&mut self, run: &Run<'_>) -> Result<DryRun, Error> {
        let spelling = run.client.attempt(&CheckRuntimeCache(self.cache))?;
        if self.trusts_earlier_list && run.client.was_listed(self.cache) {
            self.evidence.row = Some(Row::Listed);
        }
        self.spelling = spelling;
        Ok(DryRun::Accepted)
    }

    /// Finds the cache's row in the list.
    fn list(&self, run: &Run<'_>) -> Result<Row, Error> {
        let rows = run.client.attempt(&ListRuntimeCaches)?;
        let spelled = self
            .spelling
            .as_ref()
            .map(|image_name| RuntimeCache { image_name: image_name.clone(), ..self.cache.clone() });
        let is_it = |row: &RuntimeCache| {
            row.is(self.cache) || spelled.as_ref().is_some_and(|spelled| row.is(spelled))
        };
        let row = if rows.iter().any(is_it) { Row::Listed } else { Row::Missing };
        run.client.remember(&rows);
        Ok(row)
    }

    /// Sends a dry run of a cache that cannot exist.
    fn calibrate(&self, run: &Run<'_>) -> Result<(), Error> {
        let nowhere = RuntimeCache::new(&self.cache.language, "0.0.0", LOCAL);
        run.client.attempt(&CheckRuntimeCache(&nowhere))?;
        run.client.record_dry_runs(DryRuns::Inconclusive);
        Ok(())
    }

    /// Records the result of a request that failed for good.
    fn failed(&mut self, request: Next, error: Error, run: &Run<'_>) {
        let no_such_cache = error.is_no_such_cache();
        let dry_run = if no_such_cache { DryRun::NoSuchCache } else { DryRun::Unusable };
        match request {
            Next::DryRun => self.evidence.dry_run = Some(dry_run),
            Next::SecondDryRun => self.evidence.second_dry_run = Some(dry_run),
            Next::List => self.evidence.row = Some(Row::Unreadable),
            // The client has already recorded that dry runs are conclusive.
            Next::Calibration if no_such_cache => return,
            Next::Calibration => run.client.record_dry_runs(DryRuns::NotKnown),
            Next::Answer(_) => {}
        }
        self.error = Some(error);
    }

    fn finding(self, presence: Presence) -> Finding {
        Finding { presence, accepted: self.evidence.dry_run == Some(DryRun::Accepted), error: self.error }
    }
}

impl Job for Question<'_> {
    type End = Finding;

    fn step(mut self, run: &mut Run<'_>) -> Step<Self> {
        let request = self.next(run);
        let answered = match request {
            Next::Answer(presence) => return Step::End(self.finding(presence)),
            Next::DryRun => self.dry_run(run).map(|dry_run| self.evidence.dry_run = Some(dry_run)),
            Next::SecondDryRun => {
                self.dry_run(run).map(|dry_run| self.evidence.second_dry_run = Some(dry_run))
            }
            Next::List => self.list(run).map(|row| self.evidence.row = Some(row)),
            Next::Calibration => self.calibrate(run),
        };
        let delay = match answered {
            Ok(()) => {
                self.retry = Retry::default();
                Duration::ZERO
            }
            Err(error) => match run.client.retry_delay(&mut self.retry, &error) {
                Some(delay) => delay,
                None => {
                    let denied = error.verdict() == Verdict::Denied;
                    self.failed(request, error, run);
                    self.retry = Retry::default();
                    if denied {
                        return Step::End(self.finding(Presence::NotKnown));
                    }
                    Duration::ZERO
                }
            },
        };
        // End in the same step if the answer is known: another job's request could delay the next step.
        match self.next(run) {
            Next::Answer(presence) => Step::End(self.finding(presence)),
            _ => Step::Next(self, Instant::now() + delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares `next` with each row of the table at the top of this file.
    #[test]
    fn answers_by_the_table_of_evidence() {
        use DryRun::{Accepted, NoSuchCache, Unusable};
        use DryRuns::{Conclusive, Inconclusive, NotKnown, NotTested};
        use Presence::{Gone, There};
        use Row::{Listed, Missing, Unreadable};

        let answer = |dry_run, row, second_dry_run, dry_runs, listed| {
            next(Evidence { dry_run, row, second_dry_run }, dry_runs, listed)
        };
        let all = [NotTested, Conclusive, Inconclusive, NotKnown];
        for (dry_runs, listed) in all.into_iter().flat_map(|dry_runs| [(dry_runs, false), (dry_runs, true)]) {
            let of = |dry_run, row| answer(dry_run, row, None, dry_runs, listed);
            assert_eq!(of(None, None), Next::DryRun);
            assert_eq!(of(Some(NoSuchCache), None), Next::Answer(Gone));
            assert_eq!(of(Some(Accepted), None), Next::List);
            assert_eq!(of(Some(Accepted), Some(Listed)), Next::Answer(There));
            assert_eq!(of(Some(Unusable), None), Next::Answer(Presence::NotKnown));
        }
        for (row, listed) in [(Missing, false), (Missing, true), (Unreadable, false), (Unreadable, true)] {
            let of = |dry_runs, second| answer(Some(Accepted), Some(row), second, dry_runs, listed);
            assert_eq!(of(NotTested, None), Next::Calibration);
            assert_eq!(of(Conclusive, None), Next::SecondDryRun);
            assert_eq!(of(Conclusive, Some(NoSuchCache)), Next::Answer(Gone));
            assert_eq!(of(Conclusive, Some(Accepted)), Next::Answer(There));
            assert_eq!(of(Conclusive, Some(Unusable)), Next::Answer(Presence::NotKnown));
            assert_eq!(of(NotKnown, None), Next::Answer(Presence::NotKnown));
            let gone = row == Missing && listed;
            let expected = if gone { Gone } else { Presence::NotKnown };
            assert_eq!(of(Inconclusive, None), Next::Answer(expected));
        }
    }
}
