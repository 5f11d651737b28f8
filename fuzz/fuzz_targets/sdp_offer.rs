//! Fuzzes the entry `sdp_offer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(fuzz_entries::run("sdp_offer", bytes));
});
