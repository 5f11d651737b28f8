//! The messages of the page's input channels, as bytes and as values.
//!
//! Owns every offset and limit of the format; refuses whatever is longer, shorter or unknown, and
//! knows nothing of what was sent before.

use crate::error::InputError;
use crate::event::{Button, MAX_TEXT_BYTES, PadState, TouchPhase};
use crate::injector::Feedback;
use crate::key::KeyCode;
use std::str::from_utf8;

/// Longest `code` of a key.
pub const MAX_CODE_BYTES: usize = 32;
/// Longest name of a pad.
pub const MAX_PAD_NAME_BYTES: usize = 128;
/// Pads that a page numbers: 0..=15.
pub const MAX_PADS: u8 = 16;

const KEY: u8 = 0x01;
const TEXT: u8 = 0x02;
const BUTTON: u8 = 0x03;
const WHEEL: u8 = 0x04;
const RELEASE_ALL: u8 = 0x05;
const TOUCH: u8 = 0x06;
const PAD_CONNECTED: u8 = 0x07;
const PAD_GONE: u8 = 0x08;
const MOVE_TO: u8 = 0x10;
const MOVE_BY: u8 = 0x11;
const HELD: u8 = 0x12;
const PAD_STATE: u8 = 0x13;
const RUMBLE: u8 = 0x80;
const KEYBOARD_LEDS: u8 = 0x81;
const TRIGGER_RUMBLE: u8 = 0x82;

/// A message on the channel `input`, which is ordered and reliable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reliable {
    /// A key goes down or up.
    Key {
        /// Number of the message, one up with each key and button.
        seq: u16,
        /// Which; `None` for a `code` that no key of the table has.
        code: Option<KeyCode>,
        /// Down, else up.
        down: bool,
    },
    /// Text to type.
    Text(String),
    /// A button goes down or up.
    Button {
        /// Number of the message, in the series of the keys.
        seq: u16,
        /// Which; `None` for one that no mouse of ours has.
        button: Option<Button>,
        /// Down, else up.
        down: bool,
        /// Where, unless the pointer is locked.
        place: Option<[u16; 2]>,
    },
    /// The wheel turns, in 1/120 of a notch.
    Wheel {
        /// To the right.
        dx: i16,
        /// Downwards.
        dy: i16,
    },
    /// The page can no longer see what is held.
    ReleaseAll,
    /// A finger.
    Touch {
        /// Tells fingers apart.
        id: u8,
        /// What it does.
        phase: TouchPhase,
        /// Where.
        place: [u16; 2],
    },
    /// A pad is there.
    PadConnected {
        /// Tells pads apart.
        index: u8,
        /// As the browser calls it.
        name: String,
    },
    /// A pad is gone.
    PadGone {
        /// Which.
        index: u8,
    },
}

/// A message on the channel `motion`, where messages are lost and overtake each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Motion {
    /// The pointer is at a place.
    MoveTo {
        /// Number of the message among the movements.
        seq: u16,
        /// Where.
        place: [u16; 2],
    },
    /// The pointer has moved by so much since the page began.
    MoveBy {
        /// Number of the message among the movements.
        seq: u16,
        /// To the right and downwards, wrapping.
        total: [i32; 2],
    },
    /// What is held at the page.
    Held {
        /// Number of the last key or button message that was sent.
        last_seq: u16,
        /// Numbers of the messages whose key or button is down still.
        seqs: Vec<u16>,
    },
    /// How a pad stands.
    PadState {
        /// Which.
        index: u8,
        /// Number of the message among those of the pad.
        seq: u16,
        /// All of it.
        state: PadState,
    },
}

/// The rest of a message, taken from its front.
struct Reader<'a>(&'a [u8]);

const SHORT: InputError = InputError::Malformed {
    why: "it ends too soon",
};

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], InputError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, InputError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, InputError> {
        self.take().map(u16::from_be_bytes)
    }

    fn i16(&mut self) -> Result<i16, InputError> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, InputError> {
        self.take().map(i32::from_be_bytes)
    }

    fn place(&mut self) -> Result<[u16; 2], InputError> {
        Ok([self.u16()?, self.u16()?])
    }

    fn flag(&mut self) -> Result<bool, InputError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(malformed("a flag is neither 0 nor 1")),
        }
    }

    fn pad(&mut self) -> Result<u8, InputError> {
        match self.u8()? {
            index if index < MAX_PADS => Ok(index),
            _ => Err(malformed("pads are numbered 0 to 15")),
        }
    }

    /// Everything that is left, as text of at most `limit` bytes.
    fn text(&mut self, limit: usize) -> Result<&'a str, InputError> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.len() > limit {
            let bytes = bytes.len();
            return Err(InputError::TooLong { bytes, limit });
        }
        from_utf8(bytes).map_err(|_| malformed("its text is not UTF-8"))
    }

    fn end<T>(self, value: T) -> Result<T, InputError> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(malformed("it goes on after its end")),
        }
    }
}

const fn malformed(why: &'static str) -> InputError {
    InputError::Malformed { why }
}

/// Reads a message of the channel `input`.
///
/// # Errors
/// [`InputError::Malformed`] or [`InputError::TooLong`].
pub fn reliable(bytes: &[u8]) -> Result<Reliable, InputError> {
    let mut rest = Reader(bytes);
    let message = match rest.u8()? {
        KEY => {
            let (seq, down) = (rest.u16()?, rest.flag()?);
            let code = rest.text(MAX_CODE_BYTES)?;
            if code.is_empty() {
                return Err(SHORT);
            }
            let code = KeyCode::from_code(code);
            Reliable::Key { seq, code, down }
        }
        TEXT => Reliable::Text(rest.text(MAX_TEXT_BYTES)?.to_owned()),
        BUTTON => {
            let (seq, down, button) = (rest.u16()?, rest.flag()?, rest.u8()?);
            let (has_place, place) = (rest.flag()?, rest.place()?);
            Reliable::Button {
                seq,
                button: Button::from_dom(button),
                down,
                place: has_place.then_some(place),
            }
        }
        WHEEL => Reliable::Wheel {
            dx: rest.i16()?,
            dy: rest.i16()?,
        },
        RELEASE_ALL => Reliable::ReleaseAll,
        TOUCH => {
            let phase = match rest.u8()? {
                0 => TouchPhase::Start,
                1 => TouchPhase::Move,
                2 => TouchPhase::End,
                3 => TouchPhase::Cancel,
                _ => return Err(malformed("a finger does nothing of that number")),
            };
            let (id, place) = (rest.u8()?, rest.place()?);
            Reliable::Touch { id, phase, place }
        }
        PAD_CONNECTED => Reliable::PadConnected {
            index: rest.pad()?,
            name: rest.text(MAX_PAD_NAME_BYTES)?.to_owned(),
        },
        PAD_GONE => Reliable::PadGone { index: rest.pad()? },
        _ => return Err(malformed("no message of `input` begins so")),
    };
    rest.end(message)
}

/// Reads a message of the channel `motion`.
///
/// # Errors
/// [`InputError::Malformed`].
pub fn motion(bytes: &[u8]) -> Result<Motion, InputError> {
    let mut rest = Reader(bytes);
    let message = match rest.u8()? {
        MOVE_TO => Motion::MoveTo {
            seq: rest.u16()?,
            place: rest.place()?,
        },
        MOVE_BY => Motion::MoveBy {
            seq: rest.u16()?,
            total: [rest.i32()?, rest.i32()?],
        },
        HELD => {
            let (last_seq, count) = (rest.u16()?, rest.u8()?);
            let seqs: Result<_, _> = (0..count).map(|_| rest.u16()).collect();
            let seqs = seqs?;
            Motion::Held { last_seq, seqs }
        }
        PAD_STATE => {
            let (index, seq) = (rest.pad()?, rest.u16()?);
            let buttons = rest.take().map(u32::from_be_bytes)?;
            let (left_trigger, right_trigger) = (rest.u8()?, rest.u8()?);
            let axes = [rest.i16()?, rest.i16()?, rest.i16()?, rest.i16()?];
            let state = PadState {
                buttons,
                left_trigger,
                right_trigger,
                axes,
            };
            Motion::PadState { index, seq, state }
        }
        _ => return Err(malformed("no message of `motion` begins so")),
    };
    rest.end(message)
}

/// The message for the page, on its channel `input`; `None` for what no browser can do to a pad.
#[must_use]
pub fn feedback(feedback: Feedback) -> Option<Vec<u8>> {
    let numbers = |kind: u8, index: u8, numbers: &[u16]| {
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        Some([kind, index].into_iter().chain(numbers).collect())
    };
    match feedback {
        Feedback::Rumble {
            index,
            strong,
            weak,
            duration_ms,
        } => numbers(RUMBLE, index, &[strong, weak, duration_ms]),
        Feedback::TriggerRumble { index, left, right } => {
            numbers(TRIGGER_RUMBLE, index, &[left, right])
        }
        Feedback::KeyboardLeds { bits } => Some(vec![KEYBOARD_LEDS, bits]),
        Feedback::Led { .. } | Feedback::MotionRate { .. } | Feedback::AdaptiveTriggers { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: &str) -> Option<KeyCode> {
        KeyCode::from_code(code)
    }

    #[test]
    fn each_reliable_message_reads_as_it_is_laid_out() {
        let cases: [(&[u8], Reliable); 9] = [
            (
                b"\x01\x12\x34\x01KeyA",
                Reliable::Key {
                    seq: 0x1234,
                    code: key("KeyA"),
                    down: true,
                },
            ),
            (
                b"\x01\xff\xff\x00Unidentified",
                Reliable::Key {
                    seq: 0xffff,
                    code: None,
                    down: false,
                },
            ),
            ("\x02é🙂".as_bytes(), Reliable::Text("é🙂".into())),
            (
                b"\x03\x00\x02\x01\x03\x01\x00\x10\xff\xff",
                Reliable::Button {
                    seq: 2,
                    button: Some(Button::Back),
                    down: true,
                    place: Some([16, 65535]),
                },
            ),
            (
                b"\x03\x00\x02\x00\x09\x00\x00\x10\xff\xff",
                Reliable::Button {
                    seq: 2,
                    button: None,
                    down: false,
                    place: None,
                },
            ),
            (
                b"\x04\xff\x88\x00\x78",
                Reliable::Wheel { dx: -120, dy: 120 },
            ),
            (b"\x05", Reliable::ReleaseAll),
            (
                b"\x06\x02\x07\x00\x01\x00\x02",
                Reliable::Touch {
                    id: 7,
                    phase: TouchPhase::End,
                    place: [1, 2],
                },
            ),
            (
                b"\x07\x0fPad",
                Reliable::PadConnected {
                    index: 15,
                    name: "Pad".into(),
                },
            ),
        ];
        for (bytes, message) in cases {
            assert_eq!(reliable(bytes).unwrap(), message);
        }
    }

    #[test]
    fn each_motion_reads_as_it_is_laid_out() {
        let cases: [(&[u8], Motion); 4] = [
            (
                b"\x10\x00\x01\x80\x00\xff\xff",
                Motion::MoveTo {
                    seq: 1,
                    place: [0x8000, 0xffff],
                },
            ),
            (
                b"\x11\x00\x01\xff\xff\xff\xff\x00\x00\x00\x05",
                Motion::MoveBy {
                    seq: 1,
                    total: [-1, 5],
                },
            ),
            (
                b"\x12\x00\x09\x02\x00\x07\x00\x08",
                Motion::Held {
                    last_seq: 9,
                    seqs: vec![7, 8],
                },
            ),
            (
                b"\x13\x01\x00\x02\x00\x01\x00\x01\x10\x20\x7f\xff\x80\x00\x00\x00\x00\x01",
                Motion::PadState {
                    index: 1,
                    seq: 2,
                    state: PadState {
                        buttons: 0x1_0001,
                        left_trigger: 16,
                        right_trigger: 32,
                        axes: [32767, -32768, 0, 1],
                    },
                },
            ),
        ];
        for (bytes, message) in cases {
            assert_eq!(motion(bytes).unwrap(), message);
        }
    }

    #[test]
    fn whatever_is_too_short_too_long_or_unknown_is_refused() {
        let long_code = [&b"\x01\x00\x01\x01"[..], &[b'a'; 33]].concat();
        let long_text = [&b"\x02"[..], &[b'a'; MAX_TEXT_BYTES + 1]].concat();
        let long_name = [&b"\x07\x00"[..], &[b'a'; MAX_PAD_NAME_BYTES + 1]].concat();
        let refused: [&[u8]; 12] = [
            b"",
            b"\x00",
            b"\x01\x00\x01\x01",
            b"\x01\x00\x01\x02KeyA",
            b"\x02\xff",
            b"\x04\x00\x00\x00",
            b"\x05\x00",
            b"\x06\x04\x00\x00\x00\x00\x00",
            b"\x08\x10",
            &long_code,
            &long_text,
            &long_name,
        ];
        for bytes in refused {
            assert!(reliable(bytes).is_err(), "{bytes:x?}");
        }
        for bytes in [&b"\x12\x00\x00\x01"[..], b"\x12\x00\x00\x00\x00", b"\x05"] {
            assert!(motion(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn the_page_is_told_in_the_same_order_of_bytes() {
        let rumble = Feedback::Rumble {
            index: 1,
            strong: 0x0203,
            weak: 0x0405,
            duration_ms: 0x0607,
        };
        assert_eq!(feedback(rumble).unwrap(), [0x80, 1, 2, 3, 4, 5, 6, 7]);
        let triggers = Feedback::TriggerRumble {
            index: 1,
            left: 0x0203,
            right: 0x0405,
        };
        assert_eq!(feedback(triggers).unwrap(), [0x82, 1, 2, 3, 4, 5]);
        let leds = Feedback::KeyboardLeds { bits: 5 };
        assert_eq!(feedback(leds).unwrap(), [0x81, 0b101]);
        let light = Feedback::Led {
            index: 1,
            rgb: [1, 2, 3],
        };
        assert_eq!(feedback(light), None);
    }
}
