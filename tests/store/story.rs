//! One story, told by the trait alone, so that every engine can be asked to tell it.

use countersign::base::ids::CaseId;
use countersign::domain::view::QueueQuery;
use countersign::store::Store;
use countersign::store::sqlite::SqliteOptions;

use crate::world::{self, START, TestClock, at};

#[tokio::test]
async fn sqlite_tells_the_story() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = world::open(&folder.path().join("db"), &clock, &SqliteOptions::default()).unwrap();
    story(&store).await;
}

async fn story(store: &dyn Store) {
    store.commit(world::founding(at(START))).await.unwrap();
    assert_eq!(store.register().await.unwrap().version, 1);
    assert_eq!(store.head().await.unwrap().0, 1);
    let id = store.next_case(at(START)).await.unwrap();
    assert_eq!(id, CaseId::new(2026, 1));
    let page = store.queue(&QueueQuery { limit: 50, ..QueueQuery::default() }).await.unwrap();
    assert!(page.rows.is_empty());
    assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
}
