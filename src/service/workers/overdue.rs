//! Word to whoever has a case, and to those whom policy names, that a deadline passed, an execution failed, or the case expired.
//!
//! Contract: goes to the person of the account that has the case and to present accounts with a role of policy's `escalates_to`, those at work
//! first, at their recorded addresses. What has moved on since, or is held, is not told; those who are asked to decide anyway are not told
//! twice. Holds have their own word. Knows no deadlines.

use std::collections::BTreeSet;

use super::post::Post;
use super::recipients::{MAX_RECIPIENTS, Recipient};
use super::{Step, Workers, letters};
use crate::base::Time;
use crate::base::ids::{CaseId, PersonId};
use crate::domain::case::Case;
use crate::domain::checklist;
use crate::domain::command::World;
use crate::domain::lineage;
use crate::domain::register::Register;
use crate::domain::vocabulary::{CaseState, Role, Status};
use crate::service::ServiceError;
use crate::store::OutboxItem;

impl Workers {
    /// Tells them.
    pub(super) async fn notify_staff(&self, item: &OutboxItem, id: CaseId, state: CaseState) -> Result<Step, ServiceError> {
        let loaded = match self.service.load(id, None).await {
            Err(ServiceError::NotFound(_)) => return Ok(Step::Finished),
            other => other?,
        };
        let (case, world) = (loaded.case()?.clone(), &loaded.world);
        let Some(subject) = world.subject.clone() else { return Ok(Step::Finished) };
        if case.state != state || case.hold.is_some() {
            return Ok(Step::Finished);
        }
        let to = whom(world, &case, loaded.now);
        if to.is_empty() {
            tracing::warn!(case = %id, state = state.code(), "a case is overdue and policy names nobody present who could be told");
        }
        let about = self.about(&case, &subject);
        let text = letters::overdue(&about, state);
        let post = |to: Recipient| Post { text: text.clone(), key: format!("overdue {id} {} {}", item.id, to.id), to };
        let posts = self.persons(&to).await?.into_iter().map(post).collect();
        Ok(self.post(item, Some(id), posts).await.ends(item, Some(id)))
    }
}

/// Who is told: whoever has the case, then those whom policy names.
fn whom(world: &World, case: &Case, now: Time) -> Vec<PersonId> {
    let register = &world.register;
    let mut roles = checklist::requirement(world).escalates_to.clone();
    if roles.is_empty() {
        roles.insert(Role::Supervisor);
    }
    let asked: BTreeSet<&PersonId> = if case.state == CaseState::Sealed {
        let could = lineage::could_decide(world, now).operators;
        could.iter().filter_map(|o| register.operators.get(o)).map(|o| &o.person).collect()
    } else {
        BTreeSet::new()
    };
    let has = case.assignee.as_ref().and_then(|a| register.operators.get(a)).filter(|o| o.enabled).map(|o| &o.person);
    let named = register.operators.values().filter(|o| o.enabled && !o.roles.is_disjoint(&roles)).map(|o| &o.person);
    let mut named: Vec<&PersonId> = named.collect::<BTreeSet<_>>().into_iter().collect();
    named.sort_by_key(|p| !at_work(register, p, now));
    let mut to: Vec<PersonId> = Vec::new();
    for person in has.into_iter().chain(named) {
        let here = register.persons.get(person).is_some_and(|p| p.status == Status::Active);
        if here && !asked.contains(person) && !to.contains(person) {
            to.push(person.clone());
        }
    }
    to.truncate(MAX_RECIPIENTS);
    to
}

fn at_work(register: &Register, person: &PersonId, now: Time) -> bool {
    register.persons.get(person).is_some_and(|p| p.on_call || p.shift.is_none_or(|s| s.covers(now)))
}
