//! Fuzzes the entry `stdio_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("stdio_line", bytes));
});
