//! The keep-alive rule, reports and macros, against a clock of the test's own.

use super::*;
use proptest::prelude::*;

const A: u8 = 0x04;
const B: u8 = 0x05;
const SHIFT: u8 = 0xe1;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn down(usage: u8) -> KeyEvent {
    KeyEvent { usage, down: true }
}

fn up(usage: u8) -> KeyEvent {
    KeyEvent { usage, down: false }
}

fn press(usage: u8, down: bool) -> FromClient {
    FromClient::Keypress { usage, down }
}

/// A keyboard, and its clock.
struct Bench {
    keyboard: Keyboard,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            keyboard: Keyboard::default(),
            start: Instant::now(),
        }
    }

    fn send(&mut self, at_ms: u64, message: FromClient) -> Vec<KeyEvent> {
        let now = self.start + ms(at_ms);
        let mut keys = self.keyboard.tick(now).keys;
        keys.extend(self.keyboard.take(message, now).keys);
        keys
    }

    fn tick(&mut self, at_ms: u64) -> Vec<KeyEvent> {
        self.keyboard.tick(self.start + ms(at_ms)).keys
    }
}

#[test]
fn a_key_goes_up_when_nobody_vouches_for_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(0, press(A, true)), [down(A)]);
    assert_eq!(bench.keyboard.deadline(), Some(bench.start + ms(100)));
    assert_eq!(bench.tick(99), []);
    assert_eq!(bench.tick(100), [up(A)]);
    assert_eq!(bench.keyboard.deadline(), None);
}

#[test]
fn ticks_hold_a_key_and_lateness_shortens_the_hold() {
    let mut bench = Bench::new();
    bench.send(0, press(A, true));
    for tick in 1..=20 {
        assert_eq!(bench.send(tick * 50, FromClient::KeepAlive), []);
    }
    assert_eq!(bench.keyboard.deadline(), Some(bench.start + ms(1100)));
    // Thirty late: held for seventy.
    assert_eq!(bench.send(1080, FromClient::KeepAlive), []);
    assert_eq!(bench.keyboard.deadline(), Some(bench.start + ms(1150)));
}

#[test]
fn ticks_out_of_a_queue_do_not_bring_a_key_back() {
    let mut bench = Bench::new();
    bench.send(0, press(A, true));
    bench.send(50, FromClient::KeepAlive);
    // The network stalls; then all that waited arrives at once.
    assert_eq!(bench.send(400, FromClient::KeepAlive), [up(A)]);
    for _ in 0..5 {
        assert_eq!(bench.send(401, FromClient::KeepAlive), []);
    }
    assert_eq!(bench.keyboard.down(), KeyReport::default());
    // A press after that starts anew.
    assert_eq!(bench.send(402, press(A, false)), []);
    assert_eq!(bench.send(500, press(A, true)), [down(A)]);
    bench.send(550, FromClient::KeepAlive);
    assert_eq!(bench.tick(649), []);
    assert_eq!(bench.tick(650), [up(A)]);
}

#[test]
fn a_modifier_is_held_without_ticks_and_timed_with_them() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(0, press(SHIFT, true)), [down(SHIFT)]);
    assert_eq!(bench.tick(5000), []);
    bench.send(5000, press(A, true));
    bench.send(5050, FromClient::KeepAlive);
    // The ticks were for A alone.
    assert_eq!(bench.send(5060, press(A, false)), [up(A)]);
    assert_eq!(bench.tick(9000), []);
    // Now they are for it.
    bench.send(9000, FromClient::KeepAlive);
    assert_eq!(bench.tick(9100), [up(SHIFT)]);
}

#[test]
fn a_report_is_all_that_is_down_and_needs_no_ticks() {
    let mut bench = Bench::new();
    let report = |modifier, keys: &[u8]| FromClient::Keyboard(KeyReport::new(modifier, keys));
    assert_eq!(bench.send(0, report(0b10, &[A])), [down(SHIFT), down(A)]);
    assert_eq!(bench.tick(5000), []);
    let to_b = bench.send(5000, report(0, &[B]));
    assert_eq!(to_b, [up(A), up(SHIFT), down(B)]);
    // A keyboard that is confused changes nothing.
    assert_eq!(bench.send(5001, report(0, &[1; 6])), []);
    assert_eq!(bench.send(5002, report(0, &[])), [up(B)]);
    // Modifiers among the keys are modifiers.
    assert_eq!(bench.send(5003, report(0, &[SHIFT])), [down(SHIFT)]);
    assert_eq!(bench.send(5004, report(0b10, &[])), []);
}

#[test]
fn a_seventh_key_is_not_pressed_and_holds_nothing_up() {
    let mut bench = Bench::new();
    for usage in A..A + 6 {
        assert_eq!(bench.send(0, press(usage, true)), [down(usage)]);
    }
    assert_eq!(bench.send(0, press(A + 6, true)), []);
    assert_eq!(bench.send(0, press(A + 6, false)), []);
    assert_eq!(bench.tick(100).len(), 6);
}

fn step(keys: &[u8], delay_ms: u64) -> MacroStep {
    MacroStep {
        report: KeyReport::new(0, keys),
        delay: ms(delay_ms),
    }
}

#[test]
fn a_macro_plays_its_steps_in_time_and_tells() {
    let mut bench = Bench::new();
    let steps = vec![step(&[A], 20), step(&[], 5), step(&[B], 20)];
    let started = bench.keyboard.take(
        FromClient::Macro {
            is_paste: true,
            steps,
        },
        bench.start,
    );
    let state = |running| ToClient::MacroState {
        running,
        is_paste: true,
    };
    assert_eq!(started.keys, [down(A)]);
    assert_eq!(started.tell[0], state(true));
    assert_eq!(bench.tick(19), []);
    assert_eq!(bench.tick(20), [up(A)]);
    assert_eq!(bench.tick(25), [down(B)]);
    let ended = bench.keyboard.tick(bench.start + ms(45));
    assert_eq!(ended.keys, [up(B)]);
    assert_eq!(ended.tell.last(), Some(&state(false)));
    assert_eq!(bench.keyboard.deadline(), None);
}

#[test]
fn cancelling_stops_all_macros_and_lets_go() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        let steps = vec![step(&[A], 1000), step(&[B], 1000)];
        let is_paste = false;
        bench.send(0, FromClient::Macro { is_paste, steps });
    }
    assert_eq!(bench.send(10, FromClient::CancelMacro), [up(A)]);
    assert_eq!(bench.keyboard.deadline(), None);
    assert_eq!(bench.tick(5000), []);
}

fn message() -> impl Strategy<Value = FromClient> {
    let usage = prop_oneof![0_u8..12, 0xe0_u8..0xe8, any::<u8>()];
    let report = (any::<u8>(), prop::collection::vec(0_u8..12, 0..7))
        .prop_map(|(modifier, keys)| KeyReport::new(modifier, &keys));
    let step = (report.clone(), 0_u64..80).prop_map(|(report, delay)| MacroStep {
        report,
        delay: ms(delay),
    });
    prop_oneof![
        4 => (usage, any::<bool>()).prop_map(|(usage, down)| press(usage, down)),
        4 => Just(FromClient::KeepAlive),
        2 => report.prop_map(FromClient::Keyboard),
        1 => prop::collection::vec(step, 0..5)
            .prop_map(|steps| FromClient::Macro { is_paste: false, steps }),
        1 => Just(FromClient::CancelMacro),
    ]
}

proptest! {
    /// What was injected and what the keyboard believes to be down are the same at every moment, and
    /// a key is never pressed twice or released twice.
    #[test]
    fn what_was_injected_is_what_is_down(
        script in prop::collection::vec((0_u64..200, message()), 0..60),
    ) {
        let mut keyboard = Keyboard::default();
        let mut now = Instant::now();
        let mut held = std::collections::BTreeSet::new();
        let mut follow = |keyboard: &Keyboard, out: Output| {
            for key in out.keys {
                let changed = if key.down { held.insert(key.usage) } else { held.remove(&key.usage) };
                prop_assert!(changed, "{key:?} twice");
            }
            let report = keyboard.down();
            let believed = modifiers(report.modifier).chain(report.pressed());
            prop_assert_eq!(&believed.collect::<std::collections::BTreeSet<_>>(), &held);
            Ok(())
        };
        for (pause, message) in script {
            now += ms(pause);
            let ticked = keyboard.tick(now);
            follow(&keyboard, ticked)?;
            let taken = keyboard.take(message, now);
            follow(&keyboard, taken)?;
        }
        // Whatever came: an empty report lets go of everything, once no macro plays.
        let cancelled = keyboard.take(FromClient::CancelMacro, now);
        follow(&keyboard, cancelled)?;
        let emptied = keyboard.take(FromClient::Keyboard(KeyReport::default()), now);
        follow(&keyboard, emptied)?;
        prop_assert_eq!(keyboard.down(), KeyReport::default());
        prop_assert_eq!(keyboard.deadline(), None);
    }

    /// A key that is not vouched for is up 100 ms later, whatever came before.
    #[test]
    fn silence_lets_go_of_single_keys(
        script in prop::collection::vec((0_u64..200, message()), 0..60),
    ) {
        let mut keyboard = Keyboard::default();
        let mut now = Instant::now();
        for (pause, message) in script {
            now += ms(pause);
            keyboard.tick(now);
            keyboard.take(message, now);
        }
        keyboard.take(FromClient::CancelMacro, now);
        keyboard.take(FromClient::Keyboard(KeyReport::default()), now);
        keyboard.take(press(A, true), now);
        keyboard.tick(now + HOLD);
        prop_assert_eq!(keyboard.down(), KeyReport::default());
    }
}
