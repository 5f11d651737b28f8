//! The command line, from which help, completions and the man page are made.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use host::config::Layer;
use std::path::PathBuf;

/// Low-latency screen streaming: shows a screen of this machine in any browser.
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
  heliostat doctor                           say what is missing, and the command that fixes it

Every setting can also be given as HELIOSTAT_NAME in the environment or in
~/.config/heliostat/config.toml; `heliostat config show` tells what applies and why.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a source to browsers and players (what happens without a command).
    Serve(SettingFlags),
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
    /// Measure latency from drawing to the page, for real.
    Bench(BenchFlags),
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
    /// Encoder: auto, x264 or openh264.
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
            ("idle-timeout-ms", &self.idle_timeout_ms),
            ("state-dir", &self.state_dir),
        ];
        let set = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)));
        set.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Flags of `heliostat bench`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchFlags {
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
    fn flags_reach_the_layer_under_their_setting_names() {
        let cli = Cli::parse_from(["heliostat", "--fps", "30", "--open-access"]);
        let layer = cli.settings.layer();
        assert_eq!(layer.get("fps").map(String::as_str), Some("30"));
        assert_eq!(layer.get("open-access").map(String::as_str), Some("true"));
        assert_eq!(layer.len(), 2);
    }
}
