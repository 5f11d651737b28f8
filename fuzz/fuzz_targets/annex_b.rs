//! Fuzzes the entry `annex_b`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("annex_b", bytes));
});
