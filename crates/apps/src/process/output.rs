//! What an app writes to its outputs: lines for the log, so many a second, and the last few to be
//! told with its end. Its bytes are bounded, and no control character gets through.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The longest line that is kept, in bytes.
const MAX_LINE_BYTES: usize = 512;
/// How many of the last lines are kept.
const TAIL_LINES: usize = 20;
/// Most lines a second that go to the log.
const LINES_PER_SECOND: u32 = 50;
/// Most bytes read in a turn, so that a flood leaves time for everything else.
const BYTES_PER_TURN: usize = 64 * 1024;

/// The reading end of an app's outputs, and what came through.
#[derive(Debug)]
pub(super) struct Output {
    app: String,
    /// Absent once nobody can write any more.
    reader: Option<PipeReader>,
    /// Kept for the next command; absent after the last.
    writer: Option<PipeWriter>,
    line: Vec<u8>,
    tail: VecDeque<String>,
    rate: Rate,
}

/// Lines in the present second.
#[derive(Debug)]
struct Rate {
    since: Instant,
    lines: u32,
}

impl Output {
    pub(super) fn new(app: String) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok(Self {
            app,
            reader: Some(reader),
            writer: Some(writer),
            line: Vec::new(),
            tail: VecDeque::new(),
            rate: Rate {
                since: Instant::now(),
                lines: 0,
            },
        })
    }

    /// Where a command writes to.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        match &self.writer {
            Some(writer) => Ok(writer.try_clone()?.into()),
            None => Ok(Stdio::null()),
        }
    }

    /// No further command is coming: the end is reached when those who write have gone.
    pub(super) fn no_more_writers(&mut self) {
        self.writer = None;
    }

    /// What to wait on for more; nothing once all is read.
    pub(super) const fn reader(&self) -> Option<&PipeReader> {
        self.reader.as_ref()
    }

    /// Takes what there is, without waiting.
    pub(super) fn take(&mut self) {
        let mut chunk = [0; 4096];
        for _ in 0..BYTES_PER_TURN / chunk.len() {
            let Some(reader) = &mut self.reader else {
                return;
            };
            match reader.read(&mut chunk) {
                Ok(0) => self.reader = None,
                Ok(length) => self.add(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.reader = None,
            }
        }
    }

    /// The last lines so far, a torn one included; then none.
    pub(super) fn last_lines(&mut self) -> Vec<String> {
        self.take();
        self.end_line();
        std::mem::take(&mut self.tail).into()
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ if self.line.len() < MAX_LINE_BYTES => self.line.push(*byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        self.line.clear();
        if text.trim().is_empty() {
            return;
        }
        if self.rate.allows(Instant::now()) {
            tracing::debug!(app = %self.app, "{text}");
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(text);
    }
}

impl Rate {
    /// Whether one more line may go to the log.
    fn allows(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            let kept_back = self.lines.saturating_sub(LINES_PER_SECOND);
            if kept_back > 0 {
                tracing::debug!(lines = kept_back, "an app wrote more than is logged");
            }
            *self = Self {
                since: now,
                lines: 0,
            };
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= LINES_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    //! Lines out of bytes, and bounds.

    use super::*;

    #[test]
    fn lines_are_bounded_and_clean_and_the_last_ones_are_kept() {
        let mut output = Output::new("x".into()).unwrap();
        output.add(b"one\n\x1b[31mred\x1b[0m\r\n\xff\n");
        output.add(&[b'a'; 2000]);
        output.add(b"\ntorn");
        let lines = output.last_lines();
        assert_eq!(lines[..3], ["one", "[31mred[0m", "\u{fffd}"]);
        assert_eq!(lines[3].len(), MAX_LINE_BYTES);
        assert_eq!(lines[4], "torn");
        for number in 0..100 {
            output.add(format!("{number}\n").as_bytes());
        }
        let lines = output.last_lines();
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines[19], "99");
        assert_eq!(output.last_lines(), [""; 0]);
    }

    #[test]
    fn the_log_gets_so_many_lines_a_second() {
        let start = Instant::now();
        let mut rate = Rate {
            since: start,
            lines: 0,
        };
        let passed = (0..200).filter(|_| rate.allows(start)).count();
        assert_eq!(passed, 50);
        assert!(rate.allows(start + Duration::from_secs(1)));
    }
}
