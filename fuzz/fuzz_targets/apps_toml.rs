//! Fuzzes the entry `apps_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("apps_toml", bytes));
});
