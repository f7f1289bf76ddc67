//! One coverage-guided binary a target: which one, its name says.

#![no_main]
#![allow(clippy::expect_used, reason = "a target that can't go on fails")]

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::run(env!("CARGO_BIN_NAME"), bytes));
