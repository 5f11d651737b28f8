//! Encoders of FFmpeg's libavcodec: chips by NVENC and VA-API, and software for HEVC and AV1.
//!
//! Each picture refers to the one before it, so that every loss asks for a keyframe. What decoders
//! do not need (delimiters, supplemental information) is left out of the stream, because clients
//! look for the parameter sets and the picture in the first packet.

mod trial;
mod variants;

pub(crate) use variants::{AOM, NVENC, SVT_AV1, VAAPI, X265};

use crate::convert::Converter;
use crate::h264::{self, nal_units};
use crate::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest, hevc};
use media::{AccessUnit, Bitrate, Codec, Frame, FrameIndex, Reference};
use std::borrow::Cow;
use variants::Variant;

/// A raise of less than this part waits for a keyframe that comes for another reason.
const SMALL_RAISE: u32 = 8;

/// An open encoder of FFmpeg.
pub(crate) struct Ffmpeg {
    variant: &'static Variant,
    /// What `coder` was opened with, its bitrate always the present one.
    config: EncoderConfig,
    coder: ffi_ffmpeg::Encoder,
    wanted: Bitrate,
    converter: Converter,
    last: Option<FrameIndex>,
    finished: Option<(FrameIndex, Reference)>,
    data: Vec<u8>,
}

impl Ffmpeg {
    fn open(variant: &'static Variant, config: &EncoderConfig) -> Result<Self, EncodeError> {
        let coder = variant.open(config).map_err(|why| EncodeError::Open {
            name: variant.name,
            settings: config.to_string(),
            why,
        })?;
        Ok(Self {
            variant,
            config: *config,
            coder,
            wanted: config.bitrate,
            converter: Converter::default(),
            last: None,
            finished: None,
            data: Vec::new(),
        })
    }

    fn failed(&self, why: impl Into<Cow<'static, str>>) -> EncodeError {
        EncodeError::Picture {
            name: self.variant.name,
            why: why.into(),
        }
    }

    /// Brings the bitrate to what is wanted, which for most encoders means another one and so a
    /// keyframe: too much must end at once, too little only if it is worth that.
    fn follow_bitrate(&mut self, keyframe: bool) -> Result<(), EncodeError> {
        let (now, wanted) = (self.config.bitrate.bps(), self.wanted.bps());
        let is_due = wanted < now || wanted > now + now / SMALL_RAISE || keyframe;
        if wanted == now || !(is_due || self.variant.rate_changes_live) {
            return Ok(());
        }
        let config = EncoderConfig {
            bitrate: self.wanted,
            ..self.config
        };
        if self.variant.rate_changes_live {
            let changed = self.coder.set_rates((self.variant.rates)(&config));
            changed.map_err(|error| self.failed(error.to_string()))?;
        } else {
            let opened = self.variant.open(&config);
            self.coder = opened.map_err(|why| self.failed(why))?;
            self.last = None;
        }
        self.config = config;
        Ok(())
    }
}

impl Encoder for Ffmpeg {
    fn caps(&self) -> EncoderCaps {
        EncoderCaps {
            name: self.variant.name,
            invalidates_references: false,
            reference_pictures: 1,
            bitrate_without_keyframe: false,
            refines: false,
        }
    }

    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        self.follow_bitrate(request.keyframe)?;
        let name = self.variant.name;
        let failed = |why: String| EncodeError::Picture {
            name,
            why: why.into(),
        };
        let planes = self
            .converter
            .planes(frame, self.config.size)
            .map_err(|error| failed(error.to_string()))?;
        let planes = ffi_ffmpeg::Planes {
            y: planes.y,
            u: planes.u,
            v: planes.v,
            luma_stride: planes.luma_stride,
            chroma_stride: planes.chroma_stride,
        };
        let keyframe = request.keyframe || self.last.is_none();
        let coded = self.coder.encode(&planes, keyframe);
        let coded = coded.map_err(|error| failed(error.to_string()))?;
        let reference = match self.last {
            _ if coded.keyframe => Reference::None,
            Some(last) => Reference::Frame(last),
            None => return Err(failed("it did not begin with a keyframe".to_owned())),
        };
        self.data.clear();
        tidy(self.config.codec, coded.data, &mut self.data);
        self.last = Some(request.index);
        self.finished = Some((request.index, reference));
        Ok(())
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        let Some((index, reference)) = self.finished.take() else {
            return Ok(false);
        };
        unit.index = index;
        unit.codec = self.config.codec;
        unit.size = self.config.size;
        unit.reference = reference;
        unit.quantiser = None;
        std::mem::swap(&mut unit.data, &mut self.data);
        Ok(true)
    }

    fn invalidate(&mut self, _first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        Ok(Invalidation::NeedsKeyframe)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.wanted = bitrate;
        Ok(())
    }
}

/// Appends an access unit without what decoders do not need.
fn tidy(codec: Codec, data: &[u8], into: &mut Vec<u8>) {
    let is_needless: fn(&[u8]) -> bool = match codec {
        Codec::Av1 => return into.extend_from_slice(data),
        Codec::H264 => |nal| {
            use h264::NalType as Type;
            matches!(
                Type::of(nal),
                Some(Type::SEI | Type::AUD | Type::FILLER) | None
            )
        },
        Codec::Hevc => |nal| {
            use hevc::NalType as Type;
            matches!(
                Type::of(nal),
                Some(Type::PREFIX_SEI | Type::SUFFIX_SEI | Type::AUD | Type::FILLER) | None
            )
        },
    };
    for nal in nal_units(data).filter(|nal| !is_needless(nal)) {
        into.extend_from_slice(&[0, 0, 0, 1]);
        into.extend_from_slice(nal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_and_supplements_are_left_out() {
        let stream = [
            0, 0, 0, 1, 0x46, 1, 0x50, 0, 0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x4e, 1, 5, 0, 0, 1, 0x28,
            1, 9, 0, 0, 1, 0x50, 1, 3,
        ];
        let mut tidied = vec![];
        tidy(Codec::Hevc, &stream, &mut tidied);
        assert_eq!(tidied, [0, 0, 0, 1, 0x40, 1, 7, 0, 0, 0, 1, 0x28, 1, 9]);
        let stream = [0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 5, 1, 0x80, 0, 0, 1, 0x65, 8];
        tidied.clear();
        tidy(Codec::H264, &stream, &mut tidied);
        assert_eq!(tidied, [0, 0, 0, 1, 0x65, 8]);
        tidied.clear();
        tidy(Codec::Av1, &stream, &mut tidied);
        assert_eq!(tidied, stream);
    }
}
