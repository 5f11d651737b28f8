//! HID-RPC frames: one type byte and a payload, big-endian. Reads what clients send, writes what
//! they are told.

use crate::Error;
use std::time::Duration;

/// The only version there is.
pub const VERSION: u8 = 1;
/// Keys beside the modifiers that a report has room for.
pub const REPORT_KEYS: usize = 6;

const HANDSHAKE: u8 = 0x01;
const KEYBOARD_REPORT: u8 = 0x02;
const POINTER_REPORT: u8 = 0x03;
const WHEEL_REPORT: u8 = 0x04;
const KEYPRESS_REPORT: u8 = 0x05;
const MOUSE_REPORT: u8 = 0x06;
const MACRO: u8 = 0x07;
const CANCEL_MACRO: u8 = 0x08;
const KEEP_ALIVE: u8 = 0x09;
const LEDS: u8 = 0x32;
const KEYS_DOWN: u8 = 0x33;
const MACRO_STATE: u8 = 0x34;

const MACRO_STEP_BYTES: usize = 1 + REPORT_KEYS + 2;

/// What is down on a keyboard: the modifiers as a mask, and up to six other keys by HID usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Bit n is usage 0xe0 + n.
    pub modifier: u8,
    /// Usages of page 7, zero for none.
    pub keys: [u8; REPORT_KEYS],
}

/// One step of a macro: what is down, and for how long it stays that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacroStep {
    /// What is down.
    pub report: KeyReport,
    /// How long until the next step.
    pub delay: Duration,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromClient {
    /// Opens the conversation; to be echoed. Clients repeat it until it is.
    Handshake {
        /// Its version of the protocol.
        version: u8,
    },
    /// Everything that is down from now on.
    Keyboard(KeyReport),
    /// One key went down or up.
    Keypress {
        /// HID usage.
        usage: u8,
        /// Down rather than up.
        down: bool,
    },
    /// The pointer is at a place.
    Pointer {
        /// 0 at the left edge, 32767 at the right one.
        x: i32,
        /// 0 at the top edge, 32767 at the bottom one.
        y: i32,
        /// Mask of the buttons that are down.
        buttons: u8,
    },
    /// The pointer moved.
    Mouse {
        /// To the right.
        dx: i8,
        /// Downwards.
        dy: i8,
        /// Mask of the buttons that are down.
        buttons: u8,
    },
    /// Reserved on the wire; devices ignore it and so do we.
    Wheel,
    /// Steps to play one after the other.
    Macro {
        /// Whether it types a text.
        is_paste: bool,
        /// The steps.
        steps: Vec<MacroStep>,
    },
    /// Stop the macros.
    CancelMacro,
    /// The keys that were pressed are still held.
    KeepAlive,
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToClient {
    /// The echo.
    Handshake,
    /// The keyboard's lamps: num, caps, scroll, compose, kana from bit 0.
    Leds(u8),
    /// What is down.
    KeysDown(KeyReport),
    /// A macro began or ended.
    MacroState {
        /// Whether one plays.
        running: bool,
        /// Whether it types a text.
        is_paste: bool,
    },
}

impl KeyReport {
    /// A report of these keys; those beyond the sixth have no room.
    #[must_use]
    pub fn new(modifier: u8, keys: &[u8]) -> Self {
        let mut report = Self {
            modifier,
            ..Self::default()
        };
        for (slot, key) in report.keys.iter_mut().zip(keys) {
            *slot = *key;
        }
        report
    }
}

impl FromClient {
    /// Reads one message.
    ///
    /// # Errors
    /// Of an unknown type, or too short or too long for its type.
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        let (&kind, payload) = message.split_first().ok_or(Error::Empty)?;
        let wrong = || Error::WrongLength {
            kind,
            bytes: message.len(),
        };
        let read = match (kind, payload) {
            (HANDSHAKE, &[version]) => Self::Handshake { version },
            (KEYBOARD_REPORT, &[modifier, ref keys @ ..]) if keys.len() <= REPORT_KEYS => {
                Self::Keyboard(KeyReport::new(modifier, keys))
            }
            (KEYPRESS_REPORT, &[usage, down]) => Self::Keypress {
                usage,
                down: down != 0,
            },
            (POINTER_REPORT, &[x0, x1, x2, x3, y0, y1, y2, y3, buttons]) => Self::Pointer {
                x: i32::from_be_bytes([x0, x1, x2, x3]),
                y: i32::from_be_bytes([y0, y1, y2, y3]),
                buttons,
            },
            (MOUSE_REPORT, &[dx, dy, buttons]) => Self::Mouse {
                dx: dx.cast_signed(),
                dy: dy.cast_signed(),
                buttons,
            },
            (WHEEL_REPORT, _) => Self::Wheel,
            (MACRO, payload) => parse_macro(payload).ok_or_else(wrong)?,
            (CANCEL_MACRO, []) => Self::CancelMacro,
            (KEEP_ALIVE, []) => Self::KeepAlive,
            (HANDSHAKE..=KEEP_ALIVE, _) => return Err(wrong()),
            (kind, _) => return Err(Error::UnknownType(kind)),
        };
        Ok(read)
    }

    /// The message as a client sends it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Handshake { version } => bytes.extend([HANDSHAKE, *version]),
            Self::Keyboard(report) => {
                bytes.extend([KEYBOARD_REPORT, report.modifier]);
                bytes.extend(report.keys);
            }
            Self::Keypress { usage, down } => {
                bytes.extend([KEYPRESS_REPORT, *usage, u8::from(*down)]);
            }
            Self::Pointer { x, y, buttons } => {
                bytes.push(POINTER_REPORT);
                bytes.extend(x.to_be_bytes());
                bytes.extend(y.to_be_bytes());
                bytes.push(*buttons);
            }
            Self::Mouse { dx, dy, buttons } => {
                bytes.extend([
                    MOUSE_REPORT,
                    dx.cast_unsigned(),
                    dy.cast_unsigned(),
                    *buttons,
                ]);
            }
            Self::Wheel => bytes.push(WHEEL_REPORT),
            Self::Macro { is_paste, steps } => {
                bytes.extend([MACRO, u8::from(*is_paste)]);
                bytes.extend(u32::try_from(steps.len()).unwrap_or(u32::MAX).to_be_bytes());
                for step in steps {
                    let delay_ms = u16::try_from(step.delay.as_millis()).unwrap_or(u16::MAX);
                    bytes.push(step.report.modifier);
                    bytes.extend(step.report.keys);
                    bytes.extend(delay_ms.to_be_bytes());
                }
            }
            Self::CancelMacro => bytes.push(CANCEL_MACRO),
            Self::KeepAlive => bytes.push(KEEP_ALIVE),
        }
        bytes
    }
}

fn parse_macro(payload: &[u8]) -> Option<FromClient> {
    let (&[is_paste, c0, c1, c2, c3], body) = payload.split_first_chunk()?;
    let steps = usize::try_from(u32::from_be_bytes([c0, c1, c2, c3])).ok()?;
    if steps.checked_mul(MACRO_STEP_BYTES)? != body.len() {
        return None;
    }
    let step = |bytes: &[u8]| {
        let (&modifier, rest) = bytes.split_first()?;
        let (keys, &[d0, d1]) = rest.split_at_checked(REPORT_KEYS)? else {
            return None;
        };
        Some(MacroStep {
            report: KeyReport::new(modifier, keys),
            delay: Duration::from_millis(u64::from(u16::from_be_bytes([d0, d1]))),
        })
    };
    let steps = body.chunks_exact(MACRO_STEP_BYTES).map(step);
    Some(FromClient::Macro {
        is_paste: is_paste != 0,
        steps: steps.collect::<Option<_>>()?,
    })
}

impl ToClient {
    /// The message as it travels.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Handshake => vec![HANDSHAKE, VERSION],
            Self::Leds(mask) => vec![LEDS, mask],
            Self::KeysDown(report) => {
                let mut bytes = vec![KEYS_DOWN, report.modifier];
                bytes.extend(report.keys);
                bytes
            }
            Self::MacroState { running, is_paste } => {
                vec![MACRO_STATE, u8::from(running), u8::from(is_paste)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report() -> impl Strategy<Value = KeyReport> {
        (any::<u8>(), any::<[u8; REPORT_KEYS]>())
            .prop_map(|(modifier, keys)| KeyReport { modifier, keys })
    }

    fn step() -> impl Strategy<Value = MacroStep> {
        (report(), any::<u16>()).prop_map(|(report, delay_ms)| MacroStep {
            report,
            delay: Duration::from_millis(u64::from(delay_ms)),
        })
    }

    fn message() -> impl Strategy<Value = FromClient> {
        prop_oneof![
            any::<u8>().prop_map(|version| FromClient::Handshake { version }),
            report().prop_map(FromClient::Keyboard),
            (any::<u8>(), any::<bool>())
                .prop_map(|(usage, down)| FromClient::Keypress { usage, down }),
            (any::<i32>(), any::<i32>(), any::<u8>())
                .prop_map(|(x, y, buttons)| FromClient::Pointer { x, y, buttons }),
            (any::<i8>(), any::<i8>(), any::<u8>())
                .prop_map(|(dx, dy, buttons)| FromClient::Mouse { dx, dy, buttons }),
            Just(FromClient::Wheel),
            (any::<bool>(), prop::collection::vec(step(), 0..20))
                .prop_map(|(is_paste, steps)| FromClient::Macro { is_paste, steps }),
            Just(FromClient::CancelMacro),
            Just(FromClient::KeepAlive),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(message in message()) {
            prop_assert_eq!(FromClient::parse(&message.to_bytes()).unwrap(), message);
        }

        #[test]
        fn a_message_cut_short_is_refused(message in message(), cut in any::<prop::sample::Index>()) {
            let bytes = message.to_bytes();
            let short = &bytes[..cut.index(bytes.len())];
            // A keyboard report may name fewer keys; nothing else may be shorter than it is.
            if !matches!((short.len(), &message), (2.., FromClient::Keyboard(_))) {
                prop_assert!(FromClient::parse(short).is_err());
            }
        }

        #[test]
        fn any_bytes_are_taken_calmly(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(message) = FromClient::parse(&bytes) {
                prop_assert_eq!(FromClient::parse(&message.to_bytes()).unwrap(), message);
            }
        }
    }

    #[test]
    fn bytes_are_those_of_the_device() {
        let read = |bytes: &[u8]| FromClient::parse(bytes).unwrap();
        assert_eq!(read(&[1, 1]), FromClient::Handshake { version: 1 });
        assert_eq!(
            read(&[2, 0x02, 0x04]),
            FromClient::Keyboard(KeyReport::new(0x02, &[0x04]))
        );
        let pointer = FromClient::Pointer {
            x: 32767,
            y: 1,
            buttons: 5,
        };
        assert_eq!(read(&[3, 0, 0, 0x7f, 0xff, 0, 0, 0, 1, 5]), pointer);
        let mouse = FromClient::Mouse {
            dx: -1,
            dy: 127,
            buttons: 0,
        };
        assert_eq!(read(&[6, 0xff, 0x7f, 0]), mouse);
        assert_eq!(ToClient::Handshake.to_bytes(), [1, 1]);
        assert_eq!(ToClient::Leds(0b10).to_bytes(), [0x32, 0b10]);
        let keys = KeyReport::new(1, &[4, 5]);
        let expected = [0x33, 1, 4, 5, 0, 0, 0, 0];
        assert_eq!(ToClient::KeysDown(keys).to_bytes(), expected);
        let state = ToClient::MacroState {
            running: true,
            is_paste: false,
        };
        assert_eq!(state.to_bytes(), [0x34, 1, 0]);
    }

    #[test]
    fn a_macro_that_promises_more_steps_than_it_has_allocates_nothing() {
        let lie = [MACRO, 0, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            FromClient::parse(&lie),
            Err(Error::WrongLength { .. })
        ));
    }
}
