//! What the x264 encoder's headers say, as FFmpeg reads them.

use crate::ffmpeg::{Headers, decode};
use crate::pictures::Scene;
use crate::session::{SIZE, Session, config, stream};
use encode::EncoderConfig;
use encode::h264::{NalType, nal_units};
use media::{QualityProfile, Size};

#[test]
fn pictures_are_counted_in_16_bits_without_gaps() {
    // Cuts at a low bitrate: pictures are thrown away and coded again, which nobody may see.
    let bitrate = "500k".parse().unwrap();
    for threads in [1, 2] {
        let mut session = Session::open(
            "x264",
            &EncoderConfig {
                bitrate,
                threads,
                ..config()
            },
        );
        let scenes = [Scene::Still, Scene::Noise, Scene::Gradient, Scene::Text];
        let units: Vec<_> = (0..80)
            .map(|time| session.encode(&scenes[time as usize / 5 % 4].i420(SIZE, time)))
            .collect();
        let headers = Headers::of(&stream(&units));
        assert_eq!(headers.one("log2_max_frame_num_minus4"), 12);
        let mut numbers = headers.all("frame_num");
        assert_eq!(numbers.len(), 80 * threads, "one slice a thread");
        numbers.dedup();
        assert_eq!(numbers, (0..80).collect::<Vec<_>>());
        assert_eq!(decode(&stream(&units), SIZE).len(), 80);
    }
}

#[test]
fn keyframes_in_a_row_are_told_apart() {
    let mut session = Session::open("x264", &config());
    let units: Vec<_> = (0..6)
        .map(|time| session.request(&Scene::Text.i420(SIZE, time), true, None))
        .collect();
    let ids = Headers::of(&stream(&units)).all("idr_pic_id");
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
}

#[test]
fn the_level_covers_the_pictures_kept() {
    /// Levels with the macroblocks their decoded picture buffer holds (table A-1 of H.264).
    const BUFFERS: [(i64, u32); 9] = [
        (30, 8_100),
        (31, 18_000),
        (32, 20_480),
        (40, 32_768),
        (41, 32_768),
        (42, 34_816),
        (50, 110_400),
        (51, 184_320),
        (52, 184_320),
    ];
    for (size, pictures) in [
        (Size::new(1280, 720), 4),
        (Size::new(1280, 720), 16),
        (Size::new(1920, 1080), 8),
        (Size::new(1920, 1080), 16),
    ] {
        let config = EncoderConfig {
            size,
            reference_pictures: pictures,
            ..config()
        };
        let mut session = Session::open("x264", &config);
        assert_eq!(session.encoder.caps().reference_pictures, pictures);
        let headers = Headers::of(&session.encode(&Scene::Still.i420(size, 0)).data);
        assert_eq!(headers.one("max_num_ref_frames"), pictures as i64);
        assert_eq!(headers.one("max_dec_frame_buffering"), pictures as i64);
        let level = headers.one("level_idc");
        let (_, buffer) = BUFFERS
            .into_iter()
            .find(|(idc, _)| *idc == level)
            .expect("a known level");
        let macroblocks = size.width.div_ceil(16) * size.height.div_ceil(16);
        assert!(
            buffer >= macroblocks * pictures as u32,
            "{size} x {pictures}: level {level}"
        );
    }
}

#[test]
fn odd_requests_for_reference_pictures_are_brought_into_range() {
    for (asked, got) in [(0, 2), (1, 2), (16, 16), (400, 16)] {
        let config = EncoderConfig {
            reference_pictures: asked,
            ..config()
        };
        let session = Session::open("x264", &config);
        assert_eq!(session.encoder.caps().reference_pictures, got);
    }
}

#[test]
fn both_profiles_use_cabac_and_one_reference() {
    for profile in [QualityProfile::Latency, QualityProfile::Quality] {
        let mut session = Session::open(
            "x264",
            &EncoderConfig {
                profile,
                ..config()
            },
        );
        let headers = Headers::of(&stream(&session.play(Scene::Text, 0..3)));
        assert_eq!(headers.one("entropy_coding_mode_flag"), 1);
        assert_eq!(headers.one("num_ref_idx_l0_default_active_minus1"), 0);
        assert_eq!(headers.one("pic_order_cnt_type"), 2);
    }
}

#[test]
fn pictures_are_cut_into_as_many_slices_as_asked() {
    for (threads, slices, wanted) in [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 1, 2), (2, 3, 3)] {
        let config = EncoderConfig {
            threads,
            slices,
            ..config()
        };
        let mut session = Session::open("x264", &config);
        for unit in session.play(Scene::Text, 0..3) {
            let types = nal_units(&unit.data).filter_map(NalType::of);
            let counted = types.filter(|kind| kind.is_slice()).count();
            assert_eq!(counted, wanted, "{config}");
        }
    }
}
