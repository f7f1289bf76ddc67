//! A person as a file gives it, and what is wrong with it.
//!
//! Contract: pure; every mistake of a row is listed. Import never makes an operator: that is a governed change (invariant 17).

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;

use super::parse::{FromCells, optional};
use crate::base::ids::{EmployerId, PersonId, TeamId};
use crate::base::text::is_unseen;
use crate::base::{Time, Untrusted};
use crate::domain::register::{Person, Register, Shift};
use crate::domain::vocabulary::Status;
use crate::store::PersonDetails;

/// The longest name, in bytes.
pub(super) const MAX_NAME: usize = 200;

/// A row of persons.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonIn {
    pub(super) id: String,
    name: String,
    #[serde(default)]
    email: Option<String>,
    /// Since when it is that one; counts for a person who is new.
    #[serde(default)]
    email_since: Option<Time>,
    employer: String,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    manager: Option<String>,
    /// `08:00-16:30`, UTC.
    #[serde(default)]
    shift: Option<String>,
    #[serde(default)]
    on_call: bool,
    #[serde(default)]
    status: Option<String>,
    /// Mistakes in cells that could not wait to be read.
    #[serde(skip)]
    odd: Vec<String>,
}

impl FromCells for PersonIn {
    const COLUMNS: &'static [&'static str] = &["id", "name", "email", "email_since", "employer", "team", "manager", "shift", "on_call", "status"];

    fn from_cells(cell: &dyn Fn(&str) -> String) -> Result<Self, String> {
        let mut odd = Vec::new();
        let on_call = match cell("on_call").as_str() {
            "" | "false" | "no" => false,
            "true" | "yes" => true,
            _ => {
                odd.push("on_call: write yes or no".to_owned());
                false
            }
        };
        Ok(Self {
            id: cell("id"),
            name: cell("name"),
            email: optional(cell("email")),
            email_since: since("email_since", &cell("email_since")).unwrap_or_else(|why| {
                odd.push(why);
                None
            }),
            employer: cell("employer"),
            team: optional(cell("team")),
            manager: optional(cell("manager")),
            shift: optional(cell("shift")),
            on_call,
            status: optional(cell("status")),
            odd,
        })
    }
}

/// Collects mistakes while values are read.
#[derive(Default)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl Mistakes {
    pub(super) fn read<T: FromStr>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T::Err: Display,
    {
        text.parse().map_err(|e: T::Err| self.0.push(format!("{field}: {e}"))).ok()
    }

    pub(super) fn maybe<T: FromStr>(&mut self, field: &str, text: Option<&str>) -> Option<T>
    where
        T::Err: Display,
    {
        text.filter(|t| !t.is_empty()).and_then(|t| self.read(field, t))
    }

    /// Characters that are not seen, or that show as something else than they are.
    fn hidden(&mut self, field: &str, text: &str) {
        if let Some(c) = text.chars().find(|c| is_unseen(*c)) {
            self.0.push(format!("{field}: holds U+{:04X}, a character that is not seen: take it out", u32::from(c)));
        }
    }

    pub(super) fn name(&mut self, text: &str) {
        // Between two letters of a script that joins them, a joiner is spelling (Unicode Standard, 23.2 "Layout Controls").
        let letters: Vec<char> = text.chars().collect();
        let spelled = |i: usize| i.checked_sub(1).and_then(|i| letters.get(i)).zip(letters.get(i + 1)).is_some_and(|(a, b)| joins(*a) && joins(*b));
        let seen: String =
            letters.iter().enumerate().filter(|(i, c)| !(matches!(c, '\u{200c}' | '\u{200d}') && spelled(*i))).map(|(_, c)| *c).collect();
        self.hidden("name", &seen);
        if text.trim().is_empty() || text.len() > MAX_NAME {
            self.0.push(format!("name: needs 1 to {MAX_NAME} bytes"));
        }
    }

    pub(super) fn email(&mut self, field: &str, text: &str) {
        self.hidden(field, text);
        let odd = text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"'));
        let parts = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !local.contains('@'));
        if odd || !parts || text.len() > 254 {
            self.0.push(format!("{field}: not a mail address"));
        }
    }
}

/// The person and details of a row, or everything that is wrong with it. `named` are the ids that the file itself brings.
pub(super) fn check(row: &PersonIn, register: &Register, named: &BTreeSet<String>, now: Time) -> Result<(Person, PersonDetails), Vec<String>> {
    let mut m = Mistakes(row.odd.clone());
    let id: Option<PersonId> = m.read("id", &row.id);
    m.name(&row.name);
    if let Some(email) = &row.email {
        m.email("email", email);
    }
    if row.email_since.is_some_and(|since| since > now) {
        m.0.push("email_since: lies in the future".to_owned());
    }
    let employer: Option<EmployerId> = m.read("employer", &row.employer);
    let team: Option<TeamId> = m.maybe("team", row.team.as_deref());
    let manager: Option<PersonId> = m.maybe("manager", row.manager.as_deref());
    if let Some(manager) = &manager {
        if Some(manager) == id.as_ref() {
            m.0.push("manager: nobody manages themselves".to_owned());
        } else if !register.persons.contains_key(manager) && !named.contains(manager.as_str()) {
            m.0.push(format!("manager: {manager} is neither recorded nor in this file"));
        }
    }
    let shift = row.shift.as_deref().and_then(|s| shift(s).ok_or(()).map_err(|()| m.0.push("shift: write it as 08:00-16:30".to_owned())).ok());
    let status: Status = m.maybe("status", row.status.as_deref()).unwrap_or(Status::Active);
    if let Some(old) = id.as_ref().and_then(|id| register.persons.get(id))
        && old.status == Status::Retired
        && status != Status::Retired
    {
        m.0.push("status: this person left; a new employment needs a new id".to_owned());
    }
    let (Some(id), Some(employer), true) = (id, employer, m.0.is_empty()) else { return Err(m.0) };
    let details = PersonDetails {
        id: id.clone(),
        name: Untrusted::from(row.name.as_str()),
        email: row.email.as_deref().map(Untrusted::from),
        since: row.email_since,
    };
    Ok((Person { id, employer, team, manager, shift, on_call: row.on_call, status }, details))
}

/// A time of a cell, if it holds one.
pub(super) fn since(field: &str, text: &str) -> Result<Option<Time>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{field}: write times as 2026-01-31T09:00:00Z")),
    }
}

fn shift(text: &str) -> Option<Shift> {
    let minutes = |t: &str| {
        let (hours, minutes) = t.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let (start, end) = text.split_once('-')?;
    Some(Shift { start: minutes(start.trim())?, end: minutes(end.trim())? })
}

/// Whether a letter belongs to a script in which joiners are part of how words are written: neither Latin, Greek nor Cyrillic.
fn joins(c: char) -> bool {
    !c.is_ascii() && !is_unseen(c) && !matches!(c, '\u{80}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}')
}
