//! How near a case is to being approved: whose approvals count now, the least number of further persons it takes, and whose would help.
//!
//! Contract: pure; the one place where approvals are counted towards what is needed (invariant 3). Knows nothing about screens and wording.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::checklist;
use super::command::World;
use super::derived;
use super::lineage;
use super::quorum::{self, Voter};
use super::requirement::ApprovalNeed;
use super::vocabulary::Status;
use crate::base::Time;
use crate::base::ids::{EmployerId, GroupId, OperatorId, PersonId};

/// What is lacking until a case is approved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lacking {
    /// The least number of further persons who must approve.
    pub persons: usize,
    /// Accounts whose approval would make that number smaller, in order of id.
    pub nearer: Vec<OperatorId>,
}

/// Who approved and who else could, as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    need: ApprovalNeed,
    /// Those whose approvals count now.
    given: Vec<Voter>,
    /// Everyone else who could decide, by account.
    others: BTreeMap<OperatorId, Voter>,
    /// The employers of routers and provers.
    barred: BTreeSet<EmployerId>,
}

impl Standing {
    /// The world's case as it stands: approvals in force, by persons outside the lineage, through accounts that still could.
    pub fn of(world: &World, now: Time) -> Arc<Self> {
        derived::standing(world, now, || Self::counted(world, now))
    }

    fn counted(world: &World, now: Time) -> Self {
        let need = checklist::requirement(world).approvals.clone();
        let lineage = lineage::lineage(world, now);
        let hands = lineage::persons(&lineage);
        let register = &world.register;
        let live: Vec<_> = world.case.iter().flat_map(|case| case.live_approvals()).collect();
        let decided: BTreeSet<&PersonId> = live.iter().map(|a| &a.person).collect();
        let mut given = Vec::new();
        let mut others = BTreeMap::new();
        for operator in register.operators.values() {
            let Some(person) = register.persons.get(&operator.person) else { continue };
            let fit = operator.enabled && person.status == Status::Active && quorum::may_decide(operator, &need);
            if !fit || hands.contains(&person.id) {
                continue;
            }
            let counts = |a: &&super::approval::Approval| a.operator == operator.id && a.person == person.id && a.valid_until > now;
            if live.iter().any(counts) {
                given.push(Voter::through(operator, person));
            } else if !decided.contains(&person.id) {
                others.insert(operator.id.clone(), Voter::through(operator, person));
            }
        }
        Self { barred: lineage::employers(register, &lineage), need, given, others }
    }

    /// Whether what was given is enough.
    pub fn reached(&self) -> bool {
        quorum::reached(&self.need, &self.given, &self.barred)
    }

    /// Everyone who could decide and has not.
    pub fn others(&self) -> impl Iterator<Item = (&OperatorId, &Voter)> {
        self.others.iter()
    }

    /// Whether those who approved and those who still could are enough together.
    pub fn enough(&self) -> bool {
        quorum::reached(&self.need, &self.all(), &self.barred)
    }

    /// Groups whose places can't all be filled, even by everyone together.
    pub fn missing_groups(&self) -> BTreeSet<GroupId> {
        quorum::missing_groups(&self.need, &self.all())
    }

    fn all(&self) -> Vec<Voter> {
        self.given.iter().chain(self.others.values()).cloned().collect()
    }

    /// What is lacking now.
    pub fn lacking(&self) -> Lacking {
        let persons = self.least();
        let mut accounts: BTreeMap<&PersonId, usize> = BTreeMap::new();
        for voter in self.others.values() {
            *accounts.entry(&voter.person).or_default() += 1;
        }
        // Whoever covers the same for the same employer brings it as near: worked out once a kind, not once a person of thousands.
        let mut kinds: BTreeMap<(&BTreeSet<GroupId>, &EmployerId), bool> = BTreeMap::new();
        let mut nearer = Vec::new();
        for (account, voter) in &self.others {
            let nears = || self.with(account).is_some_and(|then| then.least() < persons);
            let of_one_account = accounts.get(&voter.person) == Some(&1);
            let is_near = if of_one_account { *kinds.entry((&voter.groups, &voter.employer)).or_insert_with(nears) } else { nears() };
            if is_near {
                nearer.push(account.clone());
            }
        }
        Lacking { persons, nearer }
    }

    /// What would be lacking once this account approved; `None` if it can't, or has.
    pub fn after(&self, account: &OperatorId) -> Option<Lacking> {
        self.with(account).map(|then| then.lacking())
    }

    fn least(&self) -> usize {
        let others: Vec<Voter> = self.others.values().cloned().collect();
        quorum::missing(&self.need, &self.given, &others, &self.barred)
    }

    fn with(&self, account: &OperatorId) -> Option<Self> {
        let mut then = self.clone();
        let voter = then.others.remove(account)?;
        // A person counts once, through whichever account.
        then.others.retain(|_, v| v.person != voter.person);
        then.given.push(voter);
        Some(then)
    }
}
