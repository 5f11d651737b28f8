//! When silence is sent in place of sound that does not come, and which late sound is left out. Pure.
//!
//! Owns it that listeners get one frame for each frame's length of time, so that their clocks go on
//! and their buffers do not grow.

use media::MonoTime;
use std::time::Duration;

/// Sound may be this late before silence takes its place: longer than the pieces in which a server
/// gives what it plays over a slow device.
const PATIENCE: Duration = Duration::from_millis(150);

/// Up to when listeners were served, and with what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    length: Duration,
    served_until: MonoTime,
    flow: Flow,
}

/// Whether there is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The last frame was sound.
    Sound,
    /// The last frame was silence in place of sound.
    Silence,
    /// The last frame was silence; there is sound again, of times that the silence stood for. Until
    /// it is of later ones no more silence may take its place, or it would never be.
    Returning,
}

impl Pace {
    /// At the start there is no sound: silence is due after the first frame's length.
    pub(crate) fn new(length: Duration, now: MonoTime) -> Self {
        Self {
            length,
            served_until: now,
            flow: Flow::Silence,
        }
    }

    /// There is no source any more: silence follows without waiting for it.
    pub(crate) fn source_lost(&mut self, now: MonoTime) {
        self.flow = Flow::Silence;
        self.served_until = self.served_until.max(now - self.length);
    }

    /// When silence is due unless sound comes.
    pub(crate) fn deadline(&self) -> MonoTime {
        let grace = match self.flow {
            Flow::Silence => self.length,
            Flow::Sound | Flow::Returning => PATIENCE,
        };
        self.served_until + grace
    }

    /// The time that a frame of silence begins at, if one is due.
    pub(crate) fn silence_due(&mut self, now: MonoTime) -> Option<MonoTime> {
        if now < self.deadline() {
            return None;
        }
        // What was not served in time is not made up for: it would only wait in somebody's buffer.
        let on_time = self.flow == Flow::Silence && now.since(self.served_until) <= self.length * 4;
        let start = if on_time {
            self.served_until
        } else {
            now - self.length
        };
        self.flow = Flow::Silence;
        self.served_until = start + self.length;
        Some(start)
    }

    /// Whether sound that begins at this time is to be sent. After silence the time that it stood
    /// for is left out, to the nearest frame: sound begins between two frames of silence.
    pub(crate) fn accepts(&mut self, captured: MonoTime) -> bool {
        let stood_for = captured + self.length / 2 < self.served_until;
        if self.flow != Flow::Sound && stood_for {
            self.flow = Flow::Returning;
            return false;
        }
        self.flow = Flow::Sound;
        self.served_until = captured + self.length;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LENGTH: Duration = Duration::from_millis(5);

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(3_600_000_000_000) + Duration::from_millis(ms)
    }

    #[test]
    fn while_sound_comes_no_silence_does() {
        let mut pace = Pace::new(LENGTH, at(0));
        for frame in 0..100 {
            // Each is handed over 40 ms after it was captured.
            assert!(pace.accepts(at(frame * 5)));
            assert_eq!(pace.silence_due(at(frame * 5 + 40)), None);
        }
    }

    #[test]
    fn sound_that_stays_away_becomes_silence_one_frame_at_a_time() {
        let mut pace = Pace::new(LENGTH, at(0));
        assert!(pace.accepts(at(0)));
        assert_eq!(pace.silence_due(at(154)), None);
        assert_eq!(pace.silence_due(at(155)), Some(at(150)));
        assert_eq!(pace.silence_due(at(155)), None);
        assert_eq!(pace.silence_due(at(160)), Some(at(155)));
        assert!(!pace.accepts(at(5)), "its time was silence");
        assert!(pace.accepts(at(160)));
        assert_eq!(pace.silence_due(at(250)), None);
    }

    #[test]
    fn sound_returns_wherever_between_frames_of_silence_it_begins_and_however_late_it_is() {
        for (begins_ms, late_ms) in (0..5).flat_map(|ms| [0, 1, 4, 5, 21, 103].map(|l| (ms, l))) {
            let mut pace = Pace::new(LENGTH, at(0));
            let mut captured_ms = begins_ms;
            let (mut sound, mut now_ms) = (0, 0);
            while now_ms < 400 {
                now_ms += 1;
                // Silence first: its deadline and the sound may come in the same moment.
                while pace.silence_due(at(now_ms)).is_some() {}
                if captured_ms + 5 + late_ms == now_ms {
                    sound += u64::from(pace.accepts(at(captured_ms)));
                    captured_ms += 5;
                }
            }
            let came = (captured_ms - begins_ms) / 5;
            assert!(
                sound + 22 >= came,
                "{sound} of {came} frames from {begins_ms} ms, {late_ms} ms late"
            );
        }
    }

    #[test]
    fn a_lost_source_is_followed_by_silence_at_once() {
        let mut pace = Pace::new(LENGTH, at(0));
        assert!(pace.accepts(at(0)));
        pace.source_lost(at(6));
        assert_eq!(pace.silence_due(at(10)), Some(at(5)));
    }

    proptest! {
        #[test]
        fn listeners_never_get_more_frames_than_time_passed(
            steps in prop::collection::vec((0_u64..250, any::<bool>()), 1..200),
        ) {
            let mut pace = Pace::new(LENGTH, at(0));
            let (mut now_ms, mut heard_ms, mut frames) = (0, 0, 0);
            for (wait_ms, flows) in steps {
                now_ms += wait_ms;
                // A source that flows hands over all that it captured meanwhile; else that is lost.
                while heard_ms + 5 <= now_ms {
                    if flows && pace.accepts(at(heard_ms)) {
                        frames += 1;
                    }
                    heard_ms += 5;
                }
                while pace.silence_due(at(now_ms)).is_some() {
                    frames += 1;
                }
                prop_assert!(frames * 5 <= now_ms + 5, "{frames} frames in {now_ms} ms");
                prop_assert!(pace.deadline() > at(now_ms));
            }
        }
    }
}
