//! Deleting caches and following tasks: methods of the [`Client`] that take as many requests as the answer needs.

mod follow;
mod job;
mod outcome;
mod presence;
mod progress;
mod run;
mod schedule;
#[cfg(test)]
#[path = "../../tests/simulation/mod.rs"]
mod simulation;

use std::slice;

use crate::api::{RuntimeCache, Task, TaskId};
use crate::client::{Client, Failures};
use crate::deletion::follow::{Followed, Following};
use crate::deletion::run::{Run, Step};
use crate::deletion::schedule::Schedule;
use crate::error::Result;

pub use outcome::{
    Absence, AfterFailure, Cause, Deletion, Known, Missing, Obstacle, Outcome, Proof, Status, TaskFailure,
};
pub use progress::Progress;

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

/// Several caches to delete. [`Selection::new`] sets the defaults.
///
/// ```
/// use connect_cache::{Mode, RuntimeCache, Selection};
///
/// let listed = [RuntimeCache::new("R", "4.3.0", "Local"), RuntimeCache::new("R", "4.4.0", "Local")];
/// let mut selection = Selection::new(&listed[..1], &listed);
/// selection.mode = Mode::DryRun;
/// assert_eq!(selection.max_running, 4);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Selection<'a> {
    /// The caches to delete.
    pub caches: &'a [RuntimeCache],
    /// The whole list that the server sent last, by which the outcome is judged.
    pub listed: &'a [RuntimeCache],
    /// How much to do. Default: [`Mode::Wait`].
    pub mode: Mode,
    /// How many deletions run at once, at least one. Default: 4.
    pub max_running: usize,
    /// Whether a missing cache is fine, so that it is [`Outcome::Absent`]. Default: no.
    pub ignore_missing: bool,
}

impl<'a> Selection<'a> {
    /// Returns the deletion of these caches, some or all of those that were listed.
    pub fn new(caches: &'a [RuntimeCache], listed: &'a [RuntimeCache]) -> Self {
        Self { caches, listed, mode: Mode::Wait, max_running: 4, ignore_missing: false }
    }
}

impl Client {
    /// Deletes a runtime cache, and finds out what happened to it if replies are lost.
    ///
    /// It reads the list of caches first: only a cache that was there can have been deleted.
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Mode, Outcome, Progress, RuntimeCache};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// let cache = RuntimeCache::new("Python", "3.7.6", "Local");
    /// let deletion = client.delete(&cache, Mode::Wait, |progress| {
    ///     if let Progress::Line(line) = progress {
    ///         println!("{line}");
    ///     }
    /// });
    /// println!("{deletion}");
    /// # assert!(matches!(deletion.outcome, Outcome::Deleted(_)), "{deletion:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(
        &self,
        cache: &RuntimeCache,
        mode: Mode,
        mut on_progress: impl FnMut(Progress<'_>),
    ) -> Deletion {
        let mut report = |_: Option<&RuntimeCache>, progress: Progress<'_>| on_progress(progress);
        let mut run = Run::new(self, &mut report);
        let mut failures = Failures::default();
        while let Err(error) = run.list() {
            match run.retry_at(&mut failures, &error, Some(cache)) {
                Some(due) => run.sleep_until(due, Some(cache)),
                None => return Deletion::new(cache, Outcome::of_list(error)),
            }
        }
        let selection = Selection { mode, ..Selection::new(slice::from_ref(cache), &[]) };
        Schedule::new(&selection).complete(&mut run).remove(0)
    }

    /// Deletes several caches, and returns them in the order in which their deletions ended.
    ///
    /// A failure does not stop the others. Once access is refused or the [time](crate::Config::timeout) is
    /// over, no further deletion starts. [`Progress::Ended`] reports each outcome as soon as it is known.
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Outcome, Progress, Selection};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// let listed = client.runtime_caches()?;
    /// let deletions = client.delete_all(&Selection::new(&listed, &listed), |cache, progress| {
    ///     if let Progress::Line(line) = progress {
    ///         println!("{cache}: {line}");
    ///     }
    /// });
    /// for deletion in &deletions {
    ///     println!("{deletion}");
    /// }
    /// # assert!(deletions.iter().all(|deletion| matches!(deletion.outcome, Outcome::Deleted(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "only the outcomes show which caches are gone"]
    pub fn delete_all(
        &self,
        selection: &Selection<'_>,
        mut on_progress: impl FnMut(&RuntimeCache, Progress<'_>),
    ) -> Vec<Deletion> {
        let mut report = |cache: Option<&RuntimeCache>, progress: Progress<'_>| {
            if let Some(cache) = cache {
                on_progress(cache, progress);
            }
        };
        let mut run = Run::new(self, &mut report);
        run.evidence.add_list(selection.listed.to_vec());
        Schedule::new(selection).complete(&mut run)
    }

    /// Follows a task until it finishes. Each line of its output is reported once.
    ///
    /// A returned task that is not `finished` was still running at the end of the
    /// [timeout](crate::Config::timeout). Its `output` holds the lines of the last reply only.
    ///
    /// ```
    /// # use connect_cache::{Client, Config, Progress};
    /// # let server = connect_test_server::Server::start(Default::default());
    /// # let client = Client::new(Config::new(server.url().parse()?, "admin-key".parse()?))?;
    /// # let cache = client.runtime_caches()?.remove(0);
    /// let id = client.delete_runtime_cache(&cache)?;
    /// let task = client.follow(&id, |progress| {
    ///     if let Progress::Line(line) = progress {
    ///         println!("{line}");
    ///     }
    /// })?;
    /// assert!(task.succeeded(), "{}", task.error);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Code 141 if no node of the server knows the task, and anything that still prevents answers once the
    /// retries are spent.
    pub fn follow(&self, id: &TaskId, mut on_progress: impl FnMut(Progress<'_>)) -> Result<Task> {
        let mut report = |_: Option<&RuntimeCache>, progress: Progress<'_>| on_progress(progress);
        let mut run = Run::new(self, &mut report);
        let mut following = Following::new(id.clone(), None);
        loop {
            match following.step(&mut run) {
                Step::Next(next, due) => {
                    following = next;
                    run.sleep_until(due, None);
                }
                Step::End(Followed::Finished(task) | Followed::TimedOut(task)) => return Ok(task),
                Step::End(Followed::Lost(error)) => return Err(error),
            }
        }
    }
}
