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

/// What `decide` says to each operation: those it lets through, and the refusals of the others.
pub(super) fn operations(
    world: &World,
    case: &Case,
    progress: &Progress,
    actor: &Actor,
    now: Time,
) -> (Vec<&'static str>, Vec<(&'static str, Refusal)>) {
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    let context = Context { now, actor: actor.clone(), request: None };
    let Ok(commands) = stand_ins(case, progress, actor, now) else { return (allowed, refused) };
    let roles = roles(world, actor);
    for (operation, command) in commands {
        let code = operation.code();
        // A person who can't decide is told of every duty in the way before the role that is missing, as when they try.
        let asked = operation == Operation::CaseDecide && person_of(&actor.who).is_some();
        if let Err(refusal) = access::may(actor, &roles, operation)
            && !asked
        {
            refused.push((code, refusal));
            continue;
        }
        let Some(command) = command else {
            refused.push((code, nothing_to(operation, progress)));
            continue;
        };
        match decide(world, &command, &context) {
            Ok(_) => allowed.push(code),
            Err(refusal) if only_the_stand_in(&command, &refusal) => allowed.push(code),
            Err(refusal) => refused.push((code, refusal)),
        }
    }
    (allowed, refused)
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
