//! Whoever reads a subject's record is in the log, looking for subjects is bounded, and neither gives an address (invariant 12).

use axum::http::StatusCode;
use countersign::base::ids::SubjectId;
use countersign::domain::event::{Body, RegisterEvent};
use countersign::domain::subject::Subject;
use countersign::service::reads::{FINDS_PER_MINUTE, RECORDS_PER_MINUTE};
use serde_json::json;

use crate::house::{House, subject};
use crate::ports::{START, TestClock, at};

/// Who read which subjects, as the log tells.
async fn reads(house: &House) -> Vec<(String, Vec<String>)> {
    let entries = house.service.store.entries(0, 500).await.unwrap();
    let read = entries.into_iter().filter_map(|entry| match entry.body {
        Body::Register { event: RegisterEvent::SubjectsRead { subjects }, .. } => {
            let who = serde_json::to_value(&entry.actor).unwrap()["operator"].as_str().unwrap_or("?").to_owned();
            Some((who, subjects.iter().map(SubjectId::to_string).collect()))
        }
        _ => None,
    });
    read.collect()
}

fn read(who: &str, subjects: &[&str]) -> (String, Vec<String>) {
    (who.to_owned(), subjects.iter().map(|s| (*s).to_owned()).collect())
}

async fn preview(house: &House, who: &str) -> StatusCode {
    let route = json!({"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["login"]});
    let body = json!({"subject": "okafor", "route": route});
    let answer = house.send("POST", "/v1/cases/route-preview", Some(house.token(who)), &[], Some(&body)).await;
    answer.status
}

#[tokio::test]
async fn invariant_12_reading_a_record_is_an_entry_of_whoever_read_it_once_an_hour() {
    let clock = TestClock::from(START + 30_000);
    let house = House::by_clock(clock.clone()).await;
    let found = house.get("/v1/subjects?q=okaf", "nadia").await;
    let row = &found.body["rows"][0];
    assert_eq!((found.status, &row["id"]), (StatusCode::OK, &json!("okafor")));
    assert!(row["entitlements"].is_null() && row["endpoints"].is_null(), "a search tells one from another and no more: {row}");
    assert_eq!(reads(&house).await, [], "a list of names is no record");

    for who in ["sam", "sam", "nadia"] {
        assert_eq!(house.get("/v1/subjects/okafor", who).await.status, StatusCode::OK);
    }
    assert_eq!(house.get("/v1/subjects/nobody", "sam").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/v1/subjects/okafor", "omar").await.status, StatusCode::FORBIDDEN);
    assert_eq!(reads(&house).await, [read("sam", &["okafor"]), read("nadia", &["okafor"])]);
    // What routing would cost shows the same of a subject: it is no way around.
    assert_eq!(preview(&house, "nadia").await, StatusCode::OK);
    assert_eq!(reads(&house).await.len(), 2);
    clock.pass(3_600);
    assert_eq!(preview(&house, "nadia").await, StatusCode::OK);
    assert_eq!(reads(&house).await[2..], [read("nadia", &["okafor"])]);

    let entries = house.get("/v1/log?limit=100", "omar").await;
    let told = entries.body["entries"].as_array().unwrap().iter().filter(|e| e["event"] == "subjects_read").collect::<Vec<_>>();
    assert_eq!((told.len(), told[0]["summary"].as_str().unwrap()), (3, "read what is recorded of the subject okafor"));
    assert!(!entries.body.to_string().contains('@'), "{}", entries.body);
    assert_eq!(house.service.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new(), "the register is what its entries make");
}

#[tokio::test]
async fn invariant_12_what_a_case_shows_of_its_subject_is_an_entry_when_the_minute_is_over() {
    let clock = TestClock::from(START + 30_000);
    let house = House::by_clock(clock.clone()).await;
    let opened = house.open("nadia", "k1").await;
    let path = format!("/v1/cases/{}", opened.body["row"]["id"].as_str().unwrap());
    for who in ["sam", "ines", "sam"] {
        assert_eq!(house.get(&path, who).await.status, StatusCode::OK);
    }
    house.service.write_reads(false).await;
    assert_eq!(reads(&house).await, []);
    clock.pass(30);
    house.service.write_reads(false).await;
    let mut told = reads(&house).await;
    told.sort();
    assert_eq!(told, [read("ines", &["okafor"]), read("sam", &["okafor"])]);
    house.get(&path, "omar").await;
    house.get(&path, "sam").await;
    house.service.write_reads(true).await;
    assert_eq!(reads(&house).await[2..], [read("omar", &["okafor"])], "when the server ends, what is left is written");
    let seen = house.get(&path, "sam").await;
    assert_eq!(seen.etag, opened.etag, "a read makes nobody's view stale");
}

#[tokio::test]
async fn invariant_12_records_and_searches_are_bounded_and_what_is_refused_is_not_read() {
    let house = House::by_clock(TestClock::from(START + 30_000)).await;
    let many = |n: u32| Subject { id: format!("s{n}").parse().unwrap(), person: None, ..subject(at(START - 90_000_000)) };
    house.service.record_subjects((0..=RECORDS_PER_MINUTE).map(many).collect()).await.unwrap();
    for n in 0..RECORDS_PER_MINUTE {
        assert_eq!(house.get(&format!("/v1/subjects/s{n}"), "nadia").await.status, StatusCode::OK);
    }
    let path = format!("/v1/subjects/s{RECORDS_PER_MINUTE}");
    let refused = house.get(&path, "nadia").await;
    assert_eq!((refused.status, refused.code().as_str(), refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "30"));
    assert!(refused.body["detail"].as_str().unwrap().contains("Wait 30 s"), "{}", refused.body);
    assert_eq!(preview(&house, "nadia").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.get("/v1/subjects/s0", "nadia").await.status, StatusCode::OK, "what was read within the hour is not counted again");
    assert_eq!(house.get(&path, "sam").await.status, StatusCode::OK);
    assert_eq!(reads(&house).await.iter().filter(|(who, _)| who == "nadia").count(), RECORDS_PER_MINUTE as usize);

    for _ in 0..FINDS_PER_MINUTE {
        assert_eq!(house.get("/v1/subjects?q=okaf", "nadia").await.status, StatusCode::OK);
    }
    let refused = house.get("/v1/subjects?q=okaf", "nadia").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"));
    assert_eq!(house.get("/v1/subjects?q=okaf", "sam").await.status, StatusCode::OK);
}

#[tokio::test]
async fn invariant_12_texts_are_read_case_by_case_and_each_case_is_a_read_of_its_subject() {
    let clock = TestClock::from(START + 30_000);
    let house = House::by_clock(clock.clone()).await;
    let opened = house.open("nadia", "k1").await;
    let path = format!("/v1/cases/{}/timeline", opened.body["row"]["id"].as_str().unwrap());
    let all = house.get("/v1/log?limit=200", "omar").await;
    assert!(all.body["entries"].as_array().unwrap().iter().all(|e| e["text"].is_null()), "{}", all.body);
    house.service.write_reads(true).await;
    assert_eq!(reads(&house).await, [], "the log alone tells nothing of anybody");
    let told = house.get(&path, "omar").await;
    assert!(told.body["entries"].to_string().contains("can't sign in"), "{}", told.body);
    house.service.write_reads(true).await;
    assert_eq!(reads(&house).await, [read("omar", &["okafor"])]);
}

#[tokio::test]
async fn invariant_12_a_preview_notes_whom_it_shows_and_nobody_else() {
    let house = House::by_clock(TestClock::from(START + 30_000)).await;
    let opened = house.open("nadia", "k1").await;
    let case = opened.body["row"]["id"].as_str().unwrap();
    let route = json!({"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["login"]});
    let ask = async |who: &'static str, body: serde_json::Value| {
        house.send("POST", "/v1/cases/route-preview", Some(house.token(who)), &[], Some(&body)).await
    };
    for other in ["there-is-no-such-subject", "ines"] {
        let refused = ask("sam", json!({"case": case, "subject": other, "route": route})).await;
        assert_eq!((refused.status, refused.body["lineage"].is_null()), (StatusCode::UNPROCESSABLE_ENTITY, true), "{}", refused.body);
    }
    assert_eq!(ask("sam", json!({"subject": "there-is-no-such-subject", "route": route})).await.status, StatusCode::NOT_FOUND);
    house.service.write_reads(true).await;
    assert_eq!(reads(&house).await, [], "nobody was shown anybody");
    assert_eq!(ask("sam", json!({"case": case, "subject": "okafor", "route": route})).await.status, StatusCode::OK);
    house.service.write_reads(true).await;
    assert_eq!(reads(&house).await, [read("sam", &["okafor"])]);
    // That it can't be routed so is told of a record as well.
    let much = json!({"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["everything"]});
    assert_eq!(ask("nadia", json!({"subject": "okafor", "route": much})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reads(&house).await, [read("sam", &["okafor"]), read("nadia", &["okafor"])]);
}

#[tokio::test]
async fn invariant_06_software_is_refused_a_route_in_one_way_whoever_it_asks_about_and_not_without_bound() {
    let house = House::by_clock(TestClock::from(START + 30_000)).await;
    let ask = async |subject: &str, target: &str, scope: &str| {
        let route = json!({"action": "password_reset", "path": "assisted", "target": target, "scope": [scope]});
        let body = json!({"subject": subject, "route": route});
        house.send("POST", "/v1/cases/route-preview", Some(house.token("triage-bot")), &[], Some(&body)).await
    };
    let nobody = ask("there-is-no-such-subject", "directory", "login").await;
    assert_eq!((nobody.status, nobody.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "not-routable"), "{}", nobody.body);
    for (target, scope) in [("vpn", "login"), ("directory", "everything")] {
        let refused = ask("okafor", target, scope).await;
        assert_eq!((refused.status, &refused.body["detail"]), (nobody.status, &nobody.body["detail"]), "{}", refused.body);
    }
    assert_eq!(ask("okafor", "directory", "login").await.status, StatusCode::OK);
    assert_eq!(reads(&house).await.len(), 1, "that it asked about somebody is an entry");
    // Each question counts, whoever it is about.
    for n in 0..RECORDS_PER_MINUTE - 4 {
        assert_eq!(ask(&format!("nobody-{n}"), "directory", "login").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(ask("nobody-more", "directory", "login").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn invariant_06_opening_and_rerouting_tell_software_no_more_than_the_preview() {
    let house = House::by_clock(TestClock::from(START + 30_000)).await;
    let bot = house.token("triage-bot");
    let open = async |who: &'static str, subject: &str, target: &str, scope: serde_json::Value| {
        let mut body = House::request();
        (body["subject"], body["target"], body["scope"]) = (json!(subject), json!(target), scope.clone());
        let key = format!("{who}-{subject}-{target}-{scope}");
        house.send("POST", "/v1/cases", Some(house.token(who)), &[("idempotency-key", &key)], Some(&body)).await
    };
    let nobody = open("triage-bot", "there-is-no-such-subject", "directory", json!(["login"])).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "not-routable"), "{}", nobody.body);
    assert_eq!(reads(&house).await.len(), 0, "nobody was asked about");
    for (target, scope) in [("vpn", json!(["login"])), ("directory", json!(["everything"])), ("directory", json!([]))] {
        for subject in ["okafor", "there-is-no-such-subject"] {
            let refused = open("triage-bot", subject, target, scope.clone()).await;
            assert_eq!((refused.status, &refused.body["detail"]), (nobody.status, &nobody.body["detail"]), "{subject}: {}", refused.body);
        }
    }
    assert_eq!(reads(&house).await.len(), 1, "that it asked about somebody is an entry");
    assert_eq!(open("nadia", "okafor", "vpn", json!(["login"])).await.code(), "not-recoverable", "a person is told why");

    let opened = house.open("triage-bot", "k1").await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let case = opened.body["row"]["id"].as_str().unwrap();
    for (target, scope) in [("vpn", "login"), ("directory", "everything")] {
        let route = json!({"action": "password_reset", "path": "assisted", "target": target, "scope": [scope]});
        let headers = [("idempotency-key", target), ("if-match", opened.etag.as_deref().unwrap())];
        let refused = house.send("POST", &format!("/v1/cases/{case}/route"), Some(bot), &headers, Some(&route)).await;
        assert_eq!((refused.status, &refused.body["detail"]), (nobody.status, &nobody.body["detail"]), "{}", refused.body);
        let asked = json!({"case": case, "subject": "okafor", "route": route});
        let told = house.send("POST", "/v1/cases/route-preview", Some(bot), &[], Some(&asked)).await;
        assert_eq!((told.status, &told.body["problem"]), (StatusCode::OK, &nobody.body["detail"]), "{}", told.body);
    }
    let noted = reads(&house).await;
    assert!(noted.len() == 1 && noted[0].1 == ["okafor"], "{noted:?}");
    // Each question counts: eight openings, two that would send the case elsewhere, two previews of its own case.
    for n in 0..RECORDS_PER_MINUTE - 12 {
        assert_eq!(open("triage-bot", &format!("nobody-{n}"), "directory", json!(["login"])).await.status, nobody.status);
    }
    let route = json!({"action": "password_reset", "path": "assisted", "target": "vpn", "scope": ["login"]});
    let asked = json!({"case": case, "subject": "okafor", "route": route});
    let told = house.send("POST", "/v1/cases/route-preview", Some(bot), &[], Some(&asked)).await;
    assert_eq!((told.status, told.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"), "of its own case too: {}", told.body);
    let more = open("triage-bot", "nobody-more", "directory", json!(["login"])).await;
    assert_eq!((more.status, more.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate-limited"), "{}", more.body);
    assert_eq!(house.open("triage-bot", "k1").await.status, StatusCode::CREATED, "what was answered is answered again");
}
