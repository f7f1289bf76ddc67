//! Executions in the world: one trait for every kind of target, and the signed webhook as the first.
//!
//! Contract: [`Connector::execute`] is idempotent under the order's reference; what a target answers is never believed, [`Connector::held`]
//! asks it what it now holds and [`verify::judge`] compares. An outcome that is not known is said to be unknown. Knows nothing about
//! cases' states, retries over time or storage.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::base::Time;
use crate::base::ids::{CaseId, SubjectId};
use crate::domain::subject::Scopes;
use crate::domain::vocabulary::{Action, Status};

pub mod configured;
pub mod sign;
pub mod verify;
pub mod webhook;

/// The most tries of one execution, whatever is configured.
pub const MAX_TRIES: u32 = 50;

/// What a target is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// For which case.
    pub case: CaseId,
    /// Which attempt at its plan, from 1.
    pub attempt: u32,
    /// Whose access.
    pub subject: SubjectId,
    /// What is restored.
    pub action: Action,
    /// To what extent.
    pub scope: Scopes,
    /// When what is given ends; `None` restores what was standing before.
    pub expires_at: Option<Time>,
    /// Whether the old credential is revoked with it.
    pub revokes_old: bool,
    /// Whose credentials are rotated with it.
    pub rotates: BTreeSet<SubjectId>,
    /// Whose credential must be a newer one afterwards; not sent, but compared.
    pub renews: BTreeSet<SubjectId>,
    /// When it was ordered; the same on every retry.
    pub at: Time,
}

impl Order {
    /// The reference under which the target carries it out once, e.g. `cs-26-004127_1`.
    pub fn reference(&self) -> String {
        reference(self.case, self.attempt)
    }
}

/// The reference of an attempt at a case's plan.
pub fn reference(case: CaseId, attempt: u32) -> String {
    format!("{}_{attempt}", case.to_string().to_lowercase())
}

/// What a target says it holds for a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whether the account is in use; `None` if the target does not know it.
    pub status: Option<Status>,
    /// What its credential now in force reaches.
    pub scope: Scopes,
    /// How many credentials it had; grows with each new one.
    pub generation: u64,
    /// The order that changed it last.
    pub order: Option<String>,
    /// Temporary access beside it.
    pub grants: Vec<HeldGrant>,
}

/// Temporary access that a target says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGrant {
    /// Under which order.
    pub order: String,
    /// To what.
    pub scope: Scopes,
    /// Until when; `None` would be for ever.
    pub expires_at: Option<Time>,
}

impl Held {
    /// Whether the target says that nothing is left of it: it does not know it, or keeps it as retired, and nothing reaches anything.
    pub fn is_nothing(&self) -> bool {
        let none = match self.status {
            None => self.generation == 0,
            Some(status) => status == Status::Retired,
        };
        none && self.everything().is_empty() && self.grants.is_empty()
    }

    /// Everything it can reach, standing and temporary.
    pub fn everything(&self) -> Scopes {
        self.grants.iter().flat_map(|g| g.scope.iter()).chain(&self.scope).cloned().collect()
    }
}

/// Why a target did not do, or did not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It answered that it won't; asking again won't help.
    #[error("the target refused with status {0}")]
    Refused(u16),
    /// Nothing arrived there; asking again may help.
    #[error("the target could not be reached: {0}")]
    NotReached(String),
    /// It may or may not have been done: ask what it holds.
    #[error("whether the target did it is not known: {0}")]
    Unknown(String),
    /// The answer makes no sense.
    #[error("the target's answer could not be read: {0}")]
    Answer(String),
}

impl CallError {
    /// What kind it is, for the server's journal: never what the target said.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotReached(_) => "not-reached",
            Self::Unknown(_) => "unknown",
            Self::Answer(_) => "answer-unreadable",
        }
    }
}

/// A way to make a target do things.
#[async_trait]
pub trait Connector: Send + Sync {
    /// How often an execution is looked at before it is given up as unreachable.
    fn tries(&self) -> u32 {
        MAX_TRIES
    }
    /// Orders the plan to be carried out; once, however often it is called for one reference.
    async fn execute(&self, order: &Order, now: Time) -> Result<(), CallError>;
    /// Asks what the target now holds.
    async fn held(&self, subject: &SubjectId, now: Time) -> Result<Held, CallError>;
    /// Orders temporary access given by an order to be ended.
    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError>;
    /// Orders what an order did to be undone.
    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError>;
}
