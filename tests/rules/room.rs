//! What one case takes has bounds, and what brings it to an end, holds it or lifts a hold has room beyond them.

use std::sync::Arc;

use chrono::Duration;
use countersign::domain::bounds::{MAX_APPROVALS_EACH, MAX_ITEMS, MAX_ROUTED_BEFORE_SOFTWARE, MAX_SESSIONS_PER_METHOD, MAX_UNDONE_AT_ONCE};
use countersign::domain::case::{ActorRef, ExecutionOutcome, Worker};
use countersign::domain::command::Command;
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::refusal::Refusal;
use countersign::domain::vocabulary::*;

use crate::play::*;

/// Who does what, by where the case stands.
type Act<'a> = (&'a str, &'a dyn Fn(&Play) -> Command);

/// Does what these say, over and over, until one of them is refused; how often all went.
fn until_refused(play: &mut Play, acts: &[Act<'_>]) -> (usize, Refusal) {
    for times in 0..=MAX_ITEMS + 10 {
        for (who, command) in acts {
            let command = command(play);
            let who = if *who == "bot" { bot(Vec::new()) } else { op(who) };
            if let Err(refusal) = play.act(who, &command) {
                return (times, refusal);
            }
        }
    }
    panic!("nothing ever refused it");
}

fn limited(found: &(usize, Refusal), limit: usize) {
    let (times, refusal) = found;
    assert!(matches!(refusal, Refusal::Limit { limit: of, .. } if *of == limit), "{refusal}");
    assert!(*times <= limit && refusal.to_string().ends_with(&format!("is limited to {limit}.")), "{times}: {refusal}");
}

fn withdrawn(play: &Play) {
    assert!(play.ask(op("nadia"), &Command::Withdraw { reason: text("w") }).is_ok());
    assert!(play.ask(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).is_ok());
}

#[test]
fn whatever_can_be_done_again_and_again_is_bounded_and_the_case_can_still_be_ended_or_held() {
    let give = |to: Option<&str>| Command::Assign { operator: to.map(id) };
    let note = Command::HandOver { note: text("h"), to: None };
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    limited(&until_refused(&mut play, &[("nadia", &|_| give(Some("nadia"))), ("nadia", &|_| give(None))]), MAX_ITEMS);
    // It is somebody's then, and can go to others: nobody makes cases that no one can take.
    assert_eq!(play.case().assignee, Some(id("nadia")));
    limited(&until_refused(&mut play, &[("ruiz", &|_| give(Some("ruiz"))), ("nadia", &|_| give(Some("nadia")))]), 2 * MAX_ITEMS);
    limited(&until_refused(&mut play, &[("nadia", &|_| note.clone())]), MAX_ITEMS);
    limited(&until_refused(&mut play, &[("nadia", &|_| triage())]), MAX_ITEMS);
    let picked = |play: &Play| {
        let mut route = play.case().route.clone();
        route.picked_groups = if route.picked_groups.is_empty() { [id("security")].into() } else { [].into() };
        Command::Route { route }
    };
    let by_software = until_refused(&mut play, &[("bot", &picked)]);
    limited(&by_software, MAX_ROUTED_BEFORE_SOFTWARE);
    limited(&until_refused(&mut play, &[("nadia", &picked)]), MAX_ITEMS);
    assert_eq!(play.case().worked.routed, MAX_ITEMS);
    withdrawn(&play);

    let mut sealed = Play::sealed(Tier::Standard);
    let again = until_refused(&mut sealed, &[("nadia", &|_| Command::Reopen { reason: text("o") }), ("nadia", &|_| Command::Seal)]);
    limited(&again, MAX_ITEMS);
    withdrawn(&sealed);
}

#[test]
fn an_approver_uses_up_their_own_room_alone_and_can_still_deny() {
    let mut play = Play::new(Tier::Standard);
    let two = Arc::new(Policy::parse(&DEFAULT.replacen("approvals = 1\n", "approvals = 2\n", 1)).unwrap());
    (play.world.pinned, play.world.current) = (two.clone(), two);
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    for _ in 0..MAX_APPROVALS_EACH {
        play.approve("ruiz").unwrap();
        play.act(op("ruiz"), &Command::TakeBack { reason: text("t") }).unwrap();
    }
    let refused = play.approve("ruiz").unwrap_err();
    assert_eq!(refused.to_string(), "How often one person approves a case is limited to 20.");
    let deny = play.decision(Decision::Deny);
    assert!(play.ask(op("ruiz"), &deny).is_ok());
    play.approve("lind").unwrap();
    play.approve("sato").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn a_case_that_fails_again_and_again_is_tried_again_only_so_often_and_rolled_back_always() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let fails = |play: &mut Play| {
        play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
        let attempt = u32::try_from(play.case().executions.len()).unwrap();
        play.act(system(Worker::Executor), &ended(attempt, ExecutionOutcome::Failed { reason: FailureReason::Refused })).unwrap();
    };
    fails(&mut play);
    let refused = loop {
        match play.act(op("nadia"), &Command::Retry) {
            Ok(()) => fails(&mut play),
            Err(refusal) => break refusal,
        }
    };
    limited(&(play.case().executions.len(), refused), MAX_ITEMS);
    withdrawn(&play);

    // What the target can't undo may be asked for without end, but not without a pause.
    let mut play = Play::granted();
    let back = Command::RollBack { reason: text("b") };
    for _ in 0..MAX_UNDONE_AT_ONCE {
        play.act(op("sato"), &back).unwrap();
        play.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Failed { reason: FailureReason::NotUndone })).unwrap();
    }
    assert_eq!(play.ask(op("sato"), &back), Err(Refusal::TooEarly(play.now + Duration::hours(1))));
    play.now += Duration::hours(1);
    play.act(op("sato"), &back).unwrap();
}

#[test]
fn a_hold_can_be_lifted_though_all_sessions_of_the_case_were_used_up_before_it_and_in_vain_during_it() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    for n in 0..MAX_SESSIONS_PER_METHOD {
        play.now += Duration::minutes(2);
        play.act(op("nadia"), &start_code(&format!("ses-p{n}"), "mail-1")).unwrap();
    }
    play.now += Duration::minutes(2);
    assert!(matches!(play.ask(op("nadia"), &start_code("ses-more", "mail-1")), Err(Refusal::Limit { limit: MAX_SESSIONS_PER_METHOD, .. })));
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    for n in 0..MAX_SESSIONS_PER_METHOD {
        play.now += Duration::minutes(2);
        play.act(op("vega"), &start_code(&format!("ses-c{n}"), "mail-1")).unwrap();
    }
    play.now += Duration::minutes(2);
    let refused = play.ask(op("vega"), &start_code("ses-late", "mail-1")).unwrap_err();
    assert_eq!(refused.to_string(), "The number of sessions of one method by which contact is made over a hold in a day is limited to 20.");
    play.now += Duration::days(1);
    play.act(op("vega"), &start_code("ses-late", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-late") }, &proof("ses-late", "rcp-late")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id("ses-late") }).unwrap();
    assert!(play.case().hold.is_none());
}

#[test]
fn contact_over_a_hold_takes_no_room_from_the_proof() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    for n in 0..MAX_SESSIONS_PER_METHOD {
        play.now += Duration::minutes(2);
        play.act(op("vega"), &start_code(&format!("ses-c{n}"), "mail-1")).unwrap();
    }
    let last = format!("ses-c{}", MAX_SESSIONS_PER_METHOD - 1);
    play.act(ActorRef::Subject { session: id(&last) }, &proof(&last, "rcp-c")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id(&last) }).unwrap();
    play.now += Duration::minutes(2);
    play.code();
    assert_eq!(play.case().receipts.len(), 1);
}
