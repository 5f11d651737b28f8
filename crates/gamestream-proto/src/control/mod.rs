//! The control stream: small messages in both directions over ENet, sealed with the session's key.
//! Input comes in it, requests for pictures do, and the host's news for controllers go out.
//!
//! Only the encryption of version 2 is spoken (`SS_ENC_CONTROL_V2`): the older one has nonces that
//! repeat after 256 messages.
//!
//! Each sealed message has a sequence number, which the client gives out in the order in which it
//! sends, over all of ENet's channels (ControlStream.c, `sendMessageEnet`). Channels overtake each
//! other, and some messages belong to no order at all; so a number is taken once, within the last
//! 65536, and what has to stay in order (keys, the mouse, each controller) must also rise within its
//! [`crate::input::Lane`]. The lane is told from the message, since nothing protects the number of the
//! channel it came over.

mod client;
mod envelope;
mod host;
mod replay;
#[cfg(test)]
mod tests;

pub use client::{ClientMessage, LossStats, LostFrames};
pub use envelope::{ControlOpener, ControlSealer, MAX_MESSAGE_BYTES};
pub use host::{
    AdaptiveTriggers, Chromaticity, HdrMetadata, HdrMode, HostMessage, Led, MotionRequest, Rumble,
    Termination, TriggerEffect, TriggerRumble,
};

/// How many channels of ENet the host has to offer: with fewer, the client sends everything over one
/// (`CTRL_CHANNEL_COUNT` in Limelight-internal.h).
pub const CHANNELS: usize = 0x30;
/// The channel that the host sends on; its messages are reliable.
pub const HOST_CHANNEL: u8 = 0;
