//! The server dies at every point of an execution, and another one goes on (threats.md T28).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use countersign::base::Time;
use countersign::base::ids::SubjectId;
use countersign::connectors::{CallError, Connector, Held, Order};
use countersign::domain::event::CaseEvent;
use countersign::domain::vocabulary::{Action, CaseState};
use countersign::outbound::mail::Mailer;
use countersign::service::workers::LEASE_SECONDS;
use tokio::sync::Notify;

use crate::house::{House, workers};

/// Stops for ever at its n-th step: before and after each call.
struct Dies {
    inner: Arc<dyn Connector>,
    left: AtomicUsize,
    dead: Notify,
}

impl Dies {
    async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Connector for Dies {
    async fn execute(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.step().await;
        let answer = self.inner.execute(order, now).await;
        self.step().await;
        answer
    }
    async fn held(&self, subject: &SubjectId, now: Time) -> Result<Held, CallError> {
        self.step().await;
        let answer = self.inner.held(subject, now).await;
        self.step().await;
        answer
    }
    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.inner.revoke(order, now).await
    }
    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.inner.roll_back(order, now).await
    }
}

#[tokio::test]
async fn t28_an_execution_killed_at_any_point_is_done_once_and_verified() {
    let mut points = 0;
    for point in 1.. {
        let house = House::new().await;
        let case = house.approved("okafor", Action::PasswordReset).await;
        let dies = Arc::new(Dies { inner: Arc::clone(&house.connector), left: AtomicUsize::new(point), dead: Notify::new() });
        let connector: Arc<dyn Connector> = Arc::<Dies>::clone(&dies);
        let mailer = Mailer::folder("no-reply@corp.example", &house.mailbox).unwrap();
        let doomed = workers(&house.service, &house.keys, mailer, &connector, &house.pages);
        house.clock.pass(120);
        let survived = tokio::select! {
            () = async { while doomed.run_outbox_once().await.unwrap() > 0 {} } => true,
            () = dies.dead.notified() => false,
        };
        if survived {
            break;
        }
        points += 1;
        // Before the target said what it holds nothing was begun; after that nothing is ordered without a durable intent.
        let then = if points <= 2 { CaseState::Approved } else { CaseState::Executing };
        assert_eq!(house.case(case).await.state, then, "point {point}: the intent is durable");
        assert!(points > 4 || house.account("okafor").generation == 1, "point {point}: nothing was ordered yet");
        house.live(i64::from(LEASE_SECONDS) + 5, 5).await;
        let after = house.case(case).await;
        assert_eq!(after.state, CaseState::Restored, "point {point}: {:?}", after.executions);
        assert_eq!((after.executions.len(), house.account("okafor").generation), (1, 2), "point {point}: once");
        let ended = house.events(case).await.iter().filter(|e| matches!(e, CaseEvent::ExecutionEnded { .. })).count();
        assert_eq!(ended, 1, "point {point}");
    }
    assert_eq!(points, 8, "before and after: ask, look, order, look");
}
