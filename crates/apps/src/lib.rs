//! Named applications that a streaming client may start: which there are ([`catalogue`]), how one
//! runs ([`process`]), and which client has which ([`tenancy`]).
//!
//! A client names an app by its id; commands come from the owner's file alone.

pub mod catalogue;
mod error;
mod keep_alive;
mod mode;
pub mod process;
pub mod tenancy;

pub use error::{AppsError, Complaint, Exit, Failure, ImageProblem};
pub use keep_alive::{IdleTimeout, Linger, MAX_LINGER_S};
pub use mode::Mode;
