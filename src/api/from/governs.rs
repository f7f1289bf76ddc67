//! What happened to the register, in the words of those who read it.
//!
//! Contract: as `says`: made of codes, ids, numbers and times only; a person is always "person p-...", so that whoever may know the name can put
//! it there ([`crate::api::lists::named`]).

use super::says::{because, minute};
use crate::domain::event::RegisterEvent;
use crate::domain::govern::says::{changed, some};

/// The sentence about an event.
pub(super) fn sentence(event: &RegisterEvent) -> String {
    match event {
        RegisterEvent::Founded { by: [one, other], .. } => format!("founded by person {one} and person {other}, with the first policy"),
        RegisterEvent::Changed { change } => changed(change),
        RegisterEvent::Proposed { proposal, by, change, approvals } => {
            let who = if *approvals > 1 { "two further persons" } else { "a second person" };
            format!("person {by} proposed ({proposal}), for {who} to approve: {}", changed(change))
        }
        RegisterEvent::ProposalSeconded { proposal, by } => format!("person {by} approved the proposal {proposal}: it takes one more person"),
        RegisterEvent::ProposalApproved { proposal, by, effective_at } => {
            format!("person {by} approved the proposal {proposal}: it counts from {} on", minute(*effective_at))
        }
        RegisterEvent::ProposalEnded { proposal, by: Some(by) } => format!("person {by} ended the proposal {proposal}: it never counts"),
        RegisterEvent::ProposalEnded { proposal, by: None } => format!("a restore ended the proposal {proposal}: it never counts"),
        RegisterEvent::ProposalApplied { proposal } => format!("the proposal {proposal} counts now"),
        RegisterEvent::GovernanceRecovered { governors: [one, other], proved, counts_from, .. } => {
            let how = if *proved { "both proved it with a former token" } else { "not both proved it with a former token" };
            let from = counts_from.map_or_else(|| "once everyone who governs was told".to_owned(), |at| format!("from {} on", minute(at)));
            format!("person {one} and person {other} were let back in to govern: {how}; it counts {from}")
        }
        RegisterEvent::RecoveryTold { counts_from, .. } => {
            format!("everyone who governs was told that someone was let back in: it counts from {} on", minute(*counts_from))
        }
        RegisterEvent::SubjectRecorded { subject, .. } => format!("the inventory recorded or changed the subject {subject}"),
        RegisterEvent::CodesIssued { subject, .. } => format!("the subject {subject} was given fresh saved codes"),
        RegisterEvent::Refused { command, refusal, person } => super::says::refused(command, refusal, person.as_ref()),
        RegisterEvent::RefusedMany { minute: at, counts, person, others } => {
            let who = match (person, others) {
                (Some(person), _) => format!(" to person {person}"),
                (None, true) => " to others together".to_owned(),
                (None, false) => String::new(),
            };
            let counts = some(counts.iter().map(|(code, n)| format!("{n} x {} ({code})", because(code))));
            format!("refused many{who} in the minute of {}: {counts}", minute(*at))
        }
        RegisterEvent::StrangersRefused { count, minute: at } => {
            format!("{count} {} of strangers refused in the minute of {}", if *count == 1 { "request" } else { "requests" }, minute(*at))
        }
        RegisterEvent::SubjectsRead { subjects } => {
            let whom = if subjects.len() == 1 { "the subject" } else { "the subjects" };
            format!("read what is recorded of {whom} {}", some(subjects.iter().map(ToString::to_string)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;

    fn read(value: serde_json::Value) -> RegisterEvent {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_change_of_the_register_is_told_in_words() {
        use serde_json::json;
        let at: Time = "2026-03-02T09:00:00Z".parse().unwrap();
        let proposed = |change: serde_json::Value| json!({"event": "proposed", "proposal": "prp-1", "by": "p-omar", "change": change});
        let operator = json!({"change": "set_operator", "to": {"id": "nadia", "person": "p-nadia", "roles": ["support_agent"], "groups": ["desk"], "enabled": true}});
        let cases = [
            (json!({"event": "founded", "by": ["p-omar", "p-ines"], "policy": "0".repeat(64)}), "founded by person p-omar and person p-ines"),
            (
                proposed(operator),
                "person p-omar proposed (prp-1), for a second person to approve: the account nadia of person p-nadia may sign in as support agent, in the groups desk",
            ),
            (
                json!({"event": "proposal_approved", "proposal": "prp-1", "by": "p-ines", "effective_at": at}),
                "person p-ines approved the proposal prp-1: it counts from 02 Mar 09:00Z on",
            ),
            (
                json!({"event": "changed", "change": {"change": "set_policy", "to": {"policy": "0".repeat(64), "deciders": ["p-ines", "p-omar"]}}}),
                "is in force, decided by person p-ines, person p-omar",
            ),
            (
                proposed(json!({"change": "set_policy", "to": {"policy": "0".repeat(64), "deciders": []}})),
                "for a second person to approve: the policy 00000000 in place of the one in force",
            ),
            (json!({"event": "changed", "change": {"change": "disable_operator", "to": "nadia"}}), "the account nadia may no longer sign in"),
            (
                json!({"event": "refused", "command": "register_approve", "refusal": "second-person", "person": "p-omar"}),
                "refused to person p-omar: register approve; someone else must do it (second-person)",
            ),
            (json!({"event": "strangers_refused", "count": 3, "minute": at}), "3 requests of strangers refused in the minute of 02 Mar 09:00Z"),
        ];
        for (event, said) in cases {
            let told = sentence(&read(event));
            assert!(told.contains(said), "{told}");
        }
    }
}
