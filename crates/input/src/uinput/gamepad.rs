//! One gamepad of the kernel, with a thread that hears when a game shakes it.
//!
//! Owns the effects that a game has stored and when each ends; refuses effects other than rumble.

use super::devices::emit;
use super::layout::Layout;
use crate::event::PadState;
use crate::injector::{Feedback, FeedbackSink};
use evdev::uinput::VirtualDevice;
use evdev::{
    AbsInfo, AttributeSet, BusType, EventSummary, FFEffectCode, FFEffectData, FFEffectKind,
    InputId, UInputCode, UinputAbsSetup,
};
use media::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::Result;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Effects that a game may store.
const MAX_EFFECTS: u32 = 16;
/// So that a wait never ends just before its time.
const ROUND_UP: Duration = Duration::from_micros(50);
/// What is said of how long an effect lasts that lasts longer, or has no end of its own.
pub(super) const LONGEST_MS: u16 = 5000;

fn create(layout: &Layout, name: &str) -> Result<VirtualDevice> {
    let [vendor, product, version] = layout.id;
    let buttons: AttributeSet<evdev::KeyCode> = layout.keys().map(evdev::KeyCode::new).collect();
    let rumble: AttributeSet<FFEffectCode> = [FFEffectCode::FF_RUMBLE].into_iter().collect();
    let mut builder = VirtualDevice::builder()?
        .name(name)
        .input_id(InputId::new(BusType::BUS_USB, vendor, product, version))
        .with_keys(&buttons)?;
    for (axis, [least, most]) in layout.axes() {
        let info = AbsInfo::new(0, least, most, 0, 0, 0);
        builder = builder.with_absolute_axis(&UinputAbsSetup::new(axis, info))?;
    }
    builder
        .with_ff(&rumble)?
        .with_ff_effects_max(MAX_EFFECTS)
        .build()
}

/// One pad. Dropping it unplugs it.
pub(super) struct Gamepad {
    layout: &'static Layout,
    device: Arc<Mutex<VirtualDevice>>,
    end: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Gamepad {
    /// Plugs a pad in, and tells when it is shaken.
    pub(super) fn plug(
        index: u8,
        layout: &'static Layout,
        name: &str,
        feedback: FeedbackSink,
    ) -> Result<Self> {
        let name = match layout.name {
            "" if name.is_empty() => "Heliostat pad",
            "" => name,
            known => known,
        };
        // The kernel takes no longer names.
        let short: String = name.chars().filter(char::is_ascii).take(60).collect();
        let device = create(layout, &short)?;
        let listening = device.as_fd().try_clone_to_owned()?;
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let device = Arc::new(Mutex::new(device));
        let mut rumble = Rumble {
            index,
            device: Arc::clone(&device),
            effects: BTreeMap::new(),
            playing: None,
            feedback,
        };
        let theirs = Arc::clone(&end);
        let thread = std::thread::Builder::new()
            .name(format!("pad-{index}"))
            .spawn(move || rumble.listen(&listening, &theirs))?;
        Ok(Self {
            layout,
            device,
            end,
            thread: Some(thread),
        })
    }

    /// Puts it into a state.
    pub(super) fn set(&self, state: &PadState) -> Result<()> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        emit(&mut device, &self.layout.report(state))
    }
}

impl Drop for Gamepad {
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
    effects: BTreeMap<u16, Shake>,
    /// The effect that shakes the pad now, and when it is over, if it ends by itself.
    playing: Option<(u16, Option<MonoTime>)>,
    feedback: FeedbackSink,
}

/// One effect that a game has stored.
#[derive(Clone, Copy, Debug)]
struct Shake {
    strong: u16,
    weak: u16,
    /// Absent when it goes on until the game ends it.
    lasts_ms: Option<u16>,
}

impl Shake {
    const REST: Self = Self {
        strong: 0,
        weak: 0,
        lasts_ms: Some(0),
    };
}

impl Rumble {
    fn listen(&mut self, device: &OwnedFd, end: &OwnedFd) {
        loop {
            let mut fds = [
                PollFd::new(device, PollFlags::IN),
                PollFd::new(end, PollFlags::IN),
            ];
            let over = self.playing.and_then(|(_, over)| over);
            let left = over.map(|over| over.since(MonoTime::now()));
            let left = left.and_then(|left| Timespec::try_from(left + ROUND_UP).ok());
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if fds[1].revents().contains(PollFlags::IN) => return,
                Ok(_) => {}
            }
            self.end_what_is_over();
            if !fds[0].revents().contains(PollFlags::IN) {
                continue;
            }
            if let Err(error) = self.hear() {
                tracing::warn!(%error, "a pad can no longer be shaken");
                return;
            }
        }
    }

    fn play(&mut self, id: u16, begins: bool) {
        let Some(shake) = self.effects.get(&id).copied() else {
            return;
        };
        if begins {
            let lasts = shake.lasts_ms.map(u64::from).map(Duration::from_millis);
            self.playing = Some((id, lasts.map(|lasts| MonoTime::now() + lasts)));
            self.tell(shake);
        } else if self.playing.is_some_and(|(playing, _)| playing == id) {
            self.playing = None;
            self.tell(Shake::REST);
        }
    }

    /// Whoever shakes the pad may know no durations.
    fn end_what_is_over(&mut self) {
        let over = self.playing.and_then(|(_, over)| over);
        if over.is_some_and(|over| MonoTime::now() >= over) {
            self.playing = None;
            self.tell(Shake::REST);
        }
    }

    fn tell(&self, shake: Shake) {
        (self.feedback)(Feedback::Rumble {
            index: self.index,
            strong: shake.strong,
            weak: shake.weak,
            duration_ms: shake.lasts_ms.unwrap_or(LONGEST_MS).min(LONGEST_MS),
        });
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
                        self.effects.insert(id, shake(&upload.effect()));
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
                    self.play(id.0, times > 0);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What an effect does to the motors.
fn shake(effect: &FFEffectData) -> Shake {
    let FFEffectKind::Rumble {
        strong_magnitude: strong,
        weak_magnitude: weak,
    } = effect.kind
    else {
        return Shake::REST;
    };
    let length = effect.replay.length;
    Shake {
        strong,
        weak,
        lasts_ms: (length != 0).then_some(length),
    }
}
