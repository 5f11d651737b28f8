//! How the packets of one picture are spread over time: few steps, no sleep after the last.

use std::time::Duration;

/// Packets that always leave together.
pub const MIN_CHUNK_PACKETS: usize = 16;
/// Most steps for one picture.
pub const MAX_STEPS: usize = 12;
/// A pause shorter than this is not worth a sleep.
pub const MIN_SLEEP: Duration = Duration::from_micros(500);

/// The plan for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacingPlan {
    /// Packets in each step but perhaps the last.
    pub chunk_packets: usize,
    /// Pause between two steps; zero when the steps follow at once.
    pub gap: Duration,
}

/// What pacing knows about the link.
#[derive(Clone, Copy, Debug)]
pub struct PacingInput {
    /// Packets of the picture.
    pub packets: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Time between frames at the full rate.
    pub frame_interval: Duration,
    /// Rate that the link is believed to carry, if known.
    pub link_bps: Option<u64>,
}

impl PacingPlan {
    /// Spreads a picture over at most three quarters of the frame interval, and over no more than
    /// the link needs: on a fast link a large picture is out sooner.
    #[must_use]
    pub fn new(input: PacingInput) -> Self {
        let chunk_packets = MIN_CHUNK_PACKETS.max(input.packets.div_ceil(MAX_STEPS));
        let steps = input.packets.div_ceil(chunk_packets);
        if steps <= 1 {
            return Self {
                chunk_packets,
                gap: Duration::ZERO,
            };
        }
        let budget = input.frame_interval * 3 / 4;
        let needed = input.link_bps.filter(|bps| *bps > 0).map(|bps| {
            let micros = input.bytes as u64 * 8 * 1_000_000 / bps;
            Duration::from_micros(micros)
        });
        let spread = needed.map_or(budget, |needed| needed.min(budget));
        let gap = spread / u32::try_from(steps).unwrap_or(u32::MAX);
        Self {
            chunk_packets,
            gap: if gap < MIN_SLEEP { Duration::ZERO } else { gap },
        }
    }

    /// Number of steps for this many packets.
    #[must_use]
    pub const fn steps(&self, packets: usize) -> usize {
        packets.div_ceil(self.chunk_packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_nanos(16_666_667);

    fn plan(packets: usize, link_bps: Option<u64>) -> PacingPlan {
        let bytes = packets * 1200;
        PacingPlan::new(PacingInput {
            packets,
            bytes,
            frame_interval: FRAME,
            link_bps,
        })
    }

    #[test]
    fn no_picture_takes_more_than_twelve_steps_or_three_quarters_of_a_frame() {
        for packets in [1, 16, 17, 146, 610, 1024, 5000, 50_000] {
            let plan = plan(packets, None);
            let steps = plan.steps(packets);
            assert!(steps <= MAX_STEPS, "{packets} packets in {steps} steps");
            let sleeps = u32::try_from(steps - 1).unwrap();
            assert!(plan.gap * sleeps <= FRAME * 3 / 4, "{packets}: {plan:?}");
        }
    }

    #[test]
    fn a_small_picture_leaves_at_once() {
        for packets in [1, 2, 15, 16] {
            let plan = plan(packets, Some(1_000_000));
            assert_eq!((plan.steps(packets), plan.gap), (1, Duration::ZERO));
        }
    }

    #[test]
    fn a_fast_link_is_not_made_to_wait() {
        assert_eq!(plan(100, Some(1_000_000_000)).gap, Duration::ZERO);
        assert!(plan(100, Some(20_000_000)).gap >= MIN_SLEEP);
    }

    #[test]
    fn no_pause_is_shorter_than_a_sleep_is_worth() {
        for packets in 1..2000 {
            for link in [None, Some(10_000_000), Some(100_000_000), Some(400_000_000)] {
                let gap = plan(packets, link).gap;
                assert!(
                    gap.is_zero() || gap >= MIN_SLEEP,
                    "{packets} {link:?}: {gap:?}"
                );
            }
        }
    }
}
