//! How a case ends for its people: withdrawn, looked back at, closed.
//!
//! Contract: a review is someone else's: outside the lineage and the approvers. Closing ends whatever access still lives (invariant 11).

use super::actor::{self, not_permitted};
use super::draft::Draft;
use super::execute::end_grants;
use crate::domain::case::{ActorRef, GrantEnd, MAX_ITEMS, Review, TextRef};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::{Act, Refusal};
use crate::domain::register::Scope;
use crate::domain::vocabulary::{CaseState, Decision};

/// Looks back.
pub(super) fn review(draft: &mut Draft<'_>, note: &TextRef, in_order: bool) -> Result<(), Refusal> {
    let caller = actor::role(&draft.world.register, draft.ctx, draft.code, actor::SECURITY)?;
    draft.outside_lineage(Act::LookBack, &caller.person.id)?;
    if draft.case.approvals.iter().any(|a| a.person == caller.person.id && a.decision == Decision::Approve) {
        return Err(not_permitted(draft.code, "someone who did not approve the case"));
    }
    draft.stands(&[CaseState::Restored, CaseState::Closed, CaseState::RolledBack])?;
    if draft.case.reviews.len() >= MAX_ITEMS {
        return Err(Refusal::Limit { what: "A case's reviews", limit: MAX_ITEMS });
    }
    let review = Review { by: draft.ctx.actor.who.clone(), at: draft.now(), note: note.clone(), in_order };
    draft.push(CaseEvent::Reviewed { review });
    Ok(())
}

/// Closes a restored case; not before the review that policy asks for.
pub(super) fn close(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    draft.not_held()?;
    draft.stands(&[CaseState::Restored])?;
    if draft.requirement().review && draft.case.reviews.is_empty() {
        return Err(Refusal::Invalid { field: "review", why: "a review by someone outside the lineage and the approvers comes first".to_owned() });
    }
    end_grants(draft, GrantEnd::Closed);
    draft.go(CaseState::Closed, None);
    Ok(())
}

/// Takes the request back: agents, the subject, or the automation that opened it.
pub(super) fn withdraw(draft: &mut Draft<'_>, reason: &TextRef) -> Result<(), Refusal> {
    match &draft.ctx.actor.who {
        ActorRef::Automation { .. } => {
            let id = actor::automation(&draft.world.register, draft.ctx, draft.code, Scope::WithdrawOwn)?;
            if !matches!(&draft.case.request.opened_by, ActorRef::Automation { automation, .. } if *automation == id) {
                return Err(not_permitted(draft.code, "the automation that opened the case"));
            }
        }
        ActorRef::Subject { .. } if actor::is_subject(draft) => {}
        _ => actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS).map(drop)?,
    }
    draft.not_held()?;
    draft.stands(&[CaseState::New, CaseState::Proofing, CaseState::Sealed, CaseState::Approved, CaseState::Failed])?;
    draft.push(CaseEvent::Commented { text: reason.clone() });
    draft.go(CaseState::Withdrawn, None);
    Ok(())
}
