//! A request target as a path and named fields. Bounded, percent-decoded, and strict about numbers;
//! fields nobody asks for are tolerated.

use crate::Error;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The longest target that is looked at: a certificate in hexadecimal digits fits several times.
pub const MAX_TARGET_BYTES: usize = 24 * 1024;
/// The most fields that are looked at; real clients send less than thirty.
const MAX_FIELDS: usize = 64;

/// The fields of one target.
#[derive(Debug)]
pub(super) struct Query<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Splits a target into its path and its fields.
    pub(super) fn split(target: &'a str) -> Result<(&'a str, Self), Error> {
        if target.len() > MAX_TARGET_BYTES {
            return Err(Error::TooLong {
                what: "request target",
                limit_bytes: MAX_TARGET_BYTES,
            });
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let mut fields = Vec::new();
        for pair in pairs {
            if fields.len() == MAX_FIELDS {
                return Err(Error::Malformed {
                    what: "request target",
                    why: "it has more fields than any client sends",
                });
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decode(name)?, decode(value)?));
        }
        Ok((path, Self { fields }))
    }

    /// The value of a field; of several, the first.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let field = self
            .fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_ref())
    }

    pub(super) fn require(&self, field: &'static str) -> Result<&str, Error> {
        self.get(field).ok_or(Error::Missing { field })
    }

    /// A whole number in a range; nothing when the field is absent.
    pub(super) fn number(
        &self,
        field: &'static str,
        allowed: RangeInclusive<i64>,
        range: &'static str,
    ) -> Result<Option<i64>, Error> {
        let Some(text) = self.get(field) else {
            return Ok(None);
        };
        let number = text.parse::<i64>().ok();
        let number = number.filter(|number| allowed.contains(number));
        number.map(Some).ok_or(Error::OutOfRange { field, range })
    }

    /// A switch: absent is off, and like the hosts that clients know, any number but zero is on.
    pub(super) fn switch(&self, field: &'static str) -> Result<Option<bool>, Error> {
        let number = self.number(field, i64::MIN..=i64::MAX, "0 or 1")?;
        Ok(number.map(|number| number != 0))
    }
}

/// Percent-decoding; `+` is a space, as clients built on Qt write it.
fn decode(text: &str) -> Result<Cow<'_, str>, Error> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let malformed = |why| Error::Malformed {
        what: "request target",
        why,
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                let byte = digits.and_then(crate::hex::decode);
                let byte = byte.ok_or_else(|| malformed("a % is not followed by two digits"))?;
                bytes.extend(byte);
                rest = &after[2..];
            }
            other => bytes.push(*other),
        }
    }
    let text = String::from_utf8(bytes);
    text.map(Cow::Owned)
        .map_err(|_| malformed("a field is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_found_by_name_in_any_case_and_the_first_counts() {
        let (path, query) = Query::split("/pair?A=1&b=%41+c&a=2&empty").unwrap();
        assert_eq!(path, "/pair");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("B"), Some("A c"));
        assert_eq!(query.get("empty"), Some(""));
        assert!(matches!(
            query.require("x"),
            Err(Error::Missing { field: "x" })
        ));
    }

    #[test]
    fn numbers_say_their_range() {
        let (_, query) = Query::split("/x?n=70000&text=abc&float=1.5").unwrap();
        for field in ["n", "text", "float"] {
            let error = query.number(field, 0..=65_535, "0 to 65535").unwrap_err();
            assert!(error.to_string().contains("0 to 65535"), "{error}");
        }
        assert_eq!(query.number("absent", 0..=1, "0 or 1").unwrap(), None);
    }

    #[test]
    fn endless_targets_are_refused() {
        let many = format!("/x?{}", "a=1&".repeat(65));
        assert!(Query::split(&many).is_err());
        let long = format!("/x?a={}", "1".repeat(MAX_TARGET_BYTES));
        assert!(matches!(Query::split(&long), Err(Error::TooLong { .. })));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for target in ["/x?a=%", "/x?a=%4", "/x?a=%zz", "/x?a=%ff", "/x?%=1"] {
            assert!(Query::split(target).is_err(), "{target}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_read_or_refused(target: String) {
            let _ = Query::split(&target);
        }
    }
}
