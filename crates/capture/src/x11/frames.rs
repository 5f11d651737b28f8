//! Frames in shared memory, and the requests that bring one up to date.
//!
//! Owns what each buffer still shows of the past; refuses to copy rows that it has already.

use crate::source::{FRAMES_IN_FLIGHT, SourceError};
use crate::x11::cursor::Cursor;
use crate::x11::display::{Area, Display, XResult};
use crate::x11::segment::Segment;
use media::{Band, Bands, MAX_BANDS, PictureId, PixelFormat, Pixels, Pool, RowHistory};
use std::sync::Arc;
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::ErrorKind;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::ImageFormat;

/// Why a grab gave no frame.
pub(crate) enum NoFrame {
    /// The screen changed its size under it.
    Moved,
    /// The source is gone.
    Lost(SourceError),
}

/// One buffer: the segment the server writes into, and what it shows.
pub(crate) struct Picture {
    segment: Segment,
    /// The state of the screen in it; `None` while there is none.
    screen: Option<PictureId>,
    /// Rows under the cursor that was drawn into it.
    cursor_rows: Band,
    /// How the picture came to be, with the cursor.
    shown: RowHistory,
}

impl Pixels for Picture {
    fn bytes(&self) -> &[u8] {
        self.segment.bytes()
    }

    fn id(&self) -> Option<PictureId> {
        Some(self.shown.newest())
    }

    fn changed_since(&self, earlier: PictureId) -> Option<Bands> {
        self.shown.since(earlier)
    }
}

/// The buffers of one area, and which rows changed with each of the last frames.
pub(crate) struct Frames {
    area: Area,
    pool: Pool<Picture>,
    /// The screen without a cursor.
    screen: RowHistory,
    /// The frames that were handed out.
    shown: RowHistory,
    /// Rows under the cursor of the last frame.
    cursor_rows: Band,
}

impl Frames {
    pub(crate) fn new(area: Area) -> Self {
        Self {
            area,
            pool: Pool::new(FRAMES_IN_FLIGHT),
            screen: RowHistory::new(),
            shown: RowHistory::new(),
            cursor_rows: Band::default(),
        }
    }

    /// Brings a free buffer up to the screen as it is now, given the rows that changed since the
    /// last frame; `None` when every buffer is in use.
    pub(crate) fn grab(
        &mut self,
        display: &Display,
        cursor: &Cursor,
        changed: &Bands,
    ) -> Result<Option<Arc<Picture>>, NoFrame> {
        let area = self.area;
        let cursor_rows = cursor.rows(area);
        let (mut screen, mut shown) = (self.screen, self.shown);
        screen.push(*changed);
        let mut visible = *changed;
        visible.insert(self.cursor_rows);
        visible.insert(cursor_rows);
        shown.push(visible);
        let stride = area.size.width as usize * 4;
        let make = || {
            let bytes = PixelFormat::Bgrx.bytes(stride, area.size.height);
            let segment = Segment::attach(display, bytes).map_err(NoFrame::Lost)?;
            Ok(Picture {
                segment,
                screen: None,
                cursor_rows: Band::default(),
                shown,
            })
        };
        let fill = |picture: &mut Picture| {
            let rows = stale_rows(picture, &screen, area);
            let taken = take(display, &picture.segment, area, &rows);
            taken.map_err(|error| failed(display, error))?;
            cursor.draw(picture.segment.bytes_mut(), stride, area);
            picture.screen = Some(screen.newest());
            picture.cursor_rows = cursor_rows;
            picture.shown = shown;
            Ok(())
        };
        let filled = self.pool.fill(make, fill);
        match &filled {
            Ok(Some(_)) => {
                (self.screen, self.shown) = (screen, shown);
                self.cursor_rows = cursor_rows;
            }
            Ok(None) => {}
            // The server may still be writing into the segment: it is never looked at again.
            Err(_) => self.pool.clear(),
        }
        filled
    }
}

/// The rows in which a buffer differs from the screen as it is now.
fn stale_rows(picture: &Picture, screen: &RowHistory, area: Area) -> Bands {
    let Some(mut rows) = picture.screen.and_then(|taken| screen.since(taken)) else {
        return Bands::whole(area.size.height);
    };
    rows.insert(picture.cursor_rows);
    rows
}

/// Copies rows of the screen into a segment, in one round trip.
fn take(display: &Display, segment: &Segment, area: Area, rows: &Bands) -> XResult<()> {
    let connection = &display.connection;
    let image = |band: Band| {
        let (top, width) = (area.y + band.top as i16, area.size.width);
        connection.shm_get_image(
            display.root,
            area.x,
            top,
            width as u16,
            band.height() as u16,
            u32::MAX,
            ImageFormat::Z_PIXMAP.into(),
            segment.id(),
            band.top * width * 4,
        )
    };
    let mut images = [const { None }; MAX_BANDS];
    for (place, band) in images.iter_mut().zip(rows.iter()) {
        *place = Some(image(band)?);
    }
    // Every image is awaited before a refusal is told: the buffer is free again after it, so
    // nothing may be written any more. A server that is gone ends the buffer too.
    let mut refused = None;
    for image in images.into_iter().flatten() {
        match image.reply() {
            Ok(_) => {}
            Err(ReplyError::X11Error(error)) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

fn failed(display: &Display, error: ReplyOrIdError) -> NoFrame {
    match error {
        // The server says so of an area that is not all on the screen.
        ReplyOrIdError::X11Error(error) if error.error_kind == ErrorKind::Match => NoFrame::Moved,
        error => NoFrame::Lost(display.lost(error)),
    }
}
