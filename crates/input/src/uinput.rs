//! `uinput`: as devices of the kernel, which everything on the machine takes for real ones.
//!
//! Owns the devices; refuses text, because what a key types is decided above the kernel.

mod devices;
mod dualsense;
mod gamepad;
mod layout;
mod pad;
mod pen;
mod translate;
mod uhid;

use crate::backends::OpenRequest;
use crate::error::InputError;
use crate::event::{InputEvent, PadEvent};
use crate::injector::{Capabilities, FeedbackSink, Injector};
use devices::Devices;
use pad::{Pad, Wanted};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use translate::Translator;

/// Name of the backend.
pub(crate) const NAME: &str = "uinput";

/// A keyboard, a mouse, a tablet, a touch screen, a pen, and a pad for each that a viewer has.
pub(crate) struct Uinput {
    devices: Devices,
    translator: Translator,
    pads: BTreeMap<u8, Pad>,
    feedback: FeedbackSink,
}

impl Uinput {
    pub(crate) fn open(request: &OpenRequest) -> Result<Self, InputError> {
        Ok(Self {
            devices: Devices::create().map_err(|error| refused(&error))?,
            translator: Translator::new(request.area.clone()),
            pads: BTreeMap::new(),
            feedback: request.feedback.clone(),
        })
    }

    fn pad(&mut self, event: &PadEvent) -> Result<(), InputError> {
        match event {
            PadEvent::Connected {
                index,
                name,
                kind,
                capabilities,
            } => {
                // The old one must be gone first: two may not have one address.
                self.pads.remove(index);
                let wanted = Wanted {
                    name,
                    kind: *kind,
                    capabilities: *capabilities,
                };
                let pad = Pad::plug(*index, &wanted, &self.feedback);
                self.pads
                    .insert(*index, pad.map_err(|error| refused(&error))?);
            }
            PadEvent::State { index, .. }
            | PadEvent::Motion { index, .. }
            | PadEvent::Battery { index, .. }
            | PadEvent::Touchpad { index, .. } => {
                if let Some(pad) = self.pads.get(index) {
                    pad.take(event)?;
                }
            }
            PadEvent::Gone { index } => {
                self.pads.remove(index);
            }
        }
        Ok(())
    }
}

/// Says what to do about it. Neither kind of refusal goes away by itself.
fn refused(error: &std::io::Error) -> InputError {
    let why = match error.kind() {
        ErrorKind::NotFound => {
            "/dev/uinput is not there: load the kernel module with `modprobe uinput`".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "this user may not open /dev/uinput: add it to the group that may, or a udev rule"
                .to_owned()
        }
        _ => error.to_string(),
    };
    InputError::Unsupported {
        what: NAME.to_owned(),
        why,
    }
}

impl Injector for Uinput {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text: false,
            ..Capabilities::ALL
        }
    }

    fn inject(&mut self, event: &InputEvent) -> Result<(), InputError> {
        match event {
            InputEvent::Pad(event) => self.pad(event),
            InputEvent::Text(_) => Err(InputError::Unsupported {
                what: NAME.to_owned(),
                why: "the kernel knows keys, not characters: press the keys instead".to_owned(),
            }),
            event => {
                let Some((device, events)) = self.translator.translate(event) else {
                    return Err(InputError::Unsupported {
                        what: NAME.to_owned(),
                        why: format!("the kernel has nothing for {event:?}"),
                    });
                };
                self.devices.emit(device, &events)?;
                Ok(())
            }
        }
    }
}
