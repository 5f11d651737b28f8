//! An encoder with x264's reference rules and no bitstream, and the script it follows.

use super::screen::content;
use crate::{OpenEncoder, OpenedEncoder};
use encode::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest};
use media::{AccessUnit, Bitrate, Frame, FrameIndex, Reference, Size};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Quantiser of a picture that was not refined.
pub(crate) const PLAIN_QUANTISER: u8 = 30;
/// Bytes of every unit: content, then padding.
const UNIT_BYTES: usize = 400;

/// What an encoder did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Did {
    Opened { size: Size, bitrate: Bitrate },
    Failed,
    Dropped,
    Invalidated { first: u64, result: Invalidation },
    Bitrate(Bitrate),
    Coded(Coded),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coded {
    pub(crate) index: u64,
    pub(crate) reference: Option<u64>,
    pub(crate) content: u64,
    pub(crate) quantiser: u8,
    pub(crate) size: Size,
}

/// What the next encoders do, and what they did.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) invalidates: bool,
    pub(crate) refines: bool,
    /// Pictures kept as references.
    pub(crate) store: usize,
    /// Openings that fail from now on.
    pub(crate) failing_opens: u32,
    /// Pictures that fail from now on.
    pub(crate) failing_pictures: u32,
    /// Encoders alive.
    pub(crate) live: u32,
    /// What was done, where somebody wants to know.
    pub(crate) log: Option<Vec<Did>>,
}

impl Script {
    fn note(&mut self, did: Did) {
        if let Some(log) = &mut self.log {
            log.push(did);
        }
    }
}

/// The script, shared between a test and its encoders.
#[derive(Clone, Debug)]
pub(crate) struct Coder(Arc<Mutex<Script>>);

impl Coder {
    pub(crate) fn new(script: Script) -> Self {
        Self(Arc::new(Mutex::new(script)))
    }

    /// An encoder that can do everything, without a log.
    pub(crate) fn able() -> Self {
        Self::new(Script {
            invalidates: true,
            refines: true,
            store: 16,
            failing_opens: 0,
            failing_pictures: 0,
            live: 0,
            log: None,
        })
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// What was done since the last call.
    pub(crate) fn take_log(&self) -> Vec<Did> {
        let mut script = self.script();
        script.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn opener(&self) -> OpenEncoder {
        let script = Arc::clone(&self.0);
        Arc::new(move |config| Running::open(&script, config))
    }
}

#[derive(Clone, Copy)]
struct Kept {
    index: u64,
    content: u64,
    quantiser: u8,
    corrupt: bool,
}

struct Running {
    script: Arc<Mutex<Script>>,
    size: Size,
    store: VecDeque<Kept>,
    finished: Option<Coded>,
}

fn failure() -> EncodeError {
    EncodeError::Picture {
        name: "coder",
        why: "it was told to fail".into(),
    }
}

impl Running {
    fn open(
        script: &Arc<Mutex<Script>>,
        config: &EncoderConfig,
    ) -> Result<OpenedEncoder, EncodeError> {
        let mut state = script.lock().unwrap();
        if state.failing_opens > 0 {
            state.failing_opens -= 1;
            state.note(Did::Failed);
            return Err(failure());
        }
        let EncoderConfig { size, bitrate, .. } = *config;
        state.note(Did::Opened { size, bitrate });
        state.live += 1;
        let encoder = Box::new(Self {
            script: Arc::clone(script),
            size,
            store: VecDeque::with_capacity(state.store + 1),
            finished: None,
        });
        let reason = "it is the only one".to_owned();
        Ok(OpenedEncoder { encoder, reason })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut script = self.script.lock().unwrap();
        script.live -= 1;
        script.note(Did::Dropped);
    }
}

impl Encoder for Running {
    fn caps(&self) -> EncoderCaps {
        let script = self.script.lock().unwrap();
        EncoderCaps {
            name: "coder",
            invalidates_references: script.invalidates,
            reference_pictures: script.store,
            bitrate_without_keyframe: true,
            refines: script.refines,
        }
    }

    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        let mut script = self.script.lock().unwrap();
        if script.failing_pictures > 0 {
            script.failing_pictures -= 1;
            script.note(Did::Failed);
            return Err(failure());
        }
        if frame.size != self.size {
            let (want, got) = (self.size, frame.size);
            return Err(EncodeError::SizeChanged { want, got });
        }
        let usable = self.store.iter().rev().find(|kept| !kept.corrupt);
        let usable = usable.filter(|_| !request.keyframe).copied();
        let content = content(frame);
        let same = usable.filter(|kept| kept.content == content);
        let inherited = same.map_or(PLAIN_QUANTISER, |kept| kept.quantiser);
        let quantiser = request
            .refine
            .filter(|_| script.refines)
            .unwrap_or(inherited);
        let index = request.index.0;
        if usable.is_none() {
            self.store.clear();
        }
        self.store.push_back(Kept {
            index,
            content,
            quantiser,
            corrupt: false,
        });
        if self.store.len() > script.store {
            self.store.pop_front();
        }
        let coded = Coded {
            index,
            reference: usable.map(|kept| kept.index),
            content,
            quantiser,
            size: self.size,
        };
        script.note(Did::Coded(coded));
        self.finished = Some(coded);
        Ok(())
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        let Some(coded) = self.finished.take() else {
            return Ok(false);
        };
        unit.index = FrameIndex(coded.index);
        unit.size = coded.size;
        unit.reference = match coded.reference {
            Some(index) => Reference::Frame(FrameIndex(index)),
            None => Reference::None,
        };
        unit.quantiser = Some(coded.quantiser);
        unit.data.clear();
        unit.data.extend_from_slice(&coded.content.to_ne_bytes());
        unit.data.resize(UNIT_BYTES, 0);
        Ok(true)
    }

    fn invalidate(&mut self, first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        let first = first_lost.0;
        let mut older = self.store.iter().filter(|kept| kept.index < first);
        let result = if older.any(|kept| !kept.corrupt) {
            let lost = self.store.iter_mut().filter(|kept| kept.index >= first);
            lost.for_each(|kept| kept.corrupt = true);
            Invalidation::Applied
        } else {
            Invalidation::NeedsKeyframe
        };
        let mut script = self.script.lock().unwrap();
        script.note(Did::Invalidated { first, result });
        Ok(result)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.script.lock().unwrap().note(Did::Bitrate(bitrate));
        Ok(())
    }
}
