//! Which packets this client throws away, or takes in late, on purpose. The same seed chooses the same
//! packets.

use crate::options::{DropShare, LateShare};

/// Chooses packets of one stream.
#[derive(Debug)]
pub(super) struct Dropper {
    share: Option<DropShare>,
    random: fastrand::Rng,
    left: u32,
}

impl Dropper {
    pub(super) fn new(share: Option<DropShare>, seed: u64) -> Self {
        Self {
            share,
            random: fastrand::Rng::with_seed(seed),
            left: 0,
        }
    }

    /// Whether the next packet goes.
    pub(super) fn drops(&mut self) -> bool {
        let Some(share) = self.share else {
            return false;
        };
        if self.left == 0 {
            // A run begins as often as makes `share` of all packets go.
            let (kept, burst) = (100.0 - share.percent, f64::from(share.burst));
            let begins = share.percent / (share.percent + kept * burst);
            if self.random.f64() < begins {
                self.left = share.burst;
            }
        }
        let drops = self.left > 0;
        self.left = self.left.saturating_sub(1);
        drops
    }
}

/// Packets that are held back until others have overtaken them.
#[derive(Debug)]
pub(super) struct Delayer {
    share: Option<LateShare>,
    random: fastrand::Rng,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    packet: Vec<u8>,
    /// Packets that are still to overtake it.
    behind: u32,
}

impl Delayer {
    pub(super) fn new(share: Option<LateShare>, seed: u64) -> Self {
        Self {
            share,
            random: fastrand::Rng::with_seed(seed),
            held: Vec::new(),
        }
    }

    /// Whether the packet was held back.
    pub(super) fn holds(&mut self, packet: &[u8]) -> bool {
        let Some(share) = self.share else {
            return false;
        };
        let holds = self.random.f64() * 100.0 < share.percent;
        if holds {
            self.held.push(Held {
                packet: packet.to_vec(),
                behind: share.behind,
            });
        }
        holds
    }

    /// Another packet has gone by.
    pub(super) fn overtaken(&mut self) {
        for held in &mut self.held {
            held.behind = held.behind.saturating_sub(1);
        }
    }

    /// A packet whose turn it is now.
    pub(super) fn due(&mut self) -> Option<Vec<u8>> {
        let at = self.held.iter().position(|held| held.behind == 0)?;
        Some(self.held.remove(at).packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_packets_all_come_and_as_late_as_asked_for() {
        let mut delayer = Delayer::new(Some("10:2".parse().unwrap()), 3);
        let mut came = Vec::new();
        for number in 0u16..1000 {
            let packet = number.to_be_bytes();
            if delayer.holds(&packet) {
                continue;
            }
            came.push(number);
            delayer.overtaken();
            while let Some(packet) = delayer.due() {
                came.push(u16::from_be_bytes([packet[0], packet[1]]));
            }
        }
        let late = came.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((50..150).contains(&late), "{late}");
        came.sort_unstable();
        came.dedup();
        assert!(came.len() >= 997, "{}", came.len());
    }

    #[test]
    fn about_the_share_asked_for_goes_in_runs_and_the_same_every_time() {
        let share = |text: &str| Some(text.parse().unwrap());
        for text in ["2", "5:3", "30:10"] {
            let wanted: DropShare = text.parse().unwrap();
            let choice = |seed| -> Vec<bool> {
                let mut dropper = Dropper::new(share(text), seed);
                (0..200_000).map(|_| dropper.drops()).collect()
            };
            let first = choice(7);
            assert_eq!(first, choice(7));
            assert_ne!(first, choice(8));
            let dropped = first.iter().filter(|&&drops| drops).count() as f64 / 2000.0;
            assert!(
                (dropped / wanted.percent - 1.0).abs() < 0.1,
                "{text}: {dropped}"
            );
        }
        assert!(!Dropper::new(None, 1).drops());
    }
}
