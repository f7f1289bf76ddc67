//! What policy demands of one case: proofs, gates, approvals, times. Derived, never typed in; the checklist is this measured
//! against a case's receipts.
//!
//! Contract: plain data that can only be made stricter ([`Requirement::stricter`], invariant 14). Knows nothing about policy files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::vocabulary::{Method, Role};
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

    /// From one time to a later one, rounded up; none if it is not later.
    pub fn between(from: crate::base::Time, to: crate::base::Time) -> Self {
        let millis = (to - from).num_milliseconds().max(0);
        Self(u32::try_from(millis.saturating_add(999) / 1_000).unwrap_or(u32::MAX))
    }

    /// Both together, within what can be counted.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it without the other.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
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
    /// How long codes and proof pages live, and how many wrong tries they take.
    pub codes: CodeRules,
    /// Whether a review by someone outside the lineage and the approvers must follow restoration.
    pub review: bool,
    /// Who is told when a deadline passes, an execution fails or the case expires; supervisors if policy names no one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub escalates_to: BTreeSet<Role>,
}

/// How long codes and proof pages live, and how many wrong tries they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRules {
    /// A code sent by e-mail (§4.2.1.2: at most 24 h).
    pub email: Seconds,
    /// A code sent by SMS or voice (§4.2.1.2: at most 10 min).
    pub phone: Seconds,
    /// A code sent by post (§4.2.1.2: at most 21 d).
    pub postal: Seconds,
    /// A code sent to a recovery contact (§4.2.1.3: as issued codes, plus 24 h).
    pub contact: Seconds,
    /// How long a page stays open on which a saved code is typed or an attestation is given.
    pub page: Seconds,
    /// Wrong tries after which a code is void (§3.2.2; at most 5).
    pub attempts_per_code: u8,
    /// Wrong tries after which the case takes no more (§3.2.2; at most 10).
    pub attempts_per_case: u8,
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

impl Requirement {
    /// The stricter of two, dimension by dimension: all proofs and gates of both, the longer wait, the shorter life (invariant 14).
    /// It does not matter in which order several are merged.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let grants = [self.grant_lifetime, other.grant_lifetime];
        Self {
            proofs: merge_proofs(&self.proofs, &other.proofs),
            gates: self.gates.union(&other.gates).copied().collect(),
            approvals: self.approvals.stricter(&other.approvals),
            min_endpoint_age: self.min_endpoint_age.max(other.min_endpoint_age),
            receipt_lifetime: self.receipt_lifetime.min(other.receipt_lifetime),
            approval_lifetime: self.approval_lifetime.min(other.approval_lifetime),
            delay: self.delay.max(other.delay),
            grace: self.grace.max(other.grace),
            // A grant that ends is stricter than standing access.
            grant_lifetime: grants.into_iter().flatten().min(),
            restriction: self.restriction.max(other.restriction),
            deadlines: self.deadlines.stricter(other.deadlines),
            lineage_window: self.lineage_window.max(other.lineage_window),
            linked_window: self.linked_window.max(other.linked_window),
            codes: self.codes.stricter(other.codes),
            review: self.review || other.review,
            escalates_to: self.escalates_to.union(&other.escalates_to).copied().collect(),
        }
    }
}

impl ApprovalNeed {
    /// The stricter of two. As distinct persons cover the groups (invariant 3), there are never fewer persons than group places.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let mut groups = self.groups.clone();
        for (group, count) in &other.groups {
            let place = groups.entry(group.clone()).or_default();
            *place = (*place).max(*count);
        }
        let places = groups.values().fold(0_u8, |sum, n| sum.saturating_add(*n));
        Self {
            count: self.count.max(other.count).max(places),
            groups,
            other_employer: self.other_employer || other.other_employer,
            signature: self.signature || other.signature,
        }
    }
}

impl ApprovalNeed {
    /// How many distinct persons are needed in all: `count`, or more if the groups ask for more.
    pub fn persons(&self) -> usize {
        let grouped = self.groups.values().map(|n| usize::from(*n)).sum();
        usize::from(self.count).max(grouped)
    }
}

impl Deadlines {
    /// The stricter of two: what comes sooner.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            triage: self.triage.min(other.triage),
            proofing: self.proofing.min(other.proofing),
            approval: self.approval.min(other.approval),
            expiry: self.expiry.min(other.expiry),
            hold: self.hold.min(other.hold),
        }
    }
}

impl CodeRules {
    /// The stricter of two: the shorter lives, the fewer tries.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            email: self.email.min(other.email),
            phone: self.phone.min(other.phone),
            postal: self.postal.min(other.postal),
            contact: self.contact.min(other.contact),
            page: self.page.min(other.page),
            attempts_per_code: self.attempts_per_code.min(other.attempts_per_code),
            attempts_per_case: self.attempts_per_case.min(other.attempts_per_case),
        }
    }
}

impl ProofNeed {
    /// Whether whoever meets this need has met the other one too.
    pub fn implies(&self, other: &Self) -> bool {
        self.any_of.iter().all(|mine| other.any_of.iter().any(|theirs| mine.implies(theirs)))
    }
}

impl ProofSet {
    /// Whether receipts that fill this set fill the other one too.
    pub fn implies(&self, other: &Self) -> bool {
        let apart = |a: &BTreeSet<Method>, b: &BTreeSet<Method>| self.distinct_methods || a.is_disjoint(b);
        let mut taken = Vec::new();
        other.slots.len() <= self.slots.len() && self.seat(other, &mut taken, &apart)
    }

    /// Finds a slot of its own for each slot of the other set; sets are small (at most 6 slots), so trying all is cheap.
    fn seat(&self, other: &Self, taken: &mut Vec<usize>, apart: &dyn Fn(&BTreeSet<Method>, &BTreeSet<Method>) -> bool) -> bool {
        let Some(wanted) = other.slots.get(taken.len()) else {
            return true;
        };
        for (i, slot) in self.slots.iter().enumerate() {
            let fits = !taken.contains(&i) && slot.is_subset(wanted);
            if fits && (!other.distinct_methods || taken.iter().all(|t| apart(&self.slots[*t], slot))) {
                taken.push(i);
                if self.seat(other, taken, apart) {
                    return true;
                }
                taken.pop();
            }
        }
        false
    }
}

/// All needs of both, without those that another one implies: the checklist asks for nothing twice.
pub fn merge_proofs(a: &[ProofNeed], b: &[ProofNeed]) -> Vec<ProofNeed> {
    let all: BTreeSet<&ProofNeed> = a.iter().chain(b).collect();
    let covered = |need: &ProofNeed| all.iter().any(|o| *o != need && o.implies(need) && (!need.implies(o) || *o < need));
    all.iter().filter(|need| !covered(need)).map(|need| (*need).clone()).collect()
}
