//! A whole stream: launched, negotiated, received by threads, reported once a second, and ended. The
//! threads live no longer than the call.

mod drop;
mod link;
mod receive;
mod stop;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use media::MonoTime;
use serde::Serialize;

use crate::client::{Client, Launched};
use crate::control::{ENDED, HostEvent, Message};
use crate::crypto::AudioKey;
use crate::decode::Decoders;
use crate::input::{self, Action};
use crate::negotiate::{Agreement, negotiate};
use crate::options::{HostAddress, StreamOptions};
use crate::report::{Collector, Report};
use crate::{Error, http};
pub(crate) use link::{CHANNELS, socket_towards};
use link::{Invitation, Link, LinkEvent, Outbox};
use receive::{AudioPath, Socket, VideoEnds, VideoPath, decode_video, lock};
use stop::{Running, Stop};

/// How long the first packet, and then the first whole picture, may take (VideoStream.c).
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// What both sides agreed on, for whoever reads reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// The codec.
    pub codec: &'static str,
    /// Whether losses are repaired without keyframes.
    pub invalidates_references: bool,
    /// Whether video is encrypted.
    pub encrypted_video: bool,
    /// Whether audio is encrypted.
    pub encrypted_audio: bool,
    /// Bytes of a packet without its RTP header.
    pub packet_size: u32,
    /// Channels of sound.
    pub audio_channels: u8,
    /// Milliseconds of sound a packet.
    pub audio_packet_ms: u32,
    /// What the host takes of touch and pen (1) and pad touch (2).
    pub features: u32,
    /// Whether the application ran already.
    pub resumed: bool,
}

/// A stream from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What was agreed on.
    pub setup: Setup,
    /// All of it.
    pub total: Report,
    /// Whether the host ended it, in the ordinary way.
    pub ended_by_host: bool,
}

/// A hand in a running stream: it does things, and knows how the stream goes. What is done after its
/// end has no effect.
#[derive(Clone, Debug)]
pub struct Hand {
    outbox: Outbox,
    collector: Arc<Mutex<Collector>>,
}

impl Hand {
    /// Does it at once; waiting is the caller's.
    pub fn act(&self, action: &Action) {
        act(action, &self.outbox, &self.collector);
    }

    /// Everything from the beginning of the stream to now.
    #[must_use]
    pub fn so_far(&self) -> Report {
        let total = lock(&self.collector).total(MonoTime::now());
        total.complete()
    }
}

fn act(action: &Action, outbox: &Outbox, collector: &Mutex<Collector>) {
    match action {
        Action::Wait(_) => {}
        Action::Send(messages) => {
            for message in messages {
                outbox.send(message.clone());
            }
        }
        Action::Keyframe => {
            lock(collector).keyframe_requested();
            outbox.send(Message::keyframe());
        }
    }
}

/// Where a stream comes from.
#[derive(Clone, Copy, Debug)]
struct Session<'a> {
    host: &'a HostAddress,
    address: SocketAddr,
    launched: &'a Launched,
    options: &'a StreamOptions,
    codec_modes: u32,
}

impl Client {
    /// Streams as the options say, and hands each second's report to `on_report`, which may break off.
    ///
    /// # Errors
    /// Everything that keeps a stream from coming up or ends it early.
    pub fn stream(
        &self,
        options: &StreamOptions,
        decoders: &dyn Decoders,
        on_report: &mut dyn FnMut(&Report) -> ControlFlow<()>,
    ) -> Result<Summary, Error> {
        self.stream_by_hand(options, decoders, &mut |_| {}, on_report)
    }

    /// The same, and gives `begun` a hand in the stream once its control connection is up.
    ///
    /// # Errors
    /// As [`Client::stream`].
    pub fn stream_by_hand(
        &self,
        options: &StreamOptions,
        decoders: &dyn Decoders,
        begun: &mut dyn FnMut(Hand),
        on_report: &mut dyn FnMut(&Report) -> ControlFlow<()>,
    ) -> Result<Summary, Error> {
        let system = |cause| Error::System("the host's address", cause);
        let address = http::connect(self.host(), self.host().port())?;
        let address = address.peer_addr().map_err(system)?;
        let (info, launched) = self.launch(options)?;
        let session = Session {
            host: self.host(),
            address,
            launched: &launched,
            options,
            codec_modes: info.codec_modes,
        };
        let watched = watch(session, decoders, begun, on_report);
        if options.quit_after {
            // The stream's own failure says more than that of the farewell.
            let quit = self.quit();
            return watched.and_then(|summary| quit.map(|()| summary));
        }
        watched
    }
}

/// Negotiates and watches.
fn watch(
    session: Session<'_>,
    decoders: &dyn Decoders,
    begun: &mut dyn FnMut(Hand),
    on_report: &mut dyn FnMut(&Report) -> ControlFlow<()>,
) -> Result<Summary, Error> {
    let Session {
        launched, options, ..
    } = session;
    let agreement = negotiate(session.host, launched, options, session.codec_modes)?;
    let mut control = session.address;
    control.set_port(agreement.control_port);
    let (link, outbox) = Link::connect(Invitation {
        address: control,
        connect_data: agreement.connect_data,
        key: &launched.key,
    })?;
    let collector = Arc::new(Mutex::new(Collector::new(MonoTime::now())));
    let ended = thread::scope(|scope| -> Result<bool, Error> {
        let mut crew = Crew {
            scope,
            session,
            agreement: &agreement,
            collector: &collector,
            outbox,
            running: Vec::new(),
        };
        crew.video(decoders)?;
        crew.audio(decoders)?;
        crew.outbox.send(input::haptics());
        crew.script();
        let events = crew.control(link);
        begun(Hand {
            outbox: crew.outbox.clone(),
            collector: Arc::clone(&collector),
        });
        let watcher = Watcher {
            options,
            agreement: &agreement,
            collector: &collector,
            outbox: &crew.outbox,
            began: Instant::now(),
        };
        watcher.run(&events, on_report)
    });
    let ended_by_host = ended?;
    let total = lock(&collector).total(MonoTime::now()).complete();
    Ok(Summary {
        setup: setup(&agreement, launched),
        total,
        ended_by_host,
    })
}

fn setup(agreement: &Agreement, launched: &Launched) -> Setup {
    Setup {
        codec: agreement.codec.name(),
        invalidates_references: agreement.invalidates_references,
        encrypted_video: agreement.encrypted_video,
        encrypted_audio: agreement.encrypted_audio,
        packet_size: agreement.packet_size,
        audio_channels: agreement.opus.channels,
        audio_packet_ms: agreement.audio_packet_ms,
        features: agreement.features,
        resumed: launched.resumed,
    }
}

/// Everybody who works on a stream; dropping it sends them home.
struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    session: Session<'env>,
    agreement: &'env Agreement,
    collector: &'env Mutex<Collector>,
    outbox: Outbox,
    running: Vec<Running>,
}

impl Crew<'_, '_> {
    fn stop(&mut self) -> Stop {
        let (running, stop) = stop::pair();
        self.running.push(running);
        stop
    }

    fn video(&mut self, decoders: &dyn Decoders) -> Result<(), Error> {
        let (failed, failures) = mpsc::sync_channel(1);
        let collector = self.collector;
        let units = decoders.video(self.agreement.codec).map(|decoder| {
            let (sender, units) = mpsc::sync_channel(self.session.options.max_undecoded);
            self.scope
                .spawn(move || decode_video(decoder, &units, &failed, collector));
            sender
        });
        let ends = VideoEnds {
            collector,
            outbox: self.outbox.clone(),
            units,
            failures,
        };
        let (key, plan) = (&self.session.launched.key, &self.session.options.drop);
        let path = VideoPath::new(self.agreement, key, plan, ends)?;
        let socket = Socket::open(self.session.address, self.agreement.video)?;
        let stop = self.stop();
        self.scope.spawn(move || path.run(socket, &stop));
        Ok(())
    }

    fn audio(&mut self, decoders: &dyn Decoders) -> Result<(), Error> {
        let launched = self.session.launched;
        let key = self.agreement.encrypted_audio;
        let key = key.then(|| AudioKey::new(&launched.key, launched.key_id));
        let decoder = decoders.audio(&self.agreement.opus, self.agreement.audio_packet_ms);
        let plan = &self.session.options.drop;
        let path = AudioPath::new(
            self.agreement,
            key.transpose()?,
            plan,
            decoder,
            self.collector,
        );
        let socket = Socket::open(self.session.address, self.agreement.audio)?;
        let stop = self.stop();
        self.scope.spawn(move || path.run(socket, &stop));
        Ok(())
    }

    fn control(&mut self, link: Link) -> Receiver<LinkEvent> {
        let (sender, events) = mpsc::channel();
        let stop = self.stop();
        self.scope.spawn(move || {
            if link.serve(&stop, &sender).is_err() {
                let _ = sender.send(LinkEvent::Lost);
            }
        });
        events
    }

    fn script(&mut self) {
        let options = self.session.options;
        let Some(script) = &options.script else {
            return;
        };
        let (stop, outbox, collector) = (self.stop(), self.outbox.clone(), self.collector);
        self.scope.spawn(move || {
            for action in script.actions() {
                match action {
                    Action::Wait(time) if stop.within(*time) => return,
                    action => act(action, &outbox, collector),
                }
            }
        });
    }
}

/// Looks at a stream until it ends.
struct Watcher<'a> {
    options: &'a StreamOptions,
    agreement: &'a Agreement,
    collector: &'a Mutex<Collector>,
    outbox: &'a Outbox,
    began: Instant,
}

impl Watcher<'_> {
    /// Whether the host ended it.
    fn run(
        &self,
        events: &Receiver<LinkEvent>,
        on_report: &mut dyn FnMut(&Report) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let end = self.began + self.options.duration;
        let mut report_at = self.began + Duration::from_secs(1);
        let mut keyframe_at = self.options.keyframe_every.map(|every| self.began + every);
        loop {
            let now = Instant::now();
            if now >= report_at {
                report_at += Duration::from_secs(1);
                let second = lock(self.collector).take_second(MonoTime::now());
                let report = second.complete();
                if on_report(&report).is_break() {
                    return Ok(false);
                }
            }
            if now >= end {
                return Ok(false);
            }
            if let (Some(at), Some(every)) = (keyframe_at, self.options.keyframe_every)
                && now >= at
            {
                keyframe_at = Some(at + every);
                lock(self.collector).keyframe_requested();
                self.outbox.send(Message::keyframe());
            }
            self.insist(now)?;
            let next = report_at.min(end).min(keyframe_at.unwrap_or(end));
            match events.recv_timeout(next.saturating_duration_since(now)) {
                Ok(event) => {
                    if self.note(event)? {
                        return Ok(true);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::ControlLost),
            }
        }
    }

    /// Video has to come within the time clients give it.
    fn insist(&self, now: Instant) -> Result<(), Error> {
        let waited = now.saturating_duration_since(self.began);
        if waited < FIRST_WITHIN {
            return Ok(());
        }
        let collector = lock(self.collector);
        if !collector.has_video() {
            return Err(Error::NoVideo(FIRST_WITHIN, self.agreement.video.number));
        }
        if !collector.has_picture() && waited >= 2 * FIRST_WITHIN {
            return Err(Error::NoPicture(FIRST_WITHIN));
        }
        Ok(())
    }

    /// Whether the host has ended the stream.
    fn note(&self, event: LinkEvent) -> Result<bool, Error> {
        match event {
            LinkEvent::RoundTrip(rtt_ms) => lock(self.collector).round_trip(rtt_ms),
            LinkEvent::Unreadable(error) => lock(self.collector).unreadable(error),
            LinkEvent::Lost => return Err(Error::ControlLost),
            LinkEvent::Said(event) => {
                lock(self.collector).host_event(&event);
                match event {
                    HostEvent::Termination { code: ENDED } => return Ok(true),
                    HostEvent::Termination { code } => return Err(Error::Terminated(code)),
                    _ => {}
                }
            }
        }
        Ok(false)
    }
}
