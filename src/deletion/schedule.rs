//! Several deletions at once in one thread, each of which sends one request per turn.

use std::time::Instant;

use crate::api::RuntimeCache;
use crate::deletion::Selection;
use crate::deletion::job::Job;
use crate::deletion::outcome::{Deletion, Obstacle, Outcome};
use crate::deletion::progress::Progress;
use crate::deletion::run::{Run, Step};
use crate::http::Jar;

/// The deletions of several caches.
pub(crate) struct Schedule<'a> {
    /// The caches whose deletions have not started.
    waiting: &'a [RuntimeCache],
    selection: &'a Selection<'a>,
    running: Vec<Running<'a>>,
    access_refused: bool,
    ended: Vec<Deletion>,
}

/// A deletion that waits for its next turn.
struct Running<'a> {
    cache: &'a RuntimeCache,
    job: Job<'a>,
    due: Instant,
    /// The cookies after its last turn, which lead to the node that runs its task.
    cookies: Jar,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(selection: &'a Selection<'a>) -> Self {
        Self {
            waiting: selection.caches,
            selection,
            running: Vec::new(),
            access_refused: false,
            ended: Vec::new(),
        }
    }

    /// Runs the deletions until they have ended, and returns them in the order of their ends.
    pub(crate) fn complete(mut self, run: &mut Run<'_>) -> Vec<Deletion> {
        loop {
            // A new deletion takes its first turn before the next one starts: after its result, or after the timeout,
            // there may be no further deletions.
            if let Some(cache) = self.next_cache(run) {
                run.alone = self.running.is_empty();
                let job = Job::new(cache, self.selection.mode, run);
                self.turn(cache, job, run);
            } else if let Some(turn) = (0..self.running.len()).min_by_key(|&i| self.running[i].due) {
                run.alone = self.running.len() == 1;
                let Running { cache, job, due, cookies } = self.running.remove(turn);
                run.sleep_until(due, Some(cache));
                run.client.set_cookies(cookies);
                self.turn(cache, job, run);
            } else {
                break;
            }
        }
        for cache in self.waiting {
            let obstacle = if self.access_refused { Obstacle::AccessRefused } else { Obstacle::TimedOut };
            self.end(Deletion::new(cache, Outcome::NotStarted(obstacle)), run);
        }
        self.ended
    }

    /// Returns the next cache whose deletion may start, once the server is ready for it.
    fn next_cache(&mut self, run: &mut Run<'_>) -> Option<&'a RuntimeCache> {
        let (next, rest) = self.waiting.split_first()?;
        if self.access_refused || self.running.len() >= self.selection.max_running.max(1) {
            return None;
        }
        run.sleep_until(run.client.clock().now(), Some(next));
        if !run.client.may_start() {
            return None;
        }
        self.waiting = rest;
        Some(next)
    }

    fn turn(&mut self, cache: &'a RuntimeCache, job: Job<'a>, run: &mut Run<'_>) {
        match job.step(run) {
            Step::Next(job, due) => {
                self.running.push(Running { cache, job, due, cookies: run.client.cookies() });
            }
            Step::End(deletion) => {
                self.access_refused |= deletion.outcome.is_denied();
                self.end(deletion, run);
            }
        }
    }

    fn end(&mut self, mut deletion: Deletion, run: &mut Run<'_>) {
        if self.selection.ignore_missing {
            deletion.outcome = deletion.outcome.ignoring_missing();
        }
        run.report(Some(&deletion.cache), Progress::Ended(&deletion));
        self.ended.push(deletion);
    }
}
