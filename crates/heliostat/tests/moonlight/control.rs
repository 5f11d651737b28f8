//! The control connection: input as it was sent, and messages whose numbers are not what they should be.

use crate::host::{Host, assert_complete, small, until_true};
use probe::control::Message;
use probe::hostile::{OpenSession, RawControl, open_session};
use probe::{Action, StreamOptions, parse_line};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::Duration;

/// What was recorded, one event a line.
fn recorded(host: &Host) -> Vec<Value> {
    let text = host.read("input");
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[test]
fn input_arrives_as_it_was_sent_and_in_that_order() {
    let host = Host::small(&[]);
    let pal = host.paired();
    // Each device has a channel of its own, and channels may overtake each other.
    let groups: [(&str, &[Value]); 6] = [
        (
            "key 0x41 down\nkey 0x41 up\ntap 0x70\n",
            &[
                json!({"key": {"code": "KeyA", "down": true}}),
                json!({"key": {"code": "KeyA", "down": false}}),
                json!({"key": {"code": "F1", "down": true}}),
                json!({"key": {"code": "F1", "down": false}}),
            ],
        ),
        (
            "text \"gr\u{fc}n\"\n",
            &[
                json!({"text": "g"}),
                json!({"text": "r"}),
                json!({"text": "\u{fc}"}),
                json!({"text": "n"}),
            ],
        ),
        (
            "mouse-abs 639 0 640 360\nmouse-abs 0 359 640 360\nmouse-move -5 7\n",
            &[
                json!({"moveTo": {"x": 65535, "y": 0}}),
                json!({"moveTo": {"x": 0, "y": 65535}}),
                json!({"moveBy": {"dx": -5, "dy": 7}}),
            ],
        ),
        (
            "button 1 down\nbutton 1 up\nbutton 3 down\nbutton 3 up\nbutton 5 down\nbutton 5 up\n",
            &[
                json!({"button": {"button": "left", "down": true}}),
                json!({"button": {"button": "left", "down": false}}),
                json!({"button": {"button": "right", "down": true}}),
                json!({"button": {"button": "right", "down": false}}),
                json!({"button": {"button": "forward", "down": true}}),
                json!({"button": {"button": "forward", "down": false}}),
            ],
        ),
        (
            "scroll 1\nscroll-hires -30\n",
            &[
                json!({"wheel": {"dx": 0, "dy": -120}}),
                json!({"wheel": {"dx": 0, "dy": 30}}),
            ],
        ),
        (
            "hscroll -1\nhscroll-hires 15\n",
            &[
                json!({"wheel": {"dx": -120, "dy": 0}}),
                json!({"wheel": {"dx": 15, "dy": 0}}),
            ],
        ),
    ];
    let lines = groups.iter().map(|(lines, _)| *lines);
    let script: String = lines.collect::<Vec<_>>().join("sleep 100\n");
    let options = StreamOptions {
        script: Some(script.parse().unwrap()),
        ..small(2)
    };
    assert_complete(&pal.stream(&options).unwrap().total);
    let expected: Vec<_> = groups
        .iter()
        .flat_map(|(_, events)| *events)
        .cloned()
        .collect();
    until_true("all of it arrives", || {
        recorded(&host).len() >= expected.len()
    });
    assert_eq!(recorded(&host), expected);
}

/// One letter, as a client sends it.
fn letter(letter: char) -> Message {
    match parse_line(&format!("text {letter}")).unwrap() {
        Some(Action::Send(mut messages)) => messages.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Pings and counts packets of video for a while.
fn packets(session: &OpenSession, socket: &UdpSocket) -> usize {
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
