//! Loads everything that a decision looks at, and remembers the version of each (invariant 18).
//!
//! Contract: what is not in [`Loaded::reads`] was not looked at. Knows no rules but how far back linked cases are looked for, which is
//! policy's.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::base::Time;
use crate::base::ids::{CaseId, SubjectId, TargetId};
use crate::domain::case::{Case, Route};
use crate::domain::checklist;
use crate::domain::command::World;
use crate::domain::policy::Policy;
use crate::domain::register::Register;
use crate::domain::subject::Scopes;
use crate::store::{Reads, SubjectRecord};

/// A world and the versions of all that is in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What `decide` sees.
    pub world: World,
    /// What the commit compares.
    pub reads: Reads,
    /// When it was loaded, on the server's clock: the `now` of the decision.
    pub now: Time,
}

impl Loaded {
    /// The case, which a world loaded by number always has.
    pub fn case(&self) -> Result<&Arc<Case>, ServiceError> {
        self.world.case.as_ref().ok_or_else(|| ServiceError::NotFound("The case".to_owned()))
    }
}

impl Service {
    /// The register and the policy in force.
    pub async fn rules(&self) -> Result<(Arc<Register>, Arc<Policy>), ServiceError> {
        let register = self.store.register().await?;
        let digest = register.policy.ok_or(ServiceError::NotFounded)?;
        let policy = self.policy(&digest).await?;
        Ok((register, policy))
    }

    /// The world of a case.
    pub async fn load(&self, id: CaseId, held: Option<Scopes>) -> Result<Loaded, ServiceError> {
        self.load_towards(id, held, None).await
    }

    /// The world of a case that is about to be sent to another target: what is linked there counts as well (invariant 2), so that
    /// nobody sheds a lineage, or misses one, by changing where the case goes.
    pub(super) async fn load_towards(&self, id: CaseId, held: Option<Scopes>, towards: Option<&TargetId>) -> Result<Loaded, ServiceError> {
        let case = self.store.case(id).await?.ok_or_else(|| ServiceError::NotFound(id.to_string()))?;
        let (register, current) = self.rules().await?;
        let pinned = self.policy(&case.policy).await?;
        let subject = self.store.subject(&case.route.subject).await?;
        let mut loaded = self.world(subject, &case.route.subject.clone(), register, pinned, current);
        loaded.reads.cases.push((id, case.version));
        loaded.world.case = Some(case.clone());
        loaded.world.held = held;
        self.link(&mut loaded, &case.route.target, towards).await?;
        Ok(loaded)
    }

    /// The world in which a case would be opened on that route.
    pub async fn load_new(&self, id: CaseId, route: &Route) -> Result<Loaded, ServiceError> {
        let (register, current) = self.rules().await?;
        let subject = self.store.subject(&route.subject).await?;
        let mut loaded = self.world(subject, &route.subject, register, current.clone(), current);
        loaded.reads.cases.push((id, 0));
        self.link_new(&mut loaded, route, id).await?;
        Ok(loaded)
    }

    fn world(&self, subject: Option<SubjectRecord>, id: &SubjectId, register: Arc<Register>, pinned: Arc<Policy>, current: Arc<Policy>) -> Loaded {
        let reads = Reads {
            cases: Vec::new(),
            linked_for: Some((id.clone(), subject.as_ref().map_or(0, |s| s.linked))),
            subject: Some((id.clone(), subject.as_ref().map_or(0, |s| s.version))),
            register: Some(register.version),
        };
        let subject = subject.map(|s| s.subject);
        let world = World { case: None, linked: Vec::new(), subject, register, pinned, current, held: None };
        Loaded { world, reads, now: self.now() }
    }

    /// Other cases of the same subject and target, as far back from its opening as policy says; and those where it is about to go.
    async fn link(&self, loaded: &mut Loaded, target: &TargetId, towards: Option<&TargetId>) -> Result<(), ServiceError> {
        let case = loaded.case()?.clone();
        if loaded.world.subject.is_some() {
            // From the opening, not from now: a case that waits for long does not shed what it was linked with.
            let since = case.request.opened_at.min(loaded.now) - checklist::requirement(&loaded.world).linked_window.duration();
            self.take_in(loaded, target, since, case.id).await?;
            if let Some(other) = towards.filter(|t| *t != target) {
                self.take_in(loaded, other, since, case.id).await?;
            }
        }
        self.take_recorded(loaded, &case).await
    }

    /// As [`Service::link`], for a case that does not exist yet.
    async fn link_new(&self, loaded: &mut Loaded, route: &Route, id: CaseId) -> Result<(), ServiceError> {
        let Some(subject) = loaded.world.subject.clone() else { return Ok(()) };
        let since = loaded.now - loaded.world.current.requirement(&subject, route, &[]).linked_window.duration();
        self.take_in(loaded, &route.target, since, id).await
    }

    async fn take_in(&self, loaded: &mut Loaded, target: &TargetId, since: Time, but: CaseId) -> Result<(), ServiceError> {
        let Some((subject, _)) = loaded.reads.subject.clone() else { return Ok(()) };
        for case in self.store.linked(&subject, target, since, Some(but)).await? {
            take(loaded, case);
        }
        Ok(())
    }

    /// Links once recorded count for ever (invariant 2), also when they have left the window or the target; each of at most the 200
    /// that were linked at the opening.
    async fn take_recorded(&self, loaded: &mut Loaded, case: &Case) -> Result<(), ServiceError> {
        for id in &case.linked {
            if loaded.world.linked.iter().all(|c| c.id != *id)
                && let Some(linked) = self.store.case(*id).await?
            {
                take(loaded, linked);
            }
        }
        Ok(())
    }
}

fn take(loaded: &mut Loaded, case: Arc<Case>) {
    if loaded.world.linked.iter().all(|c| c.id != case.id) {
        loaded.reads.cases.push((case.id, case.version));
        loaded.world.linked.push(case);
    }
}
