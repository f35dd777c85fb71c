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
use crate::deletion::run::{DryRuns, Run, Step};
use crate::error::{Error, ErrorKind, Result};

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

    fn after_dry_run(self, result: Result<()>, run: &Run<'_>) -> Step<Self, Answer> {
        match result {
            Ok(()) => self.after_accepted_dry_run(run),
            Err(error) if error.is_no_such_cache() => Step::End(Answer::Gone(Some(error))),
            Err(error) => Step::End(Answer::NotKnown(Cause::Request(error))),
        }
    }

    fn after_accepted_dry_run(self, run: &Run<'_>) -> Step<Self, Answer> {
        match run.evidence.dry_runs {
            DryRuns::Tell => Step::End(Answer::There),
            DryRuns::NotTested => self.next(Ask::Calibration, run),
            DryRuns::DoNotTell | DryRuns::NotKnown => self.next(Ask::List, run),
        }
    }

    fn after_calibration(self, result: Result<()>, run: &mut Run<'_>) -> Step<Self, Answer> {
        run.evidence.dry_runs = match result {
            Ok(()) => DryRuns::DoNotTell,
            Err(error) if error.is_no_such_cache() => return Step::End(Answer::There),
            Err(error) if matches!(error.kind, ErrorKind::DryRunStarted { .. }) => {
                return Step::End(Answer::NotKnown(Cause::Request(error)));
            }
            Err(_) => DryRuns::NotKnown,
        };
        self.next(Ask::List, run)
    }

    fn after_list(self, result: Result<()>, run: &Run<'_>) -> Step<Self, Answer> {
        let evidence = &run.evidence;
        Step::End(match result {
            Err(error) => Answer::NotKnown(Cause::Request(error)),
            Ok(()) if evidence.is_listed(self.cache) => Answer::There,
            Ok(()) if evidence.dry_runs != DryRuns::DoNotTell => Answer::NotKnown(Cause::DryRunsNotKnown),
            Ok(()) if evidence.was_listed(self.cache) || evidence.namesakes(self.cache).is_empty() => {
                Answer::Gone(None)
            }
            Ok(()) => Answer::NotKnown(Cause::Namesake),
        })
    }

    fn next(self, ask: Ask, run: &Run<'_>) -> Step<Self, Answer> {
        let now = run.client.clock().now();
        Step::Next(Self { cache: self.cache, ask, failures: Failures::default() }, now)
    }
}
