//! Named applications that a streaming client may start: which there are ([`catalogue`]), how one
//! runs ([`process`]), which client has which ([`tenancy`]), and what a host that is killed owes
//! ([`journal`]).
//!
//! A client names an app by its id; commands come from the owner's file alone.

pub mod catalogue;
mod error;
pub mod journal;
mod keep_alive;
mod mode;
pub mod process;
pub mod tenancy;

pub use error::{AppsError, Complaint, Exit, Failure, ImageProblem};
pub use keep_alive::{IdleTimeout, Linger, MAX_LINGER_S};
pub use mode::Mode;
