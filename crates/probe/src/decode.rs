//! What a decoder is to the probe. The probe brings none: whoever runs it plugs one in, or goes without
//! and learns what can be said of a stream that is not decoded.

use media::{MonoTime, Size};

use crate::options::Codec;
use crate::sdp::OpusLayout;

/// A unit or packet that a decoder could not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the decoder refused the data")]
pub struct DecodeFailed;

/// A unit for a decoder, and how it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodedUnit {
    /// Number of the frame.
    pub index: u32,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// When its first packet came.
    pub first_at: MonoTime,
    /// When it was whole.
    pub complete_at: MonoTime,
    /// Annex B for H.264 and HEVC, OBUs for AV1.
    pub bytes: Vec<u8>,
}

/// What came of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Pictures that came out.
    pub pictures: u32,
    /// Those among them that the decoder itself calls damaged.
    pub damaged: u32,
    /// Their size.
    pub size: Option<Size>,
}

/// Decodes the units of one stream, in order.
pub trait VideoDecoder: Send {
    /// Decodes a unit.
    ///
    /// # Errors
    /// [`DecodeFailed`]: the probe then asks for a keyframe, as clients do.
    fn decode(&mut self, unit: &CodedUnit) -> Result<Decoded, DecodeFailed>;
}

/// Decodes the packets of one stream, in order.
pub trait AudioDecoder: Send {
    /// Decodes a packet, or bridges the gap where one is missing, and appends interleaved samples in
    /// -1..=1 at 48 kHz to `out`.
    ///
    /// # Errors
    /// [`DecodeFailed`].
    fn decode(&mut self, packet: Option<&[u8]>, out: &mut Vec<f32>) -> Result<(), DecodeFailed>;
}

/// Makes decoders once a stream has been agreed on.
pub trait Decoders {
    /// One for video, if there is any for this codec.
    fn video(&self, codec: Codec) -> Option<Box<dyn VideoDecoder>>;

    /// One for audio, if there is any; packets last `packet_ms`.
    fn audio(&self, layout: &OpusLayout, packet_ms: u32) -> Option<Box<dyn AudioDecoder>>;
}

/// No decoders.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDecoders;

impl Decoders for NoDecoders {
    fn video(&self, _codec: Codec) -> Option<Box<dyn VideoDecoder>> {
        None
    }

    fn audio(&self, _layout: &OpusLayout, _packet_ms: u32) -> Option<Box<dyn AudioDecoder>> {
        None
    }
}
