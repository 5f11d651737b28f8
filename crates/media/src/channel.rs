//! What happens on a session's data channels, as values. It knows no transport.

/// Names a channel within its session. A closed channel's number is not soon given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u16);

/// A message to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Its bytes, whichever it is.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What happens on a session's channels. Every opened channel is closed again, before the end of
/// the session is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelEvent<'a> {
    /// The client made a channel, and it can be sent on.
    Opened {
        /// Its number.
        id: ChannelId,
        /// Its label.
        label: &'a str,
    },
    /// The client sent a message.
    Message {
        /// The channel's number.
        id: ChannelId,
        /// Bytes, or text; text comes as the client sent it and may be no valid UTF-8.
        binary: bool,
        /// The message.
        data: &'a [u8],
    },
    /// The channel is gone.
    Closed {
        /// Its number.
        id: ChannelId,
    },
}
