//! Seals and the decisions that bind them (invariants 3 and 4).
//!
//! Contract: plain data. Knows nothing about who may decide, nor how digests are made: that is [`super::seal`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::case::{ActorRef, TextRef};
use super::vocabulary::Decision;
use crate::base::ids::{ApprovalId, EmployerId, GroupId, OperatorId, PersonId};
use crate::base::{Digest, Time};

/// The digests of everything that an approver decides on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Digest over the five below and the revision.
    pub sha256: Digest,
    /// Which seal of the case, from 1.
    pub revision: u32,
    /// Of the plan.
    pub plan_sha256: Digest,
    /// Of the evidence and receipts.
    pub evidence_sha256: Digest,
    /// Of the requirement and how it is met.
    pub checklist_sha256: Digest,
    /// Of the policy in force at sealing and the pinned one.
    pub policy_sha256: Digest,
    /// Of the lineage at sealing.
    pub lineage_sha256: Digest,
    /// Of the requirement alone, which the checklist's digest covers.
    pub requirement_sha256: Digest,
    /// The policy in force at sealing, which the policies' digest covers beside the pinned one.
    pub in_force: Digest,
    /// Who sealed it.
    pub by: ActorRef,
    /// When.
    pub at: Time,
}

/// A person's decision on a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Opaque id.
    pub id: ApprovalId,
    /// Which seal.
    pub seal: Digest,
    /// Who.
    pub person: PersonId,
    /// Through which account.
    pub operator: OperatorId,
    /// The person's employer at that time.
    pub employer: EmployerId,
    /// The approver groups the person covered at that time.
    pub groups: BTreeSet<GroupId>,
    /// What they decided.
    pub decision: Decision,
    /// Why.
    pub reason: TextRef,
    /// When.
    pub at: Time,
    /// Until when it counts.
    pub valid_until: Time,
    /// How it was signed.
    pub signature: Signature,
    /// Why it no longer counts.
    pub void: Option<VoidReason>,
}

/// How an approval was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Not signed: accepted only where policy does not ask for a key.
    None,
}

/// Why an approval no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// Its giver took it back.
    TakenBack,
    /// The case was reopened or routed again.
    Reopened,
    /// Register or policy changed the lineage or the requirement.
    RosterChanged,
    /// A flag raised the requirement.
    Flagged,
    /// Its lifetime ran out.
    Expired,
}
