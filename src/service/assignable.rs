//! Whom a case could be given to: agents may not read the register, so they are told who is there.
//!
//! Contract: reads only; at most 50 accounts, with how many more there are. Whether somebody may decide comes from the rules, never from a
//! second copy of them.

use std::collections::BTreeSet;

use super::{Service, ServiceError, row};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::Approval;
use crate::domain::lineage;
use crate::domain::register::Operator;
use crate::domain::view::{Assignable, Assignee};
use crate::domain::vocabulary::{Decision, Role, Status, WaitingOn};

/// The most accounts that are named.
const MOST: usize = 50;
/// Who works cases.
const DESK: [Role; 3] = [Role::SupportAgent, Role::Supervisor, Role::SecurityReviewer];

impl Service {
    /// Accounts that a case could be assigned to, besides the one that has it; none if it has ended.
    pub async fn assignable(&self, id: CaseId) -> Result<Assignable, ServiceError> {
        let loaded = self.load(id, None).await?;
        let (case, world, now) = (loaded.case()?, &loaded.world, loaded.now);
        if case.state.is_ended() {
            return Ok(Assignable { rows: Vec::new(), more: 0 });
        }
        let waits = row::of(world, case, now).waiting_on;
        let could: BTreeSet<_> = lineage::could_decide(world, now).operators.into_iter().collect();
        let approvers = |a: &&Approval| a.decision == Decision::Approve && waits == WaitingOn::Review;
        let barred = case.approvals.iter().filter(approvers).map(|a| a.person.clone()).collect();
        let reviews: BTreeSet<_> = lineage::could_review(world, &barred, now).operators.into_iter().collect();
        let fits = |o: &Operator| match waits {
            WaitingOn::Approval => could.contains(&o.id),
            // Those with a hand in it can't lift the hold, nor look back at it; nor can its approvers do that.
            WaitingOn::Security | WaitingOn::Review => reviews.contains(&o.id),
            _ => o.roles.contains(&Role::SupportAgent),
        };
        let mut found = Vec::new();
        for o in world.register.operators.values() {
            let Some(person) = world.register.persons.get(&o.person).filter(|p| p.status == Status::Active) else { continue };
            if o.enabled && DESK.iter().any(|r| o.roles.contains(r)) && case.assignee.as_ref() != Some(&o.id) {
                let on_shift = person.on_call || person.shift.is_none_or(|s| s.covers(now));
                found.push((!fits(o), !on_shift, o));
            }
        }
        found.sort_by_key(|(last, off, o)| (*last, *off, o.id.clone()));
        let more = u64::try_from(found.len().saturating_sub(MOST)).unwrap_or(u64::MAX);
        found.truncate(MOST);
        let persons: Vec<PersonId> = found.iter().map(|f| f.2.person.clone()).collect();
        let people = self.store.people(&persons).await?;
        let one = |(last, off, o): (bool, bool, &Operator)| Assignee {
            operator: o.id.clone(),
            name: people.get(&o.person).map_or_else(|| Untrusted::from(o.id.as_str()), |p| p.name.clone()),
            roles: o.roles.clone(),
            on_shift: !off,
            fits: !last,
        };
        Ok(Assignable { rows: found.into_iter().map(one).collect(), more })
    }
}
