//! Which sink of a PulseAudio server is captured, and the sink of our own.
//!
//! Owns making that sink, making it the default one, and putting back what was there, also what an
//! earlier run that ended badly left behind.

use super::connection::Connection;
use crate::layout::{ChannelLayout, SAMPLE_RATE_HZ, Speaker};
use crate::source::{HostAudio, SourceError, SourceRequest};
use crate::stop::StopSignal;
use pulseaudio::protocol::{
    ChannelMap, ChannelPosition, Command, LoadModuleParams, LookupReply, ServerInfo, SinkInfo,
    SinkInfoList,
};
use std::ffi::{CStr, CString};

/// What our sink is called; the server appends a number where the name is taken.
const SINK_NAME: &str = "heliostat";
/// What people read where they choose a sink.
const SINK_DESCRIPTION: &str = "Heliostat";
/// The sink that servers make themselves where there is no other: nobody hears it.
const NO_HARDWARE_SINK: &[u8] = b"auto_null";
/// Properties of our sink: the process it belongs to, and the default sink before it.
const OWNER: &CStr = c"heliostat.pid";
const RESTORE: &CStr = c"heliostat.restore";

/// A sink that was made for a stream, and what to do after it.
#[derive(Debug)]
pub(super) struct OwnSink {
    module: u32,
    name: CString,
    /// The default sink before it became the default one; absent when it did not.
    restore: Option<CString>,
}

/// What to record.
#[derive(Debug)]
pub(super) struct Tap {
    /// The source to record from.
    pub(super) source: CString,
    /// The sink it belongs to; absent for a source that is no sink's monitor.
    pub(super) sink: Option<CString>,
    /// For people.
    pub(super) detail: String,
    /// The sink to take away afterwards.
    pub(super) own: Option<OwnSink>,
    /// Whether another sink is recorded when another becomes the default one.
    pub(super) follows_default: bool,
}

/// What the server has.
struct Inventory {
    default_sink: Option<CString>,
    sinks: SinkInfoList,
}

impl Inventory {
    fn take(connection: &mut Connection, stop: &StopSignal) -> Result<Self, SourceError> {
        let info: ServerInfo = connection.ask(&Command::GetServerInfo, stop)?;
        Ok(Self {
            default_sink: info.default_sink_name,
            sinks: connection.ask(&Command::GetSinkInfoList, stop)?,
        })
    }

    fn sink(&self, name: &CStr) -> Option<&SinkInfo> {
        self.sinks.iter().find(|sink| sink.name.as_c_str() == name)
    }

    fn default_sink(&self) -> Option<&SinkInfo> {
        self.sink(self.default_sink.as_deref()?)
    }

    /// Whether somebody may hear what is played.
    fn has_audible_sink(&self) -> bool {
        let silent =
            |sink: &SinkInfo| owner(sink).is_some() || sink.name.to_bytes() == NO_HARDWARE_SINK;
        self.sinks.iter().any(|sink| !silent(sink))
    }
}

/// The process that made this sink, for one of ours.
fn owner(sink: &SinkInfo) -> Option<u32> {
    text_of(sink, OWNER)?.to_str().ok()?.parse().ok()
}

fn text_of(sink: &SinkInfo, key: &CStr) -> Option<CString> {
    let bytes = sink.props.get_bytes(key)?;
    let text = bytes.split(|byte| *byte == 0).next()?;
    CString::new(text).ok()
}

/// Finds, or makes, what to record.
pub(super) fn choose(
    connection: &mut Connection,
    request: &SourceRequest,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    remove_leftovers(connection, stop)?;
    let inventory = Inventory::take(connection, stop)?;
    if let Some(target) = &request.target {
        return named(connection, target, &inventory, stop);
    }
    let audible = request.host_audio == HostAudio::Audible && inventory.has_audible_sink();
    match inventory.default_sink() {
        Some(sink) if audible => monitor_of(connection, sink, true),
        _ => own(connection, request.format.layout, &inventory, stop),
    }
}

/// The monitor of the sink that is the default one now.
pub(super) fn default_monitor(
    connection: &mut Connection,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    let inventory = Inventory::take(connection, stop)?;
    match inventory.default_sink() {
        Some(sink) => monitor_of(connection, sink, true),
        None => Err(connection.absent("it has no default sink")),
    }
}

fn monitor_of(
    connection: &Connection,
    sink: &SinkInfo,
    follows_default: bool,
) -> Result<Tap, SourceError> {
    let source = sink.monitor_source_name.clone();
    let source = source.ok_or_else(|| connection.absent("its sink has no monitor"))?;
    let detail = if follows_default {
        "what the default sink plays".to_owned()
    } else {
        let description = sink.description.as_deref().unwrap_or(&sink.name);
        format!("what {} plays", description.to_string_lossy())
    };
    Ok(Tap {
        source,
        sink: Some(sink.name.clone()),
        detail,
        own: None,
        follows_default,
    })
}

/// The source, or the monitor of the sink, of this name.
fn named(
    connection: &mut Connection,
    target: &str,
    inventory: &Inventory,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    // It may be plugged in later.
    let absent = |why: &str| SourceError::Absent {
        what: format!("pulse:{target}"),
        why: why.to_owned(),
    };
    let name = CString::new(target).map_err(|_| absent("that is no name"))?;
    if let Some(sink) = inventory.sink(&name) {
        return monitor_of(connection, sink, false);
    }
    let found = connection.ask::<LookupReply>(&Command::LookupSource(name.clone()), stop);
    found.map_err(|error| match error {
        SourceError::Unsupported { .. } => absent("the server has no sink or source so named"),
        other => other,
    })?;
    Ok(Tap {
        source: name,
        sink: None,
        detail: format!("source {target}"),
        own: None,
        follows_default: false,
    })
}

/// Our sink: the one that this process has already, or a new one.
fn own(
    connection: &mut Connection,
    layout: ChannelLayout,
    inventory: &Inventory,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    let of_this_process = |sink: &&SinkInfo| owner(sink) == Some(std::process::id());
    if let Some(sink) = inventory.sinks.iter().find(of_this_process) {
        return monitor_of(connection, sink, false);
    }
    // Where another sink of ours is the default one, that one knows what was before.
    let before = inventory.default_sink().and_then(|sink| match owner(sink) {
        Some(_) => text_of(sink, RESTORE),
        None => Some(sink.name.clone()),
    });
    let command = Command::LoadModule(LoadModuleParams {
        name: c"module-null-sink".to_owned(),
        arguments: Some(module_arguments(layout, before.as_deref())),
    });
    let LookupReply(module) = connection.ask(&command, stop)?;
    let mut own = OwnSink {
        module,
        name: CString::default(),
        restore: None,
    };
    match adopt(connection, &mut own, before, stop) {
        Ok(tap) => Ok(Tap {
            own: Some(own),
            ..tap
        }),
        Err(error) => {
            own.remove(connection, stop);
            Err(error)
        }
    }
}

/// Makes the sink that was just loaded the default one.
fn adopt(
    connection: &mut Connection,
    own: &mut OwnSink,
    before: Option<CString>,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    let inventory = Inventory::take(connection, stop)?;
    let of_module = |sink: &&SinkInfo| sink.owner_module_index == Some(own.module);
    let sink = inventory.sinks.iter().find(of_module);
    let sink = sink.ok_or_else(|| connection.absent("it made no sink"))?;
    own.name.clone_from(&sink.name);
    connection.tell(&Command::SetDefaultSink(sink.name.clone()), stop)?;
    own.restore = before;
    let mut tap = monitor_of(connection, sink, false)?;
    tap.detail = format!("a silent sink of its own ({SINK_DESCRIPTION})");
    Ok(tap)
}

impl OwnSink {
    /// Makes the former sink the default one, unless somebody chose another since, and takes ours
    /// away. Programs that play into it move to the default one.
    pub(super) fn remove(&self, connection: &mut Connection, stop: &StopSignal) {
        let done = remove(
            connection,
            self.module,
            &self.name,
            self.restore.as_ref(),
            stop,
        );
        if let Err(error) = done {
            tracing::warn!("the audio sink could not be put back: {error}");
        }
    }
}

fn remove(
    connection: &mut Connection,
    module: u32,
    name: &CStr,
    restore: Option<&CString>,
    stop: &StopSignal,
) -> Result<(), SourceError> {
    let inventory = Inventory::take(connection, stop)?;
    let still_ours = inventory.default_sink.as_deref() == Some(name);
    let there = restore.filter(|before| inventory.sink(before).is_some());
    if let Some(before) = there.filter(|_| still_ours) {
        connection.tell(&Command::SetDefaultSink(before.clone()), stop)?;
    }
    connection.tell(&Command::UnloadModule(module), stop)
}

/// Takes away sinks of ours whose process has ended without doing so.
fn remove_leftovers(connection: &mut Connection, stop: &StopSignal) -> Result<(), SourceError> {
    let inventory = Inventory::take(connection, stop)?;
    for sink in &inventory.sinks {
        let (Some(owner), Some(module)) = (owner(sink), sink.owner_module_index) else {
            continue;
        };
        if is_running(owner) {
            continue;
        }
        tracing::info!("removing an audio sink that an earlier run left behind");
        let before = text_of(sink, RESTORE);
        remove(connection, module, &sink.name, before.as_ref(), stop)?;
    }
    Ok(())
}

/// Whether a process of this number exists; one that may not be asked does.
fn is_running(process: u32) -> bool {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// How the channels are called in arguments of modules.
fn channel_names(layout: ChannelLayout) -> String {
    let names: Vec<&str> = layout
        .speakers()
        .iter()
        .map(|speaker| match speaker {
            Speaker::FrontLeft => "front-left",
            Speaker::FrontRight => "front-right",
            Speaker::Centre => "front-center",
            Speaker::Lfe => "lfe",
            Speaker::BackLeft => "rear-left",
            Speaker::BackRight => "rear-right",
            Speaker::SideLeft => "side-left",
            Speaker::SideRight => "side-right",
        })
        .collect();
    names.join(",")
}

/// How the channels are numbered in streams.
pub(super) fn channel_map(layout: ChannelLayout) -> ChannelMap {
    ChannelMap::new(layout.speakers().iter().map(|speaker| match speaker {
        Speaker::FrontLeft => ChannelPosition::FrontLeft,
        Speaker::FrontRight => ChannelPosition::FrontRight,
        Speaker::Centre => ChannelPosition::FrontCenter,
        Speaker::Lfe => ChannelPosition::Lfe,
        Speaker::BackLeft => ChannelPosition::RearLeft,
        Speaker::BackRight => ChannelPosition::RearRight,
        Speaker::SideLeft => ChannelPosition::SideLeft,
        Speaker::SideRight => ChannelPosition::SideRight,
    }))
}

/// Arguments for a sink with these channels. What it shall remember is left out where it could not
/// be told from the syntax around it.
fn module_arguments(layout: ChannelLayout, before: Option<&CStr>) -> CString {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+:@/".contains(byte);
    let before = before
        .filter(|name| name.to_bytes().iter().all(plain))
        .and_then(|name| name.to_str().ok())
        .unwrap_or_default();
    let arguments = format!(
        "sink_name={SINK_NAME} format=float32le rate={SAMPLE_RATE_HZ} channels={} channel_map={} \
         sink_properties='device.description=\"{SINK_DESCRIPTION}\" heliostat.pid=\"{}\" \
         heliostat.restore=\"{before}\"'",
        layout.channels(),
        channel_names(layout),
        std::process::id(),
    );
    CString::new(arguments).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sinks_odd_name_cannot_break_out_of_the_arguments() {
        for odd in [c"a\" b", c"a'b", c"a b", c"a\\"] {
            let arguments = module_arguments(ChannelLayout::Stereo, Some(odd));
            let text = arguments.to_str().unwrap();
            assert!(text.ends_with("heliostat.restore=\"\"'"), "{text}");
        }
        let arguments = module_arguments(ChannelLayout::Stereo, Some(c"alsa_output.pci-0:1"));
        let text = arguments.to_str().unwrap();
        assert!(
            text.ends_with("heliostat.restore=\"alsa_output.pci-0:1\"'"),
            "{text}"
        );
    }

    #[test]
    fn processes_are_told_from_those_that_ended() {
        assert!(is_running(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!is_running(pid));
        assert!(!is_running(0));
    }
}
