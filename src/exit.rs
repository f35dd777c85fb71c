//! The exit statuses of the program.

use std::process::ExitCode;

/// What the program's exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done. Deleted, listed, would be deleted, or was not there and that was fine.
    Success,
    /// 1: a deletion ran and failed, or the results could not be written.
    Failed,
    /// 2: usage or configuration, or a purge that was not confirmed. Nothing was deleted.
    Usage,
    /// 3: the key was refused, or its user may not do this (401, 403).
    Denied,
    /// 4: no such cache or task (404 with Connect's code 4 or 141).
    NotFound,
    /// 5: the server refused the request otherwise.
    Refused,
    /// 6: no usable answer, or what became of the cache could not be learned.
    NoAnswer,
    /// 7: stopped looking while the task still runs.
    StillRunning,
}

impl ExitStatus {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::NoAnswer => 6,
            Self::StillRunning => 7,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
