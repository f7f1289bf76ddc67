//! The house and the world around it: real store, use cases and workers, a real target over loopback, mail as files and by SMTP, and the
//! requester's pages over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "a test's name says what it is")]

mod along;
mod asked;
mod decisions;
mod desk;
mod guards;
mod guesses;
mod house;
mod imports;
mod incidents;
mod itself;
mod kills;
mod late;
mod lost;
mod mail;
mod moments;
mod noticed;
mod pages;
mod put_back;
mod races;
mod sent;
mod story;
mod stuck;
mod targets;
mod unread;

#[path = "../support/canned.rs"]
#[allow(dead_code, reason = "canned answers are for the console's own tests; one story here shows it what the house has")]
mod canned;
#[path = "../support/letter.rs"]
mod letter;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/python.rs"]
mod python;
#[path = "../console/desk.rs"]
#[allow(dead_code, reason = "as with canned answers")]
mod seat;
