//! Run with the seeds: `cargo +nightly fuzz run parse seeds`.
#![no_main]

mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
