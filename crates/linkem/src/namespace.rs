//! Network namespaces by name, through iproute2, so that `ip netns` shows what a test made.
//! One that was made here is removed with its handle; one that was found is left alone.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::LinkError;

/// Where iproute2 keeps named namespaces.
const NAMED: &str = "/run/netns";

/// A network namespace: a machine of its own as far as the network goes.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    addr: Ipv4Addr,
    /// Whether it goes when this handle goes.
    owned: bool,
}

impl Namespace {
    /// Makes a namespace whose name no other has: `label` with the process id and a number. Its
    /// end of a link will have the address `addr`.
    pub fn create(label: &str, addr: Ipv4Addr) -> Result<Self, LinkError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("linkem-{label}-{}-{number}", std::process::id());
        Self::make(name, addr)
    }

    /// The namespace of exactly this name, made if there is none.
    pub fn open_or_create(name: &str, addr: Ipv4Addr) -> Result<Self, LinkError> {
        if path_of(name).exists() {
            let name = name.to_owned();
            return Ok(Self {
                name,
                addr,
                owned: false,
            });
        }
        Self::make(name.to_owned(), addr)
    }

    fn make(name: String, addr: Ipv4Addr) -> Result<Self, LinkError> {
        ip(&["netns", "add", &name])?;
        let made = Self {
            name,
            addr,
            owned: true,
        };
        made.ip(&["link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// The name, as `ip netns` lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that the other end of the link reaches this one by.
    pub fn addr(&self) -> Ipv4Addr {
        self.addr
    }

    /// A command that will run `program` inside. The process that it starts is the program itself,
    /// so killing and waiting work as usual.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `work` on a thread inside. A socket that it makes stays inside and may be used from
    /// anywhere afterwards.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LinkError> {
        let enter = || {
            let namespace = File::open(path_of(&self.name))?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        };
        // The thread ends inside: a thread that went back could fail to, and then wander.
        let outcome = thread::scope(|scope| scope.spawn(enter).join());
        match outcome {
            Ok(entered) => entered.map_err(|source| LinkError::Enter {
                name: self.name.clone(),
                source,
            }),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Runs `ip` on this namespace from outside.
    pub(crate) fn ip(&self, arguments: &[&str]) -> Result<(), LinkError> {
        self.run("ip", arguments)
    }

    /// Runs `tc` on this namespace from outside.
    pub(crate) fn tc(&self, arguments: &[&str]) -> Result<(), LinkError> {
        self.run("tc", arguments)
    }

    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<(), LinkError> {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments);
        run(program, &all)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.owned {
            // Nobody is left to tell; a name that stays behind blocks no other run.
            let _gone = ip(&["netns", "delete", &self.name]);
        }
    }
}

fn path_of(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

fn ip(arguments: &[&str]) -> Result<(), LinkError> {
    run("ip", arguments)
}

fn run(program: &'static str, arguments: &[&str]) -> Result<(), LinkError> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|source| LinkError::NoIproute { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(LinkError::Refused {
        command: format!("{program} {}", arguments.join(" ")),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
