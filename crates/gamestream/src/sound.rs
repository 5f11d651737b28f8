//! The sound of one session: takes encoded frames as they come, protects and seals them, and sends each
//! at once. Without sound to be had it sends silence, so that the client's clock goes on.

use crate::session::Session;
use crate::start::quality;
use audio::{
    AcquireError, AudioFormat, AudioLease, AudioPipeline, AudioRequest, ChannelLayout,
    FrameDuration, HostAudio, InSilence, OpusConfig, OpusError, OpusQueue, Quality, WithoutSource,
};
use gamestream_proto::audio::{AudioKey, AudioPacketiser, AudioQuality, OpusLayout};
use gamestream_proto::packet_error::PacketError;
use gamestream_proto::rtsp;
use media::PacketBatch;
use net::{Port, Route, readable, sleep};
use pipeline::priority;
use std::sync::Arc;

/// Frames that may wait for the thread: 20 to 40 ms of sound.
const QUEUE_DEPTH: usize = 4;
/// A frame and the parity of its block.
const MAX_PACKETS: usize = 3;
const PACKET_BYTES: usize = 1400;

/// Why a session has no sound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoundError {
    /// The client asks for what cannot be.
    #[error("there is no layout of {0} channels")]
    Layout(u8),
    #[error(transparent)]
    Opus(#[from] OpusError),
    #[error(transparent)]
    Packets(#[from] PacketError),
    #[error(transparent)]
    Capture(#[from] AcquireError),
}

/// What a session's sound is encoded as.
fn opus(request: &rtsp::AudioRequest) -> Result<OpusConfig, SoundError> {
    let unknown = || SoundError::Layout(request.channels);
    let format = AudioFormat {
        layout: match request.channels {
            2 => ChannelLayout::Stereo,
            6 => ChannelLayout::Surround51,
            8 => ChannelLayout::Surround71,
            _ => return Err(unknown()),
        },
        frame: match request.packet_ms {
            10 => FrameDuration::Ms10,
            _ => FrameDuration::Ms5,
        },
    };
    let quality = quality(request);
    let preset = match quality {
        AudioQuality::High => Quality::High,
        AudioQuality::Normal => Quality::Normal,
    };
    let layout = OpusLayout::find(request.channels, quality).ok_or_else(unknown)?;
    let config = OpusConfig::gamestream(format, preset);
    // The client decodes by what was announced, which is made from the same table.
    let (streams, coupled) = (layout.streams, layout.coupled_streams);
    Ok(config.with_streams(streams, coupled, layout.encoder_mapping())?)
}

/// What the thread works with.
pub(crate) struct SoundParts {
    pub(crate) session: Arc<Session>,
    pub(crate) port: Arc<Port>,
    pub(crate) pipeline: Arc<AudioPipeline>,
    /// Whether the host plays on while the client listens.
    pub(crate) plays_on_host: bool,
}

/// The sound of a session.
pub(crate) struct SoundThread {
    session: Arc<Session>,
    port: Arc<Port>,
    queue: Arc<OpusQueue>,
    /// Held as long as somebody listens.
    _lease: AudioLease,
    packetiser: AudioPacketiser,
    batch: PacketBatch,
}

impl SoundThread {
    pub(crate) fn new(parts: SoundParts) -> Result<Self, SoundError> {
        let agreed = &parts.session.agreed;
        let request = agreed.stream.audio;
        let key = agreed.stream.encryption.audio.then(|| AudioKey {
            key: *agreed.key.bytes(),
            key_id: agreed.key_id.cast_unsigned(),
        });
        let packetiser = AudioPacketiser::new(request.packet_ms, key.as_ref())?;
        let alarm = parts.session.audio.alarm.clone();
        let queue = OpusQueue::new(QUEUE_DEPTH, move || alarm.ring());
        let wanted = AudioRequest {
            opus: opus(&request)?,
            host_audio: match parts.plays_on_host {
                true => HostAudio::Audible,
                false => HostAudio::Silent,
            },
            without_source: WithoutSource::Silence,
            in_silence: InSilence::Frames,
        };
        let lease = parts.pipeline.acquire(&wanted, Arc::clone(&queue))?;
        Ok(Self {
            session: parts.session,
            port: parts.port,
            queue,
            _lease: lease,
            packetiser,
            batch: PacketBatch::with_capacity(MAX_PACKETS, PACKET_BYTES),
        })
    }

    /// Runs until the session is over.
    pub(crate) fn run(mut self) {
        priority::raise(priority::SEND_NICE);
        while self.session.ended().is_none() {
            let alarm = &self.session.audio.alarm;
            if let Err(error) = sleep(&mut [readable(alarm)], None) {
                tracing::error!(%error, "a thread that sends sound cannot sleep");
                return;
            }
            alarm.hush();
            let route = self.session.audio.route();
            while let Some(frame) = self.queue.pop() {
                // Before the client says where its sound goes there is nothing to be late for.
                if let Some(route) = route {
                    self.send(route, &frame.bytes);
                }
            }
            if self.queue.is_closed() {
                return;
            }
        }
    }

    fn send(&mut self, route: Route, opus: &[u8]) {
        match self.packetiser.packetise(opus, &mut self.batch) {
            Ok(()) => {
                for packet in self.batch.iter() {
                    self.port.send_run(route, packet, packet.len());
                }
            }
            Err(error) => tracing::debug!(%error, "a frame of sound was not sent"),
        }
    }
}
