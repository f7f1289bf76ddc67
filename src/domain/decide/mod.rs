//! The one place where it is decided what may happen to a case.
//!
//! Contract: `decide` is a pure function of the world, the command and its circumstances; it gives the events that follow or the refusal.
//! Applying the events is [`super::case::Case::apply`]. Knows nothing about storage, tokens or wire formats.

use super::command::{Command, Context, World};
use super::event::CaseEvent;
use super::refusal::Refusal;

/// Decides a command on a case.
pub fn decide(world: &World, command: &Command, context: &Context) -> Result<Vec<CaseEvent>, Refusal> {
    let _ = (world, command, context);
    todo!()
}
