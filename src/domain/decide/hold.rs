//! Freezing a case, lifting the freeze, and noting anomalies.
//!
//! Contract: a hold lies over any state, ended ones too, and ends whatever access lives. Lifting takes a security person outside the lineage, a
//! reason, and contact made since on another channel; what else was sent to make contact serves nothing afterwards. A flag voids by itself only
//! if it raises the requirement (invariant 4).

use std::collections::BTreeSet;

use super::actor;
use super::draft::Draft;
use super::execute::end_grants;
use super::proof::left;
use crate::base::ids::SessionId;
use crate::domain::case::{ActorRef, Flag, GrantEnd, Hold, ProofSession, SessionOutcome, TextRef, VoidReason, Worker};
use crate::domain::elsewhere::Elsewhere;
use crate::domain::event::CaseEvent;
use crate::domain::refusal::{Act, Refusal};
use crate::domain::seal;
use crate::domain::vocabulary::{CaseState, FlagKind, HoldSource, Method};

/// Freezes.
pub(super) fn hold(draft: &mut Draft<'_>, source: HoldSource, reason: Option<&TextRef>) -> Result<(), Refusal> {
    match (source, &draft.ctx.actor.who) {
        // "This wasn't me" comes through a notice's word, which can cause a hold and nothing else (invariant 13).
        (HoldSource::NotMe, ActorRef::Subject { .. } | ActorRef::System { worker: Worker::Notices })
        | (HoldSource::Policy, ActorRef::System { .. }) => {}
        (HoldSource::Security, _) => {
            actor::role(&draft.world.register, draft.ctx, draft.code, actor::SECURITY)?;
        }
        _ => return Err(actor::not_permitted(draft.code, "security, or the subject's own word")),
    }
    if let Some(hold) = &draft.case.hold {
        if source != HoldSource::NotMe || hold.source == HoldSource::NotMe {
            return Err(Refusal::Already("The case is held already.".to_owned()));
        }
        // The subject's own word outweighs whatever froze it before: security sees it, and contact made before it lifts nothing.
        let before = hold.clone();
        super::proof::end_contact(draft, &before);
        let hold = Hold { source, reason: before.reason, since: draft.now(), escalated_at: None };
        draft.push(CaseEvent::Held { hold });
        if draft.case.times.due.is_none() {
            // Its time ran out before: this word is nobody's yet, and escalates in its own time.
            let due = draft.now() + draft.requirement().deadlines.hold.duration();
            draft.push(CaseEvent::ClockResumed { due });
        }
        return Ok(());
    }
    freeze(draft, Hold { source, reason: reason.cloned(), since: draft.now(), escalated_at: None });
    Ok(())
}

/// Puts a freeze over the case: its clock stops, its grants end, the hold's own clock runs.
pub(super) fn freeze(draft: &mut Draft<'_>, hold: Hold) {
    if let Some(due) = draft.case.times.due {
        draft.push(CaseEvent::ClockPaused { left: left(due, draft.now()) });
    }
    draft.push(CaseEvent::Held { hold });
    end_grants(draft, GrantEnd::Held);
    let due = draft.now() + draft.requirement().deadlines.hold.duration();
    draft.push(CaseEvent::ClockResumed { due });
}

/// Takes over what another log of the same case tells of: whoever had a hand in it has one still, ended or not (cases that are linked with it
/// inherit it), no reference towards a target is used a second time, what a target may hold of it is taken back, and as nobody can tell here what
/// else had happened, it is held unless nothing of it lives any more.
pub(super) fn take_over(draft: &mut Draft<'_>, there: &Elsewhere) -> Result<(), Refusal> {
    if !matches!(draft.ctx.actor.who, ActorRef::System { worker: Worker::Host }) {
        return Err(actor::not_permitted(draft.code, "the host's command line"));
    }
    let sealed = matches!(draft.case.state, CaseState::Sealed | CaseState::Approved);
    let path = draft.case.route.path;
    draft.grow_as_known(&there.hands, &there.lineage);
    if sealed && draft.case.route.path != path {
        draft.unseal(VoidReason::RosterChanged);
    }
    let news = |a: &u32| there.ended.contains(a) && !draft.case.there.ended.contains(a);
    let ended: BTreeSet<u32> = draft.case.executions.iter().filter(|run| run.outcome.is_none()).map(|run| run.attempt).filter(news).collect();
    if there.attempts > draft.case.attempts() || !ended.is_empty() {
        draft.push(CaseEvent::AttemptsKnown { attempts: there.attempts, ended });
    }
    for order in &there.orders {
        // What is known here comes to its end here.
        if !draft.case.knows_order(order.attempt) {
            draft.push(CaseEvent::OrderTakenOver { order: order.clone() });
        }
    }
    let lives = match draft.case.state {
        CaseState::Restored => draft.case.live_grants().next().is_some(),
        state => !state.is_ended(),
    };
    if lives && draft.case.hold.is_none() {
        freeze(draft, Hold { source: HoldSource::Restore, reason: None, since: draft.now(), escalated_at: None });
    }
    Ok(())
}

/// Lifts the freeze.
pub(super) fn lift(draft: &mut Draft<'_>, reason: &TextRef, contact: &SessionId) -> Result<(), Refusal> {
    let caller = actor::role(&draft.world.register, draft.ctx, draft.code, actor::SECURITY)?;
    draft.outside_lineage(Act::LiftHold, &caller.person.id)?;
    let Some(hold) = draft.case.hold.clone() else {
        return Err(Refusal::Already("The case is not held.".to_owned()));
    };
    // Sessions never go to the endpoint that carried the request: one opened since the hold is contact on another channel. Nobody is reached
    // by a fact that the server looks up, nor by one's own word.
    let someone =
        |s: &ProofSession| !matches!(s.method, Method::DirectoryFact | Method::ManagedDevice) && s.attester.as_ref() != Some(&caller.person.id);
    let reached = |s: &ProofSession| s.opened_at >= hold.since && s.outcome == Some(SessionOutcome::Proved) && someone(s);
    if !draft.case.sessions.get(contact).is_some_and(reached) {
        let why = "reach the subject or its owner first, in a session opened since the hold".to_owned();
        return Err(Refusal::Invalid { field: "contact_session", why });
    }
    super::proof::end_contact(draft, &hold);
    draft.push(CaseEvent::HoldLifted { reason: reason.clone(), contact: contact.clone() });
    super::proof::resume(draft);
    if draft.case.state == CaseState::Approved {
        let not_before = draft.case.times.execute_after.map_or(draft.now(), |t| t.max(draft.now()));
        draft.push(CaseEvent::ExecutionScheduled { not_before, again: None });
    }
    draft.seal_by_itself()
}

/// Notes an anomaly.
pub(super) fn flag(draft: &mut Draft<'_>, kind: FlagKind) -> Result<(), Refusal> {
    if !matches!(draft.ctx.actor.who, ActorRef::System { .. }) {
        actor::role(&draft.world.register, draft.ctx, draft.code, actor::STAFF)?;
    }
    if draft.case.has_flag(kind) {
        return Err(Refusal::Already("This is flagged already.".to_owned()));
    }
    let before = draft.requirement();
    let flag = Flag { kind, by: draft.ctx.actor.who.clone(), at: draft.now(), case: None };
    draft.push(CaseEvent::Flagged { flag });
    let sealed = matches!(draft.case.state, CaseState::Sealed | CaseState::Approved);
    if sealed && draft.requirement() != before && seal::broken(&draft.world, draft.now()).contains(&"requirement") {
        draft.unseal(VoidReason::Flagged);
    }
    Ok(())
}
