//! The attributes of an announced stream: `a=name:value` lines, most of them with a blank at their end
//! (SdpGenerator.c). Unknown ones are tolerated.

use super::message::malformed;
use crate::Error;
use std::ops::RangeInclusive;

/// The most attributes that are looked at; official clients send about fifty.
const MAX_ATTRIBUTES: usize = 256;

/// The attributes of one body.
pub(super) struct Attributes<'a> {
    all: Vec<(&'a str, &'a str)>,
}

impl<'a> Attributes<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(body).map_err(|_| malformed("its body is not text"))?;
        let mut all = Vec::new();
        let lines = text.split(['\r', '\n']);
        for line in lines.filter_map(|line| line.strip_prefix("a=")) {
            if all.len() == MAX_ATTRIBUTES {
                return Err(malformed("it has more attributes than any client sends"));
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            all.push((name, value.trim()));
        }
        Ok(Self { all })
    }

    /// A whole number in a range; nothing when the attribute is absent. Of several, the first counts.
    pub(super) fn number(
        &self,
        field: &'static str,
        allowed: RangeInclusive<i64>,
        range: &'static str,
    ) -> Result<Option<i64>, Error> {
        let Some((_, text)) = self.all.iter().find(|(name, _)| *name == field) else {
            return Ok(None);
        };
        let number = text.parse::<i64>().ok();
        let number = number.filter(|number| allowed.contains(number));
        number.map(Some).ok_or(Error::OutOfRange { field, range })
    }

    pub(super) fn require(
        &self,
        field: &'static str,
        allowed: RangeInclusive<i64>,
        range: &'static str,
    ) -> Result<i64, Error> {
        let number = self.number(field, allowed, range)?;
        number.ok_or(Error::Missing { field })
    }

    /// Flags in 32 bits; none when the attribute is absent.
    pub(super) fn flags(&self, field: &'static str) -> Result<u32, Error> {
        let number = self.number(field, 0..=u32::MAX.into(), "a number of 32 bits")?;
        Ok(number.unwrap_or(0) as u32)
    }
}
