//! ICE candidates as text: alone, as a browser sends them, and in an SDP fragment (RFC 8840), as a
//! WHEP player does. It checks their form, not whether they lead anywhere.

use std::net::IpAddr;

/// Most candidates in one fragment.
pub const MAX_CANDIDATES: usize = 64;
/// Longest candidate line.
pub const MAX_CANDIDATE_BYTES: usize = 1024;

/// Why a candidate or a fragment was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// A candidate line is not `candidate:` and eight or more fields.
    #[error(
        "a candidate is not of the form candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE"
    )]
    Candidate,
    /// A line has no `x=` at its start.
    #[error("line {0} is not of the form TYPE=VALUE")]
    Line(usize),
    /// Too many candidates, or one too long.
    #[error(
        "more than {MAX_CANDIDATES} candidates, or one of more than {MAX_CANDIDATE_BYTES} bytes"
    )]
    TooLong,
}

/// What an SDP fragment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The sender's ICE user fragment: another one than before asks for an ICE restart.
    pub ufrag: Option<String>,
    /// Candidates, each `candidate:…`.
    pub candidates: Vec<String>,
    /// No more will come.
    pub end_of_candidates: bool,
}

/// Reads an SDP fragment. Lines that matter to others only are skipped.
///
/// # Errors
/// [`FragmentError`] when it is none, or too much of one.
pub fn parse(text: &str) -> Result<Fragment, FragmentError> {
    let mut fragment = Fragment::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let attribute = match line.split_once('=') {
            Some(("a", attribute)) => attribute,
            Some((kind, _)) if kind.len() == 1 && kind.as_bytes()[0].is_ascii_lowercase() => {
                continue;
            }
            _ => return Err(FragmentError::Line(index + 1)),
        };
        if attribute.starts_with("candidate:") {
            if fragment.candidates.len() == MAX_CANDIDATES {
                return Err(FragmentError::TooLong);
            }
            fragment.candidates.push(candidate(attribute)?.to_owned());
        } else if attribute == "end-of-candidates" {
            fragment.end_of_candidates = true;
        } else if let Some(ufrag) = attribute.strip_prefix("ice-ufrag:") {
            fragment.ufrag = Some(ufrag.to_owned());
        }
    }
    Ok(fragment)
}

/// The first ICE user fragment in a whole session description.
#[must_use]
pub fn ufrag_of(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"))
}

/// Checks one candidate, with or without `a=` before it, and returns it without.
///
/// # Errors
/// [`FragmentError`] when it is none.
pub fn candidate(text: &str) -> Result<&str, FragmentError> {
    let text = text.trim();
    let text = text.strip_prefix("a=").unwrap_or(text);
    if text.len() > MAX_CANDIDATE_BYTES {
        return Err(FragmentError::TooLong);
    }
    let fields = text
        .strip_prefix("candidate:")
        .ok_or(FragmentError::Candidate)?;
    if text.chars().any(|c| c.is_control()) {
        return Err(FragmentError::Candidate);
    }
    let fields: Vec<&str> = fields.split(' ').collect();
    let [
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        typ,
        kind,
        ..,
    ] = fields[..]
    else {
        return Err(FragmentError::Candidate);
    };
    let good = (1..=32).contains(&foundation.len())
        && component.parse::<u16>().is_ok()
        && ["udp", "tcp"]
            .iter()
            .any(|known| transport.eq_ignore_ascii_case(known))
        && priority.parse::<u32>().is_ok()
        && is_address(address)
        && port.parse::<u16>().is_ok()
        && typ == "typ"
        && ["host", "srflx", "prflx", "relay"].contains(&kind);
    if good {
        Ok(text)
    } else {
        Err(FragmentError::Candidate)
    }
}

/// An address, or a name: browsers hide their addresses behind random `.local` names.
fn is_address(text: &str) -> bool {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    text.parse::<IpAddr>().is_ok()
        || (!text.is_empty() && text.len() <= 253 && text.bytes().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host generation 0 ufrag abcd";

    #[test]
    fn candidates_of_browsers_are_taken() {
        for text in [
            GOOD,
            "a=candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host",
            "candidate:842163049 1 udp 1677729535 2001:db8::1 50000 typ srflx raddr 0.0.0.0 rport 0",
            "candidate:0 1 UDP 2122187007 0b8d4a5c-9f3e-4c56-8a3e-000000000000.local 9 typ host",
            "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
        ] {
            assert!(
                candidate(text).is_ok_and(|c| c.starts_with("candidate:")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_candidate_is_refused() {
        for text in [
            "",
            "candidate:",
            "candidate:1 1 udp 1 192.0.2.1 50000 typ",
            "candidate:1 1 sctp 1 192.0.2.1 50000 typ host",
            "candidate:1 1 udp -1 192.0.2.1 50000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 50000 type host",
            "candidate:1 1 udp 1 192.0.2.1 50000 typ other",
            "candidate:1 1 udp 1 evil/../host 50000 typ host",
            "candidate:1 1 udp 1 192.0.2.1 50000 typ host\r\na=setup:active",
            "candidate:1  1 udp 1 192.0.2.1 50000 typ host",
        ] {
            assert_eq!(candidate(text), Err(FragmentError::Candidate), "{text:?}");
        }
        let long = format!("{GOOD} {}", "x".repeat(MAX_CANDIDATE_BYTES));
        assert_eq!(candidate(&long), Err(FragmentError::TooLong));
    }

    #[test]
    fn a_fragment_is_read() {
        let text = format!(
            "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na={GOOD}\r\na=end-of-candidates\r\n"
        );
        let expected = Fragment {
            ufrag: Some("EsAw".to_owned()),
            candidates: vec![GOOD.to_owned()],
            end_of_candidates: true,
        };
        assert_eq!(parse(&text), Ok(expected));
        assert_eq!(parse(""), Ok(Fragment::default()));
    }

    #[test]
    fn what_is_no_fragment_is_refused() {
        assert_eq!(parse("hello"), Err(FragmentError::Line(1)));
        assert_eq!(parse("a=mid:0\n{\"json\":1}"), Err(FragmentError::Line(2)));
        assert_eq!(parse("a=candidate:x"), Err(FragmentError::Candidate));
        let many = format!("a={GOOD}\n").repeat(MAX_CANDIDATES + 1);
        assert_eq!(parse(&many), Err(FragmentError::TooLong));
    }

    #[test]
    fn the_user_fragment_of_an_offer_is_found() {
        assert_eq!(
            ufrag_of("v=0\r\na=ice-ufrag:abcd\r\na=ice-ufrag:other\r\n"),
            Some("abcd")
        );
        assert_eq!(ufrag_of("v=0\r\n"), None);
    }
}
