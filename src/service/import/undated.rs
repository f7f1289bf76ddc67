//! What of a row counts from now, and what it says of dates that is passed over: nothing of it is silent.
//!
//! Contract: pure. Compares what a row says with what is recorded because of it. Knows no file format, and not what a date is needed for.

use super::person::since;
use super::subject::SubjectIn;
use crate::base::Time;
use crate::base::mailbox::mailbox;
use crate::domain::subject::Subject;
use crate::domain::vocabulary::Status;
use crate::store::PersonDetails;

/// The most ids that one warning names.
const NAMED: usize = 5;

/// The moments that warnings name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// When the row is taken.
    pub now: Time,
    /// From when on a request can rest on what is recorded now.
    pub counts: Time,
}

impl Moments {
    fn young(&self, what: &str, why: &str) -> String {
        format!("{what} {why}: counts from now, and for nothing in a request made before {}", day(self.counts))
    }
}

fn day(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn passed_over(column: &str, of: &str, recorded: Time) -> String {
    format!("{column}: passed over for {of}, recorded already: the server goes by {}, what it knows itself", day(recorded))
}

const NO_DATE: &str = "has no date";
const CHANGED: &str = "is not what was recorded";
const PASSED_OVER: &str = "; email_since is passed over: it counts for a person who is new";

fn named(all: &[String]) -> String {
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{first} and {} more", all.len() - NAMED) } else { first }
}

/// What a row leaves undated of a person's mailbox; the register may know a person of whom no name or address is recorded yet.
pub(super) fn person(registered: bool, known: Option<&PersonDetails>, new: &PersonDetails, at: Moments) -> Vec<String> {
    let Some(email) = &new.email else { return Vec::new() };
    let before = known.and_then(|k| Some((mailbox(k.email.as_ref()?.raw()), k.since)));
    match (known, before) {
        (None, _) if new.since.is_none() => vec![at.young("email:", NO_DATE)],
        (None, _) if registered => vec![at.young("email:", "was not recorded") + PASSED_OVER],
        (None, _) => Vec::new(),
        (Some(_), Some((same, recorded))) if same == mailbox(email.raw()) => {
            let other = recorded.filter(|recorded| new.since.is_some_and(|given| given != *recorded));
            other.map(|recorded| passed_over("email_since", "the address", recorded)).into_iter().collect()
        }
        (Some(_), _) if new.since.is_some() => {
            vec![at.young("email:", CHANGED) + PASSED_OVER]
        }
        (Some(_), _) => vec![at.young("email:", CHANGED)],
    }
}

/// What a row leaves undated of a subject that is in use, which is recorded as `new`.
pub(super) fn subject(row: &SubjectIn, known: Option<&Subject>, new: &Subject, at: Moments) -> Vec<String> {
    if new.status == Status::Retired {
        return Vec::new();
    }
    let why = if known.is_some() { CHANGED } else { NO_DATE };
    let mut says = Vec::new();
    if let Some(manager) = new.manager.as_ref() {
        match (new.manager_since, row.manager_since) {
            (Some(is), _) if is == at.now => says.push(at.young(&format!("manager: {manager}"), why)),
            (Some(is), Some(given)) if is != given => says.push(passed_over("manager_since", manager.as_str(), is)),
            _ => {}
        }
    }
    owners(row, new, (why, at), &mut says);
    for (given, e) in row.endpoints.iter().filter_map(|e| Some((e, new.endpoints.iter().find(|n| n.id.as_str() == e.id)?))) {
        if e.recorded_at == at.now {
            says.push(at.young(&format!("endpoints: {}", e.id), why));
        } else if given.recorded_at.is_some_and(|given| given != e.recorded_at) {
            says.push(passed_over("endpoints", e.id.as_str(), e.recorded_at));
        }
    }
    scopes(row, new, (why, at), &mut says);
    says
}

fn owners(row: &SubjectIn, new: &Subject, (why, at): (&str, Moments), says: &mut Vec<String>) {
    for owner in new.owners.iter().filter(|o| o.until.is_none()) {
        let cell = row.owners.iter().filter_map(|o| o.split_once('|')).find(|(person, _)| person.trim() == owner.person.as_str());
        let given = cell.and_then(|(_, date)| since("owners", date).ok().flatten());
        if owner.since == at.now {
            says.push(at.young(&format!("owners: {}", owner.person), why));
        } else if given.is_some_and(|given| given != owner.since) {
            says.push(passed_over("owners", owner.person.as_str(), owner.since));
        }
    }
}

fn scopes(row: &SubjectIn, new: &Subject, (why, at): (&str, Moments), says: &mut Vec<String>) {
    let all = || new.history.scopes.iter().flat_map(|(target, scopes)| scopes.iter().map(move |(scope, since)| (target, scope, *since)));
    let young: Vec<String> = all().filter(|(_, _, since)| *since == at.now).map(|(target, scope, _)| format!("{target}:{scope}")).collect();
    if !young.is_empty() {
        says.push(at.young(&format!("entitlements: {}", named(&young)), why));
    }
    let Some(given) = row.scopes_since else { return };
    let other: Vec<(String, Time)> = all()
        .filter(|(_, _, since)| *since != at.now && *since != given)
        .map(|(target, scope, since)| (format!("{target}:{scope}"), since))
        .collect();
    if let Some(last) = other.iter().map(|(_, since)| *since).max() {
        let ids: Vec<String> = other.into_iter().map(|(id, _)| id).collect();
        says.push(passed_over("scopes_since", &named(&ids), last));
    }
}
