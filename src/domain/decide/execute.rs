//! Carrying the plan out: checked again before it begins, compared afterwards, undone and ended on request.
//!
//! Contract: only the server executes; no operator has a reset right. Everything that made the approval count is worked out anew before
//! anything is touched (invariant 4); what came back is compared with what was approved and recorded (invariant 10).

use chrono::Duration;

use super::actor::{self, not_permitted, worker};
use super::draft::Draft;
use crate::base::ids::GrantId;
use crate::domain::bounds::MAX_UNDONE_AT_ONCE;
use crate::domain::case::{Execution, ExecutionOutcome, Grant, GrantEnd, Plan, TextRef, VoidReason, Worker};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::seal;
use crate::domain::vocabulary::{Action, CaseState, FailureReason, Role};

/// Begins. If something no longer holds, nothing begins: the attempt ends failed with the reason, and approvals are void.
pub(super) fn start(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    worker(draft, &[Worker::Executor])?;
    draft.not_held()?;
    draft.stands(&[CaseState::Approved])?;
    if let Some(after) = draft.case.times.execute_after
        && draft.now() < after
    {
        return Err(Refusal::TooEarly(after));
    }
    if draft.case.taking_back() {
        // An order taken over by a restore. Too early, and not against it: the approval stands.
        return Err(Refusal::TooEarly(draft.now() + Duration::minutes(1)));
    }
    let seal = draft.case.seal.as_ref().map(|s| s.sha256).ok_or(Refusal::StaleSeal)?;
    let attempt = draft.case.attempts().saturating_add(1);
    let allowed = still_allowed(draft);
    let before = draft.world.held.clone().unwrap_or_default();
    let started = Execution { attempt, seal, started_at: draft.now(), outcome: None, ended_at: None, before };
    draft.push(CaseEvent::ExecutionStarted { execution: started });
    if allowed {
        draft.go(CaseState::Executing, None);
        return Ok(());
    }
    let outcome = ExecutionOutcome::Failed { reason: FailureReason::NoLongerAllowed };
    draft.push(CaseEvent::ExecutionEnded { attempt, outcome });
    draft.void(VoidReason::RosterChanged);
    draft.go(CaseState::Failed, None);
    draft.grow(Vec::new());
    Ok(())
}

/// Everything again: seal, quorum by persons who still could, subject, path.
fn still_allowed(draft: &Draft<'_>) -> bool {
    let recoverable = draft.recoverable(&draft.case.route).is_ok();
    let by_itself = draft.runs_itself() && draft.decider_has_hand();
    recoverable && !by_itself && seal::broken(&draft.world, draft.now()).is_empty() && draft.quorum()
}

/// Reports how it ended. A fact about the world: recorded even while the case is held.
pub(super) fn end(draft: &mut Draft<'_>, attempt: u32, outcome: &ExecutionOutcome, grant: &GrantId) -> Result<(), Refusal> {
    worker(draft, &[Worker::Executor])?;
    draft.stands(&[CaseState::Executing])?;
    let undoing = draft.case.undoing.is_some();
    if draft.case.undoing.or_else(|| draft.case.executions.last().map(|e| e.attempt)) != Some(attempt) {
        return Err(Refusal::Unknown(format!("Attempt {attempt}")));
    }
    match (outcome, undoing) {
        (ExecutionOutcome::Restored { .. }, true) | (ExecutionOutcome::RolledBack, false) => {
            return Err(Refusal::Invalid { field: "outcome", why: "that is not what was begun".to_owned() });
        }
        (ExecutionOutcome::RolledBack, true) => {
            draft.push(CaseEvent::ExecutionEnded { attempt, outcome: ExecutionOutcome::RolledBack });
            draft.go(CaseState::RolledBack, None);
            return Ok(());
        }
        _ => {}
    }
    let verified = verify(draft, outcome);
    let restored = matches!(verified, ExecutionOutcome::Restored { .. });
    let take_back = !undoing && draft.case.plan.as_ref().is_some_and(|p| is_to_go(p, &verified));
    draft.push(CaseEvent::ExecutionEnded { attempt, outcome: verified });
    if take_back {
        draft.push(CaseEvent::TakingBack { attempt });
    }
    if restored {
        give(draft, grant);
    }
    draft.go(if restored { CaseState::Restored } else { CaseState::Failed }, None);
    Ok(())
}

/// Whether what an attempt that failed did, or may have done, is to be taken back, ordered until the target confirms: what is stronger than
/// what was lost (invariant 10), and temporary access unless it is known that none was given, for nobody would count down to its end
/// (invariant 11).
fn is_to_go(plan: &Plan, outcome: &ExecutionOutcome) -> bool {
    use FailureReason as F;
    let ExecutionOutcome::Failed { reason } = outcome else { return false };
    match reason {
        // Undoing a revocation would bring back what was to go.
        F::TooMuch => plan.action != Action::SecretRevocation,
        // A target that shows nothing yet may still be at it.
        F::Unreachable | F::NothingChanged | F::Mismatch | F::OldKept | F::NotRotated => plan.lifetime.is_some(),
        F::NotOrdered | F::Refused | F::NotUndone | F::UndoUnknown | F::NoLongerAllowed => false,
    }
}

/// What came back, compared with what was approved and recorded.
fn verify(draft: &Draft<'_>, outcome: &ExecutionOutcome) -> ExecutionOutcome {
    let ExecutionOutcome::Restored { scope } = outcome else { return outcome.clone() };
    let failed = |reason| ExecutionOutcome::Failed { reason };
    let Some(plan) = &draft.case.plan else { return failed(FailureReason::Mismatch) };
    if plan.action == Action::SecretRevocation {
        // What was asked for is that nothing is left.
        return if scope.is_empty() { outcome.clone() } else { failed(FailureReason::TooMuch) };
    }
    let entitled = draft.world.subject.as_ref().map(|s| s.entitled(&plan.target)).unwrap_or_default();
    if !scope.is_subset(&plan.scope) || !scope.is_subset(&entitled) {
        failed(FailureReason::TooMuch)
    } else if plan.scope.is_subset(scope) {
        outcome.clone()
    } else if plan.scope.is_disjoint(scope) {
        failed(FailureReason::NothingChanged)
    } else {
        failed(FailureReason::Mismatch)
    }
}

/// Records that the target no longer shows what it was to take back.
pub(super) fn confirm_taken_back(draft: &mut Draft<'_>, attempt: u32) -> Result<(), Refusal> {
    worker(draft, &[Worker::Executor])?;
    match draft.case.taken_back.get(&attempt) {
        None => Err(Refusal::Unknown(format!("Attempt {attempt}"))),
        Some(Some(_)) => Err(Refusal::Already("It was taken back already.".to_owned())),
        Some(None) => {
            draft.push(CaseEvent::TakenBack { attempt });
            Ok(())
        }
    }
}

/// Nothing new is begun, and the plan stays, while a target holds, or may hold, what it was not to give.
pub(super) fn nothing_to_take_back(draft: &Draft<'_>) -> Result<(), Refusal> {
    if !draft.case.taking_back() {
        return Ok(());
    }
    let why = "The target gave, or may have given, what it was not to, and is made to take it back; until it confirms that, only withdraw.";
    Err(Refusal::Already(why.to_owned()))
}

fn give(draft: &mut Draft<'_>, id: &GrantId) {
    let now = draft.now();
    if let Some((scope, lifetime)) = draft.case.plan.as_ref().and_then(|p| Some((p.scope.clone(), p.lifetime?))) {
        // It ends when the order said, however long the target took: an approved lifetime is not longer for that.
        let since = draft.case.executions.last().map_or(now, |e| e.started_at);
        let expires_at = since + lifetime.duration();
        let grant = Grant { id: id.clone(), scope, since, expires_at, ending: None, reason: None, revoked_at: None };
        draft.push(CaseEvent::Granted { grant });
        if draft.case.hold.is_some() {
            draft.push(CaseEvent::GrantEnding { grant: id.clone(), why: GrantEnd::Held, reason: None });
        }
    }
    let restriction = draft.requirement().restriction;
    if restriction.0 > 0 {
        draft.push(CaseEvent::Restricted { until: now + restriction.duration() });
    }
}

/// Tries the same plan again, while its approvals still count; not what was to be undone.
pub(super) fn retry(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, &[Role::SupportAgent, Role::Supervisor])?;
    draft.not_held()?;
    draft.stands(&[CaseState::Failed])?;
    nothing_to_take_back(draft)?;
    if draft.case.not_undone().is_some() {
        let why = "It was to be undone, and the target did not confirm that; the same plan is not carried out again. Roll it back again, or undo it there by hand and withdraw it.";
        return Err(Refusal::Already(why.to_owned()));
    }
    Draft::again("How often a case is tried again", draft.case.executions.len())?;
    if !still_allowed(draft) {
        let why = "What was approved holds no more: approvals ran out, or who may decide or what is needed changed. Open it again, and have it approved anew.";
        return Err(Refusal::Already(why.to_owned()));
    }
    draft.go(CaseState::Approved, None);
    let stands = draft.case.live_approvals().map(|a| a.person.clone()).collect();
    draft.push(CaseEvent::ExecutionScheduled { not_before: draft.now(), again: Some(stands) });
    Ok(())
}

/// Asks the target to undo what was done. A closed case is over, unless it is held: what it gave may have to be taken back then.
pub(super) fn roll_back(draft: &mut Draft<'_>, reason: &TextRef) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::SUPERVISORS)?;
    draft.stands(&[CaseState::Restored, CaseState::Failed, CaseState::Closed])?;
    nothing_to_take_back(draft)?;
    if !draft.case.plan.as_ref().is_some_and(|p| p.reversible) {
        return Err(Refusal::Invalid { field: "plan", why: "the target can't undo this; revoke and open a new case".to_owned() });
    }
    // The last attempt that did, or may have done, something; those after it were stopped before they began, or the target refused them.
    let nothing = [FailureReason::NoLongerAllowed, FailureReason::NotOrdered, FailureReason::Refused];
    let touched = |e: &&Execution| !matches!(&e.outcome, Some(ExecutionOutcome::Failed { reason }) if nothing.contains(reason));
    let there = |e: &&Execution| touched(e) && !draft.case.taken_back.contains_key(&e.attempt);
    let Some(attempt) = draft.case.executions.iter().rev().find(there).map(|e| e.attempt) else {
        return Err(Refusal::Already("Nothing was done that could be undone.".to_owned()));
    };
    // Last of all: holding it is no help where there is nothing to undo.
    if draft.case.state == CaseState::Closed && draft.case.hold.is_none() {
        return Err(draft.wrong_state());
    }
    not_too_often(draft)?;
    end_grants(draft, GrantEnd::HandedBack);
    draft.push(CaseEvent::RollBackAsked { attempt, reason: reason.clone() });
    draft.go(CaseState::Executing, None);
    Ok(())
}

/// A target that can't undo it may be asked for ever, but not without a pause.
fn not_too_often(draft: &Draft<'_>) -> Result<(), Refusal> {
    let last = draft.case.executions.iter().filter_map(|e| e.ended_at).max();
    match last.map(|at| at + Duration::hours(1)).filter(|again| draft.now() < *again) {
        Some(again) if draft.case.worked.undone >= MAX_UNDONE_AT_ONCE => Err(Refusal::TooEarly(again)),
        _ => Ok(()),
    }
}

/// Ends every grant that lives.
pub(super) fn end_grants(draft: &mut Draft<'_>, why: GrantEnd) {
    let live: Vec<GrantId> = draft.case.live_grants().map(|g| g.id.clone()).collect();
    for grant in live {
        draft.push(CaseEvent::GrantEnding { grant, why, reason: None });
    }
}

/// Ends a grant early: staff, who say why. A subject hands back through the desk; by itself it can only say that it wasn't them, which ends
/// all of a case's grants.
pub(super) fn revoke_grant(draft: &mut Draft<'_>, grant: &GrantId, reason: Option<&TextRef>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    if reason.is_none() {
        return Err(Refusal::Invalid { field: "text", why: "say why the access is ended".to_owned() });
    }
    match draft.case.grants.iter().find(|g| &g.id == grant) {
        None => Err(Refusal::Unknown(grant.to_string())),
        Some(g) => {
            g.revocable()?;
            draft.push(CaseEvent::GrantEnding { grant: grant.clone(), why: GrantEnd::HandedBack, reason: reason.cloned() });
            Ok(())
        }
    }
}

/// Records that the target confirmed a grant's end.
pub(super) fn confirm_revoked(draft: &mut Draft<'_>, grant: &GrantId) -> Result<(), Refusal> {
    worker(draft, &[Worker::Grants, Worker::Executor])?;
    match draft.case.grants.iter().find(|g| &g.id == grant) {
        None => Err(Refusal::Unknown(grant.to_string())),
        Some(g) if g.revoked_at.is_some() => Err(Refusal::Already("This access is gone already.".to_owned())),
        Some(g) if g.ending.is_none() => Err(not_permitted(draft.code, "that the access was to end")),
        Some(_) => {
            draft.push(CaseEvent::GrantRevoked { grant: grant.clone() });
            Ok(())
        }
    }
}
