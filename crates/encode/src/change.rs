//! Which parts of the picture changed since the one before, pixel for pixel.
//!
//! How much changed tells a cut from typing; where nothing did, an encoder need not look.

use crate::convert::Planes;
use media::{Bands, Size};
use std::ops::Range;

/// Edge of a macroblock in luma pixels, and in chroma pixels.
const LUMA_BLOCK: usize = 16;
const CHROMA_BLOCK: usize = 8;

/// Remembers the last picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeMeter {
    size: Size,
    /// Y, U and V, without gaps between rows.
    last: [Vec<u8>; 3],
    unchanged: Vec<bool>,
}

/// What is new in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Changes<'a> {
    /// The macroblocks that are as they were, from left to right and then down.
    pub(crate) unchanged: &'a [bool],
    /// The share of the others, 0 to 1. All of the first picture is new.
    pub(crate) share: f32,
}

impl ChangeMeter {
    /// Compares a picture with the one before, and remembers it instead of that.
    pub(crate) fn compare(&mut self, planes: &Planes<'_>, size: Size) -> Changes<'_> {
        let known = self.size == size;
        if !known {
            self.forget(size);
        }
        self.unchanged.fill(known);
        let look = if known {
            planes.changed
        } else {
            Bands::whole(size.height)
        };
        let (width, half_width) = (size.width as usize, size.width as usize / 2);
        let (luma, chroma) = (planes.luma_stride, planes.chroma_stride);
        let [y, u, v] = &mut self.last;
        for band in look.iter() {
            let (top, bottom) = (band.top as usize, band.bottom as usize);
            let rows = planes.y.chunks(luma).map(|row| &row[..width]);
            update::<LUMA_BLOCK>(y, rows, top..bottom, &mut self.unchanged);
            for (last, new) in [(&mut *u, planes.u), (&mut *v, planes.v)] {
                let rows = new.chunks(chroma).map(|row| &row[..half_width]);
                let range = top / 2..bottom.div_ceil(2);
                update::<CHROMA_BLOCK>(last, rows, range, &mut self.unchanged);
            }
        }
        let changed = self.unchanged.iter().filter(|same| !**same).count();
        Changes {
            unchanged: &self.unchanged,
            share: changed as f32 / self.unchanged.len().max(1) as f32,
        }
    }

    /// Makes room for pictures of another size.
    fn forget(&mut self, size: Size) {
        let pixels = size.width as usize * size.height as usize;
        for (plane, pixels) in self.last.iter_mut().zip([pixels, pixels / 4, pixels / 4]) {
            plane.resize(pixels, 0);
        }
        let columns = (size.width as usize).div_ceil(LUMA_BLOCK);
        let rows = (size.height as usize).div_ceil(LUMA_BLOCK);
        self.unchanged.resize(columns * rows, false);
        self.size = size;
    }
}

/// Copies rows of a plane to `last`, and says which macroblocks differ from what was there.
fn update<'a, const BLOCK: usize>(
    last: &mut [u8],
    new: impl Iterator<Item = &'a [u8]>,
    range: Range<usize>,
    unchanged: &mut [bool],
) {
    for (number, new) in new.enumerate().take(range.end).skip(range.start) {
        let old = &mut last[number * new.len()..][..new.len()];
        if old != new {
            let columns = new.len().div_ceil(BLOCK);
            let strip = &mut unchanged[number / BLOCK * columns..][..columns];
            compare_row::<BLOCK>(old, new, strip);
            old.copy_from_slice(new);
        }
    }
}

fn compare_row<const BLOCK: usize>(old: &[u8], new: &[u8], unchanged: &mut [bool]) {
    let (old, old_rest) = old.as_chunks::<BLOCK>();
    let (new, new_rest) = new.as_chunks::<BLOCK>();
    for ((same, old), new) in unchanged.iter_mut().zip(old).zip(new) {
        *same &= old == new;
    }
    if old_rest != new_rest
        && let Some(last) = unchanged.last_mut()
    {
        *last = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(72, 40);
    const STRIDE: usize = 80;

    fn rows(top: u32, bottom: u32) -> Bands {
        let mut rows = Bands::default();
        rows.insert(media::Band { top, bottom });
        rows
    }

    /// A picture of five columns and three rows of macroblocks, the outermost of which are halves.
    struct Screen {
        y: Vec<u8>,
        u: Vec<u8>,
        v: Vec<u8>,
        changed: Bands,
        meter: ChangeMeter,
    }

    impl Screen {
        fn new() -> Self {
            Self {
                y: vec![50; STRIDE * 40],
                u: vec![60; STRIDE / 2 * 20],
                v: vec![70; STRIDE / 2 * 20],
                changed: Bands::whole(40),
                meter: ChangeMeter::default(),
            }
        }

        /// The macroblocks that changed, and their share.
        fn changed(&mut self) -> (Vec<usize>, f32) {
            self.changed_in(SIZE)
        }

        fn changed_in(&mut self, size: Size) -> (Vec<usize>, f32) {
            let planes = Planes {
                y: &self.y,
                u: &self.u,
                v: &self.v,
                luma_stride: STRIDE,
                chroma_stride: STRIDE / 2,
                changed: self.changed,
            };
            let changes = self.meter.compare(&planes, size);
            let all = changes.unchanged.iter().enumerate();
            let changed = all.filter(|(_, same)| !**same).map(|(block, _)| block);
            (changed.collect(), changes.share)
        }
    }

    #[test]
    fn all_of_the_first_picture_is_new_and_nothing_of_the_same_one_again() {
        let mut screen = Screen::new();
        assert_eq!(screen.changed(), ((0..15).collect(), 1.0));
        assert_eq!(screen.changed(), (vec![], 0.0));
    }

    #[test]
    fn one_pixel_of_any_plane_changes_its_macroblock_once() {
        let mut screen = Screen::new();
        screen.changed();
        screen.y[17 * STRIDE + 15] += 1; // second row, first column
        screen.u[19 * STRIDE / 2 + 35] += 1; // the last macroblock
        screen.v[8] += 1; // first row, second column
        assert_eq!(screen.changed(), (vec![1, 5, 14], 0.2));
        assert_eq!(screen.changed(), (vec![], 0.0));
    }

    #[test]
    fn what_lies_behind_the_rows_is_not_looked_at() {
        let mut screen = Screen::new();
        screen.changed();
        screen
            .y
            .chunks_mut(STRIDE)
            .for_each(|row| row[72..].fill(9));
        assert_eq!(screen.changed(), (vec![], 0.0));
    }

    #[test]
    fn rows_that_cannot_have_changed_are_not_looked_at() {
        let mut screen = Screen::new();
        screen.changed = rows(0, 10);
        assert_eq!(screen.changed().1, 1.0, "the first picture is new all over");
        screen.y[5 * STRIDE] += 1; // first macroblock
        screen.u[18 * STRIDE / 2] += 1; // third row of them
        assert_eq!(screen.changed().0, [0]);
        screen.changed = rows(37, 38);
        assert_eq!(screen.changed().0, [10]);
    }

    #[test]
    fn a_picture_of_another_size_is_new() {
        let mut screen = Screen::new();
        screen.changed();
        assert_eq!(screen.changed_in(Size::new(32, 16)), (vec![0, 1], 1.0));
        assert_eq!(screen.changed().1, 1.0);
    }
}
