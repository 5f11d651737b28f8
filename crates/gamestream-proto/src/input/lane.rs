//! What has an order of its own: packets of one lane are sent over one reliable channel of the
//! client's, one after the other, and those of two lanes know nothing of each other.

use super::packet::InputPacket;

/// A lane (`CTRL_CHANNEL_*` in Limelight-internal.h), told from what a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Keys.
    Keyboard,
    /// The mouse, with its buttons and wheels.
    Mouse,
    /// The pen.
    Pen,
    /// Fingers.
    Touch,
    /// Text.
    Text,
    /// A controller.
    Controller(u8),
    /// What a controller feels.
    Sensors(u8),
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 5 + 2 * super::MAX_CONTROLLERS as usize;

    /// The lane of a packet; none when its order does not matter.
    #[must_use]
    pub const fn of(packet: &InputPacket) -> Option<Self> {
        Some(match packet {
            InputPacket::EnableHaptics(_) => return None,
            InputPacket::KeyDown(_) | InputPacket::KeyUp(_) => Self::Keyboard,
            InputPacket::MouseMove(_)
            | InputPacket::MouseTo(_)
            | InputPacket::MouseDown(_)
            | InputPacket::MouseUp(_)
            | InputPacket::Scroll(_)
            | InputPacket::ScrollSideways(_) => Self::Mouse,
            InputPacket::Pen(_) => Self::Pen,
            InputPacket::Touch(_) => Self::Touch,
            InputPacket::Text(_) => Self::Text,
            InputPacket::Controller(state) => Self::Controller(state.number),
            InputPacket::ControllerArrival(arrival) => Self::Controller(arrival.number),
            InputPacket::ControllerTouch(touch) => Self::Controller(touch.number),
            InputPacket::ControllerBattery(battery) => Self::Controller(battery.number),
            InputPacket::ControllerMotion(motion) => Self::Sensors(motion.number),
        })
    }

    /// A place for each, from 0 to [`Lane::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        const CONTROLLERS: usize = super::MAX_CONTROLLERS as usize;
        match self {
            Self::Keyboard => 0,
            Self::Mouse => 1,
            Self::Pen => 2,
            Self::Touch => 3,
            Self::Text => 4,
            Self::Controller(number) => 5 + number as usize % CONTROLLERS,
            Self::Sensors(number) => 5 + CONTROLLERS + number as usize % CONTROLLERS,
        }
    }
}
