//! A whole sealed case with everything a screen can show, for tests of the screens that show it.

use chrono::{DateTime, TimeDelta, Utc};
use countersign::api::case::{CaseDetail, RoutePreview, SeenLog, Statement};
use countersign::api::lists::{LogPage, Me, SubjectPage, SubjectRow};
use countersign::api::recompute;
use countersign::api::words::Decision;
use countersign::base::Digest;
use serde_json::{Value, json};

use crate::canned;

fn at(minutes: i64) -> DateTime<Utc> {
    canned::now() + TimeDelta::minutes(minutes)
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// Ruiz, a supervisor with no hand in the case.
pub fn ruiz() -> Me {
    let mut me = serde_json::to_value(canned::nadia()).unwrap();
    canned::merge(
        &mut me,
        &json!({"operator": "d.ruiz", "person": "p-ruiz", "name": "Diego Ruiz", "roles": ["supervisor"],
        "operations": ["case_assign", "case_open", "take_next", "statement_read", "case_decide"]}),
    );
    serde_json::from_value(me).unwrap()
}

/// The case as the supervisor sees it: sealed, one approval missing.
pub fn sealed() -> CaseDetail {
    let mut value = serde_json::to_value(canned::case()).unwrap();
    canned::merge(&mut value, &parts());
    canned::merge(&mut value, &history());
    let shown: CaseDetail = serde_json::from_value(value).unwrap();
    CaseDetail { seal: recompute::seal(&shown), ..shown }
}

/// The same case as the agent sees it, whose automation routed it.
pub fn routed_by_me() -> CaseDetail {
    let mut value = serde_json::to_value(sealed()).unwrap();
    let refused = json!([
        {"action": "case_decide", "reason": "You own the automation that routed it.", "code": "separation-of-duties"},
        {"action": "case_seal", "reason": "It is sealed already.", "code": "wrong-state"}
    ]);
    let you = serde_json::to_value(canned::case().you_cannot_decide).unwrap();
    canned::merge(
        &mut value,
        &json!({"you_cannot_decide": you, "refused_actions": refused, "allowed_actions": ["case_comment", "case_flag", "case_reopen"]}),
    );
    serde_json::from_value(value).unwrap()
}

/// The case before it is sealed, with proofs to start.
pub fn proofing() -> CaseDetail {
    let mut value = serde_json::to_value(sealed()).unwrap();
    canned::merge(&mut value["row"], &json!({"state": "proofing", "approvals_missing": 0, "waiting_on": "subject"}));
    canned::merge(
        &mut value,
        &json!({"seal": null, "plan": null, "approvals": [], "allowed_actions": ["proof_start", "case_seal", "case_triage", "case_evidence"]}),
    );
    serde_json::from_value(value).unwrap()
}

/// A restored case that the subject froze, as security sees it: one contact was answered, another waits.
pub fn held() -> CaseDetail {
    let mut value = serde_json::to_value(sealed()).unwrap();
    canned::merge(&mut value["row"], &json!({"state": "restored", "held": true, "waiting_on": "security", "approvals_missing": 0}));
    let way = |method: &str, endpoint: Option<&str>, attester: Option<&str>, label: &str, refused: Option<&str>| json!({"method": method, "endpoint": endpoint, "attester": attester, "label": label, "refused": refused});
    let wait = "It was sent less than a minute ago and still waits. Another can be sent from 10:01:00 UTC on.";
    let session = |id: &str, method: &str, with: Value| {
        let mut value = json!({"id": id, "method": method, "opened_at": at(-2), "expires_at": at(20), "tries_left": 5, "outcome": null});
        canned::merge(&mut value, &with);
        value
    };
    canned::merge(
        &mut value,
        &json!({"hold": {"source": "not_me", "reason": null, "since": at(-15), "contacts": [
                way("issued_code", Some("ep-1"), None, "send a code to the recorded address ep-1", Some(wait)),
                way("saved_code", Some("ep-1"), None, "ask for saved recovery code at ep-1", None),
                way("manager_attestation", None, Some("p-ines"), "ask p-ines to attest", None)],
            "sessions": [session("se-8", "manager_attestation", json!({"attester": "p-ines", "opened_at": at(-9), "outcome": "proved"})),
                session("se-9", "issued_code", json!({"endpoint": "ep-1"}))],
            "lifted_by": ["se-8"]},
          "allowed_actions": ["proof_start", "case_lift_hold", "case_comment"],
          "refused_actions": [{"action": "case_hold", "reason": "The case is held already.", "code": "already"}]}),
    );
    serde_json::from_value(value).unwrap()
}

fn parts() -> Value {
    json!({
        "triage": {"failure": "failed_rotation", "reproduction": "ran the job twice\nboth times 403", "triage_owner": "p-nadia", "remedy_owner": "p-ines"},
        "checklist": {"done": 1, "complete": false, "next": "Wait for the owner's attestation.", "items": [
            {"title": "possession of the old key", "methods": ["old_key_possession"], "gate": false, "state": "done",
             "receipt": {"id": "rc-1", "method": "old_key_possession", "by": "the subject", "at": at(-30), "valid_until": at(600)},
             "sessions": [], "startable": [], "why": "privileged tier: one proof of possession"},
            {"title": "attestation by an owner", "methods": ["manager_attestation", "owner_quorum"], "gate": true, "state": "pending",
             "receipt": null, "why": "non-human subjects need an owner", "sessions": [
                {"id": "se-1", "method": "manager_attestation", "opened_at": at(-20), "expires_at": at(40), "tries_left": 3, "outcome": null}],
             "startable": [{"method": "manager_attestation", "endpoint": null, "attester": "p-ines", "label": "ask Ines Moreau to attest"}]}]},
        "lineage": [
            {"person": "p-nadia", "name": "Nadia Rahman", "duty": "automation_owner", "via": "triage-bot", "case": null, "sentence": "owns triage-bot"},
            {"person": "p-ines", "name": "Ines Moreau", "duty": "subject_owner", "via": null, "case": null, "sentence": "owns the subject"}],
        "evidence": [{"id": "ev-1", "kind": "log", "text": "403 forbidden \u{1b}[2J at 09:12", "salt": "00".repeat(16),
            "sha256": Digest::of(&[&[0; 16][..], "403 forbidden \u{1b}[2J at 09:12".as_bytes()].concat()), "by": "nadia", "at": at(-50), "late": false}],
        "comments": [{"by": "kofi", "at": at(-10), "text": "the owner is in a meeting"}],
        "handover": "owner answers after ten",
        "plan": {"target": "vault", "scope": ["payments.write"], "lifetime_seconds": null, "revokes_old": true, "rotates": ["s-2"],
            "reversible": false, "steps": ["make a new secret", "hand it to the workload", "revoke the old one"]},
        "you_cannot_decide": [], "allowed_actions": ["case_decide", "case_comment"], "refused_actions": [],
        "after_yours": {"persons": 0, "nearer": []},
        "accountable": [{"function": "business", "owner": "r.cole"}]
    })
}

fn history() -> Value {
    json!({
        "seal": {"sha256": digest("seal"), "revision": 1, "plan_sha256": digest("plan"), "evidence_sha256": digest("evidence"),
            "checklist_sha256": digest("checklist"), "policy_sha256": digest("policy"), "lineage_sha256": digest("lineage"), "requirement_sha256": digest("requirement"), "in_force_sha256": digest("policy"), "by": "kofi", "at": at(-8)},
        "approvals": [{"id": "ap-1", "revision": 1, "person": "p-lind", "name": "Astrid Lindqvist", "operator": "a.lindqvist",
            "decision": "approve", "reason": "seen with the owner", "at": at(-4), "signature": "none", "void": null}],
        "executions": [], "grants": [{"id": "gr-1", "scope": ["payments.write"], "expires_at": at(90), "ending": false, "revoked_at": null}]
    })
}

/// The statement about [`sealed`].
pub fn statement(decision: &str) -> Statement {
    let decision: Decision = serde_json::from_value(json!(decision)).unwrap();
    let (case, me) = (sealed(), ruiz());
    let log = SeenLog { size: 48_211, root_sha256: digest("root") };
    let mut out = Statement {
        statement: String::new(),
        nonce: "n-1".into(),
        seal_sha256: case.seal.as_ref().unwrap().sha256,
        version: case.row.version,
        issued: at(0),
        submit_before: at(10),
        origin: "countersign/0".into(),
        issuer: "countersign/0".into(),
        log,
    };
    let who = (me.operator.as_ref().unwrap(), me.person.as_ref().unwrap());
    out.statement = recompute::statement(&case, decision, who, &out).unwrap();
    out
}

/// A page of the log.
pub fn log() -> LogPage {
    let entry = |seq: u64, actor: &str, event: &str, case: Option<&str>, summary: &str| {
        json!({"seq": seq, "at": at(i64::try_from(seq).unwrap() - 60), "actor": actor, "event": event, "case": case, "summary": summary,
            "text": null, "leaf_sha256": digest(summary)})
    };
    let entries = json!([
        entry(0, "server", "founded", None, "founded: policy 1"),
        entry(1, "triage-bot for nadia", "opened", Some("CS-26-004127"), "opened: action secret rotation"),
        entry(2, "nadia", "refused", Some("CS-26-004127"), "refused: decide separation-of-duties"),
        entry(3, "kofi", "sealed", Some("CS-26-004127"), "sealed: revision 1"),
    ]);
    serde_json::from_value(json!({"entries": entries, "after": null, "size": 4, "root_sha256": digest("root")})).unwrap()
}

/// What the search finds.
pub fn subjects() -> SubjectPage {
    serde_json::from_value(json!({"rows": [{"id": "s-1", "name": "payments-batch", "kind": "service_account", "tier": "privileged",
        "open_cases": ["CS-26-004090"]}]}))
    .unwrap()
}

/// Its record.
pub fn subject() -> SubjectRow {
    serde_json::from_value(json!({"id": "s-1", "name": "payments-batch", "kind": "service_account", "tier": "privileged",
        "open_cases": ["CS-26-004090"], "entitlements": [{"target": "vault", "scopes": ["payments.read", "payments.write"]}],
        "endpoints": [{"id": "ep-1", "kind": "email", "confirmed_at": null, "recorded_at": at(-90000)}]}))
    .unwrap()
}

/// What routing would cost.
pub fn preview() -> RoutePreview {
    let case = proofing();
    serde_json::from_value(json!({"lineage": case.lineage, "you_give_up": true, "could_decide": case.could_decide, "checklist": case.checklist,
        "approvals_needed": case.approvals_needed, "problem": null}))
    .unwrap()
}

/// What policy says about a case.
pub fn explained() -> Value {
    json!({"pinned_sha256": digest("policy"), "current_sha256": digest("policy"), "approvals_needed": "2 persons, one of security",
        "checklist": proofing().checklist, "terms": ["delay before execution: 0 s", "a case expires after: 259200 s"],
        "rules": [
            {"rule": "base", "why": "every case", "line": null, "asks": ["approvals: 1"], "of": "both"},
            {"rule": "privileged", "why": "Who holds much is proved by more.", "line": 128, "asks": ["approvals: 2", "approvals from security: 1"], "of": "both"}],
        "asked": [{"item": "approvals: 2", "rules": ["privileged"]}],
        "accountable": [{"function": "business", "owner": "r.cole"}]})
}
