//! Decides whether and when to retry a request. There is no I/O here: [`crate::Client`] waits.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::Error;

/// Retries of one request if the configuration has no number.
const RETRIES: u32 = 6;
/// The same until the server has answered once in a run: a wrong address should not cost minutes.
const RETRIES_UNANSWERED: u32 = 2;

/// How many times one request has failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failures: u32,
    lost_lookups: u32,
}

impl Retry {
    /// Counts a failure, and returns the delay before the retry; `None` if there is none.
    ///
    /// `limit` is the configured number of retries, `retry_after` the delay that the server asked for, `left` the
    /// time left of the run. `at_deadline` allows a last retry when that is over.
    pub(crate) fn after_failure(
        &mut self,
        limit: Option<u32>,
        answered: bool,
        retry_after: Option<Duration>,
        left: Duration,
        at_deadline: bool,
    ) -> Option<Duration> {
        self.failures += 1;
        let limit = limit.unwrap_or(if answered { RETRIES } else { RETRIES_UNANSWERED });
        if self.failures > limit {
            return None;
        }
        let delay = match retry_after {
            Some(delay) if delay > Error::MAX_RETRY_AFTER => return None,
            Some(delay) => delay,
            None => backoff(self.failures, random()),
        };
        match at_deadline && retry_after.is_none() && !left.is_zero() {
            true => Some(delay.min(left)),
            false => (delay < left).then_some(delay),
        }
    }

    /// Reports whether nothing has failed since the last success.
    pub(crate) fn is_first(&self) -> bool {
        self.failures == 0
    }

    /// Counts a lookup at a node that did not know the task; reports whether to look it up again.
    pub(crate) fn after_lost_lookup(&mut self, limit: u32) -> bool {
        self.lost_lookups += 1;
        self.lost_lookups <= limit
    }

    /// Forgets the failures, since only consecutive ones count.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// Returns 0.5 s, doubled with each consecutive failure up to 16 s, plus up to a quarter by `jitter`, so that clients
/// that fail at the same time do not retry at the same time.
fn backoff(failures: u32, jitter: u8) -> Duration {
    let delay = Duration::from_millis(500) * (1 << failures.saturating_sub(1).min(5));
    delay + delay / 4 * u32::from(jitter) / 255
}

/// Returns a random number. The standard library's only randomness is in its hash keys, which suffices here.
fn random() -> u8 {
    RandomState::new().build_hasher().finish() as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn backs_off_from_half_a_second_to_sixteen() {
        let delays: Vec<f64> = (1..=8).map(|n| backoff(n, 0).as_secs_f64()).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]);
        assert_eq!(backoff(6, 255), secs(20.0));
        assert!((0..100).any(|_| random() != random()));
    }

    #[test]
    fn stops_after_the_allowed_number_of_retries() {
        for (limit, answered, allowed) in
            [(None, true, 6), (None, false, 2), (Some(0), true, 0), (Some(3), false, 3)]
        {
            let mut retry = Retry::default();
            let tries = (0..10)
                .take_while(|_| retry.after_failure(limit, answered, None, HOUR, true).is_some())
                .count();
            assert_eq!(tries, allowed);
            retry.succeeded();
            assert_eq!(retry.after_failure(limit, answered, None, HOUR, true).is_some(), allowed > 0);
        }
    }

    #[test]
    fn honors_retry_after_up_to_a_minute_and_never_passes_the_deadline() {
        let next =
            |after, left| Retry::default().after_failure(None, true, Some(secs(after)), secs(left), true);
        assert_eq!(next(7.0, 100.0), Some(secs(7.0)));
        assert_eq!(next(60.0, 100.0), Some(secs(60.0)));
        assert_eq!(next(61.0, 100.0), None);
        assert_eq!((next(7.0, 7.1), next(7.0, 7.0)), (Some(secs(7.0)), None));
        assert_eq!(Retry::default().after_failure(None, true, None, secs(0.1), true), Some(secs(0.1)));
        assert_eq!(Retry::default().after_failure(None, true, None, Duration::ZERO, true), None);
        assert_eq!(Retry::default().after_failure(None, true, None, secs(0.1), false), None);
    }

    proptest! {
        #[test]
        fn waits_within_the_bounds(failures: u32, jitter: u8) {
            let (delay, longer) = (backoff(failures, jitter), backoff(failures.saturating_add(1), 0));
            prop_assert!(delay >= secs(0.5) && delay <= secs(20.0), "{delay:?}");
            prop_assert!(delay < longer || failures >= 6 || failures == 0, "{delay:?}, then {longer:?}");
        }

        #[test]
        fn never_waits_past_the_deadline(
            failures in 0u32..20,
            limit in proptest::option::of(0u32..20),
            after in proptest::option::of(0u64..100),
            left in 0u64..100_000,
        ) {
            let (after, left) = (after.map(Duration::from_secs), Duration::from_millis(left));
            let mut retry = Retry { failures, ..Retry::default() };
            let delay = retry.after_failure(limit, true, after, left, true);
            prop_assert!(delay.is_none_or(|delay| delay <= left), "{delay:?}");
            prop_assert!(delay.is_none() || failures < limit.unwrap_or(RETRIES));
        }
    }
}
