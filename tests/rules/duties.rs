//! No one in the lineage decides, and the lineage only grows (invariants 1 and 2).

use std::sync::Arc;

use chrono::Duration;
use countersign::domain::case::LineageEntry;
use countersign::domain::command::Command;
use countersign::domain::refusal::Refusal;
use countersign::domain::register::Principal;
use countersign::domain::vocabulary::*;

use crate::play::*;

fn duties(result: Result<(), Refusal>) -> Vec<Duty> {
    match result {
        Err(Refusal::SeparationOfDuties { duties, could, .. }) => {
            assert!(!could.operators.is_empty());
            duties.iter().map(|d: &LineageEntry| d.duty).collect()
        }
        other => panic!("expected separation of duties, got {other:?}"),
    }
}

#[test]
fn invariant_01_the_router_is_refused_with_every_duty_through_every_account() {
    for account in ["nadia", "nadia-sup"] {
        let mut play = Play::sealed(Tier::Standard);
        assert_eq!(duties(play.approve(account)), [Duty::Router, Duty::EvidenceEditor, Duty::Sealer, Duty::ProofStarter]);
    }
}

#[test]
fn invariant_01_the_subject_and_the_bots_owner_are_refused() {
    let mut play = Play::new(Tier::Standard);
    play.proofed(bot(vec![]));
    play.act(op("nadia"), &Command::Seal).unwrap();
    assert_eq!(duties(play.approve("omar")), [Duty::AutomationOwner]);
    assert_eq!(duties(play.approve("sam")), [Duty::Subject]);
    play.approve("ruiz").unwrap();
}

#[test]
fn invariant_01_a_chain_of_software_is_followed_to_its_persons() {
    let mut play = Play::new(Tier::Standard);
    for (name, owner) in [("bot-2", "lind"), ("bot-3", "sato")] {
        play.register(|r| {
            let mut bot = r.automations[&id("bot")].clone();
            bot.id = id(name);
            bot.owners[0].person = id(owner);
            r.automations.insert(id(name), bot);
        });
    }
    let chain = vec![Principal::Automation(id("bot-2")), Principal::Automation(id("bot-3")), human("ruiz")];
    play.proofed(bot(chain));
    play.act(op("nadia"), &Command::Seal).unwrap_err();
    for (account, duty) in
        [("omar", Duty::AutomationOwner), ("lind", Duty::AutomationOwner), ("sato", Duty::AutomationOwner), ("ruiz", Duty::ActedFor)]
    {
        let command = play.decision(Decision::Approve);
        match play.ask(op(account), &command) {
            Err(Refusal::SeparationOfDuties { duties, .. }) => assert_eq!(duties[0].duty, duty),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn invariant_02_delegation_counts_both_ways_transitively_and_after_it_was_revoked() {
    let mut play = Play::new(Tier::Standard);
    let now = play.now;
    play.delegate(human("ruiz"), human("nadia"), now - Duration::days(60), Some(now - Duration::days(50)));
    play.delegate(human("lind"), human("ruiz"), now - Duration::days(60), None);
    play.delegate(human("sato"), human("nadia"), now - Duration::days(200), Some(now - Duration::days(150)));
    play.proofed(op("nadia"));
    play.act(op("nadia"), &Command::Seal).unwrap();
    assert_eq!(duties(play.approve("ruiz")), [Duty::Delegation]);
    assert_eq!(duties(play.approve("lind")), [Duty::Delegation]);
    play.approve("sato").unwrap();
}

#[test]
fn invariant_02_a_new_case_inherits_the_hands_of_a_withdrawn_one_and_the_other_way_round() {
    let mut first = Play::new(Tier::Standard);
    first.open(op("omar"), Path::Assisted);
    first.act(op("omar"), &Command::Withdraw { reason: text("again") }).unwrap();
    let mut second = Play::new(Tier::Standard);
    second.now = first.now + Duration::days(2);
    second.world.linked = vec![first.world.case.clone().unwrap()];
    second.act(op("nadia"), &Command::Open(open(2, Path::Assisted))).unwrap();
    assert!(second.case().has_flag(FlagKind::RepeatRequest));
    second.act(op("nadia"), &triage()).unwrap();
    second.code();
    assert_eq!(duties(second.approve("omar")), [Duty::Router]);

    let mut older = Play::sealed(Tier::Standard);
    older.world.linked = vec![Arc::new(second.case().clone())];
    assert_eq!(duties(older.approve("omar")), [Duty::Router]);
    assert_eq!(older.approve("ruiz"), Err(Refusal::StaleSeal));
}

#[test]
fn invariant_06_automation_holds_no_operation_that_decides() {
    let mut play = Play::sealed(Tier::Standard);
    let decision = play.decision(Decision::Approve);
    let commands = [
        decision,
        Command::Seal,
        Command::TakeBack { reason: text("t") },
        Command::StartExecution,
        Command::Close,
        triage(),
        Command::Reopen { reason: text("r") },
    ];
    for command in commands {
        assert!(matches!(play.ask(bot(vec![]), &command), Err(Refusal::NotPermitted { .. })), "{}", command.code());
    }
}
