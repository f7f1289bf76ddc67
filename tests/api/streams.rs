//! Event streams: resumed where one left, told what was missed, ended with the token that opened them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use countersign::base::Digest;
use countersign::domain::case::Worker;
use countersign::domain::command::RegisterCommand;
use countersign::server::ServerConfig;
use countersign::service::Ask;
use countersign::service::register::Beside;
use countersign::store::sqlite::SqliteOptions;
use futures_util::StreamExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::house::House;
use crate::served::PATIENCE;

type Stream = axum::body::BodyDataStream;

async fn listen(house: &House, token: &str, last: Option<u64>) -> Stream {
    let mut request = Request::get("/v1/events").header("authorization", format!("Bearer {token}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().into_data_stream()
}

/// Reads until the text holds that, or the stream ends.
async fn until(stream: &mut Stream, wanted: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.contains(wanted) {
            let Some(chunk) = stream.next().await else { break };
            text.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it comes in time");
    text
}

fn last_id(text: &str) -> u64 {
    text.lines().rev().find_map(|l| l.strip_prefix("id: ").or_else(|| l.strip_prefix("id:"))).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_stream_is_resumed_without_a_gap_and_without_what_was_seen() {
    let house = House::new().await;
    let mut live = listen(&house, house.token("sam"), None).await;
    house.open("nadia", "k1").await;
    let seen = until(&mut live, "\n\n").await;
    drop(live);
    let (second, third) = (house.open("nadia", "k2").await, house.open("nadia", "k3").await);
    let mut again = listen(&house, house.token("sam"), Some(last_id(&seen))).await;
    let id = |a: &crate::house::Answer| a.body["row"]["id"].as_str().unwrap().to_owned();
    let missed = until(&mut again, &id(&third)).await;
    assert!(missed.contains(&id(&second)), "{missed}");
    assert!(!missed.contains("event: lagged"), "{missed}");
    let mut nothing_new = listen(&house, house.token("sam"), Some(last_id(&missed))).await;
    let fourth = house.open("nadia", "k4").await;
    let live = until(&mut nothing_new, &id(&fourth)).await;
    assert!(!live.contains(&format!("\"id\":\"{}\"", id(&second))), "what was seen does not come again: {live}");
}

fn events(text: &str) -> Vec<(u64, String)> {
    let whole = text.split("\n\n").filter(|e| e.contains("data:"));
    whole.map(|e| (last_id(e), e.lines().find(|l| l.starts_with("data:")).unwrap_or_default().to_owned())).collect()
}

#[tokio::test]
async fn a_stream_that_breaks_while_it_catches_up_is_resumed_from_any_of_its_events() {
    let house = House::new().await;
    let mut cases = Vec::new();
    for key in ["k1", "k2", "k3"] {
        cases.push(house.open("nadia", key).await.body["row"]["id"].as_str().unwrap().to_owned());
    }
    // The first one moves again: what is told of it comes last.
    let path = format!("/v1/cases/{}/comments", cases[0]);
    let etag = house.get(&format!("/v1/cases/{}", cases[0]), "nadia").await.etag.unwrap();
    let headers = [("idempotency-key", "c"), ("if-match", etag.as_str())];
    let said = house.send("POST", &path, Some(house.token("nadia")), &headers, Some(&json!({"text": "called back"}))).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.body);
    cases.rotate_left(1);
    let last = format!("\"id\":\"{}\"", cases[2]);
    let mut whole = listen(&house, house.token("sam"), Some(0)).await;
    let all = events(&until(&mut whole, &last).await);
    assert!(all.len() >= 4 && all.is_sorted_by(|a, b| a.0 < b.0), "the register and three cases, each under an id of its own: {all:?}");
    for (at, (id, _)) in all.iter().enumerate().take(all.len() - 1) {
        let mut again = listen(&house, house.token("sam"), Some(*id)).await;
        let rest = events(&until(&mut again, &last).await);
        let missed = |case: &str| all[at + 1..].iter().any(|(_, data)| data.contains(case));
        for case in cases.iter().filter(|c| missed(c)) {
            assert!(rest.iter().any(|(_, data)| data.contains(case.as_str())), "{case} is missing after {id}: {rest:?}");
        }
        assert_eq!(rest.len(), all.len() - at - 1, "and nothing that was seen comes again: {rest:?}");
    }
}

#[tokio::test]
async fn a_stream_from_beyond_the_end_of_a_restored_log_is_told_to_load_again() {
    let house = House::new().await;
    let head = house.get("/v1/counts", "sam").await.body["log"].as_u64().unwrap() - 1;
    let mut beyond = listen(&house, house.token("sam"), Some(head + 5_000)).await;
    let text = until(&mut beyond, "\n\n").await;
    assert!(text.contains("event: lagged") && last_id(&text) == head, "{text}");
}

#[tokio::test]
async fn who_was_away_too_long_or_reads_too_slowly_is_told_to_load_again() {
    let options = SqliteOptions { durable: false, announcements: 4, ..SqliteOptions::default() };
    let house = House::on(&ServerConfig::default(), options).await;
    let mut slow = listen(&house, house.token("sam"), None).await;
    for key in 0..12 {
        assert_eq!(house.open("nadia", &format!("k{key}")).await.status, StatusCode::CREATED);
    }
    let text = until(&mut slow, "lagged").await;
    assert!(text.contains("event: lagged") && text.contains("\"kind\":\"lagged\""), "{text}");
    let after = house.open("nadia", "afterwards").await;
    let goes_on = until(&mut slow, after.body["row"]["id"].as_str().unwrap()).await;
    assert!(goes_on.contains("event: case"), "the stream lives on: {goes_on}");
    let digests = (0..1_100).map(|i| (format!("s{i}").parse().unwrap(), Digest::of(b"x"))).collect();
    house.service.govern(&Ask::system(Worker::Host), &RegisterCommand::RecordSubjects { subjects: digests }, &Beside::default()).await.unwrap();
    let mut late = listen(&house, house.token("sam"), Some(1)).await;
    let text = until(&mut late, "\n\n").await;
    assert!(text.contains("event: lagged"), "{text}");
    let head = house.get("/v1/counts", "sam").await.body["log"].as_u64().unwrap() - 1;
    assert_eq!(last_id(&text), head, "it can be resumed from there");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked_and_others_live_on() {
    let house = House::new().await;
    let body = json!({"operator": "sam", "hours": 1});
    let issued = house.send("POST", "/v1/register/tokens", Some(house.token("sam")), &[("idempotency-key", "t")], Some(&body)).await.body;
    let mut mine = listen(&house, issued["secret"].as_str().unwrap(), None).await;
    let mut other = listen(&house, house.token("sam"), None).await;
    let path = format!("/v1/register/tokens/{}/revoke", issued["token"].as_str().unwrap());
    let revoked = house.send("POST", &path, Some(house.token("ines")), &[("idempotency-key", "r")], Some(&json!({}))).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.body);
    let opened = house.open("nadia", "k1").await;
    let id = opened.body["row"]["id"].as_str().unwrap();
    assert!(!until(&mut mine, id).await.contains(id), "nothing comes any more");
    assert!(until(&mut other, id).await.contains(id));
}
