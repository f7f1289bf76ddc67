//! The one place where it is decided what may happen to a case.
//!
//! Contract: `decide` is a pure function of the world, the command and its circumstances; it gives the events that follow (none, where
//! nothing was due) or the refusal. Applying the events is [`super::case::Case::apply`]. Who may is asked before where the case stands:
//! someone in the lineage learns of every duty in the way, whatever the state. Knows nothing about storage, tokens or wire formats.

mod actor;
mod approve;
mod draft;
mod end;
mod execute;
mod hold;
mod open;
pub mod proof;
mod route;
mod sealing;
mod tick;
mod work;

use chrono::Duration;

use super::command::{Command, Context, World};
use super::event::CaseEvent;
use super::refusal::Refusal;
use draft::Draft;
pub use sealing::what_would_help;

/// How long a statement may be submitted after its nonce was issued (product.md, "Life of a case").
pub const STATEMENT_LIFETIME: Duration = Duration::minutes(10);

/// Decides a command on a case.
pub fn decide(world: &World, command: &Command, context: &Context) -> Result<Vec<CaseEvent>, Refusal> {
    if context.actor.read_only {
        return Err(Refusal::NotPermitted { operation: command.code(), needs: "a session that may write".to_owned() });
    }
    if let Command::Open(open) = command {
        return open::open(world, open, context);
    }
    let mut draft = Draft::new(world, command.code(), context)?;
    run(&mut draft, command)?;
    Ok(draft.events)
}

fn run(draft: &mut Draft<'_>, command: &Command) -> Result<(), Refusal> {
    match command {
        Command::Open(_) => Ok(()),
        Command::Triage { failure, reproduction, triage_owner, remedy_owner } => {
            route::triage(draft, *failure, reproduction, [triage_owner, remedy_owner])
        }
        Command::NoChangeNeeded { reason } => route::no_change_needed(draft, reason),
        Command::Route { route } => route::route(draft, route),
        Command::Assign { operator } => work::assign(draft, operator.as_ref()),
        Command::HandOver { note, to } => work::hand_over(draft, note, to.as_ref()),
        Command::Comment { text } => work::comment(draft, text),
        Command::AddEvidence { id, kind, text } => work::evidence(draft, id, *kind, text),
        Command::AddTelemetry { id, text } => work::telemetry(draft, id, text),
        Command::StartProof { session, method, endpoint, attester } => proof::start(draft, session, *method, endpoint.as_ref(), attester.as_ref()),
        Command::RecordFailedAttempt { session } => proof::failed(draft, session),
        Command::RecordProof { session, receipt, trust_root } => proof::proved(draft, session, receipt, trust_root),
        Command::RecordDecline { session } => proof::declined(draft, session),
        Command::Seal => sealing::seal(draft),
        Command::Reopen { reason } => sealing::reopen(draft, reason),
        Command::Decide(decision) => approve::decide(draft, decision),
        Command::TakeBack { reason } => approve::take_back(draft, reason),
        Command::StartExecution => execute::start(draft),
        Command::EndExecution { attempt, outcome, grant } => execute::end(draft, *attempt, outcome, grant),
        Command::ConfirmTakenBack { attempt } => execute::confirm_taken_back(draft, *attempt),
        Command::Retry => execute::retry(draft),
        Command::RollBack { reason } => execute::roll_back(draft, reason),
        Command::RevokeGrant { grant, reason } => execute::revoke_grant(draft, grant, reason.as_ref()),
        Command::ConfirmRevoked { grant } => execute::confirm_revoked(draft, grant),
        Command::Review { note, in_order } => end::review(draft, note, *in_order),
        Command::Close => end::close(draft),
        Command::Withdraw { reason } => end::withdraw(draft, reason),
        Command::Hold { source, reason } => hold::hold(draft, *source, reason.as_ref()),
        Command::LiftHold { reason, contact } => hold::lift(draft, reason, contact),
        Command::TakeOver(there) => hold::take_over(draft, there),
        Command::Flag { kind } => hold::flag(draft, *kind),
        Command::Tick => tick::tick(draft),
        Command::Reassess => tick::reassess(draft),
    }
}
