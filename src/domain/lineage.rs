//! Lineage: everyone who had a hand in a case, resolved to persons, each with the reason (invariants 1 and 2).
//!
//! Contract: pure. The closure of the hands over the history of ownership and delegation within the window, joined with what was recorded
//! before and with the lineage of linked cases. Only grows.

use std::collections::BTreeSet;

use super::case::LineageEntry;
use super::command::World;
use super::refusal::CouldDecide;
use crate::base::Time;
use crate::base::ids::PersonId;

/// The lineage of the world's case as it stands now: recorded entries, and the closure of its hands over the register's history.
pub fn lineage(world: &World, now: Time) -> BTreeSet<LineageEntry> {
    let _ = (world, now);
    todo!()
}

/// Every duty of one person in the case.
pub fn duties(world: &World, person: &PersonId, now: Time) -> Vec<LineageEntry> {
    lineage(world, now).into_iter().filter(|e| &e.person == person).collect()
}

/// Who could decide the case now (invariant 15).
pub fn could_decide(world: &World, now: Time) -> CouldDecide {
    let _ = (world, now);
    todo!()
}
