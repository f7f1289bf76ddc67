//! Who could approve a proposal now, and why somebody could not: a second person outside what it widens, tied to nobody who had a hand in it.
//!
//! Contract: pure. What is asked here beforehand is what is asked when somebody approves. Knows nothing about how anybody is told.

use std::collections::BTreeSet;

use super::widens::Ties;
use super::{GUARD, is_active, still_fits, widens};
use crate::base::Time;
use crate::base::ids::{OperatorId, PersonId};
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Proposal, Register};

/// Whoever could be asked for a second word, as the register stands at a time.
pub struct SecondWord<'a> {
    register: &'a Register,
    policy: &'a Policy,
    now: Time,
    ties: Ties<'a>,
}

impl<'a> SecondWord<'a> {
    /// As the register stands.
    pub fn of(register: &'a Register, policy: &'a Policy, now: Time) -> Self {
        let ties = Ties::of(register, now, policy.bundle.base.lineage_window.duration());
        Self { register, policy, now, ties }
    }

    /// Until when it can be approved.
    pub fn until(&self, proposal: &Proposal) -> Time {
        proposal.proposed_at + self.policy.bundle.governance.proposal_lifetime.duration()
    }

    /// Why nobody can approve it any more.
    pub fn over(&self, proposal: &Proposal) -> Option<Refusal> {
        if proposal.approved_by.is_some() {
            return Some(Refusal::Already("The proposal is approved already; its delay is running.".to_owned()));
        }
        if self.now > self.until(proposal) {
            return Some(Refusal::Already("The proposal waited too long. Propose it anew.".to_owned()));
        }
        still_fits(self.register, self.policy, proposal, self.now).err()
    }

    /// Why a person who may approve proposals can't approve this one.
    pub fn why_not(&self, proposal: &Proposal, person: &PersonId) -> Option<Refusal> {
        let other = |help: &str| Some(Refusal::SecondPerson(help.to_owned()));
        if *person == proposal.proposed_by {
            return other("You proposed it; another person has to approve it.");
        }
        if proposal.seconded_by.as_ref() == Some(person) {
            return other("You approved it already; it takes one more person.");
        }
        let gain = widens::beneficiaries(self.register, &proposal.change, Some(&proposal.proposed_by)).unwrap_or_default();
        if gain.contains(person) {
            return other("You would gain by it; someone whom it does not concern has to approve it.");
        }
        if std::iter::once(&proposal.proposed_by).chain(proposal.approvers()).any(|other| self.ties.bind(person, other)) {
            return other(
                "You act, or acted, for the person who proposed it or approved it before, or they for you; someone else has to approve it.",
            );
        }
        None
    }

    /// Whether the account could approve it now.
    pub fn may(&self, proposal: &Proposal, account: &OperatorId) -> bool {
        let fit = self.register.operators.get(account).filter(|o| o.enabled && GUARD.iter().any(|r| o.roles.contains(r)));
        let here = fit.filter(|o| is_active(self.register, &o.person));
        here.is_some_and(|o| self.over(proposal).is_none() && self.why_not(proposal, &o.person).is_none())
    }

    /// Everyone who could approve it now.
    pub fn could(&self, proposal: &Proposal) -> BTreeSet<&'a PersonId> {
        if self.over(proposal).is_some() {
            return BTreeSet::new();
        }
        let guards = self.register.operators.values().filter(|o| o.enabled && GUARD.iter().any(|r| o.roles.contains(r))).map(|o| &o.person);
        let guards: BTreeSet<&PersonId> = guards.filter(|p| is_active(self.register, p)).collect();
        guards.into_iter().filter(|person| self.why_not(proposal, person).is_none()).collect()
    }
}
