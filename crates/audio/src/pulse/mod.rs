//! Capture through the protocol of PulseAudio, which PipeWire's server speaks too.
//!
//! Owns the record stream; refuses to decide what is recorded, which `sinks` does.

mod connection;
mod sinks;

use crate::assembler::Assembler;
use crate::frame::AudioFrame;
use crate::layout::{AudioFormat, SAMPLE_RATE_HZ};
use crate::source::{AudioServers, Heard, Source, SourceError, SourceInfo, SourceRequest};
use crate::stop::StopSignal;
use connection::{Connection, Message};
use media::MonoTime;
use pulseaudio::protocol::{
    Command, CreateRecordStreamReply, Prop, Props, RecordStreamParams, SampleFormat, SampleSpec,
    ServerInfo, SinkInfoList, SubscriptionMask,
    stream::{BufferAttr, StreamFlags},
};
use sinks::Tap;

/// Name in the table of backends.
pub(crate) const NAME: &str = "pulse";

/// What a server is, for `doctor` and for the choice of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its own name and version.
    pub(crate) name: String,
    /// Whether it is PipeWire's, which a backend of its own serves with less delay.
    pub(crate) is_pipewire: bool,
    /// Name and description of each sink.
    pub(crate) sinks: Vec<(String, String)>,
}

/// Asks the server who it is and what it has.
pub(crate) fn probe(servers: &AudioServers, stop: &StopSignal) -> Result<Server, SourceError> {
    let mut connection = Connection::open(servers.pulse.as_deref(), stop)?;
    let info: ServerInfo = connection.ask(&Command::GetServerInfo, stop)?;
    let sinks: SinkInfoList = connection.ask(&Command::GetSinkInfoList, stop)?;
    let text = |text: Option<&std::ffi::CStr>| {
        text.map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let server_name = text(info.server_name.as_deref());
    Ok(Server {
        is_pipewire: server_name.contains("PipeWire"),
        name: format!("{server_name} {}", text(info.server_version.as_deref())),
        sinks: sinks
            .iter()
            .map(|sink| (text(Some(&sink.name)), text(sink.description.as_deref())))
            .collect(),
    })
}

/// Sound of a PulseAudio server.
#[derive(Debug)]
pub struct Pulse {
    connection: Connection,
    format: AudioFormat,
    tap: Tap,
    /// Number of the record stream.
    channel: u32,
    assembler: Assembler,
    /// The question whether another sink is the default one by now.
    asked: Option<u32>,
}

impl Pulse {
    /// Connects and starts to record.
    ///
    /// # Errors
    /// [`SourceError::Absent`] without a server, or for a target that it does not have;
    /// [`SourceError::Unsupported`] where it makes no sink.
    pub fn open(request: &SourceRequest, stop: &StopSignal) -> Result<Self, SourceError> {
        let mut connection = Connection::open(request.servers.pulse.as_deref(), stop)?;
        let tap = sinks::choose(&mut connection, request, stop)?;
        let started = start(&mut connection, request.format, &tap, stop);
        let channel = match (started, &tap.own) {
            (Ok(channel), _) => channel,
            (Err(error), own) => {
                if let Some(own) = own {
                    own.remove(&mut connection, stop);
                }
                return Err(error);
            }
        };
        Ok(Self {
            connection,
            format: request.format,
            tap,
            channel,
            assembler: Assembler::new(request.format),
            asked: None,
        })
    }

    /// Takes in all that came. After a piece of sound it looks no further if a frame is complete.
    fn take_in(&mut self, frame: &mut AudioFrame) -> Result<Step, SourceError> {
        let version = self.connection.version();
        loop {
            match self.connection.next()? {
                None => return Ok(Step::Wait),
                Some(Message::Sound { channel, bytes }) if channel == self.channel => {
                    self.assembler.push_le_bytes(bytes, MonoTime::now());
                    if self.assembler.take(frame) {
                        return Ok(Step::Filled);
                    }
                }
                Some(Message::Killed { channel }) if channel == self.channel => {
                    return Err(self.connection.absent("what was captured went away"));
                }
                Some(Message::ServerChanged) => {
                    self.asked = Some(self.connection.send(&Command::GetServerInfo)?);
                }
                Some(Message::Answer {
                    sequence,
                    body: Ok(body),
                }) if Some(sequence) == self.asked => {
                    let info: ServerInfo = Connection::read_answer(version, body)?;
                    self.asked = None;
                    if info.default_sink_name != self.tap.sink {
                        return Ok(Step::Follow);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Records the sink that is the default one now.
    fn follow(&mut self, stop: &StopSignal) -> Result<(), SourceError> {
        let tap = sinks::default_monitor(&mut self.connection, stop)?;
        if tap.sink == self.tap.sink {
            return Ok(());
        }
        let old = Command::DeleteRecordStream(self.channel);
        self.connection.tell(&old, stop)?;
        self.assembler.clear();
        self.channel = record(&mut self.connection, self.format, &tap, stop)?;
        self.tap = tap;
        Ok(())
    }
}

/// What to do after everything that came was looked at.
enum Step {
    Filled,
    Wait,
    Follow,
}

/// Starts recording, and listening for another default sink where that matters.
fn start(
    connection: &mut Connection,
    format: AudioFormat,
    tap: &Tap,
    stop: &StopSignal,
) -> Result<u32, SourceError> {
    if tap.follows_default {
        connection.tell(&Command::Subscribe(SubscriptionMask::SERVER), stop)?;
    }
    record(connection, format, tap, stop)
}

/// Makes a record stream; its number.
fn record(
    connection: &mut Connection,
    format: AudioFormat,
    tap: &Tap,
    stop: &StopSignal,
) -> Result<u32, SourceError> {
    let channels = format.layout.channels();
    let mut props = Props::new();
    props.set(Prop::MediaName, c"Stream of this desktop");
    let params = RecordStreamParams {
        sample_spec: SampleSpec {
            format: SampleFormat::Float32Le,
            channels: u8::try_from(channels).unwrap_or(2),
            sample_rate: SAMPLE_RATE_HZ,
        },
        channel_map: sinks::channel_map(format.layout),
        source_name: Some(tap.source.clone()),
        buffer_attr: BufferAttr {
            // One frame: the server sends it as soon as it has it, and lowers the latency of the
            // sink that far.
            fragment_size: u32::try_from(format.values() * 4).unwrap_or(u32::MAX),
            ..BufferAttr::default()
        },
        flags: StreamFlags {
            adjust_latency: true,
            // When what was meant goes, so does the stream, rather than to hear something else.
            no_move: !tap.follows_default,
            ..StreamFlags::default()
        },
        props,
        ..RecordStreamParams::default()
    };
    let reply: CreateRecordStreamReply =
        connection.ask(&Command::CreateRecordStream(params), stop)?;
    Ok(reply.channel)
}

impl Source for Pulse {
    fn info(&self) -> SourceInfo {
        SourceInfo {
            name: NAME,
            detail: format!("{}, {}", self.tap.detail, self.connection.name()),
        }
    }

    fn next_frame(
        &mut self,
        frame: &mut AudioFrame,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Heard, SourceError> {
        loop {
            if stop.is_raised() {
                return Ok(Heard::Stopped);
            }
            if self.assembler.take(frame) {
                return Ok(Heard::Frame);
            }
            match self.take_in(frame)? {
                Step::Filled => return Ok(Heard::Frame),
                Step::Follow => self.follow(stop)?,
                Step::Wait if MonoTime::now() >= deadline => return Ok(Heard::Late),
                Step::Wait => self.connection.wait(deadline, stop)?,
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let Some(own) = self.tap.own.take() else {
            return;
        };
        // The signal that ended the capture must not keep the host's sink from being put back;
        // without another each answer is still waited for only so long.
        if let Ok(undisturbed) = StopSignal::new() {
            own.remove(&mut self.connection, &undisturbed);
        }
    }
}
