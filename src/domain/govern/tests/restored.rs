//! Tests of what a restore takes over from the register it replaces (invariant 17, threat T33).

use chrono::Duration;

use super::tests::{account, at, by, change, due_now, founded, host, now, oid, person, pid, refused, run, token};
use super::*;
use crate::base::ids::{AutomationId, DelegationId};
use crate::domain::register::{Delegation, Operator};
use crate::domain::subject::Ownership;

fn take_over(backup: &Register, was: &Register, every_token: bool) -> (Register, Vec<RegisterEvent>) {
    let mut after = backup.clone();
    let command = RegisterCommand::TakeOver { was: Box::new(was.clone()), every_token };
    let events = run(&mut after, &command, &host()).unwrap();
    (after, events)
}

fn with(register: &Register, changes: impl IntoIterator<Item = RegisterChange>) -> Register {
    let mut after = register.clone();
    for change in changes {
        after.apply(&RegisterEvent::Changed { change }, now());
    }
    after
}

fn backup() -> Register {
    let olga = Holder::Operator(oid("olga"));
    let sam = Holder::Operator(oid("sam"));
    let tokens = [token("t-olga", olga), token("t-sam", sam)].map(RegisterChange::IssueToken);
    with(&founded(), tokens)
}

#[test]
fn invariant_17_t33_a_proposal_that_was_ended_since_the_backup_never_counts() {
    let mut before = backup();
    let wider = RegisterChange::SetOperator(account("ann", "ann", &[Role::SupportAgent, Role::Supervisor]));
    run(&mut before, &change("p1", wider.clone()), &by("olga", "olga")).unwrap();
    run(&mut before, &change("p2", wider), &by("olga", "olga")).unwrap();
    run(&mut before, &RegisterCommand::ApproveProposal { id: "p1".parse().unwrap() }, &by("rita", "rita")).unwrap();
    let mut was = before.clone();
    run(&mut was, &RegisterCommand::EndProposal { id: "p1".parse().unwrap() }, &by("rita", "rita")).unwrap();
    let (mut after, events) = take_over(&before, &was, false);
    assert_eq!(events, [RegisterEvent::ProposalEnded { proposal: "p1".parse().unwrap(), by: None }]);
    let later = at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::days(30));
    assert_eq!(run(&mut after, &due_now(), &later).unwrap(), []);
    assert!(!after.operators[&oid("ann")].roles.contains(&Role::Supervisor));
    let (none, _) = take_over(&before, &before, true);
    assert!(none.proposals.is_empty(), "a token that is proposed is one more that would be good");
    assert!(none.tokens.values().all(|t| t.revoked_at.is_some()));
}

#[test]
fn invariant_17_t33_a_restore_takes_from_everyone_what_was_taken_since_and_gives_nothing() {
    let before = backup();
    let mut gone = person("sam");
    gone.status = Status::Retired;
    let less = Operator { roles: BTreeSet::new(), ..account("ann", "ann", &[]) };
    let more = account("zoe", "zoe", &[Role::Supervisor]);
    let mut bot = before.automations.values().next().unwrap().clone();
    bot.scopes.clear();
    bot.owners.push(Ownership { person: pid("zoe"), since: now(), until: None });
    let acting = Delegation {
        id: DelegationId::parse("d1").unwrap(),
        from: Principal::Person(pid("rita")),
        to: Principal::Person(pid("zoe")),
        since: now(),
        until: None,
    };
    let was = with(
        &before,
        [
            RegisterChange::SetPerson(gone),
            RegisterChange::SetOperator(less),
            RegisterChange::SetOperator(more),
            RegisterChange::SetAutomation(bot.clone()),
            RegisterChange::Delegate(acting.clone()),
            RegisterChange::DisableOperator(oid("olga2")),
            RegisterChange::RevokeToken { token: "t-sam".parse().unwrap(), at: now() },
        ],
    );
    let (after, events) = take_over(&before, &was, false);
    assert_eq!(after.persons[&pid("sam")].status, Status::Retired);
    assert!(after.operators[&oid("ann")].roles.is_empty());
    assert!(!after.operators.contains_key(&oid("zoe")), "what was widened since has to be proposed anew");
    assert_eq!(after.automations[&AutomationId::parse("bot").unwrap()], bot);
    assert_eq!(after.delegations, [acting]);
    assert!(!after.operators[&oid("olga2")].enabled);
    assert!(after.tokens[&"t-sam".parse().unwrap()].revoked_at.is_some());
    assert!(after.tokens[&"t-olga".parse().unwrap()].revoked_at.is_none());
    assert_eq!(events.len(), 6);
    let (again, events) = take_over(&after, &was, false);
    assert_eq!((again, events), (after, Vec::new()), "what was taken over is not taken twice");
}

#[test]
fn invariant_17_t33_whoever_nobody_could_govern_without_keeps_the_account_and_loses_its_tokens() {
    let before = with(&backup(), [RegisterChange::DisableOperator(oid("olga2"))]);
    let was = with(&before, [RegisterChange::DisableOperator(oid("olga"))]);
    let (after, _) = take_over(&before, &was, false);
    assert!(after.operators[&oid("olga")].enabled && governable(&after));
    assert!(after.tokens[&"t-olga".parse().unwrap()].revoked_at.is_some());
    let mut other = before.clone();
    let command = RegisterCommand::TakeOver { was: Box::new(was), every_token: false };
    assert_eq!(refused(run(&mut other, &command, &by("olga", "olga"))), "not-permitted", "the host alone restores");
}
