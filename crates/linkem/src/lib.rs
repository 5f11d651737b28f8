//! A network link in user space between two Linux network namespaces, for tests and benches on
//! machines whose kernel has no netem. It carries IPv4 only and is never part of what ships.
//!
//! ```no_run
//! use linkem::{Command, Conditions, Direction, Link, Loss, Profile};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let calm = Conditions { delay: Duration::from_millis(20), ..Conditions::default() };
//! let link = Link::pair(Profile::steady(calm))?;
//! let mut ping = link.client().command("ping");
//! ping.args(["-c", "3", &link.host().addr().to_string()]).status()?;
//!
//! link.control().apply(Command::Loss(Direction::HostToClient, Loss::random(0.03)))?;
//! println!("{:?}", link.control().counters()?);
//! # Ok(())
//! # }
//! ```
//!
//! Three layers, each in its own modules: [`Conditions`] and [`Profile`] are data; the emulator
//! behind them is a pure function of (packets, time) with one seeded generator for each chance it
//! takes; [`Link`] is the thread that joins it to two TUN devices named [`DEVICE`].
//!
//! Inside a namespace only file-system sockets reach the outside: abstract Unix sockets belong to
//! the network namespace, so an X client there needs `/tmp/.X11-unix`, which X servers also offer.

#![forbid(unsafe_code)]

mod command;
mod conditions;
mod counters;
mod emulator;
mod error;
mod link;
mod log;
mod namespace;
mod path;
mod profile;
mod worker;

pub use command::{Command, CommandError};
pub use conditions::{Bottleneck, Conditions, Direction, Loss, PerDirection, QueueLimit, Reorder};
pub use counters::{Counters, DirectionCounters};
pub use error::LinkError;
pub use link::{CLIENT_ADDR, Control, DEVICE, HOST_ADDR, Link, MTU_BYTES};
pub use namespace::Namespace;
pub use profile::{Phase, Profile, ProfileError, Reference};
