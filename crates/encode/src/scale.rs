//! Pictures of one size inside another: scaled as a whole, with black bars where the shapes differ.
//!
//! Owns the scaled planes; refuses to look at a picture that has the right size already.

use crate::convert::{BadPixels, Planes};
use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use media::{Fit, Size};

/// Black in limited range.
const BLACK: [u8; 3] = [16, 128, 128];

/// The same place in a plane of half the size.
fn halved(fit: Fit) -> Fit {
    Fit {
        x: fit.x / 2,
        y: fit.y / 2,
        size: half(fit.size),
    }
}

fn half(size: Size) -> Size {
    Size::new(size.width / 2, size.height / 2)
}

/// One plane and where its rows begin.
#[derive(Clone, Copy)]
struct Plane<'a> {
    bytes: &'a [u8],
    stride: usize,
    size: Size,
}

/// Scales planes into memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Scaler {
    resizer: Resizer,
    planes: Vec<u8>,
    /// What the bars were painted for.
    fitted: Option<(Size, Size)>,
}

impl Scaler {
    /// The picture of size `from` in `planes`, inside one of size `to`; both are even.
    pub(crate) fn scale(
        &mut self,
        planes: Planes<'_>,
        from: Size,
        to: Size,
    ) -> Result<Planes<'_>, BadPixels> {
        let luma = to.width as usize * to.height as usize;
        let place = Fit::new(from, to);
        self.planes.resize(luma * 3 / 2, 0);
        let (y, rest) = self.planes.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(luma / 4);
        if self.fitted != Some((from, to)) {
            self.fitted = Some((from, to));
            for (plane, black) in [&mut *y, &mut *u, &mut *v].into_iter().zip(BLACK) {
                plane.fill(black);
            }
        }
        let downwards = place.size.width < from.width || place.size.height < from.height;
        let mut scale = |source: Plane<'_>, target: &mut [u8], size: Size, place: Fit| {
            resize(&mut self.resizer, source, target, (size, place), downwards)
        };
        let plane = |bytes, stride, size| Plane {
            bytes,
            stride,
            size,
        };
        let source = plane(planes.y, planes.luma_stride, from);
        scale(source, y, to, place)?;
        for (bytes, target) in [(planes.u, u), (planes.v, v)] {
            let source = plane(bytes, planes.chroma_stride, half(from));
            scale(source, target, half(to), halved(place))?;
        }
        Planes::of_i420(&self.planes, to.width as usize, to)
    }
}

fn resize(
    resizer: &mut Resizer,
    source: Plane<'_>,
    target: &mut [u8],
    (size, place): (Size, Fit),
    downwards: bool,
) -> Result<(), BadPixels> {
    // The one that keeps text sharpest for its time, each way.
    let filter = match downwards {
        true => FilterType::Hamming,
        false => FilterType::CatmullRom,
    };
    let Size { width, height } = source.size;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(0.0, 0.0, f64::from(width), f64::from(height));
    let stride = u32::try_from(source.stride).map_err(|_| BadPixels)?;
    let source =
        TypedImageRef::<U8>::from_buffer(stride, height, source.bytes).map_err(|_| BadPixels)?;
    let mut whole =
        TypedImage::<U8>::from_buffer(size.width, size.height, target).map_err(|_| BadPixels)?;
    let Fit { x, y, size } = place;
    let mut part = TypedCroppedImageMut::from_ref(&mut whole, x, y, size.width, size.height)
        .map_err(|_| BadPixels)?;
    resizer
        .resize_typed(&source, &mut part, &options)
        .map_err(|_| BadPixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(size: Size, stride: usize, colour: [u8; 3]) -> Vec<u8> {
        let luma = stride * size.height as usize;
        let mut bytes = vec![colour[0]; luma];
        bytes.extend(vec![colour[1]; luma / 4]);
        bytes.extend(vec![colour[2]; luma / 4]);
        bytes
    }

    #[test]
    fn bars_are_black_and_the_picture_keeps_its_colour() {
        let (from, to) = (Size::new(64, 64), Size::new(128, 64));
        let colour = [200, 90, 160];
        let mut scaler = Scaler::default();
        // Wide first: its bars must not stay.
        let wide = flat(Size::new(64, 16), 64, [99; 3]);
        let wide = Planes::of_i420(&wide, 64, Size::new(64, 16)).unwrap();
        scaler.scale(wide, Size::new(64, 16), to).unwrap();
        let bytes = flat(from, 80, colour);
        let planes = Planes::of_i420(&bytes, 80, from).unwrap();
        let scaled = scaler.scale(planes, from, to).unwrap();
        for y in 0..64 {
            for x in 0..128 {
                let inside = (32..96).contains(&x);
                let wanted = if inside { colour } else { BLACK };
                let chroma = y / 2 * 64 + x / 2;
                let got = [scaled.y[y * 128 + x], scaled.u[chroma], scaled.v[chroma]];
                assert_eq!(got, wanted, "({x}, {y})");
            }
        }
    }

    /// Width and height of what is brighter than `threshold`, in pixels.
    fn extent(luma: &[u8], width: usize, threshold: u8) -> (usize, usize) {
        let bright = |at: usize| luma[at] > threshold;
        let columns: Vec<usize> = (0..luma.len()).filter(|&at| bright(at)).collect();
        let xs = || columns.iter().map(|at| at % width);
        let ys = || columns.iter().map(|at| at / width);
        let span = |low: Option<usize>, high: Option<usize>| high.unwrap() - low.unwrap() + 1;
        (span(xs().min(), xs().max()), span(ys().min(), ys().max()))
    }

    #[test]
    fn a_circle_stays_a_circle_in_any_shape_of_stream() {
        let from = Size::new(320, 240);
        let mut bytes = flat(from, 320, BLACK);
        for (at, luma) in bytes[..320 * 240].iter_mut().enumerate() {
            let (x, y) = ((at % 320) as f32 - 159.5, (at / 320) as f32 - 119.5);
            *luma = if x.hypot(y) < 100.0 { 235 } else { BLACK[0] };
        }
        let planes = Planes::of_i420(&bytes, 320, from).unwrap();
        for (width, height) in [(640, 240), (320, 480), (1280, 720), (162, 100), (100, 162)] {
            let to = Size::new(width, height);
            let mut scaler = Scaler::default();
            let scaled = scaler.scale(planes, from, to).unwrap();
            let (across, down) = extent(scaled.y, width as usize, 125);
            assert!(across.abs_diff(down) <= 2, "{to}: {across} by {down}");
            let scale = f64::from(width) / 320.0;
            let scale = scale.min(f64::from(height) / 240.0);
            let wanted = (200.0 * scale).round() as usize;
            assert!(across.abs_diff(wanted) <= 2, "{to}: {across} for {wanted}");
            let place = Fit::new(from, to);
            for (at, luma) in scaled.y.iter().enumerate() {
                let (x, y) = (at as u32 % width, at as u32 / width);
                let inside = (place.x..place.x + place.size.width).contains(&x)
                    && (place.y..place.y + place.size.height).contains(&y);
                assert!(inside || *luma == BLACK[0], "({x}, {y}) of {to}: {luma}");
            }
        }
    }

    #[test]
    fn a_gradient_stays_one_both_ways() {
        let from = Size::new(256, 32);
        let mut bytes = flat(from, 256, BLACK);
        for row in bytes[..256 * 32].chunks_mut(256) {
            for (luma, x) in row.iter_mut().zip(0..=255) {
                *luma = x;
            }
        }
        let planes = Planes::of_i420(&bytes, 256, from).unwrap();
        for to in [Size::new(128, 16), Size::new(512, 64)] {
            let mut scaler = Scaler::default();
            let scaled = scaler.scale(planes, from, to).unwrap();
            let width = to.width as usize;
            for (x, luma) in scaled.y[..width].iter().enumerate() {
                let wanted = (x as f32 + 0.5) * 256.0 / to.width as f32 - 0.5;
                assert!((f32::from(*luma) - wanted).abs() <= 1.5, "{x}: {luma}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_size_fits_into_every_other(
            from in (1..200_u32, 1..200_u32),
            to in (1..200_u32, 1..200_u32),
        ) {
            let (from, to) = (
                Size::new(from.0 * 2, from.1 * 2),
                Size::new(to.0 * 2, to.1 * 2),
            );
            let place = Fit::new(from, to);
            prop_assert!(place.x + place.size.width <= to.width);
            prop_assert!(place.y + place.size.height <= to.height);
            prop_assert!(place.size.width + 2 > to.width || place.size.height + 2 > to.height);
            let stride = from.width as usize;
            let bytes = flat(from, stride, [77, 88, 99]);
            let planes = Planes::of_i420(&bytes, stride, from).unwrap();
            let mut scaler = Scaler::default();
            let scaled = scaler.scale(planes, from, to).unwrap();
            let (x, y) = (place.x + place.size.width / 2, place.y + place.size.height / 2);
            prop_assert_eq!(scaled.y[(y * to.width + x) as usize], 77);
        }
    }
}
