//! Everyday work on a case: taking it, handing it over, comments, evidence, telemetry.
//!
//! Contract: commenting and taking a case are no hand in it (product.md, "route"); evidence is. Telemetry that arrives after sealing waits
//! beside the seal and changes nothing that was sealed (invariant 4, T34).

use super::actor::{self, hands};
use super::draft::Draft;
use crate::base::ids::{EvidenceId, OperatorId};
use crate::domain::case::{ActorRef, Evidence, MAX_ITEMS, TextRef};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::register::Scope;
use crate::domain::seal;
use crate::domain::vocabulary::{CaseState, Duty, EvidenceKind};

/// Takes a case, gives it to someone, or lets go.
pub(super) fn assign(draft: &mut Draft<'_>, operator: Option<&OperatorId>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    to_staff(draft, operator)?;
    alive(draft)?;
    if draft.case.assignee.as_ref() == operator {
        return Err(Refusal::Already("It is so already.".to_owned()));
    }
    movable(draft, operator)?;
    give(draft, operator)
}

/// That a case may go to somebody, or be let go of, once more. What nobody has can always be taken, which takes that it was let go of before: whoever
/// uses up that room has it then, and it can be given to others as often again.
fn movable(draft: &Draft<'_>, operator: Option<&OperatorId>) -> Result<(), Refusal> {
    let limit = match (operator, &draft.case.assignee) {
        (Some(_), None) => return Ok(()),
        (Some(_), Some(_)) => 2 * MAX_ITEMS,
        (None, _) => MAX_ITEMS,
    };
    let what = "How often a case is given to somebody or let go of";
    if draft.case.worked.assigned >= limit { Err(Refusal::Limit { what, limit }) } else { Ok(()) }
}

/// Who has a case is no part of what is sealed, unless they share a mailbox with somebody who gave proof in it. Approvers would then read that
/// what is sealed changed, and nothing in the case would say why.
fn give(draft: &mut Draft<'_>, to: Option<&OperatorId>) -> Result<(), Refusal> {
    let waits = matches!(draft.case.state, CaseState::Sealed | CaseState::Approved);
    let holds = |draft: &Draft<'_>| !seal::broken(&draft.world, draft.now()).contains(&"evidence");
    let held = waits && holds(draft);
    draft.push(CaseEvent::Assigned { operator: to.cloned() });
    if !held || holds(draft) {
        return Ok(());
    }
    let why = "Whoever has the case, or is to have it, shares a recorded mailbox with somebody who gave proof in it: what is sealed would no longer \
        hold. Let it be taken by someone else, or open it again first.";
    Err(Refusal::Already(why.to_owned()))
}

/// Leaves a note for whoever goes on.
pub(super) fn hand_over(draft: &mut Draft<'_>, note: &TextRef, to: Option<&OperatorId>) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    to_staff(draft, to)?;
    alive(draft)?;
    Draft::again("How often a case is handed over", draft.case.worked.handed_over)?;
    draft.push(CaseEvent::HandedOver { note: note.clone() });
    if draft.case.assignee.as_ref() == to {
        return Ok(());
    }
    give(draft, to)
}

/// A case given to somebody who can do nothing with it would be in nobody's list of what waits.
fn to_staff(draft: &Draft<'_>, operator: Option<&OperatorId>) -> Result<(), Refusal> {
    let Some(id) = operator else { return Ok(()) };
    match draft.world.register.operators.get(id) {
        Some(o) if o.enabled && o.roles.iter().any(|r| actor::STAFF.contains(r)) => Ok(()),
        Some(o) if o.enabled => {
            let why = format!("{id} works on no cases: it has neither the role support agent, supervisor nor security reviewer");
            Err(Refusal::Invalid { field: "operator", why })
        }
        _ => Err(Refusal::Unknown(id.to_string())),
    }
}

fn alive(draft: &Draft<'_>) -> Result<(), Refusal> {
    if draft.case.state.is_ended() { Err(draft.wrong_state()) } else { Ok(()) }
}

/// Comments; in any state, held or ended.
pub(super) fn comment(draft: &mut Draft<'_>, text: &TextRef) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    if draft.case.comments.len() >= MAX_ITEMS {
        return Err(Refusal::Limit { what: "A case's list of comments", limit: MAX_ITEMS });
    }
    draft.push(CaseEvent::Commented { text: text.clone() });
    Ok(())
}

/// Keeps evidence, before anything is sealed.
pub(super) fn evidence(draft: &mut Draft<'_>, id: &EvidenceId, kind: EvidenceKind, text: &TextRef) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    draft.not_held()?;
    draft.stands(&[CaseState::New, CaseState::Proofing])?;
    if kind == EvidenceKind::Telemetry {
        return Err(Refusal::Invalid { field: "kind", why: "telemetry comes from programs".to_owned() });
    }
    keep(draft, id, kind, text, false)?;
    draft.look_ahead();
    Ok(())
}

/// Keeps a fact that a program sent.
pub(super) fn telemetry(draft: &mut Draft<'_>, id: &EvidenceId, text: &TextRef) -> Result<(), Refusal> {
    if !matches!(draft.ctx.actor.who, ActorRef::System { .. }) {
        actor::automation(&draft.world.register, draft.ctx, draft.code, Scope::Telemetry)?;
    }
    alive(draft)?;
    let late = !matches!(draft.case.state, CaseState::New | CaseState::Proofing);
    keep(draft, id, EvidenceKind::Telemetry, text, late)
}

fn keep(draft: &mut Draft<'_>, id: &EvidenceId, kind: EvidenceKind, text: &TextRef, late: bool) -> Result<(), Refusal> {
    if draft.case.evidence.iter().any(|e| &e.id == id) {
        return Err(Refusal::Already("This evidence is kept already.".to_owned()));
    }
    // Programs have a bound of their own, so that what they send never keeps a person from adding what they saw.
    let sent = |e: &&Evidence| (e.kind == EvidenceKind::Telemetry) == (kind == EvidenceKind::Telemetry);
    if draft.case.evidence.iter().filter(sent).count() >= MAX_ITEMS {
        let what = if kind == EvidenceKind::Telemetry { "What programs sent to a case" } else { "A case's evidence" };
        return Err(Refusal::Limit { what, limit: MAX_ITEMS });
    }
    let by = draft.ctx.actor.who.clone();
    let evidence = Evidence { id: id.clone(), kind, text: text.clone(), by: by.clone(), at: draft.now(), late };
    draft.push(CaseEvent::EvidenceAdded { evidence });
    if !late {
        draft.grow(hands(&by, Duty::EvidenceEditor, draft.now()));
    }
    Ok(())
}
