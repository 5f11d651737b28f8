//! Data channels: the same JSON-RPC over `rpc`, and what happens to those who send too much.

use crate::host::{Host, PATIENCE};
use control_api::EndReason;
use events::ViewerId;
use serde_json::{Value, json};
use sessions::{ChannelEvent, ChannelId, Message};
use std::time::Instant;

const RPC: ChannelId = ChannelId(5);

fn open_rpc(host: &Host, viewer: ViewerId) {
    let opened = ChannelEvent::Opened {
        id: RPC,
        label: "rpc",
    };
    host.hub().channel_event(viewer, opened);
}

fn say(host: &Host, viewer: ViewerId, data: &[u8]) {
    let message = ChannelEvent::Message {
        id: RPC,
        binary: false,
        data,
    };
    host.hub().channel_event(viewer, message);
}

fn call(host: &Host, viewer: ViewerId, id: u32, method: &str, params: &Value) {
    let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    say(host, viewer, call.to_string().as_bytes());
}

/// The first message sent on `rpc` that is wanted.
#[track_caller]
fn heard(host: &Host, viewer: ViewerId, wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let found = host
            .engine
            .sent
            .lock()
            .unwrap()
            .iter()
            .find_map(|(of, id, message)| {
                assert_eq!((*of, *id), (viewer, RPC));
                let Message::Text(text) = message else {
                    panic!("JSON-RPC is text");
                };
                let value: Value = serde_json::from_str(text).unwrap();
                wanted(&value).then_some(value)
            });
        if let Some(found) = found {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("nothing of the kind was sent");
}

#[test]
fn the_rpc_channel_speaks_as_the_socket_does() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    open_rpc(&host, viewer);
    let state = heard(&host, viewer, |m| m["method"] == "hostState");
    assert_eq!(state["params"]["version"], "1.2.3");
    let list = heard(&host, viewer, |m| m["method"] == "sessions");
    assert_eq!(list["params"]["you"], viewer.0.to_string());

    call(&host, viewer, 1, "pauseVideo", &json!({}));
    assert_eq!(
        heard(&host, viewer, |m| m["id"] == 1)["result"],
        Value::Null
    );
    assert_eq!(host.engine.leased(viewer), Some(false));
    call(&host, viewer, 2, "offer", &json!({"sdp": "v=0"}));
    assert_eq!(
        heard(&host, viewer, |m| m["id"] == 2)["error"]["code"],
        -32004
    );
    say(&host, viewer, b"{");
    heard(&host, viewer, |m| m["error"]["code"] == -32700);
    say(&host, viewer, &vec![b'x'; sessions::MAX_MESSAGE_BYTES + 1]);
    heard(&host, viewer, |m| m["error"]["code"] == -32600);

    call(&host, viewer, 3, "closeSession", &json!({}));
    host.expect_closed(viewer, EndReason::Quit);
    assert_eq!(page.notification("sessionEnded"), json!({"reason": "quit"}));
    heard(&host, viewer, |m| m["id"] == 3);
}

#[test]
fn a_flood_of_calls_ends_the_session_and_nothing_else() {
    let host = Host::open();
    let (_page, viewer) = host.watching("");
    let (mut other, _) = host.watching("");
    // The hub's thread is kept busy, so nothing is read.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    host.hub().runtime().spawn(async move {
        let _ = wait.recv();
    });
    open_rpc(&host, viewer);
    let call = br#"{"jsonrpc":"2.0","method":"ping"}"#;
    for _ in 0..2000 {
        say(&host, viewer, call);
    }
    host.expect_closed(viewer, EndReason::Error);
    drop(go);
    other.ok("ping", &json!({}));
}

#[test]
fn keys_that_come_too_fast_end_the_session_and_motion_is_dropped() {
    let host = Host::open();
    let (_page, viewer) = host.watching("");
    for (id, label) in [(ChannelId(1), "input"), (ChannelId(3), "motion")] {
        host.hub()
            .channel_event(viewer, ChannelEvent::Opened { id, label });
    }
    let push = |id: u16, data: &[u8]| {
        let message = ChannelEvent::Message {
            id: ChannelId(id),
            binary: true,
            data,
        };
        host.hub().channel_event(viewer, message);
    };
    push(3, &[0xfe]);
    push(1, &[0xff]);
    let text = ChannelEvent::Message {
        id: ChannelId(1),
        binary: false,
        data: b"text",
    };
    host.hub().channel_event(viewer, text);
    assert_eq!(host.desk.log().len(), 2, "input is binary");
    assert!(host.hub().session(viewer).is_some());
    push(1, &[0xfe]);
    host.expect_closed(viewer, EndReason::Error);
    push(1, &[1]);
    let last = host.desk.log();
    assert!(!last.last().unwrap().contains("Reliable"), "{last:?}");
}

#[test]
fn a_closed_input_channel_lets_go_of_everything() {
    let host = Host::open();
    let (_page, viewer) = host.watching("");
    let id = ChannelId(1);
    let opened = ChannelEvent::Opened { id, label: "input" };
    host.hub().channel_event(viewer, opened);
    host.hub().send_input_feedback(viewer, vec![0x81, 2]);
    let sent = host.engine.sent.lock().unwrap().clone();
    assert_eq!(sent, [(viewer, id, Message::Binary(vec![0x81, 2]))]);
    host.hub()
        .channel_event(viewer, ChannelEvent::Closed { id });
    assert_eq!(host.desk.log(), [format!("{} released", viewer.0)]);
    host.hub().send_input_feedback(viewer, vec![0x81, 0]);
    assert_eq!(
        host.engine.sent.lock().unwrap().len(),
        1,
        "there is no channel any more"
    );
}

#[test]
fn channels_of_nobody_are_ignored() {
    let host = Host::open();
    let (mut page, viewer) = host.watching("");
    open_rpc(&host, ViewerId(999));
    for label in ["", "terminal", "RPC"] {
        let id = ChannelId(9);
        host.hub()
            .channel_event(viewer, ChannelEvent::Opened { id, label });
    }
    page.ok("ping", &json!({}));
    assert!(host.engine.sent.lock().unwrap().is_empty());
}
