//! Deciding: approving or denying a seal, and taking an approval back.
//!
//! Contract: no one in the lineage decides, through whatever account (invariant 1): that is asked first, whatever the state. An approval binds
//! the one seal and version that was read (invariants 4 and 18). One eligible denial ends the case.

use chrono::Duration;

use super::STATEMENT_LIFETIME;
use super::actor::{self, Caller, not_permitted};
use super::draft::Draft;
use crate::domain::bounds::MAX_APPROVALS_EACH;
use crate::domain::case::{Approval, Signature, TextRef, VoidReason};
use crate::domain::checklist;
use crate::domain::command::Decide;
use crate::domain::event::CaseEvent;
use crate::domain::quorum;
use crate::domain::refusal::{Act, Refusal};
use crate::domain::requirement::{Requirement, Seconds};
use crate::domain::seal;
use crate::domain::vocabulary::{CaseState, Decision, Role};

/// Time for the server to begin with what was approved, once delay and grace are over.
const BEGINS: Seconds = Seconds(15 * 60);

/// How long an approval counts: as policy says, and no less than what it is for has to wait and the server needs to begin with it. One file is
/// refused that asks for more delay than its approvals last; the stricter of the one that a case was opened under and the one in force may.
fn lifetime(need: &Requirement) -> Seconds {
    let waits = Seconds(need.delay.0.saturating_add(need.grace.0));
    need.approval_lifetime.max(waits.saturating_add(BEGINS))
}

/// Approves or denies.
pub(super) fn decide(draft: &mut Draft<'_>, decision: &Decide) -> Result<(), Refusal> {
    let caller = actor::operator(&draft.world.register, draft.ctx, draft.code)?;
    draft.outside_lineage(Act::Decide, &caller.person.id)?;
    let need = draft.requirement();
    if !quorum::may_decide(&caller.operator, &need.approvals) {
        return Err(Refusal::RoleMissing { operation: draft.code, role: Role::Supervisor });
    }
    draft.not_held()?;
    match decision.decision {
        Decision::Approve => draft.stands(&[CaseState::Sealed])?,
        Decision::Deny => draft.stands(&[CaseState::Sealed, CaseState::Approved])?,
    }
    as_read(draft, decision, &need)?;
    if decision.decision == Decision::Approve {
        still_proved(draft)?;
    }
    once(draft, &caller, decision.decision)?;
    let approval = Approval {
        id: decision.id.clone(),
        seal: decision.seal,
        person: caller.person.id.clone(),
        operator: caller.operator.id.clone(),
        employer: caller.person.employer.clone(),
        groups: caller.operator.groups.clone(),
        decision: decision.decision,
        reason: decision.reason.clone(),
        at: draft.now(),
        valid_until: draft.now() + lifetime(&need).duration(),
        signature: decision.signature.clone(),
        void: None,
    };
    draft.push(CaseEvent::Decided { approval });
    match decision.decision {
        Decision::Deny => draft.go(CaseState::Denied, None),
        Decision::Approve => draft.approve_if_reached(&need),
    }
    Ok(())
}

/// That what was read is what stands: seal, version, statement's age, signature, and everything the seal was made of.
fn as_read(draft: &Draft<'_>, decision: &Decide, need: &Requirement) -> Result<(), Refusal> {
    let sealed = draft.case.seal.as_ref().map(|s| s.sha256);
    if sealed != Some(decision.seal) || decision.version != draft.case.changed {
        return Err(Refusal::StaleSeal);
    }
    if decision.nonce_issued_at == Decide::FORGED {
        return Err(Refusal::Invalid {
            field: "nonce",
            why: "it is not one that this server issued to you for this seal. Open the approval again".to_owned(),
        });
    }
    let age = draft.now() - decision.nonce_issued_at;
    if age < Duration::zero() || age > STATEMENT_LIFETIME {
        return Err(Refusal::StatementExpired);
    }
    if !seal::broken(&draft.world, draft.now()).is_empty() {
        return Err(Refusal::StaleSeal);
    }
    if need.approvals.signature && decision.signature == Signature::None {
        return Err(Refusal::SignatureMissing);
    }
    Ok(())
}

/// That the receipts under the seal still count: a receipt counts until it expires, at approval as at sealing. An approval once accepted
/// carries them on for its own lifetime. Denying needs no proof.
fn still_proved(draft: &Draft<'_>) -> Result<(), Refusal> {
    let methods = checklist::lapsed(&draft.world, draft.now());
    if methods.is_empty() { Ok(()) } else { Err(Refusal::ProofExpired { methods }) }
}

/// A person counts once on a seal, through whichever account. An approval that was taken back counts no more: its giver decides anew, and
/// what they said before stays in the record.
fn once(draft: &Draft<'_>, caller: &Caller, decision: Decision) -> Result<(), Refusal> {
    let given = draft.case.approvals.iter().filter(|a| a.person == caller.person.id && a.decision == Decision::Approve).count();
    if decision == Decision::Approve && given >= MAX_APPROVALS_EACH {
        // By one's own approvals alone: nobody takes another's room, and denying, which ends the case, always has some.
        return Err(Refusal::Limit { what: "How often one person approves a case", limit: MAX_APPROVALS_EACH });
    }
    let seal = draft.case.seal.as_ref().map(|s| s.sha256);
    let stands = draft.case.live_approvals().any(|a| Some(a.seal) == seal && a.person == caller.person.id);
    match (stands, decision) {
        (false, _) => Ok(()),
        (true, Decision::Approve) => Err(Refusal::Already("You have approved this seal already; a person counts once.".to_owned())),
        (true, Decision::Deny) => Err(Refusal::Already("You approved this seal; take that back first.".to_owned())),
    }
}

/// Takes one's approval back, until execution begins.
pub(super) fn take_back(draft: &mut Draft<'_>, reason: &TextRef) -> Result<(), Refusal> {
    let caller = actor::operator(&draft.world.register, draft.ctx, draft.code)?;
    let mine: std::collections::BTreeSet<_> = draft.case.live_approvals().filter(|a| a.person == caller.person.id).map(|a| a.id.clone()).collect();
    let given = draft.case.approvals.iter().any(|a| a.person == caller.person.id);
    if !given {
        return Err(not_permitted(draft.code, "an approval of your own"));
    }
    draft.stands(&[CaseState::Sealed, CaseState::Approved])?;
    if mine.is_empty() {
        return Err(Refusal::Already("Your approval no longer counts.".to_owned()));
    }
    draft.push(CaseEvent::Commented { text: reason.clone() });
    draft.push(CaseEvent::ApprovalsVoided { approvals: mine, why: VoidReason::TakenBack });
    if draft.case.state == CaseState::Approved && !draft.quorum() {
        draft.await_approval();
    }
    Ok(())
}
