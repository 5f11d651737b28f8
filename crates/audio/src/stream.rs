//! One stream of sound: the thread that captures it, encodes it and hands it to its listeners.
//!
//! Owns the source, the encoders and the pace; refuses to decide who listens, which `pipeline` does.

use crate::backends::AudioSpec;
use crate::frame::AudioFrame;
use crate::layout::AudioFormat;
use crate::opening::{Opening, Progress, ToOpen};
use crate::opus::{OpusConfig, OpusEncoder, OpusError};
use crate::pace::Pace;
use crate::pipeline::{InSilence, WithoutSource};
use crate::priority;
use crate::queue::{MAX_QUEUE_DEPTH, OpusFrame, OpusQueue};
use crate::source::{Heard, HostAudio, Source, SourceRequest};
use crate::status::{AudioState, AudioStatus};
use crate::stop::StopSignal;
use media::{MonoTime, Pool};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Buffers of one encoder: a full queue, and a frame in each of many hands.
const FRAMES_OF_ENCODER: usize = 2 * MAX_QUEUE_DEPTH;
/// After so many frames of silence in a row all packets are the same.
const SETTLED_FRAMES: u32 = 16;
/// How often those who want gaps in silence get a frame: as often as from discontinuous encoders.
const GAP: Duration = Duration::from_millis(400);
/// Where nobody wants silence, and there is no sound, changes are looked for this often.
const IDLE_LOOK: Duration = Duration::from_millis(250);
/// The bits of an Opus packet's first byte that say how many frames follow; 0 is one.
const FRAME_COUNT_BITS: u8 = 3;

/// Streams with equal keys are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamKey {
    pub(crate) format: AudioFormat,
    pub(crate) host_audio: HostAudio,
}

/// Somebody who listens.
pub(crate) struct Consumer {
    pub(crate) token: u64,
    pub(crate) config: OpusConfig,
    pub(crate) without_source: WithoutSource,
    pub(crate) in_silence: InSilence,
    pub(crate) queue: Arc<OpusQueue>,
    /// Used if nobody else listens to such packets.
    pub(crate) encoder: OpusEncoder,
}

enum Change {
    Join(Box<Consumer>),
    Leave(u64),
}

/// Told about each change of a status, from the thread that made it.
pub(crate) type OnStatus = Arc<dyn Fn(&AudioStatus) + Send + Sync>;

/// What the stream's thread shares with those who hold leases.
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) stop: StopSignal,
    changes: Mutex<Vec<Change>>,
    state: Mutex<AudioState>,
    consumers: AtomicU64,
    frames: AtomicU64,
    filled: AtomicU64,
    on_status: OnStatus,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    pub(crate) fn new(key: StreamKey, on_status: OnStatus) -> std::io::Result<Self> {
        Ok(Self {
            key,
            stop: StopSignal::new()?,
            changes: Mutex::default(),
            state: Mutex::new(AudioState::Opening),
            consumers: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            filled: AtomicU64::new(0),
            on_status,
        })
    }

    pub(crate) fn join(&self, consumer: Consumer) {
        lock(&self.changes).push(Change::Join(Box::new(consumer)));
    }

    pub(crate) fn leave(&self, token: u64) {
        lock(&self.changes).push(Change::Leave(token));
    }

    pub(crate) fn status(&self) -> AudioStatus {
        AudioStatus {
            format: self.key.format,
            host_audio: self.key.host_audio,
            state: lock(&self.state).clone(),
            consumers: usize::try_from(self.consumers.load(Ordering::Relaxed)).unwrap_or(0),
            frames: self.frames.load(Ordering::Relaxed),
            filled: self.filled.load(Ordering::Relaxed),
        }
    }

    fn set_state(&self, state: AudioState) {
        let mut present = lock(&self.state);
        if *present == state {
            return;
        }
        present.clone_from(&state);
        drop(present);
        match state {
            AudioState::Opening => {}
            AudioState::Capturing(source) => tracing::info!("audio: {}", source.detail),
            AudioState::Silent(why) => tracing::warn!("audio is silent: {why}"),
        }
        (self.on_status)(&self.status());
    }
}

/// What the thread is started with.
pub(crate) struct Start {
    pub(crate) stream: Arc<Stream>,
    pub(crate) spec: AudioSpec,
    pub(crate) request: SourceRequest,
    /// Threads of streams that are ending.
    pub(crate) predecessors: Vec<JoinHandle<()>>,
}

/// Packets of one kind, and who gets them.
struct Encoding {
    encoder: OpusEncoder,
    pool: Pool<OpusFrame>,
    consumers: Vec<Consumed>,
    /// Frames of silence in a row, and the packet that they settled on.
    silent_frames: u32,
    silence: Vec<u8>,
}

/// A consumer of an [`Encoding`].
struct Consumed {
    token: u64,
    without_source: WithoutSource,
    in_silence: InSilence,
    queue: Arc<OpusQueue>,
}

impl Consumed {
    fn wants(&self, filled: bool) -> bool {
        !filled || self.without_source == WithoutSource::Silence
    }
}

enum Sound {
    Opening(Opening),
    Open(Box<dyn Source>),
    /// There will be none: opening again cannot help.
    None,
}

/// The thread's own state.
pub(crate) struct CaptureLoop {
    start: Start,
    frame: AudioFrame,
    pace: Pace,
    encodings: Vec<Encoding>,
    index: u64,
}

impl CaptureLoop {
    pub(crate) fn new(start: Start) -> Self {
        let format = start.stream.key.format;
        Self {
            start,
            frame: AudioFrame::new(format),
            pace: Pace::new(format.frame.duration(), MonoTime::now()),
            encodings: Vec::new(),
            index: 0,
        }
    }

    /// Serves listeners until the stop signal is raised.
    pub(crate) fn run(mut self) {
        priority::raise();
        let stream = Arc::clone(&self.start.stream);
        let mut sound = self.open();
        while !stream.stop.is_raised() {
            self.apply_changes();
            sound = match sound {
                Sound::Open(source) => self.listen(source),
                Sound::Opening(opening) => self.wait_for(opening),
                Sound::None => self.wait(),
            };
        }
        // What was changed on the host is put back before listeners hear that it is over.
        drop(sound);
        self.apply_changes();
        for consumer in self.encodings.iter().flat_map(|e| &e.consumers) {
            consumer.queue.close();
        }
    }

    fn open(&mut self) -> Sound {
        let opening = Opening::start(ToOpen {
            spec: self.start.spec.clone(),
            request: self.start.request.clone(),
            stop: self.start.stream.stop.clone(),
            predecessors: std::mem::take(&mut self.start.predecessors),
        });
        match opening {
            Ok(opening) => Sound::Opening(opening),
            Err(error) => self.silent(error.to_string()),
        }
    }

    fn silent(&self, why: String) -> Sound {
        self.start.stream.set_state(AudioState::Silent(why));
        Sound::None
    }

    /// A frame from the source, or silence in its place.
    fn listen(&mut self, mut source: Box<dyn Source>) -> Sound {
        let deadline = self.deadline();
        let stop = &self.start.stream.stop;
        match source.next_frame(&mut self.frame, deadline, stop) {
            Ok(Heard::Frame) => {
                if self.pace.accepts(self.frame.captured) {
                    self.deliver(false);
                }
                Sound::Open(source)
            }
            Ok(Heard::Late) => {
                self.fill();
                Sound::Open(source)
            }
            Ok(Heard::Stopped) => Sound::Open(source),
            Err(error) => {
                let state = AudioState::Silent(error.to_string());
                self.start.stream.set_state(state);
                self.pace.source_lost(MonoTime::now());
                drop(source);
                self.open()
            }
        }
    }

    /// Silence until the source is there.
    fn wait_for(&mut self, opening: Opening) -> Sound {
        match opening.news() {
            Some(Progress::Opened(source)) => {
                let state = AudioState::Capturing(source.info());
                self.start.stream.set_state(state);
                return Sound::Open(source);
            }
            Some(Progress::Failed(why)) => {
                self.start.stream.set_state(AudioState::Silent(why));
            }
            None => {}
        }
        let waited = opening.wait(self.deadline(), &self.start.stream.stop);
        if let Err(error) = waited {
            return self.silent(error.to_string());
        }
        self.fill();
        Sound::Opening(opening)
    }

    /// Silence for good.
    fn wait(&mut self) -> Sound {
        let stop = &self.start.stream.stop;
        if stop.wait_until(None, self.deadline()).is_err() {
            // Without a way to wait the thread must not spin.
            std::thread::sleep(self.start.stream.key.format.frame.duration());
        }
        self.fill();
        Sound::None
    }

    /// When the thread has something to do even if no sound comes.
    fn deadline(&self) -> MonoTime {
        if self.is_silence_wanted() {
            self.pace.deadline()
        } else {
            MonoTime::now() + IDLE_LOOK
        }
    }

    fn is_silence_wanted(&self) -> bool {
        let mut consumers = self.encodings.iter().flat_map(|e| &e.consumers);
        consumers.any(|consumer| consumer.wants(true))
    }

    /// Sends the silence that is due, if any is and somebody wants it.
    fn fill(&mut self) {
        if !self.is_silence_wanted() {
            return;
        }
        if let Some(start) = self.pace.silence_due(MonoTime::now()) {
            self.frame.silence();
            self.frame.captured = start;
            self.deliver(true);
        }
    }

    /// Encodes the frame once for each kind of packet, and hands it to those who want it.
    fn deliver(&mut self, filled: bool) {
        let stream = &self.start.stream;
        let (index, silent) = (self.index, self.frame.is_silent());
        self.index += 1;
        stream.frames.fetch_add(1, Ordering::Relaxed);
        stream
            .filled
            .fetch_add(u64::from(filled), Ordering::Relaxed);
        for encoding in &mut self.encodings {
            let delivered = encoding.deliver(&self.frame, silent, |packet| {
                packet.index = index;
                packet.filled = filled;
            });
            if let Err(error) = delivered {
                tracing::trace!("a frame of audio was not encoded: {error}");
            }
        }
    }

    /// Lets consumers in and out.
    fn apply_changes(&mut self) {
        let changes = std::mem::take(&mut *lock(&self.start.stream.changes));
        if changes.is_empty() {
            return;
        }
        for change in changes {
            match change {
                Change::Join(consumer) => self.join(*consumer),
                Change::Leave(token) => {
                    for encoding in &mut self.encodings {
                        encoding
                            .consumers
                            .retain(|consumer| consumer.token != token);
                    }
                    self.encodings.retain(|e| !e.consumers.is_empty());
                }
            }
        }
        let consumers: usize = self.encodings.iter().map(|e| e.consumers.len()).sum();
        let stream = &self.start.stream;
        stream.consumers.store(consumers as u64, Ordering::Relaxed);
        (stream.on_status)(&stream.status());
    }

    fn join(&mut self, consumer: Consumer) {
        let consumed = Consumed {
            token: consumer.token,
            without_source: consumer.without_source,
            in_silence: consumer.in_silence,
            queue: consumer.queue,
        };
        let same = |encoding: &&mut Encoding| *encoding.encoder.config() == consumer.config;
        match self.encodings.iter_mut().find(same) {
            Some(encoding) => encoding.consumers.push(consumed),
            None => self.encodings.push(Encoding {
                encoder: consumer.encoder,
                pool: Pool::new(FRAMES_OF_ENCODER),
                consumers: vec![consumed],
                silent_frames: 0,
                silence: Vec::new(),
            }),
        }
    }
}

impl Encoding {
    /// Hands the frame to those who want it. Silence that has settled is encoded no more.
    fn deliver(
        &mut self,
        frame: &AudioFrame,
        silent: bool,
        number: impl Fn(&mut OpusFrame),
    ) -> Result<(), OpusError> {
        let mut numbered = OpusFrame::default();
        number(&mut numbered);
        if !self.consumers.iter().any(|c| c.wants(numbered.filled)) {
            return Ok(());
        }
        self.silent_frames = match silent {
            true => self.silent_frames.saturating_add(1),
            false => 0,
        };
        let settled_for = self.silent_frames.saturating_sub(SETTLED_FRAMES);
        let gap_frames = GAP.div_duration_f32(frame.format().frame.duration()) as u32;
        let (in_gap, due) = (settled_for > 0, settled_for % gap_frames.max(1) == 1);
        let wants = |consumer: &&Consumed, gap: bool| {
            let is_in_gap = in_gap && consumer.in_silence == InSilence::Gaps;
            consumer.wants(numbered.filled) && is_in_gap == gap
        };
        if self.consumers.iter().any(|c| wants(&c, false)) {
            // Without a buffer the gap in the numbers tells: every one is in somebody's hands.
            if let Some(packet) = self.packet(frame, &number)? {
                for consumer in self.consumers.iter().filter(|c| wants(c, false)) {
                    consumer.queue.push(Arc::clone(&packet));
                }
            }
        }
        if due
            && self.consumers.iter().any(|c| wants(&c, true))
            && let Some(packet) = self.gap_packet(frame, &number)?
        {
            for consumer in self.consumers.iter().filter(|c| wants(c, true)) {
                consumer.queue.push(Arc::clone(&packet));
            }
        }
        Ok(())
    }

    fn packet(
        &mut self,
        frame: &AudioFrame,
        number: impl Fn(&mut OpusFrame),
    ) -> Result<Option<Arc<OpusFrame>>, OpusError> {
        let Self {
            encoder,
            pool,
            silent_frames,
            silence,
            ..
        } = self;
        pool.fill(
            || Ok(OpusFrame::default()),
            |packet| {
                packet.captured = frame.captured;
                packet.format = frame.format();
                if *silent_frames > SETTLED_FRAMES {
                    packet.bytes.clone_from(silence);
                } else {
                    encoder.encode(frame.values(), &mut packet.bytes)?;
                }
                if *silent_frames == SETTLED_FRAMES {
                    silence.clone_from(&packet.bytes);
                }
                number(packet);
                Ok(())
            },
        )
    }

    /// A frame without any sound in it: its first byte says what it would be, and nothing follows.
    fn gap_packet(
        &mut self,
        frame: &AudioFrame,
        number: impl Fn(&mut OpusFrame),
    ) -> Result<Option<Arc<OpusFrame>>, OpusError> {
        let Self { pool, silence, .. } = self;
        pool.fill(
            || Ok(OpusFrame::default()),
            |packet| {
                packet.captured = frame.captured;
                packet.format = frame.format();
                packet.bytes.clear();
                let first = silence.first().map(|byte| byte & !FRAME_COUNT_BITS);
                packet.bytes.extend(first);
                number(packet);
                Ok(())
            },
        )
    }
}
