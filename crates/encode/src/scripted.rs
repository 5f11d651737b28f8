//! An encoder without pixels, for tests and simulations: sizes and failures come from a script.
//!
//! It keeps references as the x264 encoder does, so that recovery can be exercised with it. No
//! user can choose it: it is not among the backends.

use crate::references::{Forgotten, Held, References};
use crate::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest};
use media::{AccessUnit, Bitrate, Frame, FrameIndex, Reference};

/// Decides what becomes of each picture: its bytes, or an error. It may take its time, too.
pub type Script = Box<dyn FnMut(PictureRequest) -> Result<usize, EncodeError> + Send>;

/// The name in its capabilities and errors.
pub const NAME: &str = "scripted";

/// Fewest bytes of a unit: start code, header and index.
const SMALLEST: usize = 4 + 1 + INDEX_BYTES;
/// Bytes of the index, seven bits each: none is zero, so that no start code arises.
const INDEX_BYTES: usize = 10;

/// A fake encoder.
pub struct Scripted {
    config: EncoderConfig,
    script: Script,
    references: References,
    coded: i64,
    bitrate: Bitrate,
    finished: Option<(FrameIndex, Reference, Option<u8>, usize)>,
}

impl Scripted {
    /// An encoder that does what `script` says.
    #[must_use]
    pub fn new(config: &EncoderConfig, script: Script) -> Self {
        Self {
            config: *config,
            script,
            references: References::new(config.reference_pictures.max(1)),
            coded: 0,
            bitrate: config.bitrate,
            finished: None,
        }
    }

    /// An encoder whose pictures all take a frame's share of the bitrate it was opened with, and
    /// whose keyframes take four.
    #[must_use]
    pub fn steady(config: &EncoderConfig) -> Self {
        let share = (config.bitrate.bps() / config.rate.fps() / 8) as usize;
        let script =
            move |request: PictureRequest| Ok(if request.keyframe { 4 * share } else { share });
        Self::new(config, Box::new(script))
    }

    /// The bitrate last set.
    #[must_use]
    pub const fn bitrate(&self) -> Bitrate {
        self.bitrate
    }
}

impl Encoder for Scripted {
    fn caps(&self) -> EncoderCaps {
        EncoderCaps {
            name: NAME,
            invalidates_references: true,
            reference_pictures: self.config.reference_pictures,
            bitrate_without_keyframe: true,
            refines: true,
        }
    }

    fn submit(&mut self, _frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        let newest = self.references.newest().filter(|_| !request.keyframe);
        let reference = newest.map_or(Reference::None, |(held, _)| Reference::Frame(held.index));
        let bytes = (self.script)(PictureRequest {
            keyframe: reference == Reference::None,
            ..request
        })?;
        if reference == Reference::None {
            self.references.clear();
        }
        self.references.push(Held {
            index: request.index,
            number: self.coded,
            frame_num: 0,
            usable: true,
        });
        self.coded += 1;
        self.finished = Some((request.index, reference, request.refine, bytes));
        Ok(())
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        const SLICE_OF_KEYFRAME: u8 = 0x65;
        const SLICE: u8 = 0x41;
        let Some((index, reference, refine, bytes)) = self.finished.take() else {
            return Ok(false);
        };
        unit.index = index;
        unit.codec = self.config.codec;
        unit.size = self.config.size;
        unit.reference = reference;
        unit.quantiser = refine.or(Some(30));
        unit.data.clear();
        unit.data.extend_from_slice(&[0, 0, 0, 1]);
        unit.data.push(if unit.is_keyframe() {
            SLICE_OF_KEYFRAME
        } else {
            SLICE
        });
        let groups = (0..INDEX_BYTES)
            .rev()
            .map(|group| (index.0 >> (7 * group)) as u8 | 0x80);
        unit.data.extend(groups);
        unit.data.resize(bytes.max(SMALLEST), 0x80);
        Ok(true)
    }

    fn invalidate(&mut self, first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        Ok(match self.references.forget(first_lost) {
            Forgotten::Exhausted => Invalidation::NeedsKeyframe,
            Forgotten::Untouched | Forgotten::From(_) => Invalidation::Applied,
        })
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.bitrate = bitrate;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::{CaptureTimes, Codec, FrameKind, FrameRate, PixelFormat, QualityProfile, Size};
    use std::sync::Arc;

    fn config() -> EncoderConfig {
        EncoderConfig {
            size: Size::new(64, 48),
            rate: FrameRate::new(60).unwrap(),
            bitrate: Bitrate::clamped(8_000_000),
            codec: Codec::H264,
            profile: QualityProfile::Latency,
            threads: 1,
            slices: 1,
            reference_pictures: 4,
        }
    }

    fn frame() -> Frame {
        Frame {
            size: config().size,
            format: PixelFormat::I420,
            stride: 64,
            pixels: Arc::new(Vec::new()),
            kind: FrameKind::Fresh,
            times: CaptureTimes::default(),
        }
    }

    fn code(encoder: &mut Scripted, index: u64, keyframe: bool) -> Result<AccessUnit, EncodeError> {
        let index = FrameIndex(index);
        encoder.submit(
            &frame(),
            PictureRequest {
                index,
                keyframe,
                refine: None,
            },
        )?;
        let mut unit = AccessUnit::default();
        assert!(encoder.poll(&mut unit)?);
        Ok(unit)
    }

    #[test]
    fn units_have_the_scripted_sizes_and_references() {
        let mut encoder = Scripted::steady(&config());
        let sizes = [0, 1, 2, 3].map(|index| code(&mut encoder, index, index == 2).unwrap());
        let share = 8_000_000 / 60 / 8;
        assert_eq!(
            sizes.each_ref().map(|unit| unit.data.len()),
            [4 * share, share, 4 * share, share]
        );
        assert_eq!(sizes[3].reference, Reference::Frame(FrameIndex(2)));
        assert!(sizes[2].is_keyframe());
    }

    #[test]
    fn losses_are_repaired_while_pictures_are_left() {
        let mut encoder = Scripted::steady(&config());
        for index in 0..8 {
            code(&mut encoder, index, false).unwrap();
        }
        assert_eq!(
            encoder.invalidate(FrameIndex(6)).unwrap(),
            Invalidation::Applied
        );
        let repaired = code(&mut encoder, 8, false).unwrap();
        assert_eq!(repaired.reference, Reference::Frame(FrameIndex(5)));
        assert_eq!(
            encoder.invalidate(FrameIndex(1)).unwrap(),
            Invalidation::NeedsKeyframe
        );
    }

    #[test]
    fn failures_come_as_scripted_and_leave_no_trace() {
        let mut failures = 2;
        let script = move |_| {
            if failures == 0 {
                return Ok(100);
            }
            failures -= 1;
            Err(EncodeError::Picture {
                name: NAME,
                why: "scripted".into(),
            })
        };
        let mut encoder = Scripted::new(&config(), Box::new(script));
        assert!(code(&mut encoder, 0, false).is_err());
        assert!(code(&mut encoder, 1, false).is_err());
        assert!(code(&mut encoder, 2, false).unwrap().is_keyframe());
    }
}
