//! The deletion of one cache, from the first request to the outcome.
//!
//! A [`Job`] goes from state to state by one request at a time:
//!
//! | state | request | leads to |
//! | --- | --- | --- |
//! | `Ask` | those of a [`Question`] | `Send`, or the outcome, by the reason for the question and its answer |
//! | `DryRun` | the dry run of a cache that is listed | the outcome |
//! | `Send` | DELETE | `Follow`; refused, not found, not started; in doubt: `Ask` |
//! | `Follow` | poll of the task | deleted; timed out: running; failed, lost or not seen before: `Ask` |
//!
//! A DELETE is in doubt once any of it was sent and the reply is lost: it may or may not have started a task.
//! It is never simply repeated. The rules for each reason to ask are with the functions that apply them. The run has
//! *seen* the cache if a list of this run had its row, or if a dry run of it was accepted before the first DELETE and a
//! later one is answered by 404 with code 4.

use std::time::{Duration, Instant};

use crate::api::{RuntimeCache, Task, TaskId};
use crate::client::Failures;
use crate::deletion::Mode;
use crate::deletion::follow::{Followed, Following};
use crate::deletion::outcome::{
    Absence, AfterFailure, Cause, Deletion, Known, Missing, Obstacle, Outcome, Proof, TaskFailure,
};
use crate::deletion::presence::{Answer, Question};
use crate::deletion::progress::Progress;
use crate::deletion::run::{DryRuns, Run, Step};
use crate::error::{Attempt, Error, ErrorKind, Verdict};

/// The pauses before it is asked again whether a cache is there that a task may be deleting.
const ASK_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The deletion of one cache, as a state machine.
pub(crate) struct Job<'a> {
    history: History<'a>,
    state: State<'a>,
}

/// What is known of a deletion, whatever its state.
struct History<'a> {
    cache: &'a RuntimeCache,
    mode: Mode,
    started_at: Instant,
    /// The DELETEs whose replies were lost.
    doubts: Failures,
    /// Whether a DELETE was ever in doubt.
    in_doubt: bool,
    /// The namesakes in the last list before the first DELETE; `None` until it is sent.
    namesakes: Option<Vec<RuntimeCache>>,
    /// The task that was started last.
    task: Option<TaskId>,
    /// Its code, once it has finished.
    task_code: Option<i64>,
}

enum State<'a> {
    Ask { question: Question<'a>, because: Because },
    DryRun { failures: Failures },
    Send { failures: Failures, failed: Option<Error> },
    Follow(Following<'a>),
}

/// The reason for asking whether the cache is there.
enum Because {
    /// No list has its row, and nothing was sent.
    Unlisted,
    /// A DELETE is in doubt, or was refused after another one was; or the end of its task was not seen.
    InDoubt(Doubt),
    TaskFailed(TaskFailure),
    /// The task succeeded, but the run has not seen the cache.
    NotSeen,
}

/// Why it is not known whether a DELETE or its task had its effect.
struct Doubt {
    error: Error,
    /// How often it was asked whether the cache is there.
    asked: usize,
    /// Whether the DELETE may be sent again.
    send_again: bool,
}

impl<'a> Job<'a> {
    /// Begins a deletion by the list that the run has read.
    pub(crate) fn new(cache: &'a RuntimeCache, mode: Mode, run: &Run<'_>) -> Self {
        let history = History {
            cache,
            mode,
            started_at: run.client.clock().now(),
            doubts: Failures::default(),
            in_doubt: false,
            namesakes: None,
            task: None,
            task_code: None,
        };
        let state = if !run.evidence.was_listed(cache) {
            State::Ask { question: Question::new(cache, run), because: Because::Unlisted }
        } else if mode == Mode::DryRun {
            State::DryRun { failures: Failures::default() }
        } else {
            State::Send { failures: Failures::default(), failed: None }
        };
        Self { history, state }
    }

    /// Sends the next request, and handles its result.
    pub(crate) fn step(self, run: &mut Run<'_>) -> Step<Self, Deletion> {
        let Self { history, state } = self;
        match state {
            State::Ask { question, because } => match question.step(run) {
                Step::Next(question, due) => history.at(due, State::Ask { question, because }),
                Step::End(answer) => history.found(answer, because, run),
            },
            State::DryRun { failures } => history.dry_run(failures, run),
            State::Send { failures, failed } => history.send(failures, failed, run),
            State::Follow(following) => match following.step(run) {
                Step::Next(following, due) => history.at(due, State::Follow(following)),
                Step::End(followed) => history.followed(followed, run),
            },
        }
    }
}

type Next<'a> = Step<Job<'a>, Deletion>;

impl<'a> History<'a> {
    /// Sends the dry run of a cache that is listed: accepted means that the deletion would start.
    fn dry_run(self, mut failures: Failures, run: &mut Run<'_>) -> Next<'a> {
        if run.evidence.dry_run_deleted {
            return self.end(Outcome::Unknown(Cause::DryRunDeletes, Known::NotStarted), run);
        }
        let Err(error) = run.dry_run(self.cache) else { return self.end(Outcome::WouldDelete, run) };
        match run.retry_at(&mut failures, &error, Some(self.cache)) {
            Some(due) => self.at(due, State::DryRun { failures }),
            None => self.end(Outcome::of_request(error), run),
        }
    }

    /// Sends the DELETE. `failed` is why the one before it failed, if there was one.
    fn send(mut self, mut failures: Failures, failed: Option<Error>, run: &mut Run<'_>) -> Next<'a> {
        // The list or another job's request may have taken all the time.
        if !run.client.may_start() {
            return match failed {
                Some(error) => self.not_sent(error, run),
                None => self.end(Outcome::NotStarted(Obstacle::TimedOut), run),
            };
        }
        if failed.is_some() && failures.is_empty() {
            run.report(Some(self.cache), Progress::SentAgain);
        }
        if self.namesakes.is_none() {
            self.namesakes = Some(run.evidence.namesakes(self.cache));
        }
        run.evidence.deleted.push(self.cache.clone());
        let error = match run.client.delete_once(self.cache) {
            Ok(task) => {
                (self.task, self.task_code) = (Some(task.clone()), None);
                run.report(Some(self.cache), Progress::Started(&task));
                if self.mode == Mode::NoWait {
                    return self.end(Outcome::Started(task), run);
                }
                let following = Following::new(task, Some(self.cache));
                return self.now(State::Follow(following), run);
            }
            Err(error) => error,
        };
        match error.verdict() {
            Verdict::InDoubt => {
                self.in_doubt = true;
                run.report(Some(self.cache), Progress::InDoubt(&error));
                let send_again = run.client.retry_policy().allows_another(&mut self.doubts);
                let longest = Error::MAX_RETRY_AFTER.min(run.client.time_left());
                let pause = error.retry_after().filter(|&pause| pause <= longest).unwrap_or_default();
                let doubt = Doubt { error, asked: 0, send_again };
                self.ask(pause, Because::InDoubt(doubt), run)
            }
            Verdict::NotFound => self.refused_as_missing(error, run),
            _ => match run.retry_at(&mut failures, &error, Some(self.cache)) {
                Some(due) => self.at(due, State::Send { failures, failed: Some(error) }),
                None => self.not_sent(error, run),
            },
        }
    }

    /// Ends after a DELETE that was answered by 404 with code 4: `deleted` after a doubt if the cache was seen, else
    /// `absent` if it was seen or in doubt, else `not-found`.
    fn refused_as_missing(self, error: Error, run: &Run<'_>) -> Next<'a> {
        if self.in_doubt {
            self.gone(run)
        } else if run.evidence.has_seen(self.cache) {
            self.end(Outcome::Absent(Absence::Vanished(error)), run)
        } else {
            self.end(Outcome::NotFound(Missing::Refused(error)), run)
        }
    }

    /// Continues without another DELETE. After a doubt, one that is refused or cannot be sent says nothing about the
    /// first one.
    fn not_sent(self, error: Error, run: &Run<'_>) -> Next<'a> {
        if self.in_doubt {
            let doubt = Doubt { error, asked: 0, send_again: false };
            self.ask(Duration::ZERO, Because::InDoubt(doubt), run)
        } else {
            self.end(Outcome::of_request(error), run)
        }
    }

    /// Decides after the last poll of the task. Success of a cache that the run has seen needs no other request.
    fn followed(mut self, followed: Followed, run: &mut Run<'_>) -> Next<'a> {
        if let Followed::Finished(task) = &followed {
            self.task_code = Some(task.code);
        }
        let because = match followed {
            Followed::Finished(task) if task.succeeded() && run.evidence.has_seen(self.cache) => {
                return self.end(Outcome::Deleted(Proof::TaskSucceeded), run);
            }
            Followed::Finished(task) if task.succeeded() => Because::NotSeen,
            Followed::TimedOut(task) => return self.end(Outcome::Running(task.id), run),
            Followed::Finished(Task { id, code, error, .. }) => {
                let failure = TaskFailure { task: id, code, error: run.client.mask(&error) };
                run.report(Some(self.cache), Progress::TaskFailed(&failure));
                Because::TaskFailed(failure)
            }
            Followed::Lost(error) => {
                run.report(Some(self.cache), Progress::TaskLost(&error));
                Because::InDoubt(Doubt { error, asked: 0, send_again: false })
            }
        };
        self.ask(Duration::ZERO, because, run)
    }

    /// Decides by the answer to the question whether the cache is there. A dry run that has started a deletion makes the
    /// outcome unknown, whatever the reason for the question.
    fn found(self, answer: Answer, because: Because, run: &mut Run<'_>) -> Next<'a> {
        let answer = match answer {
            Answer::NotKnown(Cause::Request(error))
                if matches!(error.kind, ErrorKind::DryRunStarted { .. }) =>
            {
                return self.end(Outcome::Unknown(Cause::Request(error), Known::MayHaveStarted), run);
            }
            answer => answer,
        };
        match because {
            Because::Unlisted if self.mode == Mode::DryRun => self.end(dry_run_outcome(answer), run),
            Because::Unlisted => match answer {
                Answer::Gone(refusal) => {
                    self.end(Outcome::NotFound(refusal.map_or(Missing::NotListed, Missing::Refused)), run)
                }
                Answer::There | Answer::NotKnown(_) => {
                    self.now(State::Send { failures: Failures::default(), failed: None }, run)
                }
            },
            Because::InDoubt(doubt) => match answer {
                Answer::Gone(_) => self.gone(run),
                Answer::There => self.there_in_doubt(doubt, run),
                Answer::NotKnown(why) => {
                    self.end(Outcome::Unknown(more_useful(why, doubt.error), Known::MayHaveStarted), run)
                }
            },
            Because::TaskFailed(failure) => self.after_failed_task(failure, answer, run),
            Because::NotSeen => self.after_unseen_success(answer, run),
        }
    }

    /// Ends with the cache gone after a lost reply or a lost task: `deleted` if it was seen, else `absent`.
    fn gone(self, run: &Run<'_>) -> Next<'a> {
        let proof = if self.in_doubt { Proof::GoneAfterLostReply } else { Proof::GoneAfterLostTask };
        let seen = run.evidence.has_seen(self.cache);
        self.end(if seen { Outcome::Deleted(proof) } else { Outcome::Absent(Absence::Unproven) }, run)
    }

    /// Waits for a cache in doubt to disappear, then sends the DELETE again if that is allowed.
    fn there_in_doubt(self, doubt: Doubt, run: &mut Run<'_>) -> Next<'a> {
        let left = run.client.time_left();
        if let Some(&pause) = ASK_AGAIN.get(doubt.asked).filter(|_| !left.is_zero()) {
            let doubt = Doubt { asked: doubt.asked + 1, ..doubt };
            return self.ask(pause.min(left), Because::InDoubt(doubt), run);
        }
        if doubt.send_again && !left.is_zero() {
            let failed = Some(doubt.error);
            return self.now(State::Send { failures: Failures::default(), failed }, run);
        }
        self.end(Outcome::Unknown(Cause::Request(doubt.error), Known::StillThere), run)
    }

    /// Decides after a task that failed.
    ///
    /// - Gone and seen: `absent`, since somebody else deleted it or the task failed late; after a doubt `deleted`.
    /// - Gone and unseen: `not-found` if no DELETE was in doubt, the server's dry run does not tell and no namesake was
    ///   listed before; else `absent`.
    /// - There: `failed`.
    /// - Not known: `unknown` if a namesake is missing or a DELETE was in doubt; else `failed`.
    fn after_failed_task(self, failure: TaskFailure, answer: Answer, run: &Run<'_>) -> Next<'a> {
        let (seen, in_doubt) = (run.evidence.has_seen(self.cache), self.in_doubt);
        let had_namesake = self.namesakes.iter().flatten().next().is_some();
        let never_there = !seen && !in_doubt && !had_namesake && run.evidence.dry_runs == DryRuns::DoNotTell;
        let outcome = match answer {
            Answer::Gone(_) if seen && in_doubt => Outcome::Deleted(Proof::GoneAfterLostReply),
            Answer::Gone(_) if never_there => Outcome::NotFound(Missing::TaskFailed(failure)),
            Answer::Gone(_) => Outcome::Absent(Absence::TaskFailed(failure)),
            Answer::There if in_doubt => Outcome::Failed(failure, AfterFailure::InDoubt),
            Answer::There => Outcome::Failed(failure, AfterFailure::StillThere),
            Answer::NotKnown(_) if in_doubt || self.is_namesake_missing(run) => {
                Outcome::Unknown(Cause::TaskFailed(failure), Known::MayHaveStarted)
            }
            Answer::NotKnown(_) => Outcome::Failed(failure, AfterFailure::NotKnown),
        };
        self.end(outcome, run)
    }

    /// Decides after a task that succeeded, for a cache that no list had.
    ///
    /// - The dry run tells: 404 with code 4 is `deleted` if that makes the cache seen, else `absent`; anything else is
    ///   `unknown`.
    /// - It does not tell: the cache's row, a list that cannot be read, a doubt, or a DELETE of this run for another
    ///   cache of the same language and version is `unknown`. Else a namesake that is missing now was the cache, spelled
    ///   in another way: `deleted`. Else nothing was deleted: `not-found`.
    fn after_unseen_success(self, answer: Answer, run: &Run<'_>) -> Next<'a> {
        let evidence = &run.evidence;
        let list_tells = evidence.dry_runs == DryRuns::DoNotTell
            && !self.in_doubt
            && !evidence.deleted_namesake(self.cache);
        let outcome = match answer {
            Answer::Gone(Some(_)) if evidence.has_seen(self.cache) => Outcome::Deleted(Proof::TaskSucceeded),
            Answer::Gone(Some(_)) => Outcome::Absent(Absence::Unproven),
            Answer::Gone(None) | Answer::NotKnown(Cause::Namesake) if list_tells => {
                let was_it = self.is_namesake_missing(run);
                let deleted = Outcome::Deleted(Proof::TaskSucceeded);
                if was_it { deleted } else { Outcome::NotFound(Missing::NothingDeleted) }
            }
            Answer::There => Outcome::Unknown(Cause::NotSeen, Known::StillThere),
            Answer::NotKnown(Cause::Request(error)) => {
                Outcome::Unknown(Cause::Request(error), Known::MayHaveStarted)
            }
            Answer::Gone(None) | Answer::NotKnown(_) => {
                Outcome::Unknown(Cause::NotSeen, Known::MayHaveStarted)
            }
        };
        self.end(outcome, run)
    }

    /// Reports whether a namesake of the last list before the first DELETE is missing now. Equal rows count one by one.
    fn is_namesake_missing(&self, run: &Run<'_>) -> bool {
        let mut now = run.evidence.namesakes(self.cache);
        self.namesakes.iter().flatten().any(|namesake| match now.iter().position(|row| row == namesake) {
            Some(at) => {
                now.swap_remove(at);
                false
            }
            None => true,
        })
    }

    fn ask(self, delay: Duration, because: Because, run: &Run<'_>) -> Next<'a> {
        let question = Question::new(self.cache, run);
        let due = run.client.clock().now() + delay;
        self.at(due, State::Ask { question, because })
    }

    fn now(self, state: State<'a>, run: &Run<'_>) -> Next<'a> {
        let now = run.client.clock().now();
        self.at(now, state)
    }

    fn at(self, due: Instant, state: State<'a>) -> Next<'a> {
        Step::Next(Job { history: self, state }, due)
    }

    fn end(self, outcome: Outcome, run: &Run<'_>) -> Next<'a> {
        let elapsed = run.client.clock().now().saturating_duration_since(self.started_at);
        let Self { task, task_code, .. } = self;
        Step::End(Deletion { cache: self.cache.clone(), task, task_code, outcome, elapsed })
    }
}

/// Decides a dry run of a cache that no list has.
fn dry_run_outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::There => Outcome::WouldDelete,
        Answer::Gone(refusal) => Outcome::NotFound(refusal.map_or(Missing::NotListed, Missing::Refused)),
        Answer::NotKnown(Cause::Request(error)) if error.attempt == Attempt::CheckRuntimeCache => {
            Outcome::of_request(error)
        }
        Answer::NotKnown(cause) => Outcome::Unknown(cause, Known::NotStarted),
    }
}

/// Returns the cause that explains better why nothing is known of a DELETE or a task in doubt.
fn more_useful(why: Cause, lost: Error) -> Cause {
    match why {
        Cause::Request(error) if !matches!(error.kind, ErrorKind::OutOfTime) => Cause::Request(error),
        _ => Cause::Request(lost),
    }
}
