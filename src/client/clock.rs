//! The time. Tests replace it by one that does not wait.

use std::thread;
use std::time::{Duration, Instant};

pub(crate) trait Clock {
    fn now(&self) -> Instant;

    fn sleep(&self, time: Duration);
}

/// The time of this host.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }
}
