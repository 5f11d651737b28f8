//! The fan-out: who gets which packets, what a slow one costs, and what happens when sound goes.

use crate::servers::{Kind, Servers, until};
use crate::spectrum::{STUTTERING, each_channel_has_its_tone};
use audio::{
    AcquireError, AudioFormat, AudioOptions, AudioPipeline, AudioRequest, AudioServers, AudioState,
    ChannelLayout, FrameDuration, HostAudio, InSilence, OpusConfig, OpusDecoder, OpusFrame,
    OpusQueue, Quality, WithoutSource,
};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const STEREO: AudioFormat = AudioFormat {
    layout: ChannelLayout::Stereo,
    frame: FrameDuration::Ms5,
};
/// Anything that is waited for comes within this, or not at all.
const PATIENCE: Duration = Duration::from_secs(90);

fn gamestream() -> AudioRequest {
    AudioRequest {
        opus: OpusConfig::gamestream(STEREO, Quality::Normal),
        host_audio: HostAudio::Silent,
        without_source: WithoutSource::Silence,
        in_silence: InSilence::Frames,
    }
}

fn pipeline(spec: &str, servers: AudioServers) -> AudioPipeline {
    let spec = spec.parse().unwrap();
    AudioPipeline::new(AudioOptions { spec, servers }, |_| {})
}

/// A queue, and what hears its alarm.
struct Ear {
    queue: Arc<OpusQueue>,
    woken: Receiver<()>,
}

impl Ear {
    fn new(depth: usize) -> Self {
        let (wake, woken) = channel();
        let queue = OpusQueue::new(depth, move || {
            let _ = wake.send(());
        });
        Self { queue, woken }
    }

    /// The next frame; waits for it.
    fn next(&self) -> Arc<OpusFrame> {
        loop {
            if let Some(frame) = self.queue.pop() {
                return frame;
            }
            self.woken.recv_timeout(PATIENCE).expect("a frame comes");
        }
    }

    /// Listens until each channel has its tone; how many frames that took.
    fn hears_every_tone(&self, config: &OpusConfig) -> usize {
        let mut decoder = OpusDecoder::new(config).unwrap();
        let (mut decoded, mut frames, started) = (Vec::new(), 0, Instant::now());
        loop {
            let mut sound = Vec::new();
            for _ in 0..100 {
                decoder.decode(&self.next().bytes, &mut decoded).unwrap();
                sound.extend_from_slice(&decoded);
                frames += 1;
            }
            match each_channel_has_its_tone(&sound, config.format.layout, STUTTERING) {
                Ok(()) => return frames,
                Err(why) => assert!(started.elapsed() < PATIENCE, "{why}"),
            }
        }
    }
}

/// Servers that are not there.
fn nowhere() -> AudioServers {
    AudioServers {
        pulse: Some("/nowhere/pulse".into()),
        pipewire: Some("/nowhere/pipewire".into()),
    }
}

#[test]
fn equal_packets_are_encoded_once_and_others_for_themselves() {
    let pipeline = pipeline("tone", nowhere());
    let (first, second, other) = (Ear::new(32), Ear::new(32), Ear::new(32));
    let high = AudioRequest {
        opus: OpusConfig::gamestream(STEREO, Quality::High),
        ..gamestream()
    };
    let _leases = [
        pipeline
            .acquire(&gamestream(), Arc::clone(&first.queue))
            .unwrap(),
        pipeline
            .acquire(&gamestream(), Arc::clone(&second.queue))
            .unwrap(),
        pipeline.acquire(&high, Arc::clone(&other.queue)).unwrap(),
    ];
    let one = first.next();
    let same = std::iter::repeat_with(|| second.next()).find(|frame| frame.index >= one.index);
    let same = same.unwrap();
    let one = std::iter::once(one)
        .chain(std::iter::repeat_with(|| first.next()))
        .find(|frame| frame.index >= same.index)
        .unwrap();
    assert!(Arc::ptr_eq(&one, &same));
    assert_ne!(other.next().bytes.len(), one.bytes.len());
    first.hears_every_tone(&gamestream().opus);
    other.hears_every_tone(&high.opus);
    assert_eq!(pipeline.status().len(), 1, "one capture serves all three");
}

#[test]
fn frames_come_in_their_order_at_their_time() {
    let pipeline = pipeline("tone", nowhere());
    let ear = Ear::new(32);
    let _lease = pipeline
        .acquire(&gamestream(), Arc::clone(&ear.queue))
        .unwrap();
    let mut last = std::iter::repeat_with(|| ear.next())
        .find(|f| !f.filled)
        .unwrap();
    for _ in 0..100 {
        let next = ear.next();
        assert!(next.index > last.index && next.captured > last.captured);
        last = next;
    }
}

#[test]
fn a_consumer_that_does_not_read_loses_the_oldest_and_the_others_notice_nothing() {
    let pipeline = pipeline("tone", nowhere());
    let (slow, quick) = (Ear::new(2), Ear::new(32));
    let _slow = pipeline
        .acquire(&gamestream(), Arc::clone(&slow.queue))
        .unwrap();
    let _quick = pipeline
        .acquire(&gamestream(), Arc::clone(&quick.queue))
        .unwrap();
    let heard: Vec<u64> = (0..50).map(|_| quick.next().index).collect();
    assert_eq!(quick.queue.dropped(), 0);
    assert!(slow.queue.dropped() >= 40, "{}", slow.queue.dropped());
    assert!(slow.next().index + 2 >= heard[49]);
}

#[test]
fn capture_ends_with_the_last_lease_and_begins_anew_with_the_next() {
    let pipeline = pipeline("tone", nowhere());
    for _ in 0..3 {
        let ear = Ear::new(32);
        let first = pipeline
            .acquire(&gamestream(), Arc::clone(&ear.queue))
            .unwrap();
        let second = pipeline
            .acquire(&gamestream(), Arc::clone(&ear.queue))
            .unwrap();
        ear.next();
        drop(first);
        assert_eq!(pipeline.status().len(), 1);
        drop(second);
        assert_eq!(pipeline.status(), []);
    }
}

#[test]
fn consumers_hear_that_the_pipeline_has_ended() {
    let pipeline = pipeline("tone", nowhere());
    let ear = Ear::new(32);
    let lease = pipeline
        .acquire(&gamestream(), Arc::clone(&ear.queue))
        .unwrap();
    ear.next();
    drop(pipeline);
    assert!(ear.queue.is_closed());
    while ear.woken.try_recv().is_ok() {}
    drop(lease);
}

#[test]
fn packets_that_cannot_be_are_refused_and_start_nothing() {
    let pipeline = pipeline("tone", nowhere());
    let mut request = gamestream();
    request.opus.bitrate_bps = 1;
    let refused = pipeline.acquire(&request, OpusQueue::new(8, || {}));
    assert!(matches!(refused, Err(AcquireError::Opus(_))));
    assert_eq!(pipeline.status(), []);
}

#[test]
fn without_a_server_there_is_silence_for_those_who_want_it_and_a_reason_for_people() {
    let (tell, told) = channel();
    let options = AudioOptions {
        spec: "auto".parse().unwrap(),
        servers: nowhere(),
    };
    let pipeline = AudioPipeline::new(options, move |status| drop(tell.send(status.clone())));
    let (clock, none) = (Ear::new(32), Ear::new(32));
    let nothing = AudioRequest {
        without_source: WithoutSource::Nothing,
        ..gamestream()
    };
    let _none = pipeline.acquire(&nothing, Arc::clone(&none.queue)).unwrap();
    let _clock = pipeline
        .acquire(&gamestream(), Arc::clone(&clock.queue))
        .unwrap();
    let started = Instant::now();
    let config = gamestream().opus;
    let (mut decoder, mut decoded) = (OpusDecoder::new(&config).unwrap(), Vec::new());
    for _ in 0..100 {
        let frame = clock.next();
        assert!(frame.filled);
        assert_eq!(frame.bytes.len(), config.packet_bytes());
        decoder.decode(&frame.bytes, &mut decoded).unwrap();
        assert!(decoded.iter().all(|value| value.abs() < 1e-3));
    }
    assert!(
        started.elapsed() >= STEREO.frame.duration() * 95,
        "no faster than time"
    );
    assert!(none.queue.pop().is_none());
    let why = until("a reason", || match told.try_recv().ok()?.state {
        AudioState::Silent(why) => Some(why),
        AudioState::Opening | AudioState::Capturing(_) => None,
    });
    assert!(why.contains("/nowhere/pulse"), "{why}");
}

#[test]
fn in_silence_those_who_want_gaps_get_a_byte_now_and_then_and_others_every_frame() {
    let pipeline = pipeline("none", nowhere());
    let (every, gaps) = (Ear::new(32), Ear::new(32));
    let opus = OpusConfig::webrtc(FrameDuration::Ms10, 96_000);
    let request = AudioRequest {
        opus,
        in_silence: InSilence::Gaps,
        ..gamestream()
    };
    let others = AudioRequest {
        in_silence: InSilence::Frames,
        ..request
    };
    let _gaps = pipeline.acquire(&request, Arc::clone(&gaps.queue)).unwrap();
    let _every = pipeline.acquire(&others, Arc::clone(&every.queue)).unwrap();
    let mut decoder = OpusDecoder::new(&opus).unwrap();
    let mut decoded = Vec::new();
    let first = until("a frame without sound", || {
        let frame = gaps.next();
        (frame.bytes.len() == 1).then_some(frame)
    });
    let whole = until("a frame of the same silence", || {
        let frame = every.next();
        (frame.index >= first.index).then_some(frame)
    });
    let dropped_before = every.queue.dropped();
    assert!(whole.bytes.len() > 1, "{whole:?}");
    let second = gaps.next();
    assert_eq!(second.bytes, first.bytes);
    assert_eq!(second.index - first.index, 40, "400 ms");
    let stereo = 4;
    assert_eq!(first.bytes[0] & 0b111, stereo, "one stereo frame follows");
    decoder.decode(&whole.bytes, &mut decoded).unwrap();
    decoder.decode(&first.bytes, &mut decoded).unwrap();
    assert!(decoded.iter().all(|value| value.abs() < 1e-3));
    // What this test was too slow to take was dropped from its queue, which counted it.
    let taken: Vec<_> = std::iter::from_fn(|| every.queue.pop()).collect();
    let dropped = every.queue.dropped() - dropped_before;
    let came = dropped + taken.len() as u64;
    assert_eq!(taken.last().unwrap().index - whole.index, came);
}

#[test]
fn sound_after_a_gap_is_heard_from_its_first_frame_on() {
    let pipeline = pipeline("tone", nowhere());
    let ear = Ear::new(32);
    let request = AudioRequest {
        opus: OpusConfig::webrtc(FrameDuration::Ms10, 96_000),
        in_silence: InSilence::Gaps,
        ..gamestream()
    };
    let _lease = pipeline.acquire(&request, Arc::clone(&ear.queue)).unwrap();
    let first = until("sound", || {
        let frame = ear.next();
        (!frame.filled).then_some(frame)
    });
    for ahead in 1..50 {
        let frame = ear.next();
        assert_eq!(frame.index, first.index + ahead);
        assert!(frame.bytes.len() > 1);
    }
    let surround = AudioFormat {
        layout: ChannelLayout::Surround51,
        frame: FrameDuration::Ms5,
    };
    let impossible = AudioRequest {
        opus: OpusConfig::gamestream(surround, Quality::Normal),
        ..request
    };
    let refused = pipeline.acquire(&impossible, Ear::new(4).queue);
    assert!(matches!(refused, Err(AcquireError::Opus(_))));
}

/// The server goes while it is captured, and comes back.
fn a_server_that_restarts_is_heard_again(kind: Kind, spec: &str) {
    let mut servers = Servers::start(kind);
    let pipeline = pipeline(spec, servers.addresses());
    let ear = Ear::new(32);
    let lease = pipeline
        .acquire(&gamestream(), Arc::clone(&ear.queue))
        .unwrap();
    servers.default_sink_becomes("heliostat");
    let player = servers.play(STEREO.layout, None);
    ear.hears_every_tone(&gamestream().opus);
    drop(player);
    servers.kill();
    // The clock of listeners goes on.
    for _ in 0..100 {
        until("silence", || ear.next().filled.then_some(()));
    }
    assert!(matches!(lease.status().state, AudioState::Silent(_)));
    servers.launch();
    servers.default_sink_becomes("heliostat");
    let player = servers.play(STEREO.layout, None);
    ear.hears_every_tone(&gamestream().opus);
    assert!(matches!(lease.status().state, AudioState::Capturing(_)));
    drop(player);
    drop(lease);
    drop(pipeline);
    until("our sink to go", || {
        let sinks = servers.sinks();
        (!sinks.is_empty() && !sinks.iter().any(|sink| sink == "heliostat")).then_some(())
    });
    assert_ne!(servers.default_sink(), "heliostat");
}

#[test]
fn a_pulseaudio_server_that_restarts_is_heard_again() {
    a_server_that_restarts_is_heard_again(Kind::PulseAudio, "auto");
}

#[cfg(feature = "pipewire")]
#[test]
fn a_pipewire_server_that_restarts_is_heard_again() {
    a_server_that_restarts_is_heard_again(Kind::PipeWire, "pipewire");
}

#[test]
fn streams_in_turn_leave_the_default_sink_as_it_was() {
    let servers = Servers::start(Kind::PulseAudio);
    let pipeline = pipeline("pulse", servers.addresses());
    for layout in [ChannelLayout::Stereo, ChannelLayout::Surround51] {
        let format = AudioFormat { layout, ..STEREO };
        let request = AudioRequest {
            opus: OpusConfig::gamestream(format, Quality::Normal),
            ..gamestream()
        };
        let ear = Ear::new(32);
        let _lease = pipeline.acquire(&request, Arc::clone(&ear.queue)).unwrap();
        servers.default_sink_becomes("heliostat");
    }
    drop(pipeline);
    assert_eq!(servers.default_sink(), "speakers");
    assert_eq!(servers.sinks(), ["speakers"]);
}

/// A second stream with other frames shares the silent sink, outlives the first, and the sink that was
/// there before both is put back after it.
fn a_stream_outlives_the_one_whose_sink_it_shares(kind: Kind, spec: &str) {
    let servers = Servers::start(kind);
    if kind == Kind::PipeWire {
        servers.pactl(&["load-module", "module-null-sink", "sink_name=speakers"]);
        servers.pactl(&["set-default-sink", "speakers"]);
    }
    servers.default_sink_becomes("speakers");
    let pipeline = pipeline(spec, servers.addresses());
    let longer = AudioFormat {
        frame: FrameDuration::Ms10,
        ..STEREO
    };
    let longer = AudioRequest {
        opus: OpusConfig::gamestream(longer, Quality::Normal),
        ..gamestream()
    };
    let (first, second) = (Ear::new(32), Ear::new(32));
    let lease = pipeline.acquire(&longer, Arc::clone(&first.queue)).unwrap();
    servers.default_sink_becomes("heliostat");
    let _second = pipeline
        .acquire(&gamestream(), Arc::clone(&second.queue))
        .unwrap();
    let _player = servers.play(STEREO.layout, None);
    second.hears_every_tone(&gamestream().opus);
    let shared = servers.pactl(&["list", "short", "sinks"]);
    assert_eq!(shared.matches("heliostat").count(), 1, "{shared}");
    let shared = shared.lines().find(|line| line.contains("heliostat"));
    let shared = shared.and_then(|line| line.split('\t').next()).unwrap();
    drop(lease);
    until("another sink", || {
        let sinks = servers.pactl(&["list", "short", "sinks"]);
        let ours = sinks.lines().find(|line| line.contains("heliostat"))?;
        (ours.split('\t').next() != Some(shared)).then_some(())
    });
    servers.default_sink_becomes("heliostat");
    second.hears_every_tone(&gamestream().opus);
    drop(pipeline);
    servers.default_sink_becomes("speakers");
}

#[test]
fn a_stream_of_pulseaudio_outlives_the_one_whose_sink_it_shares() {
    a_stream_outlives_the_one_whose_sink_it_shares(Kind::PulseAudio, "pulse");
}

#[cfg(feature = "pipewire")]
#[test]
fn a_stream_of_pipewire_outlives_the_one_whose_sink_it_shares() {
    a_stream_outlives_the_one_whose_sink_it_shares(Kind::PipeWire, "pipewire");
}
