//! The heliostat command.
fn main() {}
