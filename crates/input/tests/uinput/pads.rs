//! Pads of uinput: each kind, sixteen at a time, and how they are shaken.

use crate::rig::{Reader, Rig, eventually, named};
use evdev::{AbsoluteAxisCode, Device, EventType, FFEffectData, FFEffectKind, FFReplay, FFTrigger};
use input::{Feedback, MotionKind, PadCapabilities, PadEvent, PadKind, PadState};

const KEY: EventType = EventType::KEY;
const ABS: EventType = EventType::ABSOLUTE;

fn plugged(index: u8, kind: PadKind, name: &str) -> PadEvent {
    PadEvent::Connected {
        index,
        name: name.to_owned(),
        kind,
        capabilities: PadCapabilities::default(),
    }
}

fn pressed(index: u8, state: PadState) -> PadEvent {
    PadEvent::State { index, state }
}

const fn shake(length: u16) -> FFEffectData {
    FFEffectData {
        direction: 0,
        trigger: FFTrigger {
            button: 0,
            interval: 0,
        },
        replay: FFReplay { length, delay: 0 },
        kind: FFEffectKind::Rumble {
            strong_magnitude: 0x1234,
            weak_magnitude: 0x5678,
        },
    }
}

const fn rumble(strong: u16, weak: u16, duration_ms: u16) -> Feedback {
    let index = 3;
    Feedback::Rumble {
        index,
        strong,
        weak,
        duration_ms,
    }
}

fn vendor_and_product(device: &Device) -> (u16, u16) {
    let id = device.input_id();
    (id.vendor(), id.product())
}

#[test]
#[ignore = "needs /dev/uinput"]
fn a_pad_is_played_and_shaken() {
    let mut rig = Rig::open();
    rig.pad(plugged(3, PadKind::Unknown, "Test pad"));
    let mut pad = Reader::of("Test pad");
    assert_eq!(vendor_and_product(&pad.device), (0x045e, 0x028e));
    let state = PadState {
        buttons: PadState::SOUTH,
        left_trigger: 7,
        axes: [-32768, 0, 0, 0],
        ..PadState::default()
    };
    rig.pad(pressed(3, state));
    let wanted = [
        (KEY, 0x130, 1),
        (ABS, AbsoluteAxisCode::ABS_X.0, -32768),
        (ABS, AbsoluteAxisCode::ABS_Z.0, 7),
    ];
    assert_eq!(pad.read(3), wanted);
    // One that ends by itself, and one that the game ends.
    let mut effect = pad.device.upload_ff_effect(shake(50)).unwrap();
    effect.play(1).unwrap();
    assert_eq!(rig.told(), rumble(0x1234, 0x5678, 50));
    assert_eq!(rig.told(), rumble(0, 0, 0));
    effect.update(shake(0)).unwrap();
    effect.play(1).unwrap();
    assert_eq!(rig.told(), rumble(0x1234, 0x5678, 5000));
    effect.stop().unwrap();
    assert_eq!(rig.told(), rumble(0, 0, 0));
    drop(effect);
    rig.pad(PadEvent::Gone { index: 3 });
    eventually("the end of the pad", || {
        named("Test pad").is_empty().then_some(())
    });
}

#[test]
#[ignore = "needs /dev/uinput"]
fn sixteen_pads_are_sixteen_devices() {
    let mut rig = Rig::open();
    let name = |index| format!("Pad number {index}");
    for index in 0..16 {
        rig.pad(plugged(index, PadKind::Unknown, &name(index)));
    }
    let mut pads: Vec<Reader> = (0..16).map(|index| Reader::of(&name(index))).collect();
    for index in 0..16_u8 {
        let axes = [i16::from(index) + 1, 0, 0, 0];
        let state = PadState {
            axes,
            ..PadState::default()
        };
        rig.pad(pressed(index, state));
    }
    for (pad, value) in pads.iter_mut().zip(1..) {
        assert_eq!(pad.read(1), [(ABS, 0, value)]);
    }
}

#[test]
#[ignore = "needs /dev/uinput"]
fn each_kind_of_pad_is_the_one_its_driver_makes() {
    let mut rig = Rig::open();
    let state = PadState {
        buttons: PadState::NORTH | PadState::MISC | PadState::PADDLES[1],
        left_trigger: 255,
        ..PadState::default()
    };
    rig.pad(plugged(0, PadKind::Xbox, "My pad"));
    let mut xbox = Reader::of("Microsoft X-Box One S pad");
    assert_eq!(vendor_and_product(&xbox.device), (0x045e, 0x02ea));
    rig.pad(pressed(0, state));
    let wanted = [
        (KEY, 0x134, 1),
        (KEY, 0xa7, 1),
        (KEY, 0x2c5, 1),
        (ABS, AbsoluteAxisCode::ABS_Z.0, 1023),
    ];
    assert_eq!(xbox.read(4), wanted);
    // Another pad in its place.
    rig.pad(plugged(0, PadKind::Nintendo, "My pad"));
    let mut nintendo = Reader::of("Nintendo Switch Pro Controller");
    assert_eq!(vendor_and_product(&nintendo.device), (0x057e, 0x2009));
    assert_eq!(named("Microsoft X-Box One S pad").len(), 0);
    rig.pad(pressed(0, state));
    let wanted = [(KEY, 0x133, 1), (KEY, 0x135, 1), (KEY, 0x138, 1)];
    assert_eq!(nintendo.read(3), wanted);
}

/// Runs before the machine has /dev/uhid.
#[test]
#[ignore = "needs a machine without /dev/uhid"]
fn without_uhid_a_pad_with_sensors_is_one_without() {
    let mut rig = Rig::open();
    rig.pad(plugged(0, PadKind::PlayStation, "My pad"));
    let mut pad = Reader::of("Microsoft X-Box One S pad");
    let turned = PadEvent::Motion {
        index: 0,
        kind: MotionKind::Gyroscope,
        x: 1.0,
        y: 0.0,
        z: 0.0,
    };
    rig.pad(turned);
    let state = PadState {
        buttons: PadState::EAST,
        ..PadState::default()
    };
    rig.pad(pressed(0, state));
    assert_eq!(pad.read(1), [(KEY, 0x131, 1)]);
}
