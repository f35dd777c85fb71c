//! The deletion of one runtime cache, from the request to the outcome.
//!
//! A [`Deletion`] goes from state to state by one request at a time:
//!
//! | state | request | leads to |
//! | --- | --- | --- |
//! | `Send` | DELETE | `Follow`; refused, not found, not started; in doubt: `Check` |
//! | `Follow` | poll of the task | succeeded: deleted; timed out: running; failed or lost: `Check` |
//! | `Check` | those of a [`Question`] | the outcome, by the reason for the check and its result |
//!
//! A DELETE is in doubt once any of it was sent and the reply is lost: it may or may not have started a task.
//! It is never simply repeated. The question whether the cache is there resolves it, and likewise a task that
//! failed or whose end was not seen:
//!
//! | reason for the check | gone | there | not known |
//! | --- | --- | --- | --- |
//! | dry run | not found | would delete | unknown, or why the dry run failed |
//! | DELETE in doubt | deleted or absent | for 5 s `Check` again, then `Send`; else unknown | unknown |
//! | task failed | deleted, not found or absent | failed | failed if nothing was in doubt and the code is not 0, else unknown |
//! | task lost | deleted or absent | unknown | unknown |
//!
//! A cache that is gone was deleted if this run saw it; see [`History::gone`].

use std::time::{Duration, Instant};

use crate::client::DryRuns;
use crate::endpoints::DeleteRuntimeCache;
use crate::follow::{Followed, Following};
use crate::jobs::{Batch, Job, Run, Step};
use crate::presence::{Finding, Presence, Question};
use crate::retry::Retry;
use crate::{Client, Error, ErrorKind, Outcome, Progress, RuntimeCache, Status, TaskId};

/// How long to wait for a cache in doubt to disappear before the DELETE is sent again: a task may be deleting it.
const CHECK_FOR: Duration = Duration::from_secs(5);
/// The time between two checks whether it has disappeared.
const CHECK_AGAIN: Duration = Duration::from_secs(1);

/// How much of a deletion to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// The server checks the request and deletes nothing.
    DryRun,
    /// The task is started but not followed.
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
        Run::new(self, &mut report).complete(Deletion::new(cache, mode))
    }

    /// Deletes caches that this client has [listed](Self::runtime_caches), at most `max_running` at once, and
    /// returns their outcomes in the same order.
    ///
    /// A failure does not stop the others. Once the key is refused or the [time](crate::Config::timeout) is
    /// over, no further deletion starts. A cache that vanished before its DELETE is [`Status::Absent`].
    /// [`Progress::Ended`] reports each outcome as soon as it is known.
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
    #[must_use = "only the outcomes show which caches are gone"]
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
    fn outcomes(mut self, run: &mut Run<'_>) -> Vec<Outcome> {
        let why = if self.denied { "the key was refused" } else { "timed out" };
        for (cache, outcome) in self.caches.iter().zip(&mut self.outcomes).skip(self.started) {
            outcome.error = Some(why.to_owned());
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
        Some(Deletion::new(cache, self.mode))
    }

    fn cache(&self, number: usize) -> &RuntimeCache {
        &self.caches[number]
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
    started_at: Instant,
    /// The DELETEs whose replies were lost.
    lost_sends: Retry,
    /// Whether a DELETE was ever in doubt.
    in_doubt: bool,
    /// Whether a dry run or a DELETE was accepted: this run saw the cache, if the server's dry runs are conclusive.
    accepted: bool,
    task: Option<TaskId>,
}

enum State<'a> {
    Send {
        retry: Retry,
        /// Why the previous DELETE failed, if there was one.
        failed: Option<Error>,
    },
    Follow(Following<'a>),
    Check {
        question: Question<'a>,
        because: Because,
    },
}

/// The reason for asking whether the cache is there.
enum Because {
    DryRun,
    InDoubt {
        /// Why the reply to the DELETE was lost.
        lost: Error,
        /// When to stop checking again while the cache is there.
        until: Option<Instant>,
        /// Whether the retries allow another DELETE after that.
        send_again: bool,
    },
    TaskFailed {
        code: i64,
        error: String,
    },
    TaskLost(Error),
}

impl<'a> Deletion<'a> {
    fn new(cache: &'a RuntimeCache, mode: Mode) -> Self {
        let state = match mode {
            // A purge may trust the list that it began with.
            Mode::DryRun => State::Check {
                question: Question::new(cache).trusting_earlier_list(),
                because: Because::DryRun,
            },
            Mode::NoWait | Mode::Wait => State::Send { retry: Retry::default(), failed: None },
        };
        let history = History {
            cache,
            mode,
            started_at: Instant::now(),
            lost_sends: Retry::default(),
            in_doubt: false,
            accepted: false,
            task: None,
        };
        Self { history, state }
    }
}

impl Job for Deletion<'_> {
    type End = Outcome;

    fn step(self, run: &mut Run<'_>) -> Step<Self> {
        let Self { history, state } = self;
        match state {
            State::Send { retry, failed } => history.send(retry, failed, run),
            State::Follow(following) => match following.step(run) {
                Step::Next(following, due) => history.at(due, State::Follow(following)),
                Step::End(followed) => history.followed(followed, run),
            },
            State::Check { question, because } => match question.step(run) {
                Step::Next(question, due) => history.at(due, State::Check { question, because }),
                Step::End(finding) => history.found(finding, because, run),
            },
        }
    }
}

impl<'a> History<'a> {
    fn send(mut self, mut retry: Retry, failed: Option<Error>, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        if let Some(failed) = failed {
            // Another job's request may have delayed this one: no deletion starts after the timeout.
            if run.client.time_left().is_zero() {
                return self.not_sent(failed);
            }
        }
        let error = match run.client.attempt(&DeleteRuntimeCache(self.cache)) {
            Ok(task) => {
                self.accepted = true;
                self.task = Some(task.clone());
                run.report(Some(self.cache), Progress::Started(&task));
                if self.mode == Mode::NoWait {
                    return self.end(Outcome::new(Status::Started));
                }
                let following = Following::new(task, Some(self.cache));
                return self.after(Duration::ZERO, State::Follow(following));
            }
            Err(error) => error,
        };
        if error.is_in_doubt() {
            self.in_doubt = true;
            run.report(Some(self.cache), Progress::InDoubt(&error));
            let longest = Error::MAX_RETRY_AFTER.min(run.client.time_left());
            let pause = error.retry_after.filter(|&pause| pause <= longest).unwrap_or_default();
            let send_again = run.client.backoff(&mut self.lost_sends, &error).is_some();
            return self.check(pause, Because::InDoubt { lost: error, until: None, send_again });
        }
        if error.is_no_such_cache() && self.in_doubt {
            return self.gone(run, None);
        }
        match run.client.retry_delay(&mut retry, &error) {
            Some(delay) => self.after(delay, State::Send { retry, failed: Some(error) }),
            None => self.not_sent(error),
        }
    }

    /// Ends without another DELETE.
    fn not_sent(self, error: Error) -> Step<Deletion<'a>> {
        // An earlier deletion, whose reply was lost, may still be running.
        match self.in_doubt {
            true => self.end(Outcome::unknown(error)),
            false => self.end(Outcome::refused(error)),
        }
    }

    fn followed(self, followed: Followed, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        let because = match followed {
            Followed::Finished(task) if task.code == 0 && task.error.is_empty() => {
                return self.end(Outcome { code: Some(0), ..Outcome::new(Status::Deleted) });
            }
            Followed::TimedOut(_) => return self.end(Outcome::new(Status::Running)),
            Followed::Finished(task) => Because::TaskFailed { code: task.code, error: task.error },
            Followed::Lost(error) => Because::TaskLost(error),
        };
        run.report(Some(self.cache), Progress::Resolving);
        self.check(Duration::ZERO, because)
    }

    /// Decides by the second table above what the presence of the cache means.
    fn found(mut self, finding: Finding, because: Because, run: &mut Run<'_>) -> Step<Deletion<'a>> {
        self.accepted |= finding.accepted;
        let still_there = match finding.presence {
            Presence::There => Some(true),
            Presence::Gone => Some(false),
            Presence::NotKnown => None,
        };
        let outcome = match (because, finding.presence) {
            (Because::DryRun, Presence::There) => Outcome::new(Status::WouldDelete),
            (Because::DryRun, Presence::Gone) => match finding.error {
                Some(no_such_cache) => Outcome::refused(no_such_cache),
                None => Outcome::new(Status::NotFound),
            },
            (Because::DryRun, Presence::NotKnown) => match finding.error {
                // The dry run itself failed, so its failure is the result.
                Some(error) if !self.accepted => Outcome::refused(error),
                Some(error) => Outcome::unknown(error),
                None => Outcome::new(Status::Unknown),
            },

            (Because::InDoubt { .. } | Because::TaskLost(_), Presence::Gone) => return self.gone(run, None),
            (Because::InDoubt { lost, until, send_again }, Presence::There) => {
                return self.still_there(lost, until, send_again, run);
            }
            (Because::InDoubt { lost, .. }, Presence::NotKnown) => {
                let error = finding.error.filter(|error| !matches!(error.kind, ErrorKind::OutOfTime));
                Outcome::unknown(error.unwrap_or(lost))
            }

            (Because::TaskFailed { code, error }, Presence::Gone) => {
                return self.gone(run, Some((code, error)));
            }
            (Because::TaskFailed { code, error }, Presence::There) => Outcome::failed(code, error),
            (Because::TaskFailed { code, error }, Presence::NotKnown) => match code != 0 && !self.in_doubt {
                true => Outcome::failed(code, error),
                false => {
                    Outcome { status: Status::Unknown, cause: finding.error, ..Outcome::failed(code, error) }
                }
            },

            // The reason why the task's end was not seen is more useful than the reason why this has no answer.
            (Because::TaskLost(error), Presence::There | Presence::NotKnown) => Outcome::unknown(error),
        };
        self.end(Outcome { still_there, ..outcome })
    }

    /// Waits for a cache in doubt to disappear, then sends the DELETE again if that is allowed.
    fn still_there(
        self,
        lost: Error,
        until: Option<Instant>,
        send_again: bool,
        run: &mut Run<'_>,
    ) -> Step<Deletion<'a>> {
        let (now, left) = (Instant::now(), run.client.time_left());
        let until = until.unwrap_or(now + CHECK_FOR);
        if now < until && !left.is_zero() {
            let because = Because::InDoubt { lost, until: Some(until), send_again };
            return self.check(CHECK_AGAIN.min(left), because);
        }
        if send_again && !left.is_zero() {
            run.report(Some(self.cache), Progress::SentAgain);
            return self.after(Duration::ZERO, State::Send { retry: Retry::default(), failed: Some(lost) });
        }
        self.end(Outcome { still_there: Some(true), ..Outcome::unknown(lost) })
    }

    /// Ends with the cache gone, although no task was seen to succeed; `task` is the code and the error of one
    /// that failed.
    ///
    /// This run deleted the cache if it saw it before: in a list, or by a dry run or a DELETE that was accepted
    /// by a server whose dry runs are conclusive. Otherwise a failed task means that the cache was never there, unless an
    /// earlier DELETE may have deleted it.
    fn gone(self, run: &Run<'_>, task: Option<(i64, String)>) -> Step<Deletion<'a>> {
        let proven = self.accepted && run.client.dry_runs() == DryRuns::Conclusive;
        let seen = proven || run.client.was_listed(self.cache);
        let code = task.as_ref().map(|(code, _)| *code);
        let outcome = match task {
            _ if seen => Outcome { code, ..Outcome::new(Status::Deleted) },
            Some((code, error)) if code != 0 && !self.in_doubt => {
                Outcome { status: Status::NotFound, ..Outcome::failed(code, error) }
            }
            _ => Outcome { code, ..Outcome::new(Status::Absent) },
        };
        self.end(Outcome { still_there: Some(false), ..outcome })
    }

    fn check(self, delay: Duration, because: Because) -> Step<Deletion<'a>> {
        let question = Question::new(self.cache);
        self.after(delay, State::Check { question, because })
    }

    fn after(self, delay: Duration, state: State<'a>) -> Step<Deletion<'a>> {
        self.at(Instant::now() + delay, state)
    }

    fn at(self, due: Instant, state: State<'a>) -> Step<Deletion<'a>> {
        Step::Next(Deletion { history: self, state }, due)
    }

    fn end(self, outcome: Outcome) -> Step<Deletion<'a>> {
        let elapsed = self.started_at.elapsed();
        Step::End(Outcome { task_id: self.task, in_doubt: self.in_doubt, elapsed, ..outcome })
    }
}
