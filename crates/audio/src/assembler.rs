//! Makes frames of one size from sound that comes in pieces of any. Pure and bounded: where nobody
//! takes frames the oldest sound goes.

use crate::clock::SampleClock;
use crate::frame::AudioFrame;
use crate::layout::AudioFormat;
use media::MonoTime;
use std::collections::VecDeque;

/// Frames that may wait to be taken.
const DEPTH_FRAMES: usize = 16;

/// Sound between a server and the frames made of it.
#[derive(Debug)]
pub(crate) struct Assembler {
    format: AudioFormat,
    waiting: VecDeque<f32>,
    clock: SampleClock,
    /// Samples of each channel that came so far.
    arrived: u64,
}

impl Assembler {
    pub(crate) fn new(format: AudioFormat) -> Self {
        Self {
            format,
            waiting: VecDeque::with_capacity(format.values() * DEPTH_FRAMES),
            clock: SampleClock::default(),
            arrived: 0,
        }
    }

    /// Takes in interleaved floats, little-endian, that ended `now`. What is not a whole sample of
    /// every channel is left out.
    pub(crate) fn push_le_bytes(&mut self, bytes: &[u8], now: MonoTime) {
        let channels = self.format.layout.channels();
        let (values, _) = bytes.as_chunks::<4>();
        let samples = values.len() / channels;
        let limit = self.format.values() * DEPTH_FRAMES;
        let values = &values[..samples * channels];
        let fresh = &values[values.len().saturating_sub(limit)..];
        let surplus = (self.waiting.len() + fresh.len()).saturating_sub(limit);
        self.waiting.drain(..surplus.min(self.waiting.len()));
        let floats = fresh.iter().map(|bytes| f32::from_le_bytes(*bytes));
        self.waiting.extend(floats);
        self.arrived += samples as u64;
        self.clock.arrived(self.arrived, now);
    }

    /// Forgets what waits, as when another source begins.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Fills `frame` with the oldest sound; `false` where there is less than a frame of it.
    pub(crate) fn take(&mut self, frame: &mut AudioFrame) -> bool {
        let values = frame.values_mut();
        if self.waiting.len() < values.len() {
            return false;
        }
        for (value, waiting) in values.iter_mut().zip(self.waiting.iter()) {
            // What is no number, or far too loud, must not reach an encoder.
            *value = if waiting.is_finite() {
                waiting.clamp(-4.0, 4.0)
            } else {
                0.0
            };
        }
        let channels = self.format.layout.channels();
        let waiting_samples = self.waiting.len() / channels;
        frame.captured = self.clock.at(self.arrived - waiting_samples as u64);
        self.waiting.drain(..frame.values().len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{ChannelLayout, FrameDuration};
    use proptest::prelude::*;
    use std::time::Duration;

    const FORMAT: AudioFormat = AudioFormat {
        layout: ChannelLayout::Stereo,
        frame: FrameDuration::Ms5,
    };
    const START: MonoTime = MonoTime::from_nanos(3_600_000_000_000);

    fn bytes(from: usize, samples: usize) -> Vec<u8> {
        let values = (from * 2..(from + samples) * 2).map(|value| value as f32 / 1e6);
        values.flat_map(f32::to_le_bytes).collect()
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_come_out_as_frames_in_their_order(
            pieces in prop::collection::vec(0_usize..1_000, 1..20),
        ) {
            let (mut assembler, mut frame) = (Assembler::new(FORMAT), AudioFrame::new(FORMAT));
            let (mut came, mut went) = (0, 0);
            for piece in pieces {
                assembler.push_le_bytes(&bytes(came, piece), START);
                came += piece;
                while assembler.take(&mut frame) {
                    for value in frame.values() {
                        prop_assert_eq!(*value, went as f32 / 1e6);
                        went += 1;
                    }
                }
                prop_assert!(came * 2 - went < FORMAT.values());
            }
        }
    }

    #[test]
    fn each_frame_has_the_time_of_its_first_sample() {
        let (mut assembler, mut frame) = (Assembler::new(FORMAT), AudioFrame::new(FORMAT));
        let piece = Duration::from_micros(7_500);
        assembler.push_le_bytes(&bytes(0, 360), START + piece);
        assert!(assembler.take(&mut frame));
        assert_eq!(frame.captured, START);
        assert!(!assembler.take(&mut frame));
        assembler.push_le_bytes(&bytes(360, 360), START + piece * 2);
        assert!(assembler.take(&mut frame));
        assert_eq!(frame.captured, START + Duration::from_millis(5));
    }

    #[test]
    fn sound_that_nobody_takes_is_bounded_and_the_oldest_goes() {
        let (mut assembler, mut frame) = (Assembler::new(FORMAT), AudioFrame::new(FORMAT));
        for second in 0..3 {
            assembler.push_le_bytes(&bytes(second * 48_000, 48_000), START);
        }
        let mut frames = 0;
        while assembler.take(&mut frame) {
            frames += 1;
        }
        assert_eq!(frames, DEPTH_FRAMES);
        let last = frame.values().last().copied().unwrap();
        assert_eq!(last, (3 * 48_000 * 2 - 1) as f32 / 1e6);
    }

    #[test]
    fn what_is_no_number_is_silent() {
        let (mut assembler, mut frame) = (Assembler::new(FORMAT), AudioFrame::new(FORMAT));
        let odd = [f32::NAN, f32::INFINITY, 1e30, -1e30];
        let odd: Vec<u8> = odd
            .iter()
            .cycle()
            .take(480)
            .flat_map(|v| v.to_le_bytes())
            .collect();
        assembler.push_le_bytes(&odd, START);
        assert!(assembler.take(&mut frame));
        assert_eq!(frame.values()[..4], [0.0, 0.0, 4.0, -4.0]);
    }
}
