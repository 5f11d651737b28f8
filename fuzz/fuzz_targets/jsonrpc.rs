//! Fuzzes the entry `jsonrpc`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("jsonrpc", bytes));
});
