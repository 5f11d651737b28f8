//! What a client asks for with `/launch` and `/resume`, checked. The stream itself is agreed on over
//! RTSP; a new key comes with every one of these.

use super::query::Query;
use crate::{Error, StreamKey, hex};
use media::{FrameRate, ModeError, Size};

/// Size and rate of a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayMode {
    /// Width and height in pixels.
    pub size: Size,
    /// Frames a second.
    pub rate: FrameRate,
}

impl DisplayMode {
    /// Reads `WIDTHxHEIGHTxFPS`.
    fn parse(text: &str) -> Result<Self, Error> {
        const FIELD: &str = "mode";
        let shape = || Error::OutOfRange {
            field: FIELD,
            range: "WIDTHxHEIGHTxFPS, such as 1920x1080x60",
        };
        let mut parts = text.split('x').map(str::parse::<u32>);
        let mut next = || parts.next().and_then(Result::ok).ok_or_else(shape);
        let (size, fps) = (Size::new(next()?, next()?), next()?);
        if parts.next().is_some() {
            return Err(shape());
        }
        Self::new(size, fps).map_err(|why| Error::Mode { field: FIELD, why })
    }

    /// A checked mode.
    ///
    /// # Errors
    /// [`ModeError`] for what no stream can have.
    pub fn new(size: Size, fps: u32) -> Result<Self, ModeError> {
        Ok(Self {
            size: size.checked()?,
            rate: FrameRate::new(fps)?,
        })
    }
}

/// `surroundAudioInfo`: the client's speakers (`SURROUNDAUDIOINFO_FROM_AUDIO_CONFIGURATION` in
/// Limelight.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurroundAudio {
    /// How many channels: 2, 6 or 8.
    pub channels: u8,
    /// Which speakers, as the bits of `WAVEFORMATEXTENSIBLE`.
    pub mask: u16,
}

impl SurroundAudio {
    /// What is taken when a client does not say.
    pub const STEREO: Self = Self {
        channels: 2,
        mask: 0x3,
    };
}

/// Which controllers the client has plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    /// `remoteControllersBitmap`.
    pub remote_bitmap: u32,
    /// `gcmap`.
    pub map: u32,
    /// `gcpersist`: they stay when the client leaves.
    pub persist: bool,
}

/// What `/launch` and `/resume` have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionParameters {
    /// `rikey`.
    pub key: StreamKey,
    /// `rikeyid`: where the nonces of audio begin.
    pub key_id: i32,
    /// `surroundAudioInfo`.
    pub surround: SurroundAudio,
    /// `localAudioPlayMode`: whether the host's own speakers go on playing; not said by old clients
    /// when they resume.
    pub play_on_host: Option<bool>,
    /// `hdrMode`.
    pub hdr: bool,
    /// `sops`: the client lets the host choose settings of the game.
    pub optimise_settings: bool,
    /// Controllers that are there already.
    pub controllers: Controllers,
    /// `corever`: from 1 on the client encrypts RTSP (`LiGetLaunchUrlQueryParameters` in
    /// Connection.c).
    pub core_version: u32,
}

impl SessionParameters {
    /// Whether the client speaks encrypted RTSP.
    #[must_use]
    pub const fn encrypts_rtsp(&self) -> bool {
        self.core_version >= 1
    }

    fn parse(query: &Query<'_>) -> Result<Self, Error> {
        let key = hex::decode_array(query.require("rikey")?).ok_or(Error::OutOfRange {
            field: "rikey",
            range: "32 hexadecimal digits",
        })?;
        Ok(Self {
            key: StreamKey::new(key),
            key_id: key_id(query)?,
            surround: surround(query)?,
            play_on_host: query.switch("localAudioPlayMode")?,
            hdr: query.switch("hdrMode")?.unwrap_or(false),
            optimise_settings: query.switch("sops")?.unwrap_or(false),
            controllers: Controllers {
                remote_bitmap: bits(query, "remoteControllersBitmap")?,
                map: bits(query, "gcmap")?,
                persist: query.switch("gcpersist")?.unwrap_or(false),
            },
            core_version: bits(query, "corever")?,
        })
    }
}

/// 32 bits that some clients write with a sign and some without one.
fn signless(number: i64) -> u32 {
    (number & 0xffff_ffff) as u32
}

fn key_id(query: &Query<'_>) -> Result<i32, Error> {
    query.require("rikeyid")?;
    let allowed = i32::MIN.into()..=u32::MAX.into();
    let number = query.number("rikeyid", allowed, "a number of 32 bits")?;
    Ok(signless(number.unwrap_or(0)).cast_signed())
}

fn bits(query: &Query<'_>, field: &'static str) -> Result<u32, Error> {
    let allowed = i32::MIN.into()..=u32::MAX.into();
    let number = query.number(field, allowed, "a number of 32 bits")?;
    Ok(signless(number.unwrap_or(0)))
}

fn surround(query: &Query<'_>) -> Result<SurroundAudio, Error> {
    const FIELD: &str = "surroundAudioInfo";
    const RANGE: &str = "speakers * 65536 + 2, 6 or 8 channels";
    let number = query.number(FIELD, 0..=u32::MAX.into(), RANGE)?;
    let Some(number) = number else {
        return Ok(SurroundAudio::STEREO);
    };
    let channels = number & 0xffff;
    if ![2, 6, 8].contains(&channels) {
        return Err(Error::OutOfRange {
            field: FIELD,
            range: RANGE,
        });
    }
    Ok(SurroundAudio {
        channels: channels as u8,
        mask: (number >> 16) as u16,
    })
}

/// `/launch`: starts an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRequest {
    /// `appid`, as it stands in the list of applications.
    pub app_id: i32,
    /// `mode`.
    pub mode: DisplayMode,
    /// The rest.
    pub session: SessionParameters,
}

impl LaunchRequest {
    pub(super) fn parse(query: &Query<'_>) -> Result<Self, Error> {
        query.require("localAudioPlayMode")?;
        query.require("appid")?;
        Ok(Self {
            app_id: app_id(query)?.unwrap_or(0),
            mode: DisplayMode::parse(query.require("mode")?)?,
            session: SessionParameters::parse(query)?,
        })
    }
}

/// `/resume`: joins the application that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeRequest {
    /// `appid`, which not every client sends.
    pub app_id: Option<i32>,
    /// `mode`, which not every client sends.
    pub mode: Option<DisplayMode>,
    /// The rest.
    pub session: SessionParameters,
}

impl ResumeRequest {
    pub(super) fn parse(query: &Query<'_>) -> Result<Self, Error> {
        Ok(Self {
            app_id: app_id(query)?,
            mode: query.get("mode").map(DisplayMode::parse).transpose()?,
            session: SessionParameters::parse(query)?,
        })
    }
}

pub(super) fn app_id(query: &Query<'_>) -> Result<Option<i32>, Error> {
    let number = query.number("appid", 0..=i32::MAX.into(), "0 to 2147483647")?;
    Ok(number.and_then(|number| i32::try_from(number).ok()))
}
