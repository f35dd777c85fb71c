//! The state that the deletions of one run share: the evidence about caches, and the progress report.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::api::RuntimeCache;
use crate::client::{Again, Client, Failures};
use crate::deletion::progress::Progress;
use crate::error::{Error, ErrorKind, Result, Verdict};

/// The longest that Connect holds a poll, in seconds.
pub(crate) const MAX_WAIT: u64 = 20;
/// The time between two reports of waiting.
const WAITING: Duration = Duration::from_secs(1);

/// Receives the progress of a cache's deletion, or of the only task.
pub(crate) type Report<'a> = dyn FnMut(Option<&RuntimeCache>, Progress<'_>) + 'a;

/// The result of a step, which sends one request: the state with the due time of its next step, or the end.
pub(crate) enum Step<S, E> {
    Next(S, Instant),
    End(E),
}

/// The state that the deletions of one run share.
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    report: &'a mut Report<'a>,
    pub(crate) evidence: Evidence,
    /// The longest to ask a server to hold a poll, in seconds: a gateway may allow less.
    pub(crate) max_wait: u64,
    /// Whether there is only one deletion, so that its polls may be held.
    pub(crate) alone: bool,
}

/// What a run knows about the caches of the server.
#[derive(Default)]
pub(crate) struct Evidence {
    /// The rows of all lists, with their languages in lower case, since the server ignores it.
    rows: HashSet<RuntimeCache>,
    last_list: Vec<RuntimeCache>,
    pub(crate) dry_runs: DryRuns,
    /// Whether a dry run has started a deletion, so that no other is sent.
    pub(crate) dry_run_deleted: bool,
    /// The caches for which a DELETE was, or is about to be, sent.
    pub(crate) deleted: Vec<RuntimeCache>,
    /// The caches of which a dry run was accepted before that.
    accepted: HashSet<RuntimeCache>,
    /// The caches of which one was answered by 404 with code 4 after that.
    refused: HashSet<RuntimeCache>,
}

/// Whether the server's dry runs tell if a cache exists: newer servers accept those of caches that do not exist.
///
/// Sources: connectapi's pull request 318 and rsconnect-python's tests until 2025-08 for servers that tell;
/// rsconnect-python's commit 9f4ceb9e and its issue 746 for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DryRuns {
    /// Not tested yet.
    #[default]
    NotTested,
    /// The server answered a dry run by 404 with code 4.
    Tell,
    /// The server answered the dry run of a cache that cannot exist by 200.
    DoNotTell,
    /// The server answered it in another way.
    NotKnown,
}

impl Evidence {
    /// Adds a list of this run.
    pub(crate) fn add_list(&mut self, list: Vec<RuntimeCache>) {
        self.rows.extend(list.iter().map(RuntimeCache::in_lower_case));
        self.last_list = list;
    }

    /// Reports whether a list of this run had the row of this cache.
    pub(crate) fn was_listed(&self, cache: &RuntimeCache) -> bool {
        self.rows.contains(&cache.in_lower_case())
    }

    /// Reports whether this run has seen the cache: a list had its row, or a dry run of it was accepted before the first
    /// DELETE and a later one was answered by 404 with code 4.
    pub(crate) fn has_seen(&self, cache: &RuntimeCache) -> bool {
        self.was_listed(cache) || self.accepted.contains(cache) && self.refused.contains(cache)
    }

    /// Reports whether the last list has the row of this cache.
    pub(crate) fn is_listed(&self, cache: &RuntimeCache) -> bool {
        self.last_list.iter().any(|row| row.is_row_of(cache))
    }

    /// Returns the namesakes of this cache in the last list.
    pub(crate) fn namesakes(&self, cache: &RuntimeCache) -> Vec<RuntimeCache> {
        self.last_list.iter().filter(|row| row.is_namesake_of(cache)).cloned().collect()
    }

    /// Reports whether this run sent a DELETE for another cache of the same language and version.
    pub(crate) fn deleted_namesake(&self, cache: &RuntimeCache) -> bool {
        self.deleted.iter().any(|other| other.has_version_of(cache) && !other.is_row_of(cache))
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(client: &'a Client, report: &'a mut Report<'a>) -> Self {
        Self { client, report, evidence: Evidence::default(), max_wait: MAX_WAIT, alone: true }
    }

    pub(crate) fn report(&mut self, cache: Option<&RuntimeCache>, progress: Progress<'_>) {
        (self.report)(cache, progress);
    }

    /// Reads the list of caches once.
    pub(crate) fn list(&mut self) -> Result<()> {
        let list = self.client.list_once()?;
        self.evidence.add_list(list);
        Ok(())
    }

    /// Sends a dry run once.
    pub(crate) fn dry_run(&mut self, cache: &RuntimeCache) -> Result<()> {
        let evidence = &mut self.evidence;
        let after_delete = evidence.deleted.contains(cache);
        let Err(error) = self.client.dry_run_once(cache) else {
            if !after_delete {
                evidence.accepted.insert(cache.clone());
            }
            return Ok(());
        };
        if error.verdict() == Verdict::NotFound {
            evidence.dry_runs = DryRuns::Tell;
            if after_delete {
                evidence.refused.insert(cache.clone());
            }
        }
        evidence.dry_run_deleted |= matches!(error.kind, ErrorKind::DryRunStarted { .. });
        Err(error)
    }

    /// Counts a failure, reports the retry if there is one, and returns when it is due.
    pub(crate) fn retry_at(
        &mut self,
        failures: &mut Failures,
        error: &Error,
        cache: Option<&RuntimeCache>,
    ) -> Option<Instant> {
        let Again { delay, is_retry } = self.client.next_try(failures, error)?;
        if is_retry {
            self.report(cache, Progress::Retrying { error, delay });
        }
        Some(self.client.clock().now() + delay)
    }

    /// Sleeps until a request is due and the server is ready for it, and reports each second of it.
    pub(crate) fn sleep_until(&mut self, due: Instant, cache: Option<&RuntimeCache>) {
        let due = due.max(self.client.clock().now() + self.client.pause_for_load());
        loop {
            let left = due.saturating_duration_since(self.client.clock().now());
            if left.is_zero() {
                return;
            }
            self.client.clock().sleep(left.min(WAITING));
            self.report(cache, Progress::Waiting);
        }
    }
}
