//! Editing, delegating and withdrawing against approving, through the production rules and use cases (invariant 18, T10): no approval of
//! anything unseen. `COUNTERSIGN_RACES` says how many races of each kind (default 60).

use std::sync::Arc;
use std::time::Instant;

use countersign::base::ids::CaseId;
use countersign::domain::case::Case;
use countersign::domain::command::{Command, RegisterCommand};
use countersign::domain::event::{CaseEvent, RegisterChange};
use countersign::domain::refusal::Refusal;
use countersign::domain::register::{Delegation, Person, Principal};
use countersign::domain::vocabulary::*;
use countersign::service::register::Beside;
use countersign::service::{Ask, ServiceError};
use countersign::store::Store;
use tokio::sync::Barrier;

use crate::desk::{okafor, route};
use crate::house::{House, id, staff};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rival {
    Edit,
    Delegate,
    Withdraw,
}

/// Subjects of their own, so that no race is linked with another; each with a person who can delegate.
async fn people(house: &House, names: &[String]) {
    for name in names {
        let person = Person {
            id: id(&format!("p-{name}")),
            employer: id("corp"),
            team: None,
            manager: None,
            shift: None,
            on_call: false,
            status: Status::Active,
        };
        let change = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change: RegisterChange::SetPerson(person) };
        house.service.govern(&Ask::by(staff("omar")), &change, &Beside::default()).await.unwrap();
    }
    let subject = |name: &String| okafor(|s| (s.id, s.person) = (id(name), Some(id(&format!("p-{name}")))));
    for some in names.chunks(100) {
        house.record(some.iter().map(subject).collect()).await;
    }
}

async fn sealed(house: &House, subject: &str) -> Arc<Case> {
    let case = house.open(staff("nadia"), route(subject, Action::PasswordReset, Path::Assisted, &["login"])).await.unwrap().case.id;
    house.triage("nadia", case).await.unwrap();
    house.prove(case, Method::IssuedCode, "e1").await;
    house.attempt("nadia", case, Command::Seal).await.unwrap().case
}

/// Moves something; the place in the log where it was first seen to have moved.
async fn rival(house: &House, kind: Rival, case: CaseId, subject: &str) -> Result<u64, ServiceError> {
    let committed = match kind {
        Rival::Edit => {
            let wide = route(subject, Action::PasswordReset, Path::Assisted, &["login", "mail"]);
            house.attempt("nadia", case, Command::Route { route: wide }).await?.committed
        }
        Rival::Withdraw => {
            let (reason, ask) = house.text(case, "nadia", "Not needed");
            house.service.execute(&ask, case, &Command::Withdraw { reason }).await?.committed
        }
        Rival::Delegate => {
            let (from, to) = (Principal::Person(id(&format!("p-{subject}"))), Principal::Person(id("p-sam")));
            let delegation = Delegation { id: id(&format!("d-{subject}")), from, to, since: house.service.now(), until: None };
            let change = RegisterCommand::Change { id: house.service.fresh("prp").unwrap(), change: RegisterChange::Delegate(delegation) };
            house.service.govern(&Ask::by(staff("omar")), &change, &Beside::default()).await?;
            None
        }
    };
    Ok(committed.map_or(0, |c| c.first))
}

/// One race; true if the approval came first.
async fn race(house: &Arc<House>, kind: Rival, subject: String, first: bool) -> bool {
    let seen = sealed(house, &subject).await;
    let start = Arc::new(Barrier::new(2));
    let (a, b) = ((Arc::clone(house), Arc::clone(&start)), (Arc::clone(house), start));
    let (id_, read) = (seen.id, Arc::clone(&seen));
    let approve = async move {
        let (ask, command) = a.0.decision(&read, "sam", Decision::Approve);
        a.1.wait().await;
        a.0.service.execute(&ask, read.id, &command).await
    };
    let name = subject.clone();
    let moving = async move {
        b.1.wait().await;
        rival(&b.0, kind, id_, &name).await
    };
    let (approved, moved) = if first {
        let (a, m) = (tokio::spawn(approve), tokio::spawn(moving));
        (a.await.unwrap(), m.await.unwrap())
    } else {
        let (m, a) = (tokio::spawn(moving), tokio::spawn(approve));
        (a.await.unwrap(), m.await.unwrap())
    };
    moved.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    let case = house.case(seen.id).await;
    let events = house.events(seen.id).await;
    let place = |wanted: &dyn Fn(&CaseEvent) -> bool| events.iter().position(wanted);
    let decided = place(&|e| matches!(e, CaseEvent::Decided { .. }));
    assert_eq!(decided.is_some(), approved.is_ok());
    match (&approved, kind) {
        (Err(ServiceError::Refused(refusal)), _) => match (&**refusal, kind) {
            (Refusal::SeparationOfDuties { .. }, Rival::Delegate)
            | (Refusal::StaleSeal | Refusal::WrongState { .. }, Rival::Edit | Rival::Withdraw) => {}
            other => panic!("{other:?}"),
        },
        (Err(error), _) => panic!("{kind:?}: {error}"),
        // It came before the other, whose consequence is seen on it.
        (Ok(_), Rival::Edit) => {
            assert!(decided < place(&|e| matches!(e, CaseEvent::Routed { .. })), "an approval of something unseen");
            assert!(case.live_approvals().next().is_none() && case.approvals[0].void.is_some());
        }
        (Ok(_), Rival::Withdraw) => {
            assert!(decided < place(&|e| matches!(e, CaseEvent::StateChanged { to: CaseState::Withdrawn, .. })));
            assert_eq!(case.state, CaseState::Withdrawn);
        }
        (Ok(done), Rival::Delegate) => {
            let log = house.store.entries(done.committed.as_ref().unwrap().first, 1_000).await.unwrap();
            assert!(format!("{log:?}").contains(&format!("d-{subject}")), "approved after the delegation");
            // Everything is asked again before it is executed.
            house.settle().await;
            assert_eq!(house.case(seen.id).await.state, CaseState::Failed);
        }
    }
    approved.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invariant_18_no_approval_of_anything_unseen_through_the_rules() {
    let races: u32 = std::env::var("COUNTERSIGN_RACES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let began = Instant::now();
    let house = Arc::new(House::new().await);
    let mut first = 0;
    for kind in [Rival::Edit, Rival::Delegate, Rival::Withdraw] {
        let names: Vec<String> = (0..races).map(|n| format!("{kind:?}-{n}").to_lowercase()).collect();
        people(&house, &names).await;
        let mut approved = 0;
        for (n, name) in names.into_iter().enumerate() {
            approved += u32::from(race(&house, kind, name, n.is_multiple_of(2)).await);
        }
        println!("{races} races of {kind:?} against approve: {approved} approvals came first");
        first += approved;
    }
    assert!(races < 20 || (1..3 * races).contains(&first), "both came first at times: {first} approvals");
    println!("{} s", began.elapsed().as_secs_f64());
}
