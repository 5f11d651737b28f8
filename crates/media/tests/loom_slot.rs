//! Every interleaving of the real `Slot`, by loom: no wake-up is lost and no value goes astray.
//!
//! Built only with `RUSTFLAGS="--cfg loom"`; times are left out, for loom has no clock.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use media::{MonoTime, Slot, SlotClosed, Wake};

type Mailbox = Arc<Slot<u32>>;

fn mailbox() -> (Mailbox, Mailbox) {
    let slot = Arc::new(Slot::new());
    (Arc::clone(&slot), slot)
}

/// Sleeps without a deadline: a lost wake-up shows as a deadlock, which loom reports.
fn read(slot: &Slot<u32>) -> Wake<u32> {
    slot.wait(MonoTime::ZERO, None)
}

#[test]
fn the_last_of_two_puts_is_always_read_and_the_first_is_read_or_displaced() {
    loom::model(|| {
        let (slot, writers) = mailbox();
        let writer = thread::spawn(move || {
            assert_eq!(writers.put(1), Ok(None), "nothing was staged before");
            writers.put(2)
        });
        let mut got = Vec::new();
        while got.last() != Some(&2) {
            match read(&slot) {
                Wake::Value(value) => got.push(value),
                other => panic!("nobody nudged or closed, yet {other:?}"),
            }
        }
        let displaced = writer.join().unwrap().unwrap();
        match displaced {
            None => assert_eq!(got, [1, 2]),
            Some(1) => assert_eq!(got, [2]),
            Some(other) => panic!("{other} was displaced"),
        }
        assert_eq!(slot.clear(), None, "nothing is left over");
    });
}

#[test]
fn two_writers_lose_no_value_between_them() {
    loom::model(|| {
        let (slot, first) = mailbox();
        let second = Arc::clone(&slot);
        let first = thread::spawn(move || first.put(1).unwrap());
        let second = thread::spawn(move || second.put(2).unwrap());
        let Wake::Value(read_first) = read(&slot) else {
            panic!("only values were put");
        };
        let displaced = [first.join().unwrap(), second.join().unwrap()];
        let mut seen: Vec<_> = displaced.into_iter().flatten().collect();
        seen.push(read_first);
        seen.extend(slot.clear());
        seen.sort_unstable();
        assert_eq!(seen, [1, 2], "each exactly once");
    });
}

#[test]
fn a_put_that_races_with_close_is_read_dropped_by_it_or_handed_back() {
    loom::model(|| {
        let (slot, writers) = mailbox();
        let closers = Arc::clone(&slot);
        let writer = thread::spawn(move || writers.put(7));
        let closer = thread::spawn(move || closers.close());
        let mut got = Vec::new();
        loop {
            match read(&slot) {
                Wake::Value(value) => got.push(value),
                Wake::Closed => break,
                other => panic!("nobody nudged, yet {other:?}"),
            }
        }
        closer.join().unwrap();
        match writer.join().unwrap() {
            Ok(None) => assert!(got.is_empty() || got == [7]),
            Err(SlotClosed(value)) => assert_eq!((value, got.len()), (7, 0)),
            Ok(Some(value)) => panic!("{value} was never put"),
        }
        assert_eq!(slot.clear(), None, "closing leaves nothing staged");
        assert_eq!(slot.put(8), Err(SlotClosed(8)));
    });
}

#[test]
fn close_wakes_a_sleeping_reader_and_may_be_called_twice_at_once() {
    loom::model(|| {
        let (slot, first) = mailbox();
        let second = Arc::clone(&slot);
        let first = thread::spawn(move || first.close());
        let second = thread::spawn(move || second.close());
        assert_eq!(read(&slot), Wake::Closed);
        first.join().unwrap();
        second.join().unwrap();
        assert!(slot.is_closed());
        assert_eq!(read(&slot), Wake::Closed, "and it stays closed");
    });
}

#[test]
fn a_nudge_wakes_a_sleeping_reader_once() {
    loom::model(|| {
        let (slot, nudger) = mailbox();
        let nudger = thread::spawn(move || nudger.nudge());
        assert_eq!(read(&slot), Wake::Nudge);
        nudger.join().unwrap();
        assert_eq!(slot.put(1), Ok(None));
        assert_eq!(read(&slot), Wake::Value(1), "the nudge is spent");
    });
}

#[test]
fn what_was_queued_before_a_nudge_is_seen_by_the_reader_it_wakes() {
    use loom::sync::atomic::{AtomicBool, Ordering};
    loom::model(|| {
        let (slot, nudger) = mailbox();
        let queued = Arc::new(AtomicBool::new(false));
        let queue = Arc::clone(&queued);
        let nudger = thread::spawn(move || {
            queue.store(true, Ordering::Relaxed);
            nudger.nudge();
        });
        let writers = Arc::clone(&slot);
        let writer = thread::spawn(move || writers.put(1).unwrap());
        // A value may come with or without the nudge; nobody sleeps for good either way.
        let (mut value, mut command) = (false, false);
        while !(value && command) {
            match read(&slot) {
                Wake::Value(_) => value = true,
                Wake::Nudge => {}
                other => panic!("nobody closed, yet {other:?}"),
            }
            command = queued.load(Ordering::Relaxed);
        }
        nudger.join().unwrap();
        assert_eq!(writer.join().unwrap(), None);
    });
}

#[test]
fn a_value_taken_back_by_clear_is_not_read() {
    loom::model(|| {
        let (slot, writers) = mailbox();
        let writer = thread::spawn(move || writers.put(1));
        let cleared = slot.clear();
        assert_eq!(writer.join().unwrap(), Ok(None));
        slot.nudge();
        match read(&slot) {
            Wake::Value(1) => assert_eq!(cleared, None),
            Wake::Nudge => assert_eq!(cleared, Some(1)),
            other => panic!("{other:?}"),
        }
    });
}
