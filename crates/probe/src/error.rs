//! Why the probe could not do what it was asked, in words for the person who asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::rtsp::RtspParseError;
use crate::xml::XmlError;

/// A failure, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing answers.
    #[error("{target} does not answer: {cause}. Is the host running, and is TCP port {port} open?")]
    Unreachable {
        /// Who was asked.
        target: String,
        /// The port that was tried.
        port: u16,
        /// What the system says.
        cause: io::Error,
    },
    /// Something answers, but not a GameStream host.
    #[error("the answer to {request} is not what a GameStream host says: {cause}")]
    Answer {
        /// The request, without its secrets.
        request: &'static str,
        /// What is wrong with the answer.
        cause: AnswerError,
    },
    /// The host understood and said no.
    #[error("the host refused {request}: {reason} (status {status})")]
    Refused {
        /// The request, without its secrets.
        request: &'static str,
        /// The host's status.
        status: u32,
        /// The host's words.
        reason: String,
    },
    /// The PIN was wrong, or the host's user turned the pairing down.
    #[error("the host refused the PIN")]
    PinRefused,
    /// Nobody entered the PIN.
    #[error("nobody entered the PIN at the host within {0:?}")]
    PinNotEntered(Duration),
    /// The PIN was right, but somebody else's certificate came with it.
    #[error(
        "the host's certificate does not belong to whoever knows the PIN: somebody is in between"
    )]
    PairingForged,
    /// A PIN that is not four digits.
    #[error("a PIN has four digits")]
    PinShape,
    /// The host does not know this client, or this client does not know the host.
    #[error("not paired with this host: pair first")]
    NotPaired,
    /// The host shows another certificate than the one it was paired with.
    #[error(
        "the host is not the one that was paired: its certificate changed. Pair again if that is expected"
    )]
    OtherHost,
    /// No application of that name or number.
    #[error("the host has no application {0:?}")]
    NoSuchApp(String),
    /// Another application runs.
    #[error("application {0} is running on the host; quit it first")]
    OtherAppRunning(i32),
    /// The stream could not be negotiated.
    #[error("the host refused to set up the stream: RTSP {method} was answered with {status}")]
    Negotiation {
        /// The RTSP method.
        method: &'static str,
        /// The status of the answer.
        status: u16,
    },
    /// The host offers too little for this client.
    #[error("the host cannot do what this client needs: {0}")]
    Unsupported(&'static str),
    /// The control connection did not come up.
    #[error("no control connection within {0:?}: is UDP port {1} open?")]
    NoControl(Duration, u16),
    /// No video at all.
    #[error("no video within {0:?}: is UDP port {1} open?")]
    NoVideo(Duration, u16),
    /// Video, but never a whole picture.
    #[error("no complete picture within {0:?}: the connection is too slow or too lossy")]
    NoPicture(Duration),
    /// The control connection went away.
    #[error("the host stopped answering on the control connection")]
    ControlLost,
    /// The host ended the stream with an error.
    #[error("the host ended the stream with error {0:#010x}")]
    Terminated(u32),
    /// A line of an input script that means nothing.
    #[error("line {line} of the input script: {cause}")]
    Script {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: ScriptError,
    },
    /// An option that cannot be used.
    #[error("{0}")]
    Option(#[from] OptionError),
    /// The file with this client's key and its hosts.
    #[error("{path}: {cause}")]
    State {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: StateError,
    },
    /// The system refused something it has no reason to refuse.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
    /// Cryptography that cannot fail failed.
    #[error("cryptography failed: {0}")]
    Crypto(&'static str),
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not HTTP.
    #[error("not HTTP")]
    Http,
    /// Larger than any answer.
    #[error("too long")]
    TooLong,
    /// An HTTP status other than 200.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not RTSP.
    #[error(transparent)]
    Rtsp(#[from] RtspParseError),
    /// An element that has to be there.
    #[error("<{0}> is missing or empty")]
    Missing(&'static str),
    /// A value that cannot be.
    #[error("<{0}> has a value that cannot be")]
    Value(&'static str),
}

/// What is wrong with a line of an input script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Not a word of the language.
    #[error("{0:?} is not a command")]
    Command(String),
    /// Not a number where one belongs.
    #[error("{0:?} is not a number that fits")]
    Number(String),
    /// Not a word that fits there.
    #[error("{0:?} does not fit there")]
    Word(String),
    /// Too few words.
    #[error("too few values")]
    Missing,
    /// A quote that does not end.
    #[error("a quote does not end")]
    Quote,
}

/// What is wrong with an option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Not `HOST` or `HOST:PORT`.
    #[error("{0:?} is not HOST or HOST:PORT")]
    Host(String),
    /// Not a codec.
    #[error("{0:?} is not a codec: h264, hevc or av1")]
    Codec(String),
    /// Not a layout.
    #[error("{0:?} is not an audio layout: stereo, 51 or 71")]
    Audio(String),
    /// Not a choice of encryption.
    #[error("{0:?} is not none, audio, video or all")]
    Encryption(String),
    /// Not a share of packets to drop.
    #[error("{0:?} is not PERCENT or PERCENT:BURST")]
    Drop(String),
    /// Not a share of packets to hold back.
    #[error("{0:?} is not PERCENT or PERCENT:BEHIND")]
    Late(String),
    /// A packet size that no packet has.
    #[error("packet size {0} is out of range: 256 to 1392, a multiple of 16")]
    PacketSize(u32),
}

/// What is wrong with the state file.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It holds something else.
    #[error("not a state file: {0}")]
    Shape(#[from] serde_json::Error),
    /// Others may read it.
    #[error("others may read it (mode {0:o}): it holds a private key, so make it 600")]
    Open(u32),
    /// The key in it is none.
    #[error("the key or certificate in it is damaged")]
    Identity,
}
