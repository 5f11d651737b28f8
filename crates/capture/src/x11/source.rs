//! The X11 source: sleeps until the server tells of a change, and takes the screen at once if the
//! rate allows.
//!
//! Owns what has changed since the last frame; refuses free-running timers.

use crate::source::{FRAMES_IN_FLIGHT, Source, SourceError, SourceInfo, SourceRequest, StopSignal};
use crate::x11::cursor::Cursor;
use crate::x11::display::{Area, Display, XResult};
use crate::x11::segment::Segment;
use crate::x11::target::Target;
use media::{CaptureTimes, Frame, FrameClock, FrameKind, MonoTime, PixelFormat, Pool};
use std::os::fd::AsFd;
use std::sync::Arc;
use x11rb::connection::Connection as _;
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xfixes::{ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{ConnectionExt as _, Device, EventMask, XIEventMask};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};
use x11rb::protocol::{ErrorKind, Event};

/// Name of the backend.
pub(crate) const NAME: &str = "x11";

/// Grabs in a row that may find the screen changed under them before the source gives up.
const MAX_MOVES: u32 = 10;

/// What has changed since the last frame.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    picture: bool,
    pointer: bool,
    cursor_shape: bool,
    layout: bool,
    /// When the first of them was noticed.
    since: Option<MonoTime>,
}

/// The screen of an X server, or one of its monitors.
pub struct X11 {
    display: Display,
    monitor: Option<String>,
    area: Area,
    damage: Damage,
    cursor: Cursor,
    clock: FrameClock,
    pool: Pool<Segment>,
    changes: Changes,
}

/// Why a grab gave no frame.
enum NoFrame {
    /// The screen changed its size under it.
    Moved,
    Lost(SourceError),
}

impl From<SourceError> for NoFrame {
    fn from(error: SourceError) -> Self {
        Self::Lost(error)
    }
}

impl X11 {
    /// The display and monitor that the request's target names.
    ///
    /// # Errors
    /// [`SourceError::Absent`] without a display that lets this user in, or without the monitor;
    /// [`SourceError::Unsupported`] for pixels or sizes that cannot be taken.
    pub fn open(request: &SourceRequest) -> Result<Self, SourceError> {
        let target = Target::parse(request.target.as_deref());
        let display = Display::open(target.display.as_deref())?;
        let area = display.area(target.monitor.as_deref())?;
        if request.size.is_some_and(|size| size != area.size) {
            return Err(display.unsupported(format!(
                "its size is {}: leave out --size, or set that size there first (xrandr)",
                area.size
            )));
        }
        let damage = subscribe(&display).map_err(|error| display.lost(error))?;
        Ok(Self {
            display,
            monitor: target.monitor,
            area,
            damage,
            cursor: Cursor::default(),
            clock: FrameClock::new(request.rate),
            pool: Pool::new(FRAMES_IN_FLIGHT),
            changes: Changes {
                picture: true,
                cursor_shape: true,
                ..Changes::default()
            },
        })
    }

    /// Notes everything that has arrived. Replies may have brought events along, so this comes
    /// before every sleep.
    fn read_events(&mut self) -> XResult<()> {
        while let Some((event, at)) = self.display.poll_event()? {
            match event {
                Event::DamageNotify(_) => self.changes.picture = true,
                Event::XinputRawMotion(_) => self.changes.pointer = true,
                Event::XfixesCursorNotify(_) => self.changes.cursor_shape = true,
                Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) => {
                    self.changes.layout = true;
                }
                Event::Error(error) => tracing::debug!(?error, "the X server refused a request"),
                _ => continue,
            }
            self.changes.since.get_or_insert(at);
        }
        Ok(())
    }

    /// Follows a change of size or place; frames of the old size stay with their holders.
    fn follow_layout(&mut self) -> Result<(), SourceError> {
        self.changes.layout = false;
        let area = self.display.area(self.monitor.as_deref())?;
        if area != self.area {
            if area.size != self.area.size {
                self.pool.clear();
            }
            self.area = area;
            self.changes.picture = true;
        }
        Ok(())
    }

    /// Whether a new frame would show anything new. Only the pointer needs a question: the mouse
    /// may have moved off the area, or not at all.
    fn is_worth_a_frame(&mut self) -> XResult<bool> {
        if self.changes.picture || self.changes.cursor_shape {
            return Ok(true);
        }
        if !self.changes.pointer {
            return Ok(false);
        }
        self.changes.pointer = false;
        let shown = self.cursor.overlay(self.area);
        let pointer = self.display.connection.query_pointer(self.display.root)?;
        self.cursor.set_position(&pointer.reply()?);
        Ok(self.cursor.overlay(self.area) != shown)
    }

    /// Copies the screen into a free segment; `None` when every segment is in use.
    fn grab(&mut self) -> Result<Option<Frame>, NoFrame> {
        let stride = self.area.size.width as usize * 4;
        let bytes = PixelFormat::Bgrx.bytes(stride, self.area.size.height);
        let Self {
            display,
            area,
            damage,
            cursor,
            pool,
            changes,
            ..
        } = self;
        let make = || Ok::<_, NoFrame>(Segment::attach(display, bytes)?);
        let fill = |segment: &mut Segment| {
            let request = GrabRequest {
                display,
                area: *area,
                damage: *damage,
                cursor_shape: changes.cursor_shape,
            };
            match request.fill(segment, cursor) {
                Ok(()) => {}
                Err(ReplyOrIdError::X11Error(error)) if error.error_kind == ErrorKind::Match => {
                    return Err(NoFrame::Moved);
                }
                Err(error) => return Err(display.lost(error).into()),
            }
            cursor.draw(segment.bytes_mut(), stride, *area);
            Ok(())
        };
        let Some(pixels) = pool.fill(make, fill)? else {
            return Ok(None);
        };
        let grabbed = MonoTime::now();
        let noticed = changes.since.unwrap_or(grabbed);
        self.changes = Changes::default();
        Ok(Some(Frame {
            size: self.area.size,
            format: PixelFormat::Bgrx,
            stride,
            pixels,
            kind: FrameKind::Fresh,
            times: CaptureTimes { noticed, grabbed },
        }))
    }

    fn lost(&self, error: ReplyOrIdError) -> SourceError {
        self.display.lost(error)
    }
}

/// Asks for every event that means a new frame.
fn subscribe(display: &Display) -> XResult<Damage> {
    let (connection, root) = (&display.connection, display.root);
    let layout = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE | NotifyMask::OUTPUT_CHANGE;
    connection.randr_select_input(root, layout)?;
    connection.xfixes_select_cursor_input(root, CursorNotifyMask::DISPLAY_CURSOR)?;
    let damage = connection.generate_id()?;
    // One event, at the first change after each subtraction, however much is drawn.
    connection
        .damage_create(damage, root, ReportLevel::NON_EMPTY)?
        .check()?;
    // Moving the mouse damages nothing. Raw motion is told even while an application grabs it.
    let version = connection
        .xinput_xi_query_version(2, 2)
        .map(|cookie| cookie.reply());
    if matches!(version, Ok(Ok(_))) {
        let mask = EventMask {
            deviceid: u16::from(Device::ALL_MASTER),
            mask: vec![XIEventMask::RAW_MOTION],
        };
        connection.xinput_xi_select_events(root, &[mask])?.check()?;
    } else {
        tracing::warn!(
            "the X server lacks XInput 2.2: the cursor moves only when the picture does"
        );
    }
    Ok(damage)
}

/// The requests of one grab, which leave together and cost one round trip.
struct GrabRequest<'a> {
    display: &'a Display,
    area: Area,
    damage: Damage,
    cursor_shape: bool,
}

impl GrabRequest<'_> {
    fn fill(&self, segment: &mut Segment, cursor: &mut Cursor) -> XResult<()> {
        let (connection, root) = (&self.display.connection, self.display.root);
        // What is drawn after this subtraction is told anew, and what was drawn before it is in the
        // image: nothing is lost between the two.
        connection.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
        let image = connection.shm_get_image(
            root,
            self.area.x,
            self.area.y,
            self.area.size.width as u16,
            self.area.size.height as u16,
            u32::MAX,
            ImageFormat::Z_PIXMAP.into(),
            segment.id(),
            0,
        )?;
        let pointer = connection.query_pointer(root)?;
        let shape = match self.cursor_shape {
            true => Some(connection.xfixes_get_cursor_image()?),
            false => None,
        };
        // Every reply is awaited before any error is told: nothing may be written afterwards.
        let image = image.reply();
        cursor.set_position(&pointer.reply()?);
        match shape.map(|shape| shape.reply()) {
            None => {}
            Some(Ok(shape)) => cursor.set_shape(Some(shape)),
            // Servers answer so while no cursor is shown at all.
            Some(Err(ReplyError::X11Error(_))) => cursor.set_shape(None),
            Some(Err(error)) => return Err(error.into()),
        }
        image?;
        Ok(())
    }
}

impl Source for X11 {
    fn info(&self) -> SourceInfo {
        let monitor = self
            .monitor
            .as_ref()
            .map(|monitor| format!(", monitor {monitor}"));
        SourceInfo {
            name: NAME,
            detail: format!(
                "X display {}{}",
                self.display.name,
                monitor.unwrap_or_default()
            ),
            size: self.area.size,
        }
    }

    fn next_frame(&mut self, stop: &StopSignal) -> Result<Option<Frame>, SourceError> {
        let mut moves = 0;
        while !stop.is_raised() {
            self.read_events().map_err(|error| self.lost(error))?;
            if self.changes.layout {
                self.follow_layout()?;
            }
            if self.changes.since.is_none() && !self.changes.picture {
                let connection = Arc::clone(&self.display.connection);
                stop.wait(Some(connection.stream().as_fd()), None)?;
                continue;
            }
            let (now, earliest) = (MonoTime::now(), self.clock.earliest());
            if now < earliest {
                stop.wait(None, Some(earliest.since(now)))?;
                continue;
            }
            if !self.is_worth_a_frame().map_err(|error| self.lost(error))? {
                self.changes.since = None;
                continue;
            }
            match self.grab() {
                Ok(Some(frame)) => {
                    self.clock.spend(now);
                    return Ok(Some(frame));
                }
                // Whoever holds every segment lets go of one within a frame or so.
                Ok(None) => stop.wait(None, Some(self.clock.interval() / 4))?,
                Err(NoFrame::Moved) if moves < MAX_MOVES => {
                    moves += 1;
                    self.changes.layout = true;
                }
                Err(NoFrame::Moved) => {
                    return Err(self.display.unsupported("its size never settles"));
                }
                Err(NoFrame::Lost(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}
