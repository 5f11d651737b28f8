//! The headers of a video packet, at the places where clients look for them. Bytes only.

/// Bytes of the RTP header: 12 fixed, and 4 that are reserved (stream.cpp, `video_packet_raw_t`).
pub(super) const RTP: usize = 16;
/// Bytes of the video header that follows it (Video.h, `NV_VIDEO_PACKET`).
pub(super) const VIDEO: usize = 16;
/// Bytes of the header before the bitstream of a frame (stream.cpp, `video_short_frame_header_t`).
pub(super) const FRAME: usize = 8;
/// Bytes before an encrypted packet (Video.h, `ENC_VIDEO_HEADER`).
pub(super) const ENCRYPTION: usize = 32;
/// Bytes of the nonce, which come first there.
pub(super) const NONCE: usize = 12;

/// Version 2 with an extension: the reserved bytes (Video.h, `FLAG_EXTENSION`).
const RTP_FIRST_BYTE: u8 = 0x90;
/// Flags of [`DataHeader`] (Video.h).
const CONTAINS_PICTURE: u8 = 1;
const END: u8 = 2;
const START: u8 = 4;
/// Marks frames that the client may acknowledge as a long-term reference (Video.h).
const LONG_TERM: u8 = 1;
/// What clients expect in `multiFecFlags` (RtpVideoQueue.c).
const SEVERAL_BLOCKS: u8 = 0x10;

/// Where the fields lie that are written again over parity.
const FRAME_INDEX: usize = RTP + 4;
const BLOCKS: usize = RTP + 11;
const FEC_INFO: usize = RTP + 12;

/// How a picture can be decoded, as the client is told (VideoDepacketizer.c, `processRtpPayload`).
///
/// A client that lost a reference shows nothing until one of the last three comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureType {
    /// From the pictures before it.
    Predicted,
    /// From nothing else.
    Idr,
    /// From the pictures before it, parts of it from nothing else.
    IntraRefresh,
    /// From pictures that the client has, after it reported others as lost.
    PredictedAfterLoss,
}

impl PictureType {
    const fn code(self) -> u8 {
        match self {
            Self::Predicted => 1,
            Self::Idr => 2,
            Self::IntraRefresh => 4,
            Self::PredictedAfterLoss => 5,
        }
    }
}

/// The header before the bitstream of a frame.
pub(super) fn frame_header(
    picture: PictureType,
    host_latency: u16,
    last_payload_bytes: u16,
) -> [u8; FRAME] {
    let latency = host_latency.to_le_bytes();
    let last = last_payload_bytes.to_le_bytes();
    [
        1,
        latency[0],
        latency[1],
        picture.code(),
        last[0],
        last[1],
        0,
        0,
    ]
}

/// What parity is made over in a data packet, besides its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataHeader {
    /// Counts all packets of a stream, parity too; 24 bits of it are sent.
    pub(super) packet_index: u32,
    pub(super) frame_index: u32,
    /// First and last of the data packets of its block.
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) long_term: bool,
    pub(super) block: BlockPlace,
}

/// Which block of how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockPlace {
    pub(super) index: usize,
    pub(super) count: usize,
}

impl BlockPlace {
    /// Both have two bits and are below four (RtpVideoQueue.c, `multiFecBlocks`).
    const fn code(self) -> u8 {
        ((self.index & 3) << 4 | ((self.count - 1) & 3) << 6) as u8
    }
}

impl DataHeader {
    /// Fills the first bytes of a packet; those of [`SentHeader`] are zero for now.
    pub(super) fn write(self, packet: &mut [u8]) {
        let mut flags = CONTAINS_PICTURE;
        if self.first {
            flags |= START;
        }
        if self.last {
            flags |= END;
        }
        packet[..RTP].fill(0);
        packet[RTP..][..4].copy_from_slice(&(self.packet_index << 8).to_le_bytes());
        packet[FRAME_INDEX..][..4].copy_from_slice(&self.frame_index.to_le_bytes());
        packet[RTP + 8] = flags;
        packet[RTP + 9] = if self.long_term { LONG_TERM } else { 0 };
        packet[RTP + 10] = SEVERAL_BLOCKS;
        packet[BLOCKS] = self.block.code();
        packet[FEC_INFO..][..4].fill(0);
    }
}

/// What every packet tells by itself, data or parity: it is written after parity was made, and over
/// it. Clients restore it from a neighbour where a packet is repaired (RtpVideoQueue.c,
/// `reconstructFrame`).
#[derive(Clone, Copy, Debug)]
pub(super) struct SentHeader {
    pub(super) sequence: u16,
    /// 90 kHz.
    pub(super) timestamp: u32,
    pub(super) frame_index: u32,
    pub(super) block: BlockPlace,
    /// Index within the block, parity after data.
    pub(super) shard: usize,
    pub(super) data_shards: usize,
    pub(super) percent: u8,
}

impl SentHeader {
    pub(super) fn write(self, packet: &mut [u8]) {
        packet[0] = RTP_FIRST_BYTE;
        packet[1] = 0;
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[FRAME_INDEX..][..4].copy_from_slice(&self.frame_index.to_le_bytes());
        packet[BLOCKS] = self.block.code();
        let percent = u32::from(self.percent);
        let info = (self.shard as u32) << 12 | (self.data_shards as u32) << 22 | percent << 4;
        packet[FEC_INFO..][..4].copy_from_slice(&info.to_le_bytes());
    }
}
