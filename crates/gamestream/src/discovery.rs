//! Tells the local network that there is a host, by multicast DNS. Without it clients are given the
//! address by hand, so that a failure here is told and nothing more.

use crate::server::Config;
use gamestream_proto::constants::SERVICE_TYPE;
use mdns_sd::{ServiceDaemon, ServiceInfo};
use std::fmt;
use std::time::Duration;

/// The farewell that takes the name off the network may take this long.
const FAREWELL: Duration = Duration::from_millis(200);

/// A name on the network. Dropping it takes it off.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement")
            .field("full_name", &self.full_name)
            .finish_non_exhaustive()
    }
}

impl Announcement {
    /// Announces a host that listens beyond loopback.
    pub(crate) fn start(config: &Config, unique_id: &str) -> Option<Self> {
        if config.listen.is_loopback() {
            return None;
        }
        match announce(config, unique_id) {
            Ok(announcement) => Some(announcement),
            Err(error) => {
                tracing::warn!(%error, "Moonlight clients cannot find this host by themselves: give them its address");
                None
            }
        }
    }
}

fn announce(config: &Config, unique_id: &str) -> Result<Announcement, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    let host_name = format!("{}.local.", label(&config.name));
    let port = config.ports.http();
    let no_text: &[(&str, &str)] = &[];
    let service = match config.listen.is_unspecified() {
        true => ServiceInfo::new(SERVICE_TYPE, &config.name, &host_name, "", port, no_text)?
            .enable_addr_auto(),
        false => ServiceInfo::new(
            SERVICE_TYPE,
            &config.name,
            &host_name,
            config.listen,
            port,
            no_text,
        )?,
    };
    let full_name = service.get_fullname().to_owned();
    daemon.register(service)?;
    tracing::debug!(unique_id, name = %full_name, "announced");
    Ok(Announcement { daemon, full_name })
}

/// A host name without what DNS does not allow.
fn label(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    match plain.trim_matches('-') {
        "" => "heliostat".to_owned(),
        label => label.to_owned(),
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // What cannot be taken off now runs out by itself within its time to live.
        if let Ok(gone) = self.daemon.unregister(&self.full_name) {
            let _ = gone.recv_timeout(FAREWELL);
        }
        let _ = self.daemon.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_makes_a_host_name() {
        for (name, expected) in [
            ("workstation", "workstation"),
            ("Anna's PC", "Anna-s-PC"),
            ("---", "heliostat"),
            ("", "heliostat"),
        ] {
            assert_eq!(label(name), expected);
        }
    }
}
