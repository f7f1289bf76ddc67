//! What the server did in a target, and the temporary access it gave (invariants 10 and 11).
//!
//! Contract: plain data. Knows nothing about connectors.

use serde::{Deserialize, Serialize};

use super::subject::Scopes;
use super::vocabulary::FailureReason;
use crate::base::ids::GrantId;
use crate::base::{Digest, Time};

/// One run of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// From 1; with the case number the idempotency key towards the target.
    pub attempt: u32,
    /// Which seal it carries out.
    pub seal: Digest,
    /// When it began.
    pub started_at: Time,
    /// How it ended.
    pub outcome: Option<ExecutionOutcome>,
    /// When.
    pub ended_at: Option<Time>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ExecutionOutcome {
    /// Done and verified.
    Restored {
        /// What the target says it now holds.
        scope: Scopes,
    },
    /// Not done, or not as approved.
    Failed {
        /// Why.
        reason: FailureReason,
    },
    /// Undone.
    RolledBack,
}

/// Temporary access that an execution gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Opaque id.
    pub id: GrantId,
    /// To what.
    pub scope: Scopes,
    /// From when.
    pub since: Time,
    /// Until when.
    pub expires_at: Time,
    /// When revocation was asked for, and why.
    pub ending: Option<(Time, GrantEnd)>,
    /// When the target confirmed that it is gone (invariant 11).
    pub revoked_at: Option<Time>,
}

/// Why a grant ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantEnd {
    /// Its time ran out.
    Expired,
    /// Given back or revoked by hand.
    HandedBack,
    /// The case was closed.
    Closed,
    /// The case was held.
    Held,
}
