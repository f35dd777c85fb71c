//! Missing caches: what a server replies to a deletion that names one.

use crate::{Effect, Plan};

/// What a cache that does not exist gets. Servers differ by version, and nothing says that they treat a
/// DELETE and a dry run alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingCache {
    /// The reply to a dry run.
    pub dry_run: MissingDryRun,
    /// The reply to a DELETE.
    pub delete: MissingDelete,
}

/// The reply to a dry run of a cache that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingDryRun {
    /// 404 with code 4: a dry run tells whether a cache exists.
    NotFound,
    /// 200, as for any cache.
    Accepted,
}

/// The reply to a DELETE of a cache that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingDelete {
    /// 404 with code 4. A task that started with the cache and does not find it at its end fails.
    NotFound,
    /// 200. The task runs as planned, then fails with code 1 and an error, and changes nothing.
    TaskFails,
    /// 200. The task runs as planned, then succeeds, and changes nothing.
    TaskSucceeds,
}

impl MissingCache {
    /// Both get 404 with code 4, as on servers until 2024. This is the default.
    pub const NOT_FOUND: MissingCache =
        MissingCache { dry_run: MissingDryRun::NotFound, delete: MissingDelete::NotFound };
    /// Both get 200, and the task fails.
    pub const TASK_FAILS: MissingCache =
        MissingCache { dry_run: MissingDryRun::Accepted, delete: MissingDelete::TaskFails };
    /// Both get 200, and the task succeeds.
    pub const TASK_SUCCEEDS: MissingCache =
        MissingCache { dry_run: MissingDryRun::Accepted, delete: MissingDelete::TaskSucceeds };
    /// Every combination: the three above, then those in which the dry run says something else than the DELETE.
    pub const ALL: [MissingCache; 6] = [
        MissingCache::NOT_FOUND,
        MissingCache::TASK_FAILS,
        MissingCache::TASK_SUCCEEDS,
        MissingCache { dry_run: MissingDryRun::NotFound, ..MissingCache::TASK_FAILS },
        MissingCache { dry_run: MissingDryRun::NotFound, ..MissingCache::TASK_SUCCEEDS },
        MissingCache { dry_run: MissingDryRun::Accepted, ..MissingCache::NOT_FOUND },
    ];

    /// Reports whether a dry run tells if a cache exists.
    pub fn dry_run_tells(self) -> bool {
        self.dry_run == MissingDryRun::NotFound
    }
}

impl Default for MissingCache {
    fn default() -> MissingCache {
        MissingCache::NOT_FOUND
    }
}

impl MissingDelete {
    /// Returns the code and error of a task that does not find its cache.
    pub(crate) fn end(self) -> (i64, &'static str) {
        match self {
            MissingDelete::NotFound | MissingDelete::TaskFails => (1, "Cache does not exist"),
            MissingDelete::TaskSucceeds => (0, ""),
        }
    }

    /// Changes the plan of a task that starts with no cache to delete.
    pub(crate) fn plan(self, plan: Plan) -> Plan {
        let (code, error) = self.end();
        Plan { code, error: error.into(), effect: Effect::Never, ..plan }
    }
}
