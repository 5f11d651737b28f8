//! What a page is told by itself: the full state first, then changes, and each only to those it is for.

use crate::host::Host;
use control_api::LostReason;
use serde_json::json;
use sessions::{CursorImage, CursorState};
use std::sync::Arc;

#[test]
fn a_lost_signal_is_told_and_so_is_its_return() {
    let host = Host::open();
    let mut page = host.page_with("");
    page.notification("videoInputState");
    host.engine.video_input.send_modify(|input| {
        input.ready = false;
        input.reason = Some(LostReason::SourceRestarting);
        input.why = Some("the X server is gone".to_owned());
    });
    let lost = json!({"reason": "source_restarting", "why": "the X server is gone"});
    assert_eq!(page.notification("signal_lost"), lost);
    // Who comes now hears of it first.
    let mut late = host.page_with("");
    assert_eq!(late.notification("signal_lost"), lost);
    host.engine
        .video_input
        .send_modify(|input| input.reason = Some(LostReason::NoSignal));
    assert_eq!(page.notification("signal_lost")["reason"], "no_signal");
    host.engine.video_input.send_modify(|input| {
        input.ready = true;
        (input.reason, input.why) = (None, None);
    });
    page.notification("signal_restored");
}

#[test]
fn the_pointer_is_told_to_those_who_watch() {
    let host = Host::open();
    let mut idle = host.page_with("");
    let (mut page, _) = host.watching("");
    let image = CursorImage {
        id: 7,
        png: vec![1, 2, 3],
        hot: (4, 5),
    };
    host.engine.cursor.send_replace(CursorState {
        image: Some(Arc::new(image)),
        at: (100, 200),
        visible: true,
    });
    let shape = json!({"id": 7, "png": "AQID", "hotX": 4, "hotY": 5});
    assert_eq!(page.notification("cursor"), shape);
    let at = json!({"x": 100, "y": 200, "visible": true});
    assert_eq!(page.notification("cursorMoved"), at);
    host.engine
        .cursor
        .send_modify(|cursor| cursor.at = (101, 200));
    assert_eq!(page.notification("cursorMoved")["x"], 101);
    assert!(page.seen("cursor").is_none(), "the same image is sent once");
    idle.ok("ping", &json!({}));
    assert!(idle.seen("cursor").is_none() && idle.seen("cursorMoved").is_none());
    // With a session, the image comes first.
    idle.ok("offer", &json!({"sdp": "v=0"}));
    assert_eq!(idle.notification("cursor"), shape);
}

#[test]
fn the_clipboard_is_the_drivers_alone() {
    let host = Host::start();
    let mut owner = host.page();
    let cookies = [0, 1].map(|_| host.guest(&mut owner, "controller"));
    let [(mut one, _), (mut other, second)] = cookies.map(|cookie| host.watching(&cookie));
    host.engine.clipboard.send_replace(Some("secret".into()));
    assert_eq!(one.notification("clipboard"), json!({"text": "secret"}));
    assert_eq!(
        one.ok("getClipboard", &json!({})),
        json!({"text": "secret"})
    );
    assert_eq!(other.error_code("getClipboard", &json!({})), -32003);
    other.ok("ping", &json!({}));
    assert!(other.seen("clipboard").is_none());
    // Control brings it along.
    one.ok("giveControl", &json!({"session": second.0.to_string()}));
    assert_eq!(other.notification("clipboard"), json!({"text": "secret"}));
    other.ok("setClipboard", &json!({"text": "mine"}));
    assert_eq!(other.notification("clipboard"), json!({"text": "mine"}));
    one.ok("ping", &json!({}));
    assert!(one.seen("clipboard").is_none());
    let long = json!({"text": "x".repeat(128 * 1024 + 1)});
    let refused = other.call("setClipboard", &long);
    assert_eq!(refused["error"]["data"]["field"], "text");
}

#[test]
fn input_is_told_at_first_and_on_change() {
    let host = Host::open();
    let mut page = host.page_with("");
    assert_eq!(page.notification("inputState")["keyboard"], false);
    host.desk.state.send_modify(|state| {
        state.keyboard = true;
        state.backend = "xtest".to_owned();
    });
    let state = page.notification("inputState");
    assert_eq!(
        (&state["keyboard"], &state["backend"]),
        (&json!(true), &json!("xtest"))
    );
}

#[test]
fn an_engine_that_cannot_or_panics_is_an_answer_like_any_other() {
    let host = Host::open();
    let mut page = host.page_with("");
    assert_eq!(
        page.ok("listSources", &json!({}))["sources"][0]["name"],
        "test-pattern"
    );
    page.ok("selectSource", &json!({"source": "test-pattern"}));
    assert_eq!(
        page.error_code("selectSource", &json!({"source": "x11"})),
        -32004
    );
    assert_eq!(
        page.error_code("selectEncoder", &json!({"encoder": "x"})),
        -32603
    );
    page.ok("ping", &json!({}));
}
