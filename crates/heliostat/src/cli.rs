//! The command line, from which help, completions and the man page are made.

use crate::probe::ProbeCommand;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use host::config::Layer;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Low-latency screen streaming: shows a screen of this machine in any browser, and to
/// Moonlight clients.
///
/// Without a command it serves the best source it finds (an X display if there is one, else a test
/// pattern) and prints a link that opens straight into the stream.
#[derive(Debug, Parser)]
#[command(name = "heliostat", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

const EXAMPLES: &str = "\
Examples:
  heliostat                                  serve the best source on http://127.0.0.1:8080
  heliostat --source x11::1 --bitrate 20M    serve X display :1 at 20 Mb/s
  heliostat --listen 0.0.0.0:8443            serve the network, with TLS and a login
  heliostat --moonlight                      serve Moonlight clients too
  heliostat doctor                           say what is missing, and the command that fixes it

Every setting can also be given as HELIOSTAT_NAME in the environment or in
~/.config/heliostat/config.toml; `heliostat config show` tells what applies and why.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a source to browsers and players (what happens without a command).
    Serve(SettingFlags),
    /// Serve another program: signalling as lines of JSON on stdin and stdout, media straight to
    /// browsers. Ends when stdin does.
    Stdio(SettingFlags),
    /// Print a link that lets others into a running host; list and revoke such links.
    Share(ShareFlags),
    /// Call a method of a running host and print its result (docs/rpc/reference.md lists them).
    Call(CallFlags),
    /// Enter the PIN that a Moonlight client shows, and wait until it is paired.
    Pair(PairFlags),
    /// List the paired Moonlight clients; say what each may do; remove one.
    Clients(ClientsFlags),
    /// List the picture sources there are.
    Sources,
    /// List the encoders in this build, and whether each works here.
    Encoders,
    /// Say what is missing on this machine, and the command that fixes it.
    Doctor(SettingFlags),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Measure latency from drawing to what a browser or a Moonlight client shows, for real.
    Bench(BenchFlags),
    /// Be a client of a host, and measure what it does.
    Probe {
        #[command(subcommand)]
        client: ProbeCommand,
    },
    /// Show the bench's pattern.
    #[command(hide = true)]
    BenchPattern {
        /// Display, size and rate.
        arguments: Vec<String>,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the man page.
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting, its value and where it comes from.
    Show(SettingFlags),
}

/// One flag for each setting of the configuration.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SettingFlags {
    /// Picture source: auto, test-pattern, or x11[:DISPLAY[/MONITOR]]; x11::1 is display :1.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Size of the test pattern; an X display has its own.
    #[arg(long, value_name = "WxH")]
    size: Option<String>,
    /// Highest frame rate, 1 to 240 [default: 60].
    #[arg(long, value_name = "N")]
    fps: Option<String>,
    /// Wire budget in bits a second, such as 8M or 2500k [default: 8M].
    #[arg(long, value_name = "BITS")]
    bitrate: Option<String>,
    /// Encoder of H.264: auto, or one that `heliostat encoders` lists [default: auto].
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// What the encoder favours: latency or quality.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Threads for one picture, 1 to 16, or auto.
    #[arg(long, value_name = "N")]
    encoder_threads: Option<String>,
    /// Address of page, signalling and media [default: 127.0.0.1:8080]. Beyond loopback TLS is on.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Let everybody on this machine in without a login; refused beyond loopback.
    #[arg(long)]
    open_access: bool,
    /// How many drive at a time: single or shared [default: single].
    #[arg(long, value_name = "HOW")]
    control: Option<String>,
    /// Where input goes: auto, none, xtest, xtest:DISPLAY, uinput, or recording:FILE [default: auto].
    #[arg(long, value_name = "BACKEND")]
    input: Option<String>,
    /// Who draws the pointer: local (each page, without delay), picture, or auto [default: auto].
    #[arg(long, value_name = "WHO")]
    cursor: Option<String>,
    /// Share the text clipboard with who drives: true or false [default: true].
    #[arg(long, value_name = "BOOL")]
    clipboard: Option<String>,
    /// Serve JetKVM clients too.
    #[arg(long)]
    jetkvm: bool,
    /// Owner-only file with the password of JetKVM clients; without it one is made up and printed.
    #[arg(long, value_name = "FILE")]
    jetkvm_password_file: Option<String>,
    /// Where sound comes from: auto, none, tone, pipewire or pulse; either with :SINK to name one
    /// [default: auto].
    #[arg(long, value_name = "SOURCE")]
    audio: Option<String>,
    /// Serve Moonlight clients too, on the address of --listen.
    #[arg(long)]
    moonlight: bool,
    /// The HTTP port that Moonlight clients know; six others are counted from it [default: 47989].
    #[arg(long, value_name = "PORT")]
    moonlight_port: Option<String>,
    /// What Moonlight clients may choose: auto (H.264, and what a chip encodes), all, or h264
    /// [default: auto].
    #[arg(long, value_name = "CODECS")]
    moonlight_codecs: Option<String>,
    /// What Moonlight clients call this host [default: the machine's name].
    #[arg(long, value_name = "NAME")]
    moonlight_name: Option<String>,
    /// Mark video (DSCP CS5) and sound (CS6) as urgent for Moonlight clients with private addresses.
    #[arg(long)]
    moonlight_dscp: bool,
    /// File of the apps that Moonlight clients may start [default: ~/.config/heliostat/apps.toml].
    #[arg(long, value_name = "FILE")]
    apps: Option<String>,
    /// How long an app waits for a client whose connection broke: off, seconds, or forever
    /// [default: 10].
    #[arg(long, value_name = "TIME")]
    app_linger: Option<String>,
    /// When another Moonlight client comes while one streams: separate, join, steal or reject
    /// [default: separate].
    #[arg(long, value_name = "HOW")]
    mode_conflict: Option<String>,
    /// Moonlight clients with a stream or an app at a time, 1 to 16 [default: 4].
    #[arg(long, value_name = "N")]
    max_streams: Option<String>,
    /// A viewer that is silent this long is gone, 1000 to 600000 [default: 8000].
    #[arg(long, value_name = "MS")]
    idle_timeout_ms: Option<String>,
    /// Where the certificate is kept.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// Configuration file instead of ~/.config/heliostat/config.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl SettingFlags {
    /// The settings given, by name.
    pub(crate) fn layer(&self) -> Layer {
        let open_access = self.open_access.then(|| "true".to_owned());
        let jetkvm = self.jetkvm.then(|| "true".to_owned());
        let moonlight = self.moonlight.then(|| "true".to_owned());
        let moonlight_dscp = self.moonlight_dscp.then(|| "true".to_owned());
        let given = [
            ("source", &self.source),
            ("size", &self.size),
            ("fps", &self.fps),
            ("bitrate", &self.bitrate),
            ("encoder", &self.encoder),
            ("profile", &self.profile),
            ("encoder-threads", &self.encoder_threads),
            ("listen", &self.listen),
            ("open-access", &open_access),
            ("control", &self.control),
            ("input", &self.input),
            ("cursor", &self.cursor),
            ("clipboard", &self.clipboard),
            ("jetkvm", &jetkvm),
            ("jetkvm-password-file", &self.jetkvm_password_file),
            ("audio", &self.audio),
            ("moonlight", &moonlight),
            ("moonlight-port", &self.moonlight_port),
            ("moonlight-codecs", &self.moonlight_codecs),
            ("moonlight-name", &self.moonlight_name),
            ("moonlight-dscp", &moonlight_dscp),
            ("apps", &self.apps),
            ("app-linger", &self.app_linger),
            ("mode-conflict", &self.mode_conflict),
            ("max-streams", &self.max_streams),
            ("idle-timeout-ms", &self.idle_timeout_ms),
            ("state-dir", &self.state_dir),
        ];
        let set = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        set.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Flags of `heliostat share`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShareFlags {
    /// What whoever opens the link may do: viewer, controller or admin.
    #[arg(long, value_name = "ROLE", default_value = "viewer", value_parser = ["viewer", "controller", "admin"])]
    pub(crate) role: String,
    /// The link, and those it let in, last this long: 90s, 30m, 1h or 7d; at most 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    pub(crate) lifetime: Lifetime,
    /// What those who open it are called.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// List the links that work instead.
    #[arg(long, conflicts_with = "revoke")]
    pub(crate) list: bool,
    /// End a link, and the sessions of those it let in, instead.
    #[arg(long, value_name = "ID")]
    pub(crate) revoke: Option<u32>,
    /// Where the host listens.
    #[command(flatten)]
    pub(crate) host: HostFlags,
}

/// Flags of `heliostat call`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CallFlags {
    /// The method, such as listSessions.
    pub(crate) method: String,
    /// Its parameters, a JSON object.
    #[arg(default_value = "{}")]
    pub(crate) params: String,
    /// Where the host listens.
    #[command(flatten)]
    pub(crate) host: HostFlags,
}

/// Flags of `heliostat pair`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PairFlags {
    /// The four digits, or `-` to read them from standard input.
    #[arg(value_name = "PIN")]
    pub(crate) pin: String,
    /// Which client, where several wait.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) client: Option<u64>,
    /// What to call the client.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where the host listens.
    #[command(flatten)]
    pub(crate) host: HostFlags,
}

/// Flags of `heliostat clients`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientsFlags {
    /// What to do; without it they are listed.
    #[command(subcommand)]
    pub(crate) command: Option<ClientsCommand>,
    /// Where the host listens.
    #[command(flatten)]
    pub(crate) host: HostFlags,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ClientsCommand {
    /// List them.
    List,
    /// Call one something else.
    Rename {
        /// Its number.
        id: u32,
        /// 1 to 64 characters.
        name: String,
    },
    /// Say what one may do, and until when. Sessions with other rights end at once.
    Allow {
        /// Its number.
        id: u32,
        /// viewer (watches), controller, or admin (takes control without asking).
        #[arg(long, value_name = "ROLE", value_parser = ["viewer", "controller", "admin"])]
        role: Option<String>,
        /// Which input counts, such as keyboard,mouse,pads; none for nothing.
        #[arg(long, value_name = "CLASSES", value_delimiter = ',', value_parser = ["keyboard", "mouse", "pads", "none"])]
        input: Vec<String>,
        /// It stays paired this long: 90s, 30m, 1h, 7d, or forever.
        #[arg(long = "for", value_name = "TIME")]
        stay: Option<Stay>,
    },
    /// Forget one, and end its streams.
    Remove {
        /// Its number.
        id: u32,
    },
}

/// Which running host is meant.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct HostFlags {
    /// Where the host listens [default: 127.0.0.1:8080]; its port tells hosts apart.
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Configuration file instead of ~/.config/heliostat/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl HostFlags {
    /// The same as flags of a host.
    pub(crate) fn settings(&self) -> SettingFlags {
        SettingFlags {
            listen: self.listen.clone(),
            config: self.config.clone(),
            ..SettingFlags::default()
        }
    }
}

/// How long something lasts, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) Duration);

/// Not a number with a unit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it must be a number and s, m, h or d, such as 30m or 1h")]
pub(crate) struct LifetimeError;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

impl FromStr for Lifetime {
    type Err = LifetimeError;

    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        let seconds = UNITS.iter().find_map(|(unit, seconds)| {
            let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
            number.checked_mul(*seconds)
        });
        seconds
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or(LifetimeError)
    }
}

/// How long a client stays paired.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stay {
    /// Until somebody removes it.
    Forever,
    /// That long.
    For(Duration),
}

impl FromStr for Stay {
    type Err = LifetimeError;

    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        match text {
            "forever" => Ok(Self::Forever),
            time => time.parse().map(|Lifetime(time)| Self::For(time)),
        }
    }
}

impl fmt::Display for Lifetime {
    /// In the largest unit that leaves at least two of them, so that it is neither long nor coarse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fitting = UNITS.iter().find(|(_, unit)| seconds >= 2 * unit);
        let (name, unit) = fitting.unwrap_or(&('s', 1));
        write!(f, "{}{name}", seconds / unit)
    }
}

/// Flags of `heliostat bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchFlags {
    /// What looks at the stream: the host's page in a browser, or a Moonlight client.
    #[arg(long, value_name = "CLIENT", default_value = "browser", value_parser = ["browser", "moonlight"])]
    pub(crate) client: String,
    /// What a Moonlight client asks for; a host that codes HEVC and AV1 by software needs
    /// `--host-flags "--moonlight-codecs all"`.
    #[arg(long, value_name = "CODEC", default_value = "h264", value_parser = ["h264", "hevc", "av1"])]
    pub(crate) codec: String,
    /// What is drawn: a window on an X server of the bench's own, or the host's test pattern.
    #[arg(long, value_name = "SOURCE", default_value = "x11", value_parser = ["x11", "test-pattern"])]
    pub(crate) source: String,
    /// What the window shows: a pattern, a scrolling page of text, or film.
    #[arg(long, value_name = "CONTENT", default_value = "pattern")]
    pub(crate) content: String,
    /// Size of source and stream.
    #[arg(long, value_name = "WxH", default_value = "1280x720")]
    pub(crate) size: String,
    /// Drawings a second; one beside the stream's rate sweeps the phase between the two.
    #[arg(long, value_name = "N", default_value = "57")]
    pub(crate) source_rate: String,
    /// Highest frame rate of the stream.
    #[arg(long, value_name = "N", default_value = "60")]
    pub(crate) fps: String,
    /// Wire budget of the stream.
    #[arg(long, value_name = "BITS", default_value = "8M")]
    pub(crate) bitrate: String,
    /// Measured seconds of each configuration.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) seconds: u64,
    /// Keys and clicks to press on a quiet screen, and as many on the moving pattern, until the
    /// picture shows them; 0 presses none.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) input_presses: u32,
    /// More flags for the host, as one argument.
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub(crate) host_flags: Option<String>,
    /// Flags of a second configuration, measured in turns with the first (A B A B).
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    pub(crate) compare: Option<String>,
    /// Another build to compare with.
    #[arg(long, value_name = "FILE")]
    pub(crate) compare_binary: Option<PathBuf>,
    /// Turns of each configuration when comparing.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: u32,
    /// Further viewers to open, to see what each costs.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) viewers: u32,
    /// Watch the host's memory for this long after the measurement.
    #[arg(long, value_name = "N")]
    pub(crate) soak_seconds: Option<u64>,
    /// The browser [default: the first Chromium that is installed].
    #[arg(long, value_name = "FILE")]
    pub(crate) chromium: Option<PathBuf>,
    /// Folder for bench.json, bench.svg and every frame and press as CSV.
    #[arg(long, value_name = "DIR", default_value = "bench-results")]
    pub(crate) output: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_flag() {
        let command = Cli::command();
        for setting in host::config::SETTINGS {
            let flag = command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(setting.name));
            assert!(flag.is_some(), "--{}", setting.name);
        }
    }

    #[test]
    fn times_are_read_and_written_as_people_do() {
        for (text, seconds, shown) in [
            ("90s", 90, "90s"),
            ("30m", 1800, "30m"),
            ("1h", 3600, "60m"),
            ("7d", 604_800, "7d"),
        ] {
            let lifetime: Lifetime = text.parse().unwrap();
            assert_eq!(lifetime.0.as_secs(), seconds);
            assert_eq!(lifetime.to_string(), shown);
        }
        for text in ["", "1", "h", "-1h", "1.5h", "99999999999999999999d"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }

    #[test]
    fn flags_reach_the_layer_under_their_setting_names() {
        let cli = Cli::parse_from(["heliostat", "--fps", "30", "--open-access"]);
        let layer = cli.settings.layer();
        assert_eq!(layer.get("fps").map(String::as_str), Some("30"));
        assert_eq!(layer.get("open-access").map(String::as_str), Some("true"));
        assert_eq!(layer.len(), 2);
    }
}
