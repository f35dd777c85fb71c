//! Decides whether and when to send a request again. There is no I/O here: the callers wait.

use std::time::Duration;

use crate::error::{Error, Retry};

/// Retries of one request if the configuration has no number.
const RETRIES: u32 = 6;
/// The same until the server has answered once in a run: a wrong address should not cost minutes.
const RETRIES_UNANSWERED: u32 = 2;
/// How many more times a task is looked up that a node does not know, and the pause before each lookup.
const LOOKUPS: u32 = 10;
const LOOKUP_PAUSE: Duration = Duration::from_millis(100);
/// The pause before a request is sent again whose key was refused, although it has been accepted before.
const REFUSED_KEY_PAUSE: Duration = Duration::from_secs(1);

/// What a run has learned about the server. Each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Experience {
    #[default]
    Nothing,
    /// The server, or something in front of it, has answered.
    Answered,
    /// Connect has answered.
    ConnectAnswered,
    /// Connect has accepted the key.
    KeyAccepted,
}

/// The failures of one request since its last success.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: u32,
    lookups: u32,
    key_refused: bool,
}

impl Failures {
    /// Reports whether nothing has failed since the last success.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// When to send a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) delay: Duration,
    /// Whether it counts as a retry, which people are told about.
    pub(crate) is_retry: bool,
}

/// The rules for retries, at one moment of a run.
pub(crate) struct RetryPolicy {
    /// The configured number.
    pub(crate) retries: Option<u32>,
    pub(crate) experience: Experience,
    pub(crate) time_left: Duration,
    /// A random number.
    pub(crate) jitter: u8,
}

impl RetryPolicy {
    /// Counts a failure, and returns when to send the request again; `None` if not.
    pub(crate) fn next(&self, failures: &mut Failures, error: &Error) -> Option<Again> {
        match error.class.retry {
            Retry::Never => None,
            // The next connection is a new one, so this happens only once. It does not count as a failure.
            Retry::Later if error.context.stale => Some(Again { delay: Duration::ZERO, is_retry: false }),
            Retry::AtOtherNodes => {
                failures.lookups += 1;
                let again = failures.lookups <= LOOKUPS && LOOKUP_PAUSE < self.time_left;
                again.then_some(Again { delay: LOOKUP_PAUSE, is_retry: false })
            }
            Retry::OnceIfKeyAccepted => {
                let again = self.experience >= Experience::KeyAccepted
                    && !std::mem::replace(&mut failures.key_refused, true)
                    && self.retries != Some(0)
                    && REFUSED_KEY_PAUSE < self.time_left;
                again.then_some(Again { delay: REFUSED_KEY_PAUSE, is_retry: true })
            }
            Retry::IfConnectAnswered if self.experience < Experience::ConnectAnswered => None,
            Retry::IfConnectAnswered | Retry::Later => {
                let delay = self.delay(failures, error)?;
                Some(Again { delay, is_retry: true })
            }
        }
    }

    /// Counts a failure, and reports whether the retries allow another attempt.
    pub(crate) fn allows_another(&self, failures: &mut Failures) -> bool {
        failures.count += 1;
        let limit = if self.experience == Experience::Nothing { RETRIES_UNANSWERED } else { RETRIES };
        failures.count <= self.retries.unwrap_or(limit)
    }

    /// Counts a failure, and returns the delay before the retry; `None` if there is none.
    fn delay(&self, failures: &mut Failures, error: &Error) -> Option<Duration> {
        if !self.allows_another(failures) {
            return None;
        }
        match error.retry_after() {
            Some(delay) => (delay <= Error::MAX_RETRY_AFTER && delay < self.time_left).then_some(delay),
            None => {
                let delay = backoff(failures.count, self.jitter);
                // At the deadline, a task is polled one last time, but no deletion starts.
                let at_deadline = error.attempt.is_repeatable() && !self.time_left.is_zero();
                (at_deadline || delay < self.time_left).then_some(delay.min(self.time_left))
            }
        }
    }
}

/// Returns 0.5 s, doubled with each consecutive failure up to 16 s, plus up to a quarter by `jitter`, so that clients
/// that fail at the same time do not retry at the same time.
pub(crate) fn backoff(failures: u32, jitter: u8) -> Duration {
    let delay = Duration::from_millis(500) * (1 << failures.saturating_sub(1).min(5));
    delay + delay / 4 * u32::from(jitter) / 255
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Attempt, ErrorKind, Excerpt};

    const HOUR: Duration = Duration::from_secs(3600);

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn policy(retries: Option<u32>, answered: bool, time_left: Duration) -> RetryPolicy {
        let experience = if answered { Experience::Answered } else { Experience::Nothing };
        RetryPolicy { retries, experience, time_left, jitter: 0 }
    }

    fn lost(attempt: Attempt, retry_after: Option<Duration>) -> Error {
        let kind = ErrorKind::Lost(String::new());
        let mut error = match attempt {
            Attempt::DeleteRuntimeCache => Error::not_sent(attempt, kind),
            _ => Error::sent(attempt, kind),
        };
        error.context.retry_after = retry_after;
        error
    }

    fn delay(policy: &RetryPolicy, error: &Error) -> Option<Duration> {
        policy.next(&mut Failures::default(), error).map(|again| again.delay)
    }

    #[test]
    fn backs_off_from_half_a_second_to_sixteen() {
        let delays: Vec<f64> = (1..=8).map(|n| backoff(n, 0).as_secs_f64()).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]);
        assert_eq!(backoff(6, 255), secs(20.0));
    }

    #[test]
    fn stops_after_the_allowed_number_of_retries() {
        for (retries, answered, allowed) in
            [(None, true, 6), (None, false, 2), (Some(0), true, 0), (Some(3), false, 3)]
        {
            let (policy, error) = (policy(retries, answered, HOUR), lost(Attempt::PollTask, None));
            let mut failures = Failures::default();
            let tries = (0..10).take_while(|_| policy.next(&mut failures, &error).is_some()).count();
            assert_eq!(tries, allowed);
        }
    }

    #[test]
    fn honors_retry_after_up_to_a_minute_and_never_passes_the_deadline() {
        let next = |after: Option<f64>, left, attempt| {
            delay(&policy(None, true, secs(left)), &lost(attempt, after.map(secs)))
        };
        let (poll, delete) = (Attempt::PollTask, Attempt::DeleteRuntimeCache);
        assert_eq!(next(Some(7.0), 100.0, poll), Some(secs(7.0)));
        assert_eq!(next(Some(60.0), 100.0, poll), Some(secs(60.0)));
        assert_eq!(next(Some(61.0), 100.0, poll), None);
        assert_eq!((next(Some(7.0), 7.1, poll), next(Some(7.0), 7.0, poll)), (Some(secs(7.0)), None));
        assert_eq!(next(None, 0.1, poll), Some(secs(0.1)));
        assert_eq!(next(None, 0.0, poll), None);
        assert_eq!((next(None, 0.1, delete), next(None, 0.5, delete)), (None, None));
    }

    #[test]
    fn repeats_odd_replies_only_after_good_ones() {
        let kind = || {
            let (problem, excerpt) = (String::new(), Excerpt::default());
            ErrorKind::Malformed { expected: "", is_json: true, problem, excerpt }
        };
        let odd = Error::sent(Attempt::PollTask, kind());
        let refused =
            Error::sent(Attempt::PollTask, ErrorKind::Foreign { status: 401, excerpt: Excerpt::default() });
        let mut policy = policy(None, true, HOUR);
        assert_eq!((delay(&policy, &odd), delay(&policy, &refused)), (None, None));
        policy.experience = Experience::ConnectAnswered;
        assert!(delay(&policy, &odd).is_some() && delay(&policy, &refused).is_none());
        policy.experience = Experience::KeyAccepted;
        assert!(delay(&policy, &odd).is_some());
        let mut failures = Failures::default();
        let again = Some(Again { delay: REFUSED_KEY_PAUSE, is_retry: true });
        assert_eq!(policy.next(&mut failures, &refused), again);
        assert_eq!(policy.next(&mut failures, &refused), None);
        policy.time_left = REFUSED_KEY_PAUSE;
        assert_eq!(delay(&policy, &refused), None);
    }

    #[test]
    fn looks_a_task_up_while_there_is_time() {
        let kind = ErrorKind::Api { status: 404, code: 4, message: String::new() };
        let unknown = Error::sent(Attempt::PollTask, kind);
        let again = Some(Again { delay: LOOKUP_PAUSE, is_retry: false });
        let mut failures = Failures::default();
        for expected in [again; LOOKUPS as usize].into_iter().chain([None]) {
            assert_eq!(policy(Some(0), true, HOUR).next(&mut failures, &unknown), expected);
        }
        assert!(failures.is_empty());
        assert_eq!(delay(&policy(None, true, LOOKUP_PAUSE), &unknown), None);
    }

    #[test]
    fn replaces_a_stale_connection_without_a_failure() {
        let mut stale = lost(Attempt::PollTask, None);
        stale.context.stale = true;
        let mut failures = Failures::default();
        let again = policy(Some(0), true, HOUR).next(&mut failures, &stale);
        assert_eq!(again, Some(Again { delay: Duration::ZERO, is_retry: false }));
        assert!(failures.is_empty());
        stale.context.stale = false;
        assert!(policy(Some(1), true, HOUR).next(&mut failures, &stale).is_some());
        assert!(!failures.is_empty());
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
            count in 0u32..20,
            retries in proptest::option::of(0u32..20),
            after in proptest::option::of(0u64..100),
            left in 0u64..100_000,
        ) {
            let (after, left) = (after.map(Duration::from_secs), Duration::from_millis(left));
            let mut failures = Failures { count, ..Failures::default() };
            let again = policy(retries, true, left).next(&mut failures, &lost(Attempt::PollTask, after));
            prop_assert!(again.is_none_or(|again| again.delay <= left), "{again:?}");
            prop_assert!(again.is_none() || count < retries.unwrap_or(RETRIES));
        }
    }
}
