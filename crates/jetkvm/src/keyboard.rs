//! The keyboard of one client: reports, single keys, keep-alives and macros in, key changes out. It
//! is a function of what came and the time now; it never presses a key again by itself.

use crate::hidrpc::{FromClient, KeyReport, MacroStep, REPORT_KEYS, ToClient};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Clients say so often that their keys are still held.
const TICK: Duration = Duration::from_millis(50);
/// So much later may one arrive.
const MAX_LATENESS: Duration = Duration::from_millis(50);
/// A key that was pressed by itself is held so long without a word.
const HOLD: Duration = TICK.saturating_add(MAX_LATENESS);
/// Macros that may wait, the one that plays included.
const MAX_MACROS: usize = 10;
/// No step is shorter: a keyboard is not read more often.
const MIN_STEP: Duration = Duration::from_millis(1);

const FIRST_MODIFIER: u8 = 0xe0;
const LAST_MODIFIER: u8 = 0xe7;
/// Usages below it are no keys: nothing, and three ways to say that a keyboard is confused.
const FIRST_KEY: u8 = 0x04;

/// A key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// HID usage of page 7.
    pub usage: u8,
    /// Down rather than up.
    pub down: bool,
}

/// What came of a message, or of time passing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To be injected, in this order.
    pub keys: Vec<KeyEvent>,
    /// To be told to the client, in this order.
    pub tell: Vec<ToClient>,
}

/// What is known of the client's keyboard.
#[derive(Clone, Debug, Default)]
pub struct Keyboard {
    down: KeyReport,
    /// Keys that were pressed by themselves, and until when they are held without a word.
    timed: Vec<Timed>,
    /// When the last accepted tick came, since a key went down or up.
    last_tick: Option<Instant>,
    macros: VecDeque<Macro>,
}

#[derive(Clone, Copy, Debug)]
struct Timed {
    usage: u8,
    /// Nothing: until the client says otherwise.
    until: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Macro {
    is_paste: bool,
    steps: VecDeque<MacroStep>,
    /// When its next step is due; nothing while it waits for another macro.
    next_at: Option<Instant>,
}

impl Keyboard {
    /// What is down.
    #[must_use]
    pub fn down(&self) -> KeyReport {
        self.down
    }

    /// When [`Keyboard::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let release = self.timed.iter().filter_map(|key| key.until).min();
        let step = self.macros.front().and_then(|playing| playing.next_at);
        [release, step].into_iter().flatten().min()
    }

    /// Takes what concerns the keyboard; everything else changes nothing.
    pub fn take(&mut self, message: FromClient, now: Instant) -> Output {
        match message {
            FromClient::Keyboard(report) => self.report(report),
            FromClient::Keypress { usage, down } => self.keypress(KeyEvent { usage, down }, now),
            FromClient::KeepAlive => {
                self.keep_alive(now);
                Output::default()
            }
            FromClient::Macro { is_paste, steps } => self.enqueue(is_paste, steps, now),
            FromClient::CancelMacro => self.cancel_macros(),
            FromClient::Handshake { .. }
            | FromClient::Pointer { .. }
            | FromClient::Mouse { .. }
            | FromClient::Wheel => Output::default(),
        }
    }

    /// Does what is due: releases keys that nobody vouched for, plays macros.
    pub fn tick(&mut self, now: Instant) -> Output {
        let mut out = Output::default();
        let due = |key: &Timed| key.until.is_some_and(|until| until <= now);
        let mut next = self.down;
        for key in self.timed.iter().filter(|key| due(key)) {
            next = next.without(key.usage);
        }
        self.timed.retain(|key| !due(key));
        self.become_down(next, &mut out);
        self.play(now, &mut out);
        out
    }

    /// A full report says all that is down. Who sends such reports sends no keep-alives.
    fn report(&mut self, report: KeyReport) -> Output {
        let mut out = Output::default();
        let confused = |key: &u8| (1..FIRST_KEY).contains(key);
        if report.keys.iter().any(confused) {
            return out;
        }
        self.timed.clear();
        self.last_tick = None;
        self.become_down(report.tidied(), &mut out);
        out
    }

    fn keypress(&mut self, key: KeyEvent, now: Instant) -> Output {
        let mut out = Output::default();
        let KeyEvent { usage, down } = key;
        if usage < FIRST_KEY {
            return out;
        }
        self.last_tick = None;
        self.timed.retain(|timed| timed.usage != usage);
        if down {
            self.become_down(self.down.with(usage), &mut out);
            // Some clients vouch for keys alone: a modifier is timed from the first tick on that
            // comes while it is held.
            let until = (!is_modifier(usage)).then_some(now + HOLD);
            if self.down.holds(usage) {
                self.timed.push(Timed { usage, until });
            }
        } else {
            self.become_down(self.down.without(usage), &mut out);
            for modifier in self.timed.iter_mut().filter(|key| is_modifier(key.usage)) {
                modifier.until = None;
            }
        }
        out
    }

    /// Each tick in time extends the hold, by less the later it is. One that is too late counts for
    /// nothing, and nor do those after it: they may come out of a queue, long after the key went up.
    fn keep_alive(&mut self, now: Instant) {
        let since = self
            .last_tick
            .map(|last| now.saturating_duration_since(last));
        let lateness = since.map_or(Duration::ZERO, |since| since.saturating_sub(TICK));
        if lateness > MAX_LATENESS {
            return;
        }
        self.last_tick = Some(now);
        for key in &mut self.timed {
            key.until = Some(now + HOLD.saturating_sub(lateness));
        }
    }

    fn enqueue(&mut self, is_paste: bool, steps: Vec<MacroStep>, now: Instant) -> Output {
        let mut out = Output::default();
        if self.macros.len() < MAX_MACROS {
            self.macros.push_back(Macro {
                is_paste,
                steps: steps.into(),
                next_at: None,
            });
            self.play(now, &mut out);
        }
        out
    }

    fn play(&mut self, now: Instant, out: &mut Output) {
        while let Some(playing) = self.macros.front_mut() {
            let is_paste = playing.is_paste;
            let starts = playing.next_at.is_none();
            if playing.next_at.is_some_and(|at| now < at) {
                return;
            }
            let step = playing.steps.pop_front();
            playing.next_at = step.map(|step| now + step.delay.max(MIN_STEP));
            if starts {
                out.tell.push(ToClient::MacroState {
                    running: true,
                    is_paste,
                });
            }
            let Some(step) = step else {
                self.macros.pop_front();
                self.become_down(KeyReport::default(), out);
                out.tell.push(ToClient::MacroState {
                    running: false,
                    is_paste,
                });
                continue;
            };
            self.timed.clear();
            self.become_down(step.report.tidied(), out);
        }
    }

    fn cancel_macros(&mut self) -> Output {
        let mut out = Output::default();
        if let Some(playing) = self.macros.front() {
            let is_paste = playing.is_paste;
            self.macros.clear();
            self.become_down(KeyReport::default(), &mut out);
            out.tell.push(ToClient::MacroState {
                running: false,
                is_paste,
            });
        }
        out
    }

    /// Changes what is down: keys go up before their modifiers and down after them.
    fn become_down(&mut self, next: KeyReport, out: &mut Output) {
        let before = std::mem::replace(&mut self.down, next);
        if before == next {
            return;
        }
        let up = |usage| KeyEvent { usage, down: false };
        let down = |usage| KeyEvent { usage, down: true };
        let gone = before.pressed().filter(|key| !next.keys.contains(key));
        let come = next.pressed().filter(|key| !before.keys.contains(key));
        out.keys.extend(gone.map(up));
        out.keys
            .extend(modifiers(before.modifier & !next.modifier).map(up));
        out.keys
            .extend(modifiers(next.modifier & !before.modifier).map(down));
        out.keys.extend(come.map(down));
        out.tell.push(ToClient::KeysDown(next));
    }
}

fn is_modifier(usage: u8) -> bool {
    (FIRST_MODIFIER..=LAST_MODIFIER).contains(&usage)
}

fn modifiers(mask: u8) -> impl Iterator<Item = u8> {
    (0..8)
        .filter(move |bit| mask >> bit & 1 == 1)
        .map(|bit| FIRST_MODIFIER + bit)
}

impl KeyReport {
    fn pressed(self) -> impl Iterator<Item = u8> {
        self.keys.into_iter().filter(|key| *key != 0)
    }

    fn holds(self, usage: u8) -> bool {
        if is_modifier(usage) {
            self.modifier >> (usage - FIRST_MODIFIER) & 1 == 1
        } else {
            self.keys.contains(&usage)
        }
    }

    /// The same with one key more; unchanged when there is no room.
    fn with(mut self, usage: u8) -> Self {
        if is_modifier(usage) {
            self.modifier |= 1 << (usage - FIRST_MODIFIER);
        } else if !self.keys.contains(&usage)
            && let Some(free) = self.keys.iter_mut().find(|key| **key == 0)
        {
            *free = usage;
        }
        self
    }

    /// The same with one key less.
    fn without(mut self, usage: u8) -> Self {
        if is_modifier(usage) {
            self.modifier &= !(1 << (usage - FIRST_MODIFIER));
            return self;
        }
        let mut rest = [0; REPORT_KEYS];
        let others = self.pressed().filter(|key| *key != usage);
        for (slot, key) in rest.iter_mut().zip(others) {
            *slot = key;
        }
        self.keys = rest;
        self
    }

    /// The same without duplicates and gaps, modifiers where they belong.
    fn tidied(self) -> Self {
        let empty = Self {
            modifier: self.modifier,
            ..Self::default()
        };
        let keys = self.pressed().filter(|key| *key >= FIRST_KEY);
        keys.fold(empty, Self::with)
    }
}

#[cfg(test)]
mod tests;
