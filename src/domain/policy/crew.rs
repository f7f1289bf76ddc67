//! The smallest crew with which every case that a policy describes can be decided (invariant 15).
//!
//! Contract: pure. Counts persons, never accounts. Knows no register.

use std::collections::{BTreeMap, BTreeSet};

use super::bundle::{Bundle, Start};
use super::classes::each_flagged;
use super::compare::requirements;
use super::derive::Facts;
use crate::base::ids::GroupId;
use crate::domain::attest::QUORUM;
use crate::domain::checklist::{self, Reach};
use crate::domain::requirement::{ProofNeed, ProofSet, Requirement};
use crate::domain::vocabulary::{Method, Path};

/// How many persons a policy needs at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crew {
    /// Who open, route and gather proofs: one, who decides nothing in that case.
    pub agents: u32,
    /// Who approve, other than the agent and any attester.
    pub approvers: u32,
    /// How many of the approvers must belong to which group.
    pub groups: BTreeMap<GroupId, u8>,
    /// Whether one approver must have another employer than the agent.
    pub other_employer: bool,
    /// Who attest (managers, owners): in the lineage, so never an approver. A gate takes one; an owner quorum, where nothing else proves a case,
    /// as many as it has.
    pub attesters: u32,
    /// Who look back and lift holds, outside the lineage and the approvers.
    pub reviewers: u32,
    /// A policy owner and those who approve changes: a second person, and two where self-service or runbooks are widened; they may be among the
    /// others.
    pub governors: u32,
    /// Persons altogether.
    pub persons: u32,
    /// The class of case that needs the most approvers.
    pub hardest: Option<Facts>,
    /// A class of case that nobody could prove: every way names something that can't be carried out yet.
    pub unprovable: Option<Facts>,
}

/// Works the smallest crew out; `None` if the policy tells too many classes apart.
pub fn smallest(bundle: &Bundle) -> Option<Crew> {
    let all = requirements(bundle)?;
    // A case may be flagged for several things, and what each asks for adds up.
    let mut flagged: Vec<(Facts, Requirement)> = Vec::new();
    each_flagged(bundle, |_, facts, _| flagged.push((facts.clone(), bundle.demanded(facts))))?;
    let persons = |r: &Requirement| r.approvals.persons();
    let hardest = all.iter().chain(&flagged).rev().max_by_key(|(_, r)| persons(r)).map(|(facts, r)| (plainest(bundle, facts, persons(r)), r));
    let approvers = hardest.as_ref().map_or(0, |(_, r)| u32::try_from(persons(r)).unwrap_or(u32::MAX));
    let mut groups: BTreeMap<GroupId, u8> = BTreeMap::new();
    for (_, requirement) in all.iter().chain(&flagged) {
        for (group, count) in &requirement.approvals.groups {
            let most = groups.entry(group.clone()).or_default();
            *most = (*most).max(*count);
        }
    }
    // Without a review one security person is still needed: somebody outside has to lift holds.
    let alone = [Path::SelfService, Path::Runbook].iter().any(|p| bundle.start.get(p).is_some_and(|s| *s != Start::default()));
    let (agents, reviewers, governors) = (1, 1, if alone { 3 } else { 2 });
    let quorum = u32::try_from(QUORUM).unwrap_or(u32::MAX);
    let attests = |r: &Requirement| attested(r) + if r.proofs.iter().any(owners_only) { quorum } else { 0 };
    let attesters = all.iter().chain(&flagged).map(|(_, r)| attests(r)).max().unwrap_or(0);
    Some(Crew {
        agents,
        approvers,
        groups,
        other_employer: all.iter().chain(&flagged).any(|(_, r)| r.approvals.other_employer),
        attesters,
        reviewers,
        governors,
        persons: (agents + attesters + approvers + reviewers).max(governors),
        hardest: hardest.map(|(facts, _)| facts),
        unprovable: all.iter().find(|(_, r)| r.proofs.iter().any(|need| !need.any_of.iter().any(can_be_given))).map(|(facts, _)| facts.clone()),
    })
}

/// That class of case with no more flags than it takes to need so many approvers.
fn plainest(bundle: &Bundle, facts: &Facts, persons: usize) -> Facts {
    let mut facts = facts.clone();
    for flag in facts.flags.clone() {
        let mut without = facts.clone();
        without.flags.remove(&flag);
        if bundle.demanded(&without).approvals.persons() >= persons {
            facts = without;
        }
    }
    facts
}

/// How many persons the gates take: no two of them rest on one person's word.
fn attested(requirement: &Requirement) -> u32 {
    let asked = requirement.gates.iter().filter(|gate| checklist::reach(**gate) == Reach::Attester);
    u32::try_from(asked.count()).unwrap_or(u32::MAX)
}

/// Whether every place of a set can be filled today.
fn can_be_given(set: &ProofSet) -> bool {
    set.slots.iter().all(|slot| slot.iter().any(|m| checklist::is_carried_out(*m)))
}

/// Whether a need is met by an owner quorum or not at all, as things are today.
fn owners_only(need: &ProofNeed) -> bool {
    let owners = |slot: &BTreeSet<Method>| slot.iter().filter(|m| checklist::is_carried_out(**m)).eq([&Method::OwnerQuorum]);
    let mut ways = need.any_of.iter().filter(|set| can_be_given(set)).peekable();
    ways.peek().is_some() && ways.all(|set| set.slots.iter().any(owners))
}

impl Crew {
    /// In words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} support agent who routes and decides nothing", self.agents)];
        if self.attesters > 0 {
            let who = if self.attesters == 1 { "recorded manager or owner who attests" } else { "recorded managers or owners who attest" };
            lines.push(format!("{} {who}", self.attesters));
        }
        lines.push(format!("{} approvers who had no hand in the case", self.approvers));
        lines.extend(self.groups.iter().map(|(group, count)| format!("  of them at least {count} in the group {group}")));
        lines.extend(self.other_employer.then(|| "  of them one of another employer than router and prover".to_owned()));
        lines.push("1 security reviewer outside lineage and approvers, for reviews and holds".to_owned());
        let changes = if self.governors > 2 { ", a third where self-service or runbooks are widened" } else { "" };
        lines.push(format!("a policy owner and a second person for changes{changes} (they may be among the above)"));
        lines.push(format!("{} persons altogether", self.persons));
        lines.extend(
            self.unprovable.iter().map(|facts| format!("Nobody could prove this case, as every way needs what has no page or record yet: {facts}")),
        );
        lines
    }
}
