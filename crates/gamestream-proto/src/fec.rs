//! The erasure codes of the media streams: parity out of data, in buffers of the caller. Knows no
//! packet. Receivers repair; a host never does, so there is no decoder here.
//!
//! Clients use nanors (rs.c there, RtpVideoQueue.c and RtpAudioQueue.c in the client): a systematic
//! Cauchy code over GF(2^8) with polynomial 0x11d. Its coefficients depend on the number of parity
//! shards, so a host and a client that count them differently repair nothing.

use ffi_gf256::{Kernel, inverse};

pub use ffi_gf256::Rows;

use crate::packet_error::PacketError;

/// The most shards of a block, data and parity together.
pub const MAX_SHARDS: usize = 255;

/// The most coefficients of a block: as many data shards as parity shards, nearly.
const MAX_COEFFICIENTS: usize = (MAX_SHARDS / 2) * (MAX_SHARDS / 2 + 1);

/// Data shards of an audio block (RtpAudioQueue.h).
pub const AUDIO_DATA_SHARDS: usize = 4;
/// Parity shards of an audio block (RtpAudioQueue.h).
pub const AUDIO_PARITY_SHARDS: usize = 2;

/// The coefficients of audio, which are not those of the video code (RtpAudioQueue.c).
const AUDIO_COEFFICIENTS: [u8; AUDIO_DATA_SHARDS * AUDIO_PARITY_SHARDS] =
    [0x77, 0x40, 0x38, 0x0e, 0xc7, 0xa7, 0x0d, 0x6c];

/// Parity shards that a client expects for `data` shards at a percentage: it rounds up
/// (RtpVideoQueue.c, `bufferParityPackets`).
#[must_use]
pub const fn parity_shards(data: usize, percent: u8) -> usize {
    (data * percent as usize).div_ceil(100)
}

/// Makes the parity of video blocks. Keeps the coefficients of the last shape.
#[derive(Debug)]
pub struct VideoFec {
    kernel: Kernel,
    data: usize,
    parity: usize,
    coefficients: Vec<u8>,
}

impl VideoFec {
    /// The code, on the fastest kernel of this processor. Allocates what the largest block needs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            kernel: Kernel::best(),
            data: 0,
            parity: 0,
            coefficients: Vec::with_capacity(MAX_COEFFICIENTS),
        }
    }

    /// Fills `parity` for the shards in `data`; both are `rows`, and how many there are of each says
    /// which code it is. Without parity shards there is nothing to do, however much data there is.
    ///
    /// # Errors
    /// [`PacketError::Block`] where the buffers are not whole rows, where there is no data, and where
    /// there are more than [`MAX_SHARDS`].
    pub fn encode(
        &mut self,
        rows: Rows,
        data: &[u8],
        parity: &mut [u8],
    ) -> Result<(), PacketError> {
        if parity.is_empty() {
            return Ok(());
        }
        let data_count = rows.count_in(data).unwrap_or(0);
        let parity_count = rows.count_in(parity).unwrap_or(MAX_SHARDS);
        let refused = PacketError::Block {
            data: data_count,
            parity: parity_count,
        };
        if data_count == 0 || data_count + parity_count > MAX_SHARDS {
            return Err(refused);
        }
        if (data_count, parity_count) != (self.data, self.parity) {
            self.reshape(data_count, parity_count);
        }
        let combined = self.kernel.combine(&self.coefficients, rows, data, parity);
        combined.map_err(|_| refused)
    }

    fn reshape(&mut self, data: usize, parity: usize) {
        self.coefficients.clear();
        for row in 0..parity {
            // Both are below 256, and `row` is below `parity`: the sum is never zero.
            let row_of = (0..data).map(|column| inverse(((parity + column) ^ row) as u8));
            self.coefficients.extend(row_of);
        }
        (self.data, self.parity) = (data, parity);
    }
}

impl Default for VideoFec {
    fn default() -> Self {
        Self::new()
    }
}

/// Fills the two parity shards of four audio payloads, all back to back and of one length.
///
/// # Errors
/// [`PacketError::Block`] for other numbers or lengths of shards.
pub fn encode_audio(data: &[u8], parity: &mut [u8]) -> Result<(), PacketError> {
    let rows = Rows::packed(data.len() / AUDIO_DATA_SHARDS);
    let refused = PacketError::Block {
        data: rows.count_in(data).unwrap_or(0),
        parity: rows.count_in(parity).unwrap_or(0),
    };
    let combined = Kernel::best().combine(&AUDIO_COEFFICIENTS, rows, data, parity);
    combined.map_err(|_| refused)
}

#[cfg(test)]
#[path = "fec_tests.rs"]
mod tests;
