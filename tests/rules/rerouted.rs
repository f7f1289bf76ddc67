//! What was proved for one thing serves no other: a case that is sent to something else begins its proof anew, and its subject is told anew.

use std::collections::BTreeSet;

use chrono::Duration;
use countersign::domain::case::{ActorRef, Case, MAX_TURNS, Route, SessionOutcome, VoidReason};
use countersign::domain::checklist;
use countersign::domain::command::Command;
use countersign::domain::effect::{Effect, Notice, effects};
use countersign::domain::event::CaseEvent;
use countersign::domain::next;
use countersign::domain::refusal::Refusal;
use countersign::domain::vocabulary::*;

use crate::play::*;

fn to(change: impl FnOnce(&mut Route)) -> Command {
    let mut route = route(Path::Assisted);
    change(&mut route);
    Command::Route { route }
}

fn complete(play: &Play) -> bool {
    checklist::progress(&play.world, play.now).complete
}

/// How often the events of a command tell the subject that a recovery started.
fn told(play: &Play, who: ActorRef, command: &Command) -> usize {
    let mut case = play.case().clone();
    let mut count = 0;
    for event in play.ask(who, command).unwrap() {
        case.happens(&event, play.now);
        let started = |e: &Effect| matches!(e, Effect::NotifySubject { notice: Notice::Started, .. });
        count += effects(&case, &event, play.now).iter().filter(|d| started(&d.effect)).count();
    }
    count
}

#[test]
fn invariant_01_what_was_proved_and_approved_for_one_thing_serves_no_other() {
    let elsewhere: [(&str, Command); 4] = [
        ("action", to(|r| r.action = Action::MfaReenrolment)),
        ("target", to(|r| r.target = id("vault"))),
        (
            "scope",
            to(|r| {
                r.scope.insert(id("write"));
            }),
        ),
        ("path", to(|r| r.path = Path::BreakGlass)),
    ];
    for (what, command) in &elsewhere {
        let mut play = Play::new(Tier::Standard);
        let subject = std::sync::Arc::make_mut(play.world.subject.as_mut().unwrap());
        subject.entitlements.insert(id("vault"), BTreeSet::from([id("read")]));
        play.proofed(op("nadia"));
        play.act(op("nadia"), &Command::Seal).unwrap();
        play.approve("ruiz").unwrap();
        assert_eq!(told(&play, op("nadia"), command), 1, "{what}: the subject hears of the other recovery");
        play.act(op("nadia"), command).unwrap();
        assert_eq!(play.case().approvals[0].void, Some(VoidReason::Reopened), "{what}");
        assert!(!complete(&play), "{what}: the receipt was for something else");
        assert!(play.case().is_for_another(&play.case().receipts[0]), "{what}");
        assert!(matches!(play.ask(op("nadia"), &Command::Seal), Err(Refusal::ChecklistIncomplete { .. })), "{what}");
        let could = countersign::domain::lineage::could_decide(&play.world, play.now);
        let said = next::step(&play.world, &checklist::progress(&play.world, play.now), &could, play.now);
        assert!(said.contains("before the case was sent elsewhere"), "{what}: {said}");
        play.now += Duration::minutes(2);
        play.code();
        assert!(complete(&play), "{what}: proved for this, it counts");
    }
}

#[test]
fn invariant_05_a_session_serves_only_what_it_was_opened_for() {
    for path in [Path::SelfService, Path::Assisted] {
        let mut play = Play::new(Tier::Standard);
        play.open(bot(vec![]), path);
        if path == Path::Assisted {
            play.act(op("nadia"), &triage()).unwrap();
        }
        play.act(op("nadia"), &start_code("ses-1", "mail-1")).unwrap();
        let mut other = play.case().route.clone();
        other.action = Action::MfaReenrolment;
        let routed = Command::Route { route: other.clone() };
        let events = play.ask(bot(vec![]), &routed).unwrap();
        let ended = CaseEvent::SessionEnded { session: id("ses-1"), outcome: SessionOutcome::Rerouted };
        let at = |wanted: &dyn Fn(&CaseEvent) -> bool| events.iter().position(wanted);
        let (ends, goes) = (at(&|e| *e == ended), at(&|e| matches!(e, CaseEvent::Routed { .. })));
        assert!(ends.is_some() && ends < goes, "that nobody is waited for any more is an entry of its own: {events:?}");
        play.act(bot(vec![]), &routed).unwrap();
        assert_eq!(play.case().route, Route { path: Path::Assisted, ..other.clone() }, "whoever routes decides nothing by it");
        assert_eq!(play.case().sessions[&id("ses-1")].outcome, Some(SessionOutcome::Rerouted));
        assert!(play.case().times.paused_left.is_none(), "nobody is waited for");
        let subject = || ActorRef::Subject { session: id("ses-1") };
        assert_eq!(play.ask(subject(), &proof("ses-1", "rcp-1")), Err(Refusal::SessionEnded));
        let wrong = Command::RecordFailedAttempt { session: id("ses-1") };
        assert_eq!(play.ask(subject(), &wrong), Err(Refusal::SessionEnded));
        assert!(matches!(play.ask(op("nadia"), &start_code("ses-2", "mail-1")), Err(Refusal::Already(_))), "it was sent there a moment ago");
        // Asked for by hand, it does not run by itself again.
        let back = Command::Route { route: Route { path: Path::SelfService, ..other } };
        let Err(Refusal::Already(why)) = play.ask(op("nadia"), &back) else { panic!("it runs by itself again") };
        assert!(why.contains("worked by staff"), "{why}");
    }
}

#[test]
fn invariant_17_no_routing_makes_a_case_an_assisted_one_for_whoever_may_start_none() {
    let mut play = Play::new(Tier::Standard);
    let may = "assisted = [\"support_agent\", \"supervisor\", \"security_reviewer\", \"automation\"]";
    let text = include_str!("../../assets/policy/default.toml").replace(may, "assisted = [\"support_agent\"]");
    let policy = std::sync::Arc::new(countersign::domain::policy::Policy::parse(&text).unwrap());
    (play.world.pinned, play.world.current) = (policy.clone(), policy);
    play.open(bot(vec![]), Path::SelfService);
    // The path is left as it is, and what is routed by hand is worked by staff from then on.
    let other = Route { action: Action::MfaReenrolment, ..play.case().route.clone() };
    let routed = Command::Route { route: other };
    assert!(matches!(play.ask(bot(vec![]), &routed), Err(Refusal::NotPermitted { .. })));
    play.act(op("nadia"), &routed).unwrap();
    assert_eq!(play.case().route.path, Path::Assisted);
}

#[test]
fn invariant_05_what_was_proved_for_more_of_the_same_counts_for_less_of_it_and_not_the_other_way_round() {
    let mut play = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.route.scope.insert(id("write"));
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    play.act(op("nadia"), &triage()).unwrap();
    play.code();
    assert!(complete(&play));
    let less = to(|_| {});
    assert_eq!(told(&play, op("nadia"), &less), 0);
    play.act(op("nadia"), &less).unwrap();
    assert!(complete(&play) && play.case().turns.is_empty());
    play.act(
        op("nadia"),
        &to(|r| {
            r.picked_groups.insert(id("security"));
        }),
    )
    .unwrap();
    assert!(complete(&play), "who is to approve is nothing that the subject was asked");
    play.act(
        op("nadia"),
        &to(|r| {
            r.scope.insert(id("write"));
        }),
    )
    .unwrap();
    assert!(!complete(&play) && play.case().turns.len() == 1);
}

#[test]
fn invariant_05_in_a_log_from_before_what_came_through_a_session_for_something_else_counts_no_more() {
    let mut play = Play::new(Tier::Standard);
    play.proofed(op("nadia"));
    let (session, receipt) = (play.case().receipts[0].session.clone(), play.case().receipts[0].clone());
    let before = Case { receipts: Vec::new(), ..play.case().clone() };
    let other = Route { action: Action::MfaReenrolment, ..route(Path::Assisted) };
    // As it was once: the session stayed open over the routing, and its receipt came after it.
    let mut case = before;
    for event in
        [CaseEvent::Routed { route: other }, CaseEvent::Proved { receipt }, CaseEvent::SessionEnded { session, outcome: SessionOutcome::Proved }]
    {
        case.happens(&event, play.now);
    }
    play.world.case = Some(std::sync::Arc::new(case));
    assert!(!complete(&play));
}

#[test]
fn a_case_is_sent_to_something_else_a_bounded_number_of_times() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    let [one, two] = [Action::MfaReenrolment, Action::AccountUnlock].map(|action| to(|r| r.action = action));
    for turn in 0..MAX_TURNS {
        let next = if turn % 2 == 0 { &one } else { &two };
        // What steers software can't use up the turns of those who would send it where it belongs.
        let refused = play.ask(bot(vec![]), next);
        assert_eq!(matches!(refused, Err(Refusal::Limit { limit: 3, .. })), turn >= 3, "{turn}: {refused:?}");
        play.act(if turn < 3 { bot(vec![]) } else { op("nadia") }, next).unwrap();
    }
    assert!(matches!(play.ask(op("nadia"), &one), Err(Refusal::Limit { limit: MAX_TURNS, .. })));
}

#[test]
fn what_is_sent_to_and_fro_within_a_minute_is_told_once_as_it_stands_then() {
    let mut play = Play::new(Tier::Standard);
    play.open(op("nadia"), Path::Assisted);
    let there = to(|r| r.action = Action::MfaReenrolment);
    let back = to(|r| r.action = Action::PasswordReset);
    let mut told = Vec::new();
    for (seconds, command) in [(0, &there), (10, &back), (20, &there), (45, &back), (70, &there), (95, &back), (300, &there)] {
        play.now = start() + Duration::seconds(600 + seconds);
        let mut case = play.case().clone();
        for event in play.ask(op("nadia"), command).unwrap() {
            case.happens(&event, play.now);
            for due in effects(&case, &event, play.now) {
                if let Effect::NotifySubject { notice: Notice::Started, turn, .. } = due.effect {
                    told.push(((due.not_before - start()).num_seconds() - 600, turn));
                }
            }
        }
        play.act(op("nadia"), command).unwrap();
    }
    // The first at once; the second waits, and by then it is the fourth that stands: only word of the last turn is sent.
    assert_eq!(told.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 60, 60, 60, 120, 120, 300], "none waits longer than a minute");
    let turns: Vec<Option<u64>> = told.into_iter().map(|(_, turn)| turn).collect();
    assert_eq!(turns, play.case().turns.iter().map(|v| Some(*v)).collect::<Vec<_>>());
}
