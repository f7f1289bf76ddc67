//! What time and the register bring about: deadlines, expiry, escalation, grants' ends; and sealed cases looked at again.
//!
//! Contract: the server's own workers only; gives no events where nothing is due. Time is the context's (invariant 16).

use std::collections::BTreeSet;

use super::actor::worker;
use super::draft::Draft;
use super::proof::resume;
use crate::base::ids::GrantId;
use crate::domain::case::{GrantEnd, VoidReason, Worker};
use crate::domain::checklist;
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::seal;
use crate::domain::vocabulary::CaseState;

/// Time passed.
pub(super) fn tick(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    worker(draft, &[Worker::Deadlines, Worker::Grants])?;
    let now = draft.now();
    let over: Vec<GrantId> = draft.case.live_grants().filter(|g| g.expires_at <= now).map(|g| g.id.clone()).collect();
    for grant in over {
        draft.push(CaseEvent::GrantEnding { grant, why: GrantEnd::Expired, reason: None });
    }
    let due = draft.case.times.due.is_some_and(|d| d <= now);
    if draft.case.hold.is_some() {
        if due {
            draft.push(CaseEvent::Escalated { hold: true });
        }
        return Ok(());
    }
    if draft.case.can_expire() && draft.case.times.expires_at <= now {
        draft.void(VoidReason::Expired);
        draft.go(CaseState::Expired, None);
        return Ok(());
    }
    if approvals_ran_out(draft) || proof_ran_out(draft) {
        // What nobody completes by hand nobody seals by hand either, where nothing is missing.
        return draft.seal_by_itself();
    }
    resume(draft);
    if due && draft.case.state == CaseState::Proofing && draft.case.is_word_alone() {
        // Nobody proved it in the time for that: no one is asked to look, and its subject can ask anew.
        draft.void(VoidReason::Expired);
        draft.go(CaseState::Expired, None);
        return Ok(());
    }
    if due {
        draft.push(CaseEvent::Escalated { hold: false });
        if draft.case.state == CaseState::Sealed
            && let Some(due) = checklist::proof_until(&draft.world, now)
        {
            draft.push(CaseEvent::ClockResumed { due });
        }
    }
    Ok(())
}

/// Nobody can approve on a proof that no longer counts: the case goes back to gathering it, visibly, instead of waiting for nothing.
fn proof_ran_out(draft: &mut Draft<'_>) -> bool {
    if draft.case.state != CaseState::Sealed || checklist::lapsed(&draft.world, draft.now()).is_empty() {
        return false;
    }
    draft.unseal(VoidReason::Expired);
    true
}

/// An approval whose lifetime is over no longer counts, and its giver can't repeat it on the same seal: the case is to be sealed anew.
fn approvals_ran_out(draft: &mut Draft<'_>) -> bool {
    let waits = matches!(draft.case.state, CaseState::Sealed | CaseState::Approved);
    let now = draft.now();
    let over: BTreeSet<_> = draft.case.live_approvals().filter(|a| waits && a.valid_until <= now).map(|a| a.id.clone()).collect();
    if over.is_empty() {
        return false;
    }
    draft.push(CaseEvent::ApprovalsVoided { approvals: over, why: VoidReason::Expired });
    draft.unseal(VoidReason::Expired);
    true
}

/// Register or policy changed, or a linked case did: records what lineage grew, and voids exactly what the change touches (invariant 4).
pub(super) fn reassess(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    worker(draft, &[Worker::Reassess, Worker::Deadlines])?;
    if draft.case.state.is_ended() {
        return Ok(());
    }
    let sealed = matches!(draft.case.state, CaseState::Sealed | CaseState::Approved);
    let own_word = draft.case.route.path;
    let broken = sealed && !seal::broken(&draft.world, draft.now()).is_empty();
    if broken {
        draft.void(VoidReason::RosterChanged);
    }
    if !matches!(draft.case.state, CaseState::Executing | CaseState::Restored) {
        draft.grow(Vec::new());
    }
    if broken || (sealed && draft.case.route.path != own_word) {
        draft.unseal(VoidReason::RosterChanged);
    }
    if matches!(draft.case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed) {
        draft.look_ahead();
    }
    draft.seal_by_itself()
}
