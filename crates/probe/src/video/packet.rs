//! One video datagram: the seal around it, its RTP header and the header behind that (Video.h). It
//! keeps no state.

use crate::crypto::{GcmKey, NONCE_LEN, Sealed, TAG_LEN};

/// RTP header and the four reserved bytes after it.
pub(crate) const RTP_LEN: usize = 16;
/// Everything before the payload.
pub(crate) const HEADER_LEN: usize = RTP_LEN + 16;
/// Nonce, frame number, tag.
pub(crate) const SEAL_LEN: usize = NONCE_LEN + 4 + TAG_LEN;
/// The packet has part of a picture.
pub(crate) const FLAG_PICTURE: u8 = 1;
/// The packet ends its block.
pub(crate) const FLAG_END: u8 = 2;
/// The packet begins its block.
pub(crate) const FLAG_START: u8 = 4;

/// The headers of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoPacket {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Number among all packets of the stream, 24 bits.
    pub stream_index: u32,
    /// Frame number, from 1.
    pub frame: u32,
    /// What the packet is to its block.
    pub flags: u8,
    /// Bit 0: a long-term reference.
    pub extra_flags: u8,
    /// Which block of the frame, 0 to 3.
    pub block: u8,
    /// The number of the frame's last block.
    pub last_block: u8,
    /// Which shard of the block.
    pub shard: u16,
    /// Data shards of the block.
    pub data_shards: u16,
    /// Parity as a share of data, in percent.
    pub parity_percent: u8,
}

impl VideoPacket {
    /// Parity shards, as clients compute them from the percentage (RtpVideoQueue.c).
    #[must_use]
    pub fn parity_shards(&self) -> u16 {
        let share = u32::from(self.data_shards) * u32::from(self.parity_percent);
        // At most 1023 * 255 / 100.
        share.div_ceil(100) as u16
    }
}

/// Reads the headers of a packet; nothing if they are not those of one.
#[must_use]
pub fn parse_packet(bytes: &[u8]) -> Option<VideoPacket> {
    let (rtp, header) = bytes.get(..HEADER_LEN)?.split_at(RTP_LEN);
    // Version 2 with the extension bit; the extension is the four reserved bytes.
    if rtp[0] & 0xd0 != 0x90 {
        return None;
    }
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let fec = word(12);
    Some(VideoPacket {
        sequence: u16::from_be_bytes([rtp[2], rtp[3]]),
        timestamp: u32::from_be_bytes([rtp[4], rtp[5], rtp[6], rtp[7]]),
        stream_index: word(0) >> 8,
        frame: word(4),
        flags: header[8],
        extra_flags: header[9],
        block: (header[11] >> 4) & 3,
        last_block: header[11] >> 6,
        shard: (fec >> 12 & 0x3ff) as u16,
        data_shards: (fec >> 22) as u16,
        parity_percent: (fec >> 4) as u8,
    })
}

/// Opens a sealed packet into `out`; how long it is, or nothing if it is not authentic.
#[must_use]
pub fn unseal(key: &GcmKey, datagram: &[u8], out: &mut [u8]) -> Option<usize> {
    let (seal, ciphertext) = datagram.split_at_checked(SEAL_LEN)?;
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&seal[..NONCE_LEN]);
    let sealed = Sealed {
        nonce,
        tag: &seal[NONCE_LEN + 4..],
        ciphertext,
    };
    let out = out.get_mut(..ciphertext.len())?;
    key.open(&sealed, out).ok()?;
    Some(ciphertext.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parity_is_rounded_up_as_clients_do() {
        let packet = |data_shards, parity_percent| VideoPacket {
            sequence: 0,
            timestamp: 0,
            stream_index: 0,
            frame: 1,
            flags: 0,
            extra_flags: 0,
            block: 0,
            last_block: 0,
            shard: 0,
            data_shards,
            parity_percent,
        };
        assert_eq!(packet(121, 20).parity_shards(), 25);
        assert_eq!(packet(1, 200).parity_shards(), 2);
        assert_eq!(packet(1023, 255).parity_shards(), 2609);
        assert_eq!(packet(100, 0).parity_shards(), 0);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_packet(&bytes);
            let key = GcmKey::new(&[0; 16]).unwrap();
            prop_assert_eq!(unseal(&key, &bytes, &mut [0; 64]), None);
        }
    }
}
