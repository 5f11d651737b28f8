//! A client that goes through RTSP as moonlight-common-c does, in the clear and sealed, and those that
//! do not keep to it.

use super::*;
use crate::constants::Ports;
use crate::http::{CodecMode, CodecSupport};
use crate::seal::{Channel, Origin, Seal, Sealed, TAG_BYTES};
use crate::{Error, StreamKey, hex};
use media::Size;
use proptest::prelude::*;

const KEY: StreamKey = StreamKey::new([3; 16]);

/// As SdpGenerator.c writes it for 1080p60 in HEVC, 20 Mbit/s, stereo, on the LAN.
const STREAM: &[(&str, &str)] = &[
    ("x-ml-general.featureFlags", "3"),
    ("x-ss-general.encryptionEnabled", "5"),
    ("x-ss-video[0].chromaSamplingType", "0"),
    ("x-nv-video[0].clientViewportWd", "1920"),
    ("x-nv-video[0].clientViewportHt", "1080"),
    ("x-nv-video[0].maxFPS", "60"),
    ("x-nv-video[0].packetSize", "1392"),
    ("x-nv-video[0].rateControlMode", "4"),
    ("x-nv-video[0].timeoutLengthMs", "7000"),
    ("x-nv-video[0].framesWithInvalidRefThreshold", "0"),
    ("x-nv-video[0].initialBitrateKbps", "16000"),
    ("x-nv-video[0].initialPeakBitrateKbps", "16000"),
    ("x-nv-vqos[0].bw.minimumBitrateKbps", "16000"),
    ("x-nv-vqos[0].bw.maximumBitrateKbps", "16000"),
    ("x-ml-video.configuredBitrateKbps", "20000"),
    ("x-nv-vqos[0].fec.enable", "1"),
    ("x-nv-vqos[0].videoQualityScoreUpdateTime", "5000"),
    ("x-nv-vqos[0].qosTrafficType", "5"),
    ("x-nv-aqos.qosTrafficType", "4"),
    ("x-nv-general.featureFlags", "167"),
    ("x-nv-general.useReliableUdp", "13"),
    ("x-nv-vqos[0].fec.minRequiredFecPackets", "2"),
    ("x-nv-vqos[0].bllFec.enable", "0"),
    ("x-nv-vqos[0].drc.enable", "0"),
    ("x-nv-general.enableRecoveryMode", "0"),
    ("x-nv-video[0].videoEncoderSlicesPerFrame", "1"),
    ("x-nv-clientSupportHevc", "1"),
    ("x-nv-vqos[0].bitStreamFormat", "1"),
    ("x-nv-video[0].dynamicRangeMode", "0"),
    ("x-nv-video[0].maxNumReferenceFrames", "0"),
    ("x-nv-video[0].clientRefreshRateX100", "5994"),
    ("x-nv-audio.surround.numChannels", "2"),
    ("x-nv-audio.surround.channelMask", "3"),
    ("x-nv-audio.surround.enable", "0"),
    ("x-nv-audio.surround.AudioQuality", "0"),
    ("x-nv-aqos.packetDuration", "5"),
    ("x-nv-video[0].encoderCscMode", "2"),
];

/// The body of ANNOUNCE, with some attributes changed or (without a value) left out.
fn stream(changed: &[(&str, Option<&str>)]) -> String {
    let mut text =
        String::from("v=0\r\no=android 0 14 IN IPv4 192.168.1.9\r\ns=NVIDIA Streaming Client\r\n");
    let mut add = |name: &str, value: &str| text.push_str(&format!("a={name}:{value} \r\n"));
    for (name, value) in STREAM {
        match changed.iter().find(|(changed, _)| changed == name) {
            Some((_, None)) => {}
            Some((_, Some(value))) => add(name, value),
            None => add(name, value),
        }
    }
    for (name, value) in changed {
        if let (Some(value), false) = (value, STREAM.iter().any(|(known, _)| known == name)) {
            add(name, value);
        }
    }
    text + "t=0 0\r\nm=video 47998  \r\n"
}

fn offer() -> HostOffer {
    HostOffer {
        pen_and_touch: true,
        controller_touch: true,
        encryption: EncryptionPolicy {
            audio: Want::Offered,
            video: Some(Want::Offered),
        },
        reference_invalidation: true,
        codecs: CodecSupport::from_iter([CodecMode::H264, CodecMode::Hevc, CodecMode::Av1Main10]),
    }
}

fn session_with(key: Option<StreamKey>, offer: HostOffer) -> RtspSession {
    RtspSession::new(RtspSetup {
        key,
        ports: Ports::default(),
        offer,
        ping: 0xfeed,
        connect_data: 4_000_000_000,
        session_id: 0xdead_beef_cafe,
    })
    .unwrap()
}

/// A client, in the clear or sealing what it sends.
struct Client {
    seal: Option<Seal>,
    sequence: u32,
    requests: u32,
    host: &'static str,
    session: Option<String>,
}

impl Client {
    fn new(sealed: bool) -> Self {
        Self {
            seal: sealed.then(|| Seal::new(&KEY, Channel::Rtsp).unwrap()),
            // Of an earlier session of the same process.
            sequence: 40,
            requests: 1,
            host: "192.168.1.9",
            session: None,
        }
    }

    fn request(&mut self, line: &str, more: &str, body: &str) -> Vec<u8> {
        let session = self.session.as_ref();
        let session = session.map_or(String::new(), |id| format!("Session: {id}\r\n"));
        let text = format!(
            "{line} RTSP/1.0\r\nCSeq: {}\r\nX-GS-ClientVersion: 14\r\nHost: {}\r\n{session}{more}\r\n{body}",
            self.requests, self.host,
        );
        self.requests += 1;
        self.sealed(text.into_bytes())
    }

    fn sealed(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        let Some(seal) = &self.seal else { return text };
        self.sequence += 1;
        let tag = seal.seal(Origin::Client, self.sequence, &mut text).unwrap();
        let kind = 0x8000_0000 | text.len() as u32;
        [
            &kind.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &tag[..],
            &text,
        ]
        .concat()
    }

    fn set_up(&mut self, target: &str) -> Vec<u8> {
        let more = "Transport: unicast;X-GS-ClientPort=50000-50001\r\n\
            If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        self.request(&format!("SETUP {target}"), more, "")
    }

    fn announce(&mut self, body: &str) -> Vec<u8> {
        let more = format!(
            "Content-type: application/sdp\r\nContent-length: {}\r\n",
            body.len()
        );
        self.request("ANNOUNCE streamid=control/13/0", &more, body)
    }

    /// Status, headers and body, as `parseRtspMessage` in RtspParser.c takes them.
    fn read(&self, reply: &[u8], sequence: u32) -> (u16, Vec<(String, String)>, String) {
        let plain = match &self.seal {
            Some(seal) => {
                let length = reply.len() - 8 - TAG_BYTES;
                assert_eq!(reply[..4], (0x8000_0000 | length as u32).to_be_bytes());
                assert_eq!(reply[4..8], sequence.to_be_bytes());
                let sealed = Sealed {
                    tag: &reply[8..24],
                    text: &reply[24..],
                };
                let mut plain = vec![0; length];
                seal.open(Origin::Host, sequence, sealed, &mut plain)
                    .unwrap();
                plain
            }
            None => reply.to_vec(),
        };
        let text = String::from_utf8(plain).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap().strip_prefix("RTSP/1.0 ").unwrap();
        let status = first.split(' ').next().unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                assert!(!value.is_empty(), "an empty header confuses the client");
                (name.to_owned(), value.to_owned())
            })
            .collect();
        assert!(!headers.is_empty(), "without a header the head never ends");
        (status, headers, body.to_owned())
    }
}

fn replied(turn: Turn) -> Vec<u8> {
    match turn {
        Turn::Reply(reply) | Turn::Playing(reply) | Turn::Refused { reply, .. } => reply,
        Turn::Announced { .. } => panic!("not answered yet"),
    }
}

fn value(headers: &[(String, String)], name: &str) -> String {
    let header = headers.iter().find(|(known, _)| known == name);
    header
        .unwrap_or_else(|| panic!("{name} is missing"))
        .1
        .clone()
}

/// Goes to the end, and returns the stream.
fn walk(sealed: bool) -> StreamRequest {
    let mut client = Client::new(sealed);
    let mut session = session_with(sealed.then_some(KEY), offer());
    let mut answers = 0;
    let mut ask = |client: &Client, request: &[u8]| {
        assert_eq!(
            session.message_length(request).unwrap(),
            Some(request.len())
        );
        for cut in 0..request.len() {
            assert_eq!(
                session.message_length(&request[..cut]).unwrap(),
                None,
                "{cut}"
            );
        }
        answers += 1;
        let turn = session.take(request).unwrap();
        if let Turn::Announced { request, pending } = turn {
            let reply = session.answer(pending, Status::Ok).unwrap();
            return (client.read(&reply, answers), Some(*request));
        }
        assert_eq!(matches!(turn, Turn::Playing(_)), answers == 7);
        (client.read(&replied(turn), answers), None)
    };
    let request = client.request("OPTIONS rtspenc://192.168.1.9:48010", "", "");
    let ((status, headers, _), _) = ask(&client, &request);
    assert_eq!((status, value(&headers, "CSeq").as_str()), (200, "1"));
    let more = "Accept: application/sdp\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    let request = client.request("DESCRIBE rtspenc://192.168.1.9:48010", more, "");
    let ((status, _, sdp), _) = ask(&client, &request);
    assert!(status == 200 && sdp.contains("x-ss-general.encryptionSupported:7\r\n"));
    for (target, port) in [
        ("streamid=audio/0/0", 48000),
        ("streamid=video/0/0", 47998),
        ("streamid=control/13/0", 47999),
    ] {
        let request = client.set_up(target);
        let ((status, headers, _), _) = ask(&client, &request);
        assert_eq!(status, 200);
        assert_eq!(value(&headers, "Transport"), format!("server_port={port}"));
        let id = value(&headers, "Session");
        client.session = id.split(';').next().map(ToOwned::to_owned);
        if port == 47999 {
            assert_eq!(value(&headers, "X-SS-Connect-Data"), "4000000000");
        } else {
            assert_eq!(value(&headers, "X-SS-Ping-Payload"), "000000000000FEED");
        }
    }
    let request = client.announce(&stream(&[]));
    let ((status, _, _), request) = ask(&client, &request);
    assert_eq!(status, 200);
    let play = client.request("PLAY /", "", "");
    let ((status, ..), _) = ask(&client, &play);
    assert_eq!(status, 200);
    request.unwrap()
}

#[test]
fn an_official_client_gets_from_options_to_play() {
    let request = walk(true);
    assert_eq!(walk(false), request);
    let video = request.video;
    assert_eq!(video.mode.size, Size::new(1920, 1080));
    assert_eq!(video.mode.rate.fps(), 60);
    assert_eq!(video.refresh_rate_x100, Some(5994));
    assert_eq!(video.packet_bytes, 1392);
    assert_eq!(
        (video.bitrate_kbps, video.bitrate_is_for_all),
        (20_000, true)
    );
    assert_eq!(
        (video.slices_per_frame, video.max_reference_frames),
        (1, None)
    );
    assert_eq!(
        (video.codec, video.chroma),
        (VideoCodec::Hevc, Chroma::Yuv420)
    );
    assert_eq!(video.codec_mode(), Some(CodecMode::Hevc));
    assert_eq!(
        (video.colour_space, video.full_range),
        (ColourSpace::Rec709, false)
    );
    assert_eq!(video.min_fec_packets, 2);
    assert!(video.mark_urgent && !video.hdr && !video.intra_refresh);
    let audio = request.audio;
    assert_eq!((audio.channels, audio.mask, audio.packet_ms), (2, 3, 5));
    assert!(audio.high_quality && audio.mark_urgent);
    assert!(request.encryption.control && request.encryption.audio);
    assert!(!request.encryption.video);
    assert!(request.client.fec_status && request.client.session_id_v1);
}

#[test]
fn the_offer_says_what_clients_look_for() {
    let sdp = offer().to_sdp();
    for line in [
        "a=x-ss-general.featureFlags:3\r\n",
        "a=x-ss-general.encryptionSupported:7\r\n",
        "a=x-ss-general.encryptionRequested:1\r\n",
        "a=x-nv-video[0].refPicInvalidation:1\r\n",
        "sprop-parameter-sets=AAAAAU\r\n",
        "a=rtpmap:98 AV1/90000\r\n",
        "a=fmtp:97 surround-params=642014235\r\na=fmtp:97 surround-params=660012345\r\n",
        "a=fmtp:97 surround-params=85301623457\r\na=fmtp:97 surround-params=88001234567\r\n",
    ] {
        assert!(sdp.contains(line), "{line} in {sdp}");
    }
    let mut less = offer();
    less.pen_and_touch = false;
    less.controller_touch = false;
    less.reference_invalidation = false;
    less.codecs = CodecSupport::default().with(CodecMode::H264);
    less.encryption.video = None;
    less.encryption.audio = Want::Required;
    let sdp = less.to_sdp();
    assert!(sdp.contains("featureFlags:0\r\n") && sdp.contains("encryptionSupported:5\r\n"));
    assert!(sdp.contains("encryptionRequested:5\r\n"));
    for word in ["refPicInvalidation", "AAAAAU", "AV1"] {
        assert!(!sdp.contains(word), "{word} in {sdp}");
    }
}

fn parsed(changed: &[(&str, Option<&str>)]) -> Result<StreamRequest, Error> {
    StreamRequest::parse(stream(changed).as_bytes(), None, &offer())
}

#[test]
fn each_attribute_that_must_be_there_is_named_when_it_is_not() {
    for name in [
        "x-nv-audio.surround.numChannels",
        "x-nv-audio.surround.channelMask",
        "x-nv-audio.surround.AudioQuality",
        "x-nv-video[0].packetSize",
        "x-nv-video[0].clientViewportWd",
        "x-nv-video[0].clientViewportHt",
        "x-nv-video[0].maxFPS",
        "x-nv-vqos[0].bw.maximumBitrateKbps",
        "x-nv-video[0].videoEncoderSlicesPerFrame",
        "x-nv-video[0].maxNumReferenceFrames",
        "x-nv-general.useReliableUdp",
    ] {
        let error = parsed(&[(name, None)]).unwrap_err();
        assert!(
            matches!(&error, Error::Missing { field } if *field == name),
            "{name}: {error}"
        );
    }
}

#[test]
fn each_attribute_out_of_range_is_named_with_its_range() {
    for (name, value, says) in [
        ("x-nv-audio.surround.numChannels", "3", "2, 6 or 8"),
        ("x-nv-aqos.packetDuration", "7", "5 or 10 ms"),
        ("x-nv-video[0].packetSize", "100", "256 to 9000"),
        ("x-nv-video[0].clientViewportWd", "1921", "even"),
        ("x-nv-video[0].clientViewportHt", "0", "2 to 8192"),
        ("x-nv-video[0].clientViewportHt", "x", "pixels"),
        ("x-nv-video[0].maxFPS", "1000", "1 to 240"),
        ("x-nv-video[0].maxNumReferenceFrames", "17", "0 to 16"),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "0", "1 to 255"),
        ("x-nv-video[0].encoderCscMode", "6", "0 to 5"),
        ("x-nv-vqos[0].bitStreamFormat", "3", "0, 1 or 2"),
        (
            "x-nv-vqos[0].bitStreamFormat",
            "2",
            "codecs that the host offers",
        ),
        ("x-nv-general.useReliableUdp", "1", "13"),
        ("x-ss-general.encryptionEnabled", "-1", "32 bits"),
    ] {
        let error = parsed(&[(name, Some(value))]).unwrap_err();
        let text = error.to_string();
        let named = name.trim_end_matches("Wd").trim_end_matches("Ht");
        assert!(
            text.contains(says) && text.contains(named),
            "{name}: {error}"
        );
    }
}

#[test]
fn what_is_left_out_has_the_value_it_always_had() {
    let request = parsed(&[
        ("x-ml-video.configuredBitrateKbps", None),
        ("x-ml-general.featureFlags", None),
        ("x-nv-vqos[0].bitStreamFormat", None),
        ("x-nv-video[0].encoderCscMode", None),
        ("x-nv-aqos.packetDuration", None),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", None),
        ("x-nv-video[0].clientRefreshRateX100", Some("14400")),
        ("x-ss-video[0].intraRefresh", Some("1")),
    ])
    .unwrap();
    let video = request.video;
    assert_eq!(
        (video.bitrate_kbps, video.bitrate_is_for_all),
        (16_000, false)
    );
    assert_eq!((video.codec, video.min_fec_packets), (VideoCodec::H264, 0));
    assert_eq!(
        (video.colour_space, request.audio.packet_ms),
        (ColourSpace::Rec601, 5)
    );
    assert_eq!(video.refresh_rate_x100, None, "not that of the stream");
    assert!(video.intra_refresh && !request.client.fec_status);
}

#[test]
fn high_dynamic_range_and_fine_colour_are_modes_of_their_own() {
    let error = parsed(&[("x-nv-video[0].dynamicRangeMode", Some("1"))]).unwrap_err();
    assert!(error.to_string().contains("codecs that the host offers"));
    let request = parsed(&[
        ("x-nv-vqos[0].bitStreamFormat", Some("2")),
        ("x-nv-video[0].dynamicRangeMode", Some("1")),
        ("x-nv-video[0].encoderCscMode", Some("5")),
    ])
    .unwrap();
    assert_eq!(request.video.codec_mode(), Some(CodecMode::Av1Main10));
    assert_eq!(request.video.colour_space, ColourSpace::Rec2020);
    assert!(request.video.full_range && request.video.hdr);
    let mut fine = request.video;
    fine.chroma = Chroma::Yuv444;
    assert_eq!(fine.codec_mode(), Some(CodecMode::Av1Yuv444Main10));
    fine.codec = VideoCodec::H264;
    assert_eq!(fine.codec_mode(), None, "no client knows it");
}

#[test]
fn sound_follows_quality_for_surround_and_the_host_header_for_stereo() {
    let surround = [
        ("x-nv-audio.surround.numChannels", Some("6")),
        ("x-nv-audio.surround.channelMask", Some("63")),
        ("x-nv-audio.surround.AudioQuality", Some("1")),
    ];
    let offer = offer();
    let low = Some("0.0.0.0");
    let body = stream(&surround);
    let request = StreamRequest::parse(body.as_bytes(), low, &offer).unwrap();
    assert!(request.audio.high_quality);
    let body = stream(&[]);
    let request = StreamRequest::parse(body.as_bytes(), low, &offer).unwrap();
    assert!(!request.audio.high_quality);
}

/// A session that has been set up.
fn ready(offer: HostOffer) -> (Client, RtspSession) {
    let mut client = Client::new(false);
    let mut session = session_with(None, offer);
    for target in ["audio/0/0", "video/0/0", "control/13/0"] {
        session
            .take(&client.set_up(&format!("streamid={target}")))
            .unwrap();
    }
    (client, session)
}

fn status_of(client: &Client, turn: Turn) -> u16 {
    client.read(&replied(turn), 0).0
}

#[test]
fn encryption_that_the_host_demands_is_a_condition() {
    let mut strict = offer();
    strict.encryption.video = Some(Want::Required);
    let flags = "x-ss-general.encryptionEnabled";
    for (offer, enabled, status) in [
        (offer(), "5", None),
        (offer(), "7", None),
        (offer(), "4", Some(403)),
        (strict.clone(), "5", Some(403)),
        (strict, "7", None),
    ] {
        let (mut client, mut session) = ready(offer);
        let request = client.announce(&stream(&[(flags, Some(enabled))]));
        match (session.take(&request).unwrap(), status) {
            (Turn::Announced { pending, .. }, None) => {
                session.answer(pending, Status::Ok).unwrap();
            }
            (turn, Some(status)) => assert_eq!(status_of(&client, turn), status, "{enabled}"),
            (turn, None) => panic!("{enabled}: {turn:?}"),
        }
    }
    let mut without = offer();
    without.encryption.video = None;
    let (mut client, mut session) = ready(without);
    let turn = session
        .take(&client.announce(&stream(&[(flags, Some("3"))])))
        .unwrap();
    assert!(matches!(
        &turn,
        Turn::Refused {
            why: Error::OutOfRange { .. },
            ..
        }
    ));
    assert_eq!(status_of(&client, turn), 400);
}

#[test]
fn sound_is_encrypted_for_clients_that_say_so_in_the_older_way() {
    let request = parsed(&[("x-ss-general.encryptionEnabled", Some("1"))]).unwrap();
    assert!(request.encryption.audio);
    let request = parsed(&[
        ("x-ss-general.encryptionEnabled", Some("1")),
        ("x-nv-general.featureFlags", Some("135")),
    ])
    .unwrap();
    assert!(!request.encryption.audio);
}

#[test]
fn requests_that_do_not_come_next_are_refused() {
    let mut client = Client::new(false);
    let mut session = session_with(None, offer());
    let early = session.take(&client.announce(&stream(&[]))).unwrap();
    assert_eq!(status_of(&client, early), 455);
    let early = session.take(&client.request("PLAY /", "", "")).unwrap();
    assert_eq!(status_of(&client, early), 455);
    let other = session
        .take(&client.set_up("streamid=microphone/0/0"))
        .unwrap();
    assert_eq!(status_of(&client, other), 404);
    let other = session.take(&client.request("TEARDOWN /", "", "")).unwrap();
    assert_eq!(status_of(&client, other), 501);
    client.session = Some("another".to_owned());
    let other = session.take(&client.set_up("streamid=audio/0/0")).unwrap();
    assert_eq!(status_of(&client, other), 454);
}

#[test]
fn a_stream_that_could_not_start_may_be_announced_again() {
    let (mut client, mut session) = ready(offer());
    for status in [Status::Unavailable, Status::Ok] {
        let turn = session.take(&client.announce(&stream(&[]))).unwrap();
        let Turn::Announced { pending, .. } = turn else {
            panic!("{turn:?}");
        };
        session.answer(pending, status).unwrap();
    }
    let again = session.take(&client.announce(&stream(&[]))).unwrap();
    assert_eq!(status_of(&client, again), 455);
}

#[test]
fn a_sealed_session_takes_nothing_in_the_clear_nothing_twice_and_nothing_of_others() {
    let mut session = session_with(Some(KEY), offer());
    let mut plain = Client::new(false);
    let request = plain.request("OPTIONS /", "", "");
    assert!(matches!(
        session.message_length(&request),
        Err(Error::Unencrypted { .. })
    ));
    assert!(matches!(
        session.take(&request),
        Err(Error::Unencrypted { .. })
    ));

    let mut client = Client::new(true);
    let first = client.request("OPTIONS /", "", "");
    let mut forged = first.clone();
    forged[30] ^= 1;
    assert!(matches!(session.take(&forged), Err(Error::Forged { .. })));
    let reply = replied(session.take(&first).unwrap());
    client.read(&reply, 1);
    assert!(matches!(
        session.take(&first),
        Err(Error::Replayed { sequence: 41, .. })
    ));
    client.sequence -= 1;
    let same_number = client.request("OPTIONS /", "", "");
    assert!(matches!(
        session.take(&same_number),
        Err(Error::Replayed { .. })
    ));
    let next = client.request("OPTIONS /", "", "");
    client.read(&replied(session.take(&next).unwrap()), 2);
    // What the host said is not taken for what the client says.
    assert!(session.take(&reply).is_err());
}

#[test]
fn what_another_library_sealed_is_opened_and_what_the_host_seals_is_the_same() {
    let vectors = include_str!("../../tests/data/sealed.txt");
    let field = |name: &str| {
        let lines = vectors.lines().filter_map(|line| line.split_once('='));
        let mut lines = lines.filter(|(known, _)| *known == name);
        hex::decode(lines.next().unwrap().1).unwrap()
    };
    let key = StreamKey::new(field("key").try_into().unwrap());
    let mut session = session_with(Some(key), offer());
    let turn = session.take(&field("client_options_9")).unwrap();
    assert_eq!(replied(turn), field("host_options_1"));
}

#[test]
fn requests_without_end_are_refused_before_they_fill_memory() {
    let session = session_with(None, offer());
    let endless = vec![b'a'; MAX_HEAD_BYTES + 4];
    assert!(matches!(
        session.message_length(&endless),
        Err(Error::TooLong { .. })
    ));
    assert!(
        session
            .message_length(&endless[..MAX_HEAD_BYTES])
            .unwrap()
            .is_none()
    );
    let body = b"ANNOUNCE x RTSP/1.0\r\nCSeq: 1\r\nContent-length: 65537\r\n\r\n";
    assert!(matches!(
        session.message_length(body),
        Err(Error::TooLong { .. })
    ));
    let headers = format!("OPTIONS x RTSP/1.0\r\n{}\r\n", "a: b\r\n".repeat(40));
    assert!(session.message_length(headers.as_bytes()).is_err());
    let sealed = session_with(Some(KEY), offer());
    assert!(matches!(
        sealed.message_length(&[0xff, 0xff, 0xff, 0xff]),
        Err(Error::TooLong { .. })
    ));
    let attributes = "a=x:1\r\n".repeat(300);
    let mut offered = ready(offer());
    let turn = offered.1.take(&offered.0.announce(&attributes)).unwrap();
    assert!(matches!(turn, Turn::Refused { .. }));
}

#[test]
fn what_is_no_request_is_not_answered() {
    let mut session = session_with(None, offer());
    for text in [
        "",
        "\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\nCSeq: x\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nCSeq: 1\r\n\r\n",
        "OPTIONS RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        "OPTIONS / RTSP/1.0 x\r\nCSeq: 1\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\nCSeq: 1\r\nnothing\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\nCSeq: 1\r\n\r\nmore",
        "OPTIONS / RTSP/1.0\r\nCSeq: 1\r\nContent-length: -1\r\n\r\n",
        "OPTIONS / RTSP/1.0\r\nCSeq: 1\r\nContent-length: 5\r\n\r\nmore",
        "OPTIONS / RTSP/1.0\r\nCSeq: 1\r\n",
    ] {
        assert!(session.take(text.as_bytes()).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_calmly(bytes: Vec<u8>, text: String, sealed: bool) {
        let mut session = session_with(sealed.then_some(KEY), offer());
        let _ = session.message_length(&bytes);
        let _ = session.take(&bytes);
        let mut client = Client::new(sealed);
        let _ = session.take(&client.sealed(text.into_bytes()));
        let _ = session.take(&client.sealed(bytes));
    }

    #[test]
    fn any_attributes_are_read_or_refused(
        place in 0..STREAM.len(), value in "[-0-9a-z. ]{0,24}",
    ) {
        let name = STREAM[place].0;
        let _ = parsed(&[(name, Some(&value))]);
    }
}
