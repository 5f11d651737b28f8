//! What a pipeline shows right now, for people: source, encoder, size, viewers.

use capture::SourceInfo;
use events::LostReason;
use media::{Bitrate, Size};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Whether pictures come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceState {
    /// Nobody watches, so nobody asked.
    #[default]
    Idle,
    /// Pictures come.
    Present(SourceInfo),
    /// No pictures: viewers see a slate with the reason. It is tried again.
    Absent {
        /// What the slate says.
        reason: LostReason,
        /// Reason in words.
        why: String,
    },
}

/// A pipeline at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineStatus {
    /// The source.
    pub source: SourceState,
    /// Name of the open encoder and why it was chosen.
    pub encoder: Option<(&'static str, String)>,
    /// Size of the encoded picture.
    pub size: Option<Size>,
    /// Present encoder target.
    pub bitrate: Option<Bitrate>,
    /// Consumers.
    pub consumers: usize,
}

type Listener = Box<dyn Fn(&PipelineStatus) + Send + Sync>;

/// Holds the status and tells one listener about each change.
pub(crate) struct StatusBoard {
    status: Mutex<PipelineStatus>,
    /// Held while the listener is told, so that it hears of changes in their order.
    telling: Mutex<()>,
    listener: Listener,
}

impl StatusBoard {
    pub(crate) fn new(listener: Listener) -> Self {
        Self {
            status: Mutex::default(),
            telling: Mutex::default(),
            listener,
        }
    }

    pub(crate) fn get(&self) -> PipelineStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut PipelineStatus)) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let after = {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            let before = status.clone();
            change(&mut status);
            if *status == before {
                return;
            }
            status.clone()
        };
        (self.listener)(&after);
    }
}

impl fmt::Debug for StatusBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusBoard")
            .field("status", &self.get())
            .finish_non_exhaustive()
    }
}
