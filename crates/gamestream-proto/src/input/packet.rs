//! Every packet a client may send, told apart by its number and read to its last byte.

use super::controller::{Arrival, Battery, ControllerState, ControllerTouch, Motion};
use super::mouse::{AbsoluteMouse, Key, MouseButton, RelativeMouse};
use super::pointer::{Pen, Touch};
use super::wire::{Fields, malformed};
use crate::Error;
use std::fmt;

/// The most text in one packet; official clients send one character each.
pub const MAX_TEXT_BYTES: usize = 32;

/// Text to be typed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; MAX_TEXT_BYTES],
    len: u8,
}

impl Text {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let rest = fields.rest();
        let text = std::str::from_utf8(rest).map_err(|_| malformed("its text is not UTF-8"))?;
        Self::new(text).ok_or_else(|| malformed("its text is empty or too long"))
    }

    /// A text of 1 to [`MAX_TEXT_BYTES`] bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; MAX_TEXT_BYTES];
        let len = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self { bytes, len })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.len)];
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    /// What people type is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len)
    }
}

/// One packet of input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InputPacket {
    /// The client wants to hear of rumble; the first packet of all.
    EnableHaptics(bool),
    /// A key went down, or repeats.
    KeyDown(Key),
    /// A key went up.
    KeyUp(Key),
    /// Text to be typed.
    Text(Text),
    /// The mouse moved.
    MouseMove(RelativeMouse),
    /// The mouse is at a place.
    MouseTo(AbsoluteMouse),
    /// A button of the mouse went down.
    MouseDown(MouseButton),
    /// A button of the mouse went up.
    MouseUp(MouseButton),
    /// The wheel turned away from the person, 120 a notch.
    Scroll(i16),
    /// The wheel was pushed to the right, 120 a notch.
    ScrollSideways(i16),
    /// A finger.
    Touch(Touch),
    /// A pen.
    Pen(Pen),
    /// A controller's state.
    Controller(ControllerState),
    /// A controller was plugged in.
    ControllerArrival(Arrival),
    /// A finger on a controller's touchpad.
    ControllerTouch(ControllerTouch),
    /// What a controller feels.
    ControllerMotion(Motion),
    /// A controller's battery.
    ControllerBattery(Battery),
}

impl InputPacket {
    /// Reads the payload of an input message.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what no client sends; [`Error::Unknown`] for a packet, or a kind of
    /// event in it, that came later than this host and can be left out.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(payload);
        let size = fields.u32_be()?;
        if usize::try_from(size).ok() != payload.len().checked_sub(4) {
            return Err(malformed("its size is not what it says"));
        }
        let magic = fields.u32()?;
        let packet = Self::read(magic, &mut fields)?;
        fields.end()?;
        Ok(packet)
    }

    /// Numbers as generation 5 and later have them (Input.h).
    fn read(magic: u32, fields: &mut Fields<'_>) -> Result<Self, Error> {
        match magic {
            0x03 => Key::read(fields).map(Self::KeyDown),
            0x04 => Key::read(fields).map(Self::KeyUp),
            0x05 => AbsoluteMouse::read(fields).map(Self::MouseTo),
            0x07 => RelativeMouse::read(fields).map(Self::MouseMove),
            0x08 => MouseButton::read(fields).map(Self::MouseDown),
            0x09 => MouseButton::read(fields).map(Self::MouseUp),
            0x0a => {
                let amount = fields.i16_be()?;
                fields.skip::<4>()?;
                Ok(Self::Scroll(amount))
            }
            0x0c => ControllerState::read(fields).map(Self::Controller),
            0x0d => Ok(Self::EnableHaptics(fields.u16()? != 0)),
            0x17 => Text::read(fields).map(Self::Text),
            0x5500_0001 => fields.i16_be().map(Self::ScrollSideways),
            0x5500_0002 => Touch::read(fields).map(Self::Touch),
            0x5500_0003 => Pen::read(fields).map(Self::Pen),
            0x5500_0004 => Arrival::read(fields).map(Self::ControllerArrival),
            0x5500_0005 => ControllerTouch::read(fields).map(Self::ControllerTouch),
            0x5500_0006 => Motion::read(fields).map(Self::ControllerMotion),
            0x5500_0007 => Battery::read(fields).map(Self::ControllerBattery),
            other => Err(Error::Unknown {
                what: "input packet",
                kind: other,
            }),
        }
    }
}
