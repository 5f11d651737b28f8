//! Sizes, monitors, and displays that are not there, or not for us.

use crate::xserver::{Painter, SCREEN, XServer, cookie_file, next, pixel, rectangle, request};
use capture::{Source, SourceError, SourceRequest, StopSignal, X11};
use media::Size;
use std::thread;

const RED: [u8; 3] = [200, 30, 10];
const BLUE: [u8; 3] = [20, 60, 250];

fn refusal(request: &SourceRequest) -> SourceError {
    X11::open(request).err().expect("the source opened")
}

#[test]
fn a_change_of_size_is_followed() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), RED);
    let mut source = server.source();
    let old = next(&mut source, &stop);
    for size in [(1280, 720), (1366, 768), (1920, 1200), (640, 480)] {
        let size = Size::new(size.0, size.1);
        painter.set_mode(size);
        painter.fill(rectangle(0, 0, 1920, 1200), BLUE);
        // The server may resize in steps, each of which is a frame.
        let frame = std::iter::repeat_with(|| next(&mut source, &stop))
            .find(|frame| frame.size == size && pixel(frame, 1, 1) == BLUE)
            .unwrap();
        // The pointer may have been pushed into the last corner.
        let (right, bottom) = (size.width - 1, size.height - 1);
        assert_eq!(
            [pixel(&frame, right, 0), pixel(&frame, 0, bottom)],
            [BLUE, BLUE]
        );
        assert_eq!(frame.stride, size.width as usize * 4);
        assert_eq!(source.info().size, size);
    }
    assert_eq!(old.size, SCREEN);
    assert_eq!(
        pixel(&old, 1919, 1199),
        RED,
        "a frame in use keeps its size and bytes"
    );
}

#[test]
fn a_change_of_size_in_the_middle_of_a_grab_is_survived() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let mut source = X11::open(&request(&server.display, 240)).unwrap();
    thread::scope(|scope| {
        let resizing = scope.spawn(|| {
            for step in 0..60 {
                let shrunk = SCREEN.width - 64 - step % 2 * 512;
                painter.set_mode(Size::new(shrunk + step * 2 % 32, 700 + step));
            }
            painter.set_mode(Size::new(800, 600));
            painter.fill(rectangle(0, 0, 800, 600), BLUE);
        });
        let done = std::iter::repeat_with(|| next(&mut source, &stop))
            .find(|frame| frame.size == Size::new(800, 600) && pixel(frame, 9, 9) == BLUE);
        assert!(done.is_some());
        resizing.join().unwrap();
    });
}

#[test]
fn odd_sizes_are_cut_to_even_ones() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.set_mode(Size::new(1001, 701));
    let mut source = server.source();
    assert_eq!(next(&mut source, &stop).size, Size::new(1000, 700));
    painter.set_monitor("ODD", rectangle(11, 13, 333, 111));
    painter.fill(rectangle(11, 13, 333, 111), RED);
    let target = format!("{}/ODD", server.display);
    let frame = next(&mut X11::open(&request(&target, 60)).unwrap(), &stop);
    assert_eq!(frame.size, Size::new(332, 110));
    assert_eq!([pixel(&frame, 0, 0), pixel(&frame, 331, 109)], [RED, RED]);
}

#[test]
fn a_monitor_is_chosen_by_name_and_followed_until_it_is_gone() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.set_monitor("LEFT", rectangle(0, 0, 960, 1200));
    painter.set_monitor("RIGHT", rectangle(960, 100, 800, 600));
    let target = format!("{}/RIGHT", server.display);
    let mut source = X11::open(&request(&target, 60)).unwrap();
    assert!(source.info().detail.contains("RIGHT"));
    painter.fill(rectangle(960, 100, 1, 1), RED);
    let frame = next(&mut source, &stop);
    assert_eq!(
        (frame.size, pixel(&frame, 0, 0)),
        (Size::new(800, 600), RED)
    );
    // What happens beside it is no frame of it.
    let frame = thread::scope(|scope| {
        let waiting = scope.spawn(|| next(&mut source, &stop));
        for step in 0..3 {
            painter.fill(rectangle(0, 0, 960, 1200), [step; 3]);
            painter.do_nothing_visible();
        }
        painter.fill(rectangle(1759, 699, 1, 1), BLUE);
        waiting.join().unwrap()
    });
    assert_eq!(pixel(&frame, 799, 599), BLUE);
    painter.delete_monitor("RIGHT");
    painter.set_mode(Size::new(1280, 720));
    let error = loop {
        match source.next_frame(&stop) {
            Ok(frame) => assert!(frame.is_some()),
            Err(error) => break error,
        }
    };
    assert!(error.is_temporary(), "{error}");
    let text = error.to_string();
    assert!(text.contains("RIGHT") && text.contains("LEFT"), "{text}");
}

#[test]
fn a_monitor_that_is_not_there_is_told_with_those_that_are() {
    let server = XServer::start();
    let error = refusal(&request(&format!("{}/HDMI-7", server.display), 60));
    let text = error.to_string();
    assert!(error.is_temporary());
    assert!(text.contains("HDMI-7") && text.contains("screen"), "{text}");
}

#[test]
fn a_display_keeps_its_size_whatever_is_asked_for() {
    let server = XServer::start();
    let mut request = server.request();
    request.size = Some(Size::new(1280, 720));
    assert_eq!(X11::open(&request).unwrap().info().size, SCREEN);
}

#[test]
fn a_depth_that_would_need_a_conversion_is_refused() {
    let server = XServer::with(&["-screen", "0", "640x480x16"]);
    let error = refusal(&server.request());
    assert!(!error.is_temporary());
    assert!(error.to_string().contains("depth of 16"), "{error}");
}

#[test]
fn a_display_that_lets_nobody_in_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let cookies = cookie_file(directory.path());
    let server = XServer::with(&["-auth", cookies.to_str().unwrap()]);
    let error = refusal(&server.request());
    let text = error.to_string();
    assert!(error.is_temporary());
    for part in [server.display.as_str(), "refused", "XAUTHORITY", "xhost"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn displays_that_cannot_be_are_told_apart_from_absent_ones() {
    let absent = refusal(&request(":4095", 60));
    assert!(absent.is_temporary());
    assert!(
        absent.to_string().contains("X display :4095: no X server"),
        "{absent}"
    );
    for never in ["elsewhere:0", "nonsense"] {
        let error = refusal(&request(never, 60));
        assert!(!error.is_temporary(), "{error}");
        assert!(error.to_string().contains(never), "{error}");
    }
}

#[test]
fn a_server_that_dies_is_absent_and_can_be_opened_again() {
    let mut server = XServer::start();
    let (stop, display) = (StopSignal::new().unwrap(), server.display.clone());
    let mut source = server.source();
    next(&mut source, &stop);
    let error = thread::scope(|scope| {
        let waiting = scope.spawn(|| source.next_frame(&stop));
        server.kill();
        waiting.join().unwrap().err().unwrap()
    });
    assert!(error.is_temporary());
    assert!(error.to_string().contains(&display), "{error}");
    assert!(source.next_frame(&stop).is_err(), "it stays so");
    assert!(refusal(&request(&display, 60)).is_temporary());

    let server = XServer::with(&[&display, "-screen", "0", "800x600x24"]);
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 800, 600), RED);
    let mut source = X11::open(&request(&display, 60)).unwrap();
    let frame = next(&mut source, &stop);
    assert_eq!(
        (frame.size, pixel(&frame, 9, 9)),
        (Size::new(800, 600), RED)
    );
}

#[test]
fn a_server_that_hangs_is_absent() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let mut source = server.source();
    next(&mut source, &stop);
    painter.fill(rectangle(0, 0, 9, 9), RED);
    rustix::process::kill_process(server.pid(), rustix::process::Signal::STOP).unwrap();
    let error = source.next_frame(&stop).err().unwrap();
    assert!(error.is_temporary());
    assert!(error.to_string().contains("does not answer"), "{error}");
}
