//! Looks at this machine and says what is missing, what that costs, and the command that fixes it.

use crate::config::Config;
use crate::port_owner::{self, Protocol};
use std::fmt;
use std::net::{TcpListener, UdpSocket};

/// How well one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Works.
    Good,
    /// Works, but could be better.
    Fair,
    /// Does not work.
    Bad,
}

/// One thing looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub detail: String,
    /// The command, or the step, that makes it better.
    pub fix: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.health {
            Health::Good => "ok  ",
            Health::Fair => "note",
            Health::Bad => "FAIL",
        };
        write!(f, "{mark}  {:<10} {}", self.what, self.detail)?;
        if let Some(fix) = &self.fix {
            write!(f, "\n                 fix: {fix}")?;
        }
        Ok(())
    }
}

/// Looks at everything a host with this configuration needs.
#[must_use]
pub fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = sources();
    findings.extend(encoders());
    findings.push(sound(config));
    findings.push(input());
    findings.push(port(config));
    if config.moonlight.enabled {
        findings.push(moonlight_ports(config));
    }
    findings.push(socket_buffers());
    findings.push(priority());
    findings.push(browser());
    findings
}

fn sources() -> Vec<Finding> {
    let listed = capture::list();
    let desktop = listed
        .iter()
        .find(|source| source.available && source.spec.starts_with("x11"));
    vec![match desktop {
        Some(source) => Finding {
            what: "source",
            health: Health::Good,
            detail: format!("{}: {}", source.spec, source.detail),
            fix: None,
        },
        None => Finding {
            what: "source",
            health: Health::Fair,
            detail: "no X display can be opened: only the test pattern can be streamed".to_owned(),
            fix: Some(
                "start inside an X session, or name one: heliostat --source x11::0".to_owned(),
            ),
        },
    }]
}

fn encoders() -> Vec<Finding> {
    let listed = encode::list();
    let works = listed.iter().any(|encoder| encoder.available);
    let describe = |encoder: &encode::EncoderListing| Finding {
        what: "encoder",
        health: match (encoder.available, works) {
            (true, _) => Health::Good,
            (false, true) => Health::Fair,
            (false, false) => Health::Bad,
        },
        detail: format!("{}: {}", encoder.name, encoder.detail),
        fix: None,
    };
    listed.iter().map(describe).collect()
}

/// What starts the sound servers of a desktop session that has them installed.
const START_SOUND: &str = "systemctl --user start pipewire pipewire-pulse wireplumber";
/// And what installs them.
const INSTALL_SOUND: &str = "sudo apt-get install pipewire pipewire-pulse wireplumber";

fn sound(config: &Config) -> Finding {
    let what = "sound";
    if config.audio.is_silence() {
        return Finding {
            what,
            health: Health::Good,
            detail: "none, as configured: the stream is silent".to_owned(),
            fix: None,
        };
    }
    let found = audio::probe(&config.audio, &audio::AudioServers::default());
    if found.available {
        return Finding {
            what,
            health: Health::Good,
            detail: format!("{}: {}", found.spec, found.detail),
            fix: None,
        };
    }
    let installed = ["pipewire", "pulseaudio"].map(crate::config::find_program);
    let fix = match installed {
        [Some(_), _] => START_SOUND.to_owned(),
        [None, Some(_)] => "pulseaudio --start".to_owned(),
        [None, None] => format!("{INSTALL_SOUND} && {START_SOUND}"),
    };
    Finding {
        what,
        health: Health::Fair,
        detail: format!("no sound server: the stream is silent ({})", found.detail),
        fix: Some(fix),
    }
}

/// Devices of the kernel: game pads need them, and every source that is no X display.
const UINPUT: &str = "/dev/uinput";

fn input() -> Finding {
    let opened = std::fs::OpenOptions::new().write(true).open(UINPUT);
    let only_x = "only X displays take input, and no game pads";
    let (health, detail, fix) = match opened {
        Ok(_) => (Health::Good, format!("{UINPUT} can be used"), None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (
            Health::Fair,
            format!("there is no {UINPUT}: {only_x}"),
            Some("sudo modprobe uinput".to_owned()),
        ),
        Err(error) => (
            Health::Fair,
            format!("{UINPUT} cannot be used ({error}): {only_x}"),
            Some(format!("sudo setfacl -m \"u:$USER:rw\" {UINPUT}")),
        ),
    };
    Finding {
        what: "input",
        health,
        detail,
        fix,
    }
}

fn port(config: &Config) -> Finding {
    let address = config.listen;
    let tcp = TcpListener::bind(address);
    let udp = UdpSocket::bind(address);
    let (health, detail, fix) = match (tcp, udp) {
        (Ok(_), Ok(_)) => (
            Health::Good,
            format!("{address} is free for TCP and UDP"),
            None,
        ),
        (Ok(_), Err(error)) => (
            Health::Fair,
            format!("{address} is free for TCP; UDP ({error}) takes another port"),
            None,
        ),
        (Err(error), _) => (
            Health::Bad,
            format!("{address} cannot be used: {error}"),
            Some(format!(
                "see who has it: ss -ltnp 'sport = :{}'; or choose another: --listen {}:{}",
                address.port(),
                address.ip(),
                address.port().wrapping_add(1)
            )),
        ),
    };
    Finding {
        what: "port",
        health,
        detail,
        fix,
    }
}

/// Two hosts cannot share the ports that clients know, so whoever has them is named.
fn moonlight_ports(config: &Config) -> Finding {
    let (ip, ports) = (config.listen.ip(), config.moonlight.ports);
    let tcp = [ports.http(), ports.https(), ports.rtsp()].map(|port| (Protocol::Tcp, port));
    let udp = [ports.video(), ports.control(), ports.audio()].map(|port| (Protocol::Udp, port));
    let taken = tcp.into_iter().chain(udp).find(|(protocol, port)| {
        let bound = match protocol {
            Protocol::Tcp => TcpListener::bind((ip, *port)).map(drop),
            Protocol::Udp => UdpSocket::bind((ip, *port)).map(drop),
        };
        bound.is_err()
    });
    let what = "moonlight";
    match taken {
        None => Finding {
            what,
            health: Health::Good,
            detail: format!("its six ports around {} are free on {ip}", ports.http()),
            fix: None,
        },
        Some((protocol, port)) => {
            let owner = port_owner::owner(protocol, port);
            let owner = owner.map_or("another program".to_owned(), |name| format!("{name:?}"));
            Finding {
                what,
                health: Health::Bad,
                detail: format!("{protocol:?} port {port} is taken by {owner}"),
                fix: Some(format!(
                    "stop it if it is another GameStream host, or choose other ports: \
                     --moonlight-port {}, and add the host in Moonlight by ADDRESS:{0}",
                    ports.http().saturating_add(1000)
                )),
            }
        }
    }
}

/// Below this the kernel drops packets of a large keyframe.
const GOOD_BUFFER_BYTES: u64 = 1 << 20;

fn socket_buffers() -> Finding {
    let read = std::fs::read_to_string("/proc/sys/net/core/wmem_max");
    let granted = read.ok().and_then(|text| text.trim().parse::<u64>().ok());
    let (health, detail, fix) = match granted {
        Some(bytes) if bytes >= GOOD_BUFFER_BYTES => (
            Health::Good,
            format!("the kernel grants {} KiB", bytes >> 10),
            None,
        ),
        Some(bytes) => (
            Health::Fair,
            format!(
                "the kernel grants {} KiB: bursts above that are dropped",
                bytes >> 10
            ),
            Some("sudo sysctl -w net.core.wmem_max=4194304 net.core.rmem_max=4194304".to_owned()),
        ),
        None => (
            Health::Good,
            "the kernel does not tell its limit".to_owned(),
            None,
        ),
    };
    Finding {
        what: "buffers",
        health,
        detail,
        fix,
    }
}

fn priority() -> Finding {
    // Trying is the only reliable way to know; the thread that tries is over right after.
    let tried = std::thread::spawn(|| {
        pipeline::priority::raise(pipeline::priority::ENCODE_NICE);
        pipeline::priority::was_refused()
    });
    let refused = tried.join().unwrap_or(true);
    let (health, detail, fix) = if refused {
        (
            Health::Fair,
            "threads run at normal priority: other load adds delay".to_owned(),
            Some("sudo setcap cap_sys_nice+ep \"$(command -v heliostat)\"".to_owned()),
        )
    } else {
        (
            Health::Good,
            "capture, encode and send threads run at raised priority".to_owned(),
            None,
        )
    };
    Finding {
        what: "priority",
        health,
        detail,
        fix,
    }
}

fn browser() -> Finding {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| crate::config::find_program(name));
    let (health, detail, fix) = match found {
        Some(path) => (
            Health::Good,
            format!("{} (for `heliostat bench`)", path.display()),
            None,
        ),
        None => (
            Health::Fair,
            "no Chromium: everything but `heliostat bench` works".to_owned(),
            Some("sudo apt-get install chromium xvfb".to_owned()),
        ),
    };
    Finding {
        what: "bench",
        health,
        detail,
        fix,
    }
}
