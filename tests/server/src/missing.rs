//! Missing caches: how a server replies to a deletion that names one.

use crate::{Effect, Plan};

/// The reply to a DELETE or a dry run of a cache that does not exist. Servers differ by version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissingCache {
    /// Answer both with 404 with code 4, as servers did until 2024.
    #[default]
    NotFound,
    /// Answer both with 200, as for any cache. The task runs as planned, then fails with code 1 and
    /// an error, and changes nothing.
    TaskFails,
    /// Answer both with 200, as for any cache. The task runs as planned, then succeeds, and changes
    /// nothing.
    TaskSucceeds,
}

impl MissingCache {
    /// Reports whether the reply to a dry run shows if a cache exists.
    pub fn has_conclusive_dry_runs(self) -> bool {
        self == MissingCache::NotFound
    }

    /// Returns the code and error of a task that does not find its cache.
    pub(crate) fn end(self) -> (i64, &'static str) {
        match self {
            MissingCache::NotFound | MissingCache::TaskFails => (1, "Cache does not exist"),
            MissingCache::TaskSucceeds => (0, ""),
        }
    }

    /// Changes the plan of a task that starts with no cache to delete.
    pub(crate) fn plan(self, plan: Plan) -> Plan {
        let (code, error) = self.end();
        Plan { code, error: error.into(), effect: Effect::Never, ..plan }
    }
}
