//! Controllers: which are plugged in, how each stands, and what it is told. Clients say with every state
//! which ones there are; a controller that only appears in states is introduced as one of unknown make.

use gamestream_proto::control::{
    AdaptiveTriggers, HostMessage, Led, MotionRequest, Rumble, TriggerEffect, TriggerRumble,
};
use gamestream_proto::input::{
    Arrival, Battery, BatteryState, Buttons, Capabilities, ControllerKind, ControllerState,
    ControllerTouch, Motion, Sensor, TouchPhase,
};
use input::{Feedback, InputEvent, MotionKind, PadCapabilities, PadEvent, PadKind, PadState};

use super::pointing::{phase, share};

/// Controllers that a client may have.
const CONTROLLERS: u8 = 16;
/// What it means for a DualSense to be told about its right trigger, or its left one.
const TELLS_RIGHT: u8 = 1 << 2;
const TELLS_LEFT: u8 = 1 << 3;

/// Bits of the protocol and of the host for the same button. Triggers are no buttons there.
const BUTTONS: [(Buttons, u32); 21] = [
    (Buttons::A, PadState::SOUTH),
    (Buttons::B, PadState::EAST),
    (Buttons::X, PadState::WEST),
    (Buttons::Y, PadState::NORTH),
    (Buttons::LEFT_SHOULDER, PadState::LEFT_BUMPER),
    (Buttons::RIGHT_SHOULDER, PadState::RIGHT_BUMPER),
    (Buttons::BACK, PadState::BACK),
    (Buttons::PLAY, PadState::START),
    (Buttons::LEFT_STICK, PadState::LEFT_STICK),
    (Buttons::RIGHT_STICK, PadState::RIGHT_STICK),
    (Buttons::UP, PadState::UP),
    (Buttons::DOWN, PadState::DOWN),
    (Buttons::LEFT, PadState::LEFT),
    (Buttons::RIGHT, PadState::RIGHT),
    (Buttons::SPECIAL, PadState::GUIDE),
    (Buttons::MISC, PadState::MISC),
    (Buttons::PADDLE1, PadState::PADDLES[0]),
    (Buttons::PADDLE2, PadState::PADDLES[1]),
    (Buttons::PADDLE3, PadState::PADDLES[2]),
    (Buttons::PADDLE4, PadState::PADDLES[3]),
    (Buttons::TOUCHPAD, PadState::TOUCHPAD),
];

/// The controllers of one client.
#[derive(Debug, Default)]
pub(super) struct Pads {
    /// Bit i: controller i was introduced.
    present: u16,
}

impl Pads {
    pub(super) fn arrived(&mut self, arrival: &Arrival, each: &mut dyn FnMut(InputEvent)) {
        self.introduce(arrival.number, arrival.kind, arrival.capabilities, each);
    }

    fn introduce(
        &mut self,
        index: u8,
        kind: ControllerKind,
        capabilities: Capabilities,
        each: &mut dyn FnMut(InputEvent),
    ) {
        if self.has(index) {
            return;
        }
        self.present |= 1 << index;
        each(InputEvent::Pad(PadEvent::Connected {
            index,
            name: name(kind).to_owned(),
            kind: made_by(kind),
            capabilities: able(capabilities),
        }));
    }

    const fn has(&self, index: u8) -> bool {
        self.present >> index & 1 != 0
    }

    /// A state says which others are there too: those that are not have been unplugged.
    pub(super) fn state(&mut self, state: &ControllerState, each: &mut dyn FnMut(InputEvent)) {
        for index in (0..CONTROLLERS).filter(|index| state.plugged_in >> index & 1 == 0) {
            if self.has(index) {
                self.present &= !(1 << index);
                each(InputEvent::Pad(PadEvent::Gone { index }));
            }
        }
        if !state.is_plugged_in() {
            return;
        }
        let plain = Capabilities::from_bits(
            Capabilities::ANALOG_TRIGGERS.bits() | Capabilities::RUMBLE.bits(),
        );
        self.introduce(state.number, ControllerKind::Unknown, plain, each);
        each(InputEvent::Pad(PadEvent::State {
            index: state.number,
            state: standing(state),
        }));
    }

    pub(super) fn moved(&self, motion: &Motion, each: &mut dyn FnMut(InputEvent)) {
        let Motion {
            number,
            sensor,
            x,
            y,
            z,
        } = *motion;
        self.tell(number, each, || PadEvent::Motion {
            index: number,
            kind: match sensor {
                Sensor::Accelerometer => MotionKind::Accelerometer,
                Sensor::Gyroscope => MotionKind::Gyroscope,
            },
            x,
            y,
            z,
        });
    }

    pub(super) fn battery(&self, battery: &Battery, each: &mut dyn FnMut(InputEvent)) {
        self.tell(battery.number, each, || PadEvent::Battery {
            index: battery.number,
            state: match battery.state {
                BatteryState::Unknown => input::BatteryState::Unknown,
                BatteryState::NotPresent => input::BatteryState::NotPresent,
                BatteryState::Discharging => input::BatteryState::Discharging,
                BatteryState::Charging => input::BatteryState::Charging,
                BatteryState::NotCharging => input::BatteryState::NotCharging,
                BatteryState::Full => input::BatteryState::Full,
            },
            percent: battery.percent,
        });
    }

    pub(super) fn touched(&self, touch: &ControllerTouch, each: &mut dyn FnMut(InputEvent)) {
        let Some(phase) = phase(touch.phase) else {
            return;
        };
        let touches = matches!(touch.phase, TouchPhase::Down | TouchPhase::Move);
        self.tell(touch.number, each, || PadEvent::Touchpad {
            index: touch.number,
            pad: touch.touchpad,
            finger: touch.id,
            phase,
            x: share(touch.x),
            y: share(touch.y),
            pressure: touches.then(|| share(touch.pressure)),
        });
    }

    /// What comes of a controller that was not introduced means nothing.
    fn tell(&self, index: u8, each: &mut dyn FnMut(InputEvent), event: impl FnOnce() -> PadEvent) {
        if self.has(index) {
            each(InputEvent::Pad(event()));
        }
    }
}

fn standing(state: &ControllerState) -> PadState {
    let pressed = BUTTONS.iter().filter(|(here, _)| state.buttons.has(*here));
    // Up is positive there and negative here.
    let turned = |axis: i16| axis.saturating_neg();
    PadState {
        buttons: pressed.fold(0, |all, (_, there)| all | there),
        left_trigger: state.left_trigger,
        right_trigger: state.right_trigger,
        axes: [
            state.left_x,
            turned(state.left_y),
            state.right_x,
            turned(state.right_y),
        ],
    }
}

const fn name(kind: ControllerKind) -> &'static str {
    match kind {
        ControllerKind::Unknown => "Moonlight controller",
        ControllerKind::Xbox => "Moonlight Xbox controller",
        ControllerKind::PlayStation => "Moonlight PlayStation controller",
        ControllerKind::Nintendo => "Moonlight Nintendo controller",
        ControllerKind::Steam => "Moonlight Steam controller",
    }
}

const fn made_by(kind: ControllerKind) -> PadKind {
    match kind {
        ControllerKind::Unknown => PadKind::Unknown,
        ControllerKind::Xbox => PadKind::Xbox,
        ControllerKind::PlayStation => PadKind::PlayStation,
        ControllerKind::Nintendo => PadKind::Nintendo,
        ControllerKind::Steam => PadKind::Steam,
    }
}

const fn able(capabilities: Capabilities) -> PadCapabilities {
    PadCapabilities {
        analog_triggers: capabilities.has(Capabilities::ANALOG_TRIGGERS),
        rumble: capabilities.has(Capabilities::RUMBLE),
        trigger_rumble: capabilities.has(Capabilities::TRIGGER_RUMBLE),
        touchpad: capabilities.has(Capabilities::TOUCHPAD),
        second_touchpad: capabilities.has(Capabilities::SECOND_TOUCHPAD),
        accelerometer: capabilities.has(Capabilities::ACCELEROMETER),
        gyroscope: capabilities.has(Capabilities::GYROSCOPE),
        battery: capabilities.has(Capabilities::BATTERY),
        rgb_led: capabilities.has(Capabilities::LED),
    }
}

/// What a controller is told; nothing where a client knows no such thing.
pub(super) fn told(feedback: Feedback) -> Option<HostMessage> {
    Some(match feedback {
        Feedback::Rumble {
            index,
            strong,
            weak,
            ..
        } => HostMessage::Rumble(Rumble {
            number: index,
            low: strong,
            high: weak,
        }),
        Feedback::TriggerRumble { index, left, right } => {
            HostMessage::TriggerRumble(TriggerRumble {
                number: index,
                left,
                right,
            })
        }
        Feedback::Led { index, rgb } => HostMessage::Led(Led { number: index, rgb }),
        Feedback::MotionRate { index, kind, hz } => HostMessage::MotionRequest(MotionRequest {
            number: index,
            sensor: match kind {
                MotionKind::Accelerometer => Sensor::Accelerometer,
                MotionKind::Gyroscope => Sensor::Gyroscope,
            },
            rate_hz: hz,
        }),
        Feedback::AdaptiveTriggers {
            index,
            flags,
            left,
            right,
        } => HostMessage::AdaptiveTriggers(AdaptiveTriggers {
            number: index,
            left: (flags & TELLS_LEFT != 0).then(|| effect(left)),
            right: (flags & TELLS_RIGHT != 0).then(|| effect(right)),
        }),
        Feedback::KeyboardLeds { .. } => return None,
    })
}

const fn effect(effect: input::TriggerEffect) -> TriggerEffect {
    TriggerEffect {
        kind: effect.kind,
        parameters: effect.parameters,
    }
}
