//! Fuzzes the entry `http_headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("http_headers", bytes));
});
