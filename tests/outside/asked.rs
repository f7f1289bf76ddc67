//! People who ask for themselves on the page for it: what comes of it, what a stranger learns and causes by typing a name (threats.md T22, T24,
//! T35; invariants 8 and 13).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use countersign::base::Untrusted;
use countersign::base::ids::{CaseId, SubjectId};
use countersign::domain::case::{ActorRef, Requester as Who};
use countersign::domain::event::{Body as Entry, CaseEvent, RegisterEvent};
use countersign::domain::register::Principal;
use countersign::domain::view::QueueQuery;
use countersign::domain::vocabulary::*;
use countersign::outbound::mail::Mailer;
use countersign::server::host::{Parts, Running};
use countersign::server::pages::{self, Settings};
use countersign::server::{Listeners, ServerConfig};
use countersign::service::requester::{MAX_WAITING, MAX_WRONG, Requester, Tried};
use countersign::service::workers::Patience;
use countersign::store::Store;
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::desk::{okafor, route};
use crate::house::{House, Plan, id, staff};

impl House {
    /// Someone asks, for the subject's password.
    async fn asks(&self, who: &str) -> (u16, String) {
        self.post(&format!("{}/ask", self.pages), &[("who", who), ("what", "password_reset"), ("system", "")]).await
    }

    /// Everything that was asked for is worked on, and what follows is sent.
    async fn works(&self) {
        self.requester.work_asked().await;
        self.settle().await;
    }

    async fn cases(&self) -> Vec<CaseId> {
        let page = self.store.queue(&QueueQuery { limit: 100, ..QueueQuery::default() }).await.unwrap();
        page.rows.iter().map(|r| r.id).collect()
    }

    async fn strangers(&self) -> Vec<u64> {
        let entries = self.store.entries(0, 1000).await.unwrap();
        let count = |e: countersign::domain::event::Entry| match e.body {
            Entry::Register { event: RegisterEvent::StrangersRefused { count, .. }, .. } => Some(count),
            _ => None,
        };
        entries.into_iter().filter_map(count).collect()
    }
}

/// Okafor's record under another id and name.
fn another(as_who: &str, change: impl FnOnce(&mut countersign::domain::subject::Subject)) -> countersign::domain::subject::Subject {
    okafor(|s| {
        s.id = id(as_who);
        s.name = Untrusted::from(as_who);
        s.endpoints[0].address = Untrusted::from(format!("{as_who}@corp.example"));
        s.endpoints.truncate(1);
        change(s);
    })
}

#[tokio::test]
async fn a_person_asks_is_told_at_every_recorded_address_proves_itself_and_is_restored() {
    let house = House::new().await;
    let (status, page) = house.get(&format!("{}/", house.pages)).await;
    assert!(status == 200 && page.contains("href=\"/ask\""), "{page}");
    let (status, form) = house.get(&format!("{}/ask", house.pages)).await;
    assert!(status == 200 && form.contains("name=\"who\"") && !form.contains("email\""), "{form}");
    // By a mail address, however it is written.
    assert_eq!(house.asks("  OKAFOR@home.example ").await.0, 200);
    house.works().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    let opened = house.case(case).await;
    assert_eq!((opened.request.channel, opened.route.path, opened.state), (Channel::Portal, Path::SelfService, CaseState::Proofing));
    assert!(matches!((&opened.request.requester, &opened.request.opened_by), (Who::Subject, ActorRef::Subject { .. })));
    assert!(opened.hands.iter().any(|h| h.who == Principal::Person(id("p-okafor")) && h.duty == Duty::Requester), "{:?}", opened.hands);
    assert!(opened.lineage.iter().any(|e| e.person == id("p-okafor") && e.duty == Duty::Requester), "{:?}", opened.lineage);
    // Triage is the desk's to do, as in any case.
    house.triage("nadia", case).await.unwrap();
    for address in ["okafor@corp.example", "okafor@home.example"] {
        let told = house.letter(address, "A recovery was started");
        assert!(!told.word().is_empty() && !told.link("n").is_empty(), "{told:?}");
    }
    let letter = house.letter("okafor@corp.example", "Your code");
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 200);
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
}

#[tokio::test]
async fn t24_whoever_is_asked_for_the_answer_is_the_same_and_comes_before_anything_is_looked_up() {
    let house = House::new().await;
    house
        .record(vec![
            another("suspended", |s| s.status = Status::Suspended),
            another("retired", |s| s.status = Status::Retired),
            another("robot", |s| s.kind = SubjectKind::ServiceAccount),
            another("nothing", |s| s.entitlements.clear()),
            another("twin-1", |s| s.name = Untrusted::from("Twin")),
            another("twin-2", |s| s.name = Untrusted::from("twin")),
        ])
        .await;
    let open = house.routed("vega", Action::PasswordReset).await;
    let frozen = house.routed("lazy", Action::PasswordReset).await;
    let hold = countersign::domain::command::Command::Hold { source: HoldSource::Security, reason: None };
    house.attempt("ines", frozen, hold).await.unwrap();
    let before = (house.store.head().await.unwrap(), house.cases().await, house.letters().len());
    let named = ["okafor", "nobody", "suspended", "retired", "robot", "nothing", "twin", "vega", "lazy", "x@y.example", "'; --", "okafor"];
    let mut answers = Vec::new();
    for who in named {
        let answer = house.web.post(format!("{}/ask", house.pages)).form(&[("who", who), ("what", "password_reset")]).send().await.unwrap();
        let mut headers = answer.headers().clone();
        headers.remove("date");
        answers.push((answer.status(), headers, answer.text().await.unwrap()));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:#?}");
    assert!(answers[0].2.contains("Look at your messages"), "{answers:?}");
    // Nobody has worked on it, and everyone has their answer: it can't depend on what is in the store.
    assert_eq!(before, (house.store.head().await.unwrap(), house.cases().await, house.letters().len()));
    house.works().await;
    let subjects: Vec<SubjectId> = {
        let mut all = Vec::new();
        for case in house.cases().await.into_iter().filter(|c| ![open, frozen].contains(c)) {
            all.push(house.case(case).await.route.subject.clone());
        }
        all.sort();
        all
    };
    assert_eq!(subjects, [id::<SubjectId>("okafor"), id("suspended")], "a case for whom there can be one, and for nobody else");
}

#[tokio::test]
async fn t24_the_answer_is_ready_without_waiting_for_anything_even_where_the_server_is_overrun() {
    let house = House::new().await;
    let settings = Settings {
        floor: Duration::ZERO,
        asks: u32::MAX,
        asks_each: u32::MAX,
        rates: pages::Rates { looks: 1, forms: u32::MAX },
        ..Settings::new(&house.pages, "Corp")
    };
    let router = pages::router(Arc::clone(&house.requester), settings);
    let mut bodies = Vec::new();
    for i in 0..MAX_WAITING + 20 {
        let form = if i % 2 == 0 { "who=okafor".to_owned() } else { format!("who=nobody{i}") };
        let request = Request::post("/ask").header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Body::from(format!("{form}&what=account_unlock"))).unwrap();
        // Whatever waits for the store is not ready the first time it is asked: this is.
        let answer = router.clone().oneshot(request).now_or_never().expect("nothing to wait for").unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        bodies.push(axum::body::to_bytes(answer.into_body(), 100_000).now_or_never().expect("nothing to wait for").unwrap());
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]));
    assert!(house.requester.work_asked().await <= MAX_WAITING);
}

#[tokio::test]
async fn invariant_08_a_name_that_strangers_type_again_and_again_makes_one_case_a_few_messages_and_one_entry_a_minute() {
    let house = House::new().await;
    for _ in 0..20 {
        house.asks("okafor").await;
        house.works().await;
    }
    let [case] = house.cases().await[..] else { panic!("one case") };
    let codes = |house: &House| house.letters().iter().filter(|l| l.subject.contains("Your code")).count();
    assert_eq!(codes(&house), 1);
    let flags = house.case(case).await.flags.clone();
    house.service.note_strangers(house.service.now()).await;
    house.service.note_strangers(house.service.now()).await;
    assert_eq!(house.strangers().await, [19]);
    // Once its code has run out, asking again sends another: at first whenever it is asked for, then one in three hours, so that strangers who
    // ask on and on neither fill a mailbox nor leave its owner without a code.
    let mut sent = Vec::new();
    for _ in 0..10 {
        house.live(3600, 1).await;
        house.asks("okafor").await;
        house.works().await;
        sent.push(codes(&house));
    }
    assert_eq!((sent, house.cases().await.len()), (vec![2, 3, 3, 3, 4, 4, 4, 5, 5, 5], 1));
    assert_eq!(house.case(case).await.flags, flags, "a stranger raises no flag");
    // A case that ended makes room for another: so many a day.
    for _ in 0..5 {
        for case in house.cases().await {
            let (reason, ask) = house.text(case, "nadia", "not wanted");
            let _ = house.service.execute(&ask, case, &countersign::domain::command::Command::Withdraw { reason }).await;
        }
        house.asks("okafor").await;
        house.works().await;
    }
    assert_eq!(house.cases().await.len(), 3);
}

#[tokio::test]
async fn a_person_with_two_proofs_to_give_is_led_from_one_to_the_other() {
    let house = House::new().await;
    house.record(vec![okafor(|s| s.aal = Aal::Aal2)]).await;
    let saved = house.service.issue_saved_codes(&id("okafor")).await.unwrap();
    house.clock.pass(8 * 24 * 3600);
    house.asks("okafor").await;
    house.works().await;
    let letter = house.letter("okafor@corp.example", "Your code");
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 200);
    house.settle().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    assert_eq!(house.case(case).await.state, CaseState::Proofing);
    let next = house.letter("okafor@corp.example", "A recovery code is asked for").link("p");
    assert_eq!(house.post(&next, &[("code", saved[0].as_str())]).await.0, 200);
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
    assert!(house.case(case).await.lineage.iter().all(|e| e.duty != Duty::Prover), "nobody of the staff had a hand in it");
}

#[tokio::test]
async fn the_system_that_is_named_is_the_one_and_an_open_request_in_another_is_enough() {
    let house = House::new().await;
    house.record(vec![another("both", |s| drop(s.entitlements.insert(id("vault"), [id("read")].into())))]).await;
    let ask = |system: &'static str| {
        let (url, house) = (format!("{}/ask", house.pages), &house);
        async move { house.post(&url, &[("who", "both"), ("what", "account_unlock"), ("system", system)]).await.0 }
    };
    assert_eq!(ask("payroll").await, 200);
    house.works().await;
    assert!(house.cases().await.is_empty(), "what was not recorded is not given back");
    assert_eq!(ask("Vault").await, 200);
    house.works().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    let route = &house.case(case).await.route;
    assert_eq!((route.target.as_str(), route.action, route.scope.len()), ("vault", Action::AccountUnlock, 1));
    assert_eq!(ask("directory").await, 200);
    house.works().await;
    assert_eq!(house.cases().await.len(), 1);
}

#[tokio::test]
async fn what_policy_does_not_let_the_subject_start_is_not_offered_and_not_opened() {
    let text = include_str!("../../assets/policy/default.toml").replace(r#", "subject"]"#, "]");
    let house = House::with(Plan { policy: Some(text), ..Plan::default() }).await;
    let (status, page) = house.get(&format!("{}/ask", house.pages)).await;
    assert!(status == 404 && !page.contains("<form"), "{page}");
    assert!(!house.get(&format!("{}/", house.pages)).await.1.contains("/ask"));
    assert_eq!(house.asks("okafor").await.0, 200, "and a form that was sent all the same says nothing");
    house.works().await;
    assert!(house.cases().await.is_empty());
    let assisted = include_str!("../../assets/policy/default.toml").replace(r#", "subject"]"#, "]");
    let assisted = assisted.replace(r#""security_reviewer", "automation"]"#, r#""security_reviewer", "automation", "subject"]"#);
    let house = House::with(Plan { policy: Some(assisted), ..Plan::default() }).await;
    house.asks("okafor").await;
    house.works().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    assert_eq!((house.case(case).await.route.path, house.case(case).await.state), (Path::Assisted, CaseState::New));
}

#[tokio::test]
async fn what_is_no_request_is_said_in_place_and_changes_nothing_and_everyone_together_is_bounded() {
    let house = House::with(Plan { asks: Some(2), ..Plan::default() }).await;
    let url = format!("{}/ask", house.pages);
    for (form, says) in [
        (vec![("who", ""), ("what", "password_reset")], "your user name"),
        (vec![("who", "okafor")], "Choose what happened"),
        (vec![("who", "\u{1b}[31m<b>"), ("what", "password_reset")], "your user name"),
        (vec![("who", "okafor"), ("what", "emergency_access")], "Choose what happened"),
        (vec![("who", "okafor"), ("what", "account_unlock"), ("system", "\u{7}")], "name of a system"),
    ] {
        let (status, page) = house.post(&url, &form).await;
        assert!(status == 422 && page.contains(says) && page.contains("aria-invalid") | says.contains("Choose"), "{form:?} {page}");
        assert!(!page.contains("<b>") && !page.contains('\u{1b}') && page.contains("<title>Error"), "{page}");
    }
    assert_eq!(house.post(&url, &[("who", "okafor"), ("what", "password_reset"), ("email", "me@evil.example")]).await.0, 400);
    assert_eq!(house.post(&url, &[("who", &"x".repeat(5000)), ("what", "password_reset")]).await.0, 413);
    let cross = house.web.post(&url).header("sec-fetch-site", "cross-site").form(&[("who", "okafor"), ("what", "password_reset")]).send().await;
    assert_eq!(cross.unwrap().status().as_u16(), 403);
    for expected in [200, 200, 429] {
        assert_eq!(house.asks("nobody").await.0, expected);
    }
    house.clock.pass(60);
    assert_eq!(house.asks("nobody").await.0, 200);
    for _ in 0..3 {
        assert_eq!(house.get(&url).await.0, 200);
    }
    house.works().await;
    assert!(house.cases().await.is_empty());
}

#[tokio::test]
async fn nobody_of_the_staff_opens_a_case_as_the_subject_and_what_is_open_is_not_disturbed() {
    let house = House::new().await;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::SelfService, &["login"])).await.unwrap().case.id;
    house.works().await;
    let before = house.case(case).await;
    house.asks("okafor").await;
    house.works().await;
    assert_eq!(house.case(case).await, before);
    assert_eq!(house.cases().await, [case]);
}

#[tokio::test]
async fn t22_what_a_stranger_typed_raises_nothing_in_the_case_that_its_subject_gets_from_the_desk() {
    let house = House::new().await;
    house.asks("okafor").await;
    house.works().await;
    let [word] = house.cases().await[..] else { panic!("one case") };
    assert!(house.case(word).await.is_word_alone());
    let own = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(own.linked.contains(&word) && !own.has_flag(FlagKind::RepeatRequest) && own.hold.is_none(), "{own:?}");
    // What was proved is a recovery like any other.
    let letter = house.letter("okafor@corp.example", "Your code");
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 200);
    assert!(!house.case(word).await.is_word_alone());
    let next = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(next.has_flag(FlagKind::RepeatRequest));
}

#[tokio::test]
async fn t22_a_name_typed_after_a_recovery_opens_nothing_that_would_be_frozen() {
    let house = House::new().await;
    let done = house.approved("okafor", Action::PasswordReset).await;
    house.live(120, 4).await;
    assert_eq!(house.case(done).await.state, CaseState::Restored);
    let before = house.letters().len();
    house.asks("okafor").await;
    house.works().await;
    assert!(house.cases().await.iter().all(|c| *c == done));
    assert_eq!(house.letters().len(), before, "nobody is told");
    house.service.note_strangers(house.service.now()).await;
    assert_eq!(house.strangers().await, [1]);
}

#[tokio::test]
async fn t35_a_name_typed_in_vain_tells_no_staff_ends_within_two_days_and_makes_room_for_its_person() {
    let house = House::new().await;
    for _ in 0..4 {
        house.asks("okafor").await;
        house.works().await;
        house.live(3600, 1).await;
    }
    let [word] = house.cases().await[..] else { panic!("one case") };
    house.live(44 * 3600, 44).await;
    assert_eq!(house.case(word).await.state, CaseState::Expired);
    let told: Vec<_> = house.letters().into_iter().filter(|l| !l.to.starts_with("okafor@")).collect();
    assert!(told.is_empty(), "{told:#?}");
    house.asks("okafor").await;
    house.works().await;
    let new = house.cases().await.into_iter().find(|c| *c != word).expect("another case");
    assert!(!house.case(new).await.has_flag(FlagKind::RepeatRequest));
    let letter = house.letter("okafor@corp.example", "Your code");
    assert_eq!(house.post(&letter.link("p"), &[("code", &letter.code())]).await.0, 200);
    house.live(120, 4).await;
    assert_eq!(house.case(new).await.state, CaseState::Restored);
}

#[tokio::test]
async fn what_staff_worked_on_without_taking_it_does_not_end_without_a_word() {
    let house = House::new().await;
    house.asks("okafor").await;
    house.works().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    let (text, ask) = house.text(case, "nadia", "rang them: they have no mail just now");
    house.service.execute(&ask, case, &countersign::domain::command::Command::Comment { text }).await.unwrap();
    assert!(!house.case(case).await.is_word_alone());
    house.live(48 * 3600, 48).await;
    assert_ne!(house.case(case).await.state, CaseState::Expired);
    assert!(house.letters().iter().any(|l| !l.to.starts_with("okafor@") && l.body.contains(&case.to_string())), "somebody of the staff is told");
}

#[tokio::test]
async fn t35_one_address_that_asks_too_often_shuts_nobody_else_out() {
    let house = House::with(Plan { asks: Some(4), asks_each: Some(2), ..Plan::default() }).await;
    for expected in [200, 200, 429, 429, 429] {
        assert_eq!(house.asks("nobody").await.0, expected);
    }
    let elsewhere = reqwest::Client::builder().no_proxy().local_address(std::net::IpAddr::from([127, 0, 0, 2])).build().unwrap();
    for expected in [200, 200, 429] {
        let answer = elsewhere.post(format!("{}/ask", house.pages)).form(&[("who", "okafor"), ("what", "password_reset")]).send().await;
        assert_eq!(answer.unwrap().status().as_u16(), expected);
    }
    house.works().await;
    assert_eq!(house.cases().await.len(), 1);
}

#[tokio::test]
async fn invariant_08_wrong_words_fill_no_log_without_end_and_the_right_one_is_heard_after_them() {
    let house = House::new().await;
    house.asks("okafor").await;
    house.works().await;
    let [case] = house.cases().await[..] else { panic!("one case") };
    let letter = house.letter("okafor@corp.example", "A recovery was started");
    let (link, wrong) = (letter.link("n"), if letter.word() == "bababa" { "dodolo" } else { "bababa" });
    for i in 0..MAX_WRONG + 10 {
        if i % 5 == 0 {
            house.clock.pass(60);
        }
        assert_eq!(house.post(&link, &[("word", wrong)]).await.0, 422);
    }
    // A server that was started anew knows it from the log.
    let anew = Requester::new(Arc::clone(&house.service), house.keys.clone());
    assert!(matches!(anew.not_me(link.rsplit('/').next().unwrap(), wrong).await, Ok(Tried::Wrong)));
    let tried = |e: &&CaseEvent| matches!(e, CaseEvent::Refused { refusal, .. } if refusal == "wrong-word");
    assert_eq!(house.events(case).await.iter().filter(tried).count(), MAX_WRONG);
    house.service.note_strangers(house.service.now()).await;
    assert_eq!(house.strangers().await.iter().sum::<u64>(), 11);
    assert_eq!(house.post(&link, &[("word", &letter.word())]).await.0, 200);
    assert!(house.case(case).await.hold.is_some());
}

#[tokio::test]
async fn what_the_page_took_while_the_server_drained_is_worked_on_and_counted_before_it_ends() {
    let house = House::new().await;
    let (staff, pages) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let at = pages.local_addr().unwrap();
    let parts = Parts {
        service: Arc::clone(&house.service),
        codes: house.keys.clone(),
        mailer: Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap(),
        connectors: BTreeMap::new(),
        public_url: format!("http://{at}"),
        organisation: "Corp".to_owned(),
        config: ServerConfig::default(),
        patience: Patience::default(),
    };
    let running = Running::start(parts, Listeners { staff, pages: Some(pages), metrics: None });
    let mut asking = Vec::new();
    for who in ["okafor", "nobody"] {
        let form = format!("who={who}&what=password_reset&system=");
        let head = format!("POST /ask HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}", form.len());
        let mut connection = TcpStream::connect(at).await.unwrap();
        connection.write_all(format!("{head}\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
        // The server is in the middle of this request when it is told to end.
        let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        connection.read_exact(&mut go_on).await.unwrap();
        asking.push((connection, form));
    }
    let ended = tokio::spawn(running.stop());
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(at).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "it does not end");
        tokio::task::yield_now().await;
    }
    for (mut connection, form) in asking {
        connection.write_all(form.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("Look at your messages"), "{answer}");
    }
    ended.await.unwrap().unwrap();
    assert_eq!(house.cases().await.len(), 1);
    assert_eq!(house.strangers().await.iter().sum::<u64>(), 1);
}
