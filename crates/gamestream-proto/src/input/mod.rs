//! Input as clients send it inside control messages: a size, a number that says what it is, and a
//! structure of a fixed length. It judges shapes and ranges; what may be done with it is decided
//! elsewhere.
//!
//! Numbers are little endian except where the client writes big endian, in mouse packets (Input.h,
//! InputStream.c). Floats are finite, or the packet is refused; those
//! with a range are clamped to it.

mod controller;
#[cfg(test)]
pub(crate) mod encode;
mod lane;
mod mouse;
mod packet;
mod pointer;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use controller::{
    Arrival, Battery, BatteryState, Buttons, Capabilities, ControllerKind, ControllerState,
    ControllerTouch, MAX_CONTROLLERS, Motion, Sensor,
};
pub use lane::Lane;
pub use mouse::{AbsoluteMouse, Key, Modifiers, MouseButton, RelativeMouse};
pub use packet::{InputPacket, MAX_TEXT_BYTES, Text};
pub use pointer::{ContactArea, Pen, PenButtons, PenTool, Touch, TouchPhase};
