//! A plugged-in DualSense: a device of the kernel, with a thread that answers for it.
//!
//! Owns the thread and when a report is due; refuses to know what the bytes mean.

use super::{NAME, PRODUCT, Report, Told, VENDOR, VERSION, descriptor, feature};
use crate::injector::{Feedback, FeedbackSink};
use crate::uinput::uhid::{Device, Identity, Request, Room};
use media::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io::Result;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Time between two reports while nothing changes. Real ones tell more often; programs that hear
/// nothing for 16 ms take the pad for one on Bluetooth, which is spoken to in another way.
const REPORT_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 8_000_000,
};

/// One pad. Dropping it unplugs it.
pub(in crate::uinput) struct DualSense {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    index: u8,
    device: Device,
    report: Mutex<Report>,
    end: OwnedFd,
}

impl DualSense {
    /// Plugs a pad in, and tells what it is told. Fails where /dev/uhid cannot be used.
    pub(in crate::uinput) fn plug(index: u8, feedback: FeedbackSink) -> Result<Self> {
        let end = eventfd(0, EventfdFlags::CLOEXEC)?;
        let device = Device::plug(&Identity {
            name: NAME,
            vendor: VENDOR,
            product: PRODUCT,
            version: VERSION,
            descriptor: &descriptor(),
        })?;
        let shared = Arc::new(Shared {
            index,
            device,
            report: Mutex::new(Report::new()),
            end,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("pad-{index}"))
            .spawn(move || theirs.answer_for_it(&feedback))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Changes how the pad stands, and tells it at once.
    pub(in crate::uinput) fn change(&self, change: impl FnOnce(&mut Report)) -> Result<()> {
        let mut report = self.shared.report();
        change(&mut report);
        self.shared.device.send(report.stamped(thirds_us()))
    }
}

impl Drop for DualSense {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.shared.end, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a pad has panicked");
        }
    }
}

/// The pad's own clock, which wraps.
fn thirds_us() -> u32 {
    (MonoTime::now().as_nanos() / 333) as u32
}

impl Shared {
    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_for_it(&self, feedback: &FeedbackSink) {
        let (mut room, mut told) = (Room::new(), Told::default());
        loop {
            let mut fds = [
                PollFd::new(&self.device, PollFlags::IN),
                PollFd::new(&self.end, PollFlags::IN),
            ];
            match poll(&mut fds, Some(&REPORT_EVERY)) {
                Err(Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) if fds[1].revents().contains(PollFlags::IN) => return,
                Ok(_) => {}
            }
            let done = match fds[0].revents().contains(PollFlags::IN) {
                true => self.answer(&mut room, &mut told, feedback),
                false => self.device.send(self.report().stamped(thirds_us())),
            };
            if let Err(error) = done {
                tracing::warn!(%error, "a pad no longer answers");
                return;
            }
        }
    }

    fn answer(&self, room: &mut Room, told: &mut Told, feedback: &FeedbackSink) -> Result<()> {
        let heard: Vec<Feedback> = match self.device.request(room)? {
            Request::Output(report) => told.hear(self.index, report),
            Request::SetReport { id, report } => {
                self.device.confirm(id)?;
                told.hear(self.index, report)
            }
            Request::GetReport { id, number } => {
                let report = feature(number, address(self.index));
                self.device.answer(id, report.as_deref())?;
                Vec::new()
            }
            Request::Other => Vec::new(),
        };
        heard.into_iter().for_each(|heard| feedback(heard));
        Ok(())
    }
}

/// An address of nobody's, the last byte first; the driver refuses two pads that have the same.
fn address(index: u8) -> [u8; 6] {
    let [a, b, c, d] = std::process::id().to_le_bytes();
    [index, a, b, c, d, 0x02]
}
