//! Mail that a case causes: codes, attestations, notices, and word to those who are waited for.
//!
//! Contract: what became of what the subject or an attester was to be told is an entry of the case, also when the time to tell it ran out. What is
//! no longer wanted is not sent. A message that goes to several addresses keeps an id for each over retries. Mail that can't be delivered for good
//! is given up and noted by case, never by address.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::letters::{self, About, NotMe};
use super::post::{Post, Tally};
use super::recipients::{self, MAX_RECIPIENTS, Recipient};
use super::{Step, Workers};
use crate::base::ids::{CaseId, PersonId, SessionId};
use crate::domain::case::{Case, ProofSession};
use crate::domain::effect::Notice;
use crate::domain::lineage;
use crate::domain::message::{Message, Untold};
use crate::domain::register::Operator;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::{CaseState, EndpointKind, Method, Role};
use crate::proofing::derive::Page;
use crate::service::ServiceError;
use crate::store::OutboxItem;

impl Workers {
    /// Sends the code, or the link to the page for a saved one, to the recorded endpoint of a session.
    pub(super) async fn send_code(&self, item: &OutboxItem, id: CaseId, session: &SessionId) -> Result<Step, ServiceError> {
        let Some((case, subject)) = self.case_and_subject(id).await? else { return Ok(Step::Finished) };
        let message = Message::Code { session: session.clone() };
        let Some(proof) = self.open_session(&case, session) else { return self.too_late(item, &case, session, message).await };
        let about = self.about(&case, &subject);
        let link = self.link("p", &self.hands.keys.token(Page::Proof, id, session));
        let mut posts = Vec::new();
        for to in session_recipients(&subject, proof) {
            let not_me = self.not_me(id, &to.id);
            let text = match proof.method {
                Method::IssuedCode => letters::code(&about, &self.hands.keys.issued_code(id, session), &link, proof.expires_at, &not_me),
                Method::SavedCode => letters::saved_code(&about, &link, proof.expires_at, &not_me),
                other => {
                    tracing::warn!(case = %id, method = other.code(), "this method has no page yet; nothing is sent");
                    return Ok(Step::Finished);
                }
            };
            posts.push(Post { key: format!("code {id} {session} {}", to.id), to, text });
        }
        let tally = self.post(item, Some(id), posts).await;
        self.told(item, id, message, tally).await
    }

    /// Sends a manager or owner the link to their page and the code that opens it.
    pub(super) async fn ask_attester(&self, item: &OutboxItem, id: CaseId, session: &SessionId) -> Result<Step, ServiceError> {
        let Some((case, subject)) = self.case_and_subject(id).await? else { return Ok(Step::Finished) };
        let message = Message::Attestation { session: session.clone() };
        let Some(proof) = self.open_session(&case, session) else { return self.too_late(item, &case, session, message).await };
        let Some(person) = proof.attester.clone() else { return Ok(Step::Finished) };
        let mut tally = Tally::of(item);
        let Some(to) = self.person(&person).await? else {
            tracing::warn!(case = %id, %session, "an attester has no recorded mail address");
            return self.told(item, id, message, tally).await;
        };
        if recipients::is_subjects_own(&subject, &to.address) {
            tracing::warn!(case = %id, %session, "an attester's recorded address is the subject's own; nothing is sent");
            tally.add(Untold::OwnAddress);
            return self.told(item, id, message, tally).await;
        }
        let code = self.hands.keys.issued_code(id, session);
        let link = self.link("a", &self.hands.keys.token(Page::Attestation, id, session));
        let text = letters::attestation(&self.about(&case, &subject), proof.method, (&code, &link), proof.expires_at);
        let tally = self.post(item, Some(id), vec![Post { to, text, key: format!("attest {id} {session}") }]).await;
        self.told(item, id, message, tally).await
    }

    /// Tells the subject at every recorded address, and the owners of a non-human one (invariant 13). Of several turns whose word is due at the same
    /// time the last one is told, as the case stands then.
    pub(super) async fn notify_subject(&self, item: &OutboxItem, id: CaseId, (notice, turn): (Notice, Option<u64>)) -> Result<Step, ServiceError> {
        let Some((case, subject)) = self.case_and_subject(id).await? else { return Ok(Step::Finished) };
        // What some of the addresses have had is brought to its end.
        if turn.is_some_and(|turn| item.became.is_empty() && case.worked.is_told_by_another(&case.turns, turn)) {
            return Ok(Step::Finished);
        }
        let about = self.about(&case, &subject);
        let mut to = recipients::of_subject(&subject);
        if subject.kind.is_non_human() {
            let owners: Vec<PersonId> = subject.owners_at(self.service.now()).cloned().collect();
            to.extend(self.persons(&owners).await?);
        }
        to.truncate(MAX_RECIPIENTS);
        let post = |to: Recipient| {
            let text = letters::notice(&about, notice, &self.not_me(id, &to.id));
            Post { text, key: format!("notice {id} {notice:?} {} {}", item.id, to.id), to }
        };
        let tally = self.post(item, Some(id), to.into_iter().map(post).collect()).await;
        self.told(item, id, Message::Notice { notice }, tally).await
    }

    /// Tells those who could decide that they are waited for; those on shift first, and never more than a bounded number.
    pub(super) async fn notify_approvers(&self, item: &OutboxItem, id: CaseId, reminder: bool) -> Result<Step, ServiceError> {
        let loaded = match self.service.load(id, None).await {
            Err(ServiceError::NotFound(_)) => return Ok(Step::Finished),
            other => other?,
        };
        let (case, world) = (loaded.case()?.clone(), &loaded.world);
        let Some(subject) = world.subject.clone() else { return Ok(Step::Finished) };
        if case.state != CaseState::Sealed || case.hold.is_some() {
            return Ok(Step::Finished);
        }
        let could = lineage::could_decide(world, loaded.now);
        let decided: BTreeSet<&PersonId> = case.live_approvals().map(|a| &a.person).collect();
        let mut persons: Vec<PersonId> = Vec::new();
        for operator in could.on_shift.iter().chain(&could.operators) {
            let person = world.register.operators.get(operator).map(|o| &o.person);
            if let Some(person) = person.filter(|p| !decided.contains(p) && !persons.contains(p)) {
                persons.push(person.clone());
            }
        }
        persons.truncate(MAX_RECIPIENTS);
        let about = self.about(&case, &subject);
        let text = letters::waiting(&about, reminder, case.times.due);
        let post = |to: Recipient| Post { text: text.clone(), key: format!("waiting {id} {} {}", item.id, to.id), to };
        let posts = self.persons(&persons).await?.into_iter().map(post).collect();
        Ok(self.post(item, Some(id), posts).await.ends(item, Some(id)))
    }

    /// Tells security that a held case waits for them; those with a hand in it can't lift it and are not asked.
    pub(super) async fn notify_security(&self, item: &OutboxItem, id: CaseId, escalated: bool) -> Result<Step, ServiceError> {
        let loaded = match self.service.load(id, None).await {
            Err(ServiceError::NotFound(_)) => return Ok(Step::Finished),
            other => other?,
        };
        let (case, world) = (loaded.case()?.clone(), &loaded.world);
        let (Some(subject), Some(hold)) = (world.subject.clone(), &case.hold) else { return Ok(Step::Finished) };
        let barred = lineage::persons(&lineage::lineage(world, loaded.now));
        let fit = |o: &&Operator| o.enabled && o.roles.contains(&Role::SecurityReviewer) && !barred.contains(&o.person);
        let persons: BTreeSet<PersonId> = world.register.operators.values().filter(fit).map(|o| o.person.clone()).collect();
        let persons: Vec<PersonId> = persons.into_iter().take(MAX_RECIPIENTS).collect();
        let about = self.about(&case, &subject);
        let text = letters::held(&about, hold.source, case.carried_out(), escalated);
        let post = |to: Recipient| Post { text: text.clone(), key: format!("held {id} {} {}", item.id, to.id), to };
        let posts = self.persons(&persons).await?.into_iter().map(post).collect();
        Ok(self.post(item, Some(id), posts).await.ends(item, Some(id)))
    }

    /// Writes down what became of a message once that is known for every address: until then those who have not had it are tried again, under the
    /// same ids. What can't be written down yet is kept with the item: the message was handed over, and is not sent again for that.
    async fn told(&self, item: &OutboxItem, case: CaseId, message: Message, tally: Tally) -> Result<Step, ServiceError> {
        if tally.is_open() {
            return Ok(tally.ends(item, Some(case)));
        }
        let step = match self.service.record_message(item.id, case, tally.sent(message)).await {
            Ok(()) => Step::Committed,
            Err(ServiceError::NotFound(_)) => Step::Finished,
            Err(error) => {
                tracing::warn!(%case, item = item.id, error = error.code(), "what became of a message could not be written down yet");
                return Ok(tally.rest());
            }
        };
        tally.ends(item, Some(case));
        Ok(step)
    }

    /// A session that still waits when its time is over, or its case is held, before its message could be handed over: nobody is to take it for sent.
    async fn too_late(&self, item: &OutboxItem, case: &Case, session: &SessionId, message: Message) -> Result<Step, ServiceError> {
        // A session without an outcome is not open only where it ran out or is frozen.
        let Some(proof) = case.sessions.get(session).filter(|s| s.outcome.is_none()) else { return Ok(Step::Finished) };
        let mut tally = Tally::of(item);
        if !tally.told() {
            let in_time = proof.expires_at > self.service.now();
            tally.add(if in_time { Untold::Held } else { Untold::Unreachable });
        }
        self.told(item, case.id, message, tally).await
    }

    async fn case_and_subject(&self, id: CaseId) -> Result<Option<(Arc<Case>, Arc<Subject>)>, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(None) };
        let subject = self.service.store.subject(&case.route.subject).await?;
        Ok(subject.map(|s| (case, s.subject)))
    }

    /// The session, if it still waits for something; while the case is held only sessions opened since the hold do.
    fn open_session<'a>(&self, case: &'a Case, session: &SessionId) -> Option<&'a ProofSession> {
        let frozen = |s: &ProofSession| case.hold.as_ref().is_some_and(|h| s.opened_at < h.since);
        case.sessions.get(session).filter(|s| s.outcome.is_none() && s.expires_at > self.service.now() && !frozen(s))
    }

    async fn person(&self, id: &PersonId) -> Result<Option<Recipient>, ServiceError> {
        Ok(self.persons(std::slice::from_ref(id)).await?.pop())
    }

    pub(super) async fn persons(&self, ids: &[PersonId]) -> Result<Vec<Recipient>, ServiceError> {
        let people = self.service.store.people(ids).await?;
        let one = |id: &PersonId| {
            let address = people.get(id)?.email.as_ref()?.raw().to_owned();
            Some(Recipient { id: recipients::owner_id(id), address })
        };
        Ok(ids.iter().filter_map(one).collect())
    }

    pub(super) fn about(&self, case: &Case, subject: &Subject) -> About {
        About {
            case: case.id,
            organisation: self.hands.organisation.clone(),
            subject: subject.name.line(),
            action: case.route.action.label(),
            target: case.route.target.to_string(),
        }
    }

    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}/{token}", self.hands.pages_url)
    }

    fn not_me(&self, case: CaseId, address: &str) -> NotMe {
        NotMe { link: self.link("n", &self.hands.keys.not_me_token(case, address)), word: self.hands.keys.not_me_word(case, address) }
    }
}

/// Where a session's message goes: its recorded endpoint; for a saved code without one, every confirmed address.
fn session_recipients(subject: &Subject, proof: &ProofSession) -> Vec<Recipient> {
    match &proof.endpoint {
        Some(id) => {
            let endpoint = subject.endpoint(id).filter(|e| e.kind == EndpointKind::Email && e.confirmed_at.is_some());
            endpoint.map(|e| Recipient { id: e.id.to_string(), address: e.address.raw().to_owned() }).into_iter().collect()
        }
        None if proof.method == Method::SavedCode => recipients::of_subject(subject),
        None => Vec::new(),
    }
}
