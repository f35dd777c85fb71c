//! The deletion of one runtime cache, from the request to the truth about the cache.
//!
//! A [`Deletion`] goes from state to state by one request at a time:
//!
//! | state | request | what the answer leads to |
//! | --- | --- | --- |
//! | `Check` | dry run | would delete, no such cache, refused |
//! | `Send` | DELETE | `Follow`; no such cache; refused; in doubt: `Ask` |
//! | `Ask` | dry run | gone: deleted; still there: for 5 s `Ask`, then `Send`; not known: unknown |
//! | `Follow` | poll of the task | succeeded: deleted; failed: failed; no answer: `Resolve` |
//! | `Resolve` | dry run | gone: deleted; else what was known before |
//!
//! A DELETE is in doubt once any of it was sent and the reply is lost: it may or may not have started a task.
//! Only a dry run, which changes nothing and matches names as the server does, can tell, and only the
//! cache's absence is proof: a task may be working on a cache that is still there.

use std::time::{Duration, Instant};

use crate::endpoints::{CheckRuntimeCache, DeleteRuntimeCache};
use crate::follow::{Followed, Following};
use crate::jobs::{Batch, Job, Run, Step};
use crate::retry::Retry;
use crate::{Client, Error, Outcome, Progress, RuntimeCache, Status, TaskId};

/// How long a cache in doubt is given to disappear before the DELETE is sent again.
const ASK_FOR: Duration = Duration::from_secs(5);
/// The time between two such questions.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How far to take a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// The server checks, and nothing is deleted.
    DryRun,
    /// The task is started, and not followed.
    NoWait,
    /// The task is followed until it finishes.
    Wait,
}

impl Client {
    /// Deletes a runtime cache, and finds out what happened to it if replies are lost.
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Mode, Progress, RuntimeCache, Status};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// let cache = RuntimeCache::new("Python", "3.7.6", "Local");
    /// let outcome = client.delete(&cache, Mode::Wait, |progress| {
    ///     if let Progress::Line(line) = progress {
    ///         println!("{line}");
    ///     }
    /// });
    /// assert_eq!(outcome.status, Status::Deleted, "{:?}", outcome.error);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(
        &self,
        cache: &RuntimeCache,
        mode: Mode,
        mut on_progress: impl FnMut(Progress<'_>),
    ) -> Outcome {
        let mut report = |_: Option<&RuntimeCache>, progress: Progress<'_>| on_progress(progress);
        Run::new(self, &mut report).complete(Deletion::new(cache, mode, false))
    }

    /// Deletes caches that were listed in this run, at most `max_running` at once, and returns their outcomes
    /// in the same order.
    ///
    /// A failure does not stop the others. Once the key is refused or the [time](crate::Config::timeout) is
    /// over, no further deletion starts. A cache that vanished before its DELETE is [`Status::Absent`].
    /// [`Progress::Ended`] reports each outcome as it is known.
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Mode, Progress, Status};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// let caches = client.runtime_caches()?;
    /// let outcomes = client.delete_all(&caches, Mode::Wait, 4, |cache, progress| {
    ///     if let Progress::Ended(outcome) = progress {
    ///         println!("{cache}: {}", outcome.status.as_str());
    ///     }
    /// });
    /// assert!(outcomes.iter().all(|outcome| outcome.status == Status::Deleted));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "only the outcomes tell which caches are gone"]
    pub fn delete_all(
        &self,
        caches: &[RuntimeCache],
        mode: Mode,
        max_running: usize,
        mut on_progress: impl FnMut(&RuntimeCache, Progress<'_>),
    ) -> Vec<Outcome> {
        let mut report = |cache: Option<&RuntimeCache>, progress: Progress<'_>| {
            if let Some(cache) = cache {
                on_progress(cache, progress);
            }
        };
        let mut run = Run::new(self, &mut report);
        let mut deletions = Deletions::new(caches, mode);
        run.complete_all(&mut deletions, max_running.max(1));
        deletions.outcomes(&mut run)
    }
}

/// The deletions of several caches.
struct Deletions<'a> {
    caches: &'a [RuntimeCache],
    mode: Mode,
    started: usize,
    denied: bool,
    /// One for each cache.
    outcomes: Vec<Outcome>,
}

impl<'a> Deletions<'a> {
    fn new(caches: &'a [RuntimeCache], mode: Mode) -> Self {
        let outcomes = caches.iter().map(|_| Outcome::new(Status::NotStarted)).collect();
        Self { caches, mode, started: 0, denied: false, outcomes }
    }

    /// Returns all outcomes, after reporting the deletions that were not started.
    fn outcomes(self, run: &mut Run<'_>) -> Vec<Outcome> {
        for (cache, outcome) in self.caches.iter().zip(&self.outcomes).skip(self.started) {
            run.report(Some(cache), Progress::Ended(outcome));
        }
        self.outcomes
    }
}

impl<'a> Batch for Deletions<'a> {
    type Job = Deletion<'a>;

    fn next(&mut self, client: &Client) -> Option<Deletion<'a>> {
        if self.denied || client.time_left().is_zero() {
            return None;
        }
        let cache = self.caches.get(self.started)?;
        self.started += 1;
        Some(Deletion::new(cache, self.mode, true))
    }

    fn ended(&mut self, run: &mut Run<'_>, number: usize, mut outcome: Outcome) {
        if outcome.status == Status::NotFound {
            outcome.status = Status::Absent;
        }
        self.denied |= outcome.is_denied();
        run.report(Some(&self.caches[number]), Progress::Ended(&outcome));
        self.outcomes[number] = outcome;
    }
}

/// The deletion of one cache, as a state machine.
struct Deletion<'a> {
    history: History<'a>,
    state: State<'a>,
}

/// What is known of a deletion, whatever its state.
struct History<'a> {
    cache: &'a RuntimeCache,
    mode: Mode,
    /// The DELETEs whose replies were lost.
    lost_sends: Retry,
    /// Whether this run saw the cache: in a list, or by a dry run.
    seen: bool,
    /// Whether a DELETE was ever in doubt.
    in_doubt: bool,
    task: Option<TaskId>,
}

/// What the next request is. `retry` counts its consecutive failures.
enum State<'a> {
    Check {
        retry: Retry,
    },
    Send {
        retry: Retry,
    },
    Ask {
        retry: Retry,
        /// How long to ask again while the cache is there.
        until: Option<Instant>,
        /// Whether the DELETE may be sent again then.
        send_again: bool,
        /// Why the reply to the DELETE was lost.
        lost: Error,
    },
    Follow(Following<'a>),
    Resolve {
        retry: Retry,
        /// The outcome if the cache is still there.
        known: Outcome,
    },
}

impl<'a> Deletion<'a> {
    fn new(cache: &'a RuntimeCache, mode: Mode, seen: bool) -> Self {
        let retry = Retry::default();
        let state = if mode == Mode::DryRun { State::Check { retry } } else { State::Send { retry } };
        let history =
            History { cache, mode, lost_sends: Retry::default(), seen, in_doubt: false, task: None };
        Self { history, state }
    }
}

impl Job for Deletion<'_> {
    type End = Outcome;

    fn cache(&self) -> Option<&RuntimeCache> {
        Some(self.history.cache)
    }

    fn step(self, run: &mut Run<'_>) -> Step<Self> {
        let Self { history, state } = self;
        match state {
            State::Check { retry } => history.check(retry, run),
            State::Send { retry } => history.send(retry, run),
            State::Ask { retry, until, send_again, lost } => history.ask(retry, until, send_again, lost, run),
            State::Follow(following) => history.follow(following, run),
            State::Resolve { retry, known } => history.resolve(retry, known, run),
        }
    }
}

impl<'a> History<'a> {
    fn check(self, mut retry: Retry, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        match run.client.attempt(&CheckRuntimeCache(self.cache)) {
            Ok(()) => self.end(Outcome::new(Status::WouldDelete)),
            Err(error) => match run.client.next_try(&mut retry, &error) {
                Some(delay) => self.after(delay, State::Check { retry }),
                None => self.end(Outcome::refused(error)),
            },
        }
    }

    fn send(mut self, mut retry: Retry, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        match run.client.attempt(&DeleteRuntimeCache(self.cache)) {
            Ok(task) => {
                run.report(Some(self.cache), Progress::Started(&task));
                self.task = Some(task.clone());
                if self.mode == Mode::NoWait {
                    return self.end(Outcome::new(Status::Started));
                }
                let following = Following::new(task, Some(self.cache));
                self.after(Duration::ZERO, State::Follow(following))
            }
            Err(lost) if lost.is_in_doubt() => {
                run.report(Some(self.cache), Progress::InDoubt(&lost));
                self.in_doubt = true;
                let send_again = run.client.allowance(&mut self.lost_sends, &lost).is_some();
                let longest = Error::MAX_RETRY_AFTER.min(run.client.time_left());
                let pause = lost.retry_after.filter(|&pause| pause <= longest).unwrap_or_default();
                self.after(pause, State::Ask { retry: Retry::default(), until: None, send_again, lost })
            }
            // Gone since, or never there: after a doubt the two cannot be told apart.
            Err(error) if self.in_doubt && error.is_no_such_cache() => self.gone(),
            Err(error) => match run.client.next_try(&mut retry, &error) {
                Some(delay) => self.after(delay, State::Send { retry }),
                // An earlier deletion, whose reply was lost, may still be running.
                None if self.in_doubt => self.end(Outcome::unknown(error)),
                None => self.end(Outcome::refused(error)),
            },
        }
    }

    fn ask(
        mut self,
        mut retry: Retry,
        until: Option<Instant>,
        send_again: bool,
        lost: Error,
        run: &mut Run<'_>,
    ) -> Step<Deletion<'a>> {
        match run.client.attempt(&CheckRuntimeCache(self.cache)) {
            Ok(()) => {
                self.seen = true;
                let now = Instant::now();
                let until = until.unwrap_or(now + ASK_FOR);
                let left = run.client.time_left();
                if now < until && !left.is_zero() {
                    let (retry, until) = (Retry::default(), Some(until));
                    return self.after(ASK_AGAIN.min(left), State::Ask { retry, until, send_again, lost });
                }
                if send_again && !left.is_zero() {
                    run.report(Some(self.cache), Progress::SentAgain);
                    return self.after(Duration::ZERO, State::Send { retry: Retry::default() });
                }
                self.end(Outcome { still_there: Some(true), ..Outcome::unknown(lost) })
            }
            Err(error) if error.is_no_such_cache() => self.gone(),
            Err(error) => match run.client.next_try(&mut retry, &error) {
                Some(delay) => self.after(delay, State::Ask { retry, until, send_again, lost }),
                None => self.end(Outcome::unknown(error)),
            },
        }
    }

    fn follow(self, following: Following<'a>, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        let followed = match following.step(run) {
            Step::Next(following, due) => return self.at(due, State::Follow(following)),
            Step::End(followed) => followed,
        };
        let known = match followed {
            Followed::Finished(task) if task.code == 0 => {
                return self.end(Outcome { code: Some(0), ..Outcome::new(Status::Deleted) });
            }
            Followed::TimedOut(_) => return self.end(Outcome::new(Status::Running)),
            Followed::Finished(task) if !self.in_doubt => {
                return self.end(Outcome::failed(task.code, task.error));
            }
            // The task of the DELETE whose reply was lost may have done the work.
            Followed::Finished(task) => Outcome::failed(task.code, task.error),
            Followed::Lost(error) => Outcome::unknown(error),
        };
        run.report(Some(self.cache), Progress::Resolving);
        self.after(Duration::ZERO, State::Resolve { retry: Retry::default(), known })
    }

    fn resolve(self, mut retry: Retry, known: Outcome, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        match run.client.attempt(&CheckRuntimeCache(self.cache)) {
            Ok(()) => self.end(Outcome { still_there: Some(true), ..known }),
            Err(error) if error.is_no_such_cache() => {
                // The code of a failed task stays: it is the task's, not the cache's.
                let code = known.code.filter(|_| known.status == Status::Failed);
                self.end(Outcome { code, still_there: Some(false), ..Outcome::new(Status::Deleted) })
            }
            Err(error) => match run.client.next_try(&mut retry, &error) {
                Some(delay) => self.after(delay, State::Resolve { retry, known }),
                // Why the task's end was not seen tells more than why the dry run was not answered.
                None if known.status == Status::Unknown => self.end(known),
                // Another task may have done the work of the one that failed.
                None => self.end(Outcome { status: Status::Unknown, cause: Some(error), ..known }),
            },
        }
    }

    /// Ends with the cache gone after a reply was lost.
    fn gone(self) -> Step<Deletion<'a>> {
        let status = if self.seen { Status::Deleted } else { Status::Absent };
        self.end(Outcome { still_there: Some(false), ..Outcome::new(status) })
    }

    fn after(self, delay: Duration, state: State<'a>) -> Step<Deletion<'a>> {
        self.at(Instant::now() + delay, state)
    }

    fn at(self, due: Instant, state: State<'a>) -> Step<Deletion<'a>> {
        Step::Next(Deletion { history: self, state }, due)
    }

    fn end(self, outcome: Outcome) -> Step<Deletion<'a>> {
        Step::End(Outcome { task_id: self.task, in_doubt: self.in_doubt, ..outcome })
    }
}
