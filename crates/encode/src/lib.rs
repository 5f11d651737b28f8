//! Video encoders behind one trait, a table of backends, and the choice between them.
//!
//! Owns colour conversion and bitstream facts; refuses to know about consumers or networks.

mod encoder;
pub mod h264;

pub use encoder::{
    EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, KeyframeReason, PictureRequest,
};
