//! Lines in and out, each on a thread of its own: reading and writing a pipe may wait. A line is
//! written whole or not at all, and one that is too long is skipped to its end.

use super::protocol::{LineError, MAX_LINE_BYTES, Reply, Request, read};
use std::io::{BufRead, BufReader, Read, Write};
use std::thread;
use tokio::sync::mpsc;

/// Lines that may wait, in each direction.
const DEPTH: usize = 256;

/// A line of the parent's.
pub(super) type Said = Result<Request, LineError>;

/// The way out.
#[derive(Clone, Debug)]
pub(super) struct Lines(mpsc::Sender<String>);

impl Lines {
    /// Starts both threads. The receiver ends when the parent closes its end.
    pub(super) fn start(
        input: impl Read + Send + 'static,
        mut output: impl Write + Send + 'static,
    ) -> std::io::Result<(Self, mpsc::Receiver<Said>)> {
        let (said, hears) = mpsc::channel(DEPTH);
        let (out, mut waiting) = mpsc::channel::<String>(DEPTH);
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || listen(BufReader::new(input), &said))?;
        thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || {
                while let Some(line) = waiting.blocking_recv() {
                    let written = output
                        .write_all(line.as_bytes())
                        .and_then(|()| output.flush());
                    if let Err(error) = written {
                        tracing::warn!(%error, "the parent does not read any more");
                        return;
                    }
                }
            })?;
        Ok((Self(out), hears))
    }

    /// Writes a line, once there is room for it.
    pub(super) async fn write(&self, reply: &Reply<'_>) {
        if let Some(line) = line(reply) {
            // A parent that does not read is about to close stdin.
            let _ = self.0.send(line).await;
        }
    }

    /// Writes a line if there is room for it: for what is worth nothing later.
    pub(super) fn offer(&self, reply: &Reply<'_>) {
        if let Some(line) = line(reply) {
            let _ = self.0.try_send(line);
        }
    }
}

fn line(reply: &Reply<'_>) -> Option<String> {
    serde_json::to_string(reply)
        .map(|text| text + "\n")
        .inspect_err(|error| tracing::error!(%error, "a line cannot be written"))
        .ok()
}

/// Reads lines until the input ends or nobody wants them.
fn listen(mut input: impl BufRead, said: &mpsc::Sender<Said>) {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        match input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let whole = bytes.last() == Some(&b'\n');
        let line = bytes.trim_ascii();
        let request = if !whole && bytes.len() > MAX_LINE_BYTES {
            if input.skip_until(b'\n').is_err() {
                return;
            }
            Err(LineError::TooLong)
        } else if line.is_empty() {
            continue;
        } else {
            read(line)
        };
        if said.blocking_send(request).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let close = br#"{"type":"close","session":"a"}"#;
        let mut input = close.to_vec();
        input.extend(b"\n\n  \n");
        input.extend(vec![b'x'; 3 * MAX_LINE_BYTES]);
        input.extend(b"\nnonsense\n");
        input.extend(close);
        let (said, mut hears) = mpsc::channel(DEPTH);
        listen(Cursor::new(input), &said);
        drop(said);
        let close = Request::Close {
            session: "a".to_owned(),
        };
        assert_eq!(hears.blocking_recv(), Some(Ok(close.clone())));
        assert_eq!(hears.blocking_recv(), Some(Err(LineError::TooLong)));
        assert!(matches!(
            hears.blocking_recv(),
            Some(Err(LineError::Malformed(_)))
        ));
        assert_eq!(
            hears.blocking_recv(),
            Some(Ok(close)),
            "the end ends a line"
        );
        assert_eq!(hears.blocking_recv(), None);
    }
}
