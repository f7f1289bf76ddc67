//! The founding ceremony: two persons, the first entries, once.
//!
//! Contract: pure. Whatever the ceremony sets up must leave a register that two persons can govern. Knows nothing about how the two
//! persons are asked.

use super::{governable, is_active, is_host, not_permitted, sound};
use crate::base::Digest;
use crate::base::ids::PersonId;
use crate::domain::command::Context;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;
use crate::domain::register::Register;

/// The most changes of one ceremony; more persons come by import.
pub const MAX_CHANGES: usize = 20_000;

/// What a ceremony sets up.
#[derive(Clone, Copy)]
pub struct Ceremony<'a> {
    /// Persons, accounts, automations, tokens.
    pub changes: &'a [RegisterChange],
    /// The two.
    pub by: &'a [PersonId; 2],
    /// The first policy.
    pub policy: &'a Digest,
}

/// Decides the ceremony.
pub fn found(register: &Register, policy: &Policy, ceremony: Ceremony<'_>, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    if !is_host(context) {
        return Err(not_permitted("register_change", "the host's command line"));
    }
    if register.founded || !register.persons.is_empty() || !register.operators.is_empty() {
        return Err(Refusal::Already("The register was founded before.".to_owned()));
    }
    let [one, other] = ceremony.by;
    if one == other {
        return Err(Refusal::SecondPerson("Founding takes two different persons.".to_owned()));
    }
    if *ceremony.policy != policy.sha256 {
        return Err(Refusal::Invalid { field: "policy", why: "it is not the policy that was read".to_owned() });
    }
    if ceremony.changes.len() > MAX_CHANGES {
        return Err(Refusal::Limit { what: "What a founding sets up", limit: MAX_CHANGES });
    }
    let mut events = vec![RegisterEvent::Founded { by: ceremony.by.clone(), policy: *ceremony.policy }];
    let mut after = register.clone();
    for event in &events {
        after.apply(event, context.now);
    }
    for change in ceremony.changes {
        if matches!(change, RegisterChange::SetPolicy { .. }) {
            return Err(Refusal::Invalid { field: "changes", why: "the ceremony names its policy once, not as a change".to_owned() });
        }
        sound::check(&after, policy, change, context.now)?;
        let event = RegisterEvent::Changed { change: change.clone() };
        after.apply(&event, context.now);
        events.push(event);
    }
    for person in ceremony.by {
        if !is_active(&after, person) || after.accounts_of(person).next().is_none() {
            return Err(Refusal::SecondPerson(format!("{person} needs an active person and an enabled account to found with.")));
        }
    }
    if !governable(&after) {
        let help = "Afterwards one person must be a policy owner, and another one a policy owner or security reviewer.";
        return Err(Refusal::SecondPerson(help.to_owned()));
    }
    Ok(events)
}
