//! The client's side: a connection of its own socket, driven by the test that waits on it.

use crate::host::{Host, PATIENCE};
use events::ViewerId;
use std::collections::{HashMap, VecDeque};
use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::rtp::rtcp::SenderInfo;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use webrtc::Flavour;

/// Bytes of datagrams that came, by what they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Came {
    pub(crate) media_bytes: u64,
    pub(crate) channel_packets: u64,
    /// RTP packets that announce header extensions.
    pub(crate) extended_packets: u64,
}

/// One RTP packet, as far as the tests care.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) payload_type: u8,
    pub(crate) timestamp: u32,
    /// It begins a unit, and the unit is a keyframe.
    pub(crate) keyframe: bool,
    pub(crate) captured: Option<SystemTime>,
}

/// A packet of sound.
#[derive(Clone, Debug)]
pub(crate) struct SoundPacket {
    pub(crate) payload_type: u8,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) captured: Option<SystemTime>,
    pub(crate) payload: Vec<u8>,
}

/// A message that came.
pub(crate) type Text = (ChannelId, bool, Vec<u8>);

pub(crate) struct Peer {
    pub(crate) rtc: Rtc,
    socket: UdpSocket,
    pub(crate) viewer: ViewerId,
    pub(crate) connected: bool,
    pub(crate) over: bool,
    pub(crate) open: HashMap<ChannelId, String>,
    pub(crate) closed: Vec<ChannelId>,
    pub(crate) messages: VecDeque<Text>,
    pub(crate) packets: VecDeque<Packet>,
    pub(crate) sound: VecDeque<SoundPacket>,
    pub(crate) reports: Vec<(Mid, SenderInfo)>,
    pub(crate) came: Came,
    /// Loses packets of channels on both ways, in hundredths.
    pub(crate) loses_percent: u32,
    chance: fastrand::Rng,
    pub(crate) video: Option<Mid>,
    pub(crate) audio: Option<Mid>,
}

/// What a client offers.
pub(crate) struct Wish<'a> {
    pub(crate) flavour: Flavour,
    pub(crate) video: bool,
    pub(crate) audio: bool,
    pub(crate) channels: Vec<ChannelConfig>,
    pub(crate) config: RtcConfig,
    /// Changes the answer before it is taken.
    pub(crate) edit: &'a dyn Fn(String) -> String,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Self {
            flavour: Flavour::Page,
            video: true,
            audio: false,
            channels: Vec::new(),
            config: RtcConfig::new(),
            edit: &|answer| answer,
        }
    }
}

/// A reliable, ordered channel.
pub(crate) fn channel(label: &str) -> ChannelConfig {
    ChannelConfig {
        label: label.to_owned(),
        ..ChannelConfig::default()
    }
}

/// The NAL unit type that a payload begins, if it begins one.
fn begun_type(payload: &[u8]) -> Option<u8> {
    const FU_A: u8 = 28;
    const START: u8 = 0x80;
    match payload {
        [first, second, ..] if first & 31 == FU_A => (second & START != 0).then_some(second & 31),
        [first, ..] => Some(first & 31),
        [] => None,
    }
}

impl Peer {
    /// Offers, takes the answer and waits for the connection.
    pub(crate) fn connect(host: &Host, wish: Wish<'_>) -> Self {
        let (mut peer, answer) = Self::begin(host, wish);
        assert!(answer.contains("m="), "{answer}");
        peer.wait("a connection", |peer| peer.connected.then_some(()));
        peer
    }

    /// Offers and takes the answer.
    pub(crate) fn begin(host: &Host, wish: Wish<'_>) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut rtc = wish.config.set_rtp_mode(true).build(Instant::now());
        let local = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let video = wish
            .video
            .then(|| api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
        let audio = wish
            .audio
            .then(|| api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None));
        for config in wish.channels {
            api.add_channel_with_config(config);
        }
        let (offer, pending) = api.apply().unwrap();
        let (viewer, answer) = host.offer(&offer.to_sdp_string(), wish.flavour).unwrap();
        let edited = (wish.edit)(answer.clone());
        let taken = str0m::change::SdpAnswer::from_sdp_string(&edited).unwrap();
        rtc.sdp_api().accept_answer(pending, taken).unwrap();
        let peer = Self {
            rtc,
            socket,
            viewer,
            connected: false,
            over: false,
            open: HashMap::new(),
            closed: Vec::new(),
            messages: VecDeque::new(),
            packets: VecDeque::new(),
            sound: VecDeque::new(),
            reports: Vec::new(),
            came: Came::default(),
            loses_percent: 0,
            chance: fastrand::Rng::with_seed(7),
            video,
            audio,
        };
        (peer, answer)
    }

    /// Sends what is due and takes one packet, or the time that passes until `until`.
    pub(crate) fn turn(&mut self, until: Instant) {
        let next = loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => break at,
                Output::Transmit(send) if self.is_lost(&send.contents) => {}
                Output::Transmit(send) => {
                    self.socket
                        .send_to(&send.contents, send.destination)
                        .unwrap();
                }
                Output::Event(event) => self.on_event(event),
            }
        };
        let now = Instant::now();
        let pause = next.min(until).saturating_duration_since(now);
        let mut buffer = [0; 2000];
        let pause = pause.clamp(Duration::from_micros(100), Duration::from_millis(100));
        self.socket.set_read_timeout(Some(pause)).unwrap();
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let bytes = &buffer[..length];
            if self.is_lost(bytes) {
                return;
            }
            match bytes[0] {
                128..192 => {
                    let is_extended = bytes[0] & 0x10 != 0 && bytes[1] & 0x7f >= 96;
                    self.came.extended_packets += u64::from(is_extended);
                    self.came.media_bytes += bytes.len() as u64;
                }
                20..64 => self.came.channel_packets += 1,
                _ => {}
            }
            let to = self.socket.local_addr().unwrap();
            let receive = Receive::new(Protocol::Udp, source, to, bytes).unwrap();
            self.rtc
                .handle_input(Input::Receive(Instant::now(), receive))
                .unwrap();
        }
        self.rtc
            .handle_input(Input::Timeout(Instant::now()))
            .unwrap();
    }

    fn is_lost(&mut self, packet: &[u8]) -> bool {
        let of_channels = matches!(packet.first(), Some(20..64));
        of_channels && self.chance.u32(0..100) < self.loses_percent
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.over = true,
            Event::ChannelOpen(id, label) => {
                self.open.insert(id, label);
            }
            Event::ChannelClose(id) => {
                self.open.remove(&id);
                self.closed.push(id);
            }
            Event::ChannelData(data) => {
                self.messages.push_back((data.id, data.binary, data.data));
            }
            Event::RtpPacket(packet) if self.is_sound(&packet) => self.on_sound(&packet),
            Event::RtpPacket(packet) => self.on_packet(&packet),
            Event::SenderFeedback(report) => {
                self.reports.push((report.mid, report.sender_info));
            }
            _ => {}
        }
    }

    fn is_sound(&mut self, packet: &RtpPacket) -> bool {
        let mut api = self.rtc.direct_api();
        let mid = api
            .stream_rx(&packet.header.ssrc)
            .map(|stream| stream.mid());
        mid.is_some() && mid == self.audio
    }

    fn on_sound(&mut self, packet: &RtpPacket) {
        let captured = packet.header.ext_vals.abs_capture_time;
        self.sound.push_back(SoundPacket {
            payload_type: *packet.header.payload_type,
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            captured: captured.map(|time| time.capture_time),
            payload: packet.payload.to_vec(),
        });
    }

    /// The next packet of sound.
    pub(crate) fn sound(&mut self) -> SoundPacket {
        self.wait("sound", |peer| peer.sound.pop_front())
    }

    fn on_packet(&mut self, packet: &RtpPacket) {
        const KEYFRAME: u8 = 5;
        self.packets.push_back(Packet {
            payload_type: *packet.header.payload_type,
            timestamp: packet.header.timestamp,
            keyframe: begun_type(&packet.payload) == Some(KEYFRAME),
            captured: packet
                .header
                .ext_vals
                .abs_capture_time
                .map(|t| t.capture_time),
        });
    }

    /// Works until `done` has something.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = done(self) {
                return value;
            }
            assert!(Instant::now() < until, "waited in vain for {what}");
            assert!(self.rtc.is_alive(), "over while waiting for {what}");
            self.turn(until);
        }
    }

    /// Works for a time, for things that must not happen.
    pub(crate) fn spend(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn(until);
        }
    }

    /// The channel of this label, once it is open.
    pub(crate) fn channel(&mut self, label: &str) -> ChannelId {
        self.wait(label, |peer| {
            let mut open = peer.open.iter();
            open.find(|(_, known)| *known == label).map(|(id, _)| *id)
        })
    }

    /// Sends once there is room.
    pub(crate) fn send(&mut self, id: ChannelId, binary: bool, data: &[u8]) {
        self.wait("room for a message", |peer| {
            let mut channel = peer.rtc.channel(id).expect("an open channel");
            channel.write(binary, data).unwrap().then_some(())
        });
    }

    pub(crate) fn message(&mut self) -> Text {
        self.wait("a message", |peer| peer.messages.pop_front())
    }

    pub(crate) fn packet(&mut self) -> Packet {
        self.wait("a packet", |peer| peer.packets.pop_front())
    }

    /// Asks for a keyframe by RTCP.
    pub(crate) fn ask_keyframe(&mut self) {
        let mid = self.video.expect("video");
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx_by_mid(mid, None).expect("a stream");
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }
}
