//! The test pattern: colour bars, grey steps, a moving box, text and the barcode, at any size.
//!
//! Owns where things are and what moves; refuses to know where the picture goes.

use crate::barcode::{self, Barcode};
use crate::canvas::{Canvas, Colour, Rect};
use crate::font::{self, Text};
use media::{FrameRate, Size};
use std::io::Write;

const GREY: Colour = Colour::rgb([191, 191, 191]);
const YELLOW: Colour = Colour::rgb([191, 191, 0]);
const CYAN: Colour = Colour::rgb([0, 191, 191]);
const GREEN: Colour = Colour::rgb([0, 191, 0]);
const MAGENTA: Colour = Colour::rgb([191, 0, 191]);
const RED: Colour = Colour::rgb([191, 0, 0]);
const BLUE: Colour = Colour::rgb([0, 0, 191]);
const LANE: Colour = Colour::rgb([32, 32, 32]);
const FAINT: Colour = Colour::rgb([150, 150, 150]);

const BARS: [Colour; 7] = [GREY, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE];
const REVERSED: [Colour; 7] = [
    BLUE,
    Colour::BLACK,
    MAGENTA,
    Colour::BLACK,
    CYAN,
    Colour::BLACK,
    GREY,
];
const GREY_STEPS: u32 = 11;

/// Time the box takes to cross the picture once.
const CROSSING_US: u64 = 2_000_000;
/// Characters in a line of text.
const TEXT_COLUMNS: u32 = 22;
const TEXT_LINES: u32 = 4;
/// Dots from one line of text to the next.
const LINE_ADVANCE: u32 = font::HEIGHT + 3;
/// Lines of text that never change: they come first.
const STILL_LINES: u32 = 2;

/// Rounded down: chroma has no odd places.
const fn even(px: u32) -> u32 {
    px & !1
}

/// What one drawing shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Wall-clock time of the drawing.
    pub(crate) time_us: u64,
    /// Number of the frame.
    pub(crate) frame: u32,
}

/// The parts that one step of the pattern painted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Painted {
    /// The box and what it uncovered, the lines of text, the barcode; the last two may be empty.
    pub(crate) parts: [Rect; 3],
    /// Where the box is now.
    pub(crate) box_at: Rect,
}

/// A test pattern of one size: every position in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    size: Size,
    rate: FrameRate,
    lane: Rect,
    /// Absent where a picture has no room for text.
    text: Option<TextPanel>,
}

/// A black panel with lines of text.
#[derive(Clone, Copy, Debug)]
struct TextPanel {
    panel: Rect,
    dot_px: u32,
}

impl TextPanel {
    /// A panel in the middle of the picture, below the barcode, if there is room for it.
    fn within(size: Size, lane: Rect) -> Option<Self> {
        let dots_across = (TEXT_COLUMNS + 2) * font::ADVANCE;
        let dots_down = TEXT_LINES * LINE_ADVANCE + font::HEIGHT;
        let top = if Barcode::fits(size) {
            barcode::SIZE.height
        } else {
            0
        };
        let free = lane.y.saturating_sub(top);
        let dot_px = (size.width / 2 / dots_across).min(free / dots_down);
        // Even dots keep the colour of the neighbours out; small pictures make do without.
        let dot_px = if dot_px > 1 { dot_px & !1 } else { dot_px };
        if dot_px == 0 {
            return None;
        }
        let panel_size = Size::new(dots_across * dot_px, dots_down * dot_px).even();
        let panel = Rect {
            x: even((size.width - panel_size.width) / 2),
            y: top + even((free - panel_size.height) / 2),
            size: panel_size,
        };
        Some(Self { panel, dot_px })
    }

    fn line(&self, line: u32) -> Rect {
        let margin = font::ADVANCE * self.dot_px;
        Rect {
            x: self.panel.x + margin,
            y: self.panel.y + (line * LINE_ADVANCE + LINE_ADVANCE / 2) * self.dot_px,
            size: Size::new(TEXT_COLUMNS * font::ADVANCE, font::HEIGHT).times(self.dot_px),
        }
    }

    fn write(&self, canvas: &mut impl Canvas, line: u32, text: &LineText) {
        let place = self.line(line);
        let text = Text {
            text: text.bytes(),
            x: place.x,
            y: place.y,
            dot_px: self.dot_px,
        };
        let still = line > 0 && line < STILL_LINES;
        text.draw(canvas, if still { FAINT } else { Colour::WHITE });
    }

    /// The lines that change with every frame.
    fn moving(&self) -> Rect {
        (STILL_LINES..TEXT_LINES).fold(Rect::default(), |all, line| all.union(self.line(line)))
    }
}

trait Times {
    fn times(self, factor: u32) -> Self;
}

impl Times for Size {
    fn times(self, factor: u32) -> Self {
        Self::new(self.width * factor, self.height * factor)
    }
}

/// One line of text, formatted without allocating; what is too long is cut.
struct LineText {
    bytes: [u8; TEXT_COLUMNS as usize],
    length: usize,
}

impl LineText {
    fn new(text: std::fmt::Arguments<'_>) -> Self {
        let mut bytes = [0; TEXT_COLUMNS as usize];
        let mut rest = bytes.as_mut_slice();
        // The only error is a full line, and that is the cut.
        let _ = rest.write_fmt(text);
        let length = TEXT_COLUMNS as usize - rest.len();
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Pattern {
    pub(crate) fn new(size: Size, rate: FrameRate) -> Self {
        let height = even(size.height / 8).max(2).min(size.height);
        let lane = Rect {
            x: 0,
            y: size.height - height,
            size: Size::new(size.width, height),
        };
        let text = TextPanel::within(size, lane);
        Self {
            size,
            rate,
            lane,
            text,
        }
    }

    /// Where the box is at a time: it goes to and fro.
    fn box_at(&self, time_us: u64) -> Rect {
        let side = self.lane.size.height;
        let width = side.min(self.size.width);
        let way = u64::from(self.size.width - width);
        let phase = time_us % (2 * CROSSING_US);
        let along = phase.min(2 * CROSSING_US - phase);
        Rect {
            x: even((way * along / CROSSING_US) as u32),
            y: self.lane.y,
            size: Size::new(width, side),
        }
    }

    /// Stripes of equal width side by side between `top` and `bottom`.
    fn stripes(&self, canvas: &mut impl Canvas, [top, bottom]: [u32; 2], colours: &[Colour]) {
        let count = colours.len() as u64;
        let edge = |stripe: u64| even((u64::from(self.size.width) * stripe / count) as u32);
        for (stripe, colour) in (0..).zip(colours) {
            let x = edge(stripe);
            let right = if stripe + 1 == count {
                self.size.width
            } else {
                edge(stripe + 1)
            };
            let size = Size::new(right - x, bottom - top);
            canvas.fill(Rect { x, y: top, size }, *colour);
        }
    }

    /// Paints everything that stays.
    pub(crate) fn draw_still(&self, canvas: &mut impl Canvas) {
        let height = self.size.height;
        let bars_end = even(height * 5 / 8);
        let reversed_end = even(height * 6 / 8);
        self.stripes(canvas, [0, bars_end], &BARS);
        self.stripes(canvas, [bars_end, reversed_end], &REVERSED);
        let steps: [Colour; GREY_STEPS as usize] = std::array::from_fn(|step| {
            Colour::rgb([(step as u32 * 255 / (GREY_STEPS - 1)) as u8; 3])
        });
        self.stripes(canvas, [reversed_end.min(self.lane.y), self.lane.y], &steps);
        canvas.fill(self.lane, LANE);
        if let Some(text) = &self.text {
            canvas.fill(text.panel, Colour::BLACK);
            text.write(
                canvas,
                0,
                &LineText::new(format_args!("HELIOSTAT TEST PATTERN")),
            );
            let mode = format_args!("{} AT {} FPS", self.size, self.rate);
            text.write(canvas, 1, &LineText::new(mode));
        }
    }

    /// Brings a picture that shows some earlier moment, or only what stays, up to date.
    pub(crate) fn draw_moving(
        &self,
        canvas: &mut impl Canvas,
        last_box: Option<Rect>,
        moment: Moment,
    ) -> Painted {
        let box_at = self.box_at(moment.time_us);
        let last_box = last_box.unwrap_or(box_at);
        canvas.fill(last_box, LANE);
        canvas.fill(box_at, Colour::WHITE);
        let text = self.text.map_or_else(Rect::default, |text| {
            canvas.fill(text.moving(), Colour::BLACK);
            text.write(canvas, STILL_LINES, &clock_text(moment.time_us));
            let frame = format_args!("FRAME {}", moment.frame);
            text.write(canvas, STILL_LINES + 1, &LineText::new(frame));
            text.moving()
        });
        Painted {
            parts: [last_box.union(box_at), text, self.draw_code(canvas, moment)],
            box_at,
        }
    }

    /// Paints the barcode of a moment; answers its place, which is empty where there is no room.
    pub(crate) fn draw_code(&self, canvas: &mut impl Canvas, moment: Moment) -> Rect {
        let code = Barcode {
            time_us: moment.time_us,
            frame: moment.frame,
        };
        code.draw(canvas);
        let size = match Barcode::fits(self.size) {
            true => barcode::SIZE,
            false => Size::default(),
        };
        Rect { x: 0, y: 0, size }
    }

    /// Paints the code of the presses; answers its place, which is empty where there is no room.
    pub(crate) fn draw_presses(&self, canvas: &mut impl Canvas, presses: Barcode) -> Rect {
        presses.draw_presses(canvas);
        match Barcode::fits_with_presses(self.size) {
            true => Rect {
                x: barcode::SIZE.width,
                y: 0,
                size: barcode::SIZE,
            },
            false => Rect::default(),
        }
    }
}

fn clock_text(time_us: u64) -> LineText {
    let (seconds, ms) = (time_us / 1_000_000, time_us / 1000 % 1000);
    let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    LineText::new(format_args!("{h:02}:{m:02}:{s:02}.{ms:03} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::BgrxCanvas;

    fn moment(frame: u32) -> Moment {
        let time_us = 1_700_000_000_000_000 + u64::from(frame) * 16_667;
        Moment { time_us, frame }
    }

    fn picture(pattern: &Pattern, moments: &[Moment]) -> Vec<u8> {
        let Size { width, height } = pattern.size;
        let stride = width as usize * 4;
        let mut bytes = vec![0; stride * height as usize];
        let mut canvas = BgrxCanvas::new(&mut bytes, stride, pattern.size).unwrap();
        pattern.draw_still(&mut canvas);
        let mut last_box = None;
        for moment in moments {
            last_box = Some(pattern.draw_moving(&mut canvas, last_box, *moment).box_at);
        }
        bytes
    }

    #[test]
    fn an_updated_picture_is_the_same_as_one_drawn_afresh() {
        for size in [Size::new(640, 360), Size::new(288, 128), Size::new(2, 2)] {
            let pattern = Pattern::new(size, FrameRate::new(60).unwrap());
            let updated = picture(&pattern, &[moment(0), moment(40), moment(41), moment(300)]);
            assert!(updated == picture(&pattern, &[moment(300)]), "{size}");
        }
    }

    #[test]
    fn every_changed_pixel_is_told() {
        let size = Size::new(640, 360);
        let pattern = Pattern::new(size, FrameRate::new(60).unwrap());
        let (before, after) = (moment(7), moment(9));
        let (old, new) = (picture(&pattern, &[before]), picture(&pattern, &[after]));
        let mut bytes = old.clone();
        let mut canvas = BgrxCanvas::new(&mut bytes, 640 * 4, size).unwrap();
        let last_box = Some(pattern.box_at(before.time_us));
        let painted = pattern.draw_moving(&mut canvas, last_box, after);
        let inside = |x: u32, y: u32, rect: &Rect| {
            let (dx, dy) = (x.wrapping_sub(rect.x), y.wrapping_sub(rect.y));
            dx < rect.size.width && dy < rect.size.height
        };
        for (at, (old, new)) in old.chunks(4).zip(new.chunks(4)).enumerate() {
            let (x, y) = (at as u32 % 640, at as u32 / 640);
            let told = painted.parts.iter().any(|rect| inside(x, y, rect));
            assert!(told || old == new, "({x}, {y}) changed untold");
        }
    }

    #[test]
    fn the_text_has_room_from_small_to_huge() {
        let rate = FrameRate::new(60).unwrap();
        for size in [(1280, 720), (640, 360), (8192, 8192)] {
            let pattern = Pattern::new(Size::new(size.0, size.1), rate);
            let text = pattern.text.unwrap();
            assert_eq!(text.panel.clipped(pattern.size), text.panel);
            assert!(text.panel.y >= barcode::SIZE.height);
            assert_eq!(text.moving().clipped(pattern.size), text.moving());
        }
        assert!(Pattern::new(Size::new(64, 64), rate).text.is_none());
    }
}
