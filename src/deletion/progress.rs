//! The progress of following a task or deleting a cache.

use std::time::Duration;

use crate::api::TaskId;
use crate::deletion::outcome::{Deletion, TaskFailure};
use crate::error::Error;

/// An event while a task is followed or a cache is deleted. Secrets are masked in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The server started this task to delete the cache.
    Started(&'a TaskId),
    /// A line of the task's output.
    Line(&'a str),
    /// The last line of a reply has been reported.
    Lines,
    /// A failed request will be retried.
    #[non_exhaustive]
    Retrying {
        /// Why it failed.
        error: &'a Error,
        /// The time until the retry.
        delay: Duration,
    },
    /// The deletion is in doubt, so the next requests check whether the cache is still there.
    InDoubt(&'a Error),
    /// The cache is still there, so the DELETE is sent again.
    SentAgain,
    /// The task failed, so the next requests check whether the cache is still there.
    TaskFailed(&'a TaskFailure),
    /// The task could not be followed to its end, so the next requests check whether the cache is still there.
    TaskLost(&'a Error),
    /// Some time has passed, at most a second, or a poll has been answered.
    Waiting,
    /// The deletion of the cache has ended, after a list that was read.
    Ended(&'a Deletion),
}
