//! The thread of a link: it moves packets between the two TUN devices and the emulator, keeps the
//! emulator's time, and serves the handle's requests. It decides nothing about packets itself.

use std::io::Write;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tun_rs::SyncDevice;

use crate::emulator::Emulator;
use crate::log::{Log, Sample};
use crate::{Command, Conditions, Counters, Direction, LinkError, PerDirection, Phase};

/// Room for any packet of the devices' MTU.
const BUFFER_BYTES: usize = 2048;
/// Packets taken from one device before the clock is read again.
const READS_A_TURN: usize = 64;
/// Packets taken in before a request is served: more than the kernel queues for us, so that a
/// request never overtakes packets that were sent before it.
pub(crate) const READS_BEFORE_REQUEST: usize = 16_384;
/// As favoured as an ordinary thread can be; silently the ordinary way where it is not allowed.
const NICENESS: i32 = -20;

/// What the handle asks for. Every answer is the counters after it was done.
pub(crate) enum Action {
    Apply(Command),
    SetConditions(PerDirection<Conditions>),
    Play(Vec<Phase>),
    LogTo(Box<dyn Write + Send>),
    Stop,
}

/// An [`Action`] and where its answer goes.
pub(crate) struct Request {
    pub(crate) action: Action,
    pub(crate) answer: SyncSender<Counters>,
}

/// The devices, each named after the namespace that it is in.
pub(crate) struct Devices {
    pub(crate) host: SyncDevice,
    pub(crate) client: SyncDevice,
}

impl Devices {
    fn entrance(&self, direction: Direction) -> &SyncDevice {
        match direction {
            Direction::HostToClient => &self.host,
            Direction::ClientToHost => &self.client,
        }
    }

    fn exit(&self, direction: Direction) -> &SyncDevice {
        match direction {
            Direction::HostToClient => &self.client,
            Direction::ClientToHost => &self.host,
        }
    }
}

/// Everything the thread owns.
pub(crate) struct Worker {
    pub(crate) devices: Devices,
    pub(crate) emulator: Emulator,
    pub(crate) requests: Receiver<Request>,
    /// Rung by the handle after each request.
    pub(crate) bell: Arc<OwnedFd>,
    clock: Clock,
    log: Option<Log>,
}

/// The link's time, which starts at zero, and the wall clock it is told by in logs.
struct Clock {
    started: Instant,
    started_unix: Duration,
}

impl Clock {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            started_unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn unix_ms(&self, now: Duration) -> f64 {
        (self.started_unix + now).as_secs_f64() * 1e3
    }
}

/// What woke the thread.
struct Wake {
    packets: PerDirection<bool>,
    bell: bool,
}

impl Worker {
    pub(crate) fn new(
        devices: Devices,
        emulator: Emulator,
        requests: Receiver<Request>,
        bell: Arc<OwnedFd>,
    ) -> Self {
        Self {
            devices,
            emulator,
            requests,
            bell,
            clock: Clock::start(),
            log: None,
        }
    }

    /// Runs until it is told to stop or waiting fails.
    pub(crate) fn run(mut self) -> Result<(), LinkError> {
        let _as_ordinary = rustix::process::setpriority_process(None, NICENESS);
        // The default slack of 50 µs would be added to every delay.
        let _coarse = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        loop {
            let now = self.clock.now();
            self.emulator.advance(now);
            self.deliver(now);
            self.write_log(now)?;
            let wake = self.wait()?;
            for direction in Direction::BOTH {
                if wake.packets[direction] {
                    self.take_in(direction, READS_A_TURN);
                }
            }
            if wake.bell && self.serve_requests()? {
                return Ok(());
            }
        }
    }

    fn deliver(&mut self, now: Duration) {
        for direction in Direction::BOTH {
            while let Some(packet) = self.emulator.pop_due(direction, now) {
                let sent = self.devices.exit(direction).send(&packet);
                let accepted = matches!(sent, Ok(length) if length == packet.len());
                self.emulator
                    .count_delivery(direction, packet.len(), accepted);
            }
        }
    }

    /// Reads up to `limit` packets from the device where `direction` begins.
    fn take_in(&mut self, direction: Direction, limit: usize) {
        let now = self.clock.now();
        let mut buffer = [0u8; BUFFER_BYTES];
        for _ in 0..limit {
            // An error here is an empty queue or a device that is down: nothing to carry.
            let Ok(length) = self.devices.entrance(direction).recv(&mut buffer) else {
                break;
            };
            if let Some(packet) = buffer.get(..length) {
                self.emulator.enter(direction, packet, now);
            }
        }
    }

    fn wait(&self) -> Result<Wake, LinkError> {
        let log = self.log.as_ref().map(Log::deadline);
        let deadline = self.emulator.deadline().into_iter().chain(log).min();
        // A deadline beyond what a timespec holds is none.
        let timeout = deadline
            .map(|at| at.saturating_sub(self.clock.now()))
            .and_then(|left| Timespec::try_from(left).ok());
        let mut fds = [
            PollFd::new(&self.devices.host, PollFlags::IN),
            PollFd::new(&self.devices.client, PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(LinkError::Thread(error.into())),
        }
        let [host, client, bell] = fds.map(|fd| !fd.revents().is_empty());
        let packets = PerDirection {
            host_to_client: host,
            client_to_host: client,
        };
        Ok(Wake { packets, bell })
    }

    /// Serves what was asked; true when it was asked to stop.
    fn serve_requests(&mut self) -> Result<bool, LinkError> {
        // Silenced first: a request that comes later rings again.
        let _rung = rustix::io::read(&*self.bell, &mut [0u8; 8]);
        while let Ok(Request { action, answer }) = self.requests.try_recv() {
            // After the request was received, so that all that was sent before it is there.
            for direction in Direction::BOTH {
                self.take_in(direction, READS_BEFORE_REQUEST);
            }
            let now = self.clock.now();
            let stop = matches!(action, Action::Stop);
            self.act(action, now)?;
            self.emulator.advance(now);
            self.deliver(now);
            // Whoever asked may have given up waiting.
            let _asker_left = answer.send(self.counters(now));
            if stop {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn act(&mut self, action: Action, now: Duration) -> Result<(), LinkError> {
        match action {
            Action::Apply(command) => self.emulator.apply(command, now),
            Action::SetConditions(conditions) => self.emulator.set_conditions(conditions, now),
            Action::Play(phases) => {
                self.emulator.set_phases(phases);
                self.emulator.play(now);
            }
            Action::LogTo(out) => self.log = Some(Log::start(out, now).map_err(LinkError::Log)?),
            Action::Stop => {}
        }
        Ok(())
    }

    fn counters(&self, now: Duration) -> Counters {
        Counters {
            t_ms: self.clock.unix_ms(now),
            directions: self.emulator.counters(),
        }
    }

    fn write_log(&mut self, now: Duration) -> Result<(), LinkError> {
        let Some(log) = self.log.as_mut().filter(|log| log.deadline() <= now) else {
            return Ok(());
        };
        let sample = Sample {
            t_ms: self.clock.unix_ms(now),
            counters: self.emulator.counters(),
            waits: self.emulator.take_data_waits(),
        };
        log.write(&sample, now).map_err(LinkError::Log)
    }
}
