//! Fingers and pens on the client's screen.

use super::wire::Fields;
use crate::Error;

/// What a finger or a pen does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TouchPhase {
    /// It is above the surface.
    Hover,
    /// It has touched the surface.
    Down,
    /// It has left the surface.
    Up,
    /// It moves on the surface.
    Move,
    /// It was taken for a mistake.
    Cancel,
    /// Only its buttons have changed.
    ButtonOnly,
    /// It is no longer above the surface.
    HoverLeave,
    /// All were taken for mistakes.
    CancelAll,
}

impl TouchPhase {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        match fields.u8()? {
            0 => Ok(Self::Hover),
            1 => Ok(Self::Down),
            2 => Ok(Self::Up),
            3 => Ok(Self::Move),
            4 => Ok(Self::Cancel),
            5 => Ok(Self::ButtonOnly),
            6 => Ok(Self::HoverLeave),
            7 => Ok(Self::CancelAll),
            other => Err(Error::Unknown {
                what: "touch event",
                kind: other.into(),
            }),
        }
    }

    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Hover,
        Self::Down,
        Self::Up,
        Self::Move,
        Self::Cancel,
        Self::ButtonOnly,
        Self::HoverLeave,
        Self::CancelAll,
    ];
}

/// The ellipse in which something touches, as shares of the picture; 0 when it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContactArea {
    /// Its longer axis.
    pub major: f32,
    /// Its shorter axis.
    pub minor: f32,
}

impl ContactArea {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            major: fields.share()?,
            minor: fields.share()?,
        })
    }
}

/// Degrees, 0 to 359; 0xffff means that it is not known.
fn degrees(fields: &mut Fields<'_>) -> Result<Option<u16>, Error> {
    let degrees = fields.u16()?;
    Ok((degrees != 0xffff).then_some(degrees % 360))
}

/// A finger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// What it does.
    pub phase: TouchPhase,
    /// Which one, among those that touch now.
    pub id: u32,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// Pressure, or distance while it hovers, 0 to 1.
    pub pressure_or_distance: f32,
    /// Where it touches.
    pub area: ContactArea,
    /// Which way it points, in degrees.
    pub rotation_degrees: Option<u16>,
}

impl Touch {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let phase = TouchPhase::read(fields)?;
        fields.skip::<1>()?;
        let rotation_degrees = degrees(fields)?;
        Ok(Self {
            phase,
            rotation_degrees,
            id: fields.u32()?,
            x: fields.share()?,
            y: fields.share()?,
            pressure_or_distance: fields.share()?,
            area: ContactArea::read(fields)?,
        })
    }
}

/// Which end of a pen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PenTool {
    /// It does not say.
    #[default]
    Unknown,
    /// The tip.
    Pen,
    /// The eraser.
    Eraser,
}

/// Buttons of a pen that are down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PenButtons(u8);

impl PenButtons {
    /// From the bits on the wire; those without a meaning are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x7)
    }

    /// The first.
    #[must_use]
    pub const fn primary(self) -> bool {
        self.0 & 1 != 0
    }

    /// The second.
    #[must_use]
    pub const fn secondary(self) -> bool {
        self.0 & 2 != 0
    }

    /// The third.
    #[must_use]
    pub const fn tertiary(self) -> bool {
        self.0 & 4 != 0
    }
}

/// A pen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    /// What it does.
    pub phase: TouchPhase,
    /// Which end of it.
    pub tool: PenTool,
    /// Its buttons.
    pub buttons: PenButtons,
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the top, 0 to 1.
    pub y: f32,
    /// Pressure, or distance while it hovers, 0 to 1.
    pub pressure_or_distance: f32,
    /// Which way it leans, in degrees.
    pub rotation_degrees: Option<u16>,
    /// How far it leans from upright, in degrees, 0 to 90.
    pub tilt_degrees: Option<u8>,
    /// Where it touches.
    pub area: ContactArea,
}

impl Pen {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let phase = TouchPhase::read(fields)?;
        let tool = match fields.u8()? {
            1 => PenTool::Pen,
            2 => PenTool::Eraser,
            _ => PenTool::Unknown,
        };
        let buttons = PenButtons::from_bits(fields.u8()?);
        fields.skip::<1>()?;
        let (x, y) = (fields.share()?, fields.share()?);
        let pressure_or_distance = fields.share()?;
        let rotation_degrees = degrees(fields)?;
        let tilt_degrees = match fields.u8()? {
            0xff => None,
            tilt => Some(tilt.min(90)),
        };
        fields.skip::<1>()?;
        Ok(Self {
            phase,
            tool,
            buttons,
            x,
            y,
            pressure_or_distance,
            rotation_degrees,
            tilt_degrees,
            area: ContactArea::read(fields)?,
        })
    }
}
