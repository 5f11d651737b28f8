//! RTP's 90 kHz video clock, which wraps every 13 hours and 15 minutes.

use crate::MonoTime;

/// A 90 kHz RTP timestamp, modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rtp90k(pub u32);

impl Rtp90k {
    /// The timestamp of a point in time, wrapped.
    #[must_use]
    pub const fn from_time(time: MonoTime) -> Self {
        Self(Self::extended(time) as u32)
    }

    /// The unwrapped count of 90 kHz ticks at a point in time.
    #[must_use]
    pub const fn extended(time: MonoTime) -> u64 {
        let nanos = time.as_nanos();
        // 90_000 / 1e9 = 9 / 100_000; split so that the product never overflows.
        nanos / 100_000 * 9 + nanos % 100_000 * 9 / 100_000
    }

    /// Signed distance in ticks from `earlier`, right across one wrap.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WRAP: u64 = 1 << 32;

    #[test]
    fn one_second_is_90_000_ticks() {
        assert_eq!(
            Rtp90k::from_time(MonoTime::ZERO + Duration::from_secs(1)).0,
            90_000
        );
    }

    #[test]
    fn a_frame_step_is_right_across_the_wrap() {
        let frame = Duration::from_nanos(16_666_667);
        let wrap_at = Duration::from_nanos(WRAP * 100_000 / 9);
        let before = MonoTime::ZERO + wrap_at - Duration::from_millis(1);
        let after = before + frame;
        let (a, b) = (Rtp90k::from_time(before), Rtp90k::from_time(after));
        assert!(b.0 < a.0, "the clock wraps between the two: {a:?} {b:?}");
        assert!((1499..=1501).contains(&b.since(a)), "step {}", b.since(a));
        assert_eq!(a.since(b), -b.since(a));
    }

    #[test]
    fn a_year_of_frames_never_saturates() {
        let year = Duration::from_secs(365 * 86_400);
        let a = Rtp90k::from_time(MonoTime::ZERO + year);
        let b = Rtp90k::from_time(MonoTime::ZERO + year + Duration::from_secs(1));
        assert_eq!(b.since(a), 90_000);
    }
}
