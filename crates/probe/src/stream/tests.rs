//! Whole streams against a host that is played here: RTSP, control, video and audio over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread::JoinHandle;

use rusty_enet::{Event, Host, HostSettings, Packet};

use super::*;
use crate::control;
use crate::crypto::{Direction, GcmKey, audio_iv, seal_audio};
use crate::decode::NoDecoders;
use crate::fec::{Matrix, parity_of};
use crate::rtsp;
use crate::video::sender::Sender;

const KEY: [u8; 16] = [0x42; 16];
const KEY_ID: u32 = 77;
const CONNECT_DATA: u32 = 0xfeed;
const PING: &str = "0123456789abcdef";
/// Bytes of a packet without its RTP header: 256 were asked for, encryption takes 32.
const PACKET: usize = 224;
const FRAMES: u32 = 40;

/// A host for one session.
struct Played {
    rtsp: TcpListener,
    control: Host<UdpSocket>,
    video: UdpSocket,
    audio: UdpSocket,
    /// Status of the ANNOUNCE.
    announce: u16,
}

/// What the host saw.
#[derive(Debug, Default)]
struct Saw {
    methods: Vec<String>,
    announcement: String,
    messages: Vec<u16>,
    invalidated: Vec<(u32, u32)>,
}

fn bind() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

impl Played {
    fn new() -> Self {
        let (video, audio) = (bind(), bind());
        video.set_nonblocking(true).unwrap();
        audio.set_nonblocking(true).unwrap();
        let settings = HostSettings {
            peer_limit: 4,
            channel_limit: 0x30,
            ..HostSettings::default()
        };
        Self {
            rtsp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(),
            control: Host::new(bind(), settings).unwrap(),
            video,
            audio,
            announce: 200,
        }
    }

    fn address(&self) -> SocketAddr {
        self.rtsp.local_addr().unwrap()
    }

    fn answer(&self, method: &str) -> String {
        let mut status = 200;
        let mut rest = String::new();
        match method {
            "DESCRIBE" => {
                rest =
                    "\r\na=x-ss-general.featureFlags:3\r\na=x-ss-general.encryptionSupported:7\r\n\
                    a=x-nv-video[0].refPicInvalidation:1\r\na=rtpmap:98 AV1/90000\r\n"
                        .to_owned();
            }
            "SETUP streamid=audio/0/0" => {
                rest = format!(
                    "Session: S1;timeout = 90\r\nTransport: server_port={}\r\nX-SS-Ping-Payload: {PING}\r\n\r\n",
                    port(&self.audio)
                );
            }
            "SETUP streamid=video/0/0" => {
                rest = format!(
                    "Transport: server_port={}\r\nX-SS-Ping-Payload: {PING}\r\n\r\n",
                    port(&self.video)
                );
            }
            "SETUP streamid=control/13/0" => {
                rest = format!(
                    "Transport: server_port={}\r\nX-SS-Connect-Data: {CONNECT_DATA}\r\n\r\n",
                    port(self.control.socket())
                );
            }
            "ANNOUNCE" => {
                status = self.announce;
                rest = "\r\n".to_owned();
            }
            _ => rest.push_str("\r\n"),
        }
        format!("RTSP/1.0 {status} OK\r\nCSeq: 1\r\n{rest}")
    }

    /// RTSP up to PLAY, or up to a refusal.
    fn negotiate(&self, saw: &mut Saw) {
        let key = GcmKey::new(&KEY).unwrap();
        for sequence in 1.. {
            let (mut stream, _) = self.rtsp.accept().unwrap();
            let mut message = vec![0; 24];
            stream.read_exact(&mut message).unwrap();
            let length = u32::from_be_bytes(message[..4].try_into().unwrap()) & 0x7fff_ffff;
            message.resize(24 + length as usize, 0);
            stream.read_exact(&mut message[24..]).unwrap();
            let text = rtsp::unseal(&key, Direction::FromClient, &message).unwrap();
            let text = String::from_utf8(text).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            let method = match words[0] {
                "SETUP" => format!("SETUP {}", words[1]),
                method => method.to_owned(),
            };
            if method == "ANNOUNCE" {
                saw.announcement = text.clone();
            }
            let answer = self.answer(&method);
            let sealed = rtsp::seal(&key, sequence, Direction::FromHost, answer.as_bytes());
            stream.write_all(&sealed.unwrap()).unwrap();
            let over = method == "PLAY" || !answer.contains(" 200 ");
            saw.methods.push(method);
            if over {
                return;
            }
        }
    }

    fn pinged(socket: &UdpSocket) -> Option<SocketAddr> {
        let mut ping = [0; 64];
        let (length, from) = socket.recv_from(&mut ping).ok()?;
        assert_eq!((length, &ping[..16]), (20, PING.as_bytes()));
        Some(from)
    }

    fn serve_control(&mut self, saw: &mut Saw) {
        let key = GcmKey::new(&KEY).unwrap();
        while let Some(event) = self.control.service().unwrap() {
            match event {
                Event::Connect { data, .. } => assert_eq!(data, CONNECT_DATA),
                Event::Disconnect { .. } => {}
                Event::Receive { packet, .. } => {
                    let opened = control::open(&key, Direction::FromClient, packet.data());
                    let (_, plain) = opened.unwrap();
                    let kind = u16::from_le_bytes([plain[0], plain[1]]);
                    let word =
                        |at: usize| u32::from_le_bytes(plain[at..at + 4].try_into().unwrap());
                    if kind == 0x0301 {
                        saw.invalidated.push((word(4), word(12)));
                    }
                    saw.messages.push(kind);
                }
            }
        }
    }

    fn say(&mut self, sequence: u32, kind: u16, body: &[u8]) {
        let mut plain = kind.to_le_bytes().to_vec();
        plain.extend((body.len() as u16).to_le_bytes());
        plain.extend(body);
        let key = GcmKey::new(&KEY).unwrap();
        let sealed = control::seal(&key, sequence, Direction::FromHost, &plain).unwrap();
        self.control
            .broadcast(0, &Packet::reliable(sealed.as_slice()));
        self.control.flush();
    }

    /// Plays the host until the client is gone.
    fn run(mut self) -> JoinHandle<Saw> {
        thread::spawn(move || {
            let mut saw = Saw::default();
            self.negotiate(&mut saw);
            if saw.methods.last().map(String::as_str) == Some("PLAY") {
                self.stream(&mut saw);
            }
            saw
        })
    }

    fn stream(&mut self, saw: &mut Saw) {
        let (mut video, mut audio) = (None, None);
        let mut sender = Sender::new(PACKET, 20);
        let (mut frame, mut answered) = (0, 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        while frame < FRAMES {
            assert!(Instant::now() < deadline, "{saw:?}");
            self.serve_control(saw);
            video = Self::pinged(&self.video).or(video);
            audio = Self::pinged(&self.audio).or(audio);
            let (Some(video), Some(audio)) = (video, audio) else {
                thread::yield_now();
                continue;
            };
            frame += 1;
            let repair = saw.invalidated.len() > answered;
            answered = saw.invalidated.len();
            let kind = match frame {
                1 => 2,
                _ if repair => 5,
                _ => 1,
            };
            for packet in sender.frame(frame, kind, &unit(frame)) {
                self.video
                    .send_to(&sealed_video(&packet, frame), video)
                    .unwrap();
            }
            for packet in audio_block(frame) {
                self.audio.send_to(&packet, audio).unwrap();
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.say(0, 0x010b, &[0, 0, 0, 0, 1, 0, 2, 0, 3, 0]);
        self.say(1, 0x0109, &control::ENDED.to_be_bytes());
        while self.control.connected_peers().next().is_some() && Instant::now() < deadline {
            self.serve_control(saw);
        }
    }
}

/// Two OBUs that fill their unit: a delimiter and a frame.
fn unit(frame: u32) -> Vec<u8> {
    [&[0x12, 0, 0x32, 100][..], &[frame as u8 | 1; 100]].concat()
}

fn sealed_video(packet: &[u8], frame: u32) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&packet[2..6]);
    nonce[11] = b'V';
    let mut text = packet.to_vec();
    let tag = GcmKey::new(&KEY).unwrap().seal(nonce, &mut text).unwrap();
    [&nonce[..], &frame.to_le_bytes(), &tag, &text].concat()
}

fn audio_block(frame: u32) -> Vec<Vec<u8>> {
    let base = (frame * 4) as u16;
    let sealed = |at: u16| seal_audio(&KEY, audio_iv(KEY_ID, base + at), &[at as u8; 40]).unwrap();
    let data: Vec<_> = (0..4).map(sealed).collect();
    let mut out = Vec::new();
    for (at, data) in (base..).zip(&data) {
        let number = at.to_be_bytes();
        out.push(
            [
                &[0x80, 97, number[0], number[1], 0, 0, 0, 0, 0, 0, 0, 0][..],
                data,
            ]
            .concat(),
        );
    }
    for (at, parity) in (0u8..).zip(parity_of(&data, 2, Matrix::Audio)) {
        let number = base.to_be_bytes();
        let rtp = [0x80, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let header = [at, 97, number[0], number[1], 0, 0, 0, 0, 0, 0, 0, 0];
        out.push([&rtp[..], &header, &parity].concat());
    }
    out
}

fn options() -> StreamOptions {
    let mut options = StreamOptions::new("x");
    options.codec = crate::Codec::Av1;
    options.packet_size = crate::PacketSize::new(256).unwrap();
    options.duration = Duration::from_secs(20);
    options
}

fn play(played: Played, options: &StreamOptions) -> (Result<Summary, Error>, Saw) {
    let address = played.address();
    let host: HostAddress = address.to_string().parse().unwrap();
    let launched = Launched {
        rtsp_url: format!("rtspenc://{address}"),
        key: KEY,
        key_id: KEY_ID,
        resumed: false,
    };
    let session = Session {
        host: &host,
        address,
        launched: &launched,
        options,
        codec_modes: 0x0001_0001,
    };
    let host = played.run();
    let summary = watch(session, &NoDecoders, &mut |_| {}, &mut |_| {
        ControlFlow::Continue(())
    });
    (summary, host.join().unwrap())
}

#[test]
fn a_stream_is_received_repaired_after_a_dropped_frame_and_ended_by_its_host() {
    let mut options = options();
    options.drop.frames = vec![10];
    options.script = Some("key 0x41 down\nkey 0x41 up".parse().unwrap());
    let (summary, saw) = play(Played::new(), &options);
    let Summary {
        setup,
        total,
        ended_by_host,
    } = summary.unwrap();
    assert!(ended_by_host);
    assert_eq!((setup.codec, setup.packet_size), ("av1", 224));
    assert!(setup.encrypted_video && setup.encrypted_audio && setup.invalidates_references);
    assert_eq!(total.violations, std::collections::BTreeMap::new());
    assert_eq!((total.keyframes, total.repairs.len()), (1, 1));
    let repair = total.repairs[0];
    assert_eq!((repair.after_frame, repair.ended_by), (9, 5));
    assert_eq!(total.frames + total.frames_missing, u64::from(FRAMES));
    assert_eq!(saw.invalidated[0].0, 10);
    assert!(total.packets.dropped_on_purpose > 0 && total.packets.missing == 0);
    assert_eq!(
        (total.audio.packets, total.audio.bad),
        (u64::from(FRAMES) * 4, 0)
    );
    assert_eq!(total.host_latency_ms.unwrap().max, 4.2);
    assert_eq!(total.bitstream.malformed, 0);
    assert_eq!(total.host_events.len(), 2);
    assert_eq!(saw.messages[..2], [0x0302, 0x0307]);
    let inputs = saw.messages.iter().filter(|&&kind| kind == 0x0206).count();
    assert_eq!(inputs, 3, "rumble is welcomed, a key goes down and up");
    assert!(
        saw.announcement
            .contains("a=x-nv-video[0].packetSize:224 \r\n")
    );
    assert_eq!(saw.methods.len(), 7);
}

#[test]
fn lost_audio_within_its_parity_comes_back() {
    let mut options = options();
    options.drop.audio = Some("10".parse().unwrap());
    options.drop.seed = 3;
    let (summary, _) = play(Played::new(), &options);
    let audio = summary.unwrap().total.audio;
    assert!(
        audio.dropped_on_purpose > 0 && audio.recovered > 0,
        "{audio:?}"
    );
}

#[test]
fn a_refusal_is_told_by_its_method() {
    let mut played = Played::new();
    played.announce = 403;
    let (summary, saw) = play(played, &options());
    let error = summary.unwrap_err().to_string();
    assert!(error.contains("ANNOUNCE was answered with 403"), "{error}");
    assert!(!saw.methods.contains(&"PLAY".to_owned()));
}

#[test]
fn a_stream_ends_when_its_time_is_over() {
    let mut options = options();
    options.duration = Duration::from_millis(100);
    let (summary, saw) = play(Played::new(), &options);
    let summary = summary.unwrap();
    assert!(!summary.ended_by_host);
    assert!(
        summary.total.frames < u64::from(FRAMES),
        "the host went on alone"
    );
    assert_eq!(saw.methods.last().map(String::as_str), Some("PLAY"));
}
