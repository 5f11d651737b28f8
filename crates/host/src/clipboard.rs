//! The clipboard's text between the source's display and sessions. It follows the source; a source
//! without a clipboard, or a host that shares none, has none.

use capture::SourceSpec;
use input::{Clipboard, ClipboardChange, InputError, X11Clipboard};
use sessions::EngineError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The clipboard of the present source.
pub(crate) struct ClipboardBoard {
    text: watch::Sender<Option<Arc<str>>>,
    shared: bool,
    present: Mutex<Option<X11Clipboard>>,
}

impl fmt::Debug for ClipboardBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClipboardBoard")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl ClipboardBoard {
    /// A board that passes text on if clipboards are `shared`.
    pub(crate) fn new(shared: bool) -> Self {
        Self {
            text: watch::channel(None).0,
            shared,
            present: Mutex::new(None),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.text.subscribe()
    }

    /// Follows the source to its display.
    pub(crate) fn follow(self: &Arc<Self>, source: &SourceSpec) {
        self.text.send_replace(None);
        let next = match crate::input::display_of(source) {
            Some(display) if self.shared => {
                let board = Arc::downgrade(self);
                let on_change = Box::new(move |change| {
                    if let Some(board) = board.upgrade() {
                        board.changed(change);
                    }
                });
                X11Clipboard::start(display.name.as_deref(), on_change)
                    .inspect_err(|error| tracing::warn!(%error, "the clipboard is not shared"))
                    .ok()
            }
            _ => None,
        };
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn changed(&self, change: ClipboardChange) {
        match change {
            ClipboardChange::Text(text) => {
                self.text.send_replace(Some(text.into()));
            }
            ClipboardChange::Refused(error) => {
                tracing::debug!(%error, "what is in the clipboard is not passed on");
                self.text.send_replace(None);
            }
        }
    }

    /// The text that is there now.
    pub(crate) fn text(&self) -> Result<Option<Arc<str>>, EngineError> {
        self.with(|_| Ok(self.text.borrow().clone()))
    }

    /// Puts text there.
    pub(crate) fn set(&self, text: &str) -> Result<(), EngineError> {
        self.with(|clipboard| {
            clipboard.set_text(text).map_err(|error| match error {
                InputError::TooLong { .. } => EngineError::Parameter {
                    field: "text",
                    message: error.to_string(),
                },
                other => EngineError::Failed(other.to_string()),
            })
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&X11Clipboard) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if !self.shared {
            let why = "this host keeps its clipboard to itself (--clipboard false)".to_owned();
            return Err(EngineError::Unsupported(why));
        }
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(clipboard) = present.as_ref() else {
            let why = "the present source has no clipboard".to_owned();
            return Err(EngineError::Unsupported(why));
        };
        act(clipboard)
    }
}
