//! Fuzzes the entry `ice_tcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("ice_tcp", bytes));
});
