//! What is kept stays as it was written: restarts, full disks, moved clocks, copies, and tampering that is found and named.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use countersign::base::ids::{CaseId, TextId};
use countersign::base::{Digest, Untrusted};
use countersign::domain::case::TextRef;
use countersign::domain::event::CaseEvent;
use countersign::domain::vocabulary::CaseState;
use countersign::store::sqlite::{MasterKey, RestoreError, SqliteOptions, SqliteStore, restore};
use countersign::store::{CommitError, NewText, Store, StoreError};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, act, at, operator};

fn options() -> SqliteOptions {
    SqliteOptions::default()
}

async fn filled(path: &Path, clock: &Arc<TestClock>) -> SqliteStore {
    let store = world::open(path, clock, &options()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    world::sealed_case(&store, CaseId::new(2026, 1), BTreeSet::new()).await;
    let approval = world::approval("a-1", world::seal_digest(CaseId::new(2026, 1), 1), "ruiz", at(START));
    let events = vec![CaseEvent::Decided { approval }];
    act(&store, CaseId::new(2026, 1), operator("ruiz"), events, 0, at(START)).await.unwrap();
    store
}

#[tokio::test]
async fn a_store_opened_again_knows_everything_and_gives_no_number_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("db"), TestClock::new());
    let store = filled(&path, &clock).await;
    let (head, case, register) = (store.head().await.unwrap(), store.case(CaseId::new(2026, 1)).await.unwrap(), store.register().await.unwrap());
    let number = store.next_case(at(START)).await.unwrap();
    assert!(world::open(&path, &clock, &options()).is_err(), "in use");
    drop(store);
    let store = world::open(&path, &clock, &options()).unwrap();
    assert_eq!((store.head().await.unwrap(), store.case(CaseId::new(2026, 1)).await.unwrap()), (head, case));
    assert_eq!(store.register().await.unwrap(), register);
    assert_eq!(number, CaseId::new(2026, 2));
    assert_eq!(store.next_case(at(START)).await.unwrap(), number, "nothing was opened under it, and nobody heard of it");
    assert_eq!(store.next_case(at(START)).await.unwrap(), CaseId::new(2026, 3), "given out once");
    store.hand_back(number).await;
    assert_eq!(store.next_case(at(START)).await.unwrap(), CaseId::new(2026, 4), "another was given out since");
    store.hand_back(CaseId::new(2026, 4)).await;
    assert_eq!(store.next_case(at(START)).await.unwrap(), CaseId::new(2026, 4), "a refusal uses up no number");
    store.close();
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(matches!(store.commit(world::change(at(START), operator("nadia"))).await, Err(CommitError::Store(StoreError::Closed))));
}

#[tokio::test]
async fn a_file_of_another_key_or_version_or_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("db"), TestClock::new());
    drop(filled(&path, &clock).await);
    let sentence = |key: u8| SqliteStore::open(&path, &options(), world::ports(&clock), &MasterKey::new([key; 32])).err().map(|e| e.to_string());
    assert!(sentence(1).unwrap().contains("master key"));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(sentence(42).unwrap().contains("newer version"));
    let other = folder.path().join("other");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(world::open(&other, &clock, &options()).err().unwrap().to_string().contains("something else"));
    std::fs::write(&other, "hello, this is no database at all ".repeat(100)).unwrap();
    assert!(world::open(&other, &clock, &options()).is_err());
}

#[tokio::test]
async fn invariant_16_a_moved_clock_stops_writing_before_anything_is_stamped() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("db"), TestClock::new());
    let store = filled(&path, &clock).await;
    let head = store.head().await.unwrap();
    let write = async |store: &SqliteStore, now: i64| {
        let mut c = world::founding(at(now));
        c.register = None;
        c.register_events.truncate(1);
        store.commit(c).await
    };
    let refused = |r: Result<_, CommitError>| assert!(matches!(r, Err(CommitError::Store(StoreError::Clock))), "{r:?}");
    for moved in [6 * 60_000, 3 * 86_400_000, -86_400_000] {
        clock.tamper(moved);
        refused(write(&store, START + moved).await.map(drop));
        clock.tamper(-moved);
    }
    refused(write(&store, START - 60_000).await.map(drop));
    refused(write(&store, START + 60_000).await.map(drop));
    assert_eq!(store.head().await.unwrap(), head);
    drop(store);
    clock.tamper(-3_600_000);
    let store = world::open(&path, &clock, &options()).unwrap();
    refused(write(&store, START - 3_600_000).await.map(drop));
    drop(store);
    clock.tamper(3_600_000);
    clock.pass(90 * 86_400);
    let store = world::open(&path, &clock, &options()).unwrap();
    clock.pass(40 * 86_400);
    write(&store, START + 130 * 86_400_000).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_closed_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("db"), TestClock::new());
    drop(filled(&path, &clock).await);
    let pages: i64 = Connection::open(&path).unwrap().query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
    let store = world::open(&path, &clock, &SqliteOptions { max_pages: Some(pages + 12), ..options() }).unwrap();
    let mut number = 10;
    let (head, last) = loop {
        let before = store.head().await.unwrap();
        let id = CaseId::new(2026, number);
        let by = operator("nadia");
        let mut c = world::change(at(START), by.clone());
        let text = NewText { case: id, id: TextId::parse(&format!("t-{number}")).unwrap(), salt: [0; 16], text: "x".repeat(9_000).into() };
        let sha256 = Digest::of(&[&[0; 16], text.text.raw().as_bytes()].concat());
        let said = CaseEvent::Commented { text: TextRef { id: text.id.clone(), sha256 } };
        let events = vec![world::opened("payments-batch", &by, at(START), BTreeSet::new()), said];
        c.case = Some(world::case_change(None, id, events, 0, at(START)));
        c.texts = vec![text];
        match store.commit(c).await {
            Ok(_) => number += 1,
            Err(CommitError::Store(StoreError::Engine(e))) => {
                assert!(e.to_string().contains("full") || e.to_string().contains("given up"), "{e}");
                break (before, id);
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(number < 1_000, "the disk never filled");
    };
    assert_eq!(store.head().await.unwrap(), head);
    assert!(store.case(last).await.unwrap().is_none() && store.row(last).await.unwrap().is_none());
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    drop(store);
    let store = world::open(&path, &clock, &options()).unwrap();
    world::sealed_case(&store, last, BTreeSet::new()).await;
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_batch_loses_only_what_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(filled(&folder.path().join("db"), &TestClock::new()).await);
    let before = store.head().await.unwrap().0;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100_u32 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let (id, by, now) = (CaseId::new(2026, 100 + n / 2), operator("nadia"), at(START));
            let mut c = world::change(now, by.clone());
            c.case = Some(world::case_change(None, id, vec![world::opened("m.okafor", &by, now, BTreeSet::new())], 0, now));
            store.commit(c).await
        });
    }
    let results = tasks.join_all().await;
    let won = results.iter().filter(|r| r.is_ok()).count();
    assert!(results.iter().all(|r| matches!(r, Ok(_) | Err(CommitError::Conflict))));
    assert_eq!((won, store.head().await.unwrap().0), (50, before + 50), "of each pair one");
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_entry_over_the_limit_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("db"), &TestClock::new()).await;
    let head = store.head().await.unwrap();
    let linked = (1_000..8_000).map(|n| CaseId::new(2026, n)).collect();
    let by = operator("nadia");
    let events = vec![world::opened("m.okafor", &by, at(START), linked)];
    assert!(matches!(act(&store, CaseId::new(2026, 9), by, events, 0, at(START)).await, Err(CommitError::TooLarge)));
    assert_eq!(store.head().await.unwrap(), head);
}

#[tokio::test]
async fn texts_are_erased_and_the_log_still_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = filled(&path, &TestClock::new()).await;
    let (case, id) = (CaseId::new(2026, 7), TextId::parse("t-1").unwrap());
    world::sealed_case(&store, case, BTreeSet::new()).await;
    let secret = "a secret nobody should read";
    let text = |salt: [u8; 16]| NewText { case, id: id.clone(), salt, text: Untrusted::from(secret) };
    let sha256 = Digest::of(&[[3; 16].as_slice(), secret.as_bytes()].concat());
    let commented = vec![CaseEvent::Commented { text: TextRef { id: id.clone(), sha256 } }];
    let before = store.case(case).await.unwrap();
    let mut c = world::change(at(START), operator("nadia"));
    c.case = Some(world::case_change(before.as_ref(), case, commented, 0, at(START)));
    // Another text than the one that was said.
    c.texts = vec![text([4; 16])];
    store.commit(c).await.unwrap();
    let found = store.verify(&|_, _| {}).await.unwrap();
    assert!(found.iter().any(|f| f.starts_with("text t-1 of CS-26-000007:")), "{found:?}");
    store.erase_texts(case).await.unwrap();
    let mut c = world::change(at(START), operator("nadia"));
    c.texts = vec![text([3; 16])];
    store.commit(c).await.unwrap();
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.texts(case, std::slice::from_ref(&id)).await.unwrap().len(), 1);
    store.erase_texts(case).await.unwrap();
    assert!(store.texts(case, &[id]).await.unwrap().is_empty());
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|w| w == b"a secret"), "never in the clear");
}

#[tokio::test]
async fn a_backup_made_while_used_is_restored_only_whole_and_only_where_nothing_lives() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy, clock) = (folder.path().join("db"), folder.path().join("copy"), TestClock::new());
    let store = filled(&path, &clock).await;
    store.backup(&copy).await.unwrap();
    assert!(store.backup(&copy).await.is_err(), "never overwritten");
    let head = store.head().await.unwrap();
    world::sealed_case(&store, CaseId::new(2026, 7), BTreeSet::new()).await;
    assert!(restore(&copy, &path, true, at(START), &|_, _| {}).is_err(), "a store that runs");
    let fresh = folder.path().join("fresh");
    assert_eq!(restore(&copy, &fresh, false, at(START), &|_, _| {}).unwrap(), head.0);
    assert!(matches!(restore(&copy, &fresh, false, at(START), &|_, _| {}), Err(RestoreError::Exists(_))));
    assert_eq!(world::open(&fresh, &clock, &options()).unwrap().head().await.unwrap(), head);
    drop(store);
    let kept = std::fs::read(&path).unwrap();
    Connection::open(&copy).unwrap().execute("UPDATE cases SET state = 5", []).unwrap();
    assert!(matches!(restore(&copy, &path, true, at(START), &|_, _| {}), Err(RestoreError::Differs(..))));
    std::fs::write(&copy, b"torn").unwrap();
    assert!(restore(&copy, &path, true, at(START), &|_, _| {}).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), kept);
}

/// What a database administrator might change, with triggers dropped, and the name under which it is found.
const TAMPERING: [(&str, &str); 30] = [
    (
        "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'p-nadia', 'p-ruizz') AS BLOB) WHERE case_key IS NOT NULL AND version = 1",
        "entry 13:",
    ),
    ("UPDATE entries SET leaf = zeroblob(32) WHERE seq = 3", "entry 3:"),
    ("DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)", "the tree:"),
    ("DELETE FROM entries WHERE seq = 14", "entry 15:"),
    ("UPDATE tree SET root = zeroblob(32)", "the tree:"),
    ("UPDATE register SET body = replace(body, 'p-nadia', 'p-ruizz')", "the register:"),
    ("UPDATE accounts SET person = 'p-vera' WHERE operator = 'nadia'", "account nadia:"),
    ("UPDATE cases SET state = 3", "case CS-26-000001:"),
    ("UPDATE cases SET k_due = 1", "case CS-26-000001:"),
    ("UPDATE cases SET words = ' x'", "case CS-26-000001:"),
    ("DELETE FROM cases", "case CS-26-000001:"),
    ("DELETE FROM lineage WHERE person = 'p-nadia'", "lineage of CS-26-000001:"),
    ("UPDATE approvals SET valid_until = valid_until + 1", "approval a-1 of CS-26-000001:"),
    ("INSERT INTO voids VALUES ('a-1', 1)", "voids:"),
    ("UPDATE seals SET sha256 = zeroblob(32)", "seal 1 of CS-26-000001:"),
    ("UPDATE counters SET value = 9 WHERE name = 'open'", "counter open:"),
    ("UPDATE subjects SET body = replace(body, 'Payments batch', 'Payroll batch') WHERE id = 'payments-batch'", "subject payments-batch:"),
    ("UPDATE subjects SET salt = zeroblob(16) WHERE id = 'm.okafor'", "subject m.okafor:"),
    ("DELETE FROM subjects WHERE id = 'm.okafor'", "subjects:"),
    ("INSERT INTO people (id, name, email) VALUES ('p-ghost', 'Ghost', NULL)", "person p-ghost:"),
    ("UPDATE policies SET body = replace(body, 'approvals = 2', 'approvals = 1')", "policy "),
    ("DELETE FROM policies", "policy "),
    ("UPDATE needs SET persons = 1 WHERE persons = 2", "needs of policy "),
    ("DELETE FROM needs WHERE path = 1", "needs of policy "),
    ("UPDATE routes SET path = 0", "route 13 of CS-26-000001:"),
    ("DELETE FROM ties", "tie from automation bot to person p-vera:"),
    ("UPDATE ties SET until = since", "tie from automation bot to person p-vera:"),
    ("INSERT INTO machines SELECT case_key, 'bot', 1 FROM routes", "lineage of CS-26-000001:"),
    ("INSERT INTO links SELECT case_key, case_key + 1, 1 FROM routes", "lineage of CS-26-000001:"),
    ("INSERT INTO texts SELECT 'txt-9', case_key, x'00' FROM routes", "texts:"),
];

#[tokio::test]
async fn invariant_09_every_kind_of_tampering_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    let store = filled(&path, &TestClock::new()).await;
    assert_eq!(store.case(CaseId::new(2026, 1)).await.unwrap().unwrap().state, CaseState::Sealed);
    drop(store);
    for (sql, name) in TAMPERING {
        std::fs::copy(&path, &copy).unwrap();
        let conn = Connection::open(&copy).unwrap();
        let triggers: Vec<String> = {
            let mut all = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
            all.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        for t in &triggers {
            conn.execute_batch(&format!("DROP TRIGGER {t}")).unwrap();
        }
        conn.pragma_update(None, "foreign_keys", false).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
        drop(conn);
        match restore(&copy, &folder.path().join("out"), false, at(START), &|_, _| {}) {
            Err(RestoreError::Differs(_, found)) => assert!(found.iter().any(|f| f.starts_with(name)), "{sql}: {found:?}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}
