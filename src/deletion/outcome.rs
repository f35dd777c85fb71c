//! How a deletion ended.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::api::{RuntimeCache, TaskId};
use crate::error::{Error, ErrorKind, Verdict};

/// The deletion of one cache, once it has ended. `Display` is the outcome as a sentence.
#[derive(Debug)]
#[must_use = "only the outcome says whether the cache is gone"]
#[non_exhaustive]
pub struct Deletion {
    /// The cache.
    pub cache: RuntimeCache,
    /// The task that the server started last, if any.
    pub task: Option<TaskId>,
    /// The code of that task if it has finished; 0 if it succeeded.
    pub task_code: Option<i64>,
    /// What happened to the cache.
    pub outcome: Outcome,
    /// The time from the start of this deletion to its end.
    pub elapsed: Duration,
}

/// What happened to a cache.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The cache was there, and this run deleted it.
    Deleted(Proof),
    /// The cache is there, and the server accepts its deletion (dry run).
    WouldDelete,
    /// The deletion started, and its task is not followed.
    Started(TaskId),
    /// The cache is not there, and that is fine.
    Absent(Absence),
    /// The task failed: what it reported, and what is known of the cache.
    Failed(TaskFailure, AfterFailure),
    /// There is no such cache.
    NotFound(Missing),
    /// The server, or a gateway in front of it, refused the request. No deletion started.
    Refused(Error),
    /// No deletion started.
    NotStarted(Obstacle),
    /// What happened to the cache is not known: why not, and what is known nevertheless.
    Unknown(Cause, Known),
    /// The time ran out while this task was running.
    Running(TaskId),
}

/// Why a deletion counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// The task succeeded.
    TaskSucceeded,
    /// The cache is gone, although no usable reply to the DELETE arrived.
    GoneAfterLostReply,
    /// The cache is gone, although the task could not be followed until it finished.
    GoneAfterLostTask,
}

/// Why a cache that is not there is fine.
#[derive(Debug)]
#[non_exhaustive]
pub enum Absence {
    /// The cache is missing, and the caller ignores that.
    Ignored(Missing),
    /// The run saw the cache, and the server refused the DELETE because it was gone.
    Vanished(Error),
    /// The cache is gone, but the task failed: another client was faster, or the task failed late.
    TaskFailed(TaskFailure),
    /// The cache is gone, and it is not known whether this run deleted it.
    Unproven,
}

/// How it is known that there is no such cache.
#[derive(Debug)]
#[non_exhaustive]
pub enum Missing {
    /// The server said so.
    Refused(Error),
    /// The task failed, and the cache is not there.
    TaskFailed(TaskFailure),
    /// The list does not have it, and this server lists every cache.
    NotListed,
    /// The task succeeded, but the list shows that it deleted nothing.
    NothingDeleted,
}

/// Why a deletion did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum Obstacle {
    /// The server was not reached, or the list could not be read.
    Request(Error),
    /// The time ran out before.
    TimedOut,
    /// Access was refused before.
    AccessRefused,
}

/// Why an outcome is not known.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A request failed.
    Request(Error),
    /// The task failed, but the cache may be gone.
    TaskFailed(TaskFailure),
    /// The task succeeded, but no list had the cache, so that it may not have deleted anything.
    NotSeen,
    /// The server accepts dry runs of caches that do not exist, and its list may spell the image in another way.
    Namesake,
    /// A dry run has started a deletion, so no other was sent.
    DryRunDeletes,
    /// The list does not have the cache, and it is not known what this server's dry runs prove.
    DryRunsNotKnown,
}

/// What is known of a cache whose task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterFailure {
    /// It is still there.
    StillThere,
    /// It is still there, and the task of an earlier DELETE, which no reply confirmed, may still be running.
    InDoubt,
    /// It is not known whether it exists.
    NotKnown,
}

/// What is known of a cache although the outcome is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known {
    /// No deletion started.
    NotStarted,
    /// A deletion may have started.
    MayHaveStarted,
    /// A deletion may have started, and the cache is still there.
    StillThere,
}

/// What a task that failed reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFailure {
    /// The task's ID.
    pub task: TaskId,
    /// The task's code; 0 if only its error text says that it failed.
    pub code: i64,
    /// The task's error text, with secrets masked.
    pub error: String,
}

/// The kind of an outcome, as JSON output spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// `deleted`
    Deleted,
    /// `would-delete`
    WouldDelete,
    /// `started`
    Started,
    /// `absent`
    Absent,
    /// `not-found`
    NotFound,
    /// `failed`
    Failed,
    /// `refused`
    Refused,
    /// `unknown`
    Unknown,
    /// `running`
    Running,
    /// `not-started`
    NotStarted,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Outcome {
    /// Returns the kind of the outcome.
    pub fn status(&self) -> Status {
        match self {
            Self::Deleted(_) => Status::Deleted,
            Self::WouldDelete => Status::WouldDelete,
            Self::Started(_) => Status::Started,
            Self::Absent(_) => Status::Absent,
            Self::Failed(..) => Status::Failed,
            Self::NotFound(_) => Status::NotFound,
            Self::Refused(_) => Status::Refused,
            Self::NotStarted(_) => Status::NotStarted,
            Self::Unknown(..) => Status::Unknown,
            Self::Running(_) => Status::Running,
        }
    }

    /// Returns the outcome with a missing cache counted as fine.
    pub fn ignoring_missing(self) -> Self {
        match self {
            Self::NotFound(missing) => Self::Absent(Absence::Ignored(missing)),
            other => other,
        }
    }

    /// Returns the failed request that led to this outcome, if any.
    pub fn request_error(&self) -> Option<&Error> {
        match self {
            Self::Refused(error)
            | Self::NotStarted(Obstacle::Request(error))
            | Self::NotFound(Missing::Refused(error))
            | Self::Absent(Absence::Vanished(error) | Absence::Ignored(Missing::Refused(error)))
            | Self::Unknown(Cause::Request(error), _) => Some(error),
            _ => None,
        }
    }

    /// Returns what the task reported, if it failed.
    pub fn task_failure(&self) -> Option<&TaskFailure> {
        match self {
            Self::Failed(failure, _)
            | Self::Absent(Absence::TaskFailed(failure) | Absence::Ignored(Missing::TaskFailed(failure)))
            | Self::NotFound(Missing::TaskFailed(failure))
            | Self::Unknown(Cause::TaskFailed(failure), _) => Some(failure),
            _ => None,
        }
    }

    /// Returns the error in the server's words if it sent any, or the reason why the deletion was not started.
    pub fn error(&self) -> Option<String> {
        if let Some(failure) = self.task_failure() {
            return Some(failure.error.clone()).filter(|error| !error.is_empty());
        }
        match self {
            Self::NotStarted(Obstacle::TimedOut) => Some("timed out".to_owned()),
            Self::NotStarted(Obstacle::AccessRefused) => Some("access was refused".to_owned()),
            Self::Unknown(cause, _) if self.request_error().is_none() => Some(cause.to_string()),
            _ => self.request_error().map(|error| match &error.kind {
                ErrorKind::Api { message, .. } => message.clone(),
                _ => error.to_string(),
            }),
        }
    }

    /// Reports whether access was refused: 401 or 403, also of a gateway.
    pub fn is_denied(&self) -> bool {
        self.request_error().is_some_and(|error| error.verdict() == Verdict::Denied)
    }

    /// Returns the outcome of a DELETE or a dry run that failed for good.
    pub(crate) fn of_request(error: Error) -> Self {
        match error.verdict() {
            Verdict::NotSent if matches!(error.kind, ErrorKind::OutOfTime) => {
                Self::NotStarted(Obstacle::TimedOut)
            }
            Verdict::NotSent => Self::NotStarted(Obstacle::Request(error)),
            Verdict::NotFound => Self::NotFound(Missing::Refused(error)),
            Verdict::Denied | Verdict::Refused | Verdict::RefusedByGateway => Self::Refused(error),
            Verdict::NoAnswer => Self::Unknown(Cause::Request(error), Known::NotStarted),
            Verdict::InDoubt => Self::Unknown(Cause::Request(error), Known::MayHaveStarted),
        }
    }

    /// Returns the outcome of a run whose list could not be read.
    pub(crate) fn of_list(error: Error) -> Self {
        match Self::of_request(error) {
            Self::Unknown(Cause::Request(error), _) => Self::NotStarted(Obstacle::Request(error)),
            other => other,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::TaskFailed(failure) => write!(f, "its task failed: {failure}"),
            Self::NotSeen => f.write_str("its task succeeded, but no list of this run had the cache"),
            Self::Namesake => f.write_str(
                "dry runs on this server do not show whether a cache exists, and its list may spell the image differently",
            ),
            Self::DryRunDeletes => f.write_str("a dry run started a deletion on this server"),
            Self::DryRunsNotKnown => {
                f.write_str("it is not in the list, and it is not known whether dry runs on this server show which caches are missing")
            }
        }
    }
}

impl fmt::Display for TaskFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = if self.error.is_empty() { "no reason given" } else { &self.error };
        write!(f, "{words} (task {}, code {})", self.task, self.code)
    }
}

impl Deletion {
    /// Returns a deletion that ended at once.
    pub(crate) fn new(cache: &RuntimeCache, outcome: Outcome) -> Self {
        Self { cache: cache.clone(), task: None, task_code: None, outcome, elapsed: Duration::ZERO }
    }

    /// Returns the task's code if it has finished, else Connect's error code, if there is one.
    pub fn code(&self) -> Option<i64> {
        self.task_code.or_else(|| match self.outcome.request_error()?.kind {
            ErrorKind::Api { code, .. } => Some(code),
            _ => None,
        })
    }
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cache, outcome, .. } = self;
        match outcome {
            Outcome::Deleted(Proof::TaskSucceeded) => write!(f, "deleted {cache}"),
            Outcome::Deleted(Proof::GoneAfterLostReply) => {
                write!(f, "deleted {cache}: no reply confirmed it, but the cache is gone")
            }
            Outcome::Deleted(Proof::GoneAfterLostTask) => {
                write!(f, "deleted {cache}: its task could not be followed, but the cache is gone")
            }
            Outcome::WouldDelete => write!(f, "would delete {cache}: dry run, nothing was deleted"),
            Outcome::Started(_) => write!(f, "started the deletion of {cache}"),
            Outcome::Absent(Absence::Ignored(_)) => write!(f, "{cache} does not exist"),
            Outcome::Absent(Absence::Vanished(_)) => {
                write!(f, "{cache} is already gone: {}", outcome.error().unwrap_or_default())
            }
            Outcome::Absent(Absence::TaskFailed(failure)) => {
                write!(f, "{cache} is not there, although this run's task failed: {failure}")
            }
            Outcome::Absent(Absence::Unproven) => {
                write!(f, "{cache} is not there; it is not known whether this run deleted it")
            }
            Outcome::Failed(failure, after) => {
                write!(f, "deletion of {cache} failed: {failure}")?;
                f.write_str(match after {
                    AfterFailure::StillThere => "",
                    AfterFailure::InDoubt => {
                        "; an earlier deletion, which no reply confirmed, may still be running"
                    }
                    AfterFailure::NotKnown => "; it is not known whether the cache exists",
                })
            }
            Outcome::NotFound(Missing::NothingDeleted) => {
                write!(f, "no runtime cache {cache}: the task succeeded, but deleted nothing")
            }
            Outcome::NotFound(_) => write!(f, "no runtime cache {cache}"),
            Outcome::Refused(error) | Outcome::NotStarted(Obstacle::Request(error)) => {
                write!(f, "{cache}: {error}")
            }
            Outcome::NotStarted(Obstacle::TimedOut) => {
                write!(f, "timed out: deletion of {cache} was not started")
            }
            Outcome::NotStarted(Obstacle::AccessRefused) => {
                write!(f, "deletion of {cache} was not started: access was refused")
            }
            Outcome::Unknown(cause, Known::NotStarted) => {
                write!(f, "cannot tell whether {cache} exists: {cause}")
            }
            Outcome::Unknown(cause, Known::MayHaveStarted) => {
                write!(f, "outcome unknown for {cache}: {cause}")
            }
            Outcome::Unknown(cause, Known::StillThere) => {
                write!(f, "outcome unknown for {cache}, which still exists: {cause}")
            }
            Outcome::Running(_) => write!(f, "timed out: deletion of {cache} is still running"),
        }
    }
}
