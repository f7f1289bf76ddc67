//! Each phase of a case has one clock: coming back to a phase does not start it anew, whoever sends the case back (invariant 16).

use chrono::Duration;
use countersign::base::Time;
use countersign::domain::case::{ActorRef, Worker};
use countersign::domain::command::Command;
use countersign::domain::effect::{Effect, effects};
use countersign::domain::event::CaseEvent;
use countersign::domain::vocabulary::*;

use crate::play::*;

fn due(play: &Play) -> Time {
    play.case().times.due.expect("the phase has a deadline")
}

fn reopen() -> Command {
    Command::Reopen { reason: text("again") }
}

#[test]
fn invariant_16_reopening_and_sealing_again_moves_no_deadline_however_often() {
    let mut play = Play::new(Tier::Standard);
    play.proofed(op("nadia"));
    let proofing = due(&play) - play.now;
    play.now += Duration::minutes(10);
    play.act(op("nadia"), &Command::Seal).unwrap();
    let approval = due(&play) - play.now;
    let mut waited = Duration::zero();
    for round in 1..=4 {
        play.now += Duration::minutes(7);
        waited += Duration::minutes(7);
        play.act(op("nadia"), &reopen()).unwrap();
        assert_eq!(due(&play) - play.now, proofing - Duration::minutes(10), "proofing's time stood still in round {round}");
        play.act(op("nadia"), &Command::Seal).unwrap();
        assert_eq!(due(&play) - play.now, approval - waited, "approval's time ran on in round {round}");
    }
    let told = play.log.iter().rev().find_map(|e| if let CaseEvent::StateChanged { used, .. } = e { Some(*used) } else { None });
    assert_eq!(told.flatten().map(countersign::domain::requirement::Seconds::duration), Some(waited), "and the log says how much of it was used");
}

#[test]
fn invariant_16_a_phase_whose_time_ran_out_escalates_at_once_when_the_case_comes_back_to_it() {
    let mut play = Play::sealed(Tier::Standard);
    play.now = due(&play);
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
    let escalated = play.case().times.escalated_at;
    assert_eq!(escalated, Some(play.now));
    play.now += Duration::minutes(1);
    play.act(op("nadia"), &reopen()).unwrap();
    assert!(due(&play) > play.now, "proofing has what was left of its own time");
    let before = play.log.len();
    play.act(op("nadia"), &Command::Seal).unwrap();
    assert_eq!(due(&play), play.now);
    let reminders = play.log[before..].iter().flat_map(|e| effects(play.case(), e, play.now));
    assert_eq!(reminders.filter(|d| matches!(d.effect, Effect::NotifyApprovers { .. })).count(), 1, "approvers hear of it once");
    play.act(system(Worker::Deadlines), &Command::Tick).unwrap();
    assert_eq!(play.case().times.escalated_at, Some(play.now));
}

#[test]
fn invariant_16_triage_and_proofing_keep_their_clocks_too_when_a_case_goes_back_and_forth() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    let whole = due(&play) - play.now;
    play.now += Duration::minutes(3);
    play.act(op("nadia"), &triage()).unwrap();
    let proofing = due(&play) - play.now;
    play.now += Duration::minutes(5);
    let Command::Triage { reproduction, triage_owner, remedy_owner, .. } = triage() else { panic!("triage is triage") };
    play.act(op("nadia"), &Command::Triage { failure: FailureType::Outage, reproduction, triage_owner, remedy_owner }).unwrap();
    assert_eq!((play.case().state, due(&play) - play.now), (CaseState::New, whole - Duration::minutes(3)));
    play.act(op("nadia"), &triage()).unwrap();
    assert_eq!((play.case().state, due(&play) - play.now), (CaseState::Proofing, proofing - Duration::minutes(5)));
}

#[test]
fn invariant_16_waiting_for_the_subject_and_a_hold_use_none_of_a_phases_time_and_give_none() {
    let mut play = Play::new(Tier::Standard);
    play.proofed(op("nadia"));
    let left = due(&play) - play.now;
    play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    play.now += Duration::minutes(40);
    play.act(op("vega"), &start_code("ses-9", "mail-1")).unwrap();
    play.now += Duration::minutes(2);
    play.act(ActorRef::Subject { session: id("ses-9") }, &proof("ses-9", "rcp-9")).unwrap();
    play.act(op("vega"), &Command::LiftHold { reason: text("fine"), contact: id("ses-9") }).unwrap();
    assert_eq!(due(&play) - play.now, left, "it runs on where it stood");
    play.act(op("nadia"), &Command::Seal).unwrap();
    play.act(op("nadia"), &reopen()).unwrap();
    assert_eq!(due(&play) - play.now, left, "and none of that was used");
}
