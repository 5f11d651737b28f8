//! Fuzzes the entry `rpc_params`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("rpc_params", bytes));
});
