//! An encoder with a running index, so that a test says only what it is about.

use crate::pictures::Scene;
use encode::{Encoder, EncoderChoice, EncoderConfig, PictureRequest};
use media::{AccessUnit, Codec, Frame, FrameIndex, FrameRate, QualityProfile, Size};

/// Small, and not a whole number of macroblocks, so that cropping is tested too.
pub(crate) const SIZE: Size = Size::new(328, 250);

pub(crate) fn config() -> EncoderConfig {
    EncoderConfig {
        size: SIZE,
        rate: FrameRate::new(60).unwrap(),
        bitrate: "3M".parse().unwrap(),
        codec: Codec::H264,
        profile: QualityProfile::Latency,
        threads: 1,
        slices: 1,
        reference_pictures: 8,
    }
}

pub(crate) struct Session {
    pub(crate) encoder: Box<dyn Encoder>,
    next: FrameIndex,
}

impl Session {
    pub(crate) fn open(name: &str, config: &EncoderConfig) -> Self {
        let choice: EncoderChoice = name.parse().unwrap();
        let (encoder, chosen) = encode::open(&choice, config).unwrap();
        assert_eq!(chosen.name, name);
        Self {
            encoder,
            next: FrameIndex(0),
        }
    }

    pub(crate) fn request(
        &mut self,
        frame: &Frame,
        keyframe: bool,
        refine: Option<u8>,
    ) -> AccessUnit {
        let index = self.next;
        self.next = index.next();
        let request = PictureRequest {
            index,
            keyframe,
            refine,
        };
        self.encoder.submit(frame, request).unwrap();
        let mut unit = AccessUnit::default();
        assert!(
            self.encoder.poll(&mut unit).unwrap(),
            "one unit for each picture"
        );
        assert_eq!(unit.index, index);
        assert!(
            !self.encoder.poll(&mut AccessUnit::default()).unwrap(),
            "and not two"
        );
        unit
    }

    pub(crate) fn encode(&mut self, frame: &Frame) -> AccessUnit {
        self.request(frame, false, None)
    }

    /// A scene from time `from` on.
    pub(crate) fn play(&mut self, scene: Scene, times: std::ops::Range<u32>) -> Vec<AccessUnit> {
        times
            .map(|time| self.encode(&scene.i420(SIZE, time)))
            .collect()
    }
}

/// Units one behind the other, as a receiver that lost the others sees them.
pub(crate) fn stream<'a>(units: impl IntoIterator<Item = &'a AccessUnit>) -> Vec<u8> {
    units
        .into_iter()
        .flat_map(|unit| unit.data.iter().copied())
        .collect()
}
