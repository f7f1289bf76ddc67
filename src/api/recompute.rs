//! A seal's digests and the statement on it, worked out anew from what the API shows (T10): so that what a reader saw is what is signed.
//!
//! Contract: pure; takes nothing from the server's own digests but what is not shown in full (the requirement, the policies). The formats
//! are those of `domain::seal`, whose table says each field; written apart from it on purpose, so that each checks the other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::case::{CaseDetail, EvidenceItem, SealDetail, Statement};
use crate::base::Digest;
use crate::base::canonical;
use crate::base::ids::{OperatorId, PersonId};
use crate::domain::vocabulary::Decision;

/// Which parts of a case's seal do not follow from what is shown of the case; none where what is shown is what was sealed.
pub fn differences(case: &CaseDetail) -> Vec<&'static str> {
    let Some(said) = &case.seal else { return vec!["seal"] };
    let Some(own) = seal(case) else { return vec!["plan"] };
    let parts = [
        ("plan", said.plan_sha256 == own.plan_sha256),
        ("evidence", said.evidence_sha256 == own.evidence_sha256),
        ("checklist", said.checklist_sha256 == own.checklist_sha256),
        ("lineage", said.lineage_sha256 == own.lineage_sha256),
        ("policy", said.policy_sha256 == own.policy_sha256),
        ("text of evidence", case.evidence.iter().all(is_of)),
        ("seal", said.sha256 == own.sha256),
    ];
    parts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// The seal that what is shown of a case would have, with the number, hand and time of the one it has; none without a seal and a plan.
pub fn seal(case: &CaseDetail) -> Option<SealDetail> {
    let said = case.seal.as_ref()?;
    let parts = SealDetail {
        plan_sha256: plan(case)?,
        evidence_sha256: evidence(case)?,
        checklist_sha256: checklist(case, said)?,
        lineage_sha256: lineage(case)?,
        policy_sha256: policy(case, said)?,
        ..said.clone()
    };
    Some(SealDetail { sha256: whole(case, &parts)?, ..parts })
}

fn digest(label: &str, value: &Value) -> Option<Digest> {
    Digest::of_value(label, value).ok()
}

fn plan(case: &CaseDetail) -> Option<Digest> {
    let plan = case.plan.as_ref()?;
    let fields = json!({
        "action": case.row.action, "target": plan.target, "scope": sorted(&plan.scope), "lifetime": plan.lifetime_seconds,
        "revokes_old": plan.revokes_old, "rotates": sorted(&plan.rotates), "reversible": plan.reversible,
    });
    digest("countersign/plan.v1", &fields)
}

fn sorted<T: Ord>(items: &[T]) -> BTreeSet<&T> {
    items.iter().collect()
}

fn evidence(case: &CaseDetail) -> Option<Digest> {
    let kept = case.evidence.iter().filter(|e| !e.late);
    let kept: Vec<Value> = kept.map(|e| json!({"id": e.id, "kind": e.kind, "sha256": e.sha256})).collect();
    let receipts = case.checklist.items.iter().filter_map(|i| i.receipt.as_ref());
    let receipts: Vec<Value> = receipts.map(|r| json!({"id": r.id, "method": r.method, "at": r.at, "valid_until": r.valid_until})).collect();
    digest("countersign/evidence.v1", &json!({"evidence": kept, "receipts": receipts}))
}

fn checklist(case: &CaseDetail, seal: &SealDetail) -> Option<Digest> {
    let items = case.checklist.items.iter();
    let items: Vec<Value> = items.map(|i| json!({"methods": i.methods, "gate": i.gate, "receipt": i.receipt.as_ref().map(|r| &r.id)})).collect();
    digest("countersign/checklist.v1", &json!({"items": items, "requirement_sha256": seal.requirement_sha256}))
}

fn lineage(case: &CaseDetail) -> Option<Digest> {
    let persons: BTreeSet<&PersonId> = case.lineage.iter().map(|d| &d.person).collect();
    digest("countersign/lineage.v1", &json!({ "persons": persons }))
}

fn policy(case: &CaseDetail, seal: &SealDetail) -> Option<Digest> {
    digest("countersign/policy.v1", &json!({"pinned": case.policy_sha256, "current": seal.in_force_sha256}))
}

fn whole(case: &CaseDetail, seal: &SealDetail) -> Option<Digest> {
    let parts = json!({
        "case": case.row.id, "revision": seal.revision, "plan_sha256": seal.plan_sha256, "evidence_sha256": seal.evidence_sha256,
        "checklist_sha256": seal.checklist_sha256, "policy_sha256": seal.policy_sha256, "lineage_sha256": seal.lineage_sha256,
    });
    digest("countersign/seal.v1", &parts)
}

/// Whether a text is the one whose digest stands in the log; an erased one can't be compared, and nothing of it is shown.
fn is_of(item: &EvidenceItem) -> bool {
    let (Some(text), Some(salt)) = (&item.text, &item.salt) else { return item.text.is_none() };
    let Some(mut bytes) = bytes(salt) else { return false };
    bytes.extend_from_slice(text.raw().as_bytes());
    Digest::of(&bytes) == item.sha256
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..16).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect()
}

/// The statement on a case as it is shown, by that account and person, on the occasion that the server names; one line.
pub fn statement(case: &CaseDetail, decision: Decision, (account, person): (&OperatorId, &PersonId), occasion: &Statement) -> Option<String> {
    let seal = case.seal.as_ref()?;
    let kind = match decision {
        Decision::Approve => "approve.v1",
        Decision::Deny => "deny.v1",
    };
    let value = json!({
        "type": kind, "version": 1, "origin": occasion.origin, "case": case.row.id, "revision": seal.revision, "decision": decision,
        "subject": case.subject.id, "seal_sha256": seal.sha256, "plan_sha256": seal.plan_sha256, "evidence_sha256": seal.evidence_sha256,
        "checklist_sha256": seal.checklist_sha256, "policy_sha256": seal.policy_sha256, "lineage_sha256": seal.lineage_sha256,
        "approver": {"issuer": occasion.issuer, "account": account, "person": person}, "nonce": occasion.nonce,
        "issued": occasion.issued, "expires": occasion.submit_before, "log": occasion.log,
    });
    String::from_utf8(canonical::to_vec(&value).ok()?).ok()
}
