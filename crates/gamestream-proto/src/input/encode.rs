//! Packets as a client writes them (Input.h, InputStream.c), for tests of what reads them.

use super::controller::{BatteryState, ControllerKind};
use super::mouse::{Key, Modifiers, MouseButton};
use super::packet::InputPacket;
use super::pointer::{PenButtons, PenTool, TouchPhase};

/// Size, number and fields.
pub(crate) fn encode(packet: &InputPacket) -> Vec<u8> {
    let (magic, fields) = body(packet);
    framed(magic, &fields)
}

pub(crate) fn framed(magic: u32, fields: &[u8]) -> Vec<u8> {
    let size = fields.len() as u32 + 4;
    [&size.to_be_bytes(), &magic.to_le_bytes(), fields].concat()
}

fn phase(phase: TouchPhase) -> u8 {
    TouchPhase::ALL
        .iter()
        .position(|known| *known == phase)
        .unwrap() as u8
}

fn modifiers(modifiers: Modifiers) -> u8 {
    u8::from(modifiers.shift())
        | u8::from(modifiers.control()) << 1
        | u8::from(modifiers.alt()) << 2
        | u8::from(modifiers.meta()) << 3
}

fn key(key: &Key) -> Vec<u8> {
    vec![
        key.by_letter.into(),
        key.virtual_key,
        0x80,
        modifiers(key.modifiers),
        0,
        0,
    ]
}

fn button(button: MouseButton) -> Vec<u8> {
    vec![match button {
        MouseButton::Left => 1,
        MouseButton::Middle => 2,
        MouseButton::Right => 3,
        MouseButton::X1 => 4,
        MouseButton::X2 => 5,
    }]
}

fn pen_buttons(buttons: PenButtons) -> u8 {
    u8::from(buttons.primary())
        | u8::from(buttons.secondary()) << 1
        | u8::from(buttons.tertiary()) << 2
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn body(packet: &InputPacket) -> (u32, Vec<u8>) {
    match packet {
        InputPacket::KeyDown(down) => (0x03, key(down)),
        InputPacket::KeyUp(up) => (0x04, key(up)),
        InputPacket::MouseTo(to) => {
            let numbers = [to.x, to.y, 0, to.max_x, to.max_y];
            (0x05, numbers.map(u16::to_be_bytes).concat())
        }
        InputPacket::MouseMove(by) => (0x07, [by.dx, by.dy].map(i16::to_be_bytes).concat()),
        InputPacket::MouseDown(down) => (0x08, button(*down)),
        InputPacket::MouseUp(up) => (0x09, button(*up)),
        InputPacket::Scroll(by) => (0x0a, [*by, *by, 0].map(i16::to_be_bytes).concat()),
        InputPacket::EnableHaptics(on) => (0x0d, vec![u8::from(*on), 0]),
        InputPacket::Text(text) => (0x17, text.as_str().as_bytes().to_vec()),
        InputPacket::ScrollSideways(by) => (0x5500_0001, by.to_be_bytes().to_vec()),
        other => touching(other),
    }
}

fn touching(packet: &InputPacket) -> (u32, Vec<u8>) {
    match packet {
        InputPacket::Touch(touch) => {
            let rotation = touch.rotation_degrees.unwrap_or(0xffff).to_le_bytes();
            let numbers = floats(&[
                touch.x,
                touch.y,
                touch.pressure_or_distance,
                touch.area.major,
                touch.area.minor,
            ]);
            let head = [phase(touch.phase), 0, rotation[0], rotation[1]];
            let id = touch.id.to_le_bytes();
            (0x5500_0002, [&head, &id, &*numbers].concat())
        }
        InputPacket::Pen(pen) => {
            let tool = match pen.tool {
                PenTool::Unknown => 0,
                PenTool::Pen => 1,
                PenTool::Eraser => 2,
            };
            let head = [phase(pen.phase), tool, pen_buttons(pen.buttons), 0];
            let place = floats(&[pen.x, pen.y, pen.pressure_or_distance]);
            let rotation = pen.rotation_degrees.unwrap_or(0xffff).to_le_bytes();
            let tilt = pen.tilt_degrees.unwrap_or(0xff);
            let lean = [rotation[0], rotation[1], tilt, 0];
            let area = floats(&[pen.area.major, pen.area.minor]);
            (0x5500_0003, [&head, &*place, &lean, &*area].concat())
        }
        other => controllers(other),
    }
}

fn controllers(packet: &InputPacket) -> (u32, Vec<u8>) {
    match packet {
        InputPacket::Controller(state) => {
            let [low, high] = [
                state.buttons.bits() as u16,
                (state.buttons.bits() >> 16) as u16,
            ];
            let head = [0x1a, state.number.into(), state.plugged_in, 0x14, low];
            let sticks = [state.left_x, state.left_y, state.right_x, state.right_y];
            let fields = [
                &*head.map(u16::to_le_bytes).concat(),
                &[state.left_trigger, state.right_trigger],
                &*sticks.map(i16::to_le_bytes).concat(),
                &*[0x9c, high, 0x55].map(u16::to_le_bytes).concat(),
            ];
            (0x0c, fields.concat())
        }
        InputPacket::ControllerArrival(arrival) => {
            let kind = match arrival.kind {
                ControllerKind::Unknown => 0,
                ControllerKind::Xbox => 1,
                ControllerKind::PlayStation => 2,
                ControllerKind::Nintendo => 3,
                ControllerKind::Steam => 4,
            };
            let fields = [
                &[arrival.number, kind][..],
                &arrival.capabilities.bits().to_le_bytes(),
                &arrival.buttons.bits().to_le_bytes(),
            ];
            (0x5500_0004, fields.concat())
        }
        InputPacket::ControllerTouch(touch) => {
            let head = [touch.number, phase(touch.phase), 0, touch.touchpad];
            let numbers = floats(&[touch.x, touch.y, touch.pressure]);
            let id = touch.id.to_le_bytes();
            (0x5500_0005, [&head, &id, &*numbers].concat())
        }
        InputPacket::ControllerMotion(motion) => {
            let head = [motion.number, motion.sensor.byte(), 0, 0];
            let numbers = floats(&[motion.x, motion.y, motion.z]);
            (0x5500_0006, [&head, &*numbers].concat())
        }
        InputPacket::ControllerBattery(battery) => {
            let state = match battery.state {
                BatteryState::Unknown => 0,
                BatteryState::NotPresent => 1,
                BatteryState::Discharging => 2,
                BatteryState::Charging => 3,
                BatteryState::NotCharging => 4,
                BatteryState::Full => 5,
            };
            let percent = battery.percent.unwrap_or(0xff);
            (0x5500_0007, vec![battery.number, state, percent, 0])
        }
        other => unreachable!("{other:?} is written elsewhere"),
    }
}
