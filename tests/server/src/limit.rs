//! A limit for the rate of requests, which counts as nginx's `limit_req` does.

use std::time::Instant;

use crate::Action;

/// A limit for the rate of requests. What exceeds it has no effect: it reaches no node, and no fault or other
/// client counts it.
///
/// ```
/// use connect_test_server::{RateLimit, Server};
/// let server = Server::builder().rate_limit(RateLimit::gateway(3.0).burst(3)).start();
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// How many requests may pass in a second. They must be spread evenly, but for the burst.
    pub per_second: f64,
    /// How many requests more may pass at once, as with nginx's `burst` and `nodelay`.
    pub burst: u32,
    /// The reply to the others.
    pub refusal: Action,
}

impl RateLimit {
    /// Returns the limit of a gateway, without a burst: nginx's page with status 503.
    pub fn gateway(per_second: f64) -> RateLimit {
        RateLimit { per_second, burst: 0, refusal: Action::html(503) }
    }

    /// Returns a limit of Connect's own, without a burst: 429 with code 277 and a `Retry-After` of 2 seconds.
    pub fn connect(per_second: f64) -> RateLimit {
        let refusal = Action::error(429, 277, "The rate limit is exceeded.").with_header("Retry-After", "2");
        RateLimit { per_second, burst: 0, refusal }
    }

    /// Allows this many requests more at once.
    #[must_use]
    pub fn burst(self, burst: u32) -> RateLimit {
        RateLimit { burst, ..self }
    }

    /// Sends this to requests that exceed the limit.
    #[must_use]
    pub fn refusal(self, refusal: Action) -> RateLimit {
        RateLimit { refusal, ..self }
    }
}

/// The state of a limit: a bucket that leaks.
#[derive(Default)]
pub(crate) struct Bucket {
    /// When the last request passed, and by how many requests those so far exceeded the rate then.
    last: Option<(Instant, f64)>,
}

impl Bucket {
    /// Reports whether a request passes, and counts it if so.
    pub fn passes(&mut self, limit: &RateLimit, now: Instant) -> bool {
        let excess = self.last.map_or(0.0, |(at, excess)| {
            (excess - (now - at).as_secs_f64() * limit.per_second + 1.0).max(0.0)
        });
        let passes = excess <= f64::from(limit.burst);
        if passes {
            self.last = Some((now, excess));
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_as_nginx_does() {
        for (burst, at, expected) in [
            (0, &[0, 100, 200, 334, 400, 668, 1002][..], "y--y-yy"),
            (2, &[0, 0, 0, 0, 334, 334, 2000, 2000, 2000, 2000], "yyy-y-yyy-"),
        ] {
            let (limit, start) = (RateLimit::gateway(3.0).burst(burst), Instant::now());
            let mut bucket = Bucket::default();
            let passes = |at: &u64| bucket.passes(&limit, start + Duration::from_millis(*at));
            let passed: String = at.iter().map(passes).map(|passes| if passes { 'y' } else { '-' }).collect();
            assert_eq!(passed, expected, "burst {burst}");
        }
    }
}
