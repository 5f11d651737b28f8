//! Serves Moonlight clients on real sockets: discovery, pairing, HTTP, RTSP, control, video and audio.
//! The protocol is `gamestream_proto`'s; what is shown and who takes input is the [`Host`]'s.

mod answers;
mod control;
mod cutter;
mod discovery;
mod error;
mod host;
mod house;
mod http;
mod identity;
mod input;
mod ledger;
mod lobby;
mod paired;
mod pairing;
mod pings;
mod registry;
mod rtsp;
mod server;
mod session;
mod sound;
mod start;
mod tls;
mod video;
mod waiting_room;
#[cfg(test)]
mod wraps;

pub use apps::catalogue::Catalogue;
pub use apps::journal::recover;
pub use apps::process::Surroundings;
pub use apps::tenancy::{ModeConflict, Places, Rules};
pub use apps::{AppsError, Linger};
pub use error::Error;
pub use gamestream_proto::constants::Ports;
pub use gamestream_proto::http::{CodecMode, CodecSupport};
pub use gamestream_proto::pairing::Failed as PairingFailed;
pub use host::{Begun, Host};
pub use paired::{ClientChange, MAX_CLIENTS, MAX_NAME_CHARS, PairedClient, PairedError};
pub use pairing::{PairingEnd, PendingPairing, PinEntered, PinRefused};
pub use server::{Config, Parts, Server};
