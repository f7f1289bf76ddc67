//! One case on the wire, with everything its screens show and everything that is allowed, and why not.
//!
//! Contract: the console shows, the server decides: `allowed_actions` and `refused_actions` cover every operation there is for a case.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lists::CaseRow;
use super::problem::{CouldDecide, Lacking};
pub use super::proof::{Checklist, ChecklistItem, HoldDetail, ItemState, ReceiptDetail, Startable};
use super::sent::MessageDetail;
use super::words::{Decision, Duty, EndpointKind, Environment, EvidenceKind, FailureReason, FailureType, FlagKind, InventorySource, Status};
use crate::base::ids::{ApprovalId, CaseId, EmployerId, EndpointId, EvidenceId, GrantId, GroupId, OperatorId, PersonId, SubjectId, TargetId};
use crate::base::{Digest, Untrusted};
pub use crate::domain::seal::SeenLog;

/// What stands in [`SubjectDetail::assurance`] where the reader is software.
pub const UNTOLD: &str = "not told to software";

impl CaseDetail {
    /// Whether this is what software is told: what is absent is then not told, and may be there all the same.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.bare
    }
}

/// A case, whole. Software is told where a case that it opened stands, what is missing by method and what it may do; of the rest it gets nothing: lists
/// are empty, texts absent, and of the subject there are id, kind, tier and risk alone, since the last three follow from what
/// is asked of it (`status` says `active` then, whatever it is).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseDetail {
    /// What lists show.
    pub row: CaseRow,
    /// Whether this is what software is told: what is absent is not told then, and may be there all the same.
    #[serde(default)]
    pub bare: bool,
    /// The subject.
    pub subject: SubjectDetail,
    /// In which system.
    pub target: TargetId,
    /// Whether the server is not set up for that system, so that what is approved could not be carried out; of an ended case it is not said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target_missing: bool,
    /// What is asked for.
    pub scope: Vec<String>,
    /// Groups that whoever routed it picked its approvers from, beside what policy asks.
    #[serde(default)]
    pub approver_groups: Vec<GroupId>,
    /// Who asked, in words (`the subject`, a person's name, an automation).
    pub requester: Untrusted,
    /// Who opened it, in words.
    pub opened_by: String,
    /// What was said at the beginning.
    pub summary: Option<Untrusted>,
    /// What triage found.
    pub triage: Option<TriageDetail>,
    /// What proof is needed and what is there.
    pub checklist: Checklist,
    /// Everyone with a hand in it and why.
    pub lineage: Vec<DutyInTheWay>,
    /// Evidence kept.
    pub evidence: Vec<EvidenceItem>,
    /// The handover note.
    pub handover: Option<Untrusted>,
    /// Comments, newest last.
    pub comments: Vec<Comment>,
    /// What will be done, once sealed.
    pub plan: Option<PlanDetail>,
    /// The seal in force.
    pub seal: Option<SealDetail>,
    /// Approvals and denials, void ones too.
    pub approvals: Vec<ApprovalDetail>,
    /// Approvals needed, in words (`2 persons, one of security`).
    pub approvals_needed: String,
    /// Who could decide it now.
    pub could_decide: CouldDecide,
    /// What would still be lacking once the asker approved; absent if they can't.
    #[serde(default)]
    pub after_yours: Option<Lacking>,
    /// Why the asker can't decide it; empty if they could.
    pub you_cannot_decide: Vec<DutyInTheWay>,
    /// The freeze over it.
    pub hold: Option<HoldDetail>,
    /// What was noticed.
    pub flags: Vec<FlagDetail>,
    /// What the server did.
    pub executions: Vec<ExecutionDetail>,
    /// Temporary access.
    pub grants: Vec<GrantDetail>,
    /// What became of the messages to its subject and to attesters, oldest first.
    #[serde(default)]
    pub messages: Vec<MessageDetail>,
    /// Looks back after restoration.
    pub reviews: Vec<ReviewDetail>,
    /// Linked cases whose lineage counts here.
    pub linked: Vec<CaseId>,
    /// Other open cases of the same subject.
    pub other_open_cases: Vec<CaseId>,
    /// Accountable owners by function: governance, support operations, security operations, business.
    pub accountable: Vec<Accountable>,
    /// Digest of the policy it was opened under.
    pub policy_sha256: Digest,
    /// Operation codes the asker may use now.
    pub allowed_actions: Vec<String>,
    /// Operations that exist but are refused now, with the reason.
    pub refused_actions: Vec<RefusedAction>,
    /// Decisions that are refused to the asker now (`approve`, `deny`), and why: who approved already may still take that back, and while a
    /// grace runs one may deny what was approved.
    #[serde(default)]
    pub refused_decisions: Vec<RefusedAction>,
    /// Seconds between the last approval and the execution: policy's delay or grace, whichever is longer.
    #[serde(default)]
    pub execution_delay_seconds: u32,
    /// Not executed before then.
    pub execute_after: Option<DateTime<Utc>>,
    /// Expires then if not restored.
    pub expires_at: DateTime<Utc>,
}

/// The subject of a case, as staff may see it (invariant 12: no facts that could be used as proof).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectDetail {
    /// Immutable id.
    pub id: SubjectId,
    /// Name.
    pub name: Untrusted,
    /// Whether it is in use.
    pub status: Status,
    /// Identity and authentication assurance, e.g. `IAL2/AAL2`.
    pub assurance: String,
    /// Who employs or operates it.
    pub employer: Option<EmployerId>,
    /// Where its record comes from.
    pub inventory: InventorySource,
    /// Where it runs.
    pub environment: Environment,
    /// Owners, for a non-human subject.
    pub owners: Vec<PersonId>,
    /// What depends on it.
    pub dependents: Vec<SubjectId>,
    /// What its record named lately as depending on it, and names no more: it is rotated in this case all the same, unless the target holds
    /// nothing for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<SubjectId>,
    /// What it held in the target before.
    pub entitled: Vec<String>,
    /// Why some of that is not given back in this case, if it is not: it was recorded too shortly before the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_young: Option<String>,
    /// Its addresses by id and kind only.
    pub endpoints: Vec<EndpointUse>,
}

/// Whether a recorded address can serve a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointUse {
    /// Opaque id.
    pub id: EndpointId,
    /// What kind.
    pub kind: EndpointKind,
    /// Why it can't serve this case, if it can't.
    pub unusable: Option<String>,
}

/// What triage found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriageDetail {
    /// What failed.
    pub failure: FailureType,
    /// How it was reproduced.
    pub reproduction: Option<Untrusted>,
    /// Who owns triage.
    pub triage_owner: PersonId,
    /// Who owns the remedy.
    pub remedy_owner: PersonId,
    /// Their names, as far as they are known, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Untrusted>,
}

/// A person in the lineage and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DutyInTheWay {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: Untrusted,
    /// Why.
    pub duty: Duty,
    /// Through whom or what.
    pub via: Option<String>,
    /// In which linked case, if not this one.
    pub case: Option<CaseId>,
    /// The whole reason as a sentence: `you own the automation triage-bot that routed it`.
    pub sentence: String,
}

/// Evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceItem {
    /// Opaque id.
    pub id: EvidenceId,
    /// What kind.
    pub kind: EvidenceKind,
    /// The text; absent once it is erased.
    pub text: Option<Untrusted>,
    /// The salt it was hashed with, in hexadecimal, for whoever may read the text.
    pub salt: Option<String>,
    /// Digest in the log: `SHA-256(salt || text)`.
    pub sha256: Digest,
    /// Who, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Came after sealing and is not part of the seal.
    pub late: bool,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    /// Who, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub text: Option<Untrusted>,
}

/// What will be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanDetail {
    /// Where.
    pub target: TargetId,
    /// To what extent.
    pub scope: Vec<String>,
    /// For how many seconds; absent for standing access that was there before.
    pub lifetime_seconds: Option<u32>,
    /// Whether the old credential is revoked.
    pub revokes_old: bool,
    /// Dependents that are rotated.
    pub rotates: Vec<SubjectId>,
    /// Those of them that the subject's record names no more: where the target says that it holds nothing for one, no new credential is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<SubjectId>,
    /// Whether it can be undone.
    pub reversible: bool,
    /// The steps in words, in order.
    pub steps: Vec<String>,
}

/// The seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealDetail {
    /// Digest over all.
    pub sha256: Digest,
    /// Which seal of the case.
    pub revision: u32,
    /// Of the plan.
    pub plan_sha256: Digest,
    /// Of the evidence.
    pub evidence_sha256: Digest,
    /// Of the checklist.
    pub checklist_sha256: Digest,
    /// Of the policies: one digest over that of the policy the case was opened under and that of the one in force.
    pub policy_sha256: Digest,
    /// Of the lineage.
    pub lineage_sha256: Digest,
    /// Of the requirement alone, which the checklist's digest covers.
    pub requirement_sha256: Digest,
    /// The policy in force at sealing, which the policies' digest covers beside the one the case was opened under.
    pub in_force_sha256: Digest,
    /// Who sealed it, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDetail {
    /// Opaque id.
    pub id: ApprovalId,
    /// Which seal.
    pub revision: Option<u32>,
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: Untrusted,
    /// Through which account.
    pub operator: OperatorId,
    /// What.
    pub decision: Decision,
    /// Why.
    pub reason: Option<Untrusted>,
    /// When.
    pub at: DateTime<Utc>,
    /// How it was signed: `none`.
    pub signature: String,
    /// Why it no longer counts: `taken_back`, `reopened`, `roster_changed`, `flagged`, `expired`.
    pub void: Option<String>,
}

/// An anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlagDetail {
    /// What.
    pub kind: FlagKind,
    /// Who noticed, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A run of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionDetail {
    /// From 1.
    pub attempt: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// `running`, `restored`, `failed` or `rolled_back`.
    pub outcome: String,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// What the target said it now holds.
    pub restored_scope: Vec<String>,
}

/// Temporary access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantDetail {
    /// Opaque id.
    pub id: GrantId,
    /// To what.
    pub scope: Vec<String>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Whether it is being ended.
    pub ending: bool,
    /// Why it was ended by hand.
    #[serde(default)]
    pub reason: Option<Untrusted>,
    /// When the target confirmed its end.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A look back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewDetail {
    /// Who, in words.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What they found.
    pub note: Option<Untrusted>,
    /// Whether all was in order.
    pub in_order: bool,
}

/// An accountable owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accountable {
    /// For what: `identity governance`, `support operations`, `security operations`, `business`.
    pub function: String,
    /// Who.
    pub owner: String,
}

/// An operation that is refused now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedAction {
    /// Its code.
    pub action: String,
    /// Why, as a sentence.
    pub reason: String,
    /// The refusal's code.
    pub code: String,
}

/// What an approver would sign: `GET /v1/cases/{id}/statement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// One line of canonical JSON: the statement itself (threats.md, "Formats").
    pub statement: String,
    /// The nonce to send back with the decision; good for 10 minutes.
    pub nonce: String,
    /// The seal it binds.
    pub seal_sha256: Digest,
    /// The version of the case it was made for.
    pub version: u64,
    /// When the nonce was issued.
    pub issued: DateTime<Utc>,
    /// Until when it can be submitted.
    pub submit_before: DateTime<Utc>,
    /// The log's name for itself, from its first entry.
    pub origin: String,
    /// Who vouches for the approver's account.
    pub issuer: String,
    /// The log when the nonce was issued.
    pub log: SeenLog,
}

/// What routing would cost: `POST /v1/cases/route-preview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoutePreview {
    /// Who would come into the lineage, and why.
    pub lineage: Vec<DutyInTheWay>,
    /// Whether the asker gives up deciding.
    pub you_give_up: bool,
    /// Who could still decide.
    pub could_decide: CouldDecide,
    /// What would be needed.
    pub checklist: Checklist,
    /// Approvals needed, in words.
    pub approvals_needed: String,
    /// What stands against it, if anything.
    pub problem: Option<String>,
    /// Whether the server is not set up for the target, so that what is approved could not be carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target_missing: bool,
    /// What was sent or asked for, is waited for, and would end with it: the method and of whom, each in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
}

impl RefusedAction {
    /// Whether it says what comes first, where the state alone would hide that it can be done at all: a closed case is rolled back once it is held.
    pub fn says_the_way(&self) -> bool {
        self.reason == crate::domain::refusal::HELD_FIRST
    }
}

impl CaseDetail {
    /// Why a decision is refused to the asker now, if it is: deciding has a refusal of its own for each of the two.
    pub fn refused_to(&self, decision: Decision) -> Option<&RefusedAction> {
        let one = self.refused_decisions.iter().find(|r| r.action == decision.code());
        one.or_else(|| self.refused_actions.iter().find(|r| r.action == "case_decide"))
    }
}
