//! The kernel's devices, as a program that reads them sees them. Needs /dev/uinput and /dev/uhid,
//! which few machines let a test use: `make test-vm` runs this in a virtual machine of its own.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

mod dualsense;
mod pads;
mod rig;
mod surfaces;
