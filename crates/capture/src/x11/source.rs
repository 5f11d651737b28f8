//! The X11 source: sleeps until the server tells of a change, and takes the screen at once if the
//! rate allows.
//!
//! Owns what has changed since the last frame; refuses free-running timers.

use crate::source::{Source, SourceError, SourceInfo, SourceRequest, StopSignal};
use crate::taps::{AreaSink, CapturedArea, CursorSwitch, Taps};
use crate::x11::cursor::Cursor;
use crate::x11::cursor_report::CursorReport;
use crate::x11::display::{Area, Display, XResult};
use crate::x11::frames::{Frames, NoFrame};
use crate::x11::target::Target;
use media::{Bands, CaptureTimes, Frame, FrameClock, FrameKind, MonoTime, PixelFormat};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use x11rb::connection::{Connection as _, SequenceNumber};
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::randr::{ConnectionExt as _, NotifyMask};
use x11rb::protocol::xfixes::{ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{ConnectionExt as _, Device, EventMask, XIEventMask};
use x11rb::protocol::xproto::ConnectionExt as _;

/// Name of the backend.
pub(crate) const NAME: &str = "x11";

/// Grabs in a row that may find the screen changed under them before the source gives up.
const MAX_MOVES: u32 = 100;

/// What has changed since the last frame.
#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    rows: Bands,
    /// Rows that changed after the last subtraction. They stay for the next frame, even if this one
    /// happens to show them: the server does not tell of them again until the next subtraction.
    later_rows: Bands,
    /// The mouse was moved, which need not have moved the cursor.
    pointer: bool,
    /// The cursor has a picture that is not known yet.
    cursor_shape: bool,
    /// The cursor looks different, or is somewhere else.
    cursor: bool,
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
        let told = self.pointer || self.cursor_shape || self.layout;
        told || self.visible() || !self.later_rows.is_empty()
    }

    /// Whether a new frame would show anything new.
    const fn visible(&self) -> bool {
        !self.rows.is_empty() || self.cursor
    }

    /// Whether nothing is known but that the cursor moved or looks different.
    const fn only_cursor(&self) -> bool {
        let other = self.layout || self.visible() || !self.later_rows.is_empty();
        !other && (self.pointer || self.cursor_shape)
    }

    /// Forgets what a frame has shown by `now`, or that there was nothing to be seen.
    fn shown(&mut self, now: MonoTime) {
        self.rows = std::mem::take(&mut self.later_rows);
        self.cursor = false;
        self.since = self.any().then_some(now);
    }

    /// Notes everything that has arrived. Replies may have brought events along, so this comes
    /// before every sleep. `subtraction` is the number of a request that was answered meanwhile.
    fn read(
        &mut self,
        display: &Display,
        area: Area,
        subtraction: Option<SequenceNumber>,
    ) -> XResult<()> {
        while let Some((event, sequence)) = display.poll_event()? {
            match event {
                Event::DamageNotify(damage) => match area.rows_of(damage.area) {
                    Some(rows) if subtraction.is_some_and(|number| sequence >= number) => {
                        self.later_rows.insert(rows);
                    }
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
            self.since.get_or_insert_with(MonoTime::now);
        }
        Ok(())
    }
}

/// Whoever draws the cursor, and the switch that says whether the picture has it too.
struct CursorOut {
    switch: CursorSwitch,
    turned: Arc<OwnedFd>,
    report: CursorReport,
    /// Until when a cursor that is left out of the picture may move without being told.
    quiet_until: MonoTime,
}

/// The screen of an X server, or one of its monitors.
pub struct X11 {
    display: Display,
    monitor: Option<String>,
    area: Area,
    damage: Damage,
    cursor: Cursor,
    cursor_out: Option<CursorOut>,
    on_area: Option<AreaSink>,
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
        Self::open_with(request, &Taps::default())
    }

    /// As [`open`](Self::open), telling what `taps` wants to hear.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(request: &SourceRequest, taps: &Taps) -> Result<Self, SourceError> {
        let target = Target::parse(request.target.as_deref());
        let display = Display::open(target.display.as_deref())?;
        let area = display.area(target.monitor.as_deref())?;
        let damage = subscribe(&display).map_err(|error| display.lost(error))?;
        let cursor_out = match &taps.cursor {
            None => None,
            Some(tap) => Some(CursorOut {
                switch: tap.switch.clone(),
                turned: tap.switch.watch()?,
                report: CursorReport::new(Arc::clone(&tap.sink)),
                quiet_until: MonoTime::ZERO,
            }),
        };
        let mut cursor = Cursor::default();
        cursor.set_drawn(cursor_out.is_none());
        let source = Self {
            display,
            monitor: target.monitor,
            area,
            damage,
            cursor,
            cursor_out,
            on_area: taps.area.clone(),
            clock: FrameClock::new(request.rate),
            frames: Frames::new(area),
            changes: Changes::all(area),
        };
        source.tell_area();
        Ok(source)
    }

    fn tell_area(&self) {
        if let Some(on_area) = &self.on_area {
            on_area(CapturedArea {
                x: self.area.x.into(),
                y: self.area.y.into(),
                size: self.area.size,
            });
        }
    }

    /// Notes when the cursor shall come into the picture, or go out of it.
    fn read_switch(&mut self) {
        if let Some(out) = &self.cursor_out {
            // Emptied before it is looked at, so that no turn is missed.
            let _ = rustix::io::read(&*out.turned, &mut [0_u8; 8]);
            if out.switch.in_picture() != self.cursor.is_drawn() {
                self.changes.pointer = true;
            }
        }
    }

    /// Until when to let be a cursor that is not part of the picture: it is told no more often than
    /// pictures are made.
    fn quiet_until(&self, now: MonoTime) -> Option<MonoTime> {
        let out = self.cursor_out.as_ref()?;
        let quiet = !self.cursor.is_drawn() && !out.switch.in_picture();
        let quiet = quiet && self.changes.only_cursor() && now < out.quiet_until;
        quiet.then_some(out.quiet_until)
    }

    /// Sleeps until the server or the switch says something, or a time has come.
    fn wait(&self, stop: &StopSignal, timeout: Option<Duration>) -> std::io::Result<()> {
        let server = self.display.connection.stream().as_fd();
        let turned = self.cursor_out.as_ref().map(|out| out.turned.as_fd());
        stop.wait_any([Some(server), turned], timeout)
    }

    /// Tells the cursor as it was just learned.
    fn tell_cursor(&mut self, new_shape: bool) {
        if let Some(out) = &mut self.cursor_out {
            if new_shape {
                out.report.shape(self.cursor.shape());
            }
            out.report.place(self.cursor.position(), self.area);
            out.quiet_until = MonoTime::now() + self.clock.interval();
        }
    }

    /// Follows a change of size or place; frames of the old size stay with their holders.
    fn follow_layout(&mut self) -> Result<(), SourceError> {
        self.changes.layout = false;
        let area = self.display.area(self.monitor.as_deref())?;
        if area != self.area {
            self.area = area;
            self.frames = Frames::new(area);
            self.changes.rows = Bands::whole(area.size.height);
            self.tell_area();
        }
        Ok(())
    }

    /// Learns all that has changed up to one moment, with the place of the cursor.
    ///
    /// The first event of a drawing may come while the server is still at its next request. This
    /// question is answered after the whole, and after the events for it, so that no frame shows
    /// half of it and leaves the rest waiting for credit.
    fn settle(&mut self) -> XResult<()> {
        let (connection, root) = (&self.display.connection, self.display.root);
        // What is drawn after this is told anew, and what was told since the last one is due.
        let later_rows = std::mem::take(&mut self.changes.later_rows);
        self.changes.rows.extend(&later_rows);
        let subtraction = connection
            .damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?
            .sequence_number();
        let shape = match self.changes.cursor_shape {
            true => Some(connection.xfixes_get_cursor_image()?),
            false => None,
        };
        let shown = self.cursor.overlay(self.area);
        if let Some(out) = &self.cursor_out {
            self.cursor.set_drawn(out.switch.in_picture());
        }
        self.cursor
            .set_position(&connection.query_pointer(root)?.reply()?);
        match shape.map(|shape| shape.reply()) {
            None => {}
            Some(Ok(shape)) => self.cursor.set_shape(Some(shape)),
            // Servers answer so while no cursor is shown at all.
            Some(Err(ReplyError::X11Error(_))) => self.cursor.set_shape(None),
            Some(Err(error)) => return Err(error.into()),
        }
        self.tell_cursor(self.changes.cursor_shape);
        let changes = &mut self.changes;
        let other_shape = changes.cursor_shape && self.cursor.is_drawn();
        changes.cursor |= other_shape || self.cursor.overlay(self.area) != shown;
        (changes.cursor_shape, changes.pointer) = (false, false);
        changes.read(&self.display, self.area, Some(subtraction))
    }

    /// Takes the screen as it is now; `None` when every buffer is in use.
    fn grab(&mut self) -> Result<Option<Frame>, NoFrame> {
        let rows = &self.changes.rows;
        let Some(pixels) = self.frames.grab(&self.display, &self.cursor, rows)? else {
            return Ok(None);
        };
        let grabbed = MonoTime::now();
        let noticed = self.changes.since.unwrap_or(grabbed);
        self.changes.shown(grabbed);
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
            let read = self.changes.read(&self.display, self.area, None);
            read.map_err(|error| self.lost(error))?;
            self.read_switch();
            if self.changes.layout {
                self.follow_layout()?;
            }
            if !self.changes.any() {
                self.changes.since = None;
                self.wait(stop, None)?;
                continue;
            }
            let (now, earliest) = (MonoTime::now(), self.clock.earliest());
            if let Some(until) = self.quiet_until(now) {
                self.changes.since = None;
                self.wait(stop, Some(until.since(now)))?;
                continue;
            }
            if now < earliest {
                stop.wait(None, Some(earliest.since(now)))?;
                continue;
            }
            self.settle().map_err(|error| self.lost(error))?;
            if self.changes.layout {
                continue;
            }
            if !self.changes.visible() {
                self.changes.shown(now);
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
                    stop.wait(None, Some(self.clock.interval() / 4))?;
                }
                Err(NoFrame::Moved) => return Err(self.display.absent("its size never settles")),
                Err(NoFrame::Lost(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}
