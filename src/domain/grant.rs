//! What the server did in a target, and the temporary access it gave (invariants 10 and 11).
//!
//! Contract: plain data. Knows nothing about connectors.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use super::vocabulary::{GrantEnd, GrantState};

use super::case::{Case, Plan, TextRef};
use super::refusal::Refusal;
use super::subject::Scopes;
use super::vocabulary::{Action, CaseState, FailureReason};
use crate::base::ids::{GrantId, SubjectId};
use crate::base::{Digest, Time};

/// How many credentials a target says that each of these had.
pub type Generations = BTreeMap<SubjectId, u64>;

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
    /// What the target said before of those whose credential is renewed; empty if nobody's is, or if it did not say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: Generations,
}

impl Plan {
    /// Whose credential must be a newer one after it than before: the subject's, if its old one is revoked, and that of each dependent that is
    /// rotated. Of a secret that is only revoked nothing new is given; that nothing is left of it is compared instead.
    pub fn renews(&self, subject: &SubjectId) -> BTreeSet<SubjectId> {
        let own = self.revokes_old && self.action != Action::SecretRevocation;
        own.then(|| subject.clone()).into_iter().chain(self.rotates.iter().cloned()).collect()
    }
}

/// What a case that was carried out gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Access for a time: a hold ends it at once.
    ForATime,
    /// Access for a time, of which the target confirmed that nothing is left.
    Ended,
    /// Access that stays.
    Standing,
    /// Nothing: a secret was revoked.
    Nothing,
}

impl Case {
    /// What it gave, and whether the target can undo that, if it was carried out as approved and stands as that, closed or not.
    pub fn carried_out(&self) -> Option<(Given, bool)> {
        let plan = self.plan.as_ref().filter(|_| matches!(self.state, CaseState::Restored | CaseState::Closed))?;
        let given = match (plan.action, plan.lifetime) {
            (Action::SecretRevocation, _) => Given::Nothing,
            (_, Some(_)) if self.grants.iter().all(|g| g.state() == GrantState::Ended) => Given::Ended,
            (_, Some(_)) => Given::ForATime,
            (_, None) => Given::Standing,
        };
        Some((given, plan.reversible))
    }

    /// The last attempt, under whichever seal, that was to be undone and is not, or of which nobody knows, unless something was restored or undone
    /// since: opening the case again takes nothing back.
    pub fn left_standing(&self) -> Option<&Execution> {
        use FailureReason::{NotUndone, UndoUnknown};
        let settles = |run: &&Execution| match &run.outcome {
            Some(ExecutionOutcome::Restored { .. } | ExecutionOutcome::RolledBack) => true,
            Some(ExecutionOutcome::Failed { reason }) => matches!(reason, NotUndone | UndoUnknown),
            None => false,
        };
        let last = self.executions.iter().filter(settles).max_by_key(|run| (run.ended_at, run.attempt))?;
        matches!(last.outcome, Some(ExecutionOutcome::Failed { .. })).then_some(last)
    }

    /// The last attempt under the seal in force that was to be undone and is not, or of which nobody knows whether it is: carrying the same plan
    /// out again is the opposite of what was asked for.
    pub fn not_undone(&self) -> Option<&Execution> {
        use FailureReason::{NotUndone, UndoUnknown};
        let seal = self.seal.as_ref().map(|s| s.sha256);
        let stays = |o: &Option<ExecutionOutcome>| matches!(o, Some(ExecutionOutcome::Failed { reason: NotUndone | UndoUnknown }));
        self.executions.iter().rfind(|run| Some(run.seal) == seal && stays(&run.outcome))
    }
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
    /// Why it was ended by hand, in the words of whoever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<TextRef>,
    /// When the target confirmed that it is gone (invariant 11).
    pub revoked_at: Option<Time>,
}

impl Grant {
    /// Where it stands.
    pub const fn state(&self) -> GrantState {
        match (self.revoked_at, self.ending) {
            (Some(_), _) => GrantState::Ended,
            (None, Some((_, GrantEnd::Held))) => GrantState::Suspended,
            (None, Some(_)) => GrantState::Ending,
            (None, None) => GrantState::Active,
        }
    }

    /// When it ends, or ended: confirmed, ordered, or when its time runs out, whichever is known to be first.
    pub fn ends_at(&self) -> Time {
        self.revoked_at.or(self.ending.map(|(at, _)| at)).map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    /// Whether it can still be ended by hand.
    ///
    /// # Errors
    /// [`Refusal::Already`] once its end was ordered.
    pub fn revocable(&self) -> Result<(), Refusal> {
        match self.state() {
            GrantState::Active => Ok(()),
            GrantState::Ended => Err(Refusal::Already("This access is gone already.".to_owned())),
            _ => Err(Refusal::Already("This access is ending already.".to_owned())),
        }
    }
}
