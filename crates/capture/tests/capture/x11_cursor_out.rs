//! The cursor outside of the picture: told as data, against a real X server and a theme's cursors.

use crate::x11_cursor::{cursor_of, show, themed};
use crate::xserver::{Painter, XServer, next, pixel, rectangle, request};
use capture::{
    CapturedArea, CursorPlace, CursorShape, CursorSwitch, CursorTap, CursorUpdate, Source as _,
    SourceRequest, StopSignal, Taps, X11,
};
use media::Size;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Only a guard: what is awaited comes at once.
const LONG: Duration = Duration::from_secs(20);

/// A source whose cursor is told, and what it tells.
fn tapped(request: &SourceRequest, switch: &CursorSwitch) -> (X11, Receiver<CursorUpdate>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let taps = Taps {
        cursor: Some(CursorTap {
            switch: switch.clone(),
            sink: Arc::new(move |update| {
                let _ = tell.lock().unwrap().send(update);
            }),
        }),
        area: None,
    };
    (X11::open_with(request, &taps).unwrap(), told)
}

/// Waits for a shape, past all places.
fn shape(told: &Receiver<CursorUpdate>) -> Arc<CursorShape> {
    loop {
        if let CursorUpdate::Shape(shape) = told.recv_timeout(LONG).unwrap() {
            return shape;
        }
    }
}

/// Waits for a place that is wanted, past all others.
fn place(
    told: &Receiver<CursorUpdate>,
    mut wanted: impl FnMut(CursorPlace) -> bool,
) -> CursorPlace {
    loop {
        match told.recv_timeout(LONG).unwrap() {
            CursorUpdate::Place(place) if wanted(place) => return place,
            _ => {}
        }
    }
}

/// Where 0..=65535 lies on a screen of that side.
fn at(along: u16, side: u32) -> u32 {
    u32::from(along) * side / 65536
}

#[test]
fn a_cursor_left_out_is_told_by_its_looks_and_places_and_makes_no_frames() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), [90, 90, 90]);
    let image = themed("left_ptr");
    show(&painter, cursor_of(&painter, &image));
    painter.move_mouse(300, 200);
    let switch = CursorSwitch::new(false);
    let (mut source, told) = tapped(&request(&server.display, 240), &switch);
    let frame = next(&mut source, &stop);
    let bare = |frame: &media::Frame| {
        let mut places = (0..1200).flat_map(|y| (0..1920).map(move |x| (x, y)));
        places.all(|(x, y)| pixel(frame, x, y) == [90, 90, 90])
    };
    assert!(bare(&frame), "the cursor is in the picture");
    let looks = shape(&told);
    assert_eq!(looks.size, Size::new(image.width, image.height));
    assert_eq!(looks.hot, [image.xhot, image.yhot]);
    let soft = |alpha: &u8| (1..255).contains(alpha);
    let alphas = |bytes: &[u8]| bytes.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert_eq!(alphas(&looks.rgba), alphas(&image.pixels_rgba));
    assert!(alphas(&looks.rgba).iter().any(soft));
    let first = place(&told, |_| true);
    assert_eq!(
        (at(first.x, 1920), at(first.y, 1200), first.visible),
        (300, 200, true)
    );

    let frame = thread::scope(|scope| {
        let waiting = scope.spawn(|| next(&mut source, &stop));
        for step in 1..10 {
            let (x, y) = (300 + step * 31, 200 + step * 17);
            painter.move_mouse(x, y);
            // Each is told while the source sleeps on: nothing but the last line makes a frame.
            let place = place(&told, |place| at(place.x, 1920) == x as u32);
            assert_eq!((at(place.y, 1200), place.visible), (y as u32, true));
            assert!(!waiting.is_finished(), "a frame without a change");
        }
        show(&painter, cursor_of(&painter, &themed("crosshair")));
        assert_ne!(shape(&told).id, looks.id);
        show(&painter, cursor_of(&painter, &image));
        assert_eq!(
            shape(&told).id,
            looks.id,
            "the same looks have the same number"
        );
        assert!(!waiting.is_finished(), "a frame without a change");
        painter.fill(rectangle(0, 0, 1, 1), [1, 2, 3]);
        waiting.join().unwrap()
    });
    assert_eq!(pixel(&frame, 0, 0), [1, 2, 3]);
    assert_eq!(pixel(&frame, 580, 354), [90, 90, 90]);
}

#[test]
fn the_switch_makes_a_frame_with_or_without_the_cursor_at_once() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), [90, 90, 90]);
    show(&painter, cursor_of(&painter, &themed("left_ptr")));
    painter.move_mouse(300, 200);
    let switch = CursorSwitch::new(true);
    let (mut source, told) = tapped(&server.request(), &switch);
    let has_cursor = |frame: &media::Frame| {
        let mut places = (190..230).flat_map(|y| (290..330).map(move |x| (x, y)));
        places.any(|(x, y)| pixel(frame, x, y) != [90, 90, 90])
    };
    assert!(has_cursor(&next(&mut source, &stop)));
    // It is told in both positions of the switch.
    shape(&told);
    for in_picture in [false, true, false] {
        let frame = thread::scope(|scope| {
            let waiting = scope.spawn(|| next(&mut source, &stop));
            switch.set(in_picture);
            waiting.join().unwrap()
        });
        assert_eq!(has_cursor(&frame), in_picture);
    }
}

#[test]
fn a_hidden_cursor_and_one_on_another_monitor_are_told_as_not_visible() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.set_monitor("LEFT", rectangle(0, 0, 960, 1200));
    show(&painter, cursor_of(&painter, &themed("left_ptr")));
    painter.move_mouse(480, 600);
    let switch = CursorSwitch::new(false);
    let target = format!("{}/LEFT", server.display);
    let (mut source, told) = tapped(&request(&target, 60), &switch);
    thread::scope(|scope| {
        let ended = scope.spawn(|| while matches!(source.next_frame(&stop), Ok(Some(_))) {});
        let seen = place(&told, |place| place.visible);
        assert_eq!((at(seen.x, 960), at(seen.y, 1200)), (480, 600));
        painter.move_mouse(1500, 500);
        let gone = place(&told, |place| !place.visible);
        assert_eq!((gone.x, gone.y), (seen.x, seen.y));
        painter.move_mouse(100, 100);
        place(&told, |place| place.visible);
        painter.hide_cursor();
        place(&told, |place| !place.visible);
        stop.raise();
        ended.join().unwrap();
    });
}

#[test]
fn the_captured_part_of_the_screen_is_told_at_first_and_when_it_changes() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.set_monitor("SIDE", rectangle(960, 100, 900, 700));
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let taps = Taps {
        cursor: None,
        area: Some(Arc::new(move |area| {
            let _ = tell.lock().unwrap().send(area);
        })),
    };
    let target = format!("{}/SIDE", server.display);
    let mut source = X11::open_with(&request(&target, 60), &taps).unwrap();
    let area = |x, y, size| CapturedArea { x, y, size };
    let first = told.recv_timeout(LONG).unwrap();
    assert_eq!(first, area(960, 100, Size::new(900, 700)));
    next(&mut source, &stop);
    painter.delete_monitor("SIDE");
    painter.set_monitor("SIDE", rectangle(0, 50, 640, 480));
    painter.set_mode(Size::new(1600, 1000));
    let frame = next(&mut source, &stop);
    assert_eq!(frame.size, Size::new(640, 480));
    let second = told.recv_timeout(LONG).unwrap();
    assert_eq!(second, area(0, 50, Size::new(640, 480)));
    assert!(told.try_recv().is_err(), "an area is told twice");
}
