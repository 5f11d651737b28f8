//! Flat rectangles of colour in picture memory: the only drawing the test pattern needs.
//!
//! Owns the byte layouts; refuses nothing: what lies outside the picture is cut off.

use media::{PixelFormat, Size};

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width and height.
    pub size: Size,
}

impl Rect {
    /// The part of this rectangle that lies inside a picture of `size`.
    #[must_use]
    pub fn clipped(self, size: Size) -> Self {
        let (x, y) = (self.x.min(size.width), self.y.min(size.height));
        let size = Size::new(
            self.size.width.min(size.width - x),
            self.size.height.min(size.height - y),
        );
        Self { x, y, size }
    }

    /// Whether it covers no pixel.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.size.width == 0 || self.size.height == 0
    }

    /// The smallest rectangle around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.size.width).max(other.x + other.size.width);
        let bottom = (self.y + self.size.height).max(other.y + other.size.height);
        let size = Size::new(right - x, bottom - y);
        Self { x, y, size }
    }
}

/// A colour in both layouts a picture can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    yuv: [u8; 3],
    bgrx: [u8; 4],
}

impl Colour {
    /// Black.
    pub const BLACK: Self = Self::rgb([0, 0, 0]);
    /// White.
    pub const WHITE: Self = Self::rgb([255, 255, 255]);

    /// A colour from red, green and blue of 0 to 255; BT.709, limited range.
    #[must_use]
    pub const fn rgb([red, green, blue]: [u8; 3]) -> Self {
        let (r, g, b) = (red as i32, green as i32, blue as i32);
        // The BT.709 matrix for limited range, in 1/65536.
        let y = (11_966 * r + 40_254 * g + 4_064 * b + 32_768) >> 16;
        let u = (-6_596 * r - 22_189 * g + 28_785 * b + 32_768) >> 16;
        let v = (28_785 * r - 26_146 * g - 2_639 * b + 32_768) >> 16;
        Self {
            yuv: [(16 + y) as u8, (128 + u) as u8, (128 + v) as u8],
            bgrx: [blue, green, red, 255],
        }
    }
}

/// Picture memory that rectangles are painted into.
pub trait Canvas {
    /// Size of the picture.
    fn size(&self) -> Size;

    /// Paints `rect`, cut to the picture. With halved chroma, edges at odd places bleed colour
    /// into the neighbouring column or row.
    fn fill(&mut self, rect: Rect, colour: Colour);
}

/// One plane of bytes.
struct Plane<'a> {
    bytes: &'a mut [u8],
    stride: usize,
}

impl Plane<'_> {
    fn fill(&mut self, rect: Rect, value: u8) {
        let (x, width) = (rect.x as usize, rect.size.width as usize);
        for row in rect.y as usize..(rect.y + rect.size.height) as usize {
            let start = row * self.stride + x;
            self.bytes[start..start + width].fill(value);
        }
    }
}

/// An I420 picture ([`PixelFormat::I420`]).
pub struct I420Canvas<'a> {
    size: Size,
    luma: Plane<'a>,
    chroma: [Plane<'a>; 2],
}

impl<'a> I420Canvas<'a> {
    /// A canvas over `bytes`; `None` when they are too few for the size, or size or stride is odd.
    #[must_use]
    pub fn new(bytes: &'a mut [u8], stride: usize, size: Size) -> Option<Self> {
        let needed = PixelFormat::I420.bytes(stride, size.height);
        let fits = stride >= size.width as usize && bytes.len() >= needed;
        if size != size.even() || !stride.is_multiple_of(2) || !fits {
            return None;
        }
        let luma_bytes = stride * size.height as usize;
        let (luma, chroma) = bytes[..needed].split_at_mut(luma_bytes);
        let (u, v) = chroma.split_at_mut(luma_bytes / 4);
        let half = stride / 2;
        let plane = |bytes, stride| Plane { bytes, stride };
        Some(Self {
            size,
            luma: plane(luma, stride),
            chroma: [plane(u, half), plane(v, half)],
        })
    }
}

impl Canvas for I420Canvas<'_> {
    fn size(&self) -> Size {
        self.size
    }

    fn fill(&mut self, rect: Rect, colour: Colour) {
        let rect = rect.clipped(self.size);
        let [y, u, v] = colour.yuv;
        self.luma.fill(rect, y);
        let (x, top) = (rect.x / 2, rect.y / 2);
        let right = (rect.x + rect.size.width).div_ceil(2);
        let bottom = (rect.y + rect.size.height).div_ceil(2);
        let size = Size::new(right - x, bottom - top);
        let half = Rect { x, y: top, size };
        self.chroma[0].fill(half, u);
        self.chroma[1].fill(half, v);
    }
}

/// A BGRX picture ([`PixelFormat::Bgrx`]).
pub struct BgrxCanvas<'a> {
    size: Size,
    stride: usize,
    bytes: &'a mut [u8],
}

impl<'a> BgrxCanvas<'a> {
    /// A canvas over `bytes`; `None` when they are too few for the size.
    #[must_use]
    pub fn new(bytes: &'a mut [u8], stride: usize, size: Size) -> Option<Self> {
        let needed = PixelFormat::Bgrx.bytes(stride, size.height);
        let fits = stride >= size.width as usize * 4 && bytes.len() >= needed;
        fits.then_some(Self {
            size,
            stride,
            bytes,
        })
    }
}

impl Canvas for BgrxCanvas<'_> {
    fn size(&self) -> Size {
        self.size
    }

    fn fill(&mut self, rect: Rect, colour: Colour) {
        let rect = rect.clipped(self.size);
        if rect.is_empty() {
            return;
        }
        let (first_row, x) = (rect.y as usize, rect.x as usize * 4);
        let width = rect.size.width as usize * 4;
        let first = first_row * self.stride + x;
        for pixel in self.bytes[first..first + width].chunks_exact_mut(4) {
            pixel.copy_from_slice(&colour.bgrx);
        }
        for row in first_row + 1..first_row + rect.size.height as usize {
            let start = row * self.stride + x;
            self.bytes.copy_within(first..first + width, start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Colour = Colour::rgb([255, 0, 0]);

    fn rect(x: u32, y: u32, size: Size) -> Rect {
        Rect { x, y, size }
    }

    #[test]
    fn colours_follow_bt709_limited_range() {
        assert_eq!(Colour::BLACK.yuv, [16, 128, 128]);
        assert_eq!(Colour::WHITE.yuv, [235, 128, 128]);
        assert_eq!(RED.yuv, [63, 102, 240]);
        assert_eq!(Colour::rgb([0, 0, 255]).yuv, [32, 240, 118]);
    }

    #[test]
    fn a_rectangle_paints_its_pixels_and_no_others() {
        let mut bytes = vec![7; 8 * 4 * 3 / 2];
        let mut canvas = I420Canvas::new(&mut bytes, 8, Size::new(6, 4)).unwrap();
        canvas.fill(rect(2, 2, Size::new(2, 2)), RED);
        let painted: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 7).collect();
        assert_eq!(painted, [18, 19, 26, 27, 32 + 5, 40 + 5]);

        let mut bytes = vec![7; 3 * 12];
        let mut canvas = BgrxCanvas::new(&mut bytes, 12, Size::new(2, 3)).unwrap();
        canvas.fill(rect(1, 1, Size::new(1, 2)), RED);
        let painted: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 7).collect();
        assert_eq!(painted, [16, 17, 18, 19, 28, 29, 30, 31]);
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut bytes = vec![7; 8 * 4 * 3 / 2];
        let mut canvas = I420Canvas::new(&mut bytes, 8, Size::new(6, 4)).unwrap();
        canvas.fill(rect(100, 0, Size::new(5, 5)), RED);
        canvas.fill(rect(0, 100, Size::new(5, 5)), RED);
        assert!(bytes.iter().all(|byte| *byte == 7));
        let mut canvas = I420Canvas::new(&mut bytes, 8, Size::new(6, 4)).unwrap();
        canvas.fill(rect(4, 2, Size::new(50, 50)), RED);
        assert_eq!(bytes.iter().filter(|byte| **byte != 7).count(), 4 + 2);
    }

    #[test]
    fn memory_that_is_too_small_is_no_canvas() {
        assert!(I420Canvas::new(&mut [0; 23], 4, Size::new(4, 4)).is_none());
        assert!(I420Canvas::new(&mut [0; 24], 4, Size::new(4, 4)).is_some());
        assert!(BgrxCanvas::new(&mut [0; 31], 16, Size::new(4, 2)).is_none());
    }
}
