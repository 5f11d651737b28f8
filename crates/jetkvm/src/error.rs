//! What can be wrong with bytes from a client.

/// Why a message was not understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A HID-RPC message without a single byte.
    #[error("the HID-RPC message is empty")]
    Empty,
    /// A HID-RPC type that no client sends.
    #[error("no client sends HID-RPC type {0:#04x}")]
    UnknownType(u8),
    /// A HID-RPC message that is too short or too long for its type.
    #[error("a HID-RPC message of type {kind:#04x} does not have {bytes} bytes")]
    WrongLength {
        /// Its type.
        kind: u8,
        /// Its length, type included.
        bytes: usize,
    },
    /// A signalling message that is no JSON, or lacks what its type needs.
    #[error("the signalling message cannot be read: {0}")]
    Signal(#[from] serde_json::Error),
    /// A session description that is not base64.
    #[error("the session description is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// A description that is no offer.
    #[error("the session description is not an offer")]
    NotAnOffer,
}
