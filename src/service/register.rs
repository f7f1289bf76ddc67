//! Use cases on the register: decide, apply, commit; then have undecided cases looked at again.
//!
//! Contract: as `execute`, for the register. A change that could move someone's lineage or a requirement wakes the reassessment; nothing
//! depends on when it runs, since every decision and execution looks at the register as it then stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::refused::bare;
use super::{Ask, MAX_TRIES, Service, ServiceError};
use crate::base::Digest;
use crate::base::ids::{CaseId, PersonId};
use crate::base::mailbox::mailbox;
use crate::domain::case::{ActorRef, Worker};
use crate::domain::command::{Command, RegisterCommand};
use crate::domain::effect::register_effects;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::govern::{SecondWord, decide_register};
use crate::domain::mailboxes::Readers;
use crate::domain::policy::Policy;
use crate::domain::refusal::Refusal;
use crate::domain::register::{Proposal, Register};
use crate::domain::subject::{Recorded, Subject};
use crate::store::{Change, PersonDetails, Reads};

/// Cases looked at in one go by the reassessment.
const PAGE: u16 = 200;
/// Cases remembered one by one for looking at again; beyond that, everything undecided is looked at.
const MAX_AGAIN: usize = 10_000;

/// What goes with a command on the register into the same transaction.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Names and mail addresses.
    pub people: Vec<PersonDetails>,
    /// Subjects' records.
    pub subjects: Vec<Recorded>,
    /// A policy's text under its digest.
    pub policy: Option<(Digest, String)>,
}

/// What a command on the register did.
#[derive(Debug, Clone)]
pub struct Governed {
    /// The register after it.
    pub register: Arc<Register>,
    /// What happened.
    pub events: Vec<RegisterEvent>,
}

impl Service {
    /// Runs a command on the register. `policy` judges it: the one in force, or for the founding the one that is founded with.
    pub async fn govern(&self, ask: &Ask, command: &RegisterCommand, beside: &Beside) -> Result<Governed, ServiceError> {
        for _ in 0..MAX_TRIES {
            match self.govern_once(ask, command, beside).await {
                Err(ServiceError::Conflict) => {}
                other => return other,
            }
        }
        Err(ServiceError::Conflict)
    }

    async fn govern_once(&self, ask: &Ask, command: &RegisterCommand, beside: &Beside) -> Result<Governed, ServiceError> {
        let register = self.store.register().await?;
        let now = self.now();
        let policy = self.judging_policy(&register, beside).await?;
        let events = match decide_register(&register, &policy, command, &ask.context(now)) {
            Ok(events) => events,
            Err(refusal) => return Err(self.refuse_register(ask, command, refusal).await),
        };
        if let RegisterCommand::ApproveProposal { id } = command
            && let Some(proposal) = register.proposals.get(id)
            && !self.readable(proposal).await?
        {
            let why = "This version can't read that policy: what nobody can read nobody approves. End the proposal, and propose it anew.".to_owned();
            return Err(self.refuse_register(ask, command, Refusal::Invalid { field: "policy", why }).await);
        }
        if events.is_empty() && beside.people.is_empty() && beside.subjects.is_empty() && beside.policy.is_none() && ask.once.is_none() {
            return Ok(Governed { register, events });
        }
        let mut after = Register::clone(&register);
        for event in &events {
            after.apply(event, now);
        }
        let after = Arc::new(after);
        let mut change = Change {
            reads: Reads { register: Some(register.version), ..Reads::default() },
            register: (after.version != register.version).then(|| after.clone()),
            people: beside.people.clone(),
            subjects: beside.subjects.clone(),
            policy: beside.policy.clone(),
            effects: events.iter().flat_map(|e| register_effects(e, now, policy.bundle.governance.proposal_lifetime)).collect(),
            finishes: ask.finishes,
            ..bare(ask, now, events.clone())
        };
        change.idempotency = ask.once.as_ref().map(|once| crate::store::KeptAnswer {
            principal: once.principal.clone(),
            key: once.key.clone(),
            request_sha256: once.request_sha256,
            status: once.status,
            body: kept(&after, &events, command),
        });
        self.store.commit(change).await?;
        if events.iter().any(moves_decisions) {
            self.look_again_at_all();
        }
        Ok(Governed { register: after, events })
    }

    /// Records subjects, with an entry each that holds a salted digest of the record (invariant 9). At most some hundreds at once.
    pub async fn record_subjects(&self, subjects: Vec<Subject>) -> Result<(), ServiceError> {
        let salted = |subject| {
            let mut salt = [0; 16];
            self.ports.random.fill(&mut salt);
            Recorded { subject, salt }
        };
        let subjects: Vec<Recorded> = subjects.into_iter().map(salted).collect();
        let mut named = Vec::with_capacity(subjects.len());
        for recorded in &subjects {
            named.push((recorded.subject.id.clone(), recorded.digest().map_err(|e| ServiceError::Policy(e.to_string()))?));
        }
        let beside = Beside { subjects, ..Beside::default() };
        self.govern(&Ask::system(Worker::Host), &RegisterCommand::RecordSubjects { subjects: named }, &beside).await.map(drop)
    }

    /// The policy in force; before the founding, the one that comes with it.
    async fn judging_policy(&self, register: &Register, beside: &Beside) -> Result<Arc<Policy>, ServiceError> {
        match (&register.policy, &beside.policy) {
            (Some(digest), _) => self.policy(digest).await,
            (None, Some((_, text))) => {
                let mistakes = |all: Vec<crate::domain::policy::Mistake>| all.into_iter().map(|m| m.message).collect::<Vec<_>>().join("; ");
                // Whether it keeps the floors was looked at by whoever founds; it takes long, and the floors hold for every case anyway.
                Policy::parse(text).map(Arc::new).map_err(|all| ServiceError::Invalid { field: "policy", why: mistakes(all) })
            }
            (None, None) => Err(ServiceError::NotFounded),
        }
    }

    /// Whether this version can read what would be in force: false only of a proposed policy that it can't use.
    pub async fn readable(&self, proposal: &Proposal) -> Result<bool, ServiceError> {
        let RegisterChange::SetPolicy { policy, .. } = &proposal.change else { return Ok(true) };
        match self.policy(policy).await {
            Err(ServiceError::Policy(_)) => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// How many proposals an account could approve now. One that this version can't read is none of them.
    pub async fn could_approve(&self, who: &ActorRef) -> Result<u64, ServiceError> {
        let ActorRef::Operator { operator, .. } = who else { return Ok(0) };
        if self.store.register().await?.proposals.is_empty() {
            return Ok(0);
        }
        let (register, policy) = self.rules().await?;
        let mut waiting: Vec<&Proposal> = Vec::new();
        for proposal in register.proposals.values().filter(|p| p.approved_by.is_none()) {
            if self.readable(proposal).await? {
                waiting.push(proposal);
            }
        }
        let word = SecondWord::of(&register, &policy, self.now());
        Ok(u64::try_from(waiting.into_iter().filter(|p| word.may(p, operator)).count()).unwrap_or(0))
    }

    /// Who reads the mailbox of each person for whom an account is proposed, themselves among them.
    pub async fn read_along(&self, proposals: impl Iterator<Item = &Proposal> + Send) -> Result<BTreeMap<PersonId, Readers>, ServiceError> {
        let about = |p: &Proposal| if let RegisterChange::SetOperator(o) = &p.change { Some(o.person.clone()) } else { None };
        let persons: Vec<PersonId> = proposals.filter_map(about).collect();
        if persons.is_empty() {
            return Ok(BTreeMap::new());
        }
        let known = self.store.people(&persons).await?;
        let mailboxes: BTreeMap<PersonId, String> =
            known.into_iter().filter_map(|(id, details)| details.email.map(|e| (id, mailbox(e.raw())))).collect();
        let readers = self.store.mailbox_readers(&mailboxes.values().cloned().collect::<Vec<_>>()).await?;
        Ok(mailboxes.into_iter().filter_map(|(id, mailbox)| Some((id, readers.get(&mailbox)?.clone()))).collect())
    }

    async fn refuse_register(&self, ask: &Ask, command: &RegisterCommand, refusal: Refusal) -> ServiceError {
        self.record_refusal(ask, None, command.code(), refusal.code()).await;
        refusal.into()
    }

    /// Looks at every undecided case again, after the register or policy changed (invariants 4 and 15). Returns how many changed. What could not be
    /// looked at is kept for [`Service::reassess_due`].
    pub async fn reassess_all(&self) -> Result<u64, ServiceError> {
        let (mut after, mut changed): (Option<CaseId>, u64) = (None, 0);
        loop {
            let page = match self.store.undecided(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    self.keep(|due| *due = Due { all: true, cases: BTreeSet::new() });
                    return Err(error.into());
                }
            };
            let Some(last) = page.last().copied() else { return Ok(changed) };
            for case in page {
                changed += u64::from(self.reassess_one(case).await);
            }
            after = Some(last);
        }
    }

    /// Looks again at what [`Service::reassess_wanted`] announced. Returns how many cases changed.
    pub async fn reassess_due(&self) -> Result<u64, ServiceError> {
        let all = Due { all: true, cases: BTreeSet::new() };
        let due = self.again.due.lock().map_or(all, |mut due| std::mem::take(&mut *due));
        if due.all {
            return self.reassess_all().await;
        }
        let mut changed = 0;
        for case in due.cases {
            changed += u64::from(self.reassess_one(case).await);
        }
        Ok(changed)
    }

    async fn reassess_one(&self, case: CaseId) -> bool {
        match self.execute(&Ask::system(Worker::Reassess), case, &Command::Reassess).await {
            Ok(done) => !done.events.is_empty(),
            Err(error) => {
                tracing::warn!(%case, error = error.code(), "a case could not be looked at again after what it depends on changed");
                if matches!(error, ServiceError::Conflict | ServiceError::Store(_)) {
                    self.keep(|due| due.add(std::iter::once(case)));
                }
                false
            }
        }
    }

    /// Keeps something to be looked at again, and wakes nobody.
    fn keep(&self, what: impl FnOnce(&mut Due)) {
        if let Ok(mut due) = self.again.due.lock() {
            what(&mut due);
        }
    }

    /// Whether something could not be looked at and waits for another try.
    pub fn reassess_left(&self) -> bool {
        self.again.due.lock().is_ok_and(|due| due.all || !due.cases.is_empty())
    }

    /// Has these cases looked at again: a linked one was opened or gained hands (invariants 2 and 4).
    pub(super) fn look_again(&self, cases: impl Iterator<Item = CaseId>) {
        let Ok(mut due) = self.again.due.lock() else { return };
        let before = due.cases.len();
        due.add(cases);
        if !due.all && due.cases.len() == before {
            return;
        }
        self.again.wake.notify_one();
    }

    fn look_again_at_all(&self) {
        if let Ok(mut due) = self.again.due.lock() {
            *due = Due { all: true, cases: BTreeSet::new() };
        }
        self.again.wake.notify_one();
    }

    /// Waits until the register, the policy or a linked case changed in a way that [`Service::reassess_due`] should answer.
    pub async fn reassess_wanted(&self) {
        self.again.wake.notified().await;
    }
}

/// What is to be looked at again. Lost with the process: at its start everything undecided is looked at.
#[derive(Debug, Default)]
pub(super) struct Again {
    wake: tokio::sync::Notify,
    due: std::sync::Mutex<Due>,
}

#[derive(Debug, Default)]
struct Due {
    /// Everything undecided.
    all: bool,
    /// These.
    cases: BTreeSet<CaseId>,
}

impl Due {
    fn add(&mut self, cases: impl Iterator<Item = CaseId>) {
        self.cases.extend(cases);
        if self.cases.len() > MAX_AGAIN {
            *self = Self { all: true, cases: BTreeSet::new() };
        }
    }
}

/// What is kept of an answer: the version, the codes of what happened, and the proposal that waits, so that a repeated request can be told how that
/// one stands.
fn kept(after: &Register, events: &[RegisterEvent], command: &RegisterCommand) -> String {
    let waiting = command.proposal().filter(|id| after.proposals.contains_key(*id));
    let token = match command {
        RegisterCommand::Change { change: RegisterChange::IssueToken(token), .. } => Some(&token.id),
        _ => None,
    };
    serde_json::json!({"register": after.version, "events": codes(events), "proposal": waiting, "token": token}).to_string()
}

/// The codes of what happened, as the log has them.
pub fn codes(events: &[RegisterEvent]) -> Vec<String> {
    let code = |e: &RegisterEvent| serde_json::to_value(e).ok().and_then(|v| v.get("event").and_then(|e| e.as_str()).map(str::to_owned));
    events.iter().map(|e| code(e).unwrap_or_default()).collect()
}

/// Whether an event can change a lineage, a requirement or who could decide.
fn moves_decisions(event: &RegisterEvent) -> bool {
    match event {
        RegisterEvent::Changed { change } => !matches!(change, RegisterChange::IssueToken(_) | RegisterChange::RevokeToken { .. }),
        RegisterEvent::ProposalApplied { .. } | RegisterEvent::SubjectRecorded { .. } => true,
        _ => false,
    }
}
