//! Opens a case.
//!
//! Contract: the number is the server's; what was said lies beside the log. Knows nothing about who may open one.

use super::{Ask, Done, MAX_TRIES, Service, ServiceError};
use crate::base::Untrusted;
use crate::base::ids::{EndpointId, PersonId};
use crate::domain::case::{ActorRef, Case, Requester, Route, Worker};
use crate::domain::checklist;
use crate::domain::command::{Command, Open};
use crate::domain::vocabulary::{CaseState, Channel, EndpointKind, Method, Path};

/// What opening a case takes, before it has a number.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// What is asked for.
    pub route: Route,
    /// Who asks.
    pub requester: Requester,
    /// How it came in.
    pub channel: Channel,
    /// The recorded endpoint that carried the request, if it was one.
    pub endpoint: Option<EndpointId>,
    /// What they said.
    pub summary: Option<Untrusted>,
}

impl Service {
    /// Opens a case under a number of its own.
    pub async fn open(&self, ask: &Ask, new: &NewCase) -> Result<Done, ServiceError> {
        let id = self.store.next_case(self.now()).await?;
        let mut ask = ask.clone();
        let mut summary = None;
        if let Some(text) = new.summary.as_ref().filter(|t| !t.is_blank()) {
            let (reference, kept) = self.text(id, text)?;
            summary = Some(reference);
            ask.texts.push(kept);
        }
        let open = Open {
            id,
            route: new.route.clone(),
            requester: new.requester.clone(),
            channel: new.channel,
            endpoint: new.endpoint.clone(),
            session: if let ActorRef::Subject { session } = &ask.actor.who { Some(session.clone()) } else { None },
            summary,
        };
        let command = Command::Open(open);
        for _ in 0..MAX_TRIES {
            let loaded = self.load_new(id, &new.route).await?;
            match self.attempt(&ask, id, &loaded, &command).await {
                Err(ServiceError::Conflict) => {}
                Ok(done) => {
                    let noticed = self.notice_look_alike(&done.case).await;
                    return Ok(self.begin_proof(Self::and_noticed(done, noticed)).await);
                }
                other => {
                    if matches!(other, Err(ServiceError::Refused(_) | ServiceError::Answered(_) | ServiceError::NotFound(_))) {
                        self.store.hand_back(id).await;
                    }
                    return other;
                }
            }
        }
        Err(ServiceError::Conflict)
    }

    /// A case that software, or the subject, opened for the subject's own path is proved without an agent: the server opens the sessions, one
    /// after the other, to the first recorded mailbox that can serve them. Where it can't, an agent still can; the case stands either way.
    pub(super) async fn begin_proof(&self, done: Done) -> Done {
        match self.open_session(&done.case).await {
            Some(begun) => Done { events: done.events.into_iter().chain(begun.events).collect(), committed: done.committed, ..begun },
            None => done,
        }
    }

    /// Opens the next session of such a case, if there is one to open.
    pub(super) async fn open_session(&self, case: &Case) -> Option<Done> {
        let without_agent = matches!(case.request.opened_by, ActorRef::Automation { .. } | ActorRef::Subject { .. });
        if !without_agent || case.route.path != Path::SelfService || case.state != CaseState::Proofing || case.hold.is_some() {
            return None;
        }
        self.next_session(case).await.unwrap_or_else(|error| {
            tracing::warn!(case = %case.id, error = error.code(), "no proof session could be opened for a case that proves itself");
            None
        })
    }

    /// The first proof that is missing and that the subject can give alone: the code of a message, or one that it saved.
    async fn next_session(&self, case: &Case) -> Result<Option<Done>, ServiceError> {
        let loaded = self.load(case.id, None).await?;
        let Some(subject) = loaded.world.subject.clone() else { return Ok(None) };
        let mail = |id: &EndpointId| subject.endpoint(id).is_some_and(|e| e.kind == EndpointKind::Email);
        let alone = |(method, endpoint, _): &(Method, Option<EndpointId>, Option<PersonId>)| match method {
            // Saved codes are startable only where there are some.
            Method::IssuedCode | Method::SavedCode => endpoint.as_ref().is_some_and(mail),
            _ => false,
        };
        let progress = checklist::progress(&loaded.world, loaded.now);
        let mut missing = progress.items.iter().filter(|i| i.receipt.is_none());
        // Where either would do, the code of a message: nobody is asked for one that they may have lost.
        let first = |startable: &[(Method, Option<EndpointId>, Option<PersonId>)]| {
            startable.iter().filter(|way| alone(way)).min_by_key(|s| s.0 != Method::IssuedCode).cloned()
        };
        let Some((method, endpoint, _)) = missing.find_map(|i| first(&i.startable)) else { return Ok(None) };
        let session = self.fresh("ses")?;
        let start = Command::StartProof { session, method, endpoint, attester: None };
        self.execute(&Ask::system(Worker::Notices), case.id, &start).await.map(Some)
    }
}
