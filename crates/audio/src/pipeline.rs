//! The fan-out of sound, and the leases that keep it running: a stream is captured exactly while
//! somebody listens to it.

use crate::backends::AudioSpec;
use crate::opus::{OpusConfig, OpusEncoder, OpusError};
use crate::queue::OpusQueue;
use crate::source::{AudioServers, HostAudio, SourceRequest};
use crate::status::AudioStatus;
use crate::stream::{CaptureLoop, Consumer, OnStatus, Start, Stream, StreamKey};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What a consumer gets where there is no sound to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutSource {
    /// Silence, so that its clock goes on.
    #[default]
    Silence,
    /// Nothing.
    Nothing,
}

/// What a consumer gets while nothing is to be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InSilence {
    /// Every frame, as ever.
    #[default]
    Frames,
    /// Once the silence has lasted for some frames, one frame every 400 ms. It has a single byte, as
    /// a discontinuous encoder's has, and decoders are silent until the next one.
    Gaps,
}

/// What a consumer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioRequest {
    /// The packets it wants.
    pub opus: OpusConfig,
    /// Whether the host stays audible.
    pub host_audio: HostAudio,
    /// What it wants where there is no sound.
    pub without_source: WithoutSource,
    /// What it wants while nothing is to be heard.
    pub in_silence: InSilence,
}

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Such packets cannot be; others can.
    #[error(transparent)]
    Opus(#[from] OpusError),
    /// The system has no thread or descriptor left; later it may have.
    #[error("audio cannot be captured: {0}")]
    System(#[from] std::io::Error),
    /// The pipeline has ended.
    #[error("the audio pipeline has ended")]
    Ended,
}

/// Where sound comes from.
#[derive(Clone, Debug, Default)]
pub struct AudioOptions {
    /// Which source.
    pub spec: AudioSpec,
    /// Where the servers are.
    pub servers: AudioServers,
}

/// A stream with its thread and the number of its leases.
struct Running {
    stream: Arc<Stream>,
    thread: JoinHandle<()>,
    leases: usize,
}

#[derive(Default)]
struct Streams {
    running: Vec<Running>,
    /// Threads that were told to end.
    ending: Vec<JoinHandle<()>>,
    next_token: u64,
    ended: bool,
}

struct Shared {
    options: AudioOptions,
    on_status: OnStatus,
    streams: Mutex<Streams>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sound of the host for any number of consumers. Dropping it ends every stream and waits until the
/// host's sinks are as they were.
pub struct AudioPipeline {
    shared: Arc<Shared>,
}

impl fmt::Debug for AudioPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioPipeline")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl AudioPipeline {
    /// A pipeline, which does nothing until somebody takes a lease. `on_status` is told about each
    /// change of a stream's state or listeners, from the stream's thread.
    #[must_use]
    pub fn new(
        options: AudioOptions,
        on_status: impl Fn(&AudioStatus) + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                on_status: Arc::new(on_status),
                streams: Mutex::default(),
            }),
        }
    }

    /// What each stream does.
    #[must_use]
    pub fn status(&self) -> Vec<AudioStatus> {
        let streams = self.shared.lock();
        streams.running.iter().map(|r| r.stream.status()).collect()
    }

    /// Joins: `queue` gets every frame from the next one on, until the lease is dropped.
    ///
    /// # Errors
    /// [`AcquireError`]; nothing was started.
    pub fn acquire(
        &self,
        request: &AudioRequest,
        queue: Arc<OpusQueue>,
    ) -> Result<AudioLease, AcquireError> {
        let encoder = OpusEncoder::new(&request.opus)?;
        if request.in_silence == InSilence::Gaps && request.opus.streams > 1 {
            let why = "only a packet of one stream can be without sound";
            return Err(OpusError::Config(why).into());
        }
        let key = StreamKey {
            format: request.opus.format,
            host_audio: request.host_audio,
        };
        let mut streams = self.shared.lock();
        if streams.ended {
            return Err(AcquireError::Ended);
        }
        let position = streams.running.iter().position(|r| r.stream.key == key);
        let position = match position {
            Some(position) => position,
            None => self.start(&mut streams, key)?,
        };
        streams.next_token += 1;
        let token = streams.next_token;
        let running = &mut streams.running[position];
        running.leases += 1;
        running.stream.join(Consumer {
            token,
            config: request.opus,
            without_source: request.without_source,
            in_silence: request.in_silence,
            queue,
            encoder,
        });
        Ok(AudioLease {
            shared: Arc::clone(&self.shared),
            stream: Arc::clone(&running.stream),
            token,
        })
    }

    fn start(&self, streams: &mut Streams, key: StreamKey) -> std::io::Result<usize> {
        let stream = Arc::new(Stream::new(key, Arc::clone(&self.shared.on_status))?);
        let start = Start {
            stream: Arc::clone(&stream),
            spec: self.shared.options.spec.clone(),
            request: SourceRequest {
                target: None,
                format: key.format,
                host_audio: key.host_audio,
                servers: self.shared.options.servers.clone(),
            },
            predecessors: std::mem::take(&mut streams.ending),
        };
        let thread = std::thread::Builder::new()
            .name("audio".to_owned())
            .spawn(move || CaptureLoop::new(start).run())?;
        streams.running.push(Running {
            stream,
            thread,
            leases: 0,
        });
        Ok(streams.running.len() - 1)
    }
}

impl Drop for AudioPipeline {
    fn drop(&mut self) {
        let mut streams = self.shared.lock();
        streams.ended = true;
        let mut threads = std::mem::take(&mut streams.ending);
        for running in streams.running.drain(..) {
            running.stream.stop.raise();
            threads.push(running.thread);
        }
        drop(streams);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that captured audio panicked");
            }
        }
    }
}

/// Membership in a stream. Dropping it leaves; the last one to leave ends the capture.
pub struct AudioLease {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    token: u64,
}

impl AudioLease {
    /// What the stream does.
    #[must_use]
    pub fn status(&self) -> AudioStatus {
        self.stream.status()
    }
}

impl fmt::Debug for AudioLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioLease")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl Drop for AudioLease {
    fn drop(&mut self) {
        self.stream.leave(self.token);
        let mut streams = self.shared.lock();
        let ours = |running: &Running| Arc::ptr_eq(&running.stream, &self.stream);
        let Some(position) = streams.running.iter().position(ours) else {
            return;
        };
        let running = &mut streams.running[position];
        running.leases -= 1;
        if running.leases == 0 {
            running.stream.stop.raise();
            let ended = streams.running.swap_remove(position);
            streams.ending.retain(|thread| !thread.is_finished());
            streams.ending.push(ended.thread);
        }
    }
}
