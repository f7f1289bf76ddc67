//! A backup put in the place of a database that had gone on: no reference towards a target is used a second time, and nothing that was given
//! since is nobody's.

use std::path::Path;
use std::sync::Arc;

use countersign::base::ids::CaseId;
use countersign::domain::case::{ExecutionOutcome, Worker};
use countersign::domain::command::Command;
use countersign::domain::vocabulary::{Action, CaseState, FailureReason, HoldSource, Method};
use countersign::service::Ask;
use countersign::store::Store as _;
use countersign::store::sqlite::{Lost, MasterKey, Restoring, There};

use crate::house::House;
use crate::moments::{Scripted, Sent};

/// Puts a backup over the database that is there, as the command does: what was lost is taken over before anything runs.
async fn restore(house: &mut House, backup: &Path, there: &Path) -> Lost {
    let restoring = Restoring::prepare(backup, there, true, Some(&MasterKey::new([42; 32])), &|_, _| {}).unwrap();
    let There::Same(lost) = restoring.there.clone() else { panic!("{:?}", restoring.there) };
    restoring.put(house.service.now()).unwrap();
    house.go_on_with(there);
    for moved in &lost.moved {
        house.service.execute(&Ask::system(Worker::Host), moved.case, &Command::TakeOver(Box::new(moved.there.clone()))).await.unwrap();
    }
    lost
}

async fn lift(house: &House, case: CaseId) {
    house.live(120, 2).await;
    let session = house.session("ines", case, Method::IssuedCode, "e1").await.unwrap();
    house.answer(case, &session).await.unwrap();
    let (reason, ask) = house.text(case, "ines", "spoke to them, and looked at the replaced database");
    house.service.execute(&ask, case, &Command::LiftHold { reason, contact: session }).await.unwrap();
}

#[tokio::test]
async fn invariant_11_after_a_restore_no_reference_is_used_again_and_what_was_given_since_is_taken_back() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, there) = (folder.path().join("backup"), folder.path().join("there"));
    let unlocked = house.proved("okafor", Action::AccountUnlock).await;
    let given = house.proved("idler", Action::JitAccess).await;
    for case in [unlocked, given] {
        house.approve(case).await;
    }
    house.store.backup(&backup).await.unwrap();
    house.live(600, 20).await;
    let opened = house.approved("parent", Action::JitAccess).await;
    house.live(600, 20).await;
    for case in [unlocked, given, opened] {
        assert_eq!(house.case(case).await.state, CaseState::Restored);
    }
    let reference = |case: CaseId, attempt| countersign::connectors::reference(case, attempt);
    assert_eq!(house.account("okafor").order, Some(reference(unlocked, 1)));
    assert_eq!((house.account("idler").grants.len(), house.account("parent").grants.len()), (1, 1));
    house.store.backup(&there).await.unwrap();

    let lost = restore(&mut house, &backup, &there).await;
    let moved: Vec<_> = lost.moved.iter().map(|m| (m.case, m.there.attempts, m.there.orders.len())).collect();
    assert_eq!(moved, [(unlocked, 1, 0), (given, 1, 1)]);
    assert_eq!(lost.opened, 1);
    // Of a case that the backup does not know nothing can be taken back: it is named with all that ending it by hand takes.
    let astray: Vec<_> = lost.astray.iter().map(|a| (reference(a.case, a.order.attempt), a.subject.as_str(), a.order.ends())).collect();
    let ends = house.account("parent").grants[0].expires_at;
    assert_eq!(astray, [(reference(opened, 1), "parent", ends)]);
    assert!(house.store.next_case(house.service.now()).await.unwrap() > opened, "its number is given to no other case");

    house.live(60, 4).await;
    assert!(house.account("idler").grants.is_empty(), "what only the replaced database knew of is taken back");
    let case = house.case(given).await;
    assert_eq!((case.attempts(), case.taken_back[&1].is_some(), case.hold.as_ref().map(|h| h.source)), (1, true, Some(HoldSource::Restore)));
    let case = house.case(unlocked).await;
    assert_eq!((case.state, case.executions.len(), case.attempts()), (CaseState::Approved, 0, 1));

    lift(&house, unlocked).await;
    house.live(600, 20).await;
    let case = house.case(unlocked).await;
    assert_eq!((case.state, case.executions.last().map(|e| e.attempt)), (CaseState::Restored, Some(2)), "{:?}", case.executions);
    assert_eq!(house.account("okafor").order, Some(reference(unlocked, 2)), "it was ordered, under a reference of its own");
    assert_eq!(house.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_11_after_a_restore_nothing_is_ordered_beside_what_is_still_to_be_taken_back() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, there) = (folder.path().join("backup"), folder.path().join("there"));
    let (keeps, gives_back) = (house.proved("keeper", Action::JitAccess).await, house.proved("okafor", Action::JitAccess).await);
    for case in [keeps, gives_back] {
        house.approve(case).await;
    }
    house.store.backup(&backup).await.unwrap();
    house.live(600, 20).await;
    house.store.backup(&there).await.unwrap();
    restore(&mut house, &backup, &there).await;
    for case in [keeps, gives_back] {
        lift(&house, case).await;
    }
    house.live(600, 20).await;
    let case = house.case(keeps).await;
    assert_eq!((case.state, case.executions.len(), case.taken_back[&1]), (CaseState::Approved, 0, None));
    assert_eq!(house.account("keeper").grants.len(), 1, "one approval, one grant");
    let case = house.case(gives_back).await;
    assert_eq!((case.state, case.executions[0].attempt, case.taken_back[&1].is_some()), (CaseState::Restored, 2, true));
    assert_eq!(house.account("okafor").grants.len(), 1);
}

#[tokio::test]
async fn invariant_11_what_runs_in_the_backup_and_was_ended_since_is_not_ordered_again() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, there) = (folder.path().join("backup"), folder.path().join("there"));
    let (ended, lives) = (house.proved("idler", Action::JitAccess).await, house.proved("okafor", Action::JitAccess).await);
    for case in [ended, lives] {
        house.approve(case).await;
    }
    house.clock.pass(600);
    for case in [ended, lives] {
        house.service.execute(&Ask::system(Worker::Executor), case, &Command::StartExecution).await.unwrap();
    }
    house.store.backup(&backup).await.unwrap();
    house.live(60, 4).await;
    let grant = house.case(ended).await.grants[0].id.clone();
    let (reason, ask) = house.text(ended, "ines", "not needed");
    house.service.execute(&ask, ended, &Command::RevokeGrant { grant, reason: Some(reason) }).await.unwrap();
    house.live(60, 4).await;
    assert_eq!((house.account("idler").grants.len(), house.account("okafor").grants.len()), (0, 1));
    house.store.backup(&there).await.unwrap();

    let lost = restore(&mut house, &backup, &there).await;
    assert!(lost.moved.iter().all(|m| m.there.ended == [1].into()), "{lost:?}");
    house.live(60, 4).await;
    // What was given back is not given again; what is there still is known here, and ends, since the case is held.
    let case = house.case(ended).await;
    let outcome = case.executions.last().and_then(|e| e.outcome.clone());
    let nothing = ExecutionOutcome::Failed { reason: FailureReason::NothingChanged };
    assert_eq!((case.state, case.executions.len(), outcome), (CaseState::Failed, 1, Some(nothing)));
    assert!(case.taken_back[&1].is_some(), "a target that shows nothing yet may still be at it: it is told to undo it");
    let case = house.case(lives).await;
    assert_eq!((case.state, case.grants.len(), case.live_grants().count()), (CaseState::Restored, 1, 0));
    assert_eq!((house.account("idler").grants.len(), house.account("okafor").grants.len()), (0, 0));
    assert_eq!(house.store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn invariant_11_after_a_restore_temporary_access_that_the_target_gives_late_is_found_and_ended() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, there) = (folder.path().join("backup"), folder.path().join("there"));
    let late = Scripted::before(&mut house, [Sent::Later(99), Sent::Later(99), Sent::Later(99)], false);
    let case = house.approved("okafor", Action::JitAccess).await;
    house.clock.pass(600);
    house.service.execute(&Ask::system(Worker::Executor), case, &Command::StartExecution).await.unwrap();
    house.store.backup(&backup).await.unwrap();
    house.live(120, 40).await;
    let failed = house.case(case).await;
    assert_eq!((failed.state, failed.grants.len()), (CaseState::Failed, 0), "{:?}", failed.executions);
    house.store.backup(&there).await.unwrap();

    restore(&mut house, &backup, &there).await;
    late.stand_before(&mut house);
    late.comes_after(1);
    house.live(120, 40).await;
    let case = house.case(case).await;
    assert!(case.grants.first().is_some_and(|g| g.revoked_at.is_some()), "{:?} {:?}", case.executions, case.grants);
    assert!(house.account("okafor").grants.is_empty(), "nothing stays of which nobody counts down the end");
}

#[tokio::test]
async fn what_is_taken_over_twice_counts_once_and_what_only_the_backup_has_is_not_lost() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, there) = (folder.path().join("backup"), folder.path().join("there"));
    let case = house.approved("idler", Action::JitAccess).await;
    house.store.backup(&backup).await.unwrap();
    house.live(600, 20).await;
    house.store.backup(&there).await.unwrap();
    restore(&mut house, &backup, &there).await;
    let first = house.case(case).await;
    let again = Arc::new(countersign::domain::elsewhere::Elsewhere::of(&first));
    assert_eq!((again.attempts, again.orders.len()), (1, 1), "it is handed on until the target confirmed it");
    house.service.execute(&Ask::system(Worker::Host), case, &Command::TakeOver(Box::new((*again).clone()))).await.unwrap();
    assert_eq!(house.case(case).await.there, first.there);
}

/// Two logs that parted may have as many entries of a case, and other ones.
#[tokio::test]
async fn t33_a_restore_compares_what_happened_and_not_how_much() {
    let mut house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (common, mine, theirs) = (folder.path().join("common"), folder.path().join("mine"), folder.path().join("theirs"));
    let case = house.routed("okafor", Action::AccountUnlock).await;
    let still = house.routed("vega", Action::AccountUnlock).await;
    house.store.backup(&common).await.unwrap();
    for (who, file) in [("nadia", &theirs), ("sam", &mine)] {
        let (text, ask) = house.text(case, who, "they rang");
        house.service.execute(&ask, case, &Command::Comment { text }).await.unwrap();
        house.store.backup(file).await.unwrap();
        std::fs::copy(&common, folder.path().join(who)).unwrap();
        house.go_on_with(&folder.path().join(who));
        house.clock.pass(1);
    }
    let restoring = Restoring::prepare(&mine, &theirs, true, None, &|_, _| {}).unwrap();
    let There::Same(lost) = &restoring.there else { panic!("{:?}", restoring.there) };
    let moved: Vec<_> = lost.moved.iter().map(|m| m.case).collect();
    assert_eq!((moved, lost.opened), (vec![case], 0), "not {still}, which is the same in both");
}
