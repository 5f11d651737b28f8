//! Bounds on time. Every default is a bound on what a stranger can use up.

use std::time::Duration;

/// Longest message or session description taken from a client.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Bounds on time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The media engine answers an offer, a pause and a resume within this.
    pub engine: Duration,
    /// Calls that wait when a connection ends may take this long together.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            engine: Duration::from_secs(10),
            drain: Duration::from_secs(2),
        }
    }
}
