//! Tests of invariant 17, hostile ones among them (threat T33).

use chrono::{Duration, TimeZone as _, Utc};

use super::*;
use crate::base::Digest;
use crate::base::ids::{AutomationId, DelegationId, EmployerId, SessionId, SubjectId, TokenId};
use crate::domain::command::Actor;
use crate::domain::register::{Automation, Delegation, Operator, Person, Scope, Token};
use crate::domain::subject::Ownership;

pub(super) fn now() -> Time {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
}
pub(super) fn pid(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}
pub(super) fn oid(id: &str) -> OperatorId {
    OperatorId::parse(id).unwrap()
}
fn prp(id: &str) -> ProposalId {
    ProposalId::parse(id).unwrap()
}
pub(super) fn person(id: &str) -> Person {
    let employer = EmployerId::parse("acme").unwrap();
    Person { id: pid(id), employer, team: None, manager: None, shift: None, on_call: false, status: Status::Active }
}
pub(super) fn account(id: &str, of: &str, roles: &[Role]) -> Operator {
    Operator { id: oid(id), person: pid(of), roles: roles.iter().copied().collect(), groups: BTreeSet::new(), enabled: true }
}
fn bot(id: &str, owner: &str) -> Automation {
    let owners = vec![Ownership { person: pid(owner), since: now() - Duration::days(30), until: None }];
    Automation { id: AutomationId::parse(id).unwrap(), owners, sponsors: Vec::new(), scopes: BTreeSet::from([Scope::Open]), enabled: true }
}
pub(super) fn token(id: &str, holder: Holder) -> Token {
    Token {
        id: TokenId::parse(id).unwrap(),
        holder,
        on_behalf_of: Vec::new(),
        secret_sha256: Digest::of(id.as_bytes()),
        issued_at: now(),
        expires_at: now() + Duration::days(7),
        revoked_at: None,
    }
}
pub(super) fn at(who: ActorRef, now: Time) -> Context {
    Context { now, actor: Actor { who, scopes: BTreeSet::new(), read_only: false }, request: None }
}
pub(super) fn by(operator: &str, person: &str) -> Context {
    at(ActorRef::Operator { operator: oid(operator), person: pid(person) }, now())
}
pub(super) fn host() -> Context {
    at(ActorRef::System { worker: Worker::Host }, now())
}

fn setting() -> Vec<RegisterChange> {
    let mut all: Vec<RegisterChange> = ["olga", "rita", "vic", "sam", "ann", "zoe"].map(|p| RegisterChange::SetPerson(person(p))).to_vec();
    all.extend(
        [
            account("olga", "olga", &[Role::PolicyOwner]),
            account("olga2", "olga", &[Role::PolicyOwner, Role::SecurityReviewer]),
            account("rita", "rita", &[Role::SecurityReviewer]),
            account("vic", "vic", &[Role::SecurityReviewer]),
            account("sam", "sam", &[Role::Supervisor]),
            account("ann", "ann", &[Role::SupportAgent]),
        ]
        .map(RegisterChange::SetOperator),
    );
    all.push(RegisterChange::SetAutomation(bot("bot", "ann")));
    all
}

fn founding(changes: Vec<RegisterChange>, by: [&str; 2]) -> RegisterCommand {
    RegisterCommand::Found { changes, by: by.map(pid), policy: Policy::builtin().sha256 }
}

pub(super) fn run(register: &mut Register, command: &RegisterCommand, context: &Context) -> Result<Vec<RegisterEvent>, Refusal> {
    let events = decide_register(register, &Policy::builtin(), command, context)?;
    for event in &events {
        register.apply(event, context.now);
    }
    Ok(events)
}

pub(super) fn founded() -> Register {
    let mut register = Register::default();
    run(&mut register, &founding(setting(), ["olga", "rita"]), &host()).unwrap();
    register
}

pub(super) fn change(id: &str, change: RegisterChange) -> RegisterCommand {
    RegisterCommand::Change { id: prp(id), change }
}

fn promoted() -> RegisterChange {
    RegisterChange::SetOperator(account("ann", "ann", &[Role::SupportAgent, Role::Supervisor]))
}

pub(super) fn refused(result: Result<Vec<RegisterEvent>, Refusal>) -> &'static str {
    result.expect_err("should be refused").code()
}

#[test]
fn invariant_17_founding_takes_two_persons_and_happens_once() {
    let mut register = Register::default();
    assert_eq!(refused(run(&mut register, &change("p", promoted()), &by("olga", "olga"))), "second-person");
    assert_eq!(refused(run(&mut register, &founding(setting(), ["olga", "olga"]), &host())), "second-person");
    assert_eq!(refused(run(&mut register, &founding(setting(), ["olga", "zoe"]), &host())), "second-person", "zoe has no account");
    assert_eq!(refused(run(&mut register, &founding(setting(), ["olga", "rita"]), &by("olga", "olga"))), "not-permitted");
    let mut alone = setting();
    alone.retain(|c| !matches!(c, RegisterChange::SetOperator(o) if o.person != pid("olga") && o.person != pid("sam")));
    assert_eq!(refused(run(&mut register, &founding(alone, ["olga", "sam"]), &host())), "second-person", "nobody could approve");
    assert_eq!(register, Register::default(), "refusals change nothing");
    let mut register = founded();
    assert!(register.founded && register.policy_deciders == BTreeSet::from([pid("olga"), pid("rita")]));
    assert_eq!(register.version, 1 + u64::try_from(setting().len()).unwrap());
    assert_eq!(refused(run(&mut register, &founding(setting(), ["olga", "rita"]), &host())), "already");
}

#[test]
fn invariant_17_what_widens_needs_a_second_person_and_the_delay() {
    let mut register = founded();
    run(&mut register, &change("p", promoted()), &by("olga", "olga")).unwrap();
    let agent = |r: &Register| r.operators[&oid("ann")].roles.contains(&Role::Supervisor);
    assert!(!agent(&register));
    let approve = RegisterCommand::ApproveProposal { id: prp("p") };
    assert_eq!(refused(run(&mut register, &approve, &by("olga", "olga"))), "second-person");
    assert_eq!(refused(run(&mut register, &approve, &by("olga2", "olga"))), "second-person", "persons count, not accounts");
    assert_eq!(refused(run(&mut register, &approve, &by("sam", "sam"))), "not-permitted");
    run(&mut register, &approve, &by("rita", "rita")).unwrap();
    let tick = |h| at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::hours(h));
    assert!(run(&mut register, &due_now(), &tick(23)).unwrap().is_empty());
    assert!(!agent(&register));
    assert_eq!(run(&mut register, &due_now(), &tick(24)).unwrap().len(), 1);
    assert!(agent(&register) && register.proposals.is_empty());
}

#[test]
fn invariant_17_who_gains_or_acts_for_the_proposer_is_no_second_person() {
    let mut register = founded();
    let wider = RegisterChange::SetOperator(account("rita", "rita", &[Role::SecurityReviewer, Role::Supervisor]));
    run(&mut register, &change("p", wider), &by("olga", "olga")).unwrap();
    assert_eq!(refused(run(&mut register, &RegisterCommand::ApproveProposal { id: prp("p") }, &by("rita", "rita"))), "second-person");
    run(&mut register, &change("q", promoted()), &by("olga", "olga")).unwrap();
    let delegation = Delegation {
        id: DelegationId::parse("d").unwrap(),
        from: Principal::Person(pid("olga")),
        to: Principal::Person(pid("rita")),
        since: now(),
        until: None,
    };
    run(&mut register, &change("d", RegisterChange::Delegate(delegation)), &by("olga", "olga")).unwrap();
    let approve = RegisterCommand::ApproveProposal { id: prp("q") };
    assert_eq!(refused(run(&mut register, &approve, &by("rita", "rita"))), "second-person");
    let backdated = RegisterChange::RevokeDelegation { delegation: DelegationId::parse("d").unwrap(), at: now() - Duration::days(400) };
    run(&mut register, &change("r", backdated), &by("olga", "olga")).unwrap();
    assert_eq!(register.delegations[0].until, Some(now()), "the end is the server's, not the client's");
    assert_eq!(refused(run(&mut register, &approve, &by("rita", "rita"))), "second-person", "just revoked still counts (T4)");
}

#[test]
fn invariant_17_narrowing_counts_at_once_but_leaves_two_who_govern() {
    let mut register = founded();
    run(&mut register, &change("a", RegisterChange::DisableOperator(oid("sam"))), &by("rita", "rita")).unwrap();
    assert!(!register.operators[&oid("sam")].enabled);
    run(&mut register, &change("v", RegisterChange::DisableOperator(oid("vic"))), &by("olga", "olga")).unwrap();
    assert_eq!(refused(run(&mut register, &change("b", RegisterChange::DisableOperator(oid("rita"))), &by("olga", "olga"))), "second-person");
    run(&mut register, &change("c", RegisterChange::DisableOperator(oid("ann"))), &host()).unwrap();
    let back = RegisterChange::SetOperator(account("sam", "sam", &[Role::Supervisor]));
    let events = run(&mut register, &change("e", back), &by("olga", "olga")).unwrap();
    assert!(matches!(events[0], RegisterEvent::Proposed { .. }), "enabling again widens");
}

#[test]
fn invariant_17_a_proposal_does_not_undo_what_was_narrowed_meanwhile() {
    let mut register = founded();
    run(&mut register, &change("p", promoted()), &by("olga", "olga")).unwrap();
    run(&mut register, &RegisterCommand::ApproveProposal { id: prp("p") }, &by("rita", "rita")).unwrap();
    run(&mut register, &change("n", RegisterChange::DisableOperator(oid("ann"))), &by("rita", "rita")).unwrap();
    let tick = at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::days(2));
    assert!(run(&mut register, &due_now(), &tick).unwrap().is_empty());
    assert!(!register.operators[&oid("ann")].enabled);
    run(&mut register, &RegisterCommand::EndProposal { id: prp("p") }, &by("rita", "rita")).unwrap();
    assert!(register.proposals.is_empty());
}

#[test]
fn invariant_17_t33_a_host_administrator_mints_no_second_person_and_no_laxer_policy() {
    let mut register = founded();
    let holder = |id| Holder::Operator(oid(id));
    let mut moved = person("sam");
    moved.employer = EmployerId::parse("other").unwrap();
    let mut owner = bot("bot", "ann");
    owner.owners[0].until = Some(now());
    owner.owners.push(Ownership { person: pid("zoe"), since: now(), until: None });
    let policy = RegisterChange::SetPolicy { policy: Digest::of(b"laxer"), deciders: BTreeSet::from([pid("zoe")]) };
    run(&mut register, &change("x", RegisterChange::SetPerson(person("mint"))), &host()).unwrap();
    let taken = change("x", RegisterChange::SetOperator(account("sam", "zoe", &[Role::Supervisor])));
    assert_eq!(refused(run(&mut register, &taken, &host())), "invalid", "an account belongs to one person for good");
    for widening in [
        RegisterChange::SetOperator(account("mint", "mint", &[Role::Supervisor])),
        RegisterChange::IssueToken(token("t1", holder("sam"))),
        RegisterChange::SetPerson(moved),
        RegisterChange::SetAutomation(owner),
        RegisterChange::SetAutomation(bot("bot2", "zoe")),
        policy,
        promoted(),
    ] {
        let command = change("w", widening.clone());
        assert_eq!(refused(run(&mut register, &command, &host())), "not-permitted", "{widening:?}");
        assert_eq!(refused(run(&mut register, &command, &by("ann", "ann"))), "not-permitted", "{widening:?}");
        assert_eq!(refused(run(&mut register, &command, &by("olga", "zoe"))), "not-permitted", "an account of someone else");
        let events = decide_register(&register, &Policy::builtin(), &command, &by("olga", "olga")).unwrap();
        assert!(matches!(events.as_slice(), [RegisterEvent::Proposed { .. }]), "{widening:?}");
    }
    let software = at(ActorRef::Automation { automation: AutomationId::parse("bot").unwrap(), on_behalf_of: Vec::new() }, now());
    let page = at(ActorRef::Subject { session: SessionId::parse("s").unwrap() }, now());
    for context in [software, page] {
        assert_eq!(refused(run(&mut register, &change("w", promoted()), &context)), "not-permitted");
        assert_eq!(refused(run(&mut register, &change("w", RegisterChange::DisableOperator(oid("sam"))), &context)), "not-permitted");
        assert_eq!(refused(run(&mut register, &due_now(), &context)), "not-permitted");
        let subjects = vec![(SubjectId::parse("s").unwrap(), Digest::of(b"s"))];
        assert_eq!(refused(run(&mut register, &RegisterCommand::RecordSubjects { subjects }, &context)), "not-permitted");
    }
}

#[test]
fn invariant_17_tokens_are_bounded_and_whoever_holds_a_bots_is_in_its_chain() {
    let mut register = founded();
    let own = |id: &str| RegisterChange::IssueToken(token(id, Holder::Operator(oid("ann"))));
    for i in 0..5 {
        run(&mut register, &change("t", own(&format!("t{i}"))), &by("ann", "ann")).unwrap();
    }
    assert_eq!(refused(run(&mut register, &change("t", own("t5")), &by("ann", "ann"))), "limit");
    let mut long = token("long", Holder::Operator(oid("sam")));
    long.expires_at = now() + Duration::days(31);
    assert_eq!(refused(run(&mut register, &change("t", RegisterChange::IssueToken(long)), &by("sam", "sam"))), "invalid");
    let bots = |id: &str| RegisterChange::IssueToken(token(id, Holder::Automation(AutomationId::parse("bot").unwrap())));
    run(&mut register, &change("t", bots("b1")), &by("ann", "ann")).unwrap();
    run(&mut register, &change("t", bots("b2")), &by("olga", "olga")).unwrap();
    assert!(register.tokens[&TokenId::parse("b1").unwrap()].on_behalf_of.is_empty(), "its owner is in the lineage anyway");
    assert_eq!(register.tokens[&TokenId::parse("b2").unwrap()].on_behalf_of, [Principal::Person(pid("olga"))]);
    let mut orphan = bot("bot", "ann");
    orphan.owners.clear();
    assert_eq!(refused(run(&mut register, &change("o", RegisterChange::SetAutomation(orphan)), &by("olga", "olga"))), "invalid");
}

#[test]
fn a_token_for_whoever_is_only_proposed_is_refused_with_the_proposal_while_that_can_come_to_something() {
    let mut register = founded();
    run(&mut register, &change("s", RegisterChange::SetPerson(person("mint"))), &host()).unwrap();
    run(&mut register, &change("acc", RegisterChange::SetOperator(account("mint", "mint", &[Role::Supervisor]))), &by("olga", "olga")).unwrap();
    let asked = |register: &Register, after: Duration| {
        let mut token = token("m", Holder::Operator(oid("mint")));
        (token.issued_at, token.expires_at) = (now() + after, now() + after + Duration::hours(8));
        let olga = at(ActorRef::Operator { operator: oid("olga"), person: pid("olga") }, now() + after);
        decide_register(register, &Policy::builtin(), &change("t", RegisterChange::IssueToken(token)), &olga).unwrap_err()
    };
    let says = asked(&register, Duration::zero());
    assert!(
        says.code() == "invalid" && says.to_string().contains("it is proposed as acc and doesn't count before another person approves"),
        "{says}"
    );
    let late = asked(&register, Duration::days(40));
    assert!(late.code() == "unknown" && !late.to_string().contains("proposed"), "it waited too long: {late}");
    run(&mut register, &RegisterCommand::ApproveProposal { id: prp("acc") }, &by("rita", "rita")).unwrap();
    let says = asked(&register, Duration::zero());
    assert!(says.to_string().contains("it is proposed as acc, approved, and doesn't count yet"), "{says}");
}

/// What the worker asks for when everything can be read.
pub(super) fn due_now() -> RegisterCommand {
    RegisterCommand::ApplyDue { unread: BTreeSet::new() }
}

fn proposed(id: &str, policy: Digest, widens_alone: bool) -> RegisterCommand {
    let compared = Compared { with: Policy::builtin().sha256, widens_alone };
    RegisterCommand::ProposePolicy { id: prp(id), policy, compared }
}

#[test]
fn invariant_17_a_policy_is_decided_by_its_author_and_approver_whoever_is_named() {
    let mut register = founded();
    let digest = Digest::of(b"new");
    run(&mut register, &proposed("p", digest, false), &by("olga", "olga")).unwrap();
    run(&mut register, &RegisterCommand::ApproveProposal { id: prp("p") }, &by("rita", "rita")).unwrap();
    let tick = at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::days(1));
    let unread = RegisterCommand::ApplyDue { unread: BTreeSet::from([prp("p")]) };
    assert!(run(&mut register, &unread, &tick).unwrap().is_empty(), "what can't be read stays");
    run(&mut register, &due_now(), &tick).unwrap();
    assert_eq!((register.policy, register.policy_deciders), (Some(digest), BTreeSet::from([pid("olga"), pid("rita")])));
}

#[test]
fn invariant_17_what_starts_or_widens_self_service_or_runbooks_takes_two_approvers_besides_its_author() {
    let unknown = change("p", RegisterChange::SetPolicy { policy: Digest::of(b"new"), deciders: BTreeSet::from([pid("zoe")]) });
    let stale = Compared { with: Digest::of(b"another"), widens_alone: false };
    let stale = RegisterCommand::ProposePolicy { id: prp("p"), policy: Digest::of(b"new"), compared: stale };
    for command in [proposed("p", Digest::of(b"new"), true), unknown, stale] {
        let mut register = founded();
        run(&mut register, &command, &by("olga", "olga")).unwrap();
        assert_eq!(register.proposals[&prp("p")].missing(), 2);
        let approve = RegisterCommand::ApproveProposal { id: prp("p") };
        assert_eq!(refused(run(&mut register, &approve, &by("olga2", "olga"))), "second-person", "its author through another account");
        run(&mut register, &approve, &by("rita", "rita")).unwrap();
        let waiting = &register.proposals[&prp("p")];
        assert_eq!((waiting.missing(), waiting.effective_at, waiting.approvers().count()), (1, None, 1));
        assert_eq!(refused(run(&mut register, &approve, &by("rita", "rita"))), "second-person", "the same person twice");
        let tick = |days| at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::days(days));
        assert!(run(&mut register, &due_now(), &tick(2)).unwrap().is_empty(), "one approver is not enough");
        let principal = |p: &str| Principal::Person(pid(p));
        let delegation =
            Delegation { id: DelegationId::parse("d").unwrap(), from: principal("rita"), to: principal("vic"), since: now(), until: None };
        let mut tied = register.clone();
        run(&mut tied, &change("d", RegisterChange::Delegate(delegation)), &by("rita", "rita")).unwrap();
        assert_eq!(refused(run(&mut tied, &approve, &by("vic", "vic"))), "second-person", "who stands in for the first approver");
        run(&mut register, &approve, &by("vic", "vic")).unwrap();
        assert_eq!(register.proposals[&prp("p")].missing(), 0);
        let mut gone = register.clone();
        run(&mut gone, &change("g", RegisterChange::DisableOperator(oid("rita"))), &by("olga", "olga")).unwrap();
        assert!(run(&mut gone, &due_now(), &tick(2)).unwrap().is_empty(), "all of them still stand for it");
        run(&mut register, &due_now(), &tick(2)).unwrap();
        assert_eq!(register.policy_deciders, BTreeSet::from([pid("olga"), pid("rita"), pid("vic")]));
    }
}

fn stands_in(id: &str, from: Principal, to: Principal) -> RegisterCommand {
    let delegation = Delegation { id: DelegationId::parse(id).unwrap(), from, to, since: now(), until: None };
    change(id, RegisterChange::Delegate(delegation))
}

#[test]
fn invariant_17_who_owns_the_software_that_acts_for_the_author_is_no_second_person() {
    let mut register = Register::default();
    let mut all = setting();
    all.push(RegisterChange::SetAutomation(bot("helper", "rita")));
    run(&mut register, &founding(all, ["olga", "rita"]), &host()).unwrap();
    let to = Principal::Automation(AutomationId::parse("helper").unwrap());
    run(&mut register, &stands_in("d", Principal::Person(pid("olga")), to), &by("olga", "olga")).unwrap();
    run(&mut register, &change("p", promoted()), &by("olga", "olga")).unwrap();
    let approve = RegisterCommand::ApproveProposal { id: prp("p") };
    assert_eq!(refused(run(&mut register, &approve, &by("rita", "rita"))), "second-person");
    run(&mut register, &approve, &by("vic", "vic")).unwrap();
}

#[test]
fn invariant_17_delegations_leave_somebody_to_approve_what_somebody_else_proposes() {
    let mut register = founded();
    let person = |p: &str| Principal::Person(pid(p));
    run(&mut register, &stands_in("d1", person("olga"), person("rita")), &by("olga", "olga")).unwrap();
    assert_eq!(refused(run(&mut register, &stands_in("d2", person("olga"), person("vic")), &by("olga", "olga"))), "second-person");
    assert_eq!(refused(run(&mut register, &stands_in("d3", person("vic"), person("rita")), &by("vic", "vic"))), "second-person", "through rita");
    run(&mut register, &stands_in("d4", person("vic"), person("sam")), &by("vic", "vic")).unwrap();
}

#[test]
fn invariant_17_nobody_goes_without_whom_all_who_govern_would_be_tied() {
    let mut register = founded();
    register.apply(&RegisterEvent::Changed { change: RegisterChange::SetOperator(account("zoe", "zoe", &[Role::PolicyOwner])) }, now());
    let person_of = |p: &str| Principal::Person(pid(p));
    for to in ["rita", "vic"] {
        run(&mut register, &stands_in(to, person_of("olga"), person_of(to)), &by("olga", "olga")).unwrap();
    }
    let gone = Person { status: Status::Retired, ..person("zoe") };
    let less = account("zoe", "zoe", &[]);
    for goes in [RegisterChange::DisableOperator(oid("zoe")), RegisterChange::SetOperator(less), RegisterChange::SetPerson(gone.clone())] {
        let Err(Refusal::SecondPerson(why)) = run(&mut register, &change("c", goes), &by("olga", "olga")) else { panic!("nobody could govern") };
        assert!(why.contains("tied by delegations") && why.contains("revoke the account's tokens"), "{why}");
    }
    assert_eq!(refused(run(&mut register, &RegisterCommand::RecordPersons { persons: vec![gone] }, &host())), "second-person");
    run(&mut register, &change("ann", RegisterChange::DisableOperator(oid("ann"))), &by("olga", "olga")).unwrap();
}

#[test]
fn what_no_longer_fits_keeps_back_nothing_that_is_due_after_it() {
    let mut register = founded();
    let propose = |register: &mut Register, i: usize, new: RegisterChange| {
        let id = format!("p{i:03}");
        run(register, &change(&id, new), &by("olga", "olga")).unwrap();
        run(register, &RegisterCommand::ApproveProposal { id: prp(&id) }, &by("rita", "rita")).unwrap();
    };
    for i in 0..=MAX_APPLIED {
        propose(&mut register, i, RegisterChange::SetOperator(account("ann", "ann", &[Role::SupportAgent, Role::Supervisor])));
    }
    run(&mut register, &change("off", RegisterChange::DisableOperator(oid("ann"))), &by("olga", "olga")).unwrap();
    propose(&mut register, 99, RegisterChange::SetOperator(account("new", "zoe", &[Role::SupportAgent])));
    let tick = at(ActorRef::System { worker: Worker::Deadlines }, now() + Duration::days(1));
    let applied = run(&mut register, &due_now(), &tick).unwrap();
    assert_eq!(applied, [RegisterEvent::ProposalApplied { proposal: prp("p099") }]);
}

#[test]
fn a_delegation_that_ends_by_itself_is_not_said_to_have_ended() {
    let mut register = founded();
    let person = |p: &str| Principal::Person(pid(p));
    let id = DelegationId::parse("d").unwrap();
    let until = Some(now() + Duration::days(3));
    let delegation = Delegation { id: id.clone(), from: person("sam"), to: person("ann"), since: now(), until };
    run(&mut register, &change("d", RegisterChange::Delegate(delegation)), &by("sam", "sam")).unwrap();
    let end = |days| at(by("olga", "olga").actor.who, now() + Duration::days(days));
    let command = change("e", RegisterChange::RevokeDelegation { delegation: id, at: now() });
    let said = |register: &mut Register, days| run(register, &command, &end(days)).expect_err("it can't be moved").to_string();
    assert!(said(&mut register, 1).contains("ends by itself"));
    assert!(said(&mut register, 4).contains("has ended already"));
}
