//! Tells the cursor's looks and place to whoever wants to draw it.
//!
//! Owns what was told last; refuses to tell anything twice.

use crate::taps::{CursorPlace, CursorShape, CursorSink, CursorUpdate};
use crate::x11::cursor::Shape;
use crate::x11::display::Area;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What was told so far.
pub(crate) struct CursorReport {
    sink: CursorSink,
    /// Of the shape told last.
    id: Option<u32>,
    /// Whether anything of that shape can be seen.
    opaque: bool,
    place: Option<CursorPlace>,
}

impl CursorReport {
    pub(crate) fn new(sink: CursorSink) -> Self {
        Self {
            sink,
            id: None,
            opaque: false,
            place: None,
        }
    }

    /// Tells a shape, unless it was the last one told.
    pub(crate) fn shape(&mut self, shape: &Shape) {
        let id = id_of(shape);
        if self.id == Some(id) {
            return;
        }
        self.id = Some(id);
        self.opaque = shape.pixels.iter().any(|pixel| pixel >> 24 != 0);
        let told = CursorShape {
            id,
            size: shape.size,
            hot: shape.hot.map(i32::unsigned_abs),
            rgba: shape
                .pixels
                .iter()
                .flat_map(|pixel| straight(*pixel))
                .collect(),
        };
        (self.sink)(CursorUpdate::Shape(Arc::new(told)));
    }

    /// Tells a place, unless it was the last one told. `position` is absent on another screen.
    pub(crate) fn place(&mut self, position: Option<[i32; 2]>, area: Area) {
        let inside = position.and_then(|position| scaled(position, area));
        let place = match (inside.filter(|_| self.opaque), self.place) {
            (Some([x, y]), _) => CursorPlace {
                x,
                y,
                visible: true,
            },
            (None, Some(last)) => CursorPlace {
                visible: false,
                ..last
            },
            (None, None) => CursorPlace {
                x: 0,
                y: 0,
                visible: false,
            },
        };
        if self.place != Some(place) {
            self.place = Some(place);
            (self.sink)(CursorUpdate::Place(place));
        }
    }
}

/// The looks alone decide, so that who knows a shape need not be sent it again.
fn id_of(shape: &Shape) -> u32 {
    let mut hasher = DefaultHasher::new();
    (shape.size.width, shape.size.height, shape.hot).hash(&mut hasher);
    shape.pixels.hash(&mut hasher);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// Undoes the premultiplication.
fn straight(pixel: u32) -> [u8; 4] {
    let [alpha, red, green, blue] = pixel.to_be_bytes();
    let full = |colour: u8| match alpha {
        0 => 0,
        alpha => {
            let alpha = u32::from(alpha);
            ((u32::from(colour) * 255 + alpha / 2) / alpha).min(255) as u8
        }
    };
    [full(red), full(green), full(blue), alpha]
}

/// A place of the screen in 0..=65535 over an area, if it is inside.
fn scaled([x, y]: [i32; 2], area: Area) -> Option<[u16; 2]> {
    let along = |at: i32, from: i16, length: u32| {
        let at = u32::try_from(at - i32::from(from)).ok()?;
        // Its pixel's middle, so that scaling back gives the same pixel.
        let middle = (u64::from(at) * 2 + 1) * u64::from(u16::MAX) / (u64::from(length) * 2);
        (at < length).then_some(middle as u16)
    };
    Some([
        along(x, area.x, area.size.width)?,
        along(y, area.y, area.size.height)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Size;
    use std::sync::Mutex;

    const AREA: Area = Area {
        x: 100,
        y: 50,
        size: Size::new(10, 4),
    };

    fn report() -> (CursorReport, Arc<Mutex<Vec<CursorUpdate>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        let sink: CursorSink = Arc::new(move |update| keep.lock().unwrap().push(update));
        (CursorReport::new(sink), told)
    }

    fn shape(pixel: u32) -> Shape {
        Shape {
            size: Size::new(2, 1),
            hot: [1, 0],
            pixels: vec![pixel; 2],
        }
    }

    fn take(told: &Mutex<Vec<CursorUpdate>>) -> Vec<CursorUpdate> {
        std::mem::take(&mut *told.lock().unwrap())
    }

    #[test]
    fn nothing_is_told_twice_and_everything_once() {
        let (mut report, told) = report();
        report.shape(&shape(0xff10_2030));
        report.place(Some([100, 50]), AREA);
        assert_eq!(take(&told).len(), 2);
        report.shape(&shape(0xff10_2030));
        report.place(Some([100, 50]), AREA);
        assert_eq!(take(&told), []);
        report.place(Some([109, 53]), AREA);
        let [CursorUpdate::Place(place)] = take(&told)[..] else {
            panic!("one place");
        };
        assert!(place.visible && place.x > 60_000 && place.y > 50_000);
    }

    #[test]
    fn outside_and_transparent_cursors_are_not_visible_and_stay_where_they_were() {
        let (mut report, told) = report();
        report.shape(&shape(0xff10_2030));
        report.place(Some([105, 52]), AREA);
        let last = match take(&told)[..] {
            [_, CursorUpdate::Place(place)] => place,
            ref other => panic!("{other:?}"),
        };
        for outside in [[99, 52], [110, 52], [105, 49], [105, 54]] {
            report.place(Some(outside), AREA);
        }
        let gone = CursorPlace {
            visible: false,
            ..last
        };
        assert_eq!(take(&told), [CursorUpdate::Place(gone)]);
        report.place(Some([105, 52]), AREA);
        report.shape(&shape(0));
        report.place(Some([105, 52]), AREA);
        let updates = take(&told);
        assert_eq!(updates[0], CursorUpdate::Place(last));
        assert_eq!(updates[2], CursorUpdate::Place(gone));
    }

    #[test]
    fn colours_are_told_without_their_alpha_in_them() {
        assert_eq!(straight(0x8040_2000), [128, 64, 0, 128]);
        assert_eq!(straight(0xff01_0203), [1, 2, 3, 255]);
        assert_eq!(straight(0x00ff_ffff), [0, 0, 0, 0]);
    }
}
