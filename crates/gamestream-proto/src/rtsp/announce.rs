//! What a client wants the stream to be, read from the attributes of ANNOUNCE and checked. Whether the
//! host can deliver it is decided elsewhere.

use super::offer::HostOffer;
use super::sdp::Attributes;
use crate::Error;
use crate::http::{CodecMode, DisplayMode};
use media::Size;

/// How pictures are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264.
    H264,
    /// HEVC.
    Hevc,
    /// AV1.
    Av1,
}

/// How finely colour is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chroma {
    /// Once for four pixels.
    Yuv420,
    /// For each pixel.
    Yuv444,
}

/// Which colours the numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColourSpace {
    /// BT.601.
    Rec601,
    /// BT.709.
    Rec709,
    /// BT.2020.
    Rec2020,
}

/// What is encrypted (`SS_ENC_*` in Limelight-internal.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The control stream, with nonces that do not repeat.
    pub control: bool,
    /// Pictures.
    pub video: bool,
    /// Sound.
    pub audio: bool,
}

impl Encryption {
    const fn from_flags(flags: u32) -> Self {
        Self {
            control: flags & 1 != 0,
            video: flags & 2 != 0,
            audio: flags & 4 != 0,
        }
    }

    pub(super) fn flags(self) -> u32 {
        u32::from(self.control) | u32::from(self.video) << 1 | u32::from(self.audio) << 2
    }
}

/// What a client can do (`ML_FF_*` in Limelight-internal.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFeatures {
    /// It reports how pictures arrive whose packets were not all there.
    pub fec_status: bool,
    /// It repeats the ping payload and the connect data.
    pub session_id_v1: bool,
}

/// The pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoRequest {
    /// Size, and the highest frame rate.
    pub mode: DisplayMode,
    /// The exact refresh rate of the client's display in hundredths of a hertz, when it is within
    /// one percent of the frame rate: some clients send one that has nothing to do with the stream.
    pub refresh_rate_x100: Option<u32>,
    /// Bytes of each packet after the RTP header and its padding; room for encryption is taken off.
    pub packet_bytes: u16,
    /// What the whole stream may take, in kilobits a second.
    pub bitrate_kbps: u32,
    /// Whether parity, sound and everything else comes out of that bitrate, as official clients mean
    /// it; else it is for pictures alone.
    pub bitrate_is_for_all: bool,
    /// How many slices a picture should have.
    pub slices_per_frame: u8,
    /// How many pictures another may refer to; none when the host may choose.
    pub max_reference_frames: Option<u8>,
    /// How they are coded.
    pub codec: VideoCodec,
    /// Ten bits, with high dynamic range.
    pub hdr: bool,
    /// How finely colour is sampled.
    pub chroma: Chroma,
    /// Which colours the numbers mean.
    pub colour_space: ColourSpace,
    /// Whether numbers use their full range.
    pub full_range: bool,
    /// Packets of parity that each picture should have at least.
    pub min_fec_packets: u8,
    /// Whether packets should be marked as urgent on their way.
    pub mark_urgent: bool,
    /// Keyframes come in parts. Not in the official client.
    pub intra_refresh: bool,
}

impl VideoRequest {
    /// The mode of the codec.
    #[must_use]
    pub const fn codec_mode(&self) -> Option<CodecMode> {
        Some(match (self.codec, self.chroma, self.hdr) {
            (VideoCodec::H264, Chroma::Yuv420, false) => CodecMode::H264,
            (VideoCodec::H264, Chroma::Yuv444, false) => CodecMode::H264Yuv444,
            (VideoCodec::H264, _, true) => return None,
            (VideoCodec::Hevc, Chroma::Yuv420, false) => CodecMode::Hevc,
            (VideoCodec::Hevc, Chroma::Yuv420, true) => CodecMode::HevcMain10,
            (VideoCodec::Hevc, Chroma::Yuv444, false) => CodecMode::HevcYuv444,
            (VideoCodec::Hevc, Chroma::Yuv444, true) => CodecMode::HevcYuv444Main10,
            (VideoCodec::Av1, Chroma::Yuv420, false) => CodecMode::Av1,
            (VideoCodec::Av1, Chroma::Yuv420, true) => CodecMode::Av1Main10,
            (VideoCodec::Av1, Chroma::Yuv444, false) => CodecMode::Av1Yuv444,
            (VideoCodec::Av1, Chroma::Yuv444, true) => CodecMode::Av1Yuv444Main10,
        })
    }
}

/// The sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioRequest {
    /// 2, 6 or 8.
    pub channels: u8,
    /// Which speakers, as the bits of `WAVEFORMATEXTENSIBLE`.
    pub mask: u16,
    /// The layout and the bitrate of high quality.
    pub high_quality: bool,
    /// How long the sound of a packet is, 5 or 10 ms.
    pub packet_ms: u8,
    /// Whether packets should be marked as urgent on their way.
    pub mark_urgent: bool,
}

/// A whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// The pictures.
    pub video: VideoRequest,
    /// The sound.
    pub audio: AudioRequest,
    /// What is encrypted.
    pub encryption: Encryption,
    /// What the client can do.
    pub client: ClientFeatures,
}

impl StreamRequest {
    /// Reads an announced stream. `host` is the header of that name: clients say with `0.0.0.0` that
    /// stereo sound should be of low quality (RtspConnection.c, `performRtspHandshake`).
    pub(super) fn parse(body: &[u8], host: Option<&str>, offer: &HostOffer) -> Result<Self, Error> {
        let attributes = Attributes::parse(body)?;
        // What asks for the control stream that is encrypted as a whole.
        attributes.require("x-nv-general.useReliableUdp", 13..=13, "13")?;
        let features = attributes.flags("x-ml-general.featureFlags")?;
        let video = video(&attributes)?;
        let offered = video.codec_mode().filter(|mode| offer.codecs.has(*mode));
        offered.ok_or(Error::OutOfRange {
            field: "x-nv-vqos[0].bitStreamFormat",
            range: "one of the codecs that the host offers",
        })?;
        let encryption = encryption(&attributes)?;
        if encryption.video && offer.encryption.video.is_none() {
            return Err(Error::OutOfRange {
                field: "x-ss-general.encryptionEnabled",
                range: "flags that the host offers",
            });
        }
        Ok(Self {
            video,
            audio: audio(&attributes, host)?,
            encryption,
            client: ClientFeatures {
                fec_status: features & 1 != 0,
                session_id_v1: features & 2 != 0,
            },
        })
    }
}

/// Sound is encrypted for clients that say so in either way, of which one is older (SdpGenerator.c,
/// `addGen5Options`).
fn encryption(attributes: &Attributes<'_>) -> Result<Encryption, Error> {
    let enabled = attributes.flags("x-ss-general.encryptionEnabled")?;
    let older = attributes.flags("x-nv-general.featureFlags")? & 0x20 != 0;
    let encryption = Encryption::from_flags(enabled);
    Ok(Encryption {
        audio: encryption.audio || older,
        ..encryption
    })
}

fn switch(attributes: &Attributes<'_>, field: &'static str) -> Result<bool, Error> {
    let number = attributes.number(field, 0..=1, "0 or 1")?;
    Ok(number == Some(1))
}

fn mode(attributes: &Attributes<'_>) -> Result<DisplayMode, Error> {
    let pixels = |field| attributes.require(field, 0..=u32::MAX.into(), "a number of pixels");
    let size = Size::new(
        pixels("x-nv-video[0].clientViewportWd")? as u32,
        pixels("x-nv-video[0].clientViewportHt")? as u32,
    );
    let fps = attributes.require("x-nv-video[0].maxFPS", 0..=u32::MAX.into(), "a frame rate")?;
    DisplayMode::new(size, fps as u32).map_err(|why| Error::Mode {
        field: match why {
            media::ModeError::Fps(_) => "x-nv-video[0].maxFPS",
            _ => "x-nv-video[0].clientViewport",
        },
        why,
    })
}

/// The refresh rate when it is that of the stream.
fn refresh_rate(attributes: &Attributes<'_>, mode: DisplayMode) -> Result<Option<u32>, Error> {
    let given = attributes.flags("x-nv-video[0].clientRefreshRateX100")?;
    let asked = mode.rate.fps() * 100;
    Ok(Some(given).filter(|given| given.abs_diff(asked) <= mode.rate.fps()))
}

fn bitrate(attributes: &Attributes<'_>) -> Result<(u32, bool), Error> {
    const RANGE: &str = "0 to 4294967295 kilobits a second";
    let allowed = 0..=u32::MAX.into();
    let pictures =
        attributes.require("x-nv-vqos[0].bw.maximumBitrateKbps", allowed.clone(), RANGE)?;
    let all = attributes.number("x-ml-video.configuredBitrateKbps", allowed, RANGE)?;
    Ok(match all.unwrap_or(0) {
        0 => (pictures as u32, false),
        all => (all as u32, true),
    })
}

fn codec(attributes: &Attributes<'_>) -> Result<VideoCodec, Error> {
    let format = attributes.number("x-nv-vqos[0].bitStreamFormat", 0..=2, "0, 1 or 2")?;
    Ok(match format.unwrap_or(0) {
        1 => VideoCodec::Hevc,
        2 => VideoCodec::Av1,
        _ => VideoCodec::H264,
    })
}

fn video(attributes: &Attributes<'_>) -> Result<VideoRequest, Error> {
    let mode = mode(attributes)?;
    let (bitrate_kbps, bitrate_is_for_all) = bitrate(attributes)?;
    let packet_bytes =
        attributes.require("x-nv-video[0].packetSize", 256..=9000, "256 to 9000 bytes")?;
    let slices = attributes.require(
        "x-nv-video[0].videoEncoderSlicesPerFrame",
        1..=255,
        "1 to 255",
    )?;
    let references =
        attributes.require("x-nv-video[0].maxNumReferenceFrames", 0..=16, "0 to 16")?;
    let parity = attributes.number("x-nv-vqos[0].fec.minRequiredFecPackets", 0..=16, "0 to 16")?;
    let colours = attributes.number("x-nv-video[0].encoderCscMode", 0..=5, "0 to 5")?;
    let colours = colours.unwrap_or(0);
    Ok(VideoRequest {
        mode,
        refresh_rate_x100: refresh_rate(attributes, mode)?,
        packet_bytes: packet_bytes as u16,
        bitrate_kbps,
        bitrate_is_for_all,
        slices_per_frame: slices as u8,
        max_reference_frames: Some(references as u8).filter(|references| *references > 0),
        codec: codec(attributes)?,
        hdr: switch(attributes, "x-nv-video[0].dynamicRangeMode")?,
        chroma: match switch(attributes, "x-ss-video[0].chromaSamplingType")? {
            true => Chroma::Yuv444,
            false => Chroma::Yuv420,
        },
        colour_space: match colours >> 1 {
            0 => ColourSpace::Rec601,
            1 => ColourSpace::Rec709,
            _ => ColourSpace::Rec2020,
        },
        full_range: colours & 1 != 0,
        min_fec_packets: parity.unwrap_or(0) as u8,
        mark_urgent: attributes.flags("x-nv-vqos[0].qosTrafficType")? != 0,
        intra_refresh: switch(attributes, "x-ss-video[0].intraRefresh")?,
    })
}

fn audio(attributes: &Attributes<'_>, host: Option<&str>) -> Result<AudioRequest, Error> {
    const CHANNELS: &str = "x-nv-audio.surround.numChannels";
    const DURATION: &str = "x-nv-aqos.packetDuration";
    let out_of_range = |field, range| Error::OutOfRange { field, range };
    let channels = match attributes.require(CHANNELS, 2..=8, "2, 6 or 8")? {
        channels @ (2 | 6 | 8) => channels as u8,
        _ => return Err(out_of_range(CHANNELS, "2, 6 or 8")),
    };
    let mask = attributes.require("x-nv-audio.surround.channelMask", 0..=0xffff, "0 to 65535")?;
    let quality = attributes.require("x-nv-audio.surround.AudioQuality", 0..=1, "0 or 1")?;
    let packet_ms = match attributes.number(DURATION, 5..=10, "5 or 10 ms")? {
        None | Some(5) => 5,
        Some(10) => 10,
        Some(_) => return Err(out_of_range(DURATION, "5 or 10 ms")),
    };
    let wants_low = host.is_some_and(|host| host.contains("0.0.0.0"));
    Ok(AudioRequest {
        channels,
        mask: mask as u16,
        high_quality: if channels == 2 {
            !wants_low
        } else {
            quality == 1
        },
        packet_ms,
        mark_urgent: attributes.flags("x-nv-aqos.qosTrafficType")? != 0,
    })
}
