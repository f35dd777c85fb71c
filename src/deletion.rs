//! The deletion of one runtime cache, from the request to the truth about the cache.
//!
//! A [`Deletion`] goes from state to state by one request at a time:
//!
//! | state | request | what the answer leads to |
//! | --- | --- | --- |
//! | `Check` | dry run | would delete, no such cache, refused |
//! | `Send` | the deletion | `Follow`; no such cache; refused; in doubt: `Ask` |
//! | `Ask` | dry run | gone: deleted; still there: for 5 s `Ask`, then `Send`; not to be learned: unknown |
//! | `Follow` | a look at the task | ended well: deleted; ended badly: failed; no answer: `Settle` |
//! | `Settle` | dry run | gone: deleted; else what was known before |
//!
//! A deletion is in doubt once any of it was sent and the answer is lost: it may or may not have started.
//! Only a dry run, which changes nothing and matches names as the server does, can tell, and only the
//! cache's absence is proof: a cache that is still there may have a task at work on it.

use std::time::{Duration, Instant};

use crate::follow::{Job, Progress, Report, Run, Watch, Watched, drive};
use crate::retry::{MAX_RETRY_AFTER, Retry};
use crate::{Client, Error, ErrorKind, ExitStatus, RuntimeCache, TaskId, api};

/// How long a cache whose deletion is in doubt is given to go away before the deletion is sent again.
const ASK_FOR: Duration = Duration::from_secs(5);
/// The time from one such question to the next.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What became of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The task ended well, or the cache was seen before and is gone.
    Deleted,
    /// The server would start the deletion (dry run).
    WouldDelete,
    /// The deletion started, and nobody waits for its end.
    Started,
    /// It was not there, and that is fine: it is gone after an answer was lost, or nobody minds.
    Absent,
    /// The task ended badly.
    Failed,
    /// There is no such cache.
    NotFound,
    /// The server refused the request.
    Refused,
    /// It could not be learned.
    Unknown,
    /// The time ran out, and the task goes on.
    Running,
    /// The time ran out before the deletion was started.
    NotStarted,
}

impl Status {
    /// The word that stands for it in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::WouldDelete => "would-delete",
            Self::Started => "started",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::NotStarted => "not-started",
        }
    }
}

/// How a deletion ended.
#[derive(Debug)]
pub struct Outcome {
    /// What became of the cache.
    pub status: Status,
    /// The task that the server started last, if any.
    pub task_id: Option<TaskId>,
    /// The task's code where it ended; else the API error's.
    pub code: Option<i64>,
    /// What went wrong, in the server's words where it said something.
    pub error: Option<String>,
    /// The failed request that led to this end, if there was one.
    pub cause: Option<Error>,
    /// Whether the answer to a deletion was lost, so that another task than this one may be at work.
    pub in_doubt: bool,
    /// What a dry run told at the end, where one was needed: whether the cache is still there.
    pub still_there: Option<bool>,
}

impl Outcome {
    /// The end of a deletion that has none of the rest.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            task_id: None,
            code: None,
            error: None,
            cause: None,
            in_doubt: false,
            still_there: None,
        }
    }

    fn failed(code: i64, error: String) -> Self {
        Self { code: Some(code), error: Some(error), ..Self::new(Status::Failed) }
    }

    fn caused(status: Status, cause: Error) -> Self {
        let (code, error) = match &cause.kind {
            ErrorKind::Api { code, message, .. } => (Some(*code), message.clone()),
            _ => (None, cause.to_string()),
        };
        Self { code, error: Some(error), cause: Some(cause), ..Self::new(status) }
    }

    /// The program's exit status for this end.
    pub fn exit_status(&self) -> ExitStatus {
        match self.status {
            Status::Deleted | Status::WouldDelete | Status::Started | Status::Absent => ExitStatus::Success,
            Status::Failed => ExitStatus::Failed,
            Status::NotFound => ExitStatus::NotFound,
            Status::Refused => self.cause.as_ref().map_or(ExitStatus::Refused, Error::exit_status),
            Status::Unknown => ExitStatus::NoAnswer,
            Status::Running | Status::NotStarted => ExitStatus::StillRunning,
        }
    }
}

/// Deletes a runtime cache and follows the task to its end; each line of its output goes to `on_line`.
///
/// ```
/// # use connect_cache::{ApiKey, Client, Config, RuntimeCache, Status, delete};
/// # let server = connect_test_server::Server::start(Default::default());
/// # let client = Client::new(Config::new(server.url().parse()?, ApiKey::new("admin-key")?))?;
/// let cache = RuntimeCache {
///     language: "Python".into(),
///     version: "3.7.6".into(),
///     image_name: "Local".into(),
/// };
/// let outcome = delete(&client, &cache, |line| println!("{line}"));
/// assert_eq!(outcome.status, Status::Deleted, "{:?}", outcome.error);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn delete(client: &Client, cache: &RuntimeCache, mut on_line: impl FnMut(&str)) -> Outcome {
    let deletion = Deletion::new(cache.clone(), Extent::Follow);
    delete_reporting(client, deletion, &mut |_, progress| {
        if let Progress::Line(line) = progress {
            on_line(line);
        }
    })
}

/// Takes one deletion to its end.
pub(crate) fn delete_reporting(client: &Client, deletion: Deletion, report: &mut Report<'_>) -> Outcome {
    let mut run = Run::new(client, report);
    let mut deletion = Some(deletion);
    let mut outcome = Outcome::new(Status::NotStarted);
    drive(&mut run, 1, &mut |_| deletion.take(), &mut |_, _, end| outcome = end);
    outcome
}

/// How far a deletion is to go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The server checks, and nothing is deleted.
    DryRun,
    /// The task is started and left to itself.
    Start,
    /// The task is followed to its end.
    Follow,
}

/// One cache on its way out.
pub(crate) struct Deletion {
    cache: RuntimeCache,
    extent: Extent,
    state: State,
    due: Instant,
    /// Failures in a row of the request at hand.
    retry: Retry,
    /// Deletions sent whose answer was lost.
    sends: Retry,
    /// Whether this run saw the cache: in a list, or by a dry run.
    seen: bool,
    /// Whether the answer to a deletion was ever lost.
    doubted: bool,
    task: Option<TaskId>,
}

enum State {
    Check,
    Send,
    /// Until when to ask on while the cache is there, and whether to send the deletion again then.
    Ask {
        until: Option<Instant>,
        send_again: bool,
        lost: Option<Error>,
    },
    Follow(Watch),
    /// What to say if the cache is still there.
    Settle(Option<Outcome>),
}

impl Deletion {
    pub(crate) fn new(cache: RuntimeCache, extent: Extent) -> Self {
        Self {
            cache,
            extent,
            state: if extent == Extent::DryRun { State::Check } else { State::Send },
            due: Instant::now(),
            retry: Retry::default(),
            sends: Retry::default(),
            seen: false,
            doubted: false,
            task: None,
        }
    }

    /// The same, of a cache that this run has seen in a list.
    pub(crate) fn seen(self) -> Self {
        Self { seen: true, ..self }
    }

    pub(crate) fn cache(&self) -> &RuntimeCache {
        &self.cache
    }

    fn check(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        match run.client.attempt(&api::check_runtime_cache(&self.cache)) {
            Ok(()) => Some(Outcome::new(Status::WouldDelete)),
            Err(error) => self.again_or(run, error, refused),
        }
    }

    fn send(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        match run.client.attempt(&api::delete_runtime_cache(&self.cache)) {
            Ok(task) => {
                run.report(Some(&self.cache), Progress::Started(&task));
                self.task = Some(task.clone());
                if self.extent == Extent::Start {
                    return Some(Outcome::new(Status::Started));
                }
                self.enter(State::Follow(Watch::new(task)));
                None
            }
            Err(lost) if lost.is_in_doubt() => {
                run.report(Some(&self.cache), Progress::InDoubt(&lost));
                self.doubted = true;
                let send_again = run.client.allowance(&mut self.sends, &lost).is_some();
                let pause = lost
                    .retry_after
                    .filter(|&pause| pause <= MAX_RETRY_AFTER.min(run.client.config().time_left()));
                self.enter(State::Ask { until: None, send_again, lost: Some(lost) });
                self.due += pause.unwrap_or_default();
                None
            }
            // Gone since, or never there: after a doubt that is all the same.
            Err(error) if self.doubted && error.is_no_such_cache() => Some(self.gone()),
            Err(error) => {
                // An earlier deletion, whose answer was lost, may still be at work.
                let end = if self.doubted { unknown } else { refused };
                self.again_or(run, error, end)
            }
        }
    }

    fn ask(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        match run.client.attempt(&api::check_runtime_cache(&self.cache)) {
            Ok(()) => {
                self.seen = true;
                self.retry.succeeded();
                let State::Ask { until, send_again, lost } = &mut self.state else { return None };
                let now = Instant::now();
                let until = *until.get_or_insert(now + ASK_FOR);
                let in_time = !run.client.config().time_left().is_zero();
                if now < until && in_time {
                    self.due = now + ASK_AGAIN.min(run.client.config().time_left());
                    return None;
                }
                if *send_again && in_time {
                    run.report(Some(&self.cache), Progress::SentAgain);
                    self.enter(State::Send);
                    return None;
                }
                lost.take().map(|lost| Outcome { still_there: Some(true), ..unknown(lost) })
            }
            Err(error) if error.is_no_such_cache() => Some(self.gone()),
            Err(error) => self.again_or(run, error, unknown),
        }
    }

    fn follow(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        let State::Follow(watch) = &mut self.state else { return None };
        match watch.look(Some(&self.cache), run) {
            None => {
                self.due = watch.due();
                None
            }
            Some(Watched::Finished(task)) if task.code == 0 => {
                Some(Outcome { code: Some(0), ..Outcome::new(Status::Deleted) })
            }
            Some(Watched::Finished(task)) => {
                let failed = Outcome::failed(task.code, task.error);
                if self.doubted {
                    // The task of the deletion whose answer was lost may have done the work.
                    run.report(Some(&self.cache), Progress::Settling);
                    self.enter(State::Settle(Some(failed)));
                    return None;
                }
                Some(failed)
            }
            Some(Watched::OutOfTime(_)) => Some(Outcome::new(Status::Running)),
            Some(Watched::Unanswered(error)) => {
                run.report(Some(&self.cache), Progress::Settling);
                self.enter(State::Settle(Some(unknown(error))));
                None
            }
        }
    }

    fn settle(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        let State::Settle(known) = &mut self.state else { return None };
        match run.client.attempt(&api::check_runtime_cache(&self.cache)) {
            Ok(()) => known.take().map(|known| Outcome { still_there: Some(true), ..known }),
            Err(error) if error.is_no_such_cache() => {
                // The code of a task that ended badly stays: it is the task's, not the cache's.
                let code = known
                    .as_ref()
                    .filter(|known| known.status == Status::Failed)
                    .and_then(|known| known.code);
                Some(Outcome { code, still_there: Some(false), ..Outcome::new(Status::Deleted) })
            }
            Err(error) => match run.client.next_try(&mut self.retry, &error) {
                Some(delay) => {
                    self.due = Instant::now() + delay;
                    None
                }
                None => known.take().map(|known| match known.status {
                    // Why the task's end was not seen tells more than why the dry run was not answered.
                    Status::Unknown => known,
                    // Another task may have done the work of the one that ended badly.
                    _ => Outcome { status: Status::Unknown, cause: Some(error), ..known },
                }),
            },
        }
    }

    /// The cache is gone after an answer was lost.
    fn gone(&self) -> Outcome {
        let status = if self.seen { Status::Deleted } else { Status::Absent };
        Outcome { still_there: Some(false), ..Outcome::new(status) }
    }

    /// Makes the request at hand again if that may help; else `end` says what came of it.
    fn again_or(&mut self, run: &mut Run<'_>, error: Error, end: fn(Error) -> Outcome) -> Option<Outcome> {
        match run.client.next_try(&mut self.retry, &error) {
            Some(delay) => {
                self.due = Instant::now() + delay;
                None
            }
            None => Some(end(error)),
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.retry = Retry::default();
        self.due = Instant::now();
    }
}

impl Job for Deletion {
    type End = Outcome;

    fn due(&self) -> Instant {
        self.due
    }

    fn step(&mut self, run: &mut Run<'_>) -> Option<Outcome> {
        let outcome = match &self.state {
            State::Check => self.check(run),
            State::Send => self.send(run),
            State::Ask { .. } => self.ask(run),
            State::Follow(_) => self.follow(run),
            State::Settle(_) => self.settle(run),
        };
        outcome.map(|outcome| Outcome { task_id: self.task.take(), in_doubt: self.doubted, ..outcome })
    }
}

/// The end of a deletion that the server did not take, or that never reached it.
fn refused(error: Error) -> Outcome {
    let status = match error.exit_status() {
        ExitStatus::NotFound => Status::NotFound,
        ExitStatus::NoAnswer => Status::Unknown,
        _ => Status::Refused,
    };
    Outcome::caused(status, error)
}

fn unknown(error: Error) -> Outcome {
    Outcome::caused(Status::Unknown, error)
}
