//! The next step of a case: one sentence that says what it waits for now, and whom.
//!
//! Contract: pure; true in every state, held and ended ones too. Names accounts, persons and endpoints by id only. Knows no screens.

use super::case::{Case, ExecutionOutcome, Hold, ProofSession, SessionOutcome};
use super::checklist::{self, Item, Progress};
use super::command::World;
use super::dates;
use super::grant::Given;
use super::refusal::CouldDecide;
use super::requirement::{ApprovalNeed, Requirement};
use super::vocabulary::{CaseState, FailureReason, FailureType, Method};
use crate::base::Time;
use crate::base::ids::{EndpointId, OperatorId, PersonId, SessionId};

/// How many of those who could act are named.
const NAMED: usize = 3;

/// What a case waits for; `could` says who could decide it.
pub fn step(world: &World, progress: &Progress, could: &CouldDecide, now: Time) -> String {
    let Some(case) = world.case.as_deref() else { return "open the case".to_owned() };
    if let Some(hold) = &case.hold {
        return held(case, hold, now);
    }
    let step = moving(world, case, (progress, could), now);
    let before_it = matches!(case.state, CaseState::New | CaseState::Proofing | CaseState::Sealed | CaseState::Approved | CaseState::Failed);
    match case.left_standing().filter(|_| before_it && case.not_undone().is_none()) {
        Some(run) => format!("have attempt {} undone there by hand, for the target did not confirm that it is; {step}", run.attempt),
        None => step,
    }
}

/// What a case waits for that nothing holds.
fn moving(world: &World, case: &Case, (progress, could): (&Progress, &CouldDecide), now: Time) -> String {
    let need = checklist::requirement(world);
    match case.state {
        CaseState::New => triage(case),
        CaseState::Proofing => proofing(world, progress, &need, could, now),
        CaseState::Sealed => sealed(world, case, &need, could, now),
        CaseState::Approved => match case.times.execute_after.filter(|t| *t > now) {
            Some(then) => format!("wait until {}: approvers can take an approval back, the subject can object", minute(then)),
            None if case.taking_back() => format!("{TAKING_BACK}; then the server carries it out"),
            None => "wait for the server to carry it out".to_owned(),
        },
        CaseState::Executing if undoing(case) => "wait for the target to undo it".to_owned(),
        CaseState::Executing => "wait for the target".to_owned(),
        CaseState::Restored => restored(case, &need),
        CaseState::Failed => failed(case),
        CaseState::Denied | CaseState::Withdrawn | CaseState::Expired => {
            format!("nothing: it is {}; another try is a new case, linked to this one", case.state.label())
        }
        CaseState::Closed | CaseState::NoChangeNeeded | CaseState::RolledBack => format!("nothing: it is {}", case.state.label()),
    }
}

fn held(case: &Case, hold: &Hold, now: Time) -> String {
    let step = held_step(case, hold, now);
    match case.carried_out() {
        Some((_, true)) => format!("see whether it is to be rolled back, for it was carried out; {step}"),
        Some((Given::Standing, false)) => {
            format!("it was carried out and the target can't undo it: have the account suspended or its credential replaced; {step}")
        }
        _ => step,
    }
}

fn held_step(case: &Case, hold: &Hold, now: Time) -> String {
    let since = || case.sessions.values().filter(|s| s.opened_at >= hold.since);
    if since().any(|s| s.outcome == Some(SessionOutcome::Proved)) {
        return "lift the hold: contact was made since; it takes someone of security who had no hand in the case".to_owned();
    }
    match case.waiting(now).map(|(_, s)| s).find(|s| s.opened_at >= hold.since) {
        Some(open) => format!("{}; then security can lift the hold", wait(open)),
        None => "wait for security to reach the subject on another channel and lift the hold".to_owned(),
    }
}

fn triage(case: &Case) -> String {
    match &case.triage {
        None => "triage it: say what failed, and how that was reproduced".to_owned(),
        Some(t) if t.failure == FailureType::AuthenticatorRemains => {
            "end it as \"no change needed\": another authenticator still works; or triage it again".to_owned()
        }
        Some(t) => format!("end it as \"no change needed\": {}; or triage it again", t.failure.label()),
    }
}

fn proofing(world: &World, progress: &Progress, need: &Requirement, could: &CouldDecide, now: Time) -> String {
    let another = |item: &Item| {
        let was_for_another = |c: &Case| c.receipts.iter().any(|r| c.is_for_another(r) && item.methods.contains(&r.method));
        world.case.as_deref().is_some_and(was_for_another)
    };
    match progress.items.iter().find(|i| i.receipt.is_none()) {
        Some(item) if another(item) => {
            format!("{} (what was proved before the case was sent elsewhere counts no more)", missing(world, item, now))
        }
        Some(item) => missing(world, item, now),
        None if !progress.complete => "route it another way: no proof could meet what policy asks here".to_owned(),
        None if !could.enough => nobody(could),
        None => format!("request approval: {}", approvals(&need.approvals)),
    }
}

fn missing(world: &World, item: &Item, now: Time) -> String {
    let Some(case) = world.case.as_deref() else { return "open the case".to_owned() };
    if let Some((_, session)) = case.waiting(now).find(|(_, s)| item.methods.contains(&s.method)) {
        return wait(session);
    }
    if let Some(again) = unsent(case, item, now) {
        return again;
    }
    let title = item.methods.iter().map(|m| m.label()).collect::<Vec<_>>().join(" or ");
    match item.startable.first() {
        Some((method, endpoint, attester)) => start(*method, endpoint.as_ref(), attester.as_ref()),
        // In this case that stays so.
        None if dates::only_too_young(world, &item.methods, now) => format!(
            "withdraw it, and open another once the record is old enough: what could serve for {title} was recorded too shortly before the request, \
             or after it"
        ),
        None => format!("find a way to {title}: no recorded address or person can serve now"),
    }
}

/// What to do about a message that reached nobody: another way if there is one, or the same again.
fn unsent(case: &Case, item: &Item, now: Time) -> Option<String> {
    let open = |(_, s): &(&SessionId, &ProofSession)| item.methods.contains(&s.method) && s.outcome.is_none() && s.expires_at > now;
    let (sent, session) = case.sessions.iter().filter(open).find_map(|(id, s)| Some((case.unsent(id)?, s)))?;
    let same =
        |(method, endpoint, attester): &&checklist::Way| *method == session.method && *endpoint == session.endpoint && *attester == session.attester;
    let elsewhere = |(_, endpoint, attester): &&checklist::Way| *endpoint != session.endpoint || *attester != session.attester;
    let other = item.startable.iter().find(elsewhere).or_else(|| item.startable.iter().find(|way| !same(way)));
    let next = match (other, item.startable.iter().find(same)) {
        (Some((method, endpoint, attester)), again) => {
            format!("{}{}", start(*method, endpoint.as_ref(), attester.as_ref()), if again.is_some() { ", or start the same again" } else { "" })
        }
        (None, Some((method, endpoint, attester))) => format!("{} again", start(*method, endpoint.as_ref(), attester.as_ref())),
        (None, None) => "find another way".to_owned(),
    };
    Some(format!("{next}: {}", sent.sentence()))
}

fn wait(session: &ProofSession) -> String {
    let whom = session.attester.as_ref().map_or_else(|| "the subject".to_owned(), ToString::to_string);
    format!("wait for {whom}: {}, until {}", session.method.label(), minute(session.expires_at))
}

fn sealed(world: &World, case: &Case, need: &Requirement, could: &CouldDecide, now: Time) -> String {
    let lapsed = checklist::lapsed(world, now);
    if !lapsed.is_empty() {
        let words: Vec<&str> = lapsed.iter().map(|m| m.label()).collect();
        return format!("open it again and prove anew: {} no longer counts", words.join(", "));
    }
    if !could.enough {
        return nobody(could);
    }
    let lacking = &could.lacking;
    let helps: Vec<OperatorId> = could.on_shift.iter().filter(|o| lacking.nearer.contains(o)).cloned().collect();
    let who = match (helps.as_slice(), lacking.nearer.as_slice()) {
        ([], all) => format!("{}; none is on shift", named(all)),
        (on_shift, _) => format!("{}, on shift", named(on_shift)),
    };
    let need = approvals(&need.approvals);
    match (case.live_approvals().count(), lacking.persons) {
        (0, _) => format!("wait for approval by {need}: {who}"),
        (_, 1) => format!("wait for 1 more approval (needed: {need}): {who}"),
        (_, n) => format!("wait for {n} more approvals (needed: {need}): {who}"),
    }
}

fn restored(case: &Case, need: &Requirement) -> String {
    if need.review && case.reviews.is_empty() {
        return "wait for a security reviewer who neither had a hand in it nor approved it to look back".to_owned();
    }
    match case.live_grants().map(|g| g.expires_at).min() {
        Some(then) => format!("close it; its temporary access ends then, at the latest at {}", minute(then)),
        None => "close it".to_owned(),
    }
}

const TAKING_BACK: &str = "wait for the target to confirm that nothing is left of what it gave, or may have given";

fn failed(case: &Case) -> String {
    if case.taking_back() {
        return format!("{TAKING_BACK}; or withdraw it");
    }
    // What was to be undone comes first, whatever was tried after it; else the attempt that ended last.
    let last = case.not_undone().or_else(|| case.executions.iter().max_by_key(|e| (e.ended_at, e.attempt)));
    let reason = last.and_then(|e| match &e.outcome {
        Some(ExecutionOutcome::Failed { reason }) => Some(*reason),
        _ => None,
    });
    match reason {
        Some(FailureReason::NoLongerAllowed) => "open it again: what allowed it no longer holds".to_owned(),
        Some(reason @ (FailureReason::NotUndone | FailureReason::UndoUnknown)) => {
            format!("{}: roll it back again, or undo it there by hand and withdraw it", reason.label())
        }
        Some(reason) => format!("{}: try again, open it again, or withdraw it", reason.label()),
        None => "try again, open it again, or withdraw it".to_owned(),
    }
}

fn undoing(case: &Case) -> bool {
    case.undoing.is_some()
}

fn nobody(could: &CouldDecide) -> String {
    format!("no one could decide it: {}", super::decide::what_would_help(could))
}

fn named(operators: &[OperatorId]) -> String {
    let names: Vec<&str> = operators.iter().take(NAMED).map(OperatorId::as_str).collect();
    match operators.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        1 => format!("{} and 1 other", names.join(", ")),
        more => format!("{} and {more} others", names.join(", ")),
    }
}

fn minute(at: Time) -> String {
    at.format("%d %b %H:%MZ").to_string()
}

/// What starts a proof, in words.
pub fn start(method: Method, endpoint: Option<&EndpointId>, attester: Option<&PersonId>) -> String {
    match (method, endpoint, attester) {
        (Method::IssuedCode, Some(e), _) => format!("send a code to the recorded address {e}"),
        (_, _, Some(who)) => format!("ask {who} to attest"),
        (method, Some(e), _) => format!("ask for {} at {e}", method.label()),
        (method, ..) => format!("ask for {}", method.label()),
    }
}

/// Approvals needed, in words.
pub fn approvals(need: &ApprovalNeed) -> String {
    let persons = if need.count == 1 { "1 person".to_owned() } else { format!("{} persons", need.count) };
    let groups = need.groups.iter().map(|(g, n)| format!(", {n} of {g}"));
    let other = need.other_employer.then(|| ", one with another employer".to_owned());
    let signed = need.signature.then(|| ", signed".to_owned());
    std::iter::once(persons).chain(groups).chain(other).chain(signed).collect()
}
