//! What the clients made for JetKVM devices need, and sessions without pictures.

use crate::host::{Heard, Host, Screen};
use crate::peer::{Peer, Wish, channel};
use std::time::{Duration, Instant};
use str0m::RtcConfig;
use webrtc::{Flavour, Message, OfferError};

/// Offers H.264 under several payload types, as such clients do.
fn offering(payload_types: &[(u8, bool)]) -> RtcConfig {
    let mut config = RtcConfig::new().clear_codecs();
    for (payload_type, mode) in payload_types {
        let codecs = config.codec_config();
        codecs.add_h264((*payload_type).into(), None, *mode, 0x42_001f);
    }
    config
}

fn jetkvm(config: RtcConfig) -> Wish<'static> {
    Wish {
        flavour: Flavour::JetKvm,
        channels: vec![channel("rpc")],
        config,
        ..Wish::default()
    }
}

#[test]
fn a_jetkvm_client_gets_payload_type_102_and_no_extensions() {
    let host = Host::start(Screen::Moving);
    let offered = offering(&[(127, false), (125, true), (102, true)]);
    let (mut peer, answer) = Peer::begin(&host, jetkvm(offered));
    assert!(answer.contains("a=rtpmap:102 H264/90000"), "{answer}");
    assert!(!answer.contains("a=extmap:"), "{answer}");
    let section = answer.lines().find(|line| line.starts_with("m=video"));
    let mut words = section.unwrap().split_whitespace().skip(3);
    assert_eq!(words.next(), Some("102"), "{answer}");
    let mut keyframes = 0;
    while keyframes < 2 {
        let packet = peer.packet();
        assert_eq!(packet.payload_type, 102);
        keyframes += u32::from(packet.keyframe);
    }
    assert_eq!(peer.came.extended_packets, 0);
}

#[test]
fn a_page_gets_its_extensions() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, Wish::default());
    peer.packet();
    assert!(peer.came.extended_packets > 0);
}

#[test]
fn a_jetkvm_client_with_other_numbers_is_served_too() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, jetkvm(offering(&[(96, true)])));
    assert_eq!(peer.packet().payload_type, 96);
}

#[test]
fn keyframes_come_by_themselves_until_the_client_has_asked_for_one() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, jetkvm(offering(&[(102, true)])));
    let mut times = Vec::new();
    while times.len() < 4 {
        if peer.packet().keyframe {
            times.push(Instant::now());
        }
    }
    let apart = times[3].duration_since(times[0]) / 3;
    assert!(apart > Duration::from_secs(1), "{apart:?} apart");
    peer.ask_keyframe();
    peer.wait("the keyframe asked for", |peer| {
        peer.packets.pop_front()?.keyframe.then_some(())
    });
    peer.spend(apart * 3);
    let unasked = peer.packets.iter().filter(|packet| packet.keyframe);
    assert_eq!(unasked.count(), 0);
}

#[test]
fn a_session_without_video_takes_no_lease_and_can_talk() {
    for flavour in [Flavour::Page, Flavour::JetKvm] {
        let host = Host::start(Screen::Moving);
        let wish = Wish {
            flavour,
            video: false,
            channels: vec![channel("rpc")],
            ..Wish::default()
        };
        let mut peer = Peer::connect(&host, wish);
        let inner = peer.channel("rpc");
        peer.send(inner, false, b"{}");
        let id = peer.wait("the message", |_| match host.try_hear()? {
            Heard::Message(_, id, false, _) => Some(id),
            _ => None,
        });
        for paused in [true, false] {
            assert!(host.set_paused(peer.viewer, paused));
        }
        host.engine.request_keyframe(peer.viewer);
        let text = "[]".to_owned();
        host.engine.send(peer.viewer, id, Message::Text(text));
        assert_eq!(peer.message(), (inner, false, b"[]".to_vec()));
        assert_eq!(host.pipeline.status().consumers, 0);
        assert_eq!(host.take_changes(), (0, 0));
    }
}

#[test]
fn an_offer_of_nothing_usable_is_refused() {
    let host = Host::start(Screen::Still);
    let mut config = RtcConfig::new().clear_codecs().enable_vp8(true);
    config.codec_config();
    let mut rtc = config.build(Instant::now());
    let mut api = rtc.sdp_api();
    let (kind, direction) = (
        str0m::media::MediaKind::Video,
        str0m::media::Direction::RecvOnly,
    );
    api.add_media(kind, direction, None, None, None);
    api.add_channel("rpc".to_owned());
    let (offer, _) = api.apply().unwrap();
    let answer = host.offer(&offer.to_sdp_string(), Flavour::JetKvm);
    assert_eq!(answer, Err(OfferError::NoCommonCodec));
}
