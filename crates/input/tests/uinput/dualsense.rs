//! The DualSense: the kernel's own driver takes it for a real one.

use crate::rig::{Reader, Rig, eventually, named};
use evdev::{
    AbsoluteAxisCode, Device, EventType, FFEffectData, FFEffectKind, FFReplay, FFTrigger, KeyCode,
};
use input::{
    BatteryState, Feedback, MotionKind, PadCapabilities, PadEvent, PadKind, PadState, TouchPhase,
    TriggerEffect,
};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const NAME: &str = "Sony Interactive Entertainment DualSense Wireless Controller";
const KEY: EventType = EventType::KEY;
const ABS: EventType = EventType::ABSOLUTE;

fn plugged(index: u8) -> PadEvent {
    PadEvent::Connected {
        index,
        name: String::new(),
        kind: PadKind::PlayStation,
        capabilities: PadCapabilities {
            accelerometer: true,
            gyroscope: true,
            ..PadCapabilities::default()
        },
    }
}

/// The one entry of a folder that is wanted, once it is there.
fn entry(folder: &str, wanted: impl Fn(&Path) -> bool) -> PathBuf {
    eventually(folder, || {
        let entries = fs::read_dir(folder).ok()?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.find(|path| wanted(path))
    })
}

fn ends_with(path: &Path, end: &str) -> bool {
    path.to_string_lossy().ends_with(end)
}

fn rig(index: u8) -> (Rig, Reader) {
    let mut rig = Rig::open();
    rig.pad(plugged(index));
    // Sensors are asked for from the beginning.
    for kind in [MotionKind::Accelerometer, MotionKind::Gyroscope] {
        let hz = 100;
        assert_eq!(rig.told(), Feedback::MotionRate { index, kind, hz });
    }
    let pad = Reader::of(NAME);
    let id = pad.device.input_id();
    // The bit that only the driver sets.
    let wanted = (0x054c, 0x0ce6, 0x8111);
    assert_eq!((id.vendor(), id.product(), id.version()), wanted);
    (rig, pad)
}

fn unplug(mut rig: Rig, index: u8) {
    rig.pad(PadEvent::Gone { index });
    eventually("the end of the pad", || {
        named(NAME).is_empty().then_some(())
    });
}

#[test]
#[ignore = "needs /dev/uhid"]
fn its_buttons_sticks_and_triggers_are_read_through_the_driver() {
    let (mut rig, pad) = rig(2);
    let state = PadState {
        buttons: PadState::SOUTH | PadState::DOWN | PadState::GUIDE,
        left_trigger: 200,
        right_trigger: 0,
        axes: [32767, -32768, 0, 0],
    };
    rig.pad(PadEvent::State { index: 2, state });
    let wanted = [
        (AbsoluteAxisCode::ABS_X, 255),
        (AbsoluteAxisCode::ABS_Y, 0),
        (AbsoluteAxisCode::ABS_RX, 128),
        (AbsoluteAxisCode::ABS_Z, 200),
        (AbsoluteAxisCode::ABS_RZ, 0),
        (AbsoluteAxisCode::ABS_HAT0Y, 1),
    ];
    let down = [KeyCode::BTN_SOUTH, KeyCode::BTN_TL2, KeyCode::BTN_MODE];
    eventually("the state of the pad", || {
        let axes = pad.device.get_abs_state().ok()?;
        let keys: Vec<KeyCode> = pad.device.get_key_state().ok()?.iter().collect();
        let stands =
            |(axis, value): &(AbsoluteAxisCode, i32)| axes[usize::from(axis.0)].value == *value;
        (wanted.iter().all(stands) && keys == down).then_some(())
    });
    drop(pad);
    unplug(rig, 2);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn its_sensors_tell_what_the_client_says_in_the_units_of_the_driver() {
    let (mut rig, _pad) = rig(0);
    let mut sensors = Reader::of(&format!("{NAME} Motion Sensors"));
    let mut moved = |kind, x, y, z| {
        rig.pad(PadEvent::Motion {
            index: 0,
            kind,
            x,
            y,
            z,
        });
    };
    moved(MotionKind::Accelerometer, 9.806_65, -4.903_325, 0.0);
    moved(MotionKind::Gyroscope, 90.0, -1.0, 0.5);
    // 8192 to a gravity, 1024 to a degree a second.
    for (code, wanted) in [(0, 8192), (1, -4096)] {
        let found = eventually("acceleration", || {
            Some(sensors.read_until(ABS, code)).filter(|value| *value == wanted)
        });
        assert_eq!(found, wanted);
    }
    for (code, wanted) in [(3, 92_160), (4, -1024), (5, 512)] {
        assert_eq!(sensors.read_until(ABS, code), wanted);
    }
    unplug(rig, 0);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn two_fingers_on_its_touchpad_are_two_fingers() {
    let (mut rig, _pad) = rig(0);
    let mut touchpad = Reader::of(&format!("{NAME} Touchpad"));
    let mut touch = |finger, phase, [x, y]: [u16; 2]| {
        rig.pad(PadEvent::Touchpad {
            index: 0,
            pad: 0,
            finger,
            phase,
            x,
            y,
            pressure: None,
        });
    };
    touch(0, TouchPhase::Start, [0xffff, 0]);
    assert_eq!(touchpad.read_until(ABS, 0x35), 1919);
    touch(1, TouchPhase::Start, [0, 0xffff]);
    assert_eq!(touchpad.read_until(ABS, 0x2f), 1);
    assert_eq!(touchpad.read_until(ABS, 0x36), 1079);
    touch(1, TouchPhase::End, [0, 0xffff]);
    assert_eq!(touchpad.read_until(ABS, 0x39), -1);
    let state = PadState {
        buttons: PadState::TOUCHPAD,
        ..PadState::default()
    };
    rig.pad(PadEvent::State { index: 0, state });
    assert_eq!(touchpad.read_until(KEY, 0x110), 1);
    unplug(rig, 0);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn its_battery_is_one_of_the_systems() {
    let (mut rig, _pad) = rig(0);
    let supply = entry("/sys/class/power_supply", |path| {
        path.to_string_lossy().contains("ps-controller-battery")
    });
    let read = |what: &str| fs::read_to_string(supply.join(what)).unwrap();
    for (state, percent, status, capacity) in [
        (BatteryState::Discharging, 57, "Discharging\n", "55\n"),
        (BatteryState::Charging, 9, "Charging\n", "5\n"),
        (BatteryState::Full, 100, "Full\n", "100\n"),
    ] {
        rig.pad(PadEvent::Battery {
            index: 0,
            state,
            percent: Some(percent),
        });
        eventually(status, || (read("status") == status).then_some(()));
        assert_eq!(read("capacity"), capacity);
    }
    unplug(rig, 0);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn a_game_that_shakes_it_and_a_light_that_changes_are_told() {
    let (rig, mut pad) = rig(7);
    let effect = FFEffectData {
        direction: 0,
        trigger: FFTrigger::default(),
        replay: FFReplay {
            length: 60_000,
            delay: 0,
        },
        kind: FFEffectKind::Rumble {
            strong_magnitude: 0xff00,
            weak_magnitude: 0x4000,
        },
    };
    let mut effect = pad.device.upload_ff_effect(effect).unwrap();
    effect.play(1).unwrap();
    let rumble = |feedback| match feedback {
        Feedback::Rumble {
            index: 7,
            strong,
            weak,
            ..
        } => Some([strong, weak]),
        _ => None,
    };
    assert_eq!(rig.told_until(rumble), [0xffff, 0x4040]);
    effect.stop().unwrap();
    assert_eq!(rig.told_until(rumble), [0, 0]);
    drop(effect);
    let light = entry("/sys/class/leds", |path| ends_with(path, ":rgb:indicator"));
    fs::write(light.join("multi_intensity"), "10 20 30").unwrap();
    fs::write(light.join("brightness"), "255").unwrap();
    rig.told_until(|feedback| {
        let rgb = [10, 20, 30];
        (feedback == Feedback::Led { index: 7, rgb }).then_some(())
    });
    unplug(rig, 7);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn what_a_game_writes_to_the_raw_device_is_told_too() {
    let (rig, _pad) = rig(0);
    let raw = entry("/sys/class/hidraw", |path| {
        let about = fs::read_to_string(path.join("device/uevent")).unwrap_or_default();
        about.contains("054C:00000CE6")
    });
    let mut raw = fs::OpenOptions::new()
        .write(true)
        .open(Path::new("/dev").join(raw.file_name().unwrap()))
        .unwrap();
    let mut report = [0; 48];
    (report[0], report[1]) = (0x02, 0x0c);
    report[11..14].copy_from_slice(&[0x21, 1, 2]);
    report[22..25].copy_from_slice(&[0x26, 3, 4]);
    raw.write_all(&report).unwrap();
    let effect = |kind, first: [u8; 2]| {
        let mut parameters = [0; 10];
        parameters[..2].copy_from_slice(&first);
        TriggerEffect { kind, parameters }
    };
    let wanted = Feedback::AdaptiveTriggers {
        index: 0,
        flags: 0x0c,
        left: effect(0x26, [3, 4]),
        right: effect(0x21, [1, 2]),
    };
    rig.told_until(|feedback| (feedback == wanted).then_some(()));
    drop(raw);
    unplug(rig, 0);
}

#[test]
#[ignore = "needs /dev/uhid"]
fn sixteen_are_told_apart() {
    let mut rig = Rig::open();
    for index in 0..16 {
        rig.pad(plugged(index));
    }
    let devices: Vec<Device> = eventually("sixteen pads", || {
        Some(named(NAME)).filter(|devices| devices.len() == 16)
    });
    let state = PadState {
        buttons: PadState::EAST,
        ..PadState::default()
    };
    rig.pad(PadEvent::State { index: 9, state });
    let with_it_down = || {
        let pressed = devices.iter().filter(|device| {
            let keys = device.get_key_state().unwrap();
            keys.contains(KeyCode::BTN_EAST)
        });
        pressed.count()
    };
    eventually("the button of one", || (with_it_down() == 1).then_some(()));
    drop(devices);
    for index in 0..16 {
        rig.pad(PadEvent::Gone { index });
    }
    assert_eq!(named(NAME).len(), 0);
}
