//! Reads the fields of a packet one after the other. A packet has exactly the bytes of its structure.

use crate::Error;

pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

pub(super) fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "input packet",
        why,
    }
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let split = self.rest.split_first_chunk();
        let (bytes, rest) = split.ok_or_else(|| malformed("it is too short for its kind"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn skip<const N: usize>(&mut self) -> Result<(), Error> {
        self.take::<N>().map(drop)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.take().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Error> {
        self.take().map(i16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn i16_be(&mut self) -> Result<i16, Error> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, Error> {
        self.take().map(u32::from_be_bytes)
    }

    /// A finite number.
    pub(super) fn f32(&mut self) -> Result<f32, Error> {
        let number = self.take().map(f32::from_le_bytes)?;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(malformed("a number in it is not finite"))
        }
    }

    /// A share, 0 to 1: clients round, so what lies outside is moved to the end it lies at.
    pub(super) fn share(&mut self) -> Result<f32, Error> {
        self.f32().map(|number| number.clamp(0.0, 1.0))
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(malformed("it is too long for its kind"))
        }
    }
}
