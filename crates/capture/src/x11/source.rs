//! The X11 source: sleeps until the server tells of a change, and takes the screen at once if the
//! rate allows.
//!
//! Owns what has changed since the last frame; refuses free-running timers.

use crate::source::{Source, SourceError, SourceInfo, SourceRequest, StopSignal};
use crate::x11::bands::Bands;
use crate::x11::cursor::Cursor;
use crate::x11::display::{Area, Display, XResult};
use crate::x11::frames::{Frames, Grab, NoFrame};
use crate::x11::target::Target;
use media::{CaptureTimes, Frame, FrameClock, FrameKind, MonoTime, PixelFormat};
use std::os::fd::AsFd;
use std::sync::Arc;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyOrIdError;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::xfixes::{ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{ConnectionExt as _, Device, EventMask, XIEventMask};
use x11rb::protocol::xproto::ConnectionExt as _;

/// Name of the backend.
pub(crate) const NAME: &str = "x11";

/// Grabs in a row that may find the screen changed under them before the source gives up.
const MAX_MOVES: u32 = 10;

/// What has changed since the last frame.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    rows: Bands,
    /// The mouse was moved, which need not have moved the cursor.
    pointer: bool,
    /// The cursor is somewhere else.
    cursor_place: bool,
    cursor_shape: bool,
    layout: bool,
    /// When the first of them was noticed.
    since: Option<MonoTime>,
}

impl Changes {
    /// Everything, as before the first frame.
    fn all(area: Area) -> Self {
        Self {
            rows: Bands::whole(area.size.height),
            cursor_shape: true,
            ..Self::default()
        }
    }

    const fn any(&self) -> bool {
        self.visible() || self.pointer || self.layout
    }

    /// Whether a new frame would show anything new.
    const fn visible(&self) -> bool {
        !self.rows.is_empty() || self.cursor_place || self.cursor_shape
    }

    /// Notes everything that has arrived. Replies may have brought events along, so this comes
    /// before every sleep.
    fn read(&mut self, display: &Display, area: Area) -> XResult<()> {
        while let Some((event, at)) = display.poll_event()? {
            match event {
                Event::DamageNotify(damage) => match area.rows_of(damage.area) {
                    Some(rows) => self.rows.insert(rows),
                    None => continue,
                },
                Event::XinputRawMotion(_) => self.pointer = true,
                Event::XfixesCursorNotify(_) => self.cursor_shape = true,
                Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) => self.layout = true,
                Event::Error(error) => {
                    tracing::debug!(?error, "the X server refused a request");
                    continue;
                }
                _ => continue,
            }
            self.since.get_or_insert(at);
        }
        Ok(())
    }
}

/// The screen of an X server, or one of its monitors.
pub struct X11 {
    display: Display,
    monitor: Option<String>,
    area: Area,
    damage: Damage,
    cursor: Cursor,
    clock: FrameClock,
    frames: Frames,
    changes: Changes,
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
            frames: Frames::new(area),
            changes: Changes::all(area),
        })
    }

    /// Follows a change of size or place; frames of the old size stay with their holders.
    fn follow_layout(&mut self) -> Result<(), SourceError> {
        self.changes.layout = false;
        let area = self.display.area(self.monitor.as_deref())?;
        if area != self.area {
            self.area = area;
            self.frames = Frames::new(area);
            self.changes.rows = Bands::whole(area.size.height);
        }
        Ok(())
    }

    /// Asks where the pointer is, after the mouse was moved: it may be off the area, or unmoved.
    fn follow_pointer(&mut self) -> XResult<()> {
        self.changes.pointer = false;
        let shown = self.cursor.overlay(self.area);
        let pointer = self.display.connection.query_pointer(self.display.root)?;
        self.cursor.set_position(&pointer.reply()?);
        self.changes.cursor_place |= self.cursor.overlay(self.area) != shown;
        Ok(())
    }

    /// Takes the screen as it is now; `None` when every buffer is in use.
    fn grab(&mut self) -> Result<Option<Frame>, NoFrame> {
        let grab = Grab {
            display: &self.display,
            damage: self.damage,
            cursor_shape: self.changes.cursor_shape,
        };
        let rows = &self.changes.rows;
        let Some(pixels) = self.frames.grab(&grab, &mut self.cursor, rows)? else {
            return Ok(None);
        };
        let grabbed = MonoTime::now();
        let noticed = self.changes.since.unwrap_or(grabbed);
        self.changes = Changes::default();
        Ok(Some(Frame {
            size: self.area.size,
            format: PixelFormat::Bgrx,
            stride: self.area.size.width as usize * 4,
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
    // One event for each rectangle that was not told since the last subtraction.
    connection
        .damage_create(damage, root, ReportLevel::DELTA_RECTANGLES)?
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
            let read = self.changes.read(&self.display, self.area);
            read.map_err(|error| self.lost(error))?;
            if self.changes.layout {
                self.follow_layout()?;
            }
            if !self.changes.any() {
                self.changes.since = None;
                let connection = Arc::clone(&self.display.connection);
                stop.wait(Some(connection.stream().as_fd()), None)?;
                continue;
            }
            let (now, earliest) = (MonoTime::now(), self.clock.earliest());
            if now < earliest {
                stop.wait(None, Some(earliest.since(now)))?;
                continue;
            }
            if !self.changes.visible() {
                self.follow_pointer().map_err(|error| self.lost(error))?;
                continue;
            }
            match self.grab() {
                Ok(Some(frame)) => {
                    self.clock.spend(frame.times.noticed);
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
