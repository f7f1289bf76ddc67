//! The one place where it is decided what may happen to the register (invariant 17).
//!
//! Contract: pure, as `decide`: a change that widens who may decide, or loosens policy, becomes a proposal that a second person outside
//! it approves and that counts only after the delay; what narrows takes effect at once.

use super::command::{Context, RegisterCommand};
use super::event::RegisterEvent;
use super::policy::Policy;
use super::refusal::Refusal;
use super::register::Register;
use crate::base::Time;

/// Decides a command on the register.
pub fn decide_register(register: &Register, policy: &Policy, command: &RegisterCommand, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    let _ = (register, policy, command, context);
    todo!()
}

impl Register {
    /// The register after an event; `version` counts events.
    pub fn apply(&mut self, event: &RegisterEvent, at: Time) {
        let _ = (event, at);
        todo!()
    }
}
