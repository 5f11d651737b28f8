//! `recording:FILE`: each event as a line of JSON, for tests and for looking on.

use crate::error::InputError;
use crate::event::InputEvent;
use crate::injector::{Capabilities, Injector};
use std::fs::{File, OpenOptions};
use std::io::Write;

/// Name of the backend.
pub(crate) const NAME: &str = "recording";

/// Appends events to a file. A line is written at once and whole.
#[derive(Debug)]
pub(crate) struct Recording {
    file: File,
}

impl Recording {
    pub(crate) fn open(path: Option<&str>) -> Result<Self, InputError> {
        let path = path.ok_or_else(|| InputError::Unsupported {
            what: "input recording".to_owned(),
            why: "it needs the name of a file: recording:FILE".to_owned(),
        })?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| InputError::Unsupported {
            what: format!("input recording {path}"),
            why: error.to_string(),
        })?;
        Ok(Self { file })
    }
}

impl Injector for Recording {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    fn inject(&mut self, event: &InputEvent) -> Result<(), InputError> {
        let mut line = serde_json::to_string(event).map_err(std::io::Error::from)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())?;
        Ok(())
    }
}
