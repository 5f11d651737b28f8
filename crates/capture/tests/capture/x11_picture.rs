//! What the X11 source shows: pixels, changes, the cursor.

use crate::xserver::{Mirror, Painter, SCREEN, XServer, next, pixel, rectangle, request};
use capture::barcode::Barcode;
use capture::{FRAMES_IN_FLIGHT, PatternWindow, PatternWindowRequest, Source, StopSignal, X11};
use media::{Frame, FrameKind, FrameRate, MonoTime, PixelFormat, Size};
use std::thread;

const RED: [u8; 3] = [200, 30, 10];
const GREEN: [u8; 3] = [10, 180, 40];
const BLUE: [u8; 3] = [20, 60, 250];

#[test]
fn the_first_frame_is_the_screen_as_it_is() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), GREEN);
    painter.fill(rectangle(101, 51, 9, 7), RED);
    let before = MonoTime::now();
    let mut source = server.source();
    let frame = next(&mut source, &stop);
    assert_eq!((frame.size, frame.format), (SCREEN, PixelFormat::Bgrx));
    assert_eq!((frame.stride, frame.kind), (1920 * 4, FrameKind::Fresh));
    for (x, y, colour) in [
        (100, 50, GREEN),
        (101, 51, RED),
        (109, 57, RED),
        (110, 58, GREEN),
    ] {
        assert_eq!(pixel(&frame, x, y), colour, "at {x}, {y}");
    }
    let times = frame.times;
    assert!(before < times.noticed && times.noticed <= times.grabbed);
    assert_eq!(source.info().size, SCREEN);
    assert!(source.info().detail.contains(&server.display));
}

#[test]
fn each_drawing_is_in_the_next_frame_and_the_rest_stays() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), GREEN);
    let mut source = server.source();
    next(&mut source, &stop);
    // Drawings all over the screen, with some frames in use for a while and one for long: its
    // buffer must then be brought up to date from far behind.
    let mut held: Vec<Frame> = Vec::new();
    let mut held_for_long = None;
    for step in 0..40_u8 {
        let (x, y) = (i16::from(step % 7) * 250, i16::from(step) * 29);
        let colour = [step * 5, 255 - step, step];
        let before = MonoTime::now();
        painter.fill(rectangle(x, y, 40, 5), colour);
        let frame = next(&mut source, &stop);
        assert!(
            frame.times.noticed >= before,
            "a frame from before the drawing"
        );
        for earlier in 0..=step {
            let (x, y) = (u32::from(earlier % 7) * 250, u32::from(earlier) * 29);
            let colour = [earlier * 5, 255 - earlier, earlier];
            assert_eq!(
                pixel(&frame, x + 39, y + 4),
                colour,
                "{earlier} in frame {step}"
            );
            assert_eq!(
                pixel(&frame, x + 40, y + 4),
                GREEN,
                "{earlier} in frame {step}"
            );
        }
        match step {
            0 => held_for_long = Some(frame),
            30 => held_for_long = None,
            _ => held.push(frame),
        }
        if held.len() > usize::from(step % 5) {
            held.remove(0);
        }
    }
    assert!(held_for_long.is_none());
}

/// Runs `meanwhile` while the source waits, and returns the frame that ends its wait.
fn waiting(source: &mut X11, stop: &StopSignal, meanwhile: impl FnOnce()) -> Frame {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| next(source, stop));
        meanwhile();
        waiting.join().unwrap()
    })
}

#[test]
fn a_static_screen_gives_no_frame() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let mut source = server.source();
    next(&mut source, &stop);
    for colour in [RED, BLUE, GREEN] {
        // Whatever ended the wait before the drawing would be a frame without it.
        let frame = waiting(&mut source, &stop, || {
            painter.do_nothing_visible();
            painter.fill(rectangle(5, 5, 20, 20), colour);
        });
        assert_eq!(pixel(&frame, 6, 6), colour);
    }
}

/// Pseudo-random numbers below a limit.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % limit
    }
}

#[test]
fn however_it_was_drawn_the_last_frame_is_the_whole_screen() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.hide_cursor();
    let mut source = X11::open(&request(&server.display, 240)).unwrap();
    let mut dice = Dice(1);
    let mut mirror = Mirror::default();
    for round in 0..4 {
        let (end, rest) = ([255, round, 255], [round, 255, 255]);
        thread::scope(|scope| {
            let mut draws = Dice(u32::from(round) + 7);
            let painter = &painter;
            scope.spawn(move || {
                for _ in 0..400 {
                    let (x, y) = (draws.below(1900) as i16, draws.below(1180) as i16);
                    let (width, height) = (draws.below(200) as u16, draws.below(20) as u16);
                    let colour = [0, 0, 0].map(|_: u8| draws.below(250) as u8);
                    painter.fill(rectangle(x, y, width + 1, height + 1), colour);
                    // A few drawings a frame, so that most rows stay as they are.
                    (0..10).for_each(|_| painter.sync());
                }
                painter.fill(rectangle(0, 0, 1, 1), end);
            });
            // Frames are taken all the while, and kept for as long as chance has it.
            let mut held = Vec::new();
            while held.last().is_none_or(|frame| pixel(frame, 0, 0) != end) {
                while held.len() > dice.below(FRAMES_IN_FLIGHT as u32 - 1) as usize {
                    held.swap_remove(dice.below(held.len() as u32) as usize);
                }
                let frame = next(&mut source, &stop);
                // Some frames never reach whoever follows what changed.
                if dice.below(3) > 0 {
                    mirror.follow(&frame);
                }
                held.push(frame);
            }
        });
        // What is taken while it is drawn may be half done; what is taken afterwards may not.
        painter.fill(rectangle(0, 0, 1, 1), rest);
        let last = std::iter::repeat_with(|| next(&mut source, &stop))
            .find(|frame| pixel(frame, 0, 0) == rest)
            .unwrap();
        mirror.follow(&last);
        assert!(
            mirror.is_like(&last),
            "rows were kept back in round {round}"
        );
        let screen = painter.screen();
        let pixels = last.bytes().chunks(4).zip(screen.chunks(4)).enumerate();
        let different: Vec<_> = pixels
            .filter(|(_, (seen, real))| seen[..3] != real[..3])
            .map(|(at, (seen, real))| (at % 1920, at / 1920, seen, real))
            .collect();
        let first = different.first();
        assert!(
            first.is_none(),
            "{} differ, {first:?} in round {round}",
            different.len()
        );
    }
}

#[test]
fn many_drawings_between_two_frames_are_one_frame() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let mut source = server.source();
    next(&mut source, &stop);
    for step in 0..50 {
        painter.fill(rectangle(step * 20, step * 20, 20, 20), RED);
    }
    let frame = next(&mut source, &stop);
    assert_eq!([pixel(&frame, 1, 1), pixel(&frame, 999, 999)], [RED, RED]);
    let frame = waiting(&mut source, &stop, || {
        painter.do_nothing_visible();
        painter.fill(rectangle(5, 5, 20, 20), BLUE);
    });
    assert_eq!(pixel(&frame, 6, 6), BLUE);
}

#[test]
fn a_screen_that_never_rests_is_held_to_the_rate() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let rate = FrameRate::new(50).unwrap();
    let mut source = X11::open(&request(&server.display, rate.fps())).unwrap();
    let drawn = StopSignal::new().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut step = 0_u8;
            while !drawn.is_raised() {
                step = step.wrapping_add(1);
                painter.fill(rectangle(0, 0, 300, 300), [step; 3]);
            }
        });
        let start = MonoTime::now();
        let times: Vec<_> = (0..20)
            .map(|_| next(&mut source, &stop).times.grabbed.since(start))
            .collect();
        drawn.raise();
        for (number, time) in (0..).zip(&times) {
            // The frame clock is a little faster than the rate, and has a quarter of an interval
            // of credit for a source's jitter.
            let due = (rate.interval() * number * 9 / 10).saturating_sub(rate.interval() / 4);
            assert!(*time >= due, "frame {number} is too early: {times:?}");
        }
    });
}

#[test]
fn frames_in_use_are_never_painted_over() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let mut source = X11::open(&request(&server.display, 240)).unwrap();
    let grey = |step: usize| [step as u8 * 20; 3];
    let mut held = Vec::new();
    for step in 0..FRAMES_IN_FLIGHT {
        painter.fill(rectangle(0, 0, 64, 64), grey(step));
        held.push(next(&mut source, &stop));
    }
    // With every buffer in use the next frame waits for one.
    painter.fill(rectangle(0, 0, 64, 64), BLUE);
    let first = held.remove(0);
    let frame = waiting(&mut source, &stop, || {
        painter.do_nothing_visible();
        drop(first);
    });
    assert_eq!(pixel(&frame, 9, 9), BLUE);
    for (step, frame) in (1..).zip(&held) {
        assert_eq!(pixel(frame, 9, 9), grey(step));
    }
}

#[test]
fn frames_outlive_their_source() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 64, 64), RED);
    let mut source = server.source();
    let frame = next(&mut source, &stop);
    drop(source);
    drop(server);
    assert_eq!(pixel(&frame, 9, 9), RED);
}

#[test]
fn a_raised_stop_ends_the_wait() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let mut source = server.source();
    next(&mut source, &stop);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| source.next_frame(&stop));
        stop.raise();
        assert!(waiting.join().unwrap().unwrap().is_none());
    });
}

#[test]
fn the_pattern_window_is_read_back_in_order() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let window = PatternWindowRequest {
        display: Some(server.display.clone()),
        size: Size::new(640, 360),
        rate: FrameRate::new(57).unwrap(),
    };
    let mut window = PatternWindow::open(&window).unwrap();
    let mut source = server.source();
    let end = StopSignal::new().unwrap();
    thread::scope(|scope| {
        let drawing = scope.spawn(|| window.run(&end).unwrap());
        let mut codes = Vec::new();
        while codes.len() < 30 {
            codes.extend(Barcode::read_frame(&next(&mut source, &stop)));
        }
        end.raise();
        let drawn = drawing.join().unwrap();
        for pair in codes.windows(2) {
            assert!(pair[0].frame <= pair[1].frame && pair[0].time_us <= pair[1].time_us);
        }
        let (first, last) = (codes[0], codes[29]);
        assert!(
            last.frame > first.frame + 20 && last.frame < drawn,
            "{first:?} {last:?}"
        );
    });
}
