//! The PipeWire backend against PipeWire, with programs that play through its PulseAudio server.

use crate::listener::{Listener, request};
use crate::servers::{Kind, Servers, until};
use audio::{AudioFormat, ChannelLayout, FrameDuration, HostAudio, SourceError, StopSignal};

const STEREO: AudioFormat = AudioFormat {
    layout: ChannelLayout::Stereo,
    frame: FrameDuration::Ms5,
};

/// A sink that stands for hardware, chosen as the default one.
fn with_speakers() -> Servers {
    let servers = Servers::start(Kind::PipeWire);
    servers.pactl(&["load-module", "module-null-sink", "sink_name=speakers"]);
    servers.pactl(&["set-default-sink", "speakers"]);
    servers.default_sink_becomes("speakers");
    servers
}

#[test]
fn every_layout_is_heard_through_pipewire() {
    let servers = Servers::start(Kind::PipeWire);
    for layout in ChannelLayout::ALL {
        for frame in [FrameDuration::Ms5, FrameDuration::Ms10] {
            let format = AudioFormat { layout, frame };
            let request = request(servers.addresses(), format, HostAudio::Silent);
            let mut listener = Listener::open("pipewire", &request);
            servers.default_sink_becomes("heliostat");
            let _player = servers.play(layout, None);
            listener.hears_every_tone();
        }
    }
    until("our sink to go", || {
        let ours = servers
            .sinks()
            .iter()
            .any(|sink| sink.contains("heliostat"));
        (!ours).then_some(())
    });
}

#[test]
fn a_silent_host_gets_its_chosen_sink_back() {
    let servers = with_speakers();
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let listener = Listener::open("pipewire", &request);
    servers.default_sink_becomes("heliostat");
    let named = servers.pactl(&["list", "sinks"]);
    assert!(named.contains("Description: Heliostat"), "{named}");
    drop(listener);
    servers.default_sink_becomes("speakers");
    let chosen = servers.chosen_sink();
    assert!(chosen.contains("speakers"), "{chosen}");
    until("our sink to go", || {
        (servers.sinks() == ["speakers"]).then_some(())
    });
}

#[test]
fn a_sink_that_somebody_chose_meanwhile_is_left_alone() {
    let servers = with_speakers();
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let listener = Listener::open("pipewire", &request);
    servers.default_sink_becomes("heliostat");
    servers.pactl(&["load-module", "module-null-sink", "sink_name=headphones"]);
    servers.pactl(&["set-default-sink", "headphones"]);
    servers.default_sink_becomes("headphones");
    let mut listener = listener;
    listener.frame();
    drop(listener);
    until("our sink to go", || {
        (servers.sinks() == ["speakers", "headphones"]).then_some(())
    });
    assert_eq!(servers.default_sink(), "headphones");
}

#[test]
fn an_audible_host_is_heard_and_another_default_sink_is_followed() {
    let servers = with_speakers();
    let request = request(servers.addresses(), STEREO, HostAudio::Audible);
    let mut listener = Listener::open("pipewire", &request);
    assert_eq!(servers.sinks(), ["speakers"]);
    let player = servers.play(STEREO.layout, Some("speakers"));
    listener.hears_every_tone();
    drop(player);
    servers.pactl(&["load-module", "module-null-sink", "sink_name=headphones"]);
    servers.pactl(&["set-default-sink", "headphones"]);
    let _player = servers.play(STEREO.layout, Some("headphones"));
    listener.hears_every_tone();
}

#[test]
fn a_host_without_any_sink_gets_one_even_where_it_should_stay_audible() {
    let servers = Servers::start(Kind::PipeWire);
    let request = request(servers.addresses(), STEREO, HostAudio::Audible);
    let mut listener = Listener::open("pipewire", &request);
    servers.default_sink_becomes("heliostat");
    let _player = servers.play(STEREO.layout, None);
    listener.hears_every_tone();
}

#[test]
fn a_named_sink_is_captured_and_one_that_is_not_there_is_told() {
    let servers = with_speakers();
    let request = request(servers.addresses(), STEREO, HostAudio::Silent);
    let mut listener = Listener::open("pipewire:speakers", &request);
    let _player = servers.play(STEREO.layout, Some("speakers"));
    listener.hears_every_tone();
    assert_eq!(servers.default_sink(), "speakers");
    let stop = StopSignal::new().unwrap();
    let opened = audio::open(&"pipewire:nowhere".parse().unwrap(), &request, &stop);
    let Err(error @ SourceError::Absent { .. }) = opened else {
        panic!("a sink that is not there was opened");
    };
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn auto_takes_pipewire_where_it_runs_and_pulseaudio_where_that_is_all() {
    for (kind, name) in [(Kind::PipeWire, "pipewire"), (Kind::PulseAudio, "pulse")] {
        let servers = Servers::start(kind);
        let request = request(servers.addresses(), STEREO, HostAudio::Silent);
        let listener = Listener::open("auto", &request);
        assert_eq!(listener.source.info().name, name);
        let probed = audio::probe(&"auto".parse().unwrap(), &servers.addresses());
        assert!(probed.available && probed.spec == name, "{probed:?}");
    }
}
