//! Sound across the wrap of sequence numbers, which is that of blocks too, and of their initial vectors.

use super::KEY;
use gamestream_proto::audio::{AudioKey, AudioPacketiser};
use media::PacketBatch;
use probe::audio::AudioQueue;

/// The highest there is, so that the sum with a sequence number wraps as well.
const KEY_ID: u32 = u32::MAX - 30_000;
const FRAME_MS: u32 = 5;
/// Frames until sequence numbers have wrapped twice: eleven minutes.
const FRAMES: u32 = 2 * 65_536 + 100;

fn opus(number: u32) -> [u8; 24] {
    let mut frame = [number as u8; 24];
    frame[..4].copy_from_slice(&number.to_be_bytes());
    frame
}

/// Sends it all, and loses of each block the packets that `lost` says (its first six numbers are the
/// places in a block); gives what was heard.
fn heard(sealed: bool, lost: impl Fn(u32, usize) -> bool) -> Vec<Option<u32>> {
    let key = AudioKey {
        key: KEY,
        key_id: KEY_ID,
    };
    let opener = probe::crypto::AudioKey::new(&KEY, KEY_ID).unwrap();
    let mut host = AudioPacketiser::new(FRAME_MS as u8, sealed.then_some(&key)).unwrap();
    let mut client = AudioQueue::new(sealed.then_some(opener));
    let (mut batch, mut heard) = (PacketBatch::default(), Vec::new());
    for number in 0..FRAMES {
        host.packetise(&opus(number), &mut batch).unwrap();
        for (at, packet) in batch.iter().enumerate() {
            let place = number as usize % 4 + at;
            if at == 0 {
                assert_eq!(packet[2..4], (number as u16).to_be_bytes());
                assert_eq!(packet[4..8], (number * FRAME_MS).to_be_bytes());
            }
            if lost(number / 4, place) {
                continue;
            }
            client.push(packet, &mut |frame| {
                let number = |frame: &[u8]| u32::from_be_bytes(frame[..4].try_into().unwrap());
                heard.push(frame.map(number));
            });
        }
    }
    let counts = client.counts();
    assert_eq!(
        (
            counts.malformed,
            counts.not_authentic,
            counts.size_changes,
            counts.late
        ),
        (0, 0, 0, 0)
    );
    heard
}

#[test]
fn all_is_heard_once_and_in_order_across_two_wraps() {
    let all: Vec<_> = (0..FRAMES).map(Some).collect();
    for sealed in [false, true] {
        assert!(heard(sealed, |_, _| false) == all);
        // Any two of six, other ones in each block.
        let two = |block: u32, place: usize| {
            let first = block as usize % 6;
            place == first || place == (first + 1 + block as usize / 6 % 5) % 6
        };
        assert!(heard(sealed, two) == all);
    }
}

#[test]
fn blocks_that_are_lost_with_the_wrap_are_told_and_nothing_else_is() {
    for (from, to) in [(16_383, 16_384), (16_380, 16_383), (16_384, 16_390)] {
        let gone = from * 4..to * 4;
        let expected: Vec<_> = (0..FRAMES)
            .map(|number| (!gone.contains(&number)).then_some(number))
            .collect();
        assert!(
            heard(true, |block, _| (from..to).contains(&block)) == expected,
            "{from}..{to}"
        );
    }
}
