//! Messages both ways, and what happens to a client that overdoes it.

use crate::host::{Heard, Host, PATIENCE, Screen};
use crate::peer::{Peer, Wish, channel};
use std::time::{Duration, Instant};
use str0m::channel::{ChannelConfig, Reliability};
use webrtc::{
    ChannelId, EndReason, MAX_BUFFERED_BYTES, MAX_CHANNELS, MAX_LABEL_BYTES, MAX_MESSAGE_BYTES,
    Message,
};

fn data_only(channels: Vec<ChannelConfig>) -> Wish<'static> {
    Wish {
        video: false,
        channels,
        ..Wish::default()
    }
}

/// Waits until the host has heard something about this client.
fn hear<T>(host: &Host, peer: &mut Peer, mut wanted: impl FnMut(Heard) -> Option<T>) -> T {
    peer.wait("what the host hears", |_| {
        std::iter::from_fn(|| host.try_hear()).find_map(&mut wanted)
    })
}

fn opened(host: &Host, peer: &mut Peer, wanted: &str) -> ChannelId {
    hear(host, peer, |heard| match heard {
        Heard::Opened(_, id, label) if label == wanted => Some(id),
        _ => None,
    })
}

fn heard_message(host: &Host, peer: &mut Peer) -> (ChannelId, bool, Vec<u8>) {
    hear(host, peer, |heard| match heard {
        Heard::Message(_, id, binary, data) => Some((id, binary, data)),
        _ => None,
    })
}

#[test]
fn messages_pass_both_ways_on_every_kind_of_channel() {
    let kinds = [
        (true, Reliability::Reliable),
        (false, Reliability::Reliable),
        (true, Reliability::MaxRetransmits { retransmits: 0 }),
        (false, Reliability::MaxRetransmits { retransmits: 0 }),
        (false, Reliability::MaxPacketLifetime { lifetime: 50 }),
    ];
    let configs = kinds.iter().enumerate().map(|(n, (ordered, reliability))| {
        let (ordered, reliability) = (*ordered, *reliability);
        ChannelConfig {
            ordered,
            reliability,
            ..channel(&format!("kind {n}"))
        }
    });
    let host = Host::start(Screen::Still);
    let mut peer = Peer::connect(&host, data_only(configs.collect()));
    let mut ids = std::collections::HashMap::new();
    while ids.len() < kinds.len() {
        let (id, label) = hear(&host, &mut peer, |heard| match heard {
            Heard::Opened(_, id, label) => Some((id, label)),
            _ => None,
        });
        ids.insert(label, id);
    }
    for n in 0..kinds.len() {
        let label = format!("kind {n}");
        let inner = peer.channel(&label);
        for (binary, data) in [(false, "héllo".into()), (true, vec![0, 255, 7])] {
            peer.send(inner, binary, &data);
            let said: Vec<u8> = data;
            assert_eq!(
                heard_message(&host, &mut peer),
                (ids[&label], binary, said.clone())
            );
            let message = if binary {
                Message::Binary(said.clone())
            } else {
                Message::Text(String::from_utf8(said.clone()).unwrap())
            };
            host.engine.send(peer.viewer, ids[&label], message);
            assert_eq!(peer.message(), (inner, binary, said));
        }
    }
}

#[test]
fn one_channel_too_many_is_closed_and_the_others_live() {
    let host = Host::start(Screen::Still);
    let labels = (0..=MAX_CHANNELS).map(|n| channel(&format!("{n}")));
    let mut peer = Peer::connect(&host, data_only(labels.collect()));
    let refused = peer.wait("a refusal", |peer| peer.closed.first().copied());
    assert_eq!(peer.closed, [refused]);
    assert_eq!(peer.open.len(), MAX_CHANNELS);
    let ids: Vec<_> = peer.open.keys().copied().collect();
    for id in ids {
        peer.send(id, true, b"still here");
        assert_eq!(heard_message(&host, &mut peer).2, b"still here");
    }
}

#[test]
fn a_label_beyond_reason_is_refused() {
    let host = Host::start(Screen::Still);
    let long = channel(&"x".repeat(MAX_LABEL_BYTES + 1));
    let mut peer = Peer::connect(&host, data_only(vec![long, channel("good")]));
    peer.wait("a refusal", |peer| peer.closed.first().copied());
    opened(&host, &mut peer, "good");
}

#[test]
fn the_longest_message_passes_both_ways() {
    let host = Host::start(Screen::Still);
    let mut wish = data_only(vec![channel("rpc")]);
    wish.config = wish.config.set_sctp_max_buffered_amount(1 << 20);
    let mut peer = Peer::connect(&host, wish);
    let id = opened(&host, &mut peer, "rpc");
    let inner = peer.channel("rpc");
    let data: Vec<u8> = (0..MAX_MESSAGE_BYTES).map(|n| (n / 7) as u8).collect();
    peer.send(inner, true, &data);
    let (_, _, came) = heard_message(&host, &mut peer);
    assert!(came == data, "{} bytes came", came.len());
    host.engine.send(peer.viewer, id, Message::Binary(came));
    let (_, _, back) = peer.message();
    assert!(back == data, "{} bytes came back", back.len());
}

#[test]
fn a_longer_message_reaches_nobody_and_hurts_no_other_session() {
    let host = Host::start(Screen::Still);
    let mut good = Peer::connect(&host, data_only(vec![channel("good")]));
    let mut wish = data_only(vec![channel("bad")]);
    wish.config = wish.config.set_sctp_max_buffered_amount(4 << 20);
    let honest = format!("a=max-message-size:{MAX_MESSAGE_BYTES}");
    wish.edit = &|answer| {
        let honest = format!("a=max-message-size:{MAX_MESSAGE_BYTES}");
        answer.replace(&honest, "a=max-message-size:4000000")
    };
    let (mut bad, answer) = Peer::begin(&host, wish);
    assert!(answer.contains(&honest), "{answer}");
    let inner = bad.channel("bad");
    let data = vec![7; MAX_MESSAGE_BYTES * 2];
    assert!(bad.rtc.channel(inner).unwrap().write(true, &data).unwrap());
    let until = Instant::now() + PATIENCE;
    let id = good.channel("good");
    good.send(id, true, b"hello");
    let mut heard = Vec::new();
    let (good_viewer, bad_viewer) = (good.viewer, bad.viewer);
    let done = |heard: &[Heard]| {
        let of_good = |h: &Heard| matches!(h, Heard::Message(v, ..) if *v == good_viewer);
        let of_bad = |h: &Heard| match h {
            Heard::Closed(viewer, _) | Heard::Ended(viewer, _) => *viewer == bad_viewer,
            _ => false,
        };
        heard.iter().any(of_good) && heard.iter().any(of_bad)
    };
    while !done(&heard) {
        assert!(Instant::now() < until, "{heard:?}");
        if bad.rtc.is_alive() {
            bad.turn(Instant::now());
        }
        good.turn(Instant::now());
        heard.extend(std::iter::from_fn(|| host.try_hear()));
    }
    let of_bad = |heard: &&Heard| matches!(heard, Heard::Message(v, ..) if *v == bad_viewer);
    assert_eq!(heard.iter().filter(of_bad).count(), 0);
}

#[test]
fn a_flood_of_messages_arrives_whole_and_in_order() {
    const MESSAGES: u32 = 20_000;
    let host = Host::start(Screen::Moving);
    let mut wish = data_only(vec![channel("input")]);
    wish.video = true;
    let mut peer = Peer::connect(&host, wish);
    let inner = peer.channel("input");
    let mut next = 0;
    for n in 0..MESSAGES {
        peer.send(inner, true, &n.to_be_bytes());
        while let Some(heard) = host.try_hear() {
            if let Heard::Message(_, _, _, data) = heard {
                assert_eq!(data, u32::to_be_bytes(next));
                next += 1;
            }
        }
    }
    while next < MESSAGES {
        let (_, _, data) = heard_message(&host, &mut peer);
        assert_eq!(data, next.to_be_bytes());
        next += 1;
    }
}

/// With nobody looking after a quiet connection, what is lost on it would be sent again late.
#[test]
fn a_reliable_channel_delivers_over_a_bad_link_on_a_still_screen() {
    const MESSAGES: u32 = 300;
    let host = Host::start(Screen::Still);
    let mut wish = data_only(vec![channel("input")]);
    wish.video = true;
    let mut peer = Peer::connect(&host, wish);
    let id = opened(&host, &mut peer, "input");
    let inner = peer.channel("input");
    peer.spend(Duration::from_secs(1));
    peer.loses_percent = 30;
    for n in 0..MESSAGES {
        peer.send(inner, true, &n.to_be_bytes());
        let message = Message::Binary(n.to_be_bytes().to_vec());
        host.engine.send(peer.viewer, id, message);
    }
    for n in 0..MESSAGES {
        assert_eq!(heard_message(&host, &mut peer).2, n.to_be_bytes());
        assert_eq!(peer.message().2, n.to_be_bytes());
    }
}

#[test]
fn a_client_that_does_not_read_loses_messages_or_its_session_but_never_memory() {
    let host = Host::start(Screen::Still);
    let lossy = ChannelConfig {
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..channel("lossy")
    };
    let mut peer = Peer::connect(&host, data_only(vec![channel("sure"), lossy]));
    let (mut sure, mut lossy) = (None, None);
    while sure.is_none() || lossy.is_none() {
        hear(&host, &mut peer, |heard| match heard {
            Heard::Opened(_, id, label) => {
                let place = if label == "sure" {
                    &mut sure
                } else {
                    &mut lossy
                };
                *place = Some(id);
                Some(())
            }
            _ => None,
        });
    }
    let chunk = Message::Binary(vec![1; 64 << 10]);
    let too_many = MAX_BUFFERED_BYTES / (64 << 10) * 2;
    for _ in 0..too_many {
        host.engine.send(peer.viewer, lossy.unwrap(), chunk.clone());
    }
    // The session has outlived that: this is answered.
    assert!(host.set_paused(peer.viewer, true));
    for _ in 0..too_many {
        host.engine.send(peer.viewer, sure.unwrap(), chunk.clone());
    }
    let ended = std::iter::repeat_with(|| host.hear()).find_map(|heard| match heard {
        Heard::Ended(_, reason) => Some(reason),
        _ => None,
    });
    assert_eq!(ended, Some(EndReason::Error));
}

#[test]
fn every_opened_channel_is_closed_once_before_the_end_is_told() {
    let host = Host::start(Screen::Still);
    let mut peer = Peer::connect(&host, data_only(vec![channel("a"), channel("b")]));
    let (a, b) = (peer.channel("a"), peer.channel("b"));
    for id in [a, b] {
        peer.send(id, true, b"hello");
    }
    peer.rtc.direct_api().close_data_channel(a);
    let mut heard = vec![hear(&host, &mut peer, |heard| {
        matches!(heard, Heard::Closed(..)).then_some(heard)
    })];
    host.engine.close(peer.viewer, EndReason::Operator);
    while !matches!(heard.last(), Some(Heard::Ended(..))) {
        heard.push(host.hear());
    }
    let mut closed: Vec<_> = heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Closed(_, id) => Some(*id),
            _ => None,
        })
        .collect();
    closed.sort_unstable();
    closed.dedup();
    assert_eq!(closed.len(), 2, "{heard:?}");
    assert_eq!(heard.len(), 3, "{heard:?}");
    let operator = Heard::Ended(peer.viewer, EndReason::Operator);
    assert_eq!(heard.last(), Some(&operator));
}

#[test]
fn a_client_that_says_goodbye_has_left() {
    let host = Host::start(Screen::Still);
    let mut peer = Peer::connect(&host, data_only(vec![channel("a")]));
    peer.channel("a");
    peer.rtc.close().unwrap();
    let until = Instant::now() + PATIENCE;
    while peer.rtc.is_alive() {
        peer.turn(until);
    }
    let ended = std::iter::repeat_with(|| host.hear()).find_map(|heard| match heard {
        Heard::Ended(_, reason) => Some(reason),
        _ => None,
    });
    assert_eq!(ended, Some(EndReason::Quit));
}

/// Messages on a still screen are handed over when they come. The connection of a quiet stream is
/// looked after once a second; forty trips at that pace would take most of a minute.
#[test]
fn a_still_screen_delays_no_message() {
    const TRIPS: u32 = 40;
    let host = Host::start(Screen::Still);
    let mut wish = data_only(vec![channel("rpc")]);
    wish.video = true;
    let mut peer = Peer::connect(&host, wish);
    let id = opened(&host, &mut peer, "rpc");
    let inner = peer.channel("rpc");
    peer.spend(Duration::from_secs(3));
    let begun = Instant::now();
    for n in 0..TRIPS {
        peer.send(inner, true, &n.to_be_bytes());
        let (_, _, data) = heard_message(&host, &mut peer);
        host.engine.send(peer.viewer, id, Message::Binary(data));
        assert_eq!(peer.message().2, n.to_be_bytes());
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(u64::from(TRIPS) / 4), "{took:?}");
}

#[test]
fn an_open_channel_without_messages_is_silent() {
    let host = Host::start(Screen::Still);
    let mut wish = data_only(vec![channel("rpc"), channel("input")]);
    wish.video = true;
    let mut peer = Peer::connect(&host, wish);
    for label in ["rpc", "input"] {
        peer.channel(label);
    }
    peer.spend(Duration::from_secs(3));
    let before = peer.came.channel_packets;
    peer.spend(Duration::from_secs(4));
    assert_eq!(peer.came.channel_packets, before);
}
