//! Where a policy file asks for less than the floors that are compiled in.
//!
//! Contract: pure; every floor that the file stays under is listed once for each way in which it does. The floors hold for cases whatever a
//! file says: this is so that nobody reads one thing and lives by another. Knows nothing about files or who proposes them.

use std::collections::{BTreeMap, BTreeSet};

use super::Mistake;
use super::bundle::Bundle;
use super::classes::each_unflagged;
use super::compare::at_least;
use super::derive::floors;
use super::explain::items;

/// Everything in which the file is laxer than a floor. A file that tells too many classes of case apart to look at each passes: the floors
/// are added to its cases all the same.
pub fn below(bundle: &Bundle) -> Vec<Mistake> {
    let mut found: BTreeMap<(&'static str, Vec<String>), (usize, String)> = BTreeMap::new();
    let _ = each_unflagged(bundle, |_, facts, _| {
        let written = bundle.written(facts);
        for floor in floors(facts) {
            let mut raised = written.clone();
            floor.demand.add_to(&mut raised);
            if at_least(&written, &raised) {
                continue;
            }
            let has: BTreeSet<String> = items(&written).into_iter().collect();
            let lacks: Vec<String> = items(&raised).into_iter().filter(|item| !has.contains(item)).collect();
            found.entry((floor.name, lacks)).or_insert_with(|| (0, facts.to_string())).0 += 1;
        }
    });
    let mistake = |((floor, lacks), (kinds, example)): ((&str, Vec<String>), (usize, String))| {
        let message = format!(
            "laxer than what is compiled in, {floor}: {} is asked for too little in {kinds} kinds of case, e.g. {example}; write rules that ask for it",
            lacks.join(", ")
        );
        Mistake { line: None, column: None, message }
    };
    found.into_iter().map(mistake).collect()
}
