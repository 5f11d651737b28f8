//! A viewer's pad as a device of the host: which kind it becomes, and what of it that kind can say.
//!
//! Owns the choice; refuses to know how either kind is made.

use super::dualsense::DualSense;
use super::gamepad::Gamepad;
use super::layout::{self, Layout};
use crate::event::{MotionKind, PadCapabilities, PadEvent, PadKind};
use crate::injector::{Feedback, FeedbackSink};
use std::io::Result;

/// How often a client should tell how its pad is moved.
const MOTION_HZ: u16 = 100;

/// What a viewer's pad is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) kind: PadKind,
    pub(super) capabilities: PadCapabilities,
}

/// One pad. Dropping it unplugs it.
pub(super) enum Pad {
    Plain(Gamepad),
    DualSense {
        pad: DualSense,
        /// Whether each half of its touchpad stands for one of two.
        halves: bool,
    },
}

impl Wanted<'_> {
    /// Whether only a DualSense can say what this pad says.
    fn is_rich(&self) -> bool {
        let can = self.capabilities;
        let feels = can.accelerometer || can.gyroscope || can.touchpad;
        match self.kind {
            PadKind::PlayStation => true,
            PadKind::Unknown | PadKind::Steam => feels,
            PadKind::Xbox | PadKind::Nintendo => false,
        }
    }

    fn layout(&self) -> &'static Layout {
        match self.kind {
            PadKind::Unknown => &layout::XBOX_360,
            PadKind::Xbox | PadKind::Steam | PadKind::PlayStation => &layout::XBOX_ONE,
            PadKind::Nintendo => &layout::SWITCH_PRO,
        }
    }
}

impl Pad {
    /// Plugs a pad in, and tells what it is told.
    pub(super) fn plug(index: u8, wanted: &Wanted<'_>, feedback: &FeedbackSink) -> Result<Self> {
        if wanted.is_rich() {
            match DualSense::plug(index, feedback.clone()) {
                Ok(pad) => {
                    ask_for_motion(index, wanted.capabilities, feedback);
                    let halves = wanted.capabilities.second_touchpad;
                    return Ok(Self::DualSense { pad, halves });
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "/dev/uhid cannot be used: the pad is one without sensors"
                    );
                }
            }
        }
        let (layout, feedback) = (wanted.layout(), feedback.clone());
        Gamepad::plug(index, layout, wanted.name, feedback).map(Self::Plain)
    }

    /// Takes what happens to it.
    pub(super) fn take(&self, event: &PadEvent) -> Result<()> {
        let (pad, halves) = match (self, event) {
            (Self::Plain(pad), PadEvent::State { state, .. }) => return pad.set(state),
            // Nothing of such a pad has a battery, sensors or a touchpad.
            (Self::Plain(_), _) => return Ok(()),
            (Self::DualSense { pad, halves }, _) => (pad, *halves),
        };
        match *event {
            PadEvent::State { state, .. } => pad.change(|report| report.set(&state)),
            PadEvent::Motion { kind, x, y, z, .. } => {
                pad.change(|report| report.motion(kind, [x, y, z]))
            }
            PadEvent::Battery { state, percent, .. } => {
                pad.change(|report| report.battery(state, percent))
            }
            PadEvent::Touchpad {
                pad: touchpad,
                finger,
                phase,
                x,
                y,
                ..
            } => {
                let (finger, x) = match halves {
                    false => (finger, x),
                    true if finger > 0 => return Ok(()),
                    true => (touchpad.into(), x / 2 + u16::from(touchpad.min(1)) * 0x8000),
                };
                let finger = usize::try_from(finger).unwrap_or(usize::MAX);
                pad.change(|report| report.touch(finger, phase, [x, y]))
            }
            PadEvent::Connected { .. } | PadEvent::Gone { .. } => Ok(()),
        }
    }
}

/// The host's programs cannot be heard asking for it: it is wanted as long as the pad is there.
fn ask_for_motion(index: u8, can: PadCapabilities, feedback: &FeedbackSink) {
    for (kind, can) in [
        (MotionKind::Accelerometer, can.accelerometer),
        (MotionKind::Gyroscope, can.gyroscope),
    ] {
        if can {
            let hz = MOTION_HZ;
            feedback(Feedback::MotionRate { index, kind, hz });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pad_that_feels_becomes_one_that_can_say_so() {
        let rich = |kind, capabilities| {
            let name = "";
            let wanted = Wanted {
                name,
                kind,
                capabilities,
            };
            wanted.is_rich()
        };
        let (plain, gyroscope) = (
            PadCapabilities::default(),
            PadCapabilities {
                gyroscope: true,
                ..PadCapabilities::default()
            },
        );
        assert!(rich(PadKind::PlayStation, plain));
        assert!(rich(PadKind::Steam, gyroscope) && rich(PadKind::Unknown, gyroscope));
        assert!(!rich(PadKind::Steam, plain) && !rich(PadKind::Unknown, plain));
        assert!(!rich(PadKind::Xbox, gyroscope) && !rich(PadKind::Nintendo, gyroscope));
    }
}
