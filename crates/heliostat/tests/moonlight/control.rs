//! The control connection: input as it was sent, and messages whose numbers are not what they should be.

use crate::host::{Host, assert_complete, small, until_true};
use probe::control::Message;
use probe::hostile::{OpenSession, RawControl, open_session};
use probe::{Action, StreamOptions, parse_line};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::Duration;

/// What was recorded, one event a line.
pub(crate) fn recorded(host: &Host) -> Vec<Value> {
    let text = host.read("input");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Lines of a script, and what is to be recorded of them.
type Group<'a> = (&'a str, &'a [Value]);

/// Sends groups one after the other: each device has a channel of its own, and channels may overtake each
/// other.
fn assert_arrives(groups: &[Group<'_>]) {
    let host = Host::small(&[]);
    let pal = host.paired();
    let lines: Vec<_> = groups.iter().map(|(lines, _)| *lines).collect();
    let script = lines.join("\nsleep 100\n");
    let options = StreamOptions {
        script: Some(script.parse().unwrap()),
        ..small(2)
    };
    assert_complete(&pal.stream(&options).unwrap().total);
    let expected = groups.iter().flat_map(|(_, events)| *events);
    let expected: Vec<_> = expected.cloned().collect();
    // It ends after all that was said before.
    until_true("the session is over", || host.sessions() == 0);
    assert_eq!(recorded(&host), expected);
}

#[test]
fn keys_text_and_mouse_arrive_as_they_were_sent_and_in_that_order() {
    let key = |code: &str, down: bool| json!({"key": {"code": code, "down": down}});
    let button = |button: &str, down: bool| json!({"button": {"button": button, "down": down}});
    let wheel = |dx: i32, dy: i32| json!({"wheel": {"dx": dx, "dy": dy}});
    assert_arrives(&[
        (
            "key 0x41 down\nkey 0x41 up\ntap 0x70",
            &[
                key("KeyA", true),
                key("KeyA", false),
                key("F1", true),
                key("F1", false),
            ],
        ),
        (
            "text \"gr\u{fc}n\"",
            &["g", "r", "\u{fc}", "n"].map(|letter| json!({ "text": letter })),
        ),
        (
            "mouse-abs 639 0 640 360\nmouse-abs 0 359 640 360\nmouse-move -5 7",
            &[
                json!({"moveTo": {"x": 65535, "y": 0}}),
                json!({"moveTo": {"x": 0, "y": 65535}}),
                json!({"moveBy": {"dx": -5, "dy": 7}}),
            ],
        ),
        (
            "button 1 down\nbutton 1 up\nbutton 3 down\nbutton 3 up\nbutton 5 down\nbutton 5 up",
            &[
                button("left", true),
                button("left", false),
                button("right", true),
                button("right", false),
                button("forward", true),
                button("forward", false),
            ],
        ),
        (
            "scroll 1\nscroll-hires -30",
            &[wheel(0, -120), wheel(0, 30)],
        ),
        (
            "hscroll -1\nhscroll-hires 15",
            &[wheel(-120, 0), wheel(15, 0)],
        ),
    ]);
}

#[test]
fn fingers_and_pens_arrive_as_they_were_sent_and_in_that_order() {
    // Fingers have numbers of the host's own, beside those of other clients: the first free one.
    let touch = |phase: &str, x: u16, contact: Option<Value>| {
        let mut event = json!({"touch": {"id": 0, "phase": phase, "x": x, "y": 0}});
        if let Some(contact) = contact {
            event["touch"]["contact"] = contact;
        }
        event
    };
    assert_arrives(&[
        (
            "touch down 7 1 0 1\ntouch move 7 0 0 0.25\ntouch up 7 0 0",
            &[
                touch("start", 65_535, Some(json!({"pressure": 65535}))),
                touch("move", 0, Some(json!({"pressure": 16384}))),
                touch("end", 0, None),
            ],
        ),
        (
            "pen hover eraser 0 0 1 1\npen down pen 1 1 0 1 0 0 90 30\npen up pen 0 1 0\npen hover pen 0 1 0\npen hover-leave pen 0 0 0",
            &[
                json!({"pen": {"phase": "hover", "tool": "eraser", "buttons": 0, "x": 0, "y": 65535,
                    "contact": {"distance": 65535}}}),
                json!({"pen": {"phase": "start", "tool": "pen", "buttons": 1, "x": 65535, "y": 0,
                    "contact": {"pressure": 65535, "rotationDeg": 90}, "tiltDeg": 30}}),
                json!({"pen": {"phase": "end", "tool": "pen", "buttons": 0, "x": 65535, "y": 0}}),
                json!({"pen": {"phase": "hover", "tool": "pen", "buttons": 0, "x": 65535, "y": 0,
                    "contact": {"distance": 0}}}),
                json!({"pen": {"phase": "leave", "tool": "pen", "buttons": 0, "x": 65535, "y": 0,
                    "contact": {"distance": 0}}}),
            ],
        ),
    ]);
}

#[test]
fn pads_arrive_as_they_were_sent_and_in_that_order() {
    let pad = |event: Value| json!({ "pad": event });
    let state = |buttons: u32, left_trigger: u8, axes: [i16; 4]| {
        pad(json!({"state": {"index": 0, "state": {
            "buttons": buttons, "leftTrigger": left_trigger, "rightTrigger": 0, "axes": axes,
        }}}))
    };
    let connected = json!({"connected": {
        "index": 0, "name": "Moonlight PlayStation controller", "kind": "playStation",
        "capabilities": {
            "analogTriggers": true, "rumble": true, "triggerRumble": false, "touchpad": true,
            "secondTouchpad": false, "accelerometer": true, "gyroscope": true, "battery": true,
            "rgbLed": true,
        },
    }});
    assert_arrives(&[
        // The second pad of the client, whose mask has bit 1, is the first of the host.
        (
            "arrival 1 2 ps 0xffff 0xfb\npad 1 2 0x1000 200 0 100 -100 0 5",
            &[pad(connected), state(1, 200, [100, 100, 0, -5])],
        ),
        (
            "motion 1 gyro 1.5 -2 0.25",
            &[pad(
                json!({"motion": {"index": 0, "kind": "gyroscope", "x": 1.5, "y": -2.0, "z": 0.25}}),
            )],
        ),
        (
            "battery 1 3 50\npad-touch 1 down 4 1 0 1\npad-touch 1 up 4 1 0",
            &[
                pad(json!({"battery": {"index": 0, "state": "charging", "percent": 50}})),
                pad(
                    json!({"touchpad": {"index": 0, "pad": 0, "finger": 0, "phase": "start",
                    "x": 65535, "y": 0, "pressure": 65535}}),
                ),
                pad(
                    json!({"touchpad": {"index": 0, "pad": 0, "finger": 0, "phase": "end",
                    "x": 65535, "y": 0}}),
                ),
            ],
        ),
        ("pad 1 0 0", &[pad(json!({"gone": {"index": 0}}))]),
    ]);
}

/// One letter, as a client sends it.
pub(crate) fn letter(letter: char) -> Message {
    match parse_line(&format!("text {letter}")).unwrap() {
        Some(Action::Send(mut messages)) => messages.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Pings and counts packets of video for a while.
pub(crate) fn packets(session: &OpenSession, socket: &UdpSocket) -> usize {
    let mut ping = session.video_ping.unwrap().to_vec();
    ping.extend(1u32.to_be_bytes());
    socket.send_to(&ping, session.video).unwrap();
    let mut buffer = [0; 2048];
    (0..50)
        .take_while(|_| socket.recv_from(&mut buffer).is_ok())
        .count()
}

#[test]
fn control_messages_count_once_and_in_order_and_the_stream_goes_on() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let session = open_session(&pal.client, &small(60)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut control = RawControl::connect(&session).unwrap();
    control.send(&Message::start_a(), 0).unwrap();
    control.send(&Message::start_b(), 1).unwrap();
    assert_eq!(packets(&session, &socket), 50);
    // `b` comes again, `c` is older than what came, and `f` is changed on the way: all are refused.
    for (sent, number) in [
        ('a', 10),
        ('b', 11),
        ('b', 11),
        ('c', 5),
        ('d', 12),
        ('e', 100),
    ] {
        control.send(&letter(sent), number).unwrap();
    }
    control.send_bytes(6, &[1, 0, 40, 0, 200, 0, 0, 0, 0xff, 0xff]);
    control.send_bytes(6, &[0xff; 600]);
    control.send_bytes(6, &[]);
    control.send(&letter('z'), 101).unwrap();
    let typed = || -> String {
        let events = recorded(&host);
        let letters = events.iter().filter_map(|event| event["text"].as_str());
        letters.collect()
    };
    until_true("the last letter arrives", || {
        control.listen(Duration::from_millis(10));
        typed().contains('z')
    });
    assert_eq!(typed(), "abdez");
    assert!(control.connected());
    assert_eq!(packets(&session, &socket), 50);
    pal.client.quit().unwrap();
    until_true("the session is over", || host.sessions() == 0);
}
