//! H.264 by libx264: the default software encoder, and the only one that can forget pictures.
//!
//! Every picture is coded with one quantiser from [`crate::rate`]; a picture too large is coded
//! again. The stream carries nothing of libx264 but its coded macroblocks and parameter sets.

use crate::backends::Backend;
use crate::change::ChangeMeter;
use crate::convert::{Converter, Planes};
use crate::h264::NalType;
use crate::rate::{RateControl, Task, Verdict};
use crate::references::{Forgotten, Held, References};
use crate::renumber::{self, Numbers, RenumberError};
use crate::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest};
use ffi_x264::{Params, Picture, PictureType, Preset};
use media::{AccessUnit, Bitrate, Codec, Frame, FrameIndex, QualityProfile, Reference, Size};
use std::borrow::Cow;

const NAME: &str = "x264";
/// Throwing a picture away takes one place, and something must be left to refer to.
const FEWEST_PICTURES: usize = 2;
const MOST_PICTURES: usize = 16;
/// More slices cost bits and gain nothing at desktop sizes.
const MOST_THREADS: usize = 8;

pub(crate) const BACKEND: Backend = Backend {
    name: NAME,
    description: "software H.264 by libx264, repairs losses without keyframes",
    licence: "GPL-2.0-or-later, so that a binary with it is too",
    codecs: &[Codec::H264],
    hardware: false,
    probe: |_| probe(),
    open: |config| Ok(Box::new(X264::open(config)?)),
};

fn probe() -> Result<(), Cow<'static, str>> {
    let open = || {
        let params = Params::new(Preset::Ultrafast)?.size(64, 64).rate(60);
        ffi_x264::Encoder::open(params.sliced_threads(1)).map(drop)
    };
    open().map_err(|error: ffi_x264::Error| error.to_string().into())
}

/// An open libx264 encoder.
pub(crate) struct X264 {
    size: Size,
    reference_pictures: usize,
    converter: Converter,
    changes: ChangeMeter,
    rate: RateControl,
    core: Core,
    finished: Option<Finished>,
}

#[derive(Clone, Copy, Debug)]
struct Finished {
    index: FrameIndex,
    reference: Reference,
    quantiser: u8,
}

impl X264 {
    pub(crate) fn open(config: &EncoderConfig) -> Result<Self, EncodeError> {
        let reference_pictures = config
            .reference_pictures
            .clamp(FEWEST_PICTURES, MOST_PICTURES);
        let open = || {
            let params = params(config, reference_pictures as u8)?;
            ffi_x264::Encoder::open(params)
        };
        let coder = open().map_err(|error| EncodeError::Open {
            name: NAME,
            settings: config.to_string(),
            why: error.to_string().into(),
        })?;
        let finest = match config.profile {
            QualityProfile::Latency => 20,
            QualityProfile::Quality => 18,
        };
        Ok(Self {
            size: config.size,
            reference_pictures,
            converter: Converter::default(),
            changes: ChangeMeter::default(),
            rate: RateControl::new(config.bitrate, config.rate, config.size.pixels(), finest),
            core: Core::new(coder, reference_pictures),
            finished: None,
        })
    }
}

fn params(config: &EncoderConfig, pictures: u8) -> Result<Params, ffi_x264::Error> {
    let params = match config.profile {
        // 4x4 intra blocks: 7 % fewer bits on text for no measurable time. The other tools of
        // slower presets cost more than they give there.
        QualityProfile::Latency => Params::new(Preset::Ultrafast)?
            .deblocking(false)
            .intra_4x4(true),
        QualityProfile::Quality => Params::new(Preset::Superfast)?.deblocking(true),
    };
    // libx264 codes one slice a thread, whatever number of slices it is told.
    let threads = config.threads.max(config.slices.into());
    Ok(params
        .transform_8x8(false)
        .size(config.size.width, config.size.height)
        .rate(config.rate.fps())
        .sliced_threads(threads.clamp(1, MOST_THREADS) as u8)
        .kept_pictures(pictures)
        .bt709_limited())
}

impl Encoder for X264 {
    fn caps(&self) -> EncoderCaps {
        EncoderCaps {
            name: NAME,
            invalidates_references: true,
            reference_pictures: self.reference_pictures,
            bitrate_without_keyframe: true,
            refines: true,
        }
    }

    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        let planes = self.converter.planes(frame, self.size).map_err(failed)?;
        let mut keyframe = request.keyframe || self.core.references.newest().is_none();
        let task = match request.refine {
            _ if keyframe => Task::Keyframe,
            Some(quantiser) => Task::Refine(quantiser),
            None => Task::Ordinary,
        };
        let changes = self.changes.compare(&planes, self.size);
        let mut quantiser = self.rate.plan(task, changes.share);
        loop {
            let coded = self
                .core
                .code(&planes, changes.unchanged, keyframe, quantiser)
                .map_err(failed)?;
            let bytes = self.core.data.len();
            keyframe |= coded.reference == Reference::None;
            if !coded.replaceable {
                self.rate.keep(task, quantiser, bytes);
            } else if let Verdict::Again(coarser) = self.rate.coded(task, quantiser, bytes) {
                self.core
                    .throw_away(request.index, &coded)
                    .map_err(failed)?;
                quantiser = coarser;
                continue;
            }
            self.core.keep(request.index, &coded);
            self.finished = Some(Finished {
                index: request.index,
                reference: coded.reference,
                quantiser,
            });
            return Ok(());
        }
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        let Some(finished) = self.finished.take() else {
            return Ok(false);
        };
        unit.index = finished.index;
        unit.codec = Codec::H264;
        unit.size = self.size;
        unit.reference = finished.reference;
        unit.quantiser = Some(finished.quantiser);
        std::mem::swap(&mut unit.data, &mut self.core.data);
        Ok(true)
    }

    fn invalidate(&mut self, first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        match self.core.references.forget(first_lost) {
            Forgotten::Exhausted => return Ok(Invalidation::NeedsKeyframe),
            Forgotten::Untouched => {}
            Forgotten::From(number) => self.core.coder.invalidate(number).map_err(failed)?,
        }
        Ok(Invalidation::Applied)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.rate.set_bitrate(bitrate);
        Ok(())
    }
}

fn failed(error: impl std::error::Error) -> EncodeError {
    EncodeError::Picture {
        name: NAME,
        why: error.to_string().into(),
    }
}

/// Why one picture failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum CoreError {
    #[error(transparent)]
    Coder(#[from] ffi_x264::Error),
    #[error(transparent)]
    Stream(#[from] RenumberError),
}

/// A picture just coded, not yet kept or thrown away.
#[derive(Clone, Copy, Debug)]
struct Coded {
    reference: Reference,
    /// Whether the same picture can be coded again without it.
    replaceable: bool,
}

/// libx264 with our count of its pictures.
struct Core {
    coder: ffi_x264::Encoder,
    references: References,
    /// libx264's number of the last picture it coded.
    number: i64,
    /// Pictures libx264 coded since its last IDR picture, and those of them that were kept.
    old_frame_num: u32,
    frame_num: u32,
    old_bits: u8,
    idr_id: bool,
    data: Vec<u8>,
}

impl Core {
    fn new(coder: ffi_x264::Encoder, pictures: usize) -> Self {
        Self {
            coder,
            references: References::new(pictures),
            number: 0,
            old_frame_num: 0,
            frame_num: 0,
            old_bits: 0,
            idr_id: false,
            data: Vec::new(),
        }
    }

    /// Codes a picture into `data`. Macroblocks that are `unchanged` since the last picture are skipped,
    /// but where this one refers past it (after a loss, or when coded again) or is to be finer.
    fn code(
        &mut self,
        planes: &Planes<'_>,
        unchanged: &[bool],
        keyframe: bool,
        quantiser: u8,
    ) -> Result<Coded, CoreError> {
        self.number += 1;
        let encoded = self.coder.encode(&Picture {
            planes: ffi_x264::Planes {
                y: planes.y,
                u: planes.u,
                v: planes.v,
                luma_stride: planes.luma_stride,
                chroma_stride: planes.chroma_stride,
            },
            unchanged,
            kind: if keyframe {
                PictureType::Idr
            } else {
                PictureType::Predicted
            },
            quantiser,
            number: self.number,
        })?;
        let is_idr = encoded.kind == PictureType::Idr;
        if is_idr {
            self.references.clear();
            (self.old_frame_num, self.frame_num) = (0, 0);
        }
        let newest = self.references.newest();
        let reference = newest.map_or(Reference::None, |(held, _)| Reference::Frame(held.index));
        let mut numbers = Numbers {
            old_bits: self.old_bits,
            old: self.old_frame_num,
            old_distance: newest.map_or(0, |(_, back)| back as u32),
            new: self.frame_num as u16,
            new_distance: newest.map_or(0, |(held, _)| self.frame_num - held.frame_num),
            idr_id: self.idr_id,
        };
        self.data.clear();
        for nal in encoded.nals() {
            let kind = NalType::of(nal);
            if kind == Some(NalType::SEI) {
                continue;
            }
            self.data.extend_from_slice(&[0, 0, 0, 1]);
            match kind {
                Some(NalType::SPS) => {
                    numbers.old_bits = renumber::parameter_set(nal, &mut self.data)?;
                    self.old_bits = numbers.old_bits;
                }
                Some(NalType::SLICE | NalType::IDR_SLICE) => {
                    renumber::slice(nal, &numbers, &mut self.data)?;
                }
                _ => self.data.extend_from_slice(nal),
            }
        }
        Ok(Coded {
            reference,
            replaceable: is_idr || self.references.can_spare_one(),
        })
    }

    fn keep(&mut self, index: FrameIndex, coded: &Coded) {
        self.push(index, true);
        self.old_frame_num += 1;
        self.frame_num += 1;
        if coded.reference == Reference::None {
            self.idr_id = !self.idr_id;
        }
    }

    fn throw_away(&mut self, index: FrameIndex, coded: &Coded) -> Result<(), ffi_x264::Error> {
        if coded.reference == Reference::None {
            // The next attempt is an IDR picture too, which starts everything over.
            return Ok(());
        }
        self.push(index, false);
        self.old_frame_num += 1;
        self.coder.invalidate(self.number)
    }

    fn push(&mut self, index: FrameIndex, usable: bool) {
        self.references.push(Held {
            index,
            number: self.number,
            frame_num: self.frame_num,
            usable,
        });
    }
}
