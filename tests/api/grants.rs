//! Temporary access over the API: listed for whoever works here, ended by whoever may, with a reason.

use std::sync::Arc;

use axum::http::StatusCode;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, Case, Grant, Worker};
use countersign::domain::event::CaseEvent;
use countersign::store::{CaseChange, Change};
use serde_json::{Value, json};

use crate::house::{Answer, House};

/// A case that gave access for so many minutes from now.
async fn granting(house: &House, key: &str, minutes: i64) -> CaseId {
    let opened = house.open("nadia", key).await;
    let id: CaseId = opened.body["row"]["id"].as_str().unwrap_or_else(|| panic!("{}", opened.body)).parse().unwrap();
    let (store, now) = (&house.service.store, house.service.now());
    let before = store.case(id).await.unwrap().unwrap();
    let grant = Grant {
        id: format!("grt-{key}").parse().unwrap(),
        scope: ["login".parse().unwrap()].into(),
        since: now,
        expires_at: now + chrono::Duration::minutes(minutes),
        ending: None,
        reason: None,
        revoked_at: None,
    };
    let mut change = Change::new(ActorRef::System { worker: Worker::Executor }, now);
    change.reads.cases = vec![(id, before.version)];
    let events = vec![CaseEvent::Granted { grant }];
    let mut after = Case::clone(&before);
    for event in &events {
        after = Case::apply(Some(after), id, event, now).unwrap();
    }
    let row = store.row(id).await.unwrap().unwrap();
    change.case = Some(CaseChange { row: countersign::domain::view::CaseRow { version: after.changed, ..row }, events, after: Arc::new(after) });
    store.commit(change).await.unwrap();
    id
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["rows"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect()
}

async fn revoke(house: &House, who: &str, row: &Value, key: &str, body: &Value) -> Answer {
    let path = format!("/v1/cases/{}/grants/{}/revoke", row["case"].as_str().unwrap(), row["id"].as_str().unwrap());
    let tag = format!("\"{}\"", row["version"]);
    house.send("POST", &path, Some(house.token(who)), &[("idempotency-key", key), ("if-match", &tag)], Some(body)).await
}

#[tokio::test]
async fn grants_are_listed_by_their_end_page_by_page() {
    let house = House::new().await;
    assert_eq!(house.get("/v1/grants", "nadia").await.body, json!({"rows": [], "after": null}));
    for (key, minutes) in [("a", 90), ("b", 30), ("c", 60)] {
        granting(&house, key, minutes).await;
    }
    let first = house.get("/v1/grants?limit=2", "sam").await;
    assert_eq!(names(&first), ["grt-b", "grt-c"]);
    let rest = house.get(&format!("/v1/grants?limit=2&after={}", first.body["after"].as_str().unwrap()), "sam").await;
    assert_eq!((names(&rest), &rest.body["after"]), (vec!["grt-a"], &Value::Null));
    assert_eq!(names(&house.get("/v1/grants?state=all", "omar").await), ["grt-a", "grt-c", "grt-b"]);
    let row = &first.body["rows"][0];
    assert_eq!(
        (&row["subject_name"], &row["target"], &row["state"], &row["scope"]),
        (&json!("M. Okafor"), &json!("directory"), &json!("active"), &json!(["login"]))
    );
    for (query, status) in [("limit=0", 400), ("limit=201", 400), ("state=dead", 400), ("after=zz", 422), ("nope=1", 400)] {
        assert_eq!(house.get(&format!("/v1/grants?{query}"), "sam").await.status.as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn invariant_11_whoever_may_ends_a_grant_with_a_reason_once() {
    let house = House::new().await;
    let id = granting(&house, "a", 90).await;
    let seen = async |who: &str| house.get("/v1/grants", who).await.body["rows"][0].clone();
    let row = seen("nadia").await;
    assert_eq!(row["refused"], Value::Null);
    let barred = seen("omar").await["refused"].as_str().unwrap().to_owned();
    assert!(barred.contains("support agent"), "{barred}");
    assert_eq!(revoke(&house, "omar", &row, "k0", &json!({"text": "mine"})).await.status, StatusCode::FORBIDDEN);
    for (key, body) in [("k1", json!({})), ("k2", json!({"text": " "}))] {
        let answer = revoke(&house, "nadia", &row, key, &body).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{body}: {}", answer.body);
    }
    let row = seen("nadia").await;
    let done = revoke(&house, "nadia", &row, "k3", &json!({"text": "handed back by phone"})).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let grant = &done.body["grants"][0];
    assert_eq!((&grant["ending"], &grant["reason"]), (&json!(true), &json!("handed back by phone")));
    let row = seen("nadia").await;
    assert_eq!((&row["state"], &row["ending_why"], &row["revoked_at"]), (&json!("ending"), &json!("handed_back"), &Value::Null));
    assert!(row["ending_since"].is_string() && row["refused"].as_str().unwrap().contains("ending already"), "{row}");
    let again = revoke(&house, "nadia", &row, "k4", &json!({"text": "again"})).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    let timeline = house.get(&format!("/v1/cases/{id}/timeline"), "sam").await.body.to_string();
    assert!(timeline.contains("temporary access grt-a is to end: ended by hand") && timeline.contains("handed back by phone"), "{timeline}");
    let software = house.get("/v1/grants", "triage-bot").await;
    assert_eq!((software.status, software.code().as_str()), (StatusCode::FORBIDDEN, "not-permitted"));
}
