//! Keys and mouse buttons that reach the pattern window are in its next drawing.

use crate::xserver::{Painter, XServer, next};
use capture::barcode::Barcode;
use capture::{PatternWindow, PatternWindowRequest, StopSignal, X11};
use media::{FrameRate, MonoTime, Size};
use std::thread;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;

/// X keycode of the key `A` on a PC keyboard.
const KEY_A: u8 = 38;
const LEFT: u8 = 1;

impl Painter {
    /// Presses and releases a key or a button, as a device would.
    fn press(&self, [down, up]: [u8; 2], detail: u8) {
        for kind in [down, up] {
            let faked = self
                .connection
                .xtest_fake_input(kind, detail, 0, self.root, 0, 0, 0);
            faked.unwrap().check().unwrap();
        }
    }
}

/// Ends a window's thread with the test, however that ends.
struct AtEnd<'a>(&'a StopSignal);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.raise();
    }
}

fn window(server: &XServer, rate: FrameRate) -> PatternWindow {
    let request = PatternWindowRequest {
        display: Some(server.display.clone()),
        size: Size::new(640, 360),
        rate,
    };
    PatternWindow::open(&request).unwrap()
}

/// The codes of the first frame that shows a drawing of the pattern window.
fn begun(source: &mut X11, stop: &StopSignal) -> (Barcode, Barcode) {
    std::iter::repeat_with(|| next(source, stop))
        .find_map(|frame| Some((Barcode::read_frame(&frame)?, Barcode::read_presses(&frame)?)))
        .unwrap()
}

#[test]
fn a_window_at_rest_draws_once_for_each_press_and_at_once() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    // Away from the codes: the cursor is in the picture.
    painter.move_mouse(320, 300);
    let mut source = server.source();
    let mut window = window(&server, FrameRate::new(57).unwrap());
    thread::scope(|scope| {
        let _at_end = AtEnd(&stop);
        let reacting = scope.spawn(|| window.react(&stop).unwrap());
        let never = StopSignal::new().unwrap();
        let (mut drawing, mut presses) = begun(&mut source, &never);
        assert_eq!((drawing.frame, presses.frame), (0, 0));
        for press in 1..=20_u32 {
            let before_us = MonoTime::now().wall_us();
            match press % 2 {
                0 => painter.press([KEY_PRESS_EVENT, KEY_RELEASE_EVENT], KEY_A),
                _ => painter.press([BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT], LEFT),
            }
            // No other frame is in between: the screen rests.
            let frame = next(&mut source, &never);
            (drawing, presses) = (
                Barcode::read_frame(&frame).unwrap(),
                Barcode::read_presses(&frame).unwrap(),
            );
            assert_eq!((drawing.frame, presses.frame), (press, press));
            assert!(before_us <= presses.time_us && presses.time_us <= drawing.time_us);
        }
        stop.raise();
        assert_eq!(reacting.join().unwrap(), 21);
    });
}

#[test]
fn a_moving_window_shows_each_press_without_waiting_for_its_rate() {
    const PRESSES: u32 = 20;
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.move_mouse(320, 300);
    let mut source = server.source();
    let mut window = window(&server, FrameRate::new(1).unwrap());
    thread::scope(|scope| {
        let _at_end = AtEnd(&stop);
        let drawing = scope.spawn(|| window.run(&stop).unwrap());
        let never = StopSignal::new().unwrap();
        let (_, mut presses) = begun(&mut source, &never);
        for press in 1..=PRESSES {
            let before_us = MonoTime::now().wall_us();
            painter.press([KEY_PRESS_EVENT, KEY_RELEASE_EVENT], KEY_A);
            while presses.frame < press {
                presses = Barcode::read_presses(&next(&mut source, &never)).unwrap();
            }
            assert_eq!(presses.frame, press);
            assert!(presses.time_us >= before_us);
        }
        stop.raise();
        let by_rate = drawing.join().unwrap() - PRESSES;
        assert!(by_rate < PRESSES / 2, "{by_rate} drawings at one a second");
    });
}
