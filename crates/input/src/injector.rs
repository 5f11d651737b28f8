//! The trait of everything that injects input, and what it can do.

use crate::error::InputError;
use crate::event::{InputEvent, MotionKind};
use media::MonoTime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What an injector can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Physical keys.
    pub keyboard: bool,
    /// Places, buttons and the wheel.
    pub pointer: bool,
    /// Movements.
    pub relative: bool,
    /// Fingers and pens; a backend may make a pointer of them.
    pub touch: bool,
    /// Gamepads.
    pub pads: bool,
    /// Any Unicode text.
    pub text: bool,
}

impl Capabilities {
    /// Everything.
    pub const ALL: Self = Self {
        keyboard: true,
        pointer: true,
        relative: true,
        touch: true,
        pads: true,
        text: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        keyboard: false,
        pointer: false,
        relative: false,
        touch: false,
        pads: false,
        text: false,
    };
}

/// What the host says back to whoever gives the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Feedback {
    /// A game shakes a pad; 0, 0 ends it.
    Rumble {
        /// Which pad, by the number it was connected under.
        index: u8,
        /// The heavy motor, 0..=65535.
        strong: u16,
        /// The light motor, 0..=65535.
        weak: u16,
        /// For how long; the end is told too, by 0, 0.
        duration_ms: u16,
    },
    /// A game shakes the triggers of a pad; 0, 0 ends it.
    TriggerRumble {
        /// Which pad.
        index: u8,
        /// The left one, 0..=65535.
        left: u16,
        /// The right one, 0..=65535.
        right: u16,
    },
    /// The colour of a pad's light.
    Led {
        /// Which pad.
        index: u8,
        /// Red, green and blue, 0..=255.
        rgb: [u8; 3],
    },
    /// The host wants to hear how a pad is moved.
    MotionRate {
        /// Which pad.
        index: u8,
        /// Which of its sensors.
        kind: MotionKind,
        /// How often; 0 for no longer.
        hz: u16,
    },
    /// How the triggers of a DualSense resist, as its output report says it.
    AdaptiveTriggers {
        /// Which pad.
        index: u8,
        /// Bit 2: the right one is told; bit 3: the left one is.
        flags: u8,
        /// The left one.
        left: TriggerEffect,
        /// The right one.
        right: TriggerEffect,
    },
    /// The lights of the keyboard changed.
    KeyboardLeds {
        /// Bit 0 num, bit 1 caps, bit 2 scroll.
        bits: u8,
    },
}

/// How one adaptive trigger resists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerEffect {
    /// The kind of effect, as the pad numbers them.
    pub kind: u8,
    /// What the kind wants to know.
    pub parameters: [u8; 10],
}

impl Feedback {
    /// The pad that is meant, if one is.
    #[must_use]
    pub const fn pad(&self) -> Option<u8> {
        match self {
            Self::Rumble { index, .. }
            | Self::TriggerRumble { index, .. }
            | Self::Led { index, .. }
            | Self::MotionRate { index, .. }
            | Self::AdaptiveTriggers { index, .. } => Some(*index),
            Self::KeyboardLeds { .. } => None,
        }
    }

    /// The same for a pad by another number.
    #[must_use]
    pub const fn for_pad(mut self, number: u8) -> Self {
        match &mut self {
            Self::Rumble { index, .. }
            | Self::TriggerRumble { index, .. }
            | Self::Led { index, .. }
            | Self::MotionRate { index, .. }
            | Self::AdaptiveTriggers { index, .. } => *index = number,
            Self::KeyboardLeds { .. } => {}
        }
        self
    }
}

/// Where an injector tells its feedback, from any thread.
pub type FeedbackSink = Arc<dyn Fn(Feedback) + Send + Sync>;

/// When an injector wants to be driven again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// It is still at the last event: nothing may be injected before this has passed and
    /// [`Injector::tick`] said so.
    pub busy: bool,
    /// When to call [`Injector::tick`]; absent while it has nothing to do.
    pub at: Option<MonoTime>,
}

/// Injects input into the host. One thread drives it.
pub trait Injector: Send {
    /// Name of the backend.
    fn name(&self) -> &'static str;

    /// What it can do now.
    fn capabilities(&self) -> Capabilities;

    /// Injects one event. Presses and releases come in pairs, and the first press of a key is never
    /// repeated: several viewers are seen as one.
    ///
    /// # Errors
    /// [`InputError`]; the caller counts it and goes on with the next event.
    fn inject(&mut self, event: &InputEvent) -> Result<(), InputError>;

    /// Goes on with what takes time. Called after each event, and when the time it named has come.
    ///
    /// # Errors
    /// As [`inject`](Self::inject).
    fn tick(&mut self, _now: MonoTime) -> Result<Next, InputError> {
        Ok(Next::default())
    }
}
