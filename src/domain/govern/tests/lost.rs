//! Tests of the way back for governors, hostile ones among them (invariant 17, threat T33).

use chrono::{Duration, TimeZone as _, Utc};

use super::recover::{TOKEN_LIFE, governed_until, pending, untold};
use super::tests::{account, at as asked, oid, person, pid, refused, run, token as made};
use super::*;
use crate::base::ids::TokenId;
use crate::domain::effect::{Effect, register_effects};
use crate::domain::register::Token;
use crate::domain::requirement::Seconds;

fn at(hours: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap() + Duration::hours(hours)
}

fn token(id: &str, of: &str, from: i64, hours: i64) -> Token {
    Token { issued_at: at(from), expires_at: at(from + hours), ..made(id, Holder::Operator(oid(of))) }
}

fn by(who: ActorRef, hours: i64) -> Context {
    asked(who, at(hours))
}

fn host(hours: i64) -> Context {
    by(ActorRef::System { worker: Worker::Host }, hours)
}

fn by_server(hours: i64) -> Context {
    by(ActorRef::System { worker: Worker::Notices }, hours)
}

/// Olga owns policy, rita reviews security, sam supervises; olga and rita got a token for a day.
fn founded() -> Register {
    let mut changes: Vec<RegisterChange> = ["olga", "rita", "sam"].map(|p| RegisterChange::SetPerson(person(p))).to_vec();
    let accounts = [
        account("olga", "olga", &[Role::PolicyOwner]),
        account("olga2", "olga", &[Role::SecurityReviewer]),
        account("rita", "rita", &[Role::SecurityReviewer]),
        account("sam", "sam", &[Role::Supervisor]),
    ];
    changes.extend(accounts.map(RegisterChange::SetOperator));
    changes.extend([token("t-olga", "olga", 0, 24), token("t-rita", "rita", 0, 24)].map(RegisterChange::IssueToken));
    let mut register = Register::default();
    let found = RegisterCommand::Found { changes, by: ["olga", "rita"].map(pid), policy: Policy::builtin().sha256 };
    run(&mut register, &found, &host(0)).unwrap();
    register
}

fn back(one: &str, other: &str, proved: bool, round: i64) -> RegisterCommand {
    let tokens = Box::new([token(&format!("n-{one}-{round}"), one, 0, 0), token(&format!("m-{other}-{round}"), other, 0, 0)]);
    RegisterCommand::Recover { by: [oid(one), oid(other)], proved, tokens }
}

/// Word went out of every recovery that waits for it.
fn told(register: &Register) -> RegisterCommand {
    RegisterCommand::RecoveryTold { tokens: untold(register).map(|t| t.id.clone()).collect() }
}

fn tell(register: &mut Register, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    let command = told(register);
    run(register, &command, context)
}

#[test]
fn invariant_17_nobody_comes_back_while_two_can_govern() {
    let mut register = founded();
    assert_eq!(governed_until(&register, at(1)), Some(at(24)));
    for proved in [true, false] {
        assert_eq!(refused(run(&mut register, &back("olga", "rita", proved, 0), &host(23))), "already");
    }
    assert_eq!(governed_until(&register, at(24)), None);
    assert!(run(&mut register, &back("olga", "rita", true, 0), &host(24)).is_ok());
    assert_eq!(governed_until(&register, at(24)), Some(at(24) + TOKEN_LIFE));
    assert_eq!(refused(run(&mut register, &back("olga", "rita", true, 1), &host(25))), "already");
}

#[test]
fn invariant_17_only_two_recorded_governors_come_back_and_only_on_the_host() {
    let mut register = founded();
    let operator = ActorRef::Operator { operator: oid("olga"), person: pid("olga") };
    assert_eq!(refused(run(&mut register, &back("olga", "rita", true, 0), &by(operator, 30))), "not-permitted");
    assert_eq!(refused(run(&mut register, &back("olga", "olga2", true, 0), &host(30))), "second-person", "one person with two accounts");
    assert_eq!(refused(run(&mut register, &back("olga", "sam", true, 0), &host(30))), "second-person", "a supervisor does not govern");
    assert_eq!(refused(run(&mut register, &back("rita", "olga2", true, 0), &host(30))), "second-person", "nobody could propose");
    assert_eq!(refused(run(&mut register, &back("olga", "zoe", true, 0), &host(30))), "unknown");
    let RegisterCommand::Recover { by, tokens, .. } = back("olga", "rita", true, 0) else { unreachable!() };
    let [mine, _] = *tokens;
    let twice = RegisterCommand::Recover { by: by.clone(), proved: true, tokens: Box::new([mine.clone(), mine.clone()]) };
    assert_eq!(refused(run(&mut register, &twice, &host(30))), "invalid");
    let old = Token { holder: Holder::Operator(oid("rita")), ..token("t-olga", "rita", 0, 1) };
    let reused = RegisterCommand::Recover { by, proved: true, tokens: Box::new([mine, old]) };
    assert_eq!(refused(run(&mut register, &reused, &host(30))), "invalid");
    assert_eq!(register.tokens.len(), 2, "refusals change nothing");
    register.operators.get_mut(&oid("rita")).unwrap().enabled = false;
    assert_eq!(refused(run(&mut register, &back("olga", "rita", true, 0), &host(30))), "second-person", "a disabled account stays out");
}

#[test]
fn invariant_17_without_former_tokens_the_delay_runs_first_and_everyone_is_told() {
    let mut register = founded();
    let events = run(&mut register, &back("olga", "rita", false, 0), &host(30)).unwrap();
    let told: Vec<Effect> = events.iter().flat_map(|e| register_effects(e, at(30), Seconds(60))).map(|d| d.effect).collect();
    assert!(matches!(told.as_slice(), [Effect::NotifyGovernors { counts_from: None, .. }]), "{told:?}");
    assert_eq!(governed_until(&register, at(50_000)), None, "never, while nobody was told: the server may be kept stopped for years");
    assert_eq!(refused(tell(&mut register, &host(36))), "not-permitted", "not by the command line");
    tell(&mut register, &by_server(36)).unwrap();
    assert_eq!(refused(tell(&mut register, &by_server(37))), "already");
    assert_eq!(governed_until(&register, at(59)), None, "not before the delay is over, which began when everyone had been told");
    assert_eq!(pending(&register, at(59)).count(), 2);
    assert_eq!(governed_until(&register, at(60)), Some(at(60) + TOKEN_LIFE));
    assert_eq!(refused(run(&mut register, &back("olga", "rita", false, 1), &host(40))), "already", "one at a time");
    let ids: Vec<TokenId> = pending(&register, at(40)).map(|t| t.id.clone()).collect();
    for token in ids {
        let id = ProposalId::parse("p").unwrap();
        run(&mut register, &RegisterCommand::Change { id, change: RegisterChange::RevokeToken { token, at: at(40) } }, &host(40)).unwrap();
    }
    assert_eq!(governed_until(&register, at(60)), None, "it was stopped");
    assert!(run(&mut register, &back("olga", "rita", false, 2), &host(60)).is_ok(), "and can be tried again");
}

#[test]
fn invariant_17_who_revokes_everyones_tokens_does_not_come_back_at_once_with_old_ones() {
    let mut register = founded();
    for name in ["t-olga", "t-rita"] {
        let change = RegisterChange::RevokeToken { token: TokenId::parse(name).unwrap(), at: at(1) };
        run(&mut register, &RegisterCommand::Change { id: ProposalId::parse("p").unwrap(), change }, &host(1)).unwrap();
    }
    assert_eq!(governed_until(&register, at(1)), None);
    let events = run(&mut register, &back("olga", "rita", true, 0), &host(2)).unwrap();
    let [RegisterEvent::GovernanceRecovered { proved, counts_from, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*proved, *counts_from), (false, None), "everyone is told, and the delay runs");
}

#[test]
fn invariant_17_whatever_the_host_writes_into_the_tokens_they_are_short_and_begin_when_the_rules_say() {
    let mut register = founded();
    let RegisterCommand::Recover { by, mut tokens, .. } = back("olga", "rita", false, 0) else { unreachable!() };
    tokens[0].expires_at = at(100_000);
    tokens[0].issued_at = at(0);
    run(&mut register, &RegisterCommand::Recover { by, proved: false, tokens }, &host(30)).unwrap();
    tell(&mut register, &by_server(30)).unwrap();
    let token = &register.tokens[&TokenId::parse("n-olga-0").unwrap()];
    assert_eq!((token.issued_at, token.expires_at), (at(54), at(62)));
}

/// One recovery is stopped before anyone heard of it, and another one follows: word of the first begins nothing of the second.
#[test]
fn invariant_17_word_of_one_recovery_begins_no_other_ones_delay() {
    let mut register = founded();
    let first = run(&mut register, &back("olga", "rita", false, 0), &host(30)).unwrap();
    let of_first = told(&register);
    let [Effect::NotifyGovernors { tokens, .. }] =
        &first.iter().flat_map(|e| register_effects(e, at(30), Seconds(60))).map(|d| d.effect).collect::<Vec<_>>()[..]
    else {
        panic!("{first:?}")
    };
    assert!(tokens.len() == 2 && untold(&register).all(|t| tokens.contains(&t.id)), "what goes out names its tokens");
    for token in tokens.clone() {
        let id = ProposalId::parse("p").unwrap();
        run(&mut register, &RegisterCommand::Change { id, change: RegisterChange::RevokeToken { token, at: at(31) } }, &host(31)).unwrap();
    }
    run(&mut register, &back("olga", "rita", false, 1), &host(32)).unwrap();
    assert_eq!(refused(run(&mut register, &of_first, &by_server(33))), "already");
    assert_eq!(untold(&register).count(), 2, "the second one waits until its own word has gone out");
    let of_second = told(&register);
    run(&mut register, &of_second, &by_server(34)).unwrap();
    assert_eq!(governed_until(&register, at(58)), Some(at(58) + TOKEN_LIFE));
}

#[test]
fn tokens_that_ended_long_ago_make_room_and_younger_ones_stay() {
    let mut register = founded();
    let day = 24;
    for (id, from) in [("a", 30), ("b", 60 * day), ("c", 100 * day)] {
        register.apply(&RegisterEvent::Changed { change: RegisterChange::IssueToken(token(id, "olga", from, 1)) }, at(from));
    }
    let left: Vec<&str> = register.tokens.keys().map(TokenId::as_str).collect();
    assert_eq!(left, ["b", "c"]);
}
