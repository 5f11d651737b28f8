//! Sound: what is answered, what is sent, and when nothing is.

use crate::host::{DEAF, Host, Screen};
use crate::peer::{Peer, SoundPacket, Wish, channel};
use audio::{FrameDuration, OpusConfig, OpusDecoder, TONES_HZ};
use std::f64::consts::TAU;
use std::time::{Duration, Instant, SystemTime};
use str0m::RtcConfig;
use str0m::media::Mid;
use str0m::rtp::Extension;
use webrtc::Flavour;

const RATE_HZ: u32 = 48_000;
const FRAME_SAMPLES: u32 = 480;
const VIDEO_HZ: u32 = 90_000;

fn listening() -> Wish<'static> {
    Wish {
        audio: true,
        channels: vec![channel("input")],
        config: RtcConfig::new().set_extension(6, Extension::AbsoluteCaptureTime),
        ..Wish::default()
    }
}

/// Lines of the answer's section of this kind.
fn section<'a>(answer: &'a str, kind: &str) -> Vec<&'a str> {
    let starts = format!("m={kind}");
    let lines = answer.lines().skip_while(|line| !line.starts_with(&starts));
    let mut inside = false;
    lines
        .take_while(|line| {
            // The line that begins it is the first of these.
            !line.starts_with("m=") || !std::mem::replace(&mut inside, true)
        })
        .collect()
}

fn stream_of(lines: &[&str]) -> String {
    let msid = lines.iter().find_map(|line| line.strip_prefix("a=msid:"));
    let stream = msid.and_then(|msid| msid.split(' ').next());
    stream.unwrap().to_owned()
}

/// How much of a channel lies at this frequency: near 1 when nothing else is there.
fn share_at(values: &[f32], hz: f64) -> f64 {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let (value, angle) = (f64::from(*value), TAU * hz * at as f64 / f64::from(RATE_HZ));
        re += value * angle.cos();
        im += value * angle.sin();
        power += value * value;
    }
    2.0 * (re * re + im * im) / (values.len() as f64 * power)
}

fn hears_tones(packets: &[SoundPacket]) {
    let config = OpusConfig::webrtc(FrameDuration::Ms10, 128_000);
    let mut decoder = OpusDecoder::new(&config).unwrap();
    let (mut sound, mut decoded) = (Vec::new(), Vec::new());
    for packet in packets {
        decoder.decode(&packet.payload, &mut decoded).unwrap();
        sound.extend_from_slice(&decoded);
    }
    // What the encoder begins with is not yet the tone.
    let settled = &sound[sound.len() / 2..];
    for (channel, hz) in TONES_HZ.into_iter().take(2).enumerate() {
        let values: Vec<f32> = settled.iter().copied().skip(channel).step_by(2).collect();
        let share = share_at(&values, hz);
        assert!(share > 0.9, "{share} of channel {channel} at {hz} Hz");
    }
}

fn take(peer: &mut Peer, count: usize) -> Vec<SoundPacket> {
    (0..count).map(|_| peer.sound()).collect()
}

/// Packets follow each other without a gap in number or time.
fn are_in_a_row(packets: &[SoundPacket]) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        // A busy machine may leave a frame out, never squeeze one in.
        assert!(step >= FRAME_SAMPLES, "{step} samples");
    }
}

#[test]
fn a_viewer_that_asks_for_sound_hears_each_tone_on_its_side() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, listening());
    peer.wait("sound", |peer| {
        let silent = peer.sound.front()?.payload.len() < 20;
        if silent {
            peer.sound.pop_front();
        }
        (!silent).then_some(())
    });
    let packets = take(&mut peer, 100);
    are_in_a_row(&packets);
    hears_tones(&packets);
    assert!(packets.iter().any(|packet| packet.captured.is_some()));
    let payload_type = packets[0].payload_type;
    assert!(packets.iter().all(|p| p.payload_type == payload_type));
    peer.packet();
}

#[test]
fn the_answer_says_what_is_sent_and_that_it_belongs_to_the_pictures() {
    let host = Host::start(Screen::Moving);
    let (_, answer) = Peer::begin(&host, listening());
    let (audio, video) = (section(&answer, "audio"), section(&answer, "video"));
    assert_eq!(stream_of(&audio), stream_of(&video));
    let format = audio.iter().find(|line| line.starts_with("a=fmtp:"));
    let format = format.unwrap();
    for part in ["stereo=1", "sprop-stereo=1", "minptime=10", "usedtx=1"] {
        assert!(format.contains(part), "{format}");
    }
    assert!(!format.contains("useinbandfec=1"), "{format}");
    assert!(audio.contains(&"a=sendonly"), "{audio:#?}");
    for line in &audio {
        assert!(!line.contains("transport"), "{line}");
    }
    assert!(video.iter().any(|line| line.contains("transport-cc")));
}

#[test]
fn what_is_not_asked_for_or_not_to_be_had_is_not_sent() {
    let host = Host::start(Screen::Moving);
    let (mut peer, answer) = Peer::begin(&host, Wish::default());
    assert!(!answer.contains("m=audio"), "{answer}");
    peer.packet();
    assert!(host.set_muted(peer.viewer, false), "nothing to mute");
    host.expect_listeners(0);

    let deaf = Host::sounding(Screen::Moving, DEAF);
    let (mut peer, answer) = Peer::begin(&deaf, listening());
    let audio = section(&answer, "audio");
    let refused = audio[0].starts_with("m=audio 0 ") || audio.contains(&"a=inactive");
    assert!(refused, "{audio:#?}");
    peer.packet();
    assert_eq!(peer.sound.len(), 0);
}

#[test]
fn whoever_mutes_costs_nothing_and_others_hear_on() {
    let host = Host::start(Screen::Moving);
    let mut quiet = Peer::connect(&host, listening());
    let mut loud = Peer::connect(&host, listening());
    let before = take(&mut quiet, 10);
    take(&mut loud, 10);
    host.expect_listeners(2);
    assert_eq!(host.sound.status().len(), 1, "one capture for both");

    assert!(host.set_muted(quiet.viewer, true));
    host.expect_listeners(1);
    quiet.spend(Duration::from_millis(300));
    quiet.sound.clear();
    quiet.packets.clear();
    take(&mut loud, 50);
    quiet.spend(Duration::from_millis(300));
    assert_eq!(quiet.sound.len(), 0, "sound while muted");
    quiet.packet();

    assert!(host.set_muted(loud.viewer, true));
    host.expect_listeners(0);

    assert!(host.set_muted(quiet.viewer, false));
    let after = take(&mut quiet, 100);
    are_in_a_row(&after);
    let last = before.last().unwrap();
    assert!(after[0].sequence > last.sequence, "one stream");
    assert!(after[0].marker, "sound begins");
    hears_tones(&after);
    drop(loud);
}

#[test]
fn a_pause_stops_the_sound_and_a_muted_session_stays_so() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, listening());
    take(&mut peer, 10);
    assert!(host.set_paused(peer.viewer, true));
    host.expect_listeners(0);
    assert!(host.set_muted(peer.viewer, true));
    assert!(host.set_paused(peer.viewer, false));
    peer.packets.clear();
    peer.packet();
    host.expect_listeners(0);
    assert!(host.set_paused(peer.viewer, true));
    assert!(host.set_muted(peer.viewer, false));
    peer.spend(Duration::from_millis(300));
    host.expect_listeners(0);
    peer.sound.clear();
    assert!(host.set_paused(peer.viewer, false));
    take(&mut peer, 10);
    host.expect_listeners(1);
    host.engine.close(peer.viewer, webrtc::EndReason::Operator);
    host.expect_listeners(0);
}

#[test]
fn silence_is_a_byte_now_and_then() {
    const SECONDS: u32 = 4;
    let host = Host::sounding(Screen::Still, "none");
    let mut peer = Peer::connect(&host, listening());
    peer.wait("the first gap", |peer| {
        let packet = peer.sound.pop_front()?;
        (packet.payload.len() == 1).then_some(())
    });
    peer.sound.clear();
    peer.spend(Duration::from_secs(SECONDS.into()));
    let came: Vec<_> = peer.sound.drain(..).collect();
    assert!(came.iter().all(|packet| packet.payload.len() == 1));
    let most = (SECONDS * 1000 / 400 + 2) as usize;
    assert!((1..=most).contains(&came.len()), "{} packets", came.len());
    for pair in came.windows(2) {
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!(step >= 40 * FRAME_SAMPLES, "{step} samples");
    }
}

#[test]
fn sound_over_a_still_screen_is_not_padded() {
    let host = Host::start(Screen::Still);
    let mut peer = Peer::connect(&host, listening());
    take(&mut peer, 300);
    let before = peer.came.media_bytes;
    let sound = take(&mut peer, 400);
    let bytes = peer.came.media_bytes - before;
    // RTP header with extensions, and the tag.
    let overhead = 12 + 20 + 16;
    let needed: usize = sound.iter().map(|p| p.payload.len() + overhead).sum();
    assert!(bytes < needed as u64 * 3 / 2, "{bytes} bytes for {needed}");
}

#[test]
fn sound_alone_can_be_had() {
    let host = Host::start(Screen::Moving);
    let wish = Wish {
        video: false,
        ..listening()
    };
    let mut peer = Peer::connect(&host, wish);
    are_in_a_row(&take(&mut peer, 50));
    host.expect_consumers(0);
    assert!(host.set_paused(peer.viewer, true));
    host.expect_listeners(0);
    assert!(host.set_paused(peer.viewer, false));
    take(&mut peer, 10);
}

#[test]
fn a_jetkvm_client_that_asks_for_sound_gets_it_without_extensions() {
    let host = Host::start(Screen::Moving);
    let wish = Wish {
        flavour: Flavour::JetKvm,
        ..listening()
    };
    let mut peer = Peer::connect(&host, wish);
    let packets = take(&mut peer, 50);
    are_in_a_row(&packets);
    assert!(packets.iter().all(|packet| packet.captured.is_none()));
    peer.packet();
    assert_eq!(peer.came.extended_packets, 0);
}

/// How far the time of capture that a packet carries is from the one that the newest report maps its
/// timestamp to.
fn error_of(peer: &Peer, mid: Mid, rate_hz: u32, packet: (u32, SystemTime)) -> Duration {
    let mut reports = peer.reports.iter().rev();
    let (_, report) = reports.find(|(of, _)| *of == mid).unwrap();
    let (timestamp, captured) = packet;
    let reported = report.rtp_time.numer() as u32;
    let ticks = timestamp.wrapping_sub(reported).cast_signed();
    let offset = Duration::from_secs_f64(f64::from(ticks.unsigned_abs()) / f64::from(rate_hz));
    let mapped = if ticks < 0 {
        report.ntp_time - offset
    } else {
        report.ntp_time + offset
    };
    let late = mapped.duration_since(captured);
    late.unwrap_or_else(|early| early.duration())
}

#[test]
fn reports_map_sound_and_pictures_to_the_time_of_their_capture() {
    let host = Host::start(Screen::Moving);
    let mut peer = Peer::connect(&host, listening());
    assert!(host.set_muted(peer.viewer, true));
    peer.spend(Duration::from_secs(3));
    assert!(host.set_muted(peer.viewer, false));
    let (audio, video) = (peer.audio.unwrap(), peer.video.unwrap());
    peer.wait("reports of both", |peer| {
        let of = |mid| peer.reports.iter().filter(|(of, _)| *of == mid).count();
        (of(audio) > 1 && of(video) > 1).then_some(())
    });
    let nothing_yet = peer
        .reports
        .iter()
        .filter(|(_, report)| report.rtp_time.numer() == 0);
    assert_eq!(nothing_yet.count(), 0, "{:?}", peer.reports);
    peer.sound.clear();
    peer.packets.clear();
    let heard = peer.wait("a time of capture", |peer| {
        let packet = peer.sound.pop_front()?;
        Some((packet.timestamp, packet.captured?))
    });
    let seen = peer.wait("a time of capture", |peer| {
        let packet = peer.packets.pop_front()?;
        Some((packet.timestamp, packet.captured?))
    });
    // Far less than anybody notices, far more than it takes to read two clocks on a busy machine.
    let most = Duration::from_millis(20);
    let of_sound = error_of(&peer, audio, RATE_HZ, heard);
    let of_pictures = error_of(&peer, video, VIDEO_HZ, seen);
    assert!(of_sound < most, "{of_sound:?}");
    assert!(of_pictures < most, "{of_pictures:?}");
    let begun = Instant::now();
    take(&mut peer, 100);
    println!("100 packets of 10 ms in {:?}", begun.elapsed());
}
