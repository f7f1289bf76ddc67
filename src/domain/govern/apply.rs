//! The register after an event. Entries are facts: applying one never fails, and one that names nothing known changes only the version.
//!
//! Contract: pure; the same events give the same register on every machine. Knows nothing about who may do what.

use std::collections::BTreeSet;

use chrono::Duration;

use super::widens;
use crate::base::Time;
use crate::domain::event::{RegisterChange, RegisterEvent};
use crate::domain::register::{Proposal, Register, Token};

/// How long a token that ended stays recorded, at least.
const TOKENS_KEPT: Duration = Duration::days(90);

impl Register {
    /// The register after an event; `version` counts events.
    pub fn apply(&mut self, event: &RegisterEvent, at: Time) {
        self.version += 1;
        match event {
            RegisterEvent::Founded { by, policy } => {
                self.founded = true;
                self.policy = Some(*policy);
                self.policy_deciders = by.iter().cloned().collect();
            }
            RegisterEvent::Changed { change } => self.change(change, at),
            RegisterEvent::Proposed { proposal, by, change, approvals } => {
                let waiting = Proposal {
                    id: proposal.clone(),
                    proposed_by: by.clone(),
                    proposed_at: at,
                    change: change.clone(),
                    approvals: *approvals,
                    seconded_by: None,
                    approved_by: None,
                    effective_at: None,
                    replaces: widens::object(self, change),
                };
                self.proposals.insert(proposal.clone(), waiting);
            }
            RegisterEvent::ProposalSeconded { proposal, by } => {
                if let Some(waiting) = self.proposals.get_mut(proposal) {
                    waiting.seconded_by = Some(by.clone());
                }
            }
            RegisterEvent::ProposalApproved { proposal, by, effective_at } => {
                if let Some(waiting) = self.proposals.get_mut(proposal) {
                    waiting.approved_by = Some(by.clone());
                    waiting.effective_at = Some(*effective_at);
                }
            }
            RegisterEvent::ProposalEnded { proposal, .. } => _ = self.proposals.remove(proposal),
            RegisterEvent::ProposalApplied { proposal } => {
                if let Some(done) = self.proposals.remove(proposal) {
                    self.change(&decided_by(done, at), at);
                }
            }
            RegisterEvent::GovernanceRecovered { tokens, .. } => {
                self.tokens.extend(tokens.iter().map(|t| (t.id.clone(), t.clone())));
            }
            RegisterEvent::RecoveryTold { tokens, counts_from } => {
                for id in tokens {
                    if let Some(token) = self.tokens.get_mut(id).filter(|t| t.revoked_at.is_none()) {
                        (token.issued_at, token.expires_at) = (*counts_from, *counts_from + super::recover::TOKEN_LIFE);
                    }
                }
            }
            RegisterEvent::SubjectRecorded { .. }
            | RegisterEvent::CodesIssued { .. }
            | RegisterEvent::Refused { .. }
            | RegisterEvent::RefusedMany { .. }
            | RegisterEvent::StrangersRefused { .. }
            | RegisterEvent::SubjectsRead { .. } => {}
        }
    }

    fn change(&mut self, change: &RegisterChange, at: Time) {
        match change {
            RegisterChange::SetPerson(person) => _ = self.persons.insert(person.id.clone(), person.clone()),
            RegisterChange::SetOperator(operator) => _ = self.operators.insert(operator.id.clone(), operator.clone()),
            RegisterChange::DisableOperator(id) => {
                if let Some(operator) = self.operators.get_mut(id) {
                    operator.enabled = false;
                }
            }
            RegisterChange::SetAutomation(automation) => _ = self.automations.insert(automation.id.clone(), automation.clone()),
            RegisterChange::DisableAutomation(id) => {
                if let Some(automation) = self.automations.get_mut(id) {
                    automation.enabled = false;
                }
            }
            RegisterChange::Delegate(delegation) => self.delegations.push(delegation.clone()),
            RegisterChange::RevokeDelegation { delegation, at } => {
                // Kept with its end: a revoked delegation counts within policy's window (T4).
                if let Some(found) = self.delegations.iter_mut().find(|d| &d.id == delegation && d.until.is_none()) {
                    found.until = Some(*at);
                }
            }
            RegisterChange::IssueToken(token) => {
                // Otherwise the register would fill up with tokens that ended long ago, until no other could be issued.
                let kept_from = at.checked_sub_signed(TOKENS_KEPT).unwrap_or(at);
                self.tokens.retain(|_, t| t.revoked_at.map_or(t.expires_at, |r| r.min(t.expires_at)) >= kept_from);
                self.tokens.insert(token.id.clone(), token.clone());
            }
            RegisterChange::RevokeToken { token, at } => {
                if let Some(found) = self.tokens.get_mut(token) {
                    found.revoked_at.get_or_insert(*at);
                }
            }
            RegisterChange::SetPolicy { policy, deciders } => {
                self.policy = Some(*policy);
                self.policy_deciders.clone_from(deciders);
            }
        }
    }
}

/// A policy's author and approvers are its deciders of record (invariant 17).
fn decided_by(done: Proposal, at: Time) -> RegisterChange {
    let deciders: BTreeSet<_> = std::iter::once(&done.proposed_by).chain(done.approvers()).cloned().collect();
    match done.change {
        RegisterChange::SetPolicy { policy, .. } => RegisterChange::SetPolicy { policy, deciders },
        change => counting_from(change, at),
    }
}

/// A token that waited for a second person and the delay lives as long as it was asked for, from when it counts.
pub(super) fn counting_from(change: RegisterChange, at: Time) -> RegisterChange {
    match change {
        RegisterChange::IssueToken(token) => {
            // A log that was tampered with may hold any times; one past the calendar's end lives no longer at all.
            let expires_at = at.checked_add_signed(token.expires_at - token.issued_at).unwrap_or(at);
            RegisterChange::IssueToken(Token { issued_at: at, expires_at, ..token })
        }
        change => change,
    }
}
