//! Every refusal of someone known is in the log, bounded: as an entry of its own, or as a number (invariant 8).

use std::future::IntoFuture as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body as Bytes;
use axum::http::{Request, StatusCode};
use axum::middleware::{self, Next};
use axum::routing::post as on_post;
use countersign::domain::command::Command;
use countersign::domain::event::{Body, CaseEvent, RegisterEvent};
use countersign::server::authn::Caller;
use countersign::server::write::Write;
use countersign::server::{App, ServerConfig, edge};
use countersign::service::refused::PER_MINUTE;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;

use crate::house::{Answer, House};
use crate::ports::{START, TestClock};
use crate::served::{PATIENCE, Served};

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

/// Waits until the log has so many refusals with an entry of their own.
async fn until_refused(house: &House, times: usize) -> Vec<String> {
    let reached = async {
        loop {
            let (alone, _) = log(house).await;
            if alone.len() >= times {
                return alone;
            }
            tokio::task::yield_now().await;
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(alone) => alone,
        Err(tokio::time::error::Elapsed { .. }) => panic!("of {times} refusals these are in the log: {:?}", log(house).await),
    }
}

/// Tells when it is dropped.
struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A server at which writes wait on the way to their refusal, and one address meets a fault of ours.
struct Gate {
    app: Arc<App>,
    router: Router,
    entered: Arc<Notify>,
    go: Arc<Notify>,
    gone: Arc<Notify>,
    _stop: watch::Sender<bool>,
}

impl Gate {
    fn new(house: &House) -> Self {
        let (stop, stopped) = watch::channel(false);
        let app = App::new(&ServerConfig::default(), house.service.clone(), stopped);
        let (entered, go, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inside, opened, left) = (entered.clone(), go.clone(), gone.clone());
        let seal = move |write: Write<Value>| async move {
            inside.notify_one();
            opened.notified().await;
            write.run(|_, _| Ok(Command::Seal)).await
        };
        let fault = |_: Caller| async { if PATIENCE.is_zero() { StatusCode::OK } else { panic!("a fault of ours") } };
        let outermost = move |request, next: Next| {
            let gone = Gone(left.clone());
            async move {
                let answer = next.run(request).await;
                drop(gone);
                answer
            }
        };
        let router = Router::new().route("/v1/cases/{id}/seal", on_post(seal)).route("/v1/queue/take-next", on_post(fault));
        let router = router.layer(middleware::from_fn_with_state(app.clone(), edge::edge)).layer(middleware::from_fn(outermost));
        Self { router: router.with_state(app.clone()), app, entered, go, gone, _stop: stop }
    }

    async fn wait(what: &Notify) {
        tokio::time::timeout(PATIENCE, what.notified()).await.expect("it comes");
    }
}

#[tokio::test]
async fn invariant_08_whoever_hangs_up_before_the_answer_is_in_the_log_once_all_the_same_and_keeps_no_place() {
    let house = House::new().await;
    let gate = Gate::new(&house);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, gate.router.clone()).into_future());
    let opened = house.open("nadia", "k1").await;
    let (id, etag) = (opened.body["row"]["id"].as_str().unwrap(), opened.etag.as_deref().unwrap());
    let mut wanted = Vec::new();
    // One that came too late, and one that a rule refuses; by a close, and by a reset.
    for (n, (seen, refusal, reset)) in
        [("\"9999\"", "stale", false), ("\"9999\"", "stale", true), (etag, "wrong-state", false), (etag, "wrong-state", true)].into_iter().enumerate()
    {
        let mut socket = TcpStream::connect(to).await.unwrap();
        let token = house.token("nadia");
        let head = format!("POST /v1/cases/{id}/seal HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n");
        socket.write_all(format!("{head}idempotency-key: n{n}\r\nif-match: {seen}\r\n\r\n").as_bytes()).await.unwrap();
        Gate::wait(&gate.entered).await;
        if reset {
            socket.set_zero_linger().unwrap();
        }
        drop(socket);
        Gate::wait(&gate.gone).await;
        assert_eq!(gate.app.in_hand(), 1, "what its client left keeps its place");
        gate.go.notify_one();
        wanted.push(format!("nadia: {} {refusal} {id}", if refusal == "stale" { "case_seal" } else { "seal" }));
        assert_eq!(until_refused(&house, n + 1).await, wanted);
        let empty = async {
            while gate.app.in_hand() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, empty).await.unwrap();
    }
    server.abort();
    house.service.write_counts(true).await;
    assert_eq!(log(&house).await, (wanted, Vec::new()), "each is accounted for once");
}

#[tokio::test]
async fn a_fault_in_a_handler_is_a_problem_with_its_request_and_keeps_no_place() {
    let house = House::new().await;
    let gate = Gate::new(&house);
    for _ in 0..3 {
        let bearer = format!("Bearer {}", house.token("nadia"));
        let request = Request::post("/v1/queue/take-next").header("authorization", bearer).body(Bytes::empty()).unwrap();
        let answer = gate.router.clone().oneshot(request).await.unwrap();
        let (status, id) = (answer.status(), answer.headers()["x-request-id"].to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!((status, body["request_id"].as_str()), (StatusCode::INTERNAL_SERVER_ERROR, Some(id.as_str())), "{body}");
        assert_eq!(gate.app.in_hand(), 0);
    }
}

/// What was stopped is asked for under no other number: people are told which hold comes first, software nothing of it, and each try stands in the log.
#[tokio::test]
async fn while_a_case_is_held_no_other_is_opened_for_its_subject_and_software_is_not_told_why() {
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let id = opened.body["row"]["id"].as_str().unwrap().to_owned();
    let headers = [("idempotency-key", "k2"), ("if-match", opened.etag.as_deref().unwrap())];
    let reason = json!({"reason": "the caller's voice changed"});
    let held = house.send("POST", &format!("/v1/cases/{id}/hold"), Some(house.token("ines")), &headers, Some(&reason)).await;
    assert_eq!((held.status, &held.body["hold"]["source"]), (StatusCode::OK, &json!("security")), "{}", held.body);

    let again = house.open("nadia", "k3").await;
    assert_eq!((again.status, again.code().as_str()), (StatusCode::CONFLICT, "stopped"), "{}", again.body);
    assert!(again.body["detail"].as_str().unwrap().contains(&format!("{id} is held by security")), "{}", again.body);
    let bot = house.open("triage-bot", "k4").await;
    assert_eq!((bot.status, bot.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "not-routable"), "{}", bot.body);
    assert!(!bot.body.to_string().contains(&id), "{}", bot.body);
    let log = house.get("/v1/log?limit=200", "ines").await.body["entries"].as_array().unwrap().clone();
    let said = |e: &&Value| e["event"] == "refused" && e["summary"].as_str().is_some_and(|s| s.contains("(stopped)"));
    assert_eq!(log.iter().filter(said).count(), 2, "{log:?}");
}
