//! The progress of following a task or deleting a cache.

use crate::{Error, Outcome, TaskId};

/// An event while a task is followed or a cache is deleted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// The server started this task to delete the cache.
    Started(&'a TaskId),
    /// A line of the task's output.
    Line(&'a str),
    /// The deletion is in doubt, so a dry run checks whether the cache is still there.
    InDoubt(&'a Error),
    /// The cache is still there, so the DELETE is sent again.
    SentAgain,
    /// The task's end could not be observed, so a dry run checks whether the cache is still there.
    Resolving,
    /// Time has passed; see [`Config::max_wait`](crate::Config::max_wait).
    Waiting,
    /// The deletion of this cache, one of several, has ended.
    Ended(&'a Outcome),
}
