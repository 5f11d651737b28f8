//! Losses: what is decoded after one equals what an undisturbed receiver decodes, bit for bit.

use crate::ffmpeg::{Headers, decode};
use crate::pictures::Scene;
use crate::session::{SIZE, Session, config, stream};
use encode::{EncoderConfig, Invalidation};
use media::{AccessUnit, FrameIndex, Reference, Size};
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

#[test]
fn a_receiver_that_lost_nothing_sees_no_difference() {
    let mut session = open(1, 8);
    let all = play_with_loss(&mut session, 9..12, 14, 30);
    let pictures = decode(&stream(&all), SIZE);
    assert_eq!(pictures.len(), 30);
    let frame_nums = Headers::of(&stream(&all)).all("frame_num");
    assert_eq!(frame_nums, (0..30).collect::<Vec<_>>());
}

#[test]
fn when_no_picture_from_before_the_loss_is_left_a_keyframe_is_needed() {
    let mut session = open(1, 4);
    session.play(Scene::Text, 0..20); // holds 16 to 19
    let outcome =
        |session: &mut Session, first| session.encoder.invalidate(FrameIndex(first)).unwrap();
    assert_eq!(outcome(&mut session, 16), Invalidation::NeedsKeyframe);
    // Nothing was forgotten, so that receivers without a loss go on until the keyframe comes.
    let next = session.encode(&Scene::Text.i420(SIZE, 20));
    assert_eq!(next.reference, Reference::Frame(FrameIndex(19)));
    let keyframe = session.request(&Scene::Text.i420(SIZE, 21), true, None);
    assert!(keyframe.is_keyframe());
    // Pictures from before a keyframe are gone for good.
    assert_eq!(outcome(&mut session, 21), Invalidation::NeedsKeyframe);
    assert_eq!(outcome(&mut session, 22), Invalidation::Applied);
}

#[test]
fn the_oldest_picture_kept_can_still_repair() {
    let mut session = open(1, 4);
    session.play(Scene::Text, 0..20);
    let outcome = session.encoder.invalidate(FrameIndex(17)).unwrap();
    assert_eq!(outcome, Invalidation::Applied);
    let next = session.encode(&Scene::Text.i420(SIZE, 20));
    assert_eq!(next.reference, Reference::Frame(FrameIndex(16)));
}

#[test]
fn the_picture_count_may_wrap_and_a_loss_lie_across_it() {
    // Frame numbers have 16 bits: tiny pictures reach their end soon.
    const TINY: Size = Size::new(32, 32);
    const WRAP: u64 = 1 << 16;
    let mut session = Session::open(
        "x264",
        &EncoderConfig {
            size: TINY,
            ..config()
        },
    );
    let blank = Scene::Still.i420(TINY, 0);
    let mut kept: Vec<AccessUnit> = vec![];
    let mut all = vec![];
    for index in 0..WRAP + 8 {
        if index == WRAP + 3 {
            session.encoder.invalidate(FrameIndex(WRAP - 2)).unwrap();
        }
        let near = index > WRAP - 10;
        let unit = if near {
            session.encode(&Scene::Text.i420(TINY, index as u32))
        } else {
            session.encode(&blank)
        };
        if !(WRAP - 2..WRAP + 3).contains(&index) {
            kept.push(unit.clone());
        }
        all.push(unit);
    }
    let tail = |stream: &[u8]| decode(stream, TINY).split_off(65_000);
    let (whole, partial) = (tail(&stream(&all)), tail(&stream(&kept)));
    assert_eq!(whole.len(), partial.len() + 5);
    assert!(
        whole.ends_with(&partial[partial.len() - 5..]),
        "the pictures after the repair"
    );
}

/// One step of a receiver on a bad line.
#[derive(Clone, Copy, Debug)]
enum Line {
    Delivers,
    Loses,
}

fn line() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(
        prop_oneof![6 => Just(Line::Delivers), 1 => Just(Line::Loses)],
        60,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Random losses, told some pictures later, with cuts at a bitrate so low that pictures are
    /// thrown away and coded again. What a receiver can decode by the named references, and only
    /// that, is handed to the decoder.
    #[test]
    fn whatever_the_references_say_can_be_decoded_can_be(
        line in line(), told_after in 1_usize..6, threads in 1_usize..3,
    ) {
        let mut session = open_at("800k", threads, 8);
        let (mut all, mut kept): (Vec<AccessUnit>, Vec<AccessUnit>) = (vec![], vec![]);
        let mut needs_keyframe = false;
        for (time, delivered) in line.iter().enumerate() {
            if time >= told_after && matches!(line[time - told_after], Line::Loses) {
                let first = FrameIndex((time - told_after) as u64);
                let outcome = session.encoder.invalidate(first).unwrap();
                needs_keyframe |= outcome == Invalidation::NeedsKeyframe;
            }
            let scene = [Scene::Text, Scene::Noise, Scene::Gradient][time / 7 % 3];
            let unit = session.request(&scene.i420(SIZE, time as u32), needs_keyframe, None);
            needs_keyframe = false;
            let decodable = match unit.reference {
                Reference::None => true,
                Reference::Frame(index) => kept.iter().any(|unit| unit.index == index),
            };
            if matches!(delivered, Line::Delivers) && decodable {
                kept.push(unit.clone());
            }
            all.push(unit);
        }
        // A receiver that starts with a loss waits for the first keyframe.
        prop_assume!(kept.first().is_some_and(AccessUnit::is_keyframe));
        assert_same_pictures(&all, &kept.iter().collect::<Vec<_>>());
    }
}
