//! Virtual key codes of Windows, which clients send for the place of a key on a US keyboard, and the
//! key that stands there.

use gamestream_proto::input::{Key, Modifiers};
use input::{InputEvent, KeyCode};

/// A modifier, and the virtual keys that are it: left, right, and either.
struct Modifier {
    is_said: fn(Modifiers) -> bool,
    codes: [u8; 3],
}

const MODIFIERS: [Modifier; 4] = [
    Modifier {
        is_said: Modifiers::shift,
        codes: [0xa0, 0xa1, 0x10],
    },
    Modifier {
        is_said: Modifiers::control,
        codes: [0xa2, 0xa3, 0x11],
    },
    Modifier {
        is_said: Modifiers::alt,
        codes: [0xa4, 0xa5, 0x12],
    },
    Modifier {
        is_said: Modifiers::meta,
        codes: [0x5b, 0x5c, 0x5b],
    },
];

/// The keys of one client. Most press modifiers as the keys they are; keyboards on a screen only say with
/// a letter that one would be down (`send_key_and_modifiers` in Sunshine's input.cpp).
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    /// Which modifiers the client has pressed, by their places in [`MODIFIERS`] and in its codes.
    held: [[bool; 3]; 4],
}

impl Keyboard {
    /// A key goes down, between modifiers that are only said to be.
    pub(super) fn down(&mut self, pressed: &Key, each: &mut dyn FnMut(InputEvent)) {
        let Some(code) = key(pressed.virtual_key) else {
            return;
        };
        let mut said = Vec::new();
        if !self.hold(pressed.virtual_key, true) {
            let modifiers = MODIFIERS.iter().zip(&self.held);
            let missing = modifiers.filter(|(modifier, held)| {
                (modifier.is_said)(pressed.modifiers) && !held.contains(&true)
            });
            said.extend(missing.filter_map(|(modifier, _)| key(modifier.codes[0])));
        }
        for &code in &said {
            each(InputEvent::Key { code, down: true });
        }
        each(InputEvent::Key { code, down: true });
        for &code in said.iter().rev() {
            each(InputEvent::Key { code, down: false });
        }
    }

    pub(super) fn up(&mut self, released: &Key, each: &mut dyn FnMut(InputEvent)) {
        self.hold(released.virtual_key, false);
        if let Some(code) = key(released.virtual_key) {
            each(InputEvent::Key { code, down: false });
        }
    }

    /// Whether it is a modifier; then it is noted how it stands.
    fn hold(&mut self, virtual_key: u8, down: bool) -> bool {
        for (modifier, held) in MODIFIERS.iter().zip(&mut self.held) {
            let codes = modifier.codes;
            if let Some(at) = codes.iter().position(|code| *code == virtual_key) {
                held[at] = down;
                return true;
            }
        }
        false
    }
}

/// The key; nothing for codes that no keyboard has.
fn key(virtual_key: u8) -> Option<KeyCode> {
    KeyCode::from_code(code(virtual_key)?)
}

/// Its W3C `code`. Moonlight's own tables (keyboard.cpp of moonlight-qt) make these from scan codes.
#[rustfmt::skip]
const fn code(virtual_key: u8) -> Option<&'static str> {
    Some(match virtual_key {
        0x03 => "Pause", 0x08 => "Backspace", 0x09 => "Tab", 0x0c => "NumpadClear", 0x0d => "Enter",
        0x10 | 0xa0 => "ShiftLeft", 0x11 | 0xa2 => "ControlLeft", 0x12 | 0xa4 => "AltLeft",
        0xa1 => "ShiftRight", 0xa3 => "ControlRight", 0xa5 => "AltRight",
        0x13 => "Pause", 0x14 => "CapsLock", 0x15 => "Lang1", 0x19 => "Lang2",
        0x1b => "Escape", 0x1c => "Convert", 0x1d => "NonConvert", 0x20 => "Space",
        0x21 => "PageUp", 0x22 => "PageDown", 0x23 => "End", 0x24 => "Home",
        0x25 => "ArrowLeft", 0x26 => "ArrowUp", 0x27 => "ArrowRight", 0x28 => "ArrowDown",
        0x29 => "Select", 0x2b => "Open", 0x2c => "PrintScreen", 0x2d => "Insert", 0x2e => "Delete",
        0x2f => "Help",
        0x30 => "Digit0", 0x31 => "Digit1", 0x32 => "Digit2", 0x33 => "Digit3", 0x34 => "Digit4",
        0x35 => "Digit5", 0x36 => "Digit6", 0x37 => "Digit7", 0x38 => "Digit8", 0x39 => "Digit9",
        0x41 => "KeyA", 0x42 => "KeyB", 0x43 => "KeyC", 0x44 => "KeyD", 0x45 => "KeyE", 0x46 => "KeyF",
        0x47 => "KeyG", 0x48 => "KeyH", 0x49 => "KeyI", 0x4a => "KeyJ", 0x4b => "KeyK", 0x4c => "KeyL",
        0x4d => "KeyM", 0x4e => "KeyN", 0x4f => "KeyO", 0x50 => "KeyP", 0x51 => "KeyQ", 0x52 => "KeyR",
        0x53 => "KeyS", 0x54 => "KeyT", 0x55 => "KeyU", 0x56 => "KeyV", 0x57 => "KeyW", 0x58 => "KeyX",
        0x59 => "KeyY", 0x5a => "KeyZ",
        0x5b => "MetaLeft", 0x5c => "MetaRight", 0x5d => "ContextMenu", 0x5f => "Sleep",
        0x60 => "Numpad0", 0x61 => "Numpad1", 0x62 => "Numpad2", 0x63 => "Numpad3", 0x64 => "Numpad4",
        0x65 => "Numpad5", 0x66 => "Numpad6", 0x67 => "Numpad7", 0x68 => "Numpad8", 0x69 => "Numpad9",
        0x6a => "NumpadMultiply", 0x6b => "NumpadAdd", 0x6c => "NumpadComma", 0x6d => "NumpadSubtract",
        0x6e => "NumpadDecimal", 0x6f => "NumpadDivide",
        0x70 => "F1", 0x71 => "F2", 0x72 => "F3", 0x73 => "F4", 0x74 => "F5", 0x75 => "F6",
        0x76 => "F7", 0x77 => "F8", 0x78 => "F9", 0x79 => "F10", 0x7a => "F11", 0x7b => "F12",
        0x7c => "F13", 0x7d => "F14", 0x7e => "F15", 0x7f => "F16", 0x80 => "F17", 0x81 => "F18",
        0x82 => "F19", 0x83 => "F20", 0x84 => "F21", 0x85 => "F22", 0x86 => "F23", 0x87 => "F24",
        0x90 => "NumLock", 0x91 => "ScrollLock",
        0xa6 => "BrowserBack", 0xa7 => "BrowserForward", 0xa8 => "BrowserRefresh", 0xa9 => "BrowserStop",
        0xaa => "BrowserSearch", 0xab => "BrowserFavorites", 0xac => "BrowserHome",
        0xad => "AudioVolumeMute", 0xae => "AudioVolumeDown", 0xaf => "AudioVolumeUp",
        0xb0 => "MediaTrackNext", 0xb1 => "MediaTrackPrevious", 0xb2 => "MediaStop",
        0xb3 => "MediaPlayPause", 0xb4 => "LaunchMail", 0xb5 => "MediaSelect", 0xb6 => "LaunchApp1",
        0xb7 => "LaunchApp2",
        0xba => "Semicolon", 0xbb => "Equal", 0xbc => "Comma", 0xbd => "Minus", 0xbe => "Period",
        0xbf => "Slash", 0xc0 => "Backquote", 0xc1 => "IntlRo", 0xc2 => "NumpadComma",
        0xdb => "BracketLeft", 0xdc => "Backslash", 0xdd => "BracketRight", 0xde => "Quote",
        0xe2 => "IntlBackslash",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_is_a_key() {
        let named = (0..=u8::MAX).filter(|virtual_key| code(*virtual_key).is_some());
        let strange: Vec<_> = named.filter(|known| key(*known).is_none()).collect();
        assert!(strange.is_empty(), "{strange:x?}");
    }

    /// What comes of keys: their codes, down or up, with modifiers said to be down.
    fn events(keys: &[(u8, bool, u8)]) -> Vec<(String, bool)> {
        let (mut keyboard, mut events) = (Keyboard::default(), Vec::new());
        let mut each = |event| {
            if let InputEvent::Key { code, down } = event {
                events.push((code.to_string(), down));
            }
        };
        for &(virtual_key, down, modifiers) in keys {
            let key = Key {
                virtual_key,
                modifiers: Modifiers::from_bits(modifiers),
                by_letter: false,
            };
            match down {
                true => keyboard.down(&key, &mut each),
                false => keyboard.up(&key, &mut each),
            }
        }
        events
    }

    fn named(events: &[(&str, bool)]) -> Vec<(String, bool)> {
        let owned = |(code, down): &(&str, bool)| ((*code).to_owned(), *down);
        events.iter().map(owned).collect()
    }

    #[test]
    fn a_modifier_that_is_only_said_to_be_down_is_pressed_around_the_key() {
        let said = events(&[(0x41, true, 5), (0x41, false, 5)]);
        let expected = [
            ("ShiftLeft", true),
            ("AltLeft", true),
            ("KeyA", true),
            ("AltLeft", false),
            ("ShiftLeft", false),
            ("KeyA", false),
        ];
        assert_eq!(said, named(&expected));
    }

    #[test]
    fn a_modifier_that_is_held_on_either_side_is_not_pressed_again() {
        for (virtual_key, name) in [
            (0xa0, "ShiftLeft"),
            (0xa1, "ShiftRight"),
            (0x10, "ShiftLeft"),
        ] {
            let keys = [
                (virtual_key, true, 1),
                (0x41, true, 1),
                (0x41, false, 1),
                (virtual_key, false, 0),
            ];
            let expected = [(name, true), ("KeyA", true), ("KeyA", false), (name, false)];
            assert_eq!(events(&keys), named(&expected));
        }
    }

    #[test]
    fn no_letter_digit_or_function_key_is_missing() {
        for virtual_key in (0x30..=0x39).chain(0x41..=0x5a).chain(0x60..=0x87) {
            assert!(key(virtual_key).is_some(), "{virtual_key:#x}");
        }
    }
}
