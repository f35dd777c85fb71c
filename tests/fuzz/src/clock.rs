//! A clock that moves forward instead of sleeping, so that backoffs and intervals take no time.
//!
//! The standard library calls these functions of the C library for `Instant` and `sleep`. The executable's own
//! definitions take precedence. libFuzzer uses other clocks.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use libc::{CLOCK_MONOTONIC, SYS_clock_gettime, c_int, clockid_t, syscall, timespec};

const SECOND: i64 = 1_000_000_000;

/// The time by which the clock is ahead, in nanoseconds.
static SLEPT: AtomicI64 = AtomicI64::new(0);

/// Checks that the functions below replace those of the C library.
pub(crate) fn start() {
    thread::sleep(Duration::from_secs(1));
    assert!(SLEPT.load(Relaxed) >= SECOND, "the clock is not replaced");
}

/// Sets the clock forward instead of waiting.
#[unsafe(no_mangle)]
extern "C" fn nanosleep(time: &timespec, _: *mut timespec) -> c_int {
    SLEPT.fetch_add(time.tv_sec * SECOND + time.tv_nsec, Relaxed);
    0
}

/// Newer versions of the standard library sleep with this function, always for a duration.
#[unsafe(no_mangle)]
extern "C" fn clock_nanosleep(_: clockid_t, flags: c_int, time: &timespec, rest: *mut timespec) -> c_int {
    assert_eq!(flags, 0);
    nanosleep(time, rest)
}

#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: clockid_t, time: &mut timespec) -> c_int {
    // SAFETY: the kernel writes the time to a valid place.
    let result = unsafe { syscall(SYS_clock_gettime, clock, std::ptr::from_mut(time)) };
    if clock == CLOCK_MONOTONIC {
        let nanoseconds = time.tv_nsec + SLEPT.load(Relaxed);
        time.tv_sec += nanoseconds / SECOND;
        time.tv_nsec = nanoseconds % SECOND;
    }
    result as c_int
}
