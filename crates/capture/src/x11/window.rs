//! An X window that shows the test pattern at a rate of its own, and how often a key or a mouse
//! button was pressed: a drawn source to measure with.
//!
//! Owns the window and its timer; refuses to tell anyone but the X server what it drew.

use crate::barcode::Barcode;
use crate::canvas::{BgrxCanvas, Rect};
use crate::pattern::{Moment, Pattern};
use crate::source::{SourceError, StopSignal};
use crate::ticker::Ticker;
use crate::x11::display::{Display, XResult};
use crate::x11::segment::Segment;
use media::{FrameRate, MonoTime, Size};
use std::os::fd::AsFd;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::Event;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, ImageFormat, InputFocus,
    Window, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;

/// What a pattern window is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternWindowRequest {
    /// Such as `:1`; absent means the user's own display.
    pub display: Option<String>,
    /// Size of the window; it stands at the top left of the screen, above all others.
    pub size: Size,
    /// Drawings a second. Choose one beside the stream's rate, such as 57 for 60: then the phase
    /// between the two sweeps, and luck does not decide what is measured.
    pub rate: FrameRate,
}

/// A window with the moving test pattern, its barcode at the top left corner of the screen.
///
/// Each drawing changes the barcode, two lines of text and a moving box, and only these parts are
/// sent, through shared memory and in one go. It has the keyboard: a key or a mouse button that is
/// pressed is counted in the code of the presses and shown at once, without waiting for its rate.
pub struct PatternWindow {
    display: Display,
    window: Window,
    context: Gcontext,
    segment: Segment,
    size: Size,
    pattern: Pattern,
    ticker: Ticker,
    box_at: Option<Rect>,
    frame: u32,
    /// When the latest press was heard, and how many there were.
    presses: Barcode,
    /// The presses that the window shows.
    shown_presses: Option<Barcode>,
    uncovered: bool,
}

/// What a drawing brings up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Everything that moves.
    Pattern,
    /// The two codes.
    Codes,
}

impl PatternWindow {
    /// Opens the window and shows the parts that stand still.
    ///
    /// # Errors
    /// [`SourceError`] as for capturing that display, or when the size is none a stream can have.
    pub fn open(request: &PatternWindowRequest) -> Result<Self, SourceError> {
        let display = Display::open(request.display.as_deref())?;
        let size = request.size;
        size.checked()
            .map_err(|error| display.unsupported(error.to_string()))?;
        let stride = size.width as usize * 4;
        let mut segment = Segment::attach(&display, stride * size.height as usize)?;
        let pattern = Pattern::new(size, request.rate);
        if let Some(mut canvas) = BgrxCanvas::new(segment.bytes_mut(), stride, size) {
            pattern.draw_still(&mut canvas);
        }
        let presses = Barcode {
            time_us: MonoTime::now().wall_us(),
            frame: 0,
        };
        let (window, context) = create(&display, size).map_err(|error| display.lost(error))?;
        let pattern_window = Self {
            display,
            window,
            context,
            segment,
            size,
            pattern,
            ticker: Ticker::new(request.rate),
            box_at: None,
            frame: 0,
            presses,
            shown_presses: None,
            uncovered: false,
        };
        let shown = pattern_window.show(&[pattern_window.whole()]);
        shown.map_err(|error| pattern_window.display.lost(error))?;
        Ok(pattern_window)
    }

    /// Draws at the window's rate, and at every press, until `stop` is raised; returns the number
    /// of drawings so far.
    ///
    /// # Errors
    /// [`SourceError::Absent`] when the X server goes away.
    pub fn run(&mut self, stop: &StopSignal) -> Result<u32, SourceError> {
        while !stop.is_raised() {
            let pressed = self.hear().map_err(|error| self.display.lost(error))?;
            match self.ticker.take_due() {
                Err(left) if !pressed => {
                    let server = self.display.connection.stream().as_fd();
                    stop.wait(Some(server), Some(left))?;
                }
                _ => self.draw(Step::Pattern)?,
            }
        }
        Ok(self.frame)
    }

    /// Draws at every press and rests in between, like a desktop that waits for its user, until
    /// `stop` is raised; returns the number of drawings so far.
    ///
    /// # Errors
    /// [`SourceError::Absent`] when the X server goes away.
    pub fn react(&mut self, stop: &StopSignal) -> Result<u32, SourceError> {
        // The server has told of the window's own appearance by now.
        self.hear().map_err(|error| self.display.lost(error))?;
        self.draw(Step::Pattern)?;
        while !stop.is_raised() {
            let pressed = self.hear().map_err(|error| self.display.lost(error))?;
            if pressed || self.uncovered {
                self.draw(Step::Codes)?;
            } else {
                let server = self.display.connection.stream().as_fd();
                stop.wait(Some(server), None)?;
            }
        }
        Ok(self.frame)
    }

    /// Takes in what the server told; whether something was pressed.
    fn hear(&mut self) -> XResult<bool> {
        let before = self.presses.frame;
        while let Some((event, _)) = self.display.poll_event()? {
            match event {
                Event::Expose(_) => self.uncovered = true,
                Event::KeyPress(_) | Event::ButtonPress(_) => {
                    self.presses = Barcode {
                        time_us: MonoTime::now().wall_us(),
                        frame: self.presses.frame.wrapping_add(1),
                    };
                }
                _ => {}
            }
        }
        Ok(self.presses.frame != before)
    }

    fn draw(&mut self, step: Step) -> Result<(), SourceError> {
        let moment = Moment {
            time_us: MonoTime::now().wall_us(),
            frame: self.frame,
        };
        let stride = self.size.width as usize * 4;
        let Some(mut canvas) = BgrxCanvas::new(self.segment.bytes_mut(), stride, self.size) else {
            return Ok(());
        };
        let mut presses = self.pattern.draw_presses(&mut canvas, self.presses);
        if self.shown_presses.replace(self.presses) == Some(self.presses) {
            presses = Rect::default();
        }
        let shown = match step {
            Step::Pattern => {
                let painted = self.pattern.draw_moving(&mut canvas, self.box_at, moment);
                self.box_at = Some(painted.box_at);
                let [moved, text, code] = painted.parts;
                [moved, text, code, presses]
            }
            Step::Codes => {
                let code = self.pattern.draw_code(&mut canvas, moment);
                [code, presses, Rect::default(), Rect::default()]
            }
        };
        self.frame = self.frame.wrapping_add(1);
        let shown = match std::mem::take(&mut self.uncovered) {
            true => self.show(&[self.whole()]),
            false => self.show(&shown),
        };
        shown.map_err(|error| self.display.lost(error))
    }

    const fn whole(&self) -> Rect {
        Rect {
            x: 0,
            y: 0,
            size: self.size,
        }
    }

    /// Sends parts of the picture, and waits until the server has read them from the memory.
    fn show(&self, parts: &[Rect]) -> XResult<()> {
        for part in parts.iter().filter(|part| !part.is_empty()) {
            // Sides of at most 8192 fit into every number of the protocol.
            let (width, height) = (part.size.width as u16, part.size.height as u16);
            self.display.connection.shm_put_image(
                self.window,
                self.context,
                self.size.width as u16,
                self.size.height as u16,
                part.x as u16,
                part.y as u16,
                width,
                height,
                part.x as i16,
                part.y as i16,
                self.display.depth,
                ImageFormat::Z_PIXMAP.into(),
                false,
                self.segment.id(),
                0,
            )?;
        }
        self.display.connection.sync()?;
        Ok(())
    }
}

/// A window that no window manager moves.
fn create(display: &Display, size: Size) -> Result<(Window, Gcontext), ReplyOrIdError> {
    let connection = &display.connection;
    let (window, context) = (connection.generate_id()?, connection.generate_id()?);
    let aux = CreateWindowAux::new()
        .override_redirect(1)
        .event_mask(EventMask::EXPOSURE | EventMask::KEY_PRESS | EventMask::BUTTON_PRESS);
    let created = connection.create_window(
        x11rb::COPY_DEPTH_FROM_PARENT,
        window,
        display.root,
        0,
        0,
        size.width as u16,
        size.height as u16,
        0,
        WindowClass::INPUT_OUTPUT,
        x11rb::COPY_FROM_PARENT,
        &aux,
    )?;
    created.check()?;
    connection.create_gc(context, window, &CreateGCAux::new().graphics_exposures(0))?;
    connection.map_window(window)?.check()?;
    // No window manager gives it the keyboard.
    connection
        .set_input_focus(InputFocus::POINTER_ROOT, window, x11rb::CURRENT_TIME)?
        .check()?;
    Ok((window, context))
}
