//! Plans: how a deletion task runs and ends.

use std::time::Duration;

/// How a deletion goes. By default its task ends well, at once, with the two lines that Connect
/// writes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long the task runs.
    pub duration: Duration,
    /// The task's `code`; other than 0 it fails.
    pub code: i64,
    /// The task's `error`; a task with an error fails even if its code is 0.
    pub error: String,
    /// The task's output, spread over its duration: the first line at once, the last at the end.
    /// Left at its default in a failing task, the second line tells of the failure.
    pub lines: Vec<String>,
    /// The list shows the cache, yet it is gone before the deletion (or its dry run) arrives, which
    /// gets what [`MissingCache`](crate::MissingCache) says.
    pub vanishes: bool,
    /// When the cache goes away.
    pub effect: Effect,
}

impl Plan {
    /// A task that runs so long and ends well.
    pub fn lasting(duration: Duration) -> Plan {
        Plan { duration, ..Plan::default() }
    }

    /// A task that fails at once.
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

/// When the cache of a deletion task goes away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effect {
    /// When the task succeeds: its code is 0 and its error is empty.
    #[default]
    OnSuccess,
    /// When the task ends, well or not.
    AtEnd,
    /// As soon as the task starts, however it ends.
    AtStart,
    /// Not at all.
    Never,
}
