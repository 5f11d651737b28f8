//! Moving pictures to encode: dense text, smooth gradients, and cuts between them.

use media::{CaptureTimes, Frame, FrameKind, PixelFormat, Size};
use std::sync::Arc;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Lines of high-contrast glyphs that scroll by some pixels a picture.
    Text,
    /// Colour gradients that drift, with a bright box moving over them.
    Gradient,
    /// Text that stands still.
    Still,
    /// Incompressible, different in every picture.
    Noise,
}

/// A number without a pattern, the same in every run.
fn hash(value: u32) -> u32 {
    let mixed = value.wrapping_mul(0x9e37_79b1) ^ value >> 15;
    (mixed ^ mixed >> 13).wrapping_mul(0x85eb_ca6b) >> 7
}

impl Scene {
    /// Blue, green and red at a place and time.
    fn pixel(self, x: u32, y: u32, time: u32) -> [u8; 3] {
        match self {
            Self::Text => glyphs(x, y + 3 * time),
            Self::Still => glyphs(x, y),
            Self::Gradient => {
                let near = |place: u32, at: u32| place.abs_diff(at) < 20;
                if near(x, 40 + time * 5 % 200) && near(y, 60 + time * 2 % 60) {
                    [20, 220, 250]
                } else {
                    [(x / 2 + time) as u8, (y / 2) as u8, ((x + y) / 3) as u8]
                }
            }
            Self::Noise => {
                let grey = hash(x + 4099 * y + 7_654_321 * time) as u8;
                [grey, grey, grey]
            }
        }
    }

    /// The scene at a time, as a capture would deliver it.
    pub(crate) fn bgrx(self, size: Size, time: u32) -> Frame {
        let stride = size.width as usize * 4 + 32;
        let mut bytes = vec![0; stride * size.height as usize];
        for (y, row) in bytes.chunks_mut(stride).enumerate() {
            for (x, pixel) in row[..size.width as usize * 4].chunks_mut(4).enumerate() {
                pixel[..3].copy_from_slice(&self.pixel(x as u32, y as u32, time));
            }
        }
        frame(size, PixelFormat::Bgrx, stride, bytes)
    }

    /// The scene at a time in planes, which is also what a decoder should give back.
    pub(crate) fn i420(self, size: Size, time: u32) -> Frame {
        let (width, height) = (size.width, size.height);
        let mut bytes = Vec::with_capacity(PixelFormat::I420.bytes(width as usize, height));
        for y in 0..height {
            bytes.extend((0..width).map(|x| to_yuv(self.pixel(x, y, time))[0]));
        }
        for component in [1, 2] {
            for y in 0..height / 2 {
                bytes.extend((0..width / 2).map(|x| {
                    let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
                    let sum: u32 = corners
                        .map(|(dx, dy)| to_yuv(self.pixel(2 * x + dx, 2 * y + dy, time))[component])
                        .map(u32::from)
                        .iter()
                        .sum();
                    (sum / 4) as u8
                }));
            }
        }
        frame(size, PixelFormat::I420, width as usize, bytes)
    }
}

/// Black glyphs of 5x7 random dots on white, some of them coloured.
fn glyphs(x: u32, y: u32) -> [u8; 3] {
    let (column, line) = (x / 7, y / 11);
    let (dot_x, dot_y) = (x % 7, y % 11);
    let glyph = hash(column % 61 + 977 * line);
    let space = hash(glyph).is_multiple_of(5);
    let ink =
        dot_x < 5 && dot_y < 7 && !space && hash(glyph ^ (dot_x + 8 * dot_y)).is_multiple_of(3);
    match (ink, glyph % 11) {
        (false, _) => [250, 250, 250],
        (true, 0) => [30, 30, 220],
        (true, _) => [10, 10, 10],
    }
}

/// BT.709 limited range.
fn to_yuv([blue, green, red]: [u8; 3]) -> [u8; 3] {
    let [blue, green, red] = [blue, green, red].map(f32::from);
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    [
        16.0 + luma * 219.0 / 255.0,
        128.0 + (blue - luma) / 1.8556 * 224.0 / 255.0,
        128.0 + (red - luma) / 1.5748 * 224.0 / 255.0,
    ]
    .map(|value| value.round() as u8)
}

fn frame(size: Size, format: PixelFormat, stride: usize, bytes: Vec<u8>) -> Frame {
    Frame {
        size,
        format,
        stride,
        pixels: Arc::new(bytes),
        kind: FrameKind::Fresh,
        times: CaptureTimes::default(),
    }
}

/// Likeness of two pictures of the same size in dB, over luma and chroma.
pub(crate) fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let sum: u64 = one.iter().zip(other).map(square).sum();
    let mean = sum as f64 / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-3)).log10()
}
