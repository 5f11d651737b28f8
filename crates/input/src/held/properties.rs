//! Random evenings of three viewers, against what must hold of any.

use super::{Held, SILENCE, Step, Thing};
use crate::event::{Button, InputEvent, Permissions};
use crate::key::KeyCode;
use crate::wire::{Motion, Reliable};
use events::ViewerId;
use media::MonoTime;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const VIEWERS: u32 = 3;
const THINGS: usize = 4;

fn thing(at: usize) -> Thing {
    let key = |code| Thing::Key(KeyCode::from_code(code).unwrap());
    [
        key("KeyA"),
        key("ShiftLeft"),
        key("Space"),
        Thing::Button(Button::Left),
    ][at]
}

/// What may happen.
#[derive(Clone, Debug)]
enum Happens {
    /// The page sends a press or a release; it may be told twice.
    Page {
        thing: usize,
        down: bool,
    },
    Elsewhere {
        thing: usize,
        down: bool,
    },
    /// The page's word of what it holds arrives, perhaps one of the last few.
    Held {
        age: usize,
    },
    Permit(bool, bool),
    ReleaseAll,
    HoldUntil(u64),
    Gone,
    Time(u64),
}

fn happens() -> impl Strategy<Value = (u32, Happens)> {
    let pair = || (0..THINGS, any::<bool>());
    let what = prop_oneof![
        8 => pair().prop_map(|(thing, down)| Happens::Page { thing, down }),
        3 => pair().prop_map(|(thing, down)| Happens::Elsewhere { thing, down }),
        8 => (0..4_usize).prop_map(|age| Happens::Held { age }),
        1 => any::<(bool, bool)>().prop_map(|(keys, pointer)| Happens::Permit(keys, pointer)),
        1 => Just(Happens::ReleaseAll),
        1 => (0..500_u64).prop_map(Happens::HoldUntil),
        1 => Just(Happens::Gone),
        6 => (1..400_u64).prop_map(Happens::Time),
    ];
    (0..VIEWERS, what)
}

/// What a page knows.
#[derive(Default)]
struct Page {
    seq: u16,
    down: BTreeMap<usize, u16>,
    /// What it said it held, the latest last.
    said: Vec<(u16, Vec<u16>)>,
}

/// The host's devices, and who may press what on them.
#[derive(Default)]
struct World {
    down: BTreeSet<Thing>,
    may: BTreeMap<u32, Permissions>,
    /// Things that a viewer has pressed and not released since, as far as messages came.
    pressed: BTreeMap<u32, BTreeSet<Thing>>,
}

impl World {
    /// Does what came out, which must be presses of what is up, by somebody's wish, and releases
    /// of what is down.
    fn apply(&mut self, out: &[InputEvent]) -> Result<(), TestCaseError> {
        for event in out {
            let (thing, down) = match event {
                InputEvent::Key { code, down } => (Thing::Key(*code), *down),
                InputEvent::Button { button, down } => (Thing::Button(*button), *down),
                other => return Err(TestCaseError::fail(format!("{other:?} out of nothing"))),
            };
            if down {
                prop_assert!(self.down.insert(thing), "{thing:?} pressed twice");
                let wanted = self.pressed.iter().any(|(viewer, pressed)| {
                    let may = self.may.get(viewer).copied().unwrap_or_default();
                    pressed.contains(&thing) && thing.is_allowed(may)
                });
                prop_assert!(wanted, "{thing:?} pressed by nobody");
            } else {
                prop_assert!(self.down.remove(&thing), "{thing:?} released twice");
            }
        }
        Ok(())
    }
}

fn steps(page: &mut Page, happens: &Happens, now: MonoTime) -> Vec<Step> {
    match happens {
        Happens::Page { thing: at, down } => {
            page.seq = page.seq.wrapping_add(1);
            let seq = page.seq;
            match down {
                true => page.down.insert(*at, seq),
                false => page.down.remove(at),
            };
            page.said.push((seq, page.down.values().copied().collect()));
            let down = *down;
            vec![Step::Reliable(match thing(*at) {
                Thing::Key(code) => Reliable::Key {
                    seq,
                    code: Some(code),
                    down,
                },
                Thing::Button(button) => Reliable::Button {
                    seq,
                    button: Some(button),
                    down,
                    place: None,
                },
            })]
        }
        Happens::Elsewhere { thing: at, down } => vec![Step::Event(thing(*at).event(*down))],
        Happens::Held { age } => {
            let said = page.said.iter().rev().nth(*age);
            let said = said.map(|(last_seq, seqs)| Motion::Held {
                last_seq: *last_seq,
                seqs: seqs.clone(),
            });
            said.map(Step::Motion).into_iter().collect()
        }
        Happens::Permit(keyboard, pointer) => vec![Step::Permit(Permissions {
            keyboard: *keyboard,
            pointer: *pointer,
            pads: false,
        })],
        Happens::ReleaseAll => vec![Step::ReleaseAll],
        Happens::HoldUntil(ms) => {
            let until = now + Duration::from_millis(*ms);
            vec![Step::HoldUntil(Some(until))]
        }
        Happens::Gone => {
            // A session that is over has no page any more; the next is another.
            *page = Page::default();
            vec![Step::Gone]
        }
        Happens::Time(_) => Vec::new(),
    }
}

/// What the messages say is wished for, before any rule.
fn note(world: &mut World, viewer: u32, step: &Step) {
    let pressed = world.pressed.entry(viewer).or_default();
    let mut wish = |thing, down: bool| match down {
        true => pressed.insert(thing),
        false => pressed.remove(&thing),
    };
    match step {
        Step::Reliable(Reliable::Key {
            code: Some(code),
            down,
            ..
        })
        | Step::Event(InputEvent::Key { code, down }) => {
            wish(Thing::Key(*code), *down);
        }
        Step::Reliable(Reliable::Button {
            button: Some(button),
            down,
            ..
        })
        | Step::Event(InputEvent::Button { button, down }) => {
            wish(Thing::Button(*button), *down);
        }
        Step::Permit(may) => {
            world.may.insert(viewer, *may);
            let pressed = world.pressed.entry(viewer).or_default();
            pressed.retain(|thing| thing.is_allowed(*may));
        }
        Step::ReleaseAll => pressed.clear(),
        Step::Gone => {
            pressed.clear();
            world.may.remove(&viewer);
        }
        _ => {}
    }
}

fn live(evening: &[(u32, Happens)]) -> Result<(Held, World, MonoTime), TestCaseError> {
    let (mut held, mut world) = (Held::default(), World::default());
    let mut pages: BTreeMap<u32, Page> = BTreeMap::new();
    let mut now = MonoTime::from_nanos(1_000_000_000);
    for viewer in 0..VIEWERS {
        let permit = Step::Permit(Permissions::ALL);
        note(&mut world, viewer, &permit);
        held.step(ViewerId(viewer), permit, now, &mut Vec::new());
    }
    for (viewer, happens) in evening {
        if let Happens::Time(ms) = happens {
            let end = now + Duration::from_millis(*ms);
            while let Some(due) = held.deadline().filter(|due| *due <= end) {
                let mut out = Vec::new();
                held.tick(due, &mut out);
                world.apply(&out)?;
                prop_assert!(held.deadline().is_none_or(|next| next > due));
            }
            now = end;
        }
        let page = pages.entry(*viewer).or_default();
        for step in steps(page, happens, now) {
            note(&mut world, *viewer, &step);
            let mut out = Vec::new();
            held.step(ViewerId(*viewer), step, now, &mut out);
            world.apply(&out)?;
        }
        let wished: BTreeSet<Thing> = world.pressed.values().flatten().copied().collect();
        let stuck: Vec<_> = world.down.difference(&wished).collect();
        prop_assert!(stuck.is_empty(), "{stuck:?} is down for nobody");
    }
    Ok((held, world, now))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_pressed_for_nobody_and_nothing_stays_down_for_nobody(
        evening in proptest::collection::vec(happens(), 0..120),
    ) {
        let (mut held, mut world, _) = live(&evening)?;
        let mut out = Vec::new();
        held.release_everything(&mut out);
        world.apply(&out)?;
        prop_assert!(world.down.is_empty());
        prop_assert_eq!(held.deadline(), None);
    }

    #[test]
    fn pages_that_are_all_dead_hold_nothing(
        evening in proptest::collection::vec(happens(), 0..120),
    ) {
        let only_pages: Vec<_> = evening
            .into_iter()
            .filter(|(_, happens)| !matches!(happens, Happens::Elsewhere { .. }))
            .collect();
        let (mut held, mut world, now) = live(&only_pages)?;
        let mut out = Vec::new();
        held.tick(now + SILENCE, &mut out);
        world.apply(&out)?;
        prop_assert!(world.down.is_empty(), "{:?} is down", world.down);
    }

    #[test]
    fn on_a_good_network_everything_comes_out_as_it_went_in(
        presses in proptest::collection::vec((0..THINGS, any::<bool>()), 0..200),
    ) {
        let mut held = Held::default();
        let mut page = Page::default();
        let now = MonoTime::from_nanos(1_000_000_000);
        let viewer = ViewerId(0);
        held.step(viewer, Step::Permit(Permissions::ALL), now, &mut Vec::new());
        let (mut out, mut wanted, mut down) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (at, presses) in presses {
            let changes = match presses {
                true => down.insert(at),
                false => down.remove(&at),
            };
            if changes {
                wanted.push(thing(at).event(presses));
            }
            for happens in [Happens::Page { thing: at, down: presses }, Happens::Held { age: 0 }] {
                for step in steps(&mut page, &happens, now) {
                    held.step(viewer, step, now, &mut out);
                }
            }
        }
        prop_assert_eq!(out, wanted);
    }
}
