//! Which packets this client throws away on purpose. The same seed chooses the same packets.

use crate::options::DropShare;

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

#[cfg(test)]
mod tests {
    use super::*;

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
