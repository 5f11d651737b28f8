//! Where a whole picture lies inside one of another shape.
//!
//! Owns the geometry of the letterbox, for whoever scales pixels and whoever points into them;
//! touches no pixel.

use crate::Size;

/// A picture inside a larger one: as large as its shape allows, in the middle, bars around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fit {
    /// Columns to the left of it; even, as 4:2:0 chroma wants.
    pub x: u32,
    /// Rows above it; even.
    pub y: u32,
    /// How large it is shown; even.
    pub size: Size,
}

impl Fit {
    /// How a picture of size `picture` lies in one of size `frame`, which is even and not empty.
    #[must_use]
    pub fn new(picture: Size, frame: Size) -> Self {
        let scaled = |side: u32, by: u32, of: u32| {
            let of = u64::from(of.max(1));
            (u64::from(side) * u64::from(by) + of / 2) / of
        };
        let wide = u64::from(picture.width) * u64::from(frame.height)
            >= u64::from(frame.width) * u64::from(picture.height);
        // Never more than the side it is clamped to, which has 32 bits.
        let clamped = |side: u64, most: u32| side.clamp(2, most.max(2).into()) as u32;
        let size = if wide {
            let height = scaled(picture.height, frame.width, picture.width);
            Size::new(frame.width, clamped(height, frame.height))
        } else {
            let width = scaled(picture.width, frame.height, picture.height);
            Size::new(clamped(width, frame.width), frame.height)
        };
        let size = size.even();
        let middle = |outer: u32, inner: u32| (outer.saturating_sub(inner) / 2) & !1;
        Self {
            x: middle(frame.width, size.width),
            y: middle(frame.height, size.height),
            size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(picture: (u32, u32), frame: (u32, u32)) -> (u32, u32, u32, u32) {
        let fit = Fit::new(Size::new(picture.0, picture.1), Size::new(frame.0, frame.1));
        (fit.x, fit.y, fit.size.width, fit.size.height)
    }

    #[test]
    fn a_picture_is_as_large_as_it_fits_and_in_the_middle() {
        assert_eq!(fit((1920, 1080), (1280, 720)), (0, 0, 1280, 720));
        assert_eq!(fit((1920, 1080), (1280, 1024)), (0, 152, 1280, 720));
        assert_eq!(fit((1024, 768), (1280, 720)), (160, 0, 960, 720));
        assert_eq!(fit((1080, 1920), (1920, 1080)), (656, 0, 608, 1080));
        assert_eq!(fit((8192, 2), (2, 8192)), (0, 4094, 2, 2));
    }

    #[test]
    fn a_picture_of_the_same_shape_has_no_bars() {
        for by in 1..5 {
            assert_eq!(
                fit((640, 360), (640 * by, 360 * by)),
                (0, 0, 640 * by, 360 * by)
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_picture_fits_touches_two_sides_and_keeps_its_shape(
            picture in (1..9000_u32, 1..9000_u32),
            frame in (1..4500_u32, 1..4500_u32),
        ) {
            let frame = Size::new(frame.0 * 2, frame.1 * 2);
            let fit = Fit::new(Size::new(picture.0, picture.1), frame);
            prop_assert_eq!([fit.x, fit.y, fit.size.width, fit.size.height].map(|side| side % 2), [0; 4]);
            prop_assert!(fit.x + fit.size.width <= frame.width);
            prop_assert!(fit.y + fit.size.height <= frame.height);
            prop_assert!(fit.size.width == frame.width || fit.size.height == frame.height);
            // Within the rounding to even sides.
            let wanted = f64::from(picture.0) / f64::from(picture.1);
            let (width, height) = (f64::from(fit.size.width), f64::from(fit.size.height));
            prop_assert!((width - 2.0) / (height + 2.0) <= wanted || fit.size.width == 2);
            prop_assert!((width + 2.0) / (height - 2.0).max(1e-9) >= wanted || fit.size.height == 2);
            // The bars of the two sides differ by no more than two pixels.
            let right = frame.width - fit.x - fit.size.width;
            let below = frame.height - fit.y - fit.size.height;
            prop_assert!(right.abs_diff(fit.x) <= 2 && below.abs_diff(fit.y) <= 2);
        }
    }
}
