//! From an SDP offer to an answer: which codec, which header extensions, which section.

use crate::bare_headers;
use crate::channels::{MAX_MESSAGE_BYTES, MAX_SESSION_BUFFERED_BYTES};
use crate::dependency;
use crate::engine::{Flavour, MAX_SDP_BYTES, OfferError};
use crate::sender::Track;
use crate::sound::SoundTrack;
use media::{Bitrate, MonoTime};
use std::sync::Arc;
use std::time::Duration;
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Mid, Pt};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};

/// The payload type that one client made for JetKVM devices takes for granted.
const JETKVM_PAYLOAD_TYPE: u8 = 102;
/// Where the offer has another, that one is taken.
const OPUS_PAYLOAD_TYPE: u8 = 111;
/// How often the link is sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How often sender reports go out: half of what a silent stream may cost.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// What an answer is made of, besides the offer.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) certificate: Option<DtlsCert>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) initial_estimate: Bitrate,
    pub(crate) flavour: Flavour,
    /// Whether the host has sound to give.
    pub(crate) sound: bool,
}

/// An answered offer, before anything was started for it.
pub(crate) struct Negotiated {
    pub(crate) rtc: Rtc,
    pub(crate) answer: String,
    /// None where the offer has sound or data channels and no video at all.
    pub(crate) track: Option<Track>,
    /// None where the offer asks for no sound that this host has.
    pub(crate) sound: Option<SoundTrack>,
}

/// Answers an offer.
pub(crate) fn negotiate(sdp: &str, local: Local, now: MonoTime) -> Result<Negotiated, OfferError> {
    let malformed = |error: &dyn std::fmt::Display| OfferError::Malformed(error.to_string());
    if sdp.len() > MAX_SDP_BYTES {
        return Err(OfferError::Malformed(format!(
            "longer than {MAX_SDP_BYTES} bytes"
        )));
    }
    let heard = without_sound_feedback(sdp);
    let offer = SdpOffer::from_sdp_string(&heard).map_err(|error| malformed(&error))?;
    let mut rtc = configure(&local).build(now.to_instant());
    for candidate in local.candidates {
        rtc.add_local_candidate(candidate);
    }
    let answer = rtc
        .sdp_api()
        .accept_offer(offer)
        .map_err(|error| malformed(&error))?;
    let answer = answer.to_sdp_string();
    let track = find_track(&rtc, &answer, local.flavour);
    let sound = find_sound(&mut rtc, &answer);
    let without_video = !has_section(sdp, "video");
    let something_else = sound.is_some() || has_section(sdp, "application");
    if track.is_none() && !(without_video && something_else) {
        return Err(OfferError::NoCommonCodec);
    }
    if let Some(sound) = &sound {
        // It begins anew with the first packet: until then its reports would tell wrong times.
        rtc.direct_api().remove_stream_tx(sound.ssrc);
    }
    let stream = track.as_ref().and_then(|track| rtc.media(track.mid));
    let other = sound.as_ref().and_then(|sound| rtc.media(sound.mid));
    let answer = match (stream, other) {
        (Some(stream), Some(other)) => answer.replace(other.stream_id(), stream.stream_id()),
        _ => answer,
    };
    Ok(Negotiated {
        rtc,
        answer,
        track,
        sound,
    })
}

/// Says what this host would answer to an offer, without a session, an address or a certificate.
///
/// # Errors
/// [`OfferError`] as for a session.
pub fn answer_offline(sdp: &str) -> Result<String, OfferError> {
    let initial_estimate = Bitrate::clamped(0);
    let local = Local {
        certificate: None,
        candidates: Vec::new(),
        initial_estimate,
        flavour: Flavour::Page,
        sound: true,
    };
    negotiate(sdp, local, MonoTime::now()).map(|negotiated| negotiated.answer)
}

/// The header extensions agreed to. One of the clients made for JetKVM devices forwards packets
/// with the bytes of their extensions cut out, so they get none; their rate is not estimated then.
fn extensions(flavour: Flavour) -> ExtensionMap {
    let mut extensions = ExtensionMap::empty();
    if flavour == Flavour::Page {
        extensions.set(2, Extension::AbsoluteSendTime);
        extensions.set(3, Extension::TransportSequenceNumber);
        extensions.set(4, Extension::RtpMid);
        extensions.set(5, Extension::PlayoutDelay);
        extensions.set(6, Extension::AbsoluteCaptureTime);
        extensions.set(7, dependency::extension());
    }
    extensions
}

fn configure(local: &Local) -> RtcConfig {
    let estimate = str0m::bwe::Bitrate::bps(u64::from(local.initial_estimate.bps()));
    let mut config = RtcConfig::new()
        .clear_codecs()
        .enable_h264(true)
        .set_extension_map(extensions(local.flavour))
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .enable_raw_packets(true)
        .enable_bwe(Some(estimate))
        .set_sctp_max_message_size(MAX_MESSAGE_BYTES as u32)
        .set_sctp_max_buffered_amount(MAX_SESSION_BUFFERED_BYTES)
        .set_rtcp_report_interval_video(REPORT_EVERY)
        .set_rtcp_report_interval_audio(REPORT_EVERY)
        .set_stats_interval(Some(SAMPLE_EVERY));
    if local.sound {
        config.codec_config().add_config(
            OPUS_PAYLOAD_TYPE.into(),
            None,
            Codec::Opus,
            Frequency::FORTY_EIGHT_KHZ,
            Some(2),
            opus_format(),
        );
    }
    if local.flavour == Flavour::JetKvm {
        config = config.set_crypto_provider(Arc::new(bare_headers::provider()));
    }
    if let Some(certificate) = &local.certificate {
        config = config.set_dtls_cert(certificate.clone());
    }
    config
}

/// Stereo, in frames of 10 ms, with gaps in silence. There is no error correction in it: the codec's
/// own needs its mode for speech, which looks 4 ms further ahead; what is lost is concealed instead.
fn opus_format() -> FormatParams {
    FormatParams {
        min_p_time: Some(10),
        stereo: Some(true),
        sprop_stereo: Some(true),
        use_dtx: Some(true),
        ..FormatParams::default()
    }
}

/// How to send on the first video section of our answer that sends.
fn find_track(rtc: &Rtc, answer: &str, flavour: Flavour) -> Option<Track> {
    let mid = sending_mid(answer, "video")?;
    let media = rtc.media(mid)?;
    let codecs = rtc.codec_config();
    let fits = |pt: &Pt| {
        codecs.params().iter().any(|param| {
            param.pt() == *pt
                && param.spec().codec == Codec::H264
                && param.spec().format.packetization_mode == Some(1)
        })
    };
    let mut fitting = media.remote_pts().iter().copied().filter(fits);
    let first = fitting.next()?;
    let fixed = fitting.find(|pt| **pt == JETKVM_PAYLOAD_TYPE);
    let payload_type = match flavour {
        Flavour::Page => first,
        Flavour::JetKvm => fixed.unwrap_or(first),
    };
    let extensions = media.remote_extmap();
    let has = |wanted: &Extension| extensions.iter().any(|(_, known)| known == wanted);
    Some(Track {
        mid,
        payload_type,
        playout_delay: has(&Extension::PlayoutDelay),
        capture_time: has(&Extension::AbsoluteCaptureTime),
        dependencies: extensions
            .iter()
            .any(|(_, known)| known.as_uri() == dependency::URI),
    })
}

/// How to send on the first audio section of our answer that sends.
fn find_sound(rtc: &mut Rtc, answer: &str) -> Option<SoundTrack> {
    let mid = sending_mid(answer, "audio")?;
    let media = rtc.media(mid)?;
    let codecs = rtc.codec_config();
    let is_opus = |pt: &Pt| {
        let mut params = codecs.params().iter();
        params.any(|param| param.pt() == *pt && param.spec().codec == Codec::Opus)
    };
    let payload_type = media.remote_pts().iter().copied().find(is_opus)?;
    let extensions = media.remote_extmap();
    let has = |wanted: &Extension| extensions.iter().any(|(_, known)| known == wanted);
    let capture_time = has(&Extension::AbsoluteCaptureTime);
    let ssrc = rtc.direct_api().stream_tx_by_mid(mid, None)?.ssrc();
    Some(SoundTrack {
        mid,
        payload_type,
        ssrc,
        capture_time,
    })
}

/// The offer without what would make viewers report on each packet of sound: that is a sliver of what
/// is sent, says nothing that the pictures do not, and would wake host and viewer while those rest.
fn without_sound_feedback(sdp: &str) -> String {
    const FEEDBACK: [&str; 3] = ["transport-cc", "transport-wide-cc", "abs-send-time"];
    let mut in_audio = false;
    let kept = sdp.split_inclusive('\n').filter(|line| {
        if let Some(media) = line.strip_prefix("m=") {
            in_audio = media.starts_with("audio ");
        }
        let tells = line.starts_with("a=extmap:") || line.starts_with("a=rtcp-fb:");
        !(in_audio && tells && FEEDBACK.iter().any(|feedback| line.contains(feedback)))
    });
    kept.collect()
}

fn has_section(sdp: &str, kind: &str) -> bool {
    let mut lines = sdp.lines();
    lines.any(|line| {
        let media = line.strip_prefix("m=").and_then(|m| m.strip_prefix(kind));
        media.is_some_and(|rest| rest.starts_with(' '))
    })
}

/// The library tells about sections only once connected; the answer it wrote tells at once.
fn sending_mid(answer: &str, kind: &str) -> Option<Mid> {
    let sections = answer.split("\r\nm=").skip(1);
    let sending = sections.filter(|section| {
        let port = section.strip_prefix(kind).and_then(|s| s.strip_prefix(' '));
        port.is_some_and(|port| !port.starts_with("0 "))
            && section
                .lines()
                .any(|line| matches!(line, "a=sendonly" | "a=sendrecv"))
    });
    let mut mids = sending
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("a=mid:"));
    mids.next().map(Mid::from)
}
