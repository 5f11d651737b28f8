//! The test pattern as its consumers see it, and its barcode through a real encoder.

use capture::barcode::Barcode;
use capture::canvas::{Canvas, Colour, I420Canvas, Rect};
use capture::{FRAMES_IN_FLIGHT, Source, SourceError, SourceRequest, StopSignal, Synthetic};
use media::{Frame, FrameRate, MonoTime, PixelFormat, Size};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;

fn request(size: Size, fps: u32) -> SourceRequest {
    SourceRequest {
        target: None,
        size: Some(size),
        rate: FrameRate::new(fps).unwrap(),
    }
}

fn open(size: Size, fps: u32) -> Synthetic {
    Synthetic::open(&request(size, fps)).unwrap()
}

fn next(source: &mut Synthetic, stop: &StopSignal) -> Frame {
    source.next_frame(stop).unwrap().unwrap()
}

fn wall_us() -> u64 {
    MonoTime::now().wall_us()
}

#[test]
fn frames_are_numbered_and_carry_their_drawing_time() {
    let stop = StopSignal::new().unwrap();
    let mut source = open(Size::new(640, 360), 240);
    let mut last_us = wall_us();
    for number in 0..48 {
        let frame = next(&mut source, &stop);
        let code = Barcode::read_frame(&frame).unwrap();
        assert_eq!(code.frame, number);
        let seen_us = wall_us();
        let drawn_in_between = (last_us..=seen_us).contains(&code.time_us);
        assert!(drawn_in_between, "{code:?} in {last_us}..{seen_us}");
        assert!(frame.times.noticed <= frame.times.grabbed);
        last_us = code.time_us;
    }
}

#[test]
fn no_frame_comes_before_its_time() {
    let stop = StopSignal::new().unwrap();
    let mut source = open(Size::new(64, 64), 120);
    let interval = FrameRate::new(120).unwrap().interval();
    let start = MonoTime::now();
    for number in 0..40 {
        let frame = next(&mut source, &stop);
        assert!(
            frame.times.noticed.since(start) >= interval * number,
            "frame {number}"
        );
    }
}

#[test]
fn every_size_from_tiny_to_huge_gives_whole_pictures() {
    let stop = StopSignal::new().unwrap();
    for (width, height) in [
        (2, 2),
        (2, 8192),
        (8192, 2),
        (30, 500),
        (286, 128),
        (8192, 8192),
    ] {
        let size = Size::new(width, height);
        let mut source = open(size, 240);
        let frame = next(&mut source, &stop);
        assert_eq!((frame.size, frame.format), (size, PixelFormat::I420));
        assert!(frame.bytes().len() >= frame.format.bytes(frame.stride, height));
        assert_eq!(
            Barcode::read_frame(&frame).is_some(),
            Barcode::fits(size),
            "{size}"
        );
        assert_eq!(source.info().size, size);
    }
}

#[test]
fn sizes_that_no_stream_can_have_are_refused() {
    for (width, height) in [(3, 2), (640, 361), (0, 0), (8194, 2)] {
        let refused = Synthetic::open(&request(Size::new(width, height), 60))
            .err()
            .unwrap();
        assert!(
            matches!(refused, SourceError::Unsupported { .. }),
            "{refused}"
        );
        assert!(!refused.is_temporary());
    }
}

#[test]
fn a_raised_stop_ends_the_wait() {
    let stop = StopSignal::new().unwrap();
    let mut source = open(Size::new(64, 64), 1);
    next(&mut source, &stop);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| source.next_frame(&stop));
        stop.raise();
        assert!(waiting.join().unwrap().unwrap().is_none());
    });
}

#[test]
fn pictures_that_find_no_buffer_are_left_out() {
    let stop = StopSignal::new().unwrap();
    let mut source = open(Size::new(640, 360), 240);
    let mut held: Vec<Frame> = (0..FRAMES_IN_FLIGHT)
        .map(|_| next(&mut source, &stop))
        .collect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| next(&mut source, &stop));
        // The wait for a buffer lasts several pictures long.
        let until = MonoTime::now() + FrameRate::new(240).unwrap().interval() * 4;
        let idle = StopSignal::new().unwrap();
        idle.wait(None, Some(until.since(MonoTime::now()))).unwrap();
        let freed = held.remove(2);
        let frame_behind = Barcode::read_frame(&freed).unwrap().frame;
        drop(freed);
        let frame = Barcode::read_frame(&waiting.join().unwrap()).unwrap().frame;
        assert!(
            frame > FRAMES_IN_FLIGHT as u32,
            "{frame_behind} then {frame}"
        );
    });
    // What is held was not painted over.
    let numbers = held
        .iter()
        .map(|frame| Barcode::read_frame(frame).unwrap().frame);
    assert!(numbers.eq([0, 1, 3, 4, 5]));
}

#[test]
fn the_picture_moves_and_has_colour() {
    let stop = StopSignal::new().unwrap();
    let size = Size::new(640, 360);
    let mut source = open(size, 60);
    let frames: Vec<_> = (0..4).map(|_| next(&mut source, &stop)).collect();
    let (luma_end, lane) = (frames[0].stride * 360, frames[0].stride * 320);
    let lane_of = |frame: &Frame| frame.bytes()[lane..luma_end].to_vec();
    assert_ne!(
        lane_of(&frames[0]),
        lane_of(&frames[3]),
        "the box stands still"
    );
    let mut chroma: Vec<_> = frames[0].bytes()[luma_end..].to_vec();
    chroma.sort_unstable();
    chroma.dedup();
    assert!(chroma.len() >= 10, "{chroma:?}");
}

/// Pipes `input` through FFmpeg.
fn ffmpeg(arguments: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut output = Vec::new();
    thread::scope(|scope| {
        // The input is closed when it was written: the end of the stream.
        scope.spawn(move || stdin.write_all(input).unwrap());
        child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut output)
            .unwrap();
    });
    assert!(child.wait().unwrap().success());
    output
}

/// Everything of a frame but its padding, as FFmpeg takes it.
fn packed(frame: &Frame) -> Vec<u8> {
    let (width, height) = (frame.size.width as usize, frame.size.height as usize);
    let (luma, chroma) = frame.bytes().split_at(frame.stride * height);
    let rows = luma.chunks(frame.stride).map(|row| &row[..width]);
    let halves = chroma.chunks(frame.stride / 2).map(|row| &row[..width / 2]);
    rows.chain(halves).flatten().copied().collect()
}

/// Codes `frames` at `bitrate`, decodes them again and reads the barcodes, which count from 0. At the
/// coarsest quantiser one may be lost now and then, but none may be read wrongly.
fn assert_read_after_x264(frames: &[Vec<u8>], size: Size, bitrate: &str) {
    let raw = format!("-f rawvideo -pix_fmt yuv420p -s {size}");
    let rate = format!("-b:v {bitrate} -maxrate {bitrate} -bufsize 20k");
    let x264 = format!("-c:v libx264 -preset ultrafast -tune zerolatency {rate}");
    let coded = ffmpeg(
        &format!("{raw} -r 60 -i - {x264} -f h264 -"),
        &frames.concat(),
    );
    let decoded = ffmpeg("-f h264 -i - -f rawvideo -pix_fmt yuv420p -", &coded);

    let stride = size.width as usize;
    let pictures = decoded.chunks(PixelFormat::I420.bytes(stride, size.height));
    let read = pictures.map(|luma| Barcode::read(|x, y| luma[y as usize * stride + x as usize]));
    let read: Vec<_> = read.map(|code| code.map(|code| code.frame)).collect();
    assert_eq!(read.len(), frames.len());
    let (mut lost, mut wrong) = (0, 0);
    for (number, read) in (0..).zip(&read) {
        lost += usize::from(read.is_none());
        wrong += usize::from(read.is_some_and(|frame| frame != number));
    }
    assert_eq!(wrong, 0, "{read:?}");
    assert!(lost * 10 <= frames.len(), "{lost} are lost: {read:?}");
}

#[test]
fn the_barcode_survives_x264_at_a_low_bitrate() {
    let stop = StopSignal::new().unwrap();
    let size = Size::new(640, 360);
    let mut source = open(size, 120);
    let frames: Vec<_> = (0..60).map(|_| packed(&next(&mut source, &stop))).collect();
    assert_read_after_x264(&frames, size, "300k");
}

#[test]
fn the_barcode_survives_x264_beside_noise_that_takes_all_bits() {
    let size = Size::new(480, 270).even();
    let mut state = 1_u32;
    let frames: Vec<_> = (0..30)
        .map(|frame| {
            let mut bytes = vec![0; PixelFormat::I420.bytes(480, size.height)];
            for byte in &mut bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            let mut canvas = I420Canvas::new(&mut bytes, 480, size).unwrap();
            let all = Rect {
                size: Size::new(480, 128),
                ..Rect::default()
            };
            canvas.fill(all, Colour::rgb([90, 120, 60]));
            let time_us = 1_700_000_000_000_000 + u64::from(frame) * 16_667;
            Barcode { time_us, frame }.draw(&mut canvas);
            bytes
        })
        .collect();
    assert_read_after_x264(&frames, size, "500k");
}
