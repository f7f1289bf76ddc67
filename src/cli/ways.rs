//! Ways to start a proof, or to reach somebody over a held case, as the arguments that start them.
//!
//! Contract: what can be started by whoever reads, at most [`SHOWN`] of one list. Knows no rules: the server says which ways there are.

use std::fmt::Write as _;

use super::out::{Failure, USAGE};
use super::unsure::{Look, unsure};
use crate::api::case::CaseDetail;
use crate::api::proof::{ChecklistItem, ItemState, Startable};
use crate::api::requests::StartProof;
use crate::api::words::Method;
use crate::base::ids::CaseId;
use crate::base::text::sanitise;
use crate::client::{Client, ClientError};

/// The most ways of one list that are shown.
const SHOWN: usize = 6;

/// What follows `countersign case start-proof CASE`.
fn words(way: &Startable) -> String {
    let endpoint = way.endpoint.as_ref().map(|e| format!(" --endpoint {e}"));
    let attester = way.attester.as_ref().map(|a| format!(" --attester {a}"));
    format!("{}{}{}", way.method.code(), endpoint.unwrap_or_default(), attester.unwrap_or_default())
}

/// A line for each way that can be started, indented; none where there is none.
pub(super) fn lines(ways: &[Startable], before: &str) -> String {
    let open: Vec<&Startable> = ways.iter().filter(|w| w.refused.is_none()).collect();
    let mut text = String::new();
    for way in open.iter().take(SHOWN) {
        let _ = writeln!(text, "{before}{}", words(way));
    }
    if open.len() > SHOWN {
        let _ = writeln!(text, "{before}... and {} more", open.len() - SHOWN);
    }
    text
}

/// That nothing can be started for what is missing now, and why; nothing where something can.
pub(super) fn none(item: &ChecklistItem) -> String {
    let said = item.blocked.as_ref().map(|why| format!("          nobody can complete this today: {}\n", sanitise(why, false)));
    said.unwrap_or_default()
}

/// Every way there is in a case as it stands: to reach somebody while it is held, and otherwise to prove what is missing.
fn all(case: &CaseDetail) -> Vec<&Startable> {
    let missing = case.checklist.items.iter().filter(|i| i.state != ItemState::Done).flat_map(|i| &i.startable);
    case.hold.as_ref().map_or_else(|| missing.collect(), |hold| hold.contacts.iter().collect())
}

/// Why a proof was not started that names nobody to ask, or no address: with the option, and with whom or what the case offers.
pub(super) async fn unnamed(client: &Client, (case, version): (CaseId, Option<u64>), start: &StartProof, error: ClientError) -> Failure {
    // Where one was named, what is wrong with it is the server's to say.
    let option = match error.problem().and_then(|p| p.field.as_deref()) {
        Some("attester") if start.attester.is_none() => "--attester",
        Some("endpoint") if start.endpoint.is_none() => "--endpoint",
        _ => return unsure(error, &Look::Case(case, version)),
    };
    let mut failure = Failure::from(error);
    if failure.code == USAGE
        && let Ok(case) = client.case(case).await
    {
        failure.detail = named(&case, start.method, option);
    }
    failure
}

fn named(case: &CaseDetail, method: Method, option: &str) -> String {
    let mut could: Vec<String> = Vec::new();
    for way in all(case).into_iter().filter(|w| w.method == method && w.refused.is_none()) {
        let id = if option == "--attester" { way.attester.as_ref().map(ToString::to_string) } else { way.endpoint.as_ref().map(ToString::to_string) };
        could.extend(id.filter(|id| !could.contains(id)));
    }
    let (what, whom) = if option == "--attester" { ("Name whom to ask", "asked") } else { ("Name the recorded address", "used") };
    let more = could.len().saturating_sub(SHOWN);
    could.truncate(SHOWN);
    let list = could.join(", ");
    match (could.len(), more) {
        (0, _) => format!("{what} with {option}; for {} there is nobody and nothing that could be {whom} now.", method.label()),
        (_, 0) => format!("{what} with {option}; could be {whom}: {list}."),
        _ => format!("{what} with {option}; could be {whom}: {list} and {more} more."),
    }
}
