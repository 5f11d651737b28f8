//! Streams on a link that loses nothing.

use crate::host::{ALL_OF_A_TEST, Host, PATIENCE, assert_complete, small};
use audio::TONES_HZ;
use probe::{AudioLayout, AudioReport, Codec, Encryption, StreamOptions};
use std::time::Duration;

/// The tones that came out of each loudspeaker are those that went in.
fn assert_tones(audio: &AudioReport, channels: usize) {
    let heard = &audio.tones_hz;
    let right = |(heard, played): (&f64, f64)| (heard - played).abs() < 10.0;
    assert_eq!(heard.len(), channels);
    assert!(heard.iter().zip(TONES_HZ).all(right), "{audio:?}");
}

#[test]
fn every_frame_of_720p60_arrives_and_decodes() {
    let host = Host::alone(&["--size", "1280x720", "--audio", "tone"]);
    let pal = host.paired();
    let options = StreamOptions {
        duration: Duration::from_secs(3),
        max_undecoded: ALL_OF_A_TEST,
        ..StreamOptions::new("Desktop")
    };
    let summary = pal.stream(&options).unwrap();
    assert_complete(&summary.total);
    let total = &summary.total;
    assert!(total.frames > 60, "{}", total.frames);
    assert_eq!(summary.setup.codec, "h264");
    assert!(summary.setup.invalidates_references);
    if let Some(decoded) = total.decoded {
        assert_eq!((decoded.width, decoded.height), (1280, 720));
    }
    assert!(total.video_kbps < 10_000.0, "{} kb/s", total.video_kbps);
    assert!(total.host_latency_ms.is_some() && total.rtt_ms.is_some());
}

#[test]
fn each_choice_of_encryption_is_kept_and_plays() {
    let host = Host::sounding();
    let pal = host.paired();
    for (text, video, audio) in [
        ("none", false, false),
        ("audio", false, true),
        ("video", true, false),
        ("all", true, true),
    ] {
        let encryption: Encryption = text.parse().unwrap();
        let options = StreamOptions {
            encryption,
            quit_after: true,
            ..small(1)
        };
        let summary = pal.stream(&options).unwrap();
        assert_complete(&summary.total);
        let setup = &summary.setup;
        assert_eq!(
            (setup.encrypted_video, setup.encrypted_audio),
            (video, audio)
        );
        assert!(summary.total.frames > 10, "{}", summary.total.frames);
        assert_eq!(summary.total.audio.lost, 0);
        assert_tones(&summary.total.audio, 2);
    }
}

#[test]
fn each_loudspeaker_plays_what_is_its_own() {
    let host = Host::sounding();
    let pal = host.paired();
    for (audio, high_quality_audio) in [
        (AudioLayout::Stereo, true),
        (AudioLayout::Surround51, false),
        (AudioLayout::Surround51, true),
        (AudioLayout::Surround71, false),
        (AudioLayout::Surround71, true),
    ] {
        let options = StreamOptions {
            audio,
            high_quality_audio,
            bitrate: "8M".parse().unwrap(),
            quit_after: true,
            ..small(1)
        };
        let summary = pal.stream(&options).unwrap();
        assert_complete(&summary.total);
        assert_eq!(summary.total.audio.lost, 0);
        assert_tones(&summary.total.audio, audio.channels().into());
    }
}

#[test]
fn hevc_and_av1_are_served_where_they_are_offered() {
    let host = Host::start(&["--size", "320x180", "--moonlight-codecs", "all"]);
    let pal = host.paired();
    let offered = pal.info().codec_modes;
    for (codec, bit) in [(Codec::Hevc, 0x100), (Codec::Av1, 0x1_0000)] {
        if offered & bit == 0 {
            // This build has no encoder for it; `heliostat encoders` says so.
            continue;
        }
        let options = StreamOptions {
            codec,
            size: "320x180".parse().unwrap(),
            rate: "15".parse().unwrap(),
            bitrate: "1M".parse().unwrap(),
            quit_after: true,
            ..small(2)
        };
        let summary = pal.stream(&options).unwrap();
        assert_eq!(summary.setup.codec, codec.name());
        assert_complete(&summary.total);
        assert!(summary.total.frames > 10, "{}", summary.total.frames);
    }
}

#[test]
fn a_picture_of_another_size_and_rate_than_the_hosts_is_made_for_the_client() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let options = StreamOptions {
        size: "480x270".parse().unwrap(),
        slices: 4,
        ..small(2)
    };
    let summary = pal.stream(&options).unwrap();
    assert_complete(&summary.total);
    if let Some(decoded) = summary.total.decoded {
        assert_eq!((decoded.width, decoded.height), (480, 270));
    }
    let slices = summary.total.bitstream.slices;
    assert!(slices >= 4 * summary.total.frames, "{slices} slices");
    assert!(summary.total.duration_s < PATIENCE.as_secs_f64());
}
