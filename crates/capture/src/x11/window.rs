//! An X window that shows the test pattern at a rate of its own: a drawn source to measure with.
//!
//! Owns the window and its timer; refuses to tell anyone but the X server what it drew.

use crate::canvas::{BgrxCanvas, Rect};
use crate::pattern::{Moment, Painted, Pattern};
use crate::source::{SourceError, StopSignal};
use crate::ticker::Ticker;
use crate::x11::display::{Display, XResult};
use crate::x11::segment::Segment;
use media::{FrameRate, MonoTime, Size};
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::Event;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, ImageFormat, Window,
    WindowClass,
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
/// sent, through shared memory and in one go.
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
        };
        let shown = pattern_window.show(&[pattern_window.whole()]);
        shown.map_err(|error| pattern_window.display.lost(error))?;
        Ok(pattern_window)
    }

    /// Draws at the window's rate until `stop` is raised; returns the number of drawings so far.
    ///
    /// # Errors
    /// [`SourceError::Absent`] when the X server goes away.
    pub fn run(&mut self, stop: &StopSignal) -> Result<u32, SourceError> {
        while self.ticker.wait(stop)? {
            self.draw().map_err(|error| self.display.lost(error))?;
        }
        Ok(self.frame)
    }

    fn draw(&mut self) -> XResult<()> {
        let mut uncovered = false;
        while let Some((event, _)) = self.display.poll_event()? {
            uncovered |= matches!(event, Event::Expose(_));
        }
        let moment = Moment {
            time_us: MonoTime::now().wall_us(),
            frame: self.frame,
        };
        let stride = self.size.width as usize * 4;
        let Some(mut canvas) = BgrxCanvas::new(self.segment.bytes_mut(), stride, self.size) else {
            return Ok(());
        };
        let Painted { parts, box_at } = self.pattern.draw_moving(&mut canvas, self.box_at, moment);
        self.box_at = Some(box_at);
        self.frame = self.frame.wrapping_add(1);
        match uncovered {
            true => self.show(&[self.whole()]),
            false => self.show(&parts),
        }
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
        .event_mask(EventMask::EXPOSURE);
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
    Ok((window, context))
}
