//! What a source tells besides pictures: its cursor, and which part of the screen it shows.
//!
//! Owns the values and the switch of the cursor; refuses to know who listens.

use media::Size;
use rustix::event::{EventfdFlags, eventfd};
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Told of each change, on the capture thread; must not block.
pub type CursorSink = Arc<dyn Fn(CursorUpdate) + Send + Sync>;
/// Told at first and on each change, on the thread that opens or drives the source.
pub type AreaSink = Arc<dyn Fn(CapturedArea) + Send + Sync>;

/// Who wants to hear of what; sources that have no cursor or screen say nothing.
#[derive(Clone, Default)]
pub struct Taps {
    /// The cursor; without it, it is part of the picture.
    pub cursor: Option<CursorTap>,
    /// The captured part of the screen.
    pub area: Option<AreaSink>,
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taps")
            .field("cursor", &self.cursor.is_some())
            .field("area", &self.area.is_some())
            .finish()
    }
}

/// How the cursor is told.
#[derive(Clone)]
pub struct CursorTap {
    /// Whether it is part of the picture too.
    pub switch: CursorSwitch,
    /// Who is told.
    pub sink: CursorSink,
}

/// Whether the cursor is part of the picture; may be turned at any time. Clones share it.
#[derive(Clone, Debug)]
pub struct CursorSwitch(Arc<SwitchInner>);

#[derive(Debug)]
struct SwitchInner {
    in_picture: AtomicBool,
    sources: Mutex<Vec<Weak<OwnedFd>>>,
}

impl CursorSwitch {
    /// A switch that stands so.
    #[must_use]
    pub fn new(in_picture: bool) -> Self {
        Self(Arc::new(SwitchInner {
            in_picture: AtomicBool::new(in_picture),
            sources: Mutex::default(),
        }))
    }

    /// How it stands.
    #[must_use]
    pub fn in_picture(&self) -> bool {
        self.0.in_picture.load(Ordering::Acquire)
    }

    /// Turns it; if that changes anything, sources make another picture at once.
    pub fn set(&self, in_picture: bool) {
        if self.0.in_picture.swap(in_picture, Ordering::AcqRel) == in_picture {
            return;
        }
        let sources = self.0.sources.lock();
        let mut sources = sources.unwrap_or_else(PoisonError::into_inner);
        sources.retain(|source| {
            let source = source.upgrade();
            if let Some(source) = &source {
                // This fails only when the counter is full: then it is readable already.
                let _ = rustix::io::write(source, &1_u64.to_ne_bytes());
            }
            source.is_some()
        });
    }

    /// What becomes readable when the switch is turned, for as long as it is kept.
    pub(crate) fn watch(&self) -> std::io::Result<Arc<OwnedFd>> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let turned = Arc::new(eventfd(0, flags)?);
        let sources = self.0.sources.lock();
        let mut sources = sources.unwrap_or_else(PoisonError::into_inner);
        sources.push(Arc::downgrade(&turned));
        Ok(turned)
    }
}

/// News of the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorUpdate {
    /// It looks different.
    Shape(Arc<CursorShape>),
    /// It is elsewhere, or comes or goes.
    Place(CursorPlace),
}

/// What a cursor looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorShape {
    /// The same for the same looks, whenever they come.
    pub id: u32,
    /// Of its picture; zero while there is none.
    pub size: Size,
    /// The point in it that points, from its left and top.
    pub hot: [u32; 2],
    /// Red, green, blue and alpha of each pixel; not premultiplied.
    pub rgba: Vec<u8>,
}

/// Where a cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorPlace {
    /// 0..=65535 over the picture, from its left.
    pub x: u16,
    /// 0..=65535 over the picture, from its top.
    pub y: u16,
    /// Whether any of it can be seen there; if not, the place is where it last could.
    pub visible: bool,
}

/// The part of a screen that a source shows, in the screen's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedArea {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
    /// How large.
    pub size: Size,
}
