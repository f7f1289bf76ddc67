//! What happened to the register, in the words of those who read it.
//!
//! Contract: as `says`: made of codes, ids, numbers and times only; a person is always "person p-...", so that whoever may know the name can put
//! it there ([`crate::api::lists::named`]).

use super::says::{because, minute};
use crate::base::ids::PersonId;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::mailboxes::{Readers, is_here};
use crate::domain::register::{Automation, Holder, Operator, Person, Principal, Register, Token};
use crate::domain::subject::Ownership;

/// The most ids one sentence names of a kind.
const NAMED: usize = 6;

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

/// What a proposal would change; of an account also whose other accounts there are, whether it is its proposer's own, and `along`, who has the same
/// mailbox as its person.
pub(super) fn proposed(register: &Register, by: &PersonId, change: &RegisterChange, along: Option<&Readers>) -> String {
    let says = changed(change);
    let RegisterChange::SetOperator(operator) = change else { return says };
    let others: Vec<String> = register.accounts_of(&operator.person).filter(|o| o.id != operator.id).map(|o| o.id.to_string()).collect();
    let says = match (&operator.person == by, others.is_empty()) {
        (true, true) => format!("{says}; it is the account of whoever proposed it"),
        (true, false) => format!("{says}; it is a further account of whoever proposed it, who has {}", some(others.into_iter())),
        (false, false) => format!("{says}; it is a further account of that person, who has {}", some(others.into_iter())),
        (false, true) => says,
    };
    let along = along.map(|r| r.persons.iter().filter(|p| **p != operator.person && is_here(register, p)).map(|p| format!("person {p}")));
    match along.map(Iterator::collect::<Vec<_>>) {
        Some(all) if !all.is_empty() => format!("{says}; their mailbox is also that of {}", some(all.into_iter())),
        _ => says,
    }
}

/// What is different now, or would be.
fn changed(change: &RegisterChange) -> String {
    match change {
        RegisterChange::SetPerson(person) => someone(person),
        RegisterChange::SetOperator(operator) => account(operator),
        RegisterChange::DisableOperator(id) => format!("the account {id} may no longer sign in"),
        RegisterChange::SetAutomation(automation) => software(automation),
        RegisterChange::DisableAutomation(id) => format!("the automation {id} may no longer sign in"),
        RegisterChange::Delegate(d) => format!("{} delegated to {} ({})", principal(&d.from), principal(&d.to), d.id),
        RegisterChange::RevokeDelegation { delegation, at } => format!("the delegation {delegation} ended {}", minute(*at)),
        RegisterChange::IssueToken(token) => issued(token),
        RegisterChange::RevokeToken { token, .. } => format!("the token {token} is revoked"),
        // Who decides it is known once it counts.
        RegisterChange::SetPolicy { policy, deciders } if deciders.is_empty() => {
            format!("the policy {} in place of the one in force", policy.short())
        }
        RegisterChange::SetPolicy { policy, deciders } => {
            let who = some(deciders.iter().map(|p| format!("person {p}")));
            format!("the policy {} is in force, decided by {who}", policy.short())
        }
    }
}

fn someone(person: &Person) -> String {
    let team = person.team.as_ref().map(|t| format!(", in the team {t}")).unwrap_or_default();
    let manager = person.manager.as_ref().map(|m| format!(", managed by person {m}")).unwrap_or_default();
    format!("person {} is recorded: employed by {}{team}{manager}, {}", person.id, person.employer, person.status.label())
}

fn account(operator: &Operator) -> String {
    let may = if operator.enabled { "may sign in" } else { "may not sign in" };
    let roles = some(operator.roles.iter().map(|r| r.label().to_owned()));
    let groups = if operator.groups.is_empty() { String::new() } else { format!(", in the groups {}", some(operator.groups.iter())) };
    format!("the account {} of person {} {may} as {roles}{groups}", operator.id, operator.person)
}

fn software(automation: &Automation) -> String {
    let people = |all: &[Ownership]| {
        let now: std::collections::BTreeSet<_> = all.iter().filter(|o| o.until.is_none()).map(|o| &o.person).collect();
        some(now.into_iter().map(|p| format!("person {p}")))
    };
    let sponsors = if automation.sponsors.is_empty() { String::new() } else { format!(", sponsored by {}", people(&automation.sponsors)) };
    let may = if automation.enabled { "may sign in" } else { "may not sign in" };
    let scopes = some(automation.scopes.iter().map(|s| {
        let code = serde_json::to_value(s).unwrap_or_default();
        code.as_str().unwrap_or_default().replace('_', " ")
    }));
    format!("the automation {} {may}, owned by {}{sponsors}; it may {scopes}", automation.id, people(&automation.owners))
}

fn issued(token: &Token) -> String {
    let holder = match &token.holder {
        Holder::Operator(id) => format!("the account {id}"),
        Holder::Automation(id) => format!("the automation {id}"),
    };
    let chain: Vec<String> = token.on_behalf_of.iter().map(principal).collect();
    let chain = if chain.is_empty() { String::new() } else { format!(", acting for {}", chain.join(" for ")) };
    // One that waits for others lives as long from when it counts.
    let hours = (token.expires_at - token.issued_at).num_hours();
    format!("{holder} is given a token{chain} that lives {hours} h from when it counts ({})", token.id)
}

/// A principal with its kind.
pub(super) fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Person(id) => format!("person {id}"),
        Principal::Automation(id) => format!("the automation {id}"),
    }
}

/// The first of some words, and how many more there are.
fn some<T: ToString>(all: impl Iterator<Item = T>) -> String {
    let all: Vec<String> = all.map(|x| x.to_string()).collect();
    let more = all.len().saturating_sub(NAMED);
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match (all.len(), more) {
        (0, _) => "none".to_owned(),
        (_, 0) => first,
        _ => format!("{first} and {more} more"),
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
    fn a_proposal_about_somebodys_further_account_or_shared_mailbox_says_so() {
        let operator = |id: &str, person: &str| -> Operator {
            serde_json::from_value(serde_json::json!({"id": id, "person": person, "roles": ["supervisor"], "groups": [], "enabled": true})).unwrap()
        };
        let mut register = Register::default();
        register.operators.insert("ana".parse().unwrap(), operator("ana", "p-ana"));
        let person = |id: &str| -> Person {
            serde_json::from_value(
                serde_json::json!({"id": id, "employer": "corp", "team": null, "manager": null, "shift": null, "on_call": false, "status": "active"}),
            )
            .unwrap()
        };
        register.operators.insert("cy".parse().unwrap(), operator("cy", "p-cy"));
        for id in ["p-ana", "p-cleo", "p-cy"] {
            register.persons.insert(id.parse().unwrap(), person(id));
        }
        let along = Readers { persons: ["p-cleo", "p-cy"].map(|p| p.parse().unwrap()).into(), more: false };
        let told =
            |id: &str, person: &str, along| proposed(&register, &"p-ana".parse().unwrap(), &RegisterChange::SetOperator(operator(id, person)), along);
        let says = |id: &str, person: &str| told(id, person, None);
        assert!(says("ana2", "p-ana").ends_with("a further account of whoever proposed it, who has ana"), "{}", says("ana2", "p-ana"));
        assert!(!says("cleo", "p-cleo").contains("proposed it") && says("ana", "p-ana").contains("the account of whoever proposed it"));
        assert!(says("cy2", "p-cy").ends_with("as supervisor; it is a further account of that person, who has cy"), "{}", says("cy2", "p-cy"));
        let shared = told("cleo", "p-cleo", Some(&along));
        assert!(shared.ends_with("as supervisor; their mailbox is also that of person p-cy"), "{shared}");
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
