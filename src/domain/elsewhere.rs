//! What another log of the same case tells of it, where a restore puts a shorter log in its place.
//!
//! Contract: pure. Nothing of it was verified, so it may keep people from deciding, numbers from being given again and access from lasting,
//! and never lets anyone. Knows nothing about how the other log is read, or how a target is made to give anything back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::case::{Case, Execution, ExecutionOutcome, Grant, Hand, LineageEntry, Plan};
use super::requirement::Seconds;
use super::vocabulary::FailureReason;
use crate::base::Time;

/// What a restore takes over of a case in which more had happened than the backup knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Elsewhere {
    /// Who had acted in it.
    pub hands: BTreeSet<Hand>,
    /// Everyone in its lineage.
    pub lineage: BTreeSet<LineageEntry>,
    /// The highest attempt that was begun, or 0: targets may know every reference up to it.
    pub attempts: u32,
    /// Attempts that ended.
    pub ended: BTreeSet<u32>,
    /// Orders by which a target may hold access of which nothing is left there but these.
    pub orders: Vec<OrderThere>,
}

/// An order of another log by which a target may hold access: what it takes to have that taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderThere {
    /// Which attempt.
    pub attempt: u32,
    /// When it began.
    pub at: Time,
    /// What was ordered.
    pub plan: Plan,
}

impl OrderThere {
    /// When the access ends by itself, if it is temporary.
    pub fn ends(&self) -> Option<Time> {
        self.plan.lifetime.map(|lifetime| self.at + lifetime.duration())
    }
}

/// Which attempts of another log count here, and which of its orders are taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct There {
    /// The highest attempt begun there, or 0.
    pub attempts: u32,
    /// Attempts that run here and ended there: what became of them the target says, and nothing is ordered for them again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ended: BTreeSet<u32>,
    /// Orders given there, by attempt.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orders: BTreeMap<u32, OrderThere>,
}

impl Elsewhere {
    /// What the case, as another log tells of it, has that must not be lost.
    pub fn of(case: &Case) -> Self {
        let here = case.executions.iter().filter_map(|run| may_show(case, run));
        let orders = here.chain(case.there.orders.values().filter(|o| unconfirmed(case, o.attempt)).cloned()).collect();
        let ended = case.executions.iter().filter(|run| run.outcome.is_some()).map(|run| run.attempt).chain(case.there.ended.iter().copied());
        Self { hands: case.hands.clone(), lineage: case.lineage.clone(), attempts: case.attempts(), ended: ended.collect(), orders }
    }
}

impl Case {
    /// The highest attempt whose reference a target may know, or 0: the next one is one more.
    pub fn attempts(&self) -> u32 {
        self.executions.iter().map(|e| e.attempt).max().unwrap_or(0).max(self.there.attempts)
    }

    /// Whether an order of another log is known here: as an attempt of its own, or taken over before.
    pub fn knows_order(&self, attempt: u32) -> bool {
        self.there.orders.contains_key(&attempt) || self.executions.iter().any(|e| e.attempt == attempt)
    }

    /// The attempt that gave a grant: the last one that restored something by the time the grant began.
    pub fn gave(&self, grant: &Grant) -> Option<u32> {
        // What the target would not undo was given once.
        let gave = |o: &Option<ExecutionOutcome>| match o {
            Some(ExecutionOutcome::Restored { .. } | ExecutionOutcome::RolledBack) => true,
            Some(ExecutionOutcome::Failed { reason }) => matches!(reason, FailureReason::NotUndone | FailureReason::UndoUnknown),
            None => false,
        };
        self.executions.iter().rfind(|e| gave(&e.outcome) && e.started_at <= grant.since).map(|e| e.attempt)
    }
}

/// Whether a target was told to take it back and has not confirmed that.
fn unconfirmed(case: &Case, attempt: u32) -> bool {
    case.taken_back.get(&attempt) == Some(&None)
}

/// The order of an attempt by which a target may hold temporary access still, or more than was approved.
fn may_show(case: &Case, run: &Execution) -> Option<OrderThere> {
    use FailureReason::{NoLongerAllowed, NotOrdered, Refused};
    let order = |plan| Some(OrderThere { attempt: run.attempt, at: run.started_at, plan });
    let lives = case.grants.iter().find(|g| g.revoked_at.is_none() && case.gave(g) == Some(run.attempt));
    if let Some(grant) = lives {
        let lifetime = Some(Seconds::between(run.started_at, grant.expires_at));
        let plan = case.plan.clone().filter(|p| p.lifetime.is_some());
        return order(plan.unwrap_or_else(|| bare(case, grant, lifetime)));
    }
    let plan = case.plan.clone()?;
    let told = match &run.outcome {
        // What an attempt did that has not ended, or of which nobody knows how it ended, only the target can say.
        None => plan.lifetime.is_some(),
        Some(ExecutionOutcome::Failed { reason }) => plan.lifetime.is_some() && !matches!(reason, NotOrdered | Refused | NoLongerAllowed),
        Some(_) => false,
    };
    let confirmed = case.taken_back.get(&run.attempt).is_some_and(Option::is_some);
    if (told && !confirmed) || unconfirmed(case, run.attempt) { order(plan) } else { None }
}

/// A plan that says of a grant what ending it takes, where the case has none any more.
fn bare(case: &Case, grant: &Grant, lifetime: Option<Seconds>) -> Plan {
    Plan {
        target: case.route.target.clone(),
        action: case.route.action,
        scope: grant.scope.clone(),
        lifetime,
        revokes_old: false,
        rotates: BTreeSet::new(),
        reversible: false,
    }
}
