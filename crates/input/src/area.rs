//! Which part of the screen a place in the picture means.
//!
//! Owns the way back through the letterbox; refuses to find the part out: whoever captures says it.

use media::{Fit, Size};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A rectangle of the screen, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenArea {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
    /// How large.
    pub size: Size,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    area: Option<ScreenArea>,
    picture: Option<Size>,
}

/// The captured part of the screen, shared between whoever captures it and whoever points into it.
#[derive(Clone, Debug, Default)]
pub struct TargetArea(Arc<Mutex<Known>>);

impl TargetArea {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which part is captured; `None` while nobody knows: then the whole screen is meant.
    pub fn set(&self, area: Option<ScreenArea>) {
        self.lock().area = area;
    }

    /// Says how large the streamed picture is, if it is scaled; `None` when it is as large as the
    /// captured part.
    pub fn set_picture(&self, picture: Option<Size>) {
        self.lock().picture = picture;
    }

    /// Whether somebody said which part is captured.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.lock().area.is_some()
    }

    /// The pixel of the screen that a place of the picture shows; `whole` is the whole screen. What
    /// points into the letterbox's bars means the nearest edge.
    #[must_use]
    pub fn pixel(&self, place: [u16; 2], whole: Size) -> [i32; 2] {
        let known = *self.lock();
        let area = known.area.unwrap_or(ScreenArea {
            x: 0,
            y: 0,
            size: whole,
        });
        let [column, row] = inside(place, area.size, known.picture);
        [area.x + column, area.y + row]
    }

    /// The place of the captured part, in 0..=65535 over it, that a place of the picture shows.
    #[must_use]
    pub fn unboxed(&self, place: [u16; 2]) -> [u16; 2] {
        let known = *self.lock();
        let (Some(area), Some(_)) = (known.area, known.picture) else {
            return place;
        };
        let pixel = inside(place, area.size, known.picture);
        let whole = |at: i32, length: u32| {
            let last = i64::from(length.max(2) - 1);
            // Inside 0..=last by construction.
            (i64::from(at) * i64::from(u16::MAX) / last) as u16
        };
        [
            whole(pixel[0], area.size.width),
            whole(pixel[1], area.size.height),
        ]
    }

    /// The place of the picture that shows a place of the captured part: the way back of
    /// [`unboxed`](Self::unboxed).
    #[must_use]
    pub fn boxed(&self, place: [u16; 2]) -> [u16; 2] {
        let known = *self.lock();
        let (Some(area), Some(picture)) = (known.area, known.picture) else {
            return place;
        };
        let fit = Fit::new(area.size, picture);
        let first = [fit.x, fit.y].map(f64::from);
        let shown = sides(fit.size);
        let whole = f64::from(u16::MAX);
        [0, 1].map(|axis| {
            let at = first[axis] + f64::from(place[axis]) / whole * shown[axis];
            // The cast rounds and clamps.
            (at / sides(picture)[axis] * whole).round() as u16
        })
    }
}

/// The pixel of a part of size `area` under a place of the picture, which shows it letterboxed.
fn inside(place: [u16; 2], area: Size, picture: Option<Size>) -> [i32; 2] {
    let (first, shown, picture) = match picture {
        Some(picture) => {
            let fit = Fit::new(area, picture);
            ([fit.x, fit.y].map(f64::from), sides(fit.size), picture)
        }
        None => ([0.0; 2], sides(area), area),
    };
    let (area, picture) = (sides(area), sides(picture));
    [0, 1].map(|axis| {
        let at = f64::from(place[axis]) / f64::from(u16::MAX) * picture[axis] - first[axis];
        // Sides are at most 65535; the cast cuts towards zero and clamps.
        ((at / shown[axis] * area[axis]).max(0.0) as i32).min(area[axis] as i32 - 1)
    })
}

fn sides(size: Size) -> [f64; 2] {
    [size.width, size.height].map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Size = Size::new(1920, 1080);

    #[test]
    fn without_an_area_the_whole_screen_is_meant() {
        let target = TargetArea::default();
        assert_eq!(target.pixel([0, 0], WHOLE), [0, 0]);
        assert_eq!(target.pixel([65535, 65535], WHOLE), [1919, 1079]);
        assert_eq!(target.pixel([32768, 32768], WHOLE), [960, 540]);
    }

    #[test]
    fn every_pixel_can_be_pointed_at() {
        let target = TargetArea::default();
        for column in 0..WHOLE.width {
            let x = ((f64::from(column) + 0.5) / f64::from(WHOLE.width) * 65535.0).round() as u16;
            assert_eq!(target.pixel([x, 0], WHOLE)[0], column as i32);
        }
    }

    #[test]
    fn a_monitor_is_meant_by_its_own_corners() {
        let target = TargetArea::default();
        target.set(Some(ScreenArea {
            x: 1000,
            y: 20,
            size: Size::new(800, 600),
        }));
        assert_eq!(target.pixel([0, 0], WHOLE), [1000, 20]);
        assert_eq!(target.pixel([65535, 65535], WHOLE), [1799, 619]);
    }

    #[test]
    fn bars_of_a_letterbox_mean_the_edge() {
        let target = TargetArea::default();
        let size = Size::new(1000, 1000);
        target.set(Some(ScreenArea { x: 0, y: 0, size }));
        target.set_picture(Some(Size::new(1000, 500)));
        // The square stands in the middle half of the picture.
        assert_eq!(target.pixel([0, 0], WHOLE), [0, 0]);
        assert_eq!(target.pixel([65535 / 4, 0], WHOLE)[0], 0);
        assert_eq!(target.pixel([32768, 32768], WHOLE), [500, 500]);
        assert_eq!(target.pixel([65535, 65535], WHOLE), [999, 999]);
        assert_eq!(target.unboxed([0, 65535]), [0, 65535]);
        assert_eq!(target.unboxed([65535, 0]), [65535, 0]);
        assert_eq!(target.boxed([0, 0]), [16384, 0]);
        assert_eq!(target.boxed([65535, 65535]), [49151, 65535]);
    }
}
