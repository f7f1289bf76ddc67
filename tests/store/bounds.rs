//! What is kept stays within its bound, and what is looked for is found without reading everything beside it.

use std::collections::BTreeSet;

use countersign::base::Digest;
use countersign::base::ids::CaseId;
use countersign::domain::event::CaseEvent;
use countersign::store::sqlite::SqliteOptions;
use countersign::store::{Beyond, KeptAnswer, Store};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, at, operator};

fn answer(key: &str) -> KeptAnswer {
    KeptAnswer { principal: "nadia".into(), key: key.into(), request_sha256: Digest::of(b"r"), status: 200, body: "{}".into() }
}

#[tokio::test]
async fn answers_beyond_the_bound_go_a_thousand_at_once_the_oldest_first_and_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let open = || world::open(&path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    open().commit(world::founding(at(START))).await.unwrap();
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
        INSERT INTO kept_answers SELECT 'sam', 'k' || i, zeroblob(32), 200, '{{}}', {START} - 100000 + i FROM n;
        INSERT OR REPLACE INTO counters (name, value) VALUES ('answers', 100000)"
    );
    Connection::open(&path).unwrap().execute_batch(&fill).unwrap();
    let counted = || -> (i64, i64) {
        let conn = Connection::open(&path).unwrap();
        let both = "SELECT (SELECT count(*) FROM kept_answers), (SELECT value FROM counters WHERE name = 'answers')";
        conn.query_row(both, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    };
    let store = open();
    for (key, (there, said)) in [("a", (100_001, 100_001)), ("b", (99_000, 99_000)), ("c", (99_001, 99_001))] {
        let mut c = world::change(at(START), operator("nadia"));
        c.idempotency = Some(answer(key));
        store.commit(c).await.unwrap();
        assert_eq!(counted(), (there, said), "{key}");
        assert_eq!(store.kept_answer("nadia", key).await.unwrap(), Some(answer(key)));
    }
    assert_eq!(store.kept_answer("sam", "k1001").await.unwrap(), None, "the oldest went");
    assert!(store.kept_answer("sam", "k1002").await.unwrap().is_some(), "and none that is newer");
}

#[tokio::test]
async fn comments_are_found_by_their_versions_among_however_many_other_entries() {
    let folder = tempfile::tempdir().unwrap();
    let store = world::open(&folder.path().join("db"), &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    let id = CaseId::new(2026, 1);
    world::sealed_case(&store, id, BTreeSet::new()).await;
    let refused = || CaseEvent::Refused { command: "seal".to_owned(), refusal: "wrong-state".to_owned(), person: None };
    for name in ["c-1", "c-2", "c-3"] {
        let mut events: Vec<CaseEvent> = (0..40).map(|_| refused()).collect();
        events.push(CaseEvent::Commented { text: world::text(name) });
        world::act(&store, id, operator("nadia"), events, 1, at(START)).await.unwrap();
    }
    let case = store.case(id).await.unwrap().unwrap();
    let last = case.version;
    assert_eq!(case.comments, [last - 82, last - 41, last]);
    // One is asked for that is no comment: it is none.
    let mut comments = case.comments.clone();
    comments.insert(0, 1);
    let wanted = Beyond { case: id, subject: case.route.subject.clone(), comments, texts: Vec::new(), people: Vec::new() };
    let said: Vec<String> = store.beside(wanted).await.unwrap().comments.iter().map(|c| c.text.id.to_string()).collect();
    assert_eq!(said, ["c-1", "c-2", "c-3"]);
}
