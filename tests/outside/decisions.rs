//! Decisions over HTTP: only what was read just now, by whom it was read, is what is decided (invariants 4 and 18).

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use countersign::base::ids::CaseId;
use countersign::domain::command::Command;
use countersign::domain::vocabulary::{Action, FlagKind, HoldSource, Method};
use countersign::server::{App, ServerConfig, routes};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::house::House;
use crate::lost::issued;

struct Desk<'a> {
    house: &'a House,
    router: Router,
    _stop: watch::Sender<bool>,
}

impl Desk<'_> {
    async fn send(&self, token: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> (u16, String, Value) {
        let mut request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let response = self.router.clone().oneshot(request.header("content-type", "application/json").body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let code = value["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
        (status, code, value)
    }

    async fn statement(&self, token: &str, case: CaseId) -> (Value, Value) {
        let (status, _, found) = self.send(token, "GET", &format!("/v1/cases/{case}/statement?decision=approve"), &[], None).await;
        assert_eq!(status, 200, "{found}");
        (found["seal_sha256"].clone(), found["nonce"].clone())
    }

    async fn approve(&self, token: &str, case: CaseId, seal: &Value, nonce: &Value, key: &str) -> (u16, String, Value) {
        let version = format!("\"{}\"", self.house.case(case).await.changed);
        let headers = [("idempotency-key", key), ("if-match", version.as_str())];
        let body = json!({"decision": "approve", "seal_sha256": seal, "nonce": nonce, "reason": "called back"});
        self.send(token, "POST", &format!("/v1/cases/{case}/decisions"), &headers, Some(&body)).await
    }
}

#[tokio::test]
async fn invariant_04_a_forged_a_strangers_and_an_old_statement_decide_nothing_and_a_fresh_one_does() {
    let house = House::new().await;
    let (stop, stopped) = watch::channel(false);
    let desk = Desk { house: &house, router: routes::router(App::new(&ServerConfig::default(), house.service.clone(), stopped)), _stop: stop };
    let (sam, lee) = (issued(&house, "sam").await.presented, issued(&house, "lee").await.presented);
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.act("nadia", case, Command::Seal).await;
    let (seal, nonce) = desk.statement(&sam, case).await;
    let (_, other) = desk.statement(&lee, case).await;
    let bent = |nonce: &Value| {
        let text = nonce.as_str().unwrap();
        let last = if text.ends_with('0') { "1" } else { "0" };
        json!(format!("{}{last}", &text[..text.len() - 1]))
    };
    let wrong_seal = json!("0".repeat(64));
    for (at, (seal, nonce, refused, code)) in [
        (&seal, &bent(&nonce), 422, "invalid"),
        (&seal, &other, 422, "invalid"),
        (&seal, &json!("1.2"), 422, "invalid"),
        (&seal, &json!(""), 422, "invalid"),
        (&wrong_seal, &nonce, 409, "stale-seal"),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, told, body) = desk.approve(&sam, case, seal, nonce, &format!("f{at}")).await;
        assert_eq!((status, told.as_str()), (refused, code), "{nonce}: {body}");
    }
    house.clock.pass(10 * 60 + 1);
    let (status, told, body) = desk.approve(&sam, case, &seal, &nonce, "old").await;
    assert_eq!((status, told.as_str()), (409, "statement-expired"), "{body}");

    let (seal, nonce) = desk.statement(&sam, case).await;
    let (reason, ask) = house.text(case, "nadia", "one more thing");
    house.service.execute(&ask, case, &Command::Reopen { reason }).await.unwrap();
    house.act("nadia", case, Command::Seal).await;
    let (status, told, body) = desk.approve(&sam, case, &seal, &nonce, "former").await;
    assert_eq!((status, told.as_str()), (409, "stale-seal"), "what was read is no longer what is sealed: {body}");
    assert!(house.case(case).await.approvals.is_empty());

    let (seal, nonce) = desk.statement(&sam, case).await;
    let (status, _, body) = desk.approve(&sam, case, &seal, &nonce, "good").await;
    assert_eq!((status, &body["row"]["state"]), (200, &json!("approved")), "{body}");
    let (status, ..) = desk.approve(&sam, case, &seal, &nonce, "twice").await;
    assert_ne!(status, 200, "a statement decides once");
}

#[tokio::test]
async fn what_waits_is_said_to_wait_since_its_seal_its_flag_or_its_hold_whatever_is_done_in_it_since() {
    let house = House::new().await;
    let (stop, stopped) = watch::channel(false);
    let desk = Desk { house: &house, router: routes::router(App::new(&ServerConfig::default(), house.service.clone(), stopped)), _stop: stop };
    let ines = issued(&house, "ines").await.presented;
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.act("nadia", case, Command::Seal).await;
    let sealed = house.service.now();
    house.clock.pass(600);
    let (reason, ask) = house.text(case, "ines", "let me look");
    house.service.execute(&ask, case, &Command::Hold { source: HoldSource::Security, reason: Some(reason) }).await.unwrap();
    let held = house.service.now();
    let other = house.routed("vega", Action::PasswordReset).await;
    house.act("nadia", other, Command::Flag { kind: FlagKind::Pressure }).await;
    let flagged = house.service.now();
    house.clock.pass(600);
    for case in [case, other] {
        let (text, ask) = house.text(case, "nadia", "they rang again");
        house.service.execute(&ask, case, &Command::Comment { text }).await.unwrap();
    }
    let lists =
        [("held", Some(sealed), Some(held), None), ("state:sealed", Some(sealed), Some(held), None), ("flagged%20!ended", None, None, Some(flagged))];
    for (filter, sealed, held, flagged) in lists {
        let (status, _, page) = desk.send(&ines, "GET", &format!("/v1/cases?filter={filter}"), &[], None).await;
        let row = &page["rows"][0];
        let at = |name: &str| row[name].as_str().and_then(|at| at.parse::<countersign::base::Time>().ok());
        assert_eq!((status, at("sealed_at"), at("held_since"), at("flagged_since")), (200, sealed, held, flagged), "{filter}: {page}");
        assert!(at("updated_at") > held.max(flagged) && row["restored_at"].is_null(), "{page}");
    }
    let (_, _, page) = desk.send(&ines, "GET", "/v1/cases", &[], None).await;
    assert!(page["rows"].as_array().unwrap().iter().all(|row| row["sealed_at"].is_null()), "a list of everything reads no case of its own: {page}");
}

#[tokio::test]
async fn what_routing_would_cost_is_worked_out_on_the_proofs_as_they_would_count_then() {
    let house = House::new().await;
    let (stop, stopped) = watch::channel(false);
    let desk = Desk { house: &house, router: routes::router(App::new(&ServerConfig::default(), house.service.clone(), stopped)), _stop: stop };
    let nadia = issued(&house, "nadia").await.presented;
    let case = house.proved("okafor", Action::PasswordReset).await;
    let (_, _, now) = desk.send(&nadia, "GET", &format!("/v1/cases/{case}"), &[], None).await;
    let scope = now["scope"].clone();
    let body = |action: &str, path: &str| json!({"subject": "okafor", "case": case, "route": {"action": action, "path": path, "target": "directory", "scope": scope}});
    let done = |checklist: &Value| checklist["items"].as_array().unwrap().iter().filter(|i| i["receipt"].is_object()).count();
    assert_eq!(done(&now["checklist"]), 1, "{now}");
    let (status, _, other) = desk.send(&nadia, "POST", "/v1/cases/route-preview", &[], Some(&body("mfa_reenrolment", "assisted"))).await;
    assert_eq!((status, &other["problem"], done(&other["checklist"])), (200, &Value::Null, 0), "what was proved for one thing: {other}");
    let (_, _, after) = desk.send(&nadia, "GET", &format!("/v1/cases/{case}"), &[], None).await;
    assert_eq!(done(&after["checklist"]), 1, "asking changes nothing");
}

#[tokio::test]
async fn what_somebody_is_waited_for_is_named_before_routing_ends_it_and_its_end_stands_in_the_timeline() {
    let house = House::new().await;
    let (stop, stopped) = watch::channel(false);
    let desk = Desk { house: &house, router: routes::router(App::new(&ServerConfig::default(), house.service.clone(), stopped)), _stop: stop };
    let nadia = issued(&house, "nadia").await.presented;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let scope = desk.send(&nadia, "GET", &format!("/v1/cases/{case}"), &[], None).await.2["scope"].clone();
    let way = |action: &str| json!({"action": action, "path": "assisted", "target": "directory", "scope": scope});
    let body = |action: &str| json!({"subject": "okafor", "case": case, "route": way(action)});
    let (status, _, told) = desk.send(&nadia, "POST", "/v1/cases/route-preview", &[], Some(&body("mfa_reenrolment"))).await;
    assert_eq!((status, &told["ends"]), (200, &json!(["issued code, sent to the subject's recorded address e1"])), "{told}");
    let (_, _, same) = desk.send(&nadia, "POST", "/v1/cases/route-preview", &[], Some(&body("password_reset"))).await;
    assert!(same["ends"].is_null() && same["problem"].is_string(), "what can't be done ends nothing: {same}");
    let mut other = house.case(case).await.route.clone();
    other.action = Action::MfaReenrolment;
    house.act("nadia", case, Command::Route { route: other }).await;
    let (_, _, log) = desk.send(&nadia, "GET", &format!("/v1/cases/{case}/timeline"), &[], None).await;
    let said = |e: &Value| e["summary"].as_str().is_some_and(|s| s.contains("void by the routing, and nobody is waited for"));
    assert!(log["entries"].as_array().unwrap().iter().any(said), "{log}");
}
