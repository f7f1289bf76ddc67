//! Temporary access as it is listed: in order, page by page, filled into a store that had no list of it, and compared with the entries.

use std::sync::Arc;

use chrono::Duration;
use countersign::base::ids::CaseId;
use countersign::base::ports::Clock as _;
use countersign::domain::case::{ActorRef, Grant, GrantEnd, GrantState, Worker};
use countersign::domain::event::CaseEvent;
use countersign::domain::view::GrantQuery;
use countersign::store::Store;
use countersign::store::sqlite::{SqliteOptions, SqliteStore};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, at};

fn options() -> SqliteOptions {
    SqliteOptions { durable: false, ..SqliteOptions::default() }
}

fn grant(n: u32, minutes: i64) -> Grant {
    Grant {
        id: format!("grt-{n}").parse().unwrap(),
        scope: [format!("scope-{n}").parse().unwrap()].into(),
        since: at(START),
        expires_at: at(START) + Duration::minutes(minutes),
        ending: None,
        reason: None,
        revoked_at: None,
    }
}

/// So many minutes later.
async fn happens(store: &SqliteStore, clock: &TestClock, n: u32, events: Vec<CaseEvent>, minutes: i64) {
    clock.pass(minutes * 60);
    let now = clock.now();
    let who = ActorRef::System { worker: Worker::Executor };
    world::act(store, CaseId::new(2026, n), who, events, 0, now).await.unwrap();
}

/// Five cases that each give access, ending in the order 5, 3, 1, 2, 4.
async fn filled(path: &std::path::Path, clock: &Arc<TestClock>) -> SqliteStore {
    let store = world::open(path, clock, &options()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    for (n, minutes) in [(1, 30), (2, 40), (3, 20), (4, 50), (5, 10)] {
        world::sealed_case(&store, CaseId::new(2026, n), [].into()).await;
        happens(&store, clock, n, vec![CaseEvent::Granted { grant: grant(n, minutes) }], 0).await;
    }
    store
}

async fn listed(store: &SqliteStore, live: bool, limit: u16) -> Vec<(String, GrantState)> {
    let (mut out, mut after) = (Vec::new(), None);
    loop {
        let page = store.grants(&GrantQuery { live, after, limit }).await.unwrap();
        assert!(page.rows.len() <= usize::from(limit));
        for row in page.rows {
            assert_eq!((row.subject.as_str(), row.target.as_str()), ("payments-batch", "vault"));
            out.push((row.grant.id.to_string(), row.grant.state()));
        }
        let Some(next) = page.after else { return out };
        after = Some(next);
    }
}

async fn names(store: &SqliteStore, live: bool, limit: u16) -> String {
    listed(store, live, limit).await.iter().map(|(name, _)| name.trim_start_matches("grt-").to_owned()).collect::<Vec<_>>().join(" ")
}

async fn clean(store: &SqliteStore) -> Vec<String> {
    store.verify(&|_, _| {}).await.unwrap()
}

#[tokio::test]
async fn invariant_11_what_lives_is_listed_by_its_end_until_the_target_confirms() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = filled(&folder.path().join("db"), &clock).await;
    for limit in [1, 2, 200] {
        assert_eq!(names(&store, true, limit).await, "5 3 1 2 4");
        assert_eq!(names(&store, false, limit).await, "4 2 1 3 5");
    }
    let ending = |n: u32, why| CaseEvent::GrantEnding { grant: grant(n, 0).id, why, reason: None };
    happens(&store, &clock, 4, vec![ending(4, GrantEnd::Held)], 2).await;
    happens(&store, &clock, 2, vec![ending(2, GrantEnd::HandedBack)], 1).await;
    // What is to end is more urgent than what still may live, and stays in sight for as long as nobody knows that it is gone.
    assert_eq!(names(&store, true, 2).await, "4 2 5 3 1");
    let states: Vec<GrantState> = listed(&store, true, 200).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states[..3], [GrantState::Suspended, GrantState::Ending, GrantState::Active]);
    assert_eq!(store.counts(None).await.unwrap().grants, 5);
    happens(&store, &clock, 4, vec![CaseEvent::GrantRevoked { grant: grant(4, 0).id }], 2).await;
    assert_eq!(names(&store, true, 200).await, "2 5 3 1");
    assert_eq!(names(&store, false, 200).await, "1 3 5 4 2", "what was over last comes first");
    assert_eq!(store.counts(None).await.unwrap().grants, 4);
    assert_eq!(clean(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_from_before_the_list_is_filled_from_its_entries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let clock = TestClock::new();
    let store = filled(&path, &clock).await;
    happens(&store, &clock, 5, vec![CaseEvent::GrantEnding { grant: grant(5, 0).id, why: GrantEnd::Expired, reason: None }], 1).await;
    let before = listed(&store, true, 200).await;
    drop(store);
    let raw = Connection::open(&path).unwrap();
    let later = "DROP TABLE went; DROP INDEX lineage_of_subjects; DROP INDEX people_by_mailbox; ALTER TABLE people DROP COLUMN mailbox; DROP INDEX outbox_lanes; ALTER TABLE outbox DROP COLUMN lane; ALTER TABLE outbox DROP COLUMN became; ALTER TABLE cases DROP COLUMN flag_kinds; ALTER TABLE people DROP COLUMN since; ALTER TABLE subjects DROP COLUMN since; ALTER TABLE saved_codes DROP COLUMN since; DROP TABLE subject_handles; DROP INDEX cases_ended; DROP INDEX cases_ended_due;";
    raw.execute_batch(&format!("DROP TABLE grants; {later} DROP TABLE in_force; PRAGMA user_version = 2")).unwrap();
    drop(raw);
    let store = world::open(&path, &clock, &options()).unwrap();
    assert_eq!(listed(&store, true, 200).await, before);
    assert_eq!(clean(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_says_something_else_than_the_entries_is_found() {
    for (tampering, said) in [
        ("UPDATE grants SET k_end = k_end + 60000 WHERE name = 'grt-3'", "grant grt-3 of CS-26-000003"),
        ("UPDATE grants SET body = replace(body, 'scope-1', 'scope-9') WHERE name = 'grt-1'", "grant grt-1 of CS-26-000001"),
        ("DELETE FROM grants WHERE name = 'grt-2'", "grants of CS-26-000002: there are 0 rows"),
        (
            "INSERT INTO grants (case_key, name, live, k_end, body) SELECT case_key, 'grt-9', 1, k_end, body FROM grants WHERE name = 'grt-4'",
            "there are 2 rows",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let clock = TestClock::new();
        drop(filled(&path, &clock).await);
        Connection::open(&path).unwrap().execute_batch(tampering).unwrap();
        let found = clean(&world::open(&path, &clock, &options()).unwrap()).await;
        assert!(found.iter().any(|f| f.contains(said)), "{tampering}: {found:#?}");
    }
}
