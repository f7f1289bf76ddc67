//! Which operations an asker may use on a case now, and why not the others: found by asking `decide`, with stand-ins for what only
//! the asker can say.
//!
//! Contract: a refusal that only says that a stand-in will not do counts as "may". Knows no rules of its own.

use std::collections::BTreeSet;

use super::person_of;
use crate::base::ids::{ApprovalId, EvidenceId, GrantId, IdError, PersonId, SessionId, TextId};
use crate::base::{Digest, Time};
use crate::domain::access::{self, Operation};
use crate::domain::case::{ActorRef, Case, ProofSession, SessionOutcome, Signature, TextRef};
use crate::domain::checklist::{Progress, Way};
use crate::domain::command::{Actor, Command, Context, Decide, World};
use crate::domain::decide::decide;
use crate::domain::refusal::Refusal;
use crate::domain::vocabulary::{Decision, EvidenceKind, FailureType, FlagKind, HoldSource, Role};

/// What `decide` says to each operation.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// Those it lets through; deciding, if at least one of the decisions.
    pub allowed: Vec<&'static str>,
    /// The refusals of the others.
    pub refused: Vec<(&'static str, Refusal)>,
    /// The refusals of decisions one by one: who may not approve any more may still deny.
    pub decisions: Vec<(Decision, Refusal)>,
    /// The refusals of ways to prove, or to reach somebody, one by one: while one waits to be answered, others may be started.
    pub ways: Vec<(Way, Refusal)>,
    /// Contacts by which the hold could be lifted, the last one first.
    pub lifted_by: Vec<SessionId>,
}

/// What `decide` says to each operation: those it lets through, and the refusals of the others.
pub(super) fn operations(world: &World, case: &Case, proof: (&Progress, &[Way]), actor: &Actor, now: Time) -> Operations {
    let mut found = Operations::default();
    let context = Context { now, actor: actor.clone(), request: None };
    let Ok(mut commands) = stand_ins(case, actor, now) else { return found };
    commands.extend(starts(case, proof).unwrap_or_default());
    commands.extend(lifts(case).unwrap_or_default());
    let roles = roles(world, actor);
    for (operation, command) in commands {
        let code = operation.code();
        let answer = one(world, operation, command.as_ref(), &roles, &context, proof.0);
        match (command, &answer) {
            (Some(Command::Decide(decide)), Err(refusal)) => found.decisions.push((decide.decision, refusal.clone())),
            (Some(Command::StartProof { method, endpoint, attester, .. }), Err(why)) => found.ways.push(((method, endpoint, attester), why.clone())),
            (Some(Command::LiftHold { contact, .. }), Ok(())) => found.lifted_by.push(contact),
            _ => {}
        }
        match answer {
            Ok(()) if found.allowed.contains(&code) => {}
            Ok(()) => {
                found.refused.retain(|(refused, _)| *refused != code);
                found.allowed.push(code);
            }
            Err(_) if found.allowed.contains(&code) || found.refused.iter().any(|(refused, _)| *refused == code) => {}
            Err(refusal) => found.refused.push((code, refusal)),
        }
    }
    found
}

fn one(
    world: &World,
    operation: Operation,
    command: Option<&Command>,
    roles: &BTreeSet<Role>,
    context: &Context,
    progress: &Progress,
) -> Result<(), Refusal> {
    // A person who can't decide is told of every duty in the way before the role that is missing, as when they try.
    if operation != Operation::CaseDecide || person_of(&context.actor.who).is_none() {
        access::may(&context.actor, roles, operation)?;
    }
    let Some(command) = command else { return Err(nothing_to(world, operation, progress)) };
    match decide(world, command, context) {
        Ok(_) => Ok(()),
        Err(Refusal::Invalid { .. }) if operation == Operation::CaseLiftHold => Err(nothing_to(world, operation, progress)),
        Err(refusal) if only_the_stand_in(command, &refusal) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// Whether a refusal is about a value that the asker has yet to choose.
fn only_the_stand_in(command: &Command, refusal: &Refusal) -> bool {
    match refusal {
        // Of a roll-back nothing is chosen but the words: what can't be undone stays so.
        Refusal::Invalid { .. } => !matches!(command, Command::RollBack { .. }),
        Refusal::Unknown(_) | Refusal::ScopeExceeds => true,
        Refusal::Already(_) => matches!(command, Command::Route { .. } | Command::Flag { .. }),
        _ => false,
    }
}

/// The roles of the asker's account.
fn roles(world: &World, actor: &Actor) -> BTreeSet<Role> {
    match &actor.who {
        ActorRef::Operator { operator, .. } => world.register.operators.get(operator).map(|o| o.roles.clone()).unwrap_or_default(),
        _ => BTreeSet::new(),
    }
}

fn nothing_to(world: &World, operation: Operation, progress: &Progress) -> Refusal {
    let held = world.case.as_ref().is_some_and(|c| c.hold.is_some());
    Refusal::Already(match operation {
        Operation::ProofStart if held => "Nobody can be reached: no recorded address or contact could serve.".to_owned(),
        Operation::ProofStart if progress.complete => "Everything is proved: nothing is missing.".to_owned(),
        Operation::ProofStart => "There is no proof to start now: what is missing has no recorded address or contact that could serve.".to_owned(),
        Operation::CaseLiftHold => "Reach the subject, or whoever answers for it, first: nobody answered since the hold.".to_owned(),
        Operation::GrantRevoke => "There is no live grant.".to_owned(),
        _ => "There is nothing sealed to decide on.".to_owned(),
    })
}

/// Each way to start a proof or, while the case is held, to reach somebody.
fn starts(case: &Case, (progress, contacts): (&Progress, &[Way])) -> Result<Vec<(Operation, Option<Command>)>, IdError> {
    let missing = progress.items.iter().filter(|i| i.receipt.is_none()).flat_map(|i| &i.startable);
    let mut ways: Vec<&Way> = if case.hold.is_some() { contacts.iter().collect() } else { missing.collect() };
    // What several items ask for is looked at once.
    let mut seen = BTreeSet::new();
    ways.retain(|way| seen.insert(*way));
    let session = SessionId::parse("stand-in")?;
    let start = |(method, endpoint, attester): &Way| Command::StartProof {
        session: session.clone(),
        method: *method,
        endpoint: endpoint.clone(),
        attester: attester.clone(),
    };
    let all: Vec<_> = ways.into_iter().map(|way| (Operation::ProofStart, Some(start(way)))).collect();
    Ok(if all.is_empty() { vec![(Operation::ProofStart, None)] } else { all })
}

/// Lifting the hold by each contact that was made since, the last one first.
fn lifts(case: &Case) -> Result<Vec<(Operation, Option<Command>)>, IdError> {
    let reason = TextRef { id: TextId::parse("stand-in")?, sha256: Digest::of(b"") };
    let since = |s: &ProofSession| case.hold.as_ref().is_some_and(|h| s.opened_at >= h.since) && s.outcome == Some(SessionOutcome::Proved);
    let mut made: Vec<(&SessionId, &ProofSession)> = case.sessions.iter().filter(|(_, s)| since(s)).collect();
    made.sort_by_key(|(_, s)| std::cmp::Reverse(s.opened_at));
    let mut contacts: Vec<SessionId> = made.into_iter().map(|(id, _)| id.clone()).collect();
    if contacts.is_empty() {
        contacts.push(SessionId::parse("stand-in")?);
    }
    let lift = |contact| (Operation::CaseLiftHold, Some(Command::LiftHold { reason: reason.clone(), contact }));
    Ok(contacts.into_iter().map(lift).collect())
}

/// Each operation on a case with a command that asks for it; `None` where the case holds nothing it could be about.
fn stand_ins(case: &Case, actor: &Actor, now: Time) -> Result<Vec<(Operation, Option<Command>)>, IdError> {
    let text = TextRef { id: TextId::parse("stand-in")?, sha256: Digest::of(b"") };
    let words = text.clone();
    let someone = person_of(&actor.who).cloned().map_or_else(|| PersonId::parse("stand-in"), Ok)?;
    let evidence = EvidenceId::parse("stand-in")?;
    let me = match &actor.who {
        ActorRef::Operator { operator, .. } => Some(operator.clone()),
        _ => None,
    };
    let assign = if case.assignee == me { None } else { me };
    let decision = Decide {
        id: ApprovalId::parse("stand-in")?,
        decision: Decision::Approve,
        seal: case.seal.as_ref().map_or_else(|| Digest::of(b""), |s| s.sha256),
        version: case.changed,
        nonce_issued_at: now,
        reason: text.clone(),
        signature: Signature::None,
    };
    let denial = Decide { decision: Decision::Deny, ..decision.clone() };
    let live: Option<GrantId> = case.grants.iter().find(|g| g.revoked_at.is_none() && g.ending.is_none()).map(|g| g.id.clone());
    let unused: BTreeSet<FlagKind> = case.flags.iter().map(|f| f.kind).collect();
    let flag = FlagKind::ALL.iter().copied().find(|k| !unused.contains(k)).unwrap_or(FlagKind::Pressure);
    let commands = vec![
        Command::Triage { failure: FailureType::LostCredential, reproduction: text.clone(), triage_owner: someone.clone(), remedy_owner: someone },
        Command::NoChangeNeeded { reason: text.clone() },
        Command::Route { route: case.route.clone() },
        Command::Assign { operator: assign },
        Command::HandOver { note: text.clone(), to: None },
        Command::Comment { text: text.clone() },
        Command::AddEvidence { id: evidence.clone(), kind: EvidenceKind::Note, text: text.clone() },
        Command::AddTelemetry { id: evidence, text: text.clone() },
        Command::Seal,
        Command::Reopen { reason: text.clone() },
        Command::Decide(decision),
        Command::Decide(denial),
        Command::TakeBack { reason: text.clone() },
        Command::Retry,
        Command::RollBack { reason: text.clone() },
        Command::Review { note: text.clone(), in_order: true },
        Command::Close,
        Command::Withdraw { reason: text.clone() },
        Command::Hold { source: HoldSource::Security, reason: Some(text) },
        Command::Flag { kind: flag },
    ];
    let mut all: Vec<_> = commands.into_iter().filter_map(|c| Operation::of(&c).map(|o| (o, Some(c)))).collect();
    all.push((Operation::GrantRevoke, live.map(|grant| Command::RevokeGrant { grant, reason: Some(words) })));
    Ok(all)
}
