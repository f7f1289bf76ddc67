//! Reads the proofs that a policy file names.
//!
//! Contract: as [`super::parse`], for its `[proof.*]` tables. Knows nothing about who asks for which.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::DeValue;

use super::ceilings as c;
use super::reader::{Reader, Table};
use crate::domain::requirement::{ProofNeed, ProofSet};
use crate::domain::vocabulary::Method;

/// Proofs by name.
pub(super) type Proofs = BTreeMap<String, ProofNeed>;

/// `[proof.NAME]` tables.
pub(super) fn proofs(r: &mut Reader, root: &mut Table<'_>) -> Proofs {
    let Some(mut table) = r.table(root, "proof") else {
        if !root.has("proof") {
            r.mistake(None, "no proof is described; write [proof.NAME] with any_of");
        }
        return Proofs::new();
    };
    let mut proofs = Proofs::new();
    for (name, line, value) in table.drain() {
        let Some(inner) = value.get_ref().as_table() else {
            r.mistake(Some(line), format!("proof.{name} should be a table"));
            continue;
        };
        let mut inner = r.open(&format!("proof.{name}"), value.span().start, inner);
        inner.line = line;
        _ = r.text(&mut inner, "why", 1_000);
        let before = r.mistakes.len();
        let mut any_of = Vec::new();
        for mut set in r.tables(&mut inner, "any_of") {
            any_of.extend(proof_set(r, &mut set));
            r.close(set);
        }
        if (any_of.is_empty() && r.mistakes.len() == before) || any_of.len() > c::MAX_PROOFS {
            r.mistake(Some(line), format!("proof.{name}: any_of needs 1 to {} alternatives", c::MAX_PROOFS));
        }
        r.close(inner);
        proofs.insert(name.to_owned(), ProofNeed { any_of });
    }
    if proofs.len() > c::MAX_PROOFS {
        r.mistake(Some(table.line), format!("at most {} proofs", c::MAX_PROOFS));
    }
    proofs
}

/// `{ all = ["saved_code", ["issued_code", "recovery_contact"]], distinct_methods = true }`.
fn proof_set(r: &mut Reader, t: &mut Table<'_>) -> Option<ProofSet> {
    let distinct_methods = r.yes(t, "distinct_methods").unwrap_or(false);
    let Some(value) = t.take("all") else {
        r.missing(t, "all");
        return None;
    };
    let Some(items) = value.get_ref().as_array() else {
        r.wrong(t, "all", value, "a list of methods, or of lists of methods any of which will do");
        return None;
    };
    let slots: Vec<BTreeSet<Method>> = items.iter().map(|item| slot(r, t, item)).collect();
    if slots.is_empty() || slots.len() > c::MAX_SLOTS {
        r.mistake(Some(t.line), format!("{}: \"all\" needs 1 to {} methods", t.name, c::MAX_SLOTS));
    }
    Some(ProofSet { slots, distinct_methods })
}

fn slot(r: &mut Reader, t: &Table<'_>, item: &Spanned<DeValue<'_>>) -> BTreeSet<Method> {
    let single = std::slice::from_ref(item);
    let items: &[Spanned<DeValue<'_>>] = match item.get_ref() {
        DeValue::Array(items) => items,
        _ => single,
    };
    let (mut methods, before) = (BTreeSet::new(), r.mistakes.len());
    for item in items {
        let line = Some(r.line(item.span().start));
        match item.get_ref().as_str().map(str::parse::<Method>) {
            Some(Ok(method)) if method.is_gate() => {
                r.mistake(line, format!("{}: {} is a gate beside proof and fills no set (§4.2.1); write it under gates", t.name, method.code()));
            }
            Some(Ok(method)) => _ = methods.insert(method),
            Some(Err(unknown)) => r.mistake(line, format!("{}: {unknown}", t.name)),
            None => r.wrong(t, "all", item, "a method"),
        }
    }
    if methods.is_empty() && r.mistakes.len() == before {
        r.mistake(Some(r.line(item.span().start)), format!("{}: a place in \"all\" names no method", t.name));
    }
    methods
}
