//! Looking at a case: everything its screens show, worked out for one asker.
//!
//! Contract: reads only. What is refused comes from asking `decide`, never from a second copy of its rules. Knows no wire types.

mod allowed;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Done, Service, ServiceError, row};
use crate::base::ids::{CaseId, PersonId, SessionId, SubjectId, TextId};
use crate::base::{Time, Untrusted};
use crate::domain::case::{ActorRef, Case, LineageEntry, Requester, Route};
use crate::domain::command::{Actor, Command, Context, Open, World};
use crate::domain::decide::decide;
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::standing::{Lacking, Standing};
use crate::domain::view::CaseView;
use crate::domain::vocabulary::{CaseState, Channel, Decision};
use crate::domain::{checklist, lineage};
use crate::store::{About, Beyond};

/// The person behind an actor, if it is one.
pub fn person_of(who: &ActorRef) -> Option<&PersonId> {
    match who {
        ActorRef::Operator { person, .. } | ActorRef::Attester { person, .. } => Some(person),
        ActorRef::Automation { .. } | ActorRef::Subject { .. } | ActorRef::System { .. } => None,
    }
}

/// The most of those recorded for a subject whose names are looked up because they could be asked to attest.
const MAX_ATTESTERS: usize = 50;

/// Whether this actor may see names and texts: software may not (invariant 6).
pub fn reads_personal_data(who: &ActorRef) -> bool {
    matches!(who, ActorRef::Operator { .. } | ActorRef::System { .. })
}

impl Service {
    /// A case as one asker sees it.
    pub async fn look(&self, id: CaseId, actor: &Actor) -> Result<CaseView, ServiceError> {
        let loaded = self.load(id, None).await?;
        self.look_at(loaded.world, loaded.now, actor).await
    }

    /// A case as one asker sees it right after something was done to it: in the world that the commit found unmoved.
    pub async fn look_after(&self, done: Done, actor: &Actor) -> Result<CaseView, ServiceError> {
        self.look_at(done.world, done.now, actor).await
    }

    async fn look_at(&self, world: World, now: Time, actor: &Actor) -> Result<CaseView, ServiceError> {
        let case = world.case.clone().ok_or_else(|| ServiceError::NotFound("The case".to_owned()))?;
        let lineage = lineage::lineage(&world, now);
        let person = person_of(&actor.who);
        let duties = lineage.iter().filter(|e| Some(&e.person) == person).cloned().collect();
        let mut row = row::of(&world, &case, now);
        let mut wanted = Beyond { case: case.id, subject: case.route.subject.clone(), comments: Vec::new(), texts: Vec::new(), people: Vec::new() };
        if reads_personal_data(&actor.who) {
            wanted.comments.clone_from(&case.comments);
            wanted.texts = text_ids(&case);
            let could_attest = world.subject.iter().flat_map(|s| s.manager.iter().chain(s.owners.iter().map(|o| &o.person))).take(MAX_ATTESTERS);
            wanted.people = persons(&case, &lineage).into_iter().chain(could_attest.cloned()).collect::<BTreeSet<_>>().into_iter().collect();
        } else {
            row.subject_name = Untrusted::from(case.route.subject.as_str());
        }
        let beside = self.store.beside(wanted).await?;
        let salts = beside.texts.iter().map(|(id, kept)| (id.clone(), kept.salt)).collect();
        // What is sealed is shown as it was sealed: that is what an approver decides on.
        let open = matches!(case.state, CaseState::New | CaseState::Proofing);
        let progress = if open { checklist::progress(&world, now) } else { checklist::sealed_progress(&world, now) };
        let contacts = if case.hold.is_some() { checklist::contacts(&world, now) } else { Vec::new() };
        let operations = allowed::operations(&world, &case, (&progress, &contacts), actor, now);
        let standing = Standing::of(&world, now);
        Ok(CaseView {
            requirement: checklist::requirement(&world),
            could: lineage::could_decide_in(&standing, &world.register, now),
            after_yours: after_yours(&standing, &actor.who, &operations.decisions),
            other_open: beside.others,
            lacks_target: !case.state.is_ended() && self.lacks_target(&case.route.target),
            asker: actor.who.clone(),
            world,
            case,
            row,
            progress,
            lineage,
            duties,
            texts: beside.texts.into_iter().map(|(id, kept)| (id, kept.text)).collect(),
            salts,
            names: beside.people.into_iter().map(|(id, p)| (id, p.name)).collect(),
            comments: beside.comments,
            allowed: operations.allowed,
            refused: operations.refused,
            refused_decisions: operations.decisions,
            contacts,
            refused_ways: operations.ways,
            lifted_by: operations.lifted_by,
            now,
        })
    }

    /// A route as it would be: the case's view after it, and what stands against it, or what that somebody is waited for it would end. Nothing
    /// is written.
    pub async fn preview(&self, case: Option<CaseId>, route: &Route, actor: &Actor) -> Result<(CaseView, Previewed), ServiceError> {
        let (id, mut loaded) = match case {
            Some(id) => (id, self.load_about(About { case: id, towards: Some(route.target.clone()), once: None }, None).await?),
            None => (CaseId::new(0, 0), self.load_new(CaseId::new(0, 0), route).await?),
        };
        let command = match case {
            Some(_) => Command::Route { route: route.clone() },
            None => Command::Open(Open {
                id,
                route: route.clone(),
                requester: Requester::Unknown,
                channel: Channel::Phone,
                endpoint: None,
                session: None,
                summary: None,
            }),
        };
        let context = Context { now: loaded.now, actor: actor.clone(), request: None };
        match decide(&loaded.world, &command, &context) {
            Ok(events) => {
                let before = loaded.world.case.clone().map(|c| Case::clone(&c));
                let after = events.iter().fold(before, |case, event| Case::apply(case, id, event, loaded.now));
                loaded.world.case = after.map(Arc::new);
                let ends = events.into_iter().filter_map(|event| match event {
                    CaseEvent::SessionEnded { session, .. } => Some(session),
                    _ => None,
                });
                Ok((self.look_at(loaded.world, loaded.now, actor).await?, Ok(ends.collect())))
            }
            Err(refusal) if case.is_some() => {
                let stays = self.look_at(loaded.world, loaded.now, actor).await?;
                // What is said of the target is said of the one that was asked for, though the case stays where it is.
                Ok((CaseView { lacks_target: self.lacks_target(&route.target), ..stays }, Err(refusal.to_string())))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Whose access a case is about.
    pub async fn subject_of(&self, id: CaseId) -> Result<SubjectId, ServiceError> {
        let case: Option<Arc<Case>> = self.store.case(id).await?;
        case.map(|c| c.route.subject.clone()).ok_or_else(|| ServiceError::NotFound(id.to_string()))
    }
}

/// What a route would end that somebody is waited for, or what stands against it.
pub type Previewed = Result<Vec<SessionId>, String>;

/// What would be missing once the asker approved, if they may: whether they are told that theirs alone is not enough.
fn after_yours(standing: &Standing, who: &ActorRef, refused: &[(Decision, Refusal)]) -> Option<Lacking> {
    let ActorRef::Operator { operator, .. } = who else { return None };
    let may = refused.iter().all(|(decision, _)| *decision != Decision::Approve);
    may.then(|| standing.after(operator)).flatten()
}

/// Every text a case refers to, but those of its comments.
fn text_ids(case: &Case) -> Vec<TextId> {
    let one = [case.request.summary.as_ref(), case.handover.as_ref(), case.hold.as_ref().and_then(|h| h.reason.as_ref())];
    let triage = case.triage.iter().map(|t| &t.reproduction);
    let many = case.evidence.iter().map(|e| &e.text).chain(case.approvals.iter().map(|a| &a.reason));
    let many = many.chain(case.grants.iter().filter_map(|g| g.reason.as_ref()));
    let more = case.reviews.iter().map(|r| &r.note);
    let all: BTreeSet<TextId> = one.into_iter().flatten().chain(triage).chain(many).chain(more).map(|t| t.id.clone()).collect();
    all.into_iter().collect()
}

/// Everyone whose name a case's screens show.
fn persons(case: &Case, lineage: &BTreeSet<LineageEntry>) -> BTreeSet<PersonId> {
    let mut all = lineage::persons(lineage);
    all.extend(case.approvals.iter().map(|a| a.person.clone()));
    all.extend(case.sessions.values().filter_map(|s| s.attester.clone()));
    all.extend(case.triage.iter().flat_map(|t| [t.triage_owner.clone(), t.remedy_owner.clone()]));
    if let Requester::Person(person) = &case.request.requester {
        all.insert(person.clone());
    }
    all
}
