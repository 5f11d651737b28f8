//! `recording:FILE`: each event as a line of JSON, for tests and for looking on. What stands in
//! `FILE.feedback`, a line of JSON each, is told as if devices had said it, after the next event.

use crate::error::InputError;
use crate::event::InputEvent;
use crate::injector::{Capabilities, Feedback, FeedbackSink, Injector};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// Name of the backend.
pub(crate) const NAME: &str = "recording";

/// Appends events to a file. A line is written at once and whole.
pub(crate) struct Recording {
    file: File,
    says: PathBuf,
    /// Lines of it that were told.
    said: usize,
    feedback: FeedbackSink,
}

impl Recording {
    pub(crate) fn open(path: Option<&str>, feedback: &FeedbackSink) -> Result<Self, InputError> {
        let path = path.ok_or_else(|| InputError::Unsupported {
            what: "input recording".to_owned(),
            why: "it needs the name of a file: recording:FILE".to_owned(),
        })?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| InputError::Unsupported {
            what: format!("input recording {path}"),
            why: error.to_string(),
        })?;
        Ok(Self {
            file,
            says: format!("{path}.feedback").into(),
            said: 0,
            feedback: feedback.clone(),
        })
    }

    /// Tells the lines that are new; mostly there is no such file.
    fn say(&mut self) -> Result<(), InputError> {
        let text = fs::read_to_string(&self.says).unwrap_or_default();
        for line in text.lines().skip(self.said) {
            self.said += 1;
            let feedback: Feedback = serde_json::from_str(line).map_err(std::io::Error::from)?;
            (self.feedback)(feedback);
        }
        Ok(())
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
        self.say()
    }
}
