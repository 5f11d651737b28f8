//! An injector, what it tells back, and the devices that appear for it.

use evdev::{Device, EventType};
use input::{Feedback, Injector, InputEvent, OpenRequest, Opened, PadEvent, TargetArea};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Only a guard.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Kind, code and value.
pub(crate) type Read = (EventType, u16, i32);

/// An injector into the kernel.
pub(crate) struct Rig {
    injector: Box<dyn Injector>,
    told: Receiver<Feedback>,
}

impl Rig {
    pub(crate) fn open() -> Self {
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let request = OpenRequest {
            target: None,
            x: None,
            area: TargetArea::default(),
            feedback: Arc::new(move |feedback| {
                let _ = tell.lock().unwrap().send(feedback);
            }),
        };
        let spec = "auto".parse().unwrap();
        let Opened { injector, reason } = input::open(&spec, &request).unwrap();
        assert_eq!(injector.name(), "uinput", "{reason}");
        Self { injector, told }
    }

    pub(crate) fn inject(&mut self, event: &InputEvent) {
        self.injector.inject(event).unwrap();
    }

    pub(crate) fn pad(&mut self, event: PadEvent) {
        self.inject(&InputEvent::Pad(event));
    }

    pub(crate) fn told(&self) -> Feedback {
        self.told.recv_timeout(LONG).unwrap()
    }

    /// What is told by then that is wanted; what comes before it does not matter.
    pub(crate) fn told_until<T>(&self, wanted: impl Fn(Feedback) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.told()) {
                return found;
            }
        }
    }
}

/// Waits for something to be so.
pub(crate) fn eventually<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(start.elapsed() < LONG, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The devices of that name now.
pub(crate) fn named(name: &str) -> Vec<Device> {
    let devices = evdev::enumerate().map(|(_, device)| device);
    devices
        .filter(|device| device.name() == Some(name))
        .collect()
}

/// A device as a program reads it.
pub(crate) struct Reader {
    pub(crate) device: Device,
    unread: VecDeque<Read>,
}

impl Reader {
    /// The one device of that name, once it is there.
    pub(crate) fn of(name: &str) -> Self {
        let device = eventually(name, || named(name).pop());
        Self::new(device)
    }

    pub(crate) fn new(device: Device) -> Self {
        let unread = VecDeque::new();
        Self { device, unread }
    }

    /// The next events that are no mere ends of reports.
    pub(crate) fn read(&mut self, count: usize) -> Vec<Read> {
        while self.unread.len() < count {
            let mut fds = [PollFd::new(&self.device, PollFlags::IN)];
            let guard = Timespec::try_from(LONG).unwrap();
            let came = poll(&mut fds, Some(&guard)).unwrap();
            assert_eq!(came, 1, "{count} events do not come: {:?}", self.unread);
            let fetched = self.device.fetch_events().unwrap();
            let fetched = fetched.filter(|event| event.event_type() != EventType::SYNCHRONIZATION);
            let fetched = fetched.map(|event| (event.event_type(), event.code(), event.value()));
            self.unread.extend(fetched);
        }
        self.unread.drain(..count).collect()
    }

    /// Reads until an event like this came, and gives its value.
    pub(crate) fn read_until(&mut self, kind: EventType, code: u16) -> i32 {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < LONG, "{kind:?} {code} does not come");
            let (found_kind, found_code, value) = self.read(1)[0];
            if (found_kind, found_code) == (kind, code) {
                return value;
            }
        }
    }
}
