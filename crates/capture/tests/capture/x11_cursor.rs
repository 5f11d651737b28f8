//! The mouse cursor in the frames of the X11 source, against a theme's cursor file.

use crate::xserver::{Mirror, Painter, SCREEN, XServer, next, pixel, rectangle, request};
use capture::{StopSignal, X11};
use media::{Band, Frame};
use std::thread;
use x11rb::connection::Connection as _;
use x11rb::protocol::render::{ConnectionExt as _, PictType};
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Cursor, ImageFormat,
};
use x11rb::wrapper::ConnectionExt as _;
use xcursor::parser::{Image, parse_xcursor};

const THEME: &str = "/usr/share/icons/Adwaita/cursors";

/// A theme's cursor, in the size nearest to 48 pixels.
pub(crate) fn themed(name: &str) -> Image {
    let file = std::fs::read(format!("{THEME}/{name}"));
    let file = file.expect("the package adwaita-icon-theme must be installed");
    let images = parse_xcursor(&file).unwrap();
    let nearest = images
        .into_iter()
        .min_by_key(|image| image.size.abs_diff(48));
    nearest.unwrap()
}

/// Premultiplied ARGB of each pixel.
fn argb(image: &Image) -> Vec<u32> {
    // The file's bytes lie as a little-endian X server takes them.
    let pixels = image.pixels_rgba.chunks_exact(4);
    let words = pixels.map(|pixel| u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]));
    words.collect()
}

/// Makes the image a cursor of the server, as toolkits do.
pub(crate) fn cursor_of(painter: &Painter, image: &Image) -> Cursor {
    let connection = &painter.connection;
    let (width, height) = (image.width as u16, image.height as u16);
    let formats = connection
        .render_query_pict_formats()
        .unwrap()
        .reply()
        .unwrap()
        .formats;
    let format = formats.iter().find(|format| {
        let direct = format.direct;
        let shifts = [
            direct.alpha_shift,
            direct.red_shift,
            direct.green_shift,
            direct.blue_shift,
        ];
        format.type_ == PictType::DIRECT && format.depth == 32 && shifts == [24, 16, 8, 0]
    });
    let [pixmap, context, picture, cursor] = [(); 4].map(|()| connection.generate_id().unwrap());
    connection
        .create_pixmap(32, pixmap, painter.root, width, height)
        .unwrap();
    connection
        .create_gc(context, pixmap, &CreateGCAux::new())
        .unwrap();
    let format_id = format.unwrap().id;
    let data: Vec<u8> = argb(image)
        .iter()
        .flat_map(|pixel| pixel.to_le_bytes())
        .collect();
    let put = connection.put_image(
        ImageFormat::Z_PIXMAP,
        pixmap,
        context,
        width,
        height,
        0,
        0,
        0,
        32,
        &data,
    );
    put.unwrap().check().unwrap();
    connection
        .render_create_picture(picture, pixmap, format_id, &Default::default())
        .unwrap();
    let made =
        connection.render_create_cursor(cursor, picture, image.xhot as u16, image.yhot as u16);
    made.unwrap().check().unwrap();
    cursor
}

pub(crate) fn show(painter: &Painter, cursor: Cursor) {
    let aux = ChangeWindowAttributesAux::new().cursor(cursor);
    painter
        .connection
        .change_window_attributes(painter.root, &aux)
        .unwrap();
    painter.connection.sync().unwrap();
}

/// A background of many colours, so that a wrong alpha or place shows.
fn paint_background(painter: &Painter) {
    for column in 0..60_i16 {
        for row in 0..5_i16 {
            let colour = [column as u8 * 4, row as u8 * 60, 255 - column as u8 * 3];
            painter.fill(rectangle(column * 32, row * 240, 32, 240), colour);
        }
    }
}

/// What the cursor at (x, y) must look like over `bare`: computed in floating point from the file.
fn expected(bare: &Frame, image: &Image, [x, y]: [i32; 2], at: [i32; 2]) -> [f32; 3] {
    let under = pixel(bare, at[0] as u32, at[1] as u32).map(f32::from);
    let (column, row) = (at[0] - x + image.xhot as i32, at[1] - y + image.yhot as i32);
    let size = [image.width as i32, image.height as i32];
    if !(0..size[0]).contains(&column) || !(0..size[1]).contains(&row) {
        return under;
    }
    let over = argb(image)[(row * size[0] + column) as usize];
    let [alpha, red, green, blue] = over.to_be_bytes().map(f32::from);
    let through = 1.0 - alpha / 255.0;
    [
        red + under[0] * through,
        green + under[1] * through,
        blue + under[2] * through,
    ]
}

#[test]
fn a_themed_cursor_is_laid_over_the_picture_with_its_alpha() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    let image = themed("left_ptr");
    let translucent = argb(&image)
        .iter()
        .filter(|pixel| (1..255).contains(&(*pixel >> 24)))
        .count();
    assert!(translucent > 20, "the cursor has no soft edge to test with");
    paint_background(&painter);
    show(&painter, cursor_of(&painter, &image));
    let (right, bottom) = (SCREEN.width as i32 - 1, SCREEN.height as i32 - 1);
    let mut source = X11::open(&request(&server.display, 240)).unwrap();
    // Far from every tested place, for the picture without it.
    painter.move_mouse(1000, 1000);
    let bare = next(&mut source, &stop);
    for [x, y] in [
        [500, 300],
        [503, 307],
        [0, 0],
        [right, bottom],
        [right, 2],
        [3, bottom],
    ] {
        painter.move_mouse(x as i16, y as i16);
        let frame = next(&mut source, &stop);
        for row in (y - 60).max(0)..(y + 60).min(bottom + 1) {
            for column in (x - 60).max(0)..(x + 60).min(right + 1) {
                let seen = pixel(&frame, column as u32, row as u32).map(f32::from);
                let wanted = expected(&bare, &image, [x, y], [column, row]);
                let close = seen
                    .iter()
                    .zip(wanted)
                    .all(|(seen, wanted)| (seen - wanted).abs() <= 1.0);
                assert!(
                    close,
                    "{seen:?} for {wanted:?} at {column}, {row}, cursor at {x}, {y}"
                );
            }
        }
    }
}

#[test]
fn moving_the_mouse_alone_gives_a_frame_and_leaves_no_trail() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), [90, 90, 90]);
    show(&painter, cursor_of(&painter, &themed("left_ptr")));
    let mut source = X11::open(&request(&server.display, 240)).unwrap();
    painter.move_mouse(20, 20);
    let mut mirror = Mirror::default();
    mirror.follow(&next(&mut source, &stop));
    for step in 1..20_u32 {
        let moved = thread::scope(|scope| {
            let waiting = scope.spawn(|| next(&mut source, &stop));
            painter.move_mouse(20 + step as i16 * 70, 20 + step as i16 * 30);
            waiting.join().unwrap()
        });
        let rows = mirror.follow(&moved);
        assert!(mirror.is_like(&moved), "a trail for whoever follows");
        let taken = rows.iter().map(|band: Band| band.height()).sum::<u32>();
        assert!((1..400).contains(&taken), "{taken} rows for one cursor");
        // The only pixels that are not the background are those of one cursor.
        let (left, top) = (20 + step * 70, 20 + step * 30);
        for y in (0_u32..1200).step_by(3) {
            for x in (0_u32..1920).step_by(3) {
                let near = x.abs_diff(left) < 60 && y.abs_diff(top) < 60;
                assert!(
                    near || pixel(&moved, x, y) == [90, 90, 90],
                    "a trail at {x}, {y}"
                );
            }
        }
    }
}

#[test]
fn another_cursor_alone_gives_a_frame() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.fill(rectangle(0, 0, 1920, 1200), [0, 0, 0]);
    painter.move_mouse(400, 400);
    let images = ["left_ptr", "text", "crosshair"].map(themed);
    let cursors = [0, 1, 2].map(|at: usize| cursor_of(&painter, &images[at]));
    let mut source = server.source();
    let mut last = next(&mut source, &stop);
    for (cursor, image) in cursors.into_iter().zip(&images) {
        let frame = thread::scope(|scope| {
            let waiting = scope.spawn(|| next(&mut source, &stop));
            painter.do_nothing_visible();
            show(&painter, cursor);
            waiting.join().unwrap()
        });
        let brightness = |frame: &Frame| -> f32 {
            let places = (300..500).flat_map(|y| (300..500).map(move |x| (x, y)));
            places.map(|(x, y)| f32::from(pixel(frame, x, y)[1])).sum()
        };
        let places = (300..500).flat_map(|y| (300..500).map(move |x| [x, y]));
        let black = Frame {
            pixels: std::sync::Arc::new(vec![0; frame.bytes().len()]),
            ..frame.clone()
        };
        let wanted: f32 = places
            .map(|at| expected(&black, image, [400, 400], at)[1])
            .sum();
        assert!(
            (brightness(&frame) - wanted).abs() <= 1.0,
            "{} {wanted}",
            brightness(&frame)
        );
        assert!(frame.bytes() != last.bytes());
        last = frame;
    }
}

#[test]
fn a_cursor_on_another_monitor_gives_no_frame() {
    let (server, stop) = (XServer::start(), StopSignal::new().unwrap());
    let painter = Painter::new(&server);
    painter.set_monitor("LEFT", rectangle(0, 0, 960, 1200));
    painter.move_mouse(1500, 500);
    let target = format!("{}/LEFT", server.display);
    let mut source = X11::open(&request(&target, 60)).unwrap();
    next(&mut source, &stop);
    let frame = thread::scope(|scope| {
        let waiting = scope.spawn(|| next(&mut source, &stop));
        for step in 0..3 {
            painter.move_mouse(1500 + step * 50, 500);
            painter.do_nothing_visible();
        }
        painter.fill(rectangle(10, 10, 10, 10), [1, 200, 3]);
        waiting.join().unwrap()
    });
    assert_eq!(pixel(&frame, 15, 15), [1, 200, 3]);
}
