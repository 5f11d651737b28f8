//! Fuzzes the entry `gamestream_input`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("gamestream_input", bytes));
});
