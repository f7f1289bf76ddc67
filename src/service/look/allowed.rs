//! Which operations an asker may use on a case now, and why not the others: found by asking `decide`, with stand-ins for what only
//! the asker can say.
//!
//! Contract: a refusal that only says that a stand-in will not do counts as "may". Knows no rules of its own.

use std::collections::BTreeSet;

use super::person_of;
use crate::base::ids::{ApprovalId, EvidenceId, GrantId, IdError, PersonId, SessionId, TextId};
use crate::base::{Digest, Time};
use crate::domain::access::{self, Operation};
use crate::domain::case::{ActorRef, Case, Signature, TextRef};
use crate::domain::checklist::Progress;
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
}

/// What `decide` says to each operation: those it lets through, and the refusals of the others.
pub(super) fn operations(world: &World, case: &Case, progress: &Progress, actor: &Actor, now: Time) -> Operations {
    let mut found = Operations::default();
    let context = Context { now, actor: actor.clone(), request: None };
    let Ok(commands) = stand_ins(case, progress, actor, now) else { return found };
    let roles = roles(world, actor);
    for (operation, command) in commands {
        let code = operation.code();
        let answer = one(world, operation, command.as_ref(), &roles, &context, progress);
        if let Some(Command::Decide(decide)) = &command {
            found.decisions.extend(answer.as_ref().err().map(|refusal| (decide.decision, refusal.clone())));
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
    let Some(command) = command else { return Err(nothing_to(operation, progress)) };
    match decide(world, command, context) {
        Ok(_) => Ok(()),
        Err(refusal) if only_the_stand_in(command, &refusal) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// Whether a refusal is about a value that the asker has yet to choose.
fn only_the_stand_in(command: &Command, refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Invalid { .. } | Refusal::Unknown(_) | Refusal::ScopeExceeds => true,
        Refusal::EndpointUnusable(_) | Refusal::SessionEnded => matches!(command, Command::LiftHold { .. }),
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

fn nothing_to(operation: Operation, progress: &Progress) -> Refusal {
    Refusal::Already(match operation {
        Operation::ProofStart if progress.complete => "Everything is proved: nothing is missing.".to_owned(),
        Operation::ProofStart => "There is no proof to start now: what is missing has no recorded address or contact that could serve.".to_owned(),
        Operation::GrantRevoke => "There is no live grant.".to_owned(),
        _ => "There is nothing sealed to decide on.".to_owned(),
    })
}

/// Each operation on a case with a command that asks for it; `None` where the case holds nothing it could be about.
fn stand_ins(case: &Case, progress: &Progress, actor: &Actor, now: Time) -> Result<Vec<(Operation, Option<Command>)>, IdError> {
    let text = TextRef { id: TextId::parse("stand-in")?, sha256: Digest::of(b"") };
    let words = text.clone();
    let someone = person_of(&actor.who).cloned().map_or_else(|| PersonId::parse("stand-in"), Ok)?;
    let evidence = EvidenceId::parse("stand-in")?;
    let contact = case.sessions.keys().next_back().cloned().map_or_else(|| SessionId::parse("stand-in"), Ok)?;
    let me = match &actor.who {
        ActorRef::Operator { operator, .. } => Some(operator.clone()),
        _ => None,
    };
    let assign = if case.assignee == me { None } else { me };
    let missing = progress.items.iter().filter(|i| i.receipt.is_none());
    let proof = missing.flat_map(|i| i.startable.iter()).next().cloned();
    let start = match proof {
        Some((method, endpoint, attester)) => Some(Command::StartProof { session: SessionId::parse("stand-in")?, method, endpoint, attester }),
        None => None,
    };
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
        Command::Hold { source: HoldSource::Security, reason: Some(text.clone()) },
        Command::LiftHold { reason: text, contact },
        Command::Flag { kind: flag },
    ];
    let mut all: Vec<_> = commands.into_iter().filter_map(|c| Operation::of(&c).map(|o| (o, Some(c)))).collect();
    all.push((Operation::ProofStart, start));
    all.push((Operation::GrantRevoke, live.map(|grant| Command::RevokeGrant { grant, reason: Some(words) })));
    Ok(all)
}
