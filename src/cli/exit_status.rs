//! The exit statuses of the program, and the only list of their meanings.

use std::process::ExitCode;

use connect_cache::{Error, Obstacle, Outcome, Verdict};

/// The exit status of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    Success,
    Failed,
    Usage,
    Denied,
    NotFound,
    Refused,
    NoAnswer,
    StillRunning,
}

/// A result; if there is none, the exit status.
pub(crate) type Result<T> = std::result::Result<T, ExitStatus>;

/// The meanings of the statuses in the order of their numbers, as `--help`, the man page and the README give them.
pub const MEANINGS: [&str; 8] = [
    "done: deleted, listed, would be deleted, or was not there and that was fine",
    "a deletion failed, one of a purge was refused, or results were not written",
    "usage or configuration error, or an unconfirmed purge: nothing was deleted",
    "access was refused: a wrong key, a missing role, or a gateway",
    "no such cache or task",
    "the server refused the request for another reason",
    "no usable answer, or the outcome is unknown",
    "the task is still running, or the time ran out before a deletion started",
];

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
        match outcome {
            Outcome::Failed(..) => Self::Failed,
            Outcome::NotFound(_) => Self::NotFound,
            Outcome::Refused(error) => Self::from(error),
            Outcome::Unknown(..) | Outcome::NotStarted(Obstacle::Request(_)) => Self::NoAnswer,
            Outcome::Running(_) | Outcome::NotStarted(_) => Self::StillRunning,
            _ => Self::Success,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
