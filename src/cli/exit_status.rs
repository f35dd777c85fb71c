//! The exit statuses of the program, and the only list of their meanings.

use std::process::ExitCode;

use connect_cache::{Error, Obstacle, Outcome, Status, Verdict};

/// The exit status of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done. Deleted, listed, would be deleted, or was not there and that was fine.
    Success,
    /// 1: a deletion ran and failed, or the results could not be written.
    Failed,
    /// 2: usage or configuration, or a purge that was not confirmed. Nothing was deleted.
    Usage,
    /// 3: the key was refused, or its user lacks permission (401, 403).
    Denied,
    /// 4: no such cache or task (404 with Connect's code 4 or 141).
    NotFound,
    /// 5: the server refused the request for another reason.
    Refused,
    /// 6: no usable answer, or the outcome is unknown.
    NoAnswer,
    /// 7: stopped polling while the task is still running.
    StillRunning,
}

impl ExitStatus {
    /// All statuses, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::Denied,
        Self::NotFound,
        Self::Refused,
        Self::NoAnswer,
        Self::StillRunning,
    ];

    /// Returns the number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns its meaning as `--help`, the man page and the README give it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done: deleted, listed, would be deleted, or was not there and that was fine",
            Self::Failed => "a deletion ran and failed, or the results could not be written",
            Self::Usage => "usage or configuration error, or an unconfirmed purge: nothing was deleted",
            Self::Denied => "the key was refused, or its user lacks permission",
            Self::NotFound => "no such cache or task",
            Self::Refused => "the server refused the request for another reason",
            Self::NoAnswer => "no usable answer, or the outcome is unknown",
            Self::StillRunning => "stopped polling while the task is still running",
        }
    }
}

impl From<&Error> for ExitStatus {
    fn from(error: &Error) -> Self {
        match error.verdict() {
            Verdict::Denied => Self::Denied,
            Verdict::NotFound => Self::NotFound,
            Verdict::Refused => Self::Refused,
            _ => Self::NoAnswer,
        }
    }
}

impl From<&Outcome> for ExitStatus {
    fn from(outcome: &Outcome) -> Self {
        match outcome.status() {
            Status::Failed => Self::Failed,
            Status::NotFound => Self::NotFound,
            Status::Refused => outcome.request_error().map_or(Self::Refused, Self::from),
            Status::Unknown => Self::NoAnswer,
            Status::NotStarted if matches!(outcome, Outcome::NotStarted(Obstacle::Request(_))) => {
                Self::NoAnswer
            }
            Status::Running | Status::NotStarted => Self::StillRunning,
            _ => Self::Success,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
