//! What becomes of losses: parity, pictures that refer past a loss, keyframes.

use crate::host::{Host, assert_complete, assert_sound, small};
use probe::{DropPlan, Repair, Report, StreamOptions};
use std::time::Duration;

/// Repairs end with a picture of this type: one that refers past the loss.
const PAST_LOSS: u8 = 5;
const KEYFRAME: u8 = 2;

fn losing(seconds: u64, drop: DropPlan) -> StreamOptions {
    StreamOptions {
        drop,
        ..small(seconds)
    }
}

/// What ended the interruption that this frame's loss began, and how many others there were, for frames
/// that the host left out.
fn repair_of(total: &Report, frame: u32) -> (Repair, u64) {
    let hit = |repair: &&Repair| {
        let first = repair.after_frame + 1;
        (first..first + repair.missing_frames).contains(&frame)
    };
    let repair = total.repairs.iter().find(hit).expect("the loss is noticed");
    let others = total.repairs.len() as u64 - 1;
    assert!(others <= total.frames_never_sent, "{:?}", total.repairs);
    (*repair, others)
}

#[test]
fn parity_saves_every_frame_from_one_and_from_three_percent_of_loss() {
    let host = Host::small(&[]);
    let pal = host.paired();
    for (share, seed) in [("1", 11), ("3", 13)] {
        let drop = DropPlan {
            video: Some(share.parse().unwrap()),
            audio: Some(share.parse().unwrap()),
            seed,
            ..DropPlan::default()
        };
        let total = pal.stream(&losing(4, drop)).unwrap().total;
        assert_complete(&total);
        let packets = total.packets;
        assert!(packets.dropped_on_purpose > 10, "{packets:?}");
        assert!(total.frames_recovered > 3, "{}", total.frames_recovered);
        assert!(packets.received > 10 * total.frames, "{packets:?}");
        let audio = &total.audio;
        assert!(audio.dropped_on_purpose > 0, "{audio:?}");
        assert!(audio.recovered > 0 && audio.lost == 0, "{audio:?}");
    }
}

#[test]
fn runs_of_eight_lost_packets_cost_no_keyframe() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let drop = DropPlan {
        video: Some("2:8".parse().unwrap()),
        seed: 17,
        ..DropPlan::default()
    };
    let total = pal.stream(&losing(4, drop)).unwrap().total;
    assert_sound(&total);
    assert!(total.packets.dropped_on_purpose > 24, "{:?}", total.packets);
    assert_eq!(total.keyframes, 1);
    for repair in &total.repairs {
        assert_eq!(repair.ended_by, PAST_LOSS, "{repair:?}");
    }
    // Those that parity cannot save are few.
    assert!(
        total.frames_missing * 10 < total.frames,
        "{} of {}",
        total.frames_missing,
        total.frames
    );
}

#[test]
fn packets_that_are_only_late_cost_nothing() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let drop = DropPlan {
        late: Some("2:3".parse().unwrap()),
        seed: 19,
        ..DropPlan::default()
    };
    let mut total = pal.stream(&losing(3, drop)).unwrap().total;
    assert!(total.packets.reordered > 3, "{:?}", total.packets);
    // The last of all may still be held back when the stream ends.
    total.packets.missing = 0;
    assert_complete(&total);
}

#[test]
fn one_lost_frame_is_repaired_by_one_picture_that_refers_past_it() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let drop = DropPlan {
        frames: vec![30],
        ..DropPlan::default()
    };
    let total = pal.stream(&losing(3, drop)).unwrap().total;
    assert_sound(&total);
    assert_eq!((total.keyframes, total.keyframes_requested), (1, 0));
    let (repair, others) = repair_of(&total, 30);
    assert_eq!(repair.ended_by, PAST_LOSS);
    assert!(repair.missing_frames <= 3, "{repair:?}");
    if others == 0 {
        assert_eq!((repair.after_frame, total.repaired_frames), (29, 1));
    }
}

#[test]
fn one_lost_frame_costs_one_keyframe_where_the_client_cannot_do_without() {
    let host = Host::small(&[]);
    let pal = host.paired();
    let drop = DropPlan {
        frames: vec![30],
        ..DropPlan::default()
    };
    let options = StreamOptions {
        invalidate_references: false,
        ..losing(3, drop)
    };
    let total = pal.stream(&options).unwrap().total;
    assert_sound(&total);
    let (repair, others) = repair_of(&total, 30);
    assert_eq!(repair.ended_by, KEYFRAME);
    assert_eq!(total.keyframes, 2 + others);
}

#[test]
fn many_requests_for_keyframes_get_few_and_the_last_one_is_honoured() {
    let host = Host::small(&[]);
    let pal = host.paired();
    // Fifty a second for two seconds, then quiet.
    let script = "idr\nsleep 20\n".repeat(100) + "sleep 900\n";
    let options = StreamOptions {
        script: Some(script.parse().unwrap()),
        keyframe_every: None,
        duration: Duration::from_secs(4),
        ..small(4)
    };
    let total = pal.stream(&options).unwrap().total;
    assert_sound(&total);
    assert_eq!(total.keyframes_requested, 100);
    assert!(!total.keyframe_owed, "the last request was honoured");
    let most = 10.0 * total.duration_s + 1.0;
    assert!((total.keyframes as f64) < most, "{}", total.keyframes);
    assert!(total.keyframes > 4, "{}", total.keyframes);
    assert_eq!(total.frames_missing, total.frames_never_sent);
}
