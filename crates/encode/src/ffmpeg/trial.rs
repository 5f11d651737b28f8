//! Whether an encoder of FFmpeg does here what streaming needs: it is tried, once a process.
//!
//! Versions of the libraries behind FFmpeg differ in whether they hold pictures back and make
//! keyframes when asked to, and drivers in whether they work at all; only a trial tells.

use super::{Ffmpeg, Variant};
use crate::{EncodeError, Encoder, EncoderConfig, PictureRequest};
use media::{
    AccessUnit, Bitrate, CaptureTimes, Codec, Frame, FrameIndex, FrameKind, FrameRate, PixelFormat,
    QualityProfile, Size,
};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Larger than the smallest picture of any chip.
const SIZE: Size = Size::new(320, 192);
/// The pictures that are asked to be keyframes.
const KEYFRAMES: [bool; 4] = [true, false, true, false];

type Outcome = Result<(), Cow<'static, str>>;

/// What was tried so far.
static TRIED: Mutex<Vec<(&'static str, Outcome)>> = Mutex::new(Vec::new());

/// Whether a variant codes this codec here, or why not.
pub(super) fn outcome(variant: &'static Variant, codec: Codec) -> Outcome {
    let Some(encoder) = variant.encoder(codec) else {
        return Err(format!("it does not code {codec}").into());
    };
    // Held during a trial too: others wait for its outcome rather than try as well.
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = tried.iter().find(|(name, _)| *name == encoder) {
        return known.clone();
    }
    let outcome = attempt(variant, encoder, codec);
    tried.push((encoder, outcome.clone()));
    outcome
}

fn attempt(variant: &'static Variant, encoder: &str, codec: Codec) -> Outcome {
    if !ffi_ffmpeg::has_encoder(encoder) {
        return Err(format!("FFmpeg {} lacks {encoder}", ffi_ffmpeg::version()).into());
    }
    if ffi_ffmpeg::codec_version() < variant.since {
        let version = ffi_ffmpeg::version();
        return Err(format!("with FFmpeg {version} it keeps pictures back").into());
    }
    let config = EncoderConfig {
        size: SIZE,
        rate: FrameRate::new(60).map_err(|error| error.to_string())?,
        bitrate: Bitrate::clamped(2_000_000),
        codec,
        profile: QualityProfile::Latency,
        threads: 1,
        slices: 1,
        reference_pictures: 1,
    };
    let mut encoder = Ffmpeg::open(variant, &config).map_err(words)?;
    let mut unit = AccessUnit::default();
    for (number, keyframe) in KEYFRAMES.into_iter().enumerate() {
        let request = PictureRequest {
            index: FrameIndex(number as u64),
            keyframe,
            refine: None,
        };
        encoder.submit(&grey(number), request).map_err(words)?;
        encoder.poll(&mut unit).map_err(words)?;
        if unit.is_keyframe() != keyframe {
            return Err("it makes keyframes when it likes".into());
        }
    }
    Ok(())
}

/// The reason without the name, which whoever asks knows.
fn words(error: EncodeError) -> Cow<'static, str> {
    match error {
        EncodeError::Unavailable { why, .. }
        | EncodeError::Open { why, .. }
        | EncodeError::Picture { why, .. } => why,
        other => other.to_string().into(),
    }
}

/// A grey picture, each a little different.
fn grey(number: usize) -> Frame {
    let bytes = PixelFormat::I420.bytes(SIZE.width as usize, SIZE.height);
    let mut pixels = vec![128; bytes];
    pixels[..SIZE.width as usize].fill(100 + 10 * number as u8);
    Frame {
        size: SIZE,
        format: PixelFormat::I420,
        stride: SIZE.width as usize,
        pixels: Arc::new(pixels),
        kind: FrameKind::Fresh,
        times: CaptureTimes::default(),
    }
}
