//! Values of the API as a server would send them, for tests of screens: a dozen cases of every kind, one of them whole.

use chrono::{DateTime, TimeDelta, Utc};
use countersign::api::case::CaseDetail;
use countersign::api::lists::{CaseRow, Counts, GrantRow, Me};
use serde_json::{Value, json};

/// The moment all canned values are about.
pub fn now() -> DateTime<Utc> {
    "2026-03-05T10:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> Value {
    json!(now() + TimeDelta::minutes(minutes))
}

/// Nadia, a support agent.
pub fn nadia() -> Me {
    serde_json::from_value(json!({
        "operator": "nadia", "person": "p-nadia", "automation": null, "name": "Nadia Rahman", "roles": ["support_agent"],
        "operations": ["case_assign", "case_open", "take_next"], "read_only": false, "expires_at": null, "server_time": now()
    }))
    .unwrap()
}

/// Numbers of the head line.
pub fn counts() -> Counts {
    Counts { open: 1284, approvals: 7, grants: 3, held: 1, log: 48_211, proposals: 0 }
}

/// A row: number, subject and what differs from an ordinary one.
pub fn row(number: u32, subject: &str, due: i64, with: &Value) -> CaseRow {
    let mut value = json!({
        "id": format!("CS-26-{number:06}"), "version": 3, "subject": "s-1", "subject_name": subject, "kind": "employee", "tier": "standard",
        "action": "mfa_reenrolment", "path": "assisted", "channel": "ticket", "state": "proofing", "held": false, "risk": "medium",
        "proof_done": 1, "proof_needed": 2, "waiting_on": "subject", "approvals_missing": 0, "assignee": null, "due": at(due),
        "opened_at": at(-90), "updated_at": at(-5), "flags": 0
    });
    merge(&mut value, with);
    serde_json::from_value(value).unwrap()
}

/// Rows of the queue, by deadline.
pub fn rows() -> Vec<CaseRow> {
    vec![
        row(
            4119,
            "vault-admin-03",
            -12,
            &json!({"risk": "high", "action": "emergency_access", "path": "break_glass", "proof_done": 0, "proof_needed": 3, "waiting_on": "agent", "assignee": "nadia"}),
        ),
        row(
            4127,
            "payments-batch",
            42,
            &json!({"risk": "high", "kind": "service_account", "action": "secret_rotation", "state": "sealed", "proof_done": 2, "proof_needed": 4, "waiting_on": "approval", "approvals_missing": 2, "assignee": "kofi", "flags": 1, "sealed_at": at(-75), "flagged_since": at(-80)}),
        ),
        row(4131, "m.okafor", 65, &json!({})),
        row(
            4102,
            "build-ci-cert",
            150,
            &json!({"kind": "certificate", "action": "certificate_replacement", "state": "executing", "proof_done": 2, "waiting_on": "execution"}),
        ),
        row(4140, "Zoë Ångström 日本語", 400, &json!({"risk": "low", "action": "password_reset", "held": true, "held_since": at(-130)})),
        row(
            4141,
            "svc-\u{202e}txt.exe\u{1b}[31m",
            2000,
            &json!({"risk": "low", "kind": "workload_identity", "action": "workload_rebind", "waiting_on": "attester"}),
        ),
    ]
}

/// A grant: number, whose, minutes until its end, and what differs from one that lives.
pub fn grant(number: u32, subject: &str, until: i64, with: &Value) -> GrantRow {
    let mut value = json!({
        "id": format!("grt-{number}"), "case": format!("CS-26-{number:06}"), "version": 9, "subject": "s-1", "subject_name": subject,
        "kind": "employee", "target": "cloud-console", "action": "jit_access", "scope": ["deploy", "read-logs"], "since": at(-30),
        "expires_at": at(until), "state": "active", "ending_since": null, "ending_why": null, "revoked_at": null, "refused": null
    });
    merge(&mut value, with);
    serde_json::from_value(value).unwrap()
}

/// Grants that live, by their end: two of which are ending, and the target of one says nothing.
pub fn grants() -> Vec<GrantRow> {
    let ending = |why: &str, since: i64, state: &str| json!({"state": state, "ending_since": at(since), "ending_why": why, "refused": "This access is ending already."});
    vec![
        grant(4090, "vault-admin-03", 20, &ending("handed_back", -12, "ending")),
        grant(4095, "build-ci-cert", 400, &ending("held", 0, "suspended")),
        grant(4101, "Zoë Ångström 日本語", 9, &json!({})),
        grant(4102, "svc-\u{202e}txt.exe\u{1b}[31m", 65, &json!({"kind": "workload_identity"})),
        grant(4103, "m.okafor", 2000, &json!({"refused": "You may not revoke: it needs the role support agent."})),
    ]
}

/// The second row, whole.
pub fn case() -> CaseDetail {
    let digest = "0".repeat(64);
    let row = serde_json::to_value(&rows()[1]).unwrap();
    serde_json::from_value(json!({
        "row": row,
        "subject": {"id": "s-1", "name": "payments-batch", "status": "active", "assurance": "no proofing/AAL2", "employer": null,
            "inventory": "secrets_manager", "environment": "production", "owners": ["p-ines"], "dependents": [], "entitled": ["payments.write"],
            "endpoints": [{"id": "ep-1", "kind": "email", "unusable": null}]},
        "target": "vault", "scope": ["payments.write"], "requester": "the subject", "opened_by": "triage-bot for nadia", "summary": "rotation failed",
        "triage": null,
        "checklist": {"items": [], "done": 2, "complete": false, "next": "ask the owner to attest"},
        "lineage": [], "evidence": [], "handover": null, "comments": [], "plan": null, "seal": null, "approvals": [],
        "approvals_needed": "2 persons, one of security",
        "could_decide": {"operators": ["a.lindqvist", "d.ruiz"], "on_shift": ["d.ruiz"], "enough": true, "missing_groups": []},
        "you_cannot_decide": [{"person": "p-nadia", "name": "Nadia Rahman", "duty": "automation_owner", "via": "triage-bot", "case": null,
            "sentence": "you own the automation triage-bot that routed it"}],
        "hold": null, "flags": [{"kind": "repeat_request", "by": "server", "at": at(-60)}], "executions": [], "grants": [], "reviews": [],
        "linked": [], "other_open_cases": ["CS-26-004090"], "accountable": [], "policy_sha256": digest, "allowed_actions": ["case_assign"],
        "refused_actions": [], "execute_after": null, "expires_at": at(3000)
    }))
    .unwrap()
}

/// Puts fields of one object over those of another.
pub fn merge(into: &mut Value, with: &Value) {
    if let (Some(into), Some(with)) = (into.as_object_mut(), with.as_object()) {
        for (key, value) in with {
            into.insert(key.clone(), value.clone());
        }
    }
}
