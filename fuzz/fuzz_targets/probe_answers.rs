//! Fuzzes the entry `probe_answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("probe_answers", bytes));
});
