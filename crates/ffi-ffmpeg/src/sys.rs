//! The generated bindings, as they are.

#![allow(
    clippy::all,
    clippy::pedantic,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    reason = "generated from C headers"
)]

include!(concat!(env!("OUT_DIR"), "/ffmpeg.rs"));
