//! Listens to a source, through Opus, until what it hears is what is played.

use crate::spectrum::{STUTTERING, each_channel_has_its_tone};
use audio::{
    AudioFormat, AudioFrame, AudioServers, AudioSpec, Heard, HostAudio, OpusConfig, OpusDecoder,
    OpusEncoder, Quality, Source, SourceRequest, StopSignal,
};
use media::MonoTime;
use std::time::Duration;

/// What is looked at at once; longer than any pause between two periods of a server.
const WINDOW_FRAMES: usize = 100;
/// Tones are heard within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(90);

/// A source with an encoder and a decoder behind it.
pub(crate) struct Listener {
    pub(crate) source: Box<dyn Source>,
    stop: StopSignal,
    frame: AudioFrame,
    encoder: OpusEncoder,
    decoder: OpusDecoder,
    packet: Vec<u8>,
    decoded: Vec<f32>,
}

impl Listener {
    pub(crate) fn open(spec: &str, request: &SourceRequest) -> Self {
        let stop = StopSignal::new().unwrap();
        let spec: AudioSpec = spec.parse().unwrap();
        let source = audio::open(&spec, request, &stop).unwrap();
        let config = OpusConfig::gamestream(request.format, Quality::High);
        Self {
            source,
            stop,
            frame: AudioFrame::new(request.format),
            encoder: OpusEncoder::new(&config).unwrap(),
            decoder: OpusDecoder::new(&config).unwrap(),
            packet: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// The next frame, raw.
    pub(crate) fn frame(&mut self) -> &AudioFrame {
        let soon = MonoTime::now() + PATIENCE;
        let heard = self
            .source
            .next_frame(&mut self.frame, soon, &self.stop)
            .unwrap();
        assert_eq!(heard, Heard::Frame);
        &self.frame
    }

    /// The next frame as a client hears it.
    fn decoded_frame(&mut self) -> &[f32] {
        self.frame();
        self.encoder
            .encode(self.frame.values(), &mut self.packet)
            .unwrap();
        self.decoder
            .decode(&self.packet, &mut self.decoded)
            .unwrap();
        &self.decoded
    }

    /// Listens until each channel has its tone.
    pub(crate) fn hears_every_tone(&mut self) {
        let started = MonoTime::now();
        let layout = self.frame.format().layout;
        loop {
            let mut sound = Vec::new();
            for _ in 0..WINDOW_FRAMES {
                sound.extend_from_slice(self.decoded_frame());
            }
            match each_channel_has_its_tone(&sound, layout, STUTTERING) {
                Ok(()) => return,
                Err(why) => assert!(MonoTime::now().since(started) < PATIENCE, "{why}"),
            }
        }
    }
}

/// A request for such frames of these servers.
pub(crate) fn request(
    servers: AudioServers,
    format: AudioFormat,
    host_audio: HostAudio,
) -> SourceRequest {
    SourceRequest {
        target: None,
        format,
        host_audio,
        servers,
    }
}
