//! `uinput`: as devices of the kernel, which everything on the machine takes for real ones.

use crate::backends::OpenRequest;
use crate::error::InputError;
use crate::event::InputEvent;
use crate::injector::{Capabilities, Injector};

/// Name of the backend.
pub(crate) const NAME: &str = "uinput";

pub(crate) struct Uinput;

impl Uinput {
    pub(crate) fn open(_request: &OpenRequest) -> Result<Self, InputError> {
        Err(InputError::Unsupported {
            what: "uinput".to_owned(),
            why: "/dev/uinput is not there".to_owned(),
        })
    }
}

impl Injector for Uinput {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    fn inject(&mut self, _event: &InputEvent) -> Result<(), InputError> {
        Ok(())
    }
}
