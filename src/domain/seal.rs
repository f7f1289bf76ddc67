//! Seals: the digests of everything that an approver decides on, and the statement that binds them (invariant 4, T9, T10).
//!
//! Contract: pure, and reproducible from what the API shows. Each digest is `SHA-256(label || 0x00 || canonical JSON)`:
//!
//! | digest | label | fields |
//! | --- | --- | --- |
//! | plan | `countersign/plan.v1` | `action`, `lifetime` (seconds or null), `reversible`, `revokes_old`, `rotates` (ids), `scope` (ids), `target` |
//! | evidence | `countersign/evidence.v1` | `evidence`: per item not late, in order, `id`, `kind`, `sha256`; `receipts`: those that fill the checklist, in its order, `id`, `method`, `at`, `valid_until` |
//! | checklist | `countersign/checklist.v1` | `items`: `methods` that were asked for, `gate`, `receipt` (id or null); `requirement_sha256` |
//! | requirement | `countersign/requirement.v1` | every field of [`Requirement`] but `escalates_to` |
//! | lineage | `countersign/lineage.v1` | `persons`: their ids, sorted, each once |
//! | policy | `countersign/policy.v1` | `pinned`, `current` (at sealing) |
//! | seal | `countersign/seal.v1` | `case`, `revision`, and the first five as `<name>_sha256` |
//!
//! Knows nothing about keys, nonces' storage or transport.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::case::{Case, LineageEntry, Plan, Seal};
use super::checklist::{self, Progress};
use super::command::World;
use super::derived;
use super::lineage;
use super::refusal::Refusal;
use super::requirement::Requirement;
use super::vocabulary::Decision;
use crate::base::canonical::{self, CanonicalError};
use crate::base::ids::{CaseId, OperatorId, PersonId, SubjectId};
use crate::base::{Digest, Time};

/// Of a plan.
pub fn plan_digest(plan: &Plan) -> Result<Digest, CanonicalError> {
    Digest::of_value("countersign/plan.v1", plan)
}

/// Of the evidence that is not late, and of the receipts that fill the checklist.
pub fn evidence_digest(case: &Case, progress: &Progress) -> Result<Digest, CanonicalError> {
    let evidence: Vec<_> = case.evidence.iter().filter(|e| !e.late).map(|e| json!({ "id": e.id, "kind": e.kind, "sha256": e.text.sha256 })).collect();
    let receipts: Vec<_> = progress
        .items
        .iter()
        .filter_map(|i| i.receipt.as_ref())
        .map(|r| json!({ "id": r.id, "method": r.method, "at": r.at, "valid_until": r.valid_until }))
        .collect();
    Digest::of_value("countersign/evidence.v1", &json!({ "evidence": evidence, "receipts": receipts }))
}

/// Of a requirement. Who gets mail about delays is no part of what is decided on: naming others there voids no approval.
pub fn requirement_digest(requirement: &Requirement) -> Result<Digest, CanonicalError> {
    let asked = Requirement { escalates_to: BTreeSet::new(), ..requirement.clone() };
    Digest::of_value("countersign/requirement.v1", &asked)
}

/// Of the checklist: what is required and how it is met.
pub fn checklist_digest(requirement: &Requirement, progress: &Progress) -> Result<Digest, CanonicalError> {
    let items: Vec<_> =
        progress.items.iter().map(|i| json!({ "methods": i.methods, "gate": i.gate, "receipt": i.receipt.as_ref().map(|r| &r.id) })).collect();
    Digest::of_value("countersign/checklist.v1", &json!({ "items": items, "requirement_sha256": requirement_digest(requirement)? }))
}

/// Of the persons of a lineage; their reasons may become more without unsealing anything.
pub fn lineage_digest(lineage: &BTreeSet<LineageEntry>) -> Result<Digest, CanonicalError> {
    Digest::of_value("countersign/lineage.v1", &json!({ "persons": lineage::persons(lineage) }))
}

/// Of the policies it is judged by.
pub fn policy_digest(pinned: Digest, current: Digest) -> Result<Digest, CanonicalError> {
    Digest::of_value("countersign/policy.v1", &json!({ "pinned": pinned, "current": current }))
}

/// Of a whole seal, from its parts.
pub fn seal_digest(case: CaseId, seal: &Seal) -> Result<Digest, CanonicalError> {
    let parts = json!({
        "case": case,
        "revision": seal.revision,
        "plan_sha256": seal.plan_sha256,
        "evidence_sha256": seal.evidence_sha256,
        "checklist_sha256": seal.checklist_sha256,
        "policy_sha256": seal.policy_sha256,
        "lineage_sha256": seal.lineage_sha256,
    });
    Digest::of_value("countersign/seal.v1", &parts)
}

/// The seal that the world's case would get now, as the given revision by the given hand, and the plan it seals.
pub fn make(world: &World, revision: u32, by: &super::case::ActorRef, at: Time) -> Result<(Plan, Seal), Refusal> {
    let refuse = |_| Refusal::Invalid { field: "seal", why: "something in the case has no canonical form".to_owned() };
    let case = world.case.as_deref().ok_or_else(|| Refusal::Unknown("The case".to_owned()))?;
    let plan = checklist::plan(world).ok_or_else(|| Refusal::Unknown("The subject".to_owned()))?;
    let progress = checklist::progress(world, at);
    let requirement = checklist::requirement(world);
    let mut seal = Seal {
        sha256: Digest::from([0; 32]),
        revision,
        plan_sha256: plan_digest(&plan).map_err(refuse)?,
        evidence_sha256: evidence_digest(case, &progress).map_err(refuse)?,
        checklist_sha256: checklist_digest(&requirement, &progress).map_err(refuse)?,
        policy_sha256: policy_digest(case.policy, world.current.sha256).map_err(refuse)?,
        lineage_sha256: lineage_digest(&lineage::lineage(world, at)).map_err(refuse)?,
        requirement_sha256: requirement_digest(&requirement).map_err(refuse)?,
        in_force: world.current.sha256,
        by: by.clone(),
        at,
    };
    seal.sha256 = seal_digest(case.id, &seal).map_err(refuse)?;
    Ok((plan, seal))
}

/// What of a seal no longer holds, in words; empty while it holds. The policies' own digests may move: what counts is what they demand.
pub fn broken(world: &World, now: Time) -> Vec<&'static str> {
    derived::broken(world, now, || differing(world, now))
}

fn differing(world: &World, now: Time) -> Vec<&'static str> {
    let Some((case, seal)) = world.case.as_deref().and_then(|c| Some((c, c.seal.as_ref()?))) else { return vec!["seal"] };
    let progress = checklist::sealed_progress(world, now);
    let differs = |was: Digest, is: Result<Digest, CanonicalError>| is.map_or(true, |d| d != was);
    let plan = checklist::plan(world);
    let mut out = Vec::new();
    if plan.as_ref() != case.plan.as_ref() || plan.as_ref().is_none_or(|p| differs(seal.plan_sha256, plan_digest(p))) {
        out.push("plan");
    }
    if differs(seal.evidence_sha256, evidence_digest(case, &progress)) {
        out.push("evidence");
    }
    if differs(seal.checklist_sha256, checklist_digest(&checklist::requirement(world), &progress)) {
        out.push("requirement");
    }
    if differs(seal.lineage_sha256, lineage_digest(&lineage::lineage(world, now))) {
        out.push("lineage");
    }
    if differs(seal.sha256, seal_digest(case.id, seal)) {
        out.push("seal");
    }
    out
}

/// What an approver signs (threats.md, "Formats"). Its canonical JSON, one line, is the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// What kind of statement: `approve.v1` or `deny.v1`, the namespaces of threats.md.
    pub r#type: &'static str,
    /// Version of this format: [`Statement::VERSION`].
    pub version: u8,
    /// The log's origin.
    pub origin: String,
    /// Which case.
    pub case: CaseId,
    /// Which seal of it.
    pub revision: u32,
    /// What is decided.
    pub decision: Decision,
    /// Whose access.
    pub subject: SubjectId,
    /// The seal.
    pub seal_sha256: Digest,
    /// Its parts.
    pub plan_sha256: Digest,
    /// Its parts.
    pub evidence_sha256: Digest,
    /// Its parts.
    pub checklist_sha256: Digest,
    /// Its parts.
    pub policy_sha256: Digest,
    /// Its parts.
    pub lineage_sha256: Digest,
    /// Who decides.
    pub approver: Approver,
    /// The server's nonce, used once.
    pub nonce: String,
    /// When the nonce was issued.
    pub issued: Time,
    /// Until when the statement can be submitted: 10 minutes later.
    pub expires: Time,
    /// The log as the console had seen it.
    pub log: SeenLog,
}

/// Who decides, as authentication established it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approver {
    /// Who vouches for the account: the origin of the log whose register holds it, or later the identity provider.
    pub issuer: String,
    /// The account.
    pub account: OperatorId,
    /// Its person.
    pub person: PersonId,
}

/// The log as a console had seen it when the statement was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct SeenLog {
    /// How many entries.
    pub size: u64,
    /// The tree's root over them.
    pub root_sha256: Digest,
}

impl Statement {
    /// Version of the format.
    pub const VERSION: u8 = 1;

    /// The kind of statement that says a decision.
    pub const fn kind(decision: Decision) -> &'static str {
        match decision {
            Decision::Approve => "approve.v1",
            Decision::Deny => "deny.v1",
        }
    }

    /// The line that is signed.
    pub fn line(&self) -> Result<String, CanonicalError> {
        let bytes = canonical::to_vec(self)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
