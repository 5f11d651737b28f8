//! The scripted encoder with a log, failures on demand, and a notion of how good a picture looks.

use super::screen::content;
use crate::{OpenEncoder, OpenedEncoder};
use encode::scripted::Scripted;
use encode::{EncodeError, Encoder, EncoderCaps, EncoderConfig, Invalidation, PictureRequest};
use media::{AccessUnit, Bitrate, Frame, FrameIndex, FrameKind, Reference, Size};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Quantiser of a picture that was not refined.
pub(crate) const PLAIN_QUANTISER: u8 = 30;
/// Bytes of every unit.
const UNIT_BYTES: usize = 400;

/// What an encoder did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Did {
    Opened {
        config: EncoderConfig,
        abilities: Abilities,
    },
    NotOpened,
    Failed,
    Dropped,
    Invalidated {
        first: u64,
        result: Invalidation,
    },
    Bitrate(Bitrate),
    Coded(Coded),
}

/// What an encoder can do, from its opening on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Abilities {
    pub(crate) invalidates: bool,
    pub(crate) refines: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coded {
    pub(crate) index: u64,
    pub(crate) reference: Option<u64>,
    pub(crate) content: u64,
    pub(crate) quantiser: u8,
    pub(crate) size: Size,
    pub(crate) kind: FrameKind,
}

/// What the next encoders do, and what they did.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) abilities: Abilities,
    /// Openings that fail from now on.
    pub(crate) failing_opens: u32,
    /// Pictures that fail from now on.
    pub(crate) failing_pictures: u32,
    /// The next picture panics.
    pub(crate) panics: bool,
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
            abilities: Abilities {
                invalidates: true,
                refines: true,
            },
            failing_opens: 0,
            failing_pictures: 0,
            panics: false,
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

/// Pictures whose content and quantiser are remembered: more than any reference store holds.
const REMEMBERED: usize = 64;

struct Running {
    script: Arc<Mutex<Script>>,
    abilities: Abilities,
    /// Keeps the references.
    inner: Scripted,
    submitted: Option<(FrameIndex, u64, FrameKind, Option<u8>)>,
    coded: VecDeque<Coded>,
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
            state.note(Did::NotOpened);
            return Err(failure());
        }
        let (config, abilities) = (*config, state.abilities);
        state.note(Did::Opened { config, abilities });
        state.live += 1;
        let encoder = Box::new(Self {
            script: Arc::clone(script),
            abilities,
            inner: Scripted::new(&config, Box::new(|_| Ok(UNIT_BYTES))),
            submitted: None,
            coded: VecDeque::with_capacity(REMEMBERED + 1),
        });
        let reason = "it is the only one".to_owned();
        Ok(OpenedEncoder { encoder, reason })
    }

    /// What a picture looks like: as asked, or as the same picture looked before.
    fn quantiser(&self, content: u64, reference: Option<u64>, refine: Option<u8>) -> u8 {
        let mut coded = self.coded.iter();
        let same = coded.find(|old| reference == Some(old.index) && old.content == content);
        refine.unwrap_or(same.map_or(PLAIN_QUANTISER, |old| old.quantiser))
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
        EncoderCaps {
            invalidates_references: self.abilities.invalidates,
            refines: self.abilities.refines,
            ..self.inner.caps()
        }
    }

    fn submit(&mut self, frame: &Frame, request: PictureRequest) -> Result<(), EncodeError> {
        let mut script = self.script.lock().unwrap();
        if script.failing_pictures > 0 {
            script.failing_pictures -= 1;
            script.note(Did::Failed);
            return Err(failure());
        }
        let panics = script.panics;
        drop(script);
        assert!(!panics, "told to");
        self.inner.submit(frame, request)?;
        let refine = request.refine.filter(|_| self.abilities.refines);
        self.submitted = Some((request.index, content(frame), frame.kind, refine));
        Ok(())
    }

    fn poll(&mut self, unit: &mut AccessUnit) -> Result<bool, EncodeError> {
        let done = self.inner.poll(unit)?;
        let Some((index, content, kind, refine)) = self.submitted.take().filter(|_| done) else {
            return Ok(false);
        };
        let reference = match unit.reference {
            Reference::Frame(index) => Some(index.0),
            Reference::None => None,
        };
        let quantiser = self.quantiser(content, reference, refine);
        let coded = Coded {
            index: index.0,
            reference,
            content,
            quantiser,
            size: unit.size,
            kind,
        };
        self.coded.push_back(coded);
        if self.coded.len() > REMEMBERED {
            self.coded.pop_front();
        }
        self.script.lock().unwrap().note(Did::Coded(coded));
        Ok(true)
    }

    fn invalidate(&mut self, first_lost: FrameIndex) -> Result<Invalidation, EncodeError> {
        let result = self.inner.invalidate(first_lost)?;
        let first = first_lost.0;
        let mut script = self.script.lock().unwrap();
        script.note(Did::Invalidated { first, result });
        Ok(result)
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), EncodeError> {
        self.script.lock().unwrap().note(Did::Bitrate(bitrate));
        self.inner.set_bitrate(bitrate)
    }
}
