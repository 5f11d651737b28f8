//! Which parts of the picture changed since the one before, pixel for pixel.
//!
//! How much changed tells a cut from typing; where nothing did, an encoder need not look.

use crate::convert::Planes;
use media::Size;

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
        let columns = (size.width as usize).div_ceil(LUMA_BLOCK);
        let rows = (size.height as usize).div_ceil(LUMA_BLOCK);
        let known = self.size == size;
        self.size = size;
        self.unchanged.clear();
        self.unchanged.resize(columns * rows, known);
        let (width, half_width) = (size.width as usize, size.width as usize / 2);
        let (luma, chroma) = (planes.luma_stride, planes.chroma_stride);
        let [y, u, v] = &mut self.last;
        update::<LUMA_BLOCK>(
            y,
            width,
            rows_of(planes.y, luma, width),
            &mut self.unchanged,
        );
        for (last, new) in [(u, planes.u), (v, planes.v)] {
            let new = rows_of(new, chroma, half_width);
            update::<CHROMA_BLOCK>(last, half_width, new, &mut self.unchanged);
        }
        let changed = self.unchanged.iter().filter(|same| !**same).count();
        Changes {
            unchanged: &self.unchanged,
            share: changed as f32 / self.unchanged.len().max(1) as f32,
        }
    }
}

/// The rows of a plane, without what lies behind their ends.
fn rows_of(plane: &[u8], stride: usize, width: usize) -> impl Iterator<Item = &[u8]> {
    plane.chunks(stride).map(move |row| &row[..width])
}

/// Copies a plane to `last`, and says which of its macroblocks differ from what was there.
fn update<'a, const BLOCK: usize>(
    last: &mut Vec<u8>,
    width: usize,
    mut new: impl Iterator<Item = &'a [u8]>,
    unchanged: &mut [bool],
) {
    let columns = width.div_ceil(BLOCK);
    let height = unchanged.len() / columns * BLOCK;
    last.resize(width * height, 0);
    let strips = last.chunks_mut(width * BLOCK);
    for (strip, unchanged) in strips.zip(unchanged.chunks_mut(columns)) {
        for (old, new) in strip.chunks_mut(width).zip(new.by_ref()) {
            if old != new {
                compare_row::<BLOCK>(old, new, unchanged);
                old.copy_from_slice(new);
            }
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

    /// A picture of five columns and three rows of macroblocks, the outermost of which are halves.
    struct Screen {
        y: Vec<u8>,
        u: Vec<u8>,
        v: Vec<u8>,
        meter: ChangeMeter,
    }

    impl Screen {
        fn new() -> Self {
            Self {
                y: vec![50; STRIDE * 40],
                u: vec![60; STRIDE / 2 * 20],
                v: vec![70; STRIDE / 2 * 20],
                meter: ChangeMeter::default(),
            }
        }

        /// The macroblocks that changed, and their share.
        fn changed(&mut self) -> (Vec<usize>, f32) {
            let planes = Planes {
                y: &self.y,
                u: &self.u,
                v: &self.v,
                luma_stride: STRIDE,
                chroma_stride: STRIDE / 2,
            };
            let changes = self.meter.compare(&planes, SIZE);
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
    fn a_picture_of_another_size_is_new() {
        let mut screen = Screen::new();
        screen.changed();
        let planes = Planes {
            y: &screen.y,
            u: &screen.u,
            v: &screen.v,
            luma_stride: STRIDE,
            chroma_stride: STRIDE / 2,
        };
        let changes = screen.meter.compare(&planes, Size::new(32, 16));
        assert_eq!((changes.unchanged, changes.share), (&[false; 2][..], 1.0));
    }
}
