//! What policy demands of one case: proofs, gates, approvals, times. Derived, never typed in; the checklist is this measured
//! against a case's receipts.
//!
//! Contract: plain data that can only be made stricter ([`Requirement::stricter`], invariant 14). Knows nothing about policy files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::vocabulary::Method;
use crate::base::ids::GroupId;

/// A span of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Seconds(pub u32);

impl Seconds {
    /// As chrono counts.
    pub fn duration(self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.0))
    }
}

/// What one case needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Each must be met; each offers alternatives.
    pub proofs: Vec<ProofNeed>,
    /// Gates beside proof, all of which must pass.
    pub gates: BTreeSet<Method>,
    /// Who must approve.
    pub approvals: ApprovalNeed,
    /// An address recorded or changed later than this before the request serves no proof (invariant 5).
    pub min_endpoint_age: Seconds,
    /// How long a receipt counts.
    pub receipt_lifetime: Seconds,
    /// How long an accepted approval counts.
    pub approval_lifetime: Seconds,
    /// Wait between the last approval and execution, during which the subject can say "not me".
    pub delay: Seconds,
    /// Time in which approvers can take an approval of a privileged case back before execution begins.
    pub grace: Seconds,
    /// The longest a grant may live; `None` where the action grants nothing temporary.
    pub grant_lifetime: Option<Seconds>,
    /// How long a privileged subject stays restricted after recovery.
    pub restriction: Seconds,
    /// Deadlines by phase.
    pub deadlines: Deadlines,
    /// How far back ownership and delegation count (invariant 2; default 90 days, floor 7).
    pub lineage_window: Seconds,
    /// How far back other cases of the same subject and target are linked (invariant 2; default 7 days).
    pub linked_window: Seconds,
    /// Whether a review by someone outside the lineage and the approvers must follow restoration.
    pub review: bool,
}

/// One demand of proof: any one of the sets meets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProofNeed {
    /// The alternatives, in the order in which they are offered.
    pub any_of: Vec<ProofSet>,
}

/// Receipts that together meet a demand; each slot by another trust root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProofSet {
    /// One receipt each, by any of the slot's methods.
    pub slots: Vec<BTreeSet<Method>>,
    /// Whether the receipts must be of different methods too (§4.2.2.2 "two codes by different methods").
    pub distinct_methods: bool,
}

/// Who must approve.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApprovalNeed {
    /// How many distinct persons.
    pub count: u8,
    /// How many of them from which group; distinct persons cover the groups (invariant 3).
    pub groups: BTreeMap<GroupId, u8>,
    /// Whether one approver must have another employer than router and provers.
    pub other_employer: bool,
    /// Whether an approval must be signed with a key; `signature: none` is then refused.
    pub signature: bool,
}

/// How long each phase may take; its clock pauses while the subject is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Until triage is done.
    pub triage: Seconds,
    /// Until approval is requested.
    pub proofing: Seconds,
    /// Until the approvers decided; then it escalates.
    pub approval: Seconds,
    /// Until a case that is not restored expires.
    pub expiry: Seconds,
    /// Until a hold escalates.
    pub hold: Seconds,
}
