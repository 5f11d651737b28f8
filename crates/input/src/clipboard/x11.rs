//! The clipboard of an X display, on a thread of its own: watched, read and served.
//!
//! Owns the thread and coming back after the server went away; refuses the primary selection.

mod session;

use super::{CLIPBOARD_LIMIT_BYTES, Clipboard, OnClipboard};
use crate::error::InputError;
use crate::x11::Place;
use media::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use session::Session;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two attempts to reach a server that is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Wanted {
    text: Option<Arc<str>>,
    ended: bool,
}

#[derive(Debug)]
struct Shared {
    wanted: Mutex<Wanted>,
    wake: OwnedFd,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        // This fails only when the counter is full: then it is readable already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn take(&self) -> Wanted {
        // Emptied before it is looked at, so that nothing is missed.
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        Wanted {
            text: wanted.text.take(),
            ended: wanted.ended,
        }
    }

    /// Sleeps until something is wanted, the descriptor is readable, or a time has come.
    fn wait(&self, fd: Option<BorrowedFd<'_>>, until: Option<MonoTime>) -> std::io::Result<()> {
        let wake = self.wake.as_fd();
        let mut fds =
            [wake, fd.unwrap_or(wake)].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let timeout = until.map(|until| {
            let left = until.since(MonoTime::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The clipboard of an X display. Dropping it gives the clipboard up.
#[derive(Debug)]
pub struct X11Clipboard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl X11Clipboard {
    /// Watches and serves the clipboard of a display; absent means the user's own. The text that is
    /// there already is told too. A display that is away is tried again every second.
    ///
    /// # Errors
    /// [`InputError::Unsupported`] for a name that is none; [`InputError::System`] when the system
    /// gives no thread.
    pub fn start(display: Option<&str>, on_change: OnClipboard) -> Result<Self, InputError> {
        let place = Place::named(display)?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(std::io::Error::from)?;
        let shared = Arc::new(Shared {
            wanted: Mutex::default(),
            wake,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("clipboard".to_owned())
            .spawn(move || run(&place, &theirs, &on_change))?;
        let thread = Some(thread);
        Ok(Self { shared, thread })
    }
}

impl Clipboard for X11Clipboard {
    fn set_text(&self, text: &str) -> Result<(), InputError> {
        if text.len() > CLIPBOARD_LIMIT_BYTES {
            return Err(InputError::TooLong {
                bytes: text.len(),
                limit: CLIPBOARD_LIMIT_BYTES,
            });
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(InputError::Closed);
        }
        self.shared.change(|wanted| wanted.text = Some(text.into()));
        Ok(())
    }
}

impl Drop for X11Clipboard {
    fn drop(&mut self) {
        self.shared.change(|wanted| wanted.ended = true);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the clipboard thread has panicked");
        }
    }
}

fn run(place: &Place, shared: &Shared, on_change: &OnClipboard) {
    // Outlives a connection: a server that comes back gets the text again.
    let mut text: Option<Arc<str>> = None;
    let mut was_away = false;
    loop {
        let retry_at = MonoTime::now() + RETRY_EVERY;
        let served = Session::open(place)
            .and_then(|mut session| serve(&mut session, &mut text, shared, on_change));
        match served {
            Ok(()) => return,
            Err(error) if was_away => tracing::debug!(%error, "no clipboard yet"),
            Err(error) => tracing::warn!(%error, "the clipboard is away; it is tried again"),
        }
        was_away = true;
        while MonoTime::now() < retry_at {
            if shared.wait(None, Some(retry_at)).is_err() {
                return;
            }
            let wanted = shared.take();
            text = wanted.text.or(text);
            if wanted.ended {
                return;
            }
        }
    }
}

/// Serves one connection; returns when the clipboard is given up.
fn serve(
    session: &mut Session,
    text: &mut Option<Arc<str>>,
    shared: &Shared,
    on_change: &OnClipboard,
) -> Result<(), InputError> {
    match text {
        Some(text) => session.own(Arc::clone(text))?,
        None => session.ask()?,
    }
    loop {
        let wanted = shared.take();
        if wanted.ended {
            return Ok(());
        }
        if let Some(new) = wanted.text {
            session.own(Arc::clone(&new))?;
            *text = Some(new);
        }
        while let Some(change) = session.next_change()? {
            // What another program put there is not ours to put back.
            *text = None;
            on_change(change);
        }
        shared.wait(Some(session.as_fd()), session.deadline())?;
    }
}
