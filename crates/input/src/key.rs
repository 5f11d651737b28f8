//! A physical key, by whichever name it came.
//!
//! Owns the look-ups into the table; refuses names and numbers that are not in it.

use crate::error::InputError;
use crate::key_table::{Row, TABLE};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// USB's second name of the key beside Enter on ISO keyboards, which Linux and browsers know as
/// Backslash alone.
const HID_NON_US_HASH: u8 = 0x32;
/// X keycodes are evdev codes moved by this much.
const X_OFFSET: u16 = 8;

/// A physical key: its place on the keyboard, not what it types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyCode(u8);

fn by_name() -> &'static HashMap<&'static str, KeyCode> {
    static NAMES: OnceLock<HashMap<&'static str, KeyCode>> = OnceLock::new();
    NAMES.get_or_init(|| KeyCode::all().map(|key| (key.code(), key)).collect())
}

impl KeyCode {
    /// Every key there is.
    pub fn all() -> impl Iterator<Item = Self> {
        // The table is far shorter than 256 rows, which a test makes sure of.
        (0..TABLE.len()).map(|at| Self(at as u8))
    }

    fn row(self) -> &'static Row {
        &TABLE[usize::from(self.0)]
    }

    /// The key of a W3C `code`, such as `KeyA`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        by_name().get(code).copied()
    }

    /// The key of a Linux `KEY_*` number.
    #[must_use]
    pub fn from_evdev(evdev: u16) -> Option<Self> {
        Self::all().find(|key| evdev != 0 && key.row().evdev == evdev)
    }

    /// The key of a usage on HID page 7.
    #[must_use]
    pub fn from_hid(usage: u8) -> Option<Self> {
        let usage = match usage {
            HID_NON_US_HASH => 0x31,
            other => other,
        };
        Self::all().find(|key| usage != 0 && key.row().hid == usage)
    }

    /// Its W3C `code`.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// Its Linux number, if Linux has one.
    #[must_use]
    pub fn evdev(self) -> Option<u16> {
        Some(self.row().evdev).filter(|evdev| *evdev != 0)
    }

    /// Its usage on HID page 7, if that page has it.
    #[must_use]
    pub fn hid(self) -> Option<u8> {
        Some(self.row().hid).filter(|usage| *usage != 0)
    }

    /// Its keycode under X, if it is one of the 248 that X can name.
    #[must_use]
    pub fn x_keycode(self) -> Option<u8> {
        let evdev = self.evdev()?;
        u8::try_from(evdev + X_OFFSET).ok()
    }

    /// Whether it changes what other keys mean while it is held.
    #[must_use]
    pub fn is_modifier(self) -> bool {
        matches!(self.hid(), Some(0xe0..=0xe7))
    }
}

impl fmt::Debug for KeyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for KeyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for KeyCode {
    type Err = InputError;

    fn from_str(code: &str) -> Result<Self, InputError> {
        Self::from_code(code).ok_or(InputError::Malformed {
            why: "no key has that code",
        })
    }
}

impl Serialize for KeyCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for KeyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code)
            .ok_or_else(|| serde::de::Error::custom(format!("no key has the code {code:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_key_is_found_by_every_name_it_has() {
        assert!(TABLE.len() <= usize::from(u8::MAX));
        let mut names = HashSet::new();
        for key in KeyCode::all() {
            assert!(names.insert(key.code()), "{key} stands twice");
            assert_eq!(KeyCode::from_code(key.code()), Some(key));
            assert!(key.code().len() <= crate::wire::MAX_CODE_BYTES);
            assert!(
                key.evdev().is_some() || key.hid().is_some(),
                "{key} is nothing"
            );
            if let Some(usage) = key.hid() {
                assert_eq!(KeyCode::from_hid(usage), Some(key));
            }
            if let Some(evdev) = key.evdev() {
                let found = KeyCode::from_evdev(evdev).unwrap();
                assert_eq!(found.evdev(), Some(evdev));
            }
        }
    }

    #[test]
    fn well_known_keys_have_their_well_known_numbers() {
        // From linux/input-event-codes.h and the USB HID usage tables.
        for (code, evdev, hid) in [
            ("KeyA", 30, 0x04),
            ("KeyZ", 44, 0x1d),
            ("Digit1", 2, 0x1e),
            ("Digit0", 11, 0x27),
            ("Enter", 28, 0x28),
            ("IntlBackslash", 86, 0x64),
            ("F1", 59, 0x3a),
            ("F13", 183, 0x68),
            ("NumpadEnter", 96, 0x58),
            ("AltRight", 100, 0xe6),
            ("MetaLeft", 125, 0xe3),
            ("IntlYen", 124, 0x89),
        ] {
            let key = KeyCode::from_code(code).unwrap();
            assert_eq!((key.evdev(), key.hid()), (Some(evdev), Some(hid)), "{code}");
            assert_eq!(key.x_keycode().map(u16::from), Some(evdev + 8));
        }
        let backslash = KeyCode::from_code("Backslash");
        assert_eq!(KeyCode::from_hid(0x32), backslash);
        assert_eq!(KeyCode::from_hid(0x31), backslash);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for code in ["", "keya", "KeyAA", "KEY_A", "Unidentified", "KeyÄ"] {
            assert_eq!(KeyCode::from_code(code), None, "{code}");
        }
        assert_eq!(KeyCode::from_hid(0), None);
        assert_eq!(KeyCode::from_evdev(0), None);
        assert!(serde_json::from_str::<KeyCode>("\"KeyÄ\"").is_err());
    }
}
