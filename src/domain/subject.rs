//! A subject as the inventory recorded it: whose access may be restored, to what extent, over which addresses.
//!
//! Contract: plain data with the questions that rules ask of it. Names and addresses are personal data: they live in rows beside
//! the log and never in an entry (invariant 9). Knows nothing about cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::history::History;
use super::vocabulary::{Aal, EndpointKind, Environment, Ial, InventorySource, Status, SubjectKind, Tier};
use crate::base::canonical::CanonicalError;
use crate::base::ids::{EmployerId, EndpointId, PersonId, ScopeId, SubjectId, TargetId};
use crate::base::{Digest, Time, Untrusted};

/// The scopes held inside one target.
pub type Scopes = BTreeSet<ScopeId>;

/// Whose access is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Immutable id, shown beside the name.
    pub id: SubjectId,
    /// What it is.
    pub kind: SubjectKind,
    /// Display name, as the inventory spells it.
    pub name: Untrusted,
    /// The human behind the subject; `None` for a non-human identity.
    pub person: Option<PersonId>,
    /// How much harm a wrong recovery could do.
    pub tier: Tier,
    /// Identity assurance at which it was proofed.
    pub ial: Ial,
    /// Authentication assurance it had before.
    pub aal: Aal,
    /// Whether it is in use.
    pub status: Status,
    /// Who employs or operates it.
    pub employer: Option<EmployerId>,
    /// Who owns it, now and before (invariant 2 looks over history).
    pub owners: Vec<Ownership>,
    /// The manager recorded for it: who may attest.
    pub manager: Option<PersonId>,
    /// Since when it is that one; `None` in records of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_since: Option<Time>,
    /// Where its record comes from.
    pub inventory: InventorySource,
    /// Where it runs.
    pub environment: Environment,
    /// What depends on its credential and must be rotated with it.
    pub dependents: Vec<SubjectId>,
    /// What it held before, by target (invariant 10).
    pub entitlements: BTreeMap<TargetId, Scopes>,
    /// Recorded addresses.
    pub endpoints: Vec<Endpoint>,
    /// Since when it holds what it held, and what it was before.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
}

/// A person who owns, or owned, a subject or an automation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ownership {
    /// Who.
    pub person: PersonId,
    /// From when.
    pub since: Time,
    /// Until when; `None` while it lasts.
    pub until: Option<Time>,
}

/// A recorded address of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Opaque id; the only thing of it that the log holds.
    pub id: EndpointId,
    /// What kind of address.
    pub kind: EndpointKind,
    /// The address itself.
    pub address: Untrusted,
    /// When it was last set; a younger record than policy's minimum age serves no case (invariant 5).
    pub recorded_at: Time,
    /// When it was confirmed; `None` is never used for proof.
    pub confirmed_at: Option<Time>,
}

/// A subject as it is recorded: with the salt of the digest that the log holds of it (invariant 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The record.
    pub subject: Subject,
    /// 16 random bytes, kept beside the record.
    pub salt: [u8; 16],
}

impl Recorded {
    /// What the log holds of it.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        Digest::of_value("countersign/subject.v1", &(self.salt.as_slice(), &self.subject))
    }
}

impl Ownership {
    /// Whether the ownership lay, wholly or partly, within `window` before `at`.
    pub fn within(&self, at: Time, window: Duration) -> bool {
        self.since <= at && self.until.is_none_or(|until| until >= at - window)
    }
}

impl Subject {
    /// Where mail can go: its confirmed mail addresses.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|e| e.kind == EndpointKind::Email && e.confirmed_at.is_some())
    }

    /// Whether anyone at a recorded address hears of a recovery: the subject, or, for a machine, one of its owners then of whom `reads` says that
    /// mail reaches them (invariant 13).
    pub fn can_be_told(&self, now: Time, reads: impl Fn(&PersonId) -> bool) -> bool {
        self.mailboxes().next().is_some() || (self.kind.is_non_human() && self.owners_at(now).any(reads))
    }

    /// What it held in a target before; empty if nothing was recorded.
    pub fn entitled(&self, target: &TargetId) -> Scopes {
        self.entitlements.get(target).cloned().unwrap_or_default()
    }

    /// What depends on its credential, or was said to until after that moment.
    pub fn depended_on(&self, since: Time) -> impl Iterator<Item = &SubjectId> {
        let released = self.history.released.iter().filter(move |(_, until)| **until > since).map(|(dependent, _)| dependent);
        self.dependents.iter().chain(released)
    }

    /// Those of them that its record names as its dependents no more.
    pub fn released<'a>(&self, of: impl IntoIterator<Item = &'a SubjectId>) -> Vec<SubjectId> {
        of.into_iter().filter(|d| !self.dependents.contains(d)).cloned().collect()
    }

    /// Whether anyone is recorded to own it; a person owns themselves.
    pub fn owner_known(&self) -> bool {
        !self.kind.is_non_human() || self.owners.iter().any(|o| o.until.is_none())
    }

    /// The owners at a moment.
    pub fn owners_at(&self, at: Time) -> impl Iterator<Item = &PersonId> {
        self.owners.iter().filter(move |o| o.within(at, Duration::zero())).map(|o| &o.person)
    }

    /// What someone outside may call it by: its id, its name and its mail addresses, each as [`handle`] writes it.
    pub fn handles(&self) -> BTreeSet<String> {
        let mail = self.endpoints.iter().filter(|e| e.kind == EndpointKind::Email).map(|e| e.address.raw());
        let mut out: BTreeSet<String> = mail.chain([self.id.as_str(), self.name.raw()]).map(handle).collect();
        out.remove("");
        out
    }

    /// The endpoint of that id, if recorded.
    pub fn endpoint(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| &e.id == id)
    }
}

/// The one form in which what someone is called is compared: in lower case, without space around it and with single spaces in it.
pub fn handle(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_someone_is_called_is_compared_in_one_form() {
        for same in ["m.okafor@corp.example", " M.Okafor@Corp.Example\t"] {
            assert_eq!(handle(same), "m.okafor@corp.example");
        }
        assert_eq!((handle("Zoë  ÅNGSTRÖM").as_str(), handle(" \n").as_str()), ("zoë ångström", ""));
        assert_eq!(handle(&handle("A\u{a0}B")), "a b");
    }
}
