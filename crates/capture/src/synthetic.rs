//! `test-pattern`: a source that draws its own pictures, driven by a timer.
//!
//! Owns the buffers and what of each is out of date; refuses to draw into one that is in use.

use crate::backends::SourceListing;
use crate::canvas::{I420Canvas, Rect};
use crate::noise::Noise;
use crate::pattern::{Moment, Pattern};
use crate::source::{FRAMES_IN_FLIGHT, Source, SourceError, SourceInfo, SourceRequest, StopSignal};
use crate::ticker::Ticker;
use media::{CaptureTimes, Frame, FrameKind, FrameRate, MonoTime, PixelFormat, Pixels, Pool, Size};

/// Name of the backend.
pub(crate) const NAME: &str = "test-pattern";

/// Target that adds noise.
const BUSY: &str = "busy";
/// Size when none is asked for.
const DEFAULT_SIZE: Size = Size::new(1280, 720);
/// Rows begin at multiples of this, in the chroma planes at half of it.
const STRIDE_ALIGNMENT: usize = 64;

/// One pooled picture, which remembers what of it moves.
struct Picture {
    bytes: Vec<u8>,
    box_at: Option<Rect>,
}

impl Pixels for Picture {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The test pattern as a source of I420 pictures, the layout encoders take without a conversion.
pub struct Synthetic {
    pattern: Pattern,
    noise: Option<Noise>,
    size: Size,
    rate: FrameRate,
    stride: usize,
    pool: Pool<Picture>,
    ticker: Ticker,
    frame: u32,
}

impl Synthetic {
    /// A test pattern of the size (1280x720 if none is given) and rate asked for.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] for a size no stream can have, or a target.
    pub fn open(request: &SourceRequest) -> Result<Self, SourceError> {
        let unsupported = |why: String| SourceError::Unsupported {
            what: "the test pattern".to_owned(),
            why,
        };
        let busy = match request.target.as_deref() {
            None => false,
            Some(BUSY) => true,
            Some(target) => {
                let why = format!("it has no target {target:?}: use {NAME} or {NAME}:{BUSY}");
                return Err(unsupported(why));
            }
        };
        let size = request.size.unwrap_or(DEFAULT_SIZE);
        let size = size
            .checked()
            .map_err(|error| unsupported(error.to_string()))?;
        Ok(Self {
            pattern: Pattern::new(size, request.rate),
            noise: busy.then(|| Noise::within(size)),
            size,
            rate: request.rate,
            stride: (size.width as usize).next_multiple_of(STRIDE_ALIGNMENT),
            pool: Pool::new(FRAMES_IN_FLIGHT),
            ticker: Ticker::new(request.rate),
            frame: 0,
        })
    }

    fn draw(&mut self) -> Option<Frame> {
        let (pattern, size, stride) = (&self.pattern, self.size, self.stride);
        let noise = &mut self.noise;
        let now = MonoTime::now();
        let moment = Moment {
            time_us: now.wall_us(),
            frame: self.frame,
        };
        let make = || {
            let bytes = vec![0; PixelFormat::I420.bytes(stride, size.height)];
            Ok::<_, std::convert::Infallible>(Picture {
                bytes,
                box_at: None,
            })
        };
        let fill = |picture: &mut Picture| {
            if let Some(mut canvas) = I420Canvas::new(&mut picture.bytes, stride, size) {
                if picture.box_at.is_none() {
                    pattern.draw_still(&mut canvas);
                }
                let painted = pattern.draw_moving(&mut canvas, picture.box_at, moment);
                picture.box_at = Some(painted.box_at);
            }
            if let Some(noise) = noise {
                noise.draw(&mut picture.bytes[..stride * size.height as usize], stride);
            }
            Ok(())
        };
        let Ok(pixels) = self.pool.fill(make, fill);
        self.frame = self.frame.wrapping_add(1);
        Some(Frame {
            size,
            format: PixelFormat::I420,
            stride,
            pixels: pixels?,
            kind: FrameKind::Fresh,
            times: CaptureTimes {
                noticed: now,
                grabbed: MonoTime::now(),
            },
        })
    }
}

/// The pattern is always there.
pub(crate) fn list() -> Vec<SourceListing> {
    vec![SourceListing {
        spec: NAME.to_owned(),
        detail: format!(
            "test pattern of any size, {DEFAULT_SIZE} if none is given; {NAME}:{BUSY} uses the whole bitrate"
        ),
        size: None,
        available: true,
    }]
}

impl Source for Synthetic {
    fn info(&self) -> SourceInfo {
        SourceInfo {
            name: NAME,
            detail: format!("test pattern {} at {} fps", self.size, self.rate),
            size: self.size,
        }
    }

    fn next_frame(&mut self, stop: &StopSignal) -> Result<Option<Frame>, SourceError> {
        while self.ticker.wait(stop)? {
            // When every buffer is in use, this picture is left out and the next one tried.
            if let Some(frame) = self.draw() {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}
