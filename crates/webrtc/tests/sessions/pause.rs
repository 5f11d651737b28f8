//! A paused session costs next to nothing, hears everything, and comes back with a keyframe.

use crate::host::{FPS, Heard, Host, Screen};
use crate::peer::{Packet, Peer, Wish, channel};
use events::{RepairKind, ViewerId};
use std::time::{Duration, Instant};
use webrtc::EndReason;

fn watcher(host: &Host) -> Peer {
    let wish = Wish {
        channels: vec![channel("input")],
        ..Wish::default()
    };
    let mut peer = Peer::connect(host, wish);
    first_is_keyframe(&mut peer);
    peer
}

/// Pictures come, and the first one of them is a keyframe.
fn first_is_keyframe(peer: &mut Peer) {
    let first = peer.packet();
    assert!(first.keyframe, "{first:?}");
    peer.wait("another picture", |peer| {
        let next = peer.packets.pop_front()?;
        (next.timestamp != first.timestamp).then_some(())
    });
}

/// Takes what was on its way when the pause came.
fn settle(peer: &mut Peer) {
    peer.spend(Duration::from_millis(500));
    peer.packets.clear();
    peer.sound.clear();
}

#[test]
fn a_paused_session_sends_at_most_a_hundred_bytes_a_second_while_input_flows() {
    const SECONDS: u64 = 8;
    let host = Host::start(Screen::Moving);
    let wish = Wish {
        audio: true,
        channels: vec![channel("input")],
        ..Wish::default()
    };
    let mut peer = Peer::connect(&host, wish);
    first_is_keyframe(&mut peer);
    peer.sound();
    peer.spend(Duration::from_secs(2));
    let inner = peer.channel("input");
    assert!(host.set_paused(peer.viewer, true));
    host.expect_consumers(0);
    settle(&mut peer);
    while host.try_hear().is_some() {}

    let before = peer.came.media_bytes;
    let mut said = 0_u32;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        peer.send(inner, true, &said.to_be_bytes());
        said += 1;
        peer.spend(Duration::from_millis(8));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = (peer.came.media_bytes - before) as f64;
    println!("{:.1} B/s of RTP and RTCP in a pause", bytes / seconds);
    assert!(bytes <= 100.0 * seconds, "{bytes} bytes in {seconds} s");
    assert_eq!(peer.packets.len(), 0, "pictures in a pause");
    assert_eq!(peer.sound.len(), 0, "sound in a pause");
    for n in 0..said {
        let data = peer.wait("input", |_| match host.try_hear()? {
            Heard::Message(_, _, _, data) => Some(data),
            _ => None,
        });
        assert_eq!(data, n.to_be_bytes());
    }

    let begun = Instant::now();
    assert!(host.set_paused(peer.viewer, false));
    assert!(peer.packet().keyframe);
    println!("{:.1?} from resume to keyframe", begun.elapsed());
    peer.wait("pictures after it", |peer| {
        peer.packets.pop_front().filter(|packet| !packet.keyframe)
    });
}

#[test]
fn a_pause_of_one_session_is_invisible_to_another() {
    let host = Host::start(Screen::Moving);
    let mut away = watcher(&host);
    let mut here = watcher(&host);
    settle(&mut here);
    host.take_changes();
    host.take_keyframes();
    let mut pictures = std::collections::BTreeSet::new();
    for _ in 0..5 {
        assert!(host.set_paused(away.viewer, true));
        away.spend(Duration::from_millis(100));
        for _ in 0..10 {
            pictures.insert(here.packet().timestamp);
        }
        assert!(host.set_paused(away.viewer, false));
        away.packets.clear();
        for _ in 0..10 {
            pictures.insert(here.packet().timestamp);
        }
    }
    let (first, last) = (pictures.first().unwrap(), pictures.last().unwrap());
    let intervals = f64::from(last - first) * f64::from(FPS) / 90_000.0;
    let share = pictures.len() as f64 / (intervals + 1.0);
    assert!(
        share > 0.5,
        "{} pictures in {intervals} intervals",
        pictures.len()
    );
    host.expect_consumers(2);
}

#[test]
fn pauses_and_resumes_are_idempotent_and_strangers_are_told() {
    let host = Host::start(Screen::Moving);
    let mut peer = watcher(&host);
    host.take_changes();
    for paused in [true, false, true] {
        for _ in 0..3 {
            assert!(host.set_paused(peer.viewer, paused));
        }
        host.expect_consumers(usize::from(!paused));
    }
    host.expect_changes(|joined, left| (joined, left) == (1, 2));
    assert!(!host.set_paused(ViewerId(4711), true));
    assert!(!host.set_paused(ViewerId(4711), false));
    settle(&mut peer);
    assert!(host.set_paused(peer.viewer, false));
    first_is_keyframe(&mut peer);
}

#[test]
fn a_thousand_random_bursts_end_in_the_state_of_the_last_word() {
    let host = Host::start(Screen::Moving);
    let mut peer = watcher(&host);
    let mut chance = fastrand::Rng::with_seed(3);
    for burst in 0..1000 {
        let mut last = false;
        for _ in 0..chance.u32(1..20) {
            last = chance.bool();
            if last {
                host.engine.pause(peer.viewer, Box::new(|_| {}));
            } else {
                host.engine.resume(peer.viewer, Box::new(|_| {}));
            }
        }
        // Nothing is queued behind this, so it is in effect when it is answered.
        assert!(host.set_paused(peer.viewer, last));
        host.expect_consumers(usize::from(!last));
        if burst % 100 == 0 {
            peer.spend(Duration::from_millis(1));
        }
    }
    assert!(host.set_paused(peer.viewer, true));
    host.expect_consumers(0);
    settle(&mut peer);
    assert!(host.set_paused(peer.viewer, false));
    first_is_keyframe(&mut peer);
}

#[test]
fn a_session_that_ends_in_a_pause_releases_exactly_once() {
    let host = Host::start(Screen::Moving);
    for resumed in [false, true] {
        let peer = watcher(&host);
        assert!(host.set_paused(peer.viewer, true));
        if resumed {
            assert!(host.set_paused(peer.viewer, false));
        }
        host.engine.resume(peer.viewer, Box::new(|_| {}));
        host.engine.pause(peer.viewer, Box::new(|_| {}));
        host.engine.close(peer.viewer, EndReason::Replaced);
        host.engine
            .resume(peer.viewer, Box::new(|known| assert!(!known)));
        host.engine.close(peer.viewer, EndReason::Operator);
        let ended = std::iter::repeat_with(|| host.hear());
        let mut ended = ended.filter(|heard| matches!(heard, Heard::Ended(..)));
        let replaced = Heard::Ended(peer.viewer, EndReason::Replaced);
        assert_eq!(ended.next(), Some(replaced));
        assert!(!host.set_paused(peer.viewer, true));
        host.expect_consumers(0);
        host.expect_changes(|joined, left| joined > 0 && joined == left);
    }
    assert_eq!(host.try_hear(), None, "told twice");
}

#[test]
fn the_next_viewer_of_a_paused_session_begins_with_a_keyframe() {
    let host = Host::start(Screen::Moving);
    let mut old = watcher(&host);
    assert!(host.set_paused(old.viewer, true));
    old.spend(Duration::from_millis(500));
    let last = old.packets.iter().map(|packet| packet.timestamp).max();
    old.packets.clear();
    let mut new = watcher(&host);
    assert!(host.set_paused(old.viewer, true), "a stale pause");
    let seen = new.packet().timestamp;
    new.wait("pictures after it", |new| {
        let packet = new.packets.pop_front()?;
        (packet.timestamp != seen).then_some(())
    });
    old.spend(Duration::from_millis(100));
    // What was on its way at the pause may be sent again, when its connection is next driven.
    let newer = |packet: &Packet| Some(packet.timestamp) > last;
    assert!(!old.packets.iter().any(newer), "{:?}", old.packets);
}

#[test]
fn a_flood_of_keyframe_requests_keeps_nobody_out() {
    let host = Host::start(Screen::Moving);
    let mut peer = watcher(&host);
    host.take_keyframes();
    for _ in 0..20_000 {
        host.engine.request_keyframe(peer.viewer);
    }
    for _ in 0..50 {
        peer.ask_keyframe();
        peer.turn(Instant::now());
    }
    let mut other = watcher(&host);
    assert!(host.set_paused(other.viewer, true));
    assert!(host.set_paused(other.viewer, false));
    settle(&mut other);
    other.packet();
    let begun = Instant::now();
    host.take_keyframes();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        host.engine.request_keyframe(peer.viewer);
        peer.spend(Duration::from_millis(2));
        asked += 1;
    }
    let keyframes = host.take_keyframes();
    let most = begun.elapsed().as_secs_f64() * 10.0 + 2.0;
    assert!(keyframes >= 2, "{keyframes} keyframes for {asked} requests");
    assert!((keyframes as f64) < most, "{keyframes} keyframes");
}

#[test]
fn a_long_pause_leaves_no_false_jam_and_no_stale_loss() {
    let host = Host::start(Screen::Moving);
    let mut peer = watcher(&host);
    peer.spend(Duration::from_secs(1));
    let target = |host: &Host| {
        let samples = std::iter::from_fn(|| host.events.pop());
        samples.fold((None, 0), |(target, repairs), event| match event {
            events::Event::LinkSample(sample) => (Some(sample.target_bps), repairs),
            // A test that runs late may lose packets, and they are sent again.
            events::Event::LossRepair(repair) if repair.kind == RepairKind::Resend => {
                (target, repairs)
            }
            events::Event::LossRepair(_) => (target, repairs + 1),
            _ => (target, repairs),
        })
    };
    let (before, _) = target(&host);
    assert!(host.set_paused(peer.viewer, true));
    peer.spend(Duration::from_secs(3));
    assert!(host.set_paused(peer.viewer, false));
    peer.packets.clear();
    first_is_keyframe(&mut peer);
    peer.spend(Duration::from_secs(2));
    let (after, repairs) = target(&host);
    assert_eq!(repairs, 0);
    let (before, after) = (before.unwrap(), after.unwrap());
    assert!(after * 4 > before, "{before} before, {after} after");
}

#[test]
fn a_pause_may_come_before_the_connection() {
    let host = Host::start(Screen::Moving);
    let (mut peer, _) = Peer::begin(&host, Wish::default());
    assert!(host.set_paused(peer.viewer, true));
    peer.wait("a connection", |peer| peer.connected.then_some(()));
    settle(&mut peer);
    assert_eq!(peer.packets.len(), 0);
    host.expect_consumers(0);
    assert!(host.set_paused(peer.viewer, false));
    first_is_keyframe(&mut peer);
}

#[test]
fn a_client_that_falls_silent_in_a_pause_is_given_up() {
    let host = Host::patient(Screen::Moving, Duration::from_secs(2));
    let mut peer = watcher(&host);
    assert!(host.set_paused(peer.viewer, true));
    peer.spend(Duration::from_secs(4));
    assert!(host.set_paused(peer.viewer, true), "it pinged, so it lives");
    let ended = std::iter::repeat_with(|| host.hear());
    let mut ended = ended.filter(|heard| matches!(heard, Heard::Ended(..)));
    let timeout = Heard::Ended(peer.viewer, EndReason::Timeout);
    assert_eq!(ended.next(), Some(timeout));
}
