//! The encoder against a decoder: every layout, every frame length, one size of packet.

use crate::spectrum::{HEARD, each_channel_has_its_tone};
use audio::{
    AudioFormat, AudioFrame, ChannelLayout, FrameDuration, OpusConfig, OpusDecoder, OpusEncoder,
    OpusError, Quality, Source, SourceRequest, StopSignal, Tone,
};
use media::MonoTime;
use std::time::Duration;

/// A second of tones through encoder and decoder; sizes of the packets, and what came out.
fn through_opus(config: &OpusConfig) -> (Vec<usize>, Vec<f32>) {
    let request = SourceRequest {
        format: config.format,
        ..SourceRequest::default()
    };
    let (mut tone, stop) = (Tone::open(&request).unwrap(), StopSignal::new().unwrap());
    let mut frame = AudioFrame::new(config.format);
    let mut encoder = OpusEncoder::new(config).unwrap();
    let mut decoder = OpusDecoder::new(config).unwrap();
    let (mut packet, mut decoded) = (Vec::new(), Vec::new());
    let (mut sizes, mut sound) = (Vec::new(), Vec::new());
    let frames = 24_000 / config.format.frame.samples();
    for _ in 0..frames {
        let far = MonoTime::now() + Duration::from_secs(60);
        tone.next_frame(&mut frame, far, &stop).unwrap();
        encoder.encode(frame.values(), &mut packet).unwrap();
        decoder.decode(&packet, &mut decoded).unwrap();
        sizes.push(packet.len());
        sound.extend_from_slice(&decoded);
    }
    // The first tenth is the encoder's way up from silence.
    let settled = sound.len() / 10 / config.format.layout.channels();
    (
        sizes,
        sound.split_off(settled * config.format.layout.channels()),
    )
}

#[test]
fn every_gamestream_layout_keeps_its_channels_apart_and_its_packets_one_size() {
    for layout in ChannelLayout::ALL {
        for frame in [FrameDuration::Ms5, FrameDuration::Ms10] {
            for quality in [Quality::Normal, Quality::High] {
                let config = OpusConfig::gamestream(AudioFormat { layout, frame }, quality);
                let (sizes, sound) = through_opus(&config);
                assert!(
                    sizes.iter().all(|size| *size == config.packet_bytes()),
                    "{config:?}: {} bytes expected, {sizes:?}",
                    config.packet_bytes()
                );
                each_channel_has_its_tone(&sound, layout, HEARD)
                    .unwrap_or_else(|why| panic!("{config:?}: {why}"));
            }
        }
    }
}

#[test]
fn browsers_get_stereo_at_the_bitrate_asked_for() {
    for (frame, bitrate_bps) in [
        (FrameDuration::Ms10, 128_000),
        (FrameDuration::Ms20, 96_000),
    ] {
        let config = OpusConfig::webrtc(frame, bitrate_bps);
        let (sizes, sound) = through_opus(&config);
        each_channel_has_its_tone(&sound, ChannelLayout::Stereo, HEARD).unwrap();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!(
            mean <= config.packet_bytes() * 5 / 4,
            "{mean} bytes a packet"
        );
    }
}

#[test]
fn a_clients_own_mapping_is_followed() {
    let format = AudioFormat {
        layout: ChannelLayout::Surround51,
        frame: FrameDuration::Ms5,
    };
    let config = OpusConfig::gamestream(format, Quality::Normal);
    let own = config.with_streams(4, 2, &[0, 1, 4, 5, 2, 3]).unwrap();
    let (_, sound) = through_opus(&own);
    each_channel_has_its_tone(&sound, format.layout, HEARD).unwrap();
}

#[test]
fn what_cannot_be_is_refused_before_libopus_sees_it() {
    let stereo = OpusConfig::webrtc(FrameDuration::Ms10, 96_000);
    for (streams, coupled, mapping) in [
        (0, 0, &[0, 1][..]),
        (1, 2, &[0, 1]),
        (2, 1, &[0, 1]),
        (1, 1, &[0, 2]),
        (1, 1, &[0, 0]),
        (1, 1, &[0, 1, 0]),
    ] {
        let refused = stereo.with_streams(streams, coupled, mapping);
        assert!(matches!(refused, Err(OpusError::Config(_))), "{refused:?}");
    }
    for bitrate_bps in [0, 1_000, 2_000_000, u32::MAX] {
        let config = OpusConfig {
            bitrate_bps,
            ..stereo
        };
        assert!(OpusEncoder::new(&config).is_err(), "{bitrate_bps}");
    }
    let mut encoder = OpusEncoder::new(&stereo).unwrap();
    let short = encoder.encode(&[0.0; 100], &mut Vec::new());
    assert!(matches!(
        short,
        Err(OpusError::Shape {
            got: 100,
            expected: 960
        })
    ));
}

#[test]
fn a_damaged_packet_is_an_error_and_a_lost_one_is_concealed() {
    let config = OpusConfig::gamestream(AudioFormat::default(), Quality::Normal);
    let mut decoder = OpusDecoder::new(&config).unwrap();
    let mut values = Vec::new();
    decoder.decode(&[], &mut values).unwrap();
    assert_eq!(values.len(), config.format.values());
    assert!(decoder.decode(&[0xff; 3], &mut values).is_err());
}
