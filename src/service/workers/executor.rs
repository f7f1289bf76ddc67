//! Carries an approved plan out: intent, idempotent order, look at what the target holds, result (threats.md T28).
//!
//! Contract: `ExecutionStarted`, with what the target said before of credentials that are renewed, is durable before anything is ordered; the order's reference comes from case and attempt; the result is what
//! the target is found to hold, compared with plan and records. After a crash anywhere the same item is taken again and goes on from what
//! the target holds. Knows no rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::sofar::Sofar;
use super::{Step, Workers};
use crate::base::Time;
use crate::base::ids::{CaseId, GrantId, SubjectId};
use crate::connectors::verify::{After, applied, judge, renewed};
use crate::connectors::{CallError, Connector, Order};
use crate::domain::case::{Case, ExecutionOutcome, Plan, Worker};
use crate::domain::command::Command;
use crate::domain::refusal::Refusal;
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
    /// The target did not say what it holds: it is asked again before anything begins.
    NotYet,
    /// The target is to take something back first.
    TakingBack,
}

/// An order and all that is known of it before a pass.
struct Under<'a> {
    case: &'a Case,
    order: &'a Order,
    connector: &'a Arc<dyn Connector>,
    /// Whether it was begun in this very pass, so that nothing can have been ordered before.
    fresh: bool,
}

/// What a target said to an order.
enum Sent {
    /// It won't do it, and has not done it.
    Refused,
    /// Something: what it holds says what.
    Answered,
    /// Nothing, for nothing arrived there.
    NotReached,
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
        let mut sofar = Sofar::of(item);
        let Some(case) = self.service.store.case(id).await? else { return Ok(Step::Finished) };
        // Before anything begins, and before the target is asked what it holds: it may hang over that, too.
        let Some(_place) = self.place(&case.route.target, item).await else { return Ok(Step::NoPlace) };
        let (case, fresh) = match self.started(case, attempt, &sofar).await {
            Ok(Begun::Runs { case, fresh }) => (case, fresh),
            Ok(Begun::Ended) => return Ok(Step::Finished),
            Ok(Begun::NotYet) => return Ok(Sofar { waited: sofar.waited + 1, ..sofar }.rest()),
            Ok(Begun::TakingBack) => return Ok(Step::At(self.service.now() + chrono::Duration::minutes(1))),
            // Lifting the hold orders it anew: two items of one attempt would be worked on side by side.
            Err(ServiceError::Refused(refusal)) if *refusal == Refusal::Held => return Ok(Step::Finished),
            Err(error) => return Self::after_refusal(id, error),
        };
        let Some(order) = order(&case, attempt) else { return Ok(Step::Finished) };
        let pass = if let Some(connector) = self.hands.connectors.get(&case.route.target) {
            self.pass(&Under { case: &case, order: &order, connector, fresh }, &mut sofar).await?
        } else {
            tracing::error!(case = %id, system = %case.route.target, "no such target is configured");
            Pass::End(failed(if fresh { FailureReason::NotOrdered } else { FailureReason::Unreachable }))
        };
        let Pass::End(outcome) = pass else { return Ok(sofar.rest()) };
        let grant: GrantId = self.service.fresh("grt")?;
        match self.service.execute(&Self::ask(Worker::Executor, item), id, &Command::EndExecution { attempt, outcome, grant }).await {
            Ok(_) => Ok(Step::Committed),
            Err(error) => Self::after_refusal(id, error),
        }
    }

    /// The case with the attempt begun, and in it what the target said before of those whose credential is renewed.
    async fn started(&self, case: Arc<Case>, attempt: u32, sofar: &Sofar) -> Result<Begun, ServiceError> {
        if is_running(&case, attempt) {
            return Ok(Begun::Runs { case, fresh: false });
        }
        // Attempts that a restore took over were begun too, with these very references.
        if attempt <= case.attempts() {
            return Ok(Begun::Ended);
        }
        // Taken over by a restore: what is ordered beside it would be given twice.
        if case.taking_back() {
            return Ok(Begun::TakingBack);
        }
        let renews = case.plan.as_ref().map(|p| p.renews(&case.route.subject)).unwrap_or_default();
        let before = match self.hands.connectors.get(&case.route.target) {
            Some(connector) => self.said_of(connector, &renews).await.map(|said| said.generations),
            None => None,
        };
        if before.is_none() && case.hold.is_none() && self.may_wait(sofar, &case) {
            return Ok(Begun::NotYet);
        }
        // Approved before a pair was looked for: what policy makes of it comes first.
        self.service.notice_pairs(&case).await?;
        let ask = Ask::system(Worker::Executor).holding(before.unwrap_or_default());
        let done = self.service.execute(&ask, case.id, &Command::StartExecution).await?;
        Ok(if is_running(&done.case, attempt) { Begun::Runs { case: done.case, fresh: true } } else { Begun::Ended })
    }

    /// Whether a target that does not answer before anything is begun may be asked again, for as long as one that does not afterwards.
    fn may_wait(&self, sofar: &Sofar, case: &Case) -> bool {
        let (Some(connector), Some(due)) = (self.hands.connectors.get(&case.route.target), case.times.execute_after) else { return false };
        !self.is_over(sofar.waited, connector, due)
    }

    /// Whether a target was asked often enough since then, and long enough: what waited for something else is asked a few times all the same.
    fn is_over(&self, asked: u32, connector: &Arc<dyn Connector>, since: Time) -> bool {
        asked >= connector.tries() || (asked >= self.patience.looks && self.service.now() - since > self.long())
    }

    fn long(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.patience.execution).unwrap_or(chrono::Duration::MAX)
    }

    /// What the target says of each of them; `None` if it does not say it of all. One that it does not know has none.
    async fn said_of(&self, connector: &Arc<dyn Connector>, of: &BTreeSet<SubjectId>) -> Option<After> {
        let mut said = After::default();
        for subject in of {
            match connector.held(subject, self.service.now()).await {
                Ok(held) => {
                    said.generations.insert(subject.clone(), held.generation);
                    if held.is_nothing() {
                        said.nothing.insert(subject.clone());
                    }
                }
                Err(error) => {
                    tracing::warn!(error = error.code(), "the target did not say what it holds");
                    return None;
                }
            }
        }
        Some(said)
    }

    async fn pass(&self, under: &Under<'_>, sofar: &mut Sofar) -> Result<Pass, ServiceError> {
        let Under { case, order, connector, .. } = *under;
        let record = self.service.store.subject(&case.route.subject).await?;
        let entitled = record.as_ref().map(|r| r.subject.entitled(&case.route.target)).unwrap_or_default();
        let over = self.is_over(sofar.asked, connector, order.at);
        let looks = sofar.answered;
        let before = case.executions.iter().find(|e| e.attempt == order.attempt).map(|e| e.before.clone()).unwrap_or_default();
        // Whatever happened before, the target knows: an order that it shows as done is not sent again.
        let known = connector.held(&order.subject, self.service.now()).await;
        if known.as_ref().is_ok_and(|held| applied(order, held)) {
            sofar.answered += 1;
        } else if case.there.ended.contains(&order.attempt) {
            // In the database that a restore replaced it was ended, and what it gave may have been taken back: it is not given again.
            sofar.asked += 1;
            return Ok(match known {
                // A target may take a moment, and what it shows nothing of yet is taken back where it would last.
                Ok(_) if over || sofar.asked > self.patience.looks => Pass::End(failed(FailureReason::NothingChanged)),
                Err(_) if over => Pass::End(failed(FailureReason::Unreachable)),
                _ => Pass::Again,
            });
        } else {
            if !self.may_order(case.id, order.attempt).await? {
                // Held or ended meanwhile; what was ordered before that is found above.
                return Ok(Pass::Again);
            }
            if !order.renews.iter().all(|s| before.contains_key(s)) {
                // Nothing is ordered of which nobody could say afterwards whether it was done.
                return Ok(Pass::End(failed(FailureReason::NotOrdered)));
            }
            match self.send(under).await {
                Sent::Refused => return Ok(Pass::End(failed(FailureReason::Refused))),
                Sent::Answered => sofar.answered += 1,
                Sent::NotReached => {}
            }
        }
        sofar.asked += 1;
        let held = match connector.held(&order.subject, self.service.now()).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(case = %case.id, error = error.code(), "the target did not say what it holds");
                return Ok(if over { Pass::End(failed(FailureReason::Unreachable)) } else { Pass::Again });
            }
        };
        let verdict = match judge(order, &entitled, &held) {
            Ok(scope) => match self.said_of(connector, &order.rotates).await {
                Some(mut after) => {
                    after.generations.insert(order.subject.clone(), held.generation);
                    // What was released after the seal counts as it was sealed: nobody approved leaving it out.
                    let sealed = case.seal.as_ref().map_or(case.request.opened_at, |s| s.at);
                    let recorded: Option<Vec<SubjectId>> = record.as_ref().map(|r| r.subject.depended_on(sealed).cloned().collect());
                    renewed(order, &before, &after, recorded.as_deref()).map(|()| scope)
                }
                None if over => Err(FailureReason::Unreachable),
                None => return Ok(Pass::Again),
            },
            Err(reason) => Err(reason),
        };
        match verdict {
            // A target may take a moment; one that never shows the order has changed nothing.
            Err(FailureReason::NothingChanged | FailureReason::OldKept | FailureReason::NotRotated) if looks < self.patience.looks && !over => {
                Ok(Pass::Again)
            }
            verdict => Ok(Pass::End(self.concluded(order, connector, verdict).await)),
        }
    }

    /// Sends the order. A refusal is believed only of what was never sent before: after that it may come from anything on the way, or mean that
    /// the order is known, and what the target holds is asked instead.
    async fn send(&self, under: &Under<'_>) -> Sent {
        let case = under.case.id;
        match under.connector.execute(under.order, self.service.now()).await {
            Ok(()) => Sent::Answered,
            Err(CallError::Refused(status)) => {
                tracing::warn!(%case, status, "the target refused the order");
                if under.fresh { Sent::Refused } else { Sent::Answered }
            }
            // Not known or not done: what it holds says which.
            Err(error) => {
                tracing::warn!(%case, error = error.code(), "the order may not have been carried out");
                if matches!(error, CallError::NotReached(_)) { Sent::NotReached } else { Sent::Answered }
            }
        }
    }

    /// Asked at the last moment before the target is: that the attempt still runs, and that nothing moves while the case is held.
    async fn may_order(&self, id: CaseId, attempt: u32) -> Result<bool, ServiceError> {
        let case = self.service.store.case(id).await?;
        Ok(case.is_some_and(|c| is_running(&c, attempt) && c.hold.is_none()))
    }

    async fn concluded(&self, order: &Order, connector: &Arc<dyn Connector>, verdict: Result<Scopes, FailureReason>) -> ExecutionOutcome {
        match verdict {
            Ok(scope) => ExecutionOutcome::Restored { scope },
            Err(reason) => {
                if reason == FailureReason::TooMuch && order.action != Action::SecretRevocation {
                    // What is restored is never stronger than what was lost: taken back at once, and ordered again until it is confirmed.
                    if let Err(error) = connector.roll_back(order, self.service.now()).await {
                        tracing::error!(case = %order.case, error = error.code(), "a target that granted too much did not take it back");
                    }
                }
                failed(reason)
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
        let Some(_place) = self.place(system, item).await else { return Ok(Step::NoPlace) };
        let mut sofar = Sofar::of(item);
        let given_up = undoing && sofar.asked >= connector.tries();
        sofar.asked += 1;
        let done = match there.and_then(|plan| plan.lifetime) {
            // Given in a log that a restore replaced: temporary access ends as it ends elsewhere.
            Some(_) => connector.revoke(&order, self.service.now()).await,
            None => connector.roll_back(&order, self.service.now()).await,
        };
        if let Err(error) = &done {
            tracing::warn!(case = %id, error = error.code(), "an execution could not be undone yet");
        }
        // What it was never told to undo may still be on its way there.
        let told = !matches!(done, Err(CallError::NotReached(_)));
        let gone = match connector.held(&order.subject, self.service.now()).await {
            Ok(held) => Some(!applied(&order, &held)),
            Err(_) => None,
        };
        // As with an order, a refusal is believed only of what was never sent before: the target may be at it.
        let first = undoing && item.tries == 0 && !left_open(&case, attempt);
        let refused = first && matches!(done, Err(CallError::Refused(_)));
        let outcome = match gone {
            Some(true) if told => ExecutionOutcome::RolledBack,
            // What is to be taken back is ordered without an end; what somebody asked to have undone comes back to them, with what is known of it.
            Some(false) if refused || given_up => failed(FailureReason::NotUndone),
            _ if given_up => failed(FailureReason::UndoUnknown),
            _ => return Ok(sofar.rest()),
        };
        let end = if taking_back {
            Command::ConfirmTakenBack { attempt }
        } else {
            Command::EndExecution { attempt, outcome, grant: self.service.fresh("grt")? }
        };
        match self.service.execute(&Self::ask(Worker::Executor, item), id, &end).await {
            Ok(_) => Ok(Step::Committed),
            Err(error) => Self::after_refusal(id, error),
        }
    }
}

fn failed(reason: FailureReason) -> ExecutionOutcome {
    ExecutionOutcome::Failed { reason }
}

/// Whether nobody knows what became of an earlier order to undo it.
fn left_open(case: &Case, attempt: u32) -> bool {
    let unknown = ExecutionOutcome::Failed { reason: FailureReason::UndoUnknown };
    case.executions.iter().any(|e| e.attempt == attempt && e.outcome.as_ref() == Some(&unknown))
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
