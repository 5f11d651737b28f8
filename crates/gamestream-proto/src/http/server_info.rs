//! The answer to `/serverinfo`: what a client decides by whether to pair, to launch or to resume.
//! What may be said to whom is decided here; the facts are given.

use super::codecs::CodecSupport;
use super::launch::DisplayMode;
use super::xml::{Status, Xml};
use crate::constants::{APP_VERSION, GFE_VERSION, Ports};
use std::net::{IpAddr, Ipv4Addr};

/// The largest picture in HEVC, as hosts that clients know announce it.
const MAX_LUMA_PIXELS_HEVC: u32 = 1_869_449_984;

/// By whom, and how, `/serverinfo` was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Over HTTP, or by a client that is not paired: it is told neither that it is paired nor the
    /// network card's address.
    ByAnybody,
    /// Over HTTPS, with the certificate of a paired client.
    ByPairedClient,
}

/// Facts about the host.
#[derive(Clone, Debug)]
pub struct ServerInfo<'a> {
    /// By whom it was asked for.
    pub asked: Asked,
    /// What people call the host.
    pub hostname: &'a str,
    /// Names the host for ever; clients forget a host whose id changes.
    pub unique_id: &'a str,
    /// Where it listens.
    pub ports: Ports,
    /// What it encodes.
    pub codecs: CodecSupport,
    /// Address of the network card the request came in by, for waking the host up.
    pub mac: Option<[u8; 6]>,
    /// The address the client reached the host at.
    pub local_address: IpAddr,
    /// The address seen from the Internet, if somebody set one.
    pub external_ip: Option<&'a str>,
    /// The application that runs.
    pub running_app: Option<i32>,
    /// Modes to offer; clients know more on their own, but libgamestream wants its mode in the list.
    pub display_modes: &'a [DisplayMode],
    /// Name of the graphics card.
    pub gpu: Option<&'a str>,
}

impl ServerInfo<'_> {
    /// The answer.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut xml = Xml::new(&Status::OK);
        let paired = self.asked == Asked::ByPairedClient;
        let luma = if self.codecs.has_hevc() {
            MAX_LUMA_PIXELS_HEVC
        } else {
            0
        };
        xml.element("hostname", self.hostname)
            .element("appversion", APP_VERSION)
            .element("GfeVersion", GFE_VERSION)
            .element("uniqueid", self.unique_id)
            .element("HttpsPort", self.ports.https())
            .element("ExternalPort", self.ports.http())
            .element("MaxLumaPixelsHEVC", luma)
            .element("mac", mac_text(self.mac.filter(|_| paired)))
            .element("LocalIP", local_ipv4(self.local_address))
            .element("ServerCodecModeSupport", self.codecs.number());
        if let Some(address) = self.external_ip {
            xml.element("ExternalIP", address);
        }
        if let Some(gpu) = self.gpu {
            xml.element("gputype", gpu);
        }
        if !self.display_modes.is_empty() {
            xml.group("SupportedDisplayMode", |xml| {
                for mode in self.display_modes {
                    display_mode(xml, *mode);
                }
            });
        }
        // Clients that read `_SERVER_BUSY` offer to resume, and take the id of the application
        // from `currentgame` (libgamestream's client.c, `load_serverinfo`).
        let state = match self.running_app {
            Some(_) => "SUNSHINE_SERVER_BUSY",
            None => "SUNSHINE_SERVER_FREE",
        };
        xml.element("PairStatus", u8::from(paired))
            .element("currentgame", self.running_app.unwrap_or(0))
            .element("state", state);
        xml.finish()
    }
}

fn display_mode(xml: &mut Xml, mode: DisplayMode) {
    xml.group("DisplayMode", |xml| {
        xml.element("Width", mode.size.width)
            .element("Height", mode.size.height)
            .element("RefreshRate", mode.rate);
    });
}

/// Zeros are what clients know to ignore.
fn mac_text(mac: Option<[u8; 6]>) -> String {
    let bytes = mac.unwrap_or_default();
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// Clients keep this as the host's address in IPv4, and ignore the loopback address: an address in
/// IPv6 here would take the other's place (nvhttp.cpp of Sunshine, `serverinfo`).
fn local_ipv4(address: IpAddr) -> Ipv4Addr {
    match address.to_canonical() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
    }
}
