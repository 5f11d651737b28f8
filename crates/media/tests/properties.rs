//! Properties of the rate cap, the RTP clock and the bounded queue over random histories.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use media::{Bounded, FrameClock, FrameRate, MAX_FPS, MonoTime, Refusal, Rtp90k};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// Plays frames that come these times apart through the cap, as the slot does: a frame that may
/// not leave yet waits, and a newer one takes its place. Returns arrivals and departures.
fn admitted(rate: FrameRate, gaps_ns: &[u64]) -> Vec<(MonoTime, MonoTime)> {
    let mut clock = FrameClock::new(rate);
    let mut arrival = MonoTime::ZERO + Duration::from_secs(1);
    let mut passed = Vec::new();
    let last = [u64::MAX / 2];
    for gap in gaps_ns.iter().chain(&last) {
        let next = arrival + Duration::from_nanos(*gap);
        let leaves = arrival.max(clock.earliest());
        if leaves < next {
            clock.spend(arrival);
            passed.push((arrival, leaves));
        }
        arrival = next;
    }
    passed
}

/// What a failure shrinks to becomes a named test, not a file of seeds.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn rates() -> impl Strategy<Value = FrameRate> {
    (1..=MAX_FPS).prop_map(|fps| FrameRate::new(fps).unwrap())
}

/// Bursts, a steady source of any rate, and pauses.
fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![
        3 => 0..1_000_000_u64,
        6 => 1_000_000..20_000_000_u64,
        2 => 20_000_000..80_000_000_u64,
        1 => 80_000_000..3_000_000_000_u64,
    ];
    prop::collection::vec(gap, 1..200)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn no_window_holds_more_frames_than_the_rate_and_a_quarter(rate in rates(), gaps in gaps()) {
        let interval = rate.interval().as_nanos();
        // Credit comes a sixty-fourth early, so that a delay once caused goes away.
        let period = interval - interval / 64;
        let passed = admitted(rate, &gaps);
        for (n, (_, from)) in passed.iter().enumerate() {
            for (m, (_, to)) in passed.iter().enumerate().skip(n) {
                // Both ends are in the window, so one frame more than the intervals between them.
                let beyond_the_first = (m - n) as u128;
                let allowed = to.since(*from).as_nanos() + interval / 4;
                prop_assert!(beyond_the_first * period <= allowed, "frames {n} to {m}");
            }
        }
    }

    #[test]
    fn no_frame_is_held_for_longer_than_one_interval(rate in rates(), gaps in gaps()) {
        for (arrival, left) in admitted(rate, &gaps) {
            prop_assert!(left.since(arrival) <= rate.interval());
        }
    }

    #[test]
    fn a_frame_after_an_interval_of_rest_leaves_at_once(rate in rates(), gaps in gaps()) {
        let passed = admitted(rate, &gaps);
        for pair in passed.windows(2) {
            let ((_, before), (arrival, left)) = (pair[0], pair[1]);
            if arrival.since(before) >= rate.interval() {
                prop_assert_eq!(left, arrival);
            }
        }
    }

    #[test]
    fn the_rtp_clock_is_the_exact_quotient_modulo_its_width(nanos in any::<u64>()) {
        let exact = u128::from(nanos) * 9 / 100_000;
        let time = MonoTime::from_nanos(nanos);
        prop_assert_eq!(u128::from(Rtp90k::extended(time)), exact);
        prop_assert_eq!(u128::from(Rtp90k::from_time(time).0), exact % (1 << 32));
    }

    #[test]
    fn distances_are_right_from_anywhere_and_change_sign(
        start in 0..u64::MAX / 2,
        step_ns in 0..23_000_000_000_000_u64,
    ) {
        let (early, late) = (MonoTime::from_nanos(start), MonoTime::from_nanos(start + step_ns));
        let (a, b) = (Rtp90k::from_time(early), Rtp90k::from_time(late));
        let ticks = Rtp90k::extended(late) - Rtp90k::extended(early);
        prop_assert_eq!(i64::from(b.since(a)), i64::try_from(ticks).unwrap());
        prop_assert_eq!(i64::from(a.since(b)), -i64::try_from(ticks).unwrap());
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    Pop,
    Pass(u64),
    Close,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => Just(Op::Push),
        8 => Just(Op::Pop),
        6 => (0..40_u64).prop_map(Op::Pass),
        1 => Just(Op::Close),
    ];
    prop::collection::vec(op, 0..80)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_bounded_queue_does_what_a_list_with_times_does(depth in 1..5_usize, ops in ops()) {
        let max_age = Duration::from_millis(33);
        let queue = Bounded::new(depth, max_age);
        let (mut model, mut closed) = (VecDeque::new(), false);
        let mut now = MonoTime::ZERO;
        for (item, op) in ops.into_iter().enumerate() {
            match op {
                Op::Pass(ms) => now = now + Duration::from_millis(ms),
                Op::Pop => prop_assert_eq!(queue.pop(), model.pop_front().map(|(_, item)| item)),
                Op::Close => {
                    let waiting = model.drain(..).map(|(_, item)| item);
                    prop_assert!(queue.close().eq(waiting));
                    closed = true;
                }
                Op::Push => {
                    let stale = model.front().is_some_and(|(at, _)| now.since(*at) > max_age);
                    let expected = match (closed, model.len() == depth, stale) {
                        (true, ..) => Err((item, Refusal::Closed)),
                        (_, true, _) => Err((item, Refusal::Full)),
                        (_, _, true) => Err((item, Refusal::Stale)),
                        _ => Ok(()),
                    };
                    if expected.is_ok() {
                        model.push_back((now, item));
                    }
                    let got = queue.push(item, now).map_err(|back| (back.item, back.reason));
                    prop_assert_eq!(got, expected);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
        }
    }
}
