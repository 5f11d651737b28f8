//! A DualSense on USB, as bytes: what it says of itself, what it tells, and what it is told.
//!
//! Owns the layout of its reports, as the kernel's driver hid-playstation and SDL read them; refuses
//! devices, threads and clocks.

mod device;

use super::gamepad::LONGEST_MS;
use super::layout::{directions, triggers};
use crate::event::{BatteryState, MotionKind, PadState, TouchPhase};
use crate::injector::{Feedback, TriggerEffect};
pub(super) use device::DualSense;

const NAME: &str = "Sony Interactive Entertainment DualSense Wireless Controller";
const VENDOR: u16 = 0x054c;
const PRODUCT: u16 = 0x0ce6;
const VERSION: u16 = 0x0111;

const INPUT: u8 = 0x01;
const OUTPUT: u8 = 0x02;
/// Bytes of an input report, its number included.
const INPUT_BYTES: usize = 64;

/// What stands where in an input report.
mod at {
    pub(super) const STICKS: usize = 1;
    pub(super) const TRIGGERS: usize = 5;
    pub(super) const COUNT: usize = 7;
    pub(super) const BUTTONS: usize = 8;
    pub(super) const GYROSCOPE: usize = 16;
    pub(super) const ACCELEROMETER: usize = 22;
    pub(super) const TIME: usize = 28;
    pub(super) const FINGERS: usize = 33;
    pub(super) const BATTERY: usize = 53;
}

/// Buttons of ours in the three bytes of buttons; the lower half of the first is the cross.
const BUTTONS: [(u32, usize, u8); 15] = [
    (PadState::WEST, 0, 0x10),
    (PadState::SOUTH, 0, 0x20),
    (PadState::EAST, 0, 0x40),
    (PadState::NORTH, 0, 0x80),
    (PadState::LEFT_BUMPER, 1, 0x01),
    (PadState::RIGHT_BUMPER, 1, 0x02),
    (PadState::LEFT_TRIGGER, 1, 0x04),
    (PadState::RIGHT_TRIGGER, 1, 0x08),
    (PadState::BACK, 1, 0x10),
    (PadState::START, 1, 0x20),
    (PadState::LEFT_STICK, 1, 0x40),
    (PadState::RIGHT_STICK, 1, 0x80),
    (PadState::GUIDE, 2, 0x01),
    (PadState::TOUCHPAD, 2, 0x02),
    // The button that silences the microphone.
    (PadState::MISC, 2, 0x04),
];
/// The cross of directions by where it points, -1..=1 downwards and to the right; 8 is nowhere.
const CROSS: [[u8; 3]; 3] = [[7, 0, 1], [6, 8, 2], [5, 4, 3]];

/// Units of the accelerometer to one standard gravity.
const UNITS_PER_G: f32 = 8192.0;
const GRAVITY: f32 = 9.806_65;
/// Units of the gyroscope to a degree a second.
const UNITS_PER_DEGREE: i16 = 16;
/// How fast the gyroscope is said to have been turned when it was calibrated, in degrees a second.
const CALIBRATION_SPEED: i16 = 540;
const TOUCHPAD_SIZE: [u32; 2] = [1920, 1080];
/// The newest firmware that programs ask for: from here on both motors are used at full strength.
const FIRMWARE: u16 = 0x0224;

/// Feature reports: number, usage, bytes after the number.
const FEATURES: [(u8, u8, u8); 20] = [
    (0x05, 0x33, 40),
    (0x08, 0x34, 47),
    (0x09, 0x24, 19),
    (0x0a, 0x25, 26),
    (0x20, 0x26, 63),
    (0x21, 0x27, 4),
    (0x22, 0x40, 63),
    (0x80, 0x28, 63),
    (0x81, 0x29, 63),
    (0x82, 0x2a, 9),
    (0x83, 0x2b, 63),
    (0x84, 0x2c, 63),
    (0x85, 0x2d, 2),
    (0xa0, 0x2e, 1),
    (0xe0, 0x2f, 63),
    (0xf0, 0x30, 63),
    (0xf1, 0x31, 63),
    (0xf2, 0x32, 15),
    (0xf4, 0x35, 63),
    (0xf5, 0x36, 3),
];

/// Which reports there are, in the language of HID.
fn descriptor() -> Vec<u8> {
    let mut items = vec![0x05, 0x01, 0x09, 0x05, 0xa1, 0x01, 0x85, INPUT];
    // Sticks and triggers: X, Y, Z, Rz, Rx, Ry, a byte each.
    for usage in [0x30, 0x31, 0x32, 0x35, 0x33, 0x34] {
        items.extend([0x09, usage]);
    }
    items.extend([0x15, 0, 0x26, 0xff, 0, 0x75, 8, 0x95, 6, 0x81, 0x02]);
    // A counter.
    items.extend([0x06, 0x00, 0xff, 0x09, 0x20, 0x95, 1, 0x81, 0x02]);
    // The cross, in degrees.
    items.extend([0x05, 0x01, 0x09, 0x39, 0x15, 0, 0x25, 7, 0x35, 0]);
    items.extend([0x46, 0x3b, 0x01, 0x65, 0x14, 0x75, 4, 0x95, 1, 0x81, 0x42]);
    // Fifteen buttons.
    items.extend([0x65, 0, 0x05, 0x09, 0x19, 1, 0x29, 15, 0x15, 0, 0x25, 1]);
    items.extend([0x75, 1, 0x95, 15, 0x81, 0x02]);
    // The rest is the maker's own: 13 bits and 52 bytes.
    items.extend([0x06, 0x00, 0xff, 0x09, 0x21, 0x95, 13, 0x81, 0x02]);
    items.extend([
        0x06, 0x00, 0xff, 0x09, 0x22, 0x15, 0, 0x26, 0xff, 0, 0x75, 8,
    ]);
    items.extend([0x95, 52, 0x81, 0x02]);
    items.extend([0x85, OUTPUT, 0x09, 0x23, 0x95, 47, 0x91, 0x02]);
    for (number, usage, bytes) in FEATURES {
        items.extend([0x85, number, 0x09, usage, 0x95, bytes, 0xb1, 0x02]);
    }
    items.push(0xc0);
    items
}

/// The feature report of that number; `None` for those that nobody asks for.
fn feature(number: u8, address: [u8; 6]) -> Option<Vec<u8>> {
    let (_, _, bytes) = FEATURES.iter().find(|feature| feature.0 == number)?;
    let mut report = vec![0; usize::from(*bytes) + 1];
    report[0] = number;
    match number {
        0x05 => calibrate(&mut report),
        0x09 => report[1..7].copy_from_slice(&address),
        0x20 => {
            report[1..20].copy_from_slice(b"Jan 01 202300:00:00");
            report[44..46].copy_from_slice(&FIRMWARE.to_le_bytes());
        }
        _ => return None,
    }
    Some(report)
}

/// What the sensors say at known movements, so that their units are as above.
fn calibrate(report: &mut [u8]) {
    let turned = CALIBRATION_SPEED * UNITS_PER_DEGREE;
    let fallen = UNITS_PER_G as i16;
    let bias = [0; 3];
    let turns = [turned, -turned].repeat(3);
    let speeds = [CALIBRATION_SPEED; 2];
    let falls = [fallen, -fallen].repeat(3);
    let numbers = bias.into_iter().chain(turns).chain(speeds).chain(falls);
    for (bytes, number) in report[1..].chunks_exact_mut(2).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
}

/// How a pad stands, as the report that says so.
#[derive(Clone, Debug)]
pub(super) struct Report {
    bytes: [u8; INPUT_BYTES],
    touches: u8,
}

impl Report {
    /// Of a pad that lies on a table, plugged in and full.
    fn new() -> Self {
        let mut report = Self {
            bytes: [0; INPUT_BYTES],
            touches: 0,
        };
        report.bytes[0] = INPUT;
        for finger in 0..2 {
            report.bytes[at::FINGERS + finger * 4] = NO_FINGER;
        }
        report.bytes[at::BATTERY] = 0x2a;
        report.set(&PadState::default());
        report.motion(MotionKind::Accelerometer, [0.0, GRAVITY, 0.0]);
        report
    }

    /// The bytes to send now; time is in thirds of a microsecond.
    fn stamped(&mut self, thirds_us: u32) -> &[u8; INPUT_BYTES] {
        self.bytes[at::COUNT] = self.bytes[at::COUNT].wrapping_add(1);
        self.bytes[at::TIME..at::TIME + 4].copy_from_slice(&thirds_us.to_le_bytes());
        &self.bytes
    }

    pub(super) fn set(&mut self, state: &PadState) {
        for (byte, axis) in self.bytes[at::STICKS..].iter_mut().zip(state.axes) {
            // 0 to 255 around 128.
            *byte = (axis >> 8) as u8 ^ 0x80;
        }
        let pulled = triggers(state);
        self.bytes[at::TRIGGERS..at::TRIGGERS + 2].copy_from_slice(&pulled);
        let [right, down] = directions(state).map(|by| (by + 1) as usize);
        let mut buttons = [CROSS[down][right], 0, 0];
        for (button, byte, bit) in BUTTONS {
            if state.has(button) {
                buttons[byte] |= bit;
            }
        }
        // Pads whose triggers are more than buttons may not say that they are down.
        for (pulled, bit) in pulled.into_iter().zip([0x04, 0x08]) {
            if pulled > 0 {
                buttons[1] |= bit;
            }
        }
        self.bytes[at::BUTTONS..at::BUTTONS + 3].copy_from_slice(&buttons);
    }

    /// Movement in m/s² or degrees a second; the axes are SDL's, which are the pad's own.
    pub(super) fn motion(&mut self, kind: MotionKind, by: [f32; 3]) {
        let (from, units) = match kind {
            MotionKind::Gyroscope => (at::GYROSCOPE, f32::from(UNITS_PER_DEGREE)),
            MotionKind::Accelerometer => (at::ACCELEROMETER, UNITS_PER_G / GRAVITY),
        };
        for (bytes, by) in self.bytes[from..from + 6].chunks_exact_mut(2).zip(by) {
            // The cast clamps, and makes 0 of what is no number.
            let value = (by * units).round() as i16;
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// How full the battery is, in tenths, and what it does. Without a word of it nothing changes.
    pub(super) fn battery(&mut self, state: BatteryState, percent: Option<u8>) {
        let tenths = percent.map(|percent| percent.min(100) / 10);
        let does = match state {
            BatteryState::Unknown | BatteryState::NotPresent => return,
            BatteryState::Discharging | BatteryState::NotCharging => 0x00,
            BatteryState::Charging => 0x10,
            BatteryState::Full => 0x20,
        };
        self.bytes[at::BATTERY] = does | tenths.unwrap_or(10);
    }

    /// A finger, 0 or 1, at a place in 0..=65535 over the touchpad.
    pub(super) fn touch(&mut self, finger: usize, phase: TouchPhase, place: [u16; 2]) {
        let Some(bytes) = self.bytes[at::FINGERS..at::FINGERS + 8]
            .chunks_exact_mut(4)
            .nth(finger)
        else {
            return;
        };
        match phase {
            TouchPhase::Start => {
                self.touches = self.touches.wrapping_add(1) & !NO_FINGER;
                bytes[0] = self.touches;
            }
            TouchPhase::Move => {}
            TouchPhase::End | TouchPhase::Cancel | TouchPhase::CancelAll => {
                bytes[0] |= NO_FINGER;
                return;
            }
            TouchPhase::Hover | TouchPhase::Leave => return,
        }
        let [x, y] = [0, 1].map(|axis| u32::from(place[axis]) * (TOUCHPAD_SIZE[axis] - 1) / 0xffff);
        // Twelve bits each.
        let [x_low, x_high, ..] = x.to_le_bytes();
        bytes[1] = x_low;
        bytes[2] = x_high | (y << 4) as u8;
        bytes[3] = (y >> 4) as u8;
    }
}

/// The bit of a finger that is not there.
const NO_FINGER: u8 = 0x80;

/// What stands where in an output report, its number included.
mod told_at {
    pub(super) const FLAGS: [usize; 3] = [1, 2, 39];
    pub(super) const WEAK: usize = 3;
    pub(super) const STRONG: usize = 4;
    pub(super) const RIGHT_TRIGGER: usize = 11;
    pub(super) const LEFT_TRIGGER: usize = 22;
    pub(super) const LIGHT: usize = 45;
}

/// What a pad was told before, so that only changes are handed on: games repeat everything.
#[derive(Debug, Default)]
struct Told {
    rumble: Option<[u8; 2]>,
    light: Option<[u8; 3]>,
    triggers: [Option<TriggerEffect>; 2],
}

impl Told {
    /// What an output report changes.
    fn hear(&mut self, index: u8, report: &[u8]) -> Vec<Feedback> {
        let mut out = Vec::new();
        if report.first() != Some(&OUTPUT) || report.len() <= told_at::LIGHT + 2 {
            return out;
        }
        let [first, second, third] = told_at::FLAGS.map(|at| report[at]);
        // Which bit says so depends on the firmware that the program knows.
        if first & 0x01 != 0 || third & 0x04 != 0 {
            let motors = [report[told_at::STRONG], report[told_at::WEAK]];
            if self.rumble.replace(motors) != Some(motors) {
                let [strong, weak] = motors.map(|motor| u16::from(motor) * 0x101);
                let duration_ms = if motors == [0, 0] { 0 } else { LONGEST_MS };
                out.push(Feedback::Rumble {
                    index,
                    strong,
                    weak,
                    duration_ms,
                });
            }
        }
        if second & 0x04 != 0 {
            let light = [0, 1, 2].map(|at| report[told_at::LIGHT + at]);
            if self.light.replace(light) != Some(light) {
                out.push(Feedback::Led { index, rgb: light });
            }
        }
        out.extend(self.resist(index, first & 0x0c, report));
        out
    }

    fn resist(&mut self, index: u8, flags: u8, report: &[u8]) -> Option<Feedback> {
        let effect = |at: usize| {
            let mut parameters = [0; 10];
            parameters.copy_from_slice(&report[at + 1..at + 11]);
            let kind = report[at];
            TriggerEffect { kind, parameters }
        };
        let (left, right) = (
            effect(told_at::LEFT_TRIGGER),
            effect(told_at::RIGHT_TRIGGER),
        );
        let before = self.triggers;
        for (flag, known, now) in [(0x08, 0, left), (0x04, 1, right)] {
            if flags & flag != 0 {
                self.triggers[known] = Some(now);
            }
        }
        (self.triggers != before).then_some(Feedback::AdaptiveTriggers {
            index,
            flags,
            left,
            right,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_has_room_for_every_report() {
        let items = descriptor();
        // Bits of input, and bytes of features by number, added up as a parser of HID does.
        let (mut size, mut count, mut number) = (0, 0, 0);
        let (mut input, mut output, mut features) = (0_usize, 0, Vec::new());
        let mut rest = &items[..];
        while let [prefix, tail @ ..] = rest {
            let length = usize::from(prefix & 3);
            let value = tail.first().copied().map_or(0, usize::from);
            match prefix & 0xfc {
                0x74 => size = value,
                0x94 => count = value,
                0x84 => number = tail[0],
                0x80 => input += size * count,
                0x90 => output += size * count,
                0xb0 => features.push((number, size * count / 8)),
                _ => {}
            }
            rest = &tail[length..];
        }
        assert_eq!((input, output), ((INPUT_BYTES - 1) * 8, 47 * 8));
        for (number, bytes) in features {
            if let Some(report) = feature(number, [0; 6]) {
                assert_eq!(report.len(), bytes + 1, "{number:x}");
            }
        }
    }

    #[test]
    fn its_sensors_have_the_units_that_it_says_they_have() {
        let calibration = feature(0x05, [0; 6]).unwrap();
        let number = |at: usize| {
            let bytes = [calibration[at], calibration[at + 1]];
            i32::from(i16::from_le_bytes(bytes))
        };
        for bias in [1, 3, 5] {
            assert_eq!(number(bias), 0);
        }
        // As the kernel's driver reckons: a degree a second is 1024, a gravity 8192.
        let speeds = number(19) + number(21);
        for axis in 0..3 {
            let turned = number(7 + 4 * axis) - number(9 + 4 * axis);
            let per_unit = speeds * 1024 / turned;
            assert_eq!(per_unit * i32::from(UNITS_PER_DEGREE), 1024);
            let fallen = number(23 + 4 * axis) - number(25 + 4 * axis);
            assert_eq!((fallen, 2 * 8192 / fallen), (2 * 8192, 1));
        }
    }

    #[test]
    fn a_state_is_told_where_the_driver_looks_for_it() {
        let mut report = Report::new();
        let state = PadState {
            buttons: PadState::SOUTH | PadState::UP | PadState::LEFT | PadState::TOUCHPAD,
            left_trigger: 9,
            right_trigger: 0,
            axes: [-32768, 0, 32767, -1],
        };
        report.set(&state);
        report.motion(MotionKind::Gyroscope, [1.0, -2.0, 1.0e9]);
        report.battery(BatteryState::Charging, Some(57));
        report.touch(1, TouchPhase::Start, [0xffff, 0x8000]);
        let bytes = report.stamped(0x0403_0201);
        assert_eq!(bytes[..8], [1, 0, 128, 255, 127, 9, 0, 1]);
        assert_eq!(bytes[8..11], [0x27, 0x04, 0x02]);
        assert_eq!(bytes[16..22], [16, 0, 0xe0, 0xff, 0xff, 0x7f]);
        assert_eq!(bytes[22..28], [0, 0, 0, 0x20, 0, 0]);
        assert_eq!(bytes[28..32], [1, 2, 3, 4]);
        assert_eq!(bytes[33] & 0x80, 0x80);
        assert_eq!(bytes[37..41], [1, 0x7f, 0xb7, 0x21]);
        assert_eq!(bytes[53], 0x15);
        report.touch(1, TouchPhase::End, [0, 0]);
        assert_eq!(report.stamped(0)[37], 0x81);
        report.touch(2, TouchPhase::Start, [0, 0]);
    }

    #[test]
    fn only_what_changes_is_handed_on() {
        let mut report = [0; 63];
        report[0] = OUTPUT;
        let mut told = Told::default();
        assert_eq!(told.hear(1, &report), []);
        (report[1], report[2]) = (0x0f, 0x04);
        (report[3], report[4]) = (0x80, 0xff);
        report[45..48].copy_from_slice(&[1, 2, 3]);
        report[22] = 0x26;
        report[23] = 7;
        let heard = told.hear(1, &report);
        let rumble = Feedback::Rumble {
            index: 1,
            strong: 0xffff,
            weak: 0x8080,
            duration_ms: LONGEST_MS,
        };
        let left = TriggerEffect {
            kind: 0x26,
            parameters: [7, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        let resists = Feedback::AdaptiveTriggers {
            index: 1,
            flags: 0x0c,
            left,
            right: TriggerEffect::default(),
        };
        let lit = Feedback::Led {
            index: 1,
            rgb: [1, 2, 3],
        };
        assert_eq!(heard, [rumble, lit, resists]);
        assert_eq!(told.hear(1, &report), []);
        (report[3], report[4]) = (0, 0);
        assert!(matches!(
            told.hear(1, &report)[..],
            [Feedback::Rumble { duration_ms: 0, .. }]
        ));
        // Newer firmware is told with another bit; short reports and others' are none.
        (report[1], report[39], report[4]) = (0, 4, 1);
        assert_eq!(told.hear(1, &report).len(), 1);
        assert_eq!(told.hear(1, &report[..47]), []);
        report[0] = 3;
        assert_eq!(told.hear(1, &report), []);
    }
}
