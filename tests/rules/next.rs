//! The next step that a case shows is the true one in every state.

use chrono::Duration;
use countersign::domain::case::ExecutionOutcome;
use countersign::domain::command::Command;
use countersign::domain::next::step;
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::refusal::Refusal;
use countersign::domain::vocabulary::*;
use countersign::domain::{checklist, dates, lineage};

use crate::play::*;
use crate::table::reach;

fn next(play: &Play) -> String {
    step(&play.world, &checklist::progress(&play.world, play.now), &lineage::could_decide(&play.world, play.now), play.now)
}

#[test]
fn every_state_names_its_own_next_step() {
    let expected = |state: CaseState| match state {
        CaseState::New => "triage it: say what failed, and how that was reproduced",
        CaseState::Proofing => "request approval: 1 person",
        CaseState::Sealed => "wait for approval by 1 person: lind, omar, ruiz and 2 others, on shift",
        CaseState::Approved => "wait for the server to carry it out",
        CaseState::Executing => "wait for the target",
        CaseState::Restored => "wait for a security reviewer who neither had a hand in it nor approved it to look back",
        CaseState::Closed => "nothing: it is closed",
        CaseState::Denied => "nothing: it is denied; another try is a new case, linked to this one",
        CaseState::Withdrawn => "nothing: it is withdrawn; another try is a new case, linked to this one",
        CaseState::Expired => "nothing: it is expired; another try is a new case, linked to this one",
        CaseState::NoChangeNeeded => "nothing: it is no change needed",
        CaseState::Failed => "target answered but changed nothing: try again, open it again, or withdraw it",
        CaseState::RolledBack => "nothing: it is rolled back",
    };
    for state in CaseState::ALL {
        let mut play = reach(*state);
        assert_eq!(next(&play), expected(*state), "{state}");
        play.now += Duration::seconds(1);
        play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
        let step = "wait for security to reach the subject on another channel and lift the hold";
        assert_eq!(without_roll_back(*state, &next(&play)), step, "{state}, held");
    }
}

/// Over what was carried out, and only there, rolling it back is spoken of first.
fn without_roll_back(state: CaseState, said: &str) -> String {
    let carried_out = matches!(state, CaseState::Restored | CaseState::Closed);
    match said.strip_prefix("see whether it is to be rolled back, for it was carried out; ") {
        Some(rest) if carried_out => rest.to_owned(),
        None if !carried_out => said.to_owned(),
        _ => panic!("{state}: {said}"),
    }
}

#[test]
fn a_hold_over_any_state_names_whom_to_reach_and_is_lifted_by_it() {
    for state in CaseState::ALL {
        let mut play = reach(*state);
        let before = play.case().sessions.len();
        play.now += Duration::minutes(5);
        play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
        let contacts = checklist::contacts(&play.world, play.now);
        assert!(contacts.contains(&(Method::IssuedCode, Some(id("mail-1")), None)), "{state}: {contacts:?}");
        assert!(contacts.contains(&(Method::ManagerAttestation, None, Some(id("mona")))), "{state}: {contacts:?}");
        for (i, (method, endpoint, attester)) in contacts.into_iter().enumerate() {
            let start = Command::StartProof { session: id(&format!("ses-c{i}")), method, endpoint, attester };
            assert!(play.ask(op("vega"), &start).is_ok(), "{state}: what is offered can be started: {start:?}");
        }
        play.act(op("vega"), &start_code("ses-held", "mail-1")).unwrap();
        let said = without_roll_back(*state, &next(&play));
        assert!(said.starts_with("wait for the subject: issued code, until ") && said.ends_with("lift the hold"), "{state}: {said}");
        play.act(countersign::domain::case::ActorRef::Subject { session: id("ses-held") }, &proof("ses-held", "rcp-held")).unwrap();
        let said = without_roll_back(*state, &next(&play));
        assert!(said.starts_with("lift the hold: contact was made since"), "{state}: {said}");
        play.act(op("vega"), &Command::LiftHold { reason: text("spoken-to"), contact: id("ses-held") }).unwrap();
        assert_eq!((play.case().state, play.case().sessions.len()), (*state, before + 1), "it goes on from where it was");
    }
}

#[test]
fn while_it_is_proved_the_next_step_is_the_first_thing_missing() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    // The first of the ways that could be started.
    assert_eq!(next(&play), "ask for saved recovery code at mail-1");
    play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
    assert_eq!(next(&play), "wait for the subject: issued code, until 02 Mar 10:30Z");
    play.now += Duration::hours(1);
    assert_eq!(next(&play), "ask for saved recovery code at mail-1", "the code's life is over");
}

#[test]
fn what_is_missing_leaves_out_what_cannot_be_started_where_something_can() {
    let mut play = Play::new(Tier::Standard);
    play.world.dates = std::sync::Arc::new(dates::Dates { codes: dates::SavedCodes::None, ..dates::Dates::default() });
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    let progress = checklist::progress(&play.world, play.now);
    let offers = |m: Method| progress.items.iter().any(|i| i.methods.contains(&m));
    assert!(offers(Method::SavedCode) && offers(Method::IssuedCode), "{progress:?}");
    let missing = checklist::missing(&progress);
    assert!(missing.contains(&Method::IssuedCode) && !missing.contains(&Method::SavedCode), "the subject has no saved codes: {missing:?}");
    let refused = play.ask(op("nadia"), &Command::Seal).unwrap_err();
    assert!(matches!(&refused, Refusal::ChecklistIncomplete { missing: said } if *said == missing), "{refused:?}");
    // Where nothing can be started, all that would help is named.
    std::sync::Arc::make_mut(play.world.subject.as_mut().unwrap()).endpoints.clear();
    let progress = checklist::progress(&play.world, play.now);
    let stuck = progress.items.iter().find(|i| i.receipt.is_none() && i.startable.is_empty()).unwrap();
    assert!(stuck.methods.iter().all(|m| checklist::missing(&progress).contains(m)), "{progress:?}");
}

#[test]
fn a_fault_that_is_none_of_the_identitys_is_to_be_ended() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    let Command::Triage { reproduction, triage_owner, remedy_owner, .. } = triage() else { panic!("a triage") };
    for (failure, words) in [(FailureType::Outage, "outage"), (FailureType::AuthenticatorRemains, "another authenticator still works")] {
        let (reproduction, triage_owner, remedy_owner) = (reproduction.clone(), triage_owner.clone(), remedy_owner.clone());
        play.act(op("nadia"), &Command::Triage { failure, reproduction, triage_owner, remedy_owner }).unwrap();
        assert_eq!(next(&play), format!("end it as \"no change needed\": {words}; or triage it again"));
    }
}

#[test]
fn while_approval_is_awaited_the_next_step_says_by_whom_how_many_more_and_when_no_one_could() {
    let mut play = Play::new(Tier::Standard);
    let two = std::sync::Arc::new(Policy::parse(&DEFAULT.replacen("approvals = 1", "approvals = 2", 1)).unwrap());
    (play.world.pinned, play.world.current) = (two.clone(), two);
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    assert_eq!(next(&play), "wait for approval by 2 persons: lind, omar, ruiz and 2 others, on shift");
    play.approve("ruiz").unwrap();
    assert_eq!(next(&play), "wait for 1 more approval (needed: 2 persons): lind, omar, sato, on shift");
    let mut alone = Play::new(Tier::Standard);
    (alone.world, alone.now) = (play.world.clone(), play.now);
    alone.register(|r| {
        for name in ["lind", "omar", "sato"] {
            r.operators.get_mut(&id(name)).unwrap().enabled = false;
        }
    });
    assert_eq!(next(&alone), "no one could decide it: add approvers who have no hand in it, or an external approver group.");
    play.now += Duration::hours(24);
    assert_eq!(next(&play), "open it again and prove anew: issued code no longer counts");
}

#[test]
fn after_approval_the_next_step_is_the_delay_and_after_restoring_review_then_close() {
    let mut play = Play::new(Tier::Standard);
    let slow = std::sync::Arc::new(Policy::parse(&DEFAULT.replacen("delay = \"0 s\"", "delay = \"30 min\"", 1)).unwrap());
    (play.world.pinned, play.world.current) = (slow.clone(), slow);
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.approve("ruiz").unwrap();
    assert_eq!(next(&play), "wait until 02 Mar 10:30Z: approvers can take an approval back, the subject can object");

    let mut restored = reach(CaseState::Restored);
    restored.act(op("vega"), &Command::Review { note: text("v"), in_order: true }).unwrap();
    assert_eq!(next(&restored), "close it; its temporary access ends then, at the latest at 02 Mar 18:00Z");
    restored.act(op("lind"), &Command::RollBack { reason: text("b") }).unwrap();
    assert_eq!(next(&restored), "wait for the target to undo it");

    let executor = || system(countersign::domain::case::Worker::Executor);
    for reason in [FailureReason::NotUndone, FailureReason::UndoUnknown] {
        let mut stays = reach(CaseState::Restored);
        stays.act(op("lind"), &Command::RollBack { reason: text("b") }).unwrap();
        stays.act(executor(), &ended(1, ExecutionOutcome::Failed { reason })).unwrap();
        let said = format!("{}: roll it back again, or undo it there by hand and withdraw it", reason.label());
        assert_eq!(next(&stays), said);
        assert!(stays.ask(op("nadia"), &Command::Retry).is_err(), "the opposite of what was asked for");
        assert!(stays.ask(op("lind"), &Command::RollBack { reason: text("b2") }).is_ok());
        // Opened again, and approved anew, it is another plan.
        stays.act(op("nadia"), &Command::Reopen { reason: text("o") }).unwrap();
        assert!(stays.case().not_undone().is_none());
        let said = next(&stays);
        assert!(said.starts_with("have attempt 1 undone there by hand, for the target did not confirm that it is; "), "it stands there: {said}");
    }

    // A part of it was given; tried again it was stopped; then the part was not undone.
    let mut part = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.route.action = Action::AccountUnlock;
    part.act(op("nadia"), &Command::Open(request)).unwrap();
    part.act(op("nadia"), &triage()).unwrap();
    part.code();
    part.act(op("nadia"), &Command::Seal).unwrap();
    part.approve("ruiz").unwrap();
    let outcome = |attempt, reason| ended(attempt, ExecutionOutcome::Failed { reason });
    part.act(executor(), &Command::StartExecution).unwrap();
    part.act(executor(), &outcome(1, FailureReason::Mismatch)).unwrap();
    part.act(op("nadia"), &Command::Retry).unwrap();
    part.act(executor(), &Command::StartExecution).unwrap();
    part.act(executor(), &outcome(2, FailureReason::NoLongerAllowed)).unwrap();
    assert_eq!(next(&part), "open it again: what allowed it no longer holds");
    part.act(op("lind"), &Command::RollBack { reason: text("b") }).unwrap();
    part.act(executor(), &outcome(1, FailureReason::NotUndone)).unwrap();
    assert!(next(&part).starts_with("target did not undo it: roll it back again"), "{}", next(&part));

    let mut failed = reach(CaseState::Executing);
    let unlawful = ExecutionOutcome::Failed { reason: FailureReason::NoLongerAllowed };
    failed.act(system(countersign::domain::case::Worker::Executor), &ended(1, unlawful)).unwrap();
    assert_eq!(next(&failed), "open it again: what allowed it no longer holds");
}
