//! How a deletion ended.

use std::time::Duration;

use crate::error::Verdict;
use crate::{Error, ErrorKind, ExitStatus, TaskId};

/// What happened to a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The task succeeded, or the cache was seen in this run and is gone.
    Deleted,
    /// The server would start the deletion (dry run).
    WouldDelete,
    /// The deletion started, and its task is not followed.
    Started,
    /// The cache is not there, and that is fine: it may be missing, or it is gone and it is not known whether
    /// this run deleted it.
    Absent,
    /// The task failed.
    Failed,
    /// There is no such cache.
    NotFound,
    /// The server, or a gateway in front of it, refused the request. No deletion started.
    Refused,
    /// The outcome could not be determined.
    Unknown,
    /// The time ran out while the task was running.
    Running,
    /// No deletion started: the server was not reached (then there is a [cause](Outcome::cause)), or the time
    /// ran out or the key was refused before this cache's turn.
    NotStarted,
}

impl Status {
    /// Returns the status as JSON output spells it.
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
#[must_use = "only the outcome says whether the cache is gone"]
#[non_exhaustive]
pub struct Outcome {
    /// What happened to the cache.
    pub status: Status,
    /// The task that the server started last, if any.
    pub task_id: Option<TaskId>,
    /// The task's code if it finished, else the API error's.
    pub code: Option<i64>,
    /// The error in the server's words if it sent any, or the reason why the deletion was not started.
    pub error: Option<String>,
    /// The failed request that led to this outcome, if any.
    pub cause: Option<Error>,
    /// Whether a DELETE was in doubt, so that another task than this one may be running.
    pub in_doubt: bool,
    /// Whether the cache was still there at the end, if that had to be found out.
    pub still_there: Option<bool>,
    /// The time from the start of this deletion to its end.
    pub elapsed: Duration,
}

impl Outcome {
    /// Returns an outcome of which only the status is known.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            task_id: None,
            code: None,
            error: None,
            cause: None,
            in_doubt: false,
            still_there: None,
            elapsed: Duration::ZERO,
        }
    }

    /// Returns the outcome of a task that failed.
    pub(crate) fn failed(code: i64, error: String) -> Self {
        Self { code: Some(code), error: Some(error), ..Self::new(Status::Failed) }
    }

    /// Returns the outcome of a request that did not start the deletion.
    pub(crate) fn refused(error: Error) -> Self {
        let status = match error.verdict() {
            Verdict::NotSent => Status::NotStarted,
            Verdict::NotFound => Status::NotFound,
            Verdict::Denied | Verdict::Refused | Verdict::RefusedByGateway => Status::Refused,
            Verdict::NoAnswer => Status::Unknown,
        };
        Self::caused(status, error)
    }

    /// Returns an unknown outcome with this error as its cause.
    pub(crate) fn unknown(error: Error) -> Self {
        Self::caused(Status::Unknown, error)
    }

    fn caused(status: Status, cause: Error) -> Self {
        let (code, error) = match &cause.kind {
            ErrorKind::Api { code, message, .. } => (Some(*code), message.clone()),
            _ => (None, cause.to_string()),
        };
        Self { code, error: Some(error), cause: Some(cause), ..Self::new(status) }
    }

    /// Reports whether the key was refused, or its user lacks permission.
    pub fn is_denied(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.verdict() == Verdict::Denied)
    }

    /// Returns the program's exit status for this outcome.
    pub fn exit_status(&self) -> ExitStatus {
        match self.status {
            Status::Deleted | Status::WouldDelete | Status::Started | Status::Absent => ExitStatus::Success,
            Status::Failed => ExitStatus::Failed,
            Status::NotFound => ExitStatus::NotFound,
            Status::Refused => self.cause.as_ref().map_or(ExitStatus::Refused, Error::exit_status),
            Status::Unknown => ExitStatus::NoAnswer,
            Status::NotStarted if self.cause.is_some() => ExitStatus::NoAnswer,
            Status::Running | Status::NotStarted => ExitStatus::StillRunning,
        }
    }
}
