//! Tasks, one or several, followed to their end in one loop.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::retry::Retry;
use crate::{Client, Error, Result, RuntimeCache, Task, TaskId, api};

/// The longest that Connect holds a look at a task, in seconds.
const MAX_WAIT: u64 = 20;

/// A look that was lost after this long was held, and not refused.
const HELD: Duration = Duration::from_secs(1);
/// The least time between looks, whatever the interval that was asked for.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// What happens between the beginning and the end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The server started this task to delete the cache.
    Started(&'a TaskId),
    /// A line of the task's output.
    Line(&'a str),
    /// The answer to the deletion is lost, so a dry run asks what became of the cache.
    InDoubt(&'a Error),
    /// The cache is still there, so its deletion is sent again.
    SentAgain,
    /// The task's end could not be seen, so a dry run asks what became of the cache.
    Settling,
    /// Some time has passed; only where [`Config::watched`](crate::Config::watched).
    Tick,
}

/// Who is told of the progress of what: of a cache's deletion, or of the one task there is.
pub(crate) type Report<'a> = dyn FnMut(Option<&RuntimeCache>, Progress<'_>) + 'a;

/// Follows a task to its end, and hands each line of its output to `on_line` as it arrives.
///
/// A task that is not `finished` in what is returned was still running when the
/// [deadline](crate::Config::deadline) came. Its `output` is the last lines only.
///
/// ```
/// # use connect_cache::{ApiKey, Client, Config, follow};
/// # let server = connect_test_server::Server::start(Default::default());
/// # let client = Client::new(Config::new(server.url().parse()?, ApiKey::new("admin-key")?))?;
/// # let cache = client.runtime_caches()?.remove(0);
/// let id = client.delete_runtime_cache(&cache)?;
/// let task = follow(&client, &id, |line| println!("{line}"))?;
/// assert!(task.finished && task.code == 0, "{}", task.error);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Code 141 where no node of the server knows the task, and whatever keeps answers from coming once the
/// retries are spent.
pub fn follow(client: &Client, id: &TaskId, mut on_line: impl FnMut(&str)) -> Result<Task> {
    follow_reporting(client, id, &mut |_, progress| {
        if let Progress::Line(line) = progress {
            on_line(line);
        }
    })
}

/// [`follow`], with all that is to report.
pub(crate) fn follow_reporting(client: &Client, id: &TaskId, report: &mut Report<'_>) -> Result<Task> {
    let mut run = Run::new(client, report);
    let mut watch = Some(Watch::new(id.clone()));
    let mut end = None;
    drive(&mut run, 1, &mut |_| watch.take(), &mut |_, _, ended| end = Some(ended));
    match end {
        Some(Watched::Finished(task) | Watched::OutOfTime(task)) => Ok(task),
        Some(Watched::Unanswered(error)) => Err(error),
        None => unreachable!("the loop ends when the watch has"),
    }
}

/// What the jobs of one run share.
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    report: &'a mut Report<'a>,
    /// The longest to ask a server to hold a look, in seconds: a gateway may be less patient.
    max_wait: u64,
    /// Whether one job is all there is, so that a look at it may be held.
    alone: bool,
}

impl<'a> Run<'a> {
    pub(crate) fn new(client: &'a Client, report: &'a mut Report<'_>) -> Self {
        Self { client, report, max_wait: MAX_WAIT, alone: true }
    }

    pub(crate) fn report(&mut self, cache: Option<&RuntimeCache>, progress: Progress<'_>) {
        (self.report)(cache, progress);
    }

    fn sleep_until(&mut self, due: Instant) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if self.client.config().watched {
                sleep(left.min(Duration::from_secs(1)));
                self.report(None, Progress::Tick);
            } else {
                sleep(left);
            }
        }
    }
}

/// Something that goes on in steps of one request each.
pub(crate) trait Job {
    type End;

    /// When the next step is to be taken.
    fn due(&self) -> Instant;

    /// Takes a step; what came of the job, if that was the last.
    fn step(&mut self, run: &mut Run<'_>) -> Option<Self::End>;
}

/// Takes the jobs that `next` gives to their ends, at most `at_once` at a time, each as its turn comes.
pub(crate) fn drive<J: Job>(
    run: &mut Run<'_>,
    at_once: usize,
    next: &mut dyn FnMut(&mut Run<'_>) -> Option<J>,
    ended: &mut dyn FnMut(&mut Run<'_>, J, J::End),
) {
    let mut jobs: Vec<J> = Vec::new();
    loop {
        // A new job takes its first step before there is another: what comes of that step, or the time, may
        // leave no room for more.
        let new = if jobs.len() < at_once { next(run) } else { None };
        let turn = match new {
            Some(job) => {
                jobs.push(job);
                jobs.len() - 1
            }
            None => match (0..jobs.len()).min_by_key(|&i| jobs[i].due()) {
                Some(turn) => turn,
                None => return,
            },
        };
        run.alone = jobs.len() == 1;
        run.sleep_until(jobs[turn].due());
        if let Some(end) = jobs[turn].step(run) {
            let job = jobs.remove(turn);
            ended(run, job, end);
        }
    }
}

/// One task being followed.
pub(crate) struct Watch {
    id: TaskId,
    /// The lines seen so far.
    first: u64,
    /// The looks that were answered so far.
    looks: u32,
    retry: Retry,
    due: Instant,
}

/// How following a task ended.
pub(crate) enum Watched {
    Finished(Task),
    /// The deadline came; the task's last state.
    OutOfTime(Task),
    /// Looks failed for good.
    Unanswered(Error),
}

impl Watch {
    pub(crate) fn new(id: TaskId) -> Self {
        Self { id, first: 0, looks: 0, retry: Retry::default(), due: Instant::now() }
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Looks at the task once; `cache` is what it deletes, for the report.
    pub(crate) fn look(&mut self, cache: Option<&RuntimeCache>, run: &mut Run<'_>) -> Option<Watched> {
        let config = run.client.config();
        let begun = Instant::now();
        let wait = match run.alone {
            true => wait(self.looks, config.watched, config.interval, run.max_wait, config.time_left()),
            false => 0,
        };
        match run.client.attempt(&api::task(&self.id, self.first, wait)) {
            Ok(task) => {
                self.retry.succeeded();
                self.looks += 1;
                // Should the count and the lines disagree, no line is to be shown twice.
                self.first = task.last.max(self.first.saturating_add(task.output.len() as u64));
                for line in &task.output {
                    run.report(cache, Progress::Line(line));
                }
                if config.watched {
                    run.report(None, Progress::Tick);
                }
                if task.finished {
                    return Some(Watched::Finished(task));
                }
                let now = Instant::now();
                if config.deadline.is_some_and(|deadline| now >= deadline) {
                    return Some(Watched::OutOfTime(task));
                }
                // A server or proxy that ignores `wait` is not to be hammered; and at the deadline
                // there is a last look.
                let due = (begun + config.interval.max(LEAST_INTERVAL)).max(now);
                self.due = config.deadline.map_or(due, |deadline| due.min(deadline));
            }
            Err(error) => {
                // Of losses in a row, only those that took their time are further signs of impatience: a
                // server that restarts behind its gateway fails at once, again and again.
                let held = begun.elapsed() >= HELD || self.retry.is_first();
                if wait > 0 && held && error.is_lost_while_held() {
                    run.max_wait = wait / 2;
                }
                match run.client.next_try(&mut self.retry, &error) {
                    Some(delay) => self.due = Instant::now() + delay,
                    None => return Some(Watched::Unanswered(error)),
                }
            }
        }
        None
    }
}

impl Job for Watch {
    type End = Watched;

    fn due(&self) -> Instant {
        self.due
    }

    fn step(&mut self, run: &mut Run<'_>) -> Option<Watched> {
        self.look(None, run)
    }
}

/// For how many seconds to let the server hold a look, after `looks` that were answered.
///
/// It doubles from 1 to 16, so that an hour costs some 230 looks; a person who watches wants to see the
/// time go by. It is not shorter than the least time between looks, nor longer than the time left.
fn wait(looks: u32, watched: bool, interval: Duration, max: u64, left: Duration) -> u64 {
    let growing = if watched { 1 } else { 1 << looks.min(4) };
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
    fn looks_are_held_longer_and_longer() {
        let waits: Vec<u64> = (0..7).map(|n| wait(n, false, secs(1.0), 20, Duration::MAX)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn a_hold_keeps_to_the_person_the_interval_the_gateway_and_the_time_left() {
        for (looks, watched, interval, max, left, expected) in [
            (9, true, 1.0, 20, 1e6, 1),
            (0, false, 5.0, 20, 1e6, 5),
            (0, false, 2.5, 20, 1e6, 3),
            (0, true, 30.0, 20, 1e6, 20),
            (9, false, 0.2, 20, 1e6, 16),
            (9, false, 1.0, 4, 1e6, 4),
            (9, false, 1.0, 0, 1e6, 0),
            (9, false, 1.0, 20, 3.9, 3),
            (0, false, 1.0, 20, 0.9, 0),
        ] {
            assert_eq!(wait(looks, watched, secs(interval), max, secs(left)), expected);
        }
    }
}
