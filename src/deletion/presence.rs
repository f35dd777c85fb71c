//! The question whether a cache is there.
//!
//! 1. Unless this server's dry run is known not to tell, a dry run. 404 with code 4: gone. Neither that nor 200: not
//!    known. 200: find out whether the dry run tells, by the dry run of a cache that cannot exist, once per run; if it
//!    does, the cache is there.
//! 2. Else the list, read anew. Its row: there. No row, on a server that does not tell: gone if the run has seen the
//!    cache or it has no namesake. Otherwise not known: a namesake may be the cache itself, spelled in another way.
//!
//! Two assumptions have no public source: a server whose dry run does not tell lists every cache, as of now (older
//! servers, which may leave some out, have dry runs that tell), and it spells `Local` exactly so.

use crate::api::RuntimeCache;
use crate::client::Failures;
use crate::deletion::outcome::Cause;
use crate::deletion::run::{DryRuns, Evidence, Run, Step};
use crate::error::{Error, Verdict};

/// The answer to the question.
#[derive(Debug)]
pub(crate) enum Answer {
    There,
    /// With the reply to the dry run, if that is what proves it.
    Gone(Option<Error>),
    NotKnown(Cause),
}

/// The next request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    DryRun,
    /// The dry run of a cache that cannot exist.
    Calibration,
    List,
}

/// The question whether a cache is there, which takes up to three requests, each retried like any other.
pub(crate) struct Question<'a> {
    cache: &'a RuntimeCache,
    ask: Ask,
    failures: Failures,
}

impl<'a> Question<'a> {
    pub(crate) fn new(cache: &'a RuntimeCache, run: &Run<'_>) -> Self {
        let ask = if run.evidence.dry_runs == DryRuns::DoNotTell { Ask::List } else { Ask::DryRun };
        Self { cache, ask, failures: Failures::default() }
    }

    /// Sends the next request.
    pub(crate) fn step(mut self, run: &mut Run<'_>) -> Step<Self, Answer> {
        if self.ask != Ask::List && run.evidence.dry_run_deleted {
            return Step::End(Answer::NotKnown(Cause::DryRunDeletes));
        }
        if self.ask == Ask::Calibration && run.evidence.dry_runs != DryRuns::NotTested {
            // Another deletion of the run has found it out in the meantime.
            return self.after_accepted_dry_run(run);
        }
        let result = match self.ask {
            Ask::DryRun => run.dry_run(self.cache),
            Ask::Calibration => run.dry_run(&self.cache.nowhere()),
            Ask::List => run.list(),
        };
        if let Err(error) = &result {
            if let Some(due) = run.retry_at(&mut self.failures, error, Some(self.cache)) {
                return Step::Next(self, due);
            }
        }
        let answer = match (self.ask, result) {
            (Ask::DryRun, Ok(())) => return self.after_accepted_dry_run(run),
            (Ask::DryRun, Err(error)) if error.verdict() == Verdict::NotFound => Answer::Gone(Some(error)),
            (Ask::Calibration, Ok(())) => {
                run.evidence.dry_runs = DryRuns::DoNotTell;
                return self.next(Ask::List, run);
            }
            (Ask::Calibration, Err(error)) if error.verdict() == Verdict::NotFound => Answer::There,
            (Ask::Calibration, Err(_)) if !run.evidence.dry_run_deleted => {
                run.evidence.dry_runs = DryRuns::NotKnown;
                return self.next(Ask::List, run);
            }
            (Ask::List, Ok(())) => by_list(self.cache, &run.evidence),
            (_, Err(error)) => Answer::NotKnown(Cause::Request(error)),
        };
        Step::End(answer)
    }

    /// Continues after the server has accepted the dry run, which proves something only if its dry runs tell.
    fn after_accepted_dry_run(self, run: &Run<'_>) -> Step<Self, Answer> {
        match run.evidence.dry_runs {
            DryRuns::Tell => Step::End(Answer::There),
            DryRuns::NotTested => self.next(Ask::Calibration, run),
            DryRuns::DoNotTell | DryRuns::NotKnown => self.next(Ask::List, run),
        }
    }

    fn next(self, ask: Ask, run: &Run<'_>) -> Step<Self, Answer> {
        let now = run.client.clock().now();
        Step::Next(Self { cache: self.cache, ask, failures: Failures::default() }, now)
    }
}

/// Returns the answer that the last list gives.
fn by_list(cache: &RuntimeCache, evidence: &Evidence) -> Answer {
    if evidence.is_listed(cache) {
        Answer::There
    } else if evidence.dry_runs != DryRuns::DoNotTell {
        Answer::NotKnown(Cause::DryRunsNotKnown)
    } else if evidence.was_listed(cache) || evidence.namesakes(cache).is_empty() {
        Answer::Gone(None)
    } else {
        Answer::NotKnown(Cause::Namesake)
    }
}
