//! Keys, both mice, the touch screen and the pen.

use crate::rig::{Reader, Rig};
use evdev::EventType;
use input::{Button, Contact, InputEvent, KeyCode, PenEvent, PenPhase, PenTool, TouchPhase};

const KEY: EventType = EventType::KEY;
const ABS: EventType = EventType::ABSOLUTE;
const REL: EventType = EventType::RELATIVE;

#[test]
#[ignore = "needs /dev/uinput"]
fn every_key_is_read_as_it_was_pressed() {
    let mut rig = Rig::open();
    let mut keyboard = Reader::of("Heliostat keyboard");
    for code in KeyCode::all().filter(|key| key.evdev().is_some()) {
        for down in [true, false] {
            rig.inject(&InputEvent::Key { code, down });
            let wanted = (KEY, code.evdev().unwrap(), i32::from(down));
            assert_eq!(keyboard.read(1), [wanted], "{code}");
        }
    }
}

#[test]
#[ignore = "needs /dev/uinput"]
fn both_mice_and_both_wheels_are_read_as_they_were_moved() {
    let mut rig = Rig::open();
    let mut mouse = Reader::of("Heliostat mouse");
    let mut tablet = Reader::of("Heliostat absolute mouse");
    rig.inject(&InputEvent::MoveTo { x: 65535, y: 9 });
    assert_eq!(tablet.read(2), [(ABS, 0, 65535), (ABS, 1, 9)]);
    for (button, code) in Button::ALL.into_iter().zip(0x110_u16..) {
        // Middle comes before right in browsers, after it in the kernel.
        let code = [0x110, 0x112, 0x111, 0x113, 0x114][usize::from(code - 0x110)];
        for down in [true, false] {
            rig.inject(&InputEvent::Button { button, down });
            assert_eq!(tablet.read(1), [(KEY, code, i32::from(down))]);
        }
    }
    rig.inject(&InputEvent::MoveBy { dx: -3, dy: 4 });
    assert_eq!(mouse.read(2), [(REL, 0, -3), (REL, 1, 4)]);
    let (button, down) = (Button::Back, true);
    rig.inject(&InputEvent::Button { button, down });
    assert_eq!(mouse.read(1), [(KEY, 0x113, 1)]);
    rig.inject(&InputEvent::Wheel { dx: 0, dy: 120 });
    assert_eq!(mouse.read(2), [(REL, 11, -120), (REL, 8, -1)]);
    rig.inject(&InputEvent::Wheel { dx: 60, dy: 0 });
    rig.inject(&InputEvent::Wheel { dx: 60, dy: 0 });
    assert_eq!(mouse.read(3), [(REL, 12, 60), (REL, 12, 60), (REL, 6, 1)]);
}

#[test]
#[ignore = "needs /dev/uinput"]
fn a_finger_is_read_with_how_it_touches() {
    let mut rig = Rig::open();
    let mut screen = Reader::of("Heliostat touch screen");
    let mut touch = |id, phase, [x, y]: [u16; 2], contact| {
        rig.inject(&InputEvent::Touch {
            id,
            phase,
            x,
            y,
            contact,
        });
    };
    touch(0, TouchPhase::Start, [100, 200], Contact::default());
    // The first slot is the present one: the kernel leaves out what changes nothing.
    let touched = [
        (ABS, 0x39, 1),
        (ABS, 0x35, 100),
        (ABS, 0x36, 200),
        (ABS, 0x3a, 0x8000),
        (ABS, 0, 100),
        (ABS, 1, 200),
        (KEY, 0x14a, 1),
    ];
    assert_eq!(screen.read(7), touched);
    let contact = Contact {
        pressure: Some(0xffff),
        distance: None,
        major: Some(700),
        minor: Some(500),
        rotation_deg: Some(135),
    };
    touch(1, TouchPhase::Start, [5, 6], contact);
    let second = [
        (ABS, 0x2f, 1),
        (ABS, 0x39, 2),
        (ABS, 0x35, 5),
        (ABS, 0x36, 6),
        (ABS, 0x3a, 0xffff),
        (ABS, 0x30, 700),
        (ABS, 0x31, 500),
        (ABS, 0x34, -45),
    ];
    assert_eq!(screen.read(8), second);
    touch(1, TouchPhase::Cancel, [0, 0], Contact::default());
    assert_eq!(screen.read(1), [(ABS, 0x39, -1)]);
    touch(0, TouchPhase::End, [100, 200], Contact::default());
    let lifted = [(ABS, 0x2f, 0), (ABS, 0x39, -1), (KEY, 0x14a, 0)];
    assert_eq!(screen.read(3), lifted);
}

const HOVER: PenEvent = PenEvent {
    phase: PenPhase::Hover,
    tool: PenTool::Pen,
    buttons: 0,
    x: 1000,
    y: 2000,
    contact: Contact {
        pressure: None,
        distance: Some(300),
        major: None,
        minor: None,
        rotation_deg: Some(270),
    },
    tilt_deg: Some(30),
};

const PRESS: PenEvent = PenEvent {
    phase: PenPhase::Start,
    buttons: 0b101,
    contact: Contact {
        pressure: Some(0x1234),
        distance: None,
        rotation_deg: Some(0),
        ..HOVER.contact
    },
    ..HOVER
};

#[test]
#[ignore = "needs /dev/uinput"]
fn a_pen_is_read_with_distance_pressure_tilt_and_buttons() {
    let mut rig = Rig::open();
    let mut tablet = Reader::of("Heliostat pen");
    rig.inject(&InputEvent::Pen(HOVER));
    let near = [
        (KEY, 0x140, 1),
        (ABS, 0, 1000),
        (ABS, 1, 2000),
        (ABS, 0x19, 300),
        (ABS, 0x1a, 30),
    ];
    assert_eq!(tablet.read(5), near);
    rig.inject(&InputEvent::Pen(PRESS));
    let touches = [
        (ABS, 0x18, 0x1234),
        (ABS, 0x19, 0),
        (ABS, 0x1a, 0),
        (ABS, 0x1b, 30),
        (KEY, 0x14a, 1),
        (KEY, 0x14b, 1),
        (KEY, 0x149, 1),
    ];
    assert_eq!(tablet.read(7), touches);
}

#[test]
#[ignore = "needs /dev/uinput"]
fn a_pen_that_is_turned_over_erases() {
    let mut rig = Rig::open();
    let mut tablet = Reader::of("Heliostat pen");
    rig.inject(&InputEvent::Pen(PRESS));
    assert_eq!(tablet.read_until(KEY, 0x149), 1);
    let turned = PenEvent {
        phase: PenPhase::Move,
        tool: PenTool::Eraser,
        buttons: 0b010,
        ..PRESS
    };
    rig.inject(&InputEvent::Pen(turned));
    let away = [
        (KEY, 0x14b, 0),
        (KEY, 0x149, 0),
        (KEY, 0x14a, 0),
        (ABS, 0x18, 0),
        (KEY, 0x140, 0),
    ];
    assert_eq!(tablet.read(5), away);
    let erases = [
        (KEY, 0x141, 1),
        (ABS, 0x18, 0x1234),
        (KEY, 0x14a, 1),
        (KEY, 0x14c, 1),
    ];
    assert_eq!(tablet.read(4), erases);
    rig.inject(&InputEvent::Pen(PenEvent {
        phase: PenPhase::End,
        ..turned
    }));
    let gone = [
        (KEY, 0x14c, 0),
        (KEY, 0x14a, 0),
        (ABS, 0x18, 0),
        (KEY, 0x141, 0),
    ];
    assert_eq!(tablet.read(4), gone);
}
