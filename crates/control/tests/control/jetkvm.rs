//! Clients made for JetKVM devices: who gets in, and how one session follows another.

use crate::client::exchange;
use crate::engine::Event;
use crate::host::{Host, PATIENCE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::JetKvm;
use control_api::EndReason;
use events::ViewerId;
use serde_json::{Value, json};
use sessions::{ChannelEvent, ChannelId, Message};
use std::sync::atomic::Ordering;
use std::time::Instant;

const PASSWORD: &str = "correct horse";
const RPC: ChannelId = ChannelId(1);
const HID: ChannelId = ChannelId(2);

fn served(config: &mut control::Config) {
    config.jetkvm = Some(JetKvm {
        device_id: "device".to_owned(),
        password: PASSWORD.to_owned(),
    });
}

fn start() -> Host {
    Host::with(served)
}

fn open() -> Host {
    Host::with(|config| {
        config.access = control::AccessMode::Open;
        served(config);
    })
}

fn log_in(host: &Host) -> String {
    let body = json!({"password": PASSWORD}).to_string();
    let reply = host.request("POST", "/auth/login-local", &[], body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.cookie().unwrap()
}

/// A session by the oldest way, with its two reliable channels open.
fn join(host: &Host, cookie: &str) -> ViewerId {
    let offer = json!({"type": "offer", "sdp": "v=0"}).to_string();
    let body = json!({"sd": STANDARD.encode(offer)}).to_string();
    let headers = [("Cookie", cookie)];
    let reply = host.request("POST", "/webrtc/session", &headers, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let viewer = host.expect_offered();
    for (id, label) in [(RPC, "rpc"), (HID, "hidrpc")] {
        let opened = ChannelEvent::Opened { id, label };
        host.hub().channel_event(viewer, opened);
    }
    viewer
}

fn say(host: &Host, viewer: ViewerId, call: &Value) {
    let data = call.to_string();
    let message = ChannelEvent::Message {
        id: RPC,
        binary: false,
        data: data.as_bytes(),
    };
    host.hub().channel_event(viewer, message);
}

fn report(host: &Host, viewer: ViewerId, data: &[u8]) {
    let message = ChannelEvent::Message {
        id: HID,
        binary: true,
        data,
    };
    host.hub().channel_event(viewer, message);
}

/// Waits until the session was sent what is wanted.
#[track_caller]
fn heard(host: &Host, viewer: ViewerId, wanted: impl Fn(&Message) -> bool) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let sent = host.engine.sent.lock().unwrap();
        if sent
            .iter()
            .any(|(of, _, message)| *of == viewer && wanted(message))
        {
            return;
        }
        drop(sent);
        std::thread::yield_now();
    }
    panic!("nothing of the kind was sent");
}

fn text(wanted: impl Fn(&Value) -> bool) -> impl Fn(&Message) -> bool {
    move |message| match message {
        Message::Text(text) => wanted(&serde_json::from_str(text).unwrap()),
        Message::Binary(_) => false,
    }
}

#[test]
fn every_route_needs_a_login_unless_it_is_declared_public() {
    let host = start();
    let cookie = log_in(&host);
    let table: Vec<_> = control::jetkvm_routes().collect();
    let public = table.iter().filter(|route| route.needs.is_none());
    let public: Vec<_> = public.map(|route| route.path).collect();
    assert_eq!(
        public,
        ["/device/status", "/auth/login-local", "/auth/logout"]
    );
    for route in table.iter().filter(|route| route.needs.is_some()) {
        let stranger = host.request(route.method.as_str(), route.path, &[], b"");
        assert_eq!(stranger.status, 401, "{}", route.path);
        assert_eq!(stranger.body, r#"{"error":"Unauthorized"}"#);
        let headers = [("Cookie", cookie.as_str())];
        let client = host.request(route.method.as_str(), route.path, &headers, b"");
        assert!(
            ![401, 403, 404, 405].contains(&client.status),
            "{}",
            route.path
        );
    }
}

#[test]
fn nothing_of_it_is_there_unless_it_is_wanted() {
    let host = Host::start();
    let cookie = host.log_in();
    for route in control::jetkvm_routes() {
        let method = route.method.as_str();
        assert_eq!(host.request(method, route.path, &[], b"").status, 401);
        let headers = [("Cookie", cookie.as_str())];
        let known = host.request(method, route.path, &headers, b"").status;
        assert!(known == 404 || known == 405, "{}: {known}", route.path);
    }
}

#[test]
fn a_guest_who_may_only_watch_gets_no_session_of_this_kind() {
    let host = start();
    let guest = host.guest(&mut host.page(), "viewer");
    let headers = [("Cookie", guest.as_str())];
    let refused = host.request("POST", "/webrtc/session", &headers, b"{}");
    assert_eq!(refused.status, 403);
}

#[test]
fn without_a_password_other_sites_are_kept_out_by_their_origin() {
    let host = open();
    let device: Value = serde_json::from_str(&host.get("/device", &[]).body).unwrap();
    assert_eq!(device["authMode"], "noPassword");
    let login = host.request("POST", "/auth/login-local", &[], br#"{"password":""}"#);
    assert_eq!(login.status, 400);
    let request = format!(
        "GET /webrtc/signaling/client HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.example\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host.address()
    );
    // The connection is kept open for the next request, so a second one ends it.
    let last = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host.address()
    );
    let reply = exchange(
        host.address(),
        &[request.as_bytes(), last.as_bytes()].concat(),
    );
    assert_eq!(reply.status, 403);
}

#[test]
fn the_next_client_takes_over_and_the_one_before_hears_of_it_first() {
    let host = start();
    let cookie = log_in(&host);
    let first = join(&host, &cookie);
    report(&host, first, &[2, 0, 4]);
    heard(
        &host,
        first,
        |message| matches!(message, Message::Text(text) if text.contains("keysDownState")),
    );

    let second = join(&host, &log_in(&host));
    heard(
        &host,
        first,
        text(|said| said["method"] == "otherSessionConnected"),
    );
    // In the overlap both hold their leases, and what the old one says is the old one's.
    assert_eq!(host.engine.leased(first), Some(true));
    say(&host, first, &json!({"method": "pauseVideo", "id": 1}));
    heard(&host, first, text(|said| said["id"] == 1));
    assert_eq!(
        (host.engine.leased(first), host.engine.leased(second)),
        (Some(false), Some(true))
    );
    host.expect_closed(first, EndReason::Replaced);
    assert_eq!(
        host.engine.leased(second),
        Some(true),
        "the new one is left alone"
    );
}

#[test]
fn a_slow_pause_delays_nothing_and_the_last_word_counts() {
    let host = start();
    let viewer = join(&host, &log_in(&host));
    host.engine.hold_pauses.store(true, Ordering::SeqCst);
    for paused in [true, false, true] {
        let params = json!({"paused": paused});
        say(
            &host,
            viewer,
            &json!({"method": "setVideoStreamPaused", "params": params}),
        );
    }
    say(
        &host,
        viewer,
        &json!({"method": "ping", "id": "still there"}),
    );
    heard(&host, viewer, text(|said| said["id"] == "still there"));
    for expected in [true, false, true] {
        match host.next_event() {
            Event::HeldPause(of, paused, done) => {
                assert_eq!((of, paused), (viewer, expected));
                done(true);
            }
            other => panic!("expected a pause: {other:?}"),
        }
    }
    heard(&host, viewer, text(|said| said["params"]["streaming"] == 0));
}

#[test]
fn whoever_loses_control_holds_no_key_any_more() {
    let host = start();
    let viewer = join(&host, &log_in(&host));
    report(&host, viewer, &[1, 1]);
    heard(&host, viewer, |message| {
        *message == Message::Binary(vec![1, 1])
    });
    report(&host, viewer, &[2, 0, 4]);
    let down = [0x33, 0, 4, 0, 0, 0, 0, 0];
    heard(&host, viewer, |message| {
        *message == Message::Binary(down.to_vec())
    });
    let (mut page, _) = host.watching(&host.log_in());
    host.engine.sent.lock().unwrap().clear();
    page.ok("takeControl", &json!({}));
    let up = [0x33, 0, 0, 0, 0, 0, 0, 0];
    heard(&host, viewer, |message| {
        *message == Message::Binary(up.to_vec())
    });
}
