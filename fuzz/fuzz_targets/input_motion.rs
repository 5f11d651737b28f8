//! Fuzzes the entry `input_motion`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("input_motion", bytes));
});
