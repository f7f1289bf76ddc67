//! The whole house as its users meet it: the real program, a real target process, mail, pages, and terminals.

mod attempts;
mod cli;
mod proving;
mod story;
mod targets;
mod terminals;

#[path = "../support/demo.rs"]
mod demo;
mod pty;
