//! The socket to an X server, with a limit on how long the server may leave a request unanswered.
//!
//! Owns connecting and authorising; refuses displays on other machines, whose memory cannot be shared.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::os::fd::{AsFd, BorrowedFd};
use x11rb::errors::{ConnectError, DisplayParsingError};
use x11rb::reexports::x11rb_protocol::parse_display::{
    ConnectAddress, ParsedDisplay, parse_display,
};
use x11rb::reexports::x11rb_protocol::xauth::get_auth;
use x11rb::rust_connection::{DefaultStream, PollMode, RustConnection, Stream};
use x11rb::utils::RawFdContainer;

/// Longest time a server may take to answer. Well above a slow server's, or one that another
/// client has grabbed for a moment.
const PATIENCE: Timespec = Timespec {
    tv_sec: 3,
    tv_nsec: 0,
};

/// A connection to an X server on this machine.
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
    fn poll(&self, mode: PollMode) -> Result<()> {
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

    fn read(&self, buf: &mut [u8], fds: &mut Vec<RawFdContainer>) -> Result<usize> {
        self.0.read(buf, fds)
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<RawFdContainer>) -> Result<usize> {
        self.0.write(buf, fds)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>], fds: &mut Vec<RawFdContainer>) -> Result<usize> {
        self.0.write_vectored(bufs, fds)
    }
}

/// Reads a display's name. Without one, x11rb itself looks at `DISPLAY`: the config module hands a
/// name on wherever the user gave one.
pub(crate) fn parsed(
    display: Option<&str>,
) -> std::result::Result<ParsedDisplay, DisplayParsingError> {
    parse_display(display)
}

/// Connects to a display through its local socket; the cookie comes from the user's Xauthority
/// file, as for every X client.
pub(crate) fn connect(display: &ParsedDisplay) -> std::result::Result<Connection, ConnectError> {
    let mut failure = Error::new(
        ErrorKind::Unsupported,
        "it is on another machine, and pictures come through shared memory: run heliostat there",
    );
    for address in display.connect_instruction() {
        if !matches!(address, ConnectAddress::Socket(_)) {
            continue;
        }
        let (stream, (family, peer)) = match DefaultStream::connect(&address) {
            Ok(connected) => connected,
            Err(error) => {
                failure = error;
                continue;
            }
        };
        // Without a readable cookie the server says whether it lets this user in all the same.
        let auth = get_auth(family, &peer, display.display);
        let (name, data) = auth.ok().flatten().unwrap_or_default();
        let screen = display.screen.into();
        let stream = PatientStream(stream);
        return RustConnection::connect_to_stream_with_auth_info(stream, screen, name, data);
    }
    Err(ConnectError::IoError(failure))
}
