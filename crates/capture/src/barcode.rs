//! A machine-readable clock and frame number in the picture, of blocks big enough to survive lossy
//! coding, noise and moderate scaling; what a checksum does not confirm is refused.
//!
//! # Layout
//!
//! The code fills the top-left corner of the picture: 18 columns by 8 rows of cells of 16 by 16
//! pixels, 288 by 128 pixels in all, without a margin. In every row the first cell is black and
//! the last one white: a row is read against the mean of its own two. The 16 cells between are two
//! bytes, most significant bit first, left to right; white is 1.
//!
//! | row | bytes | content |
//! |---|---|---|
//! | 0–3 | 0–7 | drawing time, microseconds since the Unix epoch, big-endian |
//! | 4–5 | 8–11 | frame number, big-endian |
//! | 6–7 | 12–15 | CRC-32 of bytes 0–11, big-endian (reflected 0xEDB88320, as in zip and PNG) |
//!
//! A cell's value is the mean luma of its middle: the pixels from a quarter to three quarters of
//! its width and height. In RGB pictures the green channel does for luma. A row whose white is
//! less than 48 levels above its black is not read.
//!
//! # The code of the presses
//!
//! A window that hears keys and mouse buttons shows a second code of the same layout to the right
//! of the first, its left edge at x = 288. Its time is when the window heard the latest press, and
//! its number says how many there were; before the first press it is the window's beginning, and 0.
//!
//! # In a page
//!
//! ```js
//! // luma(x, y): 0..255; cell: 16 * shown width / width of the source.
//! function readBarcode(luma, cell = 16) {
//!   const mean = (column, row) => {
//!     let sum = 0, count = 0;
//!     for (let y = Math.floor((row + 0.25) * cell); y < (row + 0.75) * cell; y++)
//!       for (let x = Math.floor((column + 0.25) * cell); x < (column + 0.75) * cell; x++)
//!         { sum += luma(x, y); count++; }
//!     return sum / count;
//!   };
//!   const bytes = new DataView(new ArrayBuffer(16));
//!   for (let row = 0; row < 8; row++) {
//!     const black = mean(0, row), white = mean(17, row);
//!     if (white - black < 48) return null;
//!     let bits = 0;
//!     for (let column = 1; column <= 16; column++)
//!       bits = bits << 1 | (mean(column, row) > (black + white) / 2);
//!     bytes.setUint16(row * 2, bits);
//!   }
//!   let crc = -1;
//!   for (let i = 0; i < 12; i++) {
//!     crc ^= bytes.getUint8(i);
//!     for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xEDB88320 : crc >>> 1;
//!   }
//!   if (~crc >>> 0 !== bytes.getUint32(12)) return null;
//!   return { timeUs: bytes.getBigUint64(0), frame: bytes.getUint32(8) };
//! }
//! ```

use crate::canvas::{Canvas, Colour, Rect};
use media::{Frame, PixelFormat, Size};

/// Side of a cell, in pixels: one macroblock, so that lossy coding keeps it flat.
pub const CELL_PX: u32 = 16;
/// Cells across, the two references included.
pub const COLUMNS: u32 = 18;
/// Cells down.
pub const ROWS: u32 = 8;
/// Pixels that the code takes at the top left.
pub const SIZE: Size = Size::new(COLUMNS * CELL_PX, ROWS * CELL_PX);
/// Pixels that the code takes together with the one of the presses to its right.
pub const SIZE_WITH_PRESSES: Size = Size::new(2 * SIZE.width, SIZE.height);

/// Levels that the white reference must be above the black one.
const MIN_CONTRAST: f32 = 48.0;
const CODE_BYTES: usize = 16;
const CHECKED_BYTES: usize = 12;

/// What the code says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Barcode {
    /// When it was drawn, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// Number of the frame.
    pub frame: u32,
}

/// CRC-32 as in zip and PNG; bit by bit, since it runs over twelve bytes a frame.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let poly = if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            crc = (crc >> 1) ^ poly;
        }
    }
    !crc
}

impl Barcode {
    /// Whether a picture of `size` has room for the code.
    #[must_use]
    pub const fn fits(size: Size) -> bool {
        size.width >= SIZE.width && size.height >= SIZE.height
    }

    /// Whether a picture of `size` has room for the code of the presses too.
    #[must_use]
    pub const fn fits_with_presses(size: Size) -> bool {
        size.width >= SIZE_WITH_PRESSES.width && size.height >= SIZE_WITH_PRESSES.height
    }

    fn encoded(self) -> [u8; CODE_BYTES] {
        let mut code = [0; CODE_BYTES];
        code[..8].copy_from_slice(&self.time_us.to_be_bytes());
        code[8..CHECKED_BYTES].copy_from_slice(&self.frame.to_be_bytes());
        let crc = crc32(&code[..CHECKED_BYTES]);
        code[CHECKED_BYTES..].copy_from_slice(&crc.to_be_bytes());
        code
    }

    fn decoded(code: [u8; CODE_BYTES]) -> Option<Self> {
        let [
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            t6,
            t7,
            f0,
            f1,
            f2,
            f3,
            c0,
            c1,
            c2,
            c3,
        ] = code;
        let crc = u32::from_be_bytes([c0, c1, c2, c3]);
        (crc == crc32(&code[..CHECKED_BYTES])).then_some(Self {
            time_us: u64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
        })
    }

    /// Paints the code into the top left of a picture; a picture without room is left alone.
    pub fn draw(self, canvas: &mut impl Canvas) {
        if Self::fits(canvas.size()) {
            self.paint(canvas, 0);
        }
    }

    /// Paints the code of the presses beside the first; a picture without room is left alone.
    pub fn draw_presses(self, canvas: &mut impl Canvas) {
        if Self::fits_with_presses(canvas.size()) {
            self.paint(canvas, SIZE.width);
        }
    }

    fn paint(self, canvas: &mut impl Canvas, left: u32) {
        for (row, pair) in (0..ROWS).zip(self.encoded().chunks_exact(2)) {
            // Black reference, two bytes, white reference: 18 bits, the leftmost cell on top.
            let cells = u32::from(pair[0]) << 9 | u32::from(pair[1]) << 1 | 1;
            let mut column = 0;
            while column < COLUMNS {
                // Neighbours of one colour are painted together.
                let left_aligned = cells << (32 - COLUMNS + column);
                let white = left_aligned.leading_ones() > 0;
                let run = if white {
                    left_aligned.leading_ones()
                } else {
                    left_aligned.leading_zeros()
                };
                let run = run.min(COLUMNS - column);
                let rect = Rect {
                    x: left + column * CELL_PX,
                    y: row * CELL_PX,
                    size: Size::new(run * CELL_PX, CELL_PX),
                };
                canvas.fill(rect, if white { Colour::WHITE } else { Colour::BLACK });
                column += run;
            }
        }
    }

    /// Reads the code from a picture of unchanged size, given the luma at (x, y). The caller makes
    /// sure that the picture [fits](Self::fits) it.
    #[must_use]
    pub fn read(luma: impl Fn(u32, u32) -> u8) -> Option<Self> {
        Self::read_scaled(luma, [CELL_PX as f32; 2])
    }

    /// Reads the code from a scaled picture, in which a cell has `cell_px` pixels across and down.
    #[must_use]
    pub fn read_scaled(luma: impl Fn(u32, u32) -> u8, cell_px: [f32; 2]) -> Option<Self> {
        let middle = |cell: u32, px: f32| {
            let from = ((cell as f32 + 0.25) * px).floor() as u32;
            let to = ((cell as f32 + 0.75) * px).ceil() as u32;
            from..to.max(from + 1)
        };
        let mean = |column, row| {
            let (mut sum, mut count) = (0_u32, 0_u32);
            for y in middle(row, cell_px[1]) {
                for x in middle(column, cell_px[0]) {
                    sum += u32::from(luma(x, y));
                    count += 1;
                }
            }
            sum as f32 / count as f32
        };
        let mut code = [0; CODE_BYTES];
        for (row, pair) in (0..ROWS).zip(code.chunks_exact_mut(2)) {
            let (black, white) = (mean(0, row), mean(COLUMNS - 1, row));
            if white - black < MIN_CONTRAST {
                return None;
            }
            let threshold = f32::midpoint(black, white);
            for (column, byte) in
                (1..COLUMNS - 1).zip([0, 1].into_iter().flat_map(|byte| [byte; 8]))
            {
                pair[byte] = pair[byte] << 1 | u8::from(mean(column, row) > threshold);
            }
        }
        Self::decoded(code)
    }

    /// Reads the code from a raw frame of unchanged size.
    #[must_use]
    pub fn read_frame(frame: &Frame) -> Option<Self> {
        Self::read_in(frame, 0)
    }

    /// Reads the code of the presses from a raw frame of unchanged size.
    #[must_use]
    pub fn read_presses(frame: &Frame) -> Option<Self> {
        Self::read_in(frame, SIZE.width)
    }

    fn read_in(frame: &Frame, left: u32) -> Option<Self> {
        let (bytes, stride, size) = (frame.bytes(), frame.stride, frame.size);
        let right_part = Size::new(size.width.saturating_sub(left), size.height);
        if !Self::fits(right_part) || bytes.len() < frame.format.bytes(stride, size.height) {
            return None;
        }
        // Green stands for luma in BGRX.
        let (step, offset) = match frame.format {
            PixelFormat::I420 => (1, 0),
            PixelFormat::Bgrx => (4, 1),
        };
        Self::read(|x, y| bytes[y as usize * stride + (left + x) as usize * step + offset])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{BgrxCanvas, I420Canvas};
    use proptest::prelude::*;

    const STRIDE: usize = SIZE.width as usize;

    fn drawn(code: Barcode) -> Vec<u8> {
        let mut bytes = vec![90; PixelFormat::I420.bytes(STRIDE, SIZE.height)];
        code.draw(&mut I420Canvas::new(&mut bytes, STRIDE, SIZE).unwrap());
        bytes.truncate(STRIDE * SIZE.height as usize);
        bytes
    }

    fn read(luma: &[u8]) -> Option<Barcode> {
        Barcode::read(|x, y| luma[y as usize * STRIDE + x as usize])
    }

    fn any_code() -> impl Strategy<Value = Barcode> {
        (any::<u64>(), any::<u32>()).prop_map(|(time_us, frame)| Barcode { time_us, frame })
    }

    /// A box blur of (2r+1)², edges repeated.
    fn blurred(luma: &[u8], radius: i32) -> Vec<u8> {
        let (width, height) = (SIZE.width as i32, SIZE.height as i32);
        let at = |x: i32, y: i32| {
            let (x, y) = (x.clamp(0, width - 1), y.clamp(0, height - 1));
            u32::from(luma[(y * width + x) as usize])
        };
        let near = |x: i32, y: i32| {
            let around =
                (-radius..=radius).flat_map(|dy| (-radius..=radius).map(move |dx| (dx, dy)));
            let sum: u32 = around.map(|(dx, dy)| at(x + dx, y + dy)).sum();
            (sum / (2 * radius + 1).pow(2) as u32) as u8
        };
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| near(x, y))
            .collect()
    }

    #[test]
    fn the_checksum_is_the_one_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_layout_is_as_documented() {
        let code = Barcode {
            time_us: 0x8000_0000_0000_0001,
            frame: 0x0001_0000,
        };
        let luma = drawn(code);
        let cell = |column: usize, row: usize| luma[row * 16 * STRIDE + column * 16];
        assert_eq!(
            [cell(0, 0), cell(1, 0), cell(2, 0), cell(17, 0)],
            [16, 235, 16, 235]
        );
        assert_eq!([cell(15, 3), cell(16, 3), cell(17, 3)], [16, 235, 235]);
        assert_eq!([cell(15, 4), cell(16, 4), cell(16, 5)], [16, 235, 16]);
    }

    #[test]
    fn a_blank_picture_says_nothing() {
        for level in [0, 128, 255] {
            assert_eq!(Barcode::read(|_, _| level), None);
        }
    }

    #[test]
    fn a_picture_without_room_is_left_alone() {
        let size = Size::new(SIZE.width - 2, SIZE.height);
        let mut bytes = vec![9; PixelFormat::Bgrx.bytes(size.width as usize * 4, size.height)];
        let mut canvas = BgrxCanvas::new(&mut bytes, size.width as usize * 4, size).unwrap();
        Barcode::default().draw(&mut canvas);
        assert!(bytes.iter().all(|byte| *byte == 9));
    }

    #[test]
    fn the_code_of_the_presses_stands_beside_the_first_and_leaves_it_alone() {
        let (drawing, presses) = (moment(1), moment(77));
        let (size, stride) = (SIZE_WITH_PRESSES, SIZE_WITH_PRESSES.width as usize);
        let mut bytes = vec![90; PixelFormat::I420.bytes(stride, size.height)];
        let mut canvas = I420Canvas::new(&mut bytes, stride, size).unwrap();
        drawing.draw(&mut canvas);
        presses.draw_presses(&mut canvas);
        let from = |left: usize| {
            let read = |x: u32, y: u32| bytes[y as usize * stride + left + x as usize];
            Barcode::read(read)
        };
        assert_eq!(from(0), Some(drawing));
        assert_eq!(from(SIZE.width as usize), Some(presses));
        assert!(!Barcode::fits_with_presses(SIZE));
        let before = drawn(drawing);
        let mut small = before.clone();
        small.resize(PixelFormat::I420.bytes(STRIDE, SIZE.height), 0);
        presses.draw_presses(&mut I420Canvas::new(&mut small, STRIDE, SIZE).unwrap());
        assert_eq!(small[..before.len()], before);
    }

    fn moment(frame: u32) -> Barcode {
        let time_us = 1_795_000_000_123_457 + u64::from(frame);
        Barcode { time_us, frame }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn what_was_drawn_is_read(code in any_code()) {
            prop_assert_eq!(read(&drawn(code)), Some(code));
            let mut bgrx = vec![0; STRIDE * 4 * SIZE.height as usize];
            code.draw(&mut BgrxCanvas::new(&mut bgrx, STRIDE * 4, SIZE).unwrap());
            let green = |x: u32, y: u32| bgrx[(y as usize * STRIDE + x as usize) * 4 + 1];
            prop_assert_eq!(Barcode::read(green), Some(code));
        }

        #[test]
        fn noise_of_each_pixel_does_not_matter(code in any_code(), seed in any::<u32>()) {
            let mut state = seed | 1;
            let mut noise = || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                (state % 161) as i16 - 80
            };
            let noisy: Vec<u8> = drawn(code)
                .iter()
                .map(|luma| (i16::from(*luma) + noise()).clamp(0, 255) as u8)
                .collect();
            prop_assert_eq!(read(&noisy), Some(code));
        }

        #[test]
        fn coarse_levels_do_not_matter(
            code in any_code(),
            shifts in proptest::collection::vec(-40_i16..=40, (COLUMNS * ROWS) as usize),
        ) {
            let mut luma = drawn(code);
            for (at, value) in luma.iter_mut().enumerate() {
                let cell = at / STRIDE / 16 * COLUMNS as usize + at % STRIDE / 16;
                *value = (i16::from(*value) + shifts[cell]).clamp(0, 255) as u8;
            }
            prop_assert_eq!(read(&luma), Some(code));
        }

        #[test]
        fn blur_does_not_matter(code in any_code(), radius in 1_i32..=4) {
            prop_assert_eq!(read(&blurred(&drawn(code), radius)), Some(code));
        }

        #[test]
        fn a_scaled_picture_is_read_with_its_cell_size(
            code in any_code(),
            across in 0.5_f32..2.0,
            down in 0.5_f32..2.0,
        ) {
            let luma = drawn(code);
            let nearest = |x: u32, y: u32| {
                let x = ((x as f32 + 0.5) / across) as usize;
                let y = ((y as f32 + 0.5) / down) as usize;
                luma[y.min(SIZE.height as usize - 1) * STRIDE + x.min(STRIDE - 1)]
            };
            let cell_px = [CELL_PX as f32 * across, CELL_PX as f32 * down];
            prop_assert_eq!(Barcode::read_scaled(nearest, cell_px), Some(code));
        }

        #[test]
        fn a_damaged_code_is_refused(
            code in any_code(),
            flips in proptest::collection::btree_set((1..COLUMNS - 1, 0..ROWS), 1..12),
        ) {
            let mut luma = drawn(code);
            for (column, row) in flips {
                for y in row * CELL_PX..(row + 1) * CELL_PX {
                    for x in column * CELL_PX..(column + 1) * CELL_PX {
                        let at = y as usize * STRIDE + x as usize;
                        luma[at] = 251 - luma[at];
                    }
                }
            }
            prop_assert_eq!(read(&luma), None);
        }

        #[test]
        fn half_of_one_frame_and_half_of_the_next_is_refused(
            code in any_code(),
            step_us in 1_u64..1_000_000,
            torn_row in 1..ROWS,
        ) {
            let next = Barcode {
                time_us: code.time_us.wrapping_add(step_us),
                frame: code.frame.wrapping_add(1),
            };
            let (mut torn, new) = (drawn(code), drawn(next));
            let upper = torn_row as usize * CELL_PX as usize * STRIDE;
            torn[..upper].copy_from_slice(&new[..upper]);
            let seen = read(&torn);
            prop_assert!(seen.is_none() || seen == Some(code) || seen == Some(next));
        }
    }
}
