//! What sets FFmpeg's encoders apart: names, options, how their rates are told.

use super::{Ffmpeg, trial};
use crate::backends::Backend;
use crate::{EncodeError, Encoder, EncoderConfig};
use ffi_ffmpeg::{Rates, Settings};
use media::{Codec, QualityProfile};
use std::borrow::Cow;
use std::path::PathBuf;

/// FFmpeg's licence as distributions build it.
const LICENCE: &str =
    "FFmpeg as Debian builds it is GPL-2.0-or-later, so that a binary with it is too";
/// Frames that a stream's bits may come early: a keyframe is not much larger than that.
const BUFFER_FRAMES: u32 = 6;
/// More threads cost bits and gain nothing at desktop sizes.
const MOST_THREADS: usize = 8;
/// Samples a second of HEVC's level 4.1.
const LEVEL_4_1: u64 = 133_693_440;
/// Where the system keeps devices that compute.
const DEVICES: &str = "/dev/dri";

/// One kind of encoder of FFmpeg.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(super) name: &'static str,
    /// FFmpeg's names of it.
    encoders: &'static [(Codec, &'static str)],
    options: fn(&EncoderConfig) -> Options,
    pub(super) rates: fn(&EncoderConfig) -> Rates,
    /// The oldest libavcodec with which it is worth a trial.
    pub(super) since: u32,
    /// Whether it takes pictures from a VA-API device.
    on_device: bool,
    /// Whether it looks at its rates before each picture. It makes a keyframe then all the same.
    pub(super) rate_changes_live: bool,
}

type Options = Vec<(&'static str, Cow<'static, str>)>;

impl Variant {
    /// FFmpeg's name of the encoder for a codec.
    pub(super) fn encoder(&self, codec: Codec) -> Option<&'static str> {
        let mut encoders = self.encoders.iter();
        encoders.find_map(|(coded, name)| (*coded == codec).then_some(*name))
    }

    /// Opens the encoder, on the first device that takes it where it needs one.
    pub(super) fn open(
        &self,
        config: &EncoderConfig,
    ) -> Result<ffi_ffmpeg::Encoder, Cow<'static, str>> {
        if config.size != config.size.even() || config.size.pixels() == 0 {
            return Err("width and height must be even".into());
        }
        let encoder = self.encoder(config.codec);
        let encoder = encoder.ok_or_else(|| format!("it does not code {}", config.codec))?;
        let options = (self.options)(config);
        let options: Vec<(&str, &str)> = options
            .iter()
            .map(|(key, value)| (*key, &**value))
            .collect();
        let settings = Settings {
            encoder,
            width: config.size.width,
            height: config.size.height,
            fps: config.rate.fps(),
            rates: (self.rates)(config),
            threads: threads(config),
            slices: config.slices.into(),
            options: &options,
            device: None,
        };
        let open = |settings: &Settings<'_>| {
            let opened = ffi_ffmpeg::Encoder::open(settings);
            opened.map_err(|error| Cow::from(error.to_string()))
        };
        if !self.on_device {
            return open(&settings);
        }
        let mut refusal = Cow::from(format!("there is no device in {DEVICES}"));
        for device in devices() {
            let device = Some(device.as_path());
            match open(&Settings { device, ..settings }) {
                Ok(encoder) => return Ok(encoder),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

fn threads(config: &EncoderConfig) -> u32 {
    config.threads.clamp(1, MOST_THREADS) as u32
}

/// The devices that compute, in the order of their numbers.
fn devices() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(DEVICES).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let computes = |path: &PathBuf| {
        let name = path.file_name().and_then(std::ffi::OsStr::to_str);
        name.is_some_and(|name| name.starts_with("renderD"))
    };
    let mut devices: Vec<_> = paths.filter(computes).collect();
    devices.sort();
    devices
}

/// No more than the bitrate, with [`BUFFER_FRAMES`] in hand.
fn capped(config: &EncoderConfig) -> Rates {
    let bps = config.bitrate.bps();
    let buffer = u64::from(bps) * u64::from(BUFFER_FRAMES) / u64::from(config.rate.fps());
    Rates {
        target_bps: bps,
        most_bps: bps,
        least_bps: 0,
        // At most four seconds of at most a gigabit.
        buffer_bits: buffer.min(i32::MAX as u64) as u32,
    }
}

/// For encoders that make a constant rate of three equal ones.
fn constant(config: &EncoderConfig) -> Rates {
    Rates {
        least_bps: config.bitrate.bps(),
        ..capped(config)
    }
}

/// For encoders whose other limits are options of their own.
fn target(config: &EncoderConfig) -> Rates {
    Rates {
        most_bps: 0,
        buffer_bits: 0,
        ..capped(config)
    }
}

fn by_profile(
    config: &EncoderConfig,
    latency: &'static str,
    quality: &'static str,
) -> Cow<'static, str> {
    Cow::Borrowed(match config.profile {
        QualityProfile::Latency => latency,
        QualityProfile::Quality => quality,
    })
}

/// The backend of a variant, whose name is written once.
macro_rules! backend {
    ($variant:ident, $codecs:expr, $hardware:expr, $description:expr) => {
        Backend {
            name: $variant.name,
            description: $description,
            licence: LICENCE,
            codecs: $codecs,
            hardware: $hardware,
            probe: |codec| trial::outcome(&$variant, codec),
            open: |config| opened(&$variant, config),
        }
    };
}

fn opened(
    variant: &'static Variant,
    config: &EncoderConfig,
) -> Result<Box<dyn Encoder>, EncodeError> {
    // One that opens may still keep pictures back, which the trial shows.
    trial::outcome(variant, config.codec).map_err(|why| EncodeError::Unavailable {
        name: variant.name,
        why,
    })?;
    Ok(Box::new(Ffmpeg::open(variant, config)?))
}

pub(crate) const NVENC: Backend = backend!(
    BY_NVENC,
    &[Codec::H264, Codec::Hevc, Codec::Av1],
    true,
    "NVIDIA's encoder chip through FFmpeg, with a keyframe after each loss"
);

static BY_NVENC: Variant = Variant {
    name: "nvenc",
    encoders: &[
        (Codec::H264, "h264_nvenc"),
        (Codec::Hevc, "hevc_nvenc"),
        (Codec::Av1, "av1_nvenc"),
    ],
    options: |config| {
        vec![
            ("preset", by_profile(config, "p1", "p4")),
            ("tune", "ull".into()),
            ("rc", "cbr".into()),
            ("delay", "0".into()),
            ("zerolatency", "1".into()),
            ("rc-lookahead", "0".into()),
            ("no-scenecut", "1".into()),
            ("forced-idr", "1".into()),
            ("aud", "0".into()),
        ]
    },
    rates: capped,
    since: 0,
    on_device: false,
    rate_changes_live: true,
};

pub(crate) const VAAPI: Backend = backend!(
    BY_VAAPI,
    &[Codec::H264, Codec::Hevc, Codec::Av1],
    true,
    "the graphics chip's encoder through VA-API and FFmpeg, with a keyframe after each loss"
);

static BY_VAAPI: Variant = Variant {
    name: "vaapi",
    encoders: &[
        (Codec::H264, "h264_vaapi"),
        (Codec::Hevc, "hevc_vaapi"),
        (Codec::Av1, "av1_vaapi"),
    ],
    options: |_| {
        vec![
            ("rc_mode", "CBR".into()),
            ("async_depth", "1".into()),
            ("aud", "0".into()),
            ("sei", "0".into()),
        ]
    },
    rates: capped,
    since: 0,
    on_device: true,
    rate_changes_live: false,
};

pub(crate) const X265: Backend = backend!(
    BY_X265,
    &[Codec::Hevc],
    false,
    "software HEVC by libx265 through FFmpeg, with a keyframe after each loss"
);

static BY_X265: Variant = Variant {
    name: "x265",
    encoders: &[(Codec::Hevc, "libx265")],
    options: |config| {
        // With more than one slice libx265 holds each picture back until the next one. Small blocks
        // are a fifth quicker and give threads more rows to share; levels from 5 on forbid them.
        let samples = config.size.pixels() * u64::from(config.rate.fps());
        let block = if samples <= LEVEL_4_1 { 16 } else { 32 };
        let threads = threads(config);
        let parameters = format!(
            "log-level=none:info=0:hrd=0:aud=0:annexb=1:repeat-headers=1:keyint=-1:scenecut=0:\
             open-gop=0:bframes=0:rc-lookahead=0:frame-threads=1:slices=1:ctu={block}:\
             pools={threads}:wpp={}",
            u8::from(threads > 1)
        );
        vec![
            ("preset", by_profile(config, "ultrafast", "superfast")),
            ("tune", "zerolatency".into()),
            ("forced-idr", "1".into()),
            ("x265-params", parameters.into()),
        ]
    },
    rates: capped,
    since: 0,
    on_device: false,
    rate_changes_live: false,
};

pub(crate) const SVT_AV1: Backend = backend!(
    BY_SVT_AV1,
    &[Codec::Av1],
    false,
    "software AV1 by SVT-AV1 through FFmpeg, with a keyframe after each loss"
);

static BY_SVT_AV1: Variant = Variant {
    name: "svt-av1",
    encoders: &[(Codec::Av1, "libsvtav1")],
    options: |config| {
        // The buffer's sizes are in milliseconds.
        let buffer_ms = (1000 * BUFFER_FRAMES / config.rate.fps()).max(40);
        let parameters = format!(
            "pred-struct=1:rc=2:keyint=-1:lookahead=0:scd=0:enable-overlays=0:mbr=0:lp={}:\
             buf-sz={buffer_ms}:buf-initial-sz={half}:buf-optimal-sz={half}",
            threads(config),
            half = buffer_ms / 2,
        );
        vec![
            ("preset", by_profile(config, "11", "9")),
            ("svtav1-params", parameters.into()),
        ]
    },
    rates: target,
    // Before, it keeps four pictures back and makes no keyframe when asked, at some length.
    since: 60,
    on_device: false,
    rate_changes_live: false,
};

pub(crate) const AOM: Backend = backend!(
    BY_AOM,
    &[Codec::Av1],
    false,
    "software AV1 by libaom through FFmpeg, with a keyframe after each loss"
);

static BY_AOM: Variant = Variant {
    name: "aom",
    encoders: &[(Codec::Av1, "libaom-av1")],
    options: |config| {
        let tiles = if config.threads > 1 { "2x1" } else { "1x1" };
        // Made for screens it takes a third of the time and a tenth of the bits on text. FFmpeg's
        // own option for the speed ends at 8. The largest keyframe is in percent of a picture.
        let parameters = format!(
            "cpu-used={}:tune-content=screen:max-intra-rate={}",
            by_profile(config, "9", "8"),
            100 * BUFFER_FRAMES
        );
        vec![
            ("usage", "realtime".into()),
            ("cpu-used", "8".into()),
            ("lag-in-frames", "0".into()),
            ("row-mt", "1".into()),
            ("tiles", tiles.into()),
            ("aom-params", parameters.into()),
        ]
    },
    rates: constant,
    since: 0,
    on_device: false,
    rate_changes_live: false,
};
