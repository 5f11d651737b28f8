//! How much of the screen changed since the last picture, from a sample of its rows.
//!
//! A few microseconds tell a cut from typing; what kind of change it was is left to the encoder.

use crate::convert::Planes;
use media::Size;

/// Every so many-th row is looked at.
const ROW_STEP: usize = 16;
/// Bytes that change together.
const BLOCK: usize = 16;

/// Remembers the sample of the last picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeMeter {
    sample: Vec<u8>,
}

impl ChangeMeter {
    /// The changed share of the picture, 0 to 1. All of the first picture is new.
    pub(crate) fn share(&mut self, planes: &Planes<'_>, size: Size) -> f32 {
        let width = size.width as usize;
        let rows = (size.height as usize).div_ceil(ROW_STEP);
        let first = self.sample.len() != rows * width;
        self.sample.resize(rows * width, 0);
        let new_rows = planes.y.chunks(planes.luma_stride).step_by(ROW_STEP);
        let (mut blocks, mut changed) = (0_u32, 0_u32);
        for (old, new) in self.sample.chunks_mut(width).zip(new_rows) {
            let new = &new[..width];
            let pairs = old.chunks(BLOCK).zip(new.chunks(BLOCK));
            blocks += pairs.len() as u32;
            changed += pairs.map(|(old, new)| u32::from(old != new)).sum::<u32>();
            old.copy_from_slice(new);
        }
        if first || blocks == 0 {
            return 1.0;
        }
        changed as f32 / blocks as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(64, 64);

    fn share(meter: &mut ChangeMeter, luma: &[u8]) -> f32 {
        let planes = Planes {
            y: luma,
            u: &[],
            v: &[],
            luma_stride: 80,
            chroma_stride: 40,
        };
        meter.share(&planes, SIZE)
    }

    #[test]
    fn a_picture_is_compared_with_the_one_before() {
        let mut meter = ChangeMeter::default();
        let mut luma = vec![50; 80 * 64];
        let mut shares = vec![share(&mut meter, &luma), share(&mut meter, &luma)];
        // The left half of the upper half.
        for row in luma.chunks_mut(80).take(32) {
            row[..32].fill(60);
        }
        shares.extend([share(&mut meter, &luma), share(&mut meter, &luma)]);
        // Behind the end of the rows nothing is looked at.
        luma.chunks_mut(80).for_each(|row| row[64..].fill(9));
        shares.push(share(&mut meter, &luma));
        assert_eq!(shares, [1.0, 0.0, 0.25, 0.0, 0.0]);
    }
}
