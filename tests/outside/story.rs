//! The whole story through mail and pages, and each method of proof.

use countersign::base::ids::SubjectId;
use countersign::domain::case::{ActorRef, SessionOutcome};
use countersign::domain::vocabulary::{Action, CaseState, HoldSource, Method, Status};
use countersign::proofing::saved;
use countersign::store::Store;

use crate::house::{House, id};

#[tokio::test]
async fn a_password_is_reset_through_mail_pages_and_the_real_target() {
    let house = House::new().await;
    let case = house.proved("okafor", Action::PasswordReset).await;
    let receipt = house.case(case).await.receipts[0].clone();
    assert!(matches!(receipt.by, ActorRef::Subject { .. }), "{receipt:?}");
    assert_eq!(house.account("okafor").status, Status::Locked);
    house.approve(case).await;
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored, "{:?}", house.case(case).await.executions);
    let account = house.account("okafor");
    assert_eq!((account.status, account.generation), (Status::Active, 2));
}

#[tokio::test]
async fn invariant_13_the_subject_is_told_at_every_recorded_address_when_it_starts_and_when_it_completes() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::PasswordReset).await;
    house.live(120, 4).await;
    for address in ["okafor@corp.example", "okafor@home.example"] {
        for subject in ["A recovery was started", "A recovery was completed"] {
            let letter = house.letter(address, subject);
            assert!(letter.body.contains(&case.to_string()) && letter.word().len() == 6, "{letter:?}");
        }
    }
}

#[tokio::test]
async fn invariant_07_a_code_goes_to_its_recorded_address_alone_and_no_staff_mail_holds_one() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let code = house.letter("okafor@corp.example", "Your code").code();
    assert_eq!(code, *house.keys.issued_code(case, &session));
    let elsewhere: Vec<_> = house.letters().into_iter().filter(|l| l.to != "okafor@corp.example" && l.body.contains(&code)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[tokio::test]
async fn a_saved_code_is_struck_out_and_replaced_by_one_that_is_shown_once() {
    let house = House::new().await;
    let subject: SubjectId = id("okafor");
    let set = house.service.issue_saved_codes(&subject).await.unwrap();
    let first = set[3].to_string();
    house.clock.pass(8 * 24 * 3600);
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::SavedCode, Some("e2"), None).await;
    let link = house.letter("okafor@home.example", "A recovery code is asked for").link("p");
    let (status, page) = house.post(&link, &[("code", &first)]).await;
    assert_eq!(status, 200, "{page}");
    let new = page.split("<p class=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let kept = house.store.saved_codes(&subject).await.unwrap();
    assert_eq!(kept.len(), saved::SET);
    assert!(saved::matching(&new, &kept).is_some() && saved::matching(&first, &kept).is_none());
    house.settle().await;
    assert!(house.letter("okafor@corp.example", "A saved recovery code was used").body.contains("no longer good"));
    let (_, again) = house.get(&link).await;
    assert!(!again.contains(&new), "shown once");
}

#[tokio::test]
async fn a_manager_attests_on_a_page_of_their_own_with_a_code_a_choice_and_a_confirmation() {
    let house = House::new().await;
    let case = house.routed("vega", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::ManagerAttestation, None, Some("p-kim")).await;
    let letter = house.letter("kim@corp.example", "Your answer is asked for");
    let link = letter.link("a");
    let answer = house.web.post(&link).form(&[("code", letter.code())]).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert!(house.case(case).await.receipts.is_empty(), "the code alone attests nothing");

    let question = format!("{link}/answer");
    let page = house.web.get(&question).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("password reset for vega") && page.contains("Is this wanted?"), "{page}");
    for form in [vec![], vec![("answer", "yes")], vec![("answer", "maybe"), ("confirm", "yes")]] {
        let answer = house.web.post(&question).header("cookie", &cookie).form(&form).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 422, "{form:?}");
    }
    let (_, stranger) = house.post(&question, &[("answer", "yes"), ("confirm", "yes")]).await;
    assert!(stranger.contains("Type your code"));
    assert!(house.case(case).await.receipts.is_empty());

    let form = [("answer", "yes"), ("confirm", "yes")];
    let answer = house.web.post(&question).header("cookie", &cookie).form(&form).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let after = house.case(case).await;
    assert!(matches!(&after.receipts[0].by, ActorRef::Attester { person, .. } if *person == id("p-kim")));
    assert_eq!(after.sessions[&session].outcome, Some(SessionOutcome::Proved));
    assert!(after.lineage.iter().any(|l| l.person == id("p-kim")), "who attests can't decide");
}

#[tokio::test]
async fn a_manager_can_say_no() {
    let house = House::new().await;
    let case = house.routed("vega", Action::PasswordReset).await;
    let session = house.start_proof(case, Method::ManagerAttestation, None, Some("p-kim")).await;
    let letter = house.letter("kim@corp.example", "Your answer is asked for");
    let answer = house.web.post(letter.link("a")).form(&[("code", letter.code())]).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let form = [("answer", "no"), ("confirm", "yes")];
    let answer = house.web.post(format!("{}/answer", letter.link("a"))).header("cookie", cookie).form(&form).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(house.case(case).await.sessions[&session].outcome, Some(SessionOutcome::Declined));
}

#[tokio::test]
async fn invariant_13_the_word_holds_the_case_and_nothing_is_executed() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::PasswordReset).await;
    let notice = house.letter("okafor@home.example", "A recovery was started");
    let link = notice.link("n");
    let (status, _) = house.get(&link).await;
    assert_eq!((status, house.case(case).await.hold.is_none()), (200, true), "a link alone does nothing");
    for wrong in ["", "banana", &notice.word()[..5], "' OR 1=1"] {
        assert_eq!(house.post(&link, &[("word", wrong)]).await.0, 422, "{wrong}");
    }
    assert!(house.case(case).await.hold.is_none());
    let (status, page) = house.post(&link, &[("word", &notice.word())]).await;
    assert!(status == 200 && page.contains("The request is stopped"), "{page}");
    assert_eq!(house.case(case).await.hold.as_ref().unwrap().source, HoldSource::NotMe);
    house.settle().await;
    let told = house.letter("ines@corp.example", "A held case waits for security");
    assert!(told.body.contains("this was not me"), "{}", told.body);
    house.live(120, 4).await;
    assert_eq!(house.account("okafor").generation, 1, "nothing moves while it is held");
    assert_ne!(house.case(case).await.state, CaseState::Restored);
}

#[tokio::test]
async fn invariant_13_the_word_works_on_the_page_of_the_code_too() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.start_proof(case, Method::IssuedCode, Some("e1"), None).await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let page = format!("{}/not-me", letter.link("p"));
    assert_eq!(house.post(&page, &[("word", "wrong")]).await.0, 422);
    assert_eq!(house.post(&page, &[("word", &letter.word().to_uppercase())]).await.0, 200);
    assert!(house.case(case).await.hold.is_some());
}

#[tokio::test]
async fn who_is_waited_for_is_told_and_reminded_and_nobody_with_a_hand_in_it() {
    let house = House::new().await;
    let case = house.proved("okafor", Action::PasswordReset).await;
    house.act("nadia", case, countersign::domain::command::Command::Seal).await;
    house.settle().await;
    for approver in ["sam", "lee"] {
        assert!(house.letter(&format!("{approver}@corp.example"), "A decision is waited for").body.contains(&case.to_string()));
    }
    assert!(house.letters().iter().all(|l| l.to != "nadia@corp.example"));
    house.live(5 * 3600, 10).await;
    let reminders = house.letters().into_iter().filter(|l| l.subject.contains("Reminder") && l.to == "sam@corp.example").count();
    assert_eq!(reminders, 1);
}

#[tokio::test]
async fn what_is_overdue_reaches_whoever_has_the_case_and_those_whom_policy_names_once() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.act("nadia", case, countersign::domain::command::Command::Assign { operator: Some(crate::house::id("nadia")) }).await;
    house.live(25 * 3600, 10).await;
    for who in ["nadia", "sam", "lee"] {
        let letter = house.letter(&format!("{who}@corp.example"), "Proofing is overdue");
        assert!(letter.body.contains(&case.to_string()) && !letter.body.contains("http"), "{}", letter.body);
    }
    let told = |who: &str| house.letters().into_iter().filter(|l| l.subject.contains("overdue") && l.to == format!("{who}@corp.example")).count();
    assert_eq!((told("nadia"), told("sam"), told("ines")), (1, 1, 0), "policy names supervisors for this tier");
    house.live(7 * 24 * 3600, 10).await;
    assert_eq!(house.case(case).await.state, CaseState::Expired);
    assert!(house.letter("sam@corp.example", "A case expired").body.contains("open another case"));
    assert!(house.store.verify(&|_, _| {}).await.unwrap().is_empty());
}
