//! What past incidents ask of every case (standards.md), where the rules alone decide it; the stories end to end are under `outside`.

use std::sync::Arc;

use chrono::Duration;
use countersign::domain::case::{ActorRef, Case, Hold};
use countersign::domain::checklist;
use countersign::domain::command::Command;
use countersign::domain::refusal::Refusal;
use countersign::domain::subject::Subject;
use countersign::domain::vocabulary::*;

use crate::play::*;

/// A case of Sam's in the CRM, restored a moment ago; or one that got no further than that.
fn before(restored: bool) -> (Play, Arc<Case>) {
    let mut play = Play::sealed(Tier::Standard);
    if restored {
        play.approve("ruiz").unwrap();
        play.restore();
        assert_eq!(play.case().state, CaseState::Restored);
    }
    let case = play.world.case.take().unwrap();
    (play, case)
}

/// Another case, opened later beside that one, about what is changed.
fn again(restored: bool, after: Duration, change: impl FnOnce(&mut Subject)) -> (Play, Arc<Case>) {
    let (play, first) = before(restored);
    (beside(play, &first, after, change), first)
}

/// Another case, opened later beside that one.
fn beside(mut play: Play, first: &Arc<Case>, after: Duration, change: impl FnOnce(&mut Subject)) -> Play {
    play.now += after;
    play.world.linked = vec![first.clone()];
    change(Arc::make_mut(play.world.subject.as_mut().unwrap()));
    let mut request = open(2, Path::Assisted);
    let subject = play.world.subject.clone().unwrap();
    request.route.subject = subject.id.clone();
    request.route.target = subject.entitlements.keys().next().unwrap().clone();
    request.endpoint = None;
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    play
}

fn another_record(s: &mut Subject) {
    (s.id, s.kind) = (id("s-sam-admin"), SubjectKind::PrivilegedAdmin);
}

fn another_target(s: &mut Subject) {
    let held = s.entitlements.remove(&id("crm")).unwrap();
    s.entitlements.insert(id("vault"), held);
}

fn held_by_policy(play: &Play) -> bool {
    matches!(&play.case().hold, Some(Hold { source: HoldSource::Policy, .. }))
}

#[test]
fn the_desk_that_resets_again_and_again_and_then_for_an_administrator_is_held_whichever_record_or_target_it_names() {
    type Way = (&'static str, fn(&mut Subject));
    let day = Duration::days(1);
    let ways: [Way; 3] = [("the same", |_| {}), ("another record", another_record), ("another target", another_target)];
    for (what, change) in ways {
        let (mut play, _) = again(true, day, change);
        assert!(play.case().has_flag(FlagKind::RepeatRequest) && held_by_policy(&play), "{what}");
        assert_eq!(play.act(op("nadia"), &triage()), Err(Refusal::Held), "{what}");

        // What is still under way is no second reset, but is asked for twice: policy asks for more.
        let (play, _) = again(false, day, change);
        assert!(play.case().has_flag(FlagKind::RepeatRequest) && play.case().hold.is_none(), "{what}");
        let need = checklist::requirement(&play.world);
        assert!(need.gates.contains(&Method::ManagerAttestation) && need.delay.0 >= 1_800 && need.review, "{what}: {need:?}");

        let (play, _) = again(true, Duration::days(8), change);
        assert!(!play.case().has_flag(FlagKind::RepeatRequest) && play.case().hold.is_none(), "{what}: after the window");
    }
}

#[test]
fn while_what_followed_a_privileged_recovery_lasts_a_further_one_is_held_however_long_ago_it_was() {
    for (lasts, held) in [(9, true), (7, false)] {
        let (play, mut first) = before(true);
        Arc::make_mut(&mut first).times.restricted_until = Some(play.now + Duration::days(lasts));
        let play = beside(play, &first, Duration::days(8), another_target);
        assert_eq!((play.case().has_flag(FlagKind::RepeatRequest), held_by_policy(&play)), (held, held), "{lasts} days");
    }
}

#[test]
fn what_was_stopped_is_not_asked_for_again_under_another_number() {
    let asked = |source: HoldSource, since: Duration, change: fn(&mut Subject), by: Option<ActorRef>| {
        let (mut play, mut first) = before(false);
        let case = Arc::make_mut(&mut first);
        case.hold = Some(Hold { source, reason: None, since: play.now + Duration::days(1) - since, escalated_at: None });
        case.request.opened_by = by.unwrap_or(case.request.opened_by.clone());
        play.now += Duration::days(1);
        play.world.linked = vec![first];
        change(Arc::make_mut(play.world.subject.as_mut().unwrap()));
        let mut request = open(2, Path::Assisted);
        let subject = play.world.subject.clone().unwrap();
        (request.route.subject, request.endpoint) = (subject.id.clone(), None);
        request.route.target = subject.entitlements.keys().next().unwrap().clone();
        play.act(op("nadia"), &Command::Open(request))
    };
    let hour = Duration::hours(1);
    for change in [(|_| {}) as fn(&mut Subject), another_record, another_target] {
        for source in [HoldSource::NotMe, HoldSource::Security] {
            let refused = asked(source, hour, change, None).unwrap_err().to_string();
            assert!(refused.contains("CS-26-000001 is held by") && refused.contains(source.label()), "{refused}");
        }
        for source in [HoldSource::Policy, HoldSource::Restore] {
            assert_eq!(asked(source, hour, change, None), Ok(()), "{source} says nothing of who asks");
        }
        assert_eq!(asked(HoldSource::NotMe, Duration::days(8), change, None), Ok(()), "as long as cases are linked");
        let typed = ActorRef::Subject { session: id("ses-1") };
        assert_eq!(asked(HoldSource::NotMe, hour, change, Some(typed)), Ok(()), "anyone can type a name");
    }
    let machine = |s: &mut Subject| (s.id, s.person, s.kind) = (id("s-batch"), None, SubjectKind::ServiceAccount);
    assert_eq!(asked(HoldSource::NotMe, hour, machine, None), Ok(()), "somebody else's");
}

#[test]
fn what_was_given_back_to_somebody_else_or_to_a_machine_of_theirs_holds_nothing() {
    let somebody = |s: &mut Subject| (s.id, s.person) = (id("s-lind"), Some(id("lind")));
    let machine = |s: &mut Subject| (s.id, s.person, s.kind) = (id("s-batch"), None, SubjectKind::ServiceAccount);
    for change in [somebody as fn(&mut Subject), machine] {
        let (play, first) = again(true, Duration::days(1), change);
        assert!(!play.case().has_flag(FlagKind::RepeatRequest) && play.case().hold.is_none());
        assert!(!play.case().linked.contains(&first.id));
    }
}

#[test]
fn invariant_02_a_case_about_another_record_of_the_same_person_hands_down_no_lineage() {
    let (play, first) = again(true, Duration::days(1), another_record);
    assert!(!play.case().linked.contains(&first.id));
    assert!(play.case().lineage.iter().all(|e| e.case.is_none()), "{:?}", play.case().lineage);
}

#[test]
fn nothing_is_ended_as_nothing_to_recover_but_what_triage_found_to_be_so() {
    for failure in FailureType::ALL.iter().copied() {
        let mut play = Play::new(Tier::Standard);
        play.open(op("nadia"), Path::Assisted);
        let end = Command::NoChangeNeeded { reason: text("n") };
        assert!(matches!(play.act(op("nadia"), &end), Err(Refusal::Already(why)) if why.starts_with("Triage it first")));
        play.act(op("nadia"), &triage_as(failure)).unwrap();
        let nothing = matches!(failure, FailureType::LocalConfiguration | FailureType::Outage | FailureType::AuthenticatorRemains);
        match play.act(op("nadia"), &end) {
            Ok(()) => assert!(nothing && play.case().state == CaseState::NoChangeNeeded, "{failure}"),
            Err(refusal) => assert!(!nothing && refusal.to_string().contains(failure.label()), "{failure}: {refusal}"),
        }
        // What was found first may have been wrong: it is triaged anew.
        if !nothing {
            play.act(op("nadia"), &triage_as(FailureType::Outage)).unwrap();
            play.act(op("nadia"), &end).unwrap();
        }
    }
}
