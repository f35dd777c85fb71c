//! The time, and chance. Tests replace them by a time that does not wait, and no chance.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) trait Clock {
    fn now(&self) -> Instant;

    fn sleep(&self, time: Duration);

    /// Returns a random number, so that clients that fail at the same time do not retry at the same time.
    fn jitter(&self) -> u8;
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

    fn jitter(&self) -> u8 {
        // The standard library's only randomness is in its hash keys, which suffices here.
        RandomState::new().build_hasher().finish() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differs_from_one_retry_to_the_next() {
        assert!((0..100).any(|_| SystemClock.jitter() != SystemClock.jitter()));
    }
}
