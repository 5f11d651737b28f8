//! The configuration: flags over environment over a TOML file over defaults, one typed struct,
//! checked once. The only place that reads environment variables.

use audio::AudioSpec;
use capture::SourceSpec;
use control_api::{ControlPolicy, CursorMode};
use encode::EncoderChoice;
use input::InputSpec;
use media::{Bitrate, FrameRate, QualityProfile, Size};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

mod moonlight;

pub use crate::settings::{SETTINGS, Setting};
pub use moonlight::{Moonlight, MoonlightCodecs};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that cannot be used.
    #[error("{name} (from {origin}): {why}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where it was set.
        origin: Origin,
        /// What is wrong, with the allowed range.
        why: String,
    },
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Reason in words.
        why: String,
    },
    /// The file names a setting that does not exist.
    #[error("{path}: there is no setting {name:?}; the settings are {known}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What it names.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Values as given on one level, by setting name.
pub type Layer = BTreeMap<String, String>;

/// What the process was told, apart from files.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Values from the command line.
    pub flags: Layer,
    /// A file named on the command line; it must exist.
    pub file: Option<PathBuf>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
}

impl Surroundings {
    /// The process's own environment, with these flags.
    #[must_use]
    pub fn of_process(flags: Layer, file: Option<PathBuf>) -> Self {
        Self {
            flags,
            file,
            environment: std::env::vars().collect(),
        }
    }

    /// A path of the environment; relative ones are to be ignored.
    fn path(&self, variable: &str) -> Option<PathBuf> {
        let set = self.environment.get(variable);
        set.filter(|path| path.starts_with('/')).map(PathBuf::from)
    }

    fn directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let home = self
            .environment
            .get("HOME")
            .map(|home| Path::new(home).join(below_home));
        self.path(variable)
            .or(home)
            .map(|directory| directory.join("heliostat"))
    }
}

/// The typed configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where pictures come from.
    pub source: SourceSpec,
    /// The X display that `auto` and a bare `x11` mean.
    pub display: Option<String>,
    /// Size asked for.
    pub size: Option<Size>,
    /// Highest frame rate.
    pub fps: FrameRate,
    /// Wire budget.
    pub bitrate: Bitrate,
    /// Which encoder.
    pub encoder: EncoderChoice,
    /// Speed against picture.
    pub profile: QualityProfile,
    /// Threads for one picture.
    pub encoder_threads: usize,
    /// Address of everything.
    pub listen: SocketAddr,
    /// No login.
    pub open_access: bool,
    /// How many may drive at a time.
    pub control: ControlPolicy,
    /// Where input goes.
    pub input: InputSpec,
    /// Who draws the pointer.
    pub cursor: CursorMode,
    /// Text clipboards are shared with who drives.
    pub clipboard: bool,
    /// JetKVM clients are served too.
    pub jetkvm: bool,
    /// Their password.
    pub jetkvm_password_file: Option<PathBuf>,
    /// Where sound comes from.
    pub audio: AudioSpec,
    /// How Moonlight clients are served.
    pub moonlight: Moonlight,
    /// A viewer that is silent this long is gone.
    pub idle_timeout: Duration,
    /// Where the host keeps its certificate.
    pub state_dir: PathBuf,
    /// Where the user's programs keep what lasts as long as they run.
    pub runtime_dir: Option<PathBuf>,
}

/// The configuration with the origin of each value.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The typed values.
    pub config: Config,
    /// Each setting's text and origin, in the order of [`SETTINGS`].
    pub values: Vec<(&'static str, String, Origin)>,
}

impl Resolved {
    /// Merges the levels and checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn load(surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let (path, file) = read_file(surroundings)?;
        let mut values = Vec::with_capacity(SETTINGS.len());
        for setting in SETTINGS {
            values.push(pick(setting, surroundings, path.as_deref(), &file));
        }
        let config = Config::check(&Values(&values), surroundings)?;
        Ok(Self { config, values })
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value, origin) in &self.values {
            let assignment = format!("{name} = {value:?}");
            writeln!(f, "{assignment:<36} # {origin}")?;
        }
        Ok(())
    }
}

fn pick(
    setting: &Setting,
    surroundings: &Surroundings,
    path: Option<&Path>,
    file: &Layer,
) -> (&'static str, String, Origin) {
    let variable = format!(
        "HELIOSTAT_{}",
        setting.name.to_uppercase().replace('-', "_")
    );
    if let Some(value) = surroundings.flags.get(setting.name) {
        (setting.name, value.clone(), Origin::Flag)
    } else if let Some(value) = surroundings.environment.get(&variable) {
        (setting.name, value.clone(), Origin::Environment(variable))
    } else if let (Some(value), Some(path)) = (file.get(setting.name), path) {
        (setting.name, value.clone(), Origin::File(path.to_owned()))
    } else {
        (setting.name, setting.default.to_owned(), Origin::Default)
    }
}

fn read_file(surroundings: &Surroundings) -> Result<(Option<PathBuf>, Layer), ConfigError> {
    let usual = surroundings.directory("XDG_CONFIG_HOME", ".config");
    let usual = usual
        .map(|directory| directory.join("config.toml"))
        .filter(|path| path.exists());
    let Some(path) = surroundings.file.clone().or(usual) else {
        return Ok((None, Layer::new()));
    };
    let unreadable = |why: String| ConfigError::File {
        path: path.clone(),
        why,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| unreadable(error.message().to_owned()))?;
    let mut layer = Layer::new();
    for (name, value) in table {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            let known: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            return Err(ConfigError::Unknown {
                path,
                name,
                known: known.join(", "),
            });
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(_) | toml::Value::Boolean(_) => value.to_string(),
            _ => {
                return Err(unreadable(format!(
                    "{name} is neither text, number nor true/false"
                )));
            }
        };
        layer.insert(name, text);
    }
    Ok((Some(path), layer))
}

struct Values<'a>(&'a [(&'static str, String, Origin)]);

impl Values<'_> {
    /// Reads one value; `None` for the word that stands for leaving it open.
    fn read<T: FromStr>(&self, name: &'static str) -> Result<T, ConfigError>
    where
        T::Err: fmt::Display,
    {
        self.text(name)
            .parse()
            .map_err(|error: T::Err| self.wrong(name, error.to_string()))
    }

    fn read_unless<T: FromStr>(
        &self,
        name: &'static str,
        open: &str,
    ) -> Result<Option<T>, ConfigError>
    where
        T::Err: fmt::Display,
    {
        if self.text(name) == open {
            Ok(None)
        } else {
            self.read(name).map(Some)
        }
    }

    fn text(&self, name: &'static str) -> &str {
        self.0
            .iter()
            .find(|(known, _, _)| *known == name)
            .map_or("", |(_, text, _)| text.trim())
    }

    fn wrong(&self, name: &'static str, why: String) -> ConfigError {
        let known = self.0.iter().find(|(known, _, _)| *known == name);
        let origin = known.map_or(Origin::Default, |(_, _, origin)| origin.clone());
        ConfigError::Value { name, origin, why }
    }

    fn path(&self, name: &'static str) -> Option<PathBuf> {
        let text = self.text(name);
        (!text.is_empty()).then(|| PathBuf::from(text))
    }

    fn one_of<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let given = self.text(name);
        let found = words.iter().find(|(word, _)| *word == given);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let why = format!("{given:?} is none of: {}", words.join(", "));
            self.wrong(name, why)
        })
    }

    fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        self.text(name)
            .parse()
            .map_err(|_| self.wrong(name, "it must be true or false".to_owned()))
    }

    fn number_in(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let (low, high) = (*range.start(), *range.end());
        let number = self
            .text(name)
            .parse::<u64>()
            .ok()
            .filter(|number| range.contains(number));
        number.ok_or_else(|| {
            self.wrong(
                name,
                format!("{:?} is not a number from {low} to {high}", self.text(name)),
            )
        })
    }
}

impl Config {
    fn check(values: &Values<'_>, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let listen: SocketAddr = values.text("listen").parse().map_err(|_| {
            let why = format!(
                "{:?} is not ADDRESS:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
                values.text("listen")
            );
            values.wrong("listen", why)
        })?;
        let open_access = values.flag("open-access")?;
        if open_access && !is_loopback(listen.ip()) {
            let why = format!(
                "a host without a login may only listen on loopback, and --listen is {listen}; \
                 use 127.0.0.1 or leave --open-access away"
            );
            return Err(values.wrong("open-access", why));
        }
        let profiles = [
            ("latency", QualityProfile::Latency),
            ("quality", QualityProfile::Quality),
        ];
        let policies = [
            ("single", ControlPolicy::Single),
            ("shared", ControlPolicy::Shared),
        ];
        let cursors = [
            ("auto", CursorMode::Auto),
            ("local", CursorMode::Local),
            ("picture", CursorMode::Picture),
        ];
        let encoder_threads = match values.text("encoder-threads") {
            "auto" => automatic_threads(),
            _ => values.number_in("encoder-threads", 1..=16)? as usize,
        };
        let state_dir = match values.text("state-dir") {
            "" => surroundings
                .directory("XDG_STATE_HOME", ".local/state")
                .ok_or_else(|| {
                    values.wrong(
                        "state-dir",
                        "neither $HOME nor $XDG_STATE_HOME is set".to_owned(),
                    )
                })?,
            path => PathBuf::from(path),
        };
        Ok(Self {
            source: values.read("source")?,
            display: surroundings.environment.get("DISPLAY").cloned(),
            size: values.read_unless("size", "auto")?,
            fps: values.read("fps")?,
            bitrate: values.read("bitrate")?,
            encoder: values.read("encoder")?,
            profile: values.one_of("profile", &profiles)?,
            encoder_threads,
            listen,
            open_access,
            control: values.one_of("control", &policies)?,
            input: values.read("input")?,
            cursor: values.one_of("cursor", &cursors)?,
            clipboard: values.flag("clipboard")?,
            jetkvm: values.flag("jetkvm")?,
            jetkvm_password_file: values.path("jetkvm-password-file"),
            audio: values.read("audio")?,
            moonlight: Moonlight::check(values, surroundings)?,
            idle_timeout: Duration::from_millis(
                values.number_in("idle-timeout-ms", 1000..=600_000)?,
            ),
            state_dir,
            runtime_dir: surroundings.path("XDG_RUNTIME_DIR"),
        })
    }
}

/// Whether an address is reachable from this machine alone.
#[must_use]
pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Looks a program up in `$PATH`.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// Two sliced threads shorten a picture by a third; more add slices without adding speed.
fn automatic_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Surroundings {
        let own = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let mut all: BTreeMap<String, String> = own(environment);
        all.entry("HOME".to_owned())
            .or_insert_with(|| "/nonexistent".to_owned());
        Surroundings {
            flags: own(flags),
            file: None,
            environment: all,
        }
    }

    fn load(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Config, String> {
        Resolved::load(&surroundings(flags, environment))
            .map(|resolved| resolved.config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_stand_alone() {
        let config = load(&[], &[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((config.fps.fps(), config.bitrate.bps()), (60, 8_000_000));
        assert_eq!(config.size, None);
        assert!(!config.open_access);
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file_which_beats_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, "fps = 30\nbitrate = \"4M\"\nsize = \"640x480\"\n").unwrap();
        let mut around = surroundings(&[("fps", "50")], &[("HELIOSTAT_BITRATE", "5M")]);
        around.file = Some(path.clone());
        let resolved = Resolved::load(&around).unwrap();
        let config = &resolved.config;
        assert_eq!((config.fps.fps(), config.bitrate.bps()), (50, 5_000_000));
        assert_eq!(config.size, Some(Size::new(640, 480)));
        let shown = resolved.to_string();
        for part in [
            "command line",
            "$HELIOSTAT_BITRATE",
            "config.toml",
            "default",
        ] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
    }

    #[test]
    fn bad_values_name_the_setting_its_origin_and_the_range() {
        for (name, value, parts) in [
            ("fps", "0", ["fps (from command line)", "1 to 240"]),
            ("size", "641x480", ["size (from", "even"]),
            ("size", "10000x480", ["size (from", "2 to 8192"]),
            ("bitrate", "1k", ["bitrate (from", "500k to 1000M"]),
            ("listen", "8080", ["listen (from", "ADDRESS:PORT"]),
            ("source", "webcam", ["source (from", "test-pattern"]),
            ("encoder", "h263", ["encoder (from", "x264"]),
            ("profile", "best", ["profile (from", "latency"]),
            (
                "encoder-threads",
                "99",
                ["encoder-threads (from", "1 to 16"],
            ),
            (
                "idle-timeout-ms",
                "5",
                ["idle-timeout-ms (from", "1000 to 600000"],
            ),
            ("control", "two", ["control (from", "single"]),
            ("cursor", "big", ["cursor (from", "picture"]),
            ("clipboard", "yes", ["clipboard (from", "true or false"]),
            ("input", "mind", ["input (from", "xtest"]),
            (
                "open-access",
                "maybe",
                ["open-access (from", "true or false"],
            ),
        ] {
            let error = load(&[(name, value)], &[]).unwrap_err();
            for part in parts {
                assert!(
                    error.contains(part),
                    "{name}={value}: {part:?} in {error:?}"
                );
            }
        }
    }

    #[test]
    fn open_access_is_refused_beyond_loopback() {
        for address in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1"] {
            let error = load(&[("open-access", "true"), ("listen", address)], &[]).unwrap_err();
            assert!(error.contains("loopback"), "{error}");
        }
        for address in ["127.0.0.1:1", "[::1]:1", "127.9.9.9:1"] {
            load(&[("open-access", "true"), ("listen", address)], &[]).unwrap();
        }
    }

    #[test]
    fn a_file_with_an_unknown_setting_or_bad_syntax_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        for (text, part) in [
            ("fsp = 3", "fsp"),
            ("fps = [1]", "fps"),
            ("fps = = 1", "x.toml"),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut around = surroundings(&[], &[]);
            around.file = Some(path.clone());
            let error = Resolved::load(&around).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let mut around = surroundings(&[], &[]);
        around.file = Some(directory.path().join("missing.toml"));
        assert!(
            Resolved::load(&around)
                .unwrap_err()
                .to_string()
                .contains("missing.toml")
        );
    }
}
