//! Typing any text under X: with the layout's own keys where it has them, else with spare keycodes
//! that are given the characters for a while.
//!
//! Owns the spare keycodes and puts them back; refuses to remap a keycode that a program may still
//! look up, or that means something.

use super::keyboard::{Keyboard, press};
use crate::injector::Next;
use crate::key::KeyCode;
use crate::x11::{Link, XResult};
use media::MonoTime;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, KeyButMask, Keycode, Keysym};

/// How long a spare keycode keeps its character after it was typed. A program looks up what a
/// keycode means when it comes to the event, and by then the server must not mean another.
const KEEP: Duration = Duration::from_millis(400);
/// Time after the last text until the keymap is as it was.
const RESTORE_AFTER: Duration = Duration::from_secs(2);
/// Most spare keycodes in use.
const MAX_SPARES: usize = 48;
/// Strokes that are sent at once; between two such lots other threads' requests get their turn.
const LOT: usize = 512;

const NO_SYMBOL: Keysym = 0;
/// Characters that are their own keysym.
const LATIN_1: [std::ops::RangeInclusive<u32>; 2] = [0x20..=0x7e, 0xa0..=0xff];
/// What is added to any other character.
const UNICODE: Keysym = 0x0100_0000;
/// Keysyms from here on to the Unicode ones are keys, not characters.
const FUNCTION_KEYSYMS: Keysym = 0xff00;
const KEYSYM_RETURN: Keysym = 0xff0d;
const KEYSYM_TAB: Keysym = 0xff09;
const KEYSYM_BACKSPACE: Keysym = 0xff08;

/// The keysym of a character; `None` for what no key types.
fn keysym(character: char) -> Option<Keysym> {
    let code = u32::from(character);
    match character {
        '\n' => Some(KEYSYM_RETURN),
        '\t' => Some(KEYSYM_TAB),
        '\u{8}' => Some(KEYSYM_BACKSPACE),
        _ if LATIN_1.iter().any(|range| range.contains(&code)) => Some(code),
        _ if character.is_control() => None,
        _ => Some(UNICODE + code),
    }
}

/// One key to be struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stroke {
    keycode: Keycode,
    shift: bool,
}

/// What the server's keys mean now.
#[derive(Debug)]
struct Keymap {
    first: Keycode,
    per_keycode: usize,
    keysyms: Vec<Keysym>,
    /// Keycodes that are modifiers.
    modifiers: BTreeSet<Keycode>,
    shift: Option<Keycode>,
    caps_lock: Option<Keycode>,
    /// The layout in use, of those that are loaded.
    group: usize,
    /// Whether letters come out large.
    locked: bool,
}

impl Keymap {
    fn read(link: &Link) -> XResult<Self> {
        let (connection, setup) = (&link.connection, link.connection.setup());
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let mapping = connection.get_keyboard_mapping(first, last - first + 1)?;
        let modifiers = connection.get_modifier_mapping()?;
        let pointer = connection.query_pointer(link.root())?;
        let mapping = mapping.reply()?;
        let modifiers = modifiers.reply()?;
        let mask = pointer.reply()?.mask;
        let per_modifier = usize::from(modifiers.keycodes_per_modifier()).max(1);
        let of = |row: usize| {
            let mut keycodes = modifiers.keycodes.chunks(per_modifier).nth(row)?.iter();
            keycodes.find(|keycode| **keycode != 0).copied()
        };
        Ok(Self {
            first,
            per_keycode: usize::from(mapping.keysyms_per_keycode).max(1),
            keysyms: mapping.keysyms,
            shift: of(0),
            caps_lock: of(1),
            modifiers: modifiers.keycodes.iter().copied().collect(),
            group: usize::from(u16::from(mask) >> 13 & 3),
            locked: u16::from(mask) & u16::from(KeyButMask::LOCK) != 0,
        })
    }

    fn keycodes(&self) -> impl DoubleEndedIterator<Item = (Keycode, &[Keysym])> {
        let rows = self.keysyms.chunks(self.per_keycode).enumerate();
        // There are at most 248 rows.
        rows.map(|(at, row)| (self.first + at as u8, row))
    }

    fn keysyms(&self, keycode: Keycode) -> &[Keysym] {
        let row = usize::from(keycode.saturating_sub(self.first));
        self.keysyms
            .chunks(self.per_keycode)
            .nth(row)
            .unwrap_or(&[])
    }

    /// What a key types in the layout in use, without and with Shift.
    fn columns(&self, row: &[Keysym]) -> [Keysym; 2] {
        let at = |column: usize| row.get(column).copied().unwrap_or(NO_SYMBOL);
        // Third and fourth layouts stand elsewhere; keys that are alike in all stand once.
        let own = match self.group {
            group @ (0 | 1) => [at(group * 2), at(group * 2 + 1)],
            _ => [NO_SYMBOL; 2],
        };
        match own {
            [NO_SYMBOL, NO_SYMBOL] if at(0) >= FUNCTION_KEYSYMS => [at(0), at(1)],
            own => own,
        }
    }

    /// The layout's own key for a character. Others than Latin ones may stand there under an older
    /// keysym; they go the other way.
    fn stroke(&self, wanted: Keysym, without: &BTreeMap<Keycode, Spare>) -> Option<Stroke> {
        if wanted >= UNICODE {
            return None;
        }
        for shift in [false, true] {
            let mut keycodes = self.keycodes();
            let found = keycodes.find(|(keycode, row)| {
                let column = self.columns(row)[usize::from(shift)];
                column == wanted && !without.contains_key(keycode)
            });
            if let Some((keycode, _)) = found.filter(|_| !shift || self.shift.is_some()) {
                return Some(Stroke { keycode, shift });
            }
        }
        None
    }

    /// Keycodes that mean nothing, those first that no keyboard sends.
    fn unused(&self) -> Vec<Keycode> {
        let sent: BTreeSet<u8> = KeyCode::all().filter_map(KeyCode::x_keycode).collect();
        let free = self.keycodes().rev().filter(|(keycode, row)| {
            row.iter().all(|keysym| *keysym == NO_SYMBOL) && !self.modifiers.contains(keycode)
        });
        let mut free: Vec<Keycode> = free.map(|(keycode, _)| keycode).collect();
        free.sort_by_key(|keycode| sent.contains(keycode));
        free.truncate(MAX_SPARES);
        free
    }
}

/// A keycode that was given a character.
#[derive(Clone, Copy, Debug)]
struct Spare {
    keysym: Keysym,
    used: MonoTime,
}

/// Types what it was given, in order.
#[derive(Debug, Default)]
pub(super) struct Typist {
    waiting: VecDeque<Keysym>,
    spares: BTreeMap<Keycode, Spare>,
}

/// What a lot of strokes needs.
#[derive(Debug, Default)]
struct Plan {
    strokes: Vec<Stroke>,
    /// Keycodes that get another character first.
    given: Vec<(Keycode, Keysym)>,
    /// When the next keycode becomes free, if that is waited for.
    blocked_until: Option<MonoTime>,
}

impl Typist {
    /// Queues text; [`go_on`](Self::go_on) types it.
    pub(super) fn take(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        self.waiting.extend(text.chars().filter_map(keysym));
    }

    /// Whether there is neither text to type nor a keymap to put back.
    pub(super) fn rests(&self) -> bool {
        self.waiting.is_empty() && self.spares.is_empty()
    }

    /// Types as much as there are keycodes for.
    pub(super) fn go_on(
        &mut self,
        link: &Link,
        keyboard: &Keyboard,
        now: MonoTime,
    ) -> XResult<Next> {
        if !self.waiting.is_empty() {
            let keymap = Keymap::read(link)?;
            let plan = self.plan(&keymap, now);
            for (keycode, keysym) in &plan.given {
                let twice = [*keysym, *keysym];
                let connection = &link.connection;
                connection.change_keyboard_mapping(1, *keycode, 2, &twice)?;
            }
            strike(link, keyboard, &keymap, &plan.strokes)?;
            if !self.waiting.is_empty() {
                let at = Some(plan.blocked_until.unwrap_or(now));
                return Ok(Next { busy: true, at });
            }
        }
        let last = self.spares.values().map(|spare| spare.used).max();
        let restore = last.map(|used| used + RESTORE_AFTER);
        if restore.is_some_and(|restore| now >= restore) {
            self.restore(link)?;
            return Ok(Next::default());
        }
        Ok(Next {
            busy: false,
            at: restore,
        })
    }

    fn plan(&mut self, keymap: &Keymap, now: MonoTime) -> Plan {
        // Whoever loads another layout takes our characters away.
        let is_ours = |keycode: Keycode, spare: &Spare| {
            keymap.keysyms(keycode).first() == Some(&spare.keysym)
        };
        self.spares
            .retain(|keycode, spare| is_ours(*keycode, spare));
        let mut unused = keymap.unused();
        unused.truncate(MAX_SPARES.saturating_sub(self.spares.len()));
        unused.reverse();
        let mut plan = Plan::default();
        while let Some(keysym) = self.waiting.front().copied()
            && plan.strokes.len() < LOT
        {
            match self.find(keysym, keymap, now) {
                Some(stroke) => plan.strokes.push(stroke),
                None => match unused.pop().or_else(|| self.stale(now)) {
                    Some(keycode) => {
                        self.spares.insert(keycode, Spare { keysym, used: now });
                        plan.given.push((keycode, keysym));
                        let shift = false;
                        plan.strokes.push(Stroke { keycode, shift });
                    }
                    None if self.spares.is_empty() => {
                        tracing::warn!("no keycode is spare: a character is left out");
                    }
                    None => {
                        let uses = self.spares.values().map(|spare| spare.used);
                        plan.blocked_until = uses.min().map(|used| used + KEEP);
                        break;
                    }
                },
            }
            self.waiting.pop_front();
        }
        plan
    }

    /// The key that types it already.
    fn find(&mut self, keysym: Keysym, keymap: &Keymap, now: MonoTime) -> Option<Stroke> {
        let mut spares = self.spares.iter_mut();
        if let Some((keycode, spare)) = spares.find(|(_, spare)| spare.keysym == keysym) {
            spare.used = now;
            return Some(Stroke {
                keycode: *keycode,
                shift: false,
            });
        }
        keymap.stroke(keysym, &self.spares)
    }

    /// The spare keycode whose character was typed the longest ago, if that is long enough.
    fn stale(&self, now: MonoTime) -> Option<Keycode> {
        let oldest = self.spares.iter().min_by_key(|(_, spare)| spare.used);
        let stale = oldest.filter(|(_, spare)| now >= spare.used + KEEP);
        stale.map(|(keycode, _)| *keycode)
    }

    /// Takes the characters away again, where nobody else has changed the keycode meanwhile.
    pub(super) fn restore(&mut self, link: &Link) -> XResult<()> {
        if self.spares.is_empty() {
            return Ok(());
        }
        let keymap = Keymap::read(link)?;
        for (keycode, spare) in std::mem::take(&mut self.spares) {
            if keymap.keysyms(keycode).first() == Some(&spare.keysym) {
                let nothing = [NO_SYMBOL; 2];
                let connection = &link.connection;
                connection.change_keyboard_mapping(1, keycode, 2, &nothing)?;
            }
        }
        Ok(())
    }
}

/// Strikes keys as if no modifier were held, and leaves the modifiers as they were.
fn strike(link: &Link, keyboard: &Keyboard, keymap: &Keymap, strokes: &[Stroke]) -> XResult<()> {
    let tap = |keycode: Keycode| {
        press(link, keycode, true)?;
        press(link, keycode, false)
    };
    let held: Vec<Keycode> = keyboard.modifiers().collect();
    let lock = keymap.caps_lock.filter(|_| keymap.locked);
    held.iter().try_for_each(|held| press(link, *held, false))?;
    lock.map_or(Ok(()), tap)?;
    for stroke in strokes {
        let shift = keymap.shift.filter(|_| stroke.shift);
        shift.map_or(Ok(()), |shift| press(link, shift, true))?;
        tap(stroke.keycode)?;
        shift.map_or(Ok(()), |shift| press(link, shift, false))?;
    }
    lock.map_or(Ok(()), tap)?;
    held.iter().try_for_each(|held| press(link, *held, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Keysym = 0x61;
    const MANY: u32 = UNICODE + 0x4e00;

    /// Keycode 8 types a and A, keycode 9 Return; `spare` more mean nothing.
    fn keymap(spare: usize) -> Keymap {
        let mut keysyms = vec![A, A - 0x20, KEYSYM_RETURN, NO_SYMBOL];
        keysyms.extend(std::iter::repeat_n(NO_SYMBOL, spare * 2));
        Keymap {
            first: 8,
            per_keycode: 2,
            keysyms,
            modifiers: BTreeSet::new(),
            shift: Some(200),
            caps_lock: None,
            group: 0,
            locked: false,
        }
    }

    /// Does what a plan says to the keymap, as the server would.
    fn apply(keymap: &mut Keymap, plan: &Plan) {
        for (keycode, keysym) in &plan.given {
            let at = usize::from(keycode - keymap.first) * 2;
            keymap.keysyms[at..at + 2].fill(*keysym);
        }
    }

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn what_the_layout_has_is_typed_with_its_own_keys() {
        let mut typist = Typist::default();
        typist.take("aA\r\na");
        let plan = typist.plan(&keymap(3), at(0));
        let stroke = |keycode, shift| Stroke { keycode, shift };
        let wanted = [
            stroke(8, false),
            stroke(8, true),
            stroke(9, false),
            stroke(8, false),
        ];
        assert_eq!(plan.strokes, wanted);
        assert!(plan.given.is_empty() && typist.rests());
    }

    #[test]
    fn a_keycode_keeps_its_character_until_programs_have_looked_it_up() {
        let (mut typist, mut keymap) = (Typist::default(), keymap(4));
        let text: String = (0..10)
            .filter_map(|at| char::from_u32(0x4e00 + at))
            .collect();
        typist.take(&text);
        let mut typed = Vec::new();
        let mut now = at(0);
        let mut lots = 0;
        while !typist.waiting.is_empty() {
            let plan = typist.plan(&keymap, now);
            apply(&mut keymap, &plan);
            typed.extend(
                plan.strokes
                    .iter()
                    .map(|stroke| keymap.keysyms(stroke.keycode)[0]),
            );
            if let Some(until) = plan.blocked_until {
                assert!(until > now, "it waits for nothing");
                assert!(plan.strokes.len() <= 4);
                let early = typist.plan(&keymap, now + KEEP / 2);
                assert!(
                    early.strokes.is_empty(),
                    "a keycode was given away too soon"
                );
                now = until;
            }
            lots += 1;
        }
        assert_eq!(typed, (0..10).map(|at| MANY + at).collect::<Vec<_>>());
        assert_eq!(lots, 3);
    }

    #[test]
    fn characters_that_come_again_need_no_other_keycode() {
        let mut typist = Typist::default();
        typist.take("\u{4e00}a\u{4e00}\u{4e01}\u{4e00}");
        let plan = typist.plan(&keymap(2), at(0));
        assert_eq!((plan.given.len(), plan.strokes.len()), (2, 5));
    }

    #[test]
    fn a_layout_without_spare_keycodes_types_what_it_can() {
        let mut typist = Typist::default();
        typist.take("a\u{4e00}a");
        let plan = typist.plan(&keymap(0), at(0));
        assert_eq!(plan.strokes.len(), 2);
        assert!(typist.rests());
    }

    #[test]
    fn another_layout_takes_the_characters_away() {
        let (mut typist, keymap) = (Typist::default(), keymap(2));
        typist.take("\u{4e00}");
        typist.plan(&keymap, at(0));
        // The server's keymap was replaced: it does not hold what was given.
        typist.take("\u{4e00}");
        let plan = typist.plan(&keymap, at(10));
        assert_eq!(plan.given.len(), 1);
    }

    #[test]
    fn control_characters_are_not_typed() {
        assert_eq!(keysym('\u{1b}'), None);
        assert_eq!(keysym('\u{7f}'), None);
        assert_eq!(keysym('\u{85}'), None);
        assert_eq!(keysym('ä'), Some(0xe4));
        assert_eq!(keysym('🙂'), Some(0x0101_f642));
    }
}
