//! Safe wrapper around FFmpeg's libavcodec: the only place that touches its C API.
//!
//! It offers what low-latency streaming needs (one picture in, one access unit out, and the way
//! back for tests and diagnostic clients) and refuses the rest: no containers, no filters, no
//! encoder that keeps a picture back.
//!
//! The bindings are generated from the installed headers, so that FFmpeg 4.4 and everything after
//! it builds; only libavcodec and libavutil are linked.

#![allow(unsafe_code)]

mod decoder;
mod encoder;
mod owned;
mod surfaces;
mod sys;

pub use decoder::{Colour, Decoder, Picture, Plane};
pub use encoder::{Encoded, Encoder, Planes, Rates, Settings};

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::Once;

/// What a bitstream is coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// H.264 as an Annex B stream.
    H264,
    /// HEVC as an Annex B stream.
    Hevc,
    /// AV1 as temporal units.
    Av1,
}

impl Coding {
    const fn id(self) -> sys::AVCodecID {
        match self {
            Self::H264 => sys::AV_CODEC_ID_H264,
            Self::Hevc => sys::AV_CODEC_ID_HEVC,
            Self::Av1 => sys::AV_CODEC_ID_AV1,
        }
    }
}

/// What went wrong in FFmpeg.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The installed FFmpeg was built without this encoder.
    #[error("the installed FFmpeg lacks the encoder {0}")]
    NoEncoder(String),
    /// The installed FFmpeg was built without a decoder for this.
    #[error("the installed FFmpeg has no decoder for {0:?}")]
    NoDecoder(Coding),
    /// The codec, the driver or the device refused the settings.
    #[error("it does not open: {0}")]
    Open(String),
    /// A setting is out of the range of a C integer, or has a NUL byte in it.
    #[error("a setting is out of range: {0}")]
    Setting(&'static str),
    /// The encoder returned no access unit for a picture, or that of an earlier one.
    #[error("it keeps pictures back")]
    KeptBack,
    /// A plane holds fewer bytes than its size and stride say.
    #[error("a plane of the picture is too short for its size")]
    ShortPlane,
    /// A picture failed to be coded.
    #[error("coding a picture failed: {0}")]
    Picture(String),
    /// Bytes that are no picture; the next keyframe may be decodable.
    #[error("decoding failed: {0}")]
    Decode(String),
    /// A decoded picture has a layout other than planar 4:2:0 of 8 or 10 bits.
    #[error("the decoded picture is not planar 4:2:0 of 8 or 10 bits")]
    Layout,
    /// No memory.
    #[error("out of memory")]
    Memory,
}

/// Whether the installed FFmpeg has an encoder of this name. It may still not run here.
#[must_use]
pub fn has_encoder(name: &str) -> bool {
    find_encoder(name).is_ok()
}

fn find_encoder(name: &str) -> Result<*const sys::AVCodec, Error> {
    let c_name = CString::new(name).map_err(|_| Error::Setting("encoder"))?;
    // SAFETY: the string ends in NUL and is only read during the call.
    let codec = unsafe { sys::avcodec_find_encoder_by_name(c_name.as_ptr()) };
    if codec.is_null() {
        return Err(Error::NoEncoder(name.to_owned()));
    }
    Ok(codec)
}

/// The version of the installed FFmpeg, as it calls itself.
#[must_use]
pub fn version() -> String {
    // SAFETY: returns a static string that ends in NUL.
    let text = unsafe { CStr::from_ptr(sys::av_version_info()) };
    text.to_string_lossy().into_owned()
}

/// The major version of the installed libavcodec: 58 with FFmpeg 4, 59 with 5, and so on.
#[must_use]
pub fn codec_version() -> u32 {
    // SAFETY: returns a constant.
    unsafe { sys::avcodec_version() >> 16 }
}

/// Keeps FFmpeg from writing to standard error: what it says comes back in errors.
fn silence() {
    static ONCE: Once = Once::new();
    // SAFETY: sets one integer of the library.
    ONCE.call_once(|| unsafe { sys::av_log_set_level(sys::AV_LOG_QUIET) });
}

/// `AVERROR(EAGAIN)`, which the headers only have as a macro; the number is Linux's.
const AGAIN: c_int = -11;

/// What an error code of FFmpeg means, in words.
fn words(code: c_int) -> String {
    const BYTES: usize = 128;
    let mut text: [c_char; BYTES] = [0; BYTES];
    // SAFETY: writes at most `BYTES` bytes, the last of them NUL.
    unsafe { sys::av_strerror(code, text.as_mut_ptr(), BYTES) };
    // SAFETY: the array was zeroed and the call leaves a NUL inside it.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    text.to_string_lossy().into_owned()
}

fn integer(value: u32, what: &'static str) -> Result<c_int, Error> {
    c_int::try_from(value).map_err(|_| Error::Setting(what))
}
