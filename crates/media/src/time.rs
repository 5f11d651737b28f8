//! The one clock of the data path: nanoseconds that only go forward, and their wall-clock reading.

use std::ops::{Add, Sub};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time: nanoseconds since an hour before the process first looked at the clock.
///
/// It is a plain number, so a simulation makes its own, and it fits into fixed-size events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(u64);

/// What the clock reads at its first reading: an hour, so that a time a little before the first
/// reading is still a time, and the zero of the clock is never now.
const FIRST_READING: Duration = Duration::from_secs(3600);

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl MonoTime {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// Reads the clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from_instant(Instant::now())
    }

    /// The time of an [`Instant`]; one long before the first reading reads as the origin.
    #[must_use]
    pub fn from_instant(instant: Instant) -> Self {
        let first = Self(saturating_nanos(FIRST_READING));
        match instant.checked_duration_since(origin()) {
            Some(after) => first + after,
            None => first - origin().saturating_duration_since(instant),
        }
    }

    /// The same point as an [`Instant`].
    #[must_use]
    pub fn to_instant(self) -> Instant {
        let since_origin = Duration::from_nanos(self.0);
        match since_origin.checked_sub(FIRST_READING) {
            Some(after) => origin() + after,
            // The system's clock cannot go back that far: then its first reading has to do.
            None => origin()
                .checked_sub(FIRST_READING - since_origin)
                .unwrap_or(origin()),
        }
    }

    /// A time made by a simulation, in nanoseconds since the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds since the Unix epoch at this point, by the wall clock's present setting.
    #[must_use]
    pub fn wall_us(self) -> u64 {
        let now = Self::now();
        let wall_now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall_now_us = u64::try_from(wall_now.as_micros()).unwrap_or(u64::MAX);
        if self <= now {
            wall_now_us.saturating_sub((now.0 - self.0) / 1000)
        } else {
            wall_now_us.saturating_add((self.0 - now.0) / 1000)
        }
    }

    /// The same point as a [`SystemTime`].
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.wall_us())
    }
}

impl Add<Duration> for MonoTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl Sub<Duration> for MonoTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_ticks_convert_both_ways() {
        let now = MonoTime::now();
        assert_eq!(MonoTime::from_instant(now.to_instant()), now);
    }

    #[test]
    fn times_before_the_first_reading_are_times_too() {
        let early = MonoTime::now() - Duration::from_secs(60);
        assert!(early > MonoTime::ZERO);
        assert_eq!(MonoTime::from_instant(early.to_instant()), early);
        assert_eq!(MonoTime::now().since(early).as_secs(), 60);
    }

    #[test]
    fn wall_time_moves_with_the_tick() {
        let now = MonoTime::now();
        let later = now + Duration::from_secs(5);
        let step = later.wall_us() - now.wall_us();
        assert!(
            step.abs_diff(5_000_000) < 1_000_000,
            "a 5 s step reads as {step} us"
        );
    }

    #[test]
    fn differences_never_go_below_zero() {
        let early = MonoTime::from_nanos(5);
        let late = MonoTime::from_nanos(9);
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early - Duration::from_secs(1), MonoTime::ZERO);
    }
}
