//! Input of Moonlight clients as programs on a real X display receive it.

use crate::host::{Host, Pal, small, until_true};
use crate::xserver::{Came, Terminal, Watcher, XServer};
use probe::control::Message;
use probe::hostile::{RawControl, open_session};
use probe::{Action, Script, StreamOptions, parse_line};
use std::time::{Duration, Instant};

// Keycodes of X are those of the kernel and 8.
const SHIFT: u8 = 50;
const SHIFT_RIGHT: u8 = 62;
const CONTROL: u8 = 37;
const CONTROL_RIGHT: u8 = 105;
const ALT: u8 = 64;
const ALT_RIGHT: u8 = 108;
const META: u8 = 133;
const META_RIGHT: u8 = 134;
const A: u8 = 38;
const F5: u8 = 71;
const ENTER: u8 = 36;

/// Streams while a script is played, a few milliseconds longer than it takes.
fn play(pal: &Pal, script: &str) {
    let script: Script = script.parse().unwrap();
    let options = StreamOptions {
        script: Some(script),
        quit_after: true,
        ..small(2)
    };
    pal.stream(&options).unwrap();
}

/// What has come, once the session is over and so much is there; nothing is left held.
fn all_that_came(host: &Host, watcher: &Watcher, count: usize) -> Vec<Came> {
    until_true("the session is over", || host.sessions() == 0);
    let mut came = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while came.len() < count && Instant::now() < deadline {
        came.extend(watcher.take_all());
    }
    came.extend(watcher.take_all());
    assert!(watcher.down().is_empty(), "{:?} are down", watcher.down());
    came
}

fn tapped(key: u8) -> [Came; 2] {
    [Came::Key(key, true), Came::Key(key, false)]
}

fn around(modifier: u8, key: u8) -> Vec<Came> {
    let [down, up] = tapped(modifier);
    let inside = tapped(key);
    [&[down], &inside[..], &[up]].concat()
}

#[test]
fn keys_come_to_an_x_client_as_they_were_pressed() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let host = Host::of_display(&server.display, &[]);
    let (mut script, mut expected) = (String::new(), Vec::new());
    // Each modifier, left and right, as the key it is and as what the key in it says; normalised and not.
    for (modifier, bit, key) in [
        (0xa0, 1, SHIFT),
        (0xa1, 1, SHIFT_RIGHT),
        (0xa2, 2, CONTROL),
        (0xa3, 2, CONTROL_RIGHT),
        (0xa4, 4, ALT),
        (0xa5, 4, ALT_RIGHT),
        (0x5b, 8, META),
        (0x5c, 8, META_RIGHT),
    ] {
        for flags in [0, 1] {
            script += &format!(
                "key {modifier} down {bit} {flags}\nkey 0x41 down {bit} {flags}\n\
                 key 0x41 up {bit} {flags}\nkey {modifier} up 0 {flags}\n"
            );
            expected.extend(around(key, A));
        }
    }
    // Modifiers that are only said to be down.
    for (bit, key) in [(1, SHIFT), (2, CONTROL), (4, ALT), (8, META)] {
        script += &format!("key 0x41 down {bit}\nkey 0x41 up {bit}\n");
        let [down, up] = tapped(key);
        expected.extend([down, Came::Key(A, true), up, Came::Key(A, false)]);
    }
    script += "tap 0x74\ntap 0x0d\n";
    expected.extend(tapped(F5));
    expected.extend(tapped(ENTER));
    // One that no keyboard has, and one more to see that it came to nothing.
    script += "tap 0xfe\ntap 0x41\n";
    expected.extend(tapped(A));
    play(&host.paired(), &script);
    assert_eq!(all_that_came(&host, &watcher, expected.len()), expected);
}

#[test]
fn the_mouse_comes_to_an_x_client_as_it_was_moved_pressed_and_turned() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let host = Host::of_display(&server.display, &[]);
    let mut script = String::from(
        "mouse-abs 639 359 640 360\nmouse-abs 0 0 640 360\nmouse-move 100 50\nmouse-move -30 -10\n",
    );
    let mut expected: Vec<_> = [(1279, 799), (0, 0), (100, 50), (70, 40)]
        .map(|(x, y)| Came::Motion(x, y))
        .into();
    // Left, middle, right, back, forward.
    for (button, of_x) in [(1, 1), (2, 2), (3, 3), (4, 8), (5, 9)] {
        script += &format!("button {button} down\nbutton {button} up\n");
        expected.extend([Came::Button(of_x, true), Came::Button(of_x, false)]);
    }
    // Whole notches, and quarters of one, of which X hears when they are whole.
    let quarters = |command: &str, units: i32| format!("{command} {units}\n").repeat(4);
    script += "scroll 2\nscroll -1\nhscroll 1\nhscroll -2\n";
    for (command, units) in [
        ("scroll-hires", 30),
        ("scroll-hires", -30),
        ("hscroll-hires", 30),
    ] {
        script += &quarters(command, units);
    }
    script += "scroll-hires 119\n";
    for notch in [4, 4, 5, 7, 6, 6, 4, 5, 7] {
        expected.extend([Came::Button(notch, true), Came::Button(notch, false)]);
    }
    play(&host.paired(), &script);
    assert_eq!(all_that_came(&host, &watcher, expected.len()), expected);
}

#[test]
fn text_comes_to_a_terminal_as_it_was_sent() {
    let server = XServer::start();
    let host = Host::of_display(&server.display, &[]);
    let terminal = Terminal::start(&server);
    let text = "Gr\u{fc}\u{df}e, \u{17d}i\u{17e}ek 12 \u{20ac} \u{65e5}\u{672c} \u{1f642}!";
    play(&host.paired(), &format!("text \"{text}\\n\"\n"));
    assert_eq!(terminal.lines(1), [text]);
}

#[test]
fn what_a_client_holds_when_it_leaves_or_breaks_off_is_let_go() {
    let server = XServer::start();
    let watcher = Watcher::new(&server);
    let host = Host::of_display(&server.display, &["--idle-timeout-ms", "1000"]);
    let pal = host.paired();
    let held = [
        "key 0xa0 down",
        "key 0x41 down 1",
        "button 1 down",
        "button 5 down",
    ];
    let pressed = [
        Came::Key(SHIFT, true),
        Came::Key(A, true),
        Came::Button(1, true),
        Came::Button(9, true),
    ];
    let assert_let_go = |came: &[Came]| {
        let count = |wanted: &Came| came.iter().filter(|came| *came == wanted).count();
        for down in &pressed {
            let up = match *down {
                Came::Key(key, _) => Came::Key(key, false),
                Came::Button(button, _) => Came::Button(button, false),
                Came::Motion(..) => unreachable!(),
            };
            assert_eq!((count(down), count(&up)), (1, 1), "{down:?} in {came:?}");
        }
        assert_eq!(came.len(), 8);
    };
    // It says goodbye.
    play(&pal, &held.join("\n"));
    assert_let_go(&all_that_came(&host, &watcher, 8));
    // It falls silent.
    let session = open_session(&pal.client, &small(60)).unwrap();
    let mut control = RawControl::connect(&session).unwrap();
    let mut messages = vec![Message::start_a(), Message::start_b()];
    for line in held {
        match parse_line(line).unwrap() {
            Some(Action::Send(sent)) => messages.extend(sent),
            other => panic!("{other:?}"),
        }
    }
    for (number, message) in (0..).zip(&messages) {
        control.send(message, number).unwrap();
    }
    until_true("the keys are down", || {
        control.listen(Duration::from_millis(10));
        watcher.down() == [SHIFT.min(A), SHIFT.max(A)]
    });
    drop(control);
    assert_let_go(&all_that_came(&host, &watcher, 8));
}
