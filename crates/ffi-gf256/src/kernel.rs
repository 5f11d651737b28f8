//! The safe interface: which kernels this processor has, and the check of every shape before one of
//! them runs.

use std::fmt;

use crate::field::NIBBLES;
use crate::tiles::{Job, Tiles};

/// Rows of equal length at equal distances in one buffer: row `i` begins at `i * stride + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Bytes from the start of one row's place to the next.
    pub stride: usize,
    /// Bytes of each place before the row begins.
    pub offset: usize,
    /// Bytes of a row.
    pub length: usize,
}

impl Rows {
    /// Rows back to back.
    #[must_use]
    pub const fn packed(length: usize) -> Self {
        Self {
            stride: length,
            offset: 0,
            length,
        }
    }

    /// How many rows these bytes are; nothing unless they are whole places with the row inside.
    #[must_use]
    pub fn count_in(self, bytes: &[u8]) -> Option<usize> {
        let end = self.offset.checked_add(self.length)?;
        let fits = self.stride > 0 && end <= self.stride && bytes.len().is_multiple_of(self.stride);
        fits.then(|| bytes.len() / self.stride)
    }
}

/// Buffers and coefficients that do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the buffers are not whole rows, or there is not one coefficient for each pair of them")]
pub struct ShapeError;

/// One way to compute, which this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Kind);

/// Only those whose instructions were found are ever put into a [`Kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Ssse3,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Gfni,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

#[cfg(target_arch = "x86_64")]
const ALL: [Kind; 4] = [Kind::Portable, Kind::Ssse3, Kind::Avx2, Kind::Gfni];
#[cfg(target_arch = "aarch64")]
const ALL: [Kind; 2] = [Kind::Portable, Kind::Neon];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ALL: [Kind; 1] = [Kind::Portable];

impl Kind {
    fn is_here(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => is_x86_feature_detected!("ssse3"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Gfni => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }

    fn tiles(self) -> Option<Tiles> {
        match self {
            Self::Portable => None,
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => Some(crate::x86::SSSE3),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Some(crate::x86::AVX2),
            #[cfg(target_arch = "x86_64")]
            Self::Gfni => Some(crate::x86::GFNI),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Some(crate::neon::NEON),
        }
    }
}

impl Kernel {
    /// The fastest one.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().unwrap_or(Self(Kind::Portable))
    }

    /// All that this processor has, the fastest last.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter().filter(|kind| kind.is_here()).map(Self)
    }

    /// Makes each row of `sums` the sum of all rows of `sources`, row `i` times
    /// `coefficients[sum * sources + i]`. What `sums` held is overwritten within its rows, and kept
    /// between them.
    ///
    /// # Errors
    /// [`ShapeError`], and nothing is written, unless both buffers are whole `rows` and there is one
    /// coefficient for each pair.
    pub fn combine(
        self,
        coefficients: &[u8],
        rows: Rows,
        sources: &[u8],
        sums: &mut [u8],
    ) -> Result<(), ShapeError> {
        let source_count = rows.count_in(sources).ok_or(ShapeError)?;
        let sum_count = rows.count_in(sums).ok_or(ShapeError)?;
        if source_count.checked_mul(sum_count) != Some(coefficients.len()) {
            return Err(ShapeError);
        }
        match self.0.tiles().filter(|tiles| tiles.width <= rows.length) {
            Some(tiles) => {
                let job = Job::new(coefficients, rows, sources, sums);
                // SAFETY: this kernel exists because its instructions were found, and `job` was
                // checked above: whole rows, at least one tile long, a coefficient for each pair.
                unsafe { job.run(&tiles) }
            }
            None => portable(coefficients, rows, sources, sums),
        }
        Ok(())
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Ssse3 => "SSSE3",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Kind::Gfni => "GFNI",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "NEON",
        })
    }
}

fn portable(coefficients: &[u8], rows: Rows, sources: &[u8], sums: &mut [u8]) {
    let inside = rows.offset..rows.offset + rows.length;
    let source_count = sources.len() / rows.stride;
    for (number, place) in sums.chunks_exact_mut(rows.stride).enumerate() {
        let sum = &mut place[inside.clone()];
        sum.fill(0);
        let factors = &coefficients[number * source_count..][..source_count];
        for (&factor, place) in factors.iter().zip(sources.chunks_exact(rows.stride)) {
            let table = &NIBBLES[usize::from(factor)];
            for (byte, &source) in sum.iter_mut().zip(&place[inside.clone()]) {
                let low = table[usize::from(source & 15)];
                *byte ^= low ^ table[16 + usize::from(source >> 4)];
            }
        }
    }
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
