//! What games say to pads, on its way from the device to the client that has the pad.

use crate::control::recorded;
use crate::host::{Host, Pal, small, until, until_true};
use probe::control::{HostEvent, Message};
use probe::hostile::{RawControl, open_session};
use probe::{Action, parse_line};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// A client with one pad, its second, that talks by hand.
struct Player {
    control: RawControl,
    number: u32,
}

impl Player {
    fn join(pal: &Pal) -> Self {
        let session = open_session(&pal.client, &small(60)).unwrap();
        let control = RawControl::connect(&session).unwrap();
        let mut player = Self { control, number: 0 };
        player.say(&Message::start_a());
        player.say(&Message::start_b());
        player.line("arrival 1 2 ps 0xffff 0xfb");
        player
    }

    fn say(&mut self, message: &Message) {
        self.control.send(message, self.number).unwrap();
        self.number += 1;
    }

    fn line(&mut self, line: &str) {
        match parse_line(line).unwrap() {
            Some(Action::Send(messages)) => messages.iter().for_each(|message| self.say(message)),
            other => panic!("{other:?}"),
        }
    }

    /// Whether it wants to hear of rumble (InputStream.c, `LiSendHapticsEnable`).
    fn want_haptics(&mut self, wanted: bool) {
        let body = vec![0, 0, 0, 6, 0x0d, 0, 0, 0, wanted.into(), 0];
        self.say(&Message::input(0, body));
    }

    /// Listens until so much was heard, or for a while.
    fn heard(&mut self, count: usize) -> Vec<HostEvent> {
        let mut heard = Vec::new();
        until_true("the host says something", || {
            let said = self.control.listen(Duration::from_millis(10));
            heard.extend(said.into_iter().map(Result::unwrap));
            heard.len() >= count
        });
        heard
    }
}

/// Has the pads of the host say these, right after its next event.
fn say(host: &Host, said: &[Value]) {
    let lines: Vec<_> = said.iter().map(|said| format!("{said}\n")).collect();
    let before = host.read("input.feedback");
    fs::write(host.path("input.feedback"), before + &lines.concat()).unwrap();
}

/// Everything a pad can be told.
fn all(index: u8) -> Vec<Value> {
    let effect =
        |kind: u8| json!({"kind": kind, "parameters": [kind, 1, 2, 3, 4, 5, 6, 7, 8, 255]});
    vec![
        json!({"rumble": {"index": index, "strong": 65535, "weak": 258, "durationMs": 0}}),
        json!({"triggerRumble": {"index": index, "left": 513, "right": 65534}}),
        json!({"led": {"index": index, "rgb": [1, 128, 255]}}),
        json!({"motionRate": {"index": index, "kind": "accelerometer", "hz": 100}}),
        json!({"motionRate": {"index": index, "kind": "gyroscope", "hz": 0}}),
        json!({"adaptiveTriggers": {
            "index": index, "flags": 12, "left": effect(0x26), "right": effect(0x21),
        }}),
        json!({"adaptiveTriggers": {
            "index": index, "flags": 4, "left": effect(0x26), "right": effect(0x05),
        }}),
    ]
}

/// The same as the client of a pad hears it, by its own number for it.
fn all_as_heard() -> Vec<HostEvent> {
    let pad = 1;
    let effect = |kind: u8| [kind, 1, 2, 3, 4, 5, 6, 7, 8, 255];
    vec![
        HostEvent::Rumble {
            pad,
            low: 65_535,
            high: 258,
        },
        HostEvent::TriggerRumble {
            pad,
            left: 513,
            right: 65_534,
        },
        HostEvent::Led {
            pad,
            r: 1,
            g: 128,
            b: 255,
        },
        HostEvent::MotionState {
            pad,
            rate_hz: 100,
            kind: 1,
        },
        HostEvent::MotionState {
            pad,
            rate_hz: 0,
            kind: 2,
        },
        HostEvent::AdaptiveTriggers {
            pad,
            flags: 12,
            left_kind: 0x26,
            right_kind: 0x21,
            left: effect(0x26),
            right: effect(0x21),
        },
        // What stays as it is, is not told.
        HostEvent::AdaptiveTriggers {
            pad,
            flags: 4,
            left_kind: 0,
            right_kind: 0x05,
            left: [0; 10],
            right: effect(0x05),
        },
    ]
}

#[test]
fn what_games_say_to_a_pad_reaches_the_client_that_has_it_and_nobody_else() {
    let host = Host::small(&[]);
    let (first, second) = (host.paired(), host.paired());
    let mut players = [Player::join(&first), Player::join(&second)];
    until("both pads are plugged in", || {
        let connected = |event: &Value| event["pad"].get("connected").is_some();
        (recorded(&host).into_iter().filter(connected).count() == 2).then_some(())
    });
    // The pads of the host are 0 and 1, in the order of their coming; a movement of one makes both speak.
    for (index, player) in (0..).zip(&mut players) {
        say(&host, &all(index));
        player.line("pad 1 2 0x1000");
        assert_eq!(player.heard(7), all_as_heard(), "player {index}");
    }
    // Light is told to those who want no haptics; that is the next thing they hear.
    let [player, other] = &mut players;
    player.want_haptics(false);
    say(&host, &all(0)[..3]);
    player.line("pad 1 2 0");
    assert_eq!(player.heard(1), all_as_heard()[2..3]);
    player.want_haptics(true);
    say(&host, &all(0)[1..2]);
    player.line("pad 1 2 0x2000");
    assert_eq!(player.heard(1), all_as_heard()[1..2]);
    assert!(other.control.listen(Duration::from_millis(50)).is_empty());
    // What is said to a pad that is gone reaches nobody, whoever's pad makes it speak.
    player.line("pad 1 0 0");
    until_true("the pad is gone", || {
        let gone = |event: &Value| event["pad"].get("gone").is_some();
        recorded(&host).iter().any(gone)
    });
    say(&host, &all(0));
    say(&host, &all(1)[2..3]);
    other.line("pad 1 2 0x4000");
    assert_eq!(other.heard(1), all_as_heard()[2..3]);
    let said = player.control.listen(Duration::from_millis(50));
    assert!(said.is_empty(), "{said:?}");
    for pal in [first, second] {
        pal.client.quit().unwrap();
    }
    until_true("the sessions are over", || host.sessions() == 0);
}
