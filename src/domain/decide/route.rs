//! Triage, the finding that nothing is to be recovered, and routing.
//!
//! Contract: triage names the failure before anything is gathered; a fault that is none of the identity's goes no further. Routing again
//! voids every approval not yet executed ("approve first, route later" fails), and what is sealed is routed only by a human. What was proved
//! for one thing serves no other.

use super::actor::{self, hands};
use super::draft::Draft;
use crate::base::ids::PersonId;
use crate::domain::bounds::MAX_ROUTED_BEFORE_SOFTWARE;
use crate::domain::case::{ActorRef, MAX_TURNS, Route, TextRef, Triage, VoidReason};
use crate::domain::event::CaseEvent;
use crate::domain::refusal::Refusal;
use crate::domain::register::Scope;
use crate::domain::vocabulary::{CaseState, Duty, FailureType, Path};

/// How often a case may have been sent to something else before software sends it nowhere else any more: what steers it could use up all of
/// [`MAX_TURNS`], and have the subject written to each time.
const MAX_TURNS_BEFORE_SOFTWARE: usize = 3;
const BY_ITSELF: &str = "What was routed by hand is worked by staff from then on, and it is: for one that runs by itself open another case.";

const fn nothing_to_recover(failure: FailureType) -> bool {
    matches!(failure, FailureType::LocalConfiguration | FailureType::Outage | FailureType::AuthenticatorRemains)
}

/// Says what failed, how it was reproduced, and who owns triage and remedy.
pub(super) fn triage(draft: &mut Draft<'_>, failure: FailureType, reproduction: &TextRef, owners: [&PersonId; 2]) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS)?;
    draft.not_held()?;
    draft.stands(&[CaseState::New, CaseState::Proofing])?;
    for (field, owner) in ["triage_owner", "remedy_owner"].into_iter().zip(owners) {
        if !draft.world.register.persons.contains_key(owner) {
            return Err(Refusal::Invalid { field, why: format!("{owner} is not known") });
        }
    }
    Draft::again("How often a case is triaged", draft.case.worked.triaged)?;
    let [triage_owner, remedy_owner] = owners.map(Clone::clone);
    let by = draft.ctx.actor.who.clone();
    let triage = Triage { failure, reproduction: reproduction.clone(), triage_owner, remedy_owner, by: by.clone(), at: draft.now() };
    draft.push(CaseEvent::Triaged { triage });
    draft.grow(hands(&by, Duty::EvidenceEditor, draft.now()));
    let deadlines = draft.requirement().deadlines;
    match (draft.case.state, nothing_to_recover(failure)) {
        (CaseState::New, false) => draft.go(CaseState::Proofing, Some(deadlines.proofing)),
        (CaseState::Proofing, true) => draft.go(CaseState::New, Some(deadlines.triage)),
        _ => {}
    }
    Ok(())
}

/// Ends it: triage found a local fault, an outage, or another authenticator that still works. What is to be recovered ends some other way.
pub(super) fn no_change_needed(draft: &mut Draft<'_>, reason: &TextRef) -> Result<(), Refusal> {
    actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS)?;
    draft.not_held()?;
    draft.stands(&[CaseState::New, CaseState::Proofing])?;
    let found = draft.case.triage.as_ref().map(|t| t.failure);
    if !found.is_some_and(nothing_to_recover) {
        let why = found.map_or_else(
            || {
                "Triage it first: only a local configuration fault, an outage or another authenticator that still works leaves nothing to recover."
                    .to_owned()
            },
            |found| {
                format!("Triage found: {}. That is to be recovered: triage it anew if it was something else, or withdraw the request.", found.label())
            },
        );
        return Err(Refusal::Already(why));
    }
    draft.push(CaseEvent::Commented { text: reason.clone() });
    draft.go(CaseState::NoChangeNeeded, None);
    Ok(())
}

/// Sends it another way. What was proved for something else counts no more, and its subject is told anew. Nothing that staff or software sent
/// another way runs by itself: whoever routes would decide.
pub(super) fn route(draft: &mut Draft<'_>, asked: &Route) -> Result<(), Refusal> {
    const OPEN: &[CaseState] = &[CaseState::New, CaseState::Proofing];
    const ALL: &[CaseState] = &[CaseState::New, CaseState::Proofing, CaseState::Sealed, CaseState::Approved, CaseState::Failed];
    let states = match &draft.ctx.actor.who {
        ActorRef::Automation { .. } => actor::automation(&draft.world.register, draft.ctx, draft.code, Scope::Route).map(|_| OPEN)?,
        _ => actor::role(&draft.world.register, draft.ctx, draft.code, actor::AGENTS).map(|_| ALL)?,
    };
    draft.not_held()?;
    draft.stands(states)?;
    super::execute::nothing_to_take_back(draft)?;
    let path = if asked.path.runs_itself() { Path::Assisted } else { asked.path };
    for taken in [asked.path, path].into_iter().filter(|taken| *taken != draft.case.route.path) {
        // Else a path that one may not start could be reached by way of one that one may.
        super::open::permitted(&draft.world, draft.code, taken, Scope::Route, draft.ctx)?;
    }
    let route = &Route { path, ..asked.clone() };
    if *route == draft.case.route {
        let why = if route == asked { "The case goes that way already." } else { BY_ITSELF };
        return Err(Refusal::Already(why.to_owned()));
    }
    if route.subject != draft.case.route.subject {
        return Err(Refusal::Invalid { field: "subject", why: "a case keeps its subject; open another one".to_owned() });
    }
    draft.recoverable(route)?;
    often(draft)?;
    let elsewhere = !route.is_within(&draft.case.route);
    if elsewhere {
        bounded(draft)?;
    }
    let sealed = !OPEN.contains(&draft.case.state);
    draft.void(VoidReason::Reopened);
    if elsewhere {
        super::proof::rerouted(draft);
    }
    draft.push(CaseEvent::Routed { route: route.clone() });
    draft.grow(hands(&draft.ctx.actor.who, Duty::Router, draft.now()));
    if sealed {
        draft.unseal(VoidReason::Reopened);
    } else {
        // A subject whose session is over is not waited for.
        super::proof::resume(draft);
    }
    draft.look_ahead();
    Ok(())
}

/// That it may be routed once more at all. Software leaves half of that to the staff.
fn often(draft: &Draft<'_>) -> Result<(), Refusal> {
    let routed = draft.case.worked.routed;
    if matches!(draft.ctx.actor.who, ActorRef::Automation { .. }) && routed >= MAX_ROUTED_BEFORE_SOFTWARE {
        let what = "How often a case may have been routed before software does so (staff still can)";
        return Err(Refusal::Limit { what, limit: MAX_ROUTED_BEFORE_SOFTWARE });
    }
    Draft::again("How often a case is routed", routed)
}

/// That it may be sent to something else once more.
fn bounded(draft: &Draft<'_>) -> Result<(), Refusal> {
    let (what, limit) = match draft.ctx.actor.who {
        ActorRef::Automation { .. } => {
            ("How often a case may have been sent to something else before software does so (staff still can)", MAX_TURNS_BEFORE_SOFTWARE)
        }
        _ => ("How often a case may be sent to something else", MAX_TURNS),
    };
    if draft.case.turns.len() >= limit { Err(Refusal::Limit { what, limit }) } else { Ok(()) }
}
