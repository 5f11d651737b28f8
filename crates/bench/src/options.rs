//! What is to be measured: the options of a bench, checked before anything starts.

use crate::BenchError;
use crate::moonlight;
use crate::scene::Content;
use crate::viewer::BenchClient;
use media::{Bitrate, FrameRate, Size};
use std::path::PathBuf;
use std::time::Duration;

/// Extra viewers that one measurement may open.
const MAX_VIEWERS: u32 = 16;
/// Presses that each scene of one configuration may take: half an hour.
const MAX_INPUT_PRESSES: u32 = 20_000;
/// Turns that two configurations may take.
const MAX_ROUNDS: u32 = 20;
const MIN_MEASURED: Duration = Duration::from_secs(1);
const SOURCE_RATE: FrameRate = rate(57);
const STREAM_RATE: FrameRate = rate(60);

/// A rate in range; another does not compile.
const fn rate(fps: u32) -> FrameRate {
    match FrameRate::new(fps) {
        Ok(rate) => rate,
        Err(_) => panic!("a rate out of range"),
    }
}

/// Where the pictures come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BenchSource {
    /// A window on an X server of the bench's own: the whole way, capture included.
    #[default]
    X11,
    /// The host's built-in test pattern: the way without capture.
    TestPattern,
}

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// The host to measure; absent means the running program.
    pub binary: Option<PathBuf>,
    /// What looks at the stream.
    pub client: BenchClient,
    /// What a Moonlight client asks for; browsers are given H.264.
    pub codec: probe::Codec,
    /// The browser; absent means the first that is installed.
    pub chromium: Option<PathBuf>,
    /// Where pictures come from.
    pub source: BenchSource,
    /// What is shown beside the barcode.
    pub content: Content,
    /// Size of the source and the stream.
    pub size: Size,
    /// Drawings a second of the X11 source. One beside the stream's rate lets the phase between the
    /// two sweep, so that luck does not decide the median.
    pub source_rate: FrameRate,
    /// The stream's highest rate; the test pattern draws at it.
    pub fps: FrameRate,
    /// The stream's wire budget.
    pub bitrate: Bitrate,
    /// `--encoder` of the host, if any.
    pub encoder: Option<String>,
    /// `--profile` of the host, if any.
    pub profile: Option<String>,
    /// More flags of `heliostat serve`, such as `--encoder-threads 1`.
    pub host_flags: Vec<String>,
    /// Flags of a second configuration, added to (and overriding) those of the first. The two are
    /// measured in turns.
    pub compare: Option<Vec<String>>,
    /// The second configuration's binary, where it is another one.
    pub compare_binary: Option<PathBuf>,
    /// Turns of each configuration.
    pub rounds: u32,
    /// Streaming before a turn is measured.
    pub warm_up: Duration,
    /// Measured time of each configuration, all turns together.
    pub duration: Duration,
    /// Presses of keys and the mouse button in each scene, for each configuration, all turns
    /// together; 0 measures no input. The built-in test pattern hears none.
    pub input_presses: u32,
    /// Further viewers to open after each turn, to see what each costs.
    pub viewers: u32,
    /// Take the host's memory over this time after the measurement.
    pub soak: Option<Duration>,
    /// Folder for the results.
    pub output: PathBuf,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            binary: None,
            client: BenchClient::default(),
            codec: probe::Codec::default(),
            chromium: None,
            source: BenchSource::default(),
            content: Content::default(),
            size: Size::new(1280, 720),
            source_rate: SOURCE_RATE,
            fps: STREAM_RATE,
            bitrate: Bitrate::clamped(8_000_000),
            encoder: None,
            profile: None,
            host_flags: Vec::new(),
            compare: None,
            compare_binary: None,
            rounds: 1,
            warm_up: Duration::from_secs(3),
            duration: Duration::from_secs(20),
            input_presses: 200,
            viewers: 0,
            soak: None,
            output: PathBuf::from("bench-results"),
        }
    }
}

/// One configuration to measure.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// `A` or `B`.
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
    /// Flags of `serve`, without source and address.
    pub(crate) flags: Vec<String>,
}

impl BenchOptions {
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        let wrong = |name, why: String| Err(BenchError::Option { name, why });
        if let Err(error) = self.size.checked() {
            return wrong("size", error.to_string());
        }
        if !capture::barcode::Barcode::fits(self.size) {
            let least = capture::barcode::SIZE;
            return wrong(
                "size",
                format!("the barcode needs a picture of at least {least}"),
            );
        }
        if self.source == BenchSource::TestPattern && self.content == Content::Scroll {
            return wrong(
                "content",
                "the host's own test pattern does not scroll".to_owned(),
            );
        }
        if self.viewers > MAX_VIEWERS {
            return wrong("viewers", format!("at most {MAX_VIEWERS}"));
        }
        self.check_client()?;
        if !(1..=MAX_ROUNDS).contains(&self.rounds) {
            return wrong("rounds", format!("1 to {MAX_ROUNDS}"));
        }
        if self.turn() < MIN_MEASURED {
            return wrong("duration", "less than a second a turn".to_owned());
        }
        self.check_input()
    }

    fn check_client(&self) -> Result<(), BenchError> {
        let wrong = |name, why: &str| {
            Err(BenchError::Option {
                name,
                why: why.to_owned(),
            })
        };
        match self.client {
            BenchClient::Browser if self.codec != probe::Codec::H264 => wrong(
                "codec",
                "browsers are given h264; others need --client moonlight",
            ),
            BenchClient::Moonlight if self.viewers > 0 => wrong(
                "viewers",
                "further viewers are opened with --client browser only: 0 opens none",
            ),
            BenchClient::Moonlight if !moonlight::can_read() => Err(BenchError::Missing {
                what: "FFmpeg's decoder",
                remedy: "build with the feature ffmpeg",
            }),
            BenchClient::Browser | BenchClient::Moonlight => Ok(()),
        }
    }

    fn check_input(&self) -> Result<(), BenchError> {
        let wrong = |why: String| {
            Err(BenchError::Option {
                name: "input-presses",
                why,
            })
        };
        if self.input_presses > MAX_INPUT_PRESSES {
            return wrong(format!("at most {MAX_INPUT_PRESSES}"));
        }
        let least = capture::barcode::SIZE_WITH_PRESSES;
        if self.turn_presses() > 0 && !capture::barcode::Barcode::fits_with_presses(self.size) {
            return wrong(format!(
                "the count of presses needs a picture of at least {least}: 0 measures none"
            ));
        }
        Ok(())
    }

    /// Measured time of one turn.
    pub(crate) fn turn(&self) -> Duration {
        self.duration / self.rounds
    }

    /// Presses of one turn in each scene.
    pub(crate) const fn turn_presses(&self) -> u32 {
        match self.source {
            BenchSource::X11 => self.input_presses.div_ceil(self.rounds),
            BenchSource::TestPattern => 0,
        }
    }

    /// Rate at which new pictures appear.
    pub(crate) const fn drawing_rate(&self) -> FrameRate {
        match self.source {
            BenchSource::X11 => self.source_rate,
            BenchSource::TestPattern => self.fps,
        }
    }

    /// The configurations to measure: one, or two.
    pub(crate) fn variants(&self) -> Result<Vec<Variant>, BenchError> {
        let own =
            || std::env::current_exe().map_err(BenchError::system("cannot find this program"));
        let binary = self.binary.clone().map_or_else(own, Ok)?;
        // A screen has a size of its own.
        let size = (self.source == BenchSource::TestPattern).then(|| self.size.to_string());
        let given = [
            ("--size", size),
            ("--fps", Some(self.fps.to_string())),
            ("--bitrate", Some(self.bitrate.to_string())),
            ("--encoder", self.encoder.clone()),
            ("--profile", self.profile.clone()),
        ];
        let given = given
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        let flags = overridden(given.flatten().collect(), &self.host_flags);
        let mut variants = vec![Variant {
            name: "A",
            binary: binary.clone(),
            flags: flags.clone(),
        }];
        if self.compare.is_some() || self.compare_binary.is_some() {
            variants.push(Variant {
                name: "B",
                binary: self.compare_binary.clone().unwrap_or(binary),
                flags: overridden(flags, self.compare.as_deref().unwrap_or_default()),
            });
        }
        Ok(variants)
    }
}

/// `flags` with those of `more` in place of the same ones: the host takes each only once.
fn overridden(mut flags: Vec<String>, more: &[String]) -> Vec<String> {
    for flag in more.iter().filter(|flag| flag.starts_with("--")) {
        let name = flag.split('=').next().unwrap_or(flag);
        if let Some(at) = flags
            .iter()
            .position(|known| known.split('=').next() == Some(name))
        {
            let end = flags.len();
            let next = flags[at + 1..]
                .iter()
                .position(|word| word.starts_with("--"));
            flags.drain(at..next.map_or(end, |next| at + 1 + next));
        }
    }
    flags.extend_from_slice(more);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_later_flag_takes_the_place_of_the_same_one() {
        let flags = words("--size 1280x720 --open-access --fps=60 --bitrate 8M");
        for (more, expected) in [
            (
                "--fps 30",
                "--size 1280x720 --open-access --bitrate 8M --fps 30",
            ),
            (
                "--open-access",
                "--size 1280x720 --fps=60 --bitrate 8M --open-access",
            ),
            (
                "--bitrate=4M",
                "--size 1280x720 --open-access --fps=60 --bitrate=4M",
            ),
            (
                "--encoder x264",
                "--size 1280x720 --open-access --fps=60 --bitrate 8M --encoder x264",
            ),
        ] {
            assert_eq!(
                overridden(flags.clone(), &words(more)),
                words(expected),
                "{more}"
            );
        }
    }

    #[test]
    fn a_comparison_has_two_configurations_that_differ_in_its_flags() {
        let options = BenchOptions {
            binary: Some(PathBuf::from("heliostat")),
            compare: Some(words("--profile quality")),
            ..BenchOptions::default()
        };
        let variants = options.variants().unwrap();
        assert_eq!(
            variants.iter().map(|v| v.name).collect::<Vec<_>>(),
            ["A", "B"]
        );
        assert!(!variants[0].flags.contains(&"quality".to_owned()));
        assert!(variants[1].flags.ends_with(&words("--profile quality")));
    }

    #[test]
    fn options_that_cannot_be_measured_are_refused() {
        let good = BenchOptions::default();
        assert!(good.check().is_ok());
        for (bad, part) in [
            (
                BenchOptions {
                    size: Size::new(64, 64),
                    ..good.clone()
                },
                "barcode",
            ),
            (
                BenchOptions {
                    size: Size::new(1281, 720),
                    ..good.clone()
                },
                "even",
            ),
            (
                BenchOptions {
                    rounds: 0,
                    ..good.clone()
                },
                "1 to 20",
            ),
            (
                BenchOptions {
                    viewers: 17,
                    ..good.clone()
                },
                "at most 16",
            ),
            (
                BenchOptions {
                    size: Size::new(320, 240),
                    ..good.clone()
                },
                "576x128",
            ),
            (
                BenchOptions {
                    duration: Duration::ZERO,
                    ..good.clone()
                },
                "second",
            ),
            (
                BenchOptions {
                    client: BenchClient::Moonlight,
                    viewers: 1,
                    ..good.clone()
                },
                "--client browser",
            ),
            (
                BenchOptions {
                    codec: probe::Codec::Hevc,
                    ..good.clone()
                },
                "--client moonlight",
            ),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
