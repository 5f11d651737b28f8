//! Mouse and keyboard.

use super::wire::{Fields, malformed};
use crate::Error;

/// The mouse has moved by so much, in the client's units of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeMouse {
    /// To the right.
    pub dx: i16,
    /// Down.
    pub dy: i16,
}

impl RelativeMouse {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            dx: fields.i16_be()?,
            dy: fields.i16_be()?,
        })
    }
}

/// The mouse is at a place of the client's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteMouse {
    /// From the left, 0 to `max_x`.
    pub x: u16,
    /// From the top, 0 to `max_y`.
    pub y: u16,
    /// The largest `x`, at least 1.
    pub max_x: u16,
    /// The largest `y`, at least 1.
    pub max_y: u16,
}

impl AbsoluteMouse {
    /// The client writes width and height less one, which is what the largest place is (InputStream.c,
    /// `inputSendThreadProc`). Places outside are moved to the edge.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let (x, y) = (fields.i16_be()?, fields.i16_be()?);
        fields.skip::<2>()?;
        let mut largest = || {
            let number = fields.i16_be()?;
            let number = u16::try_from(number).ok().filter(|number| *number > 0);
            number.ok_or_else(|| malformed("the picture it refers to has no area"))
        };
        let (max_x, max_y) = (largest()?, largest()?);
        let within = |place: i16, largest: u16| u16::try_from(place).unwrap_or(0).min(largest);
        Ok(Self {
            x: within(x, max_x),
            y: within(y, max_y),
            max_x,
            max_y,
        })
    }
}

/// A button of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MouseButton {
    /// The left one.
    Left,
    /// The wheel.
    Middle,
    /// The right one.
    Right,
    /// Back.
    X1,
    /// Forward.
    X2,
}

impl MouseButton {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        match fields.u8()? {
            1 => Ok(Self::Left),
            2 => Ok(Self::Middle),
            3 => Ok(Self::Right),
            4 => Ok(Self::X1),
            5 => Ok(Self::X2),
            other => Err(Error::Unknown {
                what: "mouse button",
                kind: other.into(),
            }),
        }
    }
}

/// Modifiers that are down on the client, besides the key itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers(u8);

impl Modifiers {
    /// From the bits on the wire; those without a meaning are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0xf)
    }

    /// Shift.
    #[must_use]
    pub const fn shift(self) -> bool {
        self.0 & 1 != 0
    }

    /// Control.
    #[must_use]
    pub const fn control(self) -> bool {
        self.0 & 2 != 0
    }

    /// Alt.
    #[must_use]
    pub const fn alt(self) -> bool {
        self.0 & 4 != 0
    }

    /// Windows, Command, Super.
    #[must_use]
    pub const fn meta(self) -> bool {
        self.0 & 8 != 0
    }
}

/// A key goes down or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The virtual key code of Windows, 0x01 to 0xfe. Unless the client says otherwise it names the
    /// place that the key has on a US keyboard.
    pub virtual_key: u8,
    /// What else is down.
    pub modifiers: Modifiers,
    /// Whether the code was taken from the client's own layout, and so names a letter, not a place
    /// (`SS_KBE_FLAG_NON_NORMALIZED` in Limelight.h).
    pub by_letter: bool,
}

impl Key {
    /// Clients set the upper byte to 0x80, which says nothing.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let flags = fields.u8()?;
        let [virtual_key, _] = fields.u16()?.to_le_bytes();
        let modifiers = Modifiers::from_bits(fields.u8()?);
        fields.skip::<2>()?;
        if virtual_key == 0 || virtual_key == 0xff {
            return Err(malformed("it names no key"));
        }
        Ok(Self {
            virtual_key,
            modifiers,
            by_letter: flags & 1 != 0,
        })
    }
}
