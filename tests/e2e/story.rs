//! The whole story over the network: routed, proved, refused in every way, approved by others, carried out at the target, restored, logged.

use serde_json::{Value, json};

use crate::attempts;
use crate::demo::Demo;
use crate::proving::triaged_and_proved;

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_routes_its_owner_is_refused_in_every_way_a_supervisor_approves_and_access_is_back() {
    let demo = Demo::start();
    let subject = "n.ferreira";
    let held = demo.account(subject).await;
    let case = demo.open("triage-bot", subject, "account_unlock", "assisted").await;
    attempts::rerouted_by_someone_else(&demo, &case).await;
    triaged_and_proved(&demo, "nadia", &case, &["issued_code"]).await;
    demo.act("nadia", &case, "seal", &json!({})).await;

    attempts::all(&demo, &case).await;
    let still = demo.case(&case).await;
    assert_eq!((&still["row"]["state"], still["approvals"].as_array().unwrap().len()), (&Value::from("sealed"), 0));
    assert_eq!(demo.account(subject).await, held, "the target was not touched");

    attempts::what_is_shown_is_what_is_signed(&demo, &case, ("d.ruiz", "p-d.ruiz")).await;
    let (status, approved) = demo.decide("d.ruiz", &case, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    restored(&demo, subject, &case, &held, &json!(["mail"])).await;
    let told = demo.letter("n.ferreira@ferrol.example", &["A recovery was completed", &case]);
    assert!(told.body.contains("/n/"));

    attempts::told(&demo, &case).await;
}

/// Restored, and the target says so too.
pub async fn restored(demo: &Demo, subject: &str, case: &str, before: &Value, scope: &Value) {
    let restored = demo.until(case, "restored").await;
    let execution = restored["executions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(execution["restored_scope"], *scope, "{execution:#}");
    let now = demo.account(subject).await;
    assert_eq!((&now["status"], &now["scope"]), (&Value::from("active"), scope));
    assert!(now["generation"].as_u64() > before["generation"].as_u64(), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bots_case_about_a_machine_takes_two_codes_and_its_owners_word() {
    let demo = Demo::start();
    let subject = "invoice-batch";
    let held = demo.account(subject).await;
    let (_, found) = demo.get("nadia", &format!("/v1/subjects/{subject}")).await;
    let case = found["open_cases"][0].as_str().unwrap().to_owned();
    triaged_and_proved(&demo, "nadia", &case, &["issued_code", "saved_code", "manager_attestation"]).await;
    demo.act("nadia", &case, "seal", &json!({})).await;
    attempts::own_token_and_second_account(&demo, &case).await;
    attempts::what_is_shown_is_what_is_signed(&demo, &case, ("d.ruiz", "p-d.ruiz")).await;
    let (status, approved) = demo.decide("d.ruiz", &case, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    restored(&demo, subject, &case, &held, &json!(["invoices.read"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_withdrawn_and_created_again_keeps_its_hands_and_waits_before_it_is_carried_out() {
    let demo = Demo::start();
    let first = demo.open("nadia", "p.rossi", "password_reset", "assisted").await;
    demo.act("nadia", &first, "withdraw", &json!({"text": "they remembered"})).await;
    let again = demo.open("tom.becker", "p.rossi", "password_reset", "assisted").await;
    triaged_and_proved(&demo, "tom.becker", &again, &["issued_code", "manager_attestation"]).await;
    demo.act("tom.becker", &again, "seal", &json!({})).await;
    attempts::withdrawn_and_created_again(&demo, &again, &first).await;
    let (status, approved) = demo.decide("d.ruiz", &again, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    assert_eq!(approved["row"]["state"], "approved");
    assert!(
        approved["execute_after"].is_string() && approved["executions"].as_array().unwrap().is_empty(),
        "a repeated request leaves time to object"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn security_decides_beside_a_supervisor_where_policy_asks() {
    let demo = Demo::start();
    let urgent = demo.open("nadia", "j.costa", "account_unlock", "break_glass").await;
    triaged_and_proved(&demo, "nadia", &urgent, &["issued_code"]).await;
    demo.act("nadia", &urgent, "seal", &json!({})).await;
    let (status, first) = demo.decide("d.ruiz", &urgent, "approve").await;
    assert_eq!((status, &first["row"]["state"]), (200, &json!("sealed")), "a supervisor alone is not enough: {first:#}");
    let (status, second) = demo.decide("a.lindqvist", &urgent, "approve").await;
    assert_eq!(status, 200, "{second:#}");
    demo.until(&urgent, "restored").await;
}
