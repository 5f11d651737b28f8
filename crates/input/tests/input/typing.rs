//! Keys and text as real programs read them: xterm under several layouts.

use crate::desk::{A, Rig, driving, key, key_message};
use crate::xserver::{Terminal, Watcher, XServer, eventually};
use input::{Channel, InputEvent};

/// Presses keys with others held, as `AltRight+KeyE`.
fn strike(rig: &Rig, chord: &str) {
    let codes: Vec<&str> = chord.split('+').collect();
    for code in &codes {
        rig.desk.inject(A, key(code, true)).unwrap();
    }
    for code in codes.iter().rev() {
        rig.desk.inject(A, key(code, false)).unwrap();
    }
}

#[test]
fn keys_type_what_the_hosts_layout_says() {
    let server = XServer::start();
    let rig = driving(&server);
    let terminal = Terminal::start(&server);
    let cases: [(&[&str], &[&str], &str); 4] = [
        (
            &["us"],
            &["KeyY", "KeyZ", "ShiftLeft+Digit2", "BracketLeft", "Minus"],
            "yz@[-",
        ),
        (
            // AltGr and dead keys: at, euro, braces; e with acute, circumflex alone.
            &["de"],
            &[
                "KeyY",
                "KeyZ",
                "Semicolon",
                "ShiftLeft+Quote",
                "AltRight+KeyQ",
                "AltRight+KeyE",
                "AltRight+Digit7",
                "Equal",
                "KeyE",
                "Backquote",
                "Space",
                "IntlBackslash",
            ],
            "zyöÄ@€{é^<",
        ),
        (
            &["fr"],
            &[
                "KeyQ",
                "KeyA",
                "Semicolon",
                "ShiftLeft+Digit1",
                "Digit2",
                "AltRight+Digit0",
                "BracketLeft",
                "KeyI",
                "Comma",
            ],
            "aqm1é@î;",
        ),
        (
            &["us", "-variant", "intl"],
            &[
                "Quote",
                "KeyA",
                "ShiftRight+Quote",
                "ShiftLeft+KeyU",
                "AltRight+KeyS",
            ],
            "áÜß",
        ),
    ];
    let mut wanted = Vec::new();
    for (layout, chords, text) in cases {
        server.run("setxkbmap", layout);
        for chord in chords {
            strike(&rig, chord);
        }
        strike(&rig, "Enter");
        wanted.push(text.to_owned());
        assert_eq!(terminal.lines(wanted.len()), wanted, "{layout:?}");
    }
}

#[test]
fn any_text_is_typed_under_any_layout_and_the_keymap_is_put_back() {
    let server = XServer::start();
    let rig = driving(&server);
    let terminal = Terminal::start(&server);
    let watcher = Watcher::looking_on(&server);
    let many: String = (0..90)
        .filter_map(|at| char::from_u32(0x4e00 + at))
        .collect();
    let lines = [
        "The quick brown fox {[(<>)]} ~ \\ | @ # $ % ^ & * \" ' `",
        "Grüße, Ñandú, señor, naïve, Ærø, Žižek, ŁÓDŹ, œuvre, 12 €",
        "Привет Ελλάδα עברית العربية 日本語 한국어",
        "🙂🚀👩‍💻 a\u{301} ﬁ ∑ ≠ → ½",
        &many,
    ];
    let mut wanted = Vec::new();
    for layout in ["us", "de", "fr", "us,ru"] {
        server.run("setxkbmap", &[layout]);
        let before = watcher.keymap();
        let text = lines.join("\n") + "\n";
        rig.desk.inject(A, InputEvent::Text(text)).unwrap();
        // A key after text comes after it.
        strike(&rig, "Digit1");
        strike(&rig, "Enter");
        wanted.extend(lines.iter().map(|line| (*line).to_owned()));
        let one = if layout == "fr" { "&" } else { "1" };
        wanted.push(one.to_owned());
        assert_eq!(terminal.lines(wanted.len()), wanted, "{layout}");
        eventually("the keymap", || (watcher.keymap() == before).then_some(()));
    }
}

#[test]
fn text_is_typed_as_it_is_whatever_is_held_or_locked() {
    let server = XServer::start();
    let rig = driving(&server);
    let terminal = Terminal::start(&server);
    strike(&rig, "CapsLock");
    rig.desk.inject(A, key("ControlLeft", true)).unwrap();
    rig.desk.inject(A, key("ShiftRight", true)).unwrap();
    rig.desk
        .inject(A, InputEvent::Text("aBc äÖ €\n".into()))
        .unwrap();
    rig.desk.inject(A, key("ControlLeft", false)).unwrap();
    // Shift is held still, and so is the lock: together they make small letters.
    for code in ["KeyA", "KeyB"] {
        strike(&rig, code);
    }
    rig.desk.inject(A, key("ShiftRight", false)).unwrap();
    strike(&rig, "KeyC");
    strike(&rig, "Enter");
    assert_eq!(terminal.lines(2), ["aBc äÖ €", "abC"]);
}

#[test]
fn a_thousand_keys_arrive_once_and_in_order() {
    let server = XServer::start();
    let rig = driving(&server);
    let terminal = Terminal::start(&server);
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let text: String = letters.chars().cycle().step_by(7).take(1000).collect();
    let mut seq = 65_000_u16;
    for letter in text.chars() {
        let code = format!("Key{}", letter.to_ascii_uppercase());
        for down in [true, false] {
            seq = seq.wrapping_add(1);
            let message = key_message(seq, &code, down);
            // A page goes on when the host can follow.
            eventually("room", || {
                rig.desk.push(A, Channel::Reliable, &message).ok()
            });
        }
    }
    strike(&rig, "Enter");
    assert_eq!(terminal.lines(1), [text]);
}
