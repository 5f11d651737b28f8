//! Numbers both ends know without being told: ports, versions, formats. The one place for each.

/// The version the host claims to have. From 7.1.431 on clients encrypt control, use one PLAY and
/// several FEC blocks a frame; from 7.1.446 on they expect other frame headers. A negative fourth part
/// switches on what Sunshine added (Limelight-internal.h, `IS_SUNSHINE`).
pub const APP_VERSION: &str = "7.1.431.-1";
/// The version of GeForce Experience the host claims to have.
pub const GFE_VERSION: &str = "3.23.0.74";
/// The HTTP port when nobody says otherwise; the other ports are counted from it.
pub const DEFAULT_BASE_PORT: u16 = 47989;
/// The DNS-SD service type of hosts.
pub const SERVICE_TYPE: &str = "_nvstream._tcp.local.";

/// The ports of a host, all counted from one (nvhttp.h, stream.h and rtsp.h of Sunshine).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// The lowest base port: HTTPS lies five below it.
    pub const MIN_BASE: u16 = 1029;
    /// The highest base port: RTSP lies 21 above it.
    pub const MAX_BASE: u16 = 65_514;

    /// The ports counted from `base`; nothing when one of them would be out of range.
    #[must_use]
    pub const fn new(base: u16) -> Option<Self> {
        if base >= Self::MIN_BASE && base <= Self::MAX_BASE {
            Some(Self { base })
        } else {
            None
        }
    }

    /// TCP: HTTP, for discovery and pairing.
    #[must_use]
    pub const fn http(self) -> u16 {
        self.base
    }

    /// TCP: HTTPS with client certificates.
    #[must_use]
    pub const fn https(self) -> u16 {
        self.base - 5
    }

    /// TCP: RTSP.
    #[must_use]
    pub const fn rtsp(self) -> u16 {
        self.base + 21
    }

    /// UDP: video.
    #[must_use]
    pub const fn video(self) -> u16 {
        self.base + 9
    }

    /// UDP: control (ENet).
    #[must_use]
    pub const fn control(self) -> u16 {
        self.base + 10
    }

    /// UDP: audio.
    #[must_use]
    pub const fn audio(self) -> u16 {
        self.base + 11
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            base: DEFAULT_BASE_PORT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ports_are_those_that_clients_know() {
        let ports = Ports::default();
        assert_eq!(
            [ports.https(), ports.http(), ports.rtsp()],
            [47984, 47989, 48010]
        );
        assert_eq!(
            [ports.video(), ports.control(), ports.audio()],
            [47998, 47999, 48000]
        );
    }

    #[test]
    fn a_base_that_leaves_no_room_is_refused() {
        assert!(Ports::new(1028).is_none() && Ports::new(65_515).is_none());
        assert_eq!(Ports::new(1029).map(Ports::https), Some(1024));
        assert_eq!(Ports::new(65_514).map(Ports::rtsp), Some(u16::MAX));
    }
}
