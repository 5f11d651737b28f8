//! The clipboard's text both ways, with the programs that people use.

use crate::xserver::{LONG, Program, XServer, eventually};
use input::{CLIPBOARD_LIMIT_BYTES, Clipboard, ClipboardChange, InputError, X11Clipboard};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

fn clipboard(server: &XServer) -> (X11Clipboard, Receiver<ClipboardChange>) {
    let (tell, told) = channel();
    let on_change = Box::new(move |change| {
        let _ = tell.send(change);
    });
    let clipboard = X11Clipboard::start(Some(&server.display), on_change);
    (clipboard.unwrap(), told)
}

/// Puts text there as a program does, which serves it until another takes over. It is there when
/// this returns, so that texts follow each other in the order of the calls.
fn copy(server: &XServer, text: &str) -> Program {
    let owner = server.selection_owner("CLIPBOARD");
    let mut xclip = Command::new("xclip")
        .args(["-quiet", "-selection", "clipboard"])
        .env("DISPLAY", &server.display)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("xclip must be installed");
    let mut stdin = xclip.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    eventually("xclip's turn", || {
        (server.selection_owner("CLIPBOARD") != owner).then_some(())
    });
    Program(xclip)
}

fn text(told: &Receiver<ClipboardChange>) -> String {
    match told.recv_timeout(LONG).unwrap() {
        ClipboardChange::Text(text) => text,
        ClipboardChange::Refused(error) => panic!("{error}"),
    }
}

/// What programs get when they paste.
fn pasted(server: &XServer, wanted: &str) {
    for program in [
        &["xclip", "-selection", "clipboard", "-out"][..],
        &["xsel", "--clipboard", "--output"],
    ] {
        eventually("the text", || {
            let pasted = Command::new(program[0])
                .args(&program[1..])
                .env("DISPLAY", &server.display)
                .output()
                .unwrap_or_else(|error| panic!("{} must be installed: {error}", program[0]));
            (pasted.stdout == wanted.as_bytes()).then_some(())
        });
    }
}

fn long() -> String {
    "Zwölf Boxkämpfer 🙂 €\n".repeat(4500)
}

#[test]
fn what_programs_copy_is_told_short_long_and_empty() {
    let server = XServer::start();
    let first = copy(&server, "there before");
    eventually("xclip", || {
        let listed = Command::new("xclip")
            .args(["-selection", "clipboard", "-out"])
            .env("DISPLAY", &server.display)
            .output();
        (listed.unwrap().stdout == b"there before").then_some(())
    });
    let (_clipboard, told) = clipboard(&server);
    assert_eq!(text(&told), "there before");
    let long = long();
    assert!((100_000..CLIPBOARD_LIMIT_BYTES).contains(&long.len()));
    let mut owners = vec![first];
    for wanted in ["Grüße 🙂", &long, "x"] {
        owners.push(copy(&server, wanted));
        assert_eq!(text(&told), wanted);
    }
    assert!(told.try_recv().is_err());
}

#[test]
fn what_is_set_is_pasted_by_programs_and_does_not_come_back() {
    let server = XServer::start();
    let (clipboard, told) = clipboard(&server);
    let long = long();
    for wanted in ["Grüße 🙂", &long, "short again"] {
        clipboard.set_text(wanted).unwrap();
        pasted(&server, wanted);
    }
    let targets = server.run("xclip", &["-selection", "clipboard", "-o", "-t", "TARGETS"]);
    assert!(targets.contains("UTF8_STRING"), "{targets}");
    // The same text from another program is no news either; another text is.
    let _same = copy(&server, "short again");
    let _other = copy(&server, "news");
    assert_eq!(text(&told), "news");
    assert!(told.try_recv().is_err());
    clipboard.set_text("ours again").unwrap();
    pasted(&server, "ours again");
}

#[test]
fn too_long_a_text_is_refused_in_both_directions() {
    let server = XServer::start();
    let (clipboard, told) = clipboard(&server);
    let too_long = "a".repeat(CLIPBOARD_LIMIT_BYTES + 1);
    let refused = clipboard.set_text(&too_long).unwrap_err();
    assert!(matches!(refused, InputError::TooLong { .. }), "{refused}");
    let _owner = copy(&server, &"b".repeat(3 * CLIPBOARD_LIMIT_BYTES));
    match told.recv_timeout(LONG).unwrap() {
        ClipboardChange::Refused(InputError::TooLong { bytes, limit }) => {
            assert_eq!(
                (bytes, limit),
                (3 * CLIPBOARD_LIMIT_BYTES, CLIPBOARD_LIMIT_BYTES)
            );
        }
        other => panic!("{other:?}"),
    }
    let limit = "c".repeat(CLIPBOARD_LIMIT_BYTES);
    clipboard.set_text(&limit).unwrap();
    pasted(&server, &limit);
}

#[test]
fn a_server_that_comes_back_has_the_text_again() {
    let mut server = XServer::start();
    let (clipboard, told) = clipboard(&server);
    clipboard.set_text("kept").unwrap();
    pasted(&server, "kept");
    server.kill();
    let server = XServer::again(&server.display);
    pasted(&server, "kept");
    let _owner = copy(&server, "new");
    assert_eq!(text(&told), "new");
}
