//! A link as its user holds it: made between two namespaces, steered through [`Control`], gone
//! with its thread, its devices and its namespaces when dropped.

use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::emulator::Emulator;
use crate::worker::{Action, Devices, READS_BEFORE_REQUEST, Request, Worker};
use crate::{Command, Conditions, Counters, LinkError, Namespace, PerDirection, Profile};

/// The name of the link's device in either namespace.
pub const DEVICE: &str = "lk0";
/// The largest IP packet that the link carries.
pub const MTU_BYTES: u32 = 1500;
/// The host's address where [`Link::pair`] chooses.
pub const HOST_ADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The client's address where [`Link::pair`] chooses.
pub const CLIENT_ADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// What the kernel holds for the link's thread, in packets: enough for a gigabit sender while the
/// thread waits for a core, so that no packet is lost that the link did not decide to lose.
const DEVICE_QUEUE_PACKETS: usize = 8192;
const _: () = assert!(DEVICE_QUEUE_PACKETS < READS_BEFORE_REQUEST);

/// A running link between two namespaces.
#[derive(Debug)]
pub struct Link {
    control: Control,
    thread: Option<JoinHandle<Result<(), LinkError>>>,
    // Dropped after the thread was joined, and with it the devices inside them.
    host: Namespace,
    client: Namespace,
}

/// Steers a link and reads its counters, from any thread.
#[derive(Clone, Debug)]
pub struct Control {
    requests: Sender<Request>,
    bell: Arc<OwnedFd>,
}

impl Link {
    /// A link between two fresh namespaces at [`HOST_ADDR`] and [`CLIENT_ADDR`].
    pub fn pair(profile: Profile) -> Result<Self, LinkError> {
        let host = Namespace::create("host", HOST_ADDR)?;
        let client = Namespace::create("client", CLIENT_ADDR)?;
        Self::between(host, client, profile)
    }

    /// A link between these namespaces, whose addresses share their first three bytes. It holds
    /// the profile's first phase until [`Control::play`].
    pub fn between(
        host: Namespace,
        client: Namespace,
        profile: Profile,
    ) -> Result<Self, LinkError> {
        let first = profile
            .phases
            .first()
            .ok_or(LinkError::EmptyProfile)?
            .conditions;
        let devices = Devices {
            host: attach(&host)?,
            client: attach(&client)?,
        };
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = Arc::new(bell.map_err(|error| LinkError::Thread(error.into()))?);
        let (requests, inbox) = mpsc::channel();
        let emulator = Emulator::new(first, profile.phases, profile.seed);
        let worker = Worker::new(devices, emulator, inbox, Arc::clone(&bell));
        let thread = thread::Builder::new()
            .name("linkem".into())
            .spawn(|| worker.run())
            .map_err(LinkError::Thread)?;
        let control = Control { requests, bell };
        Ok(Self {
            control,
            thread: Some(thread),
            host,
            client,
        })
    }

    /// The namespace that data comes from.
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// The namespace that data goes to.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// The handle that steers this link.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Ends the link and tells whether it ran well until now. Dropping it ends it as well, but
    /// tells nobody.
    pub fn stop(mut self) -> Result<(), LinkError> {
        self.end()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn end(&mut self) -> thread::Result<Result<(), LinkError>> {
        let Some(thread) = self.thread.take() else {
            return Ok(Ok(()));
        };
        // A thread that has ended already tells why when it is joined.
        let _ended = self.control.ask(Action::Stop);
        thread.join()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _told_by_stop = self.end();
    }
}

impl Control {
    /// Applies one change and answers with the counters. When it returns, the change is in force,
    /// and packets that were sent before the call have been treated as before it.
    pub fn apply(&self, command: Command) -> Result<Counters, LinkError> {
        self.ask(Action::Apply(command))
    }

    /// Puts these conditions in force.
    pub fn set_conditions(
        &self,
        conditions: PerDirection<Conditions>,
    ) -> Result<Counters, LinkError> {
        self.ask(Action::SetConditions(conditions))
    }

    /// Starts this profile's phases from the first. Its seed counts only where a link is made.
    pub fn play(&self, profile: Profile) -> Result<Counters, LinkError> {
        self.ask(Action::Play(profile.phases))
    }

    /// What the link has done so far.
    pub fn counters(&self) -> Result<Counters, LinkError> {
        self.apply(Command::Stat)
    }

    /// Writes one CSV row every 100 ms from now on, after a header that names the columns.
    pub fn log_to(&self, out: impl Write + Send + 'static) -> Result<Counters, LinkError> {
        self.ask(Action::LogTo(Box::new(out)))
    }

    fn ask(&self, action: Action) -> Result<Counters, LinkError> {
        let (answer, answers) = mpsc::sync_channel(1);
        let request = Request { action, answer };
        self.requests.send(request).map_err(|_| LinkError::Ended)?;
        let rung = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
        rung.map_err(|error| LinkError::Thread(error.into()))?;
        answers.recv().map_err(|_| LinkError::Ended)
    }
}

/// Makes the device inside and brings it up.
fn attach(namespace: &Namespace) -> Result<SyncDevice, LinkError> {
    let open = || {
        let device = DeviceBuilder::new().name(DEVICE).build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    };
    let device = namespace.within(open)?.map_err(LinkError::Tun)?;
    let address = format!("{}/24", namespace.addr());
    namespace.ip(&["address", "replace", &address, "dev", DEVICE])?;
    let mtu = MTU_BYTES.to_string();
    let queue = DEVICE_QUEUE_PACKETS.to_string();
    namespace.ip(&[
        "link",
        "set",
        DEVICE,
        "mtu",
        &mtu,
        "txqueuelen",
        &queue,
        "up",
    ])?;
    // A queueing discipline may leave packets behind for a thread that has no core at the moment;
    // without one, a packet that was sent is with the link.
    namespace.tc(&["qdisc", "replace", "dev", DEVICE, "root", "noqueue"])?;
    Ok(device)
}
