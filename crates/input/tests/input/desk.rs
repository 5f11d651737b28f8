//! The input thread as a whole: order, permissions, and keys that must not stick.

use crate::xserver::{Came, LONG, Watcher, XServer, eventually};
use events::ViewerId;
use input::{
    Button, Capabilities, Channel, Contact, Desk, DeskParts, Feedback, FeedbackSink, Injector,
    InputError, InputEvent, InputSpec, InputState, KeyCode, MotionKind, OpenRequest, Opened,
    PadCapabilities, PadEvent, PadKind, PenEvent, PenPhase, PenTool, Permissions, TargetArea,
    TriggerEffect, XDisplay,
};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

pub(crate) const A: ViewerId = ViewerId(1);
pub(crate) const B: ViewerId = ViewerId(2);

/// A desk, and what it tells.
pub(crate) struct Rig {
    pub(crate) desk: Desk,
    pub(crate) states: Receiver<InputState>,
    pub(crate) feedback: Receiver<(ViewerId, Feedback)>,
    pub(crate) area: TargetArea,
}

pub(crate) fn rig(spec: &str, display: Option<&str>) -> Rig {
    let spec: InputSpec = spec.parse().unwrap();
    let ((tell, states), (say, feedback)) = (channel(), channel());
    let area = TargetArea::default();
    let x = display.map(|name| XDisplay {
        name: Some(name.to_owned()),
    });
    let theirs = area.clone();
    let parts = DeskParts {
        open: Box::new(move |feedback| {
            let request = OpenRequest {
                target: None,
                x,
                area: theirs,
                feedback,
            };
            input::open(&spec, &request)
        }),
        on_feedback: Box::new(move |viewer, feedback| {
            let _ = say.send((viewer, feedback));
        }),
        on_state: Box::new(move |state| {
            let _ = tell.send(state.clone());
        }),
    };
    let desk = Desk::start(parts).unwrap();
    Rig {
        desk,
        states,
        feedback,
        area,
    }
}

/// A desk that injects into a server, with one viewer who may do everything.
pub(crate) fn driving(server: &XServer) -> Rig {
    let rig = rig("auto", Some(&server.display));
    let state = rig.states.recv_timeout(LONG).unwrap();
    assert_eq!((state.backend, state.capabilities.text), ("xtest", true));
    rig.desk.permit(A, Permissions::ALL);
    rig
}

pub(crate) fn key(code: &str, down: bool) -> InputEvent {
    let code = KeyCode::from_code(code).unwrap();
    InputEvent::Key { code, down }
}

/// The page's message of a key.
pub(crate) fn key_message(seq: u16, code: &str, down: bool) -> Vec<u8> {
    let [high, low] = seq.to_be_bytes();
    [&[0x01, high, low, u8::from(down)], code.as_bytes()].concat()
}

/// The page's message of what is held.
fn held_message(last_seq: u16, seqs: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0x12];
    bytes.extend(last_seq.to_be_bytes());
    bytes.push(seqs.len() as u8);
    bytes.extend(seqs.iter().flat_map(|seq| seq.to_be_bytes()));
    bytes
}

const KEY_A: u8 = 38;
const SHIFT: u8 = 50;

#[test]
fn a_page_that_falls_silent_lets_go_of_what_it_held() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let message = key_message(1, "ShiftLeft", true);
    rig.desk.push(A, Channel::Reliable, &message).unwrap();
    let down = InputEvent::Button {
        button: Button::Left,
        down: true,
    };
    rig.desk.inject(B, down).unwrap();
    assert_eq!(watcher.next(), Came::Key(SHIFT, true));
    // Nobody says anything any more; what B did was not allowed.
    assert_eq!(watcher.next(), Came::Key(SHIFT, false));
    assert_eq!(watcher.down(), [0_u8; 0]);
    assert!(watcher.is_quiet());
}

#[test]
fn what_a_page_keeps_saying_it_holds_stays_down() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    let message = key_message(7, "ShiftLeft", true);
    rig.desk.push(A, Channel::Reliable, &message).unwrap();
    assert_eq!(watcher.next(), Came::Key(SHIFT, true));
    let start = std::time::Instant::now();
    let mut beats = 0;
    while start.elapsed().as_millis() < 900 {
        let held = held_message(7, &[7]);
        rig.desk.push(A, Channel::Motion, &held).unwrap();
        beats += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // A machine that stalls the test for long may let the key go: then it was pressed again.
    assert!(beats > 3);
    eventually("the key", || (watcher.down() == [SHIFT]).then_some(()));
    // It was released at the page; the message that says so was lost on its way.
    rig.desk
        .push(A, Channel::Motion, &held_message(8, &[]))
        .unwrap();
    eventually("the release", || watcher.down().is_empty().then_some(()));
}

#[test]
fn everything_is_released_when_control_changes_hands() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    for end in [Desk::revoke, Desk::release_all, Desk::gone] {
        rig.desk.permit(A, Permissions::ALL);
        rig.desk.inject(A, key("KeyA", true)).unwrap();
        let down = InputEvent::Button {
            button: Button::Right,
            down: true,
        };
        rig.desk.inject(A, down).unwrap();
        end(&rig.desk, A);
        rig.desk.permit(B, Permissions::ALL);
        rig.desk.inject(B, key("ShiftLeft", true)).unwrap();
        rig.desk.inject(B, key("ShiftLeft", false)).unwrap();
        let wanted = [
            Came::Key(KEY_A, true),
            Came::Button(3, true),
            Came::Key(KEY_A, false),
            Came::Button(3, false),
            Came::Key(SHIFT, true),
            Came::Key(SHIFT, false),
        ];
        assert_eq!(watcher.presses(6), wanted);
    }
    rig.desk.revoke(A);
    rig.desk.inject(A, key("KeyA", true)).unwrap();
    rig.desk.inject(B, key("KeyA", true)).unwrap();
    assert_eq!(watcher.presses(1), [Came::Key(KEY_A, true)]);
    drop(rig);
    assert_eq!(watcher.presses(1), [Came::Key(KEY_A, false)]);
}

#[test]
fn two_viewers_who_hold_the_same_key_are_one_press() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    rig.desk.permit(B, Permissions::ALL);
    for (viewer, down) in [(A, true), (B, true), (A, false)] {
        rig.desk.inject(viewer, key("ShiftLeft", down)).unwrap();
    }
    rig.desk.inject(A, key("KeyA", true)).unwrap();
    rig.desk.inject(A, key("KeyA", false)).unwrap();
    rig.desk.gone(B);
    let wanted = [
        Came::Key(SHIFT, true),
        Came::Key(KEY_A, true),
        Came::Key(KEY_A, false),
        Came::Key(SHIFT, false),
    ];
    assert_eq!(watcher.presses(4), wanted);
}

#[test]
fn an_x_server_that_comes_back_is_injected_into_again() {
    let mut server = XServer::start();
    let rig = driving(&server);
    server.kill();
    let gone = eventually("the loss", || {
        rig.desk.inject(A, key("KeyA", true)).unwrap();
        rig.desk.inject(A, key("KeyA", false)).unwrap();
        rig.states.try_recv().ok()
    });
    assert!(!gone.capabilities.keyboard, "{gone:?}");
    assert!(rig.desk.errors() > 0);
    let server = XServer::again(&server.display);
    let back = rig.states.recv_timeout(LONG).unwrap();
    assert!(back.capabilities.keyboard, "{back:?}");
    let watcher = Watcher::new(&server);
    rig.desk.inject(A, key("KeyA", true)).unwrap();
    assert_eq!(watcher.presses(1), [Came::Key(KEY_A, true)]);
}

#[test]
fn a_server_that_lets_nobody_in_is_away_and_one_with_a_bad_name_is_refused() {
    let rig_away = rig("xtest::12345", None);
    let state = rig_away.states.recv_timeout(LONG).unwrap();
    assert!(!state.capabilities.keyboard);
    assert!(state.reason.contains("is away"), "{}", state.reason);
    let rig_bad = rig("xtest:nonsense", None);
    let state = rig_bad.states.recv_timeout(LONG).unwrap();
    assert_eq!(state.backend, "none");
    assert!(state.reason.contains("nonsense"), "{}", state.reason);
}

#[test]
fn the_page_hears_of_the_keyboards_lights() {
    let server = XServer::start();
    let rig = driving(&server);
    let lights = || rig.feedback.recv_timeout(LONG).unwrap();
    let at_first = lights();
    assert_eq!(at_first, (A, Feedback::KeyboardLeds { bits: 0 }));
    for bits in [0b010, 0b000] {
        rig.desk.inject(A, key("CapsLock", true)).unwrap();
        rig.desk.inject(A, key("CapsLock", false)).unwrap();
        assert_eq!(lights(), (A, Feedback::KeyboardLeds { bits }));
    }
}

#[test]
fn a_recording_has_each_event_as_a_line_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let rig = rig(&format!("recording:{}", path.display()), None);
    rig.desk.permit(A, Permissions::ALL);
    let drawn = PenEvent {
        phase: PenPhase::Start,
        tool: PenTool::Eraser,
        buttons: 2,
        x: 65535,
        y: 1,
        contact: Contact {
            pressure: Some(0x1234),
            distance: None,
            major: Some(7),
            minor: Some(5),
            rotation_deg: Some(359),
        },
        tilt_deg: Some(60),
    };
    let lifted = PenEvent {
        phase: PenPhase::End,
        ..drawn
    };
    let turned = PadEvent::Motion {
        index: 0,
        kind: MotionKind::Gyroscope,
        x: 0.1,
        y: -1.0e-30,
        z: f32::MAX,
    };
    let events = [
        key("AltRight", true),
        InputEvent::Text("ä\n".into()),
        InputEvent::MoveTo { x: 1, y: 2 },
        key("AltRight", false),
        InputEvent::Pen(drawn),
        InputEvent::Pen(lifted),
        InputEvent::Pad(dualsense(0)),
        InputEvent::Pad(turned),
        InputEvent::Pad(PadEvent::Gone { index: 0 }),
    ];
    for event in &events {
        rig.desk.inject(A, event.clone()).unwrap();
    }
    drop(rig);
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<InputEvent> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, events);
}

#[test]
fn switching_the_injector_lets_go_first_and_keeps_the_old_one_if_the_new_fails() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let rig = driving(&server);
    rig.desk.inject(A, key("KeyA", true)).unwrap();
    rig.desk.switch(Box::new(|_| Err(InputError::Closed)));
    rig.desk.inject(A, key("ShiftLeft", true)).unwrap();
    let request = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&request);
    rig.desk.switch(Box::new(move |feedback| {
        let request = OpenRequest {
            target: None,
            x: None,
            area: TargetArea::default(),
            feedback,
        };
        let opened = input::open(&"none".parse()?, &request)?;
        *keep.lock().unwrap() = Some(opened.reason.clone());
        Ok(opened)
    }));
    let wanted = [
        Came::Key(KEY_A, true),
        Came::Key(KEY_A, false),
        Came::Key(SHIFT, true),
        Came::Key(SHIFT, false),
    ];
    assert_eq!(watcher.presses(4), wanted);
    let state = rig.states.recv_timeout(LONG).unwrap();
    assert_eq!(state.backend, "none");
    assert_eq!(request.lock().unwrap().as_deref(), Some("none, as asked"));
}

#[test]
fn the_last_thing_a_viewer_did_is_known_by_its_time() {
    let rig = rig("none", None);
    assert_eq!(rig.desk.last_active(A), None);
    rig.desk.inject(A, key("KeyA", true)).unwrap();
    let first = rig.desk.last_active(A).unwrap();
    // Holding on is not doing.
    rig.desk
        .push(A, Channel::Motion, &held_message(1, &[1]))
        .unwrap();
    assert_eq!(rig.desk.last_active(A), Some(first));
    let moved = [0x10, 0, 1, 0, 0, 0, 0];
    rig.desk.push(A, Channel::Motion, &moved).unwrap();
    assert!(rig.desk.last_active(A).unwrap() > first);
    assert_eq!(rig.desk.last_active(B), None);
    rig.desk.gone(A);
    assert_eq!(rig.desk.last_active(A), None);
}

fn dualsense(index: u8) -> PadEvent {
    PadEvent::Connected {
        index,
        name: "DualSense".into(),
        kind: PadKind::PlayStation,
        capabilities: PadCapabilities {
            touchpad: true,
            gyroscope: true,
            rgb_led: true,
            ..PadCapabilities::default()
        },
    }
}

/// All that a game can do to a pad.
fn all_feedback(index: u8) -> [Feedback; 5] {
    let effect = TriggerEffect {
        kind: 0x26,
        parameters: [9; 10],
    };
    [
        Feedback::Rumble {
            index,
            strong: 1,
            weak: 2,
            duration_ms: 3,
        },
        Feedback::TriggerRumble {
            index,
            left: 4,
            right: 5,
        },
        Feedback::Led {
            index,
            rgb: [6, 7, 8],
        },
        Feedback::MotionRate {
            index,
            kind: MotionKind::Accelerometer,
            hz: 100,
        },
        Feedback::AdaptiveTriggers {
            index,
            flags: 0x0c,
            left: effect,
            right: TriggerEffect::default(),
        },
    ]
}

/// A game that does everything to each pad that comes.
struct Game(FeedbackSink);

impl Injector for Game {
    fn name(&self) -> &'static str {
        "game"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    fn inject(&mut self, event: &InputEvent) -> Result<(), InputError> {
        if let InputEvent::Pad(PadEvent::Connected { index, .. }) = event {
            all_feedback(*index)
                .into_iter()
                .for_each(|feedback| (self.0)(feedback));
        }
        Ok(())
    }
}

#[test]
fn what_a_game_does_to_a_pad_is_told_to_its_viewer_by_his_own_number() {
    let rig = rig("none", None);
    rig.desk.permit(A, Permissions::ALL);
    rig.desk.permit(B, Permissions::ALL);
    rig.desk.switch(Box::new(|feedback| {
        Ok(Opened {
            injector: Box::new(Game(feedback)),
            reason: String::new(),
        })
    }));
    for (viewer, index) in [(A, 0), (B, 0), (A, 15), (B, 9)] {
        let connected = InputEvent::Pad(dualsense(index));
        rig.desk.inject(viewer, connected).unwrap();
        for feedback in all_feedback(index) {
            let told = rig.feedback.recv_timeout(LONG).unwrap();
            assert_eq!(told, (viewer, feedback));
        }
    }
}
