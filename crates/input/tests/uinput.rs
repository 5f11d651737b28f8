//! The kernel's devices, as a program that reads them sees them. Needs /dev/uinput, which few
//! machines let a test use: `scripts/uinput-in-vm` runs this in a virtual machine of its own.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use evdev::{AbsoluteAxisCode, Device, EventType, FFEffectData, FFEffectKind, FFReplay, FFTrigger};
use input::{
    Button, Feedback, InputEvent, KeyCode, OpenRequest, Opened, PadEvent, PadState, TargetArea,
    TouchPhase,
};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Only a guard.
const LONG: Duration = Duration::from_secs(20);

fn open() -> (Opened, Receiver<Feedback>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let request = OpenRequest {
        target: None,
        x: None,
        area: TargetArea::default(),
        feedback: Arc::new(move |feedback| {
            let _ = tell.lock().unwrap().send(feedback);
        }),
    };
    (
        input::open(&"auto".parse().unwrap(), &request).unwrap(),
        told,
    )
}

fn device(name: &str) -> Device {
    let start = Instant::now();
    loop {
        let mut devices = evdev::enumerate().map(|(_, device)| device);
        if let Some(device) = devices.find(|device| device.name() == Some(name)) {
            return device;
        }
        assert!(start.elapsed() < LONG, "{name} does not appear");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The next events that are no mere ends of reports.
fn read(device: &mut Device, count: usize) -> Vec<(EventType, u16, i32)> {
    let mut events = Vec::new();
    while events.len() < count {
        let fetched = device.fetch_events().unwrap();
        let fetched = fetched.filter(|event| event.event_type() != EventType::SYNCHRONIZATION);
        events.extend(fetched.map(|event| (event.event_type(), event.code(), event.value())));
    }
    events
}

#[test]
#[ignore = "needs /dev/uinput"]
fn keys_mouse_and_fingers_are_read_as_they_were_injected() {
    let (mut opened, _told) = open();
    assert_eq!(opened.injector.name(), "uinput", "{}", opened.reason);
    let mut keyboard = device("Heliostat keyboard");
    let mut inject = |event| opened.injector.inject(&event).unwrap();
    for key in KeyCode::all().filter(|key| key.evdev().is_some()) {
        for down in [true, false] {
            inject(InputEvent::Key { code: key, down });
            let wanted = (EventType::KEY, key.evdev().unwrap(), i32::from(down));
            assert_eq!(read(&mut keyboard, 1), [wanted], "{key}");
        }
    }
    let (mut mouse, mut tablet) = (
        device("Heliostat mouse"),
        device("Heliostat absolute mouse"),
    );
    inject(InputEvent::MoveTo { x: 65535, y: 9 });
    let place = [(EventType::ABSOLUTE, 0, 65535), (EventType::ABSOLUTE, 1, 9)];
    assert_eq!(read(&mut tablet, 2), place);
    inject(InputEvent::MoveBy { dx: -3, dy: 4 });
    let moved = [(EventType::RELATIVE, 0, -3), (EventType::RELATIVE, 1, 4)];
    assert_eq!(read(&mut mouse, 2), moved);
    let (button, down) = (Button::Back, true);
    inject(InputEvent::Button { button, down });
    assert_eq!(read(&mut mouse, 1), [(EventType::KEY, 0x113, 1)]);
    inject(InputEvent::Wheel { dx: 0, dy: 120 });
    let turned = [
        (EventType::RELATIVE, 11, -120),
        (EventType::RELATIVE, 8, -1),
    ];
    assert_eq!(read(&mut mouse, 2), turned);
    let mut screen = device("Heliostat touch screen");
    inject(InputEvent::Touch {
        id: 0,
        phase: TouchPhase::Start,
        x: 100,
        y: 200,
    });
    // The first slot is the present one: the kernel leaves out what changes nothing.
    let touched = [
        (EventType::ABSOLUTE, 0x39, 1),
        (EventType::ABSOLUTE, 0x35, 100),
        (EventType::ABSOLUTE, 0x36, 200),
        (EventType::ABSOLUTE, 0, 100),
        (EventType::ABSOLUTE, 1, 200),
        (EventType::KEY, 0x14a, 1),
    ];
    assert_eq!(read(&mut screen, 6), touched);
}

#[test]
#[ignore = "needs /dev/uinput"]
fn a_pad_is_played_and_shaken() {
    let (mut opened, told) = open();
    let plugged = PadEvent::Connected {
        index: 3,
        name: "Test pad".into(),
    };
    opened.injector.inject(&InputEvent::Pad(plugged)).unwrap();
    let mut pad = device("Test pad");
    let state = PadState {
        buttons: 1,
        left_trigger: 7,
        axes: [-32768, 0, 0, 0],
        ..PadState::default()
    };
    let state = PadEvent::State { index: 3, state };
    opened.injector.inject(&InputEvent::Pad(state)).unwrap();
    let wanted = [
        (EventType::KEY, 0x130, 1),
        (EventType::ABSOLUTE, AbsoluteAxisCode::ABS_X.0, -32768),
        (EventType::ABSOLUTE, AbsoluteAxisCode::ABS_Z.0, 7),
    ];
    assert_eq!(read(&mut pad, 3), wanted);
    let effect = FFEffectData {
        direction: 0,
        trigger: FFTrigger::default(),
        replay: FFReplay {
            length: 700,
            delay: 0,
        },
        kind: FFEffectKind::Rumble {
            strong_magnitude: 0x1234,
            weak_magnitude: 0x5678,
        },
    };
    let mut effect = pad.upload_ff_effect(effect).unwrap();
    effect.play(1).unwrap();
    let shaken = Feedback::Rumble {
        index: 3,
        strong: 0x1234,
        weak: 0x5678,
        duration_ms: 700,
    };
    assert_eq!(told.recv_timeout(LONG).unwrap(), shaken);
    effect.stop().unwrap();
    let rest = told.recv_timeout(LONG).unwrap();
    assert!(
        matches!(
            rest,
            Feedback::Rumble {
                strong: 0,
                weak: 0,
                ..
            }
        ),
        "{rest:?}"
    );
    drop(effect);
    opened
        .injector
        .inject(&InputEvent::Pad(PadEvent::Gone { index: 3 }))
        .unwrap();
    let start = Instant::now();
    while evdev::enumerate().any(|(_, device)| device.name() == Some("Test pad")) {
        assert!(start.elapsed() < LONG, "the pad stays");
        std::thread::sleep(Duration::from_millis(10));
    }
}
