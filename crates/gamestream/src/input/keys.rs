//! Virtual key codes of Windows, which clients send for the place of a key on a US keyboard, and the
//! key that stands there.

use input::KeyCode;

/// The key; nothing for codes that no keyboard has.
pub(super) fn key(virtual_key: u8) -> Option<KeyCode> {
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

    #[test]
    fn no_letter_digit_or_function_key_is_missing() {
        for virtual_key in (0x30..=0x39).chain(0x41..=0x5a).chain(0x60..=0x87) {
            assert!(key(virtual_key).is_some(), "{virtual_key:#x}");
        }
    }
}
