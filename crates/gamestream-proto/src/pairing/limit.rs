//! How often something may be tried: so many at once, and the same number again in each minute. Knows
//! a bounded number of addresses.

use media::MonoTime;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// The most addresses that are remembered.
const MAX_ADDRESSES: usize = 256;

/// A limit on one thing. Holds the time at which all that was taken would be spread evenly.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limit {
    spread_until: MonoTime,
}

impl Limit {
    /// Takes one, or says how long to wait.
    pub(super) fn take(&mut self, a_minute: u32, now: MonoTime) -> Result<(), Duration> {
        let each = MINUTE / a_minute.max(1);
        let from = self.spread_until.max(now);
        let ahead = from.since(now) + each;
        if ahead > MINUTE {
            return Err(ahead.saturating_sub(MINUTE));
        }
        self.spread_until = from + each;
        Ok(())
    }

    fn is_idle(&self, now: MonoTime) -> bool {
        self.spread_until <= now
    }
}

/// An address as far as one household has it: in IPv6 that is a network of 64 bits.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// A limit for each address.
#[derive(Debug, Default)]
pub(super) struct AddressLimits {
    known: Vec<(IpAddr, Limit)>,
}

impl AddressLimits {
    /// Takes one for this address, or says how long to wait. When more addresses come than are
    /// remembered, the one that is allowed again first is forgotten.
    pub(super) fn take(
        &mut self,
        address: IpAddr,
        a_minute: u32,
        now: MonoTime,
    ) -> Result<(), Duration> {
        let address = household(address);
        if let Some((_, limit)) = self.known.iter_mut().find(|(known, _)| *known == address) {
            return limit.take(a_minute, now);
        }
        self.known.retain(|(_, limit)| !limit.is_idle(now));
        if self.known.len() >= MAX_ADDRESSES {
            let soonest = self.known.iter().enumerate();
            let soonest = soonest.min_by_key(|(_, (_, limit))| limit.spread_until);
            if let Some((place, _)) = soonest {
                self.known.swap_remove(place);
            }
        }
        let mut limit = Limit::default();
        limit.take(a_minute, now)?;
        self.known.push((address, limit));
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let mut limit = Limit::default();
        let now = at(3600);
        for _ in 0..5 {
            limit.take(5, now).unwrap();
        }
        assert_eq!(limit.take(5, now), Err(Duration::from_secs(12)));
        assert!(limit.take(5, at(3611)).is_err());
        limit.take(5, at(3612)).unwrap();
        assert!(limit.take(5, at(3612)).is_err());
        for _ in 0..5 {
            limit.take(5, at(3700)).unwrap();
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_mapped_ones_are_ipv4() {
        let mut limits = AddressLimits::default();
        let now = at(1);
        for text in ["2001:db8::1", "2001:db8::2"] {
            limits.take(text.parse().unwrap(), 2, now).unwrap();
        }
        assert!(limits.take("2001:db8::3".parse().unwrap(), 2, now).is_err());
        limits
            .take("2001:db8:0:1::1".parse().unwrap(), 2, now)
            .unwrap();
        limits
            .take("::ffff:10.0.0.1".parse().unwrap(), 1, now)
            .unwrap();
        assert!(limits.take("10.0.0.1".parse().unwrap(), 1, now).is_err());
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let mut limits = AddressLimits::default();
        for number in 0..10_000_u32 {
            let _ = limits.take(IpAddr::V4(number.into()), 2, at(1));
        }
        assert_eq!(limits.len(), MAX_ADDRESSES);
    }
}
