//! What may be signed: only a statement that says exactly what was shown.

use serde_json::{Value, json};

use crate::api::case::{CaseDetail, SeenLog, Statement};
use crate::api::compare::differences;
use crate::api::lists::Me;
use crate::api::recompute;
use crate::api::words::Decision;
use crate::base::{Digest, Untrusted};

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn unsealed() -> CaseDetail {
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
        "checklist": {"items": [{"title": "saved code", "methods": ["saved_code"], "gate": false, "state": "done", "sessions": [], "startable": [],
                "why": "", "receipt": {"id": "rcp-1", "method": "saved_code", "by": "the subject", "at": at, "valid_until": at}}],
            "done": 1, "complete": true, "next": null},
        "lineage": [{"person": "p-nadia", "name": "Nadia", "duty": "router", "via": null, "case": null, "sentence": ""}],
        "evidence": [{"id": "ev-1", "kind": "note", "text": "lost the key", "salt": "00".repeat(16), "by": "nadia", "at": at, "late": false,
            "sha256": Digest::of(&[&[0; 16][..], b"lost the key"].concat())}], "handover": null, "comments": [],
        "plan": {"target": "vault", "scope": ["write", "read"], "lifetime_seconds": null, "revokes_old": true, "rotates": ["b", "a"],
            "reversible": false, "steps": []},
        "seal": {"sha256": d("any"), "revision": 2, "plan_sha256": d("any"), "evidence_sha256": d("any"), "checklist_sha256": d("any"),
            "policy_sha256": d("any"), "lineage_sha256": d("any"), "requirement_sha256": d("requirement"), "in_force_sha256": d("policy"),
            "by": "nadia", "at": at},
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

/// The case with a seal of what it shows.
fn case() -> CaseDetail {
    let shown = unsealed();
    CaseDetail { seal: recompute::seal(&shown), ..shown }
}

/// The statement that an honest server would send.
fn statement() -> Statement {
    let (case, me) = (case(), me());
    let (from, submit_before) = ("2026-11-20T10:00:00.123Z".parse().unwrap(), "2026-11-20T10:10:00.123Z".parse().unwrap());
    let log = SeenLog { size: 12, root_sha256: digest("root") };
    let (seal_sha256, version) = (case.seal.as_ref().unwrap().sha256, case.row.version);
    let (origin, issuer) = ("countersign/0".to_owned(), "https://sign-in.example".to_owned());
    let mut out = Statement { statement: String::new(), nonce: "n1".into(), seal_sha256, version, issued: from, submit_before, origin, issuer, log };
    let who = (me.operator.as_ref().unwrap(), me.person.as_ref().unwrap());
    out.statement = recompute::statement(&case, Decision::Approve, who, &out).unwrap();
    out
}

fn stopped(statement: &Statement, case: &CaseDetail) -> usize {
    differences(statement, case, Decision::Approve, Some(&me())).len()
}

#[test]
fn a_statement_about_what_was_shown_may_be_signed() {
    assert_eq!(differences(&statement(), &case(), Decision::Approve, Some(&me())), Vec::<String>::new());
}

#[test]
fn threat_t10_each_field_that_differs_stops_it() {
    let honest: Value = serde_json::from_str(&statement().statement).unwrap();
    assert_eq!(honest.as_object().unwrap().len(), 18, "threats.md, Formats");
    for field in honest.as_object().unwrap().keys() {
        for other in [json!(digest("other").to_string()), Value::Null] {
            let mut changed = honest.clone();
            changed[field] = other;
            assert_eq!(stopped(&Statement { statement: changed.to_string(), ..statement() }, &case()), 1, "{field}");
        }
        let mut missing = honest.clone();
        missing.as_object_mut().unwrap().remove(field);
        assert_eq!(stopped(&Statement { statement: missing.to_string(), ..statement() }, &case()), 1, "{field} missing");
    }
    let mut more = honest.clone();
    more["also"] = json!("give admin");
    assert_eq!(stopped(&Statement { statement: more.to_string(), ..statement() }, &case()), 1);
    let loose = Statement { statement: serde_json::to_string_pretty(&honest).unwrap(), ..statement() };
    assert_eq!(stopped(&loose, &case()), 1);
}

#[test]
fn threat_t10_what_is_shown_but_was_not_sealed_stops_it() {
    let lies: [fn(&mut CaseDetail); 11] = [
        |c| c.plan.as_mut().unwrap().scope.push("admin".into()),
        |c| c.plan.as_mut().unwrap().target = "payroll".parse().unwrap(),
        |c| c.plan.as_mut().unwrap().lifetime_seconds = Some(1),
        |c| c.plan.as_mut().unwrap().revokes_old = false,
        |c| c.plan = None,
        |c| c.evidence[0].text = Some(Untrusted::from("it was someone else")),
        |c| c.evidence[0].salt = None,
        |c| c.evidence.clear(),
        |c| c.checklist.items[0].gate = true,
        |c| c.lineage.clear(),
        |c| c.policy_sha256 = digest("laxer"),
    ];
    for (i, lie) in lies.iter().enumerate() {
        let mut shown = case();
        lie(&mut shown);
        assert!(stopped(&statement(), &shown) > 0, "lie {i}");
    }
    let mut erased = case();
    (erased.evidence[0].text, erased.evidence[0].salt) = (None, None);
    assert_eq!(stopped(&statement(), &erased), 0, "what is erased is not shown");
}

#[test]
fn threat_t10_a_statement_of_another_version_seal_person_or_decision_stops_it() {
    assert_eq!(stopped(&Statement { version: 10, ..statement() }, &case()), 1);
    assert_eq!(stopped(&Statement { seal_sha256: digest("other"), ..statement() }, &case()), 1);
    assert_eq!(differences(&statement(), &case(), Decision::Deny, Some(&me())).len(), 2);
    assert_eq!(differences(&statement(), &case(), Decision::Approve, None).len(), 1);
    let other = Me { person: Some("p-else".parse().unwrap()), ..me() };
    assert_eq!(differences(&statement(), &case(), Decision::Approve, Some(&other)), ["its approver is not the one shown"]);
    let mut unsealed = case();
    unsealed.seal = None;
    assert_eq!(stopped(&statement(), &unsealed), 1);
    assert_eq!(stopped(&Statement { statement: "{".into(), ..statement() }, &case()), 1);
}
