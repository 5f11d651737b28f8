//! From an SDP offer to an answer: which codec, which header extensions, which section.

use crate::bare_headers;
use crate::channels::{MAX_MESSAGE_BYTES, MAX_SESSION_BUFFERED_BYTES};
use crate::dependency;
use crate::engine::{Flavour, MAX_SDP_BYTES, OfferError};
use crate::sender::Track;
use media::{Bitrate, MonoTime};
use std::sync::Arc;
use std::time::Duration;
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::Codec;
use str0m::media::{Mid, Pt};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};

/// The payload type that one client made for JetKVM devices takes for granted.
const JETKVM_PAYLOAD_TYPE: u8 = 102;
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
}

/// An answered offer, before anything was started for it.
pub(crate) struct Negotiated {
    pub(crate) rtc: Rtc,
    pub(crate) answer: String,
    /// None where the offer has data channels and no video at all.
    pub(crate) track: Option<Track>,
}

/// Answers an offer.
pub(crate) fn negotiate(sdp: &str, local: Local, now: MonoTime) -> Result<Negotiated, OfferError> {
    let malformed = |error: &dyn std::fmt::Display| OfferError::Malformed(error.to_string());
    if sdp.len() > MAX_SDP_BYTES {
        return Err(OfferError::Malformed(format!(
            "longer than {MAX_SDP_BYTES} bytes"
        )));
    }
    let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| malformed(&error))?;
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
    let only_data = !has_section(sdp, "video") && has_section(sdp, "application");
    if track.is_none() && !only_data {
        return Err(OfferError::NoCommonCodec);
    }
    Ok(Negotiated { rtc, answer, track })
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
        .set_stats_interval(Some(SAMPLE_EVERY));
    if local.flavour == Flavour::JetKvm {
        config = config.set_crypto_provider(Arc::new(bare_headers::provider()));
    }
    if let Some(certificate) = &local.certificate {
        config = config.set_dtls_cert(certificate.clone());
    }
    config
}

/// How to send on the first video section of our answer that sends.
fn find_track(rtc: &Rtc, answer: &str, flavour: Flavour) -> Option<Track> {
    let mid = sending_video_mid(answer)?;
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

fn has_section(sdp: &str, kind: &str) -> bool {
    let mut lines = sdp.lines();
    lines.any(|line| {
        let media = line.strip_prefix("m=").and_then(|m| m.strip_prefix(kind));
        media.is_some_and(|rest| rest.starts_with(' '))
    })
}

/// The library tells about sections only once connected; the answer it wrote tells at once.
fn sending_video_mid(answer: &str) -> Option<Mid> {
    let sections = answer.split("\r\nm=").skip(1);
    let sending = sections.filter(|section| {
        section.starts_with("video ")
            && !section.starts_with("video 0 ")
            && section
                .lines()
                .any(|line| matches!(line, "a=sendonly" | "a=sendrecv"))
    });
    let mut mids = sending
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("a=mid:"));
    mids.next().map(Mid::from)
}
