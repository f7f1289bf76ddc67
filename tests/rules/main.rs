//! The rules through their front door: `decide` and `apply`, by invariant (product.md, "What may never happen").

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/play.rs"]
mod play;

mod attesting;
mod clocks;
mod derived;
mod duties;
mod gates;
mod history;
mod incidents;
mod invariants;
mod life;
mod limits;
mod next;
mod properties;
mod rerouted;
mod roles;
mod room;
mod stuck;
mod table;
mod unknown;
