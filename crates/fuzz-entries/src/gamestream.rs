//! Entries for what Moonlight clients send. What is sealed on the wire is sealed here with a known key,
//! because no fuzzer guesses a tag.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use gamestream_proto::constants::Ports;
use gamestream_proto::control::{ClientMessage, ControlOpener, HostMessage};
use gamestream_proto::control::{ControlSealer, Termination};
use gamestream_proto::http::{CodecMode, CodecSupport, PairRequest, Request};
use gamestream_proto::input::{InputPacket, Lane};
use gamestream_proto::pairing::{
    ClientCertificate, HostChoices, HostIdentity, MAX_PAIRINGS, PairingDesk,
};
use gamestream_proto::rtsp::{
    EncryptionPolicy, HostOffer, RtspSession, RtspSetup, Status, Turn, Want,
};
use gamestream_proto::{Error, StreamKey};
use media::MonoTime;
use std::net::{IpAddr, Ipv4Addr};
use std::str::from_utf8;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

const KEY: [u8; 16] = *b"0123456789:;<=>?";

/// The target of a request.
pub(crate) fn http(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    if let Ok(Request::Launch(launch)) = Request::parse(text) {
        assert!(launch.app_id >= 0 && launch.mode.size.checked().is_ok());
    }
}

static HOST: LazyLock<Option<Arc<HostIdentity>>> = LazyLock::new(|| {
    let pem = HostIdentity::generate(UNIX_EPOCH + Duration::from_secs(1 << 30)).ok()?;
    HostIdentity::from_pem(&pem).ok().map(Arc::new)
});

/// A line a request, half a second apart; whoever asks gets a PIN. Or a certificate.
pub(crate) fn pairing(bytes: &[u8]) {
    let _ = ClientCertificate::from_pem(bytes);
    let (Ok(text), Some(host)) = (from_utf8(bytes), &*HOST) else {
        return;
    };
    let choices = HostChoices {
        secret: [1; 16],
        challenge: [2; 16],
    };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut desk = PairingDesk::new(host.clone());
    let mut now = MonoTime::from_nanos(1 << 40);
    for line in text.lines().take(64) {
        now = now + Duration::from_millis(500);
        match Request::parse(line) {
            Ok(Request::Pair(PairRequest::Certificate(request))) => {
                if let Ok(id) = desk.ask(&request, address, now) {
                    let _ = desk.enter_pin("1234", Some(id), None, now);
                }
            }
            Ok(Request::Pair(step)) => {
                // Nobody here knows what the PIN hashes to.
                let proceeded = desk.proceed(&step, address, choices, now);
                assert!(proceeded.paired.is_none());
            }
            Ok(Request::Unpair) => desk.abandon(address, now),
            _ => {}
        }
        while desk.next_answer().is_some() {}
        while desk.next_failure().is_some() {}
        assert!(desk.pending().count() <= MAX_PAIRINGS);
    }
}

fn session(key: Option<StreamKey>) -> Option<RtspSession> {
    let offer = HostOffer {
        pen_and_touch: true,
        controller_touch: true,
        encryption: EncryptionPolicy {
            audio: Want::Offered,
            video: Some(Want::Offered),
        },
        reference_invalidation: true,
        codecs: CodecSupport::from_iter(CodecMode::ALL),
    };
    let setup = RtspSetup {
        key,
        ports: Ports::default(),
        offer,
        ping: 1,
        connect_data: 2,
        session_id: 3,
    };
    RtspSession::new(setup).ok()
}

/// Takes a message and answers a stream that is asked for.
fn take(session: &mut RtspSession, message: &[u8]) -> Result<(), Error> {
    if let Turn::Announced { request, pending } = session.take(message)? {
        assert!(request.video.codec_mode().is_some() && request.encryption.control);
        session.answer(pending, Status::Ok)?;
    }
    Ok(())
}

/// Messages one after the other, as if each had a connection of its own.
pub(crate) fn rtsp(mut bytes: &[u8]) {
    let Some(mut session) = session(None) else {
        return;
    };
    while let Ok(Some(length)) = session.message_length(bytes) {
        let (message, rest) = bytes.split_at(length);
        let _ = take(&mut session, message);
        bytes = rest;
    }
}

fn sealed(nonce: [u8; 12], text: &[u8]) -> Option<([u8; 16], Vec<u8>)> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY).ok()?);
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut text);
    Some((tag.ok()?.as_ref().try_into().ok()?, text))
}

fn nonce(sequence: u32, channel: u8) -> [u8; 12] {
    let [a, b, c, d] = sequence.to_le_bytes();
    [a, b, c, d, 0, 0, 0, 0, 0, 0, b'C', channel]
}

/// The bytes as a frame; and as messages in the clear, which are then sealed.
pub(crate) fn rtsp_encrypted(bytes: &[u8]) {
    let key = Some(StreamKey::new(KEY));
    let (Some(mut session), Some(mut clear)) = (session(key), session(None)) else {
        return;
    };
    if let Ok(Some(length)) = session.message_length(bytes) {
        let _ = take(&mut session, &bytes[..length]);
    }
    let _ = take(&mut session, bytes);
    let mut rest = bytes;
    for sequence in 100.. {
        let whole = clear.message_length(rest).ok().flatten();
        let (message, after) = rest.split_at(whole.unwrap_or(rest.len()));
        let Some((tag, text)) = sealed(nonce(sequence, b'R'), message) else {
            return;
        };
        let kind = 0x8000_0000 | u32::try_from(text.len()).unwrap_or(0);
        let head = [kind.to_be_bytes(), sequence.to_be_bytes()].concat();
        let frame = [&head[..], &tag, &text].concat();
        let sealed = take(&mut session, &frame);
        assert_eq!(sealed.is_ok(), take(&mut clear, message).is_ok());
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

/// The bytes as a packet; and as messages, each behind its length, which are then sealed.
pub(crate) fn control(bytes: &[u8]) {
    let key = StreamKey::new(KEY);
    let (Ok(mut opener), Ok(mut sealer)) = (ControlOpener::new(&key), ControlSealer::new(&key))
    else {
        return;
    };
    let _ = opener.open(bytes);
    let mut rest = bytes;
    for sequence in 100_000_u32.. {
        let Some((length, after)) = rest.split_first_chunk() else {
            break;
        };
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (message, after) = after.split_at(length);
        rest = after;
        let (kind, payload) = message.split_at(message.len().min(2));
        let payload_bytes = u16::try_from(payload.len()).unwrap_or(0);
        let text = [kind, &payload_bytes.to_le_bytes(), payload].concat();
        let Some((tag, text)) = sealed(nonce(sequence, b'C'), &text) else {
            return;
        };
        let outer = u16::try_from(text.len() + 20).unwrap_or(0);
        let head = [[1, 0], outer.to_le_bytes()].concat();
        let packet = [&head[..], &sequence.to_le_bytes(), &tag, &text].concat();
        if let Ok(ClientMessage::LostFrames(lost)) = opener.open(&packet) {
            assert!(lost.first <= lost.last);
        }
        assert!(opener.open(&packet).is_err(), "taken twice");
    }
    let mut packet = Vec::new();
    let end = HostMessage::Termination(Termination::Graceful);
    assert!(sealer.seal(&end, &mut packet).is_ok() && opener.open(&packet).is_err());
}

/// The payload of an input message.
pub(crate) fn input(bytes: &[u8]) {
    if let Ok(packet) = InputPacket::parse(bytes) {
        assert!(Lane::of(&packet).is_none_or(|lane| lane.index() < Lane::COUNT));
    }
}
