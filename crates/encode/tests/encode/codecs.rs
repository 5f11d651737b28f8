//! What FFmpeg's encoders must do in every codec they code here, judged by a decoder that takes one
//! access unit at a time and so shows any delay.

use crate::pictures::{Scene, psnr};
use crate::session::{Session, config};
use encode::h264::nal_units;
use encode::hevc::NalType;
use encode::{BACKENDS, EncoderConfig};
use ffi_ffmpeg::{Coding, Decoder};
use media::{AccessUnit, Bitrate, Codec, QualityProfile, Reference, Size};

/// Not a whole number of blocks of any codec, so that cropping is tested too.
const SIZE: Size = Size::new(320, 180);
/// What fits into the first packet of a client that asks for small ones.
const FIRST_PACKET: usize = 480;

/// The encoders of HEVC and AV1 that run here; those of H.264 have tests of their own.
fn encoders() -> Vec<(&'static str, EncoderConfig)> {
    let mut found = vec![];
    for backend in BACKENDS {
        for codec in backend.codecs.iter().filter(|codec| **codec != Codec::H264) {
            if (backend.probe)(*codec).is_ok() {
                let config = EncoderConfig {
                    codec: *codec,
                    size: SIZE,
                    threads: 2,
                    ..config()
                };
                found.push((backend.name, config));
            }
        }
    }
    found
}

fn decoder(codec: Codec) -> Decoder {
    let coding = match codec {
        Codec::H264 => Coding::H264,
        Codec::Hevc => Coding::Hevc,
        Codec::Av1 => Coding::Av1,
    };
    Decoder::open(coding).unwrap()
}

fn play(session: &mut Session, scene: Scene, times: std::ops::Range<u32>) -> Vec<AccessUnit> {
    let coded = times.map(|time| session.encode(&scene.i420(SIZE, time)));
    coded.collect()
}

/// Each unit must give its picture at once.
fn decode(decoder: &mut Decoder, unit: &AccessUnit) -> Vec<u8> {
    let picture = decoder.decode(&unit.data).unwrap();
    let picture = picture.expect("a picture from each unit");
    assert_eq!((picture.width, picture.height), (SIZE.width, SIZE.height));
    let colour = picture.colour;
    let signalled = (colour.primaries, colour.transfer, colour.matrix);
    assert_eq!((signalled, colour.full_range), ((1, 1, 1), false));
    picture.packed()
}

#[test]
fn software_encoders_of_hevc_and_av1_run_here() {
    let tested: Vec<_> = encoders().iter().map(|(_, config)| config.codec).collect();
    let known = encode::codecs();
    for codec in [Codec::Hevc, Codec::Av1] {
        assert!(
            tested.contains(&codec) && known.contains(&codec),
            "{codec}: {known:?}"
        );
    }
}

#[test]
fn every_unit_gives_its_picture_at_once_and_alike() {
    for (name, config) in encoders() {
        for profile in [QualityProfile::Latency, QualityProfile::Quality] {
            let config = EncoderConfig { profile, ..config };
            for (scene, least_db) in [(Scene::Text, 22.0), (Scene::Gradient, 32.0)] {
                let mut session = Session::open(name, &config);
                let mut decoder = decoder(config.codec);
                for (time, unit) in (0..).zip(play(&mut session, scene, 0..60)) {
                    assert_eq!(unit.is_keyframe(), time == 0, "{name} {time}");
                    assert_eq!((unit.codec, unit.size), (config.codec, SIZE));
                    let decoded = decode(&mut decoder, &unit);
                    let db = psnr(&decoded, scene.i420(SIZE, time).bytes());
                    // The first pictures share the bits of a few.
                    let least_db = if time < 10 { least_db - 4.0 } else { least_db };
                    assert!(
                        db > least_db,
                        "{name} {profile:?} {scene:?} {time}: {db} dB"
                    );
                }
            }
        }
    }
}

#[test]
fn decoding_can_start_at_a_keyframe_that_was_asked_for() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        let mut units = play(&mut session, Scene::Text, 0..20);
        for time in [20, 21] {
            let unit = session.request(&Scene::Text.i420(SIZE, time), true, None);
            assert!(unit.is_keyframe(), "{name} {time}");
            units.push(unit);
        }
        units.extend(play(&mut session, Scene::Text, 22..30));
        let mut first = decoder(config.codec);
        let all: Vec<_> = units.iter().map(|unit| decode(&mut first, unit)).collect();
        for start in [20, 21] {
            let mut late = decoder(config.codec);
            for (time, unit) in units.iter().enumerate().skip(start) {
                assert!(
                    decode(&mut late, unit) == all[time],
                    "{name} {time} from {start}"
                );
            }
        }
    }
}

#[test]
fn each_unit_names_the_picture_before_it() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        let units = play(&mut session, Scene::Gradient, 0..5);
        assert_eq!(units[0].reference, Reference::None);
        for pair in units.windows(2) {
            assert_eq!(pair[1].reference, Reference::Frame(pair[0].index), "{name}");
        }
        let caps = session.encoder.caps();
        assert!(!caps.invalidates_references && !caps.bitrate_without_keyframe);
    }
}

/// The rate of all but the first pictures, and the keyframes among all.
fn bits_a_second(session: &mut Session, times: std::ops::Range<u32>) -> (f64, usize) {
    let units = play(session, Scene::Noise, times);
    let keyframes = units.iter().filter(|unit| unit.is_keyframe()).count();
    let steady = &units[20..];
    let bytes: usize = steady.iter().map(|unit| unit.data.len()).sum();
    (bytes as f64 * 8.0 * 60.0 / steady.len() as f64, keyframes)
}

#[test]
fn the_bitrate_is_kept_and_follows_its_changes() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        let (before, keyframes) = bits_a_second(&mut session, 0..60);
        let before = before / f64::from(config.bitrate.bps());
        assert!(
            (0.6..1.2).contains(&before) && keyframes == 1,
            "{name}: {before} of the bitrate"
        );
        let lower = Bitrate::clamped(1_000_000);
        session.encoder.set_bitrate(lower).unwrap();
        let (after, keyframes) = bits_a_second(&mut session, 60..120);
        let after = after / f64::from(lower.bps());
        assert!(
            (0.6..1.3).contains(&after),
            "{name}: {after} of a third of the bitrate"
        );
        assert!(keyframes <= 1, "{name}: one change, one keyframe");
        // A raise too small for a keyframe waits for one.
        session
            .encoder
            .set_bitrate(Bitrate::clamped(1_050_000))
            .unwrap();
        assert!(!session.encode(&Scene::Noise.i420(SIZE, 120)).is_keyframe());
        assert!(
            session
                .request(&Scene::Noise.i420(SIZE, 121), true, None)
                .is_keyframe()
        );
    }
}

#[test]
fn a_keyframe_is_no_burst() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        play(&mut session, Scene::Text, 0..40);
        let unit = session.request(&Scene::Text.i420(SIZE, 40), true, None);
        let budget = f64::from(config.bitrate.bps()) / 60.0 / 8.0;
        let budgets = unit.data.len() as f64 / budget;
        assert!(budgets < 8.0, "{name}: {budgets} frames' worth");
    }
}

/// Clients find out what a picture is from its first packet.
#[test]
fn headers_and_the_start_of_the_picture_fit_into_the_first_packet() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        for time in 0..12 {
            let unit = session.request(&Scene::Text.i420(SIZE, time), time == 5, None);
            let picture_at = match config.codec {
                Codec::Av1 => av1_picture_at(&unit),
                _ => hevc_picture_at(&unit),
            };
            assert!(
                picture_at + 16 < FIRST_PACKET,
                "{name} {time}: {picture_at}"
            );
        }
    }
}

/// Where the first slice begins; nothing else but the parameter sets may come before it.
fn hevc_picture_at(unit: &AccessUnit) -> usize {
    assert!(unit.data.starts_with(&[0, 0, 0, 1]));
    let types: Vec<_> = nal_units(&unit.data).filter_map(NalType::of).collect();
    let (sets, slices) = types.split_at(if unit.is_keyframe() { 3 } else { 0 });
    assert_eq!(
        sets,
        &[NalType::VPS, NalType::SPS, NalType::PPS][..sets.len()]
    );
    let is_right = |kind: &NalType| kind.is_slice() && kind.is_idr() == unit.is_keyframe();
    assert!(
        !slices.is_empty() && slices.iter().all(is_right),
        "{types:?}"
    );
    let headers = nal_units(&unit.data).take(sets.len());
    headers.map(|nal| nal.len() + 4).sum()
}

/// Where the first frame begins, behind a temporal delimiter and, for keyframes, a sequence header.
fn av1_picture_at(unit: &AccessUnit) -> usize {
    const DELIMITER: u8 = 2;
    const SEQUENCE: u8 = 1;
    const FRAME: u8 = 6;
    const FRAME_HEADER: u8 = 3;
    let mut at = 0;
    let mut types = vec![];
    while at < unit.data.len() {
        let kind = unit.data[at] >> 3 & 15;
        assert_eq!(unit.data[at] & 0b110, 0b010, "a size and no extension");
        types.push(kind);
        if kind == FRAME || kind == FRAME_HEADER {
            break;
        }
        let size = unit.data[at + 1];
        assert!(size < 128, "short headers");
        at += 2 + usize::from(size);
    }
    types.pop();
    let wanted = if unit.is_keyframe() {
        &[DELIMITER, SEQUENCE][..]
    } else {
        &[DELIMITER]
    };
    assert_eq!(types, wanted);
    at
}

#[test]
fn pictures_of_another_shape_get_bars() {
    for (name, config) in encoders() {
        let mut session = Session::open(name, &config);
        let square = Size::new(400, 400);
        let unit = session.encode(&Scene::Gradient.bgrx(square, 0));
        let decoded = decode(&mut decoder(config.codec), &unit);
        let fit = media::Fit::new(square, SIZE);
        let row = &decoded[90 * SIZE.width as usize..][..SIZE.width as usize];
        let (left, right) = (fit.x as usize, (fit.x + fit.size.width) as usize);
        for luma in row[..left - 4].iter().chain(&row[right + 4..]) {
            assert!(luma.abs_diff(16) < 12, "{name}: {luma}");
        }
    }
}

#[test]
fn odd_sizes_and_foreign_codecs_are_explained() {
    for (name, config) in encoders() {
        let open = |config: &EncoderConfig| {
            let backend = BACKENDS
                .iter()
                .find(|backend| backend.name == name)
                .unwrap();
            (backend.open)(config).err().unwrap().to_string()
        };
        let odd = open(&EncoderConfig {
            size: Size::new(33, 17),
            ..config
        });
        assert!(odd.contains(name) && odd.contains("33x17"), "{odd}");
        let foreign = Codec::ALL.into_iter().find(|codec| {
            let backend = BACKENDS
                .iter()
                .find(|backend| backend.name == name)
                .unwrap();
            !backend.codecs.contains(codec)
        });
        if let Some(codec) = foreign {
            let error = open(&EncoderConfig { codec, ..config });
            assert!(error.contains("does not code"), "{error}");
        }
    }
}
