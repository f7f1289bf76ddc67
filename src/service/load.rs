//! Loads everything that a decision looks at, and remembers the version of each (invariant 18).
//!
//! Contract: what is not in [`Loaded::reads`] was not looked at. Knows no rules but how far back linked cases are looked for, which is
//! policy's.

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::base::Time;
use crate::base::ids::{CaseId, SubjectId};
use crate::domain::case::{Case, Route};
use crate::domain::command::World;
use crate::domain::derived::Derived;
use crate::domain::grant::Generations;
use crate::domain::policy::{Policy, ceilings};
use crate::domain::register::Register;
use crate::store::{About, KeptAnswer, Reads, Since, SubjectRecord};

/// A world and the versions of all that is in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What `decide` sees.
    pub world: World,
    /// What the commit compares.
    pub reads: Reads,
    /// When it was loaded, on the server's clock: the `now` of the decision.
    pub now: Time,
    /// What was answered before under the asker's key.
    pub answered: Option<KeptAnswer>,
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
    pub async fn load(&self, id: CaseId, held: Option<Generations>) -> Result<Loaded, ServiceError> {
        self.load_about(About { case: id, towards: None, once: None }, held).await
    }

    /// The world of a case that may be about to be sent to another target: what is linked there counts as well (invariant 2), so that
    /// nobody sheds a lineage, or misses one, by changing where the case goes.
    pub(super) async fn load_about(&self, about: About, held: Option<Generations>) -> Result<Loaded, ServiceError> {
        let id = about.case;
        let (register, current) = self.rules().await?;
        // With the policy that the case was opened under in memory, one question is enough. It never has another one, so that what the first
        // question had read is there for the second, whatever others read meanwhile.
        let mut read: Option<Arc<Policy>> = None;
        for _ in 0..2 {
            let since = self.since(current.clone(), read.clone());
            let around = self.store.around(about.clone(), since).await?.ok_or_else(|| ServiceError::NotFound(id.to_string()))?;
            let pinned = match read.take().filter(|p| p.sha256 == around.case.policy) {
                Some(pinned) => pinned,
                None => self.policy(&around.case.policy).await?,
            };
            let Some(linked) = around.linked else {
                read = Some(pinned);
                continue;
            };
            let case = around.case;
            let mut loaded = self.world(around.subject, &case.route.subject, register, pinned, current);
            loaded.reads.cases.push((id, case.version));
            loaded.world.case = Some(case);
            loaded.world.held = held;
            loaded.answered = around.answered;
            for other in linked {
                take(&mut loaded, other);
            }
            loaded.world = loaded.world.shared();
            return Ok(loaded);
        }
        Err(ServiceError::Conflict)
    }

    /// How far back other cases of the same subject and target are linked: as policy says, from the opening and not from now, so that a case
    /// that waits for long does not shed what it was linked with.
    fn since(&self, current: Arc<Policy>, read: Option<Arc<Policy>>) -> Since {
        let (known, now) = (Arc::clone(&self.policies), self.now());
        Box::new(move |case, subject| {
            let read = read.clone().filter(|p| p.sha256 == case.policy);
            let pinned = read.or_else(|| known.lock().ok()?.get(&case.policy))?;
            let need = pinned.requirement_with(&current, subject, (&case.route, &case.flags), case.request.opened_at);
            Some(case.request.opened_at.min(now) - need.linked_window.duration())
        })
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
        let (subject, beside) = subject.map(|s| (s.subject, (s.mailboxes, s.dates))).unzip();
        let (mailboxes, dates) = beside.unwrap_or_default();
        let world =
            World { case: None, linked: Vec::new(), subject, register, pinned, current, held: None, mailboxes, dates, derived: Derived::default() };
        Loaded { world, reads, now: self.now(), answered: None }
    }

    /// Other cases of the same subject and target, and what else was asked for lately of the same person, for a case that does not exist yet.
    async fn link_new(&self, loaded: &mut Loaded, route: &Route, id: CaseId) -> Result<(), ServiceError> {
        let Some(subject) = loaded.world.subject.clone() else { return Ok(()) };
        let since = loaded.now - loaded.world.current.requirement(&subject, route, &[], loaded.now).linked_window.duration();
        for case in self.store.linked(&route.subject, &route.target, since, Some(id)).await? {
            take(loaded, case);
        }
        // What followed a privileged recovery may last longer than the window: it is looked for as far back as any policy can let it last.
        let longest = loaded.now - ceilings::RESTRICTION.most.duration();
        for case in self.store.lately(&route.subject, subject.person.as_ref(), since.min(longest)).await? {
            take(loaded, case);
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
