//! What happened to a case, in the words of those who read it.
//!
//! Contract: made of codes, ids, numbers and times only, as the entries are (invariant 9). A person is always "person p-...", so that whoever may
//! know the name can put it there ([`crate::api::lists::named`]). What has no sentence here is told by its facts.

use crate::base::Time;
use crate::base::ids::PersonId;
use crate::domain::case::{ActorRef, ExecutionOutcome, LineageEntry, ProofSession, Request, Requester, Route, SessionOutcome, VoidReason};
use crate::domain::event::CaseEvent;
use crate::domain::vocabulary::{CaseState, Decision};

/// The most persons one sentence names.
const NAMED: usize = 4;

/// The sentence about an event, if it has one.
pub(super) fn sentence(event: &CaseEvent) -> Option<String> {
    work(event).or_else(|| proof(event)).or_else(|| decision(event))
}

pub(super) fn minute(at: Time) -> String {
    at.format("%d %b %H:%MZ").to_string()
}

fn opened(route: &Route, request: &Request) -> String {
    let who = match &request.requester {
        Requester::Subject => "the subject".to_owned(),
        Requester::Person(person) => format!("person {person}"),
        Requester::Automation(automation) => format!("the automation {automation}"),
        Requester::Unknown => "someone unknown".to_owned(),
    };
    format!("opened for {}: {}; asked by {who}, by {}", route.subject, way(route), request.channel.label())
}

fn way(route: &Route) -> String {
    let scope: Vec<String> = route.scope.iter().map(ToString::to_string).collect();
    format!("{} in {} for {}, {}", route.action.label(), route.target, scope.join(", "), route.path.label())
}

fn lineage<'a>(entries: impl ExactSizeIterator<Item = &'a LineageEntry>) -> String {
    let more = entries.len().saturating_sub(NAMED);
    let mut named: Vec<String> = Vec::new();
    for entry in entries {
        let case = entry.case.map(|c| format!(" (in {c})")).unwrap_or_default();
        let text = format!("person {} {}{case}", entry.person, entry.duty.label());
        if named.len() < NAMED && !named.contains(&text) {
            named.push(text);
        }
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("these can't decide it from now on: {}{more}", named.join("; "))
}

/// Who works on it and how it goes on.
fn work(event: &CaseEvent) -> Option<String> {
    Some(match event {
        CaseEvent::Opened { route, request, .. } => opened(route, request),
        CaseEvent::LineageGrew { lineage: entries, .. } if !entries.is_empty() => lineage(entries.iter()),
        CaseEvent::Triaged { triage } => {
            format!(
                "triaged: {}; triage lies with person {}, the remedy with person {}",
                triage.failure.label(),
                triage.triage_owner,
                triage.remedy_owner
            )
        }
        CaseEvent::Routed { route } => format!("routed another way: {}; what was proved for anything else counts no more", way(route)),
        CaseEvent::StateChanged { to, due: Some(due), used: None } => format!("is {} now, due {}", to.label(), minute(*due)),
        CaseEvent::StateChanged { to, due: Some(due), used: Some(used) } => {
            format!("is {} again, due {}: {} of the time for that were used before", to.label(), minute(*due), span(used.0))
        }
        // Whose word it is by stands in the entry before it: not everybody who brings a case here approved it.
        CaseEvent::StateChanged { to: CaseState::Approved, due: None, .. } => "the case stands as approved".to_owned(),
        CaseEvent::StateChanged { to, due: None, .. } => format!("is {} now", to.label()),
        CaseEvent::Assigned { operator: Some(operator) } => format!("given to {operator}"),
        CaseEvent::Assigned { operator: None } => "let go: with nobody now".to_owned(),
        CaseEvent::HandedOver { .. } => "left a note for whoever is next".to_owned(),
        CaseEvent::Commented { .. } => "commented".to_owned(),
        CaseEvent::EvidenceAdded { evidence } => format!("kept evidence: {}", evidence.kind.label()),
        CaseEvent::ClockPaused { left } => format!("the deadline stands still while the subject is waited for; {} are left", span(left.0)),
        CaseEvent::ClockResumed { due } => format!("the deadline runs again: due {}", minute(*due)),
        CaseEvent::Escalated { hold: false } => "the deadline passed: escalated".to_owned(),
        CaseEvent::Escalated { hold: true } => "nobody lifted the hold in time: escalated".to_owned(),
        CaseEvent::Held { hold } => format!("frozen by {}", hold.source.label()),
        CaseEvent::HoldLifted { .. } => "the freeze is lifted".to_owned(),
        // What the server noticed while somebody did something was not flagged by them.
        CaseEvent::Flagged { flag } if matches!(flag.by, ActorRef::System { .. }) => format!("the server noticed: {}", flag.kind.label()),
        CaseEvent::Flagged { flag } => format!("flagged: {}", flag.kind.label()),
        CaseEvent::FlagLowered { kind } => format!("no longer flagged: {}", kind.label()),
        CaseEvent::Reviewed { review } => format!("looked back: {}", if review.in_order { "in order" } else { "not in order" }),
        _ => return None,
    })
}

fn session(proof: &ProofSession) -> String {
    match (&proof.endpoint, &proof.attester) {
        (_, Some(person)) => format!("asked person {person}: {}", proof.method.label()),
        (Some(endpoint), None) => format!("sent to {endpoint}: {}", proof.method.label()),
        (None, None) => format!("asked for: {}", proof.method.label()),
    }
}

/// How it is proved.
fn proof(event: &CaseEvent) -> Option<String> {
    Some(match event {
        CaseEvent::SessionOpened { proof, .. } => session(proof),
        CaseEvent::MessageSent { sent } => sent.sentence(),
        CaseEvent::AttemptFailed { .. } => "a wrong code was typed".to_owned(),
        CaseEvent::SessionEnded { outcome, .. } => match outcome {
            SessionOutcome::Proved => "what was sent is used up: proved",
            SessionOutcome::Declined => "who was asked said no",
            SessionOutcome::Exhausted => "too many wrong tries: what was sent is void",
            SessionOutcome::Superseded => "what was sent is void: another was sent, or the hold that it was sent over is over",
            SessionOutcome::Rerouted => "what was sent is void by the routing, and nobody is waited for: something else is asked for now",
        }
        .to_owned(),
        CaseEvent::Proved { receipt } => format!("proved: {}, counts until {}", receipt.method.label(), minute(receipt.valid_until)),
        _ => return None,
    })
}

/// How it is decided and carried out.
fn decision(event: &CaseEvent) -> Option<String> {
    Some(match event {
        CaseEvent::Sealed { seal, .. } => format!("sealed, revision {}: approval is asked for", seal.revision),
        CaseEvent::Reopened { .. } => "opened the sealed case again".to_owned(),
        CaseEvent::Decided { approval } => match approval.decision {
            Decision::Approve => "approved".to_owned(),
            Decision::Deny => "denied".to_owned(),
        },
        CaseEvent::ApprovalsVoided { approvals, why } => match approvals.len() {
            1 => format!("1 approval is void: {}", voided(*why)),
            n => format!("{n} approvals are void: {}", voided(*why)),
        },
        CaseEvent::ExecutionScheduled { again: Some(by), .. } => {
            let who: Vec<String> = by.iter().map(|p| format!("person {p}")).collect();
            match who.as_slice() {
                [] => "had it carried out again, as it was sealed".to_owned(),
                [one] => format!("had it carried out again; the approval of {one} stands"),
                all => format!("had it carried out again; the approvals of {} stand", all.join(" and ")),
            }
        }
        CaseEvent::ExecutionScheduled { not_before, again: None } => format!("to be carried out as approved, from {} on", minute(*not_before)),
        CaseEvent::ExecutionStarted { execution } => format!("carrying out, attempt {}", execution.attempt),
        CaseEvent::ExecutionEnded { attempt, outcome } => format!("attempt {attempt}: {}", ended(outcome)),
        CaseEvent::Granted { grant } => {
            let scope: Vec<String> = grant.scope.iter().map(ToString::to_string).collect();
            format!("temporary access {}: {}, until {}", grant.id, scope.join(", "), minute(grant.expires_at))
        }
        CaseEvent::GrantEnding { grant, why, .. } => format!("temporary access {grant} is to end: {}", why.label()),
        CaseEvent::GrantRevoked { grant } => format!("temporary access {grant} is gone: the target confirmed it"),
        CaseEvent::Refused { refusal, .. } if refusal == "wrong-word" => "a wrong word was typed to say \"this wasn't me\"".to_owned(),
        CaseEvent::RollBackAsked { attempt, .. } => format!("asked for attempt {attempt} to be undone"),
        CaseEvent::TakingBack { attempt } => format!("the target is to take back whatever attempt {attempt} gave: ordered until it confirms"),
        CaseEvent::TakenBack { attempt } => format!("the target confirmed that nothing is left of attempt {attempt}"),
        CaseEvent::AttemptsKnown { attempts, ended } => {
            let begun = format!("attempts up to {attempts} were begun in the database that a restore replaced");
            let asked = |a: &u32| format!("; attempt {a} had ended there: the target is asked what became of it, and nothing is ordered again");
            std::iter::once(begun).chain(ended.iter().map(asked)).collect()
        }
        CaseEvent::OrderTakenOver { order } => {
            let (attempt, target) = (order.attempt, &order.plan.target);
            format!("attempt {attempt} was ordered in the database that a restore replaced: {target} is told to take back what it may have given")
        }
        CaseEvent::Restricted { until } => format!("a further recovery of the subject is held until {}, after this privileged one", minute(*until)),
        CaseEvent::Refused { command, refusal, person } => refused(command, refusal, person.as_ref()),
        _ => return None,
    })
}

/// That someone was refused, what, and why; the code stands last, for those who look for it.
pub(super) fn refused(command: &str, code: &str, person: Option<&PersonId>) -> String {
    let who = person.map(|p| format!(" to person {p}")).unwrap_or_default();
    let what = command.trim_start_matches("case_").trim_start_matches("approval_").replace('_', " ");
    format!("refused{who}: {what}; {} ({code})", because(code))
}

/// Why someone is refused, by its code.
pub(super) fn because(code: &str) -> String {
    match code {
        "separation-of-duties" => "they have a hand in it",
        "not-permitted" => "their account does not do that",
        "role-missing" => "their role does not do that",
        "wrong-state" => "it had no place there then",
        "held" => "it was frozen",
        "stale-seal" | "stale" => "it had changed meanwhile",
        "statement-expired" => "the statement's time was over",
        "proof-expired" => "the proof counted no more",
        "stopped" => "another case of the subject was held",
        "checklist-incomplete" => "something was not proved yet",
        "deadlock" => "nobody could have decided it",
        "scope-exceeds" => "it asked for more than was held before",
        "not-recoverable" => "that can't be recovered",
        "endpoint-unusable" => "that address can't serve",
        "too-young" => "what it rests on was recorded too shortly before the request",
        "method-unusable" => "there is nothing to prove it by that way",
        "too-many-attempts" | "limit" => "it was too often",
        "session-ended" => "that was over",
        "signature-missing" => "it was not signed",
        "already" => "it was so already",
        "too-early" => "it was too early",
        "unknown" => "there is no such thing",
        "invalid" => "it made no sense",
        "second-person" => "someone else must do it",
        other => return other.replace('-', " "),
    }
    .to_owned()
}

const fn voided(why: VoidReason) -> &'static str {
    match why {
        VoidReason::TakenBack => "taken back",
        VoidReason::Reopened => "opened again or routed another way",
        VoidReason::RosterChanged => "who may decide, or what is needed, changed",
        VoidReason::Flagged => "a flag raised what is needed",
        VoidReason::Expired => "their time ran out",
    }
}

fn ended(outcome: &ExecutionOutcome) -> String {
    match outcome {
        ExecutionOutcome::Restored { scope } => {
            let scope: Vec<String> = scope.iter().map(ToString::to_string).collect();
            format!("restored and verified, the target holds {}", scope.join(", "))
        }
        ExecutionOutcome::Failed { reason } => format!("failed: {}", reason.label()),
        ExecutionOutcome::RolledBack => "undone".to_owned(),
    }
}

/// A span in words: `23 h 52 min`.
fn span(seconds: u32) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::{Flag, Worker};
    use crate::domain::requirement::Seconds;
    use crate::domain::vocabulary::FlagKind;

    #[test]
    fn what_happened_is_told_in_words() {
        let said = |event: &CaseEvent| sentence(event).unwrap();
        assert_eq!(
            said(&CaseEvent::ClockPaused { left: Seconds(85_920) }),
            "the deadline stands still while the subject is waited for; 23 h 52 min are left"
        );
        assert_eq!(said(&CaseEvent::Assigned { operator: None }), "let go: with nobody now");
        let nadia = ActorRef::Operator { operator: "nadia".parse().unwrap(), person: "p-nadia".parse().unwrap() };
        let system = ActorRef::System { worker: Worker::Reassess };
        for (by, says) in [(nadia, "flagged: repeat request"), (system, "the server noticed: repeat request")] {
            let flag = Flag { kind: FlagKind::RepeatRequest, by, at: "2026-01-05T11:07:00Z".parse().unwrap(), case: None };
            assert_eq!(said(&CaseEvent::Flagged { flag }), says);
        }
        let retried =
            CaseEvent::ExecutionScheduled { not_before: "2026-01-05T11:07:00Z".parse().unwrap(), again: Some(["p-ruiz".parse().unwrap()].into()) };
        assert_eq!(said(&retried), "had it carried out again; the approval of person p-ruiz stands");
        assert_eq!(said(&CaseEvent::StateChanged { to: CaseState::Approved, due: None, used: None }), "the case stands as approved");
        assert_eq!(said(&CaseEvent::StateChanged { to: CaseState::Proofing, due: None, used: None }), "is proofing now");
        let again = CaseEvent::StateChanged { to: CaseState::Sealed, due: Some("2026-01-05T11:07:00Z".parse().unwrap()), used: Some(Seconds(900)) };
        assert_eq!(said(&again), "is awaiting approval again, due 05 Jan 11:07Z: 15 min of the time for that were used before");
        let refused =
            CaseEvent::Refused { command: "take_back".into(), refusal: "separation-of-duties".into(), person: Some("p-nadia".parse().unwrap()) };
        assert_eq!(said(&refused), "refused to person p-nadia: take back; they have a hand in it (separation-of-duties)");
    }
}
