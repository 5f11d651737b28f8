//! Sessions over the WebSocket from offer to end, their heartbeat, and their statistics.

use crate::engine::Event;
use crate::host::Host;
use control_api::EndReason;
use events::{FrameSent, LinkSample, ViewerId};
use media::{CaptureTimes, EncodeTimes, FrameIndex, FrameKind, MonoTime, Rtp90k};
use serde_json::json;
use sessions::Limits;
use std::time::{Duration, Instant};

const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host";

#[test]
fn a_page_watches_from_offer_to_close() {
    let host = Host::start();
    let mut page = host.page();
    let answer = page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    assert_eq!(answer["sdp"], "answer 1");
    assert!(answer["sessionId"].is_string());
    let trickled = json!({"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0});
    page.notify("addCandidate", &trickled);
    assert_eq!(host.expect_candidate(viewer), CANDIDATE);
    page.ok("addCandidate", &json!({"candidate": "", "sdpMid": null}));
    assert_eq!(
        page.error_code("addCandidate", &json!({"candidate": "nonsense"})),
        -32602
    );
    page.ok("closeSession", &json!({}));
    host.expect_closed(viewer, EndReason::Quit);
    page.ok("closeSession", &json!({}));
}

#[test]
fn a_refused_offer_says_why() {
    let host = Host::open();
    let mut page = host.page_with("");
    for (sdp, code, words) in [
        ("malformed", -32602, "no media line"),
        ("codec", -32602, "codec"),
        ("busy", -32000, "viewers"),
        ("unavailable", -32603, "no source"),
        ("drop", -32603, "stopping"),
        ("panic", -32603, "stopping"),
    ] {
        let answer = page.call("offer", &json!({"sdp": sdp}));
        assert_eq!(answer["error"]["code"], code, "{sdp}");
        assert!(answer["error"].to_string().contains(words), "{answer}");
    }
    page.ok("offer", &json!({"sdp": "v=0"}));
}

#[test]
fn a_second_offer_replaces_the_first_session_only_once_it_is_answered() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let first = host.expect_offered();
    assert_eq!(
        page.error_code("offer", &json!({"sdp": "malformed"})),
        -32602
    );
    assert_eq!(host.engine.live(), [first], "a refused offer costs nothing");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let second = host.expect_offered();
    host.expect_closed(first, EndReason::Replaced);
    assert_eq!(host.engine.live(), [second]);
}

#[test]
fn each_connection_has_its_own_session() {
    let host = Host::open();
    let (mut one, mut other) = (host.page_with(""), host.page_with(""));
    one.ok("offer", &json!({"sdp": "v=0"}));
    let first = host.expect_offered();
    other.ok("offer", &json!({"sdp": "v=0"}));
    let second = host.expect_offered();
    other.notify("addCandidate", &json!({"candidate": CANDIDATE}));
    host.expect_candidate(second);
    one.ok("closeSession", &json!({}));
    host.expect_closed(first, EndReason::Quit);
    assert_eq!(host.engine.live(), [second]);
}

#[test]
fn a_closed_tab_ends_its_session_at_once() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    page.socket.close(None).unwrap();
    host.expect_closed(viewer, EndReason::Quit);

    let mut killed = host.page_with("");
    killed.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    drop(killed);
    host.expect_closed(viewer, EndReason::Lost);
}

#[test]
fn a_silent_page_loses_its_session() {
    let host = Host::with(|config| {
        config.access = control::AccessMode::Open;
        config.limits.session_silence = Duration::from_millis(300);
    });
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    host.expect_closed(viewer, EndReason::Timeout);
    assert_eq!(
        page.notification("sessionEnded"),
        json!({"reason": "timeout"})
    );
    page.ok("offer", &json!({"sdp": "v=0"}));
}

#[test]
fn a_page_that_pings_keeps_its_session() {
    let host = Host::with(|config| {
        config.access = control::AccessMode::Open;
        config.limits.session_silence = Duration::from_secs(2);
    });
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        page.ok("ping", &json!({}));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(host.engine.live(), [viewer]);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let host = Host::with(|config| {
        config.access = control::AccessMode::Open;
        config.limits.connection_silence = Duration::from_millis(200);
    });
    let mut page = host.page_with("");
    assert_eq!(u16::from(page.close_frame().unwrap().code), 1008);
}

#[test]
fn a_session_that_the_engine_ends_is_reported_with_its_reason() {
    let host = Host::open();
    let mut page = host.page_with("");
    for (reason, word) in [
        (Some(EndReason::SourceEnded), "source_ended"),
        (Some(EndReason::Timeout), "timeout"),
        (Some(EndReason::Operator), "operator"),
        (None, "error"),
    ] {
        page.ok("offer", &json!({"sdp": "v=0"}));
        let viewer = host.expect_offered();
        host.engine.end(viewer, reason);
        assert_eq!(page.notification("sessionEnded"), json!({"reason": word}));
    }
    page.ok("closeSession", &json!({}));
    assert!(
        host.events.try_recv().is_err(),
        "ended sessions are not closed again"
    );
}

#[test]
fn an_answer_that_comes_too_late_starts_nothing() {
    let limits = Limits {
        engine: Duration::from_millis(100),
        ..Limits::default()
    };
    let host = Host::with_limits(limits, |config| config.access = control::AccessMode::Open);
    let mut page = host.page_with("");
    let answer = page.call("offer", &json!({"sdp": "hold"}));
    assert_eq!(answer["error"]["code"], -32603);
    assert!(
        answer["error"]["data"]
            .as_str()
            .unwrap()
            .contains("in time")
    );
    let Event::Held(offer) = host.next_event() else {
        panic!("the offer is held");
    };
    let viewer = host.engine.accept(offer);
    assert_eq!(host.expect_offered(), viewer);
    host.expect_closed(viewer, EndReason::Quit);
}

#[test]
fn a_page_that_leaves_during_its_offer_leaves_no_session_behind() {
    let limits = Limits {
        drain: Duration::from_millis(50),
        ..Limits::default()
    };
    let host = Host::with_limits(limits, |config| config.access = control::AccessMode::Open);
    let mut page = host.page_with("");
    page.send("offer", &json!({"sdp": "hold"}));
    let Event::Held(offer) = host.next_event() else {
        panic!("the offer is held");
    };
    drop(page);
    let viewer = host.engine.accept(offer);
    assert_eq!(host.expect_offered(), viewer);
    // Whether the loss is noticed before or after the answer, the session goes.
    assert!(matches!(host.next_event(), Event::Closed(v, _) if v == viewer));
}

#[test]
fn bursts_of_offers_and_closes_end_as_the_last_one_says() {
    let host = Host::open();
    let mut page = host.page_with("");
    let mut random: u32 = 7;
    for burst in 0..100 {
        let mut wants_session = false;
        for _ in 0..10 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            wants_session = random >> 31 == 1;
            if wants_session {
                page.notify("offer", &json!({"sdp": "v=0"}));
            } else {
                page.notify("closeSession", &json!({}));
            }
        }
        // Ordered like the others, so its answer means that they are all done.
        page.ok("unsubscribeStats", &json!({}));
        assert_eq!(
            host.engine.live().len(),
            usize::from(wants_session),
            "burst {burst}"
        );
    }
}

#[test]
fn the_end_of_the_host_is_told_to_the_page() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    let Host { handle, events, .. } = host;
    let stopping = std::thread::spawn(move || handle.shutdown());
    assert_eq!(u16::from(page.close_frame().unwrap().code), 1001);
    assert_eq!(
        page.notification("sessionEnded"),
        json!({"reason": "host_stopped"})
    );
    stopping.join().unwrap();
    let closed = events.recv_timeout(crate::host::PATIENCE).unwrap();
    assert!(matches!(closed, Event::Closed(v, EndReason::HostStopped) if v == viewer));
}

fn frame_sent(viewer: ViewerId, rtp: u32) -> FrameSent {
    let now = MonoTime::now();
    FrameSent {
        viewer,
        index: FrameIndex(1),
        rtp: Rtp90k(rtp),
        kind: FrameKind::Fresh,
        keyframe: true,
        times: EncodeTimes {
            capture: CaptureTimes {
                noticed: now - Duration::from_millis(7),
                grabbed: now - Duration::from_millis(6),
            },
            dequeued: now - Duration::from_millis(4),
            encoded: now - Duration::from_millis(1),
        },
        packetised: now,
        first_sent: now,
        last_sent: now,
        packets: 2,
        bytes: 2000,
    }
}

#[test]
fn a_subscriber_gets_its_own_frames_and_a_summary_a_second() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.ok("subscribeStats", &json!({"frames": true}));
    page.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    host.sink.emit(frame_sent(viewer, 90_000));
    host.sink.emit(frame_sent(ViewerId(viewer.0 + 1), 1));
    host.sink.emit(LinkSample {
        viewer,
        rtt_us: Some(40_500),
        loss_ppm: Some(10_000),
        estimate_bps: None,
        target_bps: 8_000_000,
        nacks: 3,
        plis: 0,
        sent_bytes: 2100,
        at: MonoTime::now(),
    });
    let frames = page.notification("statsFrames")["frames"].clone();
    assert_eq!(
        frames.as_array().unwrap().len(),
        1,
        "only this viewer's: {frames}"
    );
    let frame = &frames[0];
    assert_eq!(
        (&frame["rtp"], &frame["keyframe"]),
        (&json!(90_000), &json!(true))
    );
    assert_eq!(
        (&frame["grabUs"], &frame["queueUs"], &frame["sendUs"]),
        (&json!(1000), &json!(2000), &json!(1000))
    );
    // On a busy machine a second may pass before the frame was even emitted.
    let second = loop {
        let second = page.notification("statsSecond");
        if second["fps"] != 0 {
            break second;
        }
    };
    let expected = json!({
        "fps": 1, "uniqueFps": 1, "keyframes": 1, "invalidations": 0, "bitrateBps": 16_000,
        "targetBps": 8_000_000, "lossPct": 1.0, "rttMs": 40.5, "nacks": 3, "plis": 0,
        "encodeP50Us": 3000, "encodeP95Us": 3000,
    });
    assert_eq!(second, expected);
    let quiet = page.notification("statsSecond");
    assert_eq!(quiet["fps"], 0);
    assert!(
        quiet.get("encodeP50Us").is_none(),
        "what was not measured is absent: {quiet}"
    );
}

#[test]
fn an_administrator_gets_the_frames_of_another_session_and_nobody_else_does() {
    let host = Host::open();
    let (mut admin, mut watched) = (host.page_with(""), host.page_with(""));
    watched.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    let wanted = json!({"frames": true, "session": viewer.0.to_string()});
    admin.ok("subscribeStats", &wanted);
    host.sink.emit(frame_sent(viewer, 90_000));
    let frames = admin.notification("statsFrames")["frames"].clone();
    assert_eq!(frames[0]["rtp"], 90_000);
    let gone = admin.call(
        "subscribeStats",
        &json!({"session": (viewer.0 + 100).to_string()}),
    );
    assert_eq!(gone["error"]["data"]["field"], "session", "{gone}");

    let host = Host::start();
    let mut owner = host.page();
    owner.ok("offer", &json!({"sdp": "v=0"}));
    let viewer = host.expect_offered();
    let guest = host.guest(&mut owner, "controller");
    let mut guest = host.page_with(&guest);
    let refused = guest.call("subscribeStats", &json!({"session": viewer.0.to_string()}));
    assert_eq!(refused["error"]["code"], -32002, "{refused}");
}

#[test]
fn who_did_not_ask_gets_no_statistics() {
    let host = Host::open();
    let (mut asks, mut quiet) = (host.page_with(""), host.page_with(""));
    quiet.ok("offer", &json!({"sdp": "v=0"}));
    let silent_viewer = host.expect_offered();
    asks.ok("subscribeStats", &json!({"frames": false}));
    asks.ok("offer", &json!({"sdp": "v=0"}));
    host.sink.emit(frame_sent(host.expect_offered(), 1));
    host.sink.emit(frame_sent(silent_viewer, 2));
    asks.notification("statsSecond");
    asks.ok("unsubscribeStats", &json!({}));
    assert!(
        asks.seen("statsFrames").is_none(),
        "frames were not asked for"
    );
    quiet.ok("ping", &json!({}));
    assert!(quiet.seen("statsSecond").is_none() && quiet.seen("statsFrames").is_none());
}

#[test]
fn a_session_that_nobody_let_go_ends_with_the_hub() {
    let host = Host::open();
    let joining = sessions::Joining {
        sdp: "v=0".to_owned(),
        identity: sessions::Identity::local_admin(),
        via: control_api::Via::Stdio,
        ends: None,
        channels: None,
        notices: None,
    };
    let hub = host.hub().clone();
    let joined = hub.runtime().block_on(hub.join(joining)).unwrap();
    let viewer = host.expect_offered();
    assert_eq!(host.desk.permitted(), [viewer.0]);
    let Host {
        handle,
        thread,
        events,
        desk,
        ..
    } = host;
    handle.shutdown();
    drop(thread);
    let closed = events.recv_timeout(crate::host::PATIENCE).unwrap();
    assert!(matches!(closed, Event::Closed(v, EndReason::HostStopped) if v == viewer));
    assert!(desk.permitted().is_empty());
    drop(joined);
    assert!(events.try_recv().is_err(), "it ends once");
}
