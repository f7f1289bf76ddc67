//! Policy: a readable, hashed bundle that says which proofs, approvals, delays, lifetimes and deadlines a case needs.
//!
//! Contract: parsed from TOML text with every mistake listed at once; ceilings of standards.md are compiled in and can't be loosened.
//! Knows nothing about files, storage or who asks.
//!
//! Reading order: [`bundle`] what a file says; [`ceilings`] what it may not say; [`mod@derive`] what follows for a case; [`explain`] why;
//! [`compare`] two files (`classes` by which cases), [`settings`] by their names; [`crew`] whom a file needs.

mod below;
pub mod bundle;
pub mod ceilings;
mod classes;
pub mod compare;
pub mod crew;
pub mod derive;
pub mod explain;
mod memo;
mod parse;
mod parse_rules;
mod proofs;
mod reader;
mod recent;
pub mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use bundle::Bundle;
pub use derive::Facts;
pub use reader::show as show_span;
pub use recent::Recent;

use super::case::{Flag, Plan, Route};
use super::register::Scope;
use super::requirement::{ApprovalNeed, Requirement};
use super::subject::Subject;
use super::vocabulary::{Path, Role};
use crate::base::{Digest, Time};

/// The default policy's text, embedded; a file can take its place.
pub const DEFAULT: &str = include_str!("../../../assets/policy/default.toml");

/// A parsed bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the bundle's text: its version.
    pub sha256: Digest,
    /// What the text says.
    pub bundle: Arc<Bundle>,
    memo: memo::Memo,
}

/// One thing wrong in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// Column in the line, from 1, where the line alone does not say which word is meant.
    pub column: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: {}", self.message),
            (Some(line), None) => write!(f, "line {line}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

impl Policy {
    /// Parses a bundle; every mistake is listed, a laxer value than a ceiling among them.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let bundle = parse::bundle(text)?;
        Ok(Self { sha256: Digest::of(text.as_bytes()), bundle: Arc::new(bundle), memo: memo::Memo::default() })
    }

    /// Parses a bundle that is to be put in force: beside every mistake, each place is listed where it asks for less than the floors that are
    /// compiled in.
    pub fn for_use(text: &str) -> Result<Self, Vec<Mistake>> {
        let policy = Self::parse(text)?;
        let mut laxer = below::below(&policy.bundle);
        laxer.truncate(ceilings::MAX_MISTAKES);
        if laxer.is_empty() { Ok(policy) } else { Err(laxer) }
    }

    /// The embedded default; its text is [`DEFAULT`].
    ///
    /// # Panics
    /// Never in a build that passed its tests: one parses the embedded text.
    #[allow(clippy::panic, reason = "the text is part of the binary, and a test parses it")]
    pub fn builtin() -> Self {
        match Self::parse(DEFAULT) {
            Ok(policy) => policy,
            Err(mistakes) => panic!("the embedded policy is wrong: {mistakes:?}"),
        }
    }

    /// What this policy demands of a case of that subject on that route with those flags: the strictest of all rules that match, of the
    /// compiled floors, and of the approver groups picked at routing (one person from each); by its record as it is, and as it was shortly before
    /// the case was opened.
    pub fn requirement(&self, subject: &Subject, route: &Route, flags: &[Flag], opened: Time) -> Requirement {
        picked(&Facts::of(subject, route, flags).strictest(subject, opened, |facts| self.demanded(facts)), route)
    }

    /// As [`Policy::requirement`], or what the other policy demands where that is stricter (invariant 14).
    pub fn requirement_with(&self, other: &Self, subject: &Subject, (route, flags): (&Route, &[Flag]), opened: Time) -> Requirement {
        let both = |facts: &Facts| self.demanded(facts.clone()).stricter(&other.demanded(facts.clone()));
        let demanded = |facts| self.memo.of(facts, Some(other.sha256), both);
        picked(&Facts::of(subject, route, flags).strictest(subject, opened, demanded), route)
    }

    /// What the text demands of a class of case.
    fn demanded(&self, facts: Facts) -> Arc<Requirement> {
        self.memo.of(facts, None, |facts| self.bundle.demanded(facts))
    }

    /// What would be done for that route; the lifetime is what the requirement allows without flags. A dependent that the record named at any time
    /// since then is rotated, too.
    pub fn plan(&self, subject: &Subject, route: &Route, since: Time) -> Plan {
        let need = self.demanded(Facts::of(subject, route, &[]));
        self.bundle.plan(subject, route, (need.grant_lifetime, since))
    }

    /// The classes as which a case counts that was opened then, by both policies: by what its subject's record says, and by what it said until shortly
    /// before, with until when.
    pub fn classes(&self, other: &Self, subject: &Subject, (route, flags): (&Route, &[Flag]), opened: Time) -> Vec<(Facts, Option<Time>)> {
        let both = |facts: Facts| Arc::new(self.demanded(facts.clone()).stricter(&other.demanded(facts)));
        Facts::of(subject, route, flags).counted(subject, opened, both)
    }

    /// Whether an operator with these roles may start that path.
    pub fn operator_may_start(&self, path: Path, roles: &BTreeSet<Role>) -> bool {
        self.bundle.start.get(&path).is_some_and(|start| !start.roles.is_disjoint(roles))
    }

    /// Whether software may start that path; its own scopes come on top.
    pub fn automation_may_start(&self, path: Path) -> bool {
        self.bundle.start.get(&path).is_some_and(|start| start.automation)
    }

    /// Whether the subject itself may start that path.
    pub fn subject_may_start(&self, path: Path) -> bool {
        self.bundle.start.get(&path).is_some_and(|start| start.subject)
    }

    /// Whether software may do that at all; its own scopes come on top (a token holds no more than both).
    pub fn automation_may(&self, scope: Scope) -> bool {
        self.bundle.automation.contains(&scope)
    }
}

/// A requirement with the approver groups picked at routing: one person from each, at least; and never fewer persons than group places.
fn picked(requirement: &Requirement, route: &Route) -> Requirement {
    let groups = route.picked_groups.iter().map(|g| (g.clone(), 1)).collect();
    let approvals = requirement.approvals.stricter(&ApprovalNeed { groups, ..ApprovalNeed::default() });
    Requirement { approvals, ..requirement.clone() }
}

#[cfg(test)]
mod tests;
