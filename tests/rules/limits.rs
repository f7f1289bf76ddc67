//! What runs out, waits or is taken back: employers and groups, grants, lifetimes, delays, holds, expiry, and paused clocks.

use std::sync::Arc;

use chrono::Duration;
use countersign::base::ids::CaseId;
use countersign::domain::case::{ActorRef, ExecutionOutcome, GrantEnd, VoidReason, Worker};
use countersign::domain::command::Command;
use countersign::domain::effect::{Effect, effects};
use countersign::domain::event::CaseEvent;
use countersign::domain::lineage;
use countersign::domain::policy::{DEFAULT, Policy};
use countersign::domain::refusal::Refusal;
use countersign::domain::seal;
use countersign::domain::standing::{Lacking, Standing};
use countersign::domain::vocabulary::*;

use crate::play::*;

/// The built-in policy with something in its base changed.
fn with_base(play: &mut Play, from: &str, to: &str) {
    assert!(DEFAULT.contains(from));
    let policy = Arc::new(Policy::parse(&DEFAULT.replacen(from, to, 1)).unwrap());
    (play.world.pinned, play.world.current) = (policy.clone(), policy);
}

fn sealed_with(from: &str, to: &str) -> Play {
    let mut play = Play::new(Tier::Standard);
    with_base(&mut play, from, to);
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    play
}

fn tick(play: &mut Play) {
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
}

#[test]
fn where_another_employer_is_asked_for_one_approver_must_be_of_another_than_the_router() {
    let mut play = Play::new(Tier::Standard);
    with_base(&mut play, "approvals = 1\n", "approvals = 2\nother_employer = true\n");
    play.register(|r| r.persons.get_mut(&id("sato")).unwrap().employer = id("partner"));
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.approve("ruiz").unwrap();
    play.approve("lind").unwrap();
    assert_eq!(play.case().state, CaseState::Sealed, "two of the router's own employer");
    play.approve("sato").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn invariant_15_no_seal_where_all_are_of_one_employer() {
    let mut play = Play::new(Tier::Standard);
    with_base(&mut play, "approvals = 1\n", "approvals = 1\nother_employer = true\n");
    play.proofed(op("nadia"));
    assert!(play.case().has_flag(FlagKind::Deadlock));
    assert!(matches!(play.ask(op("nadia"), &Command::Seal), Err(Refusal::Deadlock { .. })));
}

#[test]
fn invariant_03_groups_are_covered_by_distinct_persons() {
    let mut play = sealed_with("approvals = 1\n", "approvals = 2\nfrom_groups = { security = 1 }\n");
    play.approve("lind").unwrap();
    play.approve("sam").unwrap_err();
    play.approve("omar").unwrap();
    assert_eq!(play.case().state, CaseState::Sealed, "two persons, none of security");
    play.approve("vega").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

fn why(play: &Play) -> Option<GrantEnd> {
    play.log.iter().find_map(|e| if let CaseEvent::GrantEnding { why, .. } = e { Some(*why) } else { None })
}

#[test]
fn invariant_11_a_grant_ends_at_its_expiry_at_hand_back_at_a_hold_and_at_close_whichever_is_first() {
    let mut expired = Play::granted();
    expired.now = expired.case().grants[0].expires_at - Duration::seconds(1);
    tick(&mut expired);
    assert_eq!(why(&expired), None);
    expired.now += Duration::seconds(1);
    tick(&mut expired);
    assert_eq!(why(&expired), Some(GrantEnd::Expired));

    let mut returned = Play::granted();
    let session = returned.case().sessions.keys().next().unwrap().clone();
    let back = |reason| Command::RevokeGrant { grant: id("g-1"), reason };
    assert!(matches!(returned.ask(op("nadia"), &back(None)), Err(Refusal::Invalid { field: "text", .. })));
    assert!(returned.ask(ActorRef::Subject { session }, &back(Some(text("done")))).is_err(), "handed back through the desk");
    returned.act(op("nadia"), &back(Some(text("phoned")))).unwrap();
    assert_eq!(why(&returned), Some(GrantEnd::HandedBack));
    assert!(returned.ask(op("nadia"), &back(Some(text("again")))).is_err());
    let gone = Command::ConfirmRevoked { grant: id("g-1") };
    assert!(matches!(returned.ask(op("vega"), &gone), Err(Refusal::NotPermitted { .. })), "only the target's word ends it");
    returned.act(system(Worker::Grants), &gone).unwrap();
    assert!(returned.case().grants[0].revoked_at.is_some());

    let mut held = Play::granted();
    held.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    assert_eq!(why(&held), Some(GrantEnd::Held));

    let mut closed = Play::granted();
    assert!(matches!(closed.ask(op("nadia"), &Command::Close), Err(Refusal::Invalid { field: "review", .. })));
    closed.act(op("vega"), &Command::Review { note: text("fine"), in_order: true }).unwrap();
    closed.act(op("nadia"), &Command::Close).unwrap();
    assert_eq!(why(&closed), Some(GrantEnd::Closed));
}

#[test]
fn an_approval_runs_out_and_the_case_is_to_be_sealed_anew() {
    let mut play = sealed_with("approvals = 1\n", "approvals = 2\n");
    play.approve("ruiz").unwrap();
    play.now += Duration::hours(24);
    tick(&mut play);
    assert_eq!(play.case().approvals[0].void, Some(VoidReason::Expired));
    assert_eq!(play.case().state, CaseState::Proofing);
    // Quorum is of approvals in force: one that ran out unnoticed does not complete another.
    let mut unnoticed = sealed_with("approvals = 1\n", "approvals = 2\n");
    unnoticed.approve("ruiz").unwrap();
    unnoticed.now += Duration::hours(24);
    let _ = unnoticed.approve("lind");
    assert_ne!(unnoticed.case().state, CaseState::Approved);
}

#[test]
fn nothing_is_executed_before_delay_and_grace_are_over_and_an_approval_taken_back_meanwhile_stops_it() {
    for (from, to, wait) in [("delay = \"0 s\"", "delay = \"30 min\"", 1800), ("grace = \"0 s\"", "grace = \"60 s\"", 60)] {
        let mut play = sealed_with(from, to);
        play.approve("ruiz").unwrap();
        let then = play.now + Duration::seconds(wait);
        assert_eq!(play.ask(system(Worker::Executor), &Command::StartExecution), Err(Refusal::TooEarly(then)));
        play.now = then - Duration::seconds(1);
        assert_eq!(play.ask(system(Worker::Executor), &Command::StartExecution), Err(Refusal::TooEarly(then)));
        play.act(op("ruiz"), &Command::TakeBack { reason: text("r") }).unwrap();
        play.now = then;
        assert!(matches!(play.ask(system(Worker::Executor), &Command::StartExecution), Err(Refusal::WrongState { .. })));
        // What was taken back counts no more: its giver is among those who could decide, and decides anew; as does anyone else.
        let could = lineage::could_decide(&play.world, play.now);
        assert!(could.operators.contains(&id("ruiz")) && could.lacking.persons == 1 && could.lacking.nearer.contains(&id("ruiz")));
        let deny = play.decision(Decision::Deny);
        assert!(play.ask(op("ruiz"), &deny).is_ok());
        play.approve(if wait == 60 { "ruiz" } else { "lind" }).unwrap();
        play.now += Duration::seconds(wait);
        play.restore();
        assert_eq!(play.case().state, CaseState::Restored);
    }
}

#[test]
fn invariant_03_who_took_an_approval_back_counts_once_when_they_approve_anew() {
    let mut play = sealed_with("approvals = 1", "approvals = 2");
    play.approve("ruiz").unwrap();
    play.act(op("ruiz"), &Command::TakeBack { reason: text("r") }).unwrap();
    play.approve("ruiz").unwrap();
    assert_eq!(play.case().state, CaseState::Sealed, "the same person twice is one person");
    assert!(matches!(play.approve("ruiz"), Err(Refusal::Already(_))));
    assert_eq!(play.case().approvals.len(), 2, "what was taken back stays in the record");
    play.approve("lind").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn where_another_employer_is_asked_for_an_approval_that_does_not_meet_that_leaves_one_missing() {
    let mut play = Play::new(Tier::Standard);
    with_base(&mut play, "approvals = 1", "approvals = 1\nother_employer = true");
    play.register(|r| r.persons.get_mut(&id("sato")).unwrap().employer = id("partner"));
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    let standing = Standing::of(&play.world, play.now);
    let sato = Lacking { persons: 1, nearer: vec![id("sato")] };
    assert_eq!(standing.lacking(), sato, "one person is enough, if it is the right one");
    assert_eq!(standing.after(&id("ruiz")), Some(sato), "ruiz's approval brings it no nearer");
    assert_eq!(standing.after(&id("sato")), Some(Lacking::default()));
}

#[test]
fn only_who_approved_takes_back_and_not_once_it_is_being_executed() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    assert!(matches!(play.ask(op("lind"), &Command::TakeBack { reason: text("r") }), Err(Refusal::NotPermitted { .. })));
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    assert!(matches!(play.ask(op("ruiz"), &Command::TakeBack { reason: text("r") }), Err(Refusal::WrongState { .. })));
}

#[test]
fn a_hold_nobody_lifts_escalates_and_what_is_held_neither_expires_nor_executes() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    assert_eq!(play.ask(system(Worker::Executor), &Command::StartExecution), Err(Refusal::Held));
    play.now += Duration::hours(4);
    tick(&mut play);
    assert_eq!(play.log.last(), Some(&CaseEvent::Escalated { hold: true }));
    play.now += Duration::days(30);
    tick(&mut play);
    assert_eq!(play.case().state, CaseState::Approved);
    assert!(play.case().hold.is_some());
}

#[test]
fn invariant_16_what_happens_under_a_hold_leaves_its_clock_and_the_phases_clock_runs_on_after_it() {
    let mut play = Play::sealed(Tier::Standard);
    let deadline = play.case().times.due.unwrap() - play.now;
    play.approve("ruiz").unwrap();
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    let (since, due) = (play.now, play.case().times.due.unwrap());
    play.now += Duration::hours(1);
    play.act(op("ruiz"), &Command::TakeBack { reason: text("r") }).unwrap();
    assert_eq!((play.case().state, play.case().times.due), (CaseState::Sealed, Some(due)), "the hold's clock stays");
    play.act(op("nadia"), &Command::Comment { text: text("c") }).unwrap();
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    assert_eq!((play.case().times.due, play.case().next_due()), (Some(due), Some(due)));
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    let mut later = Play::new(Tier::Standard);
    (later.world, later.now) = (play.world.clone(), due);
    tick(&mut later);
    assert_eq!(later.case().hold.as_ref().and_then(|h| h.escalated_at), Some(due), "it escalates when it would have");
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id("ses-9") }).unwrap();
    assert!(play.now > since);
    let proof = play.case().receipts.iter().map(|r| r.valid_until).min().unwrap() - play.now;
    assert_eq!(play.case().times.due, Some(play.now + deadline.min(proof)), "approval is awaited from the lifting on");
}

#[test]
fn invariant_16_a_case_that_was_held_when_it_was_opened_has_its_phases_whole_time_after_it() {
    let mut first = Play::sealed(Tier::Standard);
    first.approve("ruiz").unwrap();
    first.restore();
    let mut play = Play::new(Tier::Standard);
    play.world.linked = vec![first.world.case.clone().unwrap()];
    play.act(op("nadia"), &Command::Open(open(2, Path::SelfService))).unwrap();
    assert!(play.case().hold.is_some() && play.case().state == CaseState::Proofing);
    let whole = play.case().times.paused_left.expect("the phase's clock waits");
    play.now += Duration::hours(2);
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id("ses-9") }).unwrap();
    assert_eq!(play.case().times.due, Some(play.now + whole.duration()));
}

#[test]
fn invariant_16_the_subjects_word_on_a_hold_keeps_its_clock_and_starts_one_where_it_had_run_out() {
    let mut play = Play::sealed(Tier::Standard);
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    let (due, word) = (play.case().times.due.unwrap(), Command::Hold { source: HoldSource::NotMe, reason: None });
    let mut early = Play::new(Tier::Standard);
    (early.world, early.now) = (play.world.clone(), play.now + Duration::hours(1));
    early.act(ActorRef::Subject { session: id("nm-1") }, &word).unwrap();
    assert_eq!(early.case().times.due, Some(due));
    play.now = due;
    tick(&mut play);
    assert_eq!(play.case().times.due, None, "it escalated");
    play.now += Duration::hours(1);
    play.act(ActorRef::Subject { session: id("nm-1") }, &word).unwrap();
    assert!(play.case().times.due.is_some_and(|d| d > play.now), "the word escalates in its own time");
}

#[test]
fn every_deadline_that_policy_sets_reaches_those_whom_it_names() {
    let told = |play: &Play| {
        let all = play.log.iter().flat_map(|e| effects(play.case(), e, play.now));
        all.filter(|d| matches!(d.effect, Effect::NotifyStaff { .. })).map(|d| d.effect).collect::<Vec<_>>()
    };
    let last = |play: &mut Play| {
        play.log.clear();
        play.now = play.case().times.due.unwrap();
        tick(play);
        told(play)
    };
    let case = CaseId::new(2026, 1);
    let staff = |state| vec![Effect::NotifyStaff { case, state }];
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    assert_eq!(last(&mut play), staff(CaseState::New));
    play.act(op("nadia"), &triage()).unwrap();
    assert_eq!(last(&mut play), staff(CaseState::Proofing));
    let mut play = Play::sealed(Tier::Standard);
    assert_eq!(last(&mut play), staff(CaseState::Sealed));
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    play.log.clear();
    play.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })).unwrap();
    assert_eq!(told(&play), staff(CaseState::Failed));
    play.log.clear();
    play.now = play.case().times.expires_at;
    tick(&mut play);
    assert_eq!(told(&play), staff(CaseState::Expired));
}

#[test]
fn policy_names_by_tier_whom_it_escalates_to() {
    let roles = |tier| {
        let policy = Policy::builtin();
        policy.requirement(&subject(tier), &route(Path::Assisted), &[], start()).escalates_to.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(roles(Tier::Standard), [Role::Supervisor]);
    assert_eq!(roles(Tier::Privileged), [Role::Supervisor, Role::SecurityReviewer]);
}

#[test]
fn an_expired_case_keeps_no_approval_and_is_not_reopened() {
    let mut play = Play::new(Tier::Standard);
    with_base(&mut play, "delay = \"0 s\"", "delay = \"12 h\"");
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play.now = play.case().times.expires_at - Duration::hours(1);
    play.code();
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.approve("ruiz").unwrap();
    play.now += Duration::hours(1);
    tick(&mut play);
    assert_eq!(play.case().state, CaseState::Expired);
    assert_eq!(play.case().live_approvals().count(), 0);
    assert!(play.ask(op("nadia"), &Command::Reopen { reason: text("r") }).is_err());
    assert!(play.ask(system(Worker::Executor), &Command::StartExecution).is_err());
}

#[test]
fn the_clock_pauses_while_the_subject_is_waited_for_and_runs_on_when_the_session_is_over() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    let due = play.case().times.due.unwrap();
    play.now += Duration::hours(1);
    play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
    assert_eq!(play.case().times.due, None);
    // The code's life is over without anyone typing it: the rest of the time begins again.
    play.now += Duration::minutes(31);
    tick(&mut play);
    assert_eq!(play.case().times.due, Some(due + Duration::minutes(31)));
    assert!(!play.log.iter().any(|e| matches!(e, CaseEvent::Escalated { .. })));
}

#[test]
fn t22_the_same_proof_waits_a_minute_at_the_same_place_and_another_one_does_not() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
    play.now += Duration::seconds(18);
    let Err(Refusal::Already(why)) = play.ask(op("nadia"), &start_code("ses-2", "mail-1")) else { panic!("it was sent twice") };
    assert!(why.contains("again in 42 s") && why.contains("other proofs need not wait"), "{why}");
    let saved = Command::StartProof { session: id("ses-3"), method: Method::SavedCode, endpoint: Some(id("mail-1")), attester: None };
    play.act(op("nadia"), &saved).unwrap();
    play.now += Duration::seconds(42);
    play.act(op("nadia"), &start_code("ses-5", "mail-1")).unwrap();
}

#[test]
fn a_failed_attempt_is_retried_only_while_its_approvals_count() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    play.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })).unwrap();
    play.act(op("nadia"), &Command::Retry).unwrap();
    let again = play.log.iter().rev().find_map(|e| if let CaseEvent::ExecutionScheduled { again, .. } = e { again.clone() } else { None });
    assert_eq!(again, Some(["ruiz".parse().unwrap()].into()), "whose approval it is carried out by, not that of whoever tries again");
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    play.act(system(Worker::Executor), &ended(2, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })).unwrap();
    play.now += Duration::hours(25);
    assert!(matches!(play.ask(op("nadia"), &Command::Retry), Err(Refusal::Already(why)) if why.contains("approvals ran out")));
}

#[test]
fn invariant_05_a_receipt_counts_at_approval_only_until_it_expires_and_whoever_tries_later_hears_which_ran_out() {
    let mut play = sealed_with("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"2 h\"");
    let until = play.case().receipts[0].valid_until;
    assert_eq!(play.case().times.due, Some(until), "approval is awaited no longer than the proof counts");
    play.now = until - Duration::seconds(1);
    let mut in_time = Play::new(Tier::Standard);
    (in_time.world, in_time.now) = (play.world.clone(), play.now);
    in_time.approve("ruiz").unwrap();
    play.now = until;
    let refused = play.approve("ruiz").unwrap_err();
    assert_eq!(refused, Refusal::ProofExpired { methods: vec![Method::IssuedCode] });
    assert!(refused.to_string().contains("issued code"), "{refused}");
    // Denying needs no proof; what was approved in time is carried out later, as long as the approval counts.
    let deny = play.decision(Decision::Deny);
    assert!(play.ask(op("ruiz"), &deny).is_ok());
    in_time.now = until + Duration::hours(1);
    in_time.restore();
    assert_eq!(in_time.case().state, CaseState::Restored);
}

#[test]
fn a_sealed_case_whose_proof_ran_out_goes_back_to_be_proved_anew_before_or_after_it_escalated() {
    for (lifetime, escalates) in [("2 h", false), ("12 h", true)] {
        let mut play = sealed_with("receipt_lifetime = \"24 h\"", &format!("receipt_lifetime = \"{lifetime}\""));
        let until = play.case().receipts[0].valid_until;
        if escalates {
            play.now = play.case().next_due().unwrap();
            tick(&mut play);
            assert!(play.case().times.escalated_at.is_some());
            assert_eq!(play.case().state, CaseState::Sealed);
        }
        assert_eq!(play.case().next_due(), Some(until));
        play.now = until;
        tick(&mut play);
        assert_eq!(play.case().state, CaseState::Proofing);
        assert!(play.case().seal.is_none());
        play.code();
        play.act(op("nadia"), &Command::Seal).unwrap();
        play.approve("ruiz").unwrap();
        assert_eq!(play.case().state, CaseState::Approved);
    }
}

#[test]
fn invariant_14_a_receipt_counts_no_longer_than_a_policy_that_became_stricter_lets_it() {
    let mut play = Play::new(Tier::Standard);
    play.proofed(op("nadia"));
    play.now += Duration::hours(3);
    let stricter = DEFAULT.replacen("receipt_lifetime = \"24 h\"", "receipt_lifetime = \"2 h\"", 1);
    play.world.current = Arc::new(Policy::parse(&stricter).unwrap());
    assert!(matches!(play.ask(op("nadia"), &Command::Seal), Err(Refusal::ChecklistIncomplete { .. })));
}

#[test]
fn who_is_told_of_delays_is_no_part_of_what_was_approved() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let requirement = (*countersign::domain::checklist::requirement(&play.world)).clone();
    let mut others = requirement.clone();
    others.escalates_to = [Role::SecurityReviewer].into();
    assert_ne!(requirement, others);
    assert_eq!(seal::requirement_digest(&requirement).unwrap(), seal::requirement_digest(&others).unwrap());
    others.review = !others.review;
    assert_ne!(seal::requirement_digest(&requirement).unwrap(), seal::requirement_digest(&others).unwrap());
    let other = DEFAULT.replacen("escalates_to = \"supervisor\"", "escalates_to = \"security_reviewer\"", 1);
    assert_ne!(other, DEFAULT);
    play.world.current = Arc::new(Policy::parse(&other).unwrap());
    assert_eq!(seal::broken(&play.world, play.now), Vec::<&str>::new());
}

/// Vega reaches the subject and lifts the hold; what is told of it.
fn lifted(play: &mut Play) -> Vec<Effect> {
    play.now += Duration::minutes(2);
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    play.log.clear();
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id("ses-9") }).unwrap();
    play.log.iter().flat_map(|e| effects(play.case(), e, play.now)).map(|d| d.effect).filter(|e| matches!(e, Effect::NotifyStaff { .. })).collect()
}

#[test]
fn what_failed_or_was_late_under_a_hold_is_told_when_it_is_lifted() {
    let hold = Command::Hold { source: HoldSource::Security, reason: None };
    let case = CaseId::new(2026, 1);
    let mut play = Play::sealed(Tier::Standard);
    play.act(op("vega"), &hold).unwrap();
    assert_eq!(lifted(&mut play), [], "it was in time");
    let mut late = Play::sealed(Tier::Standard);
    late.now = late.case().times.due.unwrap();
    tick(&mut late);
    late.act(op("vega"), &hold).unwrap();
    assert_eq!(lifted(&mut late), [Effect::NotifyStaff { case, state: CaseState::Sealed }]);
    let mut failed = Play::sealed(Tier::Standard);
    failed.approve("ruiz").unwrap();
    failed.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    failed.act(op("vega"), &hold).unwrap();
    failed.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })).unwrap();
    assert!(failed.case().hold.is_some());
    assert_eq!(lifted(&mut failed), [Effect::NotifyStaff { case, state: CaseState::Failed }]);
}
