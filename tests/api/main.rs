//! The staff API, its router in process, against a real store in a throw-away folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod grants;
mod house;
mod limits;
#[path = "../support/ports.rs"]
mod ports;
mod reads;
mod refused;
mod register;
mod served;
mod silent;
mod streams;
mod wire;

use axum::http::StatusCode;
use house::House;
use serde_json::json;

#[tokio::test]
async fn every_operation_without_a_good_token_is_401_and_a_problem() {
    let house = House::new().await;
    for (method, path, _) in countersign::server::routes::OPERATIONS {
        let path = path.replace("{id}", "CS-26-000001").replace("{grant}", "g");
        for token in [None, Some("cs_tok-1_00"), Some("nonsense")] {
            let answer = house.send(method, &path, token, &[("idempotency-key", "k")], Some(&json!({}))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.code(), "unauthenticated");
            assert!(answer.body["request_id"].as_str().unwrap().starts_with("req-"));
        }
    }
}

#[tokio::test]
async fn software_reaches_only_what_the_access_table_gives_it() {
    let house = House::new().await;
    for (method, path, operation) in countersign::server::routes::OPERATIONS {
        let path = path.replace("{id}", "CS-26-000001").replace("{grant}", "g");
        let answer = house.send(method, &path, Some(house.token("triage-bot")), &[("idempotency-key", "k")], Some(&json!({}))).await;
        if operation.row().scopes.is_empty() {
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "not-permitted"), "{method} {path}");
        } else if *operation == countersign::domain::access::Operation::CaseRead {
            // Software reads its own cases only; someone else's and one that does not exist are answered alike.
            assert_eq!(answer.code(), "not-permitted", "{method} {path}");
        } else {
            assert_ne!(answer.code(), "not-permitted", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_case_is_opened_once_however_often_it_is_sent() {
    let house = House::new().await;
    let first = house.open("nadia", "k1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let again = house.open("nadia", "k1").await;
    assert_eq!((again.status, &again.body["row"]["id"]), (StatusCode::CREATED, &first.body["row"]["id"]));
    let mut other = House::request();
    other["channel"] = json!("chat");
    let reused = house.send("POST", "/v1/cases", Some(house.token("nadia")), &[("idempotency-key", "k1")], Some(&other)).await;
    assert_eq!((reused.status, reused.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused"));
    let none = house.send("POST", "/v1/cases", Some(house.token("nadia")), &[], Some(&other)).await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::BAD_REQUEST, "idempotency-key-missing"));
    let list = house.get("/v1/cases", "sam").await;
    assert_eq!(list.body["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn writes_on_a_case_need_the_version_that_was_seen() {
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let path = format!("/v1/cases/{}/comments", opened.body["row"]["id"].as_str().unwrap());
    let body = json!({"text": "called back"});
    let send = |key: &'static str, tag: Option<String>| {
        let (house, path, body) = (&house, path.clone(), body.clone());
        async move {
            let mut headers = vec![("idempotency-key", key)];
            if let Some(tag) = &tag {
                headers.push(("if-match", tag.as_str()));
            }
            house.send("POST", &path, Some(house.token("nadia")), &headers, Some(&body)).await
        }
    };
    assert_eq!(send("a", None).await.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(send("b", Some("\"1".to_owned())).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send("c", Some("\"9999\"".to_owned())).await.status, StatusCode::PRECONDITION_FAILED);
    let good = send("d", opened.etag.clone()).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.body);
    assert_eq!(good.body["comments"][0]["text"], "called back");
    assert_ne!(good.etag, opened.etag);
    assert_eq!(send("e", opened.etag.clone()).await.status, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn invariant_01_whoever_routed_is_refused_with_every_duty_and_it_is_in_the_log() {
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let id = opened.body["row"]["id"].as_str().unwrap().to_owned();
    let body = json!({"decision": "approve", "seal_sha256": "0".repeat(64), "nonce": "1.2", "reason": "fine"});
    let path = format!("/v1/cases/{id}/decisions");
    for (who, code) in [("nadia", "separation-of-duties"), ("nadia-two", "separation-of-duties"), ("triage-bot", "not-permitted")] {
        let etag = house.get(&format!("/v1/cases/{id}"), "sam").await.etag.unwrap();
        let headers = [("idempotency-key", who), ("if-match", etag.as_str())];
        let refused = house.send("POST", &path, Some(house.token(who)), &headers, Some(&body)).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, code), "{who}: {}", refused.body);
    }
    let timeline = house.get(&format!("/v1/cases/{id}/timeline"), "sam").await;
    let refused = timeline.body["entries"].as_array().unwrap().iter().filter(|e| e["event"] == "refused").count();
    assert_eq!(refused, 3, "{}", timeline.body);
}

#[tokio::test]
async fn malformed_input_is_refused_with_a_sentence_and_changes_nothing() {
    let house = House::new().await;
    let before = house.get("/v1/counts", "sam").await.body["log"].clone();
    let fields: Vec<String> = House::request().as_object().unwrap().keys().cloned().collect();
    for (at, field) in fields.iter().enumerate() {
        for wrong in [json!(7), json!({"a": []}), json!("\u{1b}[31m*")] {
            let mut body = House::request();
            body[field] = wrong.clone();
            let key = format!("m{at}{}", wrong.to_string().len());
            let answer = house.send("POST", "/v1/cases", Some(house.token("nadia")), &[("idempotency-key", &key)], Some(&body)).await;
            if field == "summary" && wrong.is_string() {
                continue;
            }
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field} {wrong} {}", answer.body);
            assert!(!answer.body.to_string().contains("\\u001b"), "{}", answer.body);
        }
    }
    let mut more = House::request();
    more["lineage"] = json!([]);
    let slipped = house.send("POST", "/v1/cases", Some(house.token("nadia")), &[("idempotency-key", "x")], Some(&more)).await;
    assert_eq!(slipped.status, StatusCode::BAD_REQUEST);
    let bomb = json!({"text": "x".repeat(70_000)});
    let large = house.send("POST", "/v1/cases", Some(house.token("nadia")), &[("idempotency-key", "y")], Some(&bomb)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let large = house.get("/v1/cases?limit=99999", "sam").await.body["detail"].to_string();
    assert!(large.contains("limit") && large.contains("larger than any number that is taken"), "{large}");
    for path in ["/v1/cases?limit=0", "/v1/cases?nope=1", "/v1/cases/x", "/v1/log?after=-1"] {
        assert_eq!(house.get(path, "sam").await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(house.get("/v1/cases?filter=risk:huge", "sam").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.get("/v1/nowhere", "sam").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.send("DELETE", "/v1/me", Some(house.token("sam")), &[], None).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let after = house.get("/v1/counts", "sam").await.body["log"].as_u64().unwrap();
    assert!(after <= before.as_u64().unwrap() + 12, "only the one honest summary may have opened a case");
}

#[tokio::test]
async fn the_document_describes_every_operation_with_its_failures() {
    let house = House::new().await;
    let document = house.send("GET", "/v1/openapi.json", None, &[], None).await.body;
    for (method, path, _) in countersign::server::routes::OPERATIONS {
        let operation = &document["paths"][*path][method.to_lowercase()];
        assert!(operation["responses"]["401"].is_object() && operation["security"].is_array(), "{method} {path}");
    }
}
