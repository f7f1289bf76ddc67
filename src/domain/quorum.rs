//! Quorum: whether given approvers are enough (invariant 3).
//!
//! Contract: pure. Counts persons, never accounts; distinct persons cover the groups (a small matching). Knows nothing about cases' states.

use std::collections::{BTreeMap, BTreeSet};

use super::register::{Operator, Person};
use super::requirement::ApprovalNeed;
use super::vocabulary::Role;
use crate::base::ids::{EmployerId, GroupId, PersonId};

/// Someone who decides, or could: with the groups they cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// Who.
    pub person: PersonId,
    /// Who employs them.
    pub employer: EmployerId,
    /// What they cover.
    pub groups: BTreeSet<GroupId>,
}

impl Voter {
    /// A person voting through one of their accounts.
    pub fn through(operator: &Operator, person: &Person) -> Self {
        Self { person: person.id.clone(), employer: person.employer.clone(), groups: operator.groups.clone() }
    }
}

/// Whether an account's role lets it decide: supervisors always, security reviewers where policy names a group they belong to.
pub fn may_decide(operator: &Operator, need: &ApprovalNeed) -> bool {
    operator.roles.contains(&Role::Supervisor)
        || (operator.roles.contains(&Role::SecurityReviewer) && operator.groups.iter().any(|g| need.groups.contains_key(g)))
}

/// Whether the voters together meet the need. `barred` are the employers of routers and provers, where policy asks for another one.
pub fn reached(need: &ApprovalNeed, voters: &[Voter], barred: &BTreeSet<EmployerId>) -> bool {
    let persons = merge(voters);
    let other = !need.other_employer || persons.values().any(|v| !barred.contains(&v.employer));
    persons.len() >= need.persons() && places_left(need, &persons).is_empty() && other
}

/// The least number of further persons with whom those given meet the need. Where another employer is asked for and still missing, that
/// depends on what those cover whom another one employs, so the others who could decide are looked at one by one.
pub fn missing(need: &ApprovalNeed, given: &[Voter], others: &[Voter], barred: &BTreeSet<EmployerId>) -> usize {
    let least = |voters: &[Voter]| {
        let persons = merge(voters);
        need.persons().saturating_sub(persons.len()).max(places_left(need, &persons).len())
    };
    if !need.other_employer || given.iter().any(|v| !barred.contains(&v.employer)) {
        return least(given);
    }
    let with = |other: &Voter| 1 + least(&given.iter().chain([other]).cloned().collect::<Vec<_>>());
    let elsewhere = others.iter().filter(|v| !barred.contains(&v.employer));
    elsewhere.map(with).min().unwrap_or_else(|| least(given).max(1))
}

/// The groups that the voters can't cover with distinct persons.
pub fn missing_groups(need: &ApprovalNeed, voters: &[Voter]) -> BTreeSet<GroupId> {
    places_left(need, &merge(voters)).into_iter().collect()
}

/// One voter a person: two accounts of the same human count once (T2), with what both cover.
fn merge(voters: &[Voter]) -> BTreeMap<&PersonId, Voter> {
    let mut persons: BTreeMap<&PersonId, Voter> = BTreeMap::new();
    for voter in voters {
        persons.entry(&voter.person).and_modify(|v| v.groups.extend(voter.groups.iter().cloned())).or_insert_with(|| voter.clone());
    }
    persons
}

/// Places persons on group slots by augmenting paths; returns the group of each slot left over, of which there are as few as can be.
fn places_left(need: &ApprovalNeed, persons: &BTreeMap<&PersonId, Voter>) -> Vec<GroupId> {
    let voters: Vec<&Voter> = persons.values().collect();
    let slots: Vec<&GroupId> = need.groups.iter().flat_map(|(g, n)| std::iter::repeat_n(g, usize::from(*n))).collect();
    let mut taken: Vec<Option<usize>> = vec![None; voters.len()];
    let mut left = Vec::new();
    for slot in 0..slots.len() {
        let mut tried = vec![false; voters.len()];
        if !place(slot, &slots, &voters, &mut taken, &mut tried) {
            left.push(slots[slot].clone());
        }
    }
    left
}

fn place(slot: usize, slots: &[&GroupId], voters: &[&Voter], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for (i, voter) in voters.iter().enumerate() {
        if tried[i] || !voter.groups.contains(slots[slot]) {
            continue;
        }
        tried[i] = true;
        let free = match taken[i] {
            None => true,
            Some(other) => place(other, slots, voters, taken, tried),
        };
        if free {
            taken[i] = Some(slot);
            return true;
        }
    }
    false
}
