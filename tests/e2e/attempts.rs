//! The ways an agent may try to have their own case decided by themselves, each refused by the API with the duty that stands in the way.
//!
//! Contract: each attempt must be refused with its code, change nothing (neither the case nor the target) and leave one entry in the log.

use countersign::api::case::{CaseDetail, Statement};
use countersign::api::recompute;
use countersign::api::words::Decision;
use serde_json::{Value, json};

use crate::demo::Demo;

/// All that a decision could change: the case as it stands, and what the target holds.
async fn standing(demo: &Demo, case: &str) -> Value {
    let now = demo.case(case).await;
    let account = demo.account(now["row"]["subject"].as_str().unwrap()).await;
    json!([now["row"]["state"], now["row"]["version"], now["seal"], now["approvals"], now["lineage"], now["executions"], account])
}

/// Events of a case's timeline, in order.
pub async fn timeline(demo: &Demo, case: &str) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), 0);
    loop {
        let (status, page) = demo.get("nadia", &format!("/v1/cases/{case}/timeline?limit=200&after={after}")).await;
        assert_eq!(status, 200, "{page}");
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["after"].as_u64() {
            Some(next) => after = next,
            None => return entries,
        }
    }
}

/// Refused decisions that the log has of someone on a case, with that code.
pub async fn refusals(demo: &Demo, case: &str, actor: &str, code: &str) -> usize {
    let of = |e: &&Value| {
        let (by, summary) = (e["actor"].as_str().unwrap(), e["summary"].as_str().unwrap());
        e["event"] == "refused" && by.split(' ').next() == Some(actor) && summary.contains("decide") && summary.contains(code)
    };
    timeline(demo, case).await.iter().filter(of).count()
}

/// A try that is refused with that code: nothing changed, and the log has one refusal of that actor more.
async fn refused(demo: &Demo, (who, actor): (&str, &str), case: &str, decision: &str, code: &str) -> Value {
    let (before, logged) = (standing(demo, case).await, refusals(demo, case, actor, code).await);
    let (status, problem) = demo.decide(who, case, decision).await;
    let kind = format!("urn:countersign:problem:{code}");
    assert_eq!((status, problem["type"].as_str()), (403, Some(kind.as_str())), "{actor} {decision}: {problem:#}");
    assert_eq!(standing(demo, case).await, before, "{actor} {decision} changed something");
    assert_eq!(refusals(demo, case, actor, code).await, logged + 1, "{actor} {decision} stands in the log");
    problem
}

/// A refusal by separation of duties that names the person, and who could decide.
async fn separate(demo: &Demo, who: &str, person: &str, case: &str, decision: &str) -> Value {
    let problem = refused(demo, (who, who), case, decision, "separation-of-duties").await;
    assert!(problem["duties"].as_array().unwrap().iter().any(|d| d["person"] == person), "{who}: {problem:#}");
    assert!(!problem["detail"].as_str().unwrap().is_empty() && problem["could_decide"].is_object(), "{who}: {problem:#}");
    problem
}

/// With the own token, and with a second account of the same person.
pub async fn own_token_and_second_account(demo: &Demo, case: &str) {
    for (who, decision) in [("nadia", "approve"), ("nadia", "deny"), ("nadia.deputy", "approve"), ("nadia.deputy", "deny")] {
        separate(demo, who, "p-nadia", case, decision).await;
    }
}

/// Through a bot that one owns, and through a token of it that says for whom it acts.
pub async fn own_bot_and_bot_acting_for_them(demo: &Demo, case: &str) {
    let body = json!({"automation": "triage-bot", "on_behalf_of": ["p-nadia"], "hours": 1});
    let (status, issued) = demo.post("nadia", "/v1/register/tokens", &body, None).await;
    assert_eq!(status, 200, "{issued:#}");
    let acting = issued["secret"].as_str().unwrap().to_owned();
    for bot in ["triage-bot", &acting] {
        refused(demo, (bot, "triage-bot"), case, "approve", "not-permitted").await;
    }
}

/// Through the colleague who stood in for them until ten days ago.
pub async fn delegation(demo: &Demo, case: &str) {
    separate(demo, "m.chen", "p-m.chen", case, "approve").await;
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
    separate(demo, "nadia.deputy", "p-nadia", case, "approve").await;
    separate(demo, "tom.becker", "p-tom.becker", case, "approve").await;
}

/// Withdrawn by the agent and created again by someone else: the agent's hand in the first one counts in the second.
pub async fn withdrawn_and_created_again(demo: &Demo, again: &str, first: &str) {
    for who in ["nadia", "nadia.deputy"] {
        let problem = separate(demo, who, "p-nadia", again, "approve").await;
        let by_case = |d: &Value| d["person"] == "p-nadia" && d["case"] == first;
        assert!(problem["duties"].as_array().unwrap().iter().any(by_case), "{problem:#}");
    }
}

/// All of them that can be made on one sealed case that its agent opened or owns the opener of, and that was routed anew since.
pub async fn all(demo: &Demo, case: &str) {
    own_token_and_second_account(demo, case).await;
    own_bot_and_bot_acting_for_them(demo, case).await;
    delegation(demo, case).await;
    after_rerouting(demo, case).await;
}

/// The log tells all of it, in order, refusals of everyone who tried included.
pub async fn told(demo: &Demo, case: &str) {
    let entries = timeline(demo, case).await;
    let events: Vec<&str> = entries.iter().map(|e| e["event"].as_str().unwrap()).collect();
    let mut rest = events.iter();
    for event in ["opened", "routed", "triaged", "session_opened", "proved", "sealed", "refused", "decided", "execution_started", "execution_ended"] {
        assert!(rest.any(|e| *e == event), "{event} is not where it should be in {events:?}");
    }
    for (who, code) in [("nadia", "separation"), ("nadia.deputy", "separation"), ("m.chen", "separation"), ("tom.becker", "separation")] {
        assert!(refusals(demo, case, who, code).await >= 1, "no refusal of {who} in {entries:#?}");
    }
    assert_eq!(refusals(demo, case, "triage-bot", "not-permitted").await, 2);
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
