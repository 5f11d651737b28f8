//! What every H.264 encoder of the build that runs here must do.

use crate::ffmpeg::{Headers, decode};
use crate::pictures::{Scene, psnr};
use crate::session::{SIZE, Session, config, stream};
use encode::h264::{NalType, nal_units};
use encode::{BACKENDS, Backend, EncoderConfig};
use media::{Bitrate, Codec, QualityProfile, Reference, Size};

/// The configurations in which people run an encoder.
fn configurations() -> Vec<EncoderConfig> {
    let mut all = vec![];
    for profile in [QualityProfile::Latency, QualityProfile::Quality] {
        for threads in [1, 2] {
            all.push(EncoderConfig {
                profile,
                threads,
                ..config()
            });
        }
    }
    all
}

fn h264_backends() -> impl Iterator<Item = &'static Backend> {
    let codes = |backend: &&Backend| backend.codecs.contains(&Codec::H264);
    let runs = |backend: &&Backend| (backend.probe)(Codec::H264).is_ok();
    BACKENDS.iter().filter(codes).filter(runs)
}

fn types(data: &[u8]) -> Vec<NalType> {
    nal_units(data).filter_map(NalType::of).collect()
}

#[test]
fn pictures_come_back_alike_from_another_decoder() {
    for backend in h264_backends() {
        for config in configurations() {
            for (scene, least_db) in [(Scene::Text, 25.0), (Scene::Gradient, 34.0)] {
                let mut session = Session::open(backend.name, &config);
                let units: Vec<_> = (0..20)
                    .map(|t| session.encode(&scene.bgrx(SIZE, t)))
                    .collect();
                let decoded = decode(&stream(&units), SIZE);
                assert_eq!(decoded.len(), units.len());
                let likeness =
                    |time: usize| psnr(&decoded[time], scene.i420(SIZE, time as u32).bytes());
                for time in [0, 10, 19] {
                    let db = likeness(time);
                    assert!(
                        db > least_db,
                        "{} {scene:?} {time} {config}: {db}",
                        backend.name
                    );
                }
            }
        }
    }
}

#[test]
fn planar_frames_code_like_packed_ones() {
    for backend in h264_backends() {
        let mut session = Session::open(backend.name, &config());
        let units = session.play(Scene::Gradient, 0..4);
        let decoded = decode(&stream(&units), SIZE);
        let last = psnr(&decoded[3], Scene::Gradient.i420(SIZE, 3).bytes());
        assert!(last > 34.0, "{}: {last}", backend.name);
    }
}

#[test]
fn keyframes_come_on_request_with_parameter_sets_and_only_then() {
    for backend in h264_backends() {
        for config in configurations() {
            let mut session = Session::open(backend.name, &config);
            for time in 0..12 {
                let asked = time == 5 || time == 6 || time == 10;
                let unit = session.request(&Scene::Text.i420(SIZE, time), asked, None);
                let keyframe = asked || time == 0;
                assert_eq!(unit.is_keyframe(), keyframe, "{} at {time}", backend.name);
                let types = types(&unit.data);
                let starts = types.starts_with(&[NalType::SPS, NalType::PPS, NalType::IDR_SLICE]);
                assert_eq!(starts, keyframe, "{}: {types:?}", backend.name);
                let slice = if keyframe {
                    NalType::IDR_SLICE
                } else {
                    NalType::SLICE
                };
                let slices = types.iter().filter(|kind| **kind == slice).count();
                let parameter_sets = if keyframe { 2 } else { 0 };
                assert!(slices >= 1, "{}", backend.name);
                assert_eq!(
                    types.len(),
                    slices + parameter_sets,
                    "nothing else: {types:?}"
                );
            }
        }
    }
}

#[test]
fn each_unit_names_the_picture_it_refers_to() {
    for backend in h264_backends() {
        let mut session = Session::open(backend.name, &config());
        let units = session.play(Scene::Text, 0..6);
        assert_eq!(units[0].reference, Reference::None);
        for pair in units.windows(2) {
            assert_eq!(pair[1].reference, Reference::Frame(pair[0].index));
            assert_eq!(pair[1].size, SIZE);
        }
    }
}

#[test]
fn the_stream_signals_its_colours_and_that_nothing_is_reordered() {
    for backend in h264_backends() {
        let mut session = Session::open(backend.name, &config());
        let headers = Headers::of(&stream(&session.play(Scene::Text, 0..3)));
        let expected = [
            ("colour_primaries", 1),
            ("transfer_characteristics", 1),
            ("matrix_coefficients", 1),
            ("video_full_range_flag", 0),
            ("max_num_reorder_frames", 0),
        ];
        for (field, value) in expected {
            assert_eq!(headers.one(field), value, "{}: {field}", backend.name);
        }
    }
}

#[test]
fn a_new_bitrate_shows_in_the_next_pictures_without_a_keyframe() {
    for backend in h264_backends() {
        let mut session = Session::open(backend.name, &config());
        let size =
            |units: &[media::AccessUnit]| units.iter().map(|unit| unit.data.len()).sum::<usize>();
        let mut play = |times, bitrate: Option<u64>| {
            if let Some(bps) = bitrate {
                session
                    .encoder
                    .set_bitrate(Bitrate::new(bps).unwrap())
                    .unwrap();
            }
            let units: Vec<_> = session.play(Scene::Noise, times);
            assert!(bitrate.is_none() || units.iter().all(|unit| !unit.is_keyframe()));
            size(&units[10..])
        };
        let before = play(0..40, None);
        let less = play(40..80, Some(1_500_000));
        let more = play(80..120, Some(6_000_000));
        let ratio = less as f64 / before as f64;
        assert!(
            (0.35..0.7).contains(&ratio),
            "{}: {before} then {less}",
            backend.name
        );
        let ratio = more as f64 / less as f64;
        assert!(
            (2.5..6.0).contains(&ratio),
            "{}: {less} then {more}",
            backend.name
        );
    }
}

#[test]
fn frames_of_another_size_are_scaled_into_the_same_stream() {
    let double = Size::new(SIZE.width * 2, SIZE.height * 2);
    for backend in h264_backends() {
        let mut session = Session::open(backend.name, &config());
        let units = [
            session.encode(&Scene::Gradient.i420(SIZE, 0)),
            session.encode(&Scene::Gradient.bgrx(double, 0)),
            session.encode(&Scene::Still.i420(SIZE, 0)),
        ];
        let keyframes = units.each_ref().map(|unit| unit.is_keyframe());
        assert_eq!(keyframes, [true, false, false], "{}", backend.name);
        assert!(units.iter().all(|unit| unit.size == SIZE));
        let decoded = decode(&stream(&units), SIZE);
        let mut shrunk = vec![0; SIZE.pixels() as usize];
        let large = Scene::Gradient.i420(double, 0);
        for (place, luma) in shrunk.iter_mut().enumerate() {
            let (x, y) = (place % SIZE.width as usize, place / SIZE.width as usize);
            *luma = large.bytes()[2 * y * large.stride + 2 * x];
        }
        let luma = &decoded[1][..shrunk.len()];
        let db = psnr(luma, &shrunk);
        assert!(db > 30.0, "{}: {db} dB", backend.name);
    }
}

#[test]
fn sizes_no_encoder_can_have_are_explained() {
    for backend in h264_backends() {
        let config = EncoderConfig {
            size: Size::new(33, 17),
            ..config()
        };
        let error = (backend.open)(&config)
            .err()
            .expect("odd sizes do not open")
            .to_string();
        assert!(
            error.contains(backend.name) && error.contains("33x17"),
            "{error}"
        );
    }
}
