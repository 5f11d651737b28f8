//! From what a client announced to a running session: what can be served is agreed, threads are
//! started, and everybody who has to know is told, at the beginning and at the end.

use crate::host::{Begun, Host};
use crate::house::House;
use crate::lobby::{Announced, Lobby};
use crate::registry::Registry;
use crate::session::{Agreed, Session};
use crate::sound::{SoundParts, SoundThread};
use crate::video::{VideoParts, VideoThread};
use control_api::EndReason;
use events::{EventSink, ViewerId};
use gamestream_proto::adapt::{AudioFraming, LinkAdapter, LinkLimits, VideoFraming};
use gamestream_proto::audio::{AudioQuality, OpusLayout};
use gamestream_proto::rtsp::{AudioRequest, PendingAnnounce, Status, StreamRequest, VideoCodec};
use gamestream_proto::video::{Protection, VideoSettings};
use media::{Bitrate, Codec, MonoTime, QualityProfile, StreamParams};
use net::{Alarm, Port};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Parity of a calm link, in percent of the data.
pub(crate) const FEC_PERCENT: u8 = 20;

/// What sessions are started with.
pub(crate) struct Starter {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) video: Arc<Port>,
    pub(crate) audio: Arc<Port>,
    pub(crate) events: EventSink,
    /// Wakes the control thread.
    pub(crate) control: Alarm,
    /// Told of each session's first picture and of its end.
    pub(crate) house: Arc<House>,
    pub(crate) lobby: Arc<Lobby>,
}

impl Starter {
    /// Starts what was announced: what RTSP answers.
    pub(crate) fn start(self: &Arc<Self>, announced: Announced) -> (Status, PendingAnnounce) {
        let Announced {
            launch,
            request,
            ping,
            connect_data,
            pending,
        } = announced;
        let viewer = launch.viewer;
        let plays_on_host = launch.parameters.play_on_host.unwrap_or(false);
        let agreed = Agreed {
            viewer,
            client: launch.client,
            address: launch.address,
            key: launch.parameters.key,
            key_id: launch.parameters.key_id,
            stream: request,
            ping,
            connect_data,
        };
        match self.begin(agreed, plays_on_host) {
            Ok(()) => (Status::Ok, pending),
            Err(why) => {
                tracing::warn!(viewer = viewer.0, %why, "a Moonlight stream does not start");
                (Status::Unavailable, pending)
            }
        }
    }

    fn begin(self: &Arc<Self>, agreed: Agreed, plays_on_host: bool) -> Result<(), String> {
        let now = MonoTime::now();
        let (viewer, request) = (agreed.viewer, agreed.stream);
        let limits = LinkLimits {
            wire_bps: request.video.bitrate_kbps.saturating_mul(1000),
            fec_percent: FEC_PERCENT,
        };
        let framing = framing(&request);
        let encoder = framing.encoder_bps(limits.wire_bps, limits.fec_percent);
        let params = params(&request, encoder);
        let begun = Begun {
            viewer,
            client: agreed.client.clone(),
            address: SocketAddr::new(agreed.address, 0),
            params,
        };
        let session = Session::new(agreed, self.control.clone());
        let session = Arc::new(session.map_err(|error| error.to_string())?);
        let video = VideoThread::new(
            VideoParts {
                session: Arc::clone(&session),
                host: Arc::clone(&self.host),
                port: Arc::clone(&self.video),
                events: self.events.clone(),
                params,
                settings: VideoSettings {
                    packet_size: request.video.packet_bytes.into(),
                    protection: Protection::new(FEC_PERCENT, request.video.min_fec_packets),
                },
                encrypted: request.encryption.video,
                house: Arc::clone(&self.house),
                adapter: LinkAdapter::new(limits, now),
                framing,
            },
            now,
        )?;
        let sound = self.sound(&session, plays_on_host);
        // Known before it begins: whoever is told of it may end it at once.
        self.registry.add(Arc::clone(&session));
        if let Err(why) = self.host.begin(begun) {
            self.registry.remove(viewer);
            return Err(why);
        }
        let starter = Arc::clone(self);
        let spawned = thread::Builder::new()
            .name(format!("moonlight-{}", viewer.0))
            .spawn(move || {
                let sound = sound.and_then(|sound| {
                    let name = format!("moonlight-snd-{}", viewer.0);
                    let spawned = thread::Builder::new().name(name);
                    spawned.spawn(move || sound.run()).ok()
                });
                video.run();
                // Both are done with the session before it is forgotten; a panic is in the log.
                let _ = sound.map(JoinHandle::join);
                starter.end(&session);
            });
        spawned.map(drop).map_err(|error| {
            self.forget(viewer, EndReason::Error);
            error.to_string()
        })
    }

    /// A stream without sound is better than none.
    fn sound(&self, session: &Arc<Session>, plays_on_host: bool) -> Option<SoundThread> {
        let parts = SoundParts {
            session: Arc::clone(session),
            port: Arc::clone(&self.audio),
            pipeline: self.host.audio(),
            plays_on_host,
        };
        match SoundThread::new(parts) {
            Ok(sound) => Some(sound),
            Err(error) => {
                tracing::warn!(viewer = session.viewer().0, %error, "a stream without sound");
                None
            }
        }
    }

    /// The session's thread is done with it.
    fn end(&self, session: &Session) {
        // A thread that ends by itself has said why.
        let reason = session.ended().unwrap_or(EndReason::Error);
        session.end(reason);
        tracing::info!(viewer = session.viewer().0, %reason, "a Moonlight stream has ended");
        self.forget(session.viewer(), reason);
    }

    fn forget(&self, viewer: ViewerId, reason: EndReason) {
        self.registry.remove(viewer);
        self.host.ended(viewer, reason);
        self.lobby.leave(viewer);
        self.house.gone(viewer, reason);
    }
}

/// What else takes its share of the client's budget.
fn framing(request: &StreamRequest) -> VideoFraming {
    VideoFraming {
        packet_size: request.video.packet_bytes,
        encrypted: request.encryption.video,
        min_parity: request.video.min_fec_packets,
        rate: request.video.mode.rate,
        audio: OpusLayout::find(request.audio.channels, quality(&request.audio)).map(|layout| {
            AudioFraming {
                bitrate_bps: layout.bitrate_bps,
                frame_ms: request.audio.packet_ms,
                encrypted: request.encryption.audio,
            }
        }),
    }
}

pub(crate) const fn quality(request: &AudioRequest) -> AudioQuality {
    match request.high_quality {
        true => AudioQuality::High,
        false => AudioQuality::Normal,
    }
}

/// What the pipeline is asked for. The client's decoder is set up for exactly this size.
fn params(request: &StreamRequest, encoder: Bitrate) -> StreamParams {
    StreamParams {
        size: Some(request.video.mode.size),
        rate: request.video.mode.rate,
        bitrate: encoder,
        codec: match request.video.codec {
            VideoCodec::H264 => Codec::H264,
            VideoCodec::Hevc => Codec::Hevc,
            VideoCodec::Av1 => Codec::Av1,
        },
        profile: QualityProfile::Latency,
        slices: request.video.slices_per_frame.max(1),
    }
}
