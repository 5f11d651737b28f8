//! What clients say on the control stream. Lengths are exact: an authenticated message of another
//! length is one that this host does not know.

use crate::Error;
use crate::input::InputPacket;
use crate::video::FrameFecStatus;

/// A message from a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClientMessage {
    /// The next picture should need no other. Also the first message of all, which clients send
    /// when they are ready (`packetTypesGen7Enc` in ControlStream.c).
    RequestKeyframe,
    /// The client is ready; comes after the first [`ClientMessage::RequestKeyframe`].
    StartB,
    /// These pictures were lost: nothing may refer to them. The client shows nothing until a picture
    /// says that it refers past them.
    LostFrames(LostFrames),
    /// The client is there. Comes every 100 ms.
    Ping,
    /// Input.
    Input(InputPacket),
    /// The client has a picture that was marked as one to refer to for long.
    LongTermFrameReceived {
        /// Which picture.
        frame_index: u32,
    },
    /// How a picture arrived whose packets were not all there.
    FrameFec(FrameFecStatus),
    /// How pictures arrive; not from clients that send [`ClientMessage::FrameFec`].
    Loss(LossStats),
}

/// Pictures that were lost, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostFrames {
    /// The first.
    pub first: u32,
    /// The last, not before the first.
    pub last: u32,
}

/// How pictures arrived over an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossStats {
    /// How long the interval was.
    pub interval_ms: u32,
    /// The last picture that arrived whole.
    pub last_good_frame: u64,
}

fn exact<const N: usize>(payload: &[u8]) -> Result<&[u8; N], Error> {
    payload.try_into().map_err(|_| wrong_length())
}

fn wrong_length() -> Error {
    Error::Malformed {
        what: "control message",
        why: "it has not the length of its kind",
    }
}

fn le32<const AT: usize>(bytes: &[u8]) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[AT..AT + 4]);
    u32::from_le_bytes(number)
}

impl ClientMessage {
    pub(super) fn parse(kind: u16, payload: &[u8]) -> Result<Self, Error> {
        match kind {
            0x0200 => exact::<8>(payload).map(|_| Self::Ping),
            0x0201 => Ok(Self::Loss(LossStats::parse(exact(payload)?))),
            0x0206 => InputPacket::parse(payload).map(Self::Input),
            0x0301 => LostFrames::parse(exact(payload)?).map(Self::LostFrames),
            0x0302 => exact::<2>(payload).map(|_| Self::RequestKeyframe),
            0x0307 => exact::<1>(payload).map(|_| Self::StartB),
            0x0350 => exact::<8>(payload).map(|bytes| Self::LongTermFrameReceived {
                frame_index: le32::<0>(bytes),
            }),
            0x5502 => FrameFecStatus::parse(payload)
                .map(Self::FrameFec)
                .ok_or_else(wrong_length),
            other => Err(Error::Unknown {
                what: "control message",
                kind: other.into(),
            }),
        }
    }
}

impl LostFrames {
    /// `SS_RFI_REQUEST` in Video.h.
    fn parse(bytes: &[u8; 24]) -> Result<Self, Error> {
        let (first, last) = (le32::<0>(bytes), le32::<8>(bytes));
        if first > last {
            return Err(Error::Malformed {
                what: "control message",
                why: "it names lost pictures that end before they begin",
            });
        }
        Ok(Self { first, last })
    }
}

impl LossStats {
    /// `lossStatsThreadFunc` in ControlStream.c.
    fn parse(bytes: &[u8; 32]) -> Self {
        Self {
            interval_ms: le32::<4>(bytes),
            last_good_frame: u64::from(le32::<16>(bytes)) << 32 | u64::from(le32::<12>(bytes)),
        }
    }
}
