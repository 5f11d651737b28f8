//! The `Host` and `Origin` request headers: which host the client believes to talk to, and which
//! page the request comes from.

/// A host and an optional port, as in `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name in lower case, or address without brackets.
    pub host: String,
    /// Port, when it was written.
    pub port: Option<u16>,
}

/// Where a page comes from, as in `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether its scheme is `https` rather than `http`.
    pub https: bool,
    /// Its host.
    pub authority: Authority,
}

/// Longest name that DNS knows.
const MAX_HOST: usize = 253;

impl Authority {
    /// Reads a `Host` header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']')?;
                let address: std::net::Ipv6Addr = address.parse().ok()?;
                (address.to_string(), after)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (text[..end].to_ascii_lowercase(), &text[end..])
            }
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(name) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }

    /// The authority as it stands in a URL.
    #[must_use]
    pub fn to_url_part(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

impl Origin {
    /// Reads an `Origin` header. The opaque origin `null` is none that can match a host.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = Authority::parse(authority)?;
        Some(Self { https, authority })
    }

    /// Whether a page of this origin was served by `host`, on a server that speaks TLS or not.
    #[must_use]
    pub fn matches(&self, host: &Authority, server_uses_tls: bool) -> bool {
        // A plain server may stand behind a proxy that adds TLS; a TLS server serves no plain page.
        if server_uses_tls && !self.https {
            return false;
        }
        let default_port = if self.https { 443 } else { 80 };
        let port = |authority: &Authority| authority.port.unwrap_or(default_port);
        self.authority.host == host.host && port(&self.authority) == port(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Authority {
        Authority::parse(text).unwrap_or_else(|| panic!("{text} is a host"))
    }

    #[test]
    fn hosts_are_read_and_written_back() {
        for (text, expected) in [
            ("localhost:8080", "localhost:8080"),
            ("LocalHost", "localhost"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:8080", "[::1]:8080"),
            ("[0:0:0::1]", "[::1]"),
            ("my_box.lan", "my_box.lan"),
        ] {
            assert_eq!(host(text).to_url_part(), expected);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(254);
        for text in [
            "",
            ":80",
            "a b",
            "a/b",
            "user@host",
            "host:",
            "host:x",
            "host:+80",
            "host:65536",
            "[::1",
            "[::1]x",
            "[host]",
            "a:b:c",
            "hö.de",
            "<script>",
            "a\r\nb",
            &long,
        ] {
            // `host:` is an empty port, which RFC 3986 allows but no client sends.
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_origin_matches_its_own_host_only() {
        let cases = [
            ("http://localhost:8080", "localhost:8080", false, true),
            ("http://LOCALHOST:8080", "localhost:8080", false, true),
            ("http://localhost", "localhost:80", false, true),
            ("https://host", "host:443", true, true),
            ("https://host", "host", true, true),
            ("https://proxied", "proxied", false, true),
            ("http://host:8443", "host:8443", true, false),
            ("http://localhost:8081", "localhost:8080", false, false),
            ("http://evil.example:8080", "localhost:8080", false, false),
            ("http://127.0.0.1:8080", "localhost:8080", false, false),
        ];
        for (origin, at, tls, expected) in cases {
            let origin_read = Origin::parse(origin).unwrap();
            assert_eq!(
                origin_read.matches(&host(at), tls),
                expected,
                "{origin} at {at}"
            );
        }
    }

    #[test]
    fn opaque_and_foreign_origins_are_none() {
        for text in [
            "null",
            "",
            "file://",
            "chrome-extension://abc",
            "http:/x",
            "http://",
            "http://a/b",
        ] {
            assert_eq!(Origin::parse(text), None, "{text:?}");
        }
    }
}
