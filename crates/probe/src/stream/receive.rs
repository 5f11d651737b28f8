//! The two UDP streams: sockets, pings, and the way of each packet into the queues and the report. One
//! thread each.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media::MonoTime;

use super::drop::{Delayer, Dropper};
use super::link::{Outbox, socket_towards};
use super::stop::Stop;
use crate::Error;
use crate::audio::AudioQueue;
use crate::bitstream::Checker;
use crate::control::Message;
use crate::crypto::{AudioKey, GcmKey, KEY_LEN};
use crate::decode::{AudioDecoder, CodedUnit, VideoDecoder};
use crate::negotiate::{Agreement, Port};
use crate::options::DropPlan;
use crate::report::Collector;
use crate::video::{
    BlockEvent, BlockQueue, FrameEvent, FrameGate, Violation, parse_packet, unseal,
};

/// Clients ping this often (VideoStream.c, AudioStream.c).
const PING_EVERY: Duration = Duration::from_millis(500);
const RECEIVE_BUFFER: usize = 4 << 20;
const MAX_DATAGRAM: usize = 2048;

/// What everybody writes into. A thread that died while writing has ended the stream anyway.
pub(super) fn lock(collector: &Mutex<Collector>) -> MutexGuard<'_, Collector> {
    collector.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket of one stream.
pub(super) struct Socket {
    socket: UdpSocket,
    ping: Option<[u8; 16]>,
    pings: u32,
    ping_at: Instant,
}

impl Socket {
    pub(super) fn open(host: SocketAddr, port: Port) -> Result<Self, Error> {
        let open = || -> io::Result<UdpSocket> {
            let socket = socket_towards(host.ip())?;
            // The system may grant less.
            let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
            let mut address = host;
            address.set_port(port.number);
            socket.connect(address)?;
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            Ok(socket)
        };
        Ok(Self {
            socket: open().map_err(|cause| Error::System("a UDP socket", cause))?,
            ping: port.ping,
            pings: 0,
            ping_at: Instant::now(),
        })
    }

    /// The next datagram; nothing if none came for a while.
    fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let now = Instant::now();
        if now >= self.ping_at {
            self.ping_at = now + PING_EVERY;
            self.pings += 1;
            let mut ping = Vec::with_capacity(20);
            match self.ping {
                Some(payload) => {
                    ping.extend(payload);
                    ping.extend(self.pings.to_be_bytes());
                }
                None => ping.extend(b"PING"),
            }
            // A host that does not listen yet will at the next ping.
            let _ = self.socket.send(&ping);
        }
        // Refusals of a port that is not open yet come back here, too.
        let length = self.socket.recv(buffer).ok()?;
        Some(&buffer[..length])
    }
}

/// The way of video.
pub(super) struct VideoPath<'a> {
    pub(super) collector: &'a Mutex<Collector>,
    pub(super) outbox: Outbox,
    /// Units for the decoder's thread.
    pub(super) units: Option<SyncSender<CodedUnit>>,
    /// The decoder's failures.
    pub(super) failures: Receiver<()>,
    key: Option<GcmKey>,
    queue: BlockQueue,
    gate: FrameGate,
    checker: Checker,
    dropper: Dropper,
    delayer: Delayer,
    dropped_frames: Vec<u32>,
    invalidates: bool,
}

/// What a video path reports to.
pub(super) struct VideoEnds<'a> {
    pub(super) collector: &'a Mutex<Collector>,
    pub(super) outbox: Outbox,
    pub(super) units: Option<SyncSender<CodedUnit>>,
    pub(super) failures: Receiver<()>,
}

impl<'a> VideoPath<'a> {
    pub(super) fn new(
        agreement: &Agreement,
        key: &[u8; KEY_LEN],
        plan: &DropPlan,
        ends: VideoEnds<'a>,
    ) -> Result<Self, Error> {
        let key = agreement.encrypted_video.then(|| GcmKey::new(key));
        Ok(Self {
            collector: ends.collector,
            outbox: ends.outbox,
            units: ends.units,
            failures: ends.failures,
            key: key.transpose()?,
            queue: BlockQueue::new(agreement.packet_size as usize),
            gate: FrameGate::new(agreement.codec, agreement.invalidates_references),
            checker: Checker::new(agreement.codec),
            dropper: Dropper::new(plan.video, plan.seed),
            delayer: Delayer::new(plan.late, plan.seed.wrapping_add(2)),
            dropped_frames: plan.frames.clone(),
            invalidates: agreement.invalidates_references,
        })
    }

    /// Receives until it is stopped.
    pub(super) fn run(mut self, mut socket: Socket, stop: &Stop) {
        let (mut buffer, mut plain) = ([0; MAX_DATAGRAM], [0; MAX_DATAGRAM]);
        while !stop.requested() {
            let datagram = socket.receive(&mut buffer);
            let now = MonoTime::now();
            if self.failures.try_recv().is_ok() {
                self.restart();
            }
            let Some(datagram) = datagram else {
                continue;
            };
            let packet = match &self.key {
                None => Some(datagram),
                Some(key) => unseal(key, datagram, &mut plain).map(|length| &plain[..length]),
            };
            match packet {
                Some(packet) if self.delayer.holds(packet) => {}
                Some(packet) => {
                    self.push(packet, now);
                    self.delayer.overtaken();
                    while let Some(late) = self.delayer.due() {
                        self.push(&late, now);
                    }
                }
                None => lock(self.collector).violation(Violation::NotAuthentic, 1),
            }
        }
    }

    fn restart(&mut self) {
        let (outbox, collector) = (&self.outbox, self.collector);
        self.gate.decoder_failed(&mut |_| {
            lock(collector).keyframe_requested();
            outbox.send(Message::keyframe());
        });
    }

    fn push(&mut self, bytes: &[u8], now: MonoTime) {
        if let Some(packet) = parse_packet(bytes) {
            let by_frame = self.dropped_frames.contains(&packet.frame);
            let dropped = self.dropper.drops() || by_frame;
            let mut collector = lock(self.collector);
            collector.packet(packet.sequence, packet.frame, bytes.len(), dropped);
            drop(collector);
            if dropped {
                return;
            }
        }
        let Self {
            queue,
            gate,
            checker,
            outbox,
            units,
            collector,
            ..
        } = self;
        let mut overrun = false;
        let mut repaired = false;
        let invalidates = self.invalidates;
        let mut on_frame = |event: FrameEvent<'_>, recovered: bool| match event {
            FrameEvent::Unit(unit) => {
                let findings = checker.check(unit.bitstream);
                lock(collector).unit(&unit, recovered, findings);
                if unit.long_term && invalidates {
                    outbox.send(Message::long_term(unit.index));
                }
                let full = units.as_ref().is_some_and(|units| {
                    let sent = units.try_send(CodedUnit {
                        index: unit.index,
                        timestamp: unit.timestamp,
                        first_at: unit.first_at,
                        complete_at: unit.complete_at,
                        bytes: unit.bitstream.to_vec(),
                    });
                    matches!(sent, Err(TrySendError::Full(_)))
                });
                overrun |= full;
            }
            FrameEvent::Invalidate { first, last } => {
                lock(collector).invalidation_requested();
                outbox.send(Message::invalidate(first, last));
            }
            FrameEvent::NeedKeyframe => {
                lock(collector).keyframe_requested();
                outbox.send(Message::keyframe());
            }
            FrameEvent::Unusable { .. } => lock(collector).unusable(),
        };
        queue.push(bytes, now, &mut |event| match event {
            BlockEvent::Frame(raw) => {
                repaired = raw.recovered > 0;
                gate.frame(&raw, &mut |event| on_frame(event, repaired));
            }
            BlockEvent::Lost { through } => gate.lost(through, &mut |event| on_frame(event, false)),
            BlockEvent::Status(status) => outbox.send(Message::block_status(&status)),
        });
        lock(self.collector).queue(&self.queue, self.gate.violations());
        if overrun {
            lock(self.collector).decoder_overrun();
            self.restart();
        }
    }
}

/// Decodes units until there are no more.
pub(super) fn decode_video(
    mut decoder: Box<dyn VideoDecoder>,
    units: &Receiver<CodedUnit>,
    failures: &SyncSender<()>,
    collector: &Mutex<Collector>,
) {
    while let Ok(unit) = units.recv() {
        let decoded = decoder.decode(&unit).ok();
        lock(collector).decoded(decoded);
        if decoded.is_none() {
            // One request is enough for all failures that nobody has looked at yet.
            let _ = failures.try_send(());
        }
    }
}

/// The way of audio.
pub(super) struct AudioPath<'a> {
    collector: &'a Mutex<Collector>,
    queue: AudioQueue,
    dropper: Dropper,
    decoder: Option<Box<dyn AudioDecoder>>,
    channels: u8,
    samples: Vec<f32>,
}

impl<'a> AudioPath<'a> {
    pub(super) fn new(
        agreement: &Agreement,
        key: Option<AudioKey>,
        plan: &DropPlan,
        decoder: Option<Box<dyn AudioDecoder>>,
        collector: &'a Mutex<Collector>,
    ) -> Self {
        Self {
            collector,
            queue: AudioQueue::new(key),
            dropper: Dropper::new(plan.audio, plan.seed.wrapping_add(1)),
            decoder,
            channels: agreement.opus.channels,
            samples: Vec::new(),
        }
    }

    /// Receives until it is stopped.
    pub(super) fn run(mut self, mut socket: Socket, stop: &Stop) {
        let mut buffer = [0; MAX_DATAGRAM];
        while !stop.requested() {
            if let Some(datagram) = socket.receive(&mut buffer) {
                self.push(datagram);
            }
        }
    }

    fn push(&mut self, datagram: &[u8]) {
        let dropped = self.dropper.drops();
        if !dropped {
            let Self {
                queue,
                decoder,
                samples,
                collector,
                channels,
                ..
            } = self;
            queue.push(datagram, &mut |packet| {
                let Some(decoder) = decoder else {
                    return;
                };
                samples.clear();
                let decoded = decoder.decode(packet, samples);
                let heard = decoded.is_ok().then_some(samples.as_slice());
                lock(collector).samples(*channels, heard);
            });
        }
        lock(self.collector).audio(self.queue.counts(), dropped);
    }
}
