//! The behaviour of one path in virtual time.

use std::time::Duration;

use proptest::prelude::*;

use super::Path;
use crate::{Bottleneck, Conditions, Loss, QueueLimit, Reorder};

const PACKET: [u8; 1250] = [0x45; 1250];

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// 10 Mb/s: one [`PACKET`] a millisecond.
fn ten_megabit(queue: QueueLimit, burst_bytes: u64) -> Conditions {
    let bottleneck = Bottleneck {
        rate_bps: 10_000_000,
        queue,
        burst_bytes,
    };
    Conditions {
        bottleneck: Some(bottleneck),
        ..Conditions::default()
    }
}

/// Runs the path dry and says when each packet came out.
fn arrivals(path: &mut Path) -> Vec<Duration> {
    let mut times = Vec::new();
    while let Some(now) = path.deadline() {
        path.advance(now);
        while let Some(bytes) = path.pop_due(now) {
            path.count_delivery(bytes.len(), true);
            times.push(now);
        }
    }
    times
}

/// Which of `packets` packets are lost, in order.
fn loss_pattern(loss: Loss, seed: u64, packets: usize) -> Vec<bool> {
    let mut path = Path::new(
        Conditions {
            loss,
            ..Conditions::default()
        },
        seed,
    );
    let mut lost_before = 0;
    let mut pattern = Vec::new();
    for _ in 0..packets {
        path.enter(&PACKET, Duration::ZERO);
        let lost = path.counters().lost;
        pattern.push(lost > lost_before);
        lost_before = lost;
    }
    pattern
}

fn share(pattern: &[bool]) -> f64 {
    pattern.iter().filter(|lost| **lost).count() as f64 / pattern.len() as f64
}

#[test]
fn a_perfect_wire_hands_packets_on_at_once_and_unchanged() {
    let mut path = Path::new(Conditions::default(), 1);
    path.enter(&[0x45, 1, 2, 3], ms(7));
    assert_eq!(path.deadline(), Some(ms(7)));
    assert_eq!(path.pop_due(ms(7)).as_deref(), Some(&[0x45, 1, 2, 3][..]));
    assert_eq!(path.deadline(), None);
}

#[test]
fn delay_holds_a_packet_for_exactly_that_long() {
    let mut path = Path::new(
        Conditions {
            delay: ms(20),
            ..Conditions::default()
        },
        1,
    );
    path.enter(&PACKET, ms(5));
    assert_eq!(path.pop_due(ms(25) - Duration::from_nanos(1)), None);
    assert_eq!(path.deadline(), Some(ms(25)));
    assert!(path.pop_due(ms(25)).is_some());
}

#[test]
fn jitter_spreads_over_its_range_and_never_reorders() {
    let conditions = Conditions {
        delay: ms(4),
        jitter: ms(10),
        ..Conditions::default()
    };
    let mut path = Path::new(conditions, 3);
    let mut delays = Vec::new();
    for packet in 0..2000 {
        let entered = ms(packet * 20);
        path.enter(&PACKET, entered);
        delays.extend(arrivals(&mut path).iter().map(|out| *out - entered));
    }
    assert!(delays.iter().all(|delay| (ms(4)..=ms(14)).contains(delay)));
    assert!(delays.iter().filter(|delay| **delay < ms(6)).count() > 200);
    assert!(delays.iter().filter(|delay| **delay > ms(12)).count() > 200);

    for packet in 0..2000 {
        path.enter(&PACKET, ms(60_000) + Duration::from_micros(packet * 100));
    }
    let out = arrivals(&mut path);
    assert_eq!(out.len(), 2000);
    assert!(out.is_sorted());
}

#[test]
fn late_packets_come_after_those_that_overtook_them_and_the_others_keep_their_order() {
    let conditions = Conditions {
        delay: ms(4),
        jitter: ms(3),
        reorder: Reorder {
            ratio: 0.02,
            late_by: ms(2),
        },
        ..Conditions::default()
    };
    let mut path = Path::new(conditions, 3);
    let sent = 20_000_u32;
    let mut out: Vec<u32> = Vec::new();
    for packet in 0..sent {
        let now = Duration::from_micros(u64::from(packet) * 100);
        path.enter(&packet.to_be_bytes(), now);
        out.extend(numbers(&mut path, now));
    }
    out.extend(numbers(&mut path, ms(60_000)));
    assert_eq!(out.len(), sent as usize);
    let mut furthest = 0;
    let (late, in_time): (Vec<u32>, Vec<u32>) = out.iter().partition(|packet| {
        let overtaken = **packet < furthest;
        furthest = furthest.max(**packet);
        overtaken
    });
    let ratio = late.len() as f64 / f64::from(sent);
    assert!((0.015..0.025).contains(&ratio), "{ratio}");
    assert!(in_time.is_sorted());
}

/// What leaves by `now` of packets that carry their number.
fn numbers(path: &mut Path, now: Duration) -> Vec<u32> {
    let due = std::iter::from_fn(|| path.pop_due(now));
    due.map(|bytes| u32::from_be_bytes(bytes[..].try_into().expect("four bytes")))
        .collect()
}

#[test]
fn random_loss_takes_its_share_and_the_seed_decides_which() {
    let loss = Loss::random(0.03);
    let pattern = loss_pattern(loss, 7, 100_000);
    assert!(
        (0.027..0.033).contains(&share(&pattern)),
        "{}",
        share(&pattern)
    );
    assert_eq!(pattern, loss_pattern(loss, 7, 100_000));
    assert_ne!(pattern, loss_pattern(loss, 8, 100_000));
}

#[test]
fn bursts_keep_the_share_and_have_the_mean_length_asked_for() {
    let pattern = loss_pattern(Loss::bursts(0.03, 8.0), 7, 400_000);
    let runs: Vec<usize> = pattern
        .split(|lost| !lost)
        .map(<[bool]>::len)
        .filter(|run| *run > 0)
        .collect();
    let mean = runs.iter().sum::<usize>() as f64 / runs.len() as f64;
    assert!(
        (0.025..0.035).contains(&share(&pattern)),
        "{}",
        share(&pattern)
    );
    assert!((7.0..9.0).contains(&mean), "{mean}");
}

#[test]
fn total_loss_and_no_loss_are_exact() {
    assert!(
        loss_pattern(Loss::random(1.0), 1, 1000)
            .iter()
            .all(|lost| *lost)
    );
    assert!(
        loss_pattern(Loss::bursts(1.0, 8.0), 1, 1000)
            .iter()
            .all(|lost| *lost)
    );
    assert!(
        loss_pattern(Loss::random(0.0), 1, 1000)
            .iter()
            .all(|lost| !*lost)
    );
}

#[test]
fn jitter_does_not_change_what_is_lost() {
    let lost_with = |jitter| {
        let loss = Loss::random(0.2);
        let mut path = Path::new(
            Conditions {
                loss,
                jitter,
                ..Conditions::default()
            },
            5,
        );
        (0..500)
            .map(|packet| {
                path.enter(&PACKET, ms(packet));
                path.counters().lost
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(lost_with(Duration::ZERO), lost_with(ms(15)));
}

#[test]
fn the_bottleneck_spaces_packets_by_their_length() {
    let mut path = Path::new(ten_megabit(QueueLimit::Bytes(1 << 20), 0), 1);
    for _ in 0..5 {
        path.enter(&PACKET, ms(10));
    }
    path.enter(&PACKET[..625], ms(10));
    let half = Duration::from_micros(500);
    let expected = [ms(11), ms(12), ms(13), ms(14), ms(15), ms(15) + half];
    assert_eq!(arrivals(&mut path), expected);
    assert_eq!(path.take_waits().longest, ms(5) + half);
}

#[test]
fn a_late_wake_up_does_not_slow_the_bottleneck() {
    let mut path = Path::new(ten_megabit(QueueLimit::Bytes(1 << 20), 0), 1);
    for _ in 0..10 {
        path.enter(&PACKET, ms(0));
    }
    path.advance(ms(10));
    assert_eq!(path.counters().queued_bytes, 0);
}

#[test]
fn after_idle_time_a_burst_passes_at_once_and_the_rest_at_the_rate() {
    let mut path = Path::new(ten_megabit(QueueLimit::Bytes(1 << 20), 2500), 1);
    for _ in 0..4 {
        path.enter(&PACKET, ms(100));
    }
    assert_eq!(arrivals(&mut path), [ms(100), ms(100), ms(101), ms(102)]);
}

#[test]
fn a_full_queue_drops_the_tail_and_counts_it() {
    for queue in [QueueLimit::Time(ms(20)), QueueLimit::Bytes(25_000)] {
        let mut path = Path::new(ten_megabit(queue, 0), 1);
        for _ in 0..100 {
            path.enter(&PACKET, ms(0));
        }
        // The packet that takes the queue over its limit still gets in.
        assert_eq!(path.counters().queue_drops, 100 - 21, "{queue:?}");
        assert_eq!(arrivals(&mut path).last(), Some(&ms(21)), "{queue:?}");
    }
}

#[test]
fn a_rate_of_zero_holds_everything_until_there_is_a_rate_again() {
    let mut conditions = ten_megabit(QueueLimit::Bytes(1 << 20), 0);
    let mut path = Path::new(conditions, 1);
    let stalled = Bottleneck {
        rate_bps: 0,
        queue: QueueLimit::Bytes(1 << 20),
        burst_bytes: 0,
    };
    path.set_conditions(
        Conditions {
            bottleneck: Some(stalled),
            ..conditions
        },
        ms(0),
    );
    path.enter(&PACKET, ms(1));
    path.enter(&PACKET, ms(2));
    path.advance(ms(1000));
    assert_eq!(path.pop_due(ms(1000)), None);

    conditions.delay = ms(3);
    path.set_conditions(conditions, ms(1000));
    assert_eq!(arrivals(&mut path), [ms(1004), ms(1005)]);
}

#[test]
fn lifting_the_rate_lets_the_queue_go_at_once() {
    let mut path = Path::new(ten_megabit(QueueLimit::Bytes(1 << 20), 0), 1);
    for _ in 0..50 {
        path.enter(&PACKET, ms(0));
    }
    path.set_conditions(Conditions::default(), ms(3));
    assert_eq!(arrivals(&mut path).last(), Some(&ms(3)));
}

#[test]
fn a_blackout_swallows_what_comes_and_what_waits_but_not_what_is_on_the_wire() {
    let slow = Conditions {
        delay: ms(50),
        ..ten_megabit(QueueLimit::Bytes(1 << 20), 0)
    };
    let mut path = Path::new(slow, 1);
    for _ in 0..3 {
        path.enter(&PACKET, ms(0));
    }
    path.set_conditions(
        Conditions {
            blackout: true,
            ..slow
        },
        ms(1),
    );
    path.enter(&PACKET, ms(2));
    assert_eq!(arrivals(&mut path), [ms(51)]);
    assert_eq!(path.counters().blacked_out, 3);
}

#[derive(Clone, Debug)]
enum Step {
    Packet {
        length: usize,
    },
    Wait {
        us: u64,
    },
    Conditions {
        delay_ms: u64,
        jitter_ms: u64,
        loss: f64,
        rate_bps: Option<u64>,
        black: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let conditions = (
        0..30u64,
        0..10u64,
        0.0..1.0f64,
        any::<Option<u32>>(),
        any::<bool>(),
    );
    prop_oneof![
        8 => (0..1500usize).prop_map(|length| Step::Packet { length }),
        4 => (0..5000u64).prop_map(|us| Step::Wait { us }),
        1 => conditions.prop_map(|(delay_ms, jitter_ms, loss, rate, black)| Step::Conditions {
            delay_ms,
            jitter_ms,
            loss,
            rate_bps: rate.map(u64::from),
            black,
        }),
    ]
}

proptest! {
    /// Whatever is done to a path, every packet is accounted for once and none overtakes another.
    #[test]
    fn every_packet_is_counted_once_and_order_is_kept(
        steps in proptest::collection::vec(step(), 1..200),
        seed in any::<u64>(),
    ) {
        let mut path = Path::new(Conditions::default(), seed);
        let mut now = Duration::ZERO;
        let mut sent = 0u32;
        let mut newest_out = None;
        for step in steps {
            match step {
                Step::Packet { length } => {
                    let mut bytes = sent.to_be_bytes().to_vec();
                    bytes.resize(4 + length, 0);
                    path.enter(&bytes, now);
                    sent += 1;
                }
                Step::Wait { us } => now += Duration::from_micros(us),
                Step::Conditions { delay_ms, jitter_ms, loss, rate_bps, black } => {
                    let queue = QueueLimit::Time(ms(30));
                    let hop = |rate_bps| Bottleneck { rate_bps, queue, burst_bytes: 3000 };
                    let conditions = Conditions {
                        delay: ms(delay_ms),
                        jitter: ms(jitter_ms),
                        reorder: Reorder::default(),
                        loss: Loss::bursts(loss, 3.0),
                        bottleneck: rate_bps.map(hop),
                        blackout: black,
                    };
                    path.set_conditions(conditions, now);
                }
            }
            path.advance(now);
            while let Some(bytes) = path.pop_due(now) {
                path.count_delivery(bytes.len(), true);
                let number = bytes.first_chunk().map(|head| u32::from_be_bytes(*head));
                prop_assert!(number > newest_out, "{number:?} after {newest_out:?}");
                newest_out = number;
            }
            let c = path.counters();
            let known = c.out_packets + c.lost + c.queue_drops + c.blacked_out + c.under_way;
            prop_assert_eq!(c.in_packets, known);
            prop_assert_eq!(c.in_packets, u64::from(sent));
        }
    }
}
