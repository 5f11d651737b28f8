//! Losses: what is decoded after one equals what an undisturbed receiver decodes, bit for bit.

use crate::ffmpeg::{Headers, decode};
use crate::pictures::Scene;
use crate::session::{SIZE, Session, config, stream};
use encode::{EncoderConfig, Invalidation};
use media::{AccessUnit, FrameIndex, QualityProfile, Reference};
use proptest::prelude::*;

fn open(threads: usize, reference_pictures: usize) -> Session {
    open_at("3M", threads, reference_pictures)
}

fn open_at(bitrate: &str, threads: usize, reference_pictures: usize) -> Session {
    let bitrate = bitrate.parse().unwrap();
    Session::open(
        "x264",
        &EncoderConfig {
            bitrate,
            threads,
            reference_pictures,
            ..config()
        },
    )
}

/// Checks that a receiver of `kept` shows for each of them what a receiver of `all` shows.
fn assert_same_pictures(all: &[AccessUnit], kept: &[&AccessUnit]) {
    let whole = decode(&stream(all), SIZE);
    assert_eq!(whole.len(), all.len());
    let partial = decode(&stream(kept.iter().copied()), SIZE);
    assert_eq!(
        partial.len(),
        kept.len(),
        "one picture for each unit received"
    );
    for (unit, picture) in kept.iter().zip(&partial) {
        let place = all.iter().position(|one| one.index == unit.index).unwrap();
        assert!(*picture == whole[place], "picture {} differs", unit.index.0);
    }
}

/// Encodes text; loses `lost` (told when `told` comes up) and returns all units.
fn play_with_loss(
    session: &mut Session,
    lost: std::ops::Range<u64>,
    told: u64,
    end: u64,
) -> Vec<AccessUnit> {
    let mut all = vec![];
    for time in 0..end {
        if time == told {
            let outcome = session.encoder.invalidate(FrameIndex(lost.start)).unwrap();
            assert_eq!(outcome, Invalidation::Applied);
        }
        all.push(session.encode(&Scene::Text.i420(SIZE, time as u32)));
    }
    all
}

#[test]
fn a_loss_is_repaired_without_a_keyframe_and_bit_exactly() {
    for threads in [1, 2] {
        for lost in [9..10, 9..12] {
            let mut session = open(threads, 8);
            let told = lost.end + 2;
            let all = play_with_loss(&mut session, lost.clone(), told, 30);
            assert!(all[1..].iter().all(|unit| !unit.is_keyframe()));
            let before = FrameIndex(lost.start - 1);
            assert_eq!(all[told as usize].reference, Reference::Frame(before));
            // What came between the loss and its repair refers to what was lost.
            let kept: Vec<_> = all
                .iter()
                .filter(|unit| !(lost.start..told).contains(&unit.index.0))
                .collect();
            assert_same_pictures(&all, &kept);
        }
    }
}
