//! How a kernel walks over rows: a tile of columns at a time, so that the sources of one tile stay
//! in the nearest cache while every sum of it is made. Owns the pointers, and no instruction set.

use std::marker::PhantomData;

use crate::kernel::Rows;

/// Sums that one call makes together; more would not fit into the registers.
const MOST_SUMS: usize = 4;

/// Makes the sums of one tile.
///
/// # Safety
/// The instructions must be there. Each of `source_count` rows from `sources` on must be readable,
/// each of the sums from `sums` on writable, for the width of a tile; `coefficients` must point to as
/// many rows of `source_count` coefficients as sums are made; nothing written overlaps what is read.
pub(crate) type MakeTile = unsafe fn(Tile);

/// One instruction set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    /// Columns of a tile.
    pub(crate) width: usize,
    /// Makes one, two, three, four sums of a tile.
    pub(crate) make: [MakeTile; MOST_SUMS],
}

/// The first column of a tile in the first of its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub(crate) coefficients: *const u8,
    pub(crate) source_count: usize,
    pub(crate) sources: *const u8,
    pub(crate) sums: *mut u8,
    pub(crate) stride: usize,
}

/// Sums to be made of whole rows.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    first: Tile,
    length: usize,
    sum_count: usize,
    buffers: PhantomData<(&'a [u8], &'a mut [u8])>,
}

impl<'a> Job<'a> {
    /// The buffers must be whole rows, with one coefficient for each pair of source and sum.
    pub(crate) fn new(
        coefficients: &'a [u8],
        rows: Rows,
        sources: &'a [u8],
        sums: &'a mut [u8],
    ) -> Self {
        let sum_count = sums.len() / rows.stride;
        let first = Tile {
            coefficients: coefficients.as_ptr(),
            source_count: sources.len() / rows.stride,
            sources: sources.as_ptr().wrapping_add(rows.offset),
            sums: sums.as_mut_ptr().wrapping_add(rows.offset),
            stride: rows.stride,
        };
        Self {
            first,
            length: rows.length,
            sum_count,
            buffers: PhantomData,
        }
    }

    /// Makes all sums. The last tile of a row overlaps the one before it where the length is not a
    /// multiple of the width: what both cover comes out the same twice.
    ///
    /// # Safety
    /// The instructions of `tiles` must be there, a row at least one tile long, and the shapes those
    /// that [`Job::new`] asks for.
    pub(crate) unsafe fn run(self, tiles: &Tiles) {
        let last = self.length - tiles.width;
        let mut column = 0;
        loop {
            let start = column.min(last);
            let mut done = 0;
            while done < self.sum_count {
                let sums = (self.sum_count - done).min(MOST_SUMS);
                // SAFETY: `start` and `done` are within the rows and the sums, whose bytes the borrows
                // behind `buffers` keep; the caller assures the rest.
                unsafe { (tiles.make[sums - 1])(self.tile(start, done)) };
                done += sums;
            }
            column += tiles.width;
            if column >= self.length {
                break;
            }
        }
    }

    /// The tile whose first column is `column`, of the sums from `sum` on.
    fn tile(&self, column: usize, sum: usize) -> Tile {
        let Tile {
            source_count,
            stride,
            ..
        } = self.first;
        Tile {
            coefficients: self.first.coefficients.wrapping_add(sum * source_count),
            sources: self.first.sources.wrapping_add(column),
            sums: self.first.sums.wrapping_add(sum * stride + column),
            ..self.first
        }
    }
}
