//! The settings of Moonlight clients: ports, codecs, apps, and who may stream beside whom.

use super::{ConfigError, Surroundings, Values};
use gamestream::{Catalogue, Linger, ModeConflict, Places, Ports, Rules};

/// Which codecs Moonlight clients may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MoonlightCodecs {
    /// H.264, and what a chip of this machine encodes.
    #[default]
    Auto,
    /// Every codec that some encoder of this build codes here, by software too.
    All,
    /// H.264 alone.
    H264,
}

/// How Moonlight clients are served.
#[derive(Clone, Debug, PartialEq)]
pub struct Moonlight {
    /// They are served.
    pub enabled: bool,
    /// Which ports they know.
    pub ports: Ports,
    /// Which codecs they may choose.
    pub codecs: MoonlightCodecs,
    /// What they call this host; nothing: the machine's name.
    pub name: Option<String>,
    /// Their packets say how urgent they are.
    pub dscp: bool,
    /// The apps that they may start.
    pub apps: Catalogue,
    /// Who may stream beside whom, and how long apps wait.
    pub rules: Rules,
}

impl Moonlight {
    pub(super) fn check(
        values: &Values<'_>,
        surroundings: &Surroundings,
    ) -> Result<Self, ConfigError> {
        let codecs = [
            ("auto", MoonlightCodecs::Auto),
            ("all", MoonlightCodecs::All),
            ("h264", MoonlightCodecs::H264),
        ];
        Ok(Self {
            enabled: values.flag("moonlight")?,
            ports: ports(values)?,
            codecs: values.one_of("moonlight-codecs", &codecs)?,
            name: name(values)?,
            dscp: values.flag("moonlight-dscp")?,
            apps: apps(values, surroundings)?,
            rules: rules(values)?,
        })
    }
}

fn ports(values: &Values<'_>) -> Result<Ports, ConfigError> {
    let name = "moonlight-port";
    let range = u64::from(Ports::MIN_BASE)..=u64::from(Ports::MAX_BASE);
    let base = values.number_in(name, range)?;
    let base = u16::try_from(base).ok().and_then(Ports::new);
    base.ok_or_else(|| values.wrong(name, "its ports do not fit".to_owned()))
}

fn name(values: &Values<'_>) -> Result<Option<String>, ConfigError> {
    let name = values.text("moonlight-name");
    // The length of one label in DNS, which announces it.
    let fits = name.len() <= 63 && !name.chars().any(char::is_control);
    if !fits {
        let why = "it must be at most 63 bytes of text".to_owned();
        return Err(values.wrong("moonlight-name", why));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// A file that was named must be there; the usual one may be.
fn apps(values: &Values<'_>, surroundings: &Surroundings) -> Result<Catalogue, ConfigError> {
    let name = "apps";
    let named = values.path(name);
    if let Some(path) = named.as_ref().filter(|path| !path.exists()) {
        return Err(values.wrong(name, format!("there is no file {}", path.display())));
    }
    let usual = || surroundings.directory("XDG_CONFIG_HOME", ".config");
    let path = named.or_else(|| usual().map(|folder| folder.join("apps.toml")));
    match path {
        Some(path) => Catalogue::load(&path).map_err(|error| values.wrong(name, error.to_string())),
        None => Ok(Catalogue::default()),
    }
}

fn rules(values: &Values<'_>) -> Result<Rules, ConfigError> {
    let conflicts = [
        ("separate", ModeConflict::Separate),
        ("join", ModeConflict::Join),
        ("steal", ModeConflict::Steal),
        ("reject", ModeConflict::Reject),
    ];
    let linger = Linger::from_text(values.text("app-linger"));
    let linger = linger.ok_or_else(|| {
        let why = format!("it must be {}", Linger::ALLOWED);
        values.wrong("app-linger", why)
    })?;
    let places = values.number_in("max-streams", 1..=16)?;
    Ok(Rules {
        conflict: values.one_of("mode-conflict", &conflicts)?,
        linger,
        places: u8::try_from(places)
            .ok()
            .and_then(Places::new)
            .unwrap_or_default(),
    })
}
