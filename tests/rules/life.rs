//! The life of a case, and what an approval binds.

use std::collections::BTreeSet;

use chrono::Duration;
use countersign::domain::case::{ActorRef, ExecutionOutcome, TrustRoot, VoidReason, Worker};
use countersign::domain::command::Command;
use countersign::domain::event::CaseEvent;
use countersign::domain::refusal::{Act, Refusal};
use countersign::domain::vocabulary::*;

use crate::play::*;

#[test]
fn a_case_is_opened_proved_sealed_approved_executed_restored_and_closed() {
    let mut play = Play::sealed(Tier::Standard);
    assert_eq!(play.case().state, CaseState::Sealed);
    play.approve("ruiz").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
    play.restore();
    assert_eq!(play.case().state, CaseState::Restored);
    play.act(op("nadia"), &Command::Close).unwrap();
    assert_eq!(play.case().state, CaseState::Closed);
}

#[test]
fn invariant_03_two_accounts_of_one_person_are_one_approval() {
    let mut play = Play::sealed(Tier::Standard);
    play.register(|r| r.operators.values_mut().for_each(|o| o.groups = BTreeSet::from([id("security")])));
    let mut wide = route(Path::Assisted);
    wide.picked_groups = BTreeSet::from([id("security")]);
    play.act(op("nadia"), &Command::Route { route: wide }).unwrap();
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.approve("ruiz").unwrap();
    assert!(play.approve("ruiz-two").is_err());
}

#[test]
fn invariant_04_routing_after_approval_voids_it() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let mut wide = route(Path::Assisted);
    wide.scope.insert(id("write"));
    play.act(op("nadia"), &Command::Route { route: wide }).unwrap();
    assert_eq!(play.case().state, CaseState::Proofing);
    assert_eq!(play.case().approvals[0].void, Some(VoidReason::Reopened));
    assert!(play.act(system(Worker::Executor), &Command::StartExecution).is_err());
}

#[test]
fn invariant_04_late_telemetry_waits_beside_the_seal() {
    let mut play = Play::sealed(Tier::Standard);
    let before = play.case().seal.clone();
    play.act(bot(vec![]), &Command::AddTelemetry { id: id("ev-1"), text: text("late") }).unwrap();
    assert!(play.case().evidence[0].late);
    assert_eq!(play.case().seal, before);
    play.approve("ruiz").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn invariant_04_a_stale_version_or_seal_is_refused() {
    let mut play = Play::sealed(Tier::Standard);
    let decision = play.decision(Decision::Approve);
    play.act(op("nadia"), &Command::Comment { text: text("c") }).unwrap();
    assert_eq!(play.ask(op("ruiz"), &decision), Err(Refusal::StaleSeal));
}

#[test]
fn invariant_04_a_delegation_made_after_approval_is_noticed_before_execution() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let now = play.now;
    play.delegate(human("ruiz"), human("nadia"), now, None);
    play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
    let last = play.case().executions.last().and_then(|e| e.outcome.clone());
    assert_eq!(last, Some(ExecutionOutcome::Failed { reason: FailureReason::NoLongerAllowed }));
    assert_eq!(play.case().state, CaseState::Failed);
}

#[test]
fn invariant_04_reassessing_voids_exactly_when_the_lineage_changed() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let now = play.now;
    play.delegate(human("mona"), human("vega"), now, None);
    play.act(system(Worker::Reassess), &Command::Reassess).unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
    play.delegate(human("lind"), human("nadia"), now, None);
    play.act(system(Worker::Reassess), &Command::Reassess).unwrap();
    assert_eq!(play.case().state, CaseState::Proofing);
    assert_eq!(play.case().approvals[0].void, Some(VoidReason::RosterChanged));
}

#[test]
fn invariant_05_the_address_that_carried_the_request_proves_nothing() {
    let mut play = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.endpoint = Some(id("mail-1"));
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    play.act(op("nadia"), &triage()).unwrap();
    assert!(matches!(play.ask(op("nadia"), &start_code("ses-1", "mail-1")), Err(Refusal::EndpointUnusable(_))));
}

#[test]
fn invariant_05_no_operator_records_a_proof() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
    assert!(matches!(play.ask(op("nadia"), &proof("ses-1", "rcp-1")), Err(Refusal::NotPermitted { .. })));
    for n in 0..5 {
        play.act(ActorRef::Subject { session: id("ses-1") }, &Command::RecordFailedAttempt { session: id("ses-1") }).unwrap();
        assert_eq!(play.case().failed_attempts, n + 1);
    }
    assert_eq!(play.ask(ActorRef::Subject { session: id("ses-1") }, &proof("ses-1", "rcp-1")), Err(Refusal::TooManyAttempts));
}

#[test]
fn invariant_10_more_than_was_approved_ends_failed() {
    for (scope, reason) in [(vec!["read", "write"], FailureReason::TooMuch), (vec![], FailureReason::NothingChanged)] {
        let mut play = Play::sealed(Tier::Standard);
        play.approve("ruiz").unwrap();
        play.act(system(Worker::Executor), &Command::StartExecution).unwrap();
        let scope = scope.into_iter().map(id).collect();
        play.act(system(Worker::Executor), &ended(1, ExecutionOutcome::Restored { scope })).unwrap();
        assert_eq!(play.case().executions[0].outcome, Some(ExecutionOutcome::Failed { reason }));
        assert_eq!(play.case().state, CaseState::Failed);
    }
}

#[test]
fn invariant_10_what_a_target_gave_too_much_is_ordered_back_until_it_confirms_and_nothing_else_moves_meanwhile() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    let executor = || system(Worker::Executor);
    play.act(executor(), &Command::StartExecution).unwrap();
    let events = play.ask(executor(), &ended(1, ExecutionOutcome::Restored { scope: [id("read"), id("write")].into() })).unwrap();
    let asked = events.iter().find(|e| matches!(e, CaseEvent::TakingBack { attempt: 1 })).unwrap();
    play.act(executor(), &ended(1, ExecutionOutcome::Failed { reason: FailureReason::TooMuch })).unwrap();
    let due = countersign::domain::effect::effects(play.case(), asked, play.now);
    assert_eq!(due[0].effect, countersign::domain::effect::Effect::RollBack { case: play.case().id, attempt: 1 });
    let mut elsewhere = play.case().route.clone();
    elsewhere.scope.insert(id("write"));
    let blocked = [Command::Retry, Command::Reopen { reason: text("o") }, Command::Route { route: elsewhere }];
    for command in &blocked {
        assert!(matches!(play.ask(op("nadia"), command), Err(Refusal::Already(_))), "{}", command.code());
    }
    assert!(play.ask(op("lind"), &Command::RollBack { reason: text("b") }).is_err());
    assert!(play.ask(op("nadia"), &Command::Withdraw { reason: text("w") }).is_ok());
    let gone = Command::ConfirmTakenBack { attempt: 1 };
    assert!(matches!(play.ask(op("vega"), &gone), Err(Refusal::NotPermitted { .. })), "only the target's word ends it");
    play.act(executor(), &gone).unwrap();
    assert!(play.ask(executor(), &gone).is_err());
    assert_eq!(play.case().executions[0].outcome, Some(ExecutionOutcome::Failed { reason: FailureReason::TooMuch }), "the reason stays");
    for command in &blocked {
        assert!(play.ask(op("nadia"), command).is_ok(), "{}", command.code());
    }
    assert!(matches!(play.ask(op("lind"), &Command::RollBack { reason: text("b") }), Err(Refusal::Invalid { .. } | Refusal::Already(_))));
}

#[test]
fn a_hold_stops_everything_until_security_reached_the_subject_on_another_channel() {
    let mut play = Play::sealed(Tier::Standard);
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    assert_eq!(play.approve("ruiz"), Err(Refusal::Held));
    let lift = Command::LiftHold { reason: text("fine"), contact: id("ses-9") };
    assert!(play.ask(op("vega"), &lift).is_err());
    play.now += Duration::minutes(2);
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    play.act(op("vega"), &lift).unwrap();
    play.approve("ruiz").unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn invariant_13_the_subjects_word_counts_on_a_case_that_is_held_already() {
    let mut play = Play::sealed(Tier::Standard);
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    play.now += Duration::minutes(2);
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    play.now += Duration::minutes(1);
    let (sam, word) = (ActorRef::Subject { session: id("nm-1") }, Command::Hold { source: HoldSource::NotMe, reason: None });
    play.act(sam.clone(), &word).unwrap();
    assert_eq!(play.case().hold.as_ref().map(|h| h.source), Some(HoldSource::NotMe), "security sees it");
    let lift = Command::LiftHold { reason: text("fine"), contact: id("ses-9") };
    assert!(matches!(play.ask(op("vega"), &lift), Err(Refusal::Invalid { .. })), "reached before the word was said");
    assert!(matches!(play.ask(sam, &word), Err(Refusal::Already(_))), "it is said once");
}

#[test]
fn invariant_05_a_hold_is_not_lifted_on_ones_own_word() {
    let mut play = Play::sealed(Tier::Standard);
    std::sync::Arc::make_mut(play.world.subject.as_mut().unwrap()).manager = Some(id("vega"));
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    play.now += Duration::minutes(2);
    let ask = Command::StartProof { session: id("ses-8"), method: Method::ManagerAttestation, endpoint: None, attester: Some(id("vega")) };
    assert!(matches!(play.ask(op("vega"), &ask), Err(Refusal::EndpointUnusable(_))), "nobody reaches somebody by asking oneself");
    play.register(|r| {
        let mut other = r.operators[&id("vega")].clone();
        (other.id, other.person) = (id("lind-sec"), id("lind"));
        r.operators.insert(other.id.clone(), other);
    });
    let lind = play.account("lind-sec");
    play.act(lind, &ask).unwrap();
    let trust_root = TrustRoot { kind: TrustRootKind::Contact, sha256: countersign::base::Digest::of(b"vega") };
    let yes = Command::RecordProof { session: id("ses-8"), receipt: id("rcp-8"), trust_root };
    play.act(ActorRef::Attester { person: id("vega"), session: id("ses-8") }, &yes).unwrap();
    let lift = Command::LiftHold { reason: text("fine"), contact: id("ses-8") };
    assert!(matches!(play.ask(op("vega"), &lift), Err(Refusal::Invalid { .. })));
}

#[test]
fn whoever_of_security_had_a_hand_in_a_held_case_hears_before_anything_is_sent_that_another_one_lifts_it() {
    let mut play = Play::new(Tier::Standard);
    play.register(|r| {
        let vega = r.operators.get_mut(&id("vega")).unwrap();
        vega.roles.insert(Role::SupportAgent);
        let mut other = vega.clone();
        (other.id, other.person) = (id("lind-sec"), id("lind"));
        r.operators.insert(other.id.clone(), other);
    });
    play.open(op("vega"), Path::Assisted);
    play.act(op("vega"), &triage()).unwrap();
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: Some(text("odd")) }).unwrap();
    play.now += Duration::minutes(2);
    let reach = Command::StartProof { session: id("ses-8"), method: Method::IssuedCode, endpoint: Some(id("mail-1")), attester: None };
    let lift = Command::LiftHold { reason: text("fine"), contact: id("ses-8") };
    for command in [&reach, &lift] {
        let refused = play.ask(op("vega"), command).unwrap_err();
        let said = refused.to_string();
        assert!(matches!(refused, Refusal::SeparationOfDuties { act: Act::LiftHold, .. }), "{said}");
        assert!(
            said.starts_with("You can't lift this hold: you routed it") && said.ends_with("1 other could lift it, on shift: lind-sec."),
            "{said}"
        );
    }
    let lind = play.account("lind-sec");
    play.act(lind, &reach).unwrap();
}

#[test]
fn one_denial_ends_a_case_and_an_approval_can_be_taken_back() {
    let mut play = Play::sealed(Tier::Standard);
    play.approve("ruiz").unwrap();
    play.act(op("ruiz"), &Command::TakeBack { reason: text("t") }).unwrap();
    assert_eq!(play.case().state, CaseState::Sealed);
    let deny = play.decision(Decision::Deny);
    play.act(op("lind"), &deny).unwrap();
    assert_eq!(play.case().state, CaseState::Denied);
}

#[test]
fn time_escalates_expires_and_pauses_for_the_subject() {
    let mut play = Play::sealed(Tier::Standard);
    play.now += Duration::hours(9);
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
    let until = play.case().receipts[0].valid_until;
    assert_eq!(play.log[play.log.len() - 2..], [CaseEvent::Escalated { hold: false }, CaseEvent::ClockResumed { due: until }]);
    assert!(play.ask(system(Worker::Deadlines), &Command::Tick).unwrap().is_empty());
    play.now += Duration::days(8);
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
    assert_eq!(play.case().state, CaseState::Expired);

    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    play.act(op("nadia"), &triage()).unwrap();
    play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
    assert!(play.case().times.due.is_none() && play.case().times.paused_left.is_some());
}

#[test]
fn invariant_05_a_subject_that_asks_for_itself_proves_nothing_through_the_session_that_asked_and_decides_nothing() {
    let mut play = Play::new(Tier::Standard);
    let me = || ActorRef::Subject { session: id("ses-ask") };
    let request = |path| {
        let mut request = open(1, path);
        request.session = Some(id("ses-ask"));
        request
    };
    let mut picks = request(Path::SelfService);
    picks.route.picked_groups.insert(id("security"));
    let mut other = request(Path::SelfService);
    other.session = Some(id("ses-other"));
    let mut colleague = request(Path::SelfService);
    colleague.requester = countersign::domain::case::Requester::Person(id("mona"));
    let mut more = request(Path::SelfService);
    more.route.action = Action::AccountReactivation;
    for refused in [request(Path::Assisted), request(Path::Runbook), request(Path::BreakGlass), picks, other, colleague, more] {
        assert!(matches!(play.ask(me(), &Command::Open(refused)), Err(Refusal::NotPermitted { .. })));
    }
    play.act(me(), &Command::Open(request(Path::SelfService))).unwrap();
    assert_eq!(play.case().state, CaseState::Proofing);
    assert_eq!(play.ask(system(Worker::Notices), &start_code("ses-ask", "mail-1")), Err(Refusal::Already("This session was used before.".into())));
    assert!(play.ask(me(), &proof("ses-ask", "rcp-1")).is_err());
    play.act(system(Worker::Notices), &start_code("ses-1", "mail-1")).unwrap();
    assert!(play.ask(me(), &proof("ses-1", "rcp-1")).is_err(), "the code was sent elsewhere");
    // The subject is in the lineage from the start, though nobody routed.
    assert!(matches!(play.approve("sam"), Err(Refusal::SeparationOfDuties { .. })));
    play.act(ActorRef::Subject { session: id("ses-1") }, &proof("ses-1", "rcp-1")).unwrap();
    assert_eq!(play.case().state, CaseState::Approved);
}

#[test]
fn invariant_02_whoever_had_a_hand_in_the_log_that_a_restore_replaces_has_one_still() {
    use countersign::domain::case::{Hand, LineageEntry};
    use countersign::domain::elsewhere::Elsewhere;
    use countersign::domain::register::Principal;
    let mut play = Play::sealed(Tier::Standard);
    assert!(Play::sealed(Tier::Standard).approve("ruiz").is_ok());
    let hand = Hand { who: Principal::Person(id("ruiz")), duty: Duty::Router, at: play.now };
    let entry = LineageEntry { person: id("lind"), duty: Duty::EvidenceEditor, via: None, case: Some(countersign::base::ids::CaseId::new(2026, 9)) };
    let taken = Command::TakeOver(Box::new(Elsewhere { hands: [hand].into(), lineage: [entry].into(), ..Elsewhere::default() }));
    assert!(play.act(op("vega"), &taken).is_err(), "the host's command line alone");
    play.act(system(Worker::Host), &taken).unwrap();
    assert_eq!(play.case().hold.as_ref().map(|h| h.source), Some(HoldSource::Restore));
    play.now += Duration::minutes(2);
    play.act(op("vega"), &start_code("ses-held", "mail-1")).unwrap();
    play.act(ActorRef::Subject { session: id("ses-held") }, &proof("ses-held", "rcp-held")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("spoken-to"), contact: id("ses-held") }).unwrap();
    for who in ["ruiz", "lind"] {
        let refusal = play.approve(who).unwrap_err();
        assert_eq!(refusal.code(), "separation-of-duties", "{who}: {refusal}");
    }
    let before = play.case().clone();
    play.act(system(Worker::Host), &taken).unwrap();
    assert_eq!((play.case().hands.clone(), play.case().lineage.clone()), (before.hands, before.lineage), "it is taken over once");
}
