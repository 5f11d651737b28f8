//! Pictures across the wraps of the 90 kHz clock, of sequence numbers, packet indices and frame numbers.

use super::KEY;
use crate::cutter::Cutter;
use gamestream_proto::video::{Protection, VideoSettings};
use media::{AccessUnit, FrameIndex, MonoTime, Reference};
use probe::Codec;
use probe::crypto::GcmKey;
use probe::video::{BlockEvent, BlockQueue, FrameEvent, FrameGate, parse_packet, unseal};
use std::time::Duration;

/// The smallest packets there are, so that they are many.
const PACKET_BYTES: usize = 200;
/// What of a packet is the picture's.
const PAYLOAD_BYTES: usize = PACKET_BYTES - 16;
/// 60 a second.
const INTERVAL: Duration = Duration::from_nanos(16_666_667);
/// 2^32 ticks of 90 kHz: 13 h 15 min 21.9 s.
const CLOCK_WRAPS_AT: Duration = Duration::from_nanos((1 << 32) * 100_000 / 9);
const PREDICTED: u8 = 1;
const KEYFRAME: u8 = 2;
const PAST_LOSS: u8 = 5;

/// What the network does to a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Calm,
    /// As many packets are lost as there is parity.
    LosesParity,
    LosesAll,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    number: u32,
    timestamp: u32,
    kind: u8,
    data: Vec<u8>,
}

#[derive(Debug)]
struct Client {
    key: Option<GcmKey>,
    queue: BlockQueue,
    gate: FrameGate,
    shown: Vec<Picture>,
    /// What it asks the host to refer past.
    lost: Option<(u32, u32)>,
}

impl Client {
    fn new(sealed: bool) -> Self {
        Self {
            key: sealed.then(|| GcmKey::new(&KEY).unwrap()),
            queue: BlockQueue::new(PACKET_BYTES),
            gate: FrameGate::new(Codec::H264, true),
            shown: Vec::new(),
            lost: None,
        }
    }

    fn receive(&mut self, datagram: &[u8], now: MonoTime) {
        let mut plain = [0; 2 * PACKET_BYTES];
        let packet = match &self.key {
            None => datagram,
            Some(key) => {
                let length = unseal(key, datagram, &mut plain).expect("it decrypts");
                &plain[..length]
            }
        };
        let Self {
            queue,
            gate,
            shown,
            lost,
            ..
        } = self;
        queue.push(packet, now, &mut |event| {
            let timestamp = match &event {
                BlockEvent::Frame(frame) => frame.timestamp,
                _ => 0,
            };
            let mut on = |event: FrameEvent<'_>| match event {
                FrameEvent::Unit(unit) => shown.push(Picture {
                    number: unit.index,
                    timestamp,
                    kind: unit.kind.code(),
                    data: unit.bitstream.to_vec(),
                }),
                FrameEvent::Invalidate { first, last } => *lost = Some((first, last)),
                FrameEvent::NeedKeyframe | FrameEvent::Unusable { .. } => {}
            };
            match event {
                BlockEvent::Frame(frame) => gate.frame(&frame, &mut on),
                BlockEvent::Lost { through } => gate.lost(through, &mut on),
                BlockEvent::Status(_) => {}
            }
        });
    }
}

/// A session from its first picture on.
struct Stream {
    cutter: Cutter,
    client: Client,
    now: MonoTime,
    index: u64,
    /// What the next picture refers to.
    reference: Reference,
    packets: u64,
    random: fastrand::Rng,
    sent: Vec<Picture>,
}

impl Stream {
    fn new(sealed: bool, begins_at: Duration) -> Self {
        let settings = VideoSettings {
            packet_size: PACKET_BYTES,
            protection: Protection::new(20, 2),
        };
        Self {
            cutter: Cutter::new(settings, sealed.then_some(&KEY)).unwrap(),
            client: Client::new(sealed),
            now: MonoTime::ZERO + begins_at,
            index: 0,
            reference: Reference::None,
            packets: 0,
            random: fastrand::Rng::with_seed(7),
            sent: Vec::new(),
        }
    }

    /// The next number of the wire's.
    const fn number(&self) -> u32 {
        (self.index as u32).wrapping_add(1)
    }

    /// A picture of about so many packets, and what an encoder would begin it with.
    fn bitstream(&mut self, packets: usize) -> Vec<u8> {
        let mut data = match self.reference {
            Reference::None => vec![0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 1, 0, 0, 0, 1, 0x65],
            Reference::Frame(_) => vec![0, 0, 0, 1, 0x41],
        };
        data.resize_with(packets * PAYLOAD_BYTES - 50, || self.random.u8(1..));
        data
    }

    /// Sends the next picture, and makes the one after it what the client asks for.
    fn send(&mut self, packets: usize, network: Network) {
        let data = self.bitstream(packets);
        let mut unit = AccessUnit {
            index: FrameIndex(self.index),
            reference: self.reference,
            data,
            ..AccessUnit::default()
        };
        unit.times.capture.noticed = self.now;
        self.cutter.cut(&unit, self.now + INTERVAL / 4).unwrap();
        let all = self.cutter.packets();
        self.packets += all.len() as u64;
        let losses = match network {
            Network::Calm => 0,
            Network::LosesParity => all.parity_len(),
            Network::LosesAll => all.len(),
        };
        let lost = self.random.choose_multiple(0..all.len(), losses);
        for (at, datagram) in all.iter().enumerate() {
            if !lost.contains(&at) {
                self.client.receive(datagram, self.now);
            }
        }
        let ticks = u128::from(self.now.as_nanos()) * 9 / 100_000;
        let previous = self.index.checked_sub(1).map(FrameIndex);
        self.sent.push(Picture {
            number: self.number(),
            timestamp: ticks as u32,
            kind: match self.reference {
                Reference::None => KEYFRAME,
                Reference::Frame(referred) if Some(referred) == previous => PREDICTED,
                Reference::Frame(_) => PAST_LOSS,
            },
            data: unit.data,
        });
        self.reference = Reference::Frame(FrameIndex(self.index));
        if let Some((first, last)) = self.client.lost.take() {
            // What is too long ago is repaired by a keyframe.
            let lost = self.cutter.lost(first, last);
            self.reference = lost.map_or(Reference::None, |(first, _)| {
                Reference::Frame(FrameIndex(first.0 - 1))
            });
        }
        self.index += 1;
        self.now = self.now + INTERVAL;
    }

    /// Sends what nobody receives, as fast as it goes, until this many packets were sent.
    fn hurry_to(&mut self, packets: u64) {
        const MOST: u64 = 4 * 1023;
        self.cutter.set_fec_percent(0);
        let mut unit = AccessUnit::default();
        while self.packets < packets {
            let some = (packets - self.packets).min(MOST);
            unit.index = FrameIndex(self.index);
            unit.data.resize(some as usize * PAYLOAD_BYTES - 8, 0);
            unit.times.capture.noticed = self.now;
            self.cutter.cut(&unit, self.now).unwrap();
            self.packets += self.cutter.packets().len() as u64;
            self.index += 1;
            self.now = self.now + INTERVAL;
        }
        self.cutter.set_fec_percent(20);
        self.reference = Reference::None;
    }

    /// Nothing about the stream is wrong, and every picture of which something arrived was shown, but for
    /// those that hang on a lost one.
    fn assert_shown(&self, but: &[u32]) {
        let client = &self.client;
        assert!(client.queue.violations().is_empty() && client.gate.violations().is_empty());
        let expected = self.sent.iter().filter(|sent| !but.contains(&sent.number));
        assert!(expected.eq(&client.shown), "what was sent is shown");
        let wraps = |pair: &&[Picture]| pair[1].timestamp < pair[0].timestamp;
        let between = |pair: &[Picture]| pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!(self.sent.windows(2).filter(wraps).count() <= 1);
        assert!(
            self.sent
                .windows(2)
                .all(|pair| between(pair).abs_diff(1500) <= 1)
        );
    }

    /// Pictures until a counter has wrapped, and as many after it, with losses everywhere; one is lost whole
    /// on either side and one that crosses. `counter` tells whether it has.
    fn across(&mut self, packets: usize, wrapped: impl Fn(&Self) -> bool) {
        self.send(packets, Network::Calm);
        let (mut before, mut lost) = (0_u32, Vec::new());
        while !wrapped(self) {
            before += 1;
            assert!(before < 10_000, "it never wraps");
            self.send(packets, Network::LosesParity);
        }
        // Sent after it, and lost: the client learns of it by the next one, which hangs on it.
        for _ in 0..3 {
            lost.extend([self.number(), self.number().wrapping_add(1)]);
            self.send(packets, Network::LosesAll);
            for _ in 0..4 {
                self.send(packets, Network::LosesParity);
            }
        }
        self.assert_shown(&lost);
        let repairs = self.sent.iter().filter(|sent| sent.kind == PAST_LOSS);
        assert_eq!(repairs.count(), 3);
    }
}

#[test]
fn every_picture_arrives_whole_while_the_clock_wraps() {
    for sealed in [false, true] {
        let mut stream = Stream::new(sealed, CLOCK_WRAPS_AT - Duration::from_secs(2));
        stream.across(8, |stream| stream.now > MonoTime::ZERO + CLOCK_WRAPS_AT);
        let timestamps: Vec<_> = stream.sent.iter().map(|sent| sent.timestamp).collect();
        assert!(timestamps[0] > u32::MAX - 200_000 && timestamps.last().unwrap() < &100_000);
    }
}

#[test]
fn a_picture_that_is_lost_with_the_wrap_of_the_clock_is_repaired() {
    for before in 0..3 {
        let mut stream = Stream::new(true, CLOCK_WRAPS_AT - INTERVAL * 10);
        for step in 0..10 {
            stream.send(
                8,
                if step + before == 9 {
                    Network::LosesAll
                } else {
                    Network::Calm
                },
            );
        }
        let lost = 10 - before;
        (0..10).for_each(|_| stream.send(8, Network::LosesParity));
        stream.assert_shown(&[lost, lost + 1]);
    }
}

#[test]
fn every_picture_arrives_whole_while_sequence_numbers_wrap() {
    let mut stream = Stream::new(true, Duration::ZERO);
    stream.hurry_to((1 << 16) - 6000);
    stream.client = Client::new(true);
    stream.across(50, |stream| stream.packets > 1 << 16);
}

#[test]
fn a_picture_whose_packets_cross_the_wrap_of_sequence_numbers_is_repaired() {
    for (short_of, network) in [
        (30, Network::LosesParity),
        (30, Network::LosesAll),
        (1, Network::LosesParity),
    ] {
        let mut stream = Stream::new(true, Duration::ZERO);
        stream.hurry_to((1 << 16) - 200);
        stream.client = Client::new(true);
        stream.send(100, Network::Calm);
        stream.sent.clear();
        stream.client.shown.clear();
        stream.send(
            (1 << 16) - stream.packets as usize - short_of,
            Network::Calm,
        );
        let crossing = stream.number();
        stream.send(60, network);
        (0..5).for_each(|_| stream.send(60, Network::LosesParity));
        let lost = if network == Network::LosesAll {
            &[crossing, crossing + 1][..]
        } else {
            &[]
        };
        stream.assert_shown(lost);
    }
}

#[test]
fn every_picture_arrives_whole_while_packet_indices_wrap() {
    let mut stream = Stream::new(false, Duration::ZERO);
    stream.hurry_to((1 << 24) - 2000);
    stream.across(40, |stream| stream.packets > 1 << 24);
    let last = stream.cutter.packets().iter().last().and_then(parse_packet);
    // The last packet of all is parity, whose index nobody reads; its sequence number goes on.
    assert_eq!(
        u64::from(last.unwrap().sequence),
        (stream.packets - 1) & 0xffff
    );
    assert!(stream.packets > 1 << 24);
}

#[test]
fn every_picture_arrives_whole_while_frame_numbers_wrap() {
    let mut stream = Stream::new(true, Duration::ZERO);
    // A number that is spent on nothing is a lost picture, and two years of them take no time.
    for index in [0, (1 << 31) - 2, (1 << 32) - 60] {
        (stream.index, stream.reference) = (index, Reference::None);
        stream.send(8, Network::Calm);
    }
    stream.sent.drain(..2);
    stream.client.shown.drain(..2);
    stream.client.lost = None;
    stream.reference = Reference::Frame(FrameIndex(stream.index - 1));
    stream.across(8, |stream| stream.index > (1 << 32) + 5);
}

/// The nonce of a packet is how many were sent before it, whatever else wraps.
#[test]
fn nonces_go_on_where_sequence_numbers_begin_again() {
    let mut stream = Stream::new(true, Duration::ZERO);
    stream.hurry_to((1 << 16) + 3000);
    let all = stream.cutter.packets();
    for (number, datagram) in (stream.packets - all.len() as u64..).zip(all.iter()) {
        let counter = u64::from_le_bytes(datagram[..8].try_into().unwrap());
        assert_eq!(counter, number);
        assert_eq!(datagram[8..12], [0, 0, 0, b'V']);
    }
}
