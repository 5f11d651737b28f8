//! The flags of `heliostat probe`, and what they ask of the crate `probe`. Values are checked by the
//! types that they are read into.

use anyhow::Context;
use clap::{Args, Subcommand};
use media::{Bitrate, FrameRate, Size};
use probe::{
    AudioLayout, Codec, DropPlan, DropShare, Encryption, HostAddress, LateShare, PacketSize,
    StreamOptions,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which kind of client to play.
#[derive(Debug, Subcommand)]
pub(crate) enum ProbeCommand {
    /// Be a Moonlight client: pair, list, stream, quit. Works with every host that Moonlight works
    /// with.
    #[command(after_help = EXAMPLES, subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
    Moonlight(MoonlightFlags),
}

const EXAMPLES: &str = "\
Examples:
  heliostat probe moonlight tv.lan pair -            pair with a host: it is told the PIN shown here
  heliostat probe moonlight tv.lan stream Desktop    stream for ten seconds and say how it went
  heliostat probe moonlight tv.lan stream Desktop --drop-video 3 --rfi --seconds 60
                                                     lose 3 % of the packets on the way, on purpose
  heliostat probe moonlight tv.lan stream Desktop --json | jq .second.fps

The probe has a key of its own, so that a host lists it beside other clients. It ends with status 1
where it could not do what it was asked; what it measures it only tells.";

/// Flags of `heliostat probe moonlight`.
#[derive(Debug, Args)]
pub(crate) struct MoonlightFlags {
    /// The host: a name or address, with its HTTP port where that is not 47989.
    #[arg(value_name = "HOST[:PORT]", default_value = "127.0.0.1")]
    pub(crate) host: HostAddress,
    /// Folder with the probe's key and the hosts it knows [default: probe/ in the host's state folder].
    // A name of its own: that of a global flag reaches up to the host's flags.
    #[arg(
        id = "probe-state-dir",
        long = "state-dir",
        global = true,
        value_name = "DIR"
    )]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say what the host tells about itself.
    Info {
        /// As one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Pair with the host: waits until somebody has entered the PIN there.
    Pair {
        /// Four digits, or - to have them made up and shown.
        #[arg(value_name = "PIN", allow_hyphen_values = true)]
        pin: String,
    },
    /// List the apps of the host.
    List {
        /// As one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Start an app, or go on with it, and measure its stream.
    Stream(Box<StreamFlags>),
    /// End the app that runs for this client.
    Quit,
    /// Forget the host, and ask it to forget this client.
    Unpair,
}

/// Flags of `heliostat probe moonlight stream`.
#[derive(Debug, Args)]
pub(crate) struct StreamFlags {
    /// The app, by its title or number.
    #[arg(value_name = "APP")]
    app: String,
    /// Size of the picture.
    #[arg(long, value_name = "WxH", default_value = "1280x720")]
    size: Size,
    /// Frames a second.
    #[arg(long, value_name = "N", default_value = "60")]
    fps: FrameRate,
    /// Bits a second on the wire, error correction included.
    #[arg(long, value_name = "BITS", default_value = "10M")]
    bitrate: Bitrate,
    /// Codec: h264, hevc or av1; a host without it gives H.264.
    #[arg(long, value_name = "CODEC", default_value = "h264")]
    codec: Codec,
    /// Bytes of a video packet, 256 to 1392 and a multiple of 16.
    #[arg(long, value_name = "BYTES", default_value_t = 1392)]
    packet_size: u32,
    /// Loudspeakers: stereo, 51 or 71.
    #[arg(long, value_name = "LAYOUT", default_value = "stereo")]
    audio: AudioLayout,
    /// Ask for the better of the two qualities of sound.
    #[arg(long)]
    high_quality_audio: bool,
    /// What to encrypt besides control, where the host can: none, audio, video or all.
    #[arg(long, value_name = "WHAT", default_value = "all")]
    encryption: Encryption,
    /// Have losses repaired by pictures that refer past them, where the host can; without it by
    /// keyframes.
    #[arg(long)]
    rfi: bool,
    /// Slices a picture, 1 to 8.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    slices: u8,
    /// How long to stream.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    seconds: u64,
    /// Ask for a keyframe this often.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    idr_every: Option<u64>,
    /// Send the input of a script: key CODE down|up, tap CODE, text "TEXT", mouse-move X Y, mouse-abs X
    /// Y W H, button N down|up, scroll N, hscroll N, pad ..., touch ..., pen ..., idr, sleep MS.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// End the app afterwards; without it the app waits to be gone on with.
    #[arg(long)]
    quit: bool,
    /// Lose a share of the video packets on the way in, in runs of BURST.
    #[arg(long, value_name = "PERCENT[:BURST]")]
    drop_video: Option<DropShare>,
    /// Lose whole frames, by their number.
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    drop_frame: Vec<u32>,
    /// Lose a share of the audio packets.
    #[arg(long, value_name = "PERCENT[:BURST]")]
    drop_audio: Option<DropShare>,
    /// Take a share of the video packets in only after BEHIND of those that follow them.
    #[arg(long, value_name = "PERCENT[:BEHIND]")]
    delay_video: Option<LateShare>,
    /// Decides which packets; the same seed loses the same ones.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A line of JSON a second, {"second": ...}, and {"summary": ...} at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

impl StreamFlags {
    /// What the stream is to be.
    pub(crate) fn options(&self) -> anyhow::Result<StreamOptions> {
        let script = self.input.as_deref().map(read_script).transpose()?;
        Ok(StreamOptions {
            size: self.size,
            rate: self.fps,
            bitrate: self.bitrate,
            codec: self.codec,
            packet_size: PacketSize::new(self.packet_size)?,
            audio: self.audio,
            high_quality_audio: self.high_quality_audio,
            encryption: self.encryption,
            invalidate_references: self.rfi,
            slices: self.slices,
            duration: Duration::from_secs(self.seconds),
            drop: DropPlan {
                video: self.drop_video,
                frames: self.drop_frame.clone(),
                audio: self.drop_audio,
                late: self.delay_video,
                seed: self.seed,
            },
            script,
            keyframe_every: self.idr_every.map(Duration::from_millis),
            quit_after: self.quit,
            ..StreamOptions::new(&self.app)
        })
    }
}

fn read_script(path: &Path) -> anyhow::Result<probe::Script> {
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(named)?;
    text.parse().with_context(named)
}
