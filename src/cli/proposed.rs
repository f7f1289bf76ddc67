//! What waits for a second person or its delay, in sentences.
//!
//! Contract: who asks for what, how it stands, and until when it can be approved, as the server says it. Names are sanitised where they are
//! put in, and stand beside their ids. Knows no rules.

use std::collections::BTreeMap;

use super::out::{FAILED, Failure};
use super::shown::minute;
use crate::api::governance::{PolicyProposed, PolicyView, ProposalRow, ProposalView, RegisterView, kept_back, stands};
use crate::api::lists::named;
use crate::base::ids::PersonId;
use crate::base::{Time, Untrusted};
use crate::client::Client;

/// The policies that wait, if any do.
pub(super) async fn policies(client: &Client, view: &RegisterView) -> Result<Vec<PolicyProposed>, Failure> {
    if !view.proposals.iter().any(|p| p.change.get("change").is_some_and(|c| c == "set_policy")) {
        return Ok(Vec::new());
    }
    let policy: PolicyView = serde_json::from_value(client.policy().await?).map_err(|e| Failure::new(FAILED, e.to_string()))?;
    Ok(policy.proposed)
}

/// One proposal with all there is to it.
pub(super) fn whole(one: &ProposalView, names: &BTreeMap<String, Untrusted>, now: Time) -> String {
    let row = proposals(std::slice::from_ref(&one.proposal), names, &[], now);
    let Some(policy) = &one.policy else { return row };
    let (sha256, against) = (policy.sha256, policy.current_sha256);
    format!("{row}\nsha256 {sha256}, compared with {against}, which is in force.\n{}\n\n{}", super::compared::words(policy, "It"), policy.text)
}

/// What people are called, by their ids.
pub(super) fn names(view: &RegisterView) -> BTreeMap<String, Untrusted> {
    view.persons.iter().map(|p| (p.id.to_string(), p.name.clone())).chain(view.names.clone()).collect()
}

/// What waits, a sentence each: who asks for what. Names are sanitised where they are put in, and stand beside their ids.
pub(super) fn proposals(all: &[ProposalRow], names: &BTreeMap<String, Untrusted>, policies: &[PolicyProposed], now: Time) -> String {
    let who = |id: &PersonId| names.get(id.as_str()).map_or_else(|| id.to_string(), |name| format!("{} ({id})", name.line()));
    let row = |p: &ProposalRow| {
        let by = (p.approvals.as_slice(), p.approved_by.as_ref());
        let counts = p.effective_at.map(|at| (minute(at), kept_back(Some(at), now)));
        let stands = stands(by, p.approvals_missing, counts, who);
        let says = if p.says.is_empty() { p.change.to_string() } else { named(&p.says, names) };
        let mut lines = format!("{}  proposed by {}, {stands}:\n  {says}\n", p.id, who(&p.proposed_by));
        if let Some(why) = &p.too_few {
            lines.extend(["  ".to_owned(), named(why, names), "\n".to_owned()]);
        }
        lines.extend(p.waits_until.map(|until| format!("  {}\n", waits(p, until, now))));
        if let Some(policy) = policies.iter().find(|policy| policy.proposal == p.id) {
            let settings = policy.settings.iter().map(super::compared::setting);
            let more = (policy.more > 0).then(|| format!("{} more settings differ.", policy.more));
            let unread = policy.unreadable.then(|| "This version can't read it: what it would change is not known.".to_owned());
            let whole = format!("Its text, and which cases it changes: countersign register proposals --id {}", p.id);
            lines.extend(settings.chain(more).chain(unread).chain([whole]).flat_map(|line| ["    ".to_owned(), line, "\n".to_owned()]));
        }
        lines
    };
    if all.is_empty() { "Nothing waits.".to_owned() } else { all.iter().map(row).collect() }
}

/// Until when it can be approved; of one that waited longer, that nobody can any more; of one that nobody could approve now, when it ends.
fn waits(p: &ProposalRow, until: Time, now: Time) -> String {
    let at = minute(until);
    match p.too_few {
        _ if until < now => {
            format!(
                "It waited too long, until {at}: nobody can approve it any more. Propose it anew; countersign register end {} takes it away.",
                p.id
            )
        }
        Some(_) => format!("It waits until {at}."),
        None => format!("It can be approved until {at}."),
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proposal_that_waited_too_long_is_not_said_to_be_approvable() {
        let now: Time = "2026-11-20T10:00:00Z".parse().unwrap();
        let said = |until: Time, too_few: Option<&str>| {
            let row = json!({"id": "prp-1", "proposed_by": "p-ana", "proposed_at": now - Duration::days(30), "change": {}, "says": "the account x",
                "approvals_missing": 1, "approved_by": null, "effective_at": null, "waits_until": until, "too_few": too_few});
            proposals(&[serde_json::from_value(row).unwrap()], &BTreeMap::new(), &[], now)
        };
        let waits = said(now + Duration::hours(1), None);
        assert!(waits.contains("It can be approved until"), "{waits}");
        let over = said(now - Duration::hours(1), None);
        assert!(!over.contains("It can be approved") && over.contains("It waited too long") && over.contains("register end prp-1"), "{over}");
        let nobody = said(now + Duration::hours(1), Some("At present nobody could approve it."));
        assert!(!nobody.contains("It can be approved") && nobody.contains("It waits until"), "{nobody}");
    }
}
