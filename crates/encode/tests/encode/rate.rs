//! The sizes of the x264 encoder's pictures, and how a still screen gets sharp.

use crate::ffmpeg::decode;
use crate::pictures::{Scene, psnr};
use crate::session::{SIZE, Session, config, stream};
use encode::EncoderConfig;
use media::AccessUnit;

/// Bytes below which no picture is worth coding again.
const SMALL: f64 = 2400.0;

/// Bytes of one frame at a configuration's bitrate.
fn budget(config: &EncoderConfig) -> f64 {
    f64::from(config.bitrate.bps()) / f64::from(config.rate.fps()) / 8.0
}

#[test]
fn no_picture_bursts_whatever_is_cut_to_whatever() {
    for (bitrate, threads) in [("3M", 1), ("3M", 2), ("8M", 1), ("1M", 1)] {
        let bitrate = bitrate.parse().unwrap();
        let config = EncoderConfig {
            bitrate,
            threads,
            ..config()
        };
        let mut session = Session::open("x264", &config);
        let scenes = [
            Scene::Still,
            Scene::Text,
            Scene::Gradient,
            Scene::Still,
            Scene::Gradient,
        ];
        let mut last = None;
        for time in 0..100 {
            let scene = scenes[time as usize / 9 % scenes.len()];
            let unit = session.request(&scene.i420(SIZE, time), time == 50, None);
            let bytes = unit.data.len() as f64;
            let coarsest = unit.quantiser == Some(51);
            // A finer picture of the same screen may take more when it would never get sharp else.
            let large = unit.is_keyframe() || unit.quantiser < last;
            let limit = if large { 6.0 } else { 1.6 } * budget(&config);
            last = unit.quantiser;
            assert!(
                bytes <= limit.max(SMALL) || coarsest,
                "{config}: {scene:?} {time} took {bytes} of {limit} bytes at {:?}",
                unit.quantiser
            );
        }
    }
}

#[test]
fn a_screen_that_scrolls_once_stays_sharp() {
    let mut session = Session::open("x264", &config());
    let calm: Vec<_> = (0..40)
        .map(|_| session.encode(&Scene::Text.i420(SIZE, 0)))
        .collect();
    let scrolled = session.encode(&Scene::Text.i420(SIZE, 1));
    assert_eq!(scrolled.quantiser, calm[39].quantiser);
    assert!(scrolled.quantiser < Some(24));
}

#[test]
fn busy_pictures_use_the_bitrate_and_no_more() {
    let config = config();
    let mut session = Session::open("x264", &config);
    let units = session.play(Scene::Noise, 0..120);
    let bytes: usize = units.iter().map(|unit| unit.data.len()).sum();
    let used = bytes as f64 / units.len() as f64 / budget(&config);
    assert!((0.7..1.0).contains(&used), "{used} of the bitrate");
}

#[test]
fn a_still_screen_becomes_nearly_lossless_in_four_pictures() {
    let config = config();
    let mut session = Session::open("x264", &config);
    let screen = Scene::Still.i420(SIZE, 0);
    let mut units: Vec<AccessUnit> = (0..30).map(|_| session.encode(&screen)).collect();
    for (quantiser, most_budgets) in [(22, 2.0), (18, 4.0), (14, 6.0), (10, 8.0)] {
        let unit = session.request(&screen, false, Some(quantiser));
        assert_eq!(unit.quantiser, Some(quantiser));
        assert!((unit.data.len() as f64) < most_budgets * budget(&config));
        units.push(unit);
    }
    let decoded = decode(&stream(&units), SIZE);
    let sharp = psnr(&decoded[33], screen.bytes());
    assert!(sharp > psnr(&decoded[29], screen.bytes()) + 4.0);
    assert!(sharp > 50.0, "{sharp} dB");
    // Ordinary pictures go on as before, and a screen that is sharp costs next to nothing.
    let next = session.encode(&screen);
    assert!(next.data.len() < 200, "{} bytes", next.data.len());
}
