//! Values that flow through Heliostat and the bounded hand-offs between its threads.
//!
//! Nothing here opens a socket, a device or a thread.

mod bands;
mod bounded;
mod channel;
mod fit;
mod frame;
mod frame_clock;
mod packets;
mod params;
mod pool;
mod row_history;
mod rtp;
mod slot;
mod time;
mod unit;

pub use bands::{Band, Bands, MAX_BANDS};
pub use bounded::{Bounded, PushRefused, Refusal};
pub use channel::{ChannelEvent, ChannelId, Message};
pub use fit::Fit;
pub use frame::{CaptureTimes, Frame, FrameKind, PixelFormat, Pixels, Size};
pub use frame_clock::FrameClock;
pub use packets::PacketBatch;
pub use params::{
    Bitrate, BitrateError, Codec, FrameRate, FrameRateError, MAX_BITRATE_BPS, MAX_DIMENSION,
    MAX_FPS, MIN_BITRATE_BPS, MIN_DIMENSION, ModeError, QualityProfile, SizeParseError,
    StreamParams,
};
pub use pool::Pool;
pub use row_history::{PictureId, RowHistory};
pub use rtp::Rtp90k;
pub use slot::{Slot, SlotClosed, Wake};
pub use time::MonoTime;
pub use unit::{AccessUnit, EncodeTimes, FrameIndex, Reference};
