//! Cases that run by themselves, end to end: opened by staff or software, proved by the subject, sealed and executed by the server; and
//! never where whoever decided the rule has a hand in it (invariant 17).

use countersign::domain::case::{Route, Worker};
use countersign::domain::command::{Command, RegisterCommand};
use countersign::domain::event::RegisterChange;
use countersign::domain::refusal::Refusal;
use countersign::domain::vocabulary::*;
use countersign::service::Ask;
use countersign::service::register::Beside;
use countersign::store::Store;

use crate::desk::{helper, okafor, refusal, route};
use crate::house::{House, id, staff};

#[tokio::test]
async fn self_service_opened_by_software_is_proved_on_the_page_and_restored_without_anyone_at_the_desk() {
    let house = House::new().await;
    let case = house.open(helper(vec![]), route("okafor", Action::PasswordReset, Path::SelfService, &["login"])).await.unwrap().case;
    assert_eq!((case.state, case.sessions.len()), (CaseState::Proofing, 1), "the server opened the session itself");
    house.settle().await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let (status, page) = house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(house.case(case.id).await.state, CaseState::Approved, "nothing is missing: it seals itself and needs no approval");
    house.live(120, 4).await;
    let restored = house.case(case.id).await;
    assert_eq!(restored.state, CaseState::Restored, "{:?}", restored.executions);
    assert_eq!(house.account("okafor").status, Status::Active);
    assert!(restored.hands.iter().all(|h| h.duty != Duty::Prover && h.duty != Duty::Sealer), "{:?}", restored.hands);
}

#[tokio::test]
async fn self_service_opened_by_staff_is_proved_and_restored_and_an_elevated_one_waits_for_approval() {
    let house = House::new().await;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::SelfService, &["login"])).await.unwrap().case.id;
    house.prove(case, Method::IssuedCode, "e1").await;
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);

    let mut shared = okafor(|s| s.tier = Tier::Elevated);
    (shared.id, shared.person) = (id("vega"), Some(id("p-vega")));
    house.record(vec![shared]).await;
    let case = house.open(staff("nadia"), route("vega", Action::PasswordReset, Path::SelfService, &["login"])).await.unwrap().case.id;
    house.prove(case, Method::IssuedCode, "e1").await;
    assert_eq!(house.case(case).await.state, CaseState::Sealed);
    house.live(120, 4).await;
    house.untouched("vega");
    assert!(matches!(refusal(house.try_approve("nadia", case).await), Refusal::SeparationOfDuties { .. }));
    house.try_approve("sam", case).await.unwrap();
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
}

#[tokio::test]
async fn invariant_17_what_a_decider_of_the_rule_has_a_hand_in_becomes_assisted() {
    let house = House::new().await;
    assert!(house.store.register().await.unwrap().policy_deciders.contains(&id("p-ines")));
    // Ines decided the policy and opens a runbook case; Omar did and is the subject of a self-service case.
    let runbook = house.open(staff("ines"), route("okafor", Action::PasswordReset, Path::Runbook, &["login"])).await.unwrap().case;
    let mut omar = okafor(|s| s.person = Some(id("p-omar")));
    omar.id = id("vega");
    house.record(vec![omar]).await;
    let own = house.open(helper(vec![]), route("vega", Action::PasswordReset, Path::SelfService, &["login"])).await.unwrap().case;
    for (case, decider) in [(runbook, "p-ines"), (own, "p-omar")] {
        assert_eq!((case.route.path, case.state), (Path::Assisted, CaseState::New));
        assert!(case.lineage.iter().any(|e| e.person == id(decider) && e.duty == Duty::RuleAuthor), "{:?}", case.lineage);
        assert!(case.sessions.is_empty());
        house.triage("nadia", case.id).await.unwrap();
        house.prove(case.id, Method::IssuedCode, "e1").await;
        house.attempt("nadia", case.id, Command::Seal).await.unwrap();
        // It is not sent back down the path.
        let back = route(case.route.subject.as_str(), Action::PasswordReset, Path::SelfService, &["login"]);
        assert!(matches!(refusal(house.attempt("nadia", case.id, Command::Route { route: back }).await), Refusal::Already(_)));
        assert_eq!(house.case(case.id).await.route.path, Path::Assisted);
        house.ends_blocked(case.id).await;
    }
}

#[tokio::test]
async fn no_path_is_reached_by_way_of_another_that_one_may_not_start() {
    let house = House::new().await;
    let case = house.open(helper(vec![]), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    let runbook = Command::Route { route: route("okafor", Action::PasswordReset, Path::Runbook, &["login"]) };
    assert!(matches!(refusal(house.service.execute(&Ask::by(helper(vec![])), case, &runbook).await), Refusal::NotPermitted { .. }));
    assert_eq!(house.case(case).await.route.path, Path::Assisted);
}

#[tokio::test]
async fn invariant_02_a_case_sent_to_another_target_takes_in_who_routed_what_is_there() {
    let house = House::new().await;
    house.record(vec![okafor(|s| drop(s.entitlements.insert(id("vault"), [id("login")].into())))]).await;
    let mut there = route("okafor", Action::PasswordReset, Path::SelfService, &["login"]);
    there.target = id("vault");
    let other = house.open(staff("sam"), there.clone()).await.unwrap().case.id;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    assert!(house.case(case).await.lineage.iter().all(|e| e.person != id("p-sam")));
    there.path = Path::Assisted;
    let moved = house.attempt("nadia", case, Command::Route { route: there }).await.unwrap().case;
    assert!(moved.lineage.iter().any(|e| e.person == id("p-sam") && e.case == Some(other)), "{:?}", moved.lineage);
    let Refusal::SeparationOfDuties { .. } = refusal(house.try_approve("sam", case).await) else { panic!("sam decides") };
}

#[tokio::test]
async fn invariant_02_a_case_sent_elsewhere_and_withdrawn_sheds_nobody() {
    let house = House::new().await;
    house.record(vec![okafor(|s| drop(s.entitlements.insert(id("vault"), [id("login")].into())))]).await;
    let here = route("okafor", Action::PasswordReset, Path::Assisted, &["login"]);
    let there = Route { target: id("vault"), ..here.clone() };
    let first = house.open(staff("sam"), here.clone()).await.unwrap().case.id;
    house.attempt("nadia", first, Command::Route { route: there.clone() }).await.unwrap();
    let (reason, ask) = house.text(first, "nadia", "It belongs elsewhere.");
    house.service.execute(&ask, first, &Command::Withdraw { reason }).await.unwrap();
    for route in [here, there] {
        let case = house.open(staff("nadia"), route.clone()).await.unwrap().case.id;
        let lineage = house.case(case).await.lineage.clone();
        assert!(lineage.iter().any(|e| e.person == id("p-sam") && e.case == Some(first)), "{}: {lineage:?}", route.target);
        let Refusal::SeparationOfDuties { .. } = refusal(house.try_approve("sam", case).await) else { panic!("sam decides") };
    }
}

#[tokio::test]
async fn invariant_04_a_sealed_case_is_looked_at_again_when_a_linked_one_brings_hands() {
    let house = House::new().await;
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    assert_eq!(house.service.reassess_due().await.unwrap(), 0);
    house.open(staff("sam"), route("okafor", Action::AccountUnlock, Path::SelfService, &["login"])).await.unwrap();
    assert_eq!(house.service.reassess_due().await.unwrap(), 1);
    let after = house.case(case).await;
    assert_eq!(after.state, CaseState::Proofing);
    assert!(after.lineage.iter().any(|e| e.person == id("p-sam")));
}

#[tokio::test]
async fn invariant_04_what_could_not_be_looked_at_again_is_kept_for_later() {
    let house = House::new().await;
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    house.open(staff("sam"), route("okafor", Action::AccountUnlock, Path::SelfService, &["login"])).await.unwrap();
    house.clock.tamper(3_600_000);
    assert_eq!(house.service.reassess_due().await.unwrap(), 0, "nothing can be written");
    assert!(house.service.reassess_left());
    house.clock.tamper(-3_600_000);
    assert_eq!(house.service.reassess_due().await.unwrap(), 1);
    assert_eq!(house.case(case).await.state, CaseState::Proofing);
}

#[tokio::test]
async fn invariant_08_what_can_not_be_written_for_a_moment_is_told_later() {
    let house = House::new().await;
    house.service.stranger();
    house.clock.tamper(3_600_000);
    house.service.note_strangers(house.service.now()).await;
    house.service.record_refusal(&Ask::by(staff("nadia")), None, "token_issue", "not-permitted").await;
    house.clock.tamper(-3_600_000);
    house.service.note_strangers(house.service.now()).await;
    house.service.write_counts(true).await;
    let entries = house.store.entries(0, 1_000).await.unwrap();
    let told = |what: &str| entries.iter().filter(|e| format!("{:?}", e.body).contains(what)).count();
    assert_eq!((told("StrangersRefused { count: 1"), told("RefusedMany"), told("{\"not-permitted\": 1}")), (1, 1, 1), "{entries:#?}");
}

#[tokio::test]
async fn invariant_15_a_case_in_proofing_that_no_one_could_decide_any_more_is_shown_at_once() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    assert!(!house.case(case).await.has_flag(FlagKind::Deadlock));
    for (at, supervisor) in ["sam", "lee"].into_iter().enumerate() {
        let change = RegisterChange::DisableOperator(id(supervisor));
        let command = RegisterCommand::Change { id: id(&format!("prp-{at}")), change };
        house.service.govern(&Ask::system(Worker::Host), &command, &Beside::default()).await.unwrap();
    }
    assert_eq!(house.service.reassess_due().await.unwrap(), 1);
    assert!(house.case(case).await.has_flag(FlagKind::Deadlock));
    assert_eq!(house.service.reassess_due().await.unwrap(), 0, "it is noticed once");
}
