//! The GameStream protocol as Moonlight clients (version 6 and later) speak it. Pure: bytes and time
//! go in, bytes and decisions come out; it opens no socket, starts no thread and reads no clock.
//!
//! There is no specification: comments name the file of the client's core (moonlight-common-c) or of
//! its HTTP part (libgamestream, moonlight-qt) that a rule is read from.

pub mod adapt;
pub mod audio;
pub mod constants;
pub mod control;
mod error;
pub mod fec;
mod hex;
pub mod http;
pub mod input;
mod key;
pub mod packet_error;
pub mod pairing;
pub mod rtsp;
mod seal;
#[cfg(test)]
mod test_field;
pub mod video;

pub use error::Error;
pub use key::StreamKey;
