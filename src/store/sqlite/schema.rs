//! Opening the database file: pragmas, migrations, and the lock that keeps a second server away from it.
//!
//! Contract: a file that a newer version wrote, or that another key belongs to, is refused with a sentence that says so, and unchanged.
//! Knows nothing about what the tables mean.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::SqliteOptions;
use crate::store::StoreError;

/// Every migration, in order; the schema's version is how many have run.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../assets/migrations/0001_first.sql"),
    include_str!("../../../assets/migrations/0002_noticed.sql"),
    include_str!("../../../assets/migrations/0003_grants.sql"),
    include_str!("../../../assets/migrations/0004_handles.sql"),
    include_str!("../../../assets/migrations/0005_found.sql"),
    include_str!("../../../assets/migrations/0006_anew.sql"),
    include_str!("../../../assets/migrations/0007_derived.sql"),
    include_str!("../../../assets/migrations/0008_passed.sql"),
    include_str!("../../../assets/migrations/0009_went.sql"),
    include_str!("../../../assets/migrations/0010_person.sql"),
    include_str!("../../../assets/migrations/0011_mailboxes.sql"),
    include_str!("../../../assets/migrations/0012_flags.sql"),
    include_str!("../../../assets/migrations/0013_dates.sql"),
    include_str!("../../../assets/migrations/0014_lanes.sql"),
    include_str!("../../../assets/migrations/0015_stricter.sql"),
    include_str!("../../../assets/migrations/0016_applied.sql"),
];
/// Fills rows from what a database of before holds.
type Fill = fn(&Connection) -> Result<(), StoreError>;

/// After which migration what is filled, in order. It goes together with the table or column that the migration makes; due times are written anew
/// where they are derived otherwise than before.
const FILLS: [(usize, &str, Fill); 9] = [
    (2, "temporary access", super::grants::fill),
    (6, "names that lead to subjects", super::handles::fill),
    (7, "when cases are due", super::dues::fill),
    (10, "mailboxes", super::mailboxes::fill),
    (11, "flags of cases, and what subjects are found by", super::found::fill),
    (12, "when cases are due", super::dues::fill),
    (12, "since when addresses, managers and saved codes are as they are", super::dates::fill),
    (15, "when cases are due", super::dues::fill),
    (15, "owners and other cases that count in undecided cases", super::reach::fill),
];

/// Prepared statements kept by each connection.
const STATEMENTS: usize = 128;
/// How long a connection waits for another's lock before it gives up.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// An error in words.
pub(super) fn refused(sentence: impl Into<String>) -> StoreError {
    StoreError::Engine(sentence.into().into())
}

/// The schema version this program writes.
pub(super) fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The file beside the database that a running server keeps locked.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Makes the file if there is none, for its owner alone, and takes away what others may do with one that is there. The engine gives its
/// write-ahead log the same rights.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    let failed = |e: std::io::Error| refused(format!("can't make {}: {e}", path.display()));
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let rights = file.metadata().map_err(failed)?.permissions();
        if rights.mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        }
    }
    drop(file);
    Ok(())
}

/// Makes the folder of a database, for its owner alone, if there is none. One that is there is left as it is.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) else { return Ok(()) };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| refused(format!("can't make {}: {e}", folder.display())))
}

/// Takes the lock; it is let go of when the file is closed, also by a crash.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    make_folder(path)?;
    let at = lock_path(path);
    let failed = |e: &dyn std::fmt::Display| refused(format!("can't lock {}: {e}", at.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&at).map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(e)) => Err(failed(&e)),
    }
}

/// Has the engine keep a statement's plan whatever values are bound. Left to itself it looks for a better one, and parses the statement anew,
/// whenever a value is another one that a condition of a partial index was compared with: nearly always, and never to any use here.
fn keep_plans(conn: &Connection) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// The writer's connection, with the schema brought up to date.
pub(super) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    make_private(path)?;
    let mut conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    keep_plans(&conn)?;
    migrate(&mut conn)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", if options.durable { "FULL" } else { "NORMAL" })?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // A REPLACE that deletes a row then fires that row's DELETE trigger too: a second line behind the INSERT triggers.
    conn.pragma_update(None, "recursive_triggers", true)?;
    conn.pragma_update(None, "cache_size", -options.writer_cache_kib)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages)?;
    if let Some(pages) = options.max_pages {
        conn.pragma_update(None, "max_page_count", pages)?;
    }
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// A connection that can't write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    keep_plans(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -4096)?;
    conn.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// A connection that can't write, for reading everything once: nothing is mapped, so that it holds its page cache and no more.
pub(super) fn open_walker(path: &Path) -> Result<Connection, StoreError> {
    let conn = open_reader(path)?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "cache_size", -16 * 1_024)?;
    Ok(conn)
}

/// A database of this process alone, for what may be more than memory should hold: the engine keeps it in a temporary file without a name,
/// or in memory while it is smaller than its cache.
pub(super) fn open_scratch(sql: &str) -> Result<Connection, StoreError> {
    let conn = Connection::open("")?;
    conn.pragma_update(None, "cache_size", -8 * 1_024)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.execute_batch(sql)?;
    Ok(conn)
}

/// Why a file can't be read, if a newer version of this program wrote it.
pub(super) fn newer(path: &Path) -> Result<Option<String>, StoreError> {
    let found: i64 = open_reader(path)?.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    Ok((found > current()).then(|| format!("written by a newer version, schema {found}; this one knows up to {}", current())))
}

/// The schema version a file has; 0 is an empty file.
pub(super) fn version(conn: &Connection) -> Result<i64, StoreError> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if version == 0 && tables > 0 {
        return Err(refused("this file is a database of something else"));
    }
    if version > current() {
        return Err(refused(format!(
            "the database was written by a newer version of countersign (schema {version}; this one knows up to {}): use that version, or restore a backup made before",
            current()
        )));
    }
    Ok(version)
}

/// Why a file can't be looked into as it lies, if an older version of this program wrote it.
pub(super) fn older(path: &Path) -> Result<Option<String>, StoreError> {
    let found = version(&open_reader(path)?)?;
    let sentence = || {
        format!(
            "written by an older version (schema {found}; this one writes {}): what it holds can be compared once the server was started",
            current()
        )
    };
    Ok((found > 0 && found < current()).then(sentence))
}

/// Brings a file that no server uses up to date.
pub(super) fn bring_up(path: &Path) -> Result<(), StoreError> {
    let mut conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    migrate(&mut conn)?;
    conn.close().map_err(|(_, e)| e)?;
    Ok(())
}

fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let from = version(conn)?;
    if from == 0 {
        conn.pragma_update(None, "page_size", 8192)?;
        conn.pragma_update(None, "auto_vacuum", "NONE")?;
    }
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    for (i, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        for (rows, fill) in FILLS.iter().filter(|f| f.0 == i).map(|f| (f.1, f.2)) {
            if from > 0 {
                tracing::info!(rows, "the database is brought up to date: rows are filled from what there is, which may take a while");
            }
            fill(&tx)?;
        }
        tx.pragma_update(None, "user_version", i64::try_from(i + 1).unwrap_or(i64::MAX))?;
        tx.commit()?;
    }
    Ok(())
}

/// What a file of that version holds of tables, indexes and triggers, by kind and name, with the statement that made each: the migrations
/// are run on an empty database. Without what the engine makes itself.
pub(super) fn made(version: i64) -> Result<Objects, StoreError> {
    let conn = Connection::open_in_memory()?;
    for sql in MIGRATIONS.iter().take(usize::try_from(version).unwrap_or(0)) {
        conn.execute_batch(sql)?;
    }
    objects(&conn)
}

/// Tables, indexes and triggers by kind and name.
pub(super) type Objects = BTreeMap<(String, String), String>;

/// What this file holds of them.
pub(super) fn objects(conn: &Connection) -> Result<Objects, StoreError> {
    let mut all = conn.prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'")?;
    let rows = all.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), r.get::<_, Option<String>>(2)?.unwrap_or_default())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A value of the `meta` table.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(conn.query_row("SELECT value FROM meta WHERE name = ?1", [name], |r| r.get(0)).optional()?)
}
