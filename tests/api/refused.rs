//! Every refusal of someone known is in the log, bounded: as an entry of its own, or as a number (invariant 8).

use std::sync::Arc;

use axum::http::StatusCode;
use countersign::domain::event::{Body, CaseEvent, RegisterEvent};
use countersign::service::refused::PER_MINUTE;
use serde_json::{Value, json};

use crate::house::{Answer, House};
use crate::ports::{START, TestClock};
use crate::served::Served;

/// What the log says of refusals: those with an entry of their own as `account: command refusal`, and the numbers as `account: code times`.
async fn log(house: &House) -> (Vec<String>, Vec<String>) {
    let (mut alone, mut counted, mut from) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = house.service.store.entries(from, 200).await.unwrap();
        for entry in &page {
            let actor = serde_json::to_value(&entry.actor).unwrap();
            let who = ["operator", "automation", "worker"].iter().find_map(|k| actor[*k].as_str()).unwrap_or("?").to_owned();
            match &entry.body {
                Body::Case { event: CaseEvent::Refused { command, refusal, .. }, case, .. } => {
                    alone.push(format!("{who}: {command} {refusal} {case}"));
                }
                Body::Register { event: RegisterEvent::Refused { command, refusal, .. }, .. } => alone.push(format!("{who}: {command} {refusal}")),
                Body::Register { event: RegisterEvent::RefusedMany { counts, others, person, .. }, .. } => {
                    assert_eq!((*others, person.is_some()), (false, who != "triage-bot"));
                    counted.extend(counts.iter().map(|(code, n)| format!("{who}: {code} {n}")));
                }
                _ => {}
            }
        }
        let Some(last) = page.last() else { return (alone, counted) };
        from = last.seq + 1;
    }
}

/// Counting by the minute: thirty seconds more are the next one.
fn in_the_middle_of_a_minute() -> Arc<TestClock> {
    TestClock::from(START + 30_000)
}

async fn size(house: &House) -> u64 {
    house.service.store.head().await.unwrap().0
}

async fn post(house: &House, who: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    house.send("POST", path, Some(house.token(who)), headers, Some(body)).await
}

#[tokio::test]
async fn invariant_08_a_write_that_came_too_late_or_twice_is_an_entry_of_its_own() {
    let house = House::by_clock(in_the_middle_of_a_minute()).await;
    let opened = house.open("nadia", "k1").await;
    let id = opened.body["row"]["id"].as_str().unwrap();
    let comments = format!("/v1/cases/{id}/comments");
    let text = json!({"text": "called back"});
    let stale = post(&house, "sam", &comments, &[("idempotency-key", "a"), ("if-match", "\"9999\"")], &text).await;
    assert_eq!((stale.status, stale.code().as_str()), (StatusCode::PRECONDITION_FAILED, "stale"));
    let mut other = House::request();
    other["channel"] = json!("chat");
    let reused = post(&house, "nadia", "/v1/cases", &[("idempotency-key", "k1")], &other).await;
    assert_eq!(reused.code(), "idempotency-key-reused");
    // The same key twice at once: whichever comes second is told that the first is in hand.
    let bodies = (House::request(), House::request());
    let twice = tokio::join!(
        post(&house, "nadia", "/v1/cases", &[("idempotency-key", "k2")], &bodies.0),
        post(&house, "nadia", "/v1/cases", &[("idempotency-key", "k2")], &bodies.1)
    );
    let conflict = twice.0.status == StatusCode::CONFLICT || twice.1.status == StatusCode::CONFLICT;
    assert!(conflict, "{} {}", twice.0.status, twice.1.status);
    let none = "CS-26-999999";
    let missing = post(&house, "sam", &format!("/v1/cases/{none}/comments"), &[("idempotency-key", "b"), ("if-match", "\"1\"")], &text).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    house.service.write_counts(true).await;
    let (alone, counted) = log(&house).await;
    let wanted =
        [format!("sam: case_comment stale {id}"), "nadia: case_open idempotency-key-reused".to_owned(), "nadia: case_open in-flight".to_owned()];
    assert_eq!(alone, wanted);
    assert_eq!(counted, ["sam: not-found 1"]);
    let seen = house.get(&format!("/v1/cases/{id}"), "sam").await;
    assert_eq!(seen.etag, opened.etag, "a refusal makes nobody's view stale");
}

#[tokio::test]
async fn invariant_08_what_could_not_be_understood_is_one_entry_a_minute_and_principal() {
    let clock = in_the_middle_of_a_minute();
    let house = House::by_clock(clock.clone()).await;
    let opened = house.open("nadia", "k1").await;
    let seal = format!("/v1/cases/{}/seal", opened.body["row"]["id"].as_str().unwrap());
    let etag = opened.etag.as_deref().unwrap();
    let before = size(&house).await;
    for key in ["a", "b", "c"] {
        let wrong = post(&house, "nadia", &seal, &[("idempotency-key", key), ("if-match", etag)], &json!({"surprise": 1})).await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(post(&house, "nadia", &seal, &[("idempotency-key", "d")], &json!({})).await.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(post(&house, "nadia", &seal, &[], &json!({})).await.code(), "idempotency-key-missing");
    let large = json!({"text": "x".repeat(70_000)});
    assert_eq!(post(&house, "nadia", "/v1/cases", &[("idempotency-key", "e")], &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let change = json!({"change": {"change": "nonsense"}});
    let meaningless = post(&house, "omar", "/v1/register/changes", &[("idempotency-key", "f")], &change).await;
    assert_eq!(meaningless.status, StatusCode::UNPROCESSABLE_ENTITY);
    // A read that is refused counts as well.
    assert_eq!(house.get("/v1/cases?limit=0", "sam").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.get("/v1/cases?filter=risk:huge", "sam").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let plain = [("content-type", "text/plain"), ("idempotency-key", "g")];
    let typed = house.send("POST", "/v1/cases", Some(house.token("triage-bot")), &plain, Some(&House::request())).await;
    assert_eq!(typed.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", typed.body);
    assert_eq!(size(&house).await, before, "nothing is written before the minute is over");
    house.service.write_counts(false).await;
    assert_eq!(size(&house).await, before, "the minute is not over");
    clock.pass(30);
    house.service.write_counts(false).await;
    let (alone, mut counted) = log(&house).await;
    counted.sort();
    let wanted = [
        "nadia: idempotency-key-missing 1",
        "nadia: if-match-missing 1",
        "nadia: invalid 3",
        "nadia: too-large 1",
        "omar: invalid 1",
        "sam: invalid 2",
        "triage-bot: not-json 1",
    ];
    assert_eq!((alone, counted), (Vec::new(), wanted.map(str::to_owned).to_vec()));
    assert_eq!(size(&house).await, before + 4, "one entry for each of the four");
    let read = house.get("/v1/log?limit=200", "omar").await;
    let many: Vec<&Value> = read.body["entries"].as_array().unwrap().iter().filter(|e| e["event"] == "refused_many").collect();
    let sentences: Vec<&str> = many.iter().map(|e| e["summary"].as_str().unwrap()).collect();
    for who in ["to person p-nadia ", "to person p-omar ", "to person p-sam ", ""] {
        let begins = format!("refused many {who}in the minute of ");
        assert_eq!(sentences.iter().filter(|s| s.starts_with(&begins)).count(), 1, "{who}: {sentences:?}");
    }
}

#[tokio::test]
async fn invariant_08_beyond_the_bound_refusals_are_a_number_that_is_written_when_the_minute_ends() {
    let clock = in_the_middle_of_a_minute();
    let house = House::by_clock(clock.clone()).await;
    let opened = house.open("nadia", "k1").await;
    let comments = format!("/v1/cases/{}/comments", opened.body["row"]["id"].as_str().unwrap());
    let before = size(&house).await;
    let times = PER_MINUTE + 15;
    for n in 0..times {
        let key = format!("s{n}");
        let headers = [("idempotency-key", key.as_str()), ("if-match", "\"9999\"")];
        assert_eq!(post(&house, "sam", &comments, &headers, &json!({"text": "again"})).await.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(house.get("/v1/register", "nadia").await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(size(&house).await, before + 2 * u64::from(PER_MINUTE));
    clock.pass(30);
    house.service.write_counts(false).await;
    let (alone, mut counted) = log(&house).await;
    counted.sort();
    assert_eq!(alone.len(), 2 * PER_MINUTE as usize);
    assert_eq!(counted, ["nadia: not-permitted 15", "sam: stale 15"]);
    house.service.write_counts(true).await;
    assert_eq!(size(&house).await, before + 2 * u64::from(PER_MINUTE) + 2, "a number is written once");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_08_what_was_only_counted_is_written_when_the_server_ends() {
    let served = Served::with(countersign::server::ServerConfig::default()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("http://{}/v1/cases?limit=0", served.staff)).bearer_auth(served.house.token("sam"));
    assert_eq!(asked.send().await.unwrap().status(), 400);
    let house = served.end().await;
    let (alone, counted) = log(&house).await;
    assert_eq!((alone, counted), (Vec::new(), vec!["sam: invalid 1".to_owned()]));
}
