//! The RTSP conversation from OPTIONS to PLAY, and what it leaves both sides agreed on. It opens no
//! stream itself.

use gamestream_proto::constants::Ports;

use crate::client::Launched;
use crate::error::AnswerError;
use crate::options::{Codec, StreamOptions};
use crate::rtsp::{Conversation, RtspAnswer};
use crate::sdp::{
    self, Announcement, ENCRYPT_AUDIO, ENCRYPT_CONTROL, ENCRYPT_VIDEO, Offer, OpusLayout,
};
use crate::{Error, HostAddress};

/// Bytes that video encryption puts before each packet; the packets shrink by as much (Video.h).
pub(crate) const VIDEO_SEAL: u32 = 32;
/// Below this bitrate clients ask for 10 ms of sound a packet (Limelight-internal.h).
const LOW_BITRATE_KBPS: u32 = 5000;
const CONTROL_STREAM: &str = "streamid=control/13/0";
const SINCE: (&str, &str) = ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT");
const TRANSPORT: (&str, &str) = ("Transport", "unicast;X-GS-ClientPort=50000-50001");

/// What both sides agreed on.
#[derive(Clone, Debug)]
pub(crate) struct Agreement {
    pub(crate) codec: Codec,
    pub(crate) invalidates_references: bool,
    /// Bytes of a video packet without its RTP header, after encryption took its share.
    pub(crate) packet_size: u32,
    pub(crate) encrypted_video: bool,
    pub(crate) encrypted_audio: bool,
    pub(crate) opus: OpusLayout,
    pub(crate) audio_packet_ms: u32,
    pub(crate) features: u32,
    pub(crate) video: Port,
    pub(crate) audio: Port,
    pub(crate) control_port: u16,
    pub(crate) connect_data: u32,
}

/// A UDP port, and what the host wants to see in pings to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) ping: Option<[u8; 16]>,
}

/// Agrees with the host on a stream.
pub(crate) fn negotiate(
    host: &HostAddress,
    launched: &Launched,
    options: &StreamOptions,
    codec_modes: u32,
) -> Result<Agreement, Error> {
    let url = &launched.rtsp_url;
    let mut rtsp = Conversation::new(host, url, &launched.key, options.high_quality_audio)?;
    let target = rtsp.target.clone();
    rtsp.ask("OPTIONS", &target, &[], "")?;
    let described = rtsp.ask(
        "DESCRIBE",
        &target,
        &[("Accept", "application/sdp"), SINCE],
        "",
    )?;
    let text = String::from_utf8_lossy(&described.body);
    if text.is_empty() {
        return Err(missing("DESCRIBE", "body"));
    }
    let offer = sdp::parse_offer(&text, options.audio);
    let encryption = encryption(&offer, options)?;
    let opus = packing(&offer, options)?;
    let usual = Ports::new(host.port()).unwrap_or_default();
    let answer = rtsp.ask("SETUP", "streamid=audio/0/0", &[TRANSPORT, SINCE], "")?;
    let session = answer
        .session()
        .ok_or_else(|| missing("SETUP", "Session"))?;
    let session = session.to_owned();
    let audio = port(&answer, usual.audio());
    let with_session = [("Session", session.as_str()), TRANSPORT, SINCE];
    let answer = rtsp.ask("SETUP", "streamid=video/0/0", &with_session, "")?;
    let video = port(&answer, usual.video());
    let answer = rtsp.ask("SETUP", CONTROL_STREAM, &with_session, "")?;
    let control_port = answer.server_port().unwrap_or(usual.control());
    let connect_data = answer.header("X-SS-Connect-Data").unwrap_or("0");
    let connect_data = connect_data.parse().unwrap_or(0);
    let encrypted_video = encryption & ENCRYPT_VIDEO != 0;
    let agreement = Agreement {
        codec: codec(&offer, options, codec_modes),
        invalidates_references: options.invalidate_references && offer.invalidates_references,
        packet_size: options.packet_size.bytes() - if encrypted_video { VIDEO_SEAL } else { 0 },
        encrypted_video,
        encrypted_audio: encryption & ENCRYPT_AUDIO != 0,
        opus,
        audio_packet_ms: audio_packet_ms(options),
        features: offer.features,
        video,
        audio,
        control_port,
        connect_data,
    };
    let body = announcement(host, options, &agreement, encryption).text();
    let length = body.len().to_string();
    let headers = [
        ("Session", session.as_str()),
        ("Content-type", "application/sdp"),
        ("Content-length", length.as_str()),
    ];
    rtsp.ask("ANNOUNCE", CONTROL_STREAM, &headers, &body)?;
    rtsp.ask("PLAY", "/", &[("Session", session.as_str())], "")?;
    Ok(agreement)
}

fn missing(request: &'static str, what: &'static str) -> Error {
    Error::Answer {
        request,
        cause: AnswerError::Missing(what),
    }
}

fn port(answer: &RtspAnswer, usual: u16) -> Port {
    let ping = answer.header("X-SS-Ping-Payload");
    Port {
        number: answer.server_port().unwrap_or(usual),
        // Another length than 16 means the old pings (RtspConnection.c).
        ping: ping.and_then(|text| text.as_bytes().try_into().ok()),
    }
}

/// The host can, and the client would; or the host insists (SdpGenerator.c).
fn encryption(offer: &Offer, options: &StreamOptions) -> Result<u32, Error> {
    if offer.encryption_supported & ENCRYPT_CONTROL == 0 {
        // The older scheme repeats its nonces after 256 messages, so that it protects nothing.
        return Err(Error::Unsupported("control encryption of version 2"));
    }
    let wanted = |bit: u32, wanted: bool| {
        let on = if wanted {
            offer.encryption_supported
        } else {
            offer.encryption_requested
        };
        on & bit
    };
    Ok(ENCRYPT_CONTROL
        | wanted(ENCRYPT_VIDEO, options.encryption.video)
        | wanted(ENCRYPT_AUDIO, options.encryption.audio))
}

fn packing(offer: &Offer, options: &StreamOptions) -> Result<OpusLayout, Error> {
    if options.audio.channels() == 2 {
        return Ok(OpusLayout::stereo());
    }
    let packings = &offer.surround;
    let wanted = usize::from(options.high_quality_audio);
    let packing = packings.get(wanted).or(packings.first());
    packing.cloned().ok_or(Error::Unsupported("surround sound"))
}

/// AV1 before HEVC before H.264, of those that were wanted and offered.
fn codec(offer: &Offer, options: &StreamOptions, codec_modes: u32) -> Codec {
    // Limelight.h, SCM_MASK_HEVC and SCM_MASK_AV1.
    let (hevc, av1) = (
        codec_modes & 0x000c_0300 != 0,
        codec_modes & 0x0063_0000 != 0,
    );
    match options.codec {
        Codec::Av1 if offer.av1 && av1 => Codec::Av1,
        Codec::Hevc if offer.hevc && hevc => Codec::Hevc,
        _ => Codec::H264,
    }
}

fn audio_packet_ms(options: &StreamOptions) -> u32 {
    let low = options.bitrate.bps() / 1000 < LOW_BITRATE_KBPS;
    if low && !options.high_quality_audio {
        10
    } else {
        5
    }
}

fn announcement(
    host: &HostAddress,
    options: &StreamOptions,
    agreement: &Agreement,
    encryption: u32,
) -> Announcement {
    Announcement {
        address: host.bracketed(),
        ipv6: host.name().contains(':'),
        video_port: agreement.video.number,
        size: options.size,
        fps: options.rate.fps(),
        packet_size: agreement.packet_size,
        bitrate_kbps: options.bitrate.bps() / 1000,
        codec: agreement.codec,
        hdr: options.hdr && agreement.codec != Codec::H264,
        encryption,
        invalidate_references: options.invalidate_references,
        slices: options.slices,
        audio: options.audio,
        high_quality_audio: options.high_quality_audio,
        audio_packet_ms: agreement.audio_packet_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_what_the_host_can_and_the_client_wants_or_the_host_insists_on() {
        let mut options = StreamOptions::new("x");
        options.encryption = "audio".parse().unwrap();
        let mut offer = Offer {
            encryption_supported: ENCRYPT_CONTROL | ENCRYPT_VIDEO | ENCRYPT_AUDIO,
            ..Offer::default()
        };
        assert_eq!(
            encryption(&offer, &options).unwrap(),
            ENCRYPT_CONTROL | ENCRYPT_AUDIO
        );
        offer.encryption_requested = ENCRYPT_VIDEO;
        let all = ENCRYPT_CONTROL | ENCRYPT_AUDIO | ENCRYPT_VIDEO;
        assert_eq!(encryption(&offer, &options).unwrap(), all);
        offer.encryption_supported = ENCRYPT_VIDEO;
        assert!(matches!(
            encryption(&offer, &options),
            Err(Error::Unsupported(_))
        ));
    }

    #[test]
    fn a_codec_that_the_host_lacks_becomes_h264() {
        let mut options = StreamOptions::new("x");
        options.codec = Codec::Hevc;
        let mut offer = Offer::default();
        assert_eq!(codec(&offer, &options, 0x101), Codec::H264);
        offer.hevc = true;
        assert_eq!(codec(&offer, &options, 0x101), Codec::Hevc);
        assert_eq!(codec(&offer, &options, 0x1), Codec::H264);
    }
}
