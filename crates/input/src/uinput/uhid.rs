//! Devices that the kernel's HID drivers take for real ones: /dev/uhid, read and written as bytes.
//!
//! Owns the layout of its events (linux/uhid.h); refuses to know what the reports mean.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Result, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

const DESTROY: u32 = 1;
const OUTPUT: u32 = 6;
const GET_REPORT: u32 = 9;
const GET_REPORT_REPLY: u32 = 10;
const CREATE2: u32 = 11;
const INPUT2: u32 = 12;
const SET_REPORT: u32 = 13;
const SET_REPORT_REPLY: u32 = 14;

/// Bytes of the largest report, and of the largest description.
const DATA_MAX: usize = 4096;
/// Bytes of the largest report that a device of ours sends.
const REPORT_MAX: usize = 64;
/// Bytes of the largest event: a type, 276 bytes about the device, and its description.
const EVENT_MAX: usize = 4 + 276 + DATA_MAX;
/// Where reports that the host sends begin in their events, and where their lengths stand.
const OUTPUT_DATA: usize = 4;
const OUTPUT_SIZE: usize = OUTPUT_DATA + DATA_MAX;
const SET_REPORT_SIZE: usize = 10;
const SET_REPORT_DATA: usize = 12;

const EIO: u16 = 5;

/// Plugged into USB, as far as anybody can tell.
const BUS_USB: u16 = 3;

/// What a device says it is.
#[derive(Debug)]
pub(super) struct Identity<'a> {
    pub(super) name: &'a str,
    pub(super) vendor: u16,
    pub(super) product: u16,
    pub(super) version: u16,
    /// Which reports it has.
    pub(super) descriptor: &'a [u8],
}

/// What the kernel wants of a device.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// A report for the device, its number first.
    Output(&'a [u8]),
    /// A feature report, to be answered with [`Device::answer`].
    GetReport { id: u32, number: u8 },
    /// A report for the device that wants to hear whether it was taken.
    SetReport { id: u32, report: &'a [u8] },
    /// Nothing that matters.
    Other,
}

/// A device. Dropping it unplugs it.
#[derive(Debug)]
pub(super) struct Device(File);

impl Device {
    /// Plugs a device in. From here on its requests must be answered.
    pub(super) fn plug(identity: &Identity<'_>) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/uhid")?;
        file.write_all(&create(identity))?;
        Ok(Self(file))
    }

    /// The next request; waits for one.
    pub(super) fn request<'a>(&self, room: &'a mut Room) -> Result<Request<'a>> {
        let count = (&self.0).read(&mut room.0)?;
        Ok(request(&room.0[..count]))
    }

    /// A report from the device, its number first.
    pub(super) fn send<const SIZE: usize>(&self, report: &[u8; SIZE]) -> Result<()> {
        const { assert!(SIZE <= REPORT_MAX) };
        let mut event = [0; 6 + REPORT_MAX];
        event[..4].copy_from_slice(&INPUT2.to_ne_bytes());
        event[4..6].copy_from_slice(&(SIZE as u16).to_ne_bytes());
        event[6..6 + SIZE].copy_from_slice(report);
        (&self.0).write_all(&event[..6 + SIZE])
    }

    /// Answers [`Request::GetReport`]; with `None`, that there is no such report.
    pub(super) fn answer(&self, id: u32, report: Option<&[u8]>) -> Result<()> {
        let data = report.unwrap_or_default();
        let error = if report.is_some() { 0 } else { EIO };
        let size = data.len().min(DATA_MAX);
        let mut event = Vec::with_capacity(12 + size);
        event.extend(GET_REPORT_REPLY.to_ne_bytes());
        event.extend(id.to_ne_bytes());
        event.extend(error.to_ne_bytes());
        event.extend((size as u16).to_ne_bytes());
        event.extend(&data[..size]);
        (&self.0).write_all(&event)
    }

    /// Answers [`Request::SetReport`].
    pub(super) fn confirm(&self, id: u32) -> Result<()> {
        let mut event = Vec::with_capacity(10);
        event.extend(SET_REPORT_REPLY.to_ne_bytes());
        event.extend(id.to_ne_bytes());
        event.extend(0_u16.to_ne_bytes());
        (&self.0).write_all(&event)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // The kernel does the same once the file is closed.
        let _ = (&self.0).write_all(&DESTROY.to_ne_bytes());
    }
}

/// Room for one event.
pub(super) struct Room([u8; EVENT_MAX]);

impl Room {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self([0; EVENT_MAX]))
    }
}

fn create(identity: &Identity<'_>) -> Vec<u8> {
    let descriptor = &identity.descriptor[..identity.descriptor.len().min(DATA_MAX)];
    let mut event = Vec::with_capacity(280 + descriptor.len());
    event.extend(CREATE2.to_ne_bytes());
    let mut name = [0; 128];
    // One byte stays zero: the end of it.
    for (to, from) in name[..127].iter_mut().zip(identity.name.bytes()) {
        *to = from;
    }
    event.extend(name);
    // Where it is plugged in, and its serial number.
    event.extend([0; 64 + 64]);
    event.extend((descriptor.len() as u16).to_ne_bytes());
    event.extend(BUS_USB.to_ne_bytes());
    for number in [identity.vendor, identity.product, identity.version, 0] {
        event.extend(u32::from(number).to_ne_bytes());
    }
    event.extend(descriptor);
    event
}

fn u16_at(event: &[u8], at: usize) -> Option<usize> {
    let bytes = event.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes).into())
}

fn u32_at(event: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*event.get(at..)?.first_chunk()?))
}

/// Reads an event of the kernel's.
fn request(event: &[u8]) -> Request<'_> {
    let read = || match u32_at(event, 0)? {
        OUTPUT => {
            let size = u16_at(event, OUTPUT_SIZE)?;
            let report = event.get(OUTPUT_DATA..OUTPUT_SIZE)?.get(..size)?;
            Some(Request::Output(report))
        }
        GET_REPORT => Some(Request::GetReport {
            id: u32_at(event, 4)?,
            number: *event.get(8)?,
        }),
        SET_REPORT => {
            let size = u16_at(event, SET_REPORT_SIZE)?;
            Some(Request::SetReport {
                id: u32_at(event, 4)?,
                report: event.get(SET_REPORT_DATA..)?.get(..size)?,
            })
        }
        _ => None,
    };
    read().unwrap_or(Request::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_described_as_the_kernel_lays_it_out() {
        let event = create(&Identity {
            name: "pad",
            vendor: 0x054c,
            product: 0x0ce6,
            version: 0x0111,
            descriptor: &[1, 2, 3],
        });
        assert_eq!(event.len(), 4 + 276 + 3);
        assert_eq!(u32_at(&event, 0), Some(11));
        assert_eq!(&event[4..8], b"pad\0");
        assert_eq!(
            (u16_at(&event, 260), u16_at(&event, 262)),
            (Some(3), Some(3))
        );
        assert_eq!(u32_at(&event, 264), Some(0x054c));
        assert_eq!(u32_at(&event, 272), Some(0x0111));
        assert_eq!(event[280..], [1, 2, 3]);
    }

    #[test]
    fn requests_are_read_where_the_kernel_writes_them() {
        let mut event = vec![0; EVENT_MAX];
        event[..4].copy_from_slice(&6_u32.to_ne_bytes());
        event[4..7].copy_from_slice(&[2, 8, 9]);
        event[4100..4102].copy_from_slice(&3_u16.to_ne_bytes());
        assert_eq!(request(&event), Request::Output(&[2, 8, 9]));
        event[4100..4102].copy_from_slice(&5000_u16.to_ne_bytes());
        assert_eq!(request(&event), Request::Other);
        event[..4].copy_from_slice(&9_u32.to_ne_bytes());
        event[4..9].copy_from_slice(&[7, 0, 0, 0, 0x20]);
        let id = u32::from_ne_bytes([7, 0, 0, 0]);
        assert_eq!(request(&event), Request::GetReport { id, number: 0x20 });
        for length in 0..12 {
            assert_eq!(
                request(&13_u32.to_ne_bytes()[..length.min(4)]),
                Request::Other
            );
        }
    }
}
