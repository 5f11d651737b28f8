//! A brake on guessing: failed attempts per client address, in a table of bounded size.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures in a row before a client has to wait.
const BURST: u32 = 10;
/// After that, one attempt each of these.
const REFILL: Duration = Duration::from_secs(6);
/// Addresses remembered; the one that failed longest ago makes room.
const MAX_CLIENTS: usize = 1024;

/// The client has to wait this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

#[derive(Debug)]
struct Failures {
    /// When the bucket is full again. All of its state: each failure moves it by one refill.
    full_at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Attempts(HashMap<IpAddr, Failures>);

impl Attempts {
    /// Whether `client` may try now.
    pub(crate) fn check(&self, client: IpAddr, now: Instant) -> Result<(), Wait> {
        let Some(failures) = self.0.get(&key(client)) else {
            return Ok(());
        };
        let owed = failures.full_at.saturating_duration_since(now);
        let free_below = REFILL * (BURST - 1);
        match owed.checked_sub(free_below) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(Wait(wait)),
        }
    }

    /// Notes that `client` tried and failed.
    pub(crate) fn failed(&mut self, client: IpAddr, now: Instant) {
        if self.0.len() >= MAX_CLIENTS && !self.0.contains_key(&key(client)) {
            self.make_room(now);
        }
        let entry = self
            .0
            .entry(key(client))
            .or_insert(Failures { full_at: now });
        let longest = now + REFILL * BURST;
        entry.full_at = (entry.full_at.max(now) + REFILL).min(longest);
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, failures| failures.full_at > now);
        if self.0.len() >= MAX_CLIENTS {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.full_at);
            if let Some(client) = oldest.map(|(client, _)| *client) {
                self.0.remove(&client);
            }
        }
    }
}

/// One household has one IPv4 address or one /64 of IPv6.
fn key(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn locked_out(now: Instant) -> Attempts {
        let mut attempts = Attempts::default();
        for _ in 0..BURST {
            assert_eq!(attempts.check(CLIENT, now), Ok(()));
            attempts.failed(CLIENT, now);
        }
        attempts
    }

    #[test]
    fn ten_failures_are_free_then_one_each_six_seconds() {
        let now = Instant::now();
        let mut attempts = locked_out(now);
        assert_eq!(attempts.check(CLIENT, now), Err(Wait(REFILL)));
        let later = now + REFILL;
        assert_eq!(attempts.check(CLIENT, later), Ok(()));
        attempts.failed(CLIENT, later);
        assert_eq!(attempts.check(CLIENT, later), Err(Wait(REFILL)));
        assert_eq!(attempts.check(CLIENT, later + REFILL * BURST), Ok(()));
    }

    #[test]
    fn others_are_not_locked_out() {
        let now = Instant::now();
        let attempts = locked_out(now);
        assert_eq!(
            attempts.check(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), now),
            Ok(())
        );
    }

    #[test]
    fn a_client_cannot_change_its_address_within_its_own_network() {
        let now = Instant::now();
        let mut attempts = Attempts::default();
        for host in 0..u128::from(BURST) {
            attempts.failed(
                IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + host)),
                now,
            );
        }
        let sibling = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + 0xffff));
        assert!(attempts.check(sibling, now).is_err());
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        assert!(locked_out(now).check(mapped, now).is_err());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let start = Instant::now();
        let mut attempts = Attempts::default();
        for client in 0..2 * MAX_CLIENTS {
            let address = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(client).unwrap()));
            attempts.failed(address, start + Duration::from_micros(client as u64));
        }
        assert_eq!(attempts.0.len(), MAX_CLIENTS);
        assert!(!attempts.0.contains_key(&IpAddr::V4(Ipv4Addr::from_bits(0))));
    }
}
