//! What of a wire budget is left for the encoder once parity, headers, padding and audio are paid.
//! Arithmetic only.

use media::{Bitrate, FrameRate};

/// Bytes of the UDP and IP headers of a datagram, version 4.
const UDP_IP: u32 = 28;
/// Headers of a video packet that are counted on top of the packet size: RTP.
const RTP: u32 = 16;
/// Headers within the packet size.
const VIDEO: u32 = 16;
/// What encryption adds to a packet.
const ENCRYPTION: u32 = 32;
/// Bytes before the bitstream of a picture.
const FRAME: u32 = 8;
/// RTP header of audio, and what parity has on top.
const AUDIO_RTP: u32 = 12;
const AUDIO_PARITY: u32 = 12;
/// Half as many parity packets as data packets.
const AUDIO_PARITY_DIVISOR: u32 = 2;
/// Encrypted audio grows to whole blocks; this is the mean.
const AUDIO_PADDING: u32 = 8;

/// Audio takes at most this part of the budget, as in Sunshine (rtsp.cpp).
const AUDIO_DIVISOR: f64 = 5.0;
/// Small pictures get so many parity packets however low the percentage is, and then data is at least
/// a third.
const LEAST_DATA_DIVISOR: f64 = 3.0;

/// An audio stream on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFraming {
    /// Of the Opus stream, in bits a second.
    pub bitrate_bps: u32,
    /// Milliseconds of a frame.
    pub frame_ms: u8,
    /// Whether payloads are encrypted.
    pub encrypted: bool,
}

impl AudioFraming {
    /// Bits a second with headers and parity.
    #[must_use]
    pub fn wire_bps(&self) -> u32 {
        let frames = 1000 / u32::from(self.frame_ms.max(1));
        let padding = if self.encrypted { AUDIO_PADDING } else { 0 };
        let payload = self.bitrate_bps / 8 / frames + padding;
        let data = frames * (UDP_IP + AUDIO_RTP + payload);
        let parity = frames / AUDIO_PARITY_DIVISOR * (UDP_IP + AUDIO_RTP + AUDIO_PARITY + payload);
        (data + parity) * 8
    }
}

/// A video stream on the wire, and what shares the budget with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFraming {
    /// As in [`VideoSettings`](crate::video::VideoSettings).
    pub packet_size: u16,
    /// Whether packets are encrypted.
    pub encrypted: bool,
    /// The least parity packets of a picture.
    pub min_parity: u8,
    /// Pictures a second.
    pub rate: FrameRate,
    /// Nothing without audio.
    pub audio: Option<AudioFraming>,
}

impl VideoFraming {
    /// What the encoder may make, so that video and audio with all that belongs to them take
    /// `wire_bps`. Pictures are taken to be of one size; on average half of the last packet of each is
    /// padding.
    #[must_use]
    pub fn encoder_bps(&self, wire_bps: u32, fec_percent: u8) -> Bitrate {
        let wire = f64::from(wire_bps);
        let audio = self.audio.map_or(0.0, |audio| f64::from(audio.wire_bps()));
        let video = wire - audio.min(wire / AUDIO_DIVISOR);
        let fps = f64::from(self.rate.fps());
        let packet_size = u32::from(self.packet_size);
        let prefix = if self.encrypted { ENCRYPTION } else { 0 };
        let datagram = f64::from(packet_size + RTP + prefix + UDP_IP);
        let packets = video / 8.0 / datagram;
        let by_percent = packets * 100.0 / f64::from(100 + u32::from(fec_percent));
        let data = if fec_percent == 0 {
            packets
        } else {
            let by_minimum = packets - fps * f64::from(self.min_parity);
            by_percent.min(by_minimum).max(packets / LEAST_DATA_DIVISOR)
        };
        let payload = f64::from(packet_size.saturating_sub(VIDEO));
        let bytes = (data - fps / 2.0) * payload - fps * f64::from(FRAME);
        // A negative number becomes zero, and then the least bitrate that there is.
        Bitrate::clamped((bytes * 8.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{
        PictureType, Protection, VideoBatch, VideoFrame, VideoPacketiser, VideoSettings,
    };
    use media::{MIN_BITRATE_BPS, Rtp90k};

    fn framing(packet_size: u16, encrypted: bool, fps: u32) -> VideoFraming {
        VideoFraming {
            packet_size,
            encrypted,
            min_parity: 2,
            rate: FrameRate::new(fps).unwrap(),
            audio: Some(AudioFraming {
                bitrate_bps: 96_000,
                frame_ms: 5,
                encrypted: true,
            }),
        }
    }

    /// Bits a second of a second's pictures around the size that the bitrate gives them.
    fn measured(framing: &VideoFraming, bitrate: Bitrate, fec_percent: u8) -> f64 {
        let settings = VideoSettings {
            packet_size: usize::from(framing.packet_size),
            protection: Protection::new(fec_percent, framing.min_parity),
        };
        let key = framing.encrypted.then_some([0; 16]);
        let mut packetiser = VideoPacketiser::new(settings, key.as_ref()).unwrap();
        let mut batch = VideoBatch::new();
        let mean = bitrate.bps() as usize / 8 / framing.rate.fps() as usize;
        let data = vec![1; mean * 3 / 2];
        let mut bytes = 0;
        let pictures = 400;
        for number in 1..=pictures {
            let length = mean / 2 + mean * number as usize / pictures as usize;
            let frame = VideoFrame {
                number,
                picture: PictureType::Predicted,
                timestamp: Rtp90k(number),
                host_latency_tenth_ms: 0,
                long_term: false,
                data: &data[..length],
            };
            packetiser.packetise(&frame, &mut batch).unwrap();
            bytes += batch.bytes().len() + batch.len() * UDP_IP as usize;
        }
        let seconds = f64::from(pictures) / f64::from(framing.rate.fps());
        let audio = framing.audio.map_or(0, |audio| audio.wire_bps());
        bytes as f64 * 8.0 / seconds + f64::from(audio)
    }

    #[test]
    fn what_the_encoder_gets_fills_the_wire_and_no_more() {
        for wire_bps in [8_000_000, 20_000_000, 60_000_000, 150_000_000] {
            for fec_percent in [0, 20, 35, 50] {
                for (packet_size, encrypted, fps) in
                    [(1392, false, 60), (1024, true, 60), (1360, true, 120)]
                {
                    let framing = framing(packet_size, encrypted, fps);
                    let bitrate = framing.encoder_bps(wire_bps, fec_percent);
                    let used = measured(&framing, bitrate, fec_percent) / f64::from(wire_bps);
                    assert!(
                        (0.90..=1.06).contains(&used),
                        "{used:.3} of {wire_bps} at {fec_percent} %, {framing:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn at_the_usual_settings_it_is_what_other_hosts_give() {
        let framing = framing(1392, false, 60);
        // 80 % for parity, 192 kbit/s for audio, 500 kbit/s for the rest (rtsp.cpp).
        let sunshine = 20_000_000.0 * 0.8 - 192_000.0 - 500_000.0;
        let ours = f64::from(framing.encoder_bps(20_000_000, 20).bps());
        assert!((0.97..1.03).contains(&(ours / sunshine)), "{ours}");
    }

    #[test]
    fn more_parity_and_more_audio_leave_less_for_the_encoder() {
        let base = framing(1392, true, 60);
        let bps = |framing: VideoFraming, percent| framing.encoder_bps(30_000_000, percent).bps();
        assert!(bps(base, 0) > bps(base, 20) && bps(base, 20) > bps(base, 50));
        let louder = AudioFraming {
            bitrate_bps: 512_000,
            frame_ms: 5,
            encrypted: true,
        };
        let louder = VideoFraming {
            audio: Some(louder),
            ..base
        };
        let silent = VideoFraming {
            audio: None,
            ..base
        };
        assert!(bps(silent, 20) > bps(base, 20) && bps(base, 20) > bps(louder, 20));
    }

    #[test]
    fn audio_takes_no_more_than_a_fifth_and_the_encoder_always_gets_something() {
        let surround = AudioFraming {
            bitrate_bps: 2_048_000,
            frame_ms: 5,
            encrypted: true,
        };
        let framing = VideoFraming {
            audio: Some(surround),
            ..framing(1392, false, 60)
        };
        let silent = VideoFraming {
            audio: None,
            ..framing
        };
        let shared = framing.encoder_bps(10_000_000, 0);
        assert_eq!(shared, silent.encoder_bps(8_000_000, 0));
        for wire_bps in [0, 100_000, 500_000] {
            let least = framing.encoder_bps(wire_bps, 255);
            assert_eq!(least.bps(), MIN_BITRATE_BPS);
        }
    }
}
