//! Tiles on 64-bit ARM: table look-ups in registers, 16 bytes at a time.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vdupq_n_u8, veorq_u8, vld1q_u8, vqtbl1q_u8, vshrq_n_u8, vst1q_u8,
};

use crate::field::NIBBLES;
use crate::tiles::{Tile, Tiles};

/// Bytes of a vector.
const VECTOR: usize = size_of::<uint8x16_t>();

/// 16-byte table look-ups.
pub(crate) const NEON: Tiles = Tiles {
    width: 2 * VECTOR,
    make: [neon::<1>, neon::<2>, neon::<3>, neon::<4>],
};

/// # Safety
/// As [`MakeTile`](crate::tiles::MakeTile) says.
#[target_feature(enable = "neon")]
unsafe fn neon<const SUMS: usize>(tile: Tile) {
    let low_nibble = vdupq_n_u8(0x0f);
    let mut sums = [[vdupq_n_u8(0); 2]; SUMS];
    for source in 0..tile.source_count {
        let bytes = tile.sources.wrapping_add(source * tile.stride);
        let nibbles = [0, VECTOR].map(|half| {
            // SAFETY: the row is readable for 32 bytes.
            let bytes = unsafe { vld1q_u8(bytes.wrapping_add(half)) };
            [vandq_u8(bytes, low_nibble), vshrq_n_u8::<4>(bytes)]
        });
        for (number, sum) in sums.iter_mut().enumerate() {
            let factor = number * tile.source_count + source;
            // SAFETY: there are `source_count` coefficients for each of the sums.
            let factor = unsafe { *tile.coefficients.wrapping_add(factor) };
            let table = NIBBLES[usize::from(factor)].as_ptr();
            // SAFETY: a table is 32 bytes.
            let tables = [0, VECTOR].map(|half| unsafe { vld1q_u8(table.wrapping_add(half)) });
            for (sum, [low, high]) in sum.iter_mut().zip(nibbles) {
                let low = vqtbl1q_u8(tables[0], low);
                let high = vqtbl1q_u8(tables[1], high);
                *sum = veorq_u8(*sum, veorq_u8(low, high));
            }
        }
    }
    for (number, sum) in sums.into_iter().enumerate() {
        let to = tile.sums.wrapping_add(number * tile.stride);
        for (half, sum) in sum.into_iter().enumerate() {
            // SAFETY: the row of the sum is writable for 32 bytes.
            unsafe { vst1q_u8(to.wrapping_add(half * VECTOR), sum) };
        }
    }
}
