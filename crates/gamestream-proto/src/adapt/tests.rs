//! The rules one by one, whatever is told, and an evening on a link that goes bad and gets well again.

use media::FrameRate;
use proptest::prelude::*;

use super::*;

const LIMITS: LinkLimits = LinkLimits {
    wire_bps: 40_000_000,
    fec_percent: 20,
};

/// An adapter and its clock.
struct Second {
    adapter: LinkAdapter,
    now: MonoTime,
}

impl Second {
    fn new(limits: LinkLimits) -> Self {
        let now = MonoTime::from_nanos(5_000_000_000);
        Self {
            adapter: LinkAdapter::new(limits, now),
            now,
        }
    }

    /// Ends a second in which pictures were sent.
    fn end(&mut self) -> LinkPlan {
        self.adapter.picture_sent();
        self.now = self.now + SECOND;
        self.adapter.decide(self.now);
        self.adapter.plan()
    }

    fn lost(&mut self) -> LinkPlan {
        self.adapter.report(&block(10, 40, 8));
        self.end()
    }

    fn strained(&mut self) -> LinkPlan {
        self.adapter.report(&block(5, 40, 8));
        self.end()
    }

    fn clean(&mut self, seconds: u32) -> LinkPlan {
        (0..seconds).for_each(|_| {
            self.end();
        });
        self.adapter.plan()
    }
}

/// A report of a block with so many missing data packets.
fn block(missing: u16, data: u16, parity: u16) -> FrameFecStatus {
    FrameFecStatus {
        missing,
        data,
        parity,
        received_data: data - missing,
        received_parity: missing.min(parity),
        ..FrameFecStatus::default()
    }
}

#[test]
fn parity_rises_by_half_in_every_bad_second_up_to_the_most() {
    let mut second = Second::new(LIMITS);
    let rises: Vec<u8> = (0..4).map(|_| second.lost().fec_percent).collect();
    assert_eq!(rises, [30, 45, 50, 50]);
    let mut small = Second::new(LinkLimits {
        fec_percent: 5,
        ..LIMITS
    });
    let rises: Vec<u8> = (0..4).map(|_| small.strained().fec_percent).collect();
    assert_eq!(rises, [10, 15, 22, 33], "never by less than five points");
}

#[test]
fn parity_falls_after_every_eight_clean_seconds_to_what_was_configured() {
    let mut second = Second::new(LIMITS);
    second.lost();
    assert_eq!(second.clean(7).fec_percent, 30);
    assert_eq!(second.clean(1).fec_percent, 25);
    assert_eq!(second.clean(8).fec_percent, 20);
    assert_eq!(second.clean(80).fec_percent, 20);
    let generous = LinkLimits {
        fec_percent: 70,
        ..LIMITS
    };
    assert_eq!(Second::new(generous).lost().fec_percent, 70);
}

#[test]
fn bits_go_down_from_the_second_bad_second_and_stop_at_the_floor() {
    let mut second = Second::new(LIMITS);
    assert_eq!(second.lost().wire_bps, 40_000_000);
    assert_eq!(second.lost().wire_bps, 34_000_000);
    assert_eq!(second.lost().wire_bps, 28_900_000);
    second.clean(1);
    assert_eq!(second.lost().wire_bps, 28_900_000, "one alone again");
    for _ in 0..30 {
        second.lost();
    }
    assert_eq!(second.adapter.plan().wire_bps, 10_000_000);
}

#[test]
fn the_floor_is_five_megabits_but_never_above_the_limit() {
    for (wire_bps, floor) in [(12_000_000, 5_000_000), (3_000_000, 3_000_000)] {
        let mut second = Second::new(LinkLimits { wire_bps, ..LIMITS });
        for _ in 0..30 {
            second.lost();
        }
        assert_eq!(second.adapter.plan().wire_bps, floor);
    }
}

#[test]
fn bits_come_back_in_twentieths_after_every_four_clean_seconds() {
    let mut second = Second::new(LIMITS);
    (0..3).for_each(|_| {
        second.lost();
    });
    assert_eq!(second.clean(3).wire_bps, 28_900_000);
    assert_eq!(second.clean(1).wire_bps, 30_900_000);
    assert_eq!(second.clean(4).wire_bps, 32_900_000);
    assert_eq!(second.clean(100).wire_bps, 40_000_000);
}

#[test]
fn what_parity_repairs_with_ease_changes_nothing() {
    let mut second = Second::new(LIMITS);
    for _ in 0..20 {
        second.adapter.report(&block(4, 40, 8));
        let plan = second.end();
        assert_eq!((plan.fec_percent, plan.wire_bps), (20, 40_000_000));
    }
}

#[test]
fn bits_stay_while_more_parity_can_repair_it() {
    let mut second = Second::new(LIMITS);
    for _ in 0..3 {
        assert_eq!(second.strained().wire_bps, 40_000_000);
    }
    assert_eq!(second.adapter.plan().fec_percent, 50);
    second.strained();
    assert_eq!(second.strained().wire_bps, 34_000_000);
}

#[test]
fn requests_are_losses_too_but_not_those_of_a_client_that_begins() {
    let mut second = Second::new(LIMITS);
    second.adapter.keyframe_requested(second.now);
    assert_eq!(second.end().fec_percent, 20);
    second.clean(1);
    second.adapter.keyframe_requested(second.now);
    assert_eq!(second.end().fec_percent, 30);
    second.adapter.pictures_lost();
    let plan = second.end();
    assert_eq!((plan.fec_percent, plan.wire_bps), (45, 34_000_000));
}

#[test]
fn a_quiet_second_proves_nothing() {
    let mut second = Second::new(LIMITS);
    second.lost();
    second.lost();
    let before = second.adapter.plan();
    for _ in 0..50 {
        second.now = second.now + SECOND;
        assert_eq!(second.adapter.decide(second.now), None);
    }
    assert_eq!(second.adapter.plan(), before);
}

#[test]
fn decisions_come_once_a_second_and_a_late_one_is_one() {
    let mut second = Second::new(LIMITS);
    second.adapter.pictures_lost();
    let early = second.now + Duration::from_millis(999);
    assert_eq!(second.adapter.decide(early), None);
    let late = second.now + Duration::from_secs(60);
    let plan = second.adapter.decide(late).expect("parity rises");
    assert_eq!(plan.fec_percent, 30);
    assert_eq!(second.adapter.next_decision(), late + SECOND);
    assert_eq!(second.adapter.decide(late), None);
}

proptest! {
    #[test]
    fn whatever_is_told_the_plan_stays_within_its_bounds(
        wire_bps in any::<u32>(),
        fec_percent in any::<u8>(),
        events in proptest::collection::vec((0..5u8, any::<[u8; 21]>(), 0..3_000u64), 0..300),
    ) {
        let limits = LinkLimits { wire_bps, fec_percent };
        let mut now = MonoTime::from_nanos(1);
        let mut adapter = LinkAdapter::new(limits, now);
        for (kind, bytes, step_ms) in events {
            now = now + Duration::from_millis(step_ms);
            match kind {
                0 => adapter.report(&FrameFecStatus::parse(&bytes).expect("long enough")),
                1 => adapter.pictures_lost(),
                2 => adapter.keyframe_requested(now),
                _ => adapter.picture_sent(),
            }
            let before = adapter.plan();
            let changed = adapter.decide(now);
            let plan = adapter.plan();
            prop_assert_eq!(changed, (plan != before).then_some(plan));
            prop_assert!(plan.fec_percent >= fec_percent);
            prop_assert!(plan.fec_percent <= fec_percent.max(50));
            prop_assert!(plan.wire_bps <= wire_bps);
            prop_assert!(plan.wire_bps >= wire_bps.min(5_000_000.max(wire_bps / 4)));
        }
    }
}

/// A link with a capacity and chance losses, one picture at a time.
struct Link {
    state: u64,
    lost_pictures: u32,
}

impl Link {
    fn chance(&mut self, permille: u64) -> bool {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.state >> 33) % 1000 < permille
    }

    /// Sends a second of pictures by the plan, as the client would tell of them.
    fn carry(&mut self, second: &mut Second, capacity_bps: u32, chance_permille: u64) {
        let plan = second.adapter.plan();
        let rate = FrameRate::new(60).unwrap();
        let framing = VideoFraming {
            packet_size: 1392,
            encrypted: true,
            min_parity: 2,
            rate,
            audio: None,
        };
        let bitrate = framing.encoder_bps(plan.wire_bps, plan.fec_percent);
        let data = (bitrate.bps() / 8 / rate.fps()).div_ceil(1376);
        let parity = (data * u32::from(plan.fec_percent)).div_ceil(100).max(2);
        let excess = plan.wire_bps.saturating_sub(capacity_bps);
        let permille = u64::from(excess) * 1000 / u64::from(plan.wire_bps) + chance_permille;
        for _ in 0..rate.fps() {
            let lost = (0..data + parity).filter(|_| self.chance(permille)).count() as u32;
            if lost > 0 {
                let report = FrameFecStatus {
                    missing: lost as u16,
                    data: data as u16,
                    parity: parity as u16,
                    received_data: data.saturating_sub(lost) as u16,
                    received_parity: parity as u16,
                    ..FrameFecStatus::default()
                };
                second.adapter.report(&report);
                self.lost_pictures += u32::from(report.is_lost());
            }
        }
        second.end();
    }
}

#[test]
fn a_bad_evening_ends_well() {
    let mut second = Second::new(LIMITS);
    let mut link = Link {
        state: 20,
        lost_pictures: 0,
    };
    // A good minute, with a lost packet here and there.
    for _ in 0..60 {
        link.carry(&mut second, 100_000_000, 1);
    }
    let good = second.adapter.plan();
    assert_eq!(
        (good.wire_bps, link.lost_pictures),
        (40_000_000, 0),
        "{good:?}"
    );

    // Somebody else uses the line: a third of the budget has no room.
    for _ in 0..15 {
        link.carry(&mut second, 26_000_000, 1);
    }
    let squeezed = second.adapter.plan();
    assert!(squeezed.wire_bps <= 30_000_000, "{squeezed:?}");
    assert!(squeezed.fec_percent >= 40, "{squeezed:?}");
    link.lost_pictures = 0;
    for _ in 0..60 {
        link.carry(&mut second, 26_000_000, 1);
    }
    assert!(link.lost_pictures < 60 * 60 / 100, "{}", link.lost_pictures);

    // The line is as good as broken: the floor holds.
    for _ in 0..30 {
        link.carry(&mut second, 2_000_000, 1);
    }
    assert_eq!(second.adapter.plan().wire_bps, 10_000_000);

    // And is free again: everything comes back, within two minutes.
    for _ in 0..120 {
        link.carry(&mut second, 100_000_000, 1);
    }
    assert_eq!(second.adapter.plan().wire_bps, 40_000_000);
    assert!(second.adapter.plan().fec_percent <= 25);
}
