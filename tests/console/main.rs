//! Screens: keys in, snapshots of text and styles out, at 80x24 and 120x40; and what the terminal gets to see of it in bytes.

#[path = "../support/canned.rs"]
mod canned;
mod desk;
mod frame;
mod queue;
