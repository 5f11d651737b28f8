//! A million puts against a reader on real threads: no value goes astray, no wake-up is lost.
//!
//! Loom proves the small cases; this shows that the operating system's lock and timer keep them.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use fastrand::Rng;
use media::{MonoTime, Slot, SlotClosed, Wake};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const LIVES: u64 = 5_000;
const PUTS_PER_LIFE: u64 = 200;

/// Who ends a life of the slot.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// Another thread, at any moment.
    Race,
    /// The writer, once the reader has the last value.
    Quiet,
}

/// What became of the values that the writer put.
#[derive(Default)]
struct Written {
    displaced: Vec<u64>,
    handed_back: Vec<u64>,
}

/// Passes a little time, so that threads meet in every phase.
fn dawdle(rng: &mut Rng) {
    match rng.u8(..) {
        0..4 => thread::yield_now(),
        4..128 => (0..rng.u32(..200)).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

fn write(slot: &Slot<u64>, ending: Ending, last_read: &AtomicU64, mut rng: Rng) -> Written {
    let mut written = Written::default();
    for value in 1..=PUTS_PER_LIFE {
        match slot.put(value) {
            Ok(None) => assert!(written.handed_back.is_empty(), "a closed slot took {value}"),
            Ok(Some(older)) => written.displaced.push(older),
            Err(SlotClosed(back)) => written.handed_back.push(back),
        }
        dawdle(&mut rng);
    }
    if ending == Ending::Quiet {
        while last_read.load(Ordering::Acquire) != PUTS_PER_LIFE {
            thread::park();
        }
        slot.close();
    }
    written
}

fn disturb(slot: &Slot<u64>, ending: Ending, mut rng: Rng) -> u64 {
    let nudges = rng.u64(..20);
    for _ in 0..nudges {
        slot.nudge();
        (0..rng.u8(..8)).for_each(|_| dawdle(&mut rng));
    }
    if ending == Ending::Race {
        slot.close();
        slot.close();
    }
    nudges
}

/// Waits once, in a random manner, and checks what the wait promised about time.
fn wait(slot: &Slot<u64>, rng: &mut Rng) -> Wake<u64> {
    let soon = |rng: &mut Rng| MonoTime::now() + Duration::from_micros(rng.u64(..30));
    let not_before = if rng.u8(..) < 16 {
        soon(rng)
    } else {
        MonoTime::ZERO
    };
    let deadline = (rng.u8(..) < 16).then(|| soon(rng));
    let wake = slot.wait(not_before, deadline);
    match wake {
        Wake::Value(_) => assert!(MonoTime::now() >= not_before, "a value left too early"),
        Wake::Deadline => assert!(deadline.is_some_and(|at| MonoTime::now() >= at)),
        Wake::Nudge | Wake::Closed => {}
    }
    wake
}

fn live(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let ending = if rng.bool() {
        Ending::Race
    } else {
        Ending::Quiet
    };
    let (slot, last_read) = (Slot::new(), AtomicU64::new(0));
    let (mut read, mut nudged) = (Vec::new(), 0);
    let (written, nudges) = thread::scope(|scope| {
        let (slot, last_read) = (&slot, &last_read);
        let (for_writer, for_other) = (rng.fork(), rng.fork());
        let writer = scope.spawn(move || write(slot, ending, last_read, for_writer));
        let other = scope.spawn(move || disturb(slot, ending, for_other));
        loop {
            match wait(slot, &mut rng) {
                Wake::Value(value) => {
                    read.push(value);
                    last_read.store(value, Ordering::Release);
                    writer.thread().unpark();
                }
                Wake::Nudge => nudged += 1,
                Wake::Deadline => {}
                Wake::Closed => break,
            }
        }
        (writer.join().unwrap(), other.join().unwrap())
    });
    assert!(
        read.is_sorted_by(|a, b| a < b),
        "seed {seed}: read {read:?}"
    );
    assert!(nudged <= nudges, "seed {seed}: {nudged} of {nudges} nudges");
    assert_eq!(slot.wait(MonoTime::ZERO, None), Wake::Closed);
    assert_eq!(slot.put(0), Err(SlotClosed(0)));
    account(seed, ending, &read, &written);
}

/// Every value was read, displaced or handed back, and closing dropped the staged one at most.
fn account(seed: u64, ending: Ending, read: &[u64], written: &Written) {
    let accepted = PUTS_PER_LIFE - written.handed_back.len() as u64;
    let mut seen = [read, &written.displaced, &written.handed_back].concat();
    seen.sort_unstable();
    let mut expected: Vec<_> = (1..=PUTS_PER_LIFE).collect();
    if ending == Ending::Race && !seen.contains(&accepted) {
        expected.retain(|value| *value != accepted);
    }
    assert_eq!(seen, expected, "seed {seed}: each value exactly once");
}

#[test]
fn a_million_puts_are_each_read_displaced_or_handed_back() {
    for seed in 0..LIVES {
        live(seed);
    }
}

#[test]
fn many_puts_during_one_encode_give_one_more_of_the_last() {
    let slot = Slot::new();
    slot.put(0).unwrap();
    for round in 1..=1000_u64 {
        let Wake::Value(_in_the_encoder) = slot.wait(MonoTime::ZERO, None) else {
            panic!("round {round}: a value was staged");
        };
        let (first, last) = (round * 100, round * 100 + round % 17);
        let displaced = thread::scope(|scope| {
            let capture =
                scope.spawn(|| (first..=last).filter_map(|n| slot.put(n).unwrap()).count());
            capture.join().unwrap()
        });
        assert_eq!(
            displaced as u64,
            last - first,
            "all but the last are counted"
        );
        assert_eq!(slot.wait(MonoTime::ZERO, None), Wake::Value(last));
        let past = Some(MonoTime::now());
        assert_eq!(
            slot.wait(MonoTime::ZERO, past),
            Wake::Deadline,
            "exactly one"
        );
        slot.put(last).unwrap();
    }
}

#[test]
fn a_value_takes_a_pending_nudge_with_it() {
    let slot = Slot::new();
    slot.nudge();
    slot.put(1).unwrap();
    assert_eq!(slot.wait(MonoTime::ZERO, None), Wake::Value(1));
    let past = Some(MonoTime::now());
    assert_eq!(slot.wait(MonoTime::ZERO, past), Wake::Deadline);
}

#[test]
fn a_value_held_back_stays_replaceable_and_nudges_pass_it() {
    let slot = Slot::new();
    let later = MonoTime::now() + Duration::from_secs(3600);
    slot.put(1).unwrap();
    slot.nudge();
    assert_eq!(slot.wait(later, None), Wake::Nudge);
    assert_eq!(slot.wait(later, Some(MonoTime::now())), Wake::Deadline);
    assert_eq!(slot.put(2), Ok(Some(1)));
    assert_eq!(slot.wait(MonoTime::now(), None), Wake::Value(2));
}

#[test]
fn close_ends_a_wait_that_has_hours_to_go_and_drops_what_was_staged() {
    let slot = Slot::new();
    let later = MonoTime::now() + Duration::from_secs(3600);
    slot.put(1).unwrap();
    thread::scope(|scope| {
        let reader = scope.spawn(|| slot.wait(later, Some(later)));
        slot.close();
        assert_eq!(reader.join().unwrap(), Wake::Closed);
    });
    assert_eq!(slot.clear(), None);
}
