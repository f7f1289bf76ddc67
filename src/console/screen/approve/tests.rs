//! What may be signed: only a statement that says exactly what was shown.

use serde_json::{Value, json};

use super::compare::differences;
use crate::api::case::{CaseDetail, Statement};
use crate::api::lists::Me;
use crate::api::words::Decision;
use crate::base::Digest;

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn case() -> CaseDetail {
    let at = "2026-11-20T10:00:00Z";
    let d = |n: &str| digest(n).to_string();
    serde_json::from_value(json!({
        "row": {"id": "CS-26-000007", "version": 9, "subject": "payments-batch", "subject_name": "payments-batch", "kind": "service_account",
            "tier": "privileged", "action": "secret_rotation", "path": "assisted", "channel": "ticket", "state": "sealed", "held": false,
            "risk": "high", "proof_done": 2, "proof_needed": 2, "waiting_on": "approval", "approvals_missing": 1, "assignee": null,
            "due": null, "opened_at": at, "updated_at": at, "flags": 0},
        "subject": {"id": "payments-batch", "name": "payments-batch", "status": "active", "assurance": "IAL2/AAL2", "employer": null,
            "inventory": "cmdb", "environment": "production", "owners": [], "dependents": [], "entitled": ["read"], "endpoints": []},
        "target": "vault", "scope": ["read"], "requester": "the subject", "opened_by": "nadia", "summary": null, "triage": null,
        "checklist": {"items": [], "done": 0, "complete": true, "next": null}, "lineage": [], "evidence": [], "handover": null, "comments": [],
        "plan": null, "seal": {"sha256": d("seal"), "revision": 2, "plan_sha256": d("plan"), "evidence_sha256": d("evidence"),
            "checklist_sha256": d("checklist"), "policy_sha256": d("policy"), "lineage_sha256": d("lineage"), "by": "nadia", "at": at},
        "approvals": [], "approvals_needed": "1 person", "could_decide": {"operators": ["ruiz"], "on_shift": [], "enough": true,
            "missing_groups": []}, "you_cannot_decide": [], "hold": null, "flags": [], "executions": [], "grants": [], "reviews": [],
        "linked": [], "other_open_cases": [], "accountable": [], "policy_sha256": d("policy"), "allowed_actions": ["case_decide"],
        "refused_actions": [], "execute_after": null, "expires_at": at
    }))
    .unwrap()
}

fn me() -> Me {
    serde_json::from_value(json!({"operator": "ruiz", "person": "p-ruiz", "automation": null, "name": "Ruiz", "roles": ["supervisor"],
        "operations": [], "read_only": false, "expires_at": null, "server_time": "2026-11-20T10:00:00Z"}))
    .unwrap()
}

fn said() -> Value {
    let d = |n: &str| digest(n).to_string();
    json!({"type": "approve.v1", "version": 1, "case": "CS-26-000007", "revision": 2, "decision": "approve", "subject": "payments-batch",
        "seal_sha256": d("seal"), "plan_sha256": d("plan"), "evidence_sha256": d("evidence"), "checklist_sha256": d("checklist"),
        "policy_sha256": d("policy"), "lineage_sha256": d("lineage"), "approver": {"account": "ruiz", "person": "p-ruiz"}, "nonce": "n1"})
}

fn statement(said: &Value) -> Statement {
    let submit_before = "2026-11-20T10:10:00Z".parse().unwrap();
    Statement { statement: said.to_string(), nonce: "n1".into(), seal_sha256: digest("seal"), version: 9, submit_before }
}

#[test]
fn a_statement_about_what_was_shown_may_be_signed() {
    assert_eq!(differences(&statement(&said()), &case(), Decision::Approve, Some(&me())), Vec::<String>::new());
}

#[test]
fn threat_t10_each_field_that_differs_stops_it() {
    let fields = ["type", "case", "revision", "decision", "subject", "seal_sha256", "plan_sha256", "evidence_sha256", "checklist_sha256"];
    for field in fields.iter().chain(&["policy_sha256", "lineage_sha256", "approver", "nonce"]) {
        for other in [json!(digest("other").to_string()), Value::Null] {
            let mut changed = said();
            changed[*field] = other;
            assert!(!differences(&statement(&changed), &case(), Decision::Approve, Some(&me())).is_empty(), "{field}");
        }
        let mut missing = said();
        missing.as_object_mut().unwrap().remove(*field);
        assert!(!differences(&statement(&missing), &case(), Decision::Approve, Some(&me())).is_empty(), "{field} missing");
    }
}

#[test]
fn threat_t10_a_statement_of_another_version_seal_or_decision_stops_it() {
    let mut later = statement(&said());
    later.version = 10;
    assert_eq!(differences(&later, &case(), Decision::Approve, Some(&me())).len(), 1);
    let mut other = statement(&said());
    other.seal_sha256 = digest("other");
    assert_eq!(differences(&other, &case(), Decision::Approve, Some(&me())).len(), 1);
    assert_eq!(differences(&statement(&said()), &case(), Decision::Deny, Some(&me())).len(), 2);
    let mut unsealed = case();
    unsealed.seal = None;
    assert!(!differences(&statement(&said()), &unsealed, Decision::Approve, Some(&me())).is_empty());
    let unreadable = Statement { statement: "{".into(), ..statement(&said()) };
    assert!(!differences(&unreadable, &case(), Decision::Approve, Some(&me())).is_empty());
}
