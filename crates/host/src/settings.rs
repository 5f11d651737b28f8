//! Every setting there is, with its default and what it means. What the values may be is checked in
//! [`config`](crate::config).

/// One setting: its name in the file and on the command line, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name: `--NAME` on the command line, `NAME` in the file, `HELIOSTAT_NAME` in the environment.
    pub name: &'static str,
    /// Value when nobody says anything.
    pub default: &'static str,
    /// What it means, in one line, with its range.
    pub help: &'static str,
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "source",
        default: "auto",
        help: "picture source: auto, test-pattern[:busy], or x11[:DISPLAY[/MONITOR]]",
    },
    Setting {
        name: "size",
        default: "auto",
        help: "size WIDTHxHEIGHT, each even and 2 to 8192; auto takes the source's own",
    },
    Setting {
        name: "fps",
        default: "60",
        help: "highest frame rate, 1 to 240",
    },
    Setting {
        name: "bitrate",
        default: "8M",
        help: "wire budget in bits a second, 500k to 1000M",
    },
    Setting {
        name: "encoder",
        default: "auto",
        help: "encoder: auto, or a name `heliostat encoders` lists",
    },
    Setting {
        name: "profile",
        default: "latency",
        help: "latency (least time and CPU a frame) or quality (a better picture)",
    },
    Setting {
        name: "encoder-threads",
        default: "auto",
        help: "threads for one picture, 1 to 16; auto takes two where two cores are there",
    },
    Setting {
        name: "listen",
        default: "127.0.0.1:8080",
        help: "ADDRESS:PORT of page, signalling and media; TLS is on beyond loopback",
    },
    Setting {
        name: "open-access",
        default: "false",
        help: "true lets anybody on this machine in without a login; loopback only",
    },
    Setting {
        name: "control",
        default: "single",
        help: "single (one session drives at a time) or shared (all that may)",
    },
    Setting {
        name: "input",
        default: "auto",
        help: "where input goes: auto, none, xtest[:DISPLAY], uinput, or recording:FILE",
    },
    Setting {
        name: "cursor",
        default: "auto",
        help: "who draws the pointer: local (the page), picture (the host), or auto",
    },
    Setting {
        name: "clipboard",
        default: "true",
        help: "false keeps the text clipboards of host and page apart",
    },
    Setting {
        name: "jetkvm",
        default: "false",
        help: "true also serves JetKVM clients",
    },
    Setting {
        name: "jetkvm-password-file",
        default: "",
        help: "owner-only file with the password of JetKVM clients; empty makes one up",
    },
    Setting {
        name: "audio",
        default: "auto",
        help: "where sound comes from: auto, none, pipewire[:TARGET], pulse[:SOURCE], or tone",
    },
    Setting {
        name: "moonlight",
        default: "false",
        help: "true also serves Moonlight clients, on the address of `listen`",
    },
    Setting {
        name: "moonlight-port",
        default: "47989",
        help: "the HTTP port that Moonlight clients know, 1029 to 65514; six others are counted from it",
    },
    Setting {
        name: "moonlight-codecs",
        default: "auto",
        help: "what Moonlight clients may choose: auto (H.264, and what a chip encodes), all (software \
               HEVC and AV1 too), or h264",
    },
    Setting {
        name: "moonlight-name",
        default: "",
        help: "what Moonlight clients call this host; empty means the machine's name",
    },
    Setting {
        name: "moonlight-dscp",
        default: "false",
        help: "true marks video (CS5) and sound (CS6) as urgent for clients with private addresses",
    },
    Setting {
        name: "apps",
        default: "",
        help: "file of the apps that Moonlight clients may start; empty means \
               $XDG_CONFIG_HOME/heliostat/apps.toml, where there is one",
    },
    Setting {
        name: "app-linger",
        default: "10",
        help: "an app waits so long for a client whose connection broke: off, seconds up to 86400, or \
               forever",
    },
    Setting {
        name: "mode-conflict",
        default: "separate",
        help: "another Moonlight client comes while one streams: separate (a session of its own), join \
               (the same app), steal (the other ends) or reject",
    },
    Setting {
        name: "max-streams",
        default: "4",
        help: "Moonlight clients with a stream or an app at a time, 1 to 16",
    },
    Setting {
        name: "idle-timeout-ms",
        default: "8000",
        help: "a viewer that is silent this long is gone, 1000 to 600000",
    },
    Setting {
        name: "state-dir",
        default: "",
        help: "where the host keeps its certificate; empty means $XDG_STATE_HOME/heliostat",
    },
];
