//! The trait every encoder implements, its capabilities and its errors.

use media::{AccessUnit, Bitrate, Codec, Frame, FrameIndex, FrameRate, QualityProfile, Size};
use std::borrow::Cow;
use std::fmt;

/// How an encoder is opened. A change of size or codec opens a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Size of the stream's pictures, even; frames of another size are scaled.
    pub size: Size,
    /// Highest frame rate.
    pub rate: FrameRate,
    /// Bits a second to start with.
    pub bitrate: Bitrate,
    /// Codec.
    pub codec: Codec,
    /// Speed against picture.
    pub profile: QualityProfile,
    /// Threads the encoder may use for one picture.
    pub threads: usize,
    /// The least number of slices a picture is cut into; see [`media::StreamParams::slices`].
    pub slices: u8,
    /// Pictures kept for [`Encoder::invalidate`]; at least round trip x rate + 3 repairs a loss.
    pub reference_pictures: usize,
}

/// What an open encoder can do. Asked again at each open (K6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderCaps {
    /// Name of the backend.
    pub name: &'static str,
    /// Whether [`Encoder::invalidate`] can work.
    pub invalidates_references: bool,
    /// Pictures back to which invalidation reaches.
    pub reference_pictures: usize,
    /// Whether [`Encoder::set_bitrate`] works without a keyframe.
    pub bitrate_without_keyframe: bool,
    /// Whether [`PictureRequest::refine`] is honoured.
    pub refines: bool,
}

/// Why a keyframe was coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyframeReason {
    /// The first picture of an encoder.
    Start,
    /// A consumer joined.
    NewConsumer,
    /// A client asked by PLI, FIR or an RPC.
    Requested,
    /// A loss that invalidation could not repair.
    Loss,
    /// A consumer's queue refused a unit and invalidation could not repair it.
    Refused,
    /// The encoder was opened again.
    Reopened,
    /// The source went away, or came back.
    Signal,
    /// The encoder decided by itself.
    Encoder,
}

/// What to do with one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureRequest {
    /// Number the picture gets.
    pub index: FrameIndex,
    /// Make it an IDR picture with parameter sets.
    pub keyframe: bool,
    /// Spend bits on a still picture: the quantiser to aim at, lower is better.
    ///
    /// From 20 in steps of 4 a screen full of text takes up to 3 frames' worth of the bitrate a
    /// step and is nearly lossless (over 52 dB) at 12. A picture that would take more than 8
    /// frames' worth is coded coarser; [`AccessUnit::quantiser`] tells.
    pub refine: Option<u8>,
}

/// What [`Encoder::invalidate`] could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// The next picture refers only to pictures before the lost ones.
    Applied,
    /// No picture before the loss is left, or the encoder cannot: a keyframe is needed. Until it
    /// is asked for, pictures go on referring to the newest one, for receivers without the loss.
    NeedsKeyframe,
}

/// What went wrong in an encoder.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The backend is not in this build or cannot run on this machine.
    #[error("encoder {name} is not available: {why}")]
    Unavailable {
        /// Backend.
        name: &'static str,
        /// Reason in words.
        why: Cow<'static, str>,
    },
    /// The encoder refuses these settings.
    #[error("encoder {name} does not open with {settings}: {why}")]
    Open {
        /// Backend.
        name: &'static str,
        /// Size, rate and bitrate in words.
        settings: String,
        /// Reason in words.
        why: Cow<'static, str>,
    },
    /// One picture failed; opening the encoder again may help.
    #[error("encoder {name} failed on a picture: {why}")]
    Picture {
        /// Backend.
        name: &'static str,
        /// Reason in words.
        why: Cow<'static, str>,
    },
    /// This build was made without any backend.
    #[error("this build has no encoder")]
    NoBackend,
    /// No backend of this build codes this.
    #[error("this build has no encoder for {0}")]
    NoCodec(Codec),
    /// No backend of that name.
    #[error("encoder {0:?} is not known; this build has: {1}")]
    Unknown(String, String),
}

/// A video encoder. One picture in, at most one access unit out, no reordering.
pub trait Encoder: Send {
    /// What it can do.
    fn caps(&self) -> EncoderCaps;

    /// Encodes `frame`, scaled as a whole into the size of the stream if it has another. The unit
    /// is complete when [`poll`](Self::poll) returns it.
    ///
    /// # Errors
    /// [`EncodeError::Picture`].
    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError>;

    /// Moves the next finished access unit into `unit` (whose `data` keeps its capacity): index,
    /// codec, size, reference, quantiser and data are set, stage times and kind are left alone.
    /// `false` when nothing is finished.
    ///
    /// # Errors
    /// [`EncodeError::Picture`].
    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError>;

    /// Makes the encoder forget picture `first_lost` and all after it, as references.
    ///
    /// # Errors
    /// [`EncodeError::Picture`].
    fn invalidate(&mut self, first_lost: FrameIndex) -> Result<Invalidation, EncodeError>;

    /// Changes the bitrate from the next picture on.
    ///
    /// # Errors
    /// [`EncodeError::Picture`].
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError>;
}

impl fmt::Display for EncoderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size,
            rate,
            bitrate,
            codec,
            threads,
            slices,
            reference_pictures,
            ..
        } = self;
        write!(
            f,
            "{codec} {size} at {rate} fps and {bitrate}b/s, {threads} threads, "
        )?;
        write!(
            f,
            "{slices} slices, {reference_pictures} reference pictures"
        )
    }
}

impl fmt::Display for KeyframeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::NewConsumer => "new consumer",
            Self::Requested => "requested",
            Self::Loss => "loss",
            Self::Refused => "refused",
            Self::Reopened => "reopened",
            Self::Signal => "signal",
            Self::Encoder => "encoder",
        })
    }
}
