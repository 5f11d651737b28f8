//! Busier windows than the test pattern: a page of text that scrolls, and a film in a window. Both
//! carry the barcode, drawn in the same breath as the rest; everything is painted beforehand, so
//! that the drawing itself costs next to nothing.

use crate::BenchError;
use capture::barcode::{self, Barcode};
use capture::canvas::BgrxCanvas;
use capture::{PatternWindow, PatternWindowRequest, StopSignal};
use ffi_shm::SharedMemory;
use media::{FrameRate, MonoTime, Size};
use std::fmt;
use std::str::FromStr;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

const BYTES_PER_PIXEL: usize = 4;
/// Rows by which the page of text moves with each drawing.
const SCROLL_ROWS: u32 = 8;
/// Pictures of the film before it begins again: more than an encoder remembers.
const FILM_PICTURES: u32 = 12;
/// Levels by which grain changes a pixel of the film, up and down.
const GRAIN: i32 = 7;

/// What is shown beside the barcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The test pattern: a clock and a moving box, as little as a desktop at work.
    #[default]
    Pattern,
    /// A page of text that fills the screen and scrolls.
    Scroll,
    /// A film with grain in a quarter of the screen: takes every bit that the encoder may have.
    Video,
}

impl Content {
    /// All, by the names under which they are known.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Pattern, "pattern"),
        (Self::Scroll, "scroll"),
        (Self::Video, "video"),
    ];
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(content, _)| content == self);
        f.write_str(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for Content {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let known = Self::ALL.iter().find(|(_, name)| *name == text);
        known
            .map(|(content, _)| *content)
            .ok_or_else(|| BenchError::Option {
                name: "content",
                why: format!("{text:?} is none of pattern, scroll and video"),
            })
    }
}

/// A window at work on a display.
#[derive(Clone, Debug)]
pub(crate) struct SceneRequest {
    pub(crate) display: String,
    pub(crate) size: Size,
    pub(crate) rate: FrameRate,
    pub(crate) content: Content,
    pub(crate) motion: Motion,
}

/// When a window draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// At its rate; the test pattern also when a key or a button is pressed.
    Steady,
    /// Only when a key or a button is pressed; the test pattern alone can do it.
    OnPress,
}

impl Motion {
    const ALL: [(Self, &'static str); 2] = [(Self::Steady, "steady"), (Self::OnPress, "on-press")];
}

impl fmt::Display for Motion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(motion, _)| motion == self);
        f.write_str(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for Motion {
    type Err = BenchError;

    fn from_str(text: &str) -> Result<Self, BenchError> {
        let known = Self::ALL.iter().find(|(_, name)| *name == text);
        let unknown = || BenchError::Option {
            name: "motion",
            why: format!("{text:?} is none of steady and on-press"),
        };
        known.map(|(motion, _)| *motion).ok_or_else(unknown)
    }
}

/// Any of the windows.
pub(crate) enum Scene {
    Pattern(Box<PatternWindow>, Motion),
    Busy(Box<BusyWindow>),
}

impl Scene {
    pub(crate) fn open(request: SceneRequest) -> Result<Self, BenchError> {
        if request.content != Content::Pattern {
            let opened = BusyWindow::open(request);
            return opened
                .map(|window| Self::Busy(Box::new(window)))
                .map_err(|error| lost(&error));
        }
        let SceneRequest {
            display,
            size,
            rate,
            motion,
            ..
        } = request;
        let display = Some(display);
        let window = PatternWindow::open(&PatternWindowRequest {
            display,
            size,
            rate,
        })?;
        Ok(Self::Pattern(Box::new(window), motion))
    }

    /// Draws as its motion says until `stop` is raised.
    pub(crate) fn run(&mut self, stop: &StopSignal) -> Result<(), BenchError> {
        match self {
            Self::Pattern(window, Motion::Steady) => Ok(window.run(stop).map(|_| ())?),
            Self::Pattern(window, Motion::OnPress) => Ok(window.react(stop).map(|_| ())?),
            Self::Busy(window) => window.run(stop),
        }
    }
}

fn lost(error: &dyn fmt::Display) -> BenchError {
    BenchError::program("the X server", format!("refuses the window: {error}"))
}

/// A rectangle of the shared memory, which is one long strip as wide as its widest part.
#[derive(Clone, Copy, Debug)]
struct Part {
    size: Size,
    first_row: u32,
}

/// The shared memory: the barcode on top, then what the content needs.
#[derive(Clone, Copy, Debug)]
struct Layout {
    size: Size,
    text: Part,
    film: Part,
}

impl Layout {
    fn new(size: Size, content: Content) -> Self {
        let text = Part {
            size,
            first_row: barcode::SIZE.height,
        };
        let film_size = Size::new(size.width / 2, size.height / 2).even();
        let film = Part {
            size: film_size,
            first_row: text.first_row + size.height,
        };
        let films = if content == Content::Video {
            FILM_PICTURES
        } else {
            0
        };
        let rows = film.first_row + films * film_size.height;
        Self {
            size: Size::new(size.width, rows),
            text,
            film,
        }
    }

    fn stride(&self) -> usize {
        self.size.width as usize * BYTES_PER_PIXEL
    }
}

/// A window that changes much with each drawing.
pub(crate) struct BusyWindow {
    connection: RustConnection,
    window: u32,
    context: Gcontext,
    segment: u32,
    memory: SharedMemory,
    layout: Layout,
    request: SceneRequest,
    depth: u8,
    drawing: u32,
}

impl BusyWindow {
    fn open(request: SceneRequest) -> Result<Self, ReplyOrIdError> {
        let (connection, screen) = RustConnection::connect(Some(&request.display))
            .map_err(|error| std::io::Error::other(error.to_string()))
            .map_err(x11rb::errors::ConnectionError::from)?;
        let screen = &connection.setup().roots[screen];
        let (root, depth) = (screen.root, screen.root_depth);
        let layout = Layout::new(request.size, request.content);
        let length = layout.stride() * layout.size.height as usize;
        let (mut memory, fd) = SharedMemory::new(length)
            .map_err(std::io::Error::other)
            .map_err(x11rb::errors::ConnectionError::from)?;
        paint(memory.bytes_mut(), layout, request.content);
        let segment = connection.generate_id()?;
        connection.shm_attach_fd(segment, fd, false)?.check()?;
        let (window, context) = (connection.generate_id()?, connection.generate_id()?);
        let (width, height) = (request.size.width as u16, request.size.height as u16);
        let aux = CreateWindowAux::new().override_redirect(1);
        connection
            .create_window(
                x11rb::COPY_DEPTH_FROM_PARENT,
                window,
                root,
                0,
                0,
                width,
                height,
                0,
                WindowClass::INPUT_OUTPUT,
                x11rb::COPY_FROM_PARENT,
                &aux,
            )?
            .check()?;
        connection.create_gc(context, window, &CreateGCAux::new().graphics_exposures(0))?;
        connection.map_window(window)?.check()?;
        let opened = Self {
            connection,
            window,
            context,
            segment,
            memory,
            layout,
            request,
            depth,
            drawing: 0,
        };
        opened.show(opened.layout.text, [0, 0])?;
        opened.connection.sync()?;
        Ok(opened)
    }

    fn run(&mut self, stop: &StopSignal) -> Result<(), BenchError> {
        let interval = self.request.rate.interval();
        let mut due = MonoTime::now();
        while !stop.is_raised() {
            let now = MonoTime::now();
            if now < due {
                let waited = stop.wait(None, Some(due.since(now)));
                waited.map_err(BenchError::system("cannot wait for the next drawing"))?;
                continue;
            }
            // On its grid as long as it keeps up, without bursts when it did not.
            due = (due + interval).max(now);
            self.draw().map_err(|error| lost(&error))?;
        }
        Ok(())
    }

    /// One drawing: the content first and the barcode last, all sent at once.
    fn draw(&mut self) -> Result<(), ReplyOrIdError> {
        let code = Barcode {
            time_us: MonoTime::now().wall_us(),
            frame: self.drawing,
        };
        let stride = self.layout.stride();
        if let Some(mut canvas) = BgrxCanvas::new(self.memory.bytes_mut(), stride, barcode::SIZE) {
            code.draw(&mut canvas);
        }
        match self.request.content {
            Content::Scroll => self.scroll()?,
            Content::Video => self.next_picture()?,
            Content::Pattern => {}
        }
        let code = Part {
            size: barcode::SIZE,
            first_row: 0,
        };
        self.show(code, [0, 0])?;
        self.drawing = self.drawing.wrapping_add(1);
        // The server has read the memory when it answers.
        Ok(self.connection.sync()?)
    }

    /// Moves the page up, as applications do it, and adds the rows that come into sight.
    fn scroll(&self) -> Result<(), ReplyOrIdError> {
        let Size { width, height } = self.request.size;
        let top = barcode::SIZE.height;
        let kept = height - top - SCROLL_ROWS;
        self.connection.copy_area(
            self.window,
            self.window,
            self.context,
            0,
            (top + SCROLL_ROWS) as i16,
            0,
            top as i16,
            width as u16,
            kept as u16,
        )?;
        let text = self.layout.text;
        let line = self.drawing % (text.size.height / SCROLL_ROWS) * SCROLL_ROWS;
        let rows = Part {
            size: Size::new(width, SCROLL_ROWS),
            first_row: text.first_row + line,
        };
        self.show(rows, [0, top + kept])
    }

    fn next_picture(&self) -> Result<(), ReplyOrIdError> {
        let Part { size, first_row } = self.layout.film;
        let picture = Part {
            size,
            first_row: first_row + self.drawing % FILM_PICTURES * size.height,
        };
        let screen = self.request.size;
        let x = (screen.width - size.width) / 2;
        let y = (screen.height - size.height) / 2;
        self.show(picture, [x, y.max(barcode::SIZE.height)])
    }

    fn show(&self, part: Part, [x, y]: [u32; 2]) -> Result<(), ReplyOrIdError> {
        self.connection.shm_put_image(
            self.window,
            self.context,
            self.layout.size.width as u16,
            self.layout.size.height as u16,
            0,
            part.first_row as u16,
            part.size.width as u16,
            part.size.height as u16,
            x as i16,
            y as i16,
            self.depth,
            ImageFormat::Z_PIXMAP.into(),
            false,
            self.segment,
            0,
        )?;
        Ok(())
    }
}

/// Paints everything that will be shown.
fn paint(bytes: &mut [u8], layout: Layout, content: Content) {
    let stride = layout.stride();
    let (code, rest) = bytes.split_at_mut(layout.text.first_row as usize * stride);
    code.fill(0);
    let (text, film) = rest.split_at_mut(layout.text.size.height as usize * stride);
    let mut chance = Chance::new(0x9e37_79b9_7f4a_7c15);
    write_text(text, stride, &mut chance);
    if content == Content::Video {
        let height = layout.film.size.height as usize;
        for (picture, rows) in film.chunks_mut(height * stride).enumerate() {
            expose(
                rows,
                stride,
                layout.film.size.width,
                picture as f32,
                &mut chance,
            );
        }
    }
}

/// Xorshift: the same sequence every time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A sequence of its own for each seed but 0.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}

/// Dark signs on white, in lines and words: to an encoder, text.
fn write_text(rows: &mut [u8], stride: usize, chance: &mut Chance) {
    const SIGN: (usize, usize) = (8, 16);
    const INK: u8 = 0x22;
    rows.fill(0xff);
    let signs: Vec<u64> = (0..64).map(|_| chance.next() & chance.next()).collect();
    for line in rows.chunks_mut(stride * SIGN.1) {
        for left in (0..stride).step_by(SIGN.0 * BYTES_PER_PIXEL) {
            let choice = chance.next() as usize;
            if choice.is_multiple_of(6) {
                continue;
            }
            let sign = signs[choice % signs.len()];
            // 5 by 9 dots with space around them.
            for dot in (0..45).filter(|dot| sign >> dot & 1 == 1) {
                let (x, y) = (1 + dot % 5, 3 + dot / 5);
                let at = y * stride + left + x * BYTES_PER_PIXEL;
                if let Some(pixel) = line.get_mut(at..at + 3) {
                    pixel.fill(INK);
                }
            }
        }
    }
}

/// One picture of a film: soft colours that move, with grain.
fn expose(rows: &mut [u8], stride: usize, width: u32, time: f32, chance: &mut Chance) {
    let phase = time * std::f32::consts::TAU / FILM_PICTURES as f32;
    let wave = |at: f32, speed: f32| (at + speed * phase).sin() * 50.0;
    for (y, row) in rows.chunks_mut(stride).enumerate() {
        let y = y as f32;
        for x in 0..width as usize {
            let grain = (chance.next() % (2 * GRAIN as u64 + 1)) as i32 - GRAIN;
            let across = x as f32;
            let colour = [
                wave(across * 0.021 + y * 0.013, 1.0),
                wave(y * 0.031 - across * 0.007, -1.0),
                wave((across - y) * 0.017, 2.0),
            ];
            let pixel = &mut row[x * BYTES_PER_PIXEL..][..3];
            for (byte, level) in pixel.iter_mut().zip(colour) {
                *byte = (128 + level as i32 + grain).clamp(0, 255) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_and_motions_are_read_as_they_are_written() {
        for (content, name) in Content::ALL {
            assert_eq!(content.to_string(), name);
            assert_eq!(name.parse::<Content>().unwrap(), content);
        }
        for (motion, name) in Motion::ALL {
            assert_eq!(motion.to_string(), name);
            assert_eq!(name.parse::<Motion>().unwrap(), motion);
        }
        assert!("never".parse::<Motion>().is_err());
        let error = "film".parse::<Content>().unwrap_err().to_string();
        assert!(error.contains("pattern, scroll and video"), "{error}");
    }

    #[test]
    fn every_picture_of_the_film_differs_from_the_others() {
        let layout = Layout::new(Size::new(640, 360), Content::Video);
        let mut bytes = vec![0; layout.stride() * layout.size.height as usize];
        paint(&mut bytes, layout, Content::Video);
        let film = &bytes[layout.film.first_row as usize * layout.stride()..];
        let pictures = film.chunks(layout.film.size.height as usize * layout.stride());
        let pictures: Vec<&[u8]> = pictures.collect();
        assert_eq!(pictures.len(), FILM_PICTURES as usize);
        for pair in pictures.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn the_page_is_mostly_white_with_some_ink() {
        let layout = Layout::new(Size::new(640, 360), Content::Scroll);
        let mut bytes = vec![0; layout.stride() * layout.size.height as usize];
        paint(&mut bytes, layout, Content::Scroll);
        let page = &bytes[layout.text.first_row as usize * layout.stride()..];
        let ink = page.iter().filter(|byte| **byte < 128).count();
        assert!(page.len() / 50 < ink && ink < page.len() / 4, "{ink}");
    }
}
