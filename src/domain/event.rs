//! What happened: the events that make up a case and the register, and the log entry that carries each.
//!
//! Contract: an event holds opaque ids, enumerated codes, times and salted digests only (invariant 9); its canonical JSON is what the
//! Merkle tree hashes, so a variant's shape never changes once entries exist: a new fact is a new variant. An entry stays under 65,535
//! bytes. Knows nothing about storage.

#![allow(missing_docs, reason = "fields of variants are named after their types, which are documented")]

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::case::{
    ActorRef, Approval, Evidence, Execution, ExecutionOutcome, Flag, Grant, GrantEnd, Hand, Hold, LineageEntry, Plan, ProofSession, Receipt, Request,
    Review, Route, Seal, SessionOutcome, TextRef, Triage, VoidReason,
};
use super::elsewhere::OrderThere;
use super::message::Sent;
use super::register::{Automation, Delegation, Operator, Person, Token};
use super::requirement::Seconds;
use super::vocabulary::{CaseState, FlagKind};
use crate::base::ids::{
    ApprovalId, AutomationId, CaseId, DelegationId, GrantId, OperatorId, PersonId, ProposalId, RequestId, SessionId, SubjectId, TokenId,
};
use crate::base::{Digest, Time};

/// The largest entry, in bytes (threats.md, "Facts that were tried").
pub const MAX_ENTRY: usize = 65_535;

/// What happened to a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
#[allow(clippy::large_enum_variant, reason = "events are few at a time and short-lived")]
pub enum CaseEvent {
    /// It was opened.
    Opened { route: Route, request: Request, policy: Digest, linked: BTreeSet<CaseId>, due: Option<Time>, expires_at: Time },
    /// People came into its lineage.
    LineageGrew { hands: BTreeSet<Hand>, lineage: BTreeSet<LineageEntry> },
    /// Triage was done.
    Triaged { triage: Triage },
    /// It was routed anew; every approval not yet executed is void. To something else than before ([`Route::is_within`]), and every open session is
    /// over and every receipt so far counts no more: that follows, and has no entry of its own.
    Routed { route: Route },
    /// It stands somewhere else now. Every change of state is this event beside the one that caused it.
    StateChanged {
        to: CaseState,
        due: Option<Time>,
        /// How much of the phase's time was used when the case stood there before; none where it never did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<Seconds>,
    },
    /// Someone took it, was handed it, or (`None`) let go of it.
    Assigned { operator: Option<OperatorId> },
    /// A handover note was left.
    HandedOver { note: TextRef },
    /// Someone commented.
    Commented { text: TextRef },
    /// Evidence was added.
    EvidenceAdded { evidence: Evidence },
    /// The server opened a session to a recorded endpoint.
    SessionOpened { session: SessionId, proof: ProofSession },
    /// A wrong code was typed.
    AttemptFailed { session: SessionId },
    /// A session ended.
    SessionEnded { session: SessionId, outcome: SessionOutcome },
    /// A proof or gate was recorded.
    Proved { receipt: Receipt },
    /// Approval was requested.
    Sealed { plan: Plan, seal: Seal },
    /// A sealed case was opened again by a human.
    Reopened { reason: TextRef },
    /// Someone approved or denied.
    Decided { approval: Approval },
    /// Approvals no longer count.
    ApprovalsVoided { approvals: BTreeSet<ApprovalId>, why: VoidReason },
    /// Quorum was reached; nothing is done before this time.
    ExecutionScheduled {
        not_before: Time,
        /// It was tried before, and is carried out again as it was approved: by whom, if by anyone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<BTreeSet<PersonId>>,
    },
    /// The server began.
    ExecutionStarted { execution: Execution },
    /// The server ended.
    ExecutionEnded { attempt: u32, outcome: ExecutionOutcome },
    /// Temporary access began.
    Granted { grant: Grant },
    /// Temporary access is to end.
    GrantEnding {
        grant: GrantId,
        why: GrantEnd,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<TextRef>,
    },
    /// Someone asked for an execution to be undone.
    RollBackAsked { attempt: u32, reason: TextRef },
    /// The target gave what it was not to, or may have given temporary access that nobody would end: it is to take back what it did.
    TakingBack { attempt: u32 },
    /// The target confirmed that nothing is left of it.
    TakenBack { attempt: u32 },
    /// A log of this case that a restore replaced had begun attempts up to this one: none of their references is used again.
    AttemptsKnown {
        attempts: u32,
        /// Those that run here and had ended there: nothing is ordered for them again.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        ended: BTreeSet<u32>,
    },
    /// An order of that log by which a target may hold access: it is told to take it back.
    OrderTakenOver { order: OrderThere },
    /// The target confirmed that temporary access is gone.
    GrantRevoked { grant: GrantId },
    /// The subject is restricted after a privileged recovery.
    Restricted { until: Time },
    /// It was frozen.
    Held { hold: Hold },
    /// The freeze was lifted.
    HoldLifted { reason: TextRef, contact: SessionId },
    /// Something was noticed.
    Flagged { flag: Flag },
    /// What the server had noticed is so no longer.
    FlagLowered { kind: FlagKind },
    /// The phase's clock stopped, waiting for the subject, with this much left.
    ClockPaused { left: Seconds },
    /// The phase's clock runs again.
    ClockResumed { due: Time },
    /// A deadline passed without the act it waited for.
    Escalated { hold: bool },
    /// Someone looked back.
    Reviewed { review: Review },
    /// A message left the house, or could not: who was to be told was, or was not. Nothing that anyone decides on changed.
    MessageSent { sent: Sent },
    /// Someone was refused; the case did not change.
    Refused { command: String, refusal: String, person: Option<PersonId> },
}

impl CaseEvent {
    /// Whether by it a case can come to be linked with another one of the same subject, or bring more people into it (invariant 2).
    pub const fn links(&self) -> bool {
        matches!(self, Self::Opened { .. } | Self::Routed { .. } | Self::LineageGrew { .. })
    }

    /// The text kept beside the log that this event is about, if it is about one.
    pub fn text(&self) -> Option<&TextRef> {
        match self {
            Self::Opened { request, .. } => request.summary.as_ref(),
            Self::Triaged { triage } => Some(&triage.reproduction),
            Self::HandedOver { note: text }
            | Self::Commented { text }
            | Self::Reopened { reason: text }
            | Self::RollBackAsked { reason: text, .. }
            | Self::HoldLifted { reason: text, .. } => Some(text),
            Self::EvidenceAdded { evidence } => Some(&evidence.text),
            Self::Decided { approval } => Some(&approval.reason),
            Self::Held { hold } => hold.reason.as_ref(),
            Self::GrantEnding { reason, .. } => reason.as_ref(),
            Self::Reviewed { review } => Some(&review.note),
            _ => None,
        }
    }
}

/// What happened to the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum RegisterEvent {
    /// The founding ceremony: two persons.
    Founded { by: [PersonId; 2], policy: Digest },
    /// A change took effect.
    Changed { change: RegisterChange },
    /// A change that widens was proposed and waits.
    Proposed {
        proposal: ProposalId,
        by: PersonId,
        change: RegisterChange,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        approvals: u8,
    },
    /// A second person approved what takes two besides its author (invariant 17); another one is still to.
    ProposalSeconded { proposal: ProposalId, by: PersonId },
    /// The last person whose approval it takes gave it; it counts from this time on.
    ProposalApproved { proposal: ProposalId, by: PersonId, effective_at: Time },
    /// It was withdrawn or refused.
    ProposalEnded {
        proposal: ProposalId,
        /// Who ended it; nobody if a restore did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<PersonId>,
    },
    /// A proposal took effect.
    ProposalApplied { proposal: ProposalId },
    /// Two recorded governors were let back in on the server's own machine, since nobody's token counted any more; `proved` if both showed a
    /// former token of theirs and it counts at once; otherwise from when [`Self::RecoveryTold`] says.
    GovernanceRecovered { governors: [PersonId; 2], proved: bool, counts_from: Option<Time>, tokens: Vec<Token> },
    /// A running server told everyone who governs of a recovery, or gave up trying: its delay began, and its tokens count from then.
    RecoveryTold { tokens: Vec<TokenId>, counts_from: Time },
    /// The inventory recorded or changed a subject; its data lies beside the log.
    SubjectRecorded { subject: SubjectId, sha256: Digest },
    /// A subject was given a fresh set of saved codes; the digest is over their salted hashes.
    CodesIssued { subject: SubjectId, sha256: Digest },
    /// Someone was refused; nothing changed.
    Refused { command: String, refusal: String, person: Option<PersonId> },
    /// Someone was refused what has no entry of its own, within one minute, by code: more than the bound, or what could not be understood.
    /// `others` for all together whom no count of their own was kept of.
    RefusedMany { minute: Time, counts: BTreeMap<String, u32>, person: Option<PersonId>, others: bool },
    /// Strangers were refused: one entry a minute, with their number (invariant 8, T35).
    StrangersRefused { count: u64, minute: Time },
    /// Whoever the entry is of read what is recorded of these subjects, for the first time within the hour (invariant 12).
    SubjectsRead { subjects: BTreeSet<SubjectId> },
}

pub(super) const fn one() -> u8 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) const fn is_one(number: &u8) -> bool {
    *number == 1
}

/// A change of the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change", content = "to")]
#[allow(clippy::large_enum_variant, reason = "changes are few at a time and short-lived")]
pub enum RegisterChange {
    /// A person was added or changed.
    SetPerson(Person),
    /// An operator was added or changed.
    SetOperator(Operator),
    /// An operator may no longer sign in.
    DisableOperator(OperatorId),
    /// An automation was added or changed.
    SetAutomation(Automation),
    /// An automation may no longer sign in.
    DisableAutomation(AutomationId),
    /// Someone delegated to someone.
    Delegate(Delegation),
    /// A delegation ended.
    RevokeDelegation { delegation: DelegationId, at: Time },
    /// A token was issued.
    IssueToken(Token),
    /// A token was revoked.
    RevokeToken { token: TokenId, at: Time },
    /// Another policy is in force.
    SetPolicy { policy: Digest, deciders: BTreeSet<PersonId> },
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stream")]
#[allow(clippy::large_enum_variant, reason = "entries are few at a time and short-lived")]
pub enum Body {
    /// A case.
    Case {
        case: CaseId,
        version: u64,
        #[serde(flatten)]
        event: CaseEvent,
    },
    /// The register.
    Register {
        version: u64,
        #[serde(flatten)]
        event: RegisterEvent,
    },
}

/// One entry of the log, as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Format version: 1.
    pub v: u8,
    /// Place in the log, from 0.
    pub seq: u64,
    /// When, on the server's clock.
    pub at: Time,
    /// Who.
    pub actor: ActorRef,
    /// In which request.
    pub request: Option<RequestId>,
    /// What.
    pub body: Body,
}
