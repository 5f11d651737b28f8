//! A picture source that shows a picture, goes away or gets stuck when told to, and counts how often
//! it was opened.

use super::watch::Watch;
use crate::OpenSource;
use capture::{Source, SourceError, SourceInfo, StopSignal};
use media::{CaptureTimes, Frame, FrameKind, MonoTime, PixelFormat, Pixels, Size};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) const SIZE: Size = Size::new(64, 32);

/// A frame whose bytes are `content`, grabbed at `now`.
pub(crate) fn frame(content: u64, size: Size, now: MonoTime) -> Frame {
    frame_of(Arc::new(content.to_ne_bytes().to_vec()), size, now)
}

fn frame_of(pixels: Arc<dyn Pixels>, size: Size, now: MonoTime) -> Frame {
    let times = CaptureTimes {
        noticed: now,
        grabbed: now,
    };
    Frame {
        size,
        format: PixelFormat::I420,
        stride: 0,
        pixels,
        kind: FrameKind::Fresh,
        times,
    }
}

/// The number that [`frame`] put into a frame.
pub(crate) fn content(frame: &Frame) -> u64 {
    u64::from_ne_bytes(frame.bytes()[..8].try_into().unwrap())
}

struct Inner {
    shown: OwnedFd,
    opens: AtomicU64,
    drops: AtomicU64,
    /// Why it does not open, and whether that is for its mode.
    refusal: Mutex<Option<(String, bool)>>,
    /// Opening does not return while this is set.
    stuck: Watch<bool>,
    /// Openings that were begun.
    attempts: Watch<u64>,
    panics: AtomicBool,
    loses: AtomicBool,
    size: Mutex<Size>,
    pixels: Arc<dyn Pixels>,
    blank: bool,
}

/// The far end of a source. Clones share it.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Inner>);

impl Screen {
    /// A screen that shows one picture as soon as it is opened.
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    /// A screen that shows nothing until told to.
    pub(crate) fn blank() -> Self {
        Self::with(true)
    }

    fn with(blank: bool) -> Self {
        let flags = EventfdFlags::SEMAPHORE | EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        Self(Arc::new(Inner {
            shown: eventfd(0, flags).unwrap(),
            opens: AtomicU64::new(0),
            drops: AtomicU64::new(0),
            refusal: Mutex::new(None),
            stuck: Watch::new(false),
            attempts: Watch::new(0),
            panics: AtomicBool::new(false),
            loses: AtomicBool::new(false),
            size: Mutex::new(SIZE),
            pixels: Arc::new(0_u64.to_ne_bytes().to_vec()),
            blank,
        }))
    }

    /// Shows one more picture. It allocates nothing.
    pub(crate) fn show(&self) {
        rustix::io::write(&self.0.shown, &1_u64.to_ne_bytes()).unwrap();
    }

    /// From now on opening fails for this reason, or works again.
    pub(crate) fn refuse(&self, why: Option<&str>) {
        *self.0.refusal.lock().unwrap() = why.map(|why| (why.to_owned(), false));
    }

    /// From now on opening fails, for it cannot be streamed as it is.
    pub(crate) fn refuse_mode(&self, why: &str) {
        *self.0.refusal.lock().unwrap() = Some((why.to_owned(), true));
    }

    /// Goes away; whether it comes back is up to [`refuse`](Self::refuse).
    pub(crate) fn lose(&self) {
        self.0.loses.store(true, Ordering::SeqCst);
        self.show();
    }

    /// From now on opening does not return, or returns again.
    pub(crate) fn stick(&self, stuck: bool) {
        self.0.stuck.change(|now| *now = stuck);
    }

    /// Sleeps until opening was begun so many times.
    pub(crate) fn until_attempts(&self, count: u64) {
        let reached = |attempts: &mut u64| (*attempts >= count).then_some(());
        self.0.attempts.until("it is being opened", reached);
    }

    /// Pictures have this size from now on.
    pub(crate) fn resize(&self, size: Size) {
        *self.0.size.lock().unwrap() = size;
    }

    /// The next picture panics instead.
    pub(crate) fn panic_once(&self) {
        self.0.panics.store(true, Ordering::SeqCst);
        self.show();
    }

    pub(crate) fn opens(&self) -> u64 {
        self.0.opens.load(Ordering::SeqCst)
    }

    /// Sources that were opened and not dropped yet.
    pub(crate) fn live(&self) -> u64 {
        let drops = self.0.drops.load(Ordering::SeqCst);
        self.opens() - drops
    }

    pub(crate) fn opener(&self) -> OpenSource {
        let inner = Arc::clone(&self.0);
        Arc::new(move || {
            inner.attempts.change(|attempts| *attempts += 1);
            let free = |stuck: &mut bool| (!*stuck).then_some(());
            inner.stuck.until("opening may return", free);
            if let Some((why, mode)) = inner.refusal.lock().unwrap().clone() {
                let what = "the screen".to_owned();
                return Err(match mode {
                    true => SourceError::Unsupported { what, why },
                    false => SourceError::Absent { what, why },
                });
            }
            let handle = inner.shown.try_clone()?;
            inner.opens.fetch_add(1, Ordering::SeqCst);
            let fresh = !inner.blank;
            let screen = Arc::clone(&inner);
            Ok(Box::new(View {
                screen,
                fresh,
                _handle: handle,
            }))
        })
    }
}

struct View {
    screen: Arc<Inner>,
    /// The present picture was not returned yet.
    fresh: bool,
    /// What a source has open.
    _handle: OwnedFd,
}

impl Drop for View {
    fn drop(&mut self) {
        self.screen.drops.fetch_add(1, Ordering::SeqCst);
    }
}

impl Source for View {
    fn info(&self) -> SourceInfo {
        SourceInfo {
            name: "screen",
            detail: String::new(),
            size: *self.screen.size.lock().unwrap(),
        }
    }

    fn next_frame(&mut self, stop: &StopSignal) -> Result<Option<Frame>, SourceError> {
        while !stop.is_raised() {
            let mut count = [0; 8];
            let shown = rustix::io::read(&self.screen.shown, &mut count).is_ok();
            let panics = shown && self.screen.panics.swap(false, Ordering::SeqCst);
            assert!(!panics, "told to");
            if shown && self.screen.loses.swap(false, Ordering::SeqCst) {
                return Err(SourceError::Absent {
                    what: "the screen".to_owned(),
                    why: "it went away".to_owned(),
                });
            }
            if shown || std::mem::take(&mut self.fresh) {
                let pixels = Arc::clone(&self.screen.pixels);
                let size = *self.screen.size.lock().unwrap();
                return Ok(Some(frame_of(pixels, size, MonoTime::now())));
            }
            stop.wait(Some(self.screen.shown.as_fd()), None)?;
        }
        Ok(None)
    }
}
