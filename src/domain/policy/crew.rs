//! The smallest crew with which every case that a policy describes can be decided (invariant 15).
//!
//! Contract: pure. Counts persons, never accounts. Knows no register.

use std::collections::BTreeMap;

use super::bundle::Bundle;
use super::compare::requirements;
use super::derive::Facts;
use crate::base::ids::GroupId;

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
    /// Who attest (managers, owners): in the lineage, so never an approver.
    pub attesters: u32,
    /// Who look back and lift holds, outside the lineage and the approvers.
    pub reviewers: u32,
    /// A policy owner and a second person who approves changes; they may be an approver and the reviewer.
    pub governors: u32,
    /// Persons altogether.
    pub persons: u32,
    /// The class of case that needs the most approvers.
    pub hardest: Option<Facts>,
}

/// Works the smallest crew out; `None` if the policy tells too many classes apart.
pub fn smallest(bundle: &Bundle) -> Option<Crew> {
    let all = requirements(bundle)?;
    let hardest = all.iter().max_by_key(|(_, r)| r.approvals.count);
    let approvers = hardest.map_or(0, |(_, r)| u32::from(r.approvals.count));
    let mut groups: BTreeMap<GroupId, u8> = BTreeMap::new();
    for (_, requirement) in &all {
        for (group, count) in &requirement.approvals.groups {
            let most = groups.entry(group.clone()).or_default();
            *most = (*most).max(*count);
        }
    }
    // Without a review one security person is still needed: somebody outside has to lift holds.
    let (agents, reviewers, governors) = (1, 1, 2);
    let attesters = u32::from(all.iter().any(|(_, r)| !r.gates.is_empty()));
    Some(Crew {
        agents,
        approvers,
        groups,
        other_employer: all.iter().any(|(_, r)| r.approvals.other_employer),
        attesters,
        reviewers,
        governors,
        persons: (agents + attesters + approvers + reviewers).max(governors),
        hardest: hardest.map(|(facts, _)| facts.clone()),
    })
}

impl Crew {
    /// In words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} support agent who routes and decides nothing", self.agents)];
        if self.attesters > 0 {
            lines.push("1 recorded manager or owner who attests".to_owned());
        }
        lines.push(format!("{} approvers who had no hand in the case", self.approvers));
        lines.extend(self.groups.iter().map(|(group, count)| format!("  of them at least {count} in the group {group}")));
        lines.extend(self.other_employer.then(|| "  of them one of another employer than router and prover".to_owned()));
        lines.push("1 security reviewer outside lineage and approvers, for reviews and holds".to_owned());
        lines.push("a policy owner and a second person for changes (they may be among the above)".to_owned());
        lines.push(format!("{} persons altogether", self.persons));
        lines
    }
}
