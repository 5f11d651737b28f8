//! A pipeline and the leases that keep it running: it runs exactly while somebody holds one.

use crate::consumer::{Consumer, UnitQueue};
use crate::encode_loop::EncodeLoop;
use crate::gate::LostRange;
use crate::intake::{ENCODING, Intake};
use crate::status::{PipelineStatus, StatusBoard};
use crate::supervisor::OpenSource;
use crate::switch::OnSwitch;
use encode::{EncodeError, Encoder, EncoderConfig, KeyframeReason};
use events::{EventSink, ViewerId};
use media::{Bitrate, Bounded, FrameIndex, MonoTime, Refusal, Slot, StreamParams};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Threads that are stuck in a source or an encoder may take this long to end; then the pipeline
/// goes without them.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Commands that may wait for the encode loop, which drains them before every picture.
const COMMAND_DEPTH: usize = 1024;

/// An encoder, and why this one.
pub struct OpenedEncoder {
    /// The encoder.
    pub encoder: Box<dyn Encoder>,
    /// Reason in words.
    pub reason: String,
}

/// Opens an encoder; called at the first frame and at each change of size.
pub type OpenEncoder =
    Arc<dyn Fn(&EncoderConfig) -> Result<OpenedEncoder, EncodeError> + Send + Sync>;

/// What a pipeline is made of.
pub struct PipelineParts {
    /// Number in events.
    pub number: u32,
    /// What every consumer of this pipeline gets.
    pub params: StreamParams,
    /// Threads for one picture.
    pub encoder_threads: usize,
    /// Pictures that invalidation reaches back to.
    pub reference_pictures: usize,
    /// The slowest rate of pictures that the consumers accept on a still screen; `None` allows
    /// silence. Browsers take [`KEEP_ALIVE`](crate::KEEP_ALIVE).
    pub keep_alive: Option<Duration>,
    /// How to get the source.
    pub open_source: OpenSource,
    /// How to get the encoder.
    pub open_encoder: OpenEncoder,
    /// Where telemetry goes.
    pub events: EventSink,
    /// Told about each change of the status, from the thread that made it.
    pub on_status: Box<dyn Fn(&PipelineStatus) + Send + Sync>,
}

impl fmt::Debug for PipelineParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineParts")
            .field("number", &self.number)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// A command that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefused {
    /// More commands wait than the pipeline may hold; later it may take them.
    #[error("the pipeline is too busy to take this now")]
    Full,
    /// The pipeline has ended: the status says why.
    #[error("the pipeline has ended")]
    Ended,
}

/// What others ask of the encode thread, in the order in which they ask.
pub(crate) enum Command {
    Join(Box<Consumer>),
    Keyframe(KeyframeReason),
    Lost(LostRange),
    Rate { viewer: ViewerId, bitrate: Bitrate },
    Lead(Option<ViewerId>),
    Params(StreamParams),
    Source { open: OpenSource, done: OnSwitch },
    Encoder { open: OpenEncoder, done: OnSwitch },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join(_) => "Join",
            Self::Keyframe(_) => "Keyframe",
            Self::Lost(_) => "Lost",
            Self::Rate { .. } => "Rate",
            Self::Lead(_) => "Lead",
            Self::Params(_) => "Params",
            Self::Source { .. } => "Source",
            Self::Encoder { .. } => "Encoder",
        })
    }
}

/// A consumer that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub(crate) viewer: ViewerId,
    pub(crate) token: u64,
}

/// What pipeline, leases and the encode loop share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) slot: Arc<Slot<media::Frame>>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) commands: Bounded<Command>,
    /// Leaving cannot be refused, or a flood of commands would keep a pipeline running for good.
    /// Each lease is in here once at most.
    leaving: Mutex<Vec<Leave>>,
    pub(crate) status: Arc<StatusBoard>,
    /// What the stream is asked to be; the encode thread takes back what it could not do.
    params: Mutex<StreamParams>,
    next_token: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        params: StreamParams,
        on_status: Box<dyn Fn(&PipelineStatus) + Send + Sync>,
    ) -> Self {
        let slot = Arc::new(Slot::new());
        Self {
            intake: Arc::new(Intake::new(Arc::clone(&slot))),
            slot,
            commands: Bounded::new(COMMAND_DEPTH, Duration::MAX),
            leaving: Mutex::default(),
            status: Arc::new(StatusBoard::new(on_status)),
            params: Mutex::new(params),
            next_token: AtomicU64::new(1),
        }
    }

    pub(crate) fn params(&self) -> StreamParams {
        *self.lock_params()
    }

    fn lock_params(&self) -> MutexGuard<'_, StreamParams> {
        self.params.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_params(&self, params: StreamParams) -> Result<(), CommandRefused> {
        // Held across the sending, so that the last to ask is also the last to be heard.
        let mut present = self.lock_params();
        self.send(Command::Params(params))?;
        *present = params;
        Ok(())
    }

    /// What `refused` asked for is not possible: unless something else was asked for meanwhile, the
    /// stream stays as it is.
    pub(crate) fn take_back(&self, refused: StreamParams, present: StreamParams) {
        let mut params = self.lock_params();
        if *params == refused {
            *params = present;
        }
    }

    pub(crate) fn send(&self, command: Command) -> Result<(), CommandRefused> {
        self.commands
            .push(command, MonoTime::now())
            .map_err(|refused| match refused.reason {
                Refusal::Closed => CommandRefused::Ended,
                Refusal::Full | Refusal::Stale => CommandRefused::Full,
            })?;
        self.slot.nudge();
        Ok(())
    }

    pub(crate) fn leave(&self, leave: Leave) {
        self.leaving().push(leave);
        self.slot.nudge();
    }

    /// Who left since the last call. Each of them joined by a command that is in the queue by now,
    /// if it was not applied before.
    pub(crate) fn take_leaving(&self) -> Vec<Leave> {
        std::mem::take(&mut *self.leaving())
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Leave>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One source, one encoder, any number of consumers. Dropping it ends the encode thread.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the encode thread, which sleeps until somebody takes a lease.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(mut parts: PipelineParts) -> std::io::Result<Self> {
        let number = parts.number;
        let listener = std::mem::replace(&mut parts.on_status, Box::new(|_| {}));
        let shared = Arc::new(Shared::new(parts.params, listener));
        let in_thread = Arc::clone(&shared);
        let presence = shared.intake.enter(ENCODING);
        let thread = thread::Builder::new()
            .name(format!("encode-{number}"))
            .spawn(move || {
                // Dropped last: by then everything is told.
                let _presence = presence;
                EncodeLoop::new(parts, in_thread).run();
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What its consumers get. Right after [`set_params`](Self::set_params) this is what was asked
    /// for; if no encoder opens for that, it is the old ones again.
    #[must_use]
    pub fn params(&self) -> StreamParams {
        self.shared.params()
    }

    /// Changes rate, bitrate, profile or size of the running stream with the next picture. The
    /// encoder is opened again, with a keyframe, only where it must be.
    ///
    /// # Errors
    /// [`CommandRefused`]; nothing is changed then.
    pub fn set_params(&self, params: StreamParams) -> Result<(), CommandRefused> {
        self.shared.set_params(params)
    }

    /// Changes the source of the running stream. The new one is opened first; if it does not open,
    /// the old one stays and `done` hears why.
    ///
    /// # Errors
    /// [`CommandRefused`]; nothing is changed then and `done` hears nothing.
    pub fn switch_source(&self, open: OpenSource, done: OnSwitch) -> Result<(), CommandRefused> {
        self.shared.send(Command::Source { open, done })
    }

    /// Changes the encoder of the running stream. The new one is opened first; if it does not open,
    /// the old one stays and `done` hears why.
    ///
    /// # Errors
    /// [`CommandRefused`]; nothing is changed then and `done` hears nothing.
    pub fn switch_encoder(&self, open: OpenEncoder, done: OnSwitch) -> Result<(), CommandRefused> {
        self.shared.send(Command::Encoder { open, done })
    }

    /// Says whose link decides the bitrate; `None`, or one who is not there, leaves it to the viewer
    /// that joined first.
    ///
    /// # Errors
    /// [`CommandRefused`].
    pub fn set_lead(&self, lead: Option<ViewerId>) -> Result<(), CommandRefused> {
        self.shared.send(Command::Lead(lead))
    }

    /// A glance at it.
    #[must_use]
    pub fn status(&self) -> PipelineStatus {
        self.shared.status.get()
    }

    /// Joins as `viewer`: its queue gets every unit, starting with a keyframe, until the lease is
    /// dropped. A second lease under one name replaces the first.
    ///
    /// # Errors
    /// [`CommandRefused`]; nothing was started.
    pub fn acquire(
        &self,
        viewer: ViewerId,
        queue: Arc<UnitQueue>,
    ) -> Result<Lease, CommandRefused> {
        let token = self.shared.next_token.fetch_add(1, Ordering::Relaxed);
        self.shared
            .send(Command::Join(Box::new(Consumer::new(viewer, token, queue))))?;
        Ok(Lease {
            shared: Arc::clone(&self.shared),
            viewer,
            token,
        })
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.slot.close();
        let stuck = self.shared.intake.wait_empty(STOP_WITHIN);
        if stuck.contains(&ENCODING) {
            return tracing::error!("the encoder is stuck; its thread is left behind");
        }
        if !stuck.is_empty() {
            tracing::warn!("the source is stuck; its thread ends when the source lets it");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the encode thread panicked");
        }
    }
}

/// Membership in a pipeline. Dropping it leaves.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    viewer: ViewerId,
    token: u64,
}

impl Lease {
    /// Asks for a keyframe.
    ///
    /// # Errors
    /// [`CommandRefused`].
    pub fn request_keyframe(&self, reason: KeyframeReason) -> Result<(), CommandRefused> {
        self.shared.send(Command::Keyframe(reason))
    }

    /// Reports pictures that the viewer does not have and will not get.
    ///
    /// # Errors
    /// [`CommandRefused`].
    pub fn report_lost(&self, first: FrameIndex, last: FrameIndex) -> Result<(), CommandRefused> {
        let reason = KeyframeReason::Loss;
        self.shared.send(Command::Lost(LostRange {
            first,
            last,
            reason,
        }))
    }

    /// Tells what the viewer's link carries. The encoder follows the lead, which is the viewer that
    /// joined first unless [`Pipeline::set_lead`] names another.
    ///
    /// # Errors
    /// [`CommandRefused`].
    pub fn set_rate(&self, bitrate: Bitrate) -> Result<(), CommandRefused> {
        self.shared.send(Command::Rate {
            viewer: self.viewer,
            bitrate,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Self { viewer, token, .. } = *self;
        self.shared.leave(Leave { viewer, token });
    }
}
