//! Pixels as encoders want them: planar 4:2:0, BT.709 limited range, of the stream's size.

use crate::scale::Scaler;
use media::{Frame, PixelFormat, Size};
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
        })
    }
}

/// Turns frames into planes of one size; those that are so already are lent as they are.
#[derive(Debug, Default)]
pub(crate) struct Converter {
    colours: Colours,
    scaler: Scaler,
}

impl Converter {
    /// The picture of `frame` in planes of `size`.
    pub(crate) fn planes<'a>(
        &'a mut self,
        frame: &'a Frame,
        size: Size,
    ) -> Result<Planes<'a>, BadPixels> {
        let planes = match frame.format {
            PixelFormat::I420 => Planes::of_i420(frame.bytes(), frame.stride, frame.size),
            PixelFormat::Bgrx => self.colours.convert(frame),
        }?;
        if frame.size == size {
            return Ok(planes);
        }
        self.scaler.scale(planes, frame.size, size)
    }
}

/// Holds what was converted from packed colours.
#[derive(Debug, Default)]
struct Colours {
    planes: Vec<u8>,
}

impl Colours {
    fn convert(&mut self, frame: &Frame) -> Result<Planes<'_>, BadPixels> {
        let Size { width, height } = frame.size;
        let luma = width as usize * height as usize;
        let stride = u32::try_from(frame.stride).map_err(|_| BadPixels)?;
        if frame.bytes().len() < frame.stride * height as usize {
            return Err(BadPixels);
        }
        self.planes.resize(luma * 3 / 2, 0);
        let (y, rest) = self.planes.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(luma / 4);
        let mut image = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width / 2,
            width,
            height,
        };
        bgra_to_yuv420(
            &mut image,
            &frame.bytes()[..frame.stride * height as usize],
            stride,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .map_err(|_| BadPixels)?;
        Planes::of_i420(&self.planes, width as usize, frame.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::{CaptureTimes, FrameKind};
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
