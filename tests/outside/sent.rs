//! Who can't be told is seen: what became of each message stands in its case, and what can't be sent is not asked for (invariants 7 and 13).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use countersign::api::case::CaseDetail;
use countersign::api::proof::ItemState;
use countersign::base::Untrusted;
use countersign::base::ids::CaseId;
use countersign::domain::command::Command;
use countersign::domain::effect::Notice;
use countersign::domain::event::CaseEvent;
use countersign::domain::message::{Message, Sent, Untold};
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::Endpoint;
use countersign::domain::vocabulary::{Action, EndpointKind, FlagKind, HoldSource, Method, Path, WaitingOn};
use countersign::outbound::mail::{Mailer, Security, Smtp};
use countersign::store::Store as _;

use crate::desk::{okafor, refusal, route};
use crate::house::{House, MUTE, id, staff, workers};

/// A relay that refuses, for good, mail to addresses with these words.
fn relay(refuses: &'static str) -> Mailer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let _ = stream.write_all(b"220 relay\r\n");
                while let Some(line) = lines.next() {
                    let answer = match &line.to_uppercase()[..4] {
                        "RCPT" if line.contains(refuses) => format!("550 5.1.1 {line}: nobody of that name"),
                        "DATA" => {
                            let _ = stream.write_all(b"354 go on\r\n");
                            lines.by_ref().take_while(|l| l != ".").for_each(drop);
                            "250 taken".to_owned()
                        }
                        "QUIT" => return,
                        _ => "250 well".to_owned(),
                    };
                    let _ = stream.write_all(format!("{answer}\r\n").as_bytes());
                }
            });
        }
    });
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout: Duration::from_secs(5), root: None };
    Mailer::smtp("Corp <no-reply@corp.example>", &smtp).unwrap()
}

impl House {
    /// What became of the messages of a case, as its entries tell.
    async fn sent(&self, case: CaseId) -> Vec<Sent> {
        let sent = |e| if let CaseEvent::MessageSent { sent } = e { Some(sent) } else { None };
        self.events(case).await.into_iter().filter_map(sent).collect()
    }

    async fn shown(&self, case: CaseId) -> CaseDetail {
        CaseDetail::from(&self.service.look(case, &staff("nadia")).await.unwrap())
    }
}

fn notice(told: u32, untold: &[(Untold, u32)]) -> Sent {
    Sent { message: Message::Notice { notice: Notice::Started }, told, untold: untold.iter().copied().collect() }
}

#[tokio::test]
async fn a_proof_whose_time_is_over_is_said_to_have_lapsed_and_neither_to_count_nor_to_have_failed() {
    use countersign::api::sent;
    let house = House::new().await;
    let stands = async |case: CaseId| {
        let item = house.shown(case).await.checklist.items.remove(0);
        (item.state, item.sessions[0].outcome.clone().unwrap(), sent::lapsed(&item.sessions))
    };
    let (proofing, sealed) = (house.proved("okafor", Action::PasswordReset).await, house.proved("slow", Action::PasswordReset).await);
    house.act("nadia", sealed, Command::Seal).await;
    assert_eq!(stands(proofing).await, (ItemState::Done, "proved".to_owned(), false));
    assert_eq!(stands(sealed).await, (ItemState::Done, "proved".to_owned(), false));
    house.clock.pass(25 * 3_600);
    assert_eq!(stands(proofing).await, (ItemState::Missing, "lapsed".to_owned(), true));
    assert_eq!(stands(sealed).await, (ItemState::Done, "lapsed".to_owned(), true), "it was, under the seal");
    assert!(sent::ended("lapsed").contains("it counts no more"));

    // What came of the next try is told then.
    house.start_proof(proofing, Method::IssuedCode, Some("e1"), None).await;
    let link = house.letter("okafor@corp.example", "Your code").link("p");
    for _ in 0..5 {
        house.post(&link, &[("code", "0000 0000")]).await;
    }
    let item = house.shown(proofing).await.checklist.items.remove(0);
    assert_eq!((item.state, item.stands()), (ItemState::Failed, "failed: start again or another way"), "{:?}", item.sessions);
}

#[tokio::test]
async fn word_of_a_turn_that_is_due_is_sent_though_the_case_is_sent_elsewhere_at_that_very_second() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.settle().await;
    let told = || house.letters().iter().filter(|l| l.to == "okafor@corp.example" && l.subject.starts_with("A recovery was started")).count();
    let turn = async |after: i64, action: Action| {
        house.clock.pass(after);
        house.act("nadia", case, Command::Route { route: route("okafor", action, Path::Assisted, &["login"]) }).await;
    };
    assert_eq!(told(), 1);
    turn(300, Action::MfaReenrolment).await;
    house.settle().await;
    assert_eq!(told(), 2, "the first at once");
    turn(10, Action::PasswordReset).await;
    turn(20, Action::MfaReenrolment).await;
    house.settle().await;
    turn(30, Action::PasswordReset).await;
    house.settle().await;
    assert_eq!(told(), 3, "both of the minute in one, at its end, whatever comes then");
    assert!(house.letter("okafor@corp.example", "A recovery was started").body.contains("password reset"), "as it stands now");
    house.clock.pass(60);
    house.settle().await;
    assert_eq!(told(), 4, "and the turn of that second a minute later");
    turn(300, Action::MfaReenrolment).await;
    turn(0, Action::PasswordReset).await;
    house.settle().await;
    assert_eq!(told(), 5, "at once means at once");
    house.clock.pass(60);
    house.settle().await;
    assert_eq!(told(), 6);
}

#[tokio::test]
async fn invariant_13_a_subject_that_nobody_can_tell_is_seen_and_policy_asks_for_more() {
    let house = House::new().await;
    // A telephone that counts, and mail addresses that nobody ever confirmed.
    let silent = okafor(|s| {
        let phone = Endpoint { id: id("phone"), kind: EndpointKind::Phone, address: Untrusted::from("+44 20 7946 0123"), ..s.endpoints[0].clone() };
        s.endpoints.iter_mut().for_each(|e| e.confirmed_at = None);
        s.endpoints.push(phone);
    });
    house.record(vec![silent]).await;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(case.has_flag(FlagKind::Unreachable));
    let need = house.service.look(case.id, &staff("nadia")).await.unwrap().requirement;
    assert!(need.approvals.count >= 2 && need.review && need.gates.contains(&Method::ManagerAttestation), "{need:?}");
    house.settle().await;
    assert_eq!(house.sent(case.id).await, [notice(0, &[(Untold::NoAddress, 1)])]);
    let seen = house.case(case.id).await;
    assert!(seen.version > case.version && seen.changed == case.changed, "what someone read of the case still holds");
    let shown = house.shown(case.id).await;
    assert_eq!((shown.messages.len(), shown.messages[0].message.as_str(), shown.messages[0].untold[0].as_str()), (1, "started", "no_address"));
    assert!(shown.messages[0].sentence.ends_with("could not be sent: no confirmed mail address is recorded"), "{:?}", shown.messages);

    house.triage("nadia", case.id).await.unwrap();
    let session = house.service.fresh("ses").unwrap();
    let start = Command::StartProof { session, method: Method::SavedCode, endpoint: Some(id("phone")), attester: None };
    let refused = refusal(house.attempt("nadia", case.id, start).await);
    assert!(matches!(&refused, Refusal::EndpointUnusable(why) if why.contains("e-mail addresses only")), "{refused}");
    let offered = house.shown(case.id).await.checklist.items.into_iter().flat_map(|i| i.startable).filter(|s| s.endpoint.is_some()).count();
    assert_eq!(offered, 0, "nothing is offered that would not arrive");
    let other = house.open(staff("nadia"), route("vega", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(!other.has_flag(FlagKind::Unreachable));
}

#[tokio::test]
async fn invariant_07_what_a_relay_refuses_is_not_said_to_be_sent() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.service.fresh("ses").unwrap();
    let start = |session| Command::StartProof { session, method: Method::IssuedCode, endpoint: Some(id("e1")), attester: None };
    house.act("nadia", case, start(countersign::base::ids::SessionId::clone(&session))).await;
    let refusing = workers(&house.service, &house.keys, relay("@"), &house.connector, &house.pages);
    while refusing.run_outbox_once().await.unwrap() > 0 {}
    let sent = house.sent(case).await;
    let code = |told, untold: &[(Untold, u32)]| {
        let message = Message::Code { session: countersign::base::ids::SessionId::clone(&session) };
        Sent { message, told, untold: untold.iter().copied().collect() }
    };
    assert!(sent.len() == 2 && sent.contains(&notice(0, &[(Untold::Refused, 2)])) && sent.contains(&code(0, &[(Untold::Refused, 1)])), "{sent:?}");
    assert!(house.case(case).await.has_flag(FlagKind::Unreachable), "told at no address is not told");
    let shown = house.shown(case).await;
    let sessions: Vec<_> = shown.checklist.items.iter().flat_map(|i| &i.sessions).collect();
    assert_eq!(sessions[0].unsent.as_deref(), Some("the mail relay refused it"));
    // Nobody will answer: the case is the agents' again, its clock runs, and what to do is said.
    let row = house.store.row(case).await.unwrap().unwrap();
    assert_eq!((row.waiting_on, shown.checklist.items[0].state), (WaitingOn::Agent, ItemState::Failed));
    let next = shown.checklist.next.clone().unwrap();
    assert!(next.contains("e2, or start the same again") && next.ends_with("could not be sent: the mail relay refused it"), "{next}");
    assert!(house.case(case).await.times.due.is_none());
    house.workers.run_deadlines_once().await.unwrap();
    let runs = house.case(case).await;
    assert!(runs.times.due.is_some() && runs.times.paused_left.is_none() && !runs.waits_for_subject(house.service.now()));
    house.act("nadia", case, start(house.service.fresh("ses").unwrap())).await;
    assert!(house.case(case).await.waits_for_subject(house.service.now()), "and it need not wait a minute to be started again");
    let entries = serde_json::to_string(&house.store.case_entries(case, 0, 100).await.unwrap()).unwrap();
    assert!(!entries.contains('@') && !entries.contains("nobody of that name"), "ids and reasons only: {entries}");

    let second = house.routed("vega", Action::PasswordReset).await;
    let choosy = workers(&house.service, &house.keys, relay("home.example"), &house.connector, &house.pages);
    while choosy.run_outbox_once().await.unwrap() > 0 {}
    assert_eq!(house.sent(second).await, [notice(1, &[(Untold::Refused, 1)])]);
    assert!(!house.case(second).await.has_flag(FlagKind::Unreachable), "told at one");
    let sentence = house.shown(second).await.messages[0].sentence.clone();
    assert!(sentence.contains("was sent to 1 address, and could not be sent to 1 address: the mail relay refused it"), "{sentence}");
}

#[tokio::test]
async fn invariant_13_a_relay_that_stays_away_is_given_up_and_that_is_seen() {
    let house = House::new().await;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout: Duration::from_secs(5), root: None };
    let away = workers(&house.service, &house.keys, Mailer::smtp("Corp <r@corp.example>", &smtp).unwrap(), &house.connector, &house.pages);
    for _ in 0..40 {
        away.run_outbox_once().await.unwrap();
        house.clock.pass(15);
    }
    assert_eq!(house.sent(case).await, [notice(0, &[(Untold::Unreachable, 2)])]);
    assert!(house.case(case).await.has_flag(FlagKind::Unreachable));
}

#[tokio::test]
async fn invariant_07_a_code_that_ran_out_before_it_could_leave_is_not_said_to_be_sent() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.settle().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let smtp = Smtp { host: "127.0.0.1".into(), port, security: Security::Plain, credentials: None, timeout: Duration::from_secs(5), root: None };
    let away = workers(&house.service, &house.keys, Mailer::smtp("Corp <r@corp.example>", &smtp).unwrap(), &house.connector, &house.pages);
    let session = house.service.fresh::<countersign::base::ids::SessionId>("ses").unwrap();
    let start = Command::StartProof { session: session.clone(), method: Method::IssuedCode, endpoint: Some(id("e1")), attester: None };
    house.act("nadia", case, start).await;
    away.run_outbox_once().await.unwrap();
    let of_the_code = |sent: Vec<Sent>| sent.into_iter().find(|s| s.session() == Some(&session));
    assert_eq!(of_the_code(house.sent(case).await), None, "it may still leave");
    let proof = house.case(case).await.sessions[&session].clone();
    house.clock.pass((proof.expires_at - house.service.now()).num_seconds() + 1);
    away.run_outbox_once().await.unwrap();
    let sent = of_the_code(house.sent(case).await).expect("it is told that it never left");
    assert_eq!((sent.told, sent.untold.keys().copied().collect::<Vec<_>>()), (0, vec![Untold::Unreachable]));
    let shown = house.shown(case).await;
    let unsent = shown.checklist.items.iter().flat_map(|i| &i.sessions).find_map(|s| s.unsent.clone());
    assert_eq!(unsent.as_deref(), Some("the mail relay could not be reached in time"));
}

#[tokio::test]
async fn invariant_07_a_code_that_a_hold_came_before_is_not_said_to_be_sent() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.settle().await;
    let session = house.session("nadia", case, Method::IssuedCode, "e1").await.unwrap();
    house.clock.pass(5);
    let (reason, ask) = house.text(case, "ines", "two calls from one number");
    house.service.execute(&ask, case, &Command::Hold { source: HoldSource::Security, reason: Some(reason) }).await.unwrap();
    house.settle().await;
    let sent = house.sent(case).await.into_iter().find(|s| s.session() == Some(&session)).expect("it is told that it never left");
    assert_eq!((sent.told, sent.untold.keys().copied().collect::<Vec<_>>()), (0, vec![Untold::Held]));
    let contact = house.session("ines", case, Method::IssuedCode, "e2").await.unwrap();
    house.answer(case, &contact).await.unwrap();
    let (reason, ask) = house.text(case, "ines", "spoke to them");
    house.service.execute(&ask, case, &Command::LiftHold { reason, contact }).await.unwrap();
    assert!(!house.case(case).await.waits_for_subject(house.service.now()), "nobody waits for an answer to what was not sent");
    house.session("nadia", case, Method::IssuedCode, "e1").await.expect("and it can be sent at once");
}

#[tokio::test]
async fn invariant_07_whoever_can_not_be_asked_is_not_asked_and_the_agent_learns_why() {
    let house = House::new().await;
    let mut mute = okafor(|s| s.manager = Some(id(&format!("p-{MUTE}"))));
    mute.id = id("mute-managed");
    let mut own = okafor(|s| s.endpoints[1].address = Untrusted::from("KIM@corp.example"));
    own.id = id("own-managed");
    // Odd enough that policy asks for the manager's word.
    let odd = |s: &mut countersign::domain::subject::Subject| s.name = Untrusted::from("p\u{0430}yments");
    odd(&mut mute);
    odd(&mut own);
    house.record(vec![mute, own]).await;
    for (subject, manager, why) in
        [("mute-managed", format!("p-{MUTE}"), "No mail address is recorded"), ("own-managed", "p-kim".into(), "subject's own")]
    {
        let case = house.open(staff("nadia"), route(subject, Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
        house.triage("nadia", case).await.unwrap();
        let session = house.service.fresh("ses").unwrap();
        let start = Command::StartProof { session, method: Method::ManagerAttestation, endpoint: None, attester: Some(id(&manager)) };
        let refused = refusal(house.attempt("nadia", case, start).await);
        assert!(matches!(&refused, Refusal::EndpointUnusable(said) if said.contains(why)), "{refused}");
        assert!(house.case(case).await.sessions.is_empty(), "nothing waits for an answer that can't come");
        let told = house.events(case).await;
        assert!(told.iter().any(|e| matches!(e, CaseEvent::Refused { command, .. } if command == "start_proof")), "{told:?}");
    }
}
