//! A case: one request to get one subject back into one thing by one action. Its state is the fold of its events.
//!
//! Contract: plain data; it changes only through [`Case::apply`] (in [`super::apply`]). Ids, codes and salted digests only: texts, names and addresses lie
//! beside the log (invariant 9). Knows nothing of who may do what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use super::approval::{Approval, Seal, Signature, VoidReason};
pub use super::bounds::{MAX_ATTEMPTS_PER_CASE, MAX_ATTEMPTS_PER_CODE, MAX_ITEMS, MAX_TURNS, Worked};
use super::elsewhere::There;
pub use super::grant::{Execution, ExecutionOutcome, Grant, GrantEnd, GrantState};
use super::message::{Sent, SentAt};
pub use super::receipt::{ProofSession, Receipt, SessionOutcome, TrustRoot};
use super::register::Principal;
use super::requirement::Seconds;
use super::subject::Scopes;
use super::vocabulary::{Action, CaseState, Channel, Decision, Duty, EvidenceKind, FailureType, FlagKind, HoldSource, Path, Risk, Tier};
use crate::base::ids::{AutomationId, CaseId, EndpointId, EvidenceId, GroupId, OperatorId, PersonId, SessionId, SubjectId, TargetId, TextId};
use crate::base::{Digest, Time};

/// The state of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub id: CaseId,
    /// How many events made it; what a commit compares (invariant 18).
    pub version: u64,
    /// The version at which something last changed; its `ETag`. A refusal is an event and changes nothing, so someone refused can't make
    /// stale what others have read.
    pub changed: u64,
    /// What was asked for and where it goes.
    pub route: Route,
    /// Every target it was ever sent to: what is sent elsewhere sheds nothing that it was linked with (invariant 2).
    pub targets: BTreeSet<TargetId>,
    /// Who asked, and over what.
    pub request: Request,
    /// Where it stands.
    pub state: CaseState,
    /// A freeze over the state.
    pub hold: Option<Hold>,
    /// Digest of the policy it was opened under (invariant 14).
    pub policy: Digest,
    /// Everyone who had a hand in it, so far. Only grows (invariant 2).
    pub lineage: BTreeSet<LineageEntry>,
    /// Everyone and everything that acted in it directly; lineage is the closure of this over the register's history.
    pub hands: BTreeSet<Hand>,
    /// Other cases whose lineage this one inherits.
    pub linked: BTreeSet<CaseId>,
    /// What triage found.
    pub triage: Option<Triage>,
    /// Who works on it.
    pub assignee: Option<OperatorId>,
    /// What was kept before anything changed.
    pub evidence: Vec<Evidence>,
    /// Proofs and gates recorded.
    pub receipts: Vec<Receipt>,
    /// Sessions the server opened to recorded endpoints.
    pub sessions: BTreeMap<SessionId, ProofSession>,
    /// Wrong codes so far, over all sessions.
    pub failed_attempts: u8,
    /// What will be done.
    pub plan: Option<Plan>,
    /// The seal in force.
    pub seal: Option<Seal>,
    /// How many seals there were.
    pub revision: u32,
    /// Every approval and denial ever given, voided ones too.
    pub approvals: Vec<Approval>,
    /// What was noticed.
    pub flags: Vec<Flag>,
    /// What the server did.
    pub executions: Vec<Execution>,
    /// The attempt that is being undone because somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoing: Option<u32>,
    /// Attempts by which a target gave, or may have given, what it was not to, and when it had taken that back (invariants 10 and 11).
    pub taken_back: BTreeMap<u32, Option<Time>>,
    /// What was begun and ordered in a log of it that a restore replaced.
    #[serde(default)]
    pub there: There,
    /// Temporary access it gave.
    pub grants: Vec<Grant>,
    /// Reviews after the event.
    pub reviews: Vec<Review>,
    /// Its clocks.
    pub times: Times,
    /// The versions at which it was commented on: each comment is an entry of its own.
    pub comments: Vec<u64>,
    /// The last handover note.
    pub handover: Option<TextRef>,
    /// What became of the messages it sent, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<SentAt>,
    /// Sessions that were opened for something else than what is asked for now: nobody said yes to this in them, and no receipt of theirs counts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub elsewhere: BTreeSet<SessionId>,
    /// The versions at which it was sent to something else than what was asked before, at most [`MAX_TURNS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<u64>,
    /// Sessions that were opened over a hold, to make contact: they take no room from its proof.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contacts: BTreeSet<SessionId>,
    /// How often what could be done again and again was done.
    #[serde(default)]
    pub worked: Worked,
}

/// What is asked for: changing any of this is routing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Whose access.
    pub subject: SubjectId,
    /// What.
    pub action: Action,
    /// Which way.
    pub path: Path,
    /// In which system.
    pub target: TargetId,
    /// How much of it; a subset of the recorded entitlements (invariant 10).
    pub scope: Scopes,
    /// Approver groups picked at routing, beside policy's.
    pub picked_groups: BTreeSet<GroupId>,
}

impl Route {
    /// Whether who said yes to `asked` said yes to this too: the same, or less of it. What was to run by itself and is worked by staff instead
    /// is the same; the other way round it is not.
    pub fn is_within(&self, asked: &Self) -> bool {
        let by_staff = self.path == Path::Assisted && asked.path.runs_itself();
        let same = self.subject == asked.subject && self.action == asked.action && self.target == asked.target;
        same && (self.path == asked.path || by_staff) && self.scope.is_subset(&asked.scope)
    }
}

/// Who asked, and over what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who.
    pub requester: Requester,
    /// How it came in.
    pub channel: Channel,
    /// The recorded endpoint that carried it, if it was one; it proves nothing in this case (invariant 5).
    pub endpoint: Option<EndpointId>,
    /// The session that carried it.
    pub session: Option<SessionId>,
    /// Who opened the case.
    pub opened_by: ActorRef,
    /// When.
    pub opened_at: Time,
    /// What they said.
    pub summary: Option<TextRef>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Requester {
    /// The subject itself.
    Subject,
    /// A known person: owner, manager, colleague.
    Person(PersonId),
    /// A program.
    Automation(AutomationId),
    /// Nobody known.
    Unknown,
}

/// Who did something, as the log names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ActorRef {
    /// An operator, through a token or session.
    Operator {
        /// The account.
        operator: OperatorId,
        /// Its person.
        person: PersonId,
    },
    /// An automation with the chain it acts for, nearest first.
    Automation {
        /// Which.
        automation: AutomationId,
        /// From its credential.
        on_behalf_of: Vec<Principal>,
    },
    /// The subject, in a session the server opened.
    Subject {
        /// Which session.
        session: SessionId,
    },
    /// A recorded manager, owner or contact, in a session the server opened.
    Attester {
        /// Who.
        person: PersonId,
        /// Which session.
        session: SessionId,
    },
    /// One of the server's own workers.
    System {
        /// Which.
        worker: Worker,
    },
}

/// The server's own workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worker {
    /// Deadlines, expiry, escalation.
    Deadlines,
    /// Executions.
    Executor,
    /// Grants' ends.
    Grants,
    /// Mail and notices.
    Notices,
    /// Checks sealed cases after a register or policy change.
    Reassess,
    /// The host's command line: founding, import, sample data.
    Host,
}

/// Someone or something that acted in a case, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hand {
    /// Who or what.
    pub who: Principal,
    /// How.
    pub duty: Duty,
    /// When (ownership and delegation count around this time).
    pub at: Time,
}

/// A person in the lineage, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineageEntry {
    /// Who.
    pub person: PersonId,
    /// Why.
    pub duty: Duty,
    /// Through what: the automation they own, the person they are tied to.
    pub via: Option<Principal>,
    /// From which linked case, if not this one.
    pub case: Option<CaseId>,
}

/// A text kept beside the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TextRef {
    /// Where.
    pub id: TextId,
    /// `SHA-256(salt || text)`; the salt lies beside the text, so erasing both leaves nothing to guess.
    pub sha256: Digest,
}

/// What triage found (mission.md, 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// What failed.
    pub failure: FailureType,
    /// How it was reproduced.
    pub reproduction: TextRef,
    /// Who owns triage.
    pub triage_owner: PersonId,
    /// Who owns the remedy.
    pub remedy_owner: PersonId,
    /// Who did it.
    pub by: ActorRef,
    /// When.
    pub at: Time,
}

/// An item of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Opaque id.
    pub id: EvidenceId,
    /// What kind.
    pub kind: EvidenceKind,
    /// Its text or file.
    pub text: TextRef,
    /// Who added it.
    pub by: ActorRef,
    /// When.
    pub at: Time,
    /// Came after sealing: waits beside the seal and is not part of it (invariant 4, T34).
    pub late: bool,
}

/// What will be done (at first a single step).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where.
    pub target: TargetId,
    /// What.
    pub action: Action,
    /// To what extent.
    pub scope: Scopes,
    /// For how long; `None` restores standing access that was there before.
    pub lifetime: Option<Seconds>,
    /// Whether the old credential is revoked with it.
    pub revokes_old: bool,
    /// Dependents whose credentials are rotated with it.
    pub rotates: BTreeSet<SubjectId>,
    /// Whether the target can undo it.
    pub reversible: bool,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who or what froze it.
    pub source: HoldSource,
    /// Why.
    pub reason: Option<TextRef>,
    /// When.
    pub since: Time,
    /// When it escalated for want of anyone lifting it.
    pub escalated_at: Option<Time>,
}

/// A noticed anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// What.
    pub kind: FlagKind,
    /// Who noticed.
    pub by: ActorRef,
    /// When.
    pub at: Time,
    /// What it is about, if another case.
    pub case: Option<CaseId>,
}

/// The look back after restoration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub by: ActorRef,
    /// When.
    pub at: Time,
    /// What they found.
    pub note: TextRef,
    /// Whether all was in order.
    pub in_order: bool,
}

/// The clocks of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// When anything last happened.
    pub updated_at: Time,
    /// When the present phase is due; `None` while the clock is paused or nothing is awaited.
    pub due: Option<Time>,
    /// When the present phase was due, once that passed and the case escalated: it waits more than any other then, and never escalates for
    /// the same deadline again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<Time>,
    /// What is left of the phase while its clock is paused.
    pub paused_left: Option<Seconds>,
    /// How long the clock of each phase ran in all, while the case stood there before: coming back to a phase does not start its clock anew.
    pub used: BTreeMap<CaseState, Seconds>,
    /// Since when the present phase's clock runs, unless it is paused or never ran.
    pub runs_since: Option<Time>,
    /// When it expires if it is not restored.
    pub expires_at: Time,
    /// When it escalated last.
    pub escalated_at: Option<Time>,
    /// Not executed before this (delay and grace).
    pub execute_after: Option<Time>,
    /// The subject is restricted until then (privileged recovery).
    pub restricted_until: Option<Time>,
}

impl Case {
    /// Whether a receipt was given for something else than what is asked for now.
    pub fn is_for_another(&self, receipt: &Receipt) -> bool {
        self.elsewhere.contains(&receipt.session)
    }

    /// Whether it is, or ever was, about the same subject in the same target as another.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.route.subject == other.route.subject && !self.targets.is_disjoint(&other.targets)
    }

    /// Whether such an anomaly was noticed.
    pub fn has_flag(&self, kind: FlagKind) -> bool {
        self.flags.iter().any(|f| f.kind == kind)
    }

    /// The approvals that count for the seal in force.
    pub fn live_approvals(&self) -> impl Iterator<Item = &Approval> {
        let seal = self.seal.as_ref().map(|s| s.sha256);
        self.approvals.iter().filter(move |a| a.void.is_none() && Some(a.seal) == seal && a.decision == Decision::Approve)
    }
}

impl Case {
    /// The grants that live: neither ended nor being ended.
    pub fn live_grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|g| g.ending.is_none() && g.revoked_at.is_none())
    }

    /// Whether it waits for the subject: a session to them is open. Deadlines pause meanwhile.
    pub fn waits_for_subject(&self, now: Time) -> bool {
        self.state == CaseState::Proofing && self.waiting(now).any(|(_, s)| s.attester.is_none())
    }

    /// The sessions that somebody could still answer: open, and nothing says that their message reached nobody.
    pub fn waiting(&self, now: Time) -> impl Iterator<Item = (&SessionId, &ProofSession)> {
        self.unanswered().filter(move |(_, s)| s.expires_at > now)
    }

    /// The same, those that ran out among them.
    fn unanswered(&self) -> impl Iterator<Item = (&SessionId, &ProofSession)> {
        self.sessions.iter().filter(|(id, s)| s.outcome.is_none() && self.unsent(id).is_none())
    }

    /// What became of a session's message, if it was given up and reached nobody: whoever it was for can't answer.
    pub fn unsent(&self, session: &SessionId) -> Option<&Sent> {
        self.messages.iter().rfind(|m| m.sent.session() == Some(session)).map(|m| &m.sent).filter(|sent| sent.told == 0)
    }

    /// How much of a phase's time was used so far; waiting for the subject and holds take none of it.
    pub fn used(&self, phase: CaseState, now: Time) -> Seconds {
        let before = self.times.used.get(&phase).copied().unwrap_or_default();
        let runs = self.times.runs_since.filter(|_| self.state == phase);
        before.saturating_add(runs.map_or(Seconds(0), |since| Seconds::between(since, now)))
    }

    /// Whether a target still holds, or may hold, what it was not to give.
    pub fn taking_back(&self) -> bool {
        self.taken_back.values().any(Option::is_none)
    }

    /// Whether it is no more than a name that somebody typed: asked for by the subject itself, and nothing was proved in it, nobody of the staff
    /// ever did anything in it, nobody froze it and nothing came of it. Anyone can bring that about, so nothing may follow from it for anyone
    /// else's case (T22).
    pub fn is_word_alone(&self) -> bool {
        let by_itself = matches!(self.request.opened_by, ActorRef::Subject { .. });
        let untouched = self.receipts.is_empty() && self.hold.is_none() && !self.was_worked_on();
        let early = matches!(self.state, CaseState::New | CaseState::Proofing | CaseState::Withdrawn | CaseState::Expired);
        by_itself && untouched && early
    }

    /// Whether anyone but the subject and the server did anything in it: took it, looked into it, wrote in it, sent it elsewhere, started a
    /// proof (the contact that lifts a hold is one) or noticed something. What is only read leaves no trace here.
    fn was_worked_on(&self) -> bool {
        let other = |who: &ActorRef| !matches!(who, ActorRef::Subject { .. } | ActorRef::System { .. });
        let taken = self.assignee.is_some() || self.handover.is_some() || self.triage.is_some() || !self.comments.is_empty();
        // Whoever routes, proves or seals leaves a hand; the subject that asked has its own as requester.
        let hands = self.hands.iter().any(|h| h.duty != Duty::Requester);
        let proofs = self.sessions.values().any(|s| other(&s.by));
        taken || hands || proofs || self.evidence.iter().any(|e| other(&e.by)) || self.flags.iter().any(|f| other(&f.by))
    }

    /// What lists are sorted by and show: when the phase is due, or was, once that passed; of a held case when its hold is to be looked at.
    pub fn deadline(&self) -> Option<Time> {
        match &self.hold {
            Some(hold) => self.times.due.or(hold.escalated_at),
            None => self.times.passed.or(self.times.due),
        }
    }

    /// Whether it could still expire: not restored, not ended, not in the target's hands, nothing in it left to be undone.
    pub fn can_expire(&self) -> bool {
        !self.state.is_ended() && !matches!(self.state, CaseState::Executing | CaseState::Restored) && self.not_undone().is_none()
    }

    /// The next moment at which [`super::command::Command::Tick`] has something to do; what the store keeps its index of due cases by.
    pub fn next_due(&self) -> Option<Time> {
        let grants = self.live_grants().map(|g| g.expires_at);
        if self.hold.is_some() {
            return grants.chain(self.times.due).min();
        }
        let expiry = self.can_expire().then_some(self.times.expires_at);
        let waits = matches!(self.state, CaseState::Sealed | CaseState::Approved);
        let approvals = self.live_approvals().filter(|_| waits).map(|a| a.valid_until);
        let paused = self.times.paused_left.is_some();
        // The phase's clock stands still while the subject is waited for, and runs on when the last open session has run out; at once, when the
        // message of the last one reached nobody.
        let sessions = self.unanswered().filter(|(_, s)| s.attester.is_none()).map(|(_, s)| s.expires_at).max();
        let sessions = paused.then(|| sessions.unwrap_or(self.times.updated_at));
        grants.chain(self.times.due).chain(expiry).chain(approvals).chain(sessions).min()
    }
}

/// The risk of a case from its subject's tier and its flags.
pub fn risk(tier: Tier, flags: &[Flag]) -> Risk {
    let loud = flags.iter().any(|f| matches!(f.kind, FlagKind::SuspectedCompromise | FlagKind::Pressure | FlagKind::NoOwner | FlagKind::NoInventory));
    match (tier, loud, flags.is_empty()) {
        (Tier::Privileged, ..) | (_, true, _) => Risk::High,
        (Tier::Elevated, ..) | (_, _, false) => Risk::Medium,
        _ => Risk::Low,
    }
}
