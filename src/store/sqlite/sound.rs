//! Whether a database file is whole, page by page: what comparing with the log can't see, since no query may come by a torn page for years.
//!
//! Contract: reads only, and holds the engine's page cache and one bit a page. Whatever the engine can't read is a finding and no failure.
//! Knows nothing about what the tables mean.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::schema;
use crate::store::StoreError;

/// The most findings of the engine's that are named.
const MOST: u32 = 5;
/// The largest file that is gone through when a server starts; it takes less than half a second.
const QUICK_MAX: u64 = 64 * 1_024 * 1_024;

/// What is wrong with the file: every page, every index against its table. Empty if it is whole.
pub fn damage_of(path: &Path) -> Result<Vec<String>, StoreError> {
    asked(path, &format!("PRAGMA integrity_check({MOST})"))
}

/// What is wrong with the file's pages; `None` if it is larger than what is gone through at a start (64 MiB): then `doctor` has to look.
pub fn quick_damage_of(path: &Path) -> Result<Option<Vec<String>>, StoreError> {
    let length = std::fs::metadata(path).map_err(|e| schema::refused(format!("can't read {}: {e}", path.display())))?.len();
    if length > QUICK_MAX {
        return Ok(None);
    }
    asked(path, "PRAGMA quick_check(1)").map(Some)
}

fn asked(path: &Path, pragma: &str) -> Result<Vec<String>, StoreError> {
    let found = looked(path, pragma)?;
    Ok(found.into_iter().map(|what| format!("the file {} is damaged: {what}", path.display())).collect())
}

/// As [`damage_of`], of a file whose name says nothing to whoever reads it.
pub(super) fn damage_in(path: &Path) -> Result<Vec<String>, StoreError> {
    looked(path, &format!("PRAGMA integrity_check({MOST})"))
}

fn looked(path: &Path, pragma: &str) -> Result<Vec<String>, StoreError> {
    match schema::open_walker(path).and_then(|conn| found(&conn, pragma)) {
        Err(error) if is_torn(&error) => Ok(vec![error.to_string()]),
        other => other,
    }
}

fn found(conn: &Connection, pragma: &str) -> Result<Vec<String>, StoreError> {
    let mut all = conn.prepare(pragma)?;
    let lines: Vec<String> = all.query_map([], |r| r.get(0))?.take(MOST as usize).collect::<Result<_, _>>()?;
    Ok(lines.into_iter().map(|line| line.trim().replace('\n', ", ")).filter(|line| line != "ok").collect())
}

/// Whether the engine says that the file is not as it was written.
pub(super) fn is_torn(error: &StoreError) -> bool {
    let StoreError::Engine(error) = error else { return false };
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
