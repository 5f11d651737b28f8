//! One X display: the connection, the checks that it can be captured, its monitors.
//!
//! Owns what is said when a display is absent or unsuited; refuses depths and layouts that would
//! need a conversion.

use crate::source::SourceError;
use crate::x11::stream::{Connection, connect, parsed};
use media::{Band, MAX_DIMENSION, Size};
use std::fmt::Display as Words;
use std::io::ErrorKind;
use std::sync::Arc;
use x11rb::connection::{Connection as _, RequestConnection, SequenceNumber};
use x11rb::errors::{ConnectError, ConnectionError, DisplayParsingError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageOrder, Rectangle, Screen, Window};
use x11rb::protocol::{damage, shm, xfixes};

/// What a request to the server ends in.
pub(crate) type XResult<T> = Result<T, ReplyOrIdError>;

/// A connection to a display whose pictures are BGRX.
#[derive(Clone)]
pub(crate) struct Display {
    pub(crate) connection: Arc<Connection>,
    pub(crate) root: Window,
    pub(crate) depth: u8,
    /// The display's name, such as `:1`.
    pub(crate) name: String,
}

/// A part of the root window, with even sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: i16,
    pub(crate) y: i16,
    pub(crate) size: Size,
}

impl Area {
    /// The rows of the area that a rectangle of the screen touches.
    pub(crate) fn rows_of(&self, part: Rectangle) -> Option<Band> {
        let (left, top) = (
            i32::from(part.x) - i32::from(self.x),
            i32::from(part.y) - i32::from(self.y),
        );
        let (right, bottom) = (left + i32::from(part.width), top + i32::from(part.height));
        // No side is longer than 65535.
        let (width, height) = (self.size.width as i32, self.size.height as i32);
        let band = Band {
            top: top.clamp(0, height).unsigned_abs(),
            bottom: bottom.clamp(0, height).unsigned_abs(),
        };
        (left < width && right > 0 && band.height() > 0).then_some(band)
    }
}

/// One monitor of a display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Monitor {
    pub(crate) name: String,
    pub(crate) area: Area,
}

fn called(display: Option<&str>) -> String {
    display.map_or_else(
        || "the X display".to_owned(),
        |name| format!("X display {name}"),
    )
}

fn absent(display: Option<&str>, why: impl Words) -> SourceError {
    SourceError::Absent {
        what: called(display),
        why: why.to_string(),
    }
}

fn connect_failed(name: &str, error: &ConnectError) -> SourceError {
    const HINT: &str = "if it belongs to another user or session, point XAUTHORITY at its cookie \
        file, or allow this user there with `xhost +si:localuser:NAME`";
    let why = match error {
        ConnectError::IoError(error) if error.kind() == ErrorKind::Unsupported => {
            return SourceError::Unsupported {
                what: called(Some(name)),
                why: error.to_string(),
            };
        }
        ConnectError::IoError(error) if error.kind() == ErrorKind::NotFound => {
            "no X server runs there".to_owned()
        }
        ConnectError::IoError(error) if error.kind() == ErrorKind::ConnectionRefused => {
            "no X server answers there any more".to_owned()
        }
        ConnectError::SetupFailed(refusal) => {
            let reason = String::from_utf8_lossy(&refusal.reason);
            format!(
                "the X server refused the connection ({}); {HINT}",
                reason.trim()
            )
        }
        ConnectError::SetupAuthenticate(_) => {
            format!("the X server wants another kind of authorisation; {HINT}")
        }
        other => other.to_string(),
    };
    absent(Some(name), why)
}

impl Display {
    /// Connects to a display, the user's own if none is named, and checks that it can be captured.
    pub(crate) fn open(display: Option<&str>) -> Result<Self, SourceError> {
        let place = parsed(display).map_err(|error| match error {
            DisplayParsingError::DisplayNotSet => absent(
                None,
                "no display is named and DISPLAY is not set: use x11::0 or alike",
            ),
            other => SourceError::Unsupported {
                what: called(display),
                why: other.to_string(),
            },
        })?;
        let name = match display {
            Some(name) => name.to_owned(),
            None => format!("{}:{}", place.host, place.display),
        };
        let connection = connect(&place).map_err(|error| connect_failed(&name, &error))?;
        let screen = &connection.setup().roots[usize::from(place.screen)];
        let (root, depth) = (screen.root, screen.root_depth);
        let unsuited = layout_problem(&connection, screen);
        let display = Self {
            connection: Arc::new(connection),
            root,
            depth,
            name,
        };
        match unsuited {
            Some(why) => Err(display.unsupported(why)),
            None => display.with_extensions(),
        }
    }

    /// Asks for the extensions, which a server expects before their first use.
    fn with_extensions(self) -> Result<Self, SourceError> {
        let needed = [
            shm::X11_EXTENSION_NAME,
            damage::X11_EXTENSION_NAME,
            xfixes::X11_EXTENSION_NAME,
            randr::X11_EXTENSION_NAME,
        ];
        for extension in needed {
            let found = self.connection.extension_information(extension);
            if found.map_err(|error| self.lost(error))?.is_none() {
                let why = format!("its X server lacks the {extension} extension");
                return Err(self.unsupported(why));
            }
        }
        let versions = || -> XResult<_> {
            let connection = &self.connection;
            let (major, minor) = (xfixes::X11_XML_VERSION.0, xfixes::X11_XML_VERSION.1);
            let xfixes = connection.xfixes_query_version(major, minor)?;
            let (major, minor) = (damage::X11_XML_VERSION.0, damage::X11_XML_VERSION.1);
            let damage = damage::query_version(connection, major, minor)?;
            let (major, minor) = (randr::X11_XML_VERSION.0, randr::X11_XML_VERSION.1);
            let randr = connection.randr_query_version(major, minor)?;
            let shm = connection.shm_query_version()?.reply()?;
            xfixes.reply()?;
            damage.reply()?;
            let randr = randr.reply()?;
            Ok((
                (shm.major_version, shm.minor_version),
                (randr.major_version, randr.minor_version),
            ))
        };
        let (shm, randr) = versions().map_err(|error| self.lost(error))?;
        if shm < (1, 2) || randr < (1, 5) {
            let why = "its X server is too old: MIT-SHM 1.2 and RandR 1.5 are needed (2015)";
            return Err(self.unsupported(why));
        }
        Ok(self)
    }

    /// The error for a display that went away, or that answers as a sane one would not.
    pub(crate) fn lost(&self, error: impl Into<ReplyOrIdError>) -> SourceError {
        let why = match error.into() {
            ReplyOrIdError::ConnectionError(ConnectionError::IoError(error))
                if error.kind() == ErrorKind::TimedOut =>
            {
                "the X server does not answer".to_owned()
            }
            ReplyOrIdError::ConnectionError(error) => {
                format!("the connection to the X server ended ({error})")
            }
            ReplyOrIdError::X11Error(error) => format!(
                "the X server refused {} ({:?})",
                error.request_name.unwrap_or("a request"),
                error.error_kind
            ),
            ReplyOrIdError::IdsExhausted => "the X server gives no more identifiers".to_owned(),
        };
        self.absent(why)
    }

    /// The error for something that may be over the next time.
    pub(crate) fn absent(&self, why: impl Words) -> SourceError {
        absent(Some(&self.name), why)
    }

    /// The error for something that trying again does not change.
    pub(crate) fn unsupported(&self, why: impl Into<String>) -> SourceError {
        SourceError::Unsupported {
            what: called(Some(&self.name)),
            why: why.into(),
        }
    }

    /// The whole screen as it is now.
    pub(crate) fn whole(&self) -> XResult<Area> {
        let geometry = self.connection.get_geometry(self.root)?.reply()?;
        let size = Size::new(geometry.width.into(), geometry.height.into());
        Ok(Area {
            x: 0,
            y: 0,
            size: size.even(),
        })
    }

    /// The monitors as they are now, cut to the screen.
    pub(crate) fn monitors(&self) -> XResult<Vec<Monitor>> {
        let whole = self.whole()?.size;
        let reply = self
            .connection
            .randr_get_monitors(self.root, true)?
            .reply()?;
        let mut monitors = Vec::with_capacity(reply.monitors.len());
        for monitor in reply.monitors {
            let name = self.connection.get_atom_name(monitor.name)?.reply()?.name;
            let inside = |from: i16, length: u16, limit: u32| {
                let from = u32::try_from(from).unwrap_or(0);
                u32::from(length).min(limit.saturating_sub(from))
            };
            let size = Size::new(
                inside(monitor.x, monitor.width, whole.width),
                inside(monitor.y, monitor.height, whole.height),
            );
            monitors.push(Monitor {
                name: String::from_utf8_lossy(&name).into_owned(),
                area: Area {
                    x: monitor.x.max(0),
                    y: monitor.y.max(0),
                    size: size.even(),
                },
            });
        }
        Ok(monitors)
    }

    /// Where a monitor, or the whole screen, is now.
    pub(crate) fn area(&self, monitor: Option<&str>) -> Result<Area, SourceError> {
        let area = match monitor {
            None => self.whole().map_err(|error| self.lost(error))?,
            Some(wanted) => {
                let monitors = self.monitors().map_err(|error| self.lost(error))?;
                match monitors.iter().find(|monitor| monitor.name == wanted) {
                    Some(monitor) => monitor.area,
                    None => return Err(self.no_monitor(wanted, &monitors)),
                }
            }
        };
        area.size.checked().map_err(|_| {
            let why = format!(
                "its picture is {}, and a stream's sides are 2 to {MAX_DIMENSION}: \
                 choose a single monitor with x11:{}/NAME",
                area.size, self.name
            );
            self.unsupported(why)
        })?;
        Ok(area)
    }

    fn no_monitor(&self, wanted: &str, monitors: &[Monitor]) -> SourceError {
        let names: Vec<_> = monitors
            .iter()
            .map(|monitor| monitor.name.as_str())
            .collect();
        SourceError::Absent {
            what: format!("monitor {wanted} of X display {}", self.name),
            why: match names.is_empty() {
                true => "the display has no monitors".to_owned(),
                false => format!("the display has {}", names.join(", ")),
            },
        }
    }

    /// Takes an event that has arrived, without waiting, with the number of the request that the
    /// server had come to; `None` when there is nothing more.
    pub(crate) fn poll_event(&self) -> XResult<Option<(Event, SequenceNumber)>> {
        Ok(self.connection.poll_for_event_with_sequence()?)
    }
}

/// Why pictures of the screen are not BGRX, if they are not.
fn layout_problem(connection: &Connection, screen: &Screen) -> Option<String> {
    let setup = connection.setup();
    let depth = screen.root_depth;
    let bits = setup
        .pixmap_formats
        .iter()
        .find(|format| format.depth == depth);
    let bits = bits.map_or(0, |format| format.bits_per_pixel);
    let visuals = screen
        .allowed_depths
        .iter()
        .flat_map(|depth| &depth.visuals);
    let mut visuals = visuals.filter(|visual| visual.visual_id == screen.root_visual);
    let bgr = visuals.any(|visual| {
        (visual.red_mask, visual.green_mask, visual.blue_mask) == (0xff_0000, 0xff00, 0xff)
    });
    let little = setup.image_byte_order == ImageOrder::LSB_FIRST;
    let suited = matches!(depth, 24 | 32) && bits == 32 && bgr && little;
    (!suited).then(|| {
        format!(
            "its pixels have a depth of {depth} in {bits} bits, and only depth 24 or 32 in 32 bits \
             (blue, green, red) can be taken: start the X server with -depth 24"
        )
    })
}
