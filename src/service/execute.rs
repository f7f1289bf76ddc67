//! One command on one case, by anyone who is known: load, decide, commit, and again if something moved meanwhile.
//!
//! Contract: what is answered is durable. A refusal of someone authenticated is committed as an entry before it is returned.
//! Knows nothing about which commands there are.

use std::sync::Arc;

use super::load::Loaded;
use super::{Ask, MAX_TRIES, Once, Service, ServiceError, row};
use crate::base::Time;
use crate::base::ids::CaseId;
use crate::domain::case::Case;
use crate::domain::command::{Command, World};
use crate::domain::decide::decide;
use crate::domain::effect::{Due, effects};
use crate::domain::event::CaseEvent;
use crate::domain::vocabulary::{CaseState, Decision};
use crate::store::{About, CaseChange, Change, Committed, KeptAnswer};

/// What a use case did.
#[derive(Debug, Clone)]
pub struct Done {
    /// The case after it.
    pub case: Arc<Case>,
    /// What happened; empty if the command changed nothing.
    pub events: Vec<CaseEvent>,
    /// Where that lies in the log, if anything happened.
    pub committed: Option<Committed>,
    /// The world with the case as it then is, and all else as the commit found it unmoved.
    pub world: World,
    /// When it was decided.
    pub now: Time,
}

impl Service {
    /// Runs a command on a case.
    pub async fn execute(&self, ask: &Ask, case: CaseId, command: &Command) -> Result<Done, ServiceError> {
        for _ in 0..MAX_TRIES {
            let towards = if let Command::Route { route } = command { Some(route.target.clone()) } else { None };
            let once = ask.once.as_ref().map(|once| (once.principal.clone(), once.key.clone()));
            let loaded = self.load_about(About { case, towards, once }, ask.held.clone()).await?;
            if let Some(kept) = loaded.answered {
                return Err(ServiceError::Answered(Box::new(kept)));
            }
            let version = loaded.case()?.changed;
            if ask.expected.is_some_and(|expected| expected != version) {
                return Err(ServiceError::Stale { case, version });
            }
            match self.attempt(ask, case, &loaded, command).await {
                Err(ServiceError::Conflict) => {}
                Ok(done) if matches!(command, Command::Decide(d) if d.decision == Decision::Approve) => {
                    let noticed = self.notice_pairs(&done.case).await;
                    return Ok(Self::and_noticed(done, noticed));
                }
                other => return other,
            }
        }
        Err(ServiceError::Conflict)
    }

    /// Decides a command in a loaded world and commits what follows, once.
    pub(super) async fn attempt(&self, ask: &Ask, id: CaseId, loaded: &Loaded, command: &Command) -> Result<Done, ServiceError> {
        let events = match decide(&loaded.world, command, &ask.context(loaded.now)) {
            Ok(events) => match self.unanswerable(loaded, command).await? {
                None => events,
                Some(refusal) => {
                    self.record_refusal(ask, loaded.world.case.as_ref().map(|c| c.id), command.code(), refusal.code()).await;
                    return Err(refusal.into());
                }
            },
            Err(refusal) => {
                self.record_refusal(ask, loaded.world.case.as_ref().map(|c| c.id), command.code(), refusal.code()).await;
                return Err(refusal.into());
            }
        };
        match self.commit_events(ask, id, loaded, events).await {
            Err(ServiceError::Forbidden(why)) => {
                self.record_refusal(ask, loaded.world.case.as_ref().map(|c| c.id), command.code(), "database").await;
                Err(ServiceError::Forbidden(why))
            }
            other => other,
        }
    }

    /// Folds events into the case and commits them with everything that belongs to them.
    pub(super) async fn commit_events(&self, ask: &Ask, id: CaseId, loaded: &Loaded, events: Vec<CaseEvent>) -> Result<Done, ServiceError> {
        let before = loaded.world.case.clone();
        let (after, effects) = fold(before.clone(), id, &events, loaded.now);
        let after = after.ok_or_else(|| ServiceError::NotFound(id.to_string()))?;
        let world = World { case: Some(after.clone()), ..loaded.world.clone() };
        let nothing = events.is_empty() && ask.finishes.is_none() && ask.once.is_none() && ask.codes.is_empty();
        if nothing {
            return Ok(Done { case: after, events, committed: None, world, now: loaded.now });
        }
        let row = (!events.is_empty()).then(|| row::of(&world, &after, loaded.now));
        let case = row.map(|row| CaseChange { events: events.clone(), after: after.clone(), row });
        let change = Change {
            actor: ask.actor.who.clone(),
            request: ask.request.clone(),
            at: loaded.now,
            reads: loaded.reads.clone(),
            case,
            register_events: Vec::new(),
            register: None,
            texts: if events.is_empty() { Vec::new() } else { ask.texts.clone() },
            effects,
            subjects: Vec::new(),
            people: Vec::new(),
            policy: None,
            codes: ask.codes.clone(),
            finishes: ask.finishes,
            idempotency: ask.once.as_ref().map(|once| kept(once, &after)),
        };
        let committed = self.store.commit(change).await?;
        if events.iter().any(CaseEvent::links) {
            // Whoever came into this case came into those it is linked with: sealed ones lose what no longer holds, and those still being
            // proved show who can't decide them, and whether anyone could (invariant 15), before they are sealed.
            let undecided = |c: &&Arc<Case>| {
                matches!(c.state, CaseState::New | CaseState::Proofing | CaseState::Sealed | CaseState::Approved | CaseState::Failed)
            };
            let linked = |c: &&Arc<Case>| after.linked.contains(&c.id) || after.is_about_the_same(c);
            self.look_again(loaded.world.linked.iter().filter(linked).filter(undecided).map(|c| c.id));
        }
        Ok(Done { case: after, events, committed: Some(committed), world, now: loaded.now })
    }
}

/// The case after the events, and what must happen outside because of them.
fn fold(before: Option<Arc<Case>>, id: CaseId, events: &[CaseEvent], at: Time) -> (Option<Arc<Case>>, Vec<Due>) {
    if events.is_empty() {
        return (before, Vec::new());
    }
    let mut case = before.map(|c| Case::clone(&c));
    let mut due = Vec::new();
    for event in events {
        case = Case::apply(case, id, event, at);
        if let Some(after) = &case {
            due.extend(effects(after, event, at));
        }
    }
    (case.map(Arc::new), due)
}

/// What is kept of an answer: enough to give it again, and no text that could outlive its erasure (invariant 9).
fn kept(once: &Once, after: &Case) -> KeptAnswer {
    KeptAnswer {
        principal: once.principal.clone(),
        key: once.key.clone(),
        request_sha256: once.request_sha256,
        status: once.status,
        body: format!("{{\"case\":\"{}\",\"version\":{}}}", after.id, after.changed),
    }
}
