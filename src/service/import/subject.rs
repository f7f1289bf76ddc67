//! A subject as a file gives it, and what is wrong with it.
//!
//! Contract: pure; every mistake of a row is listed. An address that differs from the recorded one counts as set now, whatever the file
//! says, and so does a manager, an owner or a scope (invariants 5 and 10: a young record serves no case); a retired identity stays retired (invariant 10); former owners are kept (invariant 2).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::parse::{FromCells, list, optional};
use super::person::{Mistakes, since};
use crate::base::ids::{EmployerId, EndpointId, PersonId, ScopeId, SubjectId, TargetId};
use crate::base::mailbox::mailbox;
use crate::base::{Time, Untrusted};
use crate::domain::history::History;
use crate::domain::register::Register;
use crate::domain::subject::{Endpoint, Ownership, Scopes, Subject};
use crate::domain::vocabulary::{Aal, EndpointKind, Environment, Ial, InventorySource, Status, SubjectKind, Tier};

/// The most addresses, owners, dependents and scopes of one subject.
const MAX_ENDPOINTS: usize = 20;
const MAX_OWNERS: usize = 50;
const MAX_DEPENDENTS: usize = 200;
const MAX_SCOPES: usize = 500;

/// A row of subjects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectIn {
    pub(super) id: String,
    kind: String,
    name: String,
    #[serde(default)]
    person: Option<String>,
    tier: String,
    #[serde(default)]
    ial: Option<String>,
    #[serde(default)]
    aal: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    employer: Option<String>,
    /// Each with since when, as `person|since`, which counts for a subject that is new.
    #[serde(default)]
    pub(super) owners: Vec<String>,
    #[serde(default)]
    manager: Option<String>,
    /// Since when; counts for a subject that is new.
    #[serde(default)]
    pub(super) manager_since: Option<Time>,
    #[serde(default)]
    inventory: Option<String>,
    environment: String,
    #[serde(default)]
    dependents: Vec<String>,
    #[serde(default)]
    entitlements: BTreeMap<String, Vec<String>>,
    /// Since when it holds them; counts for a subject that is new.
    #[serde(default)]
    pub(super) scopes_since: Option<Time>,
    #[serde(default)]
    pub(super) endpoints: Vec<EndpointIn>,
}

/// An address of a row; in CSV `id|kind|address|recorded|confirmed`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointIn {
    pub(super) id: String,
    kind: String,
    address: String,
    #[serde(default)]
    pub(super) recorded_at: Option<Time>,
    #[serde(default)]
    confirmed_at: Option<Time>,
}

impl FromCells for SubjectIn {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "name",
        "person",
        "tier",
        "ial",
        "aal",
        "status",
        "employer",
        "owners",
        "manager",
        "manager_since",
        "inventory",
        "environment",
        "dependents",
        "entitlements",
        "scopes_since",
        "endpoints",
    ];

    fn from_cells(cell: &dyn Fn(&str) -> String) -> Result<Self, String> {
        Ok(Self {
            id: cell("id"),
            kind: cell("kind"),
            name: cell("name"),
            person: optional(cell("person")),
            tier: cell("tier"),
            ial: optional(cell("ial")),
            aal: optional(cell("aal")),
            status: optional(cell("status")),
            employer: optional(cell("employer")),
            owners: list(&cell("owners")),
            manager: optional(cell("manager")),
            manager_since: since("manager_since", &cell("manager_since"))?,
            inventory: optional(cell("inventory")),
            environment: cell("environment"),
            dependents: list(&cell("dependents")),
            entitlements: entitlements(&cell("entitlements"))?,
            scopes_since: since("scopes_since", &cell("scopes_since"))?,
            endpoints: list(&cell("endpoints")).iter().map(|e| endpoint(e)).collect::<Result<_, _>>()?,
        })
    }
}

/// `directory:login+mail; vault:read`.
fn entitlements(cell: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let one = |item: String| {
        let (target, scopes) = item.split_once(':').ok_or_else(|| "entitlements: write target:scope+scope; ...".to_owned())?;
        Ok((target.trim().to_owned(), scopes.split('+').map(|s| s.trim().to_owned()).collect()))
    };
    list(cell).into_iter().map(one).collect()
}

fn endpoint(item: &str) -> Result<EndpointIn, String> {
    let cells: Vec<&str> = item.split('|').map(str::trim).collect();
    let [id, kind, address, times @ ..] = cells.as_slice() else {
        return Err("endpoints: write id|kind|address|recorded|confirmed; ...".to_owned());
    };
    let time = |i: usize| match times.get(i).copied().unwrap_or_default() {
        "" => Ok(None),
        text => text.parse::<Time>().map(Some).map_err(|_| "endpoints: write times as 2026-01-31T09:00:00Z".to_owned()),
    };
    if times.len() > 2 {
        return Err("endpoints: an address has at most five parts".to_owned());
    }
    Ok(EndpointIn { id: (*id).to_owned(), kind: (*kind).to_owned(), address: (*address).to_owned(), recorded_at: time(0)?, confirmed_at: time(1)? })
}

/// The subject of a row, or everything that is wrong with it.
pub(super) fn check(row: &SubjectIn, register: &Register, known: Option<&Subject>, now: Time) -> Result<Subject, Vec<String>> {
    let mut m = Mistakes::default();
    let id: Option<SubjectId> = m.read("id", &row.id);
    let kind: Option<SubjectKind> = m.read("kind", &row.kind);
    m.name(&row.name);
    let tier: Option<Tier> = m.read("tier", &row.tier);
    let environment: Option<Environment> = m.read("environment", &row.environment);
    let status: Status = m.maybe("status", row.status.as_deref()).unwrap_or(Status::Active);
    if known.is_some_and(|k| k.status == Status::Retired) && status != Status::Retired {
        m.0.push("status: a retired identity is not brought back; record a new one".to_owned());
    }
    let person = m.maybe("person", row.person.as_deref());
    match (kind, &person) {
        (Some(kind), None) if !kind.is_non_human() => m.0.push("person: a human subject needs its person".to_owned()),
        (Some(kind), Some(_)) if kind.is_non_human() => m.0.push("person: a non-human subject has owners, not a person".to_owned()),
        _ => {}
    }
    let manager = m.maybe("manager", row.manager.as_deref());
    if manager.is_some() && manager == person {
        m.0.push("manager: nobody manages themselves".to_owned());
    }
    for (field, person) in [("person", &person), ("manager", &manager)] {
        recorded(&mut m, field, person.as_ref(), register);
    }
    let manager_since = manager_since(row, known, manager.as_ref(), now, &mut m);
    let owners = owners(row, register, known, now, &mut m);
    let dependents = dependents(row, &mut m);
    not_to_come(&mut m, "scopes_since", row.scopes_since, now);
    let entitlements = scopes(row, &mut m);
    let endpoints = endpoints(row, known, now, &mut m);
    let employer: Option<EmployerId> = m.maybe("employer", row.employer.as_deref());
    let (ial, aal): (Option<Ial>, Option<Aal>) = (m.maybe("ial", row.ial.as_deref()), m.maybe("aal", row.aal.as_deref()));
    let inventory: Option<InventorySource> = m.maybe("inventory", row.inventory.as_deref());
    let (Some(id), Some(kind), Some(tier), Some(environment), true) = (id, kind, tier, environment, m.0.is_empty()) else { return Err(m.0) };
    let subject = Subject {
        id,
        kind,
        name: Untrusted::from(row.name.as_str()),
        person,
        tier,
        ial: ial.unwrap_or(Ial::None),
        aal: aal.unwrap_or(Aal::Aal1),
        status,
        employer,
        owners,
        manager,
        manager_since,
        // A record without a source is a poorly inventoried one, and needs more proof (mission.md, 1).
        inventory: inventory.unwrap_or(InventorySource::None),
        environment,
        dependents,
        entitlements,
        endpoints,
        history: History::default(),
    };
    let history = History::next(known, &subject, row.scopes_since, now).map_err(|why| vec![why])?;
    Ok(Subject { history, ..subject })
}

fn recorded(m: &mut Mistakes, field: &str, person: Option<&PersonId>, register: &Register) {
    if let Some(person) = person.filter(|p| !register.persons.contains_key(p)) {
        m.0.push(format!("{field}: {person} is not recorded; import persons first"));
    }
}

fn not_to_come(m: &mut Mistakes, field: &str, time: Option<Time>, now: Time) {
    if time.is_some_and(|t| t > now) {
        m.0.push(format!("{field}: a time lies in the future"));
    }
}

/// Since when the manager is so: as long as it is the same one what is recorded, whatever the file says; of a new subject as the file says.
fn manager_since(row: &SubjectIn, known: Option<&Subject>, manager: Option<&PersonId>, now: Time, m: &mut Mistakes) -> Option<Time> {
    not_to_come(m, "manager_since", row.manager_since, now);
    match (manager, known) {
        (None, _) => None,
        (Some(_), Some(known)) if known.manager.as_ref() == manager => known.manager_since,
        (Some(_), Some(_)) => Some(now),
        (Some(_), None) => Some(row.manager_since.unwrap_or(now)),
    }
}

fn owners(row: &SubjectIn, register: &Register, known: Option<&Subject>, now: Time, m: &mut Mistakes) -> Vec<Ownership> {
    if row.owners.len() > MAX_OWNERS {
        m.0.push(format!("owners: at most {MAX_OWNERS}"));
        return Vec::new();
    }
    let mut wanted: BTreeMap<PersonId, Time> = BTreeMap::new();
    for owner in &row.owners {
        let (person, from) = owner.split_once('|').unwrap_or((owner, ""));
        let from = since("owners", from).unwrap_or_else(|why| {
            m.0.push(why);
            None
        });
        let Some(person) = m.read::<PersonId>("owners", person.trim()) else { continue };
        recorded(m, "owners", Some(&person), register);
        not_to_come(m, "owners", from, now);
        wanted.insert(person, from.filter(|_| known.is_none()).unwrap_or(now));
    }
    let mut out = known.map(|k| k.owners.clone()).unwrap_or_default();
    for owner in out.iter_mut().filter(|o| o.until.is_none() && !wanted.contains_key(&o.person)) {
        owner.until = Some(now);
    }
    let lasting: BTreeSet<PersonId> = out.iter().filter(|o| o.until.is_none()).map(|o| o.person.clone()).collect();
    out.extend(wanted.into_iter().filter(|(p, _)| !lasting.contains(p)).map(|(person, since)| Ownership { person, since, until: None }));
    out
}

fn dependents(row: &SubjectIn, m: &mut Mistakes) -> Vec<SubjectId> {
    if row.dependents.len() > MAX_DEPENDENTS {
        m.0.push(format!("dependents: at most {MAX_DEPENDENTS}"));
        return Vec::new();
    }
    row.dependents.iter().filter_map(|d| m.read("dependents", d)).collect()
}

fn scopes(row: &SubjectIn, m: &mut Mistakes) -> BTreeMap<TargetId, Scopes> {
    if row.entitlements.values().map(Vec::len).sum::<usize>() > MAX_SCOPES {
        m.0.push(format!("entitlements: at most {MAX_SCOPES} scopes"));
        return BTreeMap::new();
    }
    let mut out = BTreeMap::new();
    for (target, scopes) in &row.entitlements {
        let scopes: Scopes = scopes.iter().filter_map(|s| m.read::<ScopeId>("entitlements", s)).collect();
        if let Some(target) = m.read::<TargetId>("entitlements", target) {
            out.insert(target, scopes);
        }
    }
    out
}

fn endpoints(row: &SubjectIn, known: Option<&Subject>, now: Time, m: &mut Mistakes) -> Vec<Endpoint> {
    if row.endpoints.len() > MAX_ENDPOINTS {
        m.0.push(format!("endpoints: at most {MAX_ENDPOINTS}"));
        return Vec::new();
    }
    let mut out: Vec<Endpoint> = Vec::new();
    for e in &row.endpoints {
        let (Some(id), Some(kind)) = (m.read::<EndpointId>("endpoints", &e.id), m.read::<EndpointKind>("endpoints", &e.kind)) else { continue };
        if kind == EndpointKind::Email {
            m.email("endpoints", &e.address);
        } else if e.address.trim().is_empty() || e.address.len() > 500 || e.address.chars().any(char::is_control) {
            m.0.push("endpoints: an address needs 1 to 500 printable bytes".to_owned());
        }
        if out.iter().any(|o| o.id == id) {
            m.0.push(format!("endpoints: {id} stands there twice"));
        }
        // Two ids of one mailbox would be two ways to one inbox (invariant 5). What is recorded so already doesn't stand in the way of a row, which may
        // take something away; the rules count it as one.
        let recorded =
            |id: &EndpointId, address: &str| known.and_then(|k| k.endpoint(id)).is_some_and(|b| b.kind == kind && b.address.raw() == address);
        let is_same = |o: &&Endpoint| o.kind == EndpointKind::Email && kind == o.kind && mailbox(o.address.raw()) == mailbox(&e.address);
        let is_new = |o: &&Endpoint| !(recorded(&id, &e.address) && recorded(&o.id, o.address.raw()));
        if let Some(other) = out.iter().find(|o| o.id != id && is_same(o) && is_new(o)) {
            m.0.push(format!("endpoints: {id} is the same mailbox as {}: keep one of them", other.id));
        }
        if [e.recorded_at, e.confirmed_at].iter().flatten().any(|t| *t > now) {
            m.0.push("endpoints: a time lies in the future".to_owned());
        }
        let before = known.and_then(|k| k.endpoint(&id));
        let same = before.filter(|b| b.kind == kind && b.address.raw() == e.address);
        let (recorded_at, confirmed_at) = match (known, same) {
            (_, Some(same)) => (same.recorded_at, e.confirmed_at.or(same.confirmed_at)),
            (Some(_), None) => (now, e.confirmed_at),
            (None, None) => (e.recorded_at.unwrap_or(now), e.confirmed_at),
        };
        out.push(Endpoint { id, kind, address: Untrusted::from(e.address.as_str()), recorded_at, confirmed_at });
    }
    out
}
