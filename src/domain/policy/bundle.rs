//! A policy file as data: owners, governance, windows, proofs, rules, and what each action does.
//!
//! Contract: plain data that mirrors the file. Knows nothing about TOML, and nothing about how rules combine.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::GroupId;
use crate::domain::register::Scope;
use crate::domain::requirement::{CodeRules, ProofNeed, Requirement, Seconds};
use crate::domain::vocabulary::{Aal, Action, Environment, FlagKind, Ial, InventorySource, Method, Path, Role, SubjectKind, Tier};

/// Everything a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What its writers call it.
    pub name: String,
    /// Who answers for what.
    pub owners: Owners,
    /// The business owner's acceptance of the trade-off.
    pub acceptance: Acceptance,
    /// How register and policy change.
    pub governance: Governance,
    /// What software may do at all.
    pub automation: BTreeSet<Scope>,
    /// Who may start which path.
    pub start: BTreeMap<Path, Start>,
    /// What every case needs.
    pub base: Requirement,
    /// Rules that add to it.
    pub rules: Vec<Rule>,
    /// What an action does besides.
    pub actions: BTreeMap<Action, ActionRule>,
}

/// The four accountable owners (mission.md, 4): persons or posts, as the organisation names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owners {
    /// Owns the policy.
    pub identity_governance: String,
    /// Executes it.
    pub support_operations: String,
    /// Defines detection and logging.
    pub security_operations: String,
    /// Accepts the trade-off.
    pub business: String,
}

/// The business owner's dated acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acceptance {
    /// Who accepted.
    pub by: String,
    /// On which day.
    pub on: chrono::NaiveDate,
    /// What exactly.
    pub words: String,
}

/// How register and policy change (invariant 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Governance {
    /// Wait between the second person's approval and effect.
    pub change_delay: Seconds,
    /// How long a proposal may wait for approval.
    pub proposal_lifetime: Seconds,
    /// The longest a token may live.
    pub token_lifetime: Seconds,
    /// Live tokens of one holder.
    pub tokens_per_holder: u32,
}

/// Who may start a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// Operators with any of these roles.
    pub roles: BTreeSet<Role>,
    /// Software with the scope to open.
    pub automation: bool,
    /// The subject itself.
    pub subject: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, shown wherever it asks for something.
    pub name: String,
    /// Why it is there.
    pub why: String,
    /// The line it begins at, from 1.
    pub line: usize,
    /// Which cases it is about.
    pub when: When,
    /// What it asks for.
    pub demand: Demand,
}

/// Which cases a rule is about; an empty set means any, and all that are given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// Actions.
    pub actions: BTreeSet<Action>,
    /// Paths.
    pub paths: BTreeSet<Path>,
    /// Tiers.
    pub tiers: BTreeSet<Tier>,
    /// Identity assurance.
    pub ials: BTreeSet<Ial>,
    /// Authentication assurance.
    pub aals: BTreeSet<Aal>,
    /// Kinds of subject.
    pub kinds: BTreeSet<SubjectKind>,
    /// Environments.
    pub environments: BTreeSet<Environment>,
    /// Inventory sources.
    pub inventories: BTreeSet<InventorySource>,
    /// Whether an owner is known.
    pub owner_known: Option<bool>,
    /// Flags, any of which must be there.
    pub flags: BTreeSet<FlagKind>,
}

/// What a rule asks for; what it leaves out it does not touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Proofs, by name.
    pub proofs: Vec<(String, ProofNeed)>,
    /// Gates.
    pub gates: BTreeSet<Method>,
    /// How many persons approve.
    pub approvals: Option<u8>,
    /// How many of them from which group.
    pub groups: BTreeMap<GroupId, u8>,
    /// Whether one approver has another employer.
    pub other_employer: bool,
    /// Whether approvals are signed.
    pub signature: bool,
    /// Spans of time by dimension.
    pub spans: BTreeMap<Span, Seconds>,
    /// Wrong tries and lives of codes; only in `[codes]`.
    pub codes: Option<CodeRules>,
    /// Whether a review follows.
    pub review: bool,
    /// Who is told when it takes too long or fails.
    pub escalates_to: BTreeSet<Role>,
}

/// A dimension of a requirement that is a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// Youngest record that serves a proof.
    EndpointAge,
    /// Life of a receipt.
    Receipt,
    /// Life of an approval.
    Approval,
    /// Wait before execution.
    Delay,
    /// Time to take an approval back.
    Grace,
    /// Life of a grant.
    Grant,
    /// Restriction afterwards.
    Restriction,
    /// Triage deadline.
    TriageDue,
    /// Proofing deadline.
    ProofingDue,
    /// Approval deadline.
    ApprovalDue,
    /// Expiry.
    Expiry,
    /// Hold escalation.
    HoldDue,
}

/// What an action does besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActionRule {
    /// Whether the old credential is revoked with it.
    pub revokes_old: bool,
    /// Whether what depends on the subject is rotated with it.
    pub rotates_dependents: bool,
    /// Whether the target can undo it.
    pub reversible: bool,
}
