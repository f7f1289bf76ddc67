//! Register and policy on the wire.

use std::collections::{BTreeMap, BTreeSet};

use super::{parts, principal};
use crate::api::governance::{
    AutomationRow, ClassesRow, DelegationRow, OperatorRow, PersonRow, PolicyCompared, PolicyProposed, PolicyView, ProposalRow, RegisterKind,
    RegisterParams, RegisterView, SettingRow, TokenRow,
};
use crate::base::ids::{OperatorId, PersonId};
use crate::base::{Digest, Time, Untrusted};
use crate::domain::event::RegisterChange;
use crate::domain::govern::SecondWord;
use crate::domain::mailboxes::Readers;
use crate::domain::policy::settings::{Setting, settings};
use crate::domain::policy::{Policy, compare};
use crate::domain::register::{Automation, Delegation, Holder, Operator, Person, Proposal, Register, Token};
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

/// The most persons that a waiting change names as those who could approve it.
const MAX_COULD: usize = 30;

/// What is looked at to show changes that wait.
pub struct Looking<'a> {
    /// The register.
    pub register: &'a Register,
    /// Who could approve what; none before there is a policy.
    pub word: Option<SecondWord<'a>>,
    /// Who reads the mailboxes of persons whom changes are about.
    pub along: BTreeMap<PersonId, Readers>,
    /// The account that asks.
    pub asker: Option<&'a OperatorId>,
    /// When.
    pub now: Time,
}

/// A change that waits.
pub fn proposal_row(looking: &Looking<'_>, p: &Proposal) -> ProposalRow {
    let about = if let RegisterChange::SetOperator(o) = &p.change { looking.along.get(&o.person) } else { None };
    let word = looking.word.as_ref();
    ProposalRow {
        id: p.id.clone(),
        proposed_by: p.proposed_by.clone(),
        proposed_at: p.proposed_at,
        change: without_digests(serde_json::to_value(&p.change).unwrap_or_default()),
        says: crate::domain::govern::says::proposed(looking.register, &p.proposed_by, &p.change, about),
        approvals: p.approvers().cloned().collect(),
        approvals_missing: p.missing(),
        approved_by: p.approved_by.clone(),
        effective_at: p.effective_at,
        could_approve: word.map(|w| w.could(p).into_iter().take(MAX_COULD).cloned().collect()).unwrap_or_default(),
        too_few: word.and_then(|w| w.too_few(p)),
        for_you: word.zip(looking.asker).is_some_and(|(word, asker)| word.may(p, asker)),
        waits_until: word.filter(|_| p.approved_by.is_none()).map(|w| w.until(p)),
    }
}

fn now_only(all: &[Ownership], now: Time) -> Vec<PersonId> {
    all.iter().filter(|o| o.within(now, chrono::Duration::zero())).map(|o| o.person.clone()).collect()
}

/// Which rows are asked for, and of which kinds there are more.
struct Page<'a> {
    asked: &'a RegisterParams,
    more: Vec<RegisterKind>,
}

impl Page<'_> {
    /// At most [`MAX_ROWS`] of all those rows; `passed` says whether one comes no later than the row of the id that was named.
    fn of<T>(&mut self, kind: RegisterKind, all: impl Iterator<Item = T>, mut passed: impl FnMut(&T, &str) -> bool) -> Vec<T> {
        if self.asked.of.is_some_and(|of| of != kind) {
            return Vec::new();
        }
        let after = self.asked.after.as_deref().filter(|_| self.asked.of.is_some());
        let mut rest = all.skip_while(|row| after.is_some_and(|after| passed(row, after)));
        let rows: Vec<T> = rest.by_ref().take(MAX_ROWS).collect();
        if rest.next().is_some() {
            self.more.push(kind);
        }
        rows
    }
}

/// The register as staff see it: rows of each kind, or those of one kind after an id. People are called by their ids.
pub fn register_view(looking: &Looking<'_>, asked: &RegisterParams) -> RegisterView {
    let (register, now) = (looking.register, looking.now);
    let mut page = Page { asked, more: Vec::new() };
    let with_account: BTreeSet<&PersonId> = register.operators.values().map(|o| &o.person).collect();
    let persons = with_account.into_iter().filter_map(|id| register.persons.get(id));
    let persons = page.of(RegisterKind::Persons, persons, |p, after| p.id.as_str() <= after);
    let operators = page.of(RegisterKind::Operators, register.operators.values(), |o, after| o.id.as_str() <= after);
    let automations = page.of(RegisterKind::Automations, register.automations.values(), |a, after| a.id.as_str() <= after);
    // Newest first, and none ever goes.
    let mut met = false;
    let delegations = page.of(RegisterKind::Delegations, register.delegations.iter().rev(), |d, after| {
        let before = met;
        met |= d.id.as_str() == after;
        !before
    });
    let proposals = page.of(RegisterKind::Proposals, register.proposals.values(), |p, after| p.id.as_str() <= after);
    let live = register.tokens.values().filter(|t| t.revoked_at.is_none() && t.expires_at > now);
    let tokens = page.of(RegisterKind::Tokens, live, |t, after| t.id.as_str() <= after);
    RegisterView {
        version: register.version,
        policy_sha256: register.policy,
        persons: persons.into_iter().map(|p| person_row(p, now)).collect(),
        operators: operators.into_iter().map(operator_row).collect(),
        automations: automations.into_iter().map(|a| automation_row(a, now)).collect(),
        delegations: delegations.into_iter().map(delegation_row).collect(),
        proposals: proposals.into_iter().map(|p| proposal_row(looking, p)).collect(),
        tokens: tokens.into_iter().map(token_row).collect(),
        names: BTreeMap::new(),
        more: page.more,
    }
}

fn person_row(p: &Person, now: Time) -> PersonRow {
    PersonRow {
        id: p.id.clone(),
        name: Untrusted::from(p.id.as_str()),
        employer: p.employer.clone(),
        team: p.team.clone(),
        manager: p.manager.clone(),
        on_shift: p.on_call || p.shift.is_none_or(|s| s.covers(now)),
        status: p.status,
    }
}

fn operator_row(o: &Operator) -> OperatorRow {
    OperatorRow {
        id: o.id.clone(),
        person: o.person.clone(),
        roles: o.roles.iter().copied().collect(),
        groups: o.groups.iter().cloned().collect(),
        enabled: o.enabled,
    }
}

fn automation_row(a: &Automation, now: Time) -> AutomationRow {
    AutomationRow {
        id: a.id.clone(),
        owners: now_only(&a.owners, now),
        sponsors: now_only(&a.sponsors, now),
        owner_history: a.owners.clone(),
        sponsor_history: a.sponsors.clone(),
        scopes: a.scopes.iter().copied().collect(),
        enabled: a.enabled,
    }
}

fn delegation_row(d: &Delegation) -> DelegationRow {
    DelegationRow { id: d.id.clone(), from: principal(&d.from), to: principal(&d.to), since: d.since, until: d.until }
}

fn token_row(t: &Token) -> TokenRow {
    TokenRow {
        id: t.id.clone(),
        holder: match &t.holder {
            Holder::Operator(id) => format!("operator:{id}"),
            Holder::Automation(id) => format!("automation:{id}"),
        },
        on_behalf_of: t.on_behalf_of.iter().map(principal).collect(),
        issued_at: t.issued_at,
        expires_at: t.expires_at,
    }
}

/// A waiting token's digest is nobody's business.
fn without_digests(mut value: serde_json::Value) -> serde_json::Value {
    if let Some(to) = value.get_mut("to").and_then(serde_json::Value::as_object_mut) {
        to.remove("secret_sha256");
    }
    value
}
