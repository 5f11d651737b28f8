//! Tiles on x86-64: table look-ups in registers with SSSE3 and AVX2, and the affine instruction of
//! GFNI, which multiplies 32 bytes with one factor at once.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_loadu_si128, _mm_set1_epi8, _mm_setzero_si128,
    _mm_shuffle_epi8, _mm_srli_epi16, _mm_storeu_si128, _mm_xor_si128, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_storeu_si256, _mm256_xor_si256,
};

use crate::field::{BIT_MATRICES, NIBBLES};
use crate::tiles::{Tile, Tiles};

/// 16-byte table look-ups.
pub(crate) const SSSE3: Tiles = Tiles {
    width: 32,
    make: [ssse3::<1>, ssse3::<2>, ssse3::<3>, ssse3::<4>],
};
/// 32-byte table look-ups.
pub(crate) const AVX2: Tiles = Tiles {
    width: 64,
    make: [avx2::<1>, avx2::<2>, avx2::<3>, avx2::<4>],
};
/// 32-byte products.
pub(crate) const GFNI: Tiles = Tiles {
    width: 64,
    make: [gfni::<1>, gfni::<2>, gfni::<3>, gfni::<4>],
};

/// # Safety
/// As [`MakeTile`](crate::tiles::MakeTile) says.
#[target_feature(enable = "ssse3")]
unsafe fn ssse3<const SUMS: usize>(tile: Tile) {
    let low_nibble = _mm_set1_epi8(0x0f);
    let mut sums = [[_mm_setzero_si128(); 2]; SUMS];
    for source in 0..tile.source_count {
        let bytes = tile.sources.wrapping_add(source * tile.stride);
        let nibbles = [0, 1].map(|half| {
            // SAFETY: the row is readable for 32 bytes.
            let bytes = unsafe { _mm_loadu_si128(bytes.cast::<__m128i>().wrapping_add(half)) };
            let high = _mm_srli_epi16::<4>(bytes);
            [
                _mm_and_si128(bytes, low_nibble),
                _mm_and_si128(high, low_nibble),
            ]
        });
        for (number, sum) in sums.iter_mut().enumerate() {
            let factor = number * tile.source_count + source;
            // SAFETY: there are `source_count` coefficients for each of the sums.
            let factor = unsafe { *tile.coefficients.wrapping_add(factor) };
            let table = NIBBLES[usize::from(factor)].as_ptr().cast::<__m128i>();
            // SAFETY: a table is 32 bytes.
            let tables =
                unsafe { [table, table.wrapping_add(1)].map(|half| _mm_loadu_si128(half)) };
            for (sum, [low, high]) in sum.iter_mut().zip(nibbles) {
                let low = _mm_shuffle_epi8(tables[0], low);
                let high = _mm_shuffle_epi8(tables[1], high);
                *sum = _mm_xor_si128(*sum, _mm_xor_si128(low, high));
            }
        }
    }
    for (number, sum) in sums.into_iter().enumerate() {
        let to = tile.sums.wrapping_add(number * tile.stride);
        for (half, sum) in sum.into_iter().enumerate() {
            // SAFETY: the row of the sum is writable for 32 bytes.
            unsafe { _mm_storeu_si128(to.cast::<__m128i>().wrapping_add(half), sum) };
        }
    }
}

/// # Safety
/// As [`MakeTile`](crate::tiles::MakeTile) says.
#[target_feature(enable = "avx2")]
unsafe fn avx2<const SUMS: usize>(tile: Tile) {
    let low_nibble = _mm256_set1_epi8(0x0f);
    let mut sums = [[_mm256_setzero_si256(); 2]; SUMS];
    for source in 0..tile.source_count {
        let bytes = tile.sources.wrapping_add(source * tile.stride);
        let nibbles = [0, 1].map(|half| {
            // SAFETY: the row is readable for 64 bytes.
            let bytes = unsafe { _mm256_loadu_si256(bytes.cast::<__m256i>().wrapping_add(half)) };
            let high = _mm256_srli_epi16::<4>(bytes);
            [
                _mm256_and_si256(bytes, low_nibble),
                _mm256_and_si256(high, low_nibble),
            ]
        });
        for (number, sum) in sums.iter_mut().enumerate() {
            let factor = number * tile.source_count + source;
            // SAFETY: there are `source_count` coefficients for each of the sums.
            let factor = unsafe { *tile.coefficients.wrapping_add(factor) };
            let table = NIBBLES[usize::from(factor)].as_ptr().cast::<__m128i>();
            let tables = [table, table.wrapping_add(1)].map(|half| {
                // SAFETY: a table is 32 bytes.
                _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(half) })
            });
            for (sum, [low, high]) in sum.iter_mut().zip(nibbles) {
                let low = _mm256_shuffle_epi8(tables[0], low);
                let high = _mm256_shuffle_epi8(tables[1], high);
                *sum = _mm256_xor_si256(*sum, _mm256_xor_si256(low, high));
            }
        }
    }
    // SAFETY: the rows of the sums are writable for 64 bytes.
    unsafe { store(&tile, sums) };
}

/// # Safety
/// As [`MakeTile`](crate::tiles::MakeTile) says.
#[target_feature(enable = "gfni,avx2")]
unsafe fn gfni<const SUMS: usize>(tile: Tile) {
    let mut sums = [[_mm256_setzero_si256(); 2]; SUMS];
    for source in 0..tile.source_count {
        let bytes = tile.sources.wrapping_add(source * tile.stride);
        let halves = [0, 1].map(|half| {
            // SAFETY: the row is readable for 64 bytes.
            unsafe { _mm256_loadu_si256(bytes.cast::<__m256i>().wrapping_add(half)) }
        });
        for (number, sum) in sums.iter_mut().enumerate() {
            let factor = number * tile.source_count + source;
            // SAFETY: there are `source_count` coefficients for each of the sums.
            let factor = unsafe { *tile.coefficients.wrapping_add(factor) };
            let matrix = _mm256_set1_epi64x(BIT_MATRICES[usize::from(factor)].cast_signed());
            for (sum, half) in sum.iter_mut().zip(halves) {
                let product = _mm256_gf2p8affine_epi64_epi8::<0>(half, matrix);
                *sum = _mm256_xor_si256(*sum, product);
            }
        }
    }
    // SAFETY: the rows of the sums are writable for 64 bytes.
    unsafe { store(&tile, sums) };
}

/// # Safety
/// Each row of the sums must be writable for 64 bytes.
#[target_feature(enable = "avx2")]
unsafe fn store<const SUMS: usize>(tile: &Tile, sums: [[__m256i; 2]; SUMS]) {
    for (number, sum) in sums.into_iter().enumerate() {
        let to = tile.sums.wrapping_add(number * tile.stride);
        for (half, sum) in sum.into_iter().enumerate() {
            // SAFETY: the caller assures that the 64 bytes can be written.
            unsafe { _mm256_storeu_si256(to.cast::<__m256i>().wrapping_add(half), sum) };
        }
    }
}
