//! Every bound of the configuration that a client can run into: how often, how long, how large, how many streams, and from where.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use countersign::server::ServerConfig;
use futures_util::StreamExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::house::House;
use crate::served::{PATIENCE, Served};

fn no_proxy() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

#[tokio::test]
async fn a_principal_who_asks_too_often_is_told_when_to_come_back_and_others_are_not_touched() {
    let house = House::with(&ServerConfig { requests_per_minute: 3, ..ServerConfig::default() }).await;
    for _ in 0..3 {
        assert_eq!(house.get("/v1/me", "nadia").await.status, StatusCode::OK);
    }
    let refused = house.get("/v1/me", "nadia").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"), "{}", refused.body);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "a third of a minute a request: {wait}");
    assert!(refused.body["detail"].as_str().unwrap().contains(&format!("{wait} s")));
    assert_eq!(house.get("/v1/me", "sam").await.status, StatusCode::OK);
    let written = house.open("nadia", "k").await;
    assert_eq!(written.status, StatusCode::TOO_MANY_REQUESTS, "writes are counted with reads");
    assert_eq!(house.get("/v1/cases", "sam").await.body["rows"], json!([]));
}

#[tokio::test]
async fn strangers_are_stopped_after_their_number_a_minute_and_good_tokens_pass_all_the_while() {
    let house = House::with(&ServerConfig { stranger_requests_per_minute: 5, ..ServerConfig::default() }).await;
    for i in 0..5 {
        let answer = house.send("GET", "/v1/me", Some("cs_tok-1_00"), &[], None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{i}");
    }
    for path in ["/v1/me", "/v1/openapi.json"] {
        let answer = house.send("GET", path, None, &[], None).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"), "{path}");
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    }
    assert_eq!(house.get("/v1/me", "nadia").await.status, StatusCode::OK);
    assert_eq!(house.send("GET", "/healthz", None, &[], None).await.status, StatusCode::OK, "whoever watches the server is no stranger");
}

#[tokio::test]
async fn behind_the_trusted_proxy_strangers_are_told_apart_by_the_address_it_forwards() {
    let config = ServerConfig { stranger_requests_per_minute: 8, trusted_proxy: Some([127, 0, 0, 1].into()), ..ServerConfig::default() };
    let served = Served::with(config).await;
    let client = no_proxy();
    for (address, allowed) in [(format!("http://{}/v1/me", served.staff), 401), (format!("http://{}/", served.pages), 200)] {
        let ask = |forwarded: &'static str| {
            let request = client.get(&address).header("x-forwarded-for", forwarded);
            async move { request.send().await.unwrap().status().as_u16() }
        };
        for i in 0..8 {
            assert_eq!(ask("203.0.113.7").await, allowed, "{i} {address}");
        }
        assert_eq!(ask("203.0.113.7").await, 429, "{address}");
        assert_eq!(ask("198.51.100.1, 203.0.113.7").await, 429, "what the client claims before the proxy's word counts for nothing: {address}");
        assert_eq!(ask("203.0.113.7, 203.0.113.8").await, allowed, "{address}");
    }
    let form = |forwarded: &'static str| {
        let request = client.post(format!("http://{}/p/{}", served.pages, "A".repeat(43))).header("x-forwarded-for", forwarded);
        let request = request.form(&[("code", "00000000")]);
        async move { request.send().await.unwrap() }
    };
    assert_ne!(form("203.0.113.9").await.status(), 429);
    let refused = form("203.0.113.9").await;
    assert_eq!(refused.status(), 429, "an eighth as many forms as looks");
    assert!(refused.headers().contains_key("retry-after"));
    assert_ne!(form("203.0.113.10").await.status(), 429);
    served.end().await;
}

#[tokio::test]
async fn without_a_trusted_proxy_a_forwarded_address_counts_for_nothing() {
    let served = Served::with(ServerConfig { stranger_requests_per_minute: 2, ..ServerConfig::default() }).await;
    let client = no_proxy();
    let mut seen = Vec::new();
    for i in 0..3 {
        let request = client.get(format!("http://{}/", served.pages)).header("x-forwarded-for", format!("203.0.113.{i}"));
        seen.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [200, 200, 429]);
    served.end().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_and_changes_nothing() {
    let house = House::with(&ServerConfig { request_time: Duration::from_millis(100), ..ServerConfig::default() }).await;
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>("{\"subject\": ")]);
    let never = first.chain(futures_util::stream::pending());
    let request = Request::post("/v1/cases")
        .header("authorization", format!("bearer {}", house.token("nadia")))
        .header("idempotency-key", "slow")
        .header("content-type", "application/json")
        .body(Body::from_stream(never))
        .unwrap();
    let response = tokio::time::timeout(PATIENCE, house.router.clone().oneshot(request)).await.expect("it is given up").unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(house.get("/v1/cases", "sam").await.body["rows"], json!([]));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_whether_its_length_is_told_or_not() {
    let house = House::with(&ServerConfig { max_body: 2_048, ..ServerConfig::default() }).await;
    let big = json!({"text": "x".repeat(4_000)}).to_string();
    for told in [true, false] {
        let body = if told {
            Body::from(big.clone())
        } else {
            let chunks: Vec<_> = big.as_bytes().chunks(512).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
            Body::from_stream(futures_util::stream::iter(chunks))
        };
        let request = Request::post("/v1/cases")
            .header("authorization", format!("Bearer {}", house.token("nadia")))
            .header("idempotency-key", format!("big-{told}"))
            .header("content-type", "application/json");
        let response = house.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "told: {told}");
    }
    let mut long = House::request();
    long["summary"] = json!("x".repeat(1_000));
    let headers = [("idempotency-key", "fits")];
    let fits = house.send("POST", "/v1/cases", Some(house.token("nadia")), &headers, Some(&long)).await;
    assert_eq!(fits.status, StatusCode::CREATED, "{}", fits.body);
    let path = format!("/v1/cases?filter={}", "x".repeat(3_000));
    assert_eq!(house.get(&path, "sam").await.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn event_streams_are_bounded_for_each_and_for_all_and_given_back_when_they_end() {
    let house = House::with(&ServerConfig { streams: 10, ..ServerConfig::default() }).await;
    let listen = |who: &'static str| {
        let request = Request::get("/v1/events").header("authorization", format!("Bearer {}", house.token(who)));
        house.router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let mut open = Vec::new();
    for _ in 0..8 {
        let stream = listen("sam").await.unwrap();
        assert_eq!(stream.status(), StatusCode::OK);
        open.push(stream);
    }
    assert_eq!(listen("sam").await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "eight for one");
    open.push(listen("nadia").await.unwrap());
    open.push(listen("nadia").await.unwrap());
    assert_eq!(listen("ines").await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "ten for all");
    open.truncate(3);
    assert_eq!(listen("ines").await.unwrap().status(), StatusCode::OK);
}
