//! A Moonlight client that measures instead of showing: it pairs, lists, streams, counts what gets lost
//! and how the host repairs it, and reports once a second. It shares no code with the host beyond the
//! protocol's constants, so that a mistake on one side is not repeated on the other.

pub mod audio;
pub mod bitstream;
mod client;
pub mod control;
pub mod crypto;
mod decode;
mod error;
pub mod fec;
pub mod hostile;
pub mod http;
mod identity;
mod input;
mod negotiate;
mod options;
pub mod pairing;
mod report;
pub mod rtsp;
pub mod sdp;
mod state;
mod stream;
mod tls;
mod tone;
pub mod video;
pub mod xml;

pub use client::{App, Client, HostInfo, read_apps, read_info};
pub use decode::{
    AudioDecoder, CodedUnit, DecodeFailed, Decoded, Decoders, NoDecoders, VideoDecoder,
};
pub use error::{AnswerError, Error, OptionError, ScriptError, StateError};
pub use identity::{CertificateFacts, Identity};
pub use input::{Action, Script, parse_line};
pub use options::{
    AudioLayout, Codec, DropPlan, DropShare, Encryption, HostAddress, LateShare, Options,
    PacketSize, StreamOptions,
};
pub use report::{
    AudioReport, BitstreamReport, DecodeReport, PacketReport, Percentiles, Repair, Report, Spread,
};
pub use stream::{Hand, Setup, Summary};
