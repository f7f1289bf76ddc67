//! The table of state x command: what becomes of each command in each state, asked by whoever may ask for it. Every cell is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::Duration;
use countersign::domain::case::{ActorRef, ExecutionOutcome, Hand, Worker};
use countersign::domain::command::Command;
use countersign::domain::elsewhere::Elsewhere;
use countersign::domain::register::Principal;
use countersign::domain::vocabulary::*;

use crate::play::*;

/// A case in that state, reached by accepted commands alone. Its plan is temporary access that can be undone, so that every end can be tried.
pub fn reach(state: CaseState) -> Play {
    let mut play = Play::new(Tier::Standard);
    let mut request = open(1, Path::Assisted);
    request.route.action = Action::JitAccess;
    play.act(op("nadia"), &Command::Open(request)).unwrap();
    let executor = || system(Worker::Executor);
    let failed = ExecutionOutcome::Failed { reason: FailureReason::NothingChanged };
    match state {
        CaseState::New => return play,
        CaseState::Withdrawn => return step(play, op("nadia"), &Command::Withdraw { reason: text("w") }),
        CaseState::NoChangeNeeded => {
            play.act(op("nadia"), &triage_as(FailureType::Outage)).unwrap();
            return step(play, op("nadia"), &Command::NoChangeNeeded { reason: text("n") });
        }
        CaseState::Expired => {
            play.now += Duration::days(30);
            return step(play, system(Worker::Deadlines), &Command::Tick);
        }
        _ => {}
    }
    play.act(op("nadia"), &triage()).unwrap();
    play.code();
    if state == CaseState::Proofing {
        play.now += Duration::minutes(2);
        return step(play, op("nadia"), &start_code("ses-open", "mail-1"));
    }
    play.act(op("nadia"), &Command::Seal).unwrap();
    match state {
        CaseState::Sealed => return play,
        CaseState::Denied => {
            let deny = play.decision(Decision::Deny);
            return step(play, op("ruiz"), &deny);
        }
        _ => play.approve("ruiz").unwrap(),
    }
    if state == CaseState::Approved {
        return play;
    }
    play.act(executor(), &Command::StartExecution).unwrap();
    match state {
        CaseState::Executing => return play,
        CaseState::Failed => {
            // What is given for a time is taken back first: then the case is anybody's again.
            let taking_back = step(play, executor(), &ended(1, failed));
            return step(taking_back, executor(), &Command::ConfirmTakenBack { attempt: 1 });
        }
        _ => {}
    }
    let scope = play.case().plan.as_ref().unwrap().scope.clone();
    play.act(executor(), &ended(1, ExecutionOutcome::Restored { scope })).unwrap();
    match state {
        CaseState::RolledBack => {
            play.act(op("lind"), &Command::RollBack { reason: text("b") }).unwrap();
            step(play, executor(), &ended(1, ExecutionOutcome::RolledBack))
        }
        CaseState::Closed => {
            play.act(op("vega"), &Command::Review { note: text("v"), in_order: true }).unwrap();
            step(play, op("nadia"), &Command::Close)
        }
        _ => play,
    }
}

fn step(mut play: Play, who: ActorRef, command: &Command) -> Play {
    play.act(who, command).unwrap();
    play
}

/// Every command, by someone who may ask for it in general.
pub fn commands(play: &mut Play) -> Vec<(&'static str, ActorRef, Command)> {
    let approve = play.decision(Decision::Approve);
    let deny = play.decision(Decision::Deny);
    let mut other = play.case().route.clone();
    other.scope.insert(id("write"));
    let agent = || op("nadia");
    let executor = || system(Worker::Executor);
    let session = || ActorRef::Subject { session: id("ses-open") };
    let scope = play.case().plan.as_ref().map(|p| p.scope.clone()).unwrap_or_default();
    let grant = || id("g-1");
    vec![
        ("open", agent(), Command::Open(open(1, Path::Assisted))),
        ("triage", agent(), triage()),
        ("no_change", agent(), Command::NoChangeNeeded { reason: text("n") }),
        ("route", agent(), Command::Route { route: other }),
        ("assign", agent(), Command::Assign { operator: Some(id("nadia")) }),
        ("handover", agent(), Command::HandOver { note: text("h"), to: None }),
        ("comment", agent(), Command::Comment { text: text("c") }),
        ("evidence", agent(), Command::AddEvidence { id: id("e-1"), kind: EvidenceKind::Note, text: text("e") }),
        ("telemetry", bot(vec![]), Command::AddTelemetry { id: id("t-1"), text: text("t") }),
        (
            "start_proof",
            agent(),
            Command::StartProof { session: id("ses-x"), method: Method::SavedCode, endpoint: Some(id("mail-1")), attester: None },
        ),
        ("record_failed_attempt", session(), Command::RecordFailedAttempt { session: id("ses-open") }),
        ("record_proof", session(), proof("ses-open", "rcp-x")),
        ("record_decline", session(), Command::RecordDecline { session: id("ses-open") }),
        ("seal", agent(), Command::Seal),
        ("reopen", agent(), Command::Reopen { reason: text("o") }),
        ("approve by another", op("lind"), approve.clone()),
        ("approve by the router", op("nadia"), approve),
        ("deny", op("lind"), deny),
        ("take_back", op("ruiz"), Command::TakeBack { reason: text("t") }),
        ("start_execution", executor(), Command::StartExecution),
        ("end_execution", executor(), ended(1, ExecutionOutcome::Restored { scope })),
        ("end_execution, failed", executor(), ended(1, ExecutionOutcome::Failed { reason: FailureReason::Unreachable })),
        ("end_execution, undone", executor(), ended(1, ExecutionOutcome::RolledBack)),
        ("confirm_taken_back", executor(), Command::ConfirmTakenBack { attempt: 1 }),
        ("retry", agent(), Command::Retry),
        ("roll_back", op("lind"), Command::RollBack { reason: text("b") }),
        ("revoke_grant", agent(), Command::RevokeGrant { grant: grant(), reason: Some(text("x")) }),
        ("confirm_revoked", system(Worker::Grants), Command::ConfirmRevoked { grant: grant() }),
        ("review", op("vega"), Command::Review { note: text("v"), in_order: true }),
        ("close", agent(), Command::Close),
        ("withdraw", agent(), Command::Withdraw { reason: text("w") }),
        ("hold", op("vega"), Command::Hold { source: HoldSource::Security, reason: None }),
        ("hold by the subject", session(), Command::Hold { source: HoldSource::NotMe, reason: None }),
        ("lift_hold", op("vega"), Command::LiftHold { reason: text("l"), contact: id("ses-open") }),
        (
            "take_over",
            system(Worker::Host),
            Command::TakeOver(Box::new(Elsewhere {
                hands: BTreeSet::from([Hand { who: Principal::Person(id("lind")), duty: Duty::Router, at: play.now }]),
                ..Elsewhere::default()
            })),
        ),
        ("flag", op("vega"), Command::Flag { kind: FlagKind::Pressure }),
        ("tick", system(Worker::Deadlines), Command::Tick),
        ("reassess", system(Worker::Reassess), Command::Reassess),
    ]
}

/// Every command by a number of its own: a new one does not compile until it has one, and fails until it has a row.
const fn number(command: &Command) -> usize {
    match command {
        Command::Open(_) => 0,
        Command::Triage { .. } => 1,
        Command::NoChangeNeeded { .. } => 2,
        Command::Route { .. } => 3,
        Command::Assign { .. } => 4,
        Command::HandOver { .. } => 5,
        Command::Comment { .. } => 6,
        Command::AddEvidence { .. } => 7,
        Command::AddTelemetry { .. } => 8,
        Command::StartProof { .. } => 9,
        Command::RecordFailedAttempt { .. } => 10,
        Command::RecordProof { .. } => 11,
        Command::RecordDecline { .. } => 12,
        Command::Seal => 13,
        Command::Reopen { .. } => 14,
        Command::Decide(_) => 15,
        Command::TakeBack { .. } => 16,
        Command::StartExecution => 17,
        Command::EndExecution { .. } => 18,
        Command::ConfirmTakenBack { .. } => 19,
        Command::Retry => 20,
        Command::RollBack { .. } => 21,
        Command::RevokeGrant { .. } => 22,
        Command::ConfirmRevoked { .. } => 23,
        Command::Review { .. } => 24,
        Command::Close => 25,
        Command::Withdraw { .. } => 26,
        Command::Hold { .. } => 27,
        Command::LiftHold { .. } => 28,
        Command::Flag { .. } => 29,
        Command::Tick => 30,
        Command::Reassess => 31,
        Command::TakeOver(_) => 32,
    }
}

#[test]
fn every_command_has_a_row() {
    let mut play = reach(CaseState::Sealed);
    let numbers: std::collections::BTreeSet<usize> = commands(&mut play).iter().map(|(_, _, c)| number(c)).collect();
    assert_eq!(numbers, (0..33).collect(), "one past the last number of `number`");
}

fn column(state: CaseState, held: bool) -> Vec<(&'static str, String)> {
    let mut play = reach(state);
    if held {
        play.now += Duration::minutes(1);
        play.act(op("vega"), &Command::Hold { source: HoldSource::Security, reason: None }).unwrap();
    }
    let mut out = Vec::new();
    for (name, who, command) in commands(&mut play) {
        let mut copy = Play::new(Tier::Standard);
        copy.world = play.world.clone();
        copy.now = play.now;
        let answer = match copy.act(who, &command) {
            Err(refusal) => format!("- {}", refusal.code()),
            Ok(()) if copy.log.is_empty() => "nothing due".to_owned(),
            Ok(()) => format!("{}{}", copy.case().state.code(), if copy.case().hold.is_some() { " (held)" } else { "" }),
        };
        out.push((name, answer));
    }
    out
}

#[test]
fn every_cell_of_state_by_command_is_as_committed() {
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    let mut text = String::new();
    for state in CaseState::ALL {
        assert_eq!(reach(*state).case().state, *state);
        for held in [false, true] {
            let _ = writeln!(text, "{}{}", state.code(), if held { ", held" } else { "" });
            for (command, answer) in column(*state, held) {
                *codes.entry(command).or_default() += 1;
                let _ = writeln!(text, "  {command:<24}{answer}");
            }
        }
    }
    assert!(codes.values().all(|n| usize::try_from(*n).unwrap() == 2 * CaseState::ALL.len()));
    insta::assert_snapshot!(text);
}
