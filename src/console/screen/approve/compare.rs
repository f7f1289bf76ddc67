//! Whether a statement says exactly what was fetched and shown (threat T10): only then may a decision be sent.
//!
//! Contract: pure; names every difference. A statement that can't be read, or lacks a field, differs.

use serde_json::Value;

use crate::api::case::{CaseDetail, Statement};
use crate::api::lists::Me;
use crate::api::words::Decision;

/// Every way in which a statement is not about what was shown; none if it may be signed.
pub fn differences(statement: &Statement, case: &CaseDetail, decision: Decision, me: Option<&Me>) -> Vec<String> {
    let mut found = Vec::new();
    let Some(seal) = &case.seal else { return vec!["there is no seal to decide on".into()] };
    let Ok(Value::Object(said)) = serde_json::from_str::<Value>(&statement.statement) else {
        return vec!["the statement can't be read".into()];
    };
    let mut same = |name: &str, value: Option<&Value>, shown: &str| {
        if value.and_then(Value::as_str) != Some(shown) {
            found.push(format!("{name} is not the one shown"));
        }
    };
    let kind = match decision {
        Decision::Approve => "approve.v1",
        Decision::Deny => "deny.v1",
    };
    same("its type", said.get("type"), kind);
    same("the decision", said.get("decision"), decision.code());
    same("the case", said.get("case"), &case.row.id.to_string());
    same("the subject", said.get("subject"), case.subject.id.as_str());
    same("the nonce", said.get("nonce"), &statement.nonce);
    for (name, digest) in [
        ("seal_sha256", seal.sha256),
        ("plan_sha256", seal.plan_sha256),
        ("evidence_sha256", seal.evidence_sha256),
        ("checklist_sha256", seal.checklist_sha256),
        ("policy_sha256", seal.policy_sha256),
        ("lineage_sha256", seal.lineage_sha256),
    ] {
        same(name, said.get(name), &digest.to_string());
    }
    if let Some(me) = me {
        let approver = said.get("approver");
        let part = |name: &str| approver.and_then(|a| a.get(name)).cloned();
        same("the account", part("account").as_ref(), me.operator.as_ref().map_or("", |o| o.as_str()));
        same("the person", part("person").as_ref(), me.person.as_ref().map_or("", |p| p.as_str()));
    }
    if said.get("revision").and_then(Value::as_u64) != Some(seal.revision.into()) {
        found.push("the seal's number is not the one shown".into());
    }
    if statement.seal_sha256 != seal.sha256 {
        found.push("the seal that would be sent is not the one shown".into());
    }
    if statement.version != case.row.version {
        found.push(format!("it is about version {}, shown is version {}", statement.version, case.row.version));
    }
    found
}
