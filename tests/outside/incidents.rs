//! What past incidents ask of every case (standards.md): each story is played through the use cases under the built-in policy, by people
//! who mean ill or were talked into it, and ends blocked.

use countersign::base::Untrusted;
use countersign::domain::case::VoidReason;
use countersign::domain::command::{Command, RegisterCommand};
use countersign::domain::refusal::Refusal;
use countersign::domain::register::Principal;
use countersign::domain::subject::Endpoint;
use countersign::domain::vocabulary::*;
use countersign::domain::{checklist, lineage, next};
use countersign::service::Ask;
use countersign::service::register::Beside;
use countersign::store::Store;

use crate::desk::{helper, okafor, refusal, route};
use crate::house::{House, id, staff};

#[tokio::test]
async fn the_desk_that_resets_again_and_again_and_then_for_an_administrator_is_stopped() {
    let house = House::new().await;
    let first = house.approved("okafor", Action::PasswordReset).await;
    house.live(120, 4).await;
    assert_eq!(house.case(first).await.state, CaseState::Restored);
    // No reset right: nobody at the desk executes, and no mail to staff holds what was minted.
    assert!(matches!(refusal(house.attempt("nadia", first, Command::StartExecution).await), Refusal::NotPermitted { .. }));
    let generation = house.account("okafor").generation;

    let again = house.open(staff("nadia"), route("okafor", Action::MfaReenrolment, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(again.has_flag(FlagKind::RepeatRequest) && again.hold.as_ref().is_some_and(|h| h.source == HoldSource::Policy));
    house.settle().await;
    let told = house.letters().iter().filter(|l| l.subject.contains("A recovery was started") && l.body.contains(&again.id.to_string())).count();
    assert_eq!(told, 2, "at both recorded addresses");
    assert_eq!(refusal(house.triage("nadia", again.id).await), Refusal::Held);
    assert!(matches!(refusal(house.try_approve("nadia", again.id).await), Refusal::SeparationOfDuties { .. }));
    assert_eq!(refusal(house.try_approve("lee", again.id).await), Refusal::Held);
    house.ends_blocked(again.id).await;
    assert_eq!(house.account("okafor").generation, generation);

    // The account with which Okafor administers: another record of the same person, whose access was given back a moment ago.
    let mut admin = okafor(|s| (s.kind, s.tier) = (SubjectKind::PrivilegedAdmin, Tier::Privileged));
    admin.id = id("lazy");
    house.record(vec![admin]).await;
    let second = house.open(staff("nadia"), route("lazy", Action::MfaReenrolment, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(second.has_flag(FlagKind::RepeatRequest) && second.hold.as_ref().is_some_and(|h| h.source == HoldSource::Policy));
    assert!(!second.linked.contains(&first) && !second.lineage.iter().any(|e| e.case.is_some()), "another record shares no lineage");
    assert_eq!(refusal(house.triage("nadia", second.id).await), Refusal::Held);
    house.ends_blocked(second.id).await;
    house.untouched("lazy");

    // Nor does it help to be somebody else: an administrator's factors are not reset on one code.
    let mut other = okafor(|s| (s.kind, s.tier, s.person) = (SubjectKind::PrivilegedAdmin, Tier::Privileged, Some(id("p-vega"))));
    other.id = id("lazy");
    house.record(vec![other]).await;
    house.live(8 * 24 * 3600, 8).await;
    let admin = house.routed("lazy", Action::MfaReenrolment).await;
    house.prove(admin, Method::IssuedCode, "e1").await;
    assert!(matches!(refusal(house.attempt("nadia", admin, Command::Seal).await), Refusal::ChecklistIncomplete { .. }));
    house.ends_blocked(admin).await;
    house.untouched("lazy");
}

#[tokio::test]
async fn a_ten_minute_call_with_facts_from_a_public_profile_moves_nothing() {
    let house = House::new().await;
    house.record(vec![okafor(|s| s.tier = Tier::Privileged)]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    assert!(matches!(refusal(house.session("nadia", case, Method::DirectoryFact, "e1").await), Refusal::Invalid { field: "method", .. }));
    house.prove(case, Method::IssuedCode, "e1").await;
    let Refusal::ChecklistIncomplete { missing } = refusal(house.attempt("nadia", case, Command::Seal).await) else { panic!("sealed") };
    assert!(missing.contains(&Method::ManagerAttestation), "{missing:?}");
    let need = checklist::requirement(&house.service.load(case, None).await.unwrap().world);
    assert!(need.approvals.count >= 2 && need.approvals.groups.contains_key(&id("security")) && need.delay.0 > 0, "{need:?}");
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn after_an_administrators_recovery_no_second_way_in_is_added() {
    let house = House::new().await;
    house.record(vec![okafor(|s| (s.kind, s.tier) = (SubjectKind::PrivilegedAdmin, Tier::Privileged))]).await;
    house.service.issue_saved_codes(&"okafor".parse().unwrap()).await.unwrap();
    house.clock.pass(8 * 24 * 3600);
    let case = house.routed("okafor", Action::MfaReenrolment).await;
    for (method, to) in [(Method::IssuedCode, "e1"), (Method::SavedCode, "e2"), (Method::ManagerAttestation, "p-kim")] {
        house.prove(case, method, to).await;
    }
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    house.try_approve("sam", case).await.unwrap();
    assert_eq!(house.case(case).await.state, CaseState::Sealed, "one approver is not enough");
    house.try_approve("ines", case).await.unwrap();
    house.live(1800, 3).await;
    house.untouched("okafor");
    house.live(3 * 3600, 6).await;
    let restored = house.case(case).await;
    assert_eq!(restored.state, CaseState::Restored, "{:?}", restored.executions);
    assert!(restored.times.restricted_until.is_some_and(|t| t > house.service.now() + chrono::Duration::hours(20)));
    // There is no "reset all": another factor is another case, and what was not recorded is nobody's to add.
    let wider = route("okafor", Action::MfaReenrolment, Path::Assisted, &["identity-provider"]);
    assert_eq!(refusal(house.open(staff("nadia"), wider).await), Refusal::ScopeExceeds);
    let second = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::BreakGlass, &["login"])).await.unwrap().case;
    assert!(second.hold.is_some());
    let generation = house.account("okafor").generation;
    house.ends_blocked(second.id).await;
    assert_eq!(house.account("okafor").generation, generation);
}

#[tokio::test]
async fn a_contractor_desk_that_is_talked_into_it_finds_no_approver_among_its_own() {
    let house = House::new().await;
    house.record(vec![okafor(|s| (s.kind, s.tier) = (SubjectKind::ThirdParty, Tier::Elevated))]).await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    house.prove(case, Method::IssuedCode, "e1").await;
    house.prove(case, Method::ManagerAttestation, "p-kim").await;
    // Everyone in this house works for the router's employer.
    let Refusal::Deadlock { could, .. } = refusal(house.attempt("nadia", case, Command::Seal).await) else { panic!("sealed") };
    assert!(!could.enough && !could.operators.is_empty());
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn bribed_agents_who_photograph_screens_find_nothing_there_to_get_in_with() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::PasswordReset).await;
    let session = house.session("nadia", case, Method::IssuedCode, "e1").await.unwrap();
    house.settle().await;
    let letter = house.letter("okafor@corp.example", "Your code");
    let photo = format!("{:?}", house.service.look(case, &staff("nadia")).await.unwrap());
    for secret in [letter.code(), letter.code().replace(' ', ""), letter.link("p"), letter.word()] {
        assert!(!photo.contains(&secret), "the screen shows {secret}");
    }
    let log = format!("{:?}", house.store.case_entries(case, 0, 1_000).await.unwrap());
    assert!(!log.contains("okafor@corp.example") && !log.contains(&letter.code()), "the log names an address or a code");
    // Nor does anyone at the desk prove in the subject's place; the try itself is in the log.
    let root = countersign::domain::case::TrustRoot { kind: TrustRootKind::Mailbox, sha256: countersign::base::Digest::of(b"me") };
    let prove = Command::RecordProof { session, receipt: id("rcp-mine"), trust_root: root };
    assert!(matches!(refusal(house.attempt("nadia", case, prove).await), Refusal::NotPermitted { .. }));
    assert!(format!("{:?}", house.events(case).await).contains("Refused"));
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn a_support_bot_cannot_link_the_callers_new_address_nor_does_one_serve_the_case_that_brought_it() {
    let house = House::new().await;
    let caller = RegisterCommand::RecordSubjects { subjects: vec![(id("okafor"), countersign::base::Digest::of(b"new"))] };
    let new = Endpoint {
        id: id("e9"),
        kind: EndpointKind::Email,
        address: Untrusted::from("caller@elsewhere.example"),
        recorded_at: house.service.now(),
        confirmed_at: Some(house.service.now()),
    };
    let changed = okafor(|s| s.endpoints.push(new));
    let beside = Beside { subjects: vec![countersign::domain::subject::Recorded { subject: changed.clone(), salt: [0; 16] }], ..Beside::default() };
    refusal(house.service.govern(&Ask::by(helper(vec![])), &caller, &beside).await);

    // Even where the record was changed by whatever means:
    house.record(vec![changed]).await;
    let case = house.open(helper(vec![]), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case;
    assert!(case.has_flag(FlagKind::FreshAddress));
    let start = Command::StartProof { session: id("ses-bot"), method: Method::IssuedCode, endpoint: Some(id("e9")), attester: None };
    assert!(matches!(refusal(house.service.execute(&Ask::by(helper(vec![])), case.id, &start).await), Refusal::NotPermitted { .. }));
    house.triage("nadia", case.id).await.unwrap();
    assert!(matches!(refusal(house.session("nadia", case.id, Method::IssuedCode, "e9").await), Refusal::EndpointUnusable(_)));
    house.ends_blocked(case.id).await;
    assert!(house.letters().iter().all(|l| l.to != "caller@elsewhere.example" || !l.subject.contains("Your code")), "a code went to the caller");
    house.untouched("okafor");
}

#[tokio::test]
async fn one_human_cannot_approve_what_their_own_agents_account_opened() {
    let house = House::new().await;
    let lee = vec![Principal::Person(id("p-lee"))];
    let case = house.open(helper(lee), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    house.triage("nadia", case).await.unwrap();
    house.prove(case, Method::IssuedCode, "e1").await;
    // Its owner and whom it acted for are out, and nobody else is left who supervises.
    assert!(matches!(refusal(house.attempt("nadia", case, Command::Seal).await), Refusal::Deadlock { .. }));
    for (by, why) in [("sam", Duty::AutomationOwner), ("lee", Duty::ActedFor)] {
        let Refusal::SeparationOfDuties { duties, .. } = refusal(house.try_approve(by, case).await) else { panic!("{by} decides") };
        assert!(duties.iter().any(|d| d.duty == why), "{by}: {duties:?}");
    }
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn an_approval_given_before_the_scope_was_widened_is_worth_nothing() {
    let house = House::new().await;
    let case = house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    house.triage("nadia", case).await.unwrap();
    house.prove(case, Method::IssuedCode, "e1").await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    house.try_approve("sam", case).await.unwrap();
    let wide = route("okafor", Action::PasswordReset, Path::Assisted, &["login", "mail"]);
    house.attempt("nadia", case, Command::Route { route: wide }).await.unwrap();
    assert_eq!(house.case(case).await.approvals[0].void, Some(VoidReason::Reopened));
    // Nor is what was proved for less.
    assert!(matches!(refusal(house.attempt("nadia", case, Command::Seal).await), Refusal::ChecklistIncomplete { .. }));
    house.prove(case, Method::IssuedCode, "e1").await;
    house.attempt("nadia", case, Command::Seal).await.unwrap();
    assert_eq!(house.case(case).await.live_approvals().count(), 0);
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn invariant_01_software_that_routes_between_the_mail_and_the_code_gets_nothing_by_it() {
    let house = House::new().await;
    let asked = route("okafor", Action::AccountUnlock, Path::SelfService, &["login"]);
    let case = house.open(helper(vec![]), asked).await.unwrap().case.id;
    house.settle().await;
    let letter = house.letter("okafor@corp.example", "Your code");
    assert!(letter.body.contains("account unlock"), "{}", letter.body);
    let other = route("okafor", Action::PasswordReset, Path::SelfService, &["login"]);
    house.service.execute(&Ask::by(helper(vec![])), case, &Command::Route { route: other }).await.unwrap();
    house.post(&letter.link("p"), &[("code", &letter.code())]).await;
    house.settle().await;
    let after = house.case(case).await;
    assert_eq!((after.state, after.route.path, after.receipts.len()), (CaseState::Proofing, Path::Assisted, 0), "the yes was for the unlock");
    let mut told = house.letters().into_iter().filter(|l| l.to == "okafor@corp.example" && l.subject.starts_with("A recovery was started"));
    assert!(told.any(|l| l.body.replace('\n', " ").contains("password reset")), "the subject hears of what began in its place");
    house.ends_blocked(case).await;
    house.untouched("okafor");
}

#[tokio::test]
async fn t16_software_that_opens_cases_of_one_subject_leaves_room_for_the_staff() {
    let house = House::new().await;
    let open = async |by| house.open(by, route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await;
    for _ in 0..15 {
        open(helper(vec![])).await.unwrap();
    }
    let full = Refusal::Limit { what: "Open cases of one subject that no one of the staff opened", limit: 15 };
    assert_eq!(refusal(open(helper(vec![])).await), full);
    for _ in 15..25 {
        open(staff("nadia")).await.unwrap();
    }
    assert_eq!(refusal(open(staff("nadia")).await), Refusal::Limit { what: "Open cases of one subject", limit: 25 });
}

/// The subject reads its mail the next morning, when the desk has closed the case.
#[tokio::test]
async fn invariant_13_this_was_not_me_after_a_case_was_closed_says_what_stays_given_and_what_can_be_done() {
    let house = House::new().await;
    for (who, action, mail, step) in [
        ("okafor", Action::AccountUnlock, "A supervisor can roll it back.", "see whether it is to be rolled back"),
        ("parent", Action::PasswordReset, "The target can't undo it", "it was carried out and the target can't undo it"),
    ] {
        let case = house.approved(who, action).await;
        house.live(120, 4).await;
        if house.attempt("nadia", case, Command::Close).await.is_err() {
            let (note, ask) = house.text(case, "ines", "as it should be");
            house.service.execute(&ask, case, &Command::Review { note, in_order: true }).await.unwrap();
            house.act("nadia", case, Command::Close).await;
        }
        let roll_back = async || {
            let (reason, ask) = house.text(case, "sam", "They say that it was not them");
            house.service.execute(&ask, case, &Command::RollBack { reason }).await
        };
        let refused = roll_back().await.unwrap_err().to_string();
        let first = if action == Action::AccountUnlock { "a security reviewer holds it first (`case hold`" } else { "can't undo this" };
        assert!(refused.contains(first), "closed is over while nobody objects, and what would help is said: {refused}");
        let shown = house.service.look(case, &staff("ines")).await.unwrap();
        let why = shown.refused.iter().find(|(action, _)| *action == "case_roll_back").unwrap();
        assert!(why.1.to_string().contains(first) && shown.allowed.contains(&"case_hold"), "{why:?}");
        house.live(9 * 3_600, 1).await;
        let told = house.letter(&format!("{who}@corp.example"), "A recovery was completed");
        assert_eq!(house.post(&told.link("n"), &[("word", &told.word())]).await.0, 200);
        house.settle().await;
        let held = house.letter("ines@corp.example", "A held case waits").body.replace("=\n", "");
        assert!(held.contains("CARRIED OUT before: what it gave stays given.") && held.contains(mail), "{held}");
        let loaded = house.service.load(case, None).await.unwrap();
        let (progress, could) = (checklist::progress(&loaded.world, loaded.now), lineage::could_decide(&loaded.world, loaded.now));
        let next = next::step(&loaded.world, &progress, &could, loaded.now);
        assert!(next.starts_with(step) && next.contains("wait for security"), "{next}");
        let offered = house.service.look(case, &staff("sam")).await.unwrap().allowed.contains(&"case_roll_back");
        assert_eq!(offered, action == Action::AccountUnlock, "what can't be undone is not offered to be");
        match (action, roll_back().await) {
            (Action::AccountUnlock, Ok(_)) => {
                house.live(120, 4).await;
                let case = house.case(case).await;
                assert_eq!((case.state, case.hold.is_some()), (CaseState::RolledBack, true));
                assert_eq!(house.account(who).status, Status::Locked, "as it was before");
            }
            (Action::PasswordReset, Err(why)) => assert!(why.to_string().contains("can't undo this"), "{why}"),
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(house.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_opens_cases_of_one_subject_without_end() {
    let house = House::new().await;
    let open = async || house.open(staff("nadia"), route("okafor", Action::PasswordReset, Path::Assisted, &["login"])).await;
    for _ in 0..25 {
        open().await.unwrap();
    }
    assert_eq!(refusal(open().await), Refusal::Limit { what: "Open cases of one subject", limit: 25 });
}
