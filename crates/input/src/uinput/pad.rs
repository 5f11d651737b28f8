//! One gamepad of the kernel, with a thread that hears when a game shakes it.
//!
//! Owns the standard mapping and the effects a game has stored; refuses effects other than rumble.

use super::devices::emit;
use super::translate::{Raw, absolute, key};
use crate::event::PadState;
use crate::injector::{Feedback, FeedbackSink};
use evdev::uinput::VirtualDevice;
use evdev::{
    AbsInfo, AbsoluteAxisCode, AttributeSet, BusType, EventSummary, FFEffectCode, FFEffectData,
    FFEffectKind, InputId, UInputCode, UinputAbsSetup,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::Result;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What games know best: the wired controller of the Xbox 360.
const KNOWN_PAD: (u16, u16, u16) = (0x045e, 0x028e, 0x0110);
/// Effects that a game may store.
const MAX_EFFECTS: u32 = 16;
/// How long an effect lasts that has no end of its own: until the game ends it, or this.
const LONGEST_MS: u16 = 5000;

/// Buttons of the standard mapping that are buttons of the kernel too, by their numbers.
const BUTTONS: [(u8, u16); 11] = [
    (0, 0x130),
    (1, 0x131),
    (2, 0x133),
    (3, 0x134),
    (4, 0x136),
    (5, 0x137),
    (8, 0x13a),
    (9, 0x13b),
    (10, 0x13d),
    (11, 0x13e),
    (16, 0x13c),
];
const LEFT_TRIGGER: u8 = 6;
const RIGHT_TRIGGER: u8 = 7;
const UP: u8 = 12;
const DOWN: u8 = 13;
const LEFT: u8 = 14;
const RIGHT: u8 = 15;

/// All of a pad as the kernel wants it.
fn report(state: &PadState) -> Vec<Raw> {
    let pressed = |button: u8| state.buttons >> button & 1 == 1;
    let direction = |back: u8, forth: u8| i32::from(pressed(forth)) - i32::from(pressed(back));
    // Pads whose triggers are buttons have no way between.
    let trigger = |value: u8, button: u8| match (value, pressed(button)) {
        (0, true) => 255,
        (value, _) => value.into(),
    };
    let buttons = BUTTONS
        .iter()
        .map(|(button, code)| key(*code, pressed(*button)));
    let sticks = [
        AbsoluteAxisCode::ABS_X,
        AbsoluteAxisCode::ABS_Y,
        AbsoluteAxisCode::ABS_RX,
        AbsoluteAxisCode::ABS_RY,
    ];
    let sticks = sticks.into_iter().zip(state.axes);
    let sticks = sticks.map(|(axis, value)| absolute(axis.0, value.into()));
    let rest = [
        (
            AbsoluteAxisCode::ABS_Z,
            trigger(state.left_trigger, LEFT_TRIGGER),
        ),
        (
            AbsoluteAxisCode::ABS_RZ,
            trigger(state.right_trigger, RIGHT_TRIGGER),
        ),
        (AbsoluteAxisCode::ABS_HAT0X, direction(LEFT, RIGHT)),
        (AbsoluteAxisCode::ABS_HAT0Y, direction(UP, DOWN)),
    ];
    let rest = rest.map(|(axis, value)| absolute(axis.0, value));
    buttons.chain(sticks).chain(rest).collect()
}

fn create(name: &str) -> Result<VirtualDevice> {
    let (vendor, product, version) = KNOWN_PAD;
    let axis = |code, least, most| UinputAbsSetup::new(code, AbsInfo::new(0, least, most, 0, 0, 0));
    let stick = |code| axis(code, i16::MIN.into(), i16::MAX.into());
    let buttons: AttributeSet<evdev::KeyCode> = BUTTONS
        .iter()
        .map(|(_, code)| evdev::KeyCode::new(*code))
        .collect();
    let rumble: AttributeSet<FFEffectCode> = [FFEffectCode::FF_RUMBLE].into_iter().collect();
    VirtualDevice::builder()?
        .name(name)
        .input_id(InputId::new(BusType::BUS_USB, vendor, product, version))
        .with_keys(&buttons)?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_X))?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_Y))?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_RX))?
        .with_absolute_axis(&stick(AbsoluteAxisCode::ABS_RY))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_Z, 0, 255))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_RZ, 0, 255))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_HAT0X, -1, 1))?
        .with_absolute_axis(&axis(AbsoluteAxisCode::ABS_HAT0Y, -1, 1))?
        .with_ff(&rumble)?
        .with_ff_effects_max(MAX_EFFECTS)
        .build()
}

/// One pad. Dropping it unplugs it.
pub(super) struct Pad {
    device: Arc<Mutex<VirtualDevice>>,
    end: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Pad {
    /// Plugs a pad in, and tells when it is shaken.
    pub(super) fn plug(index: u8, name: &str, feedback: FeedbackSink) -> Result<Self> {
        let name = match name.is_empty() {
            true => "Heliostat pad",
            false => name,
        };
        // The kernel takes no longer names.
        let short: String = name.chars().filter(char::is_ascii).take(60).collect();
        let device = create(&short)?;
        let listening = device.as_fd().try_clone_to_owned()?;
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let device = Arc::new(Mutex::new(device));
        let mut rumble = Rumble {
            index,
            device: Arc::clone(&device),
            effects: BTreeMap::new(),
            feedback,
        };
        let theirs = Arc::clone(&end);
        let thread = std::thread::Builder::new()
            .name(format!("pad-{index}"))
            .spawn(move || rumble.listen(&listening, &theirs))?;
        Ok(Self {
            device,
            end,
            thread: Some(thread),
        })
    }

    /// Puts it into a state.
    pub(super) fn set(&self, state: &PadState) -> Result<()> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        emit(&mut device, &report(state))
    }
}

impl Drop for Pad {
    fn drop(&mut self) {
        let _ = rustix::io::write(&*self.end, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a pad has panicked");
        }
    }
}

/// What a game does to the pad.
struct Rumble {
    index: u8,
    device: Arc<Mutex<VirtualDevice>>,
    /// The effects stored, by the kernel's numbers.
    effects: BTreeMap<u16, Feedback>,
    feedback: FeedbackSink,
}

impl Rumble {
    fn listen(&mut self, device: &OwnedFd, end: &OwnedFd) {
        loop {
            let mut fds = [
                PollFd::new(device, PollFlags::IN),
                PollFd::new(end, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if fds[1].revents().contains(PollFlags::IN) => return,
                Ok(_) => {}
            }
            if let Err(error) = self.hear() {
                tracing::warn!(%error, "a pad can no longer be shaken");
                return;
            }
        }
    }

    fn hear(&mut self) -> Result<()> {
        let device = Arc::clone(&self.device);
        let mut device = device.lock().unwrap_or_else(PoisonError::into_inner);
        let events: Vec<evdev::InputEvent> = device.fetch_events()?.collect();
        for event in events {
            match event.destructure() {
                EventSummary::UInput(event, UInputCode::UI_FF_UPLOAD, _) => {
                    let mut upload = device.process_ff_upload(event)?;
                    upload.set_retval(0);
                    if let Ok(id) = u16::try_from(upload.effect_id()) {
                        self.effects.insert(id, shake(self.index, &upload.effect()));
                    }
                }
                EventSummary::UInput(event, UInputCode::UI_FF_ERASE, _) => {
                    let mut erase = device.process_ff_erase(event)?;
                    erase.set_retval(0);
                    if let Ok(id) = u16::try_from(erase.effect_id()) {
                        self.effects.remove(&id);
                    }
                }
                EventSummary::ForceFeedback(_, id, times) => {
                    if let Some(effect) = self.effects.get(&id.0).copied() {
                        (self.feedback)(if times > 0 { effect } else { rest(self.index) });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

const fn rest(index: u8) -> Feedback {
    Feedback::Rumble {
        index,
        strong: 0,
        weak: 0,
        duration_ms: 0,
    }
}

/// What an effect means for the page.
fn shake(index: u8, effect: &FFEffectData) -> Feedback {
    let FFEffectKind::Rumble {
        strong_magnitude: strong,
        weak_magnitude: weak,
    } = effect.kind
    else {
        return rest(index);
    };
    let duration_ms = match effect.replay.length {
        0 => LONGEST_MS,
        length => length.min(LONGEST_MS),
    };
    Feedback::Rumble {
        index,
        strong,
        weak,
        duration_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(report: &[Raw], kind: u16, code: u16) -> i32 {
        let mut found = report
            .iter()
            .filter(|raw| (raw.kind, raw.code) == (kind, code));
        let value = found.next().unwrap().value;
        assert!(found.next().is_none(), "{code} is told twice");
        value
    }

    #[test]
    fn the_standard_mapping_lands_on_the_buttons_games_know() {
        let state = PadState {
            buttons: 1 << 2 | 1 << 16 | 1 << 12 | 1 << 15 | 1 << 7,
            left_trigger: 40,
            right_trigger: 0,
            axes: [-32768, 5, 0, 32767],
        };
        let report = report(&state);
        assert_eq!(value(&report, 1, 0x133), 1);
        assert_eq!(value(&report, 1, 0x13c), 1);
        assert_eq!(value(&report, 1, 0x130), 0);
        let axes = [0, 1, 3, 4, 2, 5, 0x10, 0x11].map(|code| value(&report, 3, code));
        assert_eq!(axes, [-32768, 5, 0, 32767, 40, 255, 1, -1]);
    }
}
