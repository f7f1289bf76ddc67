//! Targets that take a moment, that are reached at the third try, and whose refusals come from something on the way: what was ordered is
//! never forgotten, and never believed to be refused after it may have been carried out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign::base::Time;
use countersign::base::ids::{CaseId, SubjectId};
use countersign::connectors::{CallError, Connector, Held, Order};
use countersign::domain::case::ExecutionOutcome;
use countersign::domain::command::Command;
use countersign::domain::effect::Lane;
use countersign::domain::vocabulary::{Action, CaseState, FailureReason, HoldSource};
use countersign::outbound::mail::Mailer;
use countersign::store::Store as _;

use crate::house::{House, id as house_id, workers};

/// What becomes of an order that is sent.
pub enum Sent {
    /// Nothing arrives.
    Lost,
    /// It is taken, and done after the target was asked so many times what it holds.
    Later(u32),
    /// It is done; the answer is lost, and so are so many answers to what it holds.
    Mute(u32),
    /// Something says no.
    Refused,
}

/// What becomes of an order to undo.
enum Undo {
    /// It arrives, nobody hears of that, and it is done after the target was asked so many times what it holds.
    Later(u32),
    /// Something says no.
    Refused,
}

/// What is to happen to orders, and what is under way.
#[derive(Default)]
struct Script {
    orders: VecDeque<Sent>,
    undo: VecDeque<Undo>,
    waits: Option<(Order, u32)>,
    undoing: Option<(Order, u32)>,
    mute: u32,
}

pub struct Scripted {
    real: Arc<dyn Connector>,
    script: Mutex<Script>,
    undoes: bool,
}

impl Scripted {
    /// In front of the house's target; what the script does not say is done as it does it.
    pub fn before(house: &mut House, orders: impl IntoIterator<Item = Sent>, undoes: bool) -> Arc<Self> {
        let script = Script { orders: orders.into_iter().collect(), ..Script::default() };
        let scripted = Arc::new(Self { real: Arc::clone(&house.connector), script: Mutex::new(script), undoes });
        scripted.stand_before(house);
        scripted
    }

    /// In front of the target of a house whose database is another one now.
    pub fn stand_before(self: &Arc<Self>, house: &mut House) {
        let connector: Arc<dyn Connector> = Arc::<Self>::clone(self);
        let mailer = Mailer::folder("Corp <no-reply@corp.example>", &house.mailbox).unwrap();
        house.workers = workers(&house.service, &house.keys, mailer, &connector, &house.pages);
    }

    /// What is under way is done after so many further looks.
    pub fn comes_after(&self, looks: u32) {
        self.script.lock().unwrap().waits.as_mut().expect("something is under way").1 = looks;
    }

    fn undoing(&self, orders: impl IntoIterator<Item = Undo>) {
        self.script.lock().unwrap().undo.extend(orders);
    }

    /// So many questions are not answered.
    fn mute(&self, looks: u32) {
        self.script.lock().unwrap().mute = looks;
    }

    fn left(&self) -> usize {
        self.script.lock().unwrap().orders.len()
    }
}

#[async_trait]
impl Connector for Scripted {
    async fn execute(&self, order: &Order, now: Time) -> Result<(), CallError> {
        let next = self.script.lock().unwrap().orders.pop_front();
        match next {
            Some(Sent::Lost) => Err(CallError::NotReached("nobody answers".to_owned())),
            Some(Sent::Refused) => Err(CallError::Refused(404)),
            Some(Sent::Later(looks)) => {
                self.script.lock().unwrap().waits = Some((order.clone(), looks));
                Ok(())
            }
            Some(Sent::Mute(looks)) => {
                self.real.execute(order, now).await?;
                self.script.lock().unwrap().mute = looks;
                Err(CallError::Unknown("status 502".to_owned()))
            }
            None => self.real.execute(order, now).await,
        }
    }

    async fn held(&self, subject: &SubjectId, now: Time) -> Result<Held, CallError> {
        let (due, undone) = {
            let mut script = self.script.lock().unwrap();
            if script.mute > 0 {
                script.mute -= 1;
                return Err(CallError::Unknown("status 502".to_owned()));
            }
            let Script { waits, undoing, .. } = &mut *script;
            (nearer(waits), nearer(undoing))
        };
        if let Some(order) = undone {
            self.real.roll_back(&order, now).await?;
        }
        if let Some(order) = due {
            self.real.execute(&order, now).await?;
        }
        self.real.held(subject, now).await
    }

    async fn revoke(&self, order: &Order, now: Time) -> Result<(), CallError> {
        self.real.revoke(order, now).await
    }

    async fn roll_back(&self, order: &Order, now: Time) -> Result<(), CallError> {
        let next = self.script.lock().unwrap().undo.pop_front();
        match next {
            Some(Undo::Later(looks)) => {
                self.script.lock().unwrap().undoing = Some((order.clone(), looks));
                Err(CallError::Unknown("no answer in time".to_owned()))
            }
            Some(Undo::Refused) => Err(CallError::Refused(409)),
            None if self.undoes => self.real.roll_back(order, now).await,
            None => Err(CallError::Refused(501)),
        }
    }
}

/// One look nearer; what is due.
fn nearer(under_way: &mut Option<(Order, u32)>) -> Option<Order> {
    match under_way.take() {
        Some((order, 0)) => Some(order),
        Some((order, looks)) => {
            *under_way = Some((order, looks - 1));
            None
        }
        None => None,
    }
}

#[tokio::test]
async fn invariant_11_tries_that_reached_nobody_are_no_looks_at_what_the_target_did() {
    let mut house = House::new().await;
    let scripted = Scripted::before(&mut house, [Sent::Lost, Sent::Lost, Sent::Later(1)], true);
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(600, 120).await;
    let after = house.case(case).await;
    assert_eq!((after.state, after.grants.len()), (CaseState::Restored, 1), "{:?}", after.executions);
    assert_eq!((scripted.left(), house.account("okafor").grants.len()), (0, 1));
}

#[tokio::test]
async fn invariant_11_temporary_access_of_which_nothing_is_shown_yet_is_taken_back_all_the_same() {
    let mut house = House::new().await;
    Scripted::before(&mut house, [Sent::Later(99), Sent::Later(99), Sent::Later(99)], true);
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(600, 120).await;
    let after = house.case(case).await;
    let outcome = after.executions.last().and_then(|e| e.outcome.clone());
    assert_eq!(outcome, Some(ExecutionOutcome::Failed { reason: FailureReason::NothingChanged }));
    assert!(after.taken_back.get(&1).is_some_and(Option::is_some), "ordered back, and nothing is shown of it: {:?}", after.taken_back);
}

#[tokio::test]
async fn a_hold_over_an_approved_case_leaves_no_order_behind_beside_the_one_that_lifting_it_gives() {
    let house = House::new().await;
    let case = house.approved("okafor", Action::AccountUnlock).await;
    house.act("ines", case, Command::Hold { source: HoldSource::Security, reason: None }).await;
    house.live(120, 4).await;
    assert_eq!((house.case(case).await.state, house.account("okafor").order), (CaseState::Approved, None));
    let later = house.service.now() + chrono::Duration::days(1);
    assert!(house.store.claim(Lane::Carry, later, 9, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn invariant_11_a_refusal_is_not_believed_of_an_order_that_may_have_been_carried_out() {
    let mut house = House::new().await;
    // Carried out and unanswered; asked again in vain before and after; then a 404 from something on the way.
    Scripted::before(&mut house, [Sent::Mute(2), Sent::Refused], true);
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(600, 120).await;
    let after = house.case(case).await;
    assert_eq!((after.state, after.grants.len()), (CaseState::Restored, 1), "{:?}", after.executions);
    assert_eq!(house.account("okafor").grants.len(), 1, "and it is counted down to its end");
}

#[tokio::test]
async fn what_the_target_will_not_undo_comes_back_to_those_who_asked() {
    let mut house = House::new().await;
    Scripted::before(&mut house, [], false);
    let case = house.approved("okafor", Action::AccountUnlock).await;
    house.live(120, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Restored);
    undo(&house, case).await;
    house.live(120, 12).await;
    let after = house.case(case).await;
    let outcome = after.executions.last().and_then(|e| e.outcome.clone());
    assert_eq!((after.state, outcome), (CaseState::Failed, Some(ExecutionOutcome::Failed { reason: FailureReason::NotUndone })));
    // Whoever asks for it to be undone does not ask for it to be done again.
    let refused = house.attempt("nadia", case, Command::Retry).await.unwrap_err().to_string();
    assert!(refused.contains("It was to be undone") && refused.contains("Roll it back again"), "{refused}");
    house.live(40 * 24 * 3_600, 4).await;
    assert_eq!(house.case(case).await.state, CaseState::Failed, "nor is it forgotten with its time");
    undo(&house, case).await;
    let real = Scripted::before(&mut house, [], true);
    house.live(120, 12).await;
    assert_eq!((house.case(case).await.state, real.left()), (CaseState::RolledBack, 0));
    let told = house.letter("okafor@corp.example", "A recovery was taken back");
    assert!(
        told.body.contains("then taken back: ") && told.body.contains("no longer counts"),
        "whoever heard that it was completed hears this too: {}",
        told.body
    );
}

#[tokio::test]
async fn that_the_target_refuses_to_undo_is_not_believed_while_it_may_be_at_it() {
    let mut house = House::new().await;
    let case = house.approved("okafor", Action::AccountUnlock).await;
    house.live(120, 4).await;
    let busy = Scripted::before(&mut house, [], true);
    busy.undoing([Undo::Later(2), Undo::Refused, Undo::Refused, Undo::Refused]);
    undo(&house, case).await;
    house.live(120, 40).await;
    assert_eq!(house.case(case).await.state, CaseState::RolledBack);
    assert_eq!(house.account("okafor").order, None);
}

#[tokio::test]
async fn of_a_target_that_says_nothing_it_is_not_said_that_it_did_not_undo_it() {
    let mut house = House::new().await;
    let case = house.approved("okafor", Action::JitAccess).await;
    house.live(120, 4).await;
    let silent = Scripted::before(&mut house, [], true);
    silent.undoing([Undo::Later(u32::MAX)]);
    silent.mute(u32::MAX);
    undo(&house, case).await;
    house.live(1_200, 120).await;
    let after = house.case(case).await;
    let unknown = ExecutionOutcome::Failed { reason: FailureReason::UndoUnknown };
    assert_eq!((after.state, after.executions[0].outcome.clone()), (CaseState::Failed, Some(unknown)));
    assert!(house.attempt("nadia", case, Command::Retry).await.is_err());
    silent.mute(0);
    undo(&house, case).await;
    // What became of the first order is not known: a refusal now may mean just that.
    silent.undoing([Undo::Refused]);
    house.live(1_200, 60).await;
    let after = house.case(case).await;
    assert_eq!((after.state, after.grants[0].revoked_at.is_some()), (CaseState::RolledBack, true), "its grant ended, too: {:?}", after.grants);
}

#[tokio::test]
async fn a_case_is_given_to_nobody_who_could_do_nothing_with_it() {
    let house = House::new().await;
    let case = house.routed("okafor", Action::AccountUnlock).await;
    let (note, ask) = house.text(case, "nadia", "on the phone at ten");
    let to = Some(house_id("omar"));
    for command in [Command::Assign { operator: to.clone() }, Command::HandOver { note, to }] {
        let refused = house.service.execute(&ask, case, &command).await.unwrap_err().to_string();
        assert!(refused.contains("omar works on no cases"), "{refused}");
    }
    assert_eq!(house.case(case).await.assignee, None);
}

async fn undo(house: &House, case: CaseId) {
    let (reason, ask) = house.text(case, "sam", "It was another account");
    house.service.execute(&ask, case, &Command::RollBack { reason }).await.unwrap();
}
