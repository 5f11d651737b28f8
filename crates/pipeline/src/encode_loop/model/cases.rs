//! Single histories that once went wrong, in few words each.

use crate::status::SourceState;
use std::time::Duration;

use super::{Abilities, Command, KeyframeReason, LAST_QUANTISER, Op, START, Setting, World};
use media::FrameKind;

const SETTING: Setting = Setting {
    fps: 60,
    abilities: Abilities {
        invalidates: true,
        refines: true,
    },
    store: 16,
    keep_alive: None,
};

fn play(history: &[Op]) -> World {
    let mut world = World::new(SETTING);
    for op in history {
        world.apply(op);
        world.advance(world.now);
    }
    world
}

#[test]
fn who_loses_the_name_to_another_is_told_so() {
    let world = play(&[Op::Join { viewer: 0 }, Op::Join { viewer: 0 }]);
    let closed = world.holders.iter().map(|holder| holder.queue.is_closed());
    assert!(closed.eq([true, false]));
}

#[test]
fn a_viewer_that_ended_its_queue_but_kept_its_lease_costs_the_others_no_keyframes() {
    let mut world = play(&[
        Op::Join { viewer: 0 },
        Op::Join { viewer: 2 },
        Op::Show { other_size: false },
        Op::CloseQueue { pick: 1 },
        Op::Play {
            frames: 600,
            gap_us: 16_667,
        },
    ]);
    let keyframes = world.coded.iter().filter(|coded| coded.reference.is_none());
    assert_eq!(keyframes.count(), 1);
    world.settle();
}

#[test]
fn a_viewer_that_stalled_until_the_screen_was_still_sees_the_last_picture() {
    let mut world = play(&[
        Op::Join { viewer: 0 },
        Op::Join { viewer: 2 },
        Op::Play {
            frames: 60,
            gap_us: 16_667,
        },
        Op::Pass { ms: 3000 },
    ]);
    assert_eq!(world.looped.deadline(), None, "silent");
    let newest = world.coded.last().map(|coded| coded.index);
    assert!(world.holders[1].last < newest);
    world.settle();
    let newest = world.coded.last().map(|coded| coded.index);
    assert_eq!(world.holders[1].last, newest);
}

#[test]
fn a_repair_on_a_still_screen_is_refined_again() {
    let mut world = play(&[
        Op::Join { viewer: 0 },
        Op::Show { other_size: false },
        Op::Pass { ms: 1500 },
        Op::Lose {
            pick: 0,
            back: 0,
            length: 1,
        },
    ]);
    let repair = *world.coded.last().unwrap();
    assert!(repair.quantiser > LAST_QUANTISER);
    world.settle();
    assert_eq!(world.coded.last().unwrap().quantiser, LAST_QUANTISER);
}

#[test]
fn one_who_comes_while_the_last_one_goes_finds_the_source_running() {
    let mut world = play(&[Op::Join { viewer: 0 }]);
    world.apply(&Op::Show { other_size: false });
    world.apply(&Op::Leave { pick: 0 });
    world.apply(&Op::Join { viewer: 1 });
    world.advance(world.now);
    assert_eq!(world.coded.len(), 1, "the frame that was there is coded");
}

#[test]
fn leaving_is_not_refused_when_commands_pile_up() {
    let mut world = play(&[Op::Join { viewer: 0 }]);
    let keyframe = || Command::Keyframe(KeyframeReason::Requested);
    while world.shared.send(keyframe()).is_ok() {}
    world.apply(&Op::Leave { pick: 0 });
    world.advance(world.now);
    assert!(world.looped.consumers.is_empty() && !world.looped.feed.is_running());
}

#[test]
fn while_pictures_come_recovery_rides_on_them() {
    let mut world = play(&[Op::Join { viewer: 0 }]);
    let next = Op::Play {
        frames: 1,
        gap_us: 16_667,
    };
    for step in 0..300 {
        match step % 5 {
            1 => world.apply(&Op::Keyframe),
            3 => world.apply(&Op::Lose {
                pick: 0,
                back: 1,
                length: 0,
            }),
            _ => {}
        }
        world.advance(world.now + Duration::from_micros(100));
        world.apply(&next);
    }
    assert_eq!(
        world.coded.len(),
        300,
        "one picture for each that was shown"
    );
}

#[test]
fn after_the_last_reset_the_stream_has_ended_and_the_status_says_why() {
    let world = play(&[
        Op::Join { viewer: 0 },
        Op::FailPictures { count: 6 },
        Op::Show { other_size: false },
        Op::Pass { ms: 10_000 },
    ]);
    assert!(world.holders[0].queue.is_closed());
    let SourceState::Absent { why, .. } = world.shared.status.get().source else {
        panic!("the stream has ended");
    };
    assert!(
        why.contains("after 5 resets: encoder coder failed"),
        "{why}"
    );
}

#[test]
fn an_encoder_that_comes_after_a_failure_is_asked_what_it_can_do() {
    let cannot_refine = Abilities {
        refines: false,
        ..SETTING.abilities
    };
    let mut world = play(&[
        Op::Join { viewer: 0 },
        Op::Show { other_size: false },
        Op::Replace {
            abilities: cannot_refine,
        },
        Op::FailPictures { count: 1 },
        Op::Pass { ms: 400 },
    ]);
    assert_eq!(world.openings, 2);
    world.settle();
    assert!(
        world
            .coded
            .iter()
            .all(|coded| coded.quantiser > LAST_QUANTISER)
    );
}

#[test]
fn a_picture_whose_encoding_failed_is_still_the_new_one_when_it_succeeds() {
    let world = play(&[
        Op::Join { viewer: 0 },
        Op::FailPictures { count: 2 },
        Op::Show { other_size: false },
        Op::Pass { ms: 1000 },
    ]);
    let kinds = world.coded.iter().map(|coded| coded.kind);
    let fresh = kinds.filter(|kind| *kind == FrameKind::Fresh);
    assert_eq!((fresh.count(), world.coded[0].kind), (1, FrameKind::Fresh));
    let shown = world.looped.shown.as_ref().unwrap();
    assert_eq!(shown.frame.times.noticed, START, "with its capture time");
}

#[test]
fn a_size_that_flaps_costs_no_more_keyframes_than_requests_do() {
    let mut world = play(&[Op::Join { viewer: 0 }]);
    for step in 0..120 {
        world.apply(&Op::Show {
            other_size: step % 3 == 0,
        });
        world.advance(world.now + Duration::from_micros(16_667));
    }
    let keyframes = world.coded.iter().filter(|coded| coded.reference.is_none());
    let count = keyframes.count();
    assert!((2..=20).contains(&count), "{count} in two seconds");
}

#[test]
fn a_loss_shows_its_slate_at_once_and_then_once_a_second() {
    let world = play(&[
        Op::Join { viewer: 0 },
        Op::Play {
            frames: 60,
            gap_us: 16_667,
        },
        Op::Away { unsupported: false },
        Op::Pass { ms: 3500 },
    ]);
    let slates = world.coded.iter();
    let slates: Vec<_> = slates
        .filter(|coded| coded.kind == FrameKind::Placeholder)
        .collect();
    assert_eq!(slates.len(), 4, "{slates:?}");
    assert!(slates.iter().all(|slate| slate.reference.is_none()));
}
