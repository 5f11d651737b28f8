//! Each rule against stuck keys, with a clock of the test's own.

use super::{APART, Held, SILENCE, Step};
use crate::event::{
    BatteryState, Button, Contact, InputEvent, MotionKind, PadCapabilities, PadEvent, PadKind,
    PadState, PenEvent, PenPhase, PenTool, Permissions, TouchPhase,
};
use crate::key::KeyCode;
use crate::wire::{Motion, Reliable};
use events::ViewerId;
use media::MonoTime;
use std::time::Duration;

const A: ViewerId = ViewerId(1);
const B: ViewerId = ViewerId(2);

struct Bench {
    held: Held,
    now: MonoTime,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            held: Held::default(),
            now: MonoTime::from_nanos(1_000_000_000),
        };
        for viewer in [A, B] {
            bench.step(viewer, Step::Permit(Permissions::ALL));
        }
        bench
    }

    fn step(&mut self, viewer: ViewerId, step: Step) -> Vec<InputEvent> {
        let mut out = Vec::new();
        self.held.step(viewer, step, self.now, &mut out);
        out
    }

    fn key(&mut self, viewer: ViewerId, seq: u16, down: bool) -> Vec<InputEvent> {
        let code = Some(key());
        self.step(viewer, Step::Reliable(Reliable::Key { seq, code, down }))
    }

    fn shift(&mut self, viewer: ViewerId, seq: u16, down: bool) -> Vec<InputEvent> {
        let code = KeyCode::from_code("ShiftLeft");
        self.step(viewer, Step::Reliable(Reliable::Key { seq, code, down }))
    }

    fn held(&mut self, viewer: ViewerId, last_seq: u16, seqs: &[u16]) -> Vec<InputEvent> {
        let seqs = seqs.to_vec();
        self.step(viewer, Step::Motion(Motion::Held { last_seq, seqs }))
    }

    /// Lets time pass; what is due is done when it is.
    fn pass(&mut self, time: Duration) -> Vec<InputEvent> {
        let end = self.now + time;
        let mut out = Vec::new();
        while let Some(due) = self.held.deadline().filter(|due| *due <= end) {
            self.held.tick(due, &mut out);
            assert!(
                self.held.deadline().is_none_or(|next| next > due),
                "it would never sleep again"
            );
        }
        self.now = end;
        out
    }
}

fn key() -> KeyCode {
    KeyCode::from_code("KeyA").unwrap()
}

fn down() -> Vec<InputEvent> {
    vec![InputEvent::Key {
        code: key(),
        down: true,
    }]
}

fn up() -> Vec<InputEvent> {
    vec![InputEvent::Key {
        code: key(),
        down: false,
    }]
}

const NOTHING: Vec<InputEvent> = Vec::new();
const MS: Duration = Duration::from_millis(1);

#[test]
fn silence_releases_and_only_two_separate_messages_press_again() {
    let mut bench = Bench::new();
    assert_eq!(bench.key(A, 1, true), down());
    assert_eq!(bench.pass(SILENCE - MS), NOTHING);
    assert_eq!(bench.pass(MS), up());
    assert_eq!(bench.held.deadline(), None);
    assert_eq!(bench.held(A, 1, &[1]), NOTHING);
    // Held up together with the first: it says nothing of now.
    assert_eq!(bench.held(A, 1, &[1]), NOTHING);
    bench.pass(APART);
    assert_eq!(bench.held(A, 1, &[1]), down());
    assert_eq!(bench.key(A, 2, false), up());
}

#[test]
fn what_speaks_of_an_older_state_presses_nothing() {
    let mut bench = Bench::new();
    bench.key(A, 1, true);
    bench.pass(SILENCE);
    for last_seq in [0, 2, 1, 2, 1] {
        bench.pass(APART);
        let pressed = bench.held(A, last_seq, &[1]);
        assert_eq!(
            pressed, NOTHING,
            "{last_seq} interrupts what must be in a row"
        );
    }
    bench.pass(APART);
    assert_eq!(bench.held(A, 1, &[1]), down());
}

#[test]
fn a_message_that_says_a_key_is_held_keeps_it_down() {
    let mut bench = Bench::new();
    bench.key(A, 1, true);
    for _ in 0..50 {
        assert_eq!(bench.pass(SILENCE - MS), NOTHING);
        assert_eq!(bench.held(A, 1, &[1]), NOTHING);
    }
}

#[test]
fn a_release_that_is_still_on_its_way_is_believed_early_and_only_once() {
    let mut bench = Bench::new();
    bench.key(A, u16::MAX, true);
    assert_eq!(bench.held(A, 0, &[]), up());
    assert_eq!(bench.key(A, 0, false), NOTHING);
    // The same key again, and a message from before: it cannot know of it.
    assert_eq!(bench.key(A, 1, true), down());
    assert_eq!(bench.held(A, 0, &[]), NOTHING);
    assert_eq!(bench.key(A, 2, false), up());
}

fn shifted(down: bool) -> InputEvent {
    let code = KeyCode::from_code("ShiftLeft").unwrap();
    InputEvent::Key { code, down }
}

#[test]
fn a_modifier_waits_for_what_was_typed_with_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.shift(A, 1, true), [shifted(true)]);
    // By then the letter was typed and Shift released, and neither is here yet.
    assert_eq!(bench.held(A, 4, &[]), NOTHING);
    assert_eq!(bench.key(A, 2, true), down());
    assert_eq!(bench.held(A, 4, &[]), up(), "the letter would repeat");
    assert_eq!(bench.key(A, 3, false), NOTHING);
    assert_eq!(bench.shift(A, 4, false), [shifted(false)]);
}

#[test]
fn a_modifier_released_for_silence_is_there_for_what_comes_late() {
    let mut bench = Bench::new();
    bench.shift(A, 1, true);
    assert_eq!(bench.pass(SILENCE), [shifted(false)]);
    let capital = [vec![shifted(true)], down()].concat();
    assert_eq!(bench.key(A, 2, true), capital);
    assert_eq!(bench.key(A, 3, false), up());
    assert_eq!(bench.shift(A, 4, false), [shifted(false)]);
    assert_eq!(bench.key(A, 5, true), down());
    // A letter never comes back by itself.
    assert_eq!(bench.pass(SILENCE), up());
    assert_eq!(bench.shift(A, 6, true), [shifted(true)]);
    assert_eq!(bench.pass(SILENCE), [shifted(false)]);
    assert_eq!(bench.step(A, Step::ReleaseAll), NOTHING);
    assert_eq!(bench.key(A, 7, true), down());
}

#[test]
fn a_press_of_which_the_page_says_nothing_yet_is_not_invented() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.pass(APART);
        assert_eq!(bench.held(A, 7, &[7]), NOTHING);
    }
    assert_eq!(bench.key(A, 7, true), down());
}

#[test]
fn what_did_not_come_from_a_page_needs_no_messages_but_has_a_time() {
    let mut bench = Bench::new();
    let press = Step::Event(down().remove(0));
    assert_eq!(bench.step(A, press.clone()), down());
    assert_eq!(bench.pass(10 * SILENCE), NOTHING);
    let until = bench.now + 100 * MS;
    bench.step(A, Step::HoldUntil(Some(until)));
    bench.pass(50 * MS);
    bench.step(A, Step::HoldUntil(Some(until + 50 * MS)));
    assert_eq!(bench.pass(99 * MS), NOTHING);
    assert_eq!(bench.pass(MS), up());
    assert_eq!(bench.step(A, press), down());
}

#[test]
fn a_thing_held_twice_goes_up_when_the_last_lets_go() {
    let mut bench = Bench::new();
    assert_eq!(bench.key(A, 1, true), down());
    assert_eq!(bench.key(B, 1, true), NOTHING);
    bench.held(B, 1, &[1]);
    bench.pass(SILENCE / 2);
    bench.held(B, 1, &[1]);
    // A falls silent, B does not.
    assert_eq!(bench.pass(SILENCE / 2), NOTHING);
    assert_eq!(bench.step(B, Step::Gone), up());
    bench.held(A, 1, &[1]);
    bench.pass(APART);
    assert_eq!(bench.held(A, 1, &[1]), down());
}

#[test]
fn losing_a_permission_lets_go_of_what_it_was_for() {
    let mut bench = Bench::new();
    bench.key(A, 1, true);
    let button = |down| InputEvent::Button {
        button: Button::Left,
        down,
    };
    bench.step(A, Step::Event(button(true)));
    let touch = |phase| InputEvent::Touch {
        id: 0,
        phase,
        x: 5,
        y: 6,
        contact: Contact::default(),
    };
    bench.step(A, Step::Event(touch(TouchPhase::Start)));
    bench.step(A, Step::Event(pen(PenPhase::Start)));
    let keys_only = Permissions {
        keyboard: true,
        ..Permissions::NONE
    };
    let released = bench.step(A, Step::Permit(keys_only));
    let lifted = [
        button(false),
        touch(TouchPhase::Cancel),
        pen(PenPhase::Cancel),
    ];
    assert_eq!(released, lifted);
    assert_eq!(bench.step(A, Step::Event(button(true))), NOTHING);
    assert_eq!(bench.step(A, Step::Event(pen(PenPhase::Start))), NOTHING);
    assert_eq!(bench.step(A, Step::ReleaseAll), up());
    // What was let go on purpose is not pressed again by what the page still says.
    for _ in 0..3 {
        bench.pass(APART);
        assert_eq!(bench.held(A, 1, &[1]), NOTHING);
    }
}

#[test]
fn motion_that_was_overtaken_is_left_out_and_none_is_lost() {
    let mut bench = Bench::new();
    let by =
        |bench: &mut Bench, seq, total| bench.step(A, Step::Motion(Motion::MoveBy { seq, total }));
    let moved = |dx, dy| vec![InputEvent::MoveBy { dx, dy }];
    assert_eq!(by(&mut bench, 65_534, [5, 5]), moved(5, 5));
    assert_eq!(by(&mut bench, 65_533, [1, 1]), NOTHING);
    // Two were lost; their movement is in the third.
    assert_eq!(by(&mut bench, 1, [20, -5]), moved(15, -10));
    assert_eq!(by(&mut bench, 65_535, [9, 9]), NOTHING);
    bench.step(A, Step::Permit(Permissions::NONE));
    assert_eq!(by(&mut bench, 2, [900, 900]), NOTHING);
    bench.step(A, Step::Permit(Permissions::ALL));
    assert_eq!(by(&mut bench, 3, [901, 900]), moved(1, 0));
    let wrap = bench.step(
        A,
        Step::Motion(Motion::MoveBy {
            seq: 4,
            total: [i32::MIN, 900],
        }),
    );
    assert_eq!(wrap, moved(i32::MIN.wrapping_sub(901), 0));
}

#[test]
fn a_click_brings_its_place_along() {
    let mut bench = Bench::new();
    let message = Reliable::Button {
        seq: 1,
        button: Some(Button::Left),
        down: true,
        place: Some([3, 4]),
    };
    let clicked = bench.step(A, Step::Reliable(message));
    assert_eq!(clicked[0], InputEvent::MoveTo { x: 3, y: 4 });
    assert_eq!(clicked.len(), 2);
}

fn pad_message(seq: u16, buttons: u32) -> Step {
    let state = PadState {
        buttons,
        ..PadState::default()
    };
    Step::Motion(Motion::PadState {
        index: 0,
        seq,
        state,
    })
}

fn connected(bench: &mut Bench, viewer: ViewerId) -> Vec<InputEvent> {
    let message = Reliable::PadConnected {
        index: 0,
        name: "pad".into(),
    };
    bench.step(viewer, Step::Reliable(message))
}

#[test]
fn pads_of_two_viewers_are_two_pads_and_follow_the_permission() {
    let mut bench = Bench::new();
    let index = |events: &[InputEvent]| match events {
        [InputEvent::Pad(PadEvent::Connected { index, .. } | PadEvent::State { index, .. })] => {
            Some(*index)
        }
        _ => None,
    };
    assert_eq!(index(&connected(&mut bench, A)), Some(0));
    assert_eq!(index(&connected(&mut bench, B)), Some(1));
    assert_eq!(bench.held.pad_owner(1), Some((B, 0)));
    assert_eq!(index(&bench.step(B, pad_message(1, 1))), Some(1));
    assert_eq!(bench.step(B, pad_message(1, 2)), NOTHING);
    let gone = bench.step(A, Step::Permit(Permissions::NONE));
    assert_eq!(gone, [InputEvent::Pad(PadEvent::Gone { index: 0 })]);
    assert_eq!(bench.step(A, pad_message(1, 1)), NOTHING);
    let back = bench.step(A, Step::Permit(Permissions::ALL));
    assert_eq!(index(&back), Some(0));
}

#[test]
fn a_pad_that_falls_silent_stands_still() {
    let mut bench = Bench::new();
    connected(&mut bench, A);
    assert_eq!(bench.step(A, pad_message(1, 1)).len(), 1);
    assert_eq!(bench.pass(SILENCE - MS), NOTHING);
    assert_eq!(bench.step(A, pad_message(2, 1)), NOTHING);
    assert_eq!(bench.pass(SILENCE - MS), NOTHING);
    let rest = InputEvent::Pad(PadEvent::State {
        index: 0,
        state: PadState::default(),
    });
    assert_eq!(bench.pass(MS), [rest]);
    assert_eq!(bench.held.deadline(), None);
    assert_eq!(bench.step(A, pad_message(3, 1)).len(), 1);
}

fn pen(phase: PenPhase) -> InputEvent {
    InputEvent::Pen(PenEvent {
        phase,
        tool: PenTool::Eraser,
        buttons: 0,
        x: 7,
        y: 8,
        contact: Contact::default(),
        tilt_deg: None,
    })
}

#[test]
fn a_pen_that_touches_is_not_taken_from_its_viewer() {
    let mut bench = Bench::new();
    let mut draw = |viewer, phase| bench.step(viewer, Step::Event(pen(phase)));
    assert_eq!(draw(A, PenPhase::Move), NOTHING);
    assert_eq!(draw(A, PenPhase::Hover), [pen(PenPhase::Hover)]);
    assert_eq!(draw(B, PenPhase::Hover), NOTHING);
    let taken = [pen(PenPhase::Leave), pen(PenPhase::Start)];
    assert_eq!(draw(B, PenPhase::Start), taken);
    assert_eq!(draw(A, PenPhase::Start), NOTHING);
    assert_eq!(draw(A, PenPhase::Cancel), NOTHING);
    assert_eq!(draw(B, PenPhase::End), [pen(PenPhase::End)]);
    assert_eq!(draw(A, PenPhase::Start), [pen(PenPhase::Start)]);
}

#[test]
fn buttons_of_a_pen_change_where_it_is() {
    let mut bench = Bench::new();
    bench.step(A, Step::Event(pen(PenPhase::Hover)));
    let pressed = InputEvent::Pen(PenEvent {
        phase: PenPhase::Buttons,
        tool: PenTool::Unknown,
        buttons: 1,
        x: 0,
        y: 0,
        contact: Contact::default(),
        tilt_deg: None,
    });
    let told = bench.step(A, Step::Event(pressed));
    let [InputEvent::Pen(told)] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((told.phase, told.buttons), (PenPhase::Hover, 1));
    assert_eq!((told.x, told.y, told.tool), (7, 8, PenTool::Eraser));
}

fn rich(index: u8) -> InputEvent {
    InputEvent::Pad(PadEvent::Connected {
        index,
        name: String::new(),
        kind: PadKind::PlayStation,
        capabilities: PadCapabilities {
            gyroscope: true,
            ..PadCapabilities::default()
        },
    })
}

#[test]
fn a_pad_that_tells_only_changes_keeps_standing_as_it_was_left() {
    let mut bench = Bench::new();
    assert_eq!(bench.step(A, Step::Event(rich(0))), [rich(0)]);
    let pressed = InputEvent::Pad(PadEvent::State {
        index: 0,
        state: PadState {
            buttons: PadState::SOUTH,
            ..PadState::default()
        },
    });
    assert_eq!(
        bench.step(A, Step::Event(pressed.clone())),
        std::slice::from_ref(&pressed)
    );
    assert_eq!(bench.held.deadline(), None);
    assert_eq!(bench.pass(20 * SILENCE), NOTHING);
    assert_eq!(bench.step(A, Step::ReleaseAll).len(), 1);
}

#[test]
fn what_a_pad_feels_goes_where_the_pad_is_and_its_battery_is_remembered() {
    let mut bench = Bench::new();
    connected(&mut bench, A);
    assert_eq!(bench.step(B, Step::Event(rich(3))), [rich(1)]);
    let felt = |index| {
        let turned = PadEvent::Motion {
            index,
            kind: MotionKind::Gyroscope,
            x: 1.5,
            y: 0.0,
            z: 0.0,
        };
        let battery = PadEvent::Battery {
            index,
            state: BatteryState::Charging,
            percent: Some(40),
        };
        let touched = PadEvent::Touchpad {
            index,
            pad: 0,
            finger: 0,
            phase: TouchPhase::Start,
            x: 1,
            y: 2,
            pressure: Some(3),
        };
        [turned, battery, touched].map(InputEvent::Pad)
    };
    for (theirs, hosts) in felt(3).into_iter().zip(felt(1)) {
        assert_eq!(bench.step(B, Step::Event(theirs)), [hosts]);
    }
    for nobodys in felt(7) {
        assert_eq!(bench.step(B, Step::Event(nobodys)), NOTHING);
    }
    let rested = bench.step(B, Step::ReleaseAll);
    assert!(matches!(
        rested[..],
        [
            InputEvent::Pad(PadEvent::Touchpad {
                phase: TouchPhase::Cancel,
                ..
            }),
            InputEvent::Pad(PadEvent::Motion { x: 0.0, .. }),
        ]
    ));
    bench.step(B, Step::Permit(Permissions::NONE));
    let back = bench.step(B, Step::Permit(Permissions::ALL));
    assert_eq!(back, [rich(1), felt(1)[1].clone()]);
}
