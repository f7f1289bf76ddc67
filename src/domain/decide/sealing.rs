//! Requesting approval, and opening what was sealed again.
//!
//! Contract: only a complete checklist is sealed, only by a human, and only where someone could decide it. What would change the seal needs a
//! human reopen, which voids every approval not yet executed, visibly (invariant 4).

use super::actor::{self, hands};
use super::draft::Draft;
use crate::domain::case::{TextRef, VoidReason};
use crate::domain::checklist;
use crate::domain::event::CaseEvent;
use crate::domain::refusal::{CouldDecide, Refusal};
use crate::domain::vocabulary::{CaseState, Duty, Role};

/// Requests approval of what policy's plan is for this route.
pub(super) fn seal(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS)?;
    draft.not_held()?;
    draft.stands(&[CaseState::Proofing])?;
    Draft::again("How often approval of a case is requested", usize::try_from(draft.case.revision).unwrap_or(usize::MAX))?;
    draft.recoverable(&draft.case.route)?;
    let by = draft.ctx.actor.who.clone();
    draft.grow(hands(&by, Duty::Sealer, draft.now()));
    let progress = checklist::progress(&draft.world, draft.now());
    if !progress.complete {
        return Err(Refusal::ChecklistIncomplete { missing: checklist::missing(&progress) });
    }
    let could = draft.look_ahead();
    if !could.enough {
        return Err(Refusal::Deadlock { help: what_would_help(&could), could });
    }
    draft.seal(&by)
}

/// What would let someone decide.
pub fn what_would_help(could: &CouldDecide) -> String {
    let groups: Vec<&str> = could.missing_groups.iter().map(crate::base::ids::GroupId::as_str).collect();
    match (groups.as_slice(), could.operators.as_slice()) {
        ([], []) => "add approvers who have no hand in it, or an external approver group.".to_owned(),
        ([], _) => "too few are left who have no hand in it; add an approver, of another employer where policy asks for one.".to_owned(),
        (groups, _) => format!("no one is left of: {}. Add someone who has no hand in it, or an external approver group.", groups.join(", ")),
    }
}

/// Opens a sealed, approved or failed case again.
pub(super) fn reopen(draft: &mut Draft<'_>, reason: &TextRef) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, &[Role::SupportAgent, Role::Supervisor])?;
    draft.not_held()?;
    draft.stands(&[CaseState::Sealed, CaseState::Approved, CaseState::Failed])?;
    super::execute::nothing_to_take_back(draft)?;
    Draft::again("How often a case is opened again", draft.case.worked.reopened)?;
    draft.void(VoidReason::Reopened);
    draft.push(CaseEvent::Reopened { reason: reason.clone() });
    draft.unseal(VoidReason::Reopened);
    Ok(())
}
