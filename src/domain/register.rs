//! The register: what decides who may decide. Persons, operators, groups, automations, delegation, policy in force, and pending
//! changes of all of these (invariant 17).
//!
//! Contract: plain data and the questions that rules ask of it; it changes only through [`super::event::RegisterEvent`].
//! Knows nothing about cases, tokens' secrets or storage.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::subject::Ownership;
use super::vocabulary::{Role, Status};
use crate::base::ids::{AutomationId, DelegationId, EmployerId, GroupId, OperatorId, PersonId, ProposalId, TeamId, TokenId};
use crate::base::{Digest, Time};

/// A human, without name or address: those are personal data and live beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Opaque id.
    pub id: PersonId,
    /// Who employs them.
    pub employer: EmployerId,
    /// Their team.
    pub team: Option<TeamId>,
    /// Their manager.
    pub manager: Option<PersonId>,
    /// Working hours; `None` means at any time.
    pub shift: Option<Shift>,
    /// Whether they are on call outside their shift.
    pub on_call: bool,
    /// Whether they are still here; only the active may decide.
    pub status: Status,
}

/// Working hours in minutes after midnight UTC; `end` before `start` runs over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// First minute, 0 to 1439.
    pub start: u16,
    /// Minute after the last, 0 to 1439.
    pub end: u16,
}

impl Shift {
    /// Whether a moment lies within the shift.
    pub fn covers(self, at: Time) -> bool {
        use chrono::Timelike as _;
        let minute = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
        if self.start <= self.end { (self.start..self.end).contains(&minute) } else { minute >= self.start || minute < self.end }
    }
}

/// An account of a person that signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Account id, as typed at sign-in.
    pub id: OperatorId,
    /// Whose account it is.
    pub person: PersonId,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// Approver groups it belongs to.
    pub groups: BTreeSet<GroupId>,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// A machine principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automation {
    /// Opaque id.
    pub id: AutomationId,
    /// Persons who own it, now and before; never empty.
    pub owners: Vec<Ownership>,
    /// Persons who sponsor it, now and before.
    pub sponsors: Vec<Ownership>,
    /// What its tokens may at most contain (invariant 6).
    pub scopes: BTreeSet<Scope>,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// What an automation's token may do; by construction nothing beyond invariant 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Open cases.
    Open,
    /// Route cases.
    Route,
    /// Withdraw its own cases.
    WithdrawOwn,
    /// Add telemetry.
    Telemetry,
}

/// Someone acts for someone else in the register's eyes, now or before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Opaque id.
    pub id: DelegationId,
    /// Who delegated.
    pub from: Principal,
    /// To whom.
    pub to: Principal,
    /// From when.
    pub since: Time,
    /// When it ended; `None` while it lasts. Kept: a revoked delegation still counts within policy's window (invariant 2, T4).
    pub until: Option<Time>,
}

/// Someone who can act: a person, or software.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Principal {
    /// A human.
    Person(PersonId),
    /// A machine principal.
    Automation(AutomationId),
}

/// A token that an operator or automation signs in with; its secret is known to its holder alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Public half, part of what the holder presents.
    pub id: TokenId,
    /// Who signs in with it.
    pub holder: Holder,
    /// The human chain an automation acts for, nearest first: authenticated, never a field of a request (product.md, "Words").
    pub on_behalf_of: Vec<Principal>,
    /// Salted digest of the secret half.
    pub secret_sha256: Digest,
    /// When it was issued.
    pub issued_at: Time,
    /// When it ends by itself.
    pub expires_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Holder {
    /// An operator.
    Operator(OperatorId),
    /// An automation, with no more than these scopes.
    Automation(AutomationId),
}

/// A change of the register that widens who may decide, or loosens policy, and waits for a second person and the delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Opaque id.
    pub id: ProposalId,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: Time,
    /// What would change.
    pub change: super::event::RegisterChange,
    /// How many persons besides its author have to approve it: two for what starts or widens self-service or runbooks (invariant 17).
    #[serde(default = "super::event::one", skip_serializing_if = "super::event::is_one")]
    pub approvals: u8,
    /// Of two approvers the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconded_by: Option<PersonId>,
    /// Whose approval made it count, another person than the proposer and outside what it widens.
    pub approved_by: Option<PersonId>,
    /// From when it counts, once approved.
    pub effective_at: Option<Time>,
    /// Digest of what it would replace, as it stood when proposed: if that has changed since (an account disabled, say), the proposal
    /// no longer applies.
    pub replaces: Option<Digest>,
}

impl Proposal {
    /// Who approved it so far.
    pub fn approvers(&self) -> impl Iterator<Item = &PersonId> {
        self.seconded_by.iter().chain(&self.approved_by)
    }

    /// How many approvals are still missing.
    pub fn missing(&self) -> u8 {
        let gave = u8::from(self.seconded_by.is_some());
        if self.approved_by.is_some() { 0 } else { self.approvals.saturating_sub(gave).max(1) }
    }
}

/// The register as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Register {
    /// Running number of the last entry that changed it; part of what a commit compares (invariant 18).
    pub version: u64,
    /// Whether the founding ceremony took place.
    pub founded: bool,
    /// Persons by id. Bound: 100,000, refused beyond by import.
    pub persons: BTreeMap<PersonId, Person>,
    /// Accounts by id.
    pub operators: BTreeMap<OperatorId, Operator>,
    /// Automations by id.
    pub automations: BTreeMap<AutomationId, Automation>,
    /// Delegations, past and present.
    pub delegations: Vec<Delegation>,
    /// Tokens by id.
    pub tokens: BTreeMap<TokenId, Token>,
    /// Digest of the policy in force.
    pub policy: Option<Digest>,
    /// Who wrote and approved the policy in force: deciders of record for runbook and self-service rules (invariant 17).
    pub policy_deciders: BTreeSet<PersonId>,
    /// Changes that wait.
    pub proposals: BTreeMap<ProposalId, Proposal>,
}

impl Register {
    /// The person behind an account.
    pub fn person_of(&self, operator: &OperatorId) -> Option<&Person> {
        self.persons.get(&self.operators.get(operator)?.person)
    }

    /// The enabled accounts of a person.
    pub fn accounts_of<'a>(&'a self, person: &'a PersonId) -> impl Iterator<Item = &'a Operator> {
        self.operators.values().filter(move |o| o.enabled && &o.person == person)
    }
}
