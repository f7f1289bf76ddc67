//! Screens: keys in, snapshots of text and styles out, at 80x24 and 120x40; and what the terminal gets to see of it in bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect")]

mod attention;
#[path = "../support/canned.rs"]
mod canned;
mod cases;
mod desk;
mod frame;
mod grants;
mod inbox;
mod kept;
mod late;
mod live;
mod plain;
#[path = "../support/ports.rs"]
mod ports;
mod proposals;
#[path = "../support/pty.rs"]
mod pty;
mod queue;
mod screens;
mod signed;
mod small;
mod stale;
#[cfg(unix)]
mod terminal;
mod tutor;
mod undo;
mod waiting;
mod waits;
mod ways;
#[path = "../support/whole.rs"]
mod whole;
