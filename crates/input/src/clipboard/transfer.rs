//! Text on its way between X clients, whole or in pieces.
//!
//! Owns the pieces and their limit; refuses more than the limit, and to wait for ever.

use crate::clipboard::CLIPBOARD_LIMIT_BYTES;
use crate::error::InputError;
use media::MonoTime;
use std::sync::Arc;
use std::time::Duration;
use x11rb::protocol::xproto::{Atom, Window};

/// Longest text that is handed over whole; any server takes a request of that size.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Longest time until the other side takes or gives the next piece.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Text that another client gives in pieces.
#[derive(Debug)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    total: usize,
    pub(super) deadline: MonoTime,
}

impl Incoming {
    pub(super) fn new(now: MonoTime) -> Self {
        Self {
            bytes: Vec::new(),
            total: 0,
            deadline: now + PATIENCE,
        }
    }

    /// Takes a piece, of which there were `length` bytes; after an empty one it is all there.
    pub(super) fn piece(
        &mut self,
        piece: &[u8],
        length: usize,
        now: MonoTime,
    ) -> Option<Result<String, InputError>> {
        self.deadline = now + PATIENCE;
        if length == 0 {
            return Some(text(std::mem::take(&mut self.bytes), self.total));
        }
        self.total += length;
        // What is too long is taken to its end all the same, or its owner would hang.
        if self.total <= CLIPBOARD_LIMIT_BYTES {
            self.bytes.extend_from_slice(piece);
        }
        None
    }
}

/// Bytes of the clipboard as text, if there are not too many.
pub(super) fn text(bytes: Vec<u8>, total: usize) -> Result<String, InputError> {
    if total > CLIPBOARD_LIMIT_BYTES {
        return Err(InputError::TooLong {
            bytes: total,
            limit: CLIPBOARD_LIMIT_BYTES,
        });
    }
    String::from_utf8(bytes).map_err(|_| InputError::Malformed {
        why: "the clipboard's text is not UTF-8",
    })
}

/// Text that another client takes in pieces.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) requestor: Window,
    pub(super) property: Atom,
    pub(super) kind: Atom,
    text: Arc<str>,
    sent: usize,
    pub(super) deadline: MonoTime,
}

impl Outgoing {
    pub(super) fn new(
        (requestor, property, kind): (Window, Atom, Atom),
        text: Arc<str>,
        now: MonoTime,
    ) -> Self {
        Self {
            requestor,
            property,
            kind,
            text,
            sent: 0,
            deadline: now + PATIENCE,
        }
    }

    /// The next piece; an empty one is the last.
    pub(super) fn piece(&mut self, now: MonoTime) -> &[u8] {
        self.deadline = now + PATIENCE;
        let rest = &self.text.as_bytes()[self.sent..];
        let piece = &rest[..rest.len().min(PIECE_BYTES)];
        self.sent += piece.len();
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming_piece(incoming: &mut Incoming, piece: &[u8]) -> Option<Result<String, InputError>> {
        incoming.piece(piece, piece.len(), MonoTime::from_nanos(0))
    }

    #[test]
    fn pieces_that_go_out_come_in_as_the_same_text() {
        let now = MonoTime::from_nanos(0);
        // Three bytes a character: pieces end inside of one.
        let text: Arc<str> = "€".repeat(CLIPBOARD_LIMIT_BYTES / 3).into();
        let (mut out, mut incoming) = (
            Outgoing::new((1, 2, 3), Arc::clone(&text), now),
            Incoming::new(now),
        );
        let mut pieces = 0;
        let whole = loop {
            pieces += 1;
            if let Some(whole) = incoming_piece(&mut incoming, out.piece(now)) {
                break whole.unwrap();
            }
        };
        assert_eq!(*whole, *text);
        assert_eq!(pieces, text.len().div_ceil(PIECE_BYTES) + 1);
    }

    #[test]
    fn too_much_is_refused_with_its_length() {
        let now = MonoTime::from_nanos(0);
        let mut incoming = Incoming::new(now);
        let piece = vec![b'a'; PIECE_BYTES];
        for _ in 0..4 {
            assert!(incoming_piece(&mut incoming, &piece).is_none());
        }
        let refused = incoming_piece(&mut incoming, &[]).unwrap().unwrap_err();
        assert!(
            matches!(refused, InputError::TooLong { bytes, limit }
                if bytes == 4 * PIECE_BYTES && limit == CLIPBOARD_LIMIT_BYTES),
            "{refused}"
        );
        assert!(text(vec![0xff], 1).is_err());
    }
}
