//! The socket to an X server, with a limit on how long the server may leave a request unanswered.
//!
//! Owns connecting and authorising; refuses to wait for a server that hangs.

use crate::error::InputError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fmt::Display;
use std::io::{Error, ErrorKind, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use x11rb::connection::Connection as _;
use x11rb::errors::{ConnectError, DisplayParsingError, ReplyOrIdError};
use x11rb::protocol::xproto::{Screen, Window};
use x11rb::reexports::x11rb_protocol::parse_display::{ParsedDisplay, parse_display};
use x11rb::reexports::x11rb_protocol::xauth::get_auth;
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

/// Longest time a server may take to answer.
const PATIENCE: Timespec = Timespec {
    tv_sec: 3,
    tv_nsec: 0,
};

/// What a request to the server ends in.
pub(crate) type XResult<T> = Result<T, ReplyOrIdError>;

/// A connection to an X server.
pub(crate) type Connection = RustConnection<PatientStream>;

/// A stream whose waits end with [`ErrorKind::TimedOut`] when the server hangs.
#[derive(Debug)]
pub(crate) struct PatientStream(DefaultStream);

impl AsFd for PatientStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Stream for PatientStream {
    fn poll(&self, mode: PollMode) -> std::io::Result<()> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        let mut fds = [PollFd::new(&self.0, flags)];
        loop {
            match poll(&mut fds, Some(&PATIENCE)) {
                Ok(0) => return Err(Error::new(ErrorKind::TimedOut, "it does not answer")),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&self, buf: &mut [u8], fds: &mut Vec<RawFdContainer>) -> std::io::Result<usize> {
        self.0.read(buf, fds)
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<RawFdContainer>) -> std::io::Result<usize> {
        self.0.write(buf, fds)
    }

    fn write_vectored(
        &self,
        bufs: &[IoSlice<'_>],
        fds: &mut Vec<RawFdContainer>,
    ) -> std::io::Result<usize> {
        self.0.write_vectored(bufs, fds)
    }
}

/// A display by name, connected or not.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    parsed: ParsedDisplay,
    name: String,
}

/// A connection, and the screen it is about.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    screen: usize,
}

impl Place {
    /// Reads a display's name. Without one, x11rb itself looks at `DISPLAY`.
    pub(crate) fn named(display: Option<&str>) -> Result<Self, InputError> {
        let called = display.map_or_else(
            || "the X display".to_owned(),
            |name| format!("X display {name}"),
        );
        let parsed = parse_display(display).map_err(|error| InputError::Unsupported {
            what: called,
            why: match error {
                DisplayParsingError::DisplayNotSet => {
                    "no display is named and DISPLAY is not set".to_owned()
                }
                other => other.to_string(),
            },
        })?;
        let name = match display {
            Some(name) => name.to_owned(),
            None => format!("{}:{}", parsed.host, parsed.display),
        };
        Ok(Self { parsed, name })
    }

    /// Connects; the cookie comes from the user's Xauthority file, as for every X client.
    pub(crate) fn connect(&self) -> Result<Link, InputError> {
        let mut failure = Error::new(ErrorKind::NotFound, "it has no address");
        for address in self.parsed.connect_instruction() {
            let (stream, (family, peer)) = match DefaultStream::connect(&address) {
                Ok(connected) => connected,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            // Without a readable cookie the server says whether it lets this user in all the same.
            let auth = get_auth(family, &peer, self.parsed.display);
            let (name, data) = auth.ok().flatten().unwrap_or_default();
            let screen = usize::from(self.parsed.screen);
            let stream = PatientStream(stream);
            let connected =
                RustConnection::connect_to_stream_with_auth_info(stream, screen, name, data);
            let connection = connected.map_err(|error| self.absent(refusal(&error)))?;
            return Ok(Link { connection, screen });
        }
        Err(self.absent(failure))
    }

    /// The error for a display that is away, or went away.
    pub(crate) fn absent(&self, why: impl Display) -> InputError {
        InputError::Absent {
            what: format!("X display {}", self.name),
            why: why.to_string(),
        }
    }

    /// The error for a display that lacks something.
    pub(crate) fn unsupported(&self, why: impl Into<String>) -> InputError {
        InputError::Unsupported {
            what: format!("X display {}", self.name),
            why: why.into(),
        }
    }
}

fn refusal(error: &ConnectError) -> String {
    match error {
        ConnectError::SetupFailed(refusal) => {
            let reason = String::from_utf8_lossy(&refusal.reason);
            format!("the X server refused the connection ({})", reason.trim())
        }
        other => other.to_string(),
    }
}

impl Link {
    pub(crate) fn screen(&self) -> &Screen {
        &self.connection.setup().roots[self.screen]
    }

    pub(crate) fn root(&self) -> Window {
        self.screen().root
    }
}
