//! The whole house as its users meet it: the real program, a real target process, mail, pages, and terminals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what went wrong by failing")]

mod access;
mod asked;
mod attempts;
mod cli;
mod cli_asks;
mod cli_json;
mod cli_later;
mod cli_register;
mod edges;
mod faked;
mod governors;
mod held;
mod journal;
mod killed;
mod looked_after;
mod on_host;
mod pictures;
mod plain;
mod proving;
mod seat;
mod served;
mod story;
mod targets;
mod terminals;
mod tour;

#[path = "../support/canned.rs"]
#[allow(dead_code, reason = "each suite uses its own part")]
mod canned;
#[path = "../support/demo.rs"]
mod demo;
#[path = "../support/host.rs"]
mod host;
#[path = "../support/letter.rs"]
mod letter;
#[path = "../support/pty.rs"]
mod pty;
#[path = "../support/whole.rs"]
#[allow(dead_code, reason = "each suite uses its own part")]
mod whole;
