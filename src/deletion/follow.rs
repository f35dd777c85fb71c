//! Following a task: polling it until it finishes.

use std::time::{Duration, Instant};

use crate::api::{RuntimeCache, Task, TaskId};
use crate::client::Failures;
use crate::deletion::progress::Progress;
use crate::deletion::run::{MAX_WAIT, Run, Step};
use crate::error::{Error, ErrorKind};

/// A lost poll that took at least this long was held, not refused.
const HELD: Duration = Duration::from_secs(1);
/// Minimum time between polls, whatever the configured interval.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

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
    failures: Failures,
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
        Self { id, cache, first: 0, polls: 0, last: None, failures: Failures::default() }
    }

    /// Polls the task once.
    pub(crate) fn step(self, run: &mut Run<'_>) -> Step<Self, Followed> {
        let wait = if run.alone { self.wait(run) } else { 0 };
        let polled_at = run.client.clock().now();
        match run.client.poll_once(&self.id, self.first, Duration::from_secs(wait)) {
            Ok(task) => self.answered(task, polled_at, run),
            Err(error) => {
                // Of consecutive losses, only those of held polls show that the gateway is impatient: while the server
                // restarts, its gateway refuses each poll at once. A stale connection shows nothing.
                let elapsed = run.client.clock().now().saturating_duration_since(polled_at);
                let held = elapsed >= HELD || self.failures.is_empty() && !error.context.stale;
                if wait > 0 && held && error.class.lost_while_held {
                    run.max_wait = wait / 2;
                }
                self.failed(error, run)
            }
        }
    }

    fn answered(mut self, task: Task, polled_at: Instant, run: &mut Run<'_>) -> Step<Self, Followed> {
        self.failures = Failures::default();
        self.polls += 1;
        for line in &task.output {
            let line = run.client.mask(line);
            run.report(self.cache, Progress::Line(&line));
        }
        if !task.output.is_empty() {
            run.report(self.cache, Progress::Lines);
        }
        // If the count and the lines disagree, no line is shown twice.
        let seen = self.first.saturating_add(task.output.len() as u64);
        self.first = seen.max(task.last);
        run.report(self.cache, Progress::Waiting);
        if task.finished {
            return Step::End(Followed::Finished(task));
        }
        if run.client.time_left().is_zero() {
            return Step::End(Followed::TimedOut(task));
        }
        // A server or proxy that ignores `wait` must not be flooded. The last poll is at the deadline.
        let now = run.client.clock().now();
        let interval = run.client.config().interval.max(MIN_INTERVAL);
        let due = polled_at.checked_add(interval).unwrap_or(polled_at + MIN_INTERVAL).max(now);
        let due = run.client.deadline().map_or(due, |deadline| due.min(deadline));
        self.last = Some(task);
        Step::Next(self, due)
    }

    fn failed(mut self, error: Error, run: &mut Run<'_>) -> Step<Self, Followed> {
        // There may have been no time left for this poll, so that the previous one was the last.
        let is_unsent = matches!(error.kind, ErrorKind::OutOfTime) && self.failures.is_empty();
        if let Some(due) = run.retry_at(&mut self.failures, &error, self.cache) {
            return Step::Next(self, due);
        }
        Step::End(match self.last {
            Some(last) if is_unsent => Followed::TimedOut(last),
            _ => Followed::Lost(error),
        })
    }

    /// Returns how many seconds to let the server hold the next poll.
    ///
    /// It doubles from 1 to 16, so that an hour costs some 230 polls, unless the configuration or a gateway limits it. It
    /// is not shorter than the interval, nor longer than the time left.
    fn wait(&self, run: &Run<'_>) -> u64 {
        let config = run.client.config();
        let longest = config.max_wait.map_or(MAX_WAIT, |max_wait| max_wait.as_secs().max(1));
        let growing = (1 << self.polls.min(4)).min(longest);
        let interval =
            config.interval.as_secs().saturating_add(u64::from(config.interval.subsec_nanos() > 0));
        growing.max(interval.min(MAX_WAIT)).min(run.max_wait).min(run.client.time_left().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::config::Config;
    use crate::deletion::run::Report;

    /// Returns the wait of a poll: after so many others, with this configuration, gateway and time left.
    fn wait(polls: u32, max_wait: Option<f64>, interval: Duration, gateway: u64, left: f64) -> u64 {
        let mut config = Config::new("http://127.0.0.1:1".parse().unwrap(), "key".parse().unwrap());
        config.max_wait = max_wait.map(Duration::from_secs_f64);
        (config.interval, config.timeout) = (interval, Some(Duration::from_secs_f64(left)));
        let client = Client::new(config).unwrap();
        let report: &mut Report<'_> = &mut |_, _| {};
        let mut run = Run::new(&client, report);
        run.max_wait = gateway;
        Following { polls, ..Following::new("a".parse().unwrap(), None) }.wait(&run)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_wait_up_to_sixteen_seconds() {
        let waits: Vec<u64> = (0..7).map(|polls| wait(polls, None, SECOND, MAX_WAIT, 1e6)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn limits_wait_by_configuration_interval_gateway_and_time_left() {
        for (polls, max_wait, interval, gateway, left, expected) in [
            (9, Some(1.0), 1.0, 20, 1e6, 1),
            (0, None, 5.0, 20, 1e6, 5),
            (0, None, 2.5, 20, 1e6, 3),
            (0, Some(1.0), 30.0, 20, 1e6, 20),
            (9, Some(0.2), 0.2, 20, 1e6, 1),
            (9, None, 0.2, 20, 1e6, 16),
            (9, None, 1.0, 4, 1e6, 4),
            (9, None, 1.0, 0, 1e6, 0),
            (9, None, 1.0, 20, 3.9, 3),
            (0, None, 1.0, 20, 0.9, 0),
        ] {
            let interval = Duration::from_secs_f64(interval);
            assert_eq!(wait(polls, max_wait, interval, gateway, left), expected);
        }
        assert_eq!(wait(0, None, Duration::MAX, MAX_WAIT, 1e6), MAX_WAIT);
    }
}
