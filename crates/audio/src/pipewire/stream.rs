//! The stream that captures: its format, and the place where its sound is handed over.
//!
//! Owns what the server calls; refuses to hold a lock for longer than it takes to copy.

use super::session::Session;
use super::sinks::Tap;
use crate::assembler::Assembler;
use crate::frame::AudioFrame;
use crate::layout::{AudioFormat, ChannelLayout, SAMPLE_RATE_HZ, Speaker};
use ::pipewire as pw;
use media::MonoTime;
use pw::properties::properties;
use pw::spa::param::audio::{AudioFormat as SampleFormat, AudioInfoRaw};
use pw::spa::pod::{Object, Pod, Value, serialize::PodSerializer};
use pw::spa::sys;
use pw::spa::utils::{Direction, SpaTypes};
use pw::stream::{Stream, StreamFlags, StreamListener, StreamRc, StreamState};
use rustix::event::{EventfdFlags, eventfd};
use std::io::Cursor;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where sound is handed over from PipeWire's threads to the capturing one.
#[derive(Debug)]
pub(super) struct Inlet {
    content: Mutex<Content>,
    wake: OwnedFd,
}

#[derive(Debug)]
struct Content {
    assembler: Assembler,
    failure: Option<String>,
}

/// What there is to take.
pub(super) enum Taken {
    Frame,
    Nothing,
    Failure(String),
}

impl Inlet {
    pub(super) fn new(format: AudioFormat) -> std::io::Result<Self> {
        Ok(Self {
            content: Mutex::new(Content {
                assembler: Assembler::new(format),
                failure: None,
            }),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8], now: MonoTime) {
        self.lock().assembler.push_le_bytes(bytes, now);
    }

    /// Tells that nothing more will come.
    pub(super) fn fail(&self, why: String) {
        self.lock().failure.get_or_insert(why);
        self.wake();
    }

    fn wake(&self) {
        // An eventfd write fails only when its counter is full: then it is readable already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Fills `frame`, if there is enough for one.
    pub(super) fn take(&self, frame: &mut AudioFrame) -> Taken {
        // What wakes after this has something that this call did not see.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut content = self.lock();
        if content.assembler.take(frame) {
            return Taken::Frame;
        }
        content
            .failure
            .take()
            .map_or(Taken::Nothing, Taken::Failure)
    }

    /// Readable when there may be something to take.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Starts a stream that captures `tap`.
pub(super) fn connect(
    session: &Session,
    format: AudioFormat,
    tap: &Tap,
    inlet: &Arc<Inlet>,
) -> Result<(StreamListener<()>, StreamRc), pw::Error> {
    let mut props = properties! {
        "media.type" => "Audio",
        "media.category" => "Capture",
        "media.role" => "Game",
        "node.name" => "heliostat-capture",
        "node.description" => "Heliostat",
        // The server rounds down to a power of two, and half a frame a turn would double its work
        // for a few milliseconds.
        "node.latency" => format!(
            "{}/{SAMPLE_RATE_HZ}",
            format.frame.samples().next_power_of_two()
        ),
    };
    if tap.is_sink {
        props.insert("stream.capture.sink", "true");
    }
    if let Some(serial) = &tap.serial {
        props.insert("target.object", serial.as_str());
        // When it goes, the stream ends and is started anew, rather than to hear something else.
        props.insert("node.dont-reconnect", "true");
    }
    let stream = StreamRc::new(session.core().clone(), "Stream of this desktop", props)?;
    let (sound, state) = (Arc::clone(inlet), Arc::clone(inlet));
    let listener = stream
        .add_local_listener::<()>()
        .process(move |stream, ()| take_in(stream, &sound))
        .state_changed(move |_, (), old, new| match (old, new) {
            (_, StreamState::Error(why)) => state.fail(why),
            (StreamState::Paused | StreamState::Streaming, StreamState::Unconnected) => {
                state.fail("the stream was ended".to_owned());
            }
            _ => {}
        })
        .register()?;
    let bytes = wanted_format(format.layout);
    let mut params: Vec<&Pod> = Pod::from_bytes(&bytes).into_iter().collect();
    // Without RT_PROCESS the sound is handed over in the loop, not in the thread that must never
    // wait for a lock.
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream.connect(Direction::Input, None, flags, &mut params)?;
    Ok((listener, stream))
}

/// Interleaved floats of these channels, as the server reads it.
fn wanted_format(layout: ChannelLayout) -> Vec<u8> {
    let mut info = AudioInfoRaw::new();
    info.set_format(SampleFormat::F32LE);
    info.set_rate(SAMPLE_RATE_HZ);
    info.set_channels(u32::try_from(layout.channels()).unwrap_or(2));
    let mut position = [0; sys::SPA_AUDIO_MAX_CHANNELS as usize];
    for (position, speaker) in position.iter_mut().zip(layout.speakers()) {
        *position = match speaker {
            Speaker::FrontLeft => sys::SPA_AUDIO_CHANNEL_FL,
            Speaker::FrontRight => sys::SPA_AUDIO_CHANNEL_FR,
            Speaker::Centre => sys::SPA_AUDIO_CHANNEL_FC,
            Speaker::Lfe => sys::SPA_AUDIO_CHANNEL_LFE,
            Speaker::BackLeft => sys::SPA_AUDIO_CHANNEL_RL,
            Speaker::BackRight => sys::SPA_AUDIO_CHANNEL_RR,
            Speaker::SideLeft => sys::SPA_AUDIO_CHANNEL_SL,
            Speaker::SideRight => sys::SPA_AUDIO_CHANNEL_SR,
        };
    }
    info.set_position(position);
    let object = Value::Object(Object {
        type_: SpaTypes::ObjectParamFormat.as_raw(),
        id: pw::spa::param::ParamType::EnumFormat.as_raw(),
        properties: info.into(),
    });
    let written = PodSerializer::serialize(Cursor::new(Vec::new()), &object);
    written.map_or_else(|_| Vec::new(), |(cursor, _)| cursor.into_inner())
}

/// Takes every buffer that is ready.
fn take_in(stream: &Stream, inlet: &Inlet) {
    let now = MonoTime::now();
    while let Some(mut buffer) = stream.dequeue_buffer() {
        let Some(data) = buffer.datas_mut().first_mut() else {
            continue;
        };
        let start = data.chunk().offset() as usize;
        let end = start.saturating_add(data.chunk().size() as usize);
        // The place of the sound is written by another process: it is believed only as far as
        // there is memory.
        if let Some(bytes) = data.data().and_then(|bytes| bytes.get(start..end)) {
            inlet.push(bytes, now);
        }
    }
    inlet.wake();
}
