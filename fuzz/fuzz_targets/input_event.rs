//! Fuzzes the entry `input_event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("input_event", bytes));
});
