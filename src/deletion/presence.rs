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
use crate::deletion::run::{DryRuns, Run, Step};
use crate::error::{Error, Result};

/// The answer to the question.
#[derive(Debug)]
pub(crate) enum Answer {
    There,
    /// With the reply to the dry run, if that is what proves it.
    Gone(Option<Error>),
    NotKnown(Uncertainty),
}

/// Why it is not known whether a cache is there.
#[derive(Debug)]
pub(crate) enum Uncertainty {
    /// The dry run of the cache failed.
    DryRun(Error),
    /// Another request failed.
    Request(Error),
    /// A dry run has started a deletion in this run, so no other is sent.
    DryRunDeletes,
    /// The list has no row of the cache, but a namesake.
    Namesake,
}

/// The answer, with its evidence.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) answer: Answer,
    /// Whether a dry run of the cache was accepted.
    pub(crate) accepted: bool,
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
    accepted: bool,
    /// Why it could not be found out whether the server's dry run tells.
    calibration: Option<Error>,
    failures: Failures,
}

impl<'a> Question<'a> {
    pub(crate) fn new(cache: &'a RuntimeCache, run: &Run<'_>) -> Self {
        let ask = if run.evidence.dry_runs == DryRuns::DoNotTell { Ask::List } else { Ask::DryRun };
        Self { cache, ask, accepted: false, calibration: None, failures: Failures::default() }
    }

    /// Sends the next request.
    pub(crate) fn step(mut self, run: &mut Run<'_>) -> Step<Self, Finding> {
        if self.ask != Ask::List && run.evidence.dry_run_deleted {
            return self.answer(Answer::NotKnown(Uncertainty::DryRunDeletes));
        }
        if self.ask == Ask::Calibration && run.evidence.dry_runs != DryRuns::NotTested {
            // Another deletion of the run has found it out in the meantime.
            return self.after_accepted_dry_run(run);
        }
        let result = self.request(run);
        if let Err(error) = &result {
            if let Some(due) = run.retry_at(&mut self.failures, error, Some(self.cache)) {
                return Step::Next(self, due);
            }
        }
        match self.ask {
            Ask::DryRun => self.after_dry_run(result, run),
            Ask::Calibration => self.after_calibration(result, run),
            Ask::List => self.after_list(result, run),
        }
    }

    fn request(&self, run: &mut Run<'_>) -> Result<()> {
        match self.ask {
            Ask::DryRun => run.dry_run(self.cache),
            Ask::Calibration => run.dry_run(&self.cache.nowhere()),
            Ask::List => run.list(),
        }
    }

    fn after_dry_run(mut self, result: Result<()>, run: &Run<'_>) -> Step<Self, Finding> {
        match result {
            Ok(()) => {
                self.accepted = true;
                self.after_accepted_dry_run(run)
            }
            Err(error) if error.is_no_such_cache() => self.answer(Answer::Gone(Some(error))),
            Err(error) => self.answer(Answer::NotKnown(Uncertainty::DryRun(error))),
        }
    }

    fn after_accepted_dry_run(self, run: &Run<'_>) -> Step<Self, Finding> {
        match run.evidence.dry_runs {
            DryRuns::Tell => self.answer(Answer::There),
            DryRuns::NotTested => self.next(Ask::Calibration, run),
            DryRuns::DoNotTell | DryRuns::NotKnown => self.next(Ask::List, run),
        }
    }

    fn after_calibration(mut self, result: Result<()>, run: &mut Run<'_>) -> Step<Self, Finding> {
        match result {
            Ok(()) => run.evidence.dry_runs = DryRuns::DoNotTell,
            Err(error) if error.is_no_such_cache() => return self.answer(Answer::There),
            Err(error) => {
                run.evidence.dry_runs = DryRuns::NotKnown;
                self.calibration = Some(error);
            }
        }
        self.next(Ask::List, run)
    }

    fn after_list(mut self, result: Result<()>, run: &Run<'_>) -> Step<Self, Finding> {
        if let Err(error) = result {
            return self.answer(Answer::NotKnown(Uncertainty::Request(error)));
        }
        if run.evidence.is_listed(self.cache) {
            return self.answer(Answer::There);
        }
        if run.evidence.dry_runs != DryRuns::DoNotTell {
            let why = self.calibration.take().map_or(Uncertainty::Namesake, Uncertainty::Request);
            return self.answer(Answer::NotKnown(why));
        }
        let is_gone = run.evidence.was_listed(self.cache) || run.evidence.namesakes(self.cache).is_empty();
        self.answer(if is_gone { Answer::Gone(None) } else { Answer::NotKnown(Uncertainty::Namesake) })
    }

    fn next(self, ask: Ask, run: &Run<'_>) -> Step<Self, Finding> {
        let now = run.client.clock().now();
        Step::Next(Self { ask, failures: Failures::default(), ..self }, now)
    }

    fn answer(self, answer: Answer) -> Step<Self, Finding> {
        Step::End(Finding { answer, accepted: self.accepted })
    }
}
