//! The mouse cursor: its picture, its place, and how it is laid over a frame.
//!
//! Owns the blending; refuses to ask the server, which the source does together with the picture.

use crate::x11::display::Area;
use media::{Band, Size};
use x11rb::protocol::xfixes::GetCursorImageReply;
use x11rb::protocol::xproto::QueryPointerReply;

/// A cursor's picture: premultiplied ARGB, and the point in it that points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) size: Size,
    pub(crate) hot: [i32; 2],
    pub(crate) pixels: Vec<u32>,
}

/// Where in a frame the cursor's picture begins and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    left: i32,
    top: i32,
    size: Size,
}

/// The cursor as it was last known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    shape: Shape,
    /// Absent while the pointer is on another screen.
    position: Option<[i32; 2]>,
    /// Whether it is part of the picture.
    drawn: bool,
}

impl Cursor {
    /// Says whether it is part of the picture.
    pub(crate) fn set_drawn(&mut self, drawn: bool) {
        self.drawn = drawn;
    }

    pub(crate) const fn is_drawn(&self) -> bool {
        self.drawn
    }

    pub(crate) const fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) const fn position(&self) -> Option<[i32; 2]> {
        self.position
    }

    /// Takes over a new picture; `None` when the server shows none.
    pub(crate) fn set_shape(&mut self, image: Option<GetCursorImageReply>) {
        self.shape = image.map_or_else(Shape::default, |image| Shape {
            size: Size::new(image.width.into(), image.height.into()),
            hot: [image.xhot.into(), image.yhot.into()],
            pixels: image.cursor_image,
        });
    }

    /// Takes over a new place.
    pub(crate) fn set_position(&mut self, pointer: &QueryPointerReply) {
        let place = [pointer.root_x.into(), pointer.root_y.into()];
        self.position = pointer.same_screen.then_some(place);
    }

    /// The part of the frame it covers, if it is drawn and any of it lies inside `area`.
    pub(crate) fn overlay(&self, area: Area) -> Option<Overlay> {
        let [x, y] = self.position.filter(|_| self.drawn)?;
        let Shape { size, hot, .. } = self.shape;
        let overlay = Overlay {
            left: x - hot[0] - i32::from(area.x),
            top: y - hot[1] - i32::from(area.y),
            size,
        };
        let [across, down] = [
            overlay.columns(area.size.width),
            overlay.rows(area.size.height),
        ];
        (!across.is_empty() && !down.is_empty()).then_some(overlay)
    }

    /// The rows of a frame of `area` that it covers.
    pub(crate) fn rows(&self, area: Area) -> Band {
        let rows = self
            .overlay(area)
            .map(|overlay| overlay.rows(area.size.height));
        let rows = rows.unwrap_or_default();
        Band {
            top: rows.start.unsigned_abs(),
            bottom: rows.end.unsigned_abs(),
        }
    }

    /// Lays the cursor over a BGRX frame of `area`.
    pub(crate) fn draw(&self, frame: &mut [u8], stride: usize, area: Area) {
        let Some(overlay) = self.overlay(area) else {
            return;
        };
        let width = self.shape.size.width as usize;
        let (columns, rows) = (
            overlay.columns(area.size.width),
            overlay.rows(area.size.height),
        );
        let skip = columns.start.abs_diff(overlay.left) as usize;
        for row in rows {
            let source = row.abs_diff(overlay.top) as usize * width + skip;
            let first = row as usize * stride + columns.start as usize * 4;
            let under = frame[first..].chunks_exact_mut(4).take(columns.len());
            for (pixel, over) in under.zip(self.shape.pixels.iter().skip(source)) {
                blend(pixel, *over);
            }
        }
    }
}

impl Overlay {
    /// Its columns inside a frame of `width`.
    fn columns(self, width: u32) -> std::ops::Range<i32> {
        Self::inside(self.left, self.size.width, width)
    }

    /// Its rows inside a frame of `height`.
    fn rows(self, height: u32) -> std::ops::Range<i32> {
        Self::inside(self.top, self.size.height, height)
    }

    fn inside(from: i32, length: u32, limit: u32) -> std::ops::Range<i32> {
        // Screens and cursors are far smaller than 2^31.
        let end = from.saturating_add(length as i32).min(limit as i32);
        from.max(0)..end
    }
}

/// Premultiplied over: what is below shines through as far as the upper is transparent.
fn blend(under: &mut [u8], over: u32) {
    let [blue, green, red, alpha] = over.to_le_bytes();
    let through = u32::from(255 - alpha);
    for (below, above) in under.iter_mut().zip([blue, green, red]) {
        let shining = (u32::from(*below) * through + 127) / 255;
        *below = above.saturating_add(shining as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area {
        x: 100,
        y: 50,
        size: Size::new(8, 4),
    };

    fn cursor(at: [i32; 2], pixel: u32) -> Cursor {
        Cursor {
            shape: Shape {
                size: Size::new(3, 2),
                hot: [1, 1],
                pixels: vec![pixel; 6],
            },
            position: Some(at),
            drawn: true,
        }
    }

    fn touched(cursor: &Cursor) -> Vec<usize> {
        let mut frame = vec![10; 8 * 4 * 4];
        cursor.draw(&mut frame, 32, AREA);
        let pixels = frame.chunks(4).enumerate();
        pixels
            .filter(|(_, pixel)| pixel[0] != 10)
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn the_hot_spot_is_where_the_pointer_is() {
        let opaque = 0xff_00_00_80;
        assert_eq!(touched(&cursor([102, 52], opaque)), [9, 10, 11, 17, 18, 19]);
    }

    #[test]
    fn a_cursor_that_is_left_out_covers_nothing() {
        let mut hidden = cursor([102, 52], 0xff_00_00_80);
        hidden.set_drawn(false);
        assert_eq!(hidden.overlay(AREA), None);
        assert_eq!(touched(&hidden), [0_usize; 0]);
        assert_eq!(hidden.rows(AREA), Band::default());
    }

    #[test]
    fn what_hangs_over_an_edge_is_cut_off() {
        let opaque = 0xff_00_00_80;
        assert_eq!(touched(&cursor([100, 50], opaque)), [0, 1]);
        assert_eq!(touched(&cursor([107, 53], opaque)), [22, 23, 30, 31]);
        for outside in [[98, 51], [109, 51], [103, 48], [103, 55], [-30_000, 0]] {
            assert_eq!(cursor(outside, opaque).overlay(AREA), None, "{outside:?}");
            assert_eq!(touched(&cursor(outside, opaque)), [0_usize; 0]);
        }
    }

    #[test]
    fn alpha_lets_the_picture_shine_through() {
        let blended = |under, over: u32| {
            let mut pixel = [under, under, under, 7];
            blend(&mut pixel, over);
            pixel
        };
        assert_eq!(blended(200, 0), [200, 200, 200, 7]);
        assert_eq!(blended(200, 0xff01_0203), [3, 2, 1, 7]);
        assert_eq!(blended(200, 0x8010_2030), [48 + 100, 32 + 100, 16 + 100, 7]);
        // A server that does not premultiply must not wrap around.
        assert_eq!(blended(255, 0x00ff_ffff), [255, 255, 255, 7]);
    }
}
