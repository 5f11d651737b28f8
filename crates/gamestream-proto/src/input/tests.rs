//! Packets as clients write them, and bytes that no client writes.

use super::encode::{encode, framed};
use super::*;
use crate::Error;
use proptest::prelude::*;

fn share() -> impl Strategy<Value = f32> + Clone {
    0.0..=1.0_f32
}

fn phase() -> impl Strategy<Value = TouchPhase> {
    proptest::sample::select(TouchPhase::ALL.to_vec())
}

fn key() -> impl Strategy<Value = Key> {
    (1..=0xfe_u8, 0..16_u8, any::<bool>()).prop_map(|(virtual_key, modifiers, by_letter)| Key {
        virtual_key,
        modifiers: Modifiers::from_bits(modifiers),
        by_letter,
    })
}

fn mouse() -> impl Strategy<Value = InputPacket> {
    let button = proptest::sample::select(vec![
        MouseButton::Left,
        MouseButton::Middle,
        MouseButton::Right,
        MouseButton::X1,
        MouseButton::X2,
    ]);
    let to = (
        1..=0x7fff_u16,
        1..=0x7fff_u16,
        0..=0x7fff_u16,
        0..=0x7fff_u16,
    );
    prop_oneof![
        any::<(i16, i16)>().prop_map(|(dx, dy)| InputPacket::MouseMove(RelativeMouse { dx, dy })),
        to.prop_map(|(max_x, max_y, x, y)| InputPacket::MouseTo(AbsoluteMouse {
            x: x.min(max_x),
            y: y.min(max_y),
            max_x,
            max_y,
        })),
        button.clone().prop_map(InputPacket::MouseDown),
        button.prop_map(InputPacket::MouseUp),
        any::<i16>().prop_map(InputPacket::Scroll),
        any::<i16>().prop_map(InputPacket::ScrollSideways),
    ]
}

fn pointer() -> impl Strategy<Value = InputPacket> {
    let rotation = proptest::option::of(0..360_u16);
    let area = (share(), share()).prop_map(|(major, minor)| ContactArea { major, minor });
    let place = (share(), share(), share());
    let touch = (phase(), any::<u32>(), place, area.clone(), rotation.clone());
    let touch = touch.prop_map(|(phase, id, (x, y, pressure), area, rotation)| {
        InputPacket::Touch(Touch {
            phase,
            id,
            x,
            y,
            pressure_or_distance: pressure,
            area,
            rotation_degrees: rotation,
        })
    });
    let tool = proptest::sample::select(vec![PenTool::Unknown, PenTool::Pen, PenTool::Eraser]);
    let place = (share(), share(), share());
    let lean = (rotation, proptest::option::of(0..=90_u8));
    let pen = (phase(), tool, 0..8_u8, place, lean, area);
    let pen = pen.prop_map(|(phase, tool, buttons, (x, y, pressure), lean, area)| {
        InputPacket::Pen(Pen {
            phase,
            tool,
            buttons: PenButtons::from_bits(buttons),
            x,
            y,
            pressure_or_distance: pressure,
            rotation_degrees: lean.0,
            tilt_degrees: lean.1,
            area,
        })
    });
    prop_oneof![touch, pen]
}

fn controller() -> impl Strategy<Value = InputPacket> {
    let sticks = any::<(i16, i16, i16, i16)>();
    let state = (0..16_u8, any::<(u16, u32, u8, u8)>(), sticks);
    let state = state.prop_map(|(number, (plugged_in, buttons, left, right), sticks)| {
        InputPacket::Controller(ControllerState {
            number,
            plugged_in,
            buttons: Buttons::from_bits(buttons),
            left_trigger: left,
            right_trigger: right,
            left_x: sticks.0,
            left_y: sticks.1,
            right_x: sticks.2,
            right_y: sticks.3,
        })
    });
    let kind = proptest::sample::select(vec![
        ControllerKind::Unknown,
        ControllerKind::Xbox,
        ControllerKind::PlayStation,
        ControllerKind::Nintendo,
        ControllerKind::Steam,
    ]);
    let arrival = (0..16_u8, kind, any::<u16>(), any::<u32>());
    let arrival = arrival.prop_map(|(number, kind, capabilities, buttons)| {
        InputPacket::ControllerArrival(Arrival {
            number,
            kind,
            capabilities: Capabilities::from_bits(capabilities),
            buttons: Buttons::from_bits(buttons),
        })
    });
    prop_oneof![state, arrival, controller_senses()]
}

fn controller_senses() -> impl Strategy<Value = InputPacket> {
    let touch = (
        0..16_u8,
        phase(),
        any::<(u8, u32)>(),
        (share(), share(), share()),
    );
    let touch = touch.prop_map(|(number, phase, (touchpad, id), (x, y, pressure))| {
        InputPacket::ControllerTouch(ControllerTouch {
            number,
            phase,
            touchpad,
            id,
            x,
            y,
            pressure,
        })
    });
    let sensor = proptest::sample::select(vec![Sensor::Accelerometer, Sensor::Gyroscope]);
    let feels = -2000.0..2000.0_f32;
    let motion = (0..16_u8, sensor, feels.clone(), feels.clone(), feels);
    let motion = motion.prop_map(|(number, sensor, x, y, z)| {
        InputPacket::ControllerMotion(Motion {
            number,
            sensor,
            x,
            y,
            z,
        })
    });
    let state = proptest::sample::select(vec![
        BatteryState::Unknown,
        BatteryState::NotPresent,
        BatteryState::Discharging,
        BatteryState::Charging,
        BatteryState::NotCharging,
        BatteryState::Full,
    ]);
    let battery = (0..16_u8, state, proptest::option::of(0..=100_u8));
    let battery = battery.prop_map(|(number, state, percent)| {
        InputPacket::ControllerBattery(Battery {
            number,
            state,
            percent,
        })
    });
    prop_oneof![touch, motion, battery]
}

pub(crate) fn packet() -> impl Strategy<Value = InputPacket> {
    let text = any::<char>().prop_map(|char| Text::new(&char.to_string()).unwrap());
    prop_oneof![
        any::<bool>().prop_map(InputPacket::EnableHaptics),
        key().prop_map(InputPacket::KeyDown),
        key().prop_map(InputPacket::KeyUp),
        text.prop_map(InputPacket::Text),
        mouse(),
        pointer(),
        controller(),
    ]
}

proptest! {
    #[test]
    fn what_a_client_writes_is_read_as_it_was_meant(packet in packet()) {
        prop_assert_eq!(InputPacket::parse(&encode(&packet)).unwrap(), packet);
    }

    #[test]
    fn a_packet_of_another_length_is_refused(packet in packet(), more in 1..9_usize) {
        let bytes = encode(&packet);
        for cut in 0..bytes.len() {
            prop_assert!(InputPacket::parse(&bytes[..cut]).is_err());
        }
        if !matches!(packet, InputPacket::Text(_)) {
            let magic = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
            let longer = [&bytes[8..], &vec![0; more]].concat();
            prop_assert!(InputPacket::parse(&framed(magic, &longer)).is_err());
            let shorter = &bytes[8..bytes.len() - 1];
            prop_assert!(InputPacket::parse(&framed(magic, shorter)).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, magic in 0..0x20_u32, high: bool) {
        let _ = InputPacket::parse(&bytes);
        let magic = if high { 0x5500_0000 | magic } else { magic };
        if let Ok(packet) = InputPacket::parse(&framed(magic, &bytes)) {
            prop_assert!(Lane::of(&packet).is_none_or(|lane| lane.index() < Lane::COUNT));
        }
    }
}

/// The bytes, as `LiSendMouseMoveEvent` and others of InputStream.c put them together.
#[test]
fn bytes_of_the_official_client_are_read() {
    let read = |bytes: &[u8]| InputPacket::parse(bytes).unwrap();
    assert_eq!(
        read(&[0, 0, 0, 8, 7, 0, 0, 0, 0xff, 0xff, 0, 1]),
        InputPacket::MouseMove(RelativeMouse { dx: -1, dy: 1 })
    );
    let key = read(&[0, 0, 0, 10, 3, 0, 0, 0, 0, 0x41, 0x80, 0x03, 0, 0]);
    let InputPacket::KeyDown(key) = key else {
        panic!("{key:?}");
    };
    assert_eq!(key.virtual_key, 0x41);
    assert!(key.modifiers.shift() && key.modifiers.control());
    assert!(!key.modifiers.alt() && !key.modifiers.meta() && !key.by_letter);
    assert_eq!(
        read(&[0, 0, 0, 10, 0x0a, 0, 0, 0, 0xff, 0x88, 0xff, 0x88, 0, 0]),
        InputPacket::Scroll(-120)
    );
    let euro = read(&[0, 0, 0, 7, 0x17, 0, 0, 0, 0xe2, 0x82, 0xac]);
    let InputPacket::Text(text) = euro else {
        panic!("{euro:?}");
    };
    assert_eq!(text.as_str(), "€");
    assert!(!format!("{text:?}").contains('€'), "text is not printed");
}

#[test]
fn numbers_that_are_not_finite_are_refused_and_shares_are_kept_within_the_picture() {
    let touch = |x: f32| {
        let numbers = [x, 0.5, 0.0, 0.0, 0.0].map(f32::to_le_bytes).concat();
        let fields = [&[1, 0, 0, 0, 9, 0, 0, 0][..], &numbers].concat();
        InputPacket::parse(&framed(0x5500_0002, &fields))
    };
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(matches!(touch(bad), Err(Error::Malformed { .. })), "{bad}");
    }
    for (sent, taken) in [(1.001, 1.0), (-0.001, 0.0), (0.25, 0.25)] {
        let Ok(InputPacket::Touch(touch)) = touch(sent) else {
            panic!("{sent} was refused");
        };
        assert!((touch.x - taken).abs() < f32::EPSILON);
    }
}

#[test]
fn places_outside_the_picture_are_moved_to_its_edge() {
    let to = |numbers: [i16; 5]| {
        InputPacket::parse(&framed(0x05, &numbers.map(i16::to_be_bytes).concat()))
    };
    let Ok(InputPacket::MouseTo(place)) = to([-5, 2000, 0, 1919, 1079]) else {
        panic!("refused");
    };
    assert_eq!((place.x, place.y), (0, 1079));
    for empty in [[0, 0, 0, 0, 1079], [0, 0, 0, 1919, -1]] {
        assert!(to(empty).is_err(), "{empty:?}");
    }
}

#[test]
fn what_came_later_than_this_host_is_left_out() {
    for (magic, fields) in [
        (0x5500_0042, &[1, 2, 3][..]),
        (0x08, &[9]),
        (0x5500_0006, &[0, 7, 0, 0, 0, 0, 0, 0]),
    ] {
        let error = InputPacket::parse(&framed(magic, fields)).unwrap_err();
        assert!(error.is_ignorable(), "{magic:#x}: {error}");
    }
}

#[test]
fn the_seventeenth_controller_is_refused() {
    let battery = |number| InputPacket::parse(&framed(0x5500_0007, &[number, 2, 50, 0]));
    assert!(battery(15).is_ok());
    assert!(matches!(battery(16), Err(Error::Malformed { .. })));
}

#[test]
fn a_controller_whose_bit_is_gone_was_unplugged() {
    let state = |plugged_in| ControllerState {
        number: 3,
        plugged_in,
        buttons: Buttons::default(),
        left_trigger: 0,
        right_trigger: 0,
        left_x: 0,
        left_y: 0,
        right_x: 0,
        right_y: 0,
    };
    assert!(state(0b1000).is_plugged_in());
    assert!(!state(0b0111).is_plugged_in());
    let buttons = Buttons::from_bits(0x1011);
    assert!(buttons.has(Buttons::A) && buttons.has(Buttons::PLAY) && !buttons.has(Buttons::B));
    let caps = Capabilities::from_bits(0x32);
    assert!(caps.has(Capabilities::GYROSCOPE) && !caps.has(Capabilities::LED));
}

#[test]
fn lanes_do_not_share_places() {
    let lanes = [
        Lane::Keyboard,
        Lane::Mouse,
        Lane::Pen,
        Lane::Touch,
        Lane::Text,
    ];
    let pads = (0..16).flat_map(|number| [Lane::Controller(number), Lane::Sensors(number)]);
    let mut places: Vec<usize> = lanes.into_iter().chain(pads).map(Lane::index).collect();
    places.sort_unstable();
    assert_eq!(places, (0..Lane::COUNT).collect::<Vec<_>>());
}
