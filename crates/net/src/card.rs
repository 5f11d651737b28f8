//! Which network card an address of this machine belongs to. It changes nothing.

use nix::ifaddrs::getifaddrs;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// The hardware address of the card that has `local`, by which it is woken up. Nothing for addresses
/// that no card has, and for cards without one, such as the loopback.
#[must_use]
pub fn hardware_address(local: IpAddr) -> Option<[u8; 6]> {
    let local = local.to_canonical();
    let has_it = |storage: nix::sys::socket::SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let v6 = storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
        v4.or(v6) == Some(local)
    };
    let mut cards = getifaddrs().ok()?;
    let card = cards.find(|card| card.address.is_some_and(has_it))?;
    // Further addresses of a card may have names of their own, as `eth0:1`.
    let name = card.interface_name.split(':').next()?;
    let path = Path::new("/sys/class/net").join(name);
    parse(&fs::read_to_string(path.join("address")).ok()?)
}

/// Six pairs of hexadecimal digits between colons; zeros are none.
fn parse(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut pairs = text.trim().split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    (pairs.next().is_none() && bytes != [0; 6]).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_found_by_its_addresses() {
        assert_eq!(hardware_address("127.0.0.1".parse().unwrap()), None);
        assert_eq!(hardware_address("192.0.2.77".parse().unwrap()), None);
        for card in getifaddrs().unwrap() {
            let Some(v4) = card.address.and_then(|it| it.as_sockaddr_in().copied()) else {
                continue;
            };
            let path = format!("/sys/class/net/{}/address", card.interface_name);
            let said = fs::read_to_string(path).unwrap();
            let found = hardware_address(v4.ip().into());
            assert_eq!(found, parse(&said), "{}", card.interface_name);
        }
    }

    #[test]
    fn an_address_is_six_bytes_of_which_one_is_not_zero() {
        let some = [2, 0x42, 0xac, 0x11, 0, 2];
        assert_eq!(parse("02:42:ac:11:00:02\n"), Some(some));
        let long = "80:00:02:08:fe:80:00:00:00:00:00:00:00:11:22:33:44:55:66:77";
        for none in [
            "00:00:00:00:00:00",
            "",
            "02:42:ac:11:00",
            "2:42:ac:11:0:2",
            long,
        ] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
