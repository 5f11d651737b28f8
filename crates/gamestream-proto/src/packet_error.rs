//! Why media packets could not be made, by what the caller can do about it.

/// Why there are no packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The client asked for packets that are too small or too large: refuse its request.
    #[error("packets of {bytes} bytes are not possible: it must be {least} to {most}")]
    PacketSize {
        /// What was asked for.
        bytes: usize,
        /// The smallest that is possible.
        least: usize,
        /// The largest that is possible.
        most: usize,
    },
    /// A frame without a bitstream: send none.
    #[error("a frame without a byte has no packets")]
    EmptyFrame,
    /// The frame needs more packets than their headers can count: drop it, ask for a smaller one.
    #[error("a frame of {bytes} bytes is too large: {most} bytes fit into the packets of one")]
    FrameTooLarge {
        /// Bytes of the frame.
        bytes: usize,
        /// The most that fit.
        most: usize,
    },
    /// An audio frame that the client could not take: encode with fewer bits.
    #[error("an audio frame of {bytes} bytes is too large: {most} bytes fit into a packet")]
    AudioTooLarge {
        /// Bytes of the frame.
        bytes: usize,
        /// The most that fit.
        most: usize,
    },
    /// Shards that are no block of the code: the caller is at fault.
    #[error("{data} data and {parity} parity shards are no block, or their buffers do not match")]
    Block {
        /// Data shards.
        data: usize,
        /// Parity shards.
        parity: usize,
    },
    /// The crypto library refused to work; nothing helps but another session.
    #[error("encryption failed")]
    Encryption,
}
