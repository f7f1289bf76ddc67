//! Carries an approved plan out: intent, idempotent order, look at what the target holds, result (threats.md T28).
//!
//! Contract: `ExecutionStarted`, with what the target said before of credentials that are renewed, is durable before anything is ordered; the order's reference comes from case and attempt; the result is what
//! the target is found to hold, compared with plan and records. After a crash anywhere the same item is taken again and goes on from what
//! the target holds. Knows no rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Step, Workers};
use crate::base::Time;
use crate::base::ids::{CaseId, GrantId, SubjectId};
use crate::connectors::verify::{applied, judge, renewed};
use crate::connectors::{CallError, Connector, Order};
use crate::domain::case::{Case, ExecutionOutcome, Plan, Worker};
use crate::domain::command::Command;
use crate::domain::grant::Generations;
use crate::domain::subject::Scopes;
use crate::domain::vocabulary::{Action, CaseState, FailureReason};
use crate::service::{Ask, ServiceError};
use crate::store::OutboxItem;

/// Whether an attempt has begun.
enum Begun {
    /// It runs; whether it was begun just now, so that nothing can have been ordered.
    Runs { case: Arc<Case>, fresh: bool },
    /// There is nothing to do any more.
    Ended,
    /// The target did not say what it holds, or is to take something back: it is asked again before anything begins.
    NotYet,
}

/// How one pass over an execution ended.
enum Pass {
    /// With this outcome.
    End(ExecutionOutcome),
    /// It must be looked at again.
    Again,
}

impl Workers {
    /// Executes the case's plan, or goes on with an execution that was interrupted.
    pub(super) async fn execute_plan(&self, item: &OutboxItem, id: CaseId, attempt: u32) -> Result<Step, ServiceError> {
        let (case, fresh) = match self.started(item, id, attempt).await {
            Ok(Begun::Runs { case, fresh }) => (case, fresh),
            Ok(Begun::Ended) => return Ok(Step::Finished),
            Ok(Begun::NotYet) => return Ok(Step::Again),
            Err(error) => return Self::after_refusal(id, error),
        };
        let Some(order) = order(&case, attempt) else { return Ok(Step::Finished) };
        let pass = if let Some(connector) = self.hands.connectors.get(&case.route.target) {
            self.pass(item, &case, &order, connector).await?
        } else {
            tracing::error!(case = %id, system = %case.route.target, "no such target is configured");
            Pass::End(failed(if fresh { FailureReason::NotOrdered } else { FailureReason::Unreachable }))
        };
        let Pass::End(outcome) = pass else { return Ok(Step::Again) };
        let grant: GrantId = self.service.fresh("grt")?;
        match self.service.execute(&Self::ask(Worker::Executor, item), id, &Command::EndExecution { attempt, outcome, grant }).await {
            Ok(_) => Ok(Step::Committed),
            Err(error) => Self::after_refusal(id, error),
        }
    }

    /// The case with the attempt begun, and in it what the target said before of those whose credential is renewed.
    async fn started(&self, item: &OutboxItem, id: CaseId, attempt: u32) -> Result<Begun, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(Begun::Ended) };
        if is_running(&case, attempt) {
            return Ok(Begun::Runs { case, fresh: false });
        }
        // Attempts that a restore took over were begun too, with these very references.
        if attempt <= case.attempts() {
            return Ok(Begun::Ended);
        }
        // Taken over by a restore: what is ordered beside it would be given twice.
        if case.taking_back() {
            return Ok(Begun::NotYet);
        }
        let renews = case.plan.as_ref().map(|p| p.renews(&case.route.subject)).unwrap_or_default();
        let before = match self.hands.connectors.get(&case.route.target) {
            Some(connector) => self.generations(connector, &renews).await,
            None => None,
        };
        if before.is_none() && case.hold.is_none() && self.may_wait(item, &case) {
            return Ok(Begun::NotYet);
        }
        // Approved before a pair was looked for: what policy makes of it comes first.
        self.service.notice_pairs(&case).await?;
        let ask = Ask::system(Worker::Executor).holding(before.unwrap_or_default());
        let done = self.service.execute(&ask, id, &Command::StartExecution).await?;
        Ok(if is_running(&done.case, attempt) { Begun::Runs { case: done.case, fresh: true } } else { Begun::Ended })
    }

    /// Whether a target that does not answer before anything is begun may be asked again, for as long as one that does not afterwards.
    fn may_wait(&self, item: &OutboxItem, case: &Case) -> bool {
        let (Some(connector), Some(due)) = (self.hands.connectors.get(&case.route.target), case.times.execute_after) else { return false };
        item.tries < connector.tries() && self.service.now() - due <= self.long()
    }

    fn long(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.patience.execution).unwrap_or(chrono::Duration::MAX)
    }

    /// What the target says of each of them; `None` if it does not say it of all. One that it does not know has none.
    async fn generations(&self, connector: &Arc<dyn Connector>, of: &BTreeSet<SubjectId>) -> Option<Generations> {
        let mut said = Generations::new();
        for subject in of {
            match connector.held(subject, self.service.now()).await {
                Ok(held) => said.insert(subject.clone(), held.generation),
                Err(error) => {
                    tracing::warn!(error = error.code(), "the target did not say what it holds");
                    return None;
                }
            };
        }
        Some(said)
    }

    async fn pass(&self, item: &OutboxItem, case: &Case, order: &Order, connector: &Arc<dyn Connector>) -> Result<Pass, ServiceError> {
        let entitled = match self.service.store.subject(&case.route.subject).await? {
            Some(record) => record.subject.entitled(&case.route.target),
            None => Scopes::new(),
        };
        let over = self.service.now() - order.at > self.long() || item.tries >= connector.tries();
        let before = case.executions.iter().find(|e| e.attempt == order.attempt).map(|e| e.before.clone()).unwrap_or_default();
        let ended_elsewhere = case.there.ended.contains(&order.attempt);
        // Whatever happened before, the target knows: an order that it shows as done is not sent again.
        let known = connector.held(&order.subject, self.service.now()).await;
        if !known.as_ref().is_ok_and(|held| applied(order, held)) {
            // In the database that a restore replaced it was ended, and what it gave may have been taken back: it is not given again.
            match known {
                Err(_) if ended_elsewhere && over => return Ok(Pass::End(failed(FailureReason::Unreachable))),
                Err(_) if ended_elsewhere => return Ok(Pass::Again),
                Ok(_) if ended_elsewhere => return Ok(Pass::End(failed(FailureReason::NoLongerAllowed))),
                _ => {}
            }
            if !self.may_order(case.id, order.attempt).await? {
                // Held or ended meanwhile; what was ordered before that is found above.
                return Ok(Pass::Again);
            }
            if !order.renews.iter().all(|s| before.contains_key(s)) {
                // Nothing is ordered of which nobody could say afterwards whether it was done.
                return Ok(Pass::End(failed(FailureReason::NotOrdered)));
            }
            match connector.execute(order, self.service.now()).await {
                Ok(()) => {}
                Err(CallError::Refused(status)) => {
                    tracing::warn!(case = %case.id, status, "the target refused the order");
                    return Ok(Pass::End(failed(FailureReason::Refused)));
                }
                // Not known or not done: what it holds says which.
                Err(error) => tracing::warn!(case = %case.id, error = error.code(), "the order may not have been carried out"),
            }
        }
        let held = match connector.held(&order.subject, self.service.now()).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(case = %case.id, error = error.code(), "the target did not say what it holds");
                return Ok(if over { Pass::End(failed(FailureReason::Unreachable)) } else { Pass::Again });
            }
        };
        let verdict = match judge(order, &entitled, &held) {
            Ok(scope) => match self.generations(connector, &order.rotates).await {
                Some(mut after) => {
                    after.insert(order.subject.clone(), held.generation);
                    renewed(order, &before, &after).map(|()| scope)
                }
                None if over => Err(FailureReason::Unreachable),
                None => return Ok(Pass::Again),
            },
            Err(reason) => Err(reason),
        };
        Ok(self.concluded(item, order, connector, verdict).await)
    }

    /// Asked at the last moment before the target is: that the attempt still runs, and that nothing moves while the case is held.
    async fn may_order(&self, id: CaseId, attempt: u32) -> Result<bool, ServiceError> {
        let case = self.service.store.case(id).await?;
        Ok(case.is_some_and(|c| is_running(&c, attempt) && c.hold.is_none()))
    }

    async fn concluded(&self, item: &OutboxItem, order: &Order, connector: &Arc<dyn Connector>, verdict: Result<Scopes, FailureReason>) -> Pass {
        use FailureReason::{NotRotated, NothingChanged, OldKept};
        match verdict {
            Ok(scope) => Pass::End(ExecutionOutcome::Restored { scope }),
            // A target may take a moment; one that never shows the order has changed nothing.
            Err(NothingChanged | OldKept | NotRotated) if item.tries < self.patience.looks => Pass::Again,
            Err(reason) => {
                if reason == FailureReason::TooMuch && order.action != Action::SecretRevocation {
                    // What is restored is never stronger than what was lost: taken back at once, and ordered again until it is confirmed.
                    if let Err(error) = connector.roll_back(order, self.service.now()).await {
                        tracing::error!(case = %order.case, error = error.code(), "a target that granted too much did not take it back");
                    }
                }
                Pass::End(failed(reason))
            }
        }
    }

    /// Has an execution undone, until the target no longer shows it.
    pub(super) async fn roll_back(&self, item: &OutboxItem, id: CaseId, attempt: u32) -> Result<Step, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(Step::Finished) };
        // Only what is being undone now: an order left over from an undoing that ended must not touch what was restored since.
        let undoing = case.state == CaseState::Executing && case.undoing == Some(attempt);
        let taking_back = case.taken_back.get(&attempt) == Some(&None);
        if !undoing && !taking_back {
            return Ok(Step::Finished);
        }
        let Some(order) = order(&case, attempt) else { return Ok(Step::Finished) };
        let there = case.there.orders.get(&attempt).map(|order| &order.plan);
        let system = there.map_or(&case.route.target, |plan| &plan.target);
        let Some(connector) = self.hands.connectors.get(system) else {
            tracing::error!(case = %id, %system, "no such target is configured; an execution can't be undone there");
            return Ok(Step::Again);
        };
        let done = match there.and_then(|plan| plan.lifetime) {
            // Given in a log that a restore replaced: temporary access ends as it ends elsewhere.
            Some(_) => connector.revoke(&order, self.service.now()).await,
            None => connector.roll_back(&order, self.service.now()).await,
        };
        if let Err(error) = done {
            tracing::warn!(case = %id, error = error.code(), "an execution could not be undone yet");
            if matches!(error, CallError::NotReached(_)) {
                // What it was never told to undo may still be on its way there.
                return Ok(Step::Again);
            }
        }
        match connector.held(&order.subject, self.service.now()).await {
            Ok(held) if !applied(&order, &held) => {
                let end = if taking_back {
                    Command::ConfirmTakenBack { attempt }
                } else {
                    Command::EndExecution { attempt, outcome: ExecutionOutcome::RolledBack, grant: self.service.fresh("grt")? }
                };
                match self.service.execute(&Self::ask(Worker::Executor, item), id, &end).await {
                    Ok(_) => Ok(Step::Committed),
                    Err(error) => Self::after_refusal(id, error),
                }
            }
            _ => Ok(Step::Again),
        }
    }
}

fn failed(reason: FailureReason) -> ExecutionOutcome {
    ExecutionOutcome::Failed { reason }
}

fn is_running(case: &Case, attempt: u32) -> bool {
    case.state == CaseState::Executing && case.executions.iter().any(|e| e.attempt == attempt && e.outcome.is_none())
}

/// The order of an attempt that was started, here or in a log that a restore replaced: what the plan says, with times that are the same on every retry.
pub fn order(case: &Case, attempt: u32) -> Option<Order> {
    let run = case.executions.iter().find(|e| e.attempt == attempt);
    let (at, plan): (Time, &Plan) = match run {
        Some(run) => (run.started_at, case.plan.as_ref()?),
        None => case.there.orders.get(&attempt).map(|order| (order.at, &order.plan))?,
    };
    Some(Order {
        case: case.id,
        attempt,
        subject: case.route.subject.clone(),
        action: plan.action,
        scope: plan.scope.clone(),
        expires_at: plan.lifetime.map(|l| at + l.duration()),
        revokes_old: plan.revokes_old,
        rotates: plan.rotates.clone(),
        renews: plan.renews(&case.route.subject),
        at,
    })
}
