//! Entries for what hosts send to the probe, which trusts none of them: answers in words, and packets.

use ::probe::audio::AudioQueue;
use ::probe::bitstream::Checker;
use ::probe::video::{BlockEvent, BlockQueue, FrameEvent, FrameGate};
use ::probe::{AudioLayout, Codec, control, http, parse_line, rtsp, sdp, xml};
use media::MonoTime;
use std::str::from_utf8;
use std::time::Duration;

/// Of the packets in the seeds.
const PACKET_BYTES: usize = 256;

/// The first byte says what the rest is: an answer over HTTP, XML, RTSP, an offer in SDP, a line of an
/// input script, or a message of the control connection.
pub(crate) fn answers(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    match kind % 6 {
        0 => {
            for closed in [false, true] {
                let _ = http::parse_response(bytes, closed);
            }
        }
        1 => {
            if let Ok(root) = xml::parse(bytes) {
                let _ = (::probe::read_info(&root), ::probe::read_apps(&root));
            }
        }
        2 => {
            if let Ok(answer) = rtsp::parse_answer(bytes) {
                let _ = (answer.session(), answer.server_port());
            }
        }
        3 => {
            for layout in [
                AudioLayout::Stereo,
                AudioLayout::Surround51,
                AudioLayout::Surround71,
            ] {
                let offer = sdp::parse_offer(&String::from_utf8_lossy(bytes), layout);
                assert!(offer.surround.len() <= 2);
            }
        }
        4 => {
            if let Ok(line) = from_utf8(bytes) {
                let _ = parse_line(line);
            }
        }
        _ => {
            let _ = control::parse(bytes);
        }
    }
}

/// The first byte says which codec, and whether what follows is sound; then packets, each after its length
/// in two bytes.
pub(crate) fn stream(bytes: &[u8]) {
    let Some((kind, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_at_checked(2) {
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        let (packet, after) = after.split_at(length.min(after.len()));
        packets.push(packet);
        rest = after;
    }
    if kind & 4 != 0 {
        let mut queue = AudioQueue::new(None);
        for packet in packets {
            queue.push(packet, &mut |_| {});
        }
        return;
    }
    let codec = [Codec::H264, Codec::Hevc, Codec::Av1][usize::from(kind & 3) % 3];
    let mut queue = BlockQueue::new(PACKET_BYTES);
    let (mut gate, mut checker) = (FrameGate::new(codec, kind & 8 != 0), Checker::new(codec));
    let mut now = MonoTime::from_nanos(1 << 40);
    for packet in packets {
        now = now + Duration::from_millis(1);
        queue.push(packet, now, &mut |event| match event {
            BlockEvent::Frame(frame) => gate.frame(&frame, &mut |event| {
                if let FrameEvent::Unit(unit) = event {
                    checker.check(unit.bitstream);
                }
            }),
            BlockEvent::Lost { through } => gate.lost(through, &mut |_| {}),
            BlockEvent::Status(_) => {}
        });
    }
}
