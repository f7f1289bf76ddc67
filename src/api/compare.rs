//! Whether a statement says exactly what was fetched and shown (threat T10): only then may a decision be sent, by console or command line.
//!
//! Contract: pure; names every difference. The seal's digests are worked out from what is shown, the statement is built here, and what the
//! server sent must be the same, byte by byte.

use serde_json::Value;

use super::case::{CaseDetail, Statement};
use super::lists::Me;
use super::recompute;
use super::words::Decision;

/// Every way in which a statement is not about what was shown; none if it may be signed.
pub fn differences(statement: &Statement, case: &CaseDetail, decision: Decision, me: Option<&Me>) -> Vec<String> {
    let Some(seal) = &case.seal else { return vec!["there is no seal to decide on".into()] };
    let Some(who) = me.and_then(|m| Some((m.operator.as_ref()?, m.person.as_ref()?))) else {
        return vec!["the server has not said who you are".into()];
    };
    let mut found: Vec<String> = recompute::differences(case).into_iter().map(|part| format!("the {part} shown is not the one sealed")).collect();
    match recompute::statement(case, decision, who, statement) {
        Some(own) if own == statement.statement => {}
        Some(own) => found.extend(fields(&own, &statement.statement)),
        None => found.push("what is shown has no canonical form".into()),
    }
    if statement.seal_sha256 != seal.sha256 {
        found.push("the seal that would be sent is not the one shown".into());
    }
    if statement.version != case.row.version {
        found.push(format!("it is about version {}, shown is version {}", statement.version, case.row.version));
    }
    found
}

/// The fields in which the server's statement differs from the one built here.
fn fields(own: &str, theirs: &str) -> Vec<String> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().and_then(|v| v.as_object().cloned());
    let (Some(own), Some(theirs)) = (object(own), object(theirs)) else { return vec!["the statement can't be read".into()] };
    let mut found: Vec<String> =
        own.iter().filter(|(name, value)| theirs.get(*name) != Some(*value)).map(|(name, _)| format!("its {name} is not the one shown")).collect();
    if theirs.keys().any(|name| !own.contains_key(name)) {
        found.push("it says more than what is shown".into());
    }
    if found.is_empty() {
        found.push("it is not written canonically".into());
    }
    found
}
