//! Which source `auto` takes, and what is listed.

use crate::xserver::{Painter, XServer, rectangle};
use capture::{SourceOptions, SourceSpec, list, open};
use media::{FrameRate, Size};
use std::process::Command;

fn options(size: Option<Size>) -> SourceOptions {
    let rate = FrameRate::new(60).unwrap();
    SourceOptions { size, rate }
}

/// What `auto` takes in a process whose environment names `display`.
fn auto_with_display(display: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "backends::auto_in_this_environment",
            "--ignored",
            "--nocapture",
        ])
        .env("DISPLAY", display)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "run by the tests of auto, each in an environment of its own"]
fn auto_in_this_environment() {
    let opened = open(&SourceSpec::Auto, options(None)).unwrap();
    println!("{}: {}", opened.spec, opened.reason);
    for listing in list() {
        println!(
            "listed {}: {} ({})",
            listing.spec, listing.detail, listing.available
        );
    }
}

#[test]
fn auto_takes_the_display_if_there_is_one() {
    let server = XServer::start();
    let said = auto_with_display(&server.display);
    assert!(
        said.contains(&format!("x11: X display {}", server.display)),
        "{said}"
    );
    assert!(said.contains("first choice"), "{said}");
}

#[test]
fn auto_takes_the_test_pattern_without_a_display_and_says_why() {
    let said = auto_with_display(":4095");
    assert!(
        said.contains("test-pattern: test pattern 1280x720"),
        "{said}"
    );
    assert!(
        said.contains("because X display :4095: no X server runs there"),
        "{said}"
    );
    assert!(said.contains("listed x11: X display :4095"), "{said}");
}

#[test]
fn a_named_source_is_opened_as_asked() {
    let server = XServer::start();
    let spec: SourceSpec = format!("x11:{}", server.display).parse().unwrap();
    let opened = open(&spec, options(None)).unwrap();
    assert_eq!((&opened.spec, opened.source.info().name), (&spec, "x11"));
    let size = Size::new(320, 200);
    let opened = open(&"test-pattern".parse().unwrap(), options(Some(size))).unwrap();
    assert_eq!(opened.source.info().size, size);
}

#[test]
fn displays_and_their_monitors_are_listed() {
    let server = XServer::start();
    Painter::new(&server).set_monitor("LEFT", rectangle(0, 0, 960, 600));
    let listings = list();
    let find = |spec: &str| listings.iter().find(|listing| listing.spec == spec);
    let whole = find(&format!("x11:{}", server.display)).unwrap();
    assert_eq!(
        (whole.size, whole.available),
        (Some(Size::new(1920, 1200)), true)
    );
    let left = find(&format!("x11:{}/LEFT", server.display)).unwrap();
    assert_eq!(left.size, Some(Size::new(960, 600)));
    assert!(find("test-pattern").is_some_and(|listing| listing.available));
    assert!(
        find("x11").is_some(),
        "the user's own display is told of, there or not"
    );
}
