//! Video as clients receive it: access units in, RTP packets of equal length out, with parity and,
//! where agreed, encrypted. Decides no rate and sends nothing.
//!
//! Wire formats are those of Video.h, RtpVideoQueue.c and VideoDepacketizer.c of the client, and of
//! `videoBroadcastThread` in Sunshine's stream.cpp.

mod blocks;
mod headers;
mod packetiser;
mod picture_start;
mod report;

pub use blocks::{MAX_BLOCK_PACKETS, MAX_BLOCKS, Protection};
pub use headers::PictureType;
pub use packetiser::{
    MAX_PACKET_SIZE, MIN_PACKET_SIZE, VideoBatch, VideoFrame, VideoPacketiser, VideoSettings,
};
pub use picture_start::{BitstreamFormat, keyframe_is_recognised};
pub use report::FrameFecStatus;

#[cfg(test)]
mod tests;
