//! Following a task: polling it until it finishes.

use std::time::{Duration, Instant};

use crate::endpoints::PollTask;
use crate::jobs::{Job, MAX_WAIT, Run, Step};
use crate::retry::Retry;
use crate::{Client, Error, ErrorKind, Progress, Result, RuntimeCache, Task, TaskId};

/// A lost poll that took at least this long was held, not refused.
const HELD: Duration = Duration::from_secs(1);
/// Minimum time between polls, whatever the configured interval.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

impl Client {
    /// Follows a task until it finishes. Each line of its output is reported once.
    ///
    /// A returned task that is not `finished` was still running at the end of the
    /// [timeout](crate::Config::timeout).
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Progress};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// # let cache = client.runtime_caches()?.remove(0);
    /// let id = client.delete_runtime_cache(&cache)?;
    /// let task = client.follow(&id, |progress| {
    ///     if let Progress::Line(line) = progress {
    ///         println!("{line}");
    ///     }
    /// })?;
    /// assert!(task.finished && task.code == 0, "{}", task.error);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Code 141 if no node of the server knows the task, and anything that still prevents answers once the
    /// retries are spent.
    pub fn follow(&self, id: &TaskId, mut on_progress: impl FnMut(Progress<'_>)) -> Result<Task> {
        let mut report = |_: Option<&RuntimeCache>, progress: Progress<'_>| on_progress(progress);
        match Run::new(self, &mut report).complete(Following::new(id.clone(), None)) {
            Followed::Finished(task) | Followed::TimedOut(task) => Ok(task),
            Followed::Lost(error) => Err(error),
        }
    }
}

/// A task being followed.
pub(crate) struct Following<'a> {
    id: TaskId,
    /// The cache that the task deletes, for the report.
    cache: Option<&'a RuntimeCache>,
    /// The number of lines seen so far.
    first: u64,
    /// The number of polls answered so far.
    polls: u32,
    /// The task as the last answered poll showed it.
    last: Option<Task>,
    retry: Retry,
}

/// How following a task ended.
pub(crate) enum Followed {
    Finished(Task),
    /// The time ran out; the task's last state.
    TimedOut(Task),
    /// Polls failed for good.
    Lost(Error),
}

impl<'a> Following<'a> {
    pub(crate) fn new(id: TaskId, cache: Option<&'a RuntimeCache>) -> Self {
        Self { id, cache, first: 0, polls: 0, last: None, retry: Retry::default() }
    }

    fn answered(mut self, task: Task, polled_at: Instant, run: &mut Run<'_>) -> Step<Self> {
        self.retry.succeeded();
        self.polls += 1;
        // If the count and the lines disagree, no line is shown twice.
        self.first = self.first.max(task.last);
        if run.client.config().max_wait.is_some() {
            run.report(self.cache, Progress::Waiting);
        }
        if task.finished {
            return Step::End(Followed::Finished(task));
        }
        if run.client.time_left().is_zero() {
            return Step::End(Followed::TimedOut(task));
        }
        // A server or proxy that ignores `wait` must not be flooded. The last poll is at the deadline.
        let due = polled_at + run.client.config().interval.max(MIN_INTERVAL);
        let due = due.max(Instant::now());
        let due = run.client.deadline().map_or(due, |deadline| due.min(deadline));
        self.last = Some(task);
        Step::Next(self, due)
    }

    fn failed(mut self, error: Error, polled_at: Instant, wait: u64, run: &mut Run<'_>) -> Step<Self> {
        // Of consecutive losses, only those of held polls show that the gateway is impatient: while the server
        // restarts, its gateway refuses each poll at once.
        let held = polled_at.elapsed() >= HELD || self.retry.is_first();
        if wait > 0 && held && error.is_lost_while_held() {
            run.max_wait = wait / 2;
        }
        if let Some(delay) = run.client.retry_delay(&mut self.retry, &error) {
            return Step::Next(self, Instant::now() + delay);
        }
        Step::End(match self.last {
            // There was no time left for this poll, so the previous one was the last.
            Some(last) if matches!(error.kind, ErrorKind::OutOfTime) => Followed::TimedOut(last),
            _ => Followed::Lost(error),
        })
    }
}

impl Job for Following<'_> {
    type End = Followed;

    /// Polls the task once.
    fn step(mut self, run: &mut Run<'_>) -> Step<Self> {
        let config = run.client.config();
        let wait = match run.alone {
            true => wait(self.polls, config.max_wait, config.interval, run.max_wait, run.client.time_left()),
            false => 0,
        };
        let polled_at = Instant::now();
        let mut poll = PollTask { id: &self.id, first: self.first, wait: Duration::from_secs(wait) };
        let task = run.client.poll(&mut poll, &mut |line| run.report(self.cache, Progress::Line(line)));
        self.first = poll.first;
        match task {
            Ok(task) => self.answered(task, polled_at, run),
            Err(error) => self.failed(error, polled_at, wait, run),
        }
    }
}

/// Returns how many seconds to let the server hold a poll, after `polls` answered ones.
///
/// It doubles from 1 to 16, so that an hour costs some 230 polls, unless the heartbeat is more frequent. It
/// is not shorter than the interval, nor longer than the time left.
fn wait(polls: u32, heartbeat: Option<Duration>, interval: Duration, max: u64, left: Duration) -> u64 {
    let growing = match heartbeat {
        Some(heartbeat) => heartbeat.as_secs().max(1),
        None => 1 << polls.min(4),
    };
    let interval = interval.as_secs() + u64::from(interval.subsec_nanos() > 0);
    growing.max(interval.min(MAX_WAIT)).min(max).min(left.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn doubles_wait_up_to_sixteen_seconds() {
        let waits: Vec<u64> = (0..7).map(|n| wait(n, None, secs(1.0), 20, Duration::MAX)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn limits_wait_by_heartbeat_interval_gateway_and_time_left() {
        let second = Some(secs(1.0));
        for (polls, heartbeat, interval, max, left, expected) in [
            (9, second, 1.0, 20, 1e6, 1),
            (0, None, 5.0, 20, 1e6, 5),
            (0, None, 2.5, 20, 1e6, 3),
            (0, second, 30.0, 20, 1e6, 20),
            (9, Some(secs(0.2)), 0.2, 20, 1e6, 1),
            (9, None, 0.2, 20, 1e6, 16),
            (9, None, 1.0, 4, 1e6, 4),
            (9, None, 1.0, 0, 1e6, 0),
            (9, None, 1.0, 20, 3.9, 3),
            (0, None, 1.0, 20, 0.9, 0),
        ] {
            assert_eq!(wait(polls, heartbeat, secs(interval), max, secs(left)), expected);
        }
    }
}
