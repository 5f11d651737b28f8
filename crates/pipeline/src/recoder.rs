//! The encoder as the loop drives it: opened for the size that comes, opened again after errors,
//! its units taken from a pool.

use crate::gate::{KeyframeGate, Recovery};
use crate::pipeline::{OpenEncoder, OpenedEncoder};
use encode::{
    EncodeError, EncoderCaps, EncoderConfig, Invalidation, KeyframeReason, PictureRequest,
};
use media::{AccessUnit, Bitrate, Frame, FrameIndex, MonoTime, Pool, Reference, StreamParams};
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
    open_for: Option<EncoderConfig>,
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
            open_for: None,
            next_index: FrameIndex(0),
            first_index: FrameIndex(0),
            pool: Pool::new(UNIT_POOL),
            failures: 0,
            retry_at: MonoTime::ZERO,
        }
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

    /// Opens an encoder if none fits the frame. `true` when a new one was opened.
    pub(crate) fn fit(&mut self, frame: &Frame) -> Result<bool, EncodeError> {
        let config = EncoderConfig {
            size: frame.size,
            rate: self.settings.params.rate,
            bitrate: self.bitrate,
            codec: self.settings.params.codec,
            profile: self.settings.params.profile,
            threads: self.settings.threads,
            reference_pictures: self.settings.reference_pictures,
        };
        let fits = self.open_for.is_some_and(|open| open.size == config.size);
        if fits && self.encoder.is_some() {
            return Ok(false);
        }
        // The old encoder goes first: two of them would double the memory for a moment.
        self.encoder = None;
        self.encoder = Some((self.open)(&config)?);
        self.open_for = Some(config);
        Ok(true)
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
        let reopened = self.fit(frame)?;
        let Some(opened) = &mut self.encoder else {
            return Ok(None);
        };
        let encoder = opened.encoder.as_mut();
        if reopened {
            gate.reset();
        }
        let mut recovery = gate.decide(order.now, encoder.caps());
        if let Recovery::Invalidate(first) = recovery
            && encoder.invalidate(first)? == Invalidation::NeedsKeyframe
        {
            recovery = gate.invalidation_failed(order.now);
        }
        let asked = match recovery {
            Recovery::Keyframe(reason) => Some(reason),
            _ if reopened && self.next_index == self.first_index => Some(KeyframeReason::Start),
            _ if reopened => Some(KeyframeReason::Reopened),
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
