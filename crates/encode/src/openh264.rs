//! H.264 by OpenH264, built from its source: the encoder of permissive builds.
//!
//! It has one reference picture and cannot forget it, so that every loss asks for a keyframe.

use crate::backends::Backend;
use crate::convert::{Converter, Planes};
use crate::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest};
use media::{AccessUnit, Bitrate, Codec, Frame, FrameIndex, QualityProfile, Reference, Size};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, FrameRate, FrameType, IntraFramePeriod, QpRange, RateControlMode,
    UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use std::borrow::Cow;

const NAME: &str = "openh264";
/// Largest picture, lying or standing.
const LONGEST_SIDE: u32 = 3840;
const SHORTEST_SIDE: u32 = 2160;
/// Smallest side.
const SMALLEST_SIDE: u32 = 16;

/// Quantisers. Left to itself the library stops at 42 and then exceeds the bitrate.
const FINEST: u8 = 12;
const COARSEST: u8 = 51;

pub(crate) const BACKEND: Backend = Backend {
    name: NAME,
    description: "software H.264 by OpenH264, with a keyframe after each loss",
    licence: "BSD-2-Clause; patent licences are the distributor's matter",
    codecs: &[Codec::H264],
    hardware: false,
    probe: |_| create(&openh264::encoder::EncoderConfig::new()).map(drop),
    open: |config| Ok(Box::new(OpenH264::open(config)?)),
};

fn create(
    config: &openh264::encoder::EncoderConfig,
) -> Result<openh264::encoder::Encoder, Cow<'static, str>> {
    let created = openh264::encoder::Encoder::with_api_config(OpenH264API::from_source(), *config);
    let mut encoder = created.map_err(|error| error.to_string())?;
    ffi_openh264::silence(&mut encoder);
    Ok(encoder)
}

/// An open OpenH264 encoder.
pub(crate) struct OpenH264 {
    size: Size,
    converter: Converter,
    coder: openh264::encoder::Encoder,
    /// Takes effect with the next picture: before the first one the library refuses it.
    new_bitrate: Option<Bitrate>,
    last: Option<FrameIndex>,
    finished: Option<(FrameIndex, Reference)>,
    data: Vec<u8>,
}

impl OpenH264 {
    fn open(config: &EncoderConfig) -> Result<Self, EncodeError> {
        let refused = |why: Cow<'static, str>| EncodeError::Open {
            name: NAME,
            settings: config.to_string(),
            why,
        };
        let Size { width, height } = config.size;
        let (longer, shorter) = (width.max(height), width.min(height));
        if config.size != config.size.even() {
            return Err(refused("width and height must be even".into()));
        }
        if longer > LONGEST_SIDE || !(SMALLEST_SIDE..=SHORTEST_SIDE).contains(&shorter) {
            return Err(refused("it codes sizes from 16x16 to 3840x2160".into()));
        }
        Ok(Self {
            size: config.size,
            converter: Converter::default(),
            coder: create(&settings(config)).map_err(refused)?,
            new_bitrate: None,
            last: None,
            finished: None,
            data: Vec::new(),
        })
    }

    fn code(&mut self, frame: &Frame, keyframe: bool) -> Result<FrameType, Cow<'static, str>> {
        let planes = self
            .converter
            .planes(frame, self.size)
            .map_err(|error| error.to_string())?;
        if keyframe {
            self.coder.force_intra_frame();
        }
        if self.last.is_some()
            && let Some(bitrate) = self.new_bitrate.take()
        {
            ffi_openh264::set_bitrate(&mut self.coder, bitrate.bps())
                .map_err(|error| error.to_string())?;
        }
        let stream = self
            .coder
            .encode(&source(&planes, self.size))
            .map_err(|error| error.to_string())?;
        self.data.clear();
        stream.write_vec(&mut self.data);
        Ok(stream.frame_type())
    }
}

fn settings(config: &EncoderConfig) -> openh264::encoder::EncoderConfig {
    let complexity = match config.profile {
        QualityProfile::Latency => Complexity::Low,
        QualityProfile::Quality => Complexity::Medium,
    };
    // The profile for screens is slower, and worse on text, than the one for cameras.
    openh264::encoder::EncoderConfig::new()
        .usage_type(UsageType::CameraVideoRealTime)
        .rate_control_mode(RateControlMode::Bitrate)
        .bitrate(BitRate::from_bps(config.bitrate.bps()))
        .max_frame_rate(FrameRate::from_hz(config.rate.fps() as f32))
        .complexity(complexity)
        .skip_frames(false)
        .qp(QpRange::new(FINEST, COARSEST))
        .scene_change_detect(false)
        .intra_frame_period(IntraFramePeriod::auto())
        .num_threads(1)
        .vui(VuiConfig::bt709())
}

fn source<'a>(planes: &Planes<'a>, size: Size) -> YUVSlices<'a> {
    YUVSlices::new(
        (planes.y, planes.u, planes.v),
        (size.width as usize, size.height as usize),
        (
            planes.luma_stride,
            planes.chroma_stride,
            planes.chroma_stride,
        ),
    )
}

impl Encoder for OpenH264 {
    fn caps(&self) -> EncoderCaps {
        EncoderCaps {
            name: NAME,
            invalidates_references: false,
            reference_pictures: 1,
            bitrate_without_keyframe: true,
            refines: false,
        }
    }

    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        let coded = self.code(frame, request.keyframe);
        let failed = |why| EncodeError::Picture { name: NAME, why };
        let reference = match (coded.map_err(failed)?, self.last) {
            (FrameType::Skip, _) => return Ok(()),
            (FrameType::IDR, _) => Reference::None,
            (_, Some(last)) => Reference::Frame(last),
            (kind, None) => return Err(failed(format!("it began with {kind:?}").into())),
        };
        self.last = Some(request.index);
        self.finished = Some((request.index, reference));
        Ok(())
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        let Some((index, reference)) = self.finished.take() else {
            return Ok(false);
        };
        unit.index = index;
        unit.codec = Codec::H264;
        unit.size = self.size;
        unit.reference = reference;
        unit.quantiser = None;
        std::mem::swap(&mut unit.data, &mut self.data);
        Ok(true)
    }

    fn invalidate(&mut self, _first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        Ok(Invalidation::NeedsKeyframe)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.new_bitrate = Some(bitrate);
        Ok(())
    }
}
