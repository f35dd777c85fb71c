//! The pace of requests, which an overloaded server slows down.

use std::time::{Duration, Instant};

use crate::client::retry::backoff;
use crate::error::Error;

/// The time between the starts of requests after the server was overloaded. It doubles with each further overload after
/// a success, up to `MAX_SPACING`.
const SPACING: Duration = Duration::from_millis(500);
const MAX_SPACING: Duration = Duration::from_secs(4);

/// When the next request of a run may start. It concerns all jobs of the run, since they share the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    ready_at: Option<Instant>,
    /// The time between the starts of requests, once the server was overloaded.
    spacing: Option<Duration>,
    /// How many replies in a row reported an overload.
    overloads: u32,
}

impl Pace {
    /// Returns the earliest time for the next request.
    pub(crate) fn ready_at(self) -> Option<Instant> {
        self.ready_at
    }

    /// Records a request that started at `sent_at` and ended now: with an error, if there is one.
    pub(crate) fn after(self, error: Option<&Error>, sent_at: Instant, now: Instant) -> Self {
        match error.filter(|error| error.class.overloaded) {
            Some(error) => {
                let overloads = self.overloads + 1;
                let pause = match error.retry_after() {
                    // The request is not sent again, and others need not wait so long.
                    Some(pause) if pause > Error::MAX_RETRY_AFTER => SPACING,
                    Some(pause) => pause,
                    None => backoff(overloads, 0),
                };
                let spacing = match self.spacing {
                    None => SPACING,
                    Some(spacing) if self.overloads == 0 => MAX_SPACING.min(spacing * 2),
                    Some(spacing) => spacing,
                };
                let ready_at = self.ready_at.max(Some(now + pause.max(spacing)));
                Self { ready_at, spacing: Some(spacing), overloads }
            }
            None => Self { ready_at: self.spacing.map(|spacing| sent_at + spacing), overloads: 0, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Attempt, ErrorKind, Excerpt};

    fn refused(status: u16, retry_after: Option<u64>) -> Error {
        let kind = ErrorKind::Foreign { status, excerpt: Excerpt::default() };
        let mut error = Error::sent(Attempt::PollTask, kind);
        error.context.retry_after = retry_after.map(Duration::from_secs);
        error
    }

    #[test]
    fn pauses_after_an_overload_and_spaces_the_requests_after_it() {
        let now = Instant::now();
        let pace = Pace::default();
        assert_eq!(pace.after(None, now, now).ready_at(), None);
        assert_eq!(pace.after(Some(&refused(502, Some(7))), now, now).ready_at(), None);
        for status in [429, 503] {
            let paused = pace.after(Some(&refused(status, Some(7))), now, now);
            assert_eq!(paused.ready_at(), Some(now + Duration::from_secs(7)));
            // A shorter pause does not end a longer one.
            let still = paused.after(Some(&refused(status, Some(2))), now, now);
            assert_eq!(still.ready_at(), Some(now + Duration::from_secs(7)));
            let later = now + Duration::from_secs(8);
            let spaced = paused.after(None, later, later + Duration::from_secs(1));
            assert_eq!(spaced.ready_at(), Some(later + SPACING));
            // An overload right after a success shows that the requests are too close to each other.
            let mut closer = spaced;
            for spacing in [SPACING * 2, SPACING * 4, MAX_SPACING, MAX_SPACING] {
                let again = closer.after(Some(&refused(status, None)), later, later);
                assert_eq!(again.after(None, later, later).ready_at(), Some(later + spacing));
                closer = again.after(Some(&refused(status, None)), later, later).after(None, later, later);
                assert_eq!(closer.ready_at(), Some(later + spacing));
            }
        }
        let minute = pace.after(Some(&refused(503, Some(60))), now, now);
        assert_eq!(minute.ready_at(), Some(now + Duration::from_secs(60)));
        let long = pace.after(Some(&refused(503, Some(3600))), now, now);
        assert_eq!(long.ready_at(), Some(now + SPACING));
        let without = pace.after(Some(&refused(503, None)), now, now).ready_at().unwrap();
        assert!(without >= now + Duration::from_millis(500) && without <= now + Duration::from_millis(625));
    }
}
