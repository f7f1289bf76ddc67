//! A file whose pages are not as they were written: whatever page it is, it is found, and no backup is made of it.

use std::collections::BTreeSet;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use countersign::base::ids::CaseId;
use countersign::store::sqlite::{SqliteOptions, backup_of, damage_of, head_of, quick_damage_of, verify_file};
use countersign::store::{Store as _, StoreError};
use rusqlite::Connection;

use crate::world::{self, START, TestClock, at};

/// A small store, closed, with no page that nothing uses; how long a page is and how many there are.
async fn whole(path: &Path) -> (u64, u64) {
    let store = world::open(path, &TestClock::new(), &SqliteOptions::default()).unwrap();
    store.commit(world::founding(at(START))).await.unwrap();
    for n in 1..=12 {
        world::sealed_case(&store, CaseId::new(2026, n), BTreeSet::new()).await;
    }
    drop(store);
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("VACUUM").unwrap();
    let number = |name: &str| conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).unwrap().unsigned_abs();
    (number("page_size"), number("page_count"))
}

#[tokio::test]
async fn a_page_that_was_overwritten_is_found_whichever_it_is_and_no_backup_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy, backup) = (folder.path().join("db"), folder.path().join("copy"), folder.path().join("backup"));
    let (length, pages) = whole(&path).await;
    assert!(pages > 30, "{pages}");
    assert_eq!(verify_file(&path, Some(&world::master()), &|_, _| {}).unwrap(), Vec::<String>::new());
    assert_eq!((damage_of(&path).unwrap(), quick_damage_of(&path).unwrap()), (Vec::new(), Some(Vec::new())));
    let told = std::cell::Cell::new((0, 0));
    backup_of(&path, &backup, &|done, of| told.set((done, of))).unwrap();
    let entries = head_of(&path).unwrap().0;
    assert_eq!(told.get(), (entries, entries), "its log is gone through once");
    std::fs::remove_file(&backup).unwrap();
    let rubbish: Vec<u8> = (0..length).map(|i| u8::try_from(i * 131 % 251).unwrap()).collect();
    let mut torn = 0;
    for page in 0..pages {
        std::fs::copy(&path, &copy).unwrap();
        let mut file = std::fs::File::options().write(true).open(&copy).unwrap();
        file.seek(SeekFrom::Start(page * length)).unwrap();
        file.write_all(&rubbish).unwrap();
        drop(file);
        let found = verify_file(&copy, Some(&world::master()), &|_, _| {}).unwrap_or_else(|e| panic!("page {page}: {e}"));
        assert!(!found.is_empty(), "page {page} of {pages}");
        let damaged = found[0].starts_with(&format!("the file {} is damaged", copy.display()));
        torn += u64::from(damaged);
        let kept = match backup_of(&copy, &backup, &|_, _| {}) {
            Err(StoreError::Damaged(why)) => {
                assert!(why.contains("no backup was kept"), "page {page}: {why}");
                false
            }
            Ok(()) => true,
            Err(other) => panic!("page {page}: nobody is told what to do: {other}"),
        };
        assert!(!(kept && damaged) && backup.exists() == kept, "page {page}: {kept}");
        drop(std::fs::remove_file(&backup));
    }
    assert!(torn * 10 > pages * 9, "of {pages} pages {torn} are found by their form, the rest by what they hold");
}

#[tokio::test]
async fn no_backup_is_kept_of_what_restore_would_refuse_for_its_log_or_register() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy, backup) = (folder.path().join("db"), folder.path().join("copy"), folder.path().join("backup"));
    whole(&path).await;
    let harm = [
        ("UPDATE register SET body = substr(body, 1, length(body) / 2)", "the register: its row is not what its entries make"),
        ("UPDATE register SET body = replace(body, 'p-nadia', 'p-ruizz')", "the register: its row is not what its entries make"),
        ("UPDATE register SET body = CAST(x'ff' AS TEXT)", "the register: its row is not what its entries make"),
        ("UPDATE register SET body = CAST(CAST(substr(body, 1, 40) AS BLOB) || x'ff' AS TEXT)", "the register: its row is not what its entries make"),
        ("INSERT INTO accounts VALUES (CAST(x'ff' AS TEXT), 'p-nadia')", "a value is not of the kind that was written"),
        ("UPDATE tree SET size = size + 1", "the tree: it counts"),
    ];
    for (sql, names) in harm {
        std::fs::copy(&path, &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        assert_eq!(damage_of(&copy).unwrap(), Vec::<String>::new(), "its pages are whole: {sql}");
        let why = backup_of(&copy, &backup, &|_, _| {}).unwrap_err().to_string();
        assert!(why.contains(names) && why.contains("no backup was kept") && why.contains("Restore an older backup"), "{sql}: {why}");
        assert!(!backup.exists(), "{sql}");
    }
}
