//! `none`: no input at all.

use crate::error::InputError;
use crate::event::InputEvent;
use crate::injector::{Capabilities, Injector};

/// Name of the backend.
pub(crate) const NAME: &str = "none";

/// Injects nothing, and is content with that.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Injector for Nothing {
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
