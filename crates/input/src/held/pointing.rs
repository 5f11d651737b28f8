//! Fingers, pens and pads of three viewers at random, against a model of the host's devices.

use super::{FINGERS, Held, Step};
use crate::event::{
    BatteryState, Contact, InputEvent, MotionKind, PadCapabilities, PadEvent, PadKind, PadState,
    PenEvent, PenPhase, PenTool, Permissions, TouchPhase,
};
use crate::wire::MAX_PADS;
use events::ViewerId;
use media::MonoTime;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const VIEWERS: u32 = 3;
const PHASES: [TouchPhase; 7] = [
    TouchPhase::Start,
    TouchPhase::Move,
    TouchPhase::End,
    TouchPhase::Cancel,
    TouchPhase::CancelAll,
    TouchPhase::Hover,
    TouchPhase::Leave,
];
const PEN_PHASES: [PenPhase; 7] = [
    PenPhase::Hover,
    PenPhase::Start,
    PenPhase::Move,
    PenPhase::End,
    PenPhase::Leave,
    PenPhase::Cancel,
    PenPhase::Buttons,
];

/// Something on a surface: near it, or on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Above,
    On,
}

/// What a driver of the host may rely on, of a finger or a pen.
fn follows(at: Option<At>, phase: TouchPhase) -> Result<Option<At>, TestCaseError> {
    Ok(match (at, phase) {
        (None | Some(At::Above), TouchPhase::Start) | (Some(At::On), TouchPhase::Move) => {
            Some(At::On)
        }
        (None | Some(At::Above), TouchPhase::Hover) => Some(At::Above),
        (Some(At::On), TouchPhase::End | TouchPhase::Cancel)
        | (Some(At::Above), TouchPhase::Leave) => None,
        _ => return Err(TestCaseError::fail(format!("{phase:?} of what is {at:?}"))),
    })
}

const fn as_touch(phase: PenPhase) -> TouchPhase {
    match phase {
        PenPhase::Hover => TouchPhase::Hover,
        PenPhase::Start => TouchPhase::Start,
        PenPhase::Move => TouchPhase::Move,
        PenPhase::End => TouchPhase::End,
        PenPhase::Leave => TouchPhase::Leave,
        PenPhase::Cancel => TouchPhase::Cancel,
        PenPhase::Buttons => TouchPhase::CancelAll,
    }
}

#[derive(Clone, Debug, Default)]
struct Plugged {
    state: PadState,
    turns: bool,
    fingers: BTreeMap<(u8, u32), At>,
}

/// The host's devices.
#[derive(Debug, Default)]
struct Host {
    fingers: BTreeMap<u32, At>,
    pen: Option<At>,
    pads: BTreeMap<u8, Plugged>,
}

impl Host {
    fn apply(&mut self, out: &[InputEvent]) -> Result<(), TestCaseError> {
        for event in out {
            match event {
                InputEvent::Touch { id, phase, .. } => {
                    prop_assert!(*id < FINGERS.into(), "no such finger");
                    let at = follows(self.fingers.remove(id), *phase)?;
                    self.fingers.extend(at.map(|at| (*id, at)));
                }
                InputEvent::Pen(pen) => {
                    prop_assert!(pen.tool != PenTool::Unknown);
                    self.pen = follows(self.pen, as_touch(pen.phase))?;
                }
                InputEvent::Pad(event) => self.pad(event)?,
                other => return Err(TestCaseError::fail(format!("{other:?} out of nothing"))),
            }
        }
        Ok(())
    }

    fn pad(&mut self, event: &PadEvent) -> Result<(), TestCaseError> {
        let index = index_of(event);
        prop_assert!(index < MAX_PADS);
        if let PadEvent::Connected { .. } = event {
            let old = self.pads.insert(index, Plugged::default());
            prop_assert!(old.is_none(), "pad {index} is there already");
            return Ok(());
        }
        let Some(pad) = self.pads.get_mut(&index) else {
            return Err(TestCaseError::fail(format!("{event:?} of no pad")));
        };
        match event {
            PadEvent::State { state, .. } => {
                prop_assert!(pad.state != *state, "nothing changes");
                pad.state = *state;
            }
            PadEvent::Motion { kind, x, y, z, .. } => {
                prop_assert!([x, y, z].into_iter().all(|by| by.is_finite()));
                if *kind == MotionKind::Gyroscope {
                    pad.turns = [*x, *y, *z] != [0.0; 3];
                }
            }
            PadEvent::Touchpad {
                pad: touchpad,
                finger,
                phase,
                ..
            } => {
                prop_assert!(*touchpad < 2 && *finger < 2);
                let key = (*touchpad, *finger);
                let at = follows(pad.fingers.remove(&key), *phase)?;
                pad.fingers.extend(at.map(|at| (key, at)));
            }
            PadEvent::Battery { percent, .. } => {
                prop_assert!(percent.is_none_or(|percent| percent <= 100));
            }
            PadEvent::Gone { .. } => {
                self.pads.remove(&index);
            }
            PadEvent::Connected { .. } => {}
        }
        Ok(())
    }

    fn is_untouched(&self) -> bool {
        let mut pads = self.pads.values();
        let pads_rest =
            pads.all(|pad| pad.state.is_neutral() && pad.fingers.is_empty() && !pad.turns);
        self.fingers.is_empty() && self.pen.is_none() && pads_rest
    }
}

fn index_of(event: &PadEvent) -> u8 {
    match event {
        PadEvent::Connected { index, .. }
        | PadEvent::State { index, .. }
        | PadEvent::Motion { index, .. }
        | PadEvent::Battery { index, .. }
        | PadEvent::Touchpad { index, .. }
        | PadEvent::Gone { index } => *index,
    }
}

fn touch() -> impl Strategy<Value = InputEvent> {
    (0..6_u32, 0..PHASES.len(), any::<(u16, u16)>()).prop_map(|(id, phase, (x, y))| {
        InputEvent::Touch {
            // Clients number fingers as they like.
            id: id.wrapping_mul(0x2345_6789),
            phase: PHASES[phase],
            x,
            y,
            contact: Contact::default(),
        }
    })
}

fn pen() -> impl Strategy<Value = InputEvent> {
    (0..PEN_PHASES.len(), 0..3_u8, any::<(u16, u16)>()).prop_map(|(phase, buttons, (x, y))| {
        InputEvent::Pen(PenEvent {
            phase: PEN_PHASES[phase],
            tool: [PenTool::Unknown, PenTool::Pen, PenTool::Eraser][usize::from(buttons)],
            buttons,
            x,
            y,
            contact: Contact::default(),
            tilt_deg: None,
        })
    })
}

fn pad() -> impl Strategy<Value = InputEvent> {
    let index = || prop_oneof![4 => 0..3_u8, 1 => 0..20_u8];
    let motion = prop_oneof![4 => -9.0_f32..9.0, 1 => Just(0.0), 1 => Just(f32::NAN)];
    let event = prop_oneof![
        3 => index().prop_map(|index| PadEvent::Connected {
            index,
            name: String::new(),
            kind: PadKind::PlayStation,
            capabilities: PadCapabilities::default(),
        }),
        6 => (index(), 0..3_u32).prop_map(|(index, buttons)| PadEvent::State {
            index,
            state: PadState { buttons, ..PadState::default() },
        }),
        3 => (index(), any::<bool>(), motion).prop_map(|(index, turns, x)| PadEvent::Motion {
            index,
            kind: if turns { MotionKind::Gyroscope } else { MotionKind::Accelerometer },
            x,
            y: 0.0,
            z: 0.0,
        }),
        1 => (index(), any::<u8>()).prop_map(|(index, percent)| PadEvent::Battery {
            index,
            state: BatteryState::Charging,
            percent: Some(percent),
        }),
        6 => (index(), 0..4_u8, 0..4_u32, 0..PHASES.len()).prop_map(
            |(index, pad, finger, phase)| PadEvent::Touchpad {
                index,
                pad,
                finger,
                phase: PHASES[phase],
                x: 1,
                y: 2,
                pressure: None,
            }
        ),
        1 => index().prop_map(|index| PadEvent::Gone { index }),
    ];
    event.prop_map(InputEvent::Pad)
}

fn step() -> impl Strategy<Value = (u32, Step)> {
    let may = any::<(bool, bool)>().prop_map(|(pointer, pads)| Permissions {
        keyboard: false,
        pointer,
        pads,
    });
    let step = prop_oneof![
        8 => touch().prop_map(Step::Event),
        6 => pen().prop_map(Step::Event),
        10 => pad().prop_map(Step::Event),
        2 => may.prop_map(Step::Permit),
        1 => Just(Step::ReleaseAll),
        1 => Just(Step::Gone),
    ];
    (0..VIEWERS, step)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn drivers_see_whole_touches_and_pads_that_are_there_and_nothing_stays_for_nobody(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let (mut held, mut host) = (Held::default(), Host::default());
        let now = MonoTime::from_nanos(1);
        let take = |held: &mut Held, host: &mut Host, viewer, step| {
            let mut out = Vec::new();
            held.step(ViewerId(viewer), step, now, &mut out);
            host.apply(&out)
        };
        for viewer in 0..VIEWERS {
            take(&mut held, &mut host, viewer, Step::Permit(Permissions::ALL))?;
        }
        for (viewer, step) in steps {
            take(&mut held, &mut host, viewer, step)?;
            let owners: BTreeSet<_> = host.pads.keys().map(|slot| held.pad_owner(*slot)).collect();
            prop_assert_eq!(owners.len(), host.pads.len(), "two pads are one");
            prop_assert!(!owners.contains(&None), "a pad of nobody's");
        }
        let mut out = Vec::new();
        held.release_everything(&mut out);
        host.apply(&out)?;
        prop_assert!(host.is_untouched(), "{:?}", host);
        prop_assert_eq!(held.deadline(), None);
        // Another injector is told of each pad that the old one had, and of no other.
        let mut out = Vec::new();
        held.introduce(&mut out);
        let mut other = Host::default();
        other.apply(&out)?;
        prop_assert!(other.pads.keys().eq(host.pads.keys()));
        for viewer in 0..VIEWERS {
            take(&mut held, &mut host, viewer, Step::Gone)?;
        }
        prop_assert!(host.pads.is_empty() && host.is_untouched(), "{:?}", host);
    }
}
