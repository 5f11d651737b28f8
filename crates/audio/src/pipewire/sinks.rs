//! Which sink of a PipeWire server is captured, and the sink of our own.
//!
//! Owns making that sink, making it the default one, and putting back what was there. The sink is
//! the connection's: it is gone when the process is, however that ended.

use super::session::{Node, Session};
use crate::layout::{ChannelLayout, SAMPLE_RATE_HZ, Speaker};
use crate::source::{HostAudio, SourceError, SourceRequest};
use crate::stop::StopSignal;
use ::pipewire as pw;
use media::MonoTime;
use pw::properties::properties;
use std::time::Duration;

/// What our sink is called, if nothing else is.
const SINK_NAME: &str = "heliostat";
/// What people read where they choose a sink.
const SINK_DESCRIPTION: &str = "Heliostat";
/// The sink that the session manager makes where there is no other: nobody hears it.
const NO_HARDWARE_SINK: &str = "auto_null";
/// The default sink that somebody chose.
const CHOSEN: &str = "default.configured.audio.sink";
/// What was chosen before us, for a later run where this one cannot put it back.
const RESTORE: &str = "heliostat.restore.audio.sink";
/// A sink that was asked for is there within this.
const MADE_WITHIN: Duration = Duration::from_secs(2);

/// A sink that was made for a stream, and what to do after it.
#[derive(Debug)]
pub(super) struct OwnSink {
    /// Dropping it takes the sink away.
    _node: pw::node::Node,
    name: String,
    /// What was chosen before it, as JSON; nothing where the choice was left to the server.
    before: Option<String>,
}

/// What to capture.
#[derive(Debug)]
pub(super) struct Tap {
    /// Serial number of the node; absent for whichever sink is the default one.
    pub(super) serial: Option<String>,
    /// Whether the node is a sink, whose monitor is meant.
    pub(super) is_sink: bool,
    /// For people.
    pub(super) detail: String,
    /// The sink to take away afterwards.
    pub(super) own: Option<OwnSink>,
}

/// The name within what the session manager calls a default.
fn name_in(json: &str) -> Option<&str> {
    let (_, after_key) = json.split_once("\"name\"")?;
    let (_, after_colon) = after_key.split_once(':')?;
    let (_, from_value) = after_colon.split_once('"')?;
    from_value.split_once('"').map(|(name, _)| name)
}

/// Finds, or makes, what to capture.
pub(super) fn choose(
    session: &mut Session,
    request: &SourceRequest,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    if !session.is_managed() {
        return Err(session.absent("it has no session manager, such as WirePlumber"));
    }
    forget_leftover(session);
    let nodes = session.nodes();
    if let Some(target) = &request.target {
        return named(&nodes, target);
    }
    if let Some(sink) = nodes.iter().find(|node| is_of_this_process(session, node)) {
        return Ok(tap_of(sink));
    }
    let heard = |node: &&Node| {
        node.is_sink && node.name != NO_HARDWARE_SINK && !node.name.starts_with(SINK_NAME)
    };
    if request.host_audio == HostAudio::Audible && nodes.iter().any(|node| heard(&node)) {
        return Ok(Tap {
            serial: None,
            is_sink: true,
            detail: "what the default sink plays".to_owned(),
            own: None,
        });
    }
    own(session, request.format.layout, stop)
}

fn tap_of(node: &Node) -> Tap {
    Tap {
        serial: Some(node.serial.clone()),
        is_sink: node.is_sink,
        detail: format!("what {} plays", node.description),
        own: None,
    }
}

fn named(nodes: &[Node], target: &str) -> Result<Tap, SourceError> {
    let node = nodes.iter().find(|node| node.name == target);
    // It may be plugged in later.
    node.map(tap_of).ok_or_else(|| SourceError::Absent {
        what: format!("pipewire:{target}"),
        why: "the server has no sink or source so named".to_owned(),
    })
}

/// Whether it is a sink that another stream of this process made.
fn is_of_this_process(session: &Session, node: &Node) -> bool {
    node.is_sink
        && node.name.starts_with(SINK_NAME)
        && session.process_of(node) == Some(std::process::id())
}

/// Undoes the choice of a run that ended without doing so.
fn forget_leftover(session: &Session) {
    let chosen = session.default(CHOSEN);
    let name = chosen.as_deref().and_then(name_in).unwrap_or_default();
    let gone = !session.nodes().iter().any(|node| node.name == name);
    if name.starts_with(SINK_NAME) && gone {
        session.set_default(CHOSEN, session.default(RESTORE).as_deref());
        session.set_default(RESTORE, None);
    }
}

/// Makes a sink and has it chosen as the default one.
fn own(
    session: &mut Session,
    layout: ChannelLayout,
    stop: &StopSignal,
) -> Result<Tap, SourceError> {
    session.settle(stop)?;
    let taken = session.nodes().iter().any(|node| node.name == SINK_NAME);
    let name = if taken {
        format!("{SINK_NAME}.{}", std::process::id())
    } else {
        SINK_NAME.to_owned()
    };
    let props = properties! {
        "factory.name" => "support.null-audio-sink",
        "media.class" => "Audio/Sink",
        "node.name" => name.as_str(),
        "node.description" => SINK_DESCRIPTION,
        "node.virtual" => "true",
        "object.linger" => "false",
        "audio.rate" => SAMPLE_RATE_HZ.to_string(),
        "audio.position" => positions(layout),
        // The volume that somebody gives the sink is the stream's.
        "monitor.channel-volumes" => "true",
    };
    let node: pw::node::Node = session
        .core()
        .create_object("adapter", &props)
        .map_err(|error| session.absent(error))?;
    let serial = wait_for(session, &name, stop)?;
    let chosen = session.default(CHOSEN);
    let chosen_name = chosen.as_deref().and_then(name_in).unwrap_or_default();
    let before = if chosen_name.starts_with(SINK_NAME) {
        session.default(RESTORE)
    } else {
        chosen
    };
    session.set_default(RESTORE, before.as_deref());
    session.set_default(CHOSEN, Some(&format!("{{ \"name\": \"{name}\" }}")));
    session.settle(stop)?;
    Ok(Tap {
        serial: Some(serial),
        is_sink: true,
        detail: format!("a silent sink of its own ({SINK_DESCRIPTION})"),
        own: Some(OwnSink {
            _node: node,
            name,
            before,
        }),
    })
}

/// Waits until the server tells of a sink; its serial number.
fn wait_for(session: &Session, name: &str, stop: &StopSignal) -> Result<String, SourceError> {
    let deadline = MonoTime::now() + MADE_WITHIN;
    loop {
        let nodes = session.nodes();
        if let Some(node) = nodes.iter().find(|node| node.name == name) {
            return Ok(node.serial.clone());
        }
        if stop.is_raised() || MonoTime::now() >= deadline {
            return Err(session.absent("it makes no sink"));
        }
        session.turn(deadline, stop)?;
    }
}

impl OwnSink {
    /// Has the former sink chosen again, unless somebody chose another since, and takes ours away.
    pub(super) fn remove(self, session: &mut Session, stop: &StopSignal) {
        let chosen = session.default(CHOSEN);
        if chosen.as_deref().and_then(name_in) == Some(&self.name) {
            session.set_default(CHOSEN, self.before.as_deref());
        }
        session.set_default(RESTORE, None);
        drop(self);
        if let Err(error) = session.settle(stop) {
            tracing::warn!("the audio sink could not be put back: {error}");
        }
    }
}

/// How the channels are called in properties.
fn positions(layout: ChannelLayout) -> String {
    let names: Vec<&str> = layout
        .speakers()
        .iter()
        .map(|speaker| match speaker {
            Speaker::FrontLeft => "FL",
            Speaker::FrontRight => "FR",
            Speaker::Centre => "FC",
            Speaker::Lfe => "LFE",
            Speaker::BackLeft => "RL",
            Speaker::BackRight => "RR",
            Speaker::SideLeft => "SL",
            Speaker::SideRight => "SR",
        })
        .collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_the_session_manager_writes_them() {
        for json in [
            "{\"name\":\"alsa_output.pci-0\"}",
            "{ \"name\": \"alsa_output.pci-0\" }",
            "{\"id\":3, \"name\" :\n\"alsa_output.pci-0\"}",
        ] {
            assert_eq!(name_in(json), Some("alsa_output.pci-0"));
        }
        for json in ["", "{}", "{\"name\"", "{\"name\":\"", "null"] {
            assert_eq!(name_in(json), None);
        }
    }
}
