//! Safe wrapper around libx264: the only place that touches its C API.
//!
//! It offers what low-latency streaming needs (one picture in, one access unit out, a quantiser
//! chosen by the caller for each picture) and refuses the rest: no B frames, no lookahead, no rate
//! control, no strings handed to the library.
//!
//! The bindings are generated from the installed header, whose `X264_BUILD` is part of the name of
//! the open function: a header and a library of different layouts do not link.

#![allow(unsafe_code)]

mod encoder;
mod params;

pub use encoder::{Encoded, Encoder, Picture, PictureType, Planes};
pub use params::{Params, Preset};

/// What went wrong in libx264.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// libx264 does not know this preset.
    #[error("libx264 lacks the preset {0}")]
    Preset(&'static str),
    /// libx264 refused the parameters.
    #[error("libx264 does not open with these parameters")]
    Open,
    /// libx264 turned a setting into one that delays pictures.
    #[error("libx264 would hold pictures back with these parameters")]
    Delays,
    /// A plane holds fewer bytes than its size and stride say.
    #[error("a plane of the picture is too short for its size")]
    ShortPlane,
    /// The macroblocks said to be unchanged are not as many as the picture has.
    #[error("the map of unchanged macroblocks does not fit the picture")]
    MapSize,
    /// libx264 failed to encode a picture.
    #[error("libx264 failed to encode the picture")]
    Encode,
    /// libx264 returned no access unit for a picture.
    #[error("libx264 kept the picture back")]
    NoOutput,
    /// libx264 refused to forget pictures.
    #[error("libx264 cannot forget pictures with these parameters")]
    Invalidate,
}
