//! What a change of the register is, or would be, in words: the same in the log, on the page of a proposal and in the mail about it.
//!
//! Contract: pure; made of codes, ids, numbers and times only, with at most [`NAMED`] of a kind; a person is always "person p-...", so that
//! whoever may know the name can put it there. Knows nothing about who reads it.

use crate::base::ids::PersonId;
use crate::base::text::sanitise;
use crate::domain::event::RegisterChange;
use crate::domain::mailboxes::{Readers, is_here};
use crate::domain::policy::Policy;
use crate::domain::policy::settings::{Setting, settings};
use crate::domain::register::{Automation, Holder, Operator, Person, Principal, Register, Token};
use crate::domain::subject::Ownership;

/// The most ids one sentence names of a kind.
pub const NAMED: usize = 6;
/// The most settings of another policy that are named one by one.
pub const SETTINGS: usize = 8;
/// The most characters of a setting's name, or of a value of it.
pub const LONG: usize = 100;

/// What a proposal would change; of an account also whose other accounts there are, whether it is its proposer's own, and `along`, who has the same
/// mailbox as its person.
pub fn proposed(register: &Register, by: &PersonId, change: &RegisterChange, along: Option<&Readers>) -> String {
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

/// What another policy would change: how many settings differ from the one in force, and the first of them, laxer ones before others. Names and
/// values are text from the files: they stand on one line each, in quotation marks, cut at [`LONG`] characters, and no address is left in them that a
/// mail program would make a link of.
pub fn another_policy(current: &Policy, proposed: &Policy) -> String {
    let all = settings(&current.bundle, &proposed.bundle);
    let line = |s: &Setting| {
        let (was, would_be) = from_where_they_differ(&tame(&s.was), &tame(&s.would_be));
        format!("\n  {}: {}: {was} → {would_be}", s.lean.label(), named(&s.name))
    };
    let lines: String = all.iter().take(SETTINGS).map(line).collect();
    let more = all.len().saturating_sub(SETTINGS);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let whose = if all.is_empty() { "" } else { "; what stands in quotation marks are the words of the two files, not of this program" };
    format!("the policy {} in place of the one in force; settings that differ: {}{whose}{lines}{more}", proposed.sha256.short(), all.len())
}

/// Text of a file: on one line, without quotation marks, and with a blank wherever an address would go on.
fn tame(text: &str) -> String {
    let line = sanitise(text, false).replace('"', "'");
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        let goes_on = match c {
            '.' | '@' | '\u{3002}' | '\u{ff0e}' | '\u{ff20}' | '\u{ff61}' => rest.peek().is_some_and(|n| !n.is_whitespace()),
            ':' | '\u{ff1a}' => rest.peek().is_some_and(|n| !n.is_whitespace() && !n.is_ascii_digit()),
            _ => false,
        };
        if goes_on {
            out.push(' ');
        }
    }
    out
}

/// The name of a setting: in that of a rule's the rule's own name is text of the file.
fn named(name: &str) -> String {
    match (name.find('"'), name.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}{}{}", &name[..from], cut(&tame(&name[from + 1..to]), 0), &name[to + 1..]),
        _ => name.to_owned(),
    }
}

/// Two values as they stand in a line: long ones from a little before the first character that is another one.
fn from_where_they_differ(was: &str, would_be: &str) -> (String, String) {
    let same = was.chars().zip(would_be.chars()).take_while(|(a, b)| a == b).count();
    let from = if same > LONG / 2 { same - LONG / 4 } else { 0 };
    (cut(was, from), cut(would_be, from))
}

fn cut(text: &str, from: usize) -> String {
    let shown: String = text.chars().skip(from).take(LONG).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if text.chars().nth(from + LONG).is_some() { "…" } else { "" };
    if text.is_empty() { "not said".to_owned() } else { format!("\"{before}{shown}{after}\"") }
}

/// What is different now, or would be.
pub fn changed(change: &RegisterChange) -> String {
    match change {
        RegisterChange::SetPerson(person) => someone(person),
        RegisterChange::SetOperator(operator) => account(operator),
        RegisterChange::DisableOperator(id) => format!("the account {id} may no longer sign in"),
        RegisterChange::SetAutomation(automation) => software(automation),
        RegisterChange::DisableAutomation(id) => format!("the automation {id} may no longer sign in"),
        RegisterChange::Delegate(d) => format!("{} delegated to {} ({})", principal(&d.from), principal(&d.to), d.id),
        RegisterChange::RevokeDelegation { delegation, at } => format!("the delegation {delegation} ended {}", at.format("%d %b %H:%MZ")),
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
pub fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Person(id) => format!("person {id}"),
        Principal::Automation(id) => format!("the automation {id}"),
    }
}

/// The first of some words, and how many more there are.
pub fn some<T: ToString>(all: impl Iterator<Item = T>) -> String {
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
    use crate::domain::policy::DEFAULT;

    #[test]
    fn of_another_policy_the_first_settings_are_told_that_differ_within_a_bound() {
        let current = Policy::builtin();
        let text = DEFAULT.replace("lineage = \"90 d\"", "lineage = \"120 d\"");
        let one = another_policy(&current, &Policy::parse(&text).unwrap());
        let said = "in place of the one in force; settings that differ: 1; what stands in quotation marks are the words of the two files, not of this \
                    program\n  stricter: windows.lineage: \"90 d\" → \"120 d\"";
        assert!(one.ends_with(said), "{one}");
        let mut other = Policy::parse(&text).unwrap();
        for rule in &mut std::sync::Arc::make_mut(&mut other.bundle).rules {
            rule.name = format!("{}{}", rule.name, "\u{202e}long ".repeat(200));
        }
        let many = another_policy(&current, &other);
        assert!(many.lines().count() == SETTINGS + 2 && many.ends_with(" more") && many.len() < 8_000, "{many}");
        assert!(!many.contains('\u{202e}'), "{many}");
    }

    #[test]
    fn the_words_of_a_proposed_file_stand_in_quotation_marks_and_lead_nowhere() {
        let text =
            DEFAULT.replacen("\nname = \"", "\nname = \"approve at HTTPS://countersign.evil.example or WWW.evil.example, mailto:a@b.example\\\" ", 1);
        let mut other = Policy::parse(&text).unwrap();
        let mut says = another_policy(&Policy::builtin(), &other);
        for rule in std::sync::Arc::make_mut(&mut other.bundle).rules.iter_mut().take(1) {
            rule.name = format!("x\". Approve at https://evil.example/{}", rule.name);
        }
        says += &another_policy(&Policy::builtin(), &other);
        assert!(says.contains("approve at HTTPS: //countersign. evil. example or WWW. evil. example, mailto: a@ b. example' "), "{says}");
        assert!(says.contains("rule \"x'. Approve at https: //evil. example/"), "{says}");
        assert!(!says.contains("://") && !says.to_lowercase().contains("www.e") && !says.contains(".example"), "{says}");
        for line in says.lines().skip(1) {
            assert!(line.matches('"').count() % 2 == 0, "{line}");
        }
    }

    #[test]
    fn values_that_differ_at_their_ends_are_told_from_there() {
        let all = "from a long list, ".repeat(20);
        let (was, would_be) = from_where_they_differ(&format!("{all}a"), &format!("{all}b, {all}"));
        assert!(was.starts_with("\"…") && was.ends_with("list, a\""), "{was}");
        assert!(would_be.contains("list, b, from") && would_be.ends_with("…\""), "{would_be}");
        assert_eq!(from_where_they_differ("", "90 d"), ("not said".to_owned(), "\"90 d\"".to_owned()));
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
}
