//! What is noticed by itself, across cases: a pair that meets too often (T8), a name that looks like another's (T18); and a subject that
//! asks for itself.

use countersign::base::Untrusted;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, VoidReason};
use countersign::domain::command::{Actor, Command};
use countersign::domain::refusal::Refusal;
use countersign::domain::register::Principal;
use countersign::domain::vocabulary::*;

use crate::desk::{helper, okafor, refusal, route};
use crate::house::{House, id, staff};

/// A sealed case of a subject of its own, opened by someone.
async fn sealed(house: &House, by: Actor, subject: &str) -> CaseId {
    let mut record = okafor(|s| s.name = Untrusted::from(subject));
    (record.id, record.person) = (id(subject), Some(id(&format!("p-{subject}"))));
    house.record(vec![record]).await;
    let case = house.open(by, route(subject, Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    house.triage("nadia", case).await.unwrap();
    house.prove(case, Method::IssuedCode, "e1").await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    case
}

#[tokio::test]
async fn t08_a_router_and_an_approver_who_meet_too_often_are_flagged_and_that_approval_does_not_count_by_itself() {
    let house = House::new().await;
    for n in 0..10 {
        let case = sealed(&house, helper(vec![]), &format!("by-the-bot-{n:02}")).await;
        house.try_approve("lee", case).await.unwrap();
    }
    for n in 0..9 {
        let case = sealed(&house, staff("nadia"), &format!("by-nadia-{n:02}")).await;
        let done = house.try_approve("sam", case).await.unwrap();
        assert!(!done.case.has_flag(FlagKind::OddPair) && done.case.state == CaseState::Approved, "{n}");
    }
    let case = sealed(&house, staff("nadia"), "by-nadia-09").await;
    let done = house.try_approve("sam", case).await.unwrap();
    assert!(done.case.has_flag(FlagKind::OddPair));
    assert_eq!((done.case.state, done.case.approvals[0].void), (CaseState::Proofing, Some(VoidReason::Flagged)));
    let seen = house.service.look(case, &staff("ines")).await.unwrap();
    assert!(seen.case.flags.iter().any(|f| f.kind == FlagKind::OddPair) && seen.row.risk != Risk::Low);
    house.untouched("okafor");

    // With what policy asks of an odd case, and time to object, it goes on.
    house.prove(case, Method::ManagerAttestation, "p-kim").await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    let done = house.try_approve("sam", case).await.unwrap();
    assert_eq!(done.case.state, CaseState::Approved);
    assert!(done.case.times.execute_after.is_some_and(|t| t > house.service.now()));
    // Someone else's approval of the same router's case is none of this.
    let other = sealed(&house, staff("nadia"), "by-nadia-10").await;
    assert_eq!(house.try_approve("lee", other).await.unwrap().case.state, CaseState::Approved);
}

#[tokio::test]
async fn t08_whoever_owns_the_bot_that_routed_or_had_it_act_for_them_meets_the_approver_too() {
    for (acting_for, approver) in [(vec![], "lee"), (vec![Principal::Person(id("p-kim"))], "lee")] {
        let house = House::new().await;
        for n in 0..10 {
            let case = sealed(&house, staff("nadia"), &format!("by-nadia-{n:02}")).await;
            house.try_approve("sam", case).await.ok();
        }
        let mut last = None;
        for n in 0..10 {
            let case = sealed(&house, helper(acting_for.clone()), &format!("by-the-bot-{n:02}")).await;
            let done = house.try_approve(approver, case).await.unwrap();
            assert_eq!(done.case.has_flag(FlagKind::OddPair), n == 9, "{n}");
            last = Some(done.case);
        }
        let last = last.unwrap();
        assert_eq!((last.state, last.approvals[0].void), (CaseState::Proofing, Some(VoidReason::Flagged)));
    }
}

#[tokio::test]
async fn t18_a_subject_whose_name_looks_like_anothers_is_flagged_when_a_case_is_opened() {
    let house = House::new().await;
    let mut records = Vec::new();
    for (subject, name) in [("one", "vault-admin"), ("two", "vau1t-admin"), ("three", "namesake"), ("four", "Namesake"), ("five", "p\u{0430}yments")]
    {
        let mut record = okafor(|s| s.name = Untrusted::from(name));
        (record.id, record.person) = (id(subject), Some(id(&format!("p-{subject}"))));
        records.push(record);
    }
    house.record(records).await;
    for (subject, flagged) in [("one", true), ("two", true), ("three", false), ("four", false), ("five", true)] {
        let done = house.open(staff("nadia"), route(subject, Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap();
        assert_eq!(done.case.has_flag(FlagKind::LookAlike), flagged, "{subject}");
        let stored = house.case(done.case.id).await;
        assert_eq!(stored.has_flag(FlagKind::LookAlike), flagged, "{subject}");
        let gates = house.service.look(done.case.id, &staff("nadia")).await.unwrap().requirement.gates.clone();
        assert_eq!(gates.contains(&Method::ManagerAttestation), flagged, "policy asks for more: {subject}");
    }
}

#[tokio::test]
async fn a_subject_asks_for_itself_proves_itself_and_is_restored_without_an_agent_and_one_request_at_a_time() {
    let house = House::new().await;
    let myself = |session: &str| Actor { who: ActorRef::Subject { session: id(session) }, scopes: [].into(), read_only: false };
    let ask = |path| route("okafor", Action::PasswordReset, path, &["login", "mail"]);
    let assisted = refusal(house.open(myself("ses-ask"), ask(Path::Assisted)).await);
    assert!(matches!(assisted, Refusal::NotPermitted { .. }), "policy lets a subject start its own path only: {assisted:?}");
    let case = house.open(myself("ses-ask"), ask(Path::SelfService)).await.unwrap().case.id;
    assert!(matches!(refusal(house.open(myself("ses-two"), ask(Path::SelfService)).await), Refusal::Already(_)));
    house.settle().await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let (status, text) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    assert_eq!(status, 200, "{text}");
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
}
