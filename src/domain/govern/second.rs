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

/// The most persons who can't approve a proposal that are named with why.
const MAX_BARRED: usize = 4;
/// The most persons among whom a pair is looked for that could approve one after the other.
const MAX_PAIRED: usize = 100;

/// Why somebody can't approve.
#[derive(Clone, Copy)]
enum Bar {
    Proposed,
    Approved,
    Gains,
    Tied,
}

impl Bar {
    const fn to_the_reader(self) -> &'static str {
        match self {
            Self::Proposed => "You proposed it; another person has to approve it.",
            Self::Approved => "You approved it already; it takes one more person.",
            Self::Gains => "You would gain by it; someone whom it does not concern has to approve it.",
            Self::Tied => "You act, or acted, for the person who proposed it or approved it before, or they for you; someone else has to approve it.",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Proposed => "proposed it",
            Self::Approved => "approved it already",
            Self::Gains => "would gain by it",
            Self::Tied => "acts or acted for who had a hand in it, or they for them",
        }
    }
}

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
        let why = self.bar(proposal, person)?;
        Some(Refusal::SecondPerson(why.to_the_reader().to_owned()))
    }

    fn bar(&self, proposal: &Proposal, person: &PersonId) -> Option<Bar> {
        if *person == proposal.proposed_by {
            return Some(Bar::Proposed);
        }
        if proposal.seconded_by.as_ref() == Some(person) {
            return Some(Bar::Approved);
        }
        let gain = widens::beneficiaries(self.register, &proposal.change, Some(&proposal.proposed_by)).unwrap_or_default();
        if gain.contains(person) {
            return Some(Bar::Gains);
        }
        let tied = std::iter::once(&proposal.proposed_by).chain(proposal.approvers()).any(|other| self.ties.bind(person, other));
        tied.then_some(Bar::Tied)
    }

    /// That fewer persons could approve it now than it still takes, who can't and why, and what would help. `None` where there are enough, and for
    /// one that takes no approval any more.
    pub fn too_few(&self, proposal: &Proposal) -> Option<String> {
        if proposal.approved_by.is_some() || self.now > self.until(proposal) {
            return None;
        }
        if let Some(never) = self.over(proposal) {
            return Some(format!("As it stands nobody can approve it: {never}"));
        }
        let (could, needed) = (self.could(proposal), usize::from(proposal.missing()));
        // Whoever approves second is tied to nobody who approved first.
        let free = |a: &&PersonId| could.iter().any(|b| *b != *a && !self.ties.bind(a, b));
        let most = if needed > 1 && !could.iter().take(MAX_PAIRED).any(free) { could.len().min(1) } else { could.len() };
        if most >= needed {
            return None;
        }
        let who = match most {
            0 => "nobody could approve it".to_owned(),
            _ => format!("only one person could approve it, and it takes {needed}"),
        };
        let mut barred = self.guards().into_iter().filter_map(|p| self.bar(proposal, p).map(|bar| format!("person {p} {}", bar.words())));
        let first: Vec<String> = barred.by_ref().take(MAX_BARRED).collect();
        let more = match barred.count() {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        let barred = if first.is_empty() { String::new() } else { format!(": {}{more}", first.join("; ")) };
        let missing = if needed - most == 1 { "another person" } else { "two more persons" };
        Some(format!(
            "At present {who}{barred}. It takes {missing} with an enabled account as policy owner or security reviewer, who would not gain by it \
             and acts for nobody who had a hand in it; until there is, it waits, and ends unapproved."
        ))
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
        self.guards().into_iter().filter(|person| self.bar(proposal, person).is_none()).collect()
    }

    /// Everyone who may approve proposals.
    fn guards(&self) -> BTreeSet<&'a PersonId> {
        let guards = self.register.operators.values().filter(|o| o.enabled && GUARD.iter().any(|r| o.roles.contains(r))).map(|o| &o.person);
        guards.filter(|p| is_active(self.register, p)).collect()
    }
}
