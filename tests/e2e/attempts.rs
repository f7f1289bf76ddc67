//! The ways an agent may try to have their own case decided by themselves, each refused by the API with the duty that stands in the way.

use countersign::api::case::{CaseDetail, Statement};
use countersign::api::recompute;
use countersign::api::words::Decision;
use serde_json::{Value, json};

use crate::demo::Demo;

/// A refusal by separation of duties that names the person.
fn separate(who: &str, person: &str, (status, problem): &(u16, Value)) {
    assert_eq!((*status, problem["type"].as_str()), (403, Some("urn:countersign:problem:separation-of-duties")), "{who}: {problem:#}");
    assert!(problem["duties"].as_array().unwrap().iter().any(|d| d["person"] == person), "{who}: {problem:#}");
    assert!(!problem["detail"].as_str().unwrap().is_empty() && problem["could_decide"].is_object(), "{who}: {problem:#}");
}

/// With the own token, and with a second account of the same person.
pub async fn own_token_and_second_account(demo: &Demo, case: &str) {
    for (who, decision) in [("nadia", "approve"), ("nadia.deputy", "approve"), ("nadia.deputy", "deny")] {
        separate(who, "p-nadia", &demo.decide(who, case, decision).await);
    }
}

/// Through a bot that one owns, and through a token of it that says for whom it acts.
pub async fn own_bot_and_bot_acting_for_them(demo: &Demo, case: &str) {
    let body = json!({"automation": "triage-bot", "on_behalf_of": ["p-nadia"], "hours": 1});
    let (status, issued) = demo.post("nadia", "/v1/register/tokens", &body, None).await;
    assert_eq!(status, 200, "{issued:#}");
    let acting = issued["secret"].as_str().unwrap().to_owned();
    for bot in ["triage-bot", &acting] {
        let (status, problem) = demo.decide(bot, case, "approve").await;
        assert_eq!(status, 403, "{problem:#}");
        assert_eq!(problem["type"], "urn:countersign:problem:not-permitted", "{problem:#}");
    }
}

/// Through the colleague who stood in for them until ten days ago.
pub async fn delegation(demo: &Demo, case: &str) {
    separate("m.chen", "p-m.chen", &demo.decide("m.chen", case, "approve").await);
}

/// After someone else has routed it anew: both who routed it then and who routed it before stay in the lineage.
pub async fn rerouted_by_someone_else(demo: &Demo, case: &str) {
    let now = demo.case(case).await;
    let body = json!({"action": "password_reset", "path": now["row"]["path"], "target": now["target"], "scope": now["scope"]});
    demo.act("tom.becker", case, "route", &body).await;
    let after = demo.case(case).await;
    let routers: Vec<&Value> = after["lineage"].as_array().unwrap().iter().filter(|d| d["duty"] == "router").map(|d| &d["person"]).collect();
    assert!(routers.contains(&&json!("p-tom.becker")), "{:#}", after["lineage"]);
}

/// After it was routed anew, neither decides.
pub async fn after_rerouting(demo: &Demo, case: &str) {
    separate("nadia.deputy", "p-nadia", &demo.decide("nadia.deputy", case, "approve").await);
    separate("tom.becker", "p-tom.becker", &demo.decide("tom.becker", case, "approve").await);
}

/// Withdrawn by the agent and created again by someone else: the agent's hand in the first one counts in the second.
pub async fn withdrawn_and_created_again(demo: &Demo, again: &str, first: &str) {
    let answer = demo.decide("nadia.deputy", again, "approve").await;
    separate("nadia.deputy", "p-nadia", &answer);
    let by_case = |d: &Value| d["person"] == "p-nadia" && d["case"] == first;
    assert!(answer.1["duties"].as_array().unwrap().iter().any(by_case), "{:#}", answer.1);
}

/// T10: the seal and the statement follow, byte for byte, from what the API shows of a sealed case.
pub async fn what_is_shown_is_what_is_signed(demo: &Demo, case: &str, who: (&str, &str)) {
    let shown: CaseDetail = serde_json::from_value(demo.case(case).await).unwrap();
    assert_eq!(recompute::differences(&shown), Vec::<&str>::new());
    let (status, answer) = demo.get(who.0, &format!("/v1/cases/{case}/statement")).await;
    assert_eq!(status, 200, "{answer:#}");
    let issued: Statement = serde_json::from_value(answer).unwrap();
    let account = who.0.parse().unwrap();
    let own = recompute::statement(&shown, Decision::Approve, (&account, &who.1.parse().unwrap()), &issued);
    assert_eq!(own.as_deref(), Some(issued.statement.as_str()));
}
