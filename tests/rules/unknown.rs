//! What nobody knows of a target: temporary access that it may have given is taken back; what an earlier attempt did can be undone; a grant ends
//! when its order said.

use chrono::Duration;
use countersign::domain::case::{ActorRef, ExecutionOutcome, Worker};
use countersign::domain::command::Command;
use countersign::domain::effect::{Effect, effects};
use countersign::domain::elsewhere::Elsewhere;
use countersign::domain::event::CaseEvent;
use countersign::domain::next;
use countersign::domain::refusal::Refusal;
use countersign::domain::vocabulary::*;

use crate::play::*;

fn executor() -> ActorRef {
    system(Worker::Executor)
}

/// In the target's hands.
fn executing(action: Action) -> Play {
    let mut play = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.route.action = action;
    request.route.scope.insert(id("write"));
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    play.act(op("nadia"), &triage()).unwrap();
    play.code();
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.approve("ruiz").unwrap();
    play.act(executor(), &Command::StartExecution).unwrap();
    play
}

fn failed(reason: FailureReason) -> ExecutionOutcome {
    ExecutionOutcome::Failed { reason }
}

#[test]
fn invariant_11_temporary_access_of_unknown_outcome_is_taken_back_until_the_target_confirms() {
    use FailureReason as F;
    for reason in FailureReason::ALL {
        let unknown = matches!(reason, F::Unreachable | F::TooMuch | F::NothingChanged | F::Mismatch | F::OldKept | F::NotRotated);
        let mut play = executing(Action::JitAccess);
        let events = play.ask(executor(), &ended(1, failed(*reason))).unwrap();
        let asked = events.iter().find(|e| matches!(e, CaseEvent::TakingBack { attempt: 1 }));
        assert_eq!(asked.is_some(), unknown, "{reason:?}");
        play.act(executor(), &ended(1, failed(*reason))).unwrap();
        assert_eq!((play.case().state, play.case().taking_back()), (CaseState::Failed, unknown), "{reason:?}");
        let Some(asked) = asked else { continue };
        assert_eq!(effects(play.case(), asked, play.now)[0].effect, Effect::RollBack { case: play.case().id, attempt: 1 });
        assert!(matches!(play.ask(op("nadia"), &Command::Retry), Err(Refusal::Already(_))), "nothing is begun beside what may be there");
        let could = countersign::domain::lineage::could_decide(&play.world, play.now);
        let said = next::step(&play.world, &countersign::domain::checklist::progress(&play.world, play.now), &could, play.now);
        assert!(said.contains("may have given"), "{said}");
        // Who gives it up leaves nothing behind either.
        play.act(op("nadia"), &Command::Withdraw { reason: text("w") }).unwrap();
        assert!(play.case().taking_back() && play.case().plan.is_some());
        play.act(executor(), &Command::ConfirmTakenBack { attempt: 1 }).unwrap();
        assert!(!play.case().taking_back());
    }
    // Part of it, found by looking.
    let mut play = executing(Action::JitAccess);
    play.act(executor(), &ended(1, ExecutionOutcome::Restored { scope: [id("read")].into() })).unwrap();
    assert_eq!(play.case().executions[0].outcome, Some(failed(F::Mismatch)));
    assert!(play.case().taking_back());
}

#[test]
fn standing_access_of_unknown_outcome_waits_for_staff() {
    let mut play = executing(Action::PasswordReset);
    play.act(executor(), &ended(1, failed(FailureReason::Unreachable))).unwrap();
    assert!(!play.case().taking_back());
    play.act(op("nadia"), &Command::Retry).unwrap();
}

#[test]
fn what_an_earlier_attempt_did_is_undone_when_a_later_one_did_nothing() {
    for later in [FailureReason::NoLongerAllowed, FailureReason::Refused, FailureReason::NotOrdered] {
        let mut play = executing(Action::AccountUnlock);
        play.act(executor(), &ended(1, failed(FailureReason::Mismatch))).unwrap();
        play.act(op("nadia"), &Command::Retry).unwrap();
        if later == FailureReason::NoLongerAllowed {
            let now = play.now;
            play.delegate(human("ruiz"), human("nadia"), now, None);
            play.act(executor(), &Command::StartExecution).unwrap();
        } else {
            play.act(executor(), &Command::StartExecution).unwrap();
            play.act(executor(), &ended(2, failed(later))).unwrap();
        }
        assert_eq!(play.case().executions.last().and_then(|e| e.outcome.clone()), Some(failed(later)));
        play.act(op("lind"), &Command::RollBack { reason: text("b") }).unwrap();
        assert_eq!((play.case().state, play.case().undoing), (CaseState::Executing, Some(1)), "{later:?}");
        assert!(matches!(play.ask(executor(), &ended(2, ExecutionOutcome::RolledBack)), Err(Refusal::Unknown(_))));
        play.act(executor(), &ended(1, ExecutionOutcome::RolledBack)).unwrap();
        assert_eq!((play.case().state, play.case().undoing), (CaseState::RolledBack, None));
        assert_eq!(play.case().executions[0].outcome, Some(ExecutionOutcome::RolledBack));
    }
}

#[test]
fn invariant_11_a_grant_ends_when_its_order_said_however_long_the_target_took() {
    let mut play = executing(Action::JitAccess);
    let (started, lifetime) = (play.case().executions[0].started_at, play.case().plan.as_ref().and_then(|p| p.lifetime).unwrap());
    play.now += Duration::minutes(14);
    let scope = play.case().plan.as_ref().unwrap().scope.clone();
    play.act(executor(), &ended(1, ExecutionOutcome::Restored { scope })).unwrap();
    let grant = &play.case().grants[0];
    assert_eq!((grant.since, grant.expires_at), (started, started + lifetime.duration()));
}

#[test]
fn invariant_17_what_is_in_a_targets_hands_keeps_its_plan_when_a_restore_tells_of_a_decider() {
    let take_over = |play: &Play| {
        let decider = play.world.register.policy_deciders.iter().next().unwrap().clone();
        let hand = countersign::domain::case::Hand {
            who: countersign::domain::register::Principal::Person(decider),
            duty: Duty::Router,
            at: play.case().request.opened_at,
        };
        Command::TakeOver(Box::new(Elsewhere { hands: [hand].into(), ..Elsewhere::default() }))
    };
    for begun in [false, true] {
        let mut play = Play::new(Tier::Standard);
        play.register(|r| {
            r.policy_deciders.insert(id("lind"));
        });
        play.open(bot(vec![]), Path::SelfService);
        play.code();
        assert_eq!(play.case().state, CaseState::Approved, "it seals itself");
        if begun {
            play.now = play.case().times.execute_after.unwrap();
            play.act(executor(), &Command::StartExecution).unwrap();
        }
        let command = take_over(&play);
        play.act(system(Worker::Host), &command).unwrap();
        let case = play.case();
        assert!(case.hold.is_some());
        let stands = (case.state, case.route.path, case.plan.is_some());
        let wanted = if begun { (CaseState::Executing, Path::SelfService, true) } else { (CaseState::Proofing, Path::Assisted, false) };
        assert_eq!(stands, wanted);
    }
}
