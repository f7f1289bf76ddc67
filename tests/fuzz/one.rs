//! One coverage-guided binary a target: which one, its name says.

#![no_main]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a target that can't go on fails")]

#[path = "../support/canned.rs"]
mod canned;
#[path = "../support/ports.rs"]
mod ports;
mod targets;
#[path = "../support/whole.rs"]
mod whole;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::run(env!("CARGO_BIN_NAME"), bytes));
