//! The PulseAudio backend against PulseAudio itself and against PipeWire's server.

use crate::listener::{Listener, request};
use crate::servers::{Kind, Servers};
use audio::{AudioFormat, ChannelLayout, FrameDuration, HostAudio, SourceError, StopSignal};
use std::process::{Command, Stdio};

const STEREO: AudioFormat = AudioFormat {
    layout: ChannelLayout::Stereo,
    frame: FrameDuration::Ms5,
};

/// Programs play into a sink of ours, in every layout, and each channel arrives where it belongs.
fn every_layout_is_heard(kind: Kind) {
    let servers = Servers::start(kind);
    for layout in ChannelLayout::ALL {
        for frame in [FrameDuration::Ms5, FrameDuration::Ms10] {
            let format = AudioFormat { layout, frame };
            let request = request(servers.addresses(), format, HostAudio::Silent);
            let mut listener = Listener::open("pulse", &request);
            let _player = servers.play(layout, None);
            listener.hears_every_tone();
        }
    }
    assert!(
        !servers
            .sinks()
            .iter()
            .any(|sink| sink.contains("heliostat"))
    );
}

#[test]
fn every_layout_is_heard_through_pulseaudio() {
    every_layout_is_heard(Kind::PulseAudio);
}

#[test]
fn every_layout_is_heard_through_the_pulse_server_of_pipewire() {
    every_layout_is_heard(Kind::PipeWire);
}

#[test]
fn a_silent_host_gets_its_default_sink_back() {
    let servers = Servers::start(Kind::PulseAudio);
    assert_eq!(servers.default_sink(), "speakers");
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let listener = Listener::open("pulse", &request);
    assert_eq!(servers.default_sink(), "heliostat");
    let named = servers.pactl(&["list", "sinks"]);
    assert!(named.contains("Description: Heliostat"), "{named}");
    drop(listener);
    assert_eq!(servers.default_sink(), "speakers");
    assert_eq!(servers.sinks(), ["speakers"]);
}

#[test]
fn a_default_sink_that_somebody_chose_meanwhile_is_left_alone() {
    let servers = Servers::start(Kind::PulseAudio);
    servers.pactl(&["load-module", "module-null-sink", "sink_name=headphones"]);
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let listener = Listener::open("pulse", &request);
    servers.pactl(&["set-default-sink", "headphones"]);
    drop(listener);
    assert_eq!(servers.default_sink(), "headphones");
}

#[test]
fn an_audible_host_keeps_its_sink_and_what_it_plays_is_heard() {
    let servers = Servers::start(Kind::PulseAudio);
    let request = request(servers.addresses(), STEREO, HostAudio::Audible);
    let mut listener = Listener::open("pulse", &request);
    assert_eq!(servers.sinks(), ["speakers"]);
    let _player = servers.play(STEREO.layout, Some("speakers"));
    listener.hears_every_tone();
}

#[test]
fn another_default_sink_is_followed() {
    for kind in [Kind::PulseAudio, Kind::PipeWire] {
        let servers = Servers::start(kind);
        if kind == Kind::PipeWire {
            servers.pactl(&["load-module", "module-null-sink", "sink_name=speakers"]);
            servers.pactl(&["set-default-sink", "speakers"]);
        }
        servers.default_sink_becomes("speakers");
        if kind == Kind::PulseAudio {
            // Without a microphone the server itself would follow with what records a monitor.
            servers.pactl(&[
                "load-module",
                "module-null-source",
                "source_name=microphone",
            ]);
            servers.pactl(&["set-default-source", "microphone"]);
        }
        let request = request(servers.addresses(), STEREO, HostAudio::Audible);
        let mut listener = Listener::open("pulse", &request);
        listener.frame();
        servers.pactl(&["load-module", "module-null-sink", "sink_name=headphones"]);
        servers.pactl(&["set-default-sink", "headphones"]);
        let _player = servers.play(STEREO.layout, Some("headphones"));
        listener.hears_every_tone();
    }
}

#[test]
fn a_host_without_any_sink_gets_one_even_where_it_should_stay_audible() {
    for kind in [Kind::PulseAudioWithoutSink, Kind::PipeWire] {
        let servers = Servers::start(kind);
        let request = request(servers.addresses(), STEREO, HostAudio::Audible);
        let mut listener = Listener::open("pulse", &request);
        servers.default_sink_becomes("heliostat");
        let _player = servers.play(STEREO.layout, None);
        listener.hears_every_tone();
    }
}

#[test]
fn a_named_sink_is_captured_and_one_that_is_not_there_is_told() {
    let servers = Servers::start(Kind::PulseAudio);
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let mut listener = Listener::open("pulse:speakers", &request);
    assert_eq!(servers.default_sink(), "speakers");
    let _player = servers.play(STEREO.layout, Some("speakers"));
    listener.hears_every_tone();
    let stop = StopSignal::new().unwrap();
    let opened = audio::open(&"pulse:nowhere".parse().unwrap(), &request, &stop);
    let Err(error @ SourceError::Absent { .. }) = opened else {
        panic!("a sink that is not there was opened");
    };
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn two_streams_of_a_silent_host_share_its_sink() {
    let servers = Servers::start(Kind::PulseAudio);
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let mut first = Listener::open("pulse", &request);
    let mut second = Listener::open("pulse", &request);
    assert_eq!(servers.sinks(), ["speakers", "heliostat"]);
    let _player = servers.play(STEREO.layout, None);
    first.hears_every_tone();
    second.hears_every_tone();
}

#[test]
fn what_a_crash_left_behind_is_put_back_by_the_next_run() {
    let servers = Servers::start(Kind::PulseAudio);
    let mut ended = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
    let pid = ended.id();
    ended.wait().unwrap();
    servers.pactl(&[
        "load-module",
        "module-null-sink",
        "sink_name=heliostat",
        &format!("sink_properties='heliostat.pid=\"{pid}\" heliostat.restore=\"speakers\"'"),
    ]);
    servers.pactl(&["set-default-sink", "heliostat"]);
    assert_eq!(servers.default_sink(), "heliostat");
    let request = request(servers.addresses(), STEREO, HostAudio::Audible);
    let _listener = Listener::open("pulse", &request);
    assert_eq!(servers.default_sink(), "speakers");
    assert_eq!(servers.sinks(), ["speakers"]);
}
