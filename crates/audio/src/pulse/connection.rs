//! One connection to a PulseAudio server: commands with their replies, and what comes unasked.
//!
//! Owns the socket and how much of it is held in memory; refuses to block without a deadline.

use crate::source::SourceError;
use crate::stop::StopSignal;
use media::MonoTime;
use pulseaudio::protocol::{
    self, AuthParams, AuthReply, Command, CommandReply, DESCRIPTOR_SIZE, Prop, Props,
    SetClientNameReply, SubscriptionEventFacility, TagStructReader,
};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server answers within this, or counts as absent.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The longest message that is taken: far more than the list of all sinks needs.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// A server ends a connection whose cookie has another length, even where it needs none.
const COOKIE_BYTES: usize = 256;
/// The channel number of messages that are commands rather than sound.
const COMMANDS: u32 = u32::MAX;

/// What the server sent.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// Sound for a record stream.
    Sound { channel: u32, bytes: &'a [u8] },
    /// The server ended this record stream.
    Killed { channel: u32 },
    /// Something about the server itself is another, maybe its default sink.
    ServerChanged,
    /// Anything else.
    Other,
    /// The answer to the command of this number, or the server's refusal.
    Answer {
        sequence: u32,
        body: Result<&'a [u8], protocol::PulseError>,
    },
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: UnixStream,
    /// The server in words.
    name: String,
    version: u16,
    last_sequence: u32,
    inbox: Inbox,
}

/// Bytes that came and were not used yet.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    used: usize,
    filled: usize,
}

impl Inbox {
    fn waiting(&self) -> &[u8] {
        &self.bytes[self.used..self.filled]
    }

    /// Where the next whole message lies, and on which channel; nothing where it is not whole yet.
    fn next(&mut self) -> Result<Option<(u32, Range<usize>)>, SourceError> {
        let mut waiting = self.waiting();
        let needed = if waiting.len() < DESCRIPTOR_SIZE {
            DESCRIPTOR_SIZE
        } else {
            let descriptor = protocol::read_descriptor(&mut waiting).map_err(invalid)?;
            let length = descriptor.length as usize;
            if length > MAX_MESSAGE_BYTES {
                return Err(invalid(format!("a message of {length} bytes")));
            }
            if waiting.len() >= length {
                let start = self.used + DESCRIPTOR_SIZE;
                self.used = start + length;
                return Ok(Some((descriptor.channel, start..start + length)));
            }
            DESCRIPTOR_SIZE + length
        };
        self.make_room(needed);
        Ok(None)
    }

    /// Moves what waits to the front, and grows where a message of `needed` bytes does not fit.
    fn make_room(&mut self, needed: usize) {
        self.bytes.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        let room = needed.max(self.filled + 4096);
        if self.bytes.len() < room {
            self.bytes.resize(room.next_power_of_two(), 0);
        }
    }
}

fn invalid(why: impl std::fmt::Display) -> SourceError {
    SourceError::Absent {
        what: "PulseAudio server".to_owned(),
        why: format!("it sent what cannot be read: {why}"),
    }
}

/// Where the server is by the rules of its clients, and by the places where it usually is.
pub(super) fn find_socket() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let usual = [
        format!("/run/user/{user}/pulse/native"),
        "/run/pulse/native".to_owned(),
    ];
    pulseaudio::socket_path_from_env().or_else(|| {
        usual
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
    })
}

impl Connection {
    /// Connects, to the server there is where no socket is named, and says who we are.
    pub(super) fn open(socket: Option<&Path>, stop: &StopSignal) -> Result<Self, SourceError> {
        let absent = |what: &str, why: String| SourceError::Absent {
            what: what.to_owned(),
            why,
        };
        let path = socket.map(Path::to_owned).or_else(find_socket);
        let path = path.ok_or_else(|| absent("PulseAudio", "no server runs".to_owned()))?;
        let name = format!("PulseAudio server at {}", path.display());
        let socket =
            UnixStream::connect(&path).map_err(|error| absent(&name, error.to_string()))?;
        socket.set_nonblocking(true)?;
        let mut connection = Self {
            socket,
            name,
            version: protocol::MAX_VERSION,
            last_sequence: 0,
            inbox: Inbox::default(),
        };
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
        let mut cookie = cookie.unwrap_or_default();
        cookie.resize(COOKIE_BYTES, 0);
        let auth = Command::Auth(AuthParams {
            version: protocol::MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie,
        });
        let reply: AuthReply = connection.ask(&auth, stop)?;
        connection.version = reply.version.min(protocol::MAX_VERSION);
        if connection.version < protocol::MIN_VERSION {
            let why = "it is too old".to_owned();
            return Err(absent(&connection.name, why));
        }
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"Heliostat");
        let _: SetClientNameReply = connection.ask(&Command::SetClientName(props), stop)?;
        Ok(connection)
    }

    /// The server in words.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// That the server is not there, or no longer.
    pub(super) fn absent(&self, why: impl std::fmt::Display) -> SourceError {
        SourceError::Absent {
            what: self.name.clone(),
            why: why.to_string(),
        }
    }

    /// Sends a command; its answer will carry the number returned.
    pub(super) fn send(&mut self, command: &Command) -> Result<u32, SourceError> {
        self.last_sequence = self.last_sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        protocol::write_command_message(&mut bytes, self.last_sequence, command, self.version)
            .map_err(|error| self.absent(error))?;
        // The socket's buffer holds hundreds of commands: one that does not fit is not read at all.
        let sent = self.socket.write_all(&bytes);
        sent.map_err(|error| self.absent(error))?;
        Ok(self.last_sequence)
    }

    /// Sends a command and waits for its answer. Whatever else comes meanwhile is dropped.
    pub(super) fn ask<R: CommandReply>(
        &mut self,
        command: &Command,
        stop: &StopSignal,
    ) -> Result<R, SourceError> {
        self.ask_with(command, stop, |body, version| {
            R::read(&mut TagStructReader::new(body, version), version)
        })
    }

    /// The same for a command whose answer says only that it was done.
    pub(super) fn tell(&mut self, command: &Command, stop: &StopSignal) -> Result<(), SourceError> {
        self.ask_with(command, stop, |_, _| Ok(()))
    }

    fn ask_with<R>(
        &mut self,
        command: &Command,
        stop: &StopSignal,
        read: impl Fn(&mut Cursor<&[u8]>, u16) -> Result<R, protocol::ProtocolError>,
    ) -> Result<R, SourceError> {
        let asked = self.send(command)?;
        let (deadline, version) = (MonoTime::now() + ANSWER_WITHIN, self.version);
        while !stop.is_raised() && MonoTime::now() < deadline {
            match self.next()? {
                Some(Message::Answer { sequence, body }) if sequence == asked => {
                    let answer = match body {
                        Ok(body) => read(&mut Cursor::new(body), version).map_err(invalid),
                        Err(refusal) => Err(SourceError::Unsupported {
                            what: "PulseAudio".to_owned(),
                            why: format!("the server refuses: {refusal}"),
                        }),
                    };
                    return answer;
                }
                Some(_) => {}
                None => self.wait(deadline, stop)?,
            }
        }
        Err(self.absent("it does not answer"))
    }

    /// Reads the answer to an earlier [`send`](Self::send) from its body.
    pub(super) fn read_answer<R: CommandReply>(
        version: u16,
        body: &[u8],
    ) -> Result<R, SourceError> {
        let mut body = Cursor::new(body);
        R::read(&mut TagStructReader::new(&mut body, version), version).map_err(invalid)
    }

    /// The version of the protocol that both sides speak.
    pub(super) fn version(&self) -> u16 {
        self.version
    }

    /// Sleeps until something came, the deadline or the stop signal.
    pub(super) fn wait(&self, deadline: MonoTime, stop: &StopSignal) -> Result<(), SourceError> {
        Ok(stop.wait_until(Some(self.socket.as_fd()), deadline)?)
    }

    /// The next message, if a whole one is here.
    pub(super) fn next(&mut self) -> Result<Option<Message<'_>>, SourceError> {
        loop {
            let Some((channel, range)) = self.inbox.next()? else {
                if self.receive()? {
                    continue;
                }
                return Ok(None);
            };
            if channel != COMMANDS {
                let bytes = &self.inbox.bytes[range];
                return Ok(Some(Message::Sound { channel, bytes }));
            }
            let mut cursor = Cursor::new(&self.inbox.bytes[range.clone()]);
            let command = Command::read_tag_prefixed(&mut cursor, self.version);
            let read = usize::try_from(cursor.position()).unwrap_or(0);
            let message = match command {
                Ok((sequence, Command::Reply)) => Message::Answer {
                    sequence,
                    body: Ok(&self.inbox.bytes[range.start + read..range.end]),
                },
                Ok((sequence, Command::Error(error))) => Message::Answer {
                    sequence,
                    body: Err(error),
                },
                Ok((_, Command::RecordStreamKilled(channel))) => Message::Killed { channel },
                Ok((_, Command::SubscribeEvent(event)))
                    if event.event_facility == SubscriptionEventFacility::Server =>
                {
                    Message::ServerChanged
                }
                // A command that the protocol library does not know is none that was asked for.
                Ok(_) | Err(_) => Message::Other,
            };
            return Ok(Some(message));
        }
    }

    /// Reads what is there; `false` when that is nothing.
    fn receive(&mut self) -> Result<bool, SourceError> {
        let filled = self.inbox.filled;
        match self.socket.read(&mut self.inbox.bytes[filled..]) {
            Ok(0) => Err(self.absent("it has ended")),
            Ok(count) => {
                self.inbox.filled += count;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.absent(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(channel: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let descriptor = protocol::Descriptor {
            length: u32::try_from(body.len()).unwrap(),
            channel,
            offset: 0,
            flags: protocol::DescriptorFlags::empty(),
        };
        protocol::write_descriptor(&mut bytes, &descriptor).unwrap();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Gives the bytes to an inbox in pieces; what came out.
    fn through_inbox(bytes: &[u8], pieces: &[usize]) -> Vec<(u32, Vec<u8>)> {
        let (mut inbox, mut out, mut rest) = (Inbox::default(), Vec::new(), bytes);
        let mut pieces = pieces.iter().cycle();
        loop {
            while let Some((channel, range)) = inbox.next().unwrap() {
                out.push((channel, inbox.bytes[range].to_vec()));
            }
            if rest.is_empty() {
                return out;
            }
            let room = inbox.bytes.len() - inbox.filled;
            let piece = pieces
                .next()
                .map_or(1, |piece| (*piece).min(rest.len()).min(room));
            inbox.bytes[inbox.filled..inbox.filled + piece].copy_from_slice(&rest[..piece]);
            inbox.filled += piece;
            rest = &rest[piece..];
        }
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_were_sent_however_the_socket_cuts_them(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9_000), 0..20),
            pieces in prop::collection::vec(1_usize..5_000, 1..30),
        ) {
            let sent: Vec<_> = (0_u32..).zip(bodies).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|(to, body)| message(*to, body)).collect();
            prop_assert_eq!(through_inbox(&bytes, &pieces), sent);
        }
    }

    #[test]
    fn a_message_longer_than_any_is_refused_before_it_is_stored() {
        let mut inbox = Inbox::default();
        inbox.next().unwrap();
        let huge = [0xff; DESCRIPTOR_SIZE];
        inbox.bytes[..DESCRIPTOR_SIZE].copy_from_slice(&huge);
        inbox.filled = DESCRIPTOR_SIZE;
        assert!(inbox.next().is_err());
        assert!(inbox.bytes.len() < 10_000);
    }
}
