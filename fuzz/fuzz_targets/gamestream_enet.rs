//! Fuzzes the entry `gamestream_enet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("gamestream_enet", bytes));
});
