//! Game controllers: up to sixteen, with what they can do and what they feel.

use super::pointer::TouchPhase;
use super::wire::{Fields, malformed};
use crate::Error;

/// The most controllers of one client: one for each bit of the mask.
pub const MAX_CONTROLLERS: u8 = 16;

/// Reads the number of a controller.
fn number(number: u16) -> Result<u8, Error> {
    let number = u8::try_from(number).ok();
    let number = number.filter(|number| *number < MAX_CONTROLLERS);
    number.ok_or_else(|| malformed("there are sixteen controllers at most"))
}

/// Buttons that are down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Buttons(u32);

impl Buttons {
    /// Up on the directional pad.
    pub const UP: Self = Self(0x1);
    /// Down on the directional pad.
    pub const DOWN: Self = Self(0x2);
    /// Left on the directional pad.
    pub const LEFT: Self = Self(0x4);
    /// Right on the directional pad.
    pub const RIGHT: Self = Self(0x8);
    /// Start, options, plus.
    pub const PLAY: Self = Self(0x10);
    /// Back, share, minus.
    pub const BACK: Self = Self(0x20);
    /// The left stick, pressed.
    pub const LEFT_STICK: Self = Self(0x40);
    /// The right stick, pressed.
    pub const RIGHT_STICK: Self = Self(0x80);
    /// The left shoulder.
    pub const LEFT_SHOULDER: Self = Self(0x100);
    /// The right shoulder.
    pub const RIGHT_SHOULDER: Self = Self(0x200);
    /// The button with the maker's sign.
    pub const SPECIAL: Self = Self(0x400);
    /// The lower face button.
    pub const A: Self = Self(0x1000);
    /// The right face button.
    pub const B: Self = Self(0x2000);
    /// The left face button.
    pub const X: Self = Self(0x4000);
    /// The upper face button.
    pub const Y: Self = Self(0x8000);
    /// The first paddle.
    pub const PADDLE1: Self = Self(0x1_0000);
    /// The second paddle.
    pub const PADDLE2: Self = Self(0x2_0000);
    /// The third paddle.
    pub const PADDLE3: Self = Self(0x4_0000);
    /// The fourth paddle.
    pub const PADDLE4: Self = Self(0x8_0000);
    /// The touchpad, pressed.
    pub const TOUCHPAD: Self = Self(0x10_0000);
    /// Share, microphone, capture, mute.
    pub const MISC: Self = Self(0x20_0000);

    /// From the bits on the wire.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of these are down.
    #[must_use]
    pub const fn has(self, buttons: Self) -> bool {
        self.0 & buttons.0 == buttons.0
    }
}

/// The whole state of one controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerState {
    /// Which one, 0 to 15.
    pub number: u8,
    /// Which are plugged in, a bit each; the one it is about may be among those that are not any more.
    pub plugged_in: u16,
    /// Its buttons.
    pub buttons: Buttons,
    /// 0 to 255.
    pub left_trigger: u8,
    /// 0 to 255.
    pub right_trigger: u8,
    /// Right is positive.
    pub left_x: i16,
    /// Up is positive.
    pub left_y: i16,
    /// Right is positive.
    pub right_x: i16,
    /// Up is positive.
    pub right_y: i16,
}

impl ControllerState {
    /// Whether the controller it is about is plugged in.
    #[must_use]
    pub const fn is_plugged_in(&self) -> bool {
        self.plugged_in >> self.number & 1 != 0
    }

    /// Constants stand between the fields; nobody looks at them (input.cpp of Sunshine).
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        fields.skip::<2>()?;
        let number = number(fields.u16()?)?;
        let plugged_in = fields.u16()?;
        fields.skip::<2>()?;
        let low = fields.u16()?;
        let (left_trigger, right_trigger) = (fields.u8()?, fields.u8()?);
        let (left_x, left_y) = (fields.i16()?, fields.i16()?);
        let (right_x, right_y) = (fields.i16()?, fields.i16()?);
        fields.skip::<2>()?;
        let high = fields.u16()?;
        fields.skip::<2>()?;
        Ok(Self {
            number,
            plugged_in,
            buttons: Buttons(u32::from(high) << 16 | u32::from(low)),
            left_trigger,
            right_trigger,
            left_x,
            left_y,
            right_x,
            right_y,
        })
    }
}

/// What a controller is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ControllerKind {
    /// It does not say, or one of a kind that came later.
    #[default]
    Unknown,
    /// Of the Xbox family.
    Xbox,
    /// Of the PlayStation family.
    PlayStation,
    /// Of Nintendo's.
    Nintendo,
    /// Of Valve's.
    Steam,
}

impl ControllerKind {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Xbox,
            2 => Self::PlayStation,
            3 => Self::Nintendo,
            4 => Self::Steam,
            _ => Self::Unknown,
        }
    }
}

/// What a controller can do (`LI_CCAP_*` in Limelight.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// Triggers report how far they are pulled.
    pub const ANALOG_TRIGGERS: Self = Self(0x1);
    /// It rumbles.
    pub const RUMBLE: Self = Self(0x2);
    /// Its triggers rumble.
    pub const TRIGGER_RUMBLE: Self = Self(0x4);
    /// It has a touchpad.
    pub const TOUCHPAD: Self = Self(0x8);
    /// It feels acceleration.
    pub const ACCELEROMETER: Self = Self(0x10);
    /// It feels rotation.
    pub const GYROSCOPE: Self = Self(0x20);
    /// It knows its battery.
    pub const BATTERY: Self = Self(0x40);
    /// It has a coloured light.
    pub const LED: Self = Self(0x80);
    /// It has a second touchpad.
    pub const SECOND_TOUCHPAD: Self = Self(0x100);

    /// From the bits on the wire.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether it can do all of these.
    #[must_use]
    pub const fn has(self, capabilities: Self) -> bool {
        self.0 & capabilities.0 == capabilities.0
    }
}

/// A controller was plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which one, 0 to 15.
    pub number: u8,
    /// What it is.
    pub kind: ControllerKind,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The buttons it has.
    pub buttons: Buttons,
}

impl Arrival {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            number: number(fields.u8()?.into())?,
            kind: ControllerKind::from_byte(fields.u8()?),
            capabilities: Capabilities(fields.u16()?),
            buttons: Buttons(fields.u32()?),
        })
    }
}

/// A finger on a controller's touchpad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerTouch {
    /// Which controller, 0 to 15.
    pub number: u8,
    /// What it does.
    pub phase: TouchPhase,
    /// Which touchpad: 0, or 1 where there are two.
    pub touchpad: u8,
    /// Which finger.
    pub id: u32,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// 0 to 1.
    pub pressure: f32,
}

impl ControllerTouch {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let number = number(fields.u8()?.into())?;
        let phase = TouchPhase::read(fields)?;
        fields.skip::<1>()?;
        Ok(Self {
            number,
            phase,
            touchpad: fields.u8()?,
            id: fields.u32()?,
            x: fields.share()?,
            y: fields.share()?,
            pressure: fields.share()?,
        })
    }
}

/// What a controller feels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sensor {
    /// In metres per second squared, gravity included.
    Accelerometer,
    /// In degrees a second.
    Gyroscope,
}

impl Sensor {
    /// Its number on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Accelerometer => 1,
            Self::Gyroscope => 2,
        }
    }
}

/// What a controller feels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// Which controller, 0 to 15.
    pub number: u8,
    /// With what.
    pub sensor: Sensor,
    /// To the right, or around that axis.
    pub x: f32,
    /// Up, or around that axis.
    pub y: f32,
    /// Towards the person, or around that axis.
    pub z: f32,
}

impl Motion {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let number = number(fields.u8()?.into())?;
        let sensor = match fields.u8()? {
            1 => Sensor::Accelerometer,
            2 => Sensor::Gyroscope,
            other => {
                return Err(Error::Unknown {
                    what: "sensor",
                    kind: other.into(),
                });
            }
        };
        fields.skip::<2>()?;
        Ok(Self {
            number,
            sensor,
            x: fields.f32()?,
            y: fields.f32()?,
            z: fields.f32()?,
        })
    }
}

/// What a battery does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BatteryState {
    /// It does not say.
    #[default]
    Unknown,
    /// There is none.
    NotPresent,
    /// It is being used up.
    Discharging,
    /// It is being charged.
    Charging,
    /// It has power from outside and is not charged.
    NotCharging,
    /// It is full.
    Full,
}

/// A controller's battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Battery {
    /// Which controller, 0 to 15.
    pub number: u8,
    /// What it does.
    pub state: BatteryState,
    /// 0 to 100.
    pub percent: Option<u8>,
}

impl Battery {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let number = number(fields.u8()?.into())?;
        let state = match fields.u8()? {
            1 => BatteryState::NotPresent,
            2 => BatteryState::Discharging,
            3 => BatteryState::Charging,
            4 => BatteryState::NotCharging,
            5 => BatteryState::Full,
            _ => BatteryState::Unknown,
        };
        let percent = match fields.u8()? {
            0xff => None,
            percent => Some(percent.min(100)),
        };
        fields.skip::<1>()?;
        Ok(Self {
            number,
            state,
            percent,
        })
    }
}
