//! Both ends of the control stream: a model of the client seals, another library's vectors open, and
//! nothing is taken twice.

use super::*;
use crate::input::encode::encode;
use crate::input::{InputPacket, Key, Modifiers, RelativeMouse, Sensor};
use crate::seal::{Channel, Origin, Seal, Sealed, TAG_BYTES};
use crate::video::FrameFecStatus;
use crate::{Error, StreamKey, hex};
use proptest::prelude::*;

const KEY: StreamKey = StreamKey::new([9; 16]);

/// As `encryptControlMessage` in ControlStream.c.
fn sealed(sequence: u32, kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut text = [&kind.to_le_bytes(), &length.to_le_bytes(), payload].concat();
    let seal = Seal::new(&KEY, Channel::Control).unwrap();
    let tag = seal.seal(Origin::Client, sequence, &mut text).unwrap();
    let outer = (4 + TAG_BYTES + text.len()) as u16;
    [
        &[1, 0],
        &outer.to_le_bytes()[..],
        &sequence.to_le_bytes(),
        &tag,
        &text,
    ]
    .concat()
}

fn ping(sequence: u32) -> Vec<u8> {
    sealed(sequence, 0x0200, &[4, 0, 0, 0, 0, 0, 0, 0])
}

fn input(sequence: u32, packet: InputPacket) -> Vec<u8> {
    sealed(sequence, 0x0206, &encode(&packet))
}

fn opener() -> ControlOpener {
    ControlOpener::new(&KEY).unwrap()
}

fn key_event(down: bool) -> InputPacket {
    let key = Key {
        virtual_key: 0x41,
        modifiers: Modifiers::default(),
        by_letter: false,
    };
    if down {
        InputPacket::KeyDown(key)
    } else {
        InputPacket::KeyUp(key)
    }
}

const MOVED: InputPacket = InputPacket::MouseMove(RelativeMouse { dx: 1, dy: 1 });

#[test]
fn each_message_of_a_client_is_understood() {
    let mut opener = opener();
    let mut take =
        |sequence, kind, payload: &[u8]| opener.open(&sealed(sequence, kind, payload)).unwrap();
    assert_eq!(take(0, 0x0302, &[0, 0]), ClientMessage::RequestKeyframe);
    assert_eq!(take(1, 0x0307, &[0]), ClientMessage::StartB);
    let lost: Vec<u8> = [7_u32, 0, 9, 0, 0, 0].map(u32::to_le_bytes).concat();
    assert_eq!(
        take(2, 0x0301, &lost),
        ClientMessage::LostFrames(LostFrames { first: 7, last: 9 })
    );
    assert_eq!(take(3, 0x0200, &[0; 8]), ClientMessage::Ping);
    assert_eq!(
        take(4, 0x0206, &encode(&MOVED)),
        ClientMessage::Input(MOVED)
    );
    assert_eq!(
        take(5, 0x0350, &[1, 2, 0, 0, 0, 0, 0, 0]),
        ClientMessage::LongTermFrameReceived { frame_index: 0x201 }
    );
    let stats = [0_u32, 50, 1000, 8, 1, 0, 0, 0x14].map(u32::to_le_bytes);
    assert_eq!(
        take(6, 0x0201, &stats.concat()),
        ClientMessage::Loss(LossStats {
            interval_ms: 50,
            last_good_frame: 0x1_0000_0008,
        })
    );
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
    let mut opener = ControlOpener::new(&key).unwrap();
    let mut open = |name: &str| opener.open(&field(name)).unwrap();
    assert_eq!(open("client_idr_0"), ClientMessage::RequestKeyframe);
    let lost = LostFrames {
        first: 100,
        last: 104,
    };
    assert_eq!(open("client_rfi_2"), ClientMessage::LostFrames(lost));
    assert_eq!(
        open("client_fec_3"),
        ClientMessage::FrameFec(FrameFecStatus {
            frame: 77,
            highest_sequence: 60_000,
            next_contiguous_sequence: 59_998,
            missing: 2,
            data: 40,
            parity: 8,
            received_data: 39,
            received_parity: 7,
            percent: 20,
            block: 1,
            blocks: 2,
        })
    );
    assert_eq!(open("client_ping_70000"), ClientMessage::Ping);

    let mut sealer = ControlSealer::new(&key).unwrap();
    let mut packet = Vec::new();
    let rumble = HostMessage::Rumble(Rumble {
        number: 1,
        low: 0x8000,
        high: 0xffff,
    });
    sealer.seal(&rumble, &mut packet).unwrap();
    assert_eq!(packet, field("host_rumble_0"));
    let end = HostMessage::Termination(Termination::Graceful);
    sealer.seal(&end, &mut packet).unwrap();
    assert_eq!(packet, field("host_end_1"));
}

#[test]
fn no_message_is_taken_twice() {
    let mut opener = opener();
    for sequence in [0, 1, 2, 700, 5] {
        opener.open(&ping(sequence)).unwrap();
    }
    for sequence in [0, 1, 2, 700, 5] {
        assert!(matches!(
            opener.open(&ping(sequence)),
            Err(Error::Replayed { sequence: again, .. }) if again == sequence
        ));
    }
}

#[test]
fn what_is_too_old_to_know_is_refused() {
    let mut opener = opener();
    opener.open(&ping(100_000)).unwrap();
    assert!(opener.open(&ping(100_000 - 65_536)).is_err());
    assert!(opener.open(&ping(100_000 - 65_535)).is_ok());
}

#[test]
fn a_key_that_was_overtaken_by_its_release_does_not_stick() {
    let mut opener = opener();
    opener.open(&input(6, key_event(false))).unwrap();
    let late = opener.open(&input(5, key_event(true)));
    assert!(matches!(late, Err(Error::Replayed { .. })), "{late:?}");
}

#[test]
fn lanes_overtake_each_other_and_reports_have_no_order() {
    let mut opener = opener();
    opener.open(&input(10, MOVED)).unwrap();
    opener.open(&input(4, key_event(true))).unwrap();
    opener.open(&sealed(12, 0x5502, &[0; 21])).unwrap();
    opener.open(&sealed(11, 0x5502, &[0; 21])).unwrap();
    opener.open(&ping(3)).unwrap();
    opener.open(&sealed(0, 0x0302, &[0, 0])).unwrap();
    opener
        .open(&input(2, InputPacket::EnableHaptics(true)))
        .unwrap();
}

#[test]
fn a_changed_message_is_forged_and_changes_nothing() {
    let mut opener = opener();
    let genuine = ping(7);
    for place in 4..genuine.len() {
        let mut forged = genuine.clone();
        forged[place] ^= 1;
        assert!(
            matches!(opener.open(&forged), Err(Error::Forged { .. })),
            "byte {place}"
        );
    }
    opener.open(&genuine).unwrap();
}

#[test]
fn what_the_host_sealed_is_not_taken_back() {
    let mut packet = Vec::new();
    let end = HostMessage::Termination(Termination::Graceful);
    let mut sealer = ControlSealer::new(&KEY).unwrap();
    sealer.seal(&end, &mut packet).unwrap();
    assert!(matches!(opener().open(&packet), Err(Error::Forged { .. })));
}

#[test]
fn plain_text_and_other_lengths_are_refused() {
    let mut opener = opener();
    assert!(matches!(
        opener.open(&[0x02, 0x03, 2, 0, 0, 0]),
        Err(Error::Unencrypted { .. })
    ));
    let genuine = ping(0);
    for cut in 0..genuine.len() {
        assert!(opener.open(&genuine[..cut]).is_err());
    }
    let longer = [&genuine[..], &[0]].concat();
    assert!(opener.open(&longer).is_err());
    let huge = sealed(0, 0x0206, &[0; 1100]);
    assert!(matches!(opener.open(&huge), Err(Error::TooLong { .. })));
    opener.open(&genuine).unwrap();
}

#[test]
fn messages_of_unknown_kinds_are_left_out_and_those_of_wrong_lengths_refused() {
    let mut opener = opener();
    let error = opener.open(&sealed(0, 0x5599, &[1])).unwrap_err();
    assert!(error.is_ignorable(), "{error}");
    let error = opener
        .open(&sealed(1, 0x0206, &encode(&MOVED)[..8]))
        .unwrap_err();
    assert!(!error.is_ignorable(), "{error}");
    let backwards: Vec<u8> = [9_u32, 0, 7, 0, 0, 0].map(u32::to_le_bytes).concat();
    for (sequence, kind, payload) in [
        (2, 0x0200, &[0; 7][..]),
        (3, 0x0301, &backwards),
        (4, 0x5502, &[0; 20]),
        (5, 0x0302, &[]),
    ] {
        let error = opener.open(&sealed(sequence, kind, payload)).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{kind:#x}");
    }
}

/// Opens as the client does, and returns kind and payload.
fn open_as_client(sequence: u32, packet: &[u8]) -> (u16, Vec<u8>) {
    assert_eq!(packet[..2], [1, 0]);
    let length = u16::from_le_bytes([packet[2], packet[3]]);
    assert_eq!(usize::from(length), packet.len() - 4);
    assert_eq!(packet[4..8], sequence.to_le_bytes());
    let seal = Seal::new(&KEY, Channel::Control).unwrap();
    let sealed = Sealed {
        tag: &packet[8..24],
        text: &packet[24..],
    };
    let mut plain = vec![0; packet.len() - 24];
    seal.open(Origin::Host, sequence, sealed, &mut plain)
        .unwrap();
    let inner = u16::from_le_bytes([plain[2], plain[3]]);
    assert_eq!(usize::from(inner), plain.len() - 4);
    (
        u16::from_le_bytes([plain[0], plain[1]]),
        plain[4..].to_vec(),
    )
}

#[test]
fn each_message_of_the_host_is_laid_out_as_the_client_reads_it() {
    let effect = |kind| TriggerEffect {
        kind,
        parameters: [kind; 10],
    };
    let triggers = [&[2, 0, 4, 0, 9][..], &[0; 10], &[9; 10]].concat();
    let messages = [
        (
            HostMessage::TriggerRumble(TriggerRumble {
                number: 2,
                left: 0x102,
                right: 3,
            }),
            (0x5500, vec![2, 0, 2, 1, 3, 0]),
        ),
        (
            HostMessage::MotionRequest(MotionRequest {
                number: 1,
                sensor: Sensor::Gyroscope,
                rate_hz: 250,
            }),
            (0x5501, vec![1, 0, 250, 0, 2]),
        ),
        (
            HostMessage::Led(Led {
                number: 1,
                rgb: [1, 2, 3],
            }),
            (0x5502, vec![1, 0, 1, 2, 3]),
        ),
        (
            HostMessage::AdaptiveTriggers(AdaptiveTriggers {
                number: 2,
                left: None,
                right: Some(effect(9)),
            }),
            (0x5503, triggers),
        ),
        (
            HostMessage::Termination(Termination::ProtectedContent),
            (0x0109, vec![0x80, 0x0e, 0x93, 0x02]),
        ),
        (
            HostMessage::Termination(Termination::ConversionFailed),
            (0x0109, vec![0x80, 0x0e, 0x94, 0x03]),
        ),
    ];
    let mut sealer = ControlSealer::new(&KEY).unwrap();
    let mut packet = Vec::new();
    for (sequence, (message, laid_out)) in messages.into_iter().enumerate() {
        sealer.seal(&message, &mut packet).unwrap();
        assert_eq!(open_as_client(sequence as u32, &packet), laid_out);
    }
}

#[test]
fn high_dynamic_range_is_told_in_the_order_of_the_client() {
    let colour = |x, y| Chromaticity { x, y };
    let mode = HdrMode {
        enabled: true,
        metadata: HdrMetadata {
            primaries: [colour(1, 2), colour(3, 4), colour(5, 6)],
            white: colour(7, 8),
            max_display_nits: 9,
            min_display_ten_thousandth_nits: 10,
            max_content_nits: 11,
            max_frame_average_nits: 12,
            max_full_frame_nits: 13,
        },
    };
    let mut packet = Vec::new();
    let mut sealer = ControlSealer::new(&KEY).unwrap();
    sealer.seal(&HostMessage::Hdr(mode), &mut packet).unwrap();
    let mut laid_out = vec![1];
    laid_out.extend((1..=13_u16).flat_map(u16::to_le_bytes));
    assert_eq!(open_as_client(0, &packet), (0x010e, laid_out));
}

#[test]
fn sealing_into_a_used_buffer_takes_no_memory() {
    let mut packet = Vec::with_capacity(128);
    let before = packet.as_ptr();
    let mut sealer = ControlSealer::new(&KEY).unwrap();
    for low in 0..100 {
        let rumble = Rumble {
            number: 0,
            low,
            high: 0,
        };
        sealer
            .seal(&HostMessage::Rumble(rumble), &mut packet)
            .unwrap();
    }
    assert_eq!(packet.as_ptr(), before);
}

proptest! {
    #[test]
    fn input_comes_out_as_it_went_in(packets in proptest::collection::vec(crate::input::tests::packet(), 1..40)) {
        let mut opener = opener();
        for (sequence, packet) in packets.into_iter().enumerate() {
            let sent = input(sequence as u32, packet);
            prop_assert_eq!(opener.open(&sent).unwrap(), ClientMessage::Input(packet));
            prop_assert!(opener.open(&sent).is_err());
        }
    }

    #[test]
    fn any_bytes_are_refused_calmly(bytes: Vec<u8>, kind: u16, payload: Vec<u8>) {
        let mut opener = opener();
        let _ = opener.open(&bytes);
        let _ = opener.open(&sealed(0, kind, &payload));
    }
}
