//! Pixels as encoders want them: planar 4:2:0, BT.709 limited range, of the stream's size.

use crate::scale::Scaler;
use media::{Band, Bands, Frame, PictureId, PixelFormat, Size};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv420,
};

/// A frame whose bytes do not hold the picture it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame's pixels do not fit its size")]
pub(crate) struct BadPixels;

/// The three planes of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes<'a> {
    pub(crate) y: &'a [u8],
    pub(crate) u: &'a [u8],
    pub(crate) v: &'a [u8],
    pub(crate) luma_stride: usize,
    pub(crate) chroma_stride: usize,
    /// The rows of luma that may differ from the planes before these.
    pub(crate) changed: Bands,
}

impl<'a> Planes<'a> {
    /// Planes that follow each other, as [`PixelFormat::I420`] has them.
    pub(crate) fn of_i420(bytes: &'a [u8], stride: usize, size: Size) -> Result<Self, BadPixels> {
        let luma = stride * size.height as usize;
        let chroma = luma / 4;
        if stride < size.width as usize
            || !stride.is_multiple_of(2)
            || bytes.len() < luma + 2 * chroma
        {
            return Err(BadPixels);
        }
        let (y, rest) = bytes.split_at(luma);
        let (u, rest) = rest.split_at(chroma);
        Ok(Self {
            y,
            u,
            v: &rest[..chroma],
            luma_stride: stride,
            chroma_stride: stride / 2,
            changed: Bands::whole(size.height),
        })
    }
}

/// Turns frames into planes of one size; those that are so already are lent as they are.
#[derive(Debug, Default)]
pub(crate) struct Converter {
    colours: Colours,
    scaler: Scaler,
    /// Whether the last planes were those of `colours`.
    converted: bool,
}

impl Converter {
    /// The picture of `frame` in planes of `size`.
    pub(crate) fn planes<'a>(
        &'a mut self,
        frame: &'a Frame,
        size: Size,
    ) -> Result<Planes<'a>, BadPixels> {
        let plain = frame.format == PixelFormat::Bgrx && frame.size == size;
        let follows = std::mem::replace(&mut self.converted, plain) && plain;
        let mut planes = match frame.format {
            PixelFormat::I420 => Planes::of_i420(frame.bytes(), frame.stride, frame.size),
            PixelFormat::Bgrx => self.colours.convert(frame),
        }?;
        if frame.size != size {
            return self.scaler.scale(planes, frame.size, size);
        }
        if !follows {
            planes.changed = Bands::whole(size.height);
        }
        Ok(planes)
    }
}

/// Holds what was converted from packed colours.
#[derive(Debug, Default)]
struct Colours {
    planes: Vec<u8>,
    /// What they show, where the source tells its pictures apart.
    shows: Option<PictureId>,
}

impl Colours {
    /// Converts the rows that differ from the picture before.
    fn convert(&mut self, frame: &Frame) -> Result<Planes<'_>, BadPixels> {
        let Size { width, height } = frame.size;
        let luma = width as usize * height as usize;
        if frame.bytes().len() < frame.stride * height as usize {
            return Err(BadPixels);
        }
        let shown = self
            .shows
            .take()
            .filter(|_| self.planes.len() == luma * 3 / 2);
        let changed = shown.and_then(|shown| frame.pixels.changed_since(shown));
        let changed = changed.unwrap_or_else(|| Bands::whole(height));
        self.planes.resize(luma * 3 / 2, 0);
        for band in changed.iter() {
            // Chroma has a row for two.
            let top = band.top & !1;
            let bottom = band.bottom.next_multiple_of(2).min(height);
            self.convert_band(frame, Band { top, bottom })?;
        }
        self.shows = frame.pixels.id();
        let planes = Planes::of_i420(&self.planes, width as usize, frame.size)?;
        Ok(Planes { changed, ..planes })
    }

    /// Converts a band of even rows.
    fn convert_band(&mut self, frame: &Frame, band: Band) -> Result<(), BadPixels> {
        let width = frame.size.width;
        let (row, half_row) = (width as usize, width as usize / 2);
        let luma = row * frame.size.height as usize;
        let (top, bottom) = (band.top as usize, band.bottom as usize);
        let (y, rest) = self.planes.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(luma / 4);
        let chroma = half_row * (top / 2)..half_row * (bottom / 2);
        let mut image = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(&mut y[row * top..row * bottom]),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(&mut u[chroma.clone()]),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(&mut v[chroma]),
            v_stride: width / 2,
            width,
            height: band.height(),
        };
        bgra_to_yuv420(
            &mut image,
            &frame.bytes()[frame.stride * top..frame.stride * bottom],
            u32::try_from(frame.stride).map_err(|_| BadPixels)?,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .map_err(|_| BadPixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::{CaptureTimes, FrameKind, RowHistory};
    use std::sync::Arc;

    fn frame(format: PixelFormat, size: Size, stride: usize, bytes: Vec<u8>) -> Frame {
        Frame {
            size,
            format,
            stride,
            pixels: Arc::new(bytes),
            kind: FrameKind::Fresh,
            times: CaptureTimes::default(),
        }
    }

    /// BT.709 limited range by its formula.
    fn expected(blue: f32, green: f32, red: f32) -> [f32; 3] {
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        [
            16.0 + luma * 219.0 / 255.0,
            128.0 + (blue - luma) / 1.8556 * 224.0 / 255.0,
            128.0 + (red - luma) / 1.5748 * 224.0 / 255.0,
        ]
    }

    #[test]
    fn colours_become_bt709_limited_range() {
        let size = Size::new(32, 4);
        let stride = 32 * 4 + 16;
        for pixel in [
            [0, 0, 0, 9],
            [255, 255, 255, 0],
            [255, 0, 0, 0],
            [0, 255, 0, 0],
            [20, 90, 200, 7],
        ] {
            let mut bytes = vec![77; stride * 4];
            for row in bytes.chunks_mut(stride) {
                row[..128].as_chunks_mut().0.fill(pixel);
            }
            let mut converter = Converter::default();
            let frame = frame(PixelFormat::Bgrx, size, stride, bytes);
            let planes = converter.planes(&frame, size).unwrap();
            let [blue, green, red] = [0, 1, 2].map(|channel: usize| f32::from(pixel[channel]));
            let wanted = expected(blue, green, red);
            for (plane, wanted) in [planes.y, planes.u, planes.v].iter().zip(wanted) {
                for &value in *plane {
                    assert!(
                        (f32::from(value) - wanted).abs() <= 1.0,
                        "{pixel:?}: {value} for {wanted}"
                    );
                }
            }
        }
    }

    /// Pixels of a source that keeps account of what changes.
    struct Kept {
        bytes: Vec<u8>,
        history: RowHistory,
    }

    impl media::Pixels for Kept {
        fn bytes(&self) -> &[u8] {
            &self.bytes
        }

        fn id(&self) -> Option<PictureId> {
            Some(self.history.newest())
        }

        fn changed_since(&self, earlier: PictureId) -> Option<Bands> {
            self.history.since(earlier)
        }
    }

    /// Draws on a screen of 16x96 pixels, one row at a time.
    struct Screen {
        bytes: Vec<u8>,
        history: RowHistory,
    }

    impl Screen {
        const SIZE: Size = Size::new(16, 96);

        fn draw(&mut self, row: u32, value: u8) -> Frame {
            self.bytes[row as usize * 64..][..64].fill(value);
            let (mut rows, bottom) = (Bands::default(), row + 1);
            rows.insert(Band { top: row, bottom });
            self.history.push(rows);
            let kept = Kept {
                bytes: self.bytes.clone(),
                history: self.history,
            };
            Frame {
                pixels: Arc::new(kept),
                ..frame(PixelFormat::Bgrx, Self::SIZE, 64, vec![])
            }
        }
    }

    #[test]
    fn rows_that_did_not_change_are_left_as_they_were_and_said_to_be() {
        let mut screen = Screen {
            bytes: vec![30; 64 * 96],
            history: RowHistory::new(),
        };
        let slate = frame(
            PixelFormat::I420,
            Screen::SIZE,
            16,
            vec![7; 16 * 96 * 3 / 2],
        );
        let mut converter = Converter::default();
        let whole = Bands::whole(96);
        let mut check = |shown: &Frame, rows: &[(u32, u32)]| {
            let planes = converter.planes(shown, Screen::SIZE).unwrap();
            let mut fresh = Converter::default();
            let same = fresh.planes(shown, Screen::SIZE).unwrap();
            assert_eq!((planes.y, planes.u, planes.v), (same.y, same.u, same.v));
            assert_eq!(same.changed, whole);
            let changed: Vec<_> = planes.changed.iter().map(|b| (b.top, b.bottom)).collect();
            assert_eq!(changed, rows);
        };
        let all = [(0, 96)];
        check(&screen.draw(3, 90), &all);
        check(&screen.draw(3, 120), &[(3, 4)]);
        let again = screen.draw(95, 50);
        check(&again, &[(95, 96)]);
        check(&again, &[]);
        // One that was never shown.
        screen.draw(10, 200);
        check(&screen.draw(94, 250), &[(10, 11), (94, 95)]);
        // What follows a picture from elsewhere differs from it all over.
        check(&slate, &all);
        check(&screen.draw(40, 9), &all);
        check(&screen.draw(41, 9), &[(41, 42)]);
        let mut other = Screen {
            bytes: vec![99; 64 * 96],
            history: RowHistory::new(),
        };
        check(&other.draw(0, 1), &all);
        check(&screen.draw(0, 1), &all);
    }

    #[test]
    fn planar_frames_are_lent_without_a_copy() {
        let size = Size::new(6, 4);
        let bytes: Vec<u8> = (0..48).collect(); // a stride of 8
        let frame = frame(PixelFormat::I420, size, 8, bytes);
        let mut converter = Converter::default();
        let planes = converter.planes(&frame, size).unwrap();
        assert_eq!(planes.y.as_ptr(), frame.bytes().as_ptr());
        assert_eq!(
            (planes.u[0], planes.v[0], planes.chroma_stride),
            (32, 40, 4)
        );
    }

    #[test]
    fn short_pixels_are_an_error() {
        let size = Size::new(8, 8);
        for (format, stride, bytes) in [
            (PixelFormat::Bgrx, 32, 255),
            (PixelFormat::Bgrx, 16, 512),
            (PixelFormat::I420, 8, 95),
            (PixelFormat::I420, 6, 96),
        ] {
            let frame = frame(format, size, stride, vec![0; bytes]);
            assert_eq!(
                Converter::default().planes(&frame, size).err(),
                Some(BadPixels),
                "{format:?} {stride}"
            );
        }
    }
}
