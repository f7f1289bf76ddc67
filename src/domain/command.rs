//! What someone wants done: commands on a case and on the register, who asks, and the world they are decided in.
//!
//! Contract: data only. Ids, salts and tokens that a command needs were made by the caller, so that `decide` stays pure.

#![allow(missing_docs, reason = "fields of variants are named after their types, which are documented")]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::case::{ActorRef, Case, ExecutionOutcome, Requester, Route, Signature, TextRef, TrustRoot};
use super::dates::Dates;
use super::derived::Derived;
use super::elsewhere::Elsewhere;
use super::event::RegisterChange;
use super::grant::Generations;
use super::mailboxes::Mailboxes;
use super::policy::Policy;
use super::register::{Person, Register, Scope, Token};
use super::subject::Subject;
use super::vocabulary::{Channel, Decision, EvidenceKind, FailureType, FlagKind, HoldSource, Method};
use crate::base::ids::{
    ApprovalId, CaseId, EndpointId, EvidenceId, GrantId, OperatorId, PersonId, ProposalId, ReceiptId, RequestId, SessionId, TokenId,
};
use crate::base::{Digest, Time};

/// A command on one case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one command at a time")]
pub enum Command {
    /// Open a case.
    Open(Open),
    /// Say what failed and how it was reproduced.
    Triage { failure: FailureType, reproduction: TextRef, triage_owner: PersonId, remedy_owner: PersonId },
    /// End it: nothing to recover.
    NoChangeNeeded { reason: TextRef },
    /// Send it down another way; voids approvals.
    Route { route: Route },
    /// Take it, give it to someone, or let go.
    Assign { operator: Option<OperatorId> },
    /// Leave a note for whoever goes on.
    HandOver { note: TextRef, to: Option<OperatorId> },
    /// Comment.
    Comment { text: TextRef },
    /// Keep evidence.
    AddEvidence { id: EvidenceId, kind: EvidenceKind, text: TextRef },
    /// Keep a fact that a program sent; waits beside a seal.
    AddTelemetry { id: EvidenceId, text: TextRef },
    /// Open a proof session to a recorded endpoint.
    StartProof { session: SessionId, method: Method, endpoint: Option<EndpointId>, attester: Option<PersonId> },
    /// A wrong code was typed in a session.
    RecordFailedAttempt { session: SessionId },
    /// The right code was typed, or the attester said yes.
    RecordProof { session: SessionId, receipt: ReceiptId, trust_root: TrustRoot },
    /// The attester said no.
    RecordDecline { session: SessionId },
    /// Request approval of what policy's plan is for this route.
    Seal,
    /// Open a sealed or failed case again; voids approvals.
    Reopen { reason: TextRef },
    /// Approve or deny the seal.
    Decide(Decide),
    /// Take one's approval back.
    TakeBack { reason: TextRef },
    /// Begin to carry the plan out (executor only).
    StartExecution,
    /// Report how it ended (executor only).
    EndExecution { attempt: u32, outcome: ExecutionOutcome, grant: GrantId },
    /// The target confirmed that nothing is left of what it was to take back (executor only).
    ConfirmTakenBack { attempt: u32 },
    /// Try the same plan again after a failure.
    Retry,
    /// Undo what was done.
    RollBack { reason: TextRef },
    /// End a grant early: staff, who say why.
    RevokeGrant { grant: GrantId, reason: Option<TextRef> },
    /// The target confirmed that a grant is gone (worker only).
    ConfirmRevoked { grant: GrantId },
    /// Look back.
    Review { note: TextRef, in_order: bool },
    /// Close a restored case.
    Close,
    /// Take the request back.
    Withdraw { reason: TextRef },
    /// Freeze it.
    Hold { source: HoldSource, reason: Option<TextRef> },
    /// Lift the freeze, after contact on another channel.
    LiftHold { reason: TextRef, contact: SessionId },
    /// What a restore takes over of a case in which more had happened than the backup knows: who had a hand in it has one still, no attempt
    /// is counted twice, what a target may hold is taken back, and it is held (the host's command line only).
    TakeOver(Box<Elsewhere>),
    /// Note an anomaly.
    Flag { kind: FlagKind },
    /// Time passed: escalate, expire, end grants (worker only).
    Tick,
    /// Register or policy changed: check seal and lineage (worker only).
    Reassess,
}

impl Command {
    /// The stable code: what the log records of a refused command, and the operation's name in the access table.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Triage { .. } => "triage",
            Self::NoChangeNeeded { .. } => "no_change",
            Self::Route { .. } => "route",
            Self::Assign { .. } => "assign",
            Self::HandOver { .. } => "handover",
            Self::Comment { .. } => "comment",
            Self::AddEvidence { .. } => "evidence",
            Self::AddTelemetry { .. } => "telemetry",
            Self::StartProof { .. } => "start_proof",
            Self::RecordFailedAttempt { .. } => "record_failed_attempt",
            Self::RecordProof { .. } => "record_proof",
            Self::RecordDecline { .. } => "record_decline",
            Self::Seal => "seal",
            Self::Reopen { .. } => "reopen",
            Self::Decide(_) => "decide",
            Self::TakeBack { .. } => "take_back",
            Self::StartExecution => "start_execution",
            Self::EndExecution { .. } => "end_execution",
            Self::ConfirmTakenBack { .. } => "confirm_taken_back",
            Self::Retry => "retry",
            Self::RollBack { .. } => "roll_back",
            Self::RevokeGrant { .. } => "revoke_grant",
            Self::ConfirmRevoked { .. } => "confirm_revoked",
            Self::Review { .. } => "review",
            Self::Close => "close",
            Self::Withdraw { .. } => "withdraw",
            Self::Hold { .. } => "hold",
            Self::LiftHold { .. } => "lift_hold",
            Self::TakeOver(_) => "take_over",
            Self::Flag { .. } => "flag",
            Self::Tick => "tick",
            Self::Reassess => "reassess",
        }
    }
}

impl RegisterCommand {
    /// The proposal that it makes or is about, if it is about one.
    pub const fn proposal(&self) -> Option<&ProposalId> {
        match self {
            Self::Change { id, .. } | Self::ProposePolicy { id, .. } | Self::ApproveProposal { id } | Self::EndProposal { id } => Some(id),
            _ => None,
        }
    }

    /// The stable code, as [`Command::code`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Change { .. } | Self::ProposePolicy { .. } => "register_change",
            Self::ApproveProposal { .. } => "proposal_approve",
            Self::EndProposal { .. } => "proposal_end",
            Self::ApplyDue { .. } => "apply_due",
            Self::RecordSubjects { .. } => "record_subjects",
            Self::RecordPersons { .. } => "record_persons",
            Self::Recover { .. } => "recover_governance",
            Self::TakeOver { .. } => "take_over",
            Self::RecoveryTold { .. } => "recovery_told",
        }
    }
}

/// What opening a case takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The number it gets.
    pub id: CaseId,
    /// What is asked for.
    pub route: Route,
    /// Who asks.
    pub requester: Requester,
    /// How it came in.
    pub channel: Channel,
    /// The recorded endpoint that carried the request, if it was one.
    pub endpoint: Option<EndpointId>,
    /// The session that carried it.
    pub session: Option<SessionId>,
    /// What they said.
    pub summary: Option<TextRef>,
}

/// What a decision takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decide {
    /// The id it gets.
    pub id: ApprovalId,
    /// Approve or deny.
    pub decision: Decision,
    /// The seal that was shown.
    pub seal: Digest,
    /// The case's version that was shown.
    pub version: u64,
    /// When the statement's nonce was issued, found by checking that it is the server's own (10 minutes, product.md); [`Decide::FORGED`] if it isn't.
    pub nonce_issued_at: Time,
    /// Why.
    pub reason: TextRef,
    /// How it was signed.
    pub signature: Signature,
}

impl Decide {
    /// When a nonce counts as issued that the server never issued for this case, seal and person. Duties are named before it is looked at.
    pub const FORGED: Time = chrono::DateTime::UNIX_EPOCH;
}

/// A command on the register.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one command at a time")]
pub enum RegisterCommand {
    /// The founding ceremony: two persons and their accounts, and the first policy.
    Found { changes: Vec<RegisterChange>, by: [PersonId; 2], policy: Digest },
    /// Change something; what widens becomes a proposal under this id.
    Change { id: ProposalId, change: RegisterChange },
    /// Propose another policy; `compared` says how it stands to the one in force.
    ProposePolicy { id: ProposalId, policy: Digest, compared: Compared },
    /// Approve someone else's proposal.
    ApproveProposal { id: ProposalId },
    /// Withdraw or refuse a proposal.
    EndProposal { id: ProposalId },
    /// Apply approved proposals whose delay is over (worker only); `unread` are those of policies that this version can't read: they stay.
    ApplyDue { unread: BTreeSet<ProposalId> },
    /// Let two recorded governors back in when nobody's token counts any more (the server's own machine only).
    Recover { by: [OperatorId; 2], proved: bool, tokens: Box<[Token; 2]> },
    /// Everyone who governs was told of a recovery, or could not be (worker only): the delay of these tokens of it begins.
    RecoveryTold { tokens: Vec<TokenId> },
    /// A backup becomes the register: take over what the register it replaces had narrowed since, and with `every_token` revoke every token
    /// (the server's own machine only).
    TakeOver { was: Box<Register>, every_token: bool },
    /// Record persons that the inventory names, all or none; what widens is refused.
    RecordPersons { persons: Vec<Person> },
    /// Record subjects that the inventory names, by digest.
    RecordSubjects { subjects: Vec<(crate::base::ids::SubjectId, Digest)> },
}

/// What a proposed policy means for cases that nobody approves one by one. Worked out by whoever read its text, for that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// The policy it was compared with.
    pub with: Digest,
    /// Whether more may start self-service or a runbook, or less is asked of such a case ([`super::policy::compare::widens_alone`]).
    pub widens_alone: bool,
}

/// Who asks, as authentication established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// As the log names them.
    pub who: ActorRef,
    /// For automations: what the credential allows.
    pub scopes: BTreeSet<Scope>,
    /// Whether the session may only read (`--read-only`, auditors).
    pub read_only: bool,
}

/// The circumstances of a command.
#[derive(Debug, Clone)]
pub struct Context {
    /// The server's time.
    pub now: Time,
    /// Who asks.
    pub actor: Actor,
    /// In which request.
    pub request: Option<RequestId>,
}

/// Everything `decide` may look at. A commit carries the versions of all of it (invariant 18).
#[derive(Debug, Clone)]
pub struct World {
    /// The case, unless it is to be opened.
    pub case: Option<Arc<Case>>,
    /// Other cases of the same subject and target within the window, ended ones too; for one about to be opened, whatever else was asked for of
    /// the same person lately.
    pub linked: Vec<Arc<Case>>,
    /// The subject.
    pub subject: Option<Arc<Subject>>,
    /// Who may decide.
    pub register: Arc<Register>,
    /// The policy the case was opened under.
    pub pinned: Arc<Policy>,
    /// The policy in force.
    pub current: Arc<Policy>,
    /// What the target says before an execution of those whose credential it renews; `None` where that does not matter.
    pub held: Option<Generations>,
    /// Who reads the mailboxes that something can be sent to about the subject.
    pub mailboxes: Arc<Mailboxes>,
    /// Since when what a proof could rest on is recorded.
    pub dates: Arc<Dates>,
    /// What was worked out from all of this so far.
    pub derived: Derived,
}
