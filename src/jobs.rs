//! Jobs that take one request per step, several at once in one thread.

use std::thread::sleep;
use std::time::Instant;

use crate::cookies::Jar;
use crate::{Client, Progress, RuntimeCache};

/// The longest that Connect holds a poll, in seconds.
pub(crate) const MAX_WAIT: u64 = 20;

/// Work that proceeds in steps of one request each.
pub(crate) trait Job: Sized {
    type End;

    /// Sends the next request, and handles its result.
    fn step(self, run: &mut Run<'_>) -> Step<Self>;
}

/// The result of a step: the job with the due time of its next step, or its end.
pub(crate) enum Step<J: Job> {
    Next(J, Instant),
    End(J::End),
}

/// Jobs that share a run.
pub(crate) trait Batch {
    type Job: Job;

    /// Returns the next job to start, if there is one.
    fn next(&mut self, client: &Client) -> Option<Self::Job>;

    /// Returns the cache that a job deletes. Jobs are numbered from 0 in the order in which they start.
    fn cache(&self, number: usize) -> &RuntimeCache;

    /// Handles the end of a job.
    fn ended(&mut self, run: &mut Run<'_>, number: usize, end: <Self::Job as Job>::End);
}

/// A job that waits for its next step.
struct Running<J> {
    number: usize,
    job: J,
    due: Instant,
    /// The cookies after its last step, which lead to the node that runs its task.
    cookies: Jar,
}

/// Receives the progress of a cache's deletion, or of the only job.
pub(crate) type Report<'a> = dyn FnMut(Option<&RuntimeCache>, Progress<'_>) + 'a;

/// The state that the jobs of one run share.
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    report: &'a mut Report<'a>,
    /// The longest to ask a server to hold a poll, in seconds: a gateway may allow less.
    pub(crate) max_wait: u64,
    /// Whether there is only one job, so that its polls may be held.
    pub(crate) alone: bool,
}

impl<'a> Run<'a> {
    pub(crate) fn new(client: &'a Client, report: &'a mut Report<'a>) -> Self {
        Self { client, report, max_wait: MAX_WAIT, alone: true }
    }

    pub(crate) fn report(&mut self, cache: Option<&RuntimeCache>, progress: Progress<'_>) {
        (self.report)(cache, progress);
    }

    /// Runs one job until it ends.
    pub(crate) fn complete<J: Job>(&mut self, mut job: J) -> J::End {
        loop {
            match job.step(self) {
                Step::Next(next, due) => {
                    job = next;
                    self.sleep_until(due, None);
                }
                Step::End(end) => return end,
            }
        }
    }

    /// Runs all jobs of a batch until they end, at most `max_running` at once.
    pub(crate) fn complete_all<B: Batch>(&mut self, batch: &mut B, max_running: usize) {
        let mut running: Vec<Running<B::Job>> = Vec::new();
        let mut started = 0;
        loop {
            // A new job takes its first step before the next one starts: after its result, or after the timeout, there
            // may be no further jobs.
            let new = if running.len() < max_running { batch.next(self.client) } else { None };
            self.alone = running.len() + usize::from(new.is_some()) == 1;
            let (number, job) = match new {
                Some(job) => {
                    started += 1;
                    (started - 1, job)
                }
                None => match (0..running.len()).min_by_key(|&i| running[i].due) {
                    Some(turn) => {
                        let Running { number, job, due, cookies } = running.remove(turn);
                        self.sleep_until(due, Some(batch.cache(number)));
                        self.client.set_cookies(cookies);
                        (number, job)
                    }
                    None => return,
                },
            };
            match job.step(self) {
                Step::Next(job, due) => {
                    running.push(Running { number, job, due, cookies: self.client.cookies() });
                }
                Step::End(end) => batch.ended(self, number, end),
            }
        }
    }

    fn sleep_until(&mut self, due: Instant, cache: Option<&RuntimeCache>) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            match self.client.config().max_wait {
                Some(heartbeat) => {
                    sleep(left.min(heartbeat));
                    self.report(cache, Progress::Waiting);
                }
                None => sleep(left),
            }
        }
    }
}
