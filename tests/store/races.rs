//! Approvals against what changes under them (invariant 18, T10, T36): whoever loads, decides and commits while something moves is told so.
//! `COUNTERSIGN_RACES` says how many races of each kind (default 100).
//!
//! The two sides load, then commit at the same moment, as the service does; the changes are made by hand, so that nothing but the versions
//! they carry decides.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use countersign::base::ids::CaseId;
use countersign::domain::case::Case;
use countersign::domain::event::{Body, CaseEvent, RegisterChange, RegisterEvent};
use countersign::domain::register::{Delegation, Principal, Register};
use countersign::domain::vocabulary::CaseState;
use countersign::store::sqlite::{SqliteOptions, SqliteStore};
use countersign::store::{Change, CommitError, Store};
use tokio::sync::Barrier;

use crate::world::{self, START, TestClock, at, operator, person};

/// What happens under an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rival {
    Edit,
    Delegate,
    Withdraw,
}

fn on_case(case: &Arc<Case>, register: &Register, who: &str, events: Vec<CaseEvent>) -> Change {
    let mut change = world::change(at(START), operator(who));
    change.reads.cases = vec![(case.id, case.version)];
    change.reads.register = Some(register.version);
    change.case = Some(world::case_change(Some(case), case.id, events, 0, at(START)));
    change
}

fn approve(case: &Arc<Case>, register: &Register) -> Change {
    let approval = world::approval(&format!("a-{}", case.id.number()), world::seal_digest(case.id, 1), "ruiz", at(START));
    on_case(case, register, "ruiz", vec![CaseEvent::Decided { approval }])
}

fn rival(rival: Rival, case: &Arc<Case>, register: &Register) -> Change {
    let reopened = || CaseEvent::Reopened { reason: world::text("r") };
    match rival {
        Rival::Edit => on_case(case, register, "vera", vec![reopened()]),
        Rival::Withdraw => on_case(case, register, "vera", vec![CaseEvent::StateChanged { to: CaseState::Withdrawn, due: None, used: None }]),
        Rival::Delegate => {
            let (from, to) = (Principal::Person(person("p-vera")), Principal::Person(person("p-ruiz")));
            let id = format!("d-{}", register.version).parse().unwrap();
            let delegation = Delegation { id, from, to, since: at(START), until: None };
            let event = RegisterEvent::Changed { change: RegisterChange::Delegate(delegation) };
            let mut after = register.clone();
            after.apply(&event, at(START));
            let mut change = world::change(at(START), operator("vera"));
            change.reads.register = Some(register.version);
            change.register_events = vec![event];
            change.register = Some(Arc::new(after));
            change
        }
    }
}

/// One race: both load, both wait for each other, both commit. True if the approval went through.
async fn race(store: &Arc<SqliteStore>, kind: Rival, id: CaseId) -> bool {
    world::sealed_case(&**store, id, BTreeSet::new()).await;
    let start = Arc::new(Barrier::new(2));
    let run = |approving: bool| {
        let (store, start) = (Arc::clone(store), Arc::clone(&start));
        tokio::spawn(async move {
            let (case, register) = (store.case(id).await.unwrap().unwrap(), store.register().await.unwrap());
            let change = if approving { approve(&case, &register) } else { rival(kind, &case, &register) };
            start.wait().await;
            store.commit(change).await
        })
    };
    let (first, second) = if id.number().is_multiple_of(2) { (run(true), run(false)) } else { (run(false), run(true)) };
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let (approved, moved) = if id.number().is_multiple_of(2) { (first, second) } else { (second, first) };
    assert!(matches!(approved, Ok(_) | Err(CommitError::Conflict)), "{approved:?}");
    assert!(matches!(moved, Ok(_) | Err(CommitError::Conflict)), "{moved:?}");
    match (&approved, &moved) {
        // A delegation does not read the case: it may follow an approval, never come before one that did not see it.
        (Ok(a), Ok(m)) => assert!(kind == Rival::Delegate && a.first < m.first, "an approval of something unseen"),
        (Err(_), Err(_)) => panic!("one of two goes through"),
        _ => {}
    }
    approved.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invariant_18_no_approval_of_anything_unseen() {
    let races: u32 = std::env::var("COUNTERSIGN_RACES").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let (began, folder) = (Instant::now(), tempfile::tempdir().unwrap());
    let store = Arc::new(world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap());
    store.commit(world::founding(at(START))).await.unwrap();
    let mut first = 0;
    for (i, kind) in [Rival::Edit, Rival::Delegate, Rival::Withdraw].into_iter().enumerate() {
        let mut approved = 0;
        for n in 0..races {
            let id = CaseId::new(2026, u32::try_from(i).unwrap() * 100_000 + n + 1);
            approved += u32::from(race(&store, kind, id).await);
        }
        println!("{races} races of {kind:?} against approve: {approved} approvals came first");
        first += approved;
    }
    assert!(races < 20 || (1..3 * races).contains(&first), "both came first at times: {first} approvals");
    // In the log itself: each approval directly follows the sealing it was given for.
    let (mut from, mut seen) = (0, BTreeSet::new());
    loop {
        let page = store.entries(from, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        from = last.seq + 1;
        for entry in &page {
            if let Body::Case { case, version, event: CaseEvent::Decided { .. } } = &entry.body {
                assert_eq!(*version, 5, "{case}: opened, lineage, sealed, state, and then the decision");
                seen.insert(*case);
            }
        }
    }
    assert!(!seen.is_empty());
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    println!("{} s", began.elapsed().as_secs_f64());
}

/// A case of the same subject that is sent to where this one goes brings its lineage along: a decision that did not see it is refused.
#[tokio::test]
async fn invariant_18_a_case_that_comes_to_be_linked_meanwhile_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    let (one, other) = (CaseId::new(2026, 1), CaseId::new(2026, 2));
    world::sealed_case(&store, one, BTreeSet::new()).await;
    world::sealed_case(&store, other, BTreeSet::new()).await;
    let (case, register) = (store.case(one).await.unwrap().unwrap(), store.register().await.unwrap());
    let subject = case.route.subject.clone();
    let mut approval = approve(&case, &register);
    approval.reads.linked_for = Some((subject.clone(), store.subject(&subject).await.unwrap().unwrap().linked));
    let mut route = case.route.clone();
    route.target = "elsewhere".parse().unwrap();
    world::act(&store, other, operator("vera"), vec![CaseEvent::Routed { route }], 0, at(START)).await.unwrap();
    assert!(matches!(store.commit(approval.clone()).await, Err(CommitError::Conflict)));
    approval.reads.linked_for = Some((subject.clone(), store.subject(&subject).await.unwrap().unwrap().linked));
    store.commit(approval).await.unwrap();
}
