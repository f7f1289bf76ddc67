//! The store, seen from outside: one story that every engine must tell, and what may never happen to what is kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod attacks;
mod bounds;
mod crash;
mod grants;
mod kept;
mod lists;
#[path = "../support/play.rs"]
mod play;
#[path = "../support/ports.rs"]
mod ports;
mod races;
mod safety;
mod story;
mod torn;
mod unchecked;
mod world;
