//! What subjects are called from outside: their names and mail addresses, so that one who asks for itself is found by them.
//!
//! Contract: the rows of a subject are those of its record, replaced with it in the same transaction. Ids are not among them: they are found
//! as what they are. Knows nothing about who asks.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::errors::from_json;
use super::reads::all;
use crate::base::ids::SubjectId;
use crate::domain::subject::Subject;
use crate::store::StoreError;

/// The most subjects that one name or address leads to.
const CALLED: u16 = 20;

/// Replaces the rows of a subject by those of its record; to be asked before the record itself is replaced.
pub(super) fn put(conn: &Connection, subject: &Subject) -> Result<(), StoreError> {
    let id = subject.id.as_str();
    let old: Option<String> = conn.prepare_cached("SELECT body FROM subjects WHERE id = ?1")?.query_row([id], |r| r.get(0)).optional()?;
    let (before, now) = (old.map(|body| from_json::<Subject>("a subject", &body)).transpose()?.map(|s| s.handles()), subject.handles());
    let before = before.unwrap_or_default();
    for gone in before.difference(&now) {
        conn.prepare_cached("DELETE FROM subject_handles WHERE handle = ?1 AND subject = ?2")?.execute(params![gone, id])?;
    }
    for new in now.iter().filter(|h| h.as_str() != id) {
        conn.prepare_cached("INSERT OR IGNORE INTO subject_handles (handle, subject) VALUES (?1, ?2)")?.execute(params![new, id])?;
    }
    Ok(())
}

/// Whom a name or address leads to.
pub(super) fn called(conn: &Connection, handle: &str) -> Result<Vec<SubjectId>, StoreError> {
    let sql = "SELECT subject FROM subject_handles WHERE handle = ?1 ORDER BY subject LIMIT ?2";
    all(conn, sql, params![handle, CALLED], |r| {
        let id: String = r.get(0)?;
        SubjectId::parse(&id).map_err(|e| StoreError::Damaged(format!("a subject's name: {e}")))
    })
}
