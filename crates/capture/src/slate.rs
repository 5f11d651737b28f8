//! The slate: what viewers see while there is no picture, with the reason in large letters.
//!
//! Owns how it looks; refuses to know when it is shown.

use crate::canvas::{Canvas, Colour, I420Canvas, Rect};
use crate::font::{self, Text};
use media::{CaptureTimes, Frame, FrameKind, MonoTime, PixelFormat, Size};
use std::sync::Arc;

// The colours of the page: calm, and dark enough not to glare in a dark room.
const GROUND: Colour = Colour::rgb([13, 17, 22]);
const TITLE: Colour = Colour::rgb([242, 245, 248]);
const DIM: Colour = Colour::rgb([170, 182, 195]);
const ACCENT: Colour = Colour::rgb([255, 181, 69]);

const NAME: &[u8] = b"HELIOSTAT";
/// Dots of the bar under the title, and of the space around it.
const BAR_DOTS: u32 = 1;
const GAP_DOTS: u32 = 3;
/// Rows begin at multiples of this, in the chroma planes at half of it.
const STRIDE_ALIGNMENT: usize = 64;

/// What a slate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlateText<'a> {
    /// Why there is no picture, in a few words.
    pub reason: &'a str,
    /// What is being done about it.
    pub action: &'a str,
}

/// A line of text in the middle of the picture.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a [u8],
    dot_px: u32,
    colour: Colour,
}

impl Line<'_> {
    fn width(&self) -> u32 {
        text_dots(self.text) * self.dot_px
    }

    fn draw(&self, canvas: &mut impl Canvas, y: u32) {
        let x = canvas.size().width.saturating_sub(self.width()) / 2;
        let text = Text {
            text: self.text,
            x: x & !1,
            y: y & !1,
            dot_px: self.dot_px,
        };
        text.draw(canvas, self.colour);
    }
}

/// Dots that a text takes, without the gap behind its last character.
fn text_dots(text: &[u8]) -> u32 {
    (text.len() as u32 * font::ADVANCE).saturating_sub(1)
}

/// Even, where there is room: chroma has no odd places.
const fn whole(dot_px: u32) -> u32 {
    if dot_px > 1 { dot_px & !1 } else { dot_px }
}

/// Draws a slate of `size`, which must be even.
#[must_use]
pub fn slate(text: SlateText<'_>, size: Size) -> Frame {
    let stride = (size.width as usize).next_multiple_of(STRIDE_ALIGNMENT);
    let mut bytes = vec![0; PixelFormat::I420.bytes(stride, size.height)];
    if let Some(mut canvas) = I420Canvas::new(&mut bytes, stride, size) {
        draw(&mut canvas, text);
    }
    let now = MonoTime::now();
    Frame {
        size,
        format: PixelFormat::I420,
        stride,
        pixels: Arc::new(bytes),
        kind: FrameKind::Placeholder,
        times: CaptureTimes {
            noticed: now,
            grabbed: now,
        },
    }
}

fn draw(canvas: &mut impl Canvas, text: SlateText<'_>) {
    let size = canvas.size();
    canvas.fill(
        Rect {
            size,
            ..Rect::default()
        },
        GROUND,
    );
    // Two thirds of the width for the title, a third of the height for all lines together.
    let across = size.width * 2 / 3 / text_dots(text.reason.as_bytes()).max(1);
    let down = size.height / 3 / (font::HEIGHT * 2 + GAP_DOTS * 2 + BAR_DOTS);
    let dot_px = whole(across.min(down));
    if dot_px == 0 {
        return;
    }
    let title = Line {
        text: text.reason.as_bytes(),
        dot_px,
        colour: TITLE,
    };
    let small_px =
        |text: &[u8]| whole((dot_px / 2).max(1).min(size.width / text_dots(text).max(1)));
    let action = Line {
        text: text.action.as_bytes(),
        dot_px: small_px(text.action.as_bytes()),
        colour: DIM,
    };
    let height = dot_px * (font::HEIGHT + GAP_DOTS * 2 + BAR_DOTS) + action.dot_px * font::HEIGHT;
    let top = (size.height - height) / 2;
    title.draw(canvas, top);
    let bar_y = top + dot_px * (font::HEIGHT + GAP_DOTS);
    let bar = Size::new(title.width(), (dot_px * BAR_DOTS).max(2)).even();
    let x = ((size.width - bar.width) / 2) & !1;
    canvas.fill(
        Rect {
            x,
            y: bar_y & !1,
            size: bar,
        },
        ACCENT,
    );
    action.draw(canvas, bar_y + dot_px * (BAR_DOTS + GAP_DOTS));
    let name = Line {
        text: NAME,
        dot_px: small_px(NAME),
        colour: ACCENT,
    };
    let margin = name.dot_px * font::HEIGHT;
    if top > 3 * margin {
        name.draw(canvas, size.height - 2 * margin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: SlateText<'_> = SlateText {
        reason: "UNSUPPORTED MODE",
        action: "TRYING AGAIN",
    };

    /// Places in the luma plane that are brighter than the ground.
    fn lit(frame: &Frame) -> Vec<(usize, usize)> {
        let luma = frame.bytes().chunks(frame.stride);
        let rows = luma.take(frame.size.height as usize).enumerate();
        rows.flat_map(|(y, row)| {
            let pixels = row[..frame.size.width as usize].iter().enumerate();
            pixels
                .filter(|(_, luma)| **luma > 100)
                .map(move |(x, _)| (x, y))
        })
        .collect()
    }

    #[test]
    fn a_slate_is_readable_in_the_middle_of_every_usual_size() {
        for (width, height) in [
            (640, 360),
            (1280, 720),
            (1920, 1080),
            (1080, 1920),
            (320, 240),
        ] {
            let size = Size::new(width, height);
            let frame = slate(TEXT, size);
            assert_eq!((frame.size, frame.kind), (size, FrameKind::Placeholder));
            let lit = lit(&frame);
            let left = lit.iter().map(|(x, _)| *x).min().unwrap();
            let right = lit.iter().map(|(x, _)| *x).max().unwrap();
            let (span, width) = (right - left, width as usize);
            assert!(span * 3 >= width && span < width, "{span} of {width}");
            let middle = (left + right) / 2;
            assert!(
                middle.abs_diff(width / 2) <= width / 20,
                "{middle} of {width}"
            );
            // Calm: most of it is the dark ground.
            assert!(lit.len() * 8 < size.pixels() as usize);
        }
    }

    #[test]
    fn another_reason_is_another_picture() {
        let size = Size::new(640, 360);
        let other = SlateText {
            reason: "NO SIGNAL",
            ..TEXT
        };
        assert!(slate(TEXT, size).bytes() != slate(other, size).bytes());
        assert!(slate(TEXT, size).bytes() == slate(TEXT, size).bytes());
    }

    #[test]
    fn no_size_is_too_small_or_too_odd() {
        for (width, height) in [(2, 2), (64, 32), (16, 2), (8192, 2), (2, 8192), (130, 30)] {
            let size = Size::new(width, height);
            let frame = slate(TEXT, size);
            let needed = PixelFormat::I420.bytes(frame.stride, height);
            assert_eq!((frame.size, frame.bytes().len()), (size, needed));
        }
        let long = SlateText {
            reason: &"LONG ".repeat(1000),
            action: &"LONG ".repeat(1000),
        };
        let _ = slate(long, Size::new(640, 360));
    }
}
