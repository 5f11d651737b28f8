//! What the `openh264` crate leaves out: changing the bitrate while the encoder runs, and keeping
//! the library from writing to standard error while it opens.
//!
//! Its build script also refuses to build OpenH264 without its assembler code.

#![cfg(feature = "source")]
#![allow(unsafe_code)]

use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL,
    LAYER_NUM, SBitrateInfo, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

/// OpenH264 refused an option; the code is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OpenH264 refused a bitrate with code {0}")]
pub struct BitrateRefused(i32);

/// Sets target and limit of an encoder that has encoded a picture already, from the next on.
///
/// # Errors
/// [`BitrateRefused`], also before the first picture.
pub fn set_bitrate(encoder: &mut Encoder, bits_per_second: u32) -> Result<(), BitrateRefused> {
    let bitrate = i32::try_from(bits_per_second).unwrap_or(i32::MAX);
    // A target above the limit is refused, as is a limit below the target: the limit goes first,
    // and again when the target came down to it.
    let limit_rises = set_option(
        encoder,
        ENCODER_OPTION_MAX_BITRATE,
        SPATIAL_LAYER_0,
        bitrate,
    );
    set_option(encoder, ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL, bitrate)?;
    limit_rises.or_else(|_| {
        set_option(
            encoder,
            ENCODER_OPTION_MAX_BITRATE,
            SPATIAL_LAYER_0,
            bitrate,
        )
    })
}

/// Keeps the library quiet from now on, which also works before the first picture.
pub fn silence(encoder: &mut Encoder) {
    let mut level = WELS_LOG_QUIET;
    let level = std::ptr::from_mut(&mut level).cast();
    // SAFETY: the encoder is alive and borrowed mutably; the option takes a pointer to an `int`,
    // which the library only reads during the call.
    unsafe {
        encoder
            .raw_api()
            .set_option(ENCODER_OPTION_TRACE_LEVEL, level)
    };
}

fn set_option(
    encoder: &mut Encoder,
    option: ENCODER_OPTION,
    layer: LAYER_NUM,
    bitrate: i32,
) -> Result<(), BitrateRefused> {
    let mut info = SBitrateInfo {
        iLayer: layer,
        iBitrate: bitrate,
    };
    let info = std::ptr::from_mut(&mut info).cast();
    // SAFETY: the encoder is alive and borrowed mutably, so that no other call is running; both
    // options take a pointer to `SBitrateInfo`, which the library only reads during the call. An
    // encoder without a context yet answers with an error.
    let code = unsafe { encoder.raw_api().set_option(option, info) };
    if code == 0 {
        Ok(())
    } else {
        Err(BitrateRefused(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::OpenH264API;
    use openh264::encoder::{BitRate, EncoderConfig, FrameRate};
    use openh264::formats::YUVBuffer;

    #[test]
    fn the_bitrate_of_a_running_encoder_changes_and_that_of_an_idle_one_is_refused() {
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(1_000_000))
            .max_frame_rate(FrameRate::from_hz(30.0));
        let api = OpenH264API::from_source();
        let mut encoder = Encoder::with_api_config(api, config).unwrap();
        silence(&mut encoder);
        assert!(set_bitrate(&mut encoder, 2_000_000).is_err());
        let picture = YUVBuffer::new(64, 48);
        assert!(!encoder.encode(&picture).unwrap().to_vec().is_empty());
        assert_eq!(set_bitrate(&mut encoder, 2_000_000), Ok(()));
        assert_eq!(set_bitrate(&mut encoder, 500_000), Ok(()));
        assert!(!encoder.encode(&picture).unwrap().to_vec().is_empty());
    }
}
