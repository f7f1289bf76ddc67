//! Policy: a readable, hashed bundle that says which proofs, approvals, delays, lifetimes and deadlines a case needs.
//!
//! Contract: parsed from TOML text with every mistake listed at once; ceilings of standards.md are compiled in and can't be loosened.
//! Knows nothing about files, storage or who asks.

use super::case::{Flag, Plan, Route};
use super::requirement::Requirement;
use super::subject::Subject;
use crate::base::Digest;

/// A parsed bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the bundle's text: its version.
    pub sha256: Digest,
}

/// One thing wrong in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Policy {
    /// Parses a bundle; every mistake is listed, a laxer value than a ceiling among them.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let _ = text;
        todo!()
    }

    /// What this policy demands of a case of that subject on that route with those flags.
    pub fn requirement(&self, subject: &Subject, route: &Route, flags: &[Flag]) -> Requirement {
        let _ = (subject, route, flags);
        todo!()
    }

    /// What would be done for that route.
    pub fn plan(&self, subject: &Subject, route: &Route) -> Plan {
        let _ = (subject, route);
        todo!()
    }
}
