//! Carries an approved plan out: intent, idempotent order, look at what the target holds, result (threats.md T28).
//!
//! Contract: `ExecutionStarted` is durable before anything is ordered; the order's reference comes from case and attempt; the result is what
//! the target is found to hold, compared with plan and records. After a crash anywhere the same item is taken again and goes on from what
//! the target holds. Knows no rules.

use std::sync::Arc;

use super::{Step, Workers};
use crate::base::Time;
use crate::base::ids::{CaseId, GrantId};
use crate::connectors::verify::{applied, judge};
use crate::connectors::{CallError, Connector, Held, Order};
use crate::domain::case::{Case, Execution, ExecutionOutcome, Worker};
use crate::domain::command::Command;
use crate::domain::subject::Scopes;
use crate::domain::vocabulary::{Action, CaseState, FailureReason};
use crate::service::{Ask, ServiceError};
use crate::store::OutboxItem;

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
        let case = match self.started(id, attempt).await {
            Ok(Some(case)) => case,
            Ok(None) => return Ok(Step::Finished),
            Err(error) => return Self::after_refusal(id, error),
        };
        let Some(order) = order(&case, attempt) else { return Ok(Step::Finished) };
        let pass = if let Some(connector) = self.hands.connectors.get(&case.route.target) {
            self.pass(item, &case, &order, connector).await?
        } else {
            tracing::error!(case = %id, system = %case.route.target, "no such target is configured");
            Pass::End(failed(FailureReason::Unreachable))
        };
        let Pass::End(outcome) = pass else { return Ok(Step::Again) };
        let grant: GrantId = self.service.fresh("grt")?;
        match self.service.execute(&Self::ask(Worker::Executor, item), id, &Command::EndExecution { attempt, outcome, grant }).await {
            Ok(_) => Ok(Step::Committed),
            Err(error) => Self::after_refusal(id, error),
        }
    }

    /// The case with the attempt begun and not ended; `None` if there is nothing to do any more.
    async fn started(&self, id: CaseId, attempt: u32) -> Result<Option<Arc<Case>>, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(None) };
        if is_running(&case, attempt) {
            return Ok(Some(case));
        }
        if case.executions.iter().any(|e| e.attempt == attempt) {
            return Ok(None);
        }
        // Approved before a pair was looked for: what policy makes of it comes first.
        self.service.notice_pairs(&case).await?;
        let done = self.service.execute(&Ask::system(Worker::Executor), id, &Command::StartExecution).await?;
        Ok(Some(done.case).filter(|c| is_running(c, attempt)))
    }

    async fn pass(&self, item: &OutboxItem, case: &Case, order: &Order, connector: &Arc<dyn Connector>) -> Result<Pass, ServiceError> {
        let entitled = match self.service.store.subject(&case.route.subject).await? {
            Some(record) => record.subject.entitled(&case.route.target),
            None => Scopes::new(),
        };
        let long = chrono::Duration::from_std(self.patience.execution).unwrap_or(chrono::Duration::MAX);
        let over = self.service.now() - order.at > long || item.tries >= connector.tries();
        // Whatever happened before, the target knows: an order that it shows as done is not sent again.
        let known = connector.held(&order.subject, self.service.now()).await;
        if !known.is_ok_and(|held| applied(order, &held)) {
            if !self.may_order(case.id, order.attempt).await? {
                // Held or ended meanwhile; what was ordered before that is found above.
                return Ok(Pass::Again);
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
        self.concluded(item, order, &entitled, connector, held).await.map(|pass| match pass {
            Pass::Again if over => Pass::End(failed(FailureReason::Unreachable)),
            other => other,
        })
    }

    /// Asked at the last moment before the target is: that the attempt still runs, and that nothing moves while the case is held.
    async fn may_order(&self, id: CaseId, attempt: u32) -> Result<bool, ServiceError> {
        let case = self.service.store.case(id).await?;
        Ok(case.is_some_and(|c| is_running(&c, attempt) && c.hold.is_none()))
    }

    async fn concluded(
        &self,
        item: &OutboxItem,
        order: &Order,
        entitled: &Scopes,
        connector: &Arc<dyn Connector>,
        held: Held,
    ) -> Result<Pass, ServiceError> {
        match judge(order, entitled, &held) {
            Ok(scope) => Ok(Pass::End(ExecutionOutcome::Restored { scope })),
            // A target may take a moment; one that never shows the order has changed nothing.
            Err(FailureReason::NothingChanged) if item.tries < self.patience.looks => Ok(Pass::Again),
            Err(reason) => {
                if reason == FailureReason::TooMuch && order.action != Action::SecretRevocation {
                    // What is restored is never stronger than what was lost: taken back at once, and ordered again until it is confirmed.
                    if let Err(error) = connector.roll_back(order, self.service.now()).await {
                        tracing::error!(case = %order.case, error = error.code(), "a target that granted too much did not take it back");
                    }
                }
                Ok(Pass::End(failed(reason)))
            }
        }
    }

    /// Has an execution undone, until the target no longer shows it.
    pub(super) async fn roll_back(&self, item: &OutboxItem, id: CaseId, attempt: u32) -> Result<Step, ServiceError> {
        let Some(case) = self.service.store.case(id).await? else { return Ok(Step::Finished) };
        // Only what is being undone now: an order left over from an undoing that ended must not touch what was restored since.
        let undoing = case.state == CaseState::Executing && case.executions.last().is_some_and(|e| e.attempt == attempt && e.outcome.is_some());
        let too_much = case.taken_back.get(&attempt) == Some(&None);
        if !undoing && !too_much {
            return Ok(Step::Finished);
        }
        let Some(order) = order(&case, attempt) else { return Ok(Step::Finished) };
        let Some(connector) = self.hands.connectors.get(&case.route.target) else { return Ok(Step::Again) };
        if let Err(error) = connector.roll_back(&order, self.service.now()).await {
            tracing::warn!(case = %id, error = error.code(), "an execution could not be undone yet");
        }
        match connector.held(&order.subject, self.service.now()).await {
            Ok(held) if !applied(&order, &held) => {
                let end = if too_much {
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

/// The order of an attempt that was started: what the plan says, with times that are the same on every retry.
pub fn order(case: &Case, attempt: u32) -> Option<Order> {
    let execution: &Execution = case.executions.iter().find(|e| e.attempt == attempt)?;
    let plan = case.plan.as_ref()?;
    let at: Time = execution.started_at;
    Some(Order {
        case: case.id,
        attempt,
        subject: case.route.subject.clone(),
        action: plan.action,
        scope: plan.scope.clone(),
        expires_at: plan.lifetime.map(|l| at + l.duration()),
        revokes_old: plan.revokes_old,
        rotates: plan.rotates.clone(),
        at,
    })
}
