//! Picture sources against real X servers, real clients and a real encoder.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends the test")]

mod synthetic;
