//! What a client tells about the packets of a frame in which some were missing. Reads it, and says
//! how bad it was; what to do about it is decided elsewhere.

/// Control message 0x5502 (Video.h, `SS_FRAME_FEC_STATUS`). Clients send one for each block that they
/// repaired and for each that they gave up, up to eight in 100 ms and without resending
/// (ControlStream.c); of a frame that was lost whole, or arrived whole, they tell nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameFecStatus {
    /// Number of the frame.
    pub frame: u32,
    /// Highest RTP sequence number that came.
    pub highest_sequence: u16,
    /// The sequence number that the client waits for.
    pub next_contiguous_sequence: u16,
    /// Packets missing below the highest one that came.
    pub missing: u16,
    /// Data packets of the block.
    pub data: u16,
    /// Parity packets of the block.
    pub parity: u16,
    /// Data packets that came.
    pub received_data: u16,
    /// Parity packets that came.
    pub received_parity: u16,
    /// Parity in percent, as it was announced.
    pub percent: u8,
    /// Which block of the frame.
    pub block: u8,
    /// Blocks of the frame.
    pub blocks: u8,
}

impl FrameFecStatus {
    /// Bytes of the message.
    pub const BYTES: usize = 21;

    /// Reads the payload of the message; nothing when it is too short. More bytes are ignored.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (bytes, _) = payload.split_first_chunk::<{ Self::BYTES }>()?;
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Some(Self {
            frame: u32::from(half(0)) << 16 | u32::from(half(2)),
            highest_sequence: half(4),
            next_contiguous_sequence: half(6),
            missing: half(8),
            data: half(10),
            parity: half(12),
            received_data: half(14),
            received_parity: half(16),
            percent: bytes[18],
            block: bytes[19],
            blocks: bytes[20],
        })
    }

    /// Whether too little came to repair the block.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let received = u32::from(self.received_data) + u32::from(self.received_parity);
        received < u32::from(self.data)
    }

    /// Whether more than half of what parity could repair was missing: a little more, and the frame
    /// had been lost.
    #[must_use]
    pub fn is_strained(&self) -> bool {
        u32::from(self.missing) * 2 > u32::from(self.parity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: [u8; 21] = [
        0, 1, 0, 2, 0xff, 0xfe, 0xff, 0xf0, 0, 3, 0, 40, 0, 8, 0, 37, 0, 5, 20, 1, 2,
    ];

    #[test]
    fn every_field_is_read_from_its_place() {
        let expected = FrameFecStatus {
            frame: 0x1_0002,
            highest_sequence: 0xfffe,
            next_contiguous_sequence: 0xfff0,
            missing: 3,
            data: 40,
            parity: 8,
            received_data: 37,
            received_parity: 5,
            percent: 20,
            block: 1,
            blocks: 2,
        };
        assert_eq!(FrameFecStatus::parse(&MESSAGE), Some(expected));
        let longer = [&MESSAGE[..], &[9, 9, 9]].concat();
        assert_eq!(FrameFecStatus::parse(&longer), Some(expected));
        assert_eq!(FrameFecStatus::parse(&MESSAGE[..20]), None);
        assert_eq!(FrameFecStatus::parse(&[]), None);
    }

    #[test]
    fn what_came_decides_whether_a_block_is_lost() {
        let status = FrameFecStatus {
            data: 40,
            parity: 8,
            received_data: 36,
            received_parity: 4,
            missing: 4,
            ..FrameFecStatus::default()
        };
        assert!(!status.is_lost() && !status.is_strained());
        let worse = FrameFecStatus {
            missing: 5,
            ..status
        };
        assert!(!worse.is_lost() && worse.is_strained());
        let lost = FrameFecStatus {
            received_parity: 3,
            ..status
        };
        assert!(lost.is_lost());
        let greatest = FrameFecStatus {
            received_data: u16::MAX,
            received_parity: u16::MAX,
            missing: u16::MAX,
            ..status
        };
        assert!(!greatest.is_lost() && greatest.is_strained());
    }
}
