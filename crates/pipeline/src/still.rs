//! The static screen: when to show the last picture again, when to spend bits on it, when to rest.

use media::{Bitrate, MonoTime};
use std::time::Duration;

/// After this long without a new picture, quality is raised.
pub const STILL_AFTER: Duration = Duration::from_secs(1);
/// Time between the repeats of a picture that is as good as it gets. Browsers ask for a keyframe
/// when they saw no picture for three seconds; a repeat costs a hundredth of one.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Time between plain repeats before that.
const REPEAT_EVERY: Duration = Duration::from_millis(250);
/// Time between the repeats of a picture that came out coarse, as after a cut: it gets sharp within
/// the stream's own budget.
const SHARPEN_EVERY: Duration = Duration::from_millis(33);
/// From this quantiser on a picture is coarse.
const COARSE_QUANTISER: u8 = 24;
/// Refining pictures after which a picture is as good as it gets.
const MAX_REFINEMENTS: u32 = 12;
/// Shortest time between two refining pictures.
const REFINE_EVERY: Duration = Duration::from_millis(100);
/// Quantisers of the refining pictures, the last of which is visually lossless.
const REFINE_QUANTISERS: [u8; 2] = [16, 12];

/// What to do with the last picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Still {
    /// Code it again as it is.
    Repeat,
    /// Code it again, better.
    Refine {
        /// Quantiser to aim at.
        quantiser: u8,
    },
}

/// Follows how long nothing changed. Pure: times come in, decisions come out.
#[derive(Clone, Copy, Debug)]
pub struct StillPolicy {
    refines: bool,
    /// Slowest rate at which a consumer must hear something, even when all is done.
    cadence: Option<Duration>,
    still_since: Option<MonoTime>,
    next_at: MonoTime,
    /// Steps of [`REFINE_QUANTISERS`] that were reached.
    refined: usize,
    attempts: u32,
    rests: bool,
}

/// What was coded when [`StillPolicy::due`] asked for it.
#[derive(Clone, Copy, Debug)]
pub struct StillPicture {
    /// What was asked for.
    pub what: Still,
    /// Bytes of the access unit.
    pub bytes: usize,
    /// Quantiser that it got, where the encoder tells.
    pub quantiser: Option<u8>,
}

impl StillPolicy {
    /// A policy for an encoder that can refine (or not), and for consumers that must hear something
    /// at least at this rate; `None` allows silence.
    #[must_use]
    pub const fn new(refines: bool, cadence: Option<Duration>) -> Self {
        Self {
            refines,
            cadence,
            still_since: None,
            next_at: MonoTime::ZERO,
            refined: 0,
            attempts: 0,
            rests: true,
        }
    }

    /// A new picture, or a keyframe of an old one, was coded: quality starts over.
    pub fn changed(&mut self, now: MonoTime, quantiser: Option<u8>) {
        self.still_since = Some(now);
        self.next_at = now + pause_after(quantiser);
        self.refined = 0;
        self.attempts = 0;
        self.rests = false;
    }

    /// A picture asked for by [`due`](Self::due) was coded. The next one waits until a link of
    /// that bitrate has drained it.
    pub fn coded(&mut self, picture: StillPicture, now: MonoTime, bitrate: Bitrate) {
        let drain_us = picture.bytes as u64 * 8 * 1_000_000 / u64::from(bitrate.bps());
        let pause = match picture.what {
            Still::Refine { quantiser } => {
                let reached = picture.quantiser.is_none_or(|got| got <= quantiser);
                self.refined += usize::from(reached);
                self.attempts += 1;
                REFINE_EVERY
            }
            Still::Repeat => pause_after(picture.quantiser),
        };
        self.next_at = now + pause.max(Duration::from_micros(drain_us * 3 / 2));
        self.rests = self.is_done(now);
        if let (true, Some(cadence)) = (self.rests, self.cadence) {
            self.next_at = now + cadence;
        }
    }

    fn is_done(&self, now: MonoTime) -> bool {
        let long_enough = self
            .still_since
            .is_some_and(|since| now.since(since) >= STILL_AFTER);
        let refined = self.refined >= REFINE_QUANTISERS.len() || self.attempts >= MAX_REFINEMENTS;
        long_enough && (!self.refines || refined)
    }

    /// When something is to be done; `None` while resting in silence.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoTime> {
        self.still_since?;
        if self.rests && self.cadence.is_none() {
            None
        } else {
            Some(self.next_at)
        }
    }

    /// What to do at `now`, if anything.
    #[must_use]
    pub fn due(&self, now: MonoTime) -> Option<Still> {
        if now < self.deadline()? {
            return None;
        }
        let long_enough = self
            .still_since
            .is_some_and(|since| now.since(since) >= STILL_AFTER);
        match REFINE_QUANTISERS.get(self.refined) {
            Some(&quantiser) if self.refines && long_enough && self.attempts < MAX_REFINEMENTS => {
                Some(Still::Refine { quantiser })
            }
            _ => Some(Still::Repeat),
        }
    }
}

fn pause_after(quantiser: Option<u8>) -> Duration {
    let coarse = quantiser.is_some_and(|quantiser| quantiser >= COARSE_QUANTISER);
    if coarse { SHARPEN_EVERY } else { REPEAT_EVERY }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 8_000_000;

    fn start() -> MonoTime {
        MonoTime::ZERO + Duration::from_secs(10)
    }

    /// Plays a still minute and returns what was coded, with its time since the last change.
    fn still_minute(mut policy: StillPolicy, bytes: usize) -> Vec<(Still, Duration)> {
        policy.changed(start(), Some(20));
        let mut coded = Vec::new();
        let mut now = start();
        while let Some(deadline) = policy.deadline() {
            now = now.max(deadline);
            if now.since(start()) > Duration::from_secs(60) {
                break;
            }
            let what = policy.due(now).expect("something is due at the deadline");
            let quantiser = match what {
                Still::Refine { quantiser } => Some(quantiser),
                Still::Repeat => Some(20),
            };
            let picture = StillPicture {
                what,
                bytes,
                quantiser,
            };
            policy.coded(picture, now, Bitrate::new(RATE).unwrap());
            coded.push((what, now.since(start())));
        }
        coded
    }

    #[test]
    fn a_still_screen_is_refined_after_a_second_and_then_silent() {
        let coded = still_minute(StillPolicy::new(true, None), 4000);
        let refined: Vec<_> = coded
            .iter()
            .filter(|(what, _)| matches!(what, Still::Refine { .. }))
            .collect();
        assert_eq!(refined.len(), REFINE_QUANTISERS.len());
        assert!(refined.iter().all(|(_, at)| *at >= STILL_AFTER));
        assert!(coded.len() <= 12, "few pictures in a minute: {coded:?}");
        assert!(
            coded.last().unwrap().1 < Duration::from_secs(3),
            "then nothing: {coded:?}"
        );
    }

    #[test]
    fn an_encoder_that_cannot_refine_rests_too() {
        let coded = still_minute(StillPolicy::new(false, None), 4000);
        assert!(coded.iter().all(|(what, _)| *what == Still::Repeat));
        assert!(
            coded.last().unwrap().1 < Duration::from_secs(2),
            "{coded:?}"
        );
    }

    #[test]
    fn a_consumer_that_needs_a_cadence_gets_it() {
        let policy = StillPolicy::new(true, Some(Duration::from_secs(1)));
        let coded = still_minute(policy, 4000);
        assert!(
            (55..=70).contains(&coded.len()),
            "{} pictures in a minute",
            coded.len()
        );
    }

    #[test]
    fn large_refinements_leave_the_link_time_to_drain() {
        let coded = still_minute(StillPolicy::new(true, None), 200_000);
        let refined: Vec<_> = coded
            .iter()
            .filter(|(what, _)| matches!(what, Still::Refine { .. }))
            .map(|(_, at)| *at)
            .collect();
        for pair in refined.windows(2) {
            assert!(
                pair[1] - pair[0] >= Duration::from_millis(200),
                "{refined:?}"
            );
        }
    }

    #[test]
    fn a_coarse_picture_is_sharpened_at_once() {
        let mut policy = StillPolicy::new(true, None);
        policy.changed(start(), Some(45));
        let (mut now, mut quantiser) = (start(), 45);
        while quantiser >= COARSE_QUANTISER {
            now = policy.deadline().unwrap();
            assert_eq!(policy.due(now), Some(Still::Repeat));
            quantiser -= 3;
            let picture = StillPicture {
                what: Still::Repeat,
                bytes: 4000,
                quantiser: Some(quantiser),
            };
            policy.coded(picture, now, Bitrate::new(RATE).unwrap());
        }
        assert!(
            now.since(start()) < STILL_AFTER / 2,
            "sharp after {:?}",
            now.since(start())
        );
    }

    #[test]
    fn a_step_that_is_never_reached_is_given_up() {
        let mut policy = StillPolicy::new(true, None);
        policy.changed(start(), Some(20));
        let mut pictures = 0;
        while let Some(now) = policy.deadline() {
            let what = policy.due(now).unwrap();
            let picture = StillPicture {
                what,
                bytes: 4000,
                quantiser: Some(20),
            };
            policy.coded(picture, now, Bitrate::new(RATE).unwrap());
            pictures += 1;
            assert!(pictures < 40, "still going");
        }
    }

    #[test]
    fn nothing_is_due_before_the_first_picture() {
        let policy = StillPolicy::new(true, None);
        assert_eq!((policy.deadline(), policy.due(start())), (None, None));
    }
}
