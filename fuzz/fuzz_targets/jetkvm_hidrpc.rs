//! Fuzzes the entry `jetkvm_hidrpc`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("jetkvm_hidrpc", bytes));
});
