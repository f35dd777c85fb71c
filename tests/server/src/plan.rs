//! Plans: how a deletion task runs and ends.

use std::time::Duration;

/// The course of a deletion. By default its task succeeds at once, with the two lines that Connect
/// writes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long the task runs.
    pub duration: Duration,
    /// The task's `code`. If it is not 0, the task fails.
    pub code: i64,
    /// The task's `error`; a task with an error fails even if its code is 0.
    pub error: String,
    /// The task's output, spread over its duration: the first line at once, the last at the end.
    /// If this is the default and the task fails, the second line reports the failure.
    pub lines: Vec<String>,
    /// List the cache, but remove it before the deletion (or its dry run) arrives, so that the reply is
    /// that of [`MissingCache`](crate::MissingCache).
    pub vanishes: bool,
    /// When the cache is removed.
    pub effect: Effect,
}

impl Plan {
    /// Returns the plan of a task that succeeds after this time.
    pub fn lasting(duration: Duration) -> Plan {
        Plan { duration, ..Plan::default() }
    }

    /// Returns the plan of a task that fails at once.
    pub fn failing(code: i64, error: impl Into<String>) -> Plan {
        Plan { code, error: error.into(), ..Plan::default() }
    }

    /// Returns the output of a task that succeeds or fails.
    pub(crate) fn lines_for(&self, succeeds: bool) -> Vec<String> {
        let mut lines = self.lines.clone();
        if !succeeds && lines == Plan::default().lines {
            lines[1] = "Failed to delete runtime cache".into();
        }
        lines
    }
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            duration: Duration::ZERO,
            code: 0,
            error: String::new(),
            lines: vec!["Deleting runtime cache...".into(), "Successfully deleted runtime cache".into()],
            vanishes: false,
            effect: Effect::OnSuccess,
        }
    }
}

/// When a deletion task removes its cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effect {
    /// When the task succeeds: its code is 0 and its error is empty.
    #[default]
    OnSuccess,
    /// When the task finishes, even if it fails.
    AtEnd,
    /// As soon as the task starts, even if it fails.
    AtStart,
    /// Never.
    Never,
}
