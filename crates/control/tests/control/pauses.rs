//! Pause and resume as a page asks for them: the last word wins, nothing waits for what is slow, and
//! nothing comes back to life after the end.

use crate::engine::Event;
use crate::host::Host;
use control_api::EndReason;
use serde_json::json;
use std::sync::atomic::Ordering;

#[test]
fn a_thousand_bursts_of_pauses_end_in_the_last_word() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    let mut random: u32 = 7;
    for burst in 0..1000 {
        let mut wanted = false;
        for _ in 0..1 + random % 20 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            wanted = random >> 31 == 1;
            match (random >> 29 & 3, wanted) {
                (0, true) => page.notify("pauseVideo", &json!({})),
                (0, false) => page.notify("resumeVideo", &json!({})),
                (1, _) => {
                    page.send("setVideoStreamPaused", &json!({"paused": wanted}));
                }
                _ => page.notify("setVideoStreamPaused", &json!({"paused": wanted})),
            }
        }
        // Ordered like the others, so its answer means that they are all done.
        let done = page.send("unsubscribeStats", &json!({}));
        page.answer_among_others(done);
        assert_eq!(host.engine.leased(viewer), Some(!wanted), "burst {burst}");
    }
}

#[test]
fn a_pause_is_answered_once_it_is_done_and_shown_to_all() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    host.engine.hold_pauses.store(true, Ordering::SeqCst);
    let call = page.send("pauseVideo", &json!({}));
    let Event::HeldPause(of, true, done) = host.next_event() else {
        panic!("it is paused");
    };
    assert_eq!(of, viewer);
    assert!(host.desk.log().contains(&format!("{} released", viewer.0)));
    // What is concurrent does not wait, and what is ordered does.
    page.ok("ping", &json!({}));
    assert_eq!(
        page.ok("listSessions", &json!({}))["sessions"][0]["paused"],
        true
    );
    let resume = page.send("resumeVideo", &json!({}));
    page.ok("requestKeyframe", &json!({}));
    assert_eq!(host.engine.leased(viewer), Some(false));
    done(true);
    assert!(page.answer(call)["error"].is_null());
    let Event::HeldPause(_, false, done) = host.next_event() else {
        panic!("it is resumed");
    };
    done(true);
    assert!(page.answer(resume)["error"].is_null());
    assert_eq!(host.engine.keyframes.load(Ordering::SeqCst), 1);
}

#[test]
fn each_session_mutes_itself_and_a_viewer_may() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    let (_other, another) = host.watching("");
    page.ok("setAudioMuted", &json!({"muted": true}));
    assert_eq!(host.engine.muted(viewer), Some(true));
    assert_eq!(host.engine.muted(another), Some(false));
    page.ok("setAudioMuted", &json!({"muted": false}));
    assert_eq!(host.engine.muted(viewer), Some(false));
    let wrong = page.send("setAudioMuted", &json!({"muted": "yes"}));
    assert_eq!(page.answer(wrong)["error"]["code"], -32602);
    let mut idle = host.page_with("");
    let call = idle.send("setAudioMuted", &json!({"muted": true}));
    assert_eq!(idle.answer(call)["error"]["code"], -32001);
}

#[test]
fn a_resume_in_the_queue_takes_no_lease_after_the_end() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    host.engine.hold_pauses.store(true, Ordering::SeqCst);
    let pause = page.send("pauseVideo", &json!({}));
    let Event::HeldPause(_, true, done) = host.next_event() else {
        panic!("it is paused");
    };
    let resume = page.send("resumeVideo", &json!({}));
    // The engine is slow, and meanwhile the session ends from the other side.
    host.engine.end(viewer, Some(EndReason::Lost));
    assert_eq!(page.notification("sessionEnded"), json!({"reason": "lost"}));
    done(false);
    for call in [pause, resume] {
        assert_eq!(page.answer(call)["error"]["code"], -32001);
    }
    assert_eq!(host.engine.leased(viewer), None);
    assert!(
        host.events.try_recv().is_err(),
        "nothing more is asked of the engine"
    );
}

#[test]
fn a_slow_pause_does_not_keep_the_connection_from_ending() {
    let limits = sessions::Limits {
        drain: std::time::Duration::from_millis(100),
        ..sessions::Limits::default()
    };
    let host = Host::with_limits(limits, |config| {
        config.access = control::AccessMode::Open;
    });
    let (mut page, viewer) = host.watching("");
    host.engine.hold_pauses.store(true, Ordering::SeqCst);
    page.send("pauseVideo", &json!({}));
    let Event::HeldPause(_, true, done) = host.next_event() else {
        panic!("it is paused");
    };
    page.send("resumeVideo", &json!({}));
    drop(page);
    host.expect_closed(viewer, EndReason::Lost);
    done(true);
    let (_page, next) = host.watching("");
    assert_ne!(next, viewer);
}

#[test]
fn a_session_is_needed() {
    let host = Host::open();
    let mut page = host.page_with("");
    for method in [
        "pauseVideo",
        "resumeVideo",
        "requestKeyframe",
        "takeControl",
    ] {
        assert_eq!(page.error_code(method, &json!({})), -32001, "{method}");
    }
}
