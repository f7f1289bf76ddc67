//! Register, policy and tokens on the wire.
//!
//! Contract: opaque ids and codes; a token's secret appears once, in the answer that issued it, and nowhere else.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::asked::{RegisterKind, RegisterParams};
use super::case::{Accountable, Checklist};
use super::words::{Role, Status};
use crate::base::ids::{AutomationId, DelegationId, EmployerId, GroupId, OperatorId, PersonId, ProposalId, TeamId, TokenId};
use crate::base::{Digest, Untrusted};
pub use crate::domain::policy::settings::Lean;
use crate::domain::register::Scope;
use crate::domain::subject::Ownership;

/// The register as staff see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisterView {
    /// How many entries made it.
    pub version: u64,
    /// Digest of the policy in force.
    pub policy_sha256: Option<Digest>,
    /// Persons that have an account, at most 1,000.
    pub persons: Vec<PersonRow>,
    /// Accounts, at most 1,000.
    pub operators: Vec<OperatorRow>,
    /// Automations, at most 1,000.
    pub automations: Vec<AutomationRow>,
    /// Delegations, past ones too, newest first, at most 1,000.
    pub delegations: Vec<DelegationRow>,
    /// Changes that wait.
    pub proposals: Vec<ProposalRow>,
    /// Tokens that are neither revoked nor expired, at most 1,000.
    pub tokens: Vec<TokenRow>,
    /// Names of the persons that the waiting changes name, by their ids, for those who may read names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Untrusted>,
    /// Kinds of which there are more rows than these: `?of=KIND&after=ID`, with the id of the last row, goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<RegisterKind>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonRow {
    /// Opaque id.
    pub id: PersonId,
    /// Name.
    pub name: Untrusted,
    /// Who employs them.
    pub employer: EmployerId,
    /// Their team.
    pub team: Option<TeamId>,
    /// Their manager.
    pub manager: Option<PersonId>,
    /// Whether they are on shift or on call now.
    pub on_shift: bool,
    /// Whether they are still here.
    pub status: Status,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorRow {
    /// The account.
    pub id: OperatorId,
    /// Whose.
    pub person: PersonId,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Approver groups.
    pub groups: Vec<GroupId>,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// An automation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AutomationRow {
    /// Opaque id.
    pub id: AutomationId,
    /// Who owns it now.
    pub owners: Vec<PersonId>,
    /// Who sponsors it now.
    pub sponsors: Vec<PersonId>,
    /// Everyone who owns it or did, with the days.
    #[schema(value_type = Vec<Object>)]
    pub owner_history: Vec<Ownership>,
    /// Everyone who sponsors it or did.
    #[schema(value_type = Vec<Object>)]
    pub sponsor_history: Vec<Ownership>,
    /// What its tokens may at most contain.
    pub scopes: Vec<Scope>,
    /// Whether it may sign in.
    pub enabled: bool,
}

/// A delegation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DelegationRow {
    /// Opaque id.
    pub id: DelegationId,
    /// Who delegated: a person's or an automation's id.
    pub from: String,
    /// To whom.
    pub to: String,
    /// From when.
    pub since: DateTime<Utc>,
    /// When it ended.
    pub until: Option<DateTime<Utc>>,
}

/// A change that waits for a second person or its delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalRow {
    /// Opaque id.
    pub id: ProposalId,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// What would change, as a change is sent.
    #[schema(value_type = Object)]
    pub change: serde_json::Value,
    /// What would change, in words; people by their ids, as `person p-...`.
    #[serde(default)]
    pub says: String,
    /// Who approved it so far.
    #[serde(default)]
    pub approvals: Vec<PersonId>,
    /// How many approvals are missing: what starts or widens self-service or runbooks takes two besides its author's word.
    #[serde(default)]
    pub approvals_missing: u8,
    /// Whose approval was the last that it takes.
    pub approved_by: Option<PersonId>,
    /// From when it counts.
    pub effective_at: Option<DateTime<Utc>>,
    /// Who could approve it now, at most 30.
    #[serde(default)]
    pub could_approve: Vec<PersonId>,
    /// That fewer could approve it now than it takes, why, and what would help; people by their ids, as `person p-...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_few: Option<String>,
    /// Whether the asker could approve it now.
    #[serde(default)]
    pub for_you: bool,
    /// Until when it can be approved, while it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<DateTime<Utc>>,
}

/// A token, never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// Public half.
    pub id: TokenId,
    /// Whose, e.g. `operator:nadia` or `automation:triage-bot`.
    pub holder: String,
    /// The chain it acts for, nearest first.
    pub on_behalf_of: Vec<String>,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// `POST /v1/register/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRegister {
    /// The change, e.g. `{"change": "disable_operator", "to": "nadia"}`; tokens and policy have ways of their own.
    #[schema(value_type = Object, example = json!({"change": "disable_operator", "to": "nadia"}))]
    pub change: serde_json::Value,
}

/// `POST /v1/register/policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposePolicy {
    /// The whole policy file.
    pub text: String,
}

/// `POST /v1/register/tokens`. Exactly one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// For this account.
    #[serde(default)]
    pub operator: Option<OperatorId>,
    /// For this automation.
    #[serde(default)]
    pub automation: Option<AutomationId>,
    /// The persons it acts for, nearest first; for automations only. At most 8.
    #[serde(default)]
    pub on_behalf_of: Vec<PersonId>,
    /// For how many hours, 1 to 720.
    #[schema(minimum = 1, maximum = 720)]
    #[serde(deserialize_with = "whole")]
    pub hours: u16,
}

/// A whole number, also when it is written as `24.0`: JSON has one kind of number (RFC 8259 §6).
fn whole<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u16, D::Error> {
    let number = f64::deserialize(d)?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&number);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
    if fits { Ok(number as u16) } else { Err(serde::de::Error::custom("a whole number from 0 to 65535 is needed")) }
}

/// What became of a change of the register.
#[derive(Default, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisterAnswer {
    /// The register's version after it.
    pub version: u64,
    /// The codes of what happened: `changed` at once, or `proposed` and waiting.
    pub events: Vec<String>,
    /// The proposal, if it became one.
    pub proposal: Option<ProposalId>,
    /// How many persons have still to approve the proposal that it is about.
    #[serde(default)]
    pub approvals_missing: u8,
    /// That fewer persons could approve that proposal now than it takes, why, and what would help; people by their ids, as `person p-...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_few: Option<String>,
    /// The token, if one was issued or proposed.
    pub token: Option<TokenId>,
    /// From when the approved change counts, if its delay is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<DateTime<Utc>>,
    /// The whole token as its holder presents it; shown this once, and not in the answer to a repeated request.
    pub secret: Option<String>,
}

/// `GET /v1/policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Its digest.
    pub sha256: Digest,
    /// Its text, as TOML.
    pub text: String,
    /// Accountable owners by function.
    pub accountable: Vec<Accountable>,
    /// Policies that are proposed in its place and do not count yet: all that wait.
    #[serde(default)]
    pub proposed: Vec<PolicyProposed>,
    /// Names of the persons who proposed or approved them, by their ids, for those who may read names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Untrusted>,
}

/// A policy that is proposed, beside the one in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyProposed {
    /// The proposal; `GET /v1/register/proposals/{id}` shows its text and which cases it changes.
    pub proposal: ProposalId,
    /// Its digest.
    pub sha256: Digest,
    /// Who proposed it.
    pub proposed_by: PersonId,
    /// Who approved it so far.
    #[serde(default)]
    pub approvals: Vec<PersonId>,
    /// How many approvals are missing: what starts or widens self-service or runbooks takes two besides its author's word.
    #[serde(default)]
    pub approvals_missing: u8,
    /// Whose approval was the last that it takes.
    pub approved_by: Option<PersonId>,
    /// From when it counts.
    pub effective_at: Option<DateTime<Utc>>,
    /// Each setting that differs from the policy in force, laxer ones first, at most 1,000 of all proposed policies together.
    pub settings: Vec<SettingRow>,
    /// How many more settings differ.
    #[serde(default)]
    pub more: u64,
    /// Whether its text can't be read by this version: then no setting is listed.
    #[serde(default)]
    pub unreadable: bool,
}

/// A setting of a policy that differs from the one in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingRow {
    /// Its name as in the file, e.g. `governance.token_lifetime`.
    pub name: String,
    /// What is in force; empty where nothing is said.
    pub was: String,
    /// What is proposed; empty where nothing is said.
    pub would_be: String,
    /// Which way it leans.
    pub lean: Lean,
}

/// `GET /v1/register/proposals/{id}`: what waits, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// The proposal.
    pub proposal: ProposalRow,
    /// Of a policy: its text, and how it stands to the one in force; none of one that this version can't read.
    pub policy: Option<PolicyCompared>,
    /// Names of the persons whom it names, or who had a hand in it, by their ids, for those who may read names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Untrusted>,
}

/// A proposed policy compared with the one in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyCompared {
    /// Its digest.
    pub sha256: Digest,
    /// Its text, as TOML.
    pub text: String,
    /// Digest of the policy in force that it was compared with.
    pub current_sha256: Digest,
    /// Whether it is laxer anywhere.
    pub laxer: bool,
    /// Whether it is stricter anywhere.
    pub stricter: bool,
    /// Each setting that differs, laxer ones first, at most 1,000.
    pub settings: Vec<SettingRow>,
    /// How many classes of case there are that either policy tells apart; none if there are too many to look at.
    pub classes: Option<u64>,
    /// How many more settings differ.
    #[serde(default)]
    pub more_settings: u64,
    /// What changes for which cases, laxer ones first, at most 200.
    pub cases: Vec<ClassesRow>,
    /// How many more differences there are.
    #[serde(default)]
    pub more_cases: u64,
}

impl PolicyCompared {
    /// How many settings differ, those that are left out among them.
    pub fn settings_in_all(&self) -> u64 {
        u64::try_from(self.settings.len()).unwrap_or(u64::MAX).saturating_add(self.more_settings)
    }

    /// That settings are left out, if any are.
    pub fn settings_left_out(&self) -> Option<String> {
        (self.more_settings > 0).then(|| format!("{} more settings differ.", self.more_settings))
    }

    /// That differences are left out, if any are.
    pub fn cases_left_out(&self) -> Option<String> {
        (self.more_cases > 0).then(|| format!("There are {} more differences.", self.more_cases))
    }

    /// Which way it leans, as it follows "it is".
    pub const fn leans(&self) -> &'static str {
        match (self.laxer, self.stricter) {
            (true, true) => "laxer in something and stricter in something else",
            (true, false) => "laxer in something, stricter in nothing",
            (false, true) => "stricter in something, laxer in nothing",
            (false, false) => "laxer in nothing and stricter in nothing",
        }
    }
}

/// `one further person`, `two further persons`.
pub fn further(missing: u8) -> String {
    match missing {
        0 | 1 => "one further person".to_owned(),
        2 => "two further persons".to_owned(),
        n => format!("{n} further persons"),
    }
}

/// How long an approved proposal may be due before it is said to be kept back: what is due is applied within seconds.
const KEPT_BACK: chrono::Duration = chrono::Duration::minutes(5);

/// Whether an approved proposal was due a while ago and still waits: it does not count.
pub fn kept_back(effective_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    effective_at.is_some_and(|at| at + KEPT_BACK < now)
}

/// How a proposal stands, in words: who approved it so far, and whom or what it waits for. `given` are those who approved, and the last of them from
/// servers that name no other; `counts` says when it counts, once that is known, and whether it is [`kept_back`].
pub fn stands(given: (&[PersonId], Option<&PersonId>), missing: u8, counts: Option<(String, bool)>, who: impl Fn(&PersonId) -> String) -> String {
    let (all, last) = given;
    let given: Vec<String> = if all.is_empty() { last.map(&who).into_iter().collect() } else { all.iter().map(&who).collect() };
    let given = given.join(" and ");
    let further = further(missing);
    match (last, counts) {
        (Some(_), Some((at, false))) => format!("approved by {given}, counts from {at}"),
        (Some(_), Some((at, true))) => format!(
            "approved by {given}, should count since {at} and does not: what it would change has changed since, or whoever proposed or approved it no \
             longer may. End it, and propose it anew"
        ),
        _ if given.is_empty() => format!("waits for {further}"),
        _ => format!("approved by {given}, waits for {further}"),
    }
}

/// One kind of difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassesRow {
    /// How the new one stands to the old one, in words.
    pub verdict: String,
    /// How many classes of case it concerns.
    pub classes: u64,
    /// One of them.
    pub example: String,
    /// What only the policy in force asks for.
    pub gone: Vec<String>,
    /// What only the proposed one asks for.
    pub added: Vec<String>,
}

/// `GET /v1/cases/{id}/policy`: what applies to a case, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyExplained {
    /// Policy it was opened under.
    pub pinned_sha256: Digest,
    /// Policy in force; the stricter of the two counts, rule by rule.
    pub current_sha256: Digest,
    /// What is needed and what is there.
    pub checklist: Checklist,
    /// Approvals, in words.
    pub approvals_needed: String,
    /// Every rule that matched, by name.
    #[serde(default)]
    pub rules: Vec<RuleApplied>,
    /// Each thing asked for, and the rules that asked for just that; what follows only from several together names none.
    #[serde(default)]
    pub asked: Vec<AskedFor>,
    /// Delays, lifetimes and deadlines as `name: value` sentences.
    pub terms: Vec<String>,
    /// Accountable owners by function.
    pub accountable: Vec<Accountable>,
}

/// A rule of policy that matched a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleApplied {
    /// Its name; `base`, floors that are compiled in and `routing` among them.
    pub rule: String,
    /// Why it is there, in its own words.
    pub why: String,
    /// Its line in the policy's text; absent for what stands in no rule there.
    pub line: Option<u32>,
    /// What it asks for.
    pub asks: Vec<String>,
    /// In which of the two policies.
    pub of: RuleOf,
}

/// In which policy a rule stands like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleOf {
    /// In the one that the case was opened under and in the one in force.
    Both,
    /// Only in the one that the case was opened under.
    Pinned,
    /// Only in the one in force.
    Current,
}

impl RuleOf {
    /// Said of a rule that is not in both; empty of one that is.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Both => "",
            Self::Pinned => "only in the policy it was opened under",
            Self::Current => "only in the policy in force",
        }
    }
}

impl RuleApplied {
    /// Its name, with where it stands: `privileged (line 128)`.
    pub fn title(&self) -> String {
        let line = self.line.map(|line| format!("line {line}"));
        let place: Vec<String> = line.into_iter().chain(Some(self.of.label().to_owned()).filter(|l| !l.is_empty())).collect();
        if place.is_empty() { self.rule.clone() } else { format!("{} ({})", self.rule, place.join(", ")) }
    }
}

/// One thing that policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskedFor {
    /// What, in words.
    pub item: String,
    /// The rules that asked for it.
    pub rules: Vec<String>,
}
