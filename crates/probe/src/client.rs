//! What a client asks a host over HTTP and HTTPS: who are you, pair, what can run, run it, end it. It
//! holds no connection between requests.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Serialize;

use crate::crypto::{self, KEY_LEN, from_hex, to_hex};
use crate::error::AnswerError;
use crate::http::{self, Route};
use crate::identity::CertificateFacts;
use crate::options::{HostAddress, Options, StreamOptions};
use crate::pairing::Pairing;
use crate::state::State;
use crate::xml::{self, Element};
use crate::{Error, tls};

/// Real clients all call themselves this (libgamestream, client.c); hosts tell them apart by certificate.
const UNIQUE_ID: &str = "0123456789ABCDEF";
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a person may take to enter the PIN.
const PIN_WITHIN: Duration = Duration::from_secs(300);
/// How long an application may take to start.
const LAUNCH_WITHIN: Duration = Duration::from_secs(60);

/// What a host says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostInfo {
    /// Its name.
    pub hostname: String,
    /// The protocol version it claims.
    pub app_version: String,
    /// Its stable identifier.
    pub unique_id: String,
    /// The HTTPS port.
    pub https_port: u16,
    /// The codecs it has, as Limelight.h numbers them (`SCM_*`).
    pub codec_modes: u32,
    /// The address by which its card is woken up; told to clients that it knows.
    pub mac: Option<String>,
    /// The modes it offers to choose from, as `WIDTHxHEIGHTxRATE`.
    pub display_modes: Vec<String>,
    /// Whether it knows this client.
    pub paired: bool,
    /// The application that runs.
    pub running_app: Option<i32>,
}

/// An application of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct App {
    /// Its number.
    pub id: i32,
    /// Its title.
    pub title: String,
    /// Whether it can be shown with ten bits a channel.
    pub hdr: bool,
}

/// A session that the host is ready to negotiate.
#[derive(Clone, Debug)]
pub(crate) struct Launched {
    pub(crate) rtsp_url: String,
    pub(crate) key: [u8; KEY_LEN],
    pub(crate) key_id: u32,
    pub(crate) resumed: bool,
}

/// A client of one host.
#[derive(Debug)]
pub struct Client {
    host: HostAddress,
    state: State,
}

impl Client {
    /// The client whose key lies in the options' folder.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn open(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            host: options.host.clone(),
            state: State::open(&options.state_dir)?,
        })
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &HostAddress {
        &self.host
    }

    /// What the host says about itself; over HTTPS if it is paired, since only there it tells whether it
    /// knows this client.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Answer`], [`Error::OtherHost`].
    pub fn info(&self) -> Result<HostInfo, Error> {
        let open = self.plain("serverinfo", "", ANSWER_WITHIN)?;
        let open = read_info(&open).map_err(|cause| answer("serverinfo", cause))?;
        let Some(tls) = self.pinned()? else {
            return Ok(open);
        };
        match self.secure(&tls, open.https_port, "serverinfo", "") {
            Ok(root) => read_info(&root).map_err(|cause| answer("serverinfo", cause)),
            // A host that forgot this client says so in this way.
            Err(Error::Refused { status: 401, .. } | Error::NotPaired) => Ok(open),
            Err(error) => Err(error),
        }
    }

    /// Pairs: blocks until a person has entered `pin` at the host.
    ///
    /// # Errors
    /// [`Error::PinRefused`], [`Error::PairingForged`], and those of [`Client::info`].
    pub fn pair(&mut self, pin: &str) -> Result<(), Error> {
        let paired = self.pair_by_steps(pin);
        if paired.is_err() {
            // So that the host need not wait for a step that does not come (`gs_pair`, at its end).
            let _ = self.plain("unpair", "", ANSWER_WITHIN);
        }
        paired
    }

    fn pair_by_steps(&mut self, pin: &str) -> Result<(), Error> {
        let mut pairing = Pairing::new(pin)?;
        let https_port = self.info_over_http()?.https_port;
        let identity = self.state.identity().clone();
        let first = format!(
            "&phrase=getservercert&salt={}&clientcert={}",
            to_hex(&pairing.salt()),
            to_hex(identity.certificate_pem().as_bytes())
        );
        let root = match self.pair_phase(&first, PIN_WITHIN) {
            Err(Error::Unreachable { cause, .. }) if cause.kind() == ErrorKind::TimedOut => {
                return Err(Error::PinNotEntered(PIN_WITHIN));
            }
            done => done?,
        };
        let pem = hex_field(&root, "plaincert")?;
        let certificate = CertificateFacts::from_pem(&pem);
        let certificate =
            certificate.ok_or_else(|| answer("pair", AnswerError::Value("plaincert")))?;
        let challenge = format!("&clientchallenge={}", to_hex(&pairing.challenge()?));
        let root = self.pair_phase(&challenge, ANSWER_WITHIN)?;
        let response = hex_field(&root, "challengeresponse")?;
        let reply = to_hex(&pairing.answer(&response, &identity)?);
        let root = self.pair_phase(&format!("&serverchallengeresp={reply}"), ANSWER_WITHIN)?;
        let secret = hex_field(&root, "pairingsecret")?;
        let ours = to_hex(&pairing.finish(&secret, &certificate, &identity)?);
        self.pair_phase(&format!("&clientpairingsecret={ours}"), ANSWER_WITHIN)?;
        let tls = tls::config(&identity, certificate.der.clone())?;
        let last = "&devicename=roth&updateState=1&phrase=pairchallenge";
        let root = self.secure(&tls, https_port, "pair", last)?;
        paired(&root)?;
        self.state.remember(&self.host, &certificate.der)
    }

    /// Forgets the host, and asks it to forget this client: whether it did.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn unpair(&mut self) -> Result<bool, Error> {
        // Over TLS, where a host knows who asks; stock clients ask over HTTP (`gs_unpair` in client.c),
        // and hosts of today answer 404 there, some to both.
        let asked = self
            .paired_host()
            .and_then(|(tls, info)| self.secure(&tls, info.https_port, "unpair", ""));
        self.state.forget(&self.host)?;
        Ok(asked.is_ok())
    }

    /// What can run.
    ///
    /// # Errors
    /// [`Error::NotPaired`], and those of [`Client::info`].
    pub fn apps(&self) -> Result<Vec<App>, Error> {
        let (tls, info) = self.paired_host()?;
        let root = self.secure(&tls, info.https_port, "applist", "")?;
        read_apps(&root).map_err(|cause| answer("applist", cause))
    }

    /// Ends the application that runs.
    ///
    /// # Errors
    /// [`Error::NotPaired`], [`Error::Refused`], and those of [`Client::info`].
    pub fn quit(&self) -> Result<(), Error> {
        let (tls, info) = self.paired_host()?;
        let root = self.secure(&tls, info.https_port, "cancel", "")?;
        match root.child_text("cancel") {
            Some("1") => Ok(()),
            _ => Err(refusal("cancel", &root)),
        }
    }

    /// Starts or resumes the application that the options name.
    pub(crate) fn launch(&self, options: &StreamOptions) -> Result<(HostInfo, Launched), Error> {
        let (tls, info) = self.paired_host()?;
        let app = self.app(&tls, &info, &options.app)?;
        if let Some(running) = info.running_app.filter(|&running| running != app.id) {
            return Err(Error::OtherAppRunning(running));
        }
        let resumed = info.running_app.is_some();
        let key: [u8; KEY_LEN] = crypto::random()?;
        let key_id = u32::from_be_bytes(crypto::random()?);
        let query = launch_query(options, &app, key, key_id);
        let request = if resumed { "resume" } else { "launch" };
        let root = self.secure(&tls, info.https_port, request, &query)?;
        let ran = root.child_text("gamesession").or(root.child_text("resume"));
        if !ran.is_some_and(|value| value != "0" && !value.is_empty()) {
            return Err(refusal(request, &root));
        }
        let url = root.child_text("sessionUrl0").filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| answer(request, AnswerError::Missing("sessionUrl0")))?;
        let launched = Launched {
            rtsp_url: url.to_owned(),
            key,
            key_id,
            resumed,
        };
        Ok((info, launched))
    }

    fn app(&self, tls: &Arc<ClientConfig>, info: &HostInfo, wanted: &str) -> Result<App, Error> {
        let root = self.secure(tls, info.https_port, "applist", "")?;
        let apps = read_apps(&root).map_err(|cause| answer("applist", cause))?;
        let fits =
            |app: &App| app.title.eq_ignore_ascii_case(wanted) || wanted.parse() == Ok(app.id);
        let found = apps.into_iter().find(fits);
        found.ok_or_else(|| Error::NoSuchApp(wanted.to_owned()))
    }

    fn paired_host(&self) -> Result<(Arc<ClientConfig>, HostInfo), Error> {
        let tls = self.pinned()?.ok_or(Error::NotPaired)?;
        let info = self.info()?;
        if info.paired {
            Ok((tls, info))
        } else {
            Err(Error::NotPaired)
        }
    }

    fn pinned(&self) -> Result<Option<Arc<ClientConfig>>, Error> {
        let Some(certificate) = self.state.host(&self.host) else {
            return Ok(None);
        };
        tls::config(self.state.identity(), certificate).map(Some)
    }

    fn info_over_http(&self) -> Result<HostInfo, Error> {
        let root = self.plain("serverinfo", "", ANSWER_WITHIN)?;
        read_info(&root).map_err(|cause| answer("serverinfo", cause))
    }

    fn pair_phase(&self, query: &str, within: Duration) -> Result<Element, Error> {
        let query = format!("&devicename=roth&updateState=1{query}");
        let root = self.plain("pair", &query, within)?;
        paired(&root)?;
        Ok(root)
    }

    fn plain(
        &self,
        request: &'static str,
        query: &str,
        within: Duration,
    ) -> Result<Element, Error> {
        self.ask(self.route(self.host.port(), None, within), request, query)
    }

    fn secure(
        &self,
        tls: &Arc<ClientConfig>,
        port: u16,
        request: &'static str,
        query: &str,
    ) -> Result<Element, Error> {
        let within = match request {
            "launch" | "resume" | "cancel" => LAUNCH_WITHIN,
            _ => ANSWER_WITHIN,
        };
        self.ask(self.route(port, Some(tls), within), request, query)
    }

    const fn route<'a>(
        &'a self,
        port: u16,
        tls: Option<&'a Arc<ClientConfig>>,
        within: Duration,
    ) -> Route<'a> {
        Route {
            host: &self.host,
            port,
            tls,
            within,
        }
    }

    fn ask(&self, route: Route<'_>, request: &'static str, query: &str) -> Result<Element, Error> {
        let id = to_hex(&crypto::random::<16>()?);
        let path = format!("/{request}?uniqueid={UNIQUE_ID}&uuid={id}{query}");
        let body = http::get(route, &path, request)?;
        let root = xml::parse(&body).map_err(|error| answer(request, error.into()))?;
        match status(&root) {
            200 => Ok(root),
            _ => Err(refusal(request, &root)),
        }
    }
}

fn launch_query(options: &StreamOptions, app: &App, key: [u8; KEY_LEN], key_id: u32) -> String {
    let audio = (options.audio.mask() << 16) | u32::from(options.audio.channels());
    let hdr = if options.hdr { "&hdrMode=1" } else { "" };
    // Last, what the client's core asks for: encrypted RTSP (Limelight.h, LiGetLaunchUrlQueryParameters).
    format!(
        "&appid={}&mode={}x{}x{}&additionalStates=1&sops=0&rikey={}&rikeyid={}\
         &localAudioPlayMode=0&surroundAudioInfo={audio}&remoteControllersBitmap=0&gcmap=0{hdr}&corever=1",
        app.id,
        options.size.width,
        options.size.height,
        options.rate,
        to_hex(&key),
        key_id.cast_signed(),
    )
}

fn answer(request: &'static str, cause: AnswerError) -> Error {
    Error::Answer { request, cause }
}

fn status(root: &Element) -> u32 {
    let status = root.attribute("status_code").unwrap_or("200");
    // GeForce Experience writes errors as negative numbers; none of them is 200.
    status.parse().unwrap_or(u32::MAX)
}

fn refusal(request: &'static str, root: &Element) -> Error {
    let reason = root.attribute("status_message").unwrap_or_default();
    let reason = if reason.is_empty() {
        "no reason given"
    } else {
        reason
    };
    match status(root) {
        401 if request != "serverinfo" => Error::NotPaired,
        status => Error::Refused {
            request,
            status,
            reason: reason.to_owned(),
        },
    }
}

fn paired(root: &Element) -> Result<(), Error> {
    match root.child_text("paired") {
        Some("1") => Ok(()),
        Some(_) => Err(Error::PinRefused),
        None => Err(answer("pair", AnswerError::Missing("paired"))),
    }
}

fn hex_field(root: &Element, name: &'static str) -> Result<Vec<u8>, Error> {
    let text = root.child_text(name).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| answer("pair", AnswerError::Missing(name)))?;
    from_hex(text).ok_or_else(|| answer("pair", AnswerError::Value(name)))
}

/// Reads `/serverinfo` with the strictness of libgamestream (client.c, `load_serverinfo`): four fields
/// may not be empty.
///
/// # Errors
/// [`AnswerError::Missing`] or [`AnswerError::Value`].
pub fn read_info(root: &Element) -> Result<HostInfo, AnswerError> {
    let needed = |name: &'static str| {
        let text = root.child_text(name).filter(|text| !text.is_empty());
        text.ok_or(AnswerError::Missing(name))
    };
    let running: i32 = needed("currentgame")?
        .parse()
        .map_err(|_| AnswerError::Value("currentgame"))?;
    let busy = needed("state")?.ends_with("_SERVER_BUSY");
    let https_port = needed("HttpsPort")?.parse();
    let modes = root.child_text("ServerCodecModeSupport").unwrap_or("1");
    let modes = modes.parse();
    let mac = root.child_text("mac").unwrap_or_default();
    let is_address = mac.chars().any(|digit| !matches!(digit, '0' | ':'));
    let offered = root.child("SupportedDisplayMode");
    let offered = offered.into_iter().flat_map(|list| &list.children);
    let mode = |mode: &Element| {
        let value = |name| mode.child_text(name)?.parse::<u32>().ok();
        let (width, height) = (value("Width")?, value("Height")?);
        Some(format!("{width}x{height}x{}", value("RefreshRate")?))
    };
    Ok(HostInfo {
        hostname: root.child_text("hostname").unwrap_or_default().to_owned(),
        app_version: needed("appversion")?.to_owned(),
        unique_id: root.child_text("uniqueid").unwrap_or_default().to_owned(),
        https_port: https_port.map_err(|_| AnswerError::Value("HttpsPort"))?,
        codec_modes: modes.map_err(|_| AnswerError::Value("ServerCodecModeSupport"))?,
        mac: is_address.then(|| mac.to_owned()),
        display_modes: offered.filter_map(mode).collect(),
        paired: needed("PairStatus")? == "1",
        running_app: (busy && running != 0).then_some(running),
    })
}

/// Reads `/applist`.
///
/// # Errors
/// [`AnswerError::Missing`] or [`AnswerError::Value`].
pub fn read_apps(root: &Element) -> Result<Vec<App>, AnswerError> {
    let apps = root.children.iter().filter(|child| child.name == "App");
    let read = |app: &Element| {
        let id = app.child_text("ID").ok_or(AnswerError::Missing("ID"))?;
        let id: i32 = id.parse().map_err(|_| AnswerError::Value("ID"))?;
        let title = app.child_text("AppTitle");
        Ok(App {
            id,
            title: title.ok_or(AnswerError::Missing("AppTitle"))?.to_owned(),
            hdr: app.child_text("IsHdrSupported") == Some("1"),
        })
    };
    apps.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(fields: &str) -> Element {
        xml::parse(format!(r#"<root status_code="200">{fields}</root>"#).as_bytes()).unwrap()
    }

    const INFO: &str = "<hostname>box</hostname><appversion>7.1.431.-1</appversion><uniqueid>u</uniqueid>\
        <HttpsPort>47984</HttpsPort><ServerCodecModeSupport>259</ServerCodecModeSupport><PairStatus>0</PairStatus>";

    #[test]
    fn an_application_runs_only_while_the_host_says_it_is_busy() {
        let busy = "<currentgame>7</currentgame><state>SUNSHINE_SERVER_BUSY</state>";
        let info = read_info(&root(&format!("{INFO}{busy}"))).unwrap();
        assert_eq!((info.running_app, info.codec_modes), (Some(7), 259));
        let free = "<currentgame>7</currentgame><state>SUNSHINE_SERVER_FREE</state>";
        let info = read_info(&root(&format!("{INFO}{free}"))).unwrap();
        assert_eq!(info.running_app, None);
    }

    #[test]
    fn what_stock_clients_need_may_not_be_empty() {
        let empty = "<currentgame></currentgame><state>SUNSHINE_SERVER_FREE</state>";
        let error = read_info(&root(&format!("{INFO}{empty}"))).unwrap_err();
        assert_eq!(error.to_string(), "<currentgame> is missing or empty");
    }

    #[test]
    fn applications_are_read_with_their_numbers() {
        let apps = "<App><IsHdrSupported>0</IsHdrSupported><AppTitle>Desk &amp; top</AppTitle><ID>881448767</ID></App>";
        let apps = read_apps(&root(apps)).unwrap();
        assert_eq!(
            (apps[0].id, apps[0].title.as_str()),
            (881_448_767, "Desk & top")
        );
        assert!(read_apps(&root("<App><AppTitle>x</AppTitle></App>")).is_err());
    }

    #[test]
    fn the_key_number_is_sent_as_a_signed_number() {
        let app = App {
            id: 1,
            title: String::new(),
            hdr: false,
        };
        let options = StreamOptions::new("1");
        let query = launch_query(&options, &app, [0xab; 16], u32::MAX);
        assert!(query.contains("&rikeyid=-1&"), "{query}");
        assert!(
            query.contains("&mode=1280x720x60&") && query.contains("&surroundAudioInfo=196610&")
        );
    }
}
