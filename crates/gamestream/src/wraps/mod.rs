//! Sessions across every wrap of their counters and clocks: what sends is the host's own, what receives is
//! the probe, which shares no code with it, and time is a number.

mod control;
mod sound;
mod video;

const KEY: [u8; 16] = *b"sixteen bytes !!";
