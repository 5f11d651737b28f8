//! The host's sound, and what viewers are told about it: whether there is any to hear.

use crate::board::StateBoard;
use crate::config::Config;
use audio::{AudioOptions, AudioPipeline, AudioSpec, AudioState, AudioStatus};
use control_api::SoundInfo;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The sound, captured while somebody listens.
pub(crate) struct Sound {
    spec: AudioSpec,
    pipeline: Arc<AudioPipeline>,
    board: Arc<StateBoard>,
    looking: Arc<AtomicBool>,
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sound")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Sound {
    /// Sound as configured, which nobody hears yet.
    pub(crate) fn new(config: &Config, board: &Arc<StateBoard>) -> Self {
        let options = AudioOptions {
            spec: config.audio.clone(),
            ..AudioOptions::default()
        };
        let told = Arc::clone(board);
        let on_status = move |status: &AudioStatus| {
            tracing::debug!(?status, "sound");
            match &status.state {
                AudioState::Opening => {}
                AudioState::Capturing(source) => told.heard(true, &source.detail),
                AudioState::Silent(why) => told.heard(false, why),
            }
        };
        Self {
            spec: config.audio.clone(),
            pipeline: Arc::new(AudioPipeline::new(options, on_status)),
            board: Arc::clone(board),
            looking: Arc::default(),
        }
    }

    /// For those who need a clock even in silence.
    pub(crate) const fn pipeline(&self) -> &Arc<AudioPipeline> {
        &self.pipeline
    }

    /// For viewers; none where silence was asked for.
    pub(crate) fn for_viewers(&self) -> Option<Arc<AudioPipeline>> {
        (!self.spec.is_silence()).then(|| Arc::clone(&self.pipeline))
    }

    /// Finds out whether there is anything to hear, unless that is known to be so: a page offers what
    /// is there, and whoever keeps it muted captures nothing that would tell.
    pub(crate) fn look(&self) {
        let known = self.board.has_sound();
        if self.spec.is_silence() || known || self.looking.swap(true, Ordering::SeqCst) {
            return;
        }
        let (spec, board) = (self.spec.clone(), Arc::clone(&self.board));
        let looking = Arc::clone(&self.looking);
        // A server that does not answer keeps this thread waiting, and nobody else.
        let started = std::thread::Builder::new()
            .name("audio-probe".to_owned())
            .spawn(move || {
                let found = audio::probe(&spec, &AudioOptions::default().servers);
                board.looked(&SoundInfo {
                    available: found.available,
                    detail: found.detail,
                });
                looking.store(false, Ordering::SeqCst);
            });
        if let Err(error) = started {
            tracing::warn!(%error, "nobody can be told whether there is sound");
            self.looking.store(false, Ordering::SeqCst);
        }
    }
}
