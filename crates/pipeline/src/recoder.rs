//! The encoder as the loop drives it: opened for the size that comes, opened again after errors,
//! its units taken from a pool.

use crate::gate::{KeyframeGate, Recovery};
use crate::pipeline::{OpenEncoder, OpenedEncoder};
use encode::{
    EncodeError, EncoderCaps, EncoderConfig, Invalidation, KeyframeReason, PictureRequest,
};
use media::{
    AccessUnit, Bitrate, Frame, FrameIndex, MonoTime, Pool, Reference, Size, StreamParams,
};
use std::sync::Arc;
use std::time::Duration;

/// First pause after an encode error; doubled up to [`BACK_OFF_MAX`].
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_millis(1600);
/// Encoder resets in a row before the stream ends.
const MAX_RESETS: u32 = 5;
/// Units that may be alive at once: two queued and one in flight for each of some viewers.
const UNIT_POOL: usize = 64;

/// What to code now, apart from recovery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) now: MonoTime,
    pub(crate) refine: Option<u8>,
}

/// A coded picture.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) unit: Arc<AccessUnit>,
    /// Why it is a keyframe, if it is.
    pub(crate) keyframe: Option<KeyframeReason>,
    /// Whether it refers past invalidated pictures.
    pub(crate) recovers: bool,
    /// Whether it is the first one of its encoder.
    pub(crate) first: bool,
}

/// The encoder could not be brought back.
#[derive(Debug, thiserror::Error)]
#[error("the encoder still fails after {MAX_RESETS} resets: {0}")]
pub(crate) struct EncoderGone(#[source] EncodeError);

/// Settings that survive an encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoderSettings {
    pub(crate) params: StreamParams,
    pub(crate) threads: usize,
    pub(crate) reference_pictures: usize,
}

pub(crate) struct Recoder {
    open: OpenEncoder,
    settings: RecoderSettings,
    bitrate: Bitrate,
    encoder: Option<OpenedEncoder>,
    /// The open encoder has not coded anything yet.
    unused: bool,
    open_for: Option<EncoderConfig>,
    /// What an encoder opened with, to go back to.
    proven: Option<StreamParams>,
    /// Parameters for which no encoder opened, until somebody asks.
    refused: Option<StreamParams>,
    next_index: FrameIndex,
    /// The first index of this run.
    first_index: FrameIndex,
    pool: Pool<AccessUnit>,
    failures: u32,
    retry_at: MonoTime,
}

impl Recoder {
    pub(crate) fn new(open: OpenEncoder, settings: RecoderSettings) -> Self {
        Self {
            open,
            settings,
            bitrate: settings.params.bitrate,
            encoder: None,
            unused: true,
            open_for: None,
            proven: None,
            refused: None,
            next_index: FrameIndex(0),
            first_index: FrameIndex(0),
            pool: Pool::new(UNIT_POOL),
            failures: 0,
            retry_at: MonoTime::ZERO,
        }
    }

    pub(crate) const fn params(&self) -> StreamParams {
        self.settings.params
    }

    /// Changes everything but the present bitrate, with the next picture.
    pub(crate) fn set_params(&mut self, params: StreamParams) {
        self.settings.params = params;
    }

    /// What was asked for but no encoder opened with, once.
    pub(crate) fn take_refused(&mut self) -> Option<StreamParams> {
        self.refused.take()
    }

    /// Whether a frame of this size would be the first one of an encoder, and so a keyframe.
    pub(crate) fn must_start(&self, frame_size: Size) -> bool {
        self.unused || self.encoder.is_none() || !self.fits(&self.config(frame_size))
    }

    fn config(&self, frame_size: Size) -> EncoderConfig {
        let params = self.settings.params;
        EncoderConfig {
            size: params.size.unwrap_or(frame_size),
            rate: params.rate,
            bitrate: self.bitrate,
            codec: params.codec,
            profile: params.profile,
            threads: self.settings.threads,
            slices: params.slices,
            reference_pictures: self.settings.reference_pictures,
        }
    }

    /// The bitrate changes without another encoder.
    fn fits(&self, config: &EncoderConfig) -> bool {
        let bitrate = config.bitrate;
        self.open_for
            .is_some_and(|open| EncoderConfig { bitrate, ..open } == *config)
    }

    pub(crate) const fn bitrate(&self) -> Bitrate {
        self.bitrate
    }

    /// Earliest time for a picture after an error.
    pub(crate) const fn retry_at(&self) -> MonoTime {
        self.retry_at
    }

    pub(crate) fn caps(&self) -> Option<EncoderCaps> {
        self.encoder.as_ref().map(|opened| opened.encoder.caps())
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.encoder.as_ref().map(|opened| opened.reason.clone())
    }

    /// Releases the encoder and its buffers.
    pub(crate) fn close(&mut self) {
        self.encoder = None;
        self.open_for = None;
        self.first_index = self.next_index;
        self.pool.clear();
        self.failures = 0;
        self.retry_at = MonoTime::ZERO;
        self.bitrate = self.settings.params.bitrate;
    }

    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        if bitrate == self.bitrate {
            return;
        }
        self.bitrate = bitrate;
        if let Some(opened) = &mut self.encoder
            && let Err(error) = opened.encoder.set_bitrate(bitrate)
        {
            tracing::warn!(%error, "the encoder did not take a new bitrate");
        }
    }

    /// Opens an encoder if none fits the frame.
    fn fit(&mut self, frame: &Frame) -> Result<(), EncodeError> {
        let config = self.config(frame.size);
        if self.encoder.is_some() && self.fits(&config) {
            return Ok(());
        }
        let asked = self.settings.params;
        let fallback = self.proven.map(|proven| StreamParams {
            bitrate: asked.bitrate,
            ..proven
        });
        let Some(fallback) = fallback.filter(|fallback| *fallback != asked) else {
            // The old encoder goes first: two of them would double the memory for a moment.
            self.encoder = None;
            let opened = (self.open)(&config)?;
            self.adopt(opened, config);
            return Ok(());
        };
        match (self.open)(&config) {
            Ok(opened) => {
                self.adopt(opened, config);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "no encoder for the new parameters; the old ones stay");
                self.settings.params = fallback;
                self.refused = Some(asked);
                self.fit(frame)
            }
        }
    }

    fn adopt(&mut self, opened: OpenedEncoder, config: EncoderConfig) {
        self.encoder = Some(opened);
        self.unused = true;
        self.open_for = Some(config);
        self.proven = Some(self.settings.params);
    }

    /// Opens another encoder for frames of this size, and only then lets go of the present one.
    pub(crate) fn switch(
        &mut self,
        open: OpenEncoder,
        frame_size: Size,
    ) -> Result<(), EncodeError> {
        let config = self.config(frame_size);
        let opened = open(&config)?;
        self.adopt(opened, config);
        self.open = open;
        self.failures = 0;
        self.retry_at = MonoTime::ZERO;
        Ok(())
    }

    /// Codes one picture, with whatever recovery the gate decides. `None` when the encoder gave
    /// nothing; an error was already dealt with by a pause and a reset.
    pub(crate) fn code(
        &mut self,
        frame: &Frame,
        gate: &mut KeyframeGate,
        order: Order,
    ) -> Result<Option<Coded>, EncoderGone> {
        match self.try_code(frame, gate, order) {
            Ok(coded) => {
                if coded.is_some() {
                    self.failures = 0;
                }
                Ok(coded)
            }
            Err(error) => self.failed(error, order.now).map(|()| None),
        }
    }

    fn try_code(
        &mut self,
        frame: &Frame,
        gate: &mut KeyframeGate,
        order: Order,
    ) -> Result<Option<Coded>, EncodeError> {
        self.fit(frame)?;
        let first = self.unused;
        let Some(opened) = &mut self.encoder else {
            return Ok(None);
        };
        let encoder = opened.encoder.as_mut();
        if first {
            gate.reopened();
        }
        let mut recovery = gate.decide(order.now, encoder.caps());
        if let Recovery::Invalidate(first) = recovery
            && encoder.invalidate(first)? == Invalidation::NeedsKeyframe
        {
            recovery = gate.invalidation_failed(order.now);
        }
        let asked = match recovery {
            Recovery::Keyframe(reason) => Some(reason),
            _ if first && self.next_index == self.first_index => Some(KeyframeReason::Start),
            _ if first => Some(KeyframeReason::Reopened),
            _ => None,
        };
        let request = PictureRequest {
            index: self.next_index,
            keyframe: asked.is_some(),
            refine: order.refine,
        };
        encoder.submit(frame, request)?;
        self.next_index = self.next_index.next();
        let mut finished = false;
        let mut take = |unit: &mut AccessUnit| {
            finished = encoder.poll(unit)?;
            unit.kind = frame.kind;
            unit.times.capture = frame.times;
            unit.times.dequeued = order.now;
            unit.times.encoded = MonoTime::now();
            Ok::<_, EncodeError>(())
        };
        let unit = match self.pool.fill(|| Ok(AccessUnit::default()), &mut take)? {
            Some(unit) => unit,
            // More units are alive than planned for; this one is simply not reused.
            None => {
                let mut unit = AccessUnit::default();
                take(&mut unit)?;
                Arc::new(unit)
            }
        };
        if !finished {
            return Ok(None);
        }
        self.unused = false;
        gate.coded(unit.index, unit.reference, order.now);
        let keyframe = unit
            .is_keyframe()
            .then_some(asked.unwrap_or(KeyframeReason::Encoder));
        let previous = Reference::Frame(FrameIndex(unit.index.0.wrapping_sub(1)));
        let recovers = !unit.is_keyframe() && unit.reference != previous;
        Ok(Some(Coded {
            unit,
            keyframe,
            recovers,
            first,
        }))
    }

    fn failed(&mut self, error: EncodeError, now: MonoTime) -> Result<(), EncoderGone> {
        self.encoder = None;
        self.failures += 1;
        if self.failures > MAX_RESETS {
            return Err(EncoderGone(error));
        }
        let pause = (BACK_OFF_MIN * (1 << (self.failures - 1))).min(BACK_OFF_MAX);
        tracing::warn!(%error, pause_ms = pause.as_millis(), "encode error; opening it again");
        self.retry_at = now + pause;
        Ok(())
    }
}
