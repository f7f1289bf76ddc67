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
        let case = self.store.case(id).await?.ok_or_else(|| ServiceError::NotFound(id.to_string()))?;
        let (register, current) = self.rules().await?;
        let pinned = self.policy(&case.policy).await?;
        let subject = self.store.subject(&case.route.subject).await?;
        let mut loaded = self.world(subject, &case.route.subject.clone(), register, pinned, current);
        loaded.reads.cases.push((id, case.version));
        loaded.world.case = Some(case.clone());
        loaded.world.held = held;
        self.link(&mut loaded, &case.route.target).await?;
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
            opened_for: Some((id.clone(), subject.as_ref().map_or(0, |s| s.cases))),
            subject: Some((id.clone(), subject.as_ref().map_or(0, |s| s.version))),
            register: Some(register.version),
        };
        let subject = subject.map(|s| s.subject);
        let world = World { case: None, linked: Vec::new(), subject, register, pinned, current, held: None };
        Loaded { world, reads, now: self.now() }
    }

    /// Other cases of the same subject and target, as far back as policy says.
    async fn link(&self, loaded: &mut Loaded, target: &TargetId) -> Result<(), ServiceError> {
        let id = loaded.case()?.id;
        if loaded.world.subject.is_none() {
            return Ok(());
        }
        let since = loaded.now - checklist::requirement(&loaded.world).linked_window.duration();
        self.take_in(loaded, target, since, id).await
    }

    /// As [`Service::link`], for a case that does not exist yet.
    async fn link_new(&self, loaded: &mut Loaded, route: &Route, id: CaseId) -> Result<(), ServiceError> {
        let Some(subject) = loaded.world.subject.clone() else { return Ok(()) };
        let since = loaded.now - loaded.world.current.requirement(&subject, route, &[]).linked_window.duration();
        self.take_in(loaded, &route.target, since, id).await
    }

    async fn take_in(&self, loaded: &mut Loaded, target: &TargetId, since: Time, but: CaseId) -> Result<(), ServiceError> {
        let Some((subject, _)) = loaded.reads.subject.clone() else { return Ok(()) };
        let mut linked = self.store.linked(&subject, target, since, Some(but)).await?;
        // Links once recorded count for ever (invariant 2), also when they have left the window.
        let recorded = loaded.world.case.as_ref().map(|c| c.linked.clone()).unwrap_or_default();
        for id in recorded {
            if linked.iter().all(|c| c.id != id)
                && let Some(case) = self.store.case(id).await?
            {
                linked.push(case);
            }
        }
        loaded.reads.cases.extend(linked.iter().map(|c| (c.id, c.version)));
        loaded.world.linked = linked;
        Ok(())
    }
}
