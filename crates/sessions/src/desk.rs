//! What the hub needs of the input desk: where keys, pointer and pads of sessions end up.

use control_api::{InputEvent, InputRights, InputState};
use events::ViewerId;
use media::MonoTime;
use tokio::sync::watch;

/// The input desk. Calls come from the network thread and from the one that serves, in the order that
/// matters; none may wait.
pub trait Desk: Send + Sync + 'static {
    /// Takes one binary message of a session.
    ///
    /// # Errors
    /// [`InputRefused`].
    fn push(
        &self,
        viewer: ViewerId,
        channel: InputChannel,
        bytes: &[u8],
    ) -> Result<(), InputRefused>;

    /// Takes one event of a session.
    ///
    /// # Errors
    /// [`InputRefused`].
    fn inject(&self, viewer: ViewerId, event: &InputEvent) -> Result<(), InputRefused>;

    /// From here on, these classes of what comes from the session count, and no others.
    fn permit(&self, viewer: ViewerId, rights: InputRights);

    /// From here on, nothing of the session counts, and all that it holds is released.
    fn revoke(&self, viewer: ViewerId);

    /// All that the session holds is released; what comes later counts again.
    fn release_all(&self, viewer: ViewerId);

    /// When the session last did something.
    fn last_active(&self, viewer: ViewerId) -> Option<MonoTime>;

    /// What input reaches the host, now and whenever that changes.
    fn state(&self) -> watch::Receiver<InputState>;
}

/// Which data channel input came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputChannel {
    /// `input`: nothing is lost and all is in order.
    Reliable,
    /// `motion`: some may be lost, or late.
    Motion,
}

/// Why input was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputRefused {
    /// It is no input.
    #[error("it is no input: {0}")]
    Malformed(String),
    /// More than the desk can take.
    #[error("input comes faster than it can be taken")]
    Full,
    /// There is nothing that would take it.
    #[error("the host takes no such input: {0}")]
    Unavailable(String),
}
