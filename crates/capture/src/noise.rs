//! Noise for the test pattern: content that takes every bit an encoder has, as a game or a film
//! does, so that rate control, pacing and recovery have something to do.

use media::Size;

/// Side of a block of noise, in pixels: coarse enough to survive coding, fine enough to cost bits.
const BLOCK_PX: usize = 4;
/// Levels of the noise: mild contrast, as in a film.
const BASE_LEVEL: u8 = 96;
const LEVEL_MASK: u64 = 0x3f;

/// A field of noise at the right edge of a picture, new in every frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    state: u64,
}

impl Noise {
    /// A field over the right quarter of the picture, below the barcode's height.
    pub(crate) fn within(size: Size) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let top = height / 5;
        Self {
            left: width - width / 4,
            top,
            width: width / 4,
            height: height / 2,
            state: 0x9e37_79b9,
        }
    }

    /// Draws the next field into the luma plane.
    pub(crate) fn draw(&mut self, luma: &mut [u8], stride: usize) {
        let rows = luma.chunks_mut(stride).skip(self.top).take(self.height);
        let mut row_state = self.state;
        for (y, row) in rows.enumerate() {
            // The rows of one block share their values: the generator starts again for each.
            if y % BLOCK_PX == 0 {
                row_state = self.state;
            }
            self.state = row_state;
            let Some(field) = row.get_mut(self.left..self.left + self.width) else {
                return;
            };
            for block in field.chunks_mut(BLOCK_PX) {
                block.fill(BASE_LEVEL + (self.next() & LEVEL_MASK) as u8);
            }
        }
    }

    /// Xorshift: cheap, and random enough for an encoder.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_new_and_the_rest_of_the_picture_untouched() {
        let size = Size::new(320, 200);
        let mut noise = Noise::within(size);
        let mut first = vec![7_u8; 320 * 200];
        noise.draw(&mut first, 320);
        let mut second = first.clone();
        noise.draw(&mut second, 320);
        assert_ne!(first, second);
        let outside = |picture: &[u8]| picture.iter().filter(|&&level| level == 7).count();
        assert_eq!(outside(&second), 320 * 200 - 80 * 100);
    }

    #[test]
    fn tiny_pictures_are_left_alone() {
        let mut noise = Noise::within(Size::new(2, 2));
        noise.draw(&mut [0; 6], 2);
    }
}
