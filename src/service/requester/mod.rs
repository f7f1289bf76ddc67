//! What someone outside the staff can do: ask for itself without a link; with one type a code, attest, see what is asked for, say "this wasn't me".
//!
//! Contract: a link alone does nothing (T25). A guess is judged and counted in one versioned commit, before it is answered: at most
//! [`crate::domain::case::MAX_ATTEMPTS_PER_CODE`] guesses of a session are ever judged (T23). Whether a link, a session or a case exists is
//! told only to who typed its code: everything else is [`Tried::Wrong`] (T24). Whatever was judged and wrong stands in the log of its case; what
//! leads nowhere is a stranger's, and counted with the others (invariant 8). No secret leaves but a new saved code, once, to its subject; a form
//! that was sent twice in one go gets its one answer twice.

mod again;
mod asked;
mod locks;
pub mod shown;
mod words;

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Ask, MAX_TRIES, Service, ServiceError};
use crate::base::ids::{PersonId, ReceiptId, SessionId};
use crate::domain::case::{ActorRef, Case, MAX_ATTEMPTS_PER_CASE, MAX_ATTEMPTS_PER_CODE, ProofSession, TrustRoot};
use crate::domain::command::{Actor, Command};
use crate::domain::vocabulary::{CaseState, HoldSource, Method};
use crate::proofing::derive::WORD_LEN;
use crate::proofing::derive::case_of;
pub use crate::proofing::derive::{Page, TOKEN_LEN};
use crate::proofing::{Keys, saved};
use crate::service::workers::recipients;
use crate::store::CodeChange;
use again::Again;
use asked::Asked;
pub use asked::{MAX_NAME, MAX_WAITING, Mistyped, Wanted, shown_again};
use locks::Locks;
pub use words::MAX_WRONG;
use words::Words;

/// How long a pass counts after the right code was typed.
pub const PASS_MINUTES: i64 = 15;

/// What became of a typed code.
#[derive(Debug)]
pub enum Tried {
    /// It was right.
    Right(Right),
    /// It was wrong, or the link leads nowhere, or it is over: which of these is not told.
    Wrong,
}

/// What the right code gives.
#[derive(Debug, Clone)]
pub struct Right {
    /// For a cookie: opens the page of this session for [`PASS_MINUTES`].
    pub pass: String,
    /// A new saved code in place of the one that was used; shown now and never again.
    pub new_code: Option<Zeroizing<String>>,
}

/// What an attester answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It is recorded.
    Recorded,
    /// The page is over, or was never there.
    Over,
}

/// Use cases of the requester's and attester's pages.
pub struct Requester {
    service: Arc<Service>,
    keys: Keys,
    locks: Locks,
    again: Again,
    asked: Asked,
    words: Words,
    /// Bounds the work of hashing saved codes.
    hashing: tokio::sync::Semaphore,
}

struct Found {
    case: Arc<Case>,
    session: SessionId,
}

/// What judging a typed code gave.
enum Verdict {
    Wrong,
    Right(TrustRoot, Vec<CodeChange>, Option<Zeroizing<String>>),
}

impl Requester {
    /// Over a service, with the keys that codes and links are derived with.
    pub fn new(service: Arc<Service>, keys: Keys) -> Self {
        let hashing = tokio::sync::Semaphore::new(2);
        Self { service, keys, locks: Locks::new(), again: Again::default(), asked: Asked::default(), words: Words::default(), hashing }
    }

    /// Milliseconds on the monotonic clock, for whoever counts requests.
    pub fn monotonic_millis(&self) -> u64 {
        self.service.ports.clock.monotonic_millis()
    }

    /// Someone typed a code on the page of a link.
    pub async fn try_code(&self, page: Page, token: &str, typed: &str) -> Result<Tried, ServiceError> {
        let Some(found) = self.find(page, token).await? else { return Ok(self.leads_nowhere()) };
        let _one_at_a_time = self.locks.of(found.session.as_str()).await;
        let form = self.keys.salted("form-again", &format!("{} {typed}", found.session));
        if let Some(right) = self.again.given(&form, self.monotonic_millis()) {
            return Ok(Tried::Right(right));
        }
        for _ in 0..MAX_TRIES {
            let Some(found) = self.find(page, token).await? else { return Ok(self.leads_nowhere()) };
            match self.try_once(page, &found, typed).await {
                Err(ServiceError::Stale { .. } | ServiceError::Conflict) => {}
                Err(ServiceError::Refused(_) | ServiceError::Forbidden(_)) => return Ok(Tried::Wrong),
                Ok(Tried::Right(right)) => {
                    if page == Page::Proof {
                        self.again.keep(form, &right, self.monotonic_millis());
                    }
                    return Ok(Tried::Right(right));
                }
                other => return other,
            }
        }
        Err(ServiceError::Conflict)
    }

    /// Judges a guess at the version that was looked at, and counts it at that same version or not at all.
    async fn try_once(&self, page: Page, found: &Found, typed: &str) -> Result<Tried, ServiceError> {
        let (case, session) = (&found.case, &found.session);
        // What is over is judged no more, so it is no guess; it is counted as what leads nowhere is.
        let Some(proof) = self.open(case, session) else { return Ok(self.leads_nowhere()) };
        let mut ask = Ask::by(actor(proof, session));
        ask.expected = Some(case.changed);
        let verdict = self.judge(case, session, proof, typed).await?;
        let Verdict::Right(trust_root, codes, new_code) = verdict else {
            self.service.execute(&ask, case.id, &Command::RecordFailedAttempt { session: session.clone() }).await?;
            return Ok(Tried::Wrong);
        };
        if page == Page::Proof {
            ask.codes = codes;
            let receipt: ReceiptId = self.service.fresh("rcp")?;
            let done = self.service.execute(&ask, case.id, &Command::RecordProof { session: session.clone(), receipt, trust_root }).await?;
            // A case that proves itself goes on to the next proof by itself.
            self.service.begin_proof(done).await;
        }
        let until = self.service.now() + chrono::Duration::minutes(PASS_MINUTES);
        Ok(Tried::Right(Right { pass: self.keys.pass(case.id, session, until.timestamp_millis()), new_code }))
    }

    async fn judge(&self, case: &Case, session: &SessionId, proof: &ProofSession, typed: &str) -> Result<Verdict, ServiceError> {
        if let Some(person) = &proof.attester {
            let right = self.keys.is_issued_code(case.id, session, typed);
            return Ok(if right { Verdict::Right(self.root_of(person).await?, Vec::new(), None) } else { Verdict::Wrong });
        }
        match proof.method {
            Method::IssuedCode => self.judge_issued(case, session, proof, typed).await,
            Method::SavedCode => self.judge_saved(case, typed).await,
            _ => Ok(Verdict::Wrong),
        }
    }

    async fn judge_issued(&self, case: &Case, session: &SessionId, proof: &ProofSession, typed: &str) -> Result<Verdict, ServiceError> {
        let subject = self.service.store.subject(&case.route.subject).await?;
        let address = subject.zip(proof.endpoint.as_ref()).and_then(|(s, e)| s.subject.endpoint(e).map(|e| e.address.clone()));
        match address {
            Some(address) if self.keys.is_issued_code(case.id, session, typed) => {
                Ok(Verdict::Right(self.keys.mailbox_root(address.raw()), Vec::new(), None))
            }
            _ => Ok(Verdict::Wrong),
        }
    }

    async fn judge_saved(&self, case: &Case, typed: &str) -> Result<Verdict, ServiceError> {
        let subject = case.route.subject.clone();
        let hashes = self.service.store.saved_codes(&subject).await?;
        let (typed, random) = (Zeroizing::new(typed.to_owned()), Arc::clone(&self.service.ports.random));
        let Ok(_place) = self.hashing.acquire().await else { return Ok(Verdict::Wrong) };
        let work = tokio::task::spawn_blocking(move || {
            let used = saved::matching(&typed, &hashes)?.clone();
            saved::fresh(random.as_ref()).ok().map(|fresh| (used, fresh))
        });
        let Ok(Some((used, fresh))) = work.await else { return Ok(Verdict::Wrong) };
        let root = self.keys.code_set_root(&subject);
        let codes = vec![CodeChange::Use { subject: subject.clone(), hash: used }, CodeChange::Add { subject, hash: fresh.hash }];
        Ok(Verdict::Right(root, codes, Some(fresh.code)))
    }

    /// A manager or owner answers, after their code was right.
    pub async fn attest(&self, token: &str, pass: &str, yes: bool) -> Result<Answered, ServiceError> {
        let Some(found) = self.admitted(Page::Attestation, token, pass).await? else { return Ok(Answered::Over) };
        let Some((proof, person)) = found.case.sessions.get(&found.session).and_then(|p| Some((p, p.attester.clone()?))) else {
            return Ok(Answered::Over);
        };
        let session = found.session.clone();
        let command = if yes {
            Command::RecordProof { session, receipt: self.service.fresh("rcp")?, trust_root: self.root_of(&person).await? }
        } else {
            Command::RecordDecline { session }
        };
        match self.service.execute(&Ask::by(actor(proof, &found.session)), found.case.id, &command).await {
            Ok(_) => Ok(Answered::Recorded),
            Err(ServiceError::Refused(_)) => Ok(Answered::Over),
            Err(other) => Err(other),
        }
    }

    /// What an attester's word rests on: the mailbox that the link to their page was sent to.
    async fn root_of(&self, person: &PersonId) -> Result<TrustRoot, ServiceError> {
        let people = self.service.store.people(std::slice::from_ref(person)).await?;
        let address = people.get(person).and_then(|p| p.email.as_ref());
        Ok(address.map_or_else(|| self.keys.contact_root(person), |a| self.keys.attester_root(a.raw())))
    }

    /// A link that leads nowhere, or to what is over.
    fn leads_nowhere(&self) -> Tried {
        self.service.stranger();
        Tried::Wrong
    }

    /// Someone typed the word of a message: the right one freezes the case, and nothing else comes of it (invariant 13).
    pub async fn not_me(&self, token: &str, typed: &str) -> Result<Tried, ServiceError> {
        let Some((case, address)) = self.find_address(token).await? else { return Ok(self.leads_nowhere()) };
        if self.keys.is_not_me_word(case.id, &address, typed) {
            return self.hold(&case, &address).await;
        }
        self.wrong_word(&case, &address, typed).await
    }

    /// As [`Requester::not_me`], on the page of a proof session: the word is that of the message which led there.
    pub async fn not_me_here(&self, token: &str, typed: &str) -> Result<Tried, ServiceError> {
        let Some(found) = self.find(Page::Proof, token).await? else { return Ok(self.leads_nowhere()) };
        let Some(subject) = self.service.store.subject(&found.case.route.subject).await? else { return Ok(Tried::Wrong) };
        let endpoint = found.case.sessions.get(&found.session).and_then(|p| p.endpoint.clone());
        for to in recipients::of_subject(&subject.subject) {
            let led_here = endpoint.as_ref().is_none_or(|e| e.as_str() == to.id);
            if led_here && self.keys.is_not_me_word(found.case.id, &to.id, typed) {
                return self.hold(&found.case, &to.id).await;
            }
        }
        self.wrong_word(&found.case, found.session.as_str(), typed).await
    }

    /// A wrong word on a good link is a try that counts: it stands in the log of the case, up to [`words::MAX_WRONG`] in all, then it is counted
    /// with the strangers'. What can't be a word is no try, as what can't be a code is none.
    async fn wrong_word(&self, case: &Case, address: &str, typed: &str) -> Result<Tried, ServiceError> {
        if could_be_a_word(typed) {
            let ask = self.word_of(case, address)?;
            if self.one_more_wrong_word(case.id).await? {
                self.service.record_refusal(&ask, Some(case.id), "hold", words::WRONG).await;
            } else {
                self.service.stranger();
            }
        }
        Ok(Tried::Wrong)
    }

    /// Whoever types a word that was sent to an address of a case.
    fn word_of(&self, case: &Case, address: &str) -> Result<Ask, ServiceError> {
        let session = self.keys.salted("not-me-session", &format!("{} {address}", case.id)).to_string();
        let session = SessionId::parse(&format!("nm-{}", &session[..32])).map_err(|e| ServiceError::Policy(e.to_string()))?;
        Ok(Ask::by(Actor { who: ActorRef::Subject { session }, scopes: std::collections::BTreeSet::new(), read_only: false }))
    }

    async fn hold(&self, case: &Case, address: &str) -> Result<Tried, ServiceError> {
        let ask = self.word_of(case, address)?;
        let right = || Tried::Right(Right { pass: String::new(), new_code: None });
        if case.hold.as_ref().is_some_and(|hold| hold.source == HoldSource::NotMe) {
            return Ok(right());
        }
        match self.service.execute(&ask, case.id, &Command::Hold { source: HoldSource::NotMe, reason: None }).await {
            // Whoever knows the word has said it; that the case can't be frozen any more is for the log.
            Ok(_) | Err(ServiceError::Refused(_)) => Ok(right()),
            Err(other) => Err(other),
        }
    }

    /// The case and session that a link leads to.
    async fn find(&self, page: Page, token: &str) -> Result<Option<Found>, ServiceError> {
        let Some(case) = self.case_of(token).await? else { return Ok(None) };
        let session = case.sessions.keys().find(|s| self.keys.is_token(page, case.id, s, token)).cloned();
        Ok(session.filter(|s| right_page(page, &case, s)).map(|session| Found { case, session }))
    }

    /// As [`Requester::find`], for someone whose code was right a while ago.
    async fn admitted(&self, page: Page, token: &str, pass: &str) -> Result<Option<Found>, ServiceError> {
        let now = self.service.now().timestamp_millis();
        Ok(self.find(page, token).await?.filter(|f| self.keys.is_pass(f.case.id, &f.session, pass, now)))
    }

    /// The case and the recorded address that a "this wasn't me" link was sent to.
    async fn find_address(&self, token: &str) -> Result<Option<(Arc<Case>, String)>, ServiceError> {
        let Some(case) = self.case_of(token).await? else { return Ok(None) };
        let Some(record) = self.service.store.subject(&case.route.subject).await? else { return Ok(None) };
        let owners = record.subject.owners.iter().map(|o| recipients::owner_id(&o.person));
        let mut ids = record.subject.endpoints.iter().map(|e| e.id.to_string()).chain(owners);
        Ok(ids.find(|id| self.keys.is_not_me_token(case.id, id, token)).map(|id| (case, id)))
    }

    async fn case_of(&self, token: &str) -> Result<Option<Arc<Case>>, ServiceError> {
        match case_of(token) {
            Some(id) => Ok(self.service.store.case(id).await?),
            None => Ok(None),
        }
    }

    /// The session, if a guess at it may still be judged.
    fn open<'a>(&self, case: &'a Case, session: &SessionId) -> Option<&'a ProofSession> {
        // Contact over a held case counts by its own session alone.
        let left = case.hold.is_some() || case.failed_attempts < MAX_ATTEMPTS_PER_CASE;
        let tries = |p: &ProofSession| p.failed_attempts < MAX_ATTEMPTS_PER_CODE && left;
        // While it is held, only what was opened since serves, as security's contact on another channel.
        let counts = |p: &ProofSession| case.hold.as_ref().map_or(case.state == CaseState::Proofing, |h| p.opened_at >= h.since);
        case.sessions.get(session).filter(|p| p.outcome.is_none() && p.expires_at > self.service.now() && tries(p) && counts(p))
    }
}

/// A session of an attester has another page than one of the subject.
fn right_page(page: Page, case: &Case, session: &SessionId) -> bool {
    case.sessions.get(session).is_some_and(|p| p.attester.is_some() == (page == Page::Attestation))
}

fn actor(proof: &ProofSession, session: &SessionId) -> Actor {
    let who = |person: &PersonId| ActorRef::Attester { person: person.clone(), session: session.clone() };
    let who = proof.attester.as_ref().map_or_else(|| ActorRef::Subject { session: session.clone() }, who);
    Actor { who, scopes: std::collections::BTreeSet::new(), read_only: false }
}

/// Whether a typed text could be the word of a message at all: letters only, as many as a word has.
pub fn could_be_a_word(typed: &str) -> bool {
    let typed = typed.trim();
    typed.len() == WORD_LEN && typed.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether a typed text could be a code at all; one that can't is not counted, and says nothing about the link.
pub fn could_be_a_code(typed: &str) -> bool {
    let digits = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let issued = digits.clone().count() == crate::proofing::derive::CODE_DIGITS && digits.clone().all(|c| c.is_ascii_digit());
    issued || saved::looks_like_one(typed)
}
