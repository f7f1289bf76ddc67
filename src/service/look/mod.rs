//! Looking at a case: everything its screens show, worked out for one asker.
//!
//! Contract: reads only. What is refused comes from asking `decide`, never from a second copy of its rules. Knows no wire types.

mod allowed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::load::Loaded;
use super::{Service, ServiceError, row};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, PersonId, SubjectId, TextId};
use crate::domain::case::{ActorRef, Case, Requester, Route};
use crate::domain::command::{Actor, Command, Context, Open};
use crate::domain::decide::decide;
use crate::domain::event::{Body, CaseEvent};
use crate::domain::view::{CaseView, QueueFilter, QueueQuery, Said};
use crate::domain::vocabulary::{CaseState, Channel};
use crate::domain::{checklist, lineage};

/// Entries read at once when a case's comments are gathered.
const PAGE: u16 = 500;
/// Other open cases of a subject that are shown.
const MAX_OTHERS: u16 = 20;

/// The person behind an actor, if it is one.
pub fn person_of(who: &ActorRef) -> Option<&PersonId> {
    match who {
        ActorRef::Operator { person, .. } | ActorRef::Attester { person, .. } => Some(person),
        ActorRef::Automation { .. } | ActorRef::Subject { .. } | ActorRef::System { .. } => None,
    }
}

/// Whether this actor may see names and texts: software may not (invariant 6).
pub fn reads_personal_data(who: &ActorRef) -> bool {
    matches!(who, ActorRef::Operator { .. } | ActorRef::System { .. })
}

impl Service {
    /// A case as one asker sees it.
    pub async fn look(&self, id: CaseId, actor: &Actor) -> Result<CaseView, ServiceError> {
        let loaded = self.load(id, None).await?;
        self.look_at(loaded, actor).await
    }

    async fn look_at(&self, loaded: Loaded, actor: &Actor) -> Result<CaseView, ServiceError> {
        let case = loaded.case()?.clone();
        let (world, now) = (loaded.world, loaded.now);
        let lineage = lineage::lineage(&world, now);
        let person = person_of(&actor.who);
        let duties = lineage.iter().filter(|e| Some(&e.person) == person).cloned().collect();
        let mut row = row::of(&world, &case, now);
        let (mut texts, mut salts, mut names, mut comments) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), Vec::new());
        if reads_personal_data(&actor.who) {
            comments = self.comments(&case).await?;
            for (id, kept) in self.store.texts(case.id, &text_ids(&case, &comments)).await? {
                salts.insert(id.clone(), kept.salt);
                texts.insert(id, kept.text);
            }
            let ids: Vec<PersonId> = persons(&case, &lineage.iter().map(|e| e.person.clone()).collect()).into_iter().collect();
            names = self.store.people(&ids).await?.into_iter().map(|(id, p)| (id, p.name)).collect();
        } else {
            row.subject_name = Untrusted::from(case.route.subject.as_str());
        }
        // What is sealed is shown as it was sealed: that is what an approver decides on.
        let open = matches!(case.state, CaseState::New | CaseState::Proofing);
        let progress = if open { checklist::progress(&world, now) } else { checklist::sealed_progress(&world, now) };
        let (allowed, refused) = allowed::operations(&world, &case, &progress, actor, now);
        Ok(CaseView {
            requirement: checklist::requirement(&world),
            could: lineage::could_decide(&world, now),
            other_open: self.other_open(&case).await?,
            asker: actor.who.clone(),
            world,
            case,
            row,
            progress,
            lineage,
            duties,
            texts,
            salts,
            names,
            comments,
            allowed,
            refused,
            now,
        })
    }

    /// A route as it would be: the case's view after it, and what stands against it. Nothing is written.
    pub async fn preview(&self, case: Option<CaseId>, route: &Route, actor: &Actor) -> Result<(CaseView, Option<String>), ServiceError> {
        let (id, mut loaded) = match case {
            Some(id) => (id, self.load_towards(id, None, Some(&route.target)).await?),
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
                Ok((self.look_at(loaded, actor).await?, None))
            }
            Err(refusal) if case.is_some() => Ok((self.look_at(loaded, actor).await?, Some(refusal.to_string()))),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Whose access a case is about.
    pub async fn subject_of(&self, id: CaseId) -> Result<SubjectId, ServiceError> {
        let case: Option<Arc<Case>> = self.store.case(id).await?;
        case.map(|c| c.route.subject.clone()).ok_or_else(|| ServiceError::NotFound(id.to_string()))
    }

    /// The comments of a case, which are entries of their own.
    async fn comments(&self, case: &Case) -> Result<Vec<Said>, ServiceError> {
        let mut said = Vec::new();
        let mut after = 0;
        while said.len() < case.comments as usize {
            let page = self.store.case_entries(case.id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            let Body::Case { version, .. } = last.body else { break };
            after = version;
            said.extend(page.into_iter().filter_map(|entry| match entry.body {
                Body::Case { event: CaseEvent::Commented { text }, .. } => Some(Said { by: entry.actor, at: entry.at, text }),
                _ => None,
            }));
        }
        Ok(said)
    }

    async fn other_open(&self, case: &Case) -> Result<Vec<CaseId>, ServiceError> {
        let subject = Some(case.route.subject.as_str().to_owned());
        let filter = QueueFilter { subject, ended: Some(false), ..QueueFilter::default() };
        let page = self.store.queue(&QueueQuery { filter, limit: MAX_OTHERS, ..QueueQuery::default() }).await?;
        Ok(page.rows.into_iter().map(|r| r.id).filter(|id| *id != case.id).collect())
    }
}

/// Every text a case refers to.
fn text_ids(case: &Case, comments: &[Said]) -> Vec<TextId> {
    let one = [case.request.summary.as_ref(), case.handover.as_ref(), case.hold.as_ref().and_then(|h| h.reason.as_ref())];
    let triage = case.triage.iter().map(|t| &t.reproduction);
    let many = case.evidence.iter().map(|e| &e.text).chain(case.approvals.iter().map(|a| &a.reason));
    let many = many.chain(case.grants.iter().filter_map(|g| g.reason.as_ref()));
    let more = case.reviews.iter().map(|r| &r.note).chain(comments.iter().map(|c| &c.text));
    let all: BTreeSet<TextId> = one.into_iter().flatten().chain(triage).chain(many).chain(more).map(|t| t.id.clone()).collect();
    all.into_iter().collect()
}

/// Everyone whose name a case's screens show.
fn persons(case: &Case, lineage: &BTreeSet<PersonId>) -> BTreeSet<PersonId> {
    let mut all = lineage.clone();
    all.extend(case.approvals.iter().map(|a| a.person.clone()));
    all.extend(case.sessions.values().filter_map(|s| s.attester.clone()));
    all.extend(case.triage.iter().flat_map(|t| [t.triage_owner.clone(), t.remedy_owner.clone()]));
    if let Requester::Person(person) = &case.request.requester {
        all.insert(person.clone());
    }
    all
}
