//! Tokens and the governed register over HTTP: refused at once when revoked, approved by a second person, laxer policies refused whole.

use axum::http::StatusCode;
use countersign::domain::policy::DEFAULT;
use serde_json::{Value, json};

use crate::house::{Answer, House};

async fn post(house: &House, who: &str, path: &str, key: &str, body: &Value) -> Answer {
    house.send("POST", path, Some(house.token(who)), &[("idempotency-key", key)], Some(body)).await
}

fn told(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{}", answer.body);
}

async fn me(house: &House, token: &str) -> StatusCode {
    house.send("GET", "/v1/me", Some(token), &[], None).await.status
}

#[tokio::test]
async fn a_token_is_shown_once_and_refused_at_once_when_it_is_revoked() {
    let house = House::new().await;
    let body = json!({"operator": "nadia", "hours": 2});
    let issued = post(&house, "nadia", "/v1/register/tokens", "t1", &body).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.body);
    let (secret, id) = (issued.body["secret"].as_str().unwrap().to_owned(), issued.body["token"].as_str().unwrap().to_owned());
    assert_eq!(me(&house, &secret).await, StatusCode::OK);
    let again = post(&house, "nadia", "/v1/register/tokens", "t1", &body).await;
    assert_eq!((again.status, &again.body["secret"]), (StatusCode::OK, &Value::Null), "a repeated request is told no secret");
    let path = format!("/v1/register/tokens/{id}/revoke");
    told(&post(&house, "sam", &path, "r0", &json!({})).await, 403, "not-permitted");
    let revoked = house.send("POST", &path, Some(&secret), &[("idempotency-key", "r1")], Some(&json!({}))).await;
    assert_eq!(revoked.status, StatusCode::OK, "one's own: {}", revoked.body);
    assert_eq!(me(&house, &secret).await, StatusCode::UNAUTHORIZED);
    told(&post(&house, "nadia", &path, "r2", &json!({})).await, 409, "already");
    told(&post(&house, "nadia", "/v1/register/tokens/tok-nobodys/revoke", "r3", &json!({})).await, 404, "unknown");
    let register = house.get("/v1/register", "omar").await.body;
    assert!(!register.to_string().contains(&id) && !register.to_string().contains("secret"), "{register}");
    let log = house.get("/v1/log?limit=200", "sam").await.body.to_string();
    assert!(!log.contains(&secret) && !log.contains(secret.rsplit('_').next().unwrap()));
}

#[tokio::test]
async fn tokens_that_make_no_sense_are_refused_and_a_bots_comes_with_its_chain() {
    let house = House::new().await;
    for (at, (body, status, code)) in [
        (json!({"operator": "nadia", "hours": 0}), 400, "invalid"),
        (json!({"operator": "nadia", "hours": 721}), 400, "invalid"),
        (json!({"operator": "nadia", "hours": 1.5}), 400, "invalid"),
        (json!({"operator": "nadia", "automation": "triage-bot", "hours": 1}), 422, "invalid"),
        (json!({"hours": 1}), 422, "invalid"),
        (json!({"operator": "nadia", "on_behalf_of": ["p-sam"], "hours": 1}), 422, "invalid"),
        (json!({"operator": "nobody", "hours": 1}), 404, "unknown"),
    ]
    .into_iter()
    .enumerate()
    {
        told(&post(&house, "nadia", "/v1/register/tokens", &format!("k{at}"), &body).await, status, code);
    }
    let body = json!({"automation": "triage-bot", "on_behalf_of": ["p-sam"], "hours": 1});
    told(&post(&house, "sam", "/v1/register/tokens", "bot0", &body).await, 403, "not-permitted");
    let issued = post(&house, "nadia", "/v1/register/tokens", "bot1", &body).await;
    assert_eq!(issued.status, StatusCode::OK, "its owner: {}", issued.body);
    let who = house.send("GET", "/v1/me", issued.body["secret"].as_str(), &[], None).await.body;
    assert_eq!(who["automation"], "triage-bot");
}

#[tokio::test]
async fn invariant_17_someone_elses_token_and_a_wider_account_wait_for_a_second_person_and_the_delay() {
    let house = House::new().await;
    let wider = json!({"change": {"change": "set_operator", "to":
        {"id": "nadia", "person": "p-nadia", "roles": ["support_agent", "supervisor"], "groups": [], "enabled": true}}});
    told(&post(&house, "sam", "/v1/register/changes", "c0", &wider).await, 403, "not-permitted");
    told(&post(&house, "ines", "/v1/register/changes", "c1", &wider).await, 403, "not-permitted");
    let account = post(&house, "omar", "/v1/register/changes", "c2", &wider).await;
    let token = post(&house, "omar", "/v1/register/tokens", "c3", &json!({"operator": "sam", "hours": 1})).await;
    let secret = token.body["secret"].as_str().unwrap().to_owned();
    for (at, proposed) in [&account, &token].into_iter().enumerate() {
        assert_eq!((proposed.status, &proposed.body["events"]), (StatusCode::OK, &json!(["proposed"])), "{}", proposed.body);
        let path = format!("/v1/register/proposals/{}/approve", proposed.body["proposal"].as_str().unwrap());
        told(&post(&house, "omar", &path, &format!("a{at}"), &json!({})).await, 403, "second-person");
        told(&post(&house, "nadia", &path, &format!("b{at}"), &json!({})).await, 403, "not-permitted");
        let approved = post(&house, "ines", &path, &format!("d{at}"), &json!({})).await;
        assert_eq!((approved.status, &approved.body["events"]), (StatusCode::OK, &json!(["proposal_approved"])), "{}", approved.body);
        told(&post(&house, "ines", &path, &format!("e{at}"), &json!({})).await, 409, "already");
        let again = post(&house, "ines", &path, &format!("d{at}"), &json!({})).await;
        assert_eq!(again.body, approved.body, "whoever repeats it hears from when it counts");
        assert!(again.body["effective_at"].is_string());
    }
    let again = post(&house, "omar", "/v1/register/changes", "c2", &wider).await.body;
    assert_eq!((&again["events"], &again["proposal"]), (&json!(["proposed"]), &account.body["proposal"]), "{again}");
    assert!(again["effective_at"].is_string(), "it was approved since: {again}");
    assert_eq!(me(&house, &secret).await, StatusCode::UNAUTHORIZED, "the delay runs");
    let register = house.get("/v1/register", "ines").await.body;
    let nadia = register["operators"].as_array().unwrap().iter().find(|o| o["id"] == "nadia").unwrap().clone();
    assert_eq!(nadia["roles"], json!(["support_agent"]));
    assert!(!register.to_string().contains("secret_sha256"), "{register}");
    for proposal in register["proposals"].as_array().unwrap() {
        let path = format!("/v1/register/proposals/{}/end", proposal["id"].as_str().unwrap());
        told(&post(&house, "sam", &path, &path, &json!({})).await, 403, "not-permitted");
        assert_eq!(post(&house, "ines", &path, &format!("{path}2"), &json!({})).await.status, StatusCode::OK);
        let again = post(&house, "ines", &path, &format!("{path}2"), &json!({})).await.body;
        assert_eq!((&again["events"], &again["effective_at"]), (&json!(["proposal_ended"]), &Value::Null), "{again}");
    }
    told(&post(&house, "ines", "/v1/register/proposals/prp-none/approve", "f", &json!({})).await, 404, "unknown");
}

#[tokio::test]
async fn a_policy_laxer_than_what_is_compiled_in_is_refused_with_every_mistake_and_a_sound_one_waits() {
    let house = House::new().await;
    let text = DEFAULT.replace("email = \"30 min\"", "email = \"90 d\"").replace("attempts_per_code = 5", "attempts_per_code = 5000");
    let refused = post(&house, "omar", "/v1/register/policy", "p0", &json!({ "text": text })).await;
    told(&refused, 422, "invalid");
    let mistakes = refused.body["mistakes"].as_array().unwrap();
    assert!(mistakes.len() == 2 && mistakes.iter().all(|m| m.as_str().unwrap().starts_with("line ")), "{}", refused.body);
    let text = DEFAULT.replace("approvals = 2", "approvals = 1").replace("from_groups = { security = 1 }\n", "");
    let refused = post(&house, "omar", "/v1/register/policy", "p1", &json!({ "text": text })).await;
    told(&refused, 422, "invalid");
    let all = refused.body["mistakes"].to_string();
    for floor in ["two approvals, a delay and a grace of a privileged case", "two approvals and a review of break-glass"] {
        assert!(all.contains(floor), "{floor}: {all}");
    }
    assert_eq!(house.get("/v1/register", "omar").await.body["proposals"], json!([]));
    let stricter = DEFAULT.replace("email = \"30 min\"", "email = \"20 min\"");
    told(&post(&house, "ines", "/v1/register/policy", "p2", &json!({ "text": stricter })).await, 403, "not-permitted");
    let proposed = post(&house, "omar", "/v1/register/policy", "p3", &json!({ "text": stricter })).await;
    assert_eq!((proposed.status, &proposed.body["events"]), (StatusCode::OK, &json!(["proposed"])), "{}", proposed.body);
    assert_ne!(house.get("/v1/policy", "sam").await.body["text"], stricter, "not in force yet");
}

#[tokio::test]
async fn whoever_approves_a_policy_reads_its_text_and_what_differs_from_the_one_in_force_first() {
    let house = House::new().await;
    let text = DEFAULT.replace("token_lifetime = \"30 d\"", "token_lifetime = \"10 d\"").replace("linked_cases = \"7 d\"", "linked_cases = \"1 d\"");
    let proposed = post(&house, "omar", "/v1/register/policy", "p1", &json!({ "text": text })).await;
    let id = proposed.body["proposal"].as_str().unwrap_or_else(|| panic!("{}", proposed.body)).to_owned();
    let path = format!("/v1/register/proposals/{id}");
    let whole = house.get(&path, "ines").await;
    let policy = &whole.body["policy"];
    assert_eq!(
        (whole.status, policy["text"].as_str(), &policy["laxer"], &policy["stricter"]),
        (StatusCode::OK, Some(&*text), &json!(true), &json!(true))
    );
    let expected = json!([
        {"name": "windows.linked_cases", "was": "7 d", "would_be": "1 d", "lean": "laxer"},
        {"name": "governance.token_lifetime", "was": "30 d", "would_be": "10 d", "lean": "stricter"},
    ]);
    assert_eq!(policy["settings"], expected);
    assert!(policy["cases"].as_array().unwrap().iter().all(|c| c["classes"].as_u64() > Some(0)), "{policy}");
    let says = whole.body["proposal"]["says"].as_str().unwrap();
    assert!(says.contains("in place of the one in force") && !says.contains("nobody"), "{says}");
    // Everyone on the staff sees that something is to change; what waits in the register is for those who govern.
    let in_force = house.get("/v1/policy", "nadia").await.body;
    assert_eq!((&in_force["proposed"][0]["proposal"], &in_force["proposed"][0]["settings"]), (&json!(id), &expected));
    told(&house.get(&path, "nadia").await, 403, "not-permitted");
    told(&house.get("/v1/register/proposals/prp-none", "ines").await, 404, "not-found");
    let ended = post(&house, "ines", &format!("{path}/end"), "e1", &json!({})).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    told(&house.get(&path, "ines").await, 404, "not-found");
    assert_eq!(house.get("/v1/policy", "nadia").await.body["proposed"], json!([]));
}

#[tokio::test]
async fn the_next_case_is_taken_once_and_by_one_and_the_queue_runs_dry_in_words() {
    let house = House::new().await;
    for key in ["k1", "k2"] {
        assert_eq!(house.open("nadia", key).await.status, StatusCode::CREATED);
    }
    let take = |who: &'static str, key: &'static str, body: Value| {
        let house = &house;
        async move { post(house, who, "/v1/queue/take-next", key, &body).await }
    };
    let (one, other) = tokio::join!(take("nadia", "t1", json!({})), take("sam", "t1", json!({})));
    assert_eq!((one.status, other.status), (StatusCode::OK, StatusCode::OK), "{} {}", one.body, other.body);
    assert_ne!(one.body["row"]["id"], other.body["row"]["id"], "each another one");
    assert_eq!((&one.body["row"]["assignee"], &other.body["row"]["assignee"]), (&json!("nadia"), &json!("sam")));
    let again = take("nadia", "t1", json!({})).await;
    assert_eq!(again.body["row"]["id"], one.body["row"]["id"], "a repeated request takes no second one");
    let dry = take("ines", "t2", json!({})).await;
    assert_eq!(dry.status, StatusCode::NOT_FOUND, "{}", dry.body);
    assert!(!dry.body["detail"].as_str().unwrap().is_empty());
    told(&take("nadia", "t3", json!({"filter": "risk:huge"})).await, 422, "invalid");
    told(&take("omar", "t4", json!({})).await, 403, "not-permitted");
    // Taking what the server hands out is no routing: it costs sam nothing.
    let lineage = house.get(&format!("/v1/cases/{}", other.body["row"]["id"].as_str().unwrap()), "sam").await.body["lineage"].clone();
    assert!(!lineage.to_string().contains("\"router\",\"person\":\"p-sam\"") && !lineage.to_string().contains("p-sam"), "{lineage}");
}

#[tokio::test]
async fn whom_a_case_could_be_given_to_is_said_with_those_first_whom_it_waits_for() {
    let house = House::new().await;
    let id = house.open("nadia", "k1").await.body["row"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{id}/assignable");
    let found = house.get(&path, "nadia").await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.body);
    let rows = |body: &Value| -> Vec<(String, bool)> {
        let one = |r: &Value| (r["operator"].as_str().unwrap().to_owned(), r["fits"].as_bool().unwrap());
        body["rows"].as_array().unwrap().iter().map(one).collect()
    };
    let all = rows(&found.body);
    assert_eq!(all[0], ("nadia".to_owned(), true), "it waits for an agent: {}", found.body);
    assert!(all[1..].iter().all(|(_, fits)| !fits) && all.iter().any(|(o, _)| o == "sam") && all.iter().all(|(o, _)| o != "omar"), "{all:?}");
    assert_eq!((&found.body["more"], &found.body["rows"][0]["roles"]), (&json!(0), &json!(["support_agent"])));
    let etag = house.get(&format!("/v1/cases/{id}"), "sam").await.etag.unwrap();
    let headers = [("idempotency-key", "a1"), ("if-match", etag.as_str())];
    let given = house.send("POST", &format!("/v1/cases/{id}/assign"), Some(house.token("sam")), &headers, Some(&json!({"operator": "nadia"}))).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert!(rows(&house.get(&path, "sam").await.body).iter().all(|(o, _)| o != "nadia"), "who has it can't be given it");
    told(&house.get(&path, "omar").await, 403, "not-permitted");
    told(&house.get("/v1/cases/CS-26-999999/assignable", "sam").await, 404, "not-found");
}

#[tokio::test]
async fn flagged_cases_are_found_by_the_kind_of_their_flag_and_rows_say_it() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for key in ["k1", "k2"] {
        ids.push(house.open("nadia", key).await.body["row"]["id"].as_str().unwrap().to_owned());
    }
    let etag = house.get(&format!("/v1/cases/{}", ids[0]), "sam").await.etag.unwrap();
    let headers = [("idempotency-key", "f1"), ("if-match", etag.as_str())];
    let flagged =
        house.send("POST", &format!("/v1/cases/{}/flags", ids[0]), Some(house.token("sam")), &headers, Some(&json!({"kind": "pressure"}))).await;
    assert_eq!(flagged.status, StatusCode::OK, "{}", flagged.body);
    let found = house.get("/v1/cases?filter=flag:pressure", "nadia").await.body;
    let rows = found["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &json!(ids[0])), "{found}");
    assert!(rows[0]["flag_kinds"].as_array().unwrap().contains(&json!("pressure")), "{found}");
    assert_eq!(house.get("/v1/cases?filter=flag:no_inventory", "nadia").await.body["rows"], json!([]));
    let any = |word: &'static str| {
        let house = &house;
        async move { house.get(&format!("/v1/cases?filter={word}"), "nadia").await.body["rows"].as_array().unwrap().len() }
    };
    assert_eq!(any("flag:any").await, any("flagged").await);
    assert_eq!(any("overdue").await, any("due:overdue").await);
    let wrong = house.get("/v1/cases?filter=flag:haste", "nadia").await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.body["detail"].as_str().unwrap().contains("pressure"), "{}", wrong.body);
}

#[tokio::test]
async fn subjects_are_found_without_their_addresses() {
    let house = House::new().await;
    house.open("nadia", "k1").await;
    for query in ["okaf", "M.%20Okafor", "OKAFOR"] {
        let found = house.get(&format!("/v1/subjects?q={query}"), "nadia").await;
        assert_eq!(found.status, StatusCode::OK);
        let rows = found.body["rows"].as_array().unwrap();
        assert!(rows.len() == 1 && rows[0]["id"] == "okafor" && rows[0]["open_cases"].as_array().unwrap().len() == 1, "{query}: {}", found.body);
        assert!(!found.body.to_string().contains("corp.example"), "addresses are compared, never displayed: {}", found.body);
    }
    for nobody in ["zzz", "%25", "_", "'%20OR%201=1%20--", "*"] {
        assert_eq!(house.get(&format!("/v1/subjects?q={nobody}"), "nadia").await.body["rows"], json!([]), "{nobody}");
    }
    for bad in ["", "?q=", "?q=%20", &format!("?q={}", "x".repeat(101)), "?q=a&q2=b"] {
        assert_eq!(house.get(&format!("/v1/subjects{bad}"), "nadia").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let one = house.get("/v1/subjects/okafor", "sam").await;
    assert_eq!((one.status, &one.body["entitlements"][0]["scopes"]), (StatusCode::OK, &json!(["login"])));
    told(&house.get("/v1/subjects/nobody", "sam").await, 404, "not-found");
    told(&house.get("/v1/subjects/okafor", "omar").await, 403, "not-permitted");
}

#[tokio::test]
async fn a_request_with_a_key_that_is_in_flight_is_409_and_the_thing_is_done_once() {
    let house = House::new().await;
    let (mut tries, mut refused) = (0, 0);
    while refused == 0 {
        tries += 1;
        assert!(tries < 200, "no two requests ever met");
        let key = format!("race-{tries}");
        let answers = futures_util::future::join_all((0..8).map(|_| house.open("nadia", &key))).await;
        let done: Vec<&Answer> = answers.iter().filter(|a| a.status == StatusCode::CREATED).collect();
        assert!(!done.is_empty() && done.iter().all(|a| a.body["row"]["id"] == done[0].body["row"]["id"]), "one case, however often it is sent");
        for answer in answers.iter().filter(|a| a.status != StatusCode::CREATED) {
            told(answer, 409, "in-flight");
            refused += 1;
        }
    }
    let cases = house.get("/v1/cases?limit=200", "sam").await.body["rows"].as_array().unwrap().len();
    assert_eq!(cases, tries);
}

#[tokio::test]
async fn proposals_are_counted_and_listed_for_whoever_could_approve_them() {
    let house = House::new().await;
    let waiting = async |who: &str| house.get("/v1/counts", who).await.body["proposals"].clone();
    assert_eq!(waiting("ines").await, 0);
    let wider = json!({"change": {"change": "set_operator", "to":
        {"id": "nadia", "person": "p-nadia", "roles": ["support_agent", "supervisor"], "groups": [], "enabled": true}}});
    let proposed = post(&house, "omar", "/v1/register/changes", "c1", &wider).await.body;
    assert_eq!(
        (waiting("ines").await, waiting("omar").await, waiting("sam").await, waiting("nadia").await),
        (1.into(), 0.into(), 0.into(), 0.into())
    );
    let rows = house.get("/v1/register?of=proposals", "ines").await.body;
    let row = &rows["proposals"][0];
    assert_eq!((&row["id"], &row["for_you"]), (&proposed["proposal"], &json!(true)), "{rows}");
    assert!(row["could_approve"].as_array().unwrap().contains(&json!("p-ines")) && !row["could_approve"].to_string().contains("p-omar"), "{row}");
    assert!(row["waits_until"].is_string() && rows["operators"] == json!([]), "{rows}");
    let theirs = house.get("/v1/register?of=proposals", "omar").await.body;
    assert_eq!(theirs["proposals"][0]["for_you"], json!(false));
    let path = format!("/v1/register/proposals/{}/approve", proposed["proposal"].as_str().unwrap());
    assert_eq!(post(&house, "ines", &path, "a", &json!({})).await.status, StatusCode::OK);
    assert_eq!(waiting("ines").await, 0);
    let row = house.get("/v1/register?of=proposals", "ines").await.body["proposals"][0].clone();
    assert_eq!((&row["for_you"], &row["could_approve"], &row["waits_until"]), (&json!(false), &json!([]), &Value::Null));
}

#[tokio::test]
async fn rows_of_the_register_go_on_after_the_one_that_is_named() {
    let house = House::new().await;
    let ids =
        |body: &Value, kind: &str| -> Vec<String> { body[kind].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect() };
    let all = house.get("/v1/register", "omar").await.body;
    for kind in ["persons", "operators", "tokens"] {
        let whole = ids(&all, kind);
        let rest = house.get(&format!("/v1/register?of={kind}&after={}", whole[0]), "omar").await.body;
        assert_eq!(ids(&rest, kind), whole[1..], "{kind}");
        let nothing = house.get(&format!("/v1/register?of={kind}&after={}", whole.last().unwrap()), "omar").await.body;
        assert!(ids(&nothing, kind).is_empty() && nothing["more"] == Value::Null, "{nothing}");
    }
    assert_eq!(all["more"], Value::Null, "nothing is left out");
    told(&house.get("/v1/register?after=nadia", "omar").await, 422, "invalid");
    assert_eq!(house.get("/v1/register?of=secrets", "omar").await.status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_proposal_that_was_due_and_does_not_count_says_so() {
    use countersign::api::governance::{kept_back, stands};
    let (due, minutes): (chrono::DateTime<chrono::Utc>, _) = ("2026-03-02T10:00:00Z".parse().unwrap(), chrono::Duration::minutes);
    assert_eq!([0, 5, 6].map(|m| kept_back(Some(due), due + minutes(m))), [false, false, true]);
    assert!(!kept_back(None, due), "not approved yet");
    let ines = "p-ines".parse().unwrap();
    let said = |late| stands((&[], Some(&ines)), 0, Some(("10:00".to_owned(), late)), ToString::to_string);
    assert_eq!(said(false), "approved by p-ines, counts from 10:00");
    assert!(said(true).starts_with("approved by p-ines, should count since 10:00 and does not: "), "{}", said(true));
}
