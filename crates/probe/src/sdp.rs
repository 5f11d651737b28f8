//! The two descriptions of RTSP: what a host offers, read; and what this client announces, written in
//! the words of SdpGenerator.c. It knows no order of requests.

use std::fmt::{self, Write as _};

use media::Size;

use crate::options::{AudioLayout, Codec};

/// Encryption of control with 12-byte nonces (Limelight-internal.h, `SS_ENC_CONTROL_V2`).
pub const ENCRYPT_CONTROL: u32 = 1;
/// Encryption of video (`SS_ENC_VIDEO`).
pub const ENCRYPT_VIDEO: u32 = 2;
/// Encryption of audio (`SS_ENC_AUDIO`).
pub const ENCRYPT_AUDIO: u32 = 4;

/// How Opus packs the channels of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusLayout {
    /// Channels.
    pub channels: u8,
    /// Streams in a packet.
    pub streams: u8,
    /// How many of them carry two channels.
    pub coupled: u8,
    /// Which decoded channel each loudspeaker plays: FL FR C LFE BL BR SL SR.
    pub mapping: Vec<u8>,
}

impl OpusLayout {
    /// Two channels in one stream; hosts do not describe it.
    #[must_use]
    pub fn stereo() -> Self {
        Self {
            channels: 2,
            streams: 1,
            coupled: 1,
            mapping: vec![0, 1],
        }
    }

    /// `<streams><coupled><mapping>`, one digit each, as it follows the number of channels.
    fn parse(channels: u8, digits: &str) -> Option<Self> {
        let mut digits = digits
            .chars()
            .map(|c| c.to_digit(10).map(|digit| digit as u8));
        let (streams, coupled) = (digits.next()??, digits.next()??);
        let mapping: Option<Vec<u8>> = digits.by_ref().take(channels.into()).collect();
        let mapping = mapping.filter(|mapping| mapping.len() == usize::from(channels))?;
        let decoded = streams.checked_add(coupled)?;
        let sound = streams > 0 && coupled <= streams && mapping.iter().all(|&at| at < decoded);
        sound.then_some(Self {
            channels,
            streams,
            coupled,
            mapping,
        })
    }

    /// From the order of GeForce Experience, with LFE last, to the order of clients, with LFE after C
    /// (RtspConnection.c, `parseOpusConfigurations`).
    fn with_lfe_fourth(mut self) -> Self {
        if self.channels > 4 {
            self.mapping[3..].rotate_right(1);
        }
        self
    }
}

/// What a host offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Pen and touch 1, controller touch 2.
    pub features: u32,
    /// Encryption that the host can do.
    pub encryption_supported: u32,
    /// Encryption that the host wants even from clients that would rather not.
    pub encryption_requested: u32,
    /// Whether lost references can be repaired by a picture that refers past them.
    pub invalidates_references: bool,
    /// Whether there is HEVC.
    pub hevc: bool,
    /// Whether there is AV1.
    pub av1: bool,
    /// Packings of the layout asked for: normal quality, then high quality.
    pub surround: Vec<OpusLayout>,
}

/// Reads an offer the way clients do: by what occurs in it.
#[must_use]
pub fn parse_offer(text: &str, layout: AudioLayout) -> Offer {
    let prefix = format!("a=fmtp:97 surround-params={}", layout.channels());
    let packings = text.split(&prefix).skip(1);
    let packings = packings.filter_map(|rest| OpusLayout::parse(layout.channels(), rest));
    let mut surround: Vec<_> = packings.take(2).collect();
    if let Some(normal) = surround.first_mut() {
        *normal = normal.clone().with_lfe_fourth();
    }
    Offer {
        features: attribute(text, "x-ss-general.featureFlags").unwrap_or(0),
        encryption_supported: attribute(text, "x-ss-general.encryptionSupported").unwrap_or(0),
        encryption_requested: attribute(text, "x-ss-general.encryptionRequested").unwrap_or(0),
        invalidates_references: text.contains("x-nv-video[0].refPicInvalidation"),
        hevc: text.contains("sprop-parameter-sets=AAAAAU"),
        av1: text.contains("AV1/90000"),
        surround,
    }
}

/// The number after `name:`, decimal or hexadecimal as `strtoul` takes it.
fn attribute(text: &str, name: &str) -> Option<u32> {
    let (_, rest) = text.split_once(name)?;
    let (_, value) = rest.split_once(':')?;
    let value = value.trim_start();
    let (digits, radix) = match value.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None => (value, 10),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    u32::from_str_radix(&digits[..end], radix).ok()
}

/// What this client announces.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub(crate) address: String,
    pub(crate) ipv6: bool,
    pub(crate) video_port: u16,
    pub(crate) size: Size,
    pub(crate) fps: u32,
    pub(crate) packet_size: u32,
    pub(crate) bitrate_kbps: u32,
    pub(crate) codec: Codec,
    pub(crate) hdr: bool,
    pub(crate) encryption: u32,
    pub(crate) invalidate_references: bool,
    pub(crate) slices: u8,
    pub(crate) audio: AudioLayout,
    pub(crate) high_quality_audio: bool,
    pub(crate) audio_packet_ms: u32,
}

impl Announcement {
    /// The description, with the trailing blanks that hosts are used to.
    pub(crate) fn text(&self) -> String {
        let mut out = format!(
            "v=0\r\no=android 0 {} IN {} {}\r\ns=NVIDIA Streaming Client\r\n",
            crate::rtsp::CLIENT_VERSION,
            if self.ipv6 { "IPv6" } else { "IPv4" },
            self.address
        );
        self.video(&mut out);
        self.quality(&mut out);
        self.sound(&mut out);
        // Writing to a string cannot fail.
        let _ = write!(out, "t=0 0\r\nm=video {}  \r\n", self.video_port);
        out
    }

    fn video(&self, out: &mut String) {
        // Feature flags: frame FEC status 1, session ids in pings 2.
        put(out, "x-ml-general.featureFlags", 3);
        put(out, "x-ss-general.encryptionEnabled", self.encryption);
        put(out, "x-ss-video[0].chromaSamplingType", 0);
        put(out, "x-nv-video[0].clientViewportWd", self.size.width);
        put(out, "x-nv-video[0].clientViewportHt", self.size.height);
        put(out, "x-nv-video[0].maxFPS", self.fps);
        put(out, "x-nv-video[0].packetSize", self.packet_size);
        put(out, "x-nv-video[0].rateControlMode", 4);
        put(out, "x-nv-video[0].timeoutLengthMs", 7000);
        put(out, "x-nv-video[0].framesWithInvalidRefThreshold", 0);
        // A fifth of what the user set is left for error correction, and the old field ends at 100 Mb/s.
        let adjusted_kbps = (self.bitrate_kbps / 5 * 4).min(100_000);
        put(out, "x-nv-video[0].initialBitrateKbps", adjusted_kbps);
        put(out, "x-nv-video[0].initialPeakBitrateKbps", adjusted_kbps);
        put(out, "x-nv-vqos[0].bw.minimumBitrateKbps", adjusted_kbps);
        put(out, "x-nv-vqos[0].bw.maximumBitrateKbps", adjusted_kbps);
        put(out, "x-ml-video.configuredBitrateKbps", self.bitrate_kbps);
    }

    fn quality(&self, out: &mut String) {
        put(out, "x-nv-vqos[0].fec.enable", 1);
        put(out, "x-nv-vqos[0].videoQualityScoreUpdateTime", 5000);
        put(out, "x-nv-vqos[0].qosTrafficType", 5);
        put(out, "x-nv-aqos.qosTrafficType", 4);
        let audio = self.encryption & ENCRYPT_AUDIO != 0;
        let flags = 0x07 | 0x80 | if audio { 0x20 } else { 0 };
        put(out, "x-nv-general.featureFlags", flags);
        put(out, "x-nv-general.useReliableUdp", 13);
        put(out, "x-nv-vqos[0].fec.minRequiredFecPackets", 2);
        put(out, "x-nv-vqos[0].bllFec.enable", 0);
        put(out, "x-nv-vqos[0].drc.enable", 0);
        put(out, "x-nv-general.enableRecoveryMode", 0);
        put(
            out,
            "x-nv-video[0].videoEncoderSlicesPerFrame",
            self.slices.max(1),
        );
        let format = match self.codec {
            Codec::H264 => 0,
            Codec::Hevc => 1,
            Codec::Av1 => 2,
        };
        if self.codec != Codec::Av1 {
            put(out, "x-nv-clientSupportHevc", format);
        }
        put(out, "x-nv-vqos[0].bitStreamFormat", format);
        put(out, "x-nv-video[0].dynamicRangeMode", u32::from(self.hdr));
        let references = u32::from(!self.invalidate_references);
        put(out, "x-nv-video[0].maxNumReferenceFrames", references);
        put(out, "x-nv-video[0].clientRefreshRateX100", self.fps * 100);
        // Rec. 709, limited range; Rec. 2020 where there is HDR.
        let csc = if self.hdr { 4 } else { 2 };
        put(out, "x-nv-video[0].encoderCscMode", csc);
    }

    fn sound(&self, out: &mut String) {
        let surround = self.audio != AudioLayout::Stereo;
        put(
            out,
            "x-nv-audio.surround.numChannels",
            self.audio.channels(),
        );
        put(out, "x-nv-audio.surround.channelMask", self.audio.mask());
        put(out, "x-nv-audio.surround.enable", u32::from(surround));
        let quality = u32::from(surround && self.high_quality_audio);
        put(out, "x-nv-audio.surround.AudioQuality", quality);
        put(out, "x-nv-aqos.packetDuration", self.audio_packet_ms);
    }
}

fn put(out: &mut String, name: &str, value: impl fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "a={name}:{value} \r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFER: &str = "a=x-ss-general.featureFlags:3 \r\na=x-ss-general.encryptionSupported:7\r\n\
        a=x-nv-video[0].refPicInvalidation:1\r\nsprop-parameter-sets=AAAAAU\r\n\
        a=fmtp:97 surround-params=21101\r\na=fmtp:97 surround-params=642012345\r\n\
        a=fmtp:97 surround-params=660012345\r\n";

    #[test]
    fn an_offer_is_read_for_the_layout_asked_for() {
        let offer = parse_offer(OFFER, AudioLayout::Surround51);
        assert_eq!((offer.features, offer.encryption_supported), (3, 7));
        assert!(offer.invalidates_references && offer.hevc && !offer.av1);
        let [normal, high] = &offer.surround[..] else {
            panic!("{offer:?}")
        };
        assert_eq!((normal.streams, normal.coupled), (4, 2));
        assert_eq!(
            normal.mapping,
            [0, 1, 2, 5, 3, 4],
            "LFE moves from the end to the fourth place"
        );
        assert_eq!(
            high.mapping,
            [0, 1, 2, 3, 4, 5],
            "high quality is in order already"
        );
    }

    #[test]
    fn packings_that_cannot_be_are_left_out() {
        for wrong in [
            "6",
            "642",
            "6420123x5",
            "640012349",
            "600012345",
            "649012345",
        ] {
            let text = format!("a=fmtp:97 surround-params={wrong}");
            assert_eq!(
                parse_offer(&text, AudioLayout::Surround51).surround,
                [],
                "{wrong}"
            );
        }
    }

    #[test]
    fn numbers_are_read_in_both_notations() {
        assert_eq!(attribute("x:0x10 \r\n", "x"), Some(16));
        assert_eq!(attribute("x: 12\r\n", "x"), Some(12));
        assert_eq!(attribute("x:99999999999", "x"), None);
        assert_eq!(attribute("y:1", "x"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = parse_offer(&text, AudioLayout::Surround71);
            let _ = parse_offer(&format!("a=fmtp:97 surround-params=8{text}"), AudioLayout::Surround71);
        }
    }
}
