//! Register and policy on the wire.

use std::collections::BTreeMap;

use super::{parts, principal};
use crate::api::governance::{
    AutomationRow, ClassesRow, DelegationRow, OperatorRow, PersonRow, PolicyCompared, PolicyProposed, PolicyView, ProposalRow, RegisterView,
    SettingRow, TokenRow,
};
use crate::base::ids::PersonId;
use crate::base::{Digest, Time, Untrusted};
use crate::domain::event::RegisterChange;
use crate::domain::mailboxes::Readers;
use crate::domain::policy::settings::{Setting, settings};
use crate::domain::policy::{Policy, compare};
use crate::domain::register::{Holder, Proposal, Register};
use crate::domain::subject::Ownership;

/// The most rows of one kind that a register's view holds.
const MAX_ROWS: usize = 1_000;
/// The most kinds of difference between two policies that are listed.
const MAX_KINDS: usize = 200;

/// The policy in force, and those that are proposed in its place.
pub fn policy_view(policy: &Policy, text: String, proposed: Vec<PolicyProposed>) -> PolicyView {
    PolicyView { sha256: policy.sha256, text, accountable: parts::owners(policy), proposed, names: BTreeMap::new() }
}

/// The most settings of all proposed policies together that are listed beside the policy in force.
pub const MAX_SETTINGS: usize = 1_000;

/// A proposed policy beside the one in force; none if its text can't be read. There is room for so many settings, which it takes from.
pub fn policy_proposed(proposal: &Proposal, sha256: Digest, current: &Policy, proposed: Option<&Policy>, room: &mut usize) -> PolicyProposed {
    let mut rows = proposed.map(|p| settings(&current.bundle, &p.bundle)).unwrap_or_default();
    let more = u64::try_from(rows.len().saturating_sub(*room)).unwrap_or(u64::MAX);
    rows.truncate(*room);
    *room -= rows.len();
    PolicyProposed {
        proposal: proposal.id.clone(),
        sha256,
        proposed_by: proposal.proposed_by.clone(),
        approvals: proposal.approvers().cloned().collect(),
        approvals_missing: proposal.missing(),
        approved_by: proposal.approved_by.clone(),
        effective_at: proposal.effective_at,
        settings: setting_rows(rows),
        more,
        unreadable: proposed.is_none(),
    }
}

/// A proposed policy compared with the one in force. Every class of case is looked at: not quick.
pub fn policy_compared(current: &Policy, proposed: &Policy, text: String) -> PolicyCompared {
    let found = compare::diff(&current.bundle, &proposed.bundle);
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let cases = found.differences.iter().take(MAX_KINDS).map(|d| ClassesRow {
        verdict: d.verdict.label().to_owned(),
        classes: count(d.classes),
        example: d.example.to_string(),
        gone: d.gone.clone(),
        added: d.added.clone(),
    });
    PolicyCompared {
        sha256: proposed.sha256,
        text,
        current_sha256: current.sha256,
        laxer: found.loosens(),
        stricter: found.tightens(),
        classes: (!found.too_many).then(|| count(found.classes)),
        cases: cases.collect(),
        more_cases: count(found.differences.len().saturating_sub(MAX_KINDS)),
        more_settings: count(found.settings.len().saturating_sub(MAX_ROWS)),
        settings: setting_rows(found.settings),
    }
}

fn setting_rows(all: Vec<Setting>) -> Vec<SettingRow> {
    let row = |s: Setting| SettingRow { name: s.name, was: s.was, would_be: s.would_be, lean: s.lean };
    all.into_iter().take(MAX_ROWS).map(row).collect()
}

/// A change that waits. `along` says who reads the mailboxes of persons whom changes are about.
pub fn proposal_row(register: &Register, p: &Proposal, along: &BTreeMap<PersonId, Readers>) -> ProposalRow {
    let about = if let RegisterChange::SetOperator(o) = &p.change { along.get(&o.person) } else { None };
    ProposalRow {
        id: p.id.clone(),
        proposed_by: p.proposed_by.clone(),
        proposed_at: p.proposed_at,
        change: without_digests(serde_json::to_value(&p.change).unwrap_or_default()),
        says: super::governs::proposed(register, &p.proposed_by, &p.change, about),
        approvals: p.approvers().cloned().collect(),
        approvals_missing: p.missing(),
        approved_by: p.approved_by.clone(),
        effective_at: p.effective_at,
    }
}

fn now_only(all: &[Ownership], now: Time) -> Vec<PersonId> {
    all.iter().filter(|o| o.within(now, chrono::Duration::zero())).map(|o| o.person.clone()).collect()
}

/// The register as staff see it.
pub fn register_view(register: &Register, names: &BTreeMap<PersonId, Untrusted>, along: &BTreeMap<PersonId, Readers>, now: Time) -> RegisterView {
    let with_account: std::collections::BTreeSet<&PersonId> = register.operators.values().map(|o| &o.person).collect();
    let persons = with_account.into_iter().filter_map(|id| register.persons.get(id)).take(MAX_ROWS).map(|p| PersonRow {
        id: p.id.clone(),
        name: names.get(&p.id).cloned().unwrap_or_else(|| Untrusted::from(p.id.as_str())),
        employer: p.employer.clone(),
        team: p.team.clone(),
        manager: p.manager.clone(),
        on_shift: p.on_call || p.shift.is_none_or(|s| s.covers(now)),
        status: p.status,
    });
    let operators = register.operators.values().take(MAX_ROWS).map(|o| OperatorRow {
        id: o.id.clone(),
        person: o.person.clone(),
        roles: o.roles.iter().copied().collect(),
        groups: o.groups.iter().cloned().collect(),
        enabled: o.enabled,
    });
    let automations = register.automations.values().take(MAX_ROWS).map(|a| AutomationRow {
        id: a.id.clone(),
        owners: now_only(&a.owners, now),
        sponsors: now_only(&a.sponsors, now),
        owner_history: a.owners.clone(),
        sponsor_history: a.sponsors.clone(),
        scopes: a.scopes.iter().copied().collect(),
        enabled: a.enabled,
    });
    let delegations = register.delegations.iter().rev().take(MAX_ROWS).map(|d| DelegationRow {
        id: d.id.clone(),
        from: principal(&d.from),
        to: principal(&d.to),
        since: d.since,
        until: d.until,
    });
    let proposals = register.proposals.values().take(MAX_ROWS).map(|p| proposal_row(register, p, along));
    let live = register.tokens.values().filter(|t| t.revoked_at.is_none() && t.expires_at > now);
    let tokens = live.take(MAX_ROWS).map(|t| TokenRow {
        id: t.id.clone(),
        holder: match &t.holder {
            Holder::Operator(id) => format!("operator:{id}"),
            Holder::Automation(id) => format!("automation:{id}"),
        },
        on_behalf_of: t.on_behalf_of.iter().map(principal).collect(),
        issued_at: t.issued_at,
        expires_at: t.expires_at,
    });
    RegisterView {
        version: register.version,
        policy_sha256: register.policy,
        persons: persons.collect(),
        operators: operators.collect(),
        automations: automations.collect(),
        delegations: delegations.collect(),
        proposals: proposals.collect(),
        tokens: tokens.collect(),
        names: BTreeMap::new(),
    }
}

/// A waiting token's digest is nobody's business.
fn without_digests(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(to) = value.get_mut("to").and_then(serde_json::Value::as_object_mut) {
        to.remove("secret_sha256");
    }
    value
}
